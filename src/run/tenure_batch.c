#include "run/tenure.h"
#include "tidewheel/failpoint.h"

enum {
    BEAT_MS = 5000,        /* a rollback or an eviction is noticed without traffic */
    LEAVE_SOON_MS = 60000, /* events go on */
    LEAVE_NOW_MS = 5000,   /* they do not: as much as a revoke may take */
};

/* ---- what goes into a batch ---- */

static void add_reset(struct tenure *tenure, bool is_whole)
{
    struct worker *worker = tenure->worker;
    checkpoint_add_reset(&tenure->checkpoint, &worker->batch,
                         worker->source->ops->cluster(worker->source),
                         tenure->unit->partition_count, is_whole);
    tenure->is_reset_sent = true;
}

static bool has_reset_to_send(const struct tenure *tenure)
{
    if (tenure->is_reset_sent || tenure->unit->shard == NULL)
        return false;
    if (tenure->state == TENURE_RESETTING)
        return true;
    for (size_t i = 0; i < tenure->unit->topic->view_count; i++)
        if (tenure->state == TENURE_RUNNING && tenure->checkpoint.kept[i].is_reset)
            return true;
    return false;
}

/* It is caught up and published, and Redis lacks some of its state: somebody waits for that. */
static bool is_waited_for(const struct tenure *tenure)
{
    const struct shard *shard = tenure->unit->shard;
    return tenure->worker->setup.saves_at_once && tenure->checkpoint.progress < shard->live_at &&
           shard->is_live && shard_durable(shard) >= shard->live_at;
}

static void gather_checkpoint(struct tenure *tenure)
{
    struct worker *worker = tenure->worker;
    struct checkpoint *checkpoint = &tenure->checkpoint;
    bool is_time = (worker->mono_ms >= tenure->checkpoint_ms || is_waited_for(tenure)) &&
                   checkpoint_is_due(checkpoint);
    bool is_last = (worker->is_ending && !tenure->has_ended) || tenure->leaving != LEAVING_NOT;
    if (tenure->trial.is_found)
        return;
    if (checkpoint->phase == CHECKPOINT_IDLE && (is_time || is_last)) {
        tenure->checkpoint_ms = worker->mono_ms + worker->setup.options->checkpoint_interval_ms;
        checkpoint_begin(checkpoint);
    }
    checkpoint_gather(checkpoint, &worker->batch, (size_t)worker->setup.options->flush_entities_max,
                      &worker->row, worker->wall_ms);
}

static void beat(struct tenure *tenure)
{
    struct worker *worker = tenure->worker;
    if (worker->mono_ms - tenure->fence.touched_ms < BEAT_MS)
        return;
    struct item *item = batch_close(&worker->batch, ITEM_UNIT, tenure->unit->shard, &tenure->fence);
    item->tag = UNIT_BEAT;
}

void tenures_gather(struct worker *worker)
{
    for (size_t i = 0; i < worker->tenure_count; i++) {
        struct tenure *tenure = worker->tenures[(worker->unit_first + i) % worker->tenure_count];
        if (tenure->fence.state != FENCE_HELD)
            continue;
        if (has_reset_to_send(tenure))
            add_reset(tenure, tenure->state == TENURE_RESETTING);
        /* Also while it is being loaded, from a server that may have lost our claim. */
        if (tenure->unit->shard != NULL && tenure->state != TENURE_PARKED)
            beat(tenure);
        if (tenure->state != TENURE_RUNNING)
            continue;
        gather_checkpoint(tenure);
        clean_gather(tenure);
        trial_gather(tenure);
    }
}

/* What is not clean yet is saved at once. */
size_t tenure_cool(struct tenure *tenure, size_t looks)
{
    if (tenure->state != TENURE_RUNNING)
        return 0;
    if (tenure->checkpoint.phase == CHECKPOINT_IDLE)
        tenure->checkpoint_ms = tenure->worker->mono_ms;
    return shard_cool(tenure->unit->shard, looks);
}

