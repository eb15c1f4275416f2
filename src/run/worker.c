#include "tidewheel/worker.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "run/letters.h"
#include "run/tenure.h"
#include "tidewheel/entropy.h"
#include "tidewheel/failpoint.h"
#include "tidewheel/log.h"
#include "tidewheel/mem.h"

enum {
    TURN_EVENTS_MAX = 1000,
    BEHIND_MAX = 500, /* records for views that are behind, of a turn */
    TURN_MS_MAX = 5,
    PUMP_EVERY = 32,       /* events; a pump is one system call */
    IDLE_WAIT_MS = 10,     /* decays are due on multiples of 10 ms */
    AWAY_MS = 1000,        /* of a store, before intake pauses */
    CLOCK_STEP_MS = 10000, /* more than any daemon slews a clock by */
    COMMIT_MS = 1000,
    COMMIT_IDLE_MS = 60000,
    STATS_MS = 10000,
    SHOW_MS = 1000,
    BURY_LOOKS = 1000, /* of what a reload has taken away, of a unit, a turn */
    LOOKS_MAX = 1000,  /* entities that the second lane looks at in a turn */
    DRAIN_PART = 3,    /* of the shutdown timeout, that leaving the group may take */
};

static char *name_worker(int number)
{
    char host[64] = "";
    struct buf name = {NULL, 0, 0};
    (void)gethostname(host, sizeof host - 1);
    buf_printf(&name, "%s/%ld/%d", host, (long)getpid(), number);
    return name.ptr == NULL ? NULL : (buf_text(&name), name.ptr);
}

struct worker *worker_new(const struct worker_setup *setup)
{
    struct worker *worker = mem_zalloc(sizeof *worker);
    worker->setup = *setup;
    worker->offered = worker->adopted = setup->catalog;
    worker->board = setup->board;
    worker->alive_ms = INT64_MAX;
    if (setup->wall_ms == NULL)
        worker->setup.wall_ms = clock_wall_ms;
    if (setup->mono_ms == NULL)
        worker->setup.mono_ms = clock_mono_ms;
    if (setup->mono_us == NULL)
        worker->setup.mono_us = clock_mono_us;
    if (setup->random == NULL)
        worker->setup.random = entropy_draw;
    worker->is_fenced = setup->options->checkpoint_interval_ms > 0;
    worker->who = name_worker(setup->number);
    worker->decoder = decoder_new(&(struct decode_limits){
        .event_bytes = (size_t)setup->options->limits_event_bytes,
        .nesting = (size_t)setup->options->limits_nesting,
        .key_bytes = (size_t)setup->options->limits_key_bytes,
    });
    worker->letter_bytes = LETTERS_BYTES_MAX;
    adopt_views(worker, NULL);
    return worker;
}

void worker_free(struct worker *worker)
{
    if (worker == NULL)
        return;
    units_free(worker);
    for (size_t i = 0; i < worker->setup.catalog->index_count; i++)
        keyed_free(worker->keyed[i]);
    free(worker->tenures);
    free(worker->who);
    decoder_free(worker->decoder);
    batch_fini(&worker->batch);
    free(worker->units);
    free(worker->commits);
    free(worker->headers);
    free(worker->lines);
    free(worker->tallies);
    free(worker->aside);
    free(worker->keyed);
    free(worker->row.readings);
    free(worker);
}

bool worker_has_left(const struct worker *worker)
{
    return worker->has_left;
}

/* ---- the time ---- */

/* The only place that asks. A wall clock that steps ages everything at once: the units are read again
 * as after a restart. */
static void tell_time(struct worker *worker)
{
    worker->mono_ms = worker->setup.mono_ms();
    worker->wall_ms = worker->setup.wall_ms();
    int64_t gap_ms = worker->wall_ms - worker->mono_ms;
    int64_t step_ms = gap_ms - worker->gap_ms;
    bool is_first = worker->gap_ms == 0;
    worker->gap_ms = gap_ms;
    if (!is_first && (step_ms > CLOCK_STEP_MS || step_ms < -CLOCK_STEP_MS)) {
        log_warn("clock", "worker=%d step_ms=%lld then=\"every unit is read again\"",
                 worker->setup.number, (long long)step_ms);
        read_again(worker);
    }
    for (size_t i = 0; i < worker->unit_count; i++) {
        shard_tell(worker->units[i]->shard, worker->wall_ms);
        shard_bury(worker->units[i]->shard, BURY_LOOKS);
    }
}

