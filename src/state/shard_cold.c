#include "state/shard_private.h"
#include "tidewheel/mem.h"
#include "tidewheel/snapshot.h"

enum {
    NOT_CLEAN = ENTITY_HELD | ENTITY_SENT | ENTITY_ASIDE | ENTITY_UNSAID | ENTITY_GONE |
                ENTITY_DIRTY | ENTITY_SAVING | ENTITY_COLD
};

/* ---- away ---- */

/* One that has something to say stays, lest it comes and goes, unless it is silent: then its blob says
 * that it is owed. */
bool shard_cool_one(struct shard *shard, struct entity_ref ref)
{
    struct entity *entity = entity_of(shard, ref);
    unsigned stays = shard->is_live ? NOT_CLEAN : NOT_CLEAN & ~(unsigned)ENTITY_UNSAID;
    if ((entity->flags & (stays | ENTITY_IN_USE)) != ENTITY_IN_USE)
        return false;
    for (size_t i = 0; i < shard->topic->views[ref.view]->feature_count; i++)
        series_fini(&entity->series[i], shard->slab);
    entity->flags |= ENTITY_COLD;
    return true;
}

size_t shard_cool(struct shard *shard, size_t looks)
{
    size_t cooled = 0;
    for (; looks > 0; looks--) {
        struct entity_ref *hand = &shard->hand;
        if (hand->view >= shard->topic->view_count)
            *hand = (struct entity_ref){0, 0};
        if (hand->number >= shard->views[hand->view].end) {
            *hand = (struct entity_ref){hand->view + 1, 0};
            continue;
        }
        cooled += !shard->is_behind[hand->view] && shard_cool_one(shard, *hand);
        hand->number++;
    }
    return cooled;
}

/* ---- and back ---- */

static void want(struct shard *shard, struct entity_ref ref)
{
    struct refs *wanted = &shard->wanted;
    wanted->refs = mem_grow(wanted->refs, wanted->count, &wanted->cap, sizeof *wanted->refs);
    wanted->refs[wanted->count++] = ref;
}

bool shard_has_buckets(struct shard *shard, struct entity_ref ref)
{
    struct entity *entity = entity_of(shard, ref);
    if ((entity->flags & ENTITY_COLD) == 0)
        return true;
    if ((entity->flags & ENTITY_WANTED) != 0)
        return false;
    entity->flags |= ENTITY_WANTED;
    shard->asked++;
    want(shard, ref);
    return false;
}

bool shard_take_wanted(struct shard *shard, struct entity_ref *ret)
{
    if (shard->wanted_next == shard->wanted.count) {
        shard->wanted.count = shard->wanted_next = 0;
        return false;
    }
    *ret = shard->wanted.refs[shard->wanted_next++];
    return true;
}

void shard_want_again(struct shard *shard)
{
    shard->wanted.count = shard->wanted_next = 0;
    if (shard->asked == shard->warmed)
        return; /* nobody is away whom anybody has asked for */
    for (uint32_t view = 0; view < shard->topic->view_count; view++) {
        const struct entities *entities = &shard->views[view];
        shard->draining[view].asked = shard->asked; /* they come in another order now */
        for (uint32_t number = 0; number < entities->end; number++)
            if ((entity_at(entities, number)->flags & ENTITY_WANTED) != 0)
                want(shard, (struct entity_ref){view, number});
    }
}

int shard_warm(struct shard *shard, struct entity_ref ref, const char *definition,
               struct slice blob, struct err *err)
{
    struct entities *entities = &shard->views[ref.view];
    struct entity *entity = entity_of(shard, ref);
    struct slice identity = {entity->identity, entity->identity_len};
    struct snapshot snapshot;
    int64_t clock_ms = shard->clock_ms[ref.view];
    int64_t then_ms = entity->published_ms >= 0 ? entity->published_ms : clock_ms;
    int rc = snapshot_read(blob, entities->view, definition, identity, then_ms, shard->slab,
                           entity->series, &snapshot, err);
    if (rc < 0)
        return rc;
    entity->flags &= (uint16_t) ~(ENTITY_COLD | ENTITY_WANTED);
    shard->warmed++;
    /* Its timer may have gone off while it was away; it stays until that is said. */
    int64_t next_ms = entity_next_change(entities->view, entity, then_ms);
    if (next_ms == INT64_MAX || next_ms <= clock_ms)
        entity->flags |= ENTITY_UNSAID;
    bool is_due = has_unsaid(shard, entity); /* a pass may have gone by */
    expire_set(entities->expire, ref.number, is_due ? 0 : next_ms);
    return 0;
}