bool tenures_are_settled(const struct worker *worker)
{
    for (size_t i = 0; i < worker->tenure_count; i++) {
        const struct tenure *tenure = worker->tenures[i];
        const struct shard *shard = tenure->unit->shard;
        if (tenure->state != TENURE_RUNNING || !shard->is_live || shard->is_passing)
            return false;
    }
    return true;
}

bool tenures_have_urgent(const struct worker *worker)
{
    for (size_t i = 0; i < worker->tenure_count; i++)
        if (worker->tenures[i]->state == TENURE_RESETTING ||
            (worker->tenures[i]->state == TENURE_RUNNING &&
             worker->tenures[i]->checkpoint.phase != CHECKPOINT_IDLE))
            return true;
    return false;
}

static void note_progress(struct tenure *tenure)
{
    const struct shard *shard = tenure->unit->shard;
    failpoint(FAIL_PROGRESS_WRITTEN);
    tenure->trial.is_on = tenure->trial.is_found; /* it was under way then */
    tenure->commit_due = tenure->checkpoint.progress;
    show_checkpoint(tenure);
    tenure->has_ended = tenure->worker->is_ending && shard->dirty.count == 0 &&
                        tenure->checkpoint.progress == checkpoint_goal(&tenure->checkpoint);
}

/* What else the answer of an item of the unit means; NULL: nothing. */
static void (*const unit_answers[])(struct tenure *tenure) = {
    [UNIT_BEAT] = NULL,          [UNIT_RESET] = tenure_was_reset, [UNIT_PROGRESS] = note_progress,
    [UNIT_TRY] = trial_answered, [UNIT_CLEAN] = clean_answered,
};

void tenure_answered(struct tenure *tenure, const struct item *item)
{
    checkpoint_answered(&tenure->checkpoint, item);
    if (item->kind == ITEM_UNIT && unit_answers[item->tag] != NULL)
        unit_answers[item->tag](tenure);
}

/* ---- ending ---- */

static void leave(struct tenure *tenure, enum leaving leaving, int64_t most_ms)
{
    const struct checkpoint *checkpoint = &tenure->checkpoint;
    tenure->leaving = leaving;
    tenure->leave_by_ms = tenure->worker->mono_ms + most_ms;
    tenure->leave_after = checkpoint->count + (checkpoint->phase == CHECKPOINT_IDLE ? 1 : 2);
}

/* Views that are behind wait: what they read would only make the last checkpoint longer. */
bool tenure_leave(struct tenure *tenure)
{
    struct worker *worker = tenure->worker;
    if (tenure->state != TENURE_RUNNING || tenure->fence.state != FENCE_HELD ||
        worker->store->ops->is_away(worker->store))
        return true;
    if (tenure->leaving == LEAVING_NOT) {
        leave(tenure, LEAVING_SOON, LEAVE_SOON_MS);
        if (worker->reader != NULL)
            worker->reader->ops->hold(worker->reader, tenure->unit);
    }
    bool is_saved = tenure->checkpoint.count >= tenure->leave_after;
    if (tenure->leaving == LEAVING_SOON && is_saved) {
        worker->source->ops->hold(worker->source, tenure->unit);
        leave(tenure, LEAVING_NOW, LEAVE_NOW_MS);
        return false;
    }
    return is_saved || worker->mono_ms >= tenure->leave_by_ms;
}

void tenures_begin_ending(struct worker *worker)
{
    for (size_t i = 0; i < worker->tenure_count; i++) {
        struct tenure *tenure = worker->tenures[i];
        bool is_noted = tenure->trial.is_found && tenure->trial.offset < 0;
        tenure->has_ended = tenure->state != TENURE_RUNNING || is_noted;
    }
}

bool tenures_have_ended(const struct worker *worker)
{
    for (size_t i = 0; i < worker->tenure_count; i++)
        if (worker->tenures[i]->fence.state == FENCE_HELD && !worker->tenures[i]->has_ended)
            return false; /* of what is lost nothing can be written */
    return true;
}
