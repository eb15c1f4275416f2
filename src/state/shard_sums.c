#include "tidewheel/shard.h"

#include "state/shard_private.h"

int64_t shard_durable(const struct shard *shard)
{
    int64_t written = ledger_written(&shard->ledger);
    int64_t delivered = ledger_delivered(&shard->ledger);
    /* What the pass has left to the ledger is held with offsets later than those unsaid. */
    bool is_unsaid = !shard->is_live || shard->is_passing || written < shard->said_at;
    if (is_unsaid && shard->started_at < written)
        written = shard->started_at;
    return delivered < written ? delivered : written;
}

/* One that is away is none until it is back. */
bool shard_has_arrivals(const struct shard *shard)
{
    const struct held *next = shard->is_live ? ledger_peek(&shard->ledger, 0) : NULL;
    return next != NULL && (entity_of(shard, next->entity)->flags & ENTITY_COLD) == 0;
}

size_t shard_count(const struct shard *shard)
{
    size_t count = 0;
    for (size_t i = 0; i < shard->topic->view_count; i++)
        count += entities_count(&shard->views[i]) - shard->views[i].gone_count;
    return count;
}

size_t shard_bytes(const struct shard *shard)
{
    size_t bytes =
        sizeof *shard + slab_bytes(shard->slab) + shard->ledger.cap * sizeof(struct held) +
        (shard->dirty.cap + shard->saving.cap + shard->wanted.cap) * sizeof(struct entity_ref);
    for (size_t i = 0; i < shard->topic->view_count; i++)
        bytes += entities_bytes(&shard->views[i]);
    return bytes + shard_buried_bytes(shard);
}
