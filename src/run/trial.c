#include "run/tenure.h"
#include "tidewheel/log.h"
#include "tidewheel/num.h"

enum {
    TRIES_MAX = 3,  /* claims without progress */
    DEATHS_MAX = 2, /* of a single event: once may be anybody's kill -9 */
};

void trial_begin(struct tenure *tenure)
{
    const struct meta *found = &tenure->fence.found;
    tenure->trial = (struct trial){.offset = -1, .allowed = -1, .died_at = -1};
    if (found->trying >= 0) {
        tenure->trial.died_at = found->trying;
        tenure->trial.deaths = found->trying_deaths + 1;
    }
    tenure->trial.is_on =
        found->tries >= TRIES_MAX && tenure->plan.live_at > tenure->checkpoint.progress;
    if (tenure->trial.is_on)
        log_warn("trial",
                 "worker=%d topic=%s partition=%d tries=%lld why=\"its owners died without progress\" "
                 "then=\"events are tried one at a time\"",
                 tenure->worker->setup.number, tenure->unit->topic->name, tenure->unit->partition,
                 (long long)found->tries);
}

static void skip(struct tenure *tenure, const struct record *record)
{
    log_error("poison",
              "worker=%d topic=%s partition=%d offset=%lld deaths=%lld bytes=%zu why=\"it ended the "
              "process each time\" then=\"it is skipped\"",
              tenure->worker->setup.number, tenure->unit->topic->name, tenure->unit->partition,
              (long long)record->offset, (long long)tenure->trial.deaths, record->value.len);
    tenure->unit->shard->ledger.position = record->offset + 1;
    tenure->checkpoint_ms = tenure->worker->mono_ms; /* never again */
}

bool trial_take(struct tenure *tenure, const struct record *record)
{
    struct trial *trial = &tenure->trial;
    struct worker *worker = tenure->worker;
    if (!trial->is_on || trial->allowed == record->offset)
        return true;
    if (trial->died_at == record->offset && trial->deaths >= DEATHS_MAX) {
        skip(tenure, record);
        return false;
    }
    if (trial->died_at != record->offset)
        trial->deaths = 0;
    trial->offset = record->offset;
    worker->source->ops->hold(worker->source, tenure->unit);
    return false;
}

/* The note of an event is the next one's; that of the last goes with the checkpoint. */
void trial_gather(struct tenure *tenure)
{
    struct trial *trial = &tenure->trial;
    if (trial->offset < 0 || trial->is_sent)
        return;
    char note[2 * NUM_TEXT_MAX];
    size_t len = num_format_int64(trial->offset, note);
    note[len++] = ' ';
    len += num_format_int64(trial->deaths, note + len);
    const struct slice words[] = {slice_of("HSET"), slice_of(tenure->fence.meta_key),
                                  slice_of("trying"), {note, len}};
    batch_command(&tenure->worker->batch, words, sizeof words / sizeof *words);
    struct item *item =
        batch_close(&tenure->worker->batch, ITEM_UNIT, tenure->unit->shard, &tenure->fence);
    item->tag = UNIT_TRY;
    trial->is_sent = true;
}

void trial_answered(struct tenure *tenure)
{
    struct trial *trial = &tenure->trial;
    struct worker *worker = tenure->worker;
    trial->is_sent = false;
    trial->allowed = trial->offset;
    trial->offset = -1;
    if (trial->allowed >= 0)
        worker->source->ops->begin(worker->source, tenure->unit, trial->allowed);
}
