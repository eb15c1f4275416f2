#include "run/letters.h"
#include "run/tenure.h"

#include <stdlib.h>

#include "tidewheel/failpoint.h"
#include "tidewheel/log.h"
#include "tidewheel/mem.h"

enum {
    REVOKE_MS = 5000, /* to write and commit before units are given up */
    COMMIT_WAIT_MS = 2000,
    DRAIN_STEP_MS = 5,
};

static void log_unit(const struct worker *worker, const struct unit *unit, const char *state)
{
    const struct shard *shard = unit->shard;
    log_info("unit",
             "worker=%d topic=%s partition=%d state=%s position=%lld live_at=%lld entities=%zu",
             worker->setup.number, unit->topic->name, unit->partition, state,
             (long long)shard->ledger.position, (long long)shard->live_at, shard_count(shard));
}

/* ---- units come and go ---- */

static void forget_shard(struct worker *worker, struct unit *unit)
{
    batch_forget(&worker->batch, unit->shard);
    letters_forget(worker, unit->shard);
    shard_free(unit->shard);
    unit->shard = NULL;
    show_away(unit);
}

void units_free(struct worker *worker)
{
    for (size_t i = 0; i < worker->unit_count; i++)
        forget_shard(worker, worker->units[i]);
    worker->unit_count = 0;
}

/* In the checkpointed form what Redis has says where to go on. */
static int64_t on_position(void *arg, const struct unit *unit)
{
    const struct worker *worker = arg;
    const struct shard *shard = unit->shard;
    return shard == NULL || worker->is_fenced ? -1 : shard->ledger.position;
}

void warn_of_gaps(const struct unit *unit, const struct plan *plan)
{
    for (size_t i = 0; i < unit->topic->view_count; i++) {
        const struct view *view = unit->topic->views[i];
        for (size_t k = 0; k < view->feature_count; k++) {
            const struct feature *feature = &view->features[k];
            uint8_t longest = feature->series.by_length[feature->window_count - 1];
            log_warn("coverage",
                     "topic=%s partition=%d view=%s feature=%s window=%s log_start=%lld "
                     "why=\"the log begins too late for this window to be whole; it fills as time "
                     "passes\"",
                     unit->topic->name, unit->partition, view->name, feature->name,
                     feature->windows[longest].text, (long long)plan->log_start);
        }
    }
}

void say_missing(const struct worker *worker, const struct unit *unit, int64_t from, int64_t to)
{
    log_error(
        "missing",
        "worker=%d topic=%s partition=%d from=%lld to=%lld why=\"the log has lost records that "
        "were not read yet\" then=\"windows lack them\"",
        worker->setup.number, unit->topic->name, unit->partition, (long long)from, (long long)to);
    cell_add(&unit->line->missing, to - from);
}

struct shard *unit_add(struct worker *worker, struct unit *unit)
{
    struct shard *shard =
        shard_new(unit->topic, worker->tallies, worker->setup.seed, worker->wall_ms);
    shard_tell(shard, worker->wall_ms);
    shard->life = ++worker->lives;
    unit->shard = shard;
    worker->units =
        mem_grow(worker->units, worker->unit_count, &worker->unit_cap, sizeof *worker->units);
    worker->units[worker->unit_count++] = unit;
    return shard;
}

void unit_drop(struct worker *worker, struct unit *unit)
{
    log_unit(worker, unit, "dropped");
    unit_remove(worker, unit);
}

void unit_remove(struct worker *worker, struct unit *unit)
{
    size_t i = 0;
    while (worker->units[i] != unit)
        i++;
    worker->units[i] = worker->units[--worker->unit_count];
    forget_shard(worker, unit);
}

static void begin_shard(struct worker *worker, struct unit *unit, const struct plan *plan)
{
    struct shard *shard = unit_add(worker, unit);
    ledger_init(&shard->ledger, plan->start, plan->is_reset ? -1 : plan->commit_at_least);
    shard->started_at = plan->start;
    if (plan->wanted < plan->log_start)
        warn_of_gaps(unit, plan);
    if (!plan->is_reset && plan->commit_at_least > 0 && plan->commit_at_least < plan->log_start)
        say_missing(worker, unit, plan->commit_at_least, plan->log_start);
}

static void go_on(const struct worker *worker, struct unit *unit, const struct plan *plan)
{
    struct ledger *ledger = &((struct shard *)unit->shard)->ledger;
    if (plan->is_reset)
        ledger->committed = -1;
    else if (ledger->committed < plan->commit_at_least)
        ledger->committed = plan->commit_at_least; /* by who had it while we had lost it */
    if (plan->start > ledger->position) {
        warn_of_gaps(unit, plan);
        say_missing(worker, unit, ledger->position, plan->start);
        ledger->position = plan->start;
    }
}

