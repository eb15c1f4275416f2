#include "state/shard_private.h"

enum { FETCH_SERIES_MAX = 4, FETCH_WORDS_MAX = 32 };

void shard_fetch_buckets(const struct shard *shard, struct entity_ref ref)
{
    const struct entity *entity = entity_of(shard, ref);
    size_t feature_count = shard->topic->views[ref.view]->feature_count;
    if ((entity->flags & ENTITY_IN_USE) == 0)
        return;
    __builtin_prefetch(entity->identity);
    for (size_t i = 0; i < feature_count && i < FETCH_SERIES_MAX; i++) {
        const struct series *series = &entity->series[i];
        for (uint32_t at = 0; at < series->len && at < FETCH_WORDS_MAX; at += 8)
            __builtin_prefetch(series->words + series->len - 1 - at);
    }
}