/* ---- taking events ---- */

/* Does the topic's key say what the view groups by? Said once, with the figures. */
static void check_key(struct worker *worker, const struct view *view, const struct unit *unit,
                      const struct routed *routed, const struct record *record)
{
    struct keyed **keyed = &worker->keyed[view->index];
    if (*keyed == NULL)
        *keyed = keyed_new();
    if (keyed_is_decided(*keyed))
        return;
    keyed_note(*keyed, routed->identity, view->has_tenant, record->key, unit->partition,
               unit->partition_count);
    if (keyed_is_wrong(*keyed))
        log_warn(
            "keyed",
            "view=%s topic=%s entities=%d elsewhere=%zu why=\"entities that neither are the "
            "record's "
            "key nor lie on its partition: each partition then holds a part of their events and "
            "overwrites the others' values; key the topic by the view's entity\"",
            view->name, unit->topic->name, KEYED_ENTITIES, keyed_strangers(*keyed));
}

/* The turn's time may be old: a poll can take as long as a rebalance, or as a machine that was
 * suspended. Only an event that seems to be ahead of it is worth asking again. */
static enum verdict judge(struct worker *worker, const struct view *view, const struct event *event,
                          struct routed *ret)
{
    enum verdict verdict = decode_for_view(worker->decoder, view, event, worker->wall_ms, ret);
    if (verdict != VERDICT_FUTURE)
        return verdict;
    worker->wall_ms = worker->setup.wall_ms();
    return decode_for_view(worker->decoder, view, event, worker->wall_ms, ret);
}

/* For the views that are read together, or for those that are behind, which only count what they reject.
 * False: on_error says stop. */
static bool apply_record(struct worker *worker, struct unit *unit, const struct record *record,
                         bool is_behind)
{
    struct shard *shard = unit->shard;
    const struct topic *topic = unit->topic;
    struct event event;
    enum verdict verdict = decode(worker->decoder, topic, record, &event);
    if (verdict != VERDICT_ACCEPTED && !is_behind &&
        !letters_take(worker, unit, record, verdict, NULL))
        return false;
    for (uint32_t i = 0; i < topic->view_count; i++) {
        if (is_behind ? !tenure_wants(unit->tenure, i, record->offset) : shard->is_behind[i])
            continue;
        const struct view *view = topic->views[i];
        struct tally *tally = worker->tallies[view->index];
        struct routed routed;
        enum verdict here = verdict;
        if (here == VERDICT_ACCEPTED)
            here = judge(worker, view, &event, &routed);
        if (here != verdict && !is_behind && !letters_take(worker, unit, record, here, view))
            return false;
        if (here != VERDICT_ACCEPTED) {
            tally_add(tally, here, 1);
            continue;
        }
        if (event.duplicates > 0)
            tally_add(tally, VERDICT_DUPLICATE_KEY, event.duplicates);
        check_key(worker, view, unit, &routed, record);
        shard_apply(shard, i, &routed, event.values, record->offset,
                    record->offset >= shard->own_from && !is_behind ? KNOW_FED : KNOW_MATCHED);
    }
    cell_add(&worker->board->cells[BOARD_RECORDS], 1);
    return true;
}

static void take_record(struct worker *worker, struct unit *unit, const struct record *record)
{
    if (letters_must_come(worker, unit) ||
        (unit->tenure != NULL && !tenure_take(unit->tenure, record)))
        return;
    struct ledger *ledger = &unit->shard->ledger;
    if (record->offset < ledger->position)
        return; /* read already: a fetch that began a little earlier */
    if (!apply_record(worker, unit, record, false))
        return;
    unit->shard->record_ms = record->timestamp_ms;
    ledger->position = record->offset + 1;
}