/* The group has us again, with these units or with others. */
static void land(struct worker *worker)
{
    if (worker->is_adrift)
        worker->store->ops->call_out(worker->store);
    worker->is_adrift = false;
}

static void on_assigned(void *arg, struct unit *unit, const struct plan *plan)
{
    struct worker *worker = arg;
    unit->line = board_unit(worker->board, unit->topic->name, unit->partition);
    if (worker->is_fenced) {
        tenure_assigned(worker, unit, plan);
        return;
    }
    land(worker);
    struct shard *shard = unit->shard;
    if (shard != NULL && plan->start < shard->ledger.position) {
        /* A person's reset, or another log under the same name: what we know is of no use. */
        unit_drop(worker, unit);
        shard = NULL;
    }
    if (shard == NULL) {
        begin_shard(worker, unit, plan);
        shard = unit->shard;
    } else {
        go_on(worker, unit, plan);
    }
    shard_go_silent(shard, plan->live_at);
    shard->letters_from = plan->commit_at_least;
    shard->own_from = plan->live_at;
    log_unit(worker, unit, "silent");
    cell_set(&unit->line->cells[UNIT_START], shard->ledger.position);
    show_unit(worker, unit);
    worker->source->ops->begin(worker->source, unit, shard->ledger.position);
}

static void on_revoked(void *arg, bool is_lost)
{
    struct worker *worker = arg;
    if (worker->is_fenced) {
        if (!is_lost && !worker->has_failed)
            drain(worker, REVOKE_MS);
        for (size_t i = 0; i < worker->tenure_count; i++)
            tenure_park(worker->tenures[i]);
        return;
    }
    if (is_lost) {
        worker->is_adrift = true;
        worker->store->ops->call_out(worker->store);
    } else if (!worker->has_failed) {
        drain(worker, REVOKE_MS);
    }
    for (size_t i = 0; i < worker->unit_count; i++) {
        log_unit(worker, worker->units[i], "parked");
        cell_set(&worker->units[i]->line->cells[UNIT_STAGE], STAGE_PARKED);
    }
}

static void on_dropped(void *arg, struct unit *unit)
{
    struct worker *worker = arg;
    if (unit->tenure != NULL) {
        tenure_free(unit->tenure);
        return;
    }
    if (!worker->is_adopting) /* then it was not the group that has spoken */
        land(worker);
    if (unit->shard != NULL)
        unit_drop(worker, unit);
}

static void on_reached(void *arg, struct unit *unit, int64_t offset)
{
    (void)arg;
    struct shard *shard = unit->shard;
    bool is_read = unit->tenure == NULL || unit->tenure->state == TENURE_RUNNING;
    if (shard != NULL && is_read && shard->ledger.position < offset)
        shard->ledger.position = offset;
}

struct source_handler worker_handler(struct worker *worker)
{
    return (struct source_handler){
        .arg = worker,
        .board = worker->board,
        .position = on_position,
        .assigned = on_assigned,
        .revoked = on_revoked,
        .dropped = on_dropped,
        .reached = on_reached,
        .until_ms = worker->setup.until_ms,
    };
}

bool units_have_arrivals(const struct worker *worker)
{
    for (size_t i = 0; i < worker->unit_count; i++) {
        const struct unit *unit = worker->units[i];
        bool may_write = unit->tenure == NULL || unit->tenure->state == TENURE_RUNNING;
        if (unit->is_assigned && may_write && shard_has_arrivals(unit->shard))
            return true;
    }
    return false;
}

void lift_fences(struct worker *worker)
{
    for (size_t i = 0; i < worker->unit_count; i++) {
        struct unit *unit = worker->units[i];
        struct shard *shard = unit->shard;
        if (!unit->is_assigned || shard->is_live || shard->ledger.position < shard->live_at)
            continue;
        shard_go_live(shard);
        log_unit(worker, unit, "live");
        show_unit(worker, unit);
    }
}

/* ---- answers ---- */

/* All that was due by time is acknowledged, as far as it was gathered. */
static void note_said(struct worker *worker)
{
    for (size_t i = 0; i < worker->unit_count; i++)
        shard_note_said(worker->units[i]->shard);
}

static void take_answer(struct worker *worker, const struct item *item)
{
    ledger_acknowledge(&item->shard->ledger);
    if (item->kind == ITEM_FEATURES && item->is_refused)
        shard_refused(item->shard, item->entity, worker->wall_ms);
    else if (item->kind == ITEM_FEATURES)
        shard_written(item->shard, item->entity, item->as_of_ms, item->next_ms, item->generation);
    else if (item->fence != NULL)
        tenure_answered(tenure_of(item->fence), item);
}

