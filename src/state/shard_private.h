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

/* What is to be written lies all over the memory, and each record and each bucket is a miss of the
 * caches: so the record of the entity that comes FETCH_RECORD later, and the buckets of the one that
 * comes FETCH_BUCKETS later, are on their way while one is written. */
enum { FETCH_RECORD = 8, FETCH_BUCKETS = 4 };

static inline void shard_fetch_record(const struct shard *shard, struct entity_ref ref)
{
    __builtin_prefetch(entity_of(shard, ref));
}

void shard_fetch_buckets(const struct shard *shard, struct entity_ref ref);

/* Its blob is to be written, or deleted. Nothing in the plain form. */
void shard_mark_dirty(struct shard *shard, struct entity_ref ref);

/* Its buckets are in memory; if not, they are asked for. */
bool shard_has_buckets(struct shard *shard, struct entity_ref ref);

bool shard_cool_one(struct shard *shard, struct entity_ref ref); /* false: it is not clean */

/* When time alone next changes a value, as seen from now_ms. */
int64_t entity_next_change(const struct view *view, const struct entity *entity, int64_t now_ms);

/* A refused entity whose time has come to be tried again. */
bool shard_take_refused(struct shard *shard, int64_t wall_ms, struct entity_ref *ret);

/* Of views that are gone, and whose memory has not been given back yet. */
size_t shard_buried_bytes(const struct shard *shard);
void shard_drop_buried(struct shard *shard); /* with the slab */

/* As ledger_renumber(). */
void shard_renumber_aside(struct shard *shard, const uint32_t *numbers);

/* It is in the batch that is gathered. */
void shard_mark_sent(struct shard *shard, struct entity_ref ref);

#endif
