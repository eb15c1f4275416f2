#include "run/letters.h"
#include "run/tenure.h"
#include "tidewheel/log.h"
#include "tidewheel/num.h"

enum {
    TRIES_MAX = 3,  /* claims without progress */
    DEATHS_MAX = 3, /* of a single event: one or two may be anybody's kill -9 */
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
        log_warn(
            "trial",
            "worker=%d topic=%s partition=%d tries=%lld why=\"its owners died without progress\" "
            "then=\"events are tried one at a time\"",
            tenure->worker->setup.number, tenure->unit->topic->name, tenure->unit->partition,
            (long long)found->tries);
}

/* It is noted once more, as notes of the events before it have taken its place. Then it waits for its
 * letter, or for a person, and comes again. */
static void find(struct tenure *tenure, const struct record *record)
{
    struct worker *worker = tenure->worker;
    tenure->trial.is_found = true;
    tenure->trial.offset = record->offset;
    if (letters_take(worker, tenure->unit, record, VERDICT_POISON, NULL))
        letters_hold(worker, tenure->unit, true);
}

static bool is_anybody_told(const struct tenure *tenure, const struct record *record)
{
    return tenure->worker->on_error[VERDICT_POISON] != ON_ERROR_DROP &&
           record->offset >= tenure->unit->shard->letters_from;
}

static void count(const struct tenure *tenure)
{
    const struct shard *shard = tenure->unit->shard;
    for (size_t i = 0; i < shard->topic->view_count; i++)
        if (!shard->is_behind[i])
            tally_add(shard->tallies[shard->topic->views[i]->index], VERDICT_POISON, 1);
}

static void skip(struct tenure *tenure, const struct record *record)
{
    tenure->trial.is_found = false;
    count(tenure);
    log_error(
        "poison",
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
    if (!trial->is_on)
        return true;
    if (trial->died_at == record->offset && trial->deaths >= DEATHS_MAX) {
        if (!trial->is_found && is_anybody_told(tenure, record))
            find(tenure, record);
        else
            skip(tenure, record);
        return false;
    }
    if (trial->allowed == record->offset) {
        trial->has_survived = true; /* once what it changed is written */
        return true;
    }
    trial->offset = record->offset;
    worker->source->ops->hold(worker->source, tenure->unit);
    return false;
}

static void say(struct tenure *tenure, const struct slice *words, size_t count)
{
    batch_command(&tenure->worker->batch, words, count);
    struct item *item =
        batch_close(&tenure->worker->batch, ITEM_UNIT, tenure->unit->shard, &tenure->fence);
    item->tag = UNIT_TRY;
    tenure->trial.is_sent = true;
    tenure->trial.noting = tenure->trial.offset;
}

/* The note of the next event takes the place of the last one's; without a next one it is taken back, so
 * that nobody who dies later dies of it. */
void trial_gather(struct tenure *tenure)
{
    struct trial *trial = &tenure->trial;
    const struct slice key = slice_of(tenure->fence.meta_key);
    if (trial->is_sent)
        return;
    if (trial->offset >= 0) {
        char note[2 * NUM_TEXT_MAX];
        size_t len = num_format_int64(trial->offset, note);
        note[len++] = ' ';
        len += num_format_int64(trial->offset == trial->died_at ? trial->deaths : 0, note + len);
        say(tenure, (const struct slice[]){slice_of("HSET"), key, slice_of("trying"), {note, len}},
            4);
    } else if (trial->has_survived) {
        say(tenure, (const struct slice[]){slice_of("HDEL"), key, slice_of("trying")}, 3);
    }
    trial->has_survived = false;
}

void trial_answered(struct tenure *tenure)
{
    struct trial *trial = &tenure->trial;
    struct worker *worker = tenure->worker;
    trial->is_sent = false;
    trial->allowed = trial->noting;
    if (trial->offset == trial->noting)
        trial->offset = -1;
    if (trial->is_found)
        tenure->has_ended = true; /* there is nothing more to say of it */
    else if (trial->allowed >= 0 && tenure_may_read(tenure))
        worker->source->ops->begin(worker->source, tenure->unit, trial->allowed);
}