/* What the views need that are behind, a little at a time. */
static int take_behind(struct worker *worker, struct err *err)
{
    struct source *reader = worker->reader;
    size_t most = memory_events(worker, BEHIND_MAX);
    for (size_t count = 0; reader != NULL && count < most; count++) {
        struct unit *unit = NULL;
        struct record record;
        int rc = reader->ops->poll(reader, 0, &unit, &record, err);
        if (rc == ERR_RETRY || rc == 0)
            break;
        if (rc < 0)
            return rc;
        if (!tenure_take_behind(unit->tenure, &record))
            continue;
        (void)apply_record(worker, unit, &record, true);
        tenure_reached_behind(unit->tenure, record.offset + 1);
    }
    return 0;
}

static void on_reached_behind(void *arg, struct unit *unit, int64_t offset)
{
    (void)arg;
    tenure_reached_behind(unit->tenure, offset);
}

struct source_handler worker_reader_handler(struct worker *worker)
{
    return (struct source_handler){.arg = worker, .reached = on_reached_behind};
}

static int64_t wait_for(const struct worker *worker)
{
    if (worker->loader != NULL && loader_is_busy(worker->loader))
        return 1; /* every page is asked for by a pump */
    if (!worker->store->ops->is_ready(worker->store))
        return worker->is_sent ? 1 : IDLE_WAIT_MS;
    if (worker->has_backlog)
        return 1; /* a million decays are due at once, say */
    if (!units_have_arrivals(worker))
        return IDLE_WAIT_MS;
    int64_t due_ms = worker->sent_at_ms + worker->setup.options->flush_interval_ms;
    int64_t wait_ms = due_ms - worker->mono_ms;
    return wait_ms < 0 ? 0 : wait_ms > IDLE_WAIT_MS ? IDLE_WAIT_MS : wait_ms;
}

static int take_events(struct worker *worker, struct err *err)
{
    struct source *source = worker->source;
    int64_t wait_ms = wait_for(worker);
    size_t most = memory_events(worker, TURN_EVENTS_MAX);
    for (size_t count = 0; count < most; count++, wait_ms = 0) {
        struct unit *unit = NULL;
        struct record record;
        int rc = source->ops->poll(source, wait_ms, &unit, &record, err);
        worker->is_kafka_away = rc == ERR_RETRY;
        if (rc == ERR_RETRY)
            break; /* it has been logged, and decay goes on */
        if (rc <= 0)
            return rc;
        if (unit->shard == NULL)
            continue;
        take_record(worker, unit, &record);
        if (worker->refusal.code != 0)
            return err_set(err, worker->refusal.code, "%s", worker->refusal.text);
        if (count % PUMP_EVERY != PUMP_EVERY - 1)
            continue;
        rc = pump_store(worker, err);
        if (rc < 0 || worker->setup.mono_ms() - worker->mono_ms >= TURN_MS_MAX)
            return rc;
    }
    return 0;
}

/* ---- intake ---- */

static void watch_intake(struct worker *worker)
{
    struct source *source = worker->source;
    if (!worker->store->ops->is_away(worker->store))
        worker->store_seen_ms = worker->mono_ms;
    bool is_away = worker->mono_ms - worker->store_seen_ms > AWAY_MS;
    cell_set(&worker->board->cells[BOARD_REDIS_UP], !worker->store->ops->is_away(worker->store));
    bool is_paused = is_away || worker->is_full;
    if (is_paused == worker->is_paused)
        return;
    worker->is_paused = is_paused;
    cell_set(&worker->board->cells[BOARD_PAUSED], is_paused);
    if (is_paused)
        log_warn("intake", "worker=%d state=waiting why=\"%s\"", worker->setup.number,
                 is_away ? "Redis is away" : "limits.memory is reached");
    else
        log_warn("intake", "worker=%d state=running", worker->setup.number);
    source->ops->pause(source, is_paused);
}