static void take_answers(struct worker *worker)
{
    worker->is_sent = false;
    show_answers(worker);
    note_said(worker);
    /* An answer may drop a shard: what is left of it is passed by. */
    for (size_t i = 0; i < worker->batch.item_count; i++)
        if (worker->batch.items[i].shard != NULL)
            take_answer(worker, &worker->batch.items[i]);
}

/* What we know is written again; but whoever has fallen to nothing since then, and was forgotten,
 * has its old values back, and only the log still knows of it. */
static void note_older(struct worker *worker)
{
    int64_t older_ms = worker->store->ops->older_ms(worker->store) + worker->gap_ms;
    for (size_t i = 0; i < worker->unit_count; i++) {
        const struct shard *shard = worker->units[i]->shard;
        if (shard->forgot_ms >= older_ms && older_ms < worker->alive_ms)
            worker->alive_ms = older_ms;
    }
}

void read_again(struct worker *worker)
{
    log_warn("again", "worker=%d units=%zu then=\"every unit is read again\"", worker->setup.number,
             worker->unit_count);
    if (worker->is_fenced)
        tenures_restart(worker);
    else
        units_free(worker);
    worker->source->ops->restart(worker->source, NULL, worker->alive_ms);
    worker->alive_ms = INT64_MAX;
}

int pump_store(struct worker *worker, struct err *err)
{
    unsigned events = 0;
    int rc = worker->store->ops->pump(worker->store, worker->mono_ms, &events, err);
    if ((events & STORE_LOST) != 0)
        for (size_t i = 0; i < worker->unit_count; i++)
            shard_say_again(worker->units[i]->shard);
    if ((events & STORE_OLDER) != 0)
        note_older(worker);
    if ((events & STORE_WRITTEN) != 0)
        take_answers(worker);
    if ((events & STORE_BROKE) != 0 && worker->loader != NULL)
        loader_hang_up(worker->loader);
    if (rc == 0 && worker->loader != NULL)
        rc = loader_pump(worker->loader, worker->mono_ms, err);
    return rc;
}

/* ---- writes ---- */

static void add_entity(struct worker *worker, struct shard *shard, struct fence *fence,
                       struct entity_ref entity, int64_t record_ms)
{
    shard_read(shard, entity, &worker->row);
    batch_add(&worker->batch, shard, fence, entity, &worker->row, worker->wall_ms)->record_ms =
        record_ms;
    if (fence != NULL)
        clean_with(tenure_of(fence), entity);
}

/* Lost units go on decaying while all of Kafka is away: nobody else can be given them. If somebody
 * was all the same, landing calls out, and the owner writes again. */
static struct shard *shard_in_turn(const struct worker *worker, size_t i, struct fence **ret)
{
    const struct unit *unit = worker->units[(worker->unit_first + i) % worker->unit_count];
    bool is_ours = unit->is_assigned || (worker->is_adrift && worker->is_kafka_away);
    *ret = unit->tenure != NULL ? &unit->tenure->fence : NULL;
    if (*ret != NULL)
        is_ours = tenure_may_write(unit->tenure);
    return is_ours ? unit->shard : NULL;
}

static void gather_arrivals(struct worker *worker, size_t entities_max, size_t bytes_max)
{
    struct entity_ref entity;
    int64_t record_ms = -1;
    for (size_t i = 0; i < worker->unit_count; i++) {
        struct fence *fence = NULL;
        struct shard *shard = shard_in_turn(worker, i, &fence);
        while (shard != NULL && !batch_is_full(&worker->batch, entities_max) &&
               worker->batch.bytes.len < bytes_max &&
               shard_take_arrival(shard, &entity, &record_ms))
            add_entity(worker, shard, fence, entity, record_ms);
    }
}

static void gather_decays(struct worker *worker, size_t entities_max, size_t looks)
{
    struct entity_ref entity;
    for (size_t i = 0; i < worker->unit_count; i++) {
        struct fence *fence = NULL;
        struct shard *shard = shard_in_turn(worker, i, &fence);
        while (shard != NULL && !batch_is_full(&worker->batch, entities_max) &&
               shard_take_decay(shard, worker->wall_ms, &looks, &entity)) {
            add_entity(worker, shard, fence, entity, -1);
            cell_add(&worker->board->cells[BOARD_DECAYS], 1);
        }
    }
}

