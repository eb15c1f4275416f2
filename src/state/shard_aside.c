#include <string.h>

#include "state/shard_private.h"
#include "tidewheel/mem.h"

enum { RETRY_MS = 30 * 1000 }; /* of a refused key */

struct aside {
    struct entity_ref entity;
    int64_t retry_ms; /* wall clock */
};

/* The list is moved up only when half of it has been taken: it may be long. */
static struct entity_ref aside_take(struct shard *shard)
{
    struct entity_ref entity = shard->aside[shard->aside_first++].entity;
    if (shard->aside_first * 2 < shard->aside_count)
        return entity;
    shard->aside_count -= shard->aside_first;
    memmove(shard->aside, shard->aside + shard->aside_first,
            shard->aside_count * sizeof *shard->aside);
    shard->aside_first = 0;
    return entity;
}

bool shard_take_refused(struct shard *shard, int64_t wall_ms, struct entity_ref *ret)
{
    while (shard->aside_first < shard->aside_count &&
           shard->aside[shard->aside_first].retry_ms <= wall_ms) {
        *ret = aside_take(shard);
        struct entity *entity = entity_of(shard, *ret);
        shard_mark_dirty(shard, *ret);
        /* Whatever it has to say, its offsets have gone. */
        entity->flags &= (uint16_t) ~(ENTITY_ASIDE | ENTITY_UNSAID);
        entity->generation = shard->generation;
        if ((entity->flags & (ENTITY_HELD | ENTITY_SENT)) == 0)
            return true;
    }
    return false;
}

void shard_count_aside(const struct shard *shard, int64_t *counts)
{
    for (size_t i = shard->aside_first; i < shard->aside_count; i++)
        counts[shard->topic->views[shard->aside[i].entity.view]->index]++;
}

void shard_refused(struct shard *shard, struct entity_ref ref, int64_t wall_ms)
{
    struct entity *entity = entity_of(shard, ref);
    entity->flags &= (uint16_t)~ENTITY_SENT;
    entity->published_ms = -1; /* the next try is a first write again */
    if ((entity->flags & ENTITY_ASIDE) != 0)
        return;
    entity->flags |= ENTITY_ASIDE;
    shard_mark_dirty(shard, ref);
    shard->aside =
        mem_grow(shard->aside, shard->aside_count, &shard->aside_cap, sizeof *shard->aside);
    shard->aside[shard->aside_count++] = (struct aside){ref, wall_ms + RETRY_MS};
}

void shard_renumber_aside(struct shard *shard, const uint32_t *numbers)
{
    size_t count = shard->aside_first;
    for (size_t i = shard->aside_first; i < shard->aside_count; i++) {
        struct aside aside = shard->aside[i];
        aside.entity.view = numbers[aside.entity.view];
        if (aside.entity.view != VIEW_GONE)
            shard->aside[count++] = aside;
    }
    shard->aside_count = count;
}