static void log_stats(struct worker *worker)
{
    const struct board *board = worker->board;
    int64_t records = cell_get(&board->cells[BOARD_RECORDS]);
    int64_t since_ms = worker->mono_ms - worker->stats_at_ms + STATS_MS + 1; /* never 0 */
    int64_t lag = 0;
    size_t entities = 0;
    for (size_t i = 0; i < worker->unit_count; i++) {
        const struct unit *unit = worker->units[i];
        const struct shard *shard = unit->shard;
        int64_t end = worker->source->ops->end(worker->source, unit);
        lag += end > shard->ledger.position ? end - shard->ledger.position : 0;
        entities += shard_count(shard);
    }
    log_info("stats",
             "worker=%d units=%zu records=%lld records_s=%.0f lag=%lld entities=%zu bytes=%zu "
             "batches=%lld writes=%lld decays=%lld",
             worker->setup.number, worker->unit_count, (long long)records,
             (double)(records - worker->stats_records) * 1000.0 / (double)since_ms, (long long)lag,
             entities, worker_bytes(worker), (long long)cell_get(&board->cells[BOARD_BATCHES]),
             (long long)cell_get(&board->cells[BOARD_WRITES]),
             (long long)cell_get(&board->cells[BOARD_DECAYS]));
    worker->stats_records = records;
    worker->stats_at_ms = worker->mono_ms + STATS_MS;
}

static int look_around(struct worker *worker, struct err *err)
{
    watch_intake(worker);
    if (worker->mono_ms >= worker->show_at_ms) {
        show_all(worker);
        worker->show_at_ms = worker->mono_ms + SHOW_MS;
    }
    if (worker->mono_ms >= worker->stats_at_ms)
        log_stats(worker);
    return memory_tend(worker, err);
}

/* ---- the turn ---- */

int worker_turn(struct worker *worker, struct err *err)
{
    tell_time(worker);
    show_turn(worker);
    int rc = look_around(worker, err);
    if (rc == 0)
        rc = take_events(worker, err);
    if (rc == 0)
        rc = take_behind(worker, err);
    if (rc == 0)
        rc = pump_store(worker, err);
    if (rc == 0)
        rc = tenures_tend(worker, err);
    if (rc == 0)
        rc = adopt_offer(worker, err);
    if (rc < 0)
        return rc;
    letters_serve(worker);
    letters_release(worker);
    failpoint(FAIL_APPLIED);
    if (worker->alive_ms != INT64_MAX)
        read_again(worker);
    lift_fences(worker);
    write_changes(worker, LOOKS_MAX);
    let_offsets_go(worker, COMMIT_MS, COMMIT_IDLE_MS, 0);
    return 0;
}

void worker_begin(struct worker *worker, const struct worker_ends *ends)
{
    worker->source = ends->source;
    worker->store = ends->store;
    worker->reader = ends->reader;
    worker->loader = ends->loader;
    letters_begin(worker, ends->letters);
    tell_time(worker);
    show_turn(worker);
    show_phase(worker, PHASE_RUNNING);
    worker->store_seen_ms = worker->mono_ms;
    worker->stats_at_ms = worker->mono_ms + STATS_MS;
}

void worker_end(struct worker *worker, int rc)
{
    struct source *source = worker->source;
    int64_t timeout_ms = worker->setup.options->shutdown_timeout_ms;
    worker->has_failed = rc == ERR_INTERNAL;
    show_phase(worker, PHASE_DRAINING);
    if (rc == 0 || worker->refusal.code != 0)
        drain(worker, timeout_ms - timeout_ms / DRAIN_PART);
    log_stats(worker);
    worker->has_left = source->ops->close(source, timeout_ms / DRAIN_PART);
    if (!worker->has_left)
        log_warn(
            "close",
            "worker=%d why=\"the group was not left in time; its members find out by themselves\"",
            worker->setup.number);
    worker->store->ops->close(worker->store);
    if (worker->reader != NULL)
        worker->has_left =
            worker->reader->ops->close(worker->reader, timeout_ms / DRAIN_PART) && worker->has_left;
    loader_free(worker->loader);
    if (worker->letters != NULL)
        worker->has_left = worker->letters->ops->close(worker->letters, timeout_ms / DRAIN_PART) &&
                           worker->has_left;
    worker->letters = NULL;
    show_phase(worker, PHASE_ENDED);
}

int worker_run(struct worker *worker, const struct worker_ends *ends, struct err *err)
{
    worker_begin(worker, ends);
    int rc = 0;
    while (rc == 0 && !atomic_load_explicit(worker->setup.stop, memory_order_relaxed))
        rc = worker_turn(worker, err);
    worker_end(worker, rc);
    return rc;
}
