#include "run/tenure.h"

#include <stdlib.h>

#include "run/tenure_judge.h"
#include "tidewheel/failpoint.h"
#include "tidewheel/log.h"
#include "tidewheel/mem.h"

enum {
    REST_MS_MIN = 200,
    REST_MS_MAX = 1000,
};

static const char *const state_names[] = {
    [TENURE_CLAIMING] = "claiming", [TENURE_LOADING] = "loading", [TENURE_RESETTING] = "resetting",
    [TENURE_RUNNING] = "running",   [TENURE_RESTING] = "resting", [TENURE_PARKED] = "parked",
};

static void set_state(struct tenure *tenure, enum tenure_state state)
{
    const struct unit *unit = tenure->unit;
    const struct shard *shard = unit->shard;
    log_info(
        "unit",
        "worker=%d topic=%s partition=%d state=%s was=%s position=%lld entities=%zu why=\"%s\"",
        tenure->worker->setup.number, unit->topic->name, unit->partition, state_names[state],
        state_names[tenure->state], shard != NULL ? (long long)shard->ledger.position : -1LL,
        shard != NULL ? shard_count(shard) : 0, tenure->reason);
    tenure->state = state;
    show_unit(tenure->worker, unit);
}

/* ---- memory ---- */

static void drop_memory(struct tenure *tenure)
{
    struct worker *worker = tenure->worker;
    loader_cancel(worker->loader, &tenure->load);
    loader_forget(worker->loader, &tenure->fence);
    if (worker->reader != NULL)
        worker->reader->ops->hold(worker->reader, tenure->unit);
    clean_drop(tenure);
    checkpoint_fini(&tenure->checkpoint);
    if (tenure->unit->shard != NULL)
        unit_remove(worker, tenure->unit);
    tenure->commit_due = -1;
    tenure->is_reset_sent = false;
    tenure->is_damaged = false;
    tenure->leaving = LEAVING_NOT;
}

static void make_memory(struct tenure *tenure)
{
    struct worker *worker = tenure->worker;
    drop_memory(tenure);
    struct shard *shard = unit_add(worker, tenure->unit);
    shard->keeps_blobs = true;
    shard_go_silent(shard, INT64_MAX); /* whatever it is: not before it runs */
    checkpoint_init(&tenure->checkpoint, shard, &tenure->fence, buf_text(&tenure->prefix));
}

/* ---- running ---- */

/* The windows of this view lack what the log has lost: how far back they do is told by the first record. */
static void open_cover(const struct tenure *tenure, struct kept *kept)
{
    kept->cover_ms = tenure->worker->wall_ms;
    kept->is_cover_open = true;
}

static int64_t skip_what_is_lost(struct tenure *tenure, int64_t position)
{
    say_missing(tenure->worker, tenure->unit, position, tenure->plan.log_start);
    return tenure->plan.log_start;
}

static void read_behind(struct tenure *tenure)
{
    const struct shard *shard = tenure->unit->shard;
    struct source *reader = tenure->worker->reader;
    int64_t start = INT64_MAX;
    for (size_t i = 0; i < tenure->unit->topic->view_count; i++) {
        struct kept *kept = &tenure->checkpoint.kept[i];
        if (!shard->is_behind[i] || kept->is_reset)
            continue;
        if (kept->position < tenure->plan.log_start) {
            kept->position = skip_what_is_lost(tenure, kept->position);
            open_cover(tenure, kept);
        }
        start = kept->position < start ? kept->position : start;
    }
    if (start < INT64_MAX)
        reader->ops->begin(reader, tenure->unit, start);
}

/* From here on records come. position: the first one to apply. */
static void run_from(struct tenure *tenure, int64_t position, bool is_live)
{
    struct worker *worker = tenure->worker;
    struct shard *shard = tenure->unit->shard;
    if (position < tenure->plan.log_start) {
        position = skip_what_is_lost(tenure, position);
        for (size_t i = 0; i < tenure->unit->topic->view_count; i++)
            if (!shard->is_behind[i])
                open_cover(tenure, &tenure->checkpoint.kept[i]);
    }
    shard->ledger.position = position;
    shard->ledger.committed = tenure->plan.is_reset ? -1 : tenure->plan.commit_at_least;
    shard->live_at = tenure->plan.live_at;
    shard->letters_from = tenure->plan.commit_at_least;
    shard->own_from = INT64_MAX; /* until the first record has come */
    if (is_live && !shard->is_live)
        shard_go_live(shard);
    int64_t begin = position;
    if (tenure->expected.offset >= tenure->plan.log_start && tenure->expected.offset <= position)
        begin = tenure->expected.offset;
    else
        tenure->expected.offset = -1;
    tenure->checkpoint_ms = worker->mono_ms + worker->setup.options->checkpoint_interval_ms;
    cell_set(&tenure->unit->line->cells[UNIT_START], position);
    set_state(tenure, TENURE_RUNNING);
    tenure->reason = NULL;
    worker->source->ops->begin(worker->source, tenure->unit, begin);
    read_behind(tenure);
}

