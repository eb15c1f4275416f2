#include "run/tenure.h"

enum {
    COOL_LOOKS = 1000,   /* entities of a unit, a turn, when memory is short */
    FULL_MS_MAX = 60000, /* without room, though all that is clean was dropped */
    FETCH_WAIT_MS = 50,  /* without anything dropped; then a few come all the same: a checkpoint */
    FETCH_FEW = 32,      /* may wait for them, and nothing is clean before it has them */
};

static size_t memory_limit(const struct worker *worker)
{
    const struct options *options = worker->setup.options;
    return (size_t)(options->limits_memory / options->workers);
}

static size_t bytes_of(const struct worker *worker)
{
    size_t bytes = 0;
    for (size_t i = 0; i < worker->unit_count; i++)
        bytes += shard_bytes(worker->units[i]->shard);
    return bytes;
}

static bool is_nearly(const struct worker *worker, size_t bytes)
{
    return bytes > memory_limit(worker) / 10 * 9;
}

bool worker_is_nearly_full(const struct worker *worker)
{
    return is_nearly(worker, bytes_of(worker));
}

/* What is clean can be read back: it is dropped before the limit is reached. */
static size_t make_room(struct worker *worker)
{
    size_t dropped = 0;
    for (size_t i = 0; i < worker->tenure_count; i++)
        dropped += tenure_cool(worker->tenures[i], COOL_LOOKS);
    return dropped;
}

/* As many come back as go. */
static void allow_fetches(struct worker *worker, size_t dropped)
{
    if (!worker->is_tight)
        worker->fetches_left = SIZE_MAX;
    else if (dropped > 0)
        worker->fetches_left = dropped;
    else if (worker->mono_ms - worker->fetched_ms < FETCH_WAIT_MS)
        worker->fetches_left = 0;
    else
        worker->fetches_left = FETCH_FEW;
    if (worker->fetches_left > 0)
        worker->fetched_ms = worker->mono_ms;
}

static int complain(const struct worker *worker, size_t bytes, struct err *err)
{
    size_t entities = 0;
    for (size_t i = 0; i < worker->unit_count; i++)
        entities += shard_count(worker->units[i]->shard);
    return err_set(
        err, ERR_INTERNAL,
        "limits.memory is reached: %zu entities at %zu bytes each take %zu bytes, and a worker's "
        "share of %lld is %zu: raise limits.memory, or add workers in other processes",
        entities, bytes / (entities > 0 ? entities : 1), bytes,
        (long long)worker->setup.options->limits_memory, memory_limit(worker));
}

int memory_tend(struct worker *worker, struct err *err)
{
    size_t bytes = bytes_of(worker);
    bool is_moving = worker->store->ops->is_away(worker->store) || !tenures_are_settled(worker);
    worker->is_tight = worker->is_fenced && is_nearly(worker, bytes);
    size_t dropped = worker->is_tight ? make_room(worker) : 0;
    allow_fetches(worker, dropped);
    if (bytes <= memory_limit(worker)) {
        worker->is_full = false;
        return 0;
    }
    if (worker->is_fenced && (is_moving || dropped > 0 || !worker->is_full))
        worker->full_since_ms = worker->mono_ms;
    worker->is_full = worker->is_fenced;
    if (worker->is_full && worker->mono_ms - worker->full_since_ms < FULL_MS_MAX)
        return 0;
    return complain(worker, bytes, err);
}