static bool is_time(const struct worker *worker)
{
    const struct options *options = worker->setup.options;
    if (worker->mono_ms - worker->sent_at_ms >= options->flush_interval_ms || worker->has_backlog ||
        tenures_have_urgent(worker))
        return true;
    size_t held = 0;
    for (size_t i = 0; i < worker->unit_count; i++)
        held += ((struct shard *)worker->units[i]->shard)->ledger.count;
    return held >= (size_t)options->flush_entities_max;
}

void write_changes(struct worker *worker, size_t looks)
{
    if (worker->is_sent || worker->is_adopting || !worker->store->ops->is_ready(worker->store) ||
        !is_time(worker))
        return;
    size_t entities_max = (size_t)worker->setup.options->flush_entities_max;
    size_t batches = (size_t)cell_get(&worker->board->cells[BOARD_BATCHES]);
    size_t quarter = (entities_max + batches % 4) / 4; /* of a small batch: now and then */
    batch_begin(&worker->batch);
    gather_arrivals(worker, entities_max - quarter, BATCH_BYTES_MAX - BATCH_BYTES_MAX / 4);
    gather_decays(worker, entities_max, looks);
    gather_arrivals(worker, entities_max, BATCH_BYTES_MAX);
    tenures_gather(worker);
    worker->has_backlog = batch_is_full(&worker->batch, entities_max);
    worker->unit_first++;
    if (worker->batch.item_count == 0) {
        note_said(worker);
        return;
    }
    worker->is_sent = true;
    worker->sent_at_ms = worker->mono_ms;
    show_sent(worker);
    worker->store->ops->send(worker->store, &worker->batch, worker->mono_ms);
}

/* ---- commits ---- */

/* The offset to commit; -1: none is due. Of a checkpointed unit it is the progress that was written. */
static int64_t commit_due(const struct worker *worker, const struct unit *unit, int64_t interval_ms,
                          int64_t idle_ms)
{
    const struct shard *shard = unit->shard;
    int64_t since_ms = worker->mono_ms - shard->committed_at_ms;
    int64_t durable = unit->tenure != NULL ? unit->tenure->commit_due : shard_durable(shard);
    bool is_settled = unit->tenure != NULL || (shard->is_live && !shard->is_passing);
    if (!is_settled || (since_ms < interval_ms && unit->tenure == NULL))
        return -1;
    bool is_due = durable > shard->ledger.committed ||
                  (durable == shard->ledger.committed && since_ms >= idle_ms);
    return is_due ? durable : -1;
}

void let_offsets_go(struct worker *worker, int64_t interval_ms, int64_t idle_ms, int64_t wait_ms)
{
    size_t count = 0;
    for (size_t i = 0; i < worker->unit_count; i++) {
        struct unit *unit = worker->units[i];
        struct shard *shard = unit->shard;
        int64_t offset = commit_due(worker, unit, interval_ms, idle_ms);
        if (!unit->is_assigned || offset < 0)
            continue;
        worker->commits =
            mem_grow(worker->commits, count, &worker->commit_cap, sizeof *worker->commits);
        worker->commits[count++] = (struct commit){unit, offset};
        shard->ledger.committed = offset;
        shard->committed_at_ms = worker->mono_ms;
    }
    if (count == 0)
        return;
    worker->source->ops->commit(worker->source, worker->commits, count, wait_ms);
    failpoint(FAIL_COMMITTED);
}

/* ---- draining ---- */

/* The last checkpoints wait for letters, but not so long that there is no time for them. */
void drain(struct worker *worker, int64_t budget_ms)
{
    struct err err;
    int64_t deadline_ms = worker->setup.mono_ms() + budget_ms;
    tenures_begin_ending(worker);
    worker->is_adopting = false; /* the next turn sees to it */
    for (;;) {
        worker->mono_ms = worker->setup.mono_ms();
        show_turn(worker);
        if (pump_store(worker, &err) < 0 || worker->mono_ms >= deadline_ms)
            break;
        letters_serve(worker);
        worker->is_ending = worker->is_ending || letters_are_settled(worker) ||
                            worker->mono_ms >= deadline_ms - budget_ms / 2;
        if (worker->is_ending && !worker->is_sent && !units_have_arrivals(worker) &&
            tenures_have_ended(worker))
            break;
        worker->fetches_left = SIZE_MAX;
        tenures_fetch(worker);
        worker->sent_at_ms = 0; /* it is always time */
        write_changes(worker, 0);
        worker->store->ops->wait(worker->store, DRAIN_STEP_MS);
    }
    worker->is_ending = false;
    let_offsets_go(worker, 0, INT64_MAX, COMMIT_WAIT_MS);
}