/* ---- resetting ---- */

static void begin_anew(struct tenure *tenure, size_t view)
{
    struct kept *kept = &tenure->checkpoint.kept[view];
    judge_reset(&tenure->fence.found, tenure->unit->topic->views[view]->name, tenure->plan.again,
                kept);
    if (tenure->plan.wanted < tenure->plan.log_start)
        open_cover(tenure, kept);
}

void tenure_rebuild(struct tenure *tenure, const char *reason)
{
    struct worker *worker = tenure->worker;
    worker->source->ops->hold(worker->source, tenure->unit);
    make_memory(tenure);
    tenure->reason = reason;
    tenure->expected.offset = -1;
    struct shard *shard = tenure->unit->shard;
    shard_tell(shard, worker->wall_ms);
    for (size_t i = 0; i < tenure->unit->topic->view_count; i++)
        begin_anew(tenure, i);
    if (tenure->plan.wanted < tenure->plan.log_start)
        warn_of_gaps(tenure->unit, &tenure->plan);
    set_state(tenure, TENURE_RESETTING);
}

void tenure_was_reset(struct tenure *tenure)
{
    failpoint(FAIL_RESET);
    bool is_whole = tenure->state == TENURE_RESETTING;
    bool is_wish = tenure->plan.is_reset;
    for (size_t i = 0; i < tenure->unit->topic->view_count; i++)
        tenure->checkpoint.kept[i].is_reset = false;
    clean_look(tenure);
    for (size_t i = 0; i < tenure->unit->topic->view_count; i++)
        tenure->checkpoint.kept[i].old_gen = -1;
    tenure->is_reset_sent = false;
    if (!is_whole) {
        read_behind(tenure);
        return;
    }
    trial_begin(tenure);
    cell_set(&tenure->unit->line->cells[UNIT_SAVED_MS], tenure->worker->wall_ms);
    run_from(tenure, tenure->plan.again, false);
    if (is_wish) /* it is done, and must not be found again */
        tenure->commit_due = tenure->unit->shard->ledger.position;
}

/* ---- loading ---- */

static void on_load_begun(void *arg)
{
    struct tenure *tenure = arg;
    struct shard *shard = tenure->unit->shard;
    for (uint32_t i = 0; i < tenure->unit->topic->view_count; i++)
        shard_clear(shard, i);
    tenure->is_damaged = false;
}

static void on_blob(void *arg, size_t number, struct slice identity, struct slice blob)
{
    struct tenure *tenure = arg;
    if (tenure->is_damaged)
        return;
    uint32_t view = tenure->load_numbers[number];
    const struct kept *kept = &tenure->checkpoint.kept[view];
    const struct meta_view *found =
        meta_view_of(&tenure->fence.found, tenure->unit->topic->views[view]->name);
    struct err err;
    if (shard_restore(tenure->unit->shard, view, kept->definition, identity, blob, found->said_ms,
                      worker_is_nearly_full(tenure->worker), &err) == 0)
        return;
    log_warn("blob", "worker=%d topic=%s partition=%d view=%s why=\"%s\"",
             tenure->worker->setup.number, tenure->unit->topic->name, tenure->unit->partition,
             tenure->unit->topic->views[view]->name, err.text);
    tenure->is_damaged = true;
}

/* A view whose windows begin behind what the others have read reads from there all the same: were its
 * progress the highest, it would be taken for the unit's after a crash (checkpoint.c, goal_of()). */
static void stay_behind(const struct tenure *tenure, struct kept *kept, int64_t joined)
{
    if (kept->position > joined)
        kept->position = joined > tenure->plan.log_start ? joined : tenure->plan.log_start;
}

static void begin_load(struct tenure *tenure)
{
    struct worker *worker = tenure->worker;
    const struct topic *topic = tenure->unit->topic;
    make_memory(tenure);
    struct shard *shard = tenure->unit->shard;
    tenure->load = (struct load){
        .fence = &tenure->fence,
        .prefix = buf_text(&tenure->prefix),
        .views = tenure->load_views,
        .arg = tenure,
        .begun = on_load_begun,
        .blob = on_blob,
    };
    int64_t joined = judge_joined(&tenure->fence.found, topic);
    for (uint32_t i = 0; i < topic->view_count; i++) {
        struct kept *kept = &tenure->checkpoint.kept[i];
        if (!judge_view(&tenure->fence.found, joined, shard, i, kept)) {
            begin_anew(tenure, i);
            stay_behind(tenure, kept, joined);
            shard->is_behind[i] = true;
            continue;
        }
        tenure->load_numbers[tenure->load.view_count] = i;
        tenure->load_views[tenure->load.view_count++] =
            (struct load_view){topic->views[i]->name, kept->gen, 0, META_HASHES, true};
    }
    shard_tell(shard, worker->wall_ms);
    tenure->expected = tenure->fence.found.anchor;
    tenure->checkpoint.anchor = tenure->expected;
    tenure->checkpoint.progress = joined;
    set_state(tenure, TENURE_LOADING);
    loader_add(worker->loader, &tenure->load);
}

