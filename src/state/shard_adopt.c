#include <stdlib.h>
#include <string.h>

#include "state/shard_private.h"
#include "tidewheel/mem.h"

/* The number among the new topic's views of each view that there was. */
static uint32_t *number_anew(const struct topic *before, const struct topic *topic)
{
    uint32_t *ret = mem_alloc((before->view_count + 1) * sizeof *ret);
    for (size_t i = 0; i < before->view_count; i++) {
        ret[i] = VIEW_GONE;
        for (uint32_t k = 0; k < topic->view_count; k++)
            if (view_keeps_state(topic->views[k], before->views[i]))
                ret[i] = k;
    }
    return ret;
}

/* ---- lists of entities ---- */

static void renumber_refs(struct refs *refs, const uint32_t *numbers)
{
    size_t count = 0;
    for (size_t i = 0; i < refs->count; i++)
        if (numbers[refs->refs[i].view] != VIEW_GONE)
            refs->refs[count++] =
                (struct entity_ref){numbers[refs->refs[i].view], refs->refs[i].number};
    refs->count = count;
}

/* What a checkpoint had still to write is dirty as before it began. */
static void give_back_saving(struct shard *shard)
{
    struct refs *dirty = &shard->dirty;
    for (; shard->saving_next < shard->saving.count; shard->saving_next++) {
        dirty->refs = mem_grow(dirty->refs, dirty->count, &dirty->cap, sizeof *dirty->refs);
        dirty->refs[dirty->count++] = shard->saving.refs[shard->saving_next];
    }
    shard->saving.count = shard->saving_next = 0;
}

/* ---- views ---- */

/* The slab is shared: what lies there of a view has to be given back one by one, which takes long. */
static void drop_view(struct shard *shard, uint32_t view)
{
    shard->buried =
        mem_grow(shard->buried, shard->buried_count, &shard->buried_cap, sizeof *shard->buried);
    shard->buried[shard->buried_count++] = shard->views[view];
}

void shard_bury(struct shard *shard, size_t looks)
{
    while (shard->buried_count > 0 && looks > 0) {
        struct entities *last = &shard->buried[shard->buried_count - 1];
        if (!entities_bury(last, &looks))
            return;
        entities_fini(last);
        shard->buried_count--;
    }
}

size_t shard_buried_bytes(const struct shard *shard)
{
    size_t bytes = 0;
    for (size_t i = 0; i < shard->buried_count; i++)
        bytes += entities_bytes(&shard->buried[i]);
    return bytes;
}

void shard_drop_buried(struct shard *shard)
{
    for (size_t i = 0; i < shard->buried_count; i++)
        entities_fini(&shard->buried[i]);
    free(shard->buried);
}

/* An array with an element of each view; those of new views are zero. */
static void *rearrange(void *array, size_t size, const struct shard *shard,
                       const struct topic *topic, const uint32_t *numbers)
{
    char *ret = mem_zalloc((topic->view_count + 1) * size);
    for (size_t i = 0; i < shard->topic->view_count; i++)
        if (numbers[i] != VIEW_GONE)
            memcpy(ret + numbers[i] * size, (const char *)array + i * size, size);
    free(array);
    return ret;
}

#define REARRANGE(member)                                                                          \
    (shard->member = rearrange(shard->member, sizeof *shard->member, shard, topic, numbers))

static void move_views(struct shard *shard, const struct topic *topic, const uint32_t *numbers)
{
    uint64_t seed = shard->views[0].seed;
    for (uint32_t i = 0; i < shard->topic->view_count; i++)
        if (numbers[i] == VIEW_GONE)
            drop_view(shard, i);
    REARRANGE(views);
    REARRANGE(clock_ms);
    REARRANGE(is_behind);
    REARRANGE(drained_ms);
    REARRANGE(said_ms);
    REARRANGE(draining);
    shard->topic = topic;
    for (size_t i = 0; i < topic->view_count; i++) {
        bool is_kept = shard->views[i].view != NULL;
        shard->views[i].view = topic->views[i];
        if (is_kept)
            continue;
        shard->clock_ms[i] = topic->views[i]->clock == CLOCK_EVENT ? 0 : shard->wall_ms;
        shard->is_behind[i] = true;
        entities_init(&shard->views[i], topic->views[i], shard->slab, seed, shard->clock_ms[i]);
    }
}

/* ---- the whole ---- */

static void count_wanted(struct shard *shard)
{
    if (shard->asked == shard->warmed)
        return;
    shard->asked = shard->warmed = 0;
    for (size_t i = 0; i < shard->topic->view_count; i++)
        for (uint32_t number = 0; number < shard->views[i].end; number++)
            shard->asked += (entity_at(&shard->views[i], number)->flags & ENTITY_WANTED) != 0;
    for (size_t i = 0; i < shard->topic->view_count; i++)
        shard->draining[i].asked = 0;
    shard_want_again(shard);
}

void shard_adopt(struct shard *shard, const struct topic *topic)
{
    CHECK(shard->ledger.in_flight == INT64_MAX);
    uint32_t *numbers = number_anew(shard->topic, topic);
    give_back_saving(shard);
    renumber_refs(&shard->dirty, numbers);
    ledger_renumber(&shard->ledger, numbers);
    shard_renumber_aside(shard, numbers);
    move_views(shard, topic, numbers);
    shard->hand = (struct entity_ref){0, 0};
    count_wanted(shard);
    if (shard->is_passing)
        shard->pass = (struct entity_ref){0, 0};
    free(numbers);
}
