/* shard_private: what shard.c (applying, lanes, answers) and shard_save.c (blobs) share.
 *
 * Floor: 2. Owner: the worker that owns the shard.
 */
#ifndef TIDEWHEEL_STATE_SHARD_PRIVATE_H
#define TIDEWHEEL_STATE_SHARD_PRIVATE_H

#include "tidewheel/shard.h"

static inline struct entity *entity_of(const struct shard *shard, struct entity_ref ref)
{
    return entity_at(&shard->views[ref.view], ref.number);
}

static inline bool has_unsaid(const struct shard *shard, const struct entity *entity)
{
    return (entity->flags & ENTITY_UNSAID) != 0 || entity->generation != shard->generation;
}

/* Its blob is to be written, or deleted. Nothing in the plain form. */
void shard_mark_dirty(struct shard *shard, struct entity_ref ref);

/* It is in the batch that is gathered. */
void shard_mark_sent(struct shard *shard, struct entity_ref ref);

#endif