static void on_loaded(struct tenure *tenure)
{
    failpoint(FAIL_LOADED);
    log_info("loaded", "worker=%d topic=%s partition=%d blobs=%llu bytes=%llu",
             tenure->worker->setup.number, tenure->unit->topic->name, tenure->unit->partition,
             (unsigned long long)tenure->load.blobs, (unsigned long long)tenure->load.bytes);
    cell_set(&tenure->unit->line->cells[UNIT_SAVED_MS], tenure->worker->wall_ms);
    cell_set(&tenure->unit->line->cells[UNIT_CHECKED_MS], tenure->fence.found.saved_ms);
    tenure->unit->shard->record_ms = tenure->expected.timestamp_ms;
    clean_look(tenure);
    trial_begin(tenure);
    run_from(tenure, tenure->checkpoint.progress, judge_is_live(tenure));
    tenure->commit_due =
        tenure->checkpoint.progress; /* so that an idle unit says that it is alive */
}

/* ---- losing ---- */

static void rest(struct tenure *tenure, const char *reason)
{
    struct worker *worker = tenure->worker;
    bool is_parked = tenure->state == TENURE_PARKED;
    drop_memory(tenure);
    if (is_parked)
        return;
    tenure->reason = reason;
    worker->source->ops->hold(worker->source, tenure->unit);
    tenure->retry_ms =
        worker->mono_ms + REST_MS_MIN +
        (int64_t)(worker->setup.random(worker->setup.random_arg) % (REST_MS_MAX - REST_MS_MIN));
    set_state(tenure, TENURE_RESTING);
    tenure->reason = NULL;
}

/* ---- every turn, while it loads or runs ---- */

static const char damaged[] = "a blob is damaged, or gone";

static void tend_run(struct tenure *tenure)
{
    if (!tenure->is_damaged) {
        tenure_fetch(tenure);
        return;
    }
    /* The plan may be days old: the unit is planned anew, and rebuilt then. */
    tenure->damage = damaged;
    rest(tenure, damaged);
}

static void tend_load(struct tenure *tenure)
{
    if (tenure->load.state == LOAD_DAMAGED || tenure->is_damaged)
        tenure_rebuild(tenure,
                       tenure->is_damaged ? "a blob is damaged" : "a part of the state is gone");
    else if (tenure->load.state == LOAD_DONE)
        on_loaded(tenure);
}

/* ---- claiming ---- */

/* Views of which nothing is known, after a reload. */
static void begin_new_views(struct tenure *tenure)
{
    for (size_t i = 0; i < tenure->unit->topic->view_count; i++)
        if (tenure->checkpoint.kept[i].gen == 0)
            begin_anew(tenure, i);
}

/* What we remember is what Redis has: on we go. */
static void resume(struct tenure *tenure)
{
    struct shard *shard = tenure->unit->shard;
    begin_new_views(tenure);
    bool is_live = shard->is_live;
    int64_t committed = shard->ledger.committed;
    tenure->expected.offset = -1;
    loader_forget(tenure->worker->loader, &tenure->fence); /* asked for under the claim before */
    shard_want_again(shard);
    if (tenure->cleaning.count == 0)
        clean_look(tenure);
    run_from(tenure, shard->ledger.position, is_live);
    if (committed > shard->ledger.committed)
        shard->ledger.committed = committed;
}

static int on_claimed(struct tenure *tenure, struct err *err)
{
    struct worker *worker = tenure->worker;
    int rc = judge_place(tenure, worker->source->ops->cluster(worker->source), err);
    if (rc < 0)
        return rc;
    bool is_known = tenure->unit->shard != NULL && tenure->fence.is_unchanged &&
                    tenure->unit->shard->ledger.position <= tenure->plan.live_at;
    const char *reason = tenure->damage != NULL ? tenure->damage : judge_rebuild(tenure);
    tenure->damage = NULL;
    if (reason != NULL)
        tenure_rebuild(tenure, reason);
    else if (is_known)
        resume(tenure);
    else
        begin_load(tenure);
    return 0;
}

static void make_load_room(struct tenure *tenure, const struct topic *topic)
{
    tenure->load_views =
        mem_resize(tenure->load_views, topic->view_count, sizeof *tenure->load_views);
    tenure->load_numbers =
        mem_resize(tenure->load_numbers, topic->view_count, sizeof *tenure->load_numbers);
}

