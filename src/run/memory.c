#include "run/tenure.h"

enum {
    COOL_LOOKS = 1000,   /* entities of a unit, a turn, when memory is short */
    FULL_MS_MAX = 60000, /* without room, though all that is clean was dropped */
    EVENTS_FEW = 32,     /* a turn takes at any rate, until it is full */
    FETCH_WAIT_MS = 20,  /* without room; then a few come all the same: a checkpoint may wait for */
    FETCH_FEW = 32,      /* them, and nothing is clean before it has them */
};

static size_t memory_limit(const struct worker *worker)
{
    const struct options *options = worker->setup.options;
    return (size_t)(options->limits_memory / options->workers);
}

size_t worker_bytes(const struct worker *worker)
{
    size_t bytes = 0;
    for (size_t i = 0; i < worker->unit_count; i++)
        bytes += shard_bytes(worker->units[i]->shard);
    return bytes;
}

static size_t entities_of(const struct worker *worker)
{
    size_t entities = 0;
    for (size_t i = 0; i < worker->unit_count; i++)
        entities += shard_count(worker->units[i]->shard);
    return entities;
}

/* From here on what is clean goes. */
static size_t tight_limit(const struct worker *worker)
{
    return memory_limit(worker) / 10 * 9;
}

bool worker_is_nearly_full(const struct worker *worker)
{
    return worker_bytes(worker) > tight_limit(worker);
}

/* For how many entities there is room, going by those that are here. */
static size_t room_of(const struct worker *worker, size_t bytes)
{
    size_t entities = entities_of(worker);
    size_t each = entities > 0 ? bytes / entities + 1 : 1;
    return bytes < tight_limit(worker) ? (tight_limit(worker) - bytes) / each : 0;
}

/* What is clean can be read back: it is dropped before the limit is reached. */
static size_t make_room(struct worker *worker)
{
    size_t dropped = 0;
    for (size_t i = 0; i < worker->tenure_count; i++)
        dropped += tenure_cool(worker->tenures[i], COOL_LOOKS);
    return dropped;
}

/* While there is room, as many come back as have it; when it is tight, as many as go; when it is full, none,
 * for a page may be lost to all of what has gone but one. */
static void allow_fetches(struct worker *worker, size_t bytes, size_t dropped)
{
    size_t coming = worker->loader != NULL ? loader_fetching(worker->loader) : 0;
    bool is_over = bytes > memory_limit(worker);
    if (!worker->is_tight)
        worker->fetches_left = worker->room > coming ? worker->room - coming : 0;
    else
        worker->fetches_left = is_over ? 0 : dropped;
    if (dropped == 0 && coming == 0 && worker->fetches_left == 0 &&
        worker->mono_ms - worker->moved_ms >= FETCH_WAIT_MS)
        worker->fetches_left = FETCH_FEW;
    if (worker->fetches_left > 0 || dropped > 0)
        worker->moved_ms = worker->mono_ms;
}

size_t memory_events(const struct worker *worker, size_t most)
{
    if (worker->room >= most)
        return most;
    return worker->room > EVENTS_FEW ? worker->room : EVENTS_FEW;
}

static int complain(const struct worker *worker, size_t bytes, struct err *err)
{
    size_t entities = entities_of(worker);
    return err_set(
        err, ERR_INTERNAL,
        "limits.memory is reached: %zu entities at %zu bytes each take %zu bytes, and a worker's "
        "share of %lld is %zu: raise limits.memory, or add workers in other processes",
        entities, bytes / (entities > 0 ? entities : 1), bytes,
        (long long)worker->setup.options->limits_memory, memory_limit(worker));
}

int memory_tend(struct worker *worker, struct err *err)
{
    size_t bytes = worker_bytes(worker);
    bool is_moving = worker->store->ops->is_away(worker->store) || !tenures_are_settled(worker);
    worker->is_tight = worker->is_fenced && bytes > tight_limit(worker);
    worker->room = room_of(worker, bytes);
    size_t dropped = worker->is_tight ? make_room(worker) : 0;
    allow_fetches(worker, bytes, dropped);
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