void tenure_assigned(struct worker *worker, struct unit *unit, const struct plan *plan)
{
    struct tenure *tenure = unit->tenure;
    if (tenure == NULL) {
        tenure = mem_zalloc(sizeof *tenure);
        *tenure = (struct tenure){
            .worker = worker, .unit = unit, .state = TENURE_PARKED, .commit_due = -1};
        const char *group = worker->setup.options->kafka_group_id;
        meta_prefix(&tenure->prefix, group, unit->topic->name, unit->partition);
        meta_key(&tenure->meta_key, group, unit->topic->name, unit->partition);
        tenure->fence.meta_key = mem_strdup(buf_text(&tenure->meta_key));
        make_load_room(tenure, unit->topic);
        unit->tenure = tenure;
        worker->tenures = mem_grow(worker->tenures, worker->tenure_count, &worker->tenure_cap,
                                   sizeof *worker->tenures);
        worker->tenures[worker->tenure_count++] = tenure;
    }
    if (tenure->state != TENURE_PARKED) /* planned again */
        tenure_park(tenure);
    tenure->plan = *plan;
    set_state(tenure, TENURE_CLAIMING);
    worker->store->ops->claim(worker->store, &tenure->fence, worker->who);
}

/* ---- parking ---- */

void tenure_park(struct tenure *tenure)
{
    if (tenure->state != TENURE_RUNNING && tenure->state != TENURE_PARKED)
        drop_memory(tenure);
    if (tenure->unit->shard != NULL && tenure->worker->reader != NULL)
        tenure->worker->reader->ops->hold(tenure->worker->reader, tenure->unit);
    tenure->leaving = LEAVING_NOT;
    set_state(tenure, TENURE_PARKED);
}

void tenure_adopt(struct tenure *tenure, const struct topic *topic, bool is_in_flight)
{
    struct worker *worker = tenure->worker;
    struct shard *shard = tenure->unit->shard;
    const struct topic *before = tenure->unit->topic;
    bool is_known = tenure->state == TENURE_RUNNING || tenure->state == TENURE_PARKED;
    if (tenure->is_damaged)
        tenure->damage = damaged;
    if (!is_known || is_in_flight || tenure->is_damaged)
        drop_memory(tenure);
    tenure_park(tenure);
    make_load_room(tenure, topic);
    if (tenure->unit->shard == NULL)
        return;
    loader_forget(worker->loader, &tenure->fence);
    clean_drop(tenure);
    shard_adopt(shard, topic);
    checkpoint_adopt(&tenure->checkpoint, before);
    tenure->is_reset_sent = false;
}

void tenure_free(struct tenure *tenure)
{
    struct worker *worker = tenure->worker;
    drop_memory(tenure);
    show_away(tenure->unit);
    worker->store->ops->release(worker->store, &tenure->fence);
    size_t i = 0;
    while (worker->tenures[i] != tenure)
        i++;
    worker->tenures[i] = worker->tenures[--worker->tenure_count];
    tenure->unit->tenure = NULL;
    meta_fini(&tenure->fence.found);
    free(tenure->fence.meta_key);
    buf_fini(&tenure->prefix);
    buf_fini(&tenure->meta_key);
    free(tenure->load_views);
    free(tenure->load_numbers);
    free(tenure);
}

void tenures_restart(struct worker *worker)
{
    for (size_t i = 0; i < worker->tenure_count; i++) {
        drop_memory(worker->tenures[i]);
        set_state(worker->tenures[i], TENURE_PARKED);
    }
}

/* ---- every turn ---- */

static int tend(struct tenure *tenure, struct err *err)
{
    struct worker *worker = tenure->worker;
    if (tenure->fence.state == FENCE_LOST && tenure->state != TENURE_RESTING)
        rest(tenure, "the fence says no");
    switch (tenure->state) {
    case TENURE_CLAIMING:
        return tenure->fence.state == FENCE_HELD ? on_claimed(tenure, err) : 0;
    case TENURE_LOADING:
        tend_load(tenure);
        return 0;
    case TENURE_RUNNING:
        tend_run(tenure);
        return 0;
    case TENURE_RESTING:
        if (worker->mono_ms >= tenure->retry_ms) {
            tenure->retry_ms = INT64_MAX; /* assigned() comes again, or revoked() */
            worker->source->ops->restart(worker->source, tenure->unit, INT64_MAX);
        }
        return 0;
    default:
        return 0;
    }
}

int tenures_tend(struct worker *worker, struct err *err)
{
    for (size_t i = 0; i < worker->tenure_count; i++) {
        int rc = tend(worker->tenures[i], err);
        if (rc < 0)
            return rc;
    }
    return 0;
}
