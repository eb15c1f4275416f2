#include "state/shard_private.h"
#include "tidewheel/mem.h"
#include "tidewheel/snapshot.h"

enum { SAY_OWED = ENTITY_UNSAID | ENTITY_ASIDE };
enum { OVERDUE = 0 }; /* of a timer */

/* ---- dirty ---- */

static void refs_add(struct refs *refs, struct entity_ref ref)
{
    refs->refs = mem_grow(refs->refs, refs->count, &refs->cap, sizeof *refs->refs);
    refs->refs[refs->count++] = ref;
}

void shard_mark_dirty(struct shard *shard, struct entity_ref ref)
{
    struct entity *entity = entity_of(shard, ref);
    if (!shard->keeps_blobs || (entity->flags & ENTITY_DIRTY) != 0)
        return;
    entity->flags |= ENTITY_DIRTY;
    refs_add(&shard->dirty, ref);
}

/* ---- saving ---- */

void shard_begin_saving(struct shard *shard)
{
    CHECK(shard->saving_next == shard->saving.count);
    struct refs empty = shard->saving;
    empty.count = 0;
    shard->saving = shard->dirty;
    shard->saving_next = 0;
    shard->dirty = empty;
}

void shard_save_refused(struct shard *shard)
{
    enum { REFUSED = ENTITY_ASIDE | ENTITY_DIRTY };
    for (size_t i = 0; i < shard->dirty.count; i++)
        if ((entity_of(shard, shard->dirty.refs[i])->flags & REFUSED) == REFUSED)
            refs_add(&shard->saving, shard->dirty.refs[i]);
}

/* Nothing is alive, nothing is owed: no blob says the same. */
static bool is_nothing(const struct shard *shard, const struct entity *entity)
{
    return (entity->flags & (ENTITY_GONE | ENTITY_HELD | ENTITY_SENT)) == ENTITY_GONE &&
           !has_unsaid(shard, entity);
}

static void fetch_ahead(const struct shard *shard)
{
    const struct refs *saving = &shard->saving;
    size_t next = shard->saving_next;
    if (next + FETCH_RECORD < saving->count)
        shard_fetch_record(shard, saving->refs[next + FETCH_RECORD]);
    if (next + FETCH_BUCKETS < saving->count)
        shard_fetch_buckets(shard, saving->refs[next + FETCH_BUCKETS]);
}

bool shard_take_saving(struct shard *shard, struct entity_ref *ret, bool *ret_is_held)
{
    while (shard->saving_next < shard->saving.count) {
        fetch_ahead(shard);
        *ret = shard->saving.refs[shard->saving_next++];
        struct entity *entity = entity_of(shard, *ret);
        if ((entity->flags & ENTITY_DIRTY) == 0)
            continue; /* saved already, or gone since */
        if (!shard_has_buckets(shard, *ret)) {
            shard->saving_next--;
            return false;
        }
        entity->flags = (uint16_t)((entity->flags & ~ENTITY_DIRTY) | ENTITY_SAVING);
        *ret_is_held = (entity->flags & (ENTITY_HELD | ENTITY_ASIDE)) == ENTITY_HELD;
        if (*ret_is_held)
            shard_mark_sent(shard, *ret);
        return true;
    }
    return false;
}

int64_t entity_next_change(const struct view *view, const struct entity *entity, int64_t now_ms)
{
    int64_t next_ms = INT64_MAX;
    for (size_t i = 0; i < view->feature_count; i++) {
        struct series_reading reading;
        series_read(&entity->series[i], &view->features[i].series, now_ms, &reading);
        next_ms = reading.next_ms < next_ms ? reading.next_ms : next_ms;
    }
    return next_ms;
}

void shard_write_blob(const struct shard *shard, struct entity_ref ref, const char *definition,
                      struct buf *ret)
{
    const struct view *view = shard->topic->views[ref.view];
    const struct entity *entity = entity_of(shard, ref);
    if (is_nothing(shard, entity))
        return;
    struct snapshot snapshot = {
        .applied = entity->applied,
        .newest_ms = entity->newest_ms,
        .next_ms = entity_next_change(view, entity, shard->clock_ms[ref.view]),
        .flags = (entity->flags & SAY_OWED) != 0 ? SNAPSHOT_OWED : 0,
    };
    snapshot_write(&snapshot, view, definition, entity, ret);
}

void shard_saved(struct shard *shard, struct entity_ref ref)
{
    struct entity *entity = entity_of(shard, ref);
    entity->flags &= (uint16_t)~ENTITY_SAVING;
    if (!is_nothing(shard, entity) || (entity->flags & ENTITY_DIRTY) != 0)
        return;
    shard->views[ref.view].gone_count--;
    entities_remove(&shard->views[ref.view], ref.number);
}

void shard_note_said(struct shard *shard)
{
    for (size_t i = 0; i < shard->topic->view_count; i++)
        shard->said_ms[i] = shard->drained_ms[i];
}

int64_t shard_decay_lag_ms(const struct shard *shard)
{
    int64_t lag_ms = 0;
    for (size_t i = 0; i < shard->topic->view_count && shard->is_live; i++) {
        bool is_known = !shard->is_behind[i] && shard->said_ms[i] > 0;
        int64_t since_ms = shard->clock_ms[i] - shard->said_ms[i];
        if (is_known && shard->topic->views[i]->clock == CLOCK_WALL && since_ms > lag_ms)
            lag_ms = since_ms;
    }
    return lag_ms;
}

/* ---- restoring ---- */

/* What time has changed since said_ms may have been published, or not: it is written again. What it has
 * not changed is as Redis has it. */
static void resume(struct shard *shard, struct entity_ref ref, bool is_owed, int64_t said_ms)
{
    const struct entities *entities = &shard->views[ref.view];
    struct entity *entity = entity_of(shard, ref);
    int64_t next_ms = entity_next_change(entities->view, entity, said_ms);
    bool is_due = next_ms <= shard->clock_ms[ref.view] || next_ms == INT64_MAX;
    entity->generation = shard->generation;
    entity->published_ms = is_owed ? -1 : said_ms;
    if (is_owed || is_due)
        entity->flags |= ENTITY_UNSAID;
    expire_set(entities->expire, ref.number, next_ms == INT64_MAX ? OVERDUE : next_ms);
}

int shard_restore(struct shard *shard, uint32_t view, const char *definition, struct slice identity,
                  struct slice blob, int64_t said_ms, bool stays_cold, struct err *err)
{
    struct entities *entities = &shard->views[view];
    if (entities_find(entities, identity) != ENTITY_NONE)
        return 0; /* a scan may say things twice */
    struct entity_ref ref = {view, entities_add(entities, identity)};
    struct entity *entity = entity_of(shard, ref);
    struct snapshot snapshot;
    /* While the first pass is under way some blobs are owed, and what time has changed of the others is
     * not known to be said. */
    bool is_said = said_ms >= 0;
    if (!is_said)
        said_ms = shard->clock_ms[view];
    int rc = snapshot_read(blob, entities->view, definition, identity, said_ms, shard->slab,
                           entity->series, &snapshot, err);
    if (rc < 0) {
        entities_remove(entities, ref.number);
        return rc;
    }
    entity->applied = snapshot.applied;
    entity->newest_ms = snapshot.newest_ms;
    resume(shard, ref, (snapshot.flags & SNAPSHOT_OWED) != 0 || !is_said, said_ms);
    if (stays_cold)
        (void)shard_cool_one(shard, ref);
    return 0;
}

void shard_know(struct shard *shard, uint32_t view, struct slice identity)
{
    struct entities *entities = &shard->views[view];
    if (entities_find(entities, identity) != ENTITY_NONE)
        return;
    struct entity_ref ref = {view, entities_add(entities, identity)};
    struct entity *entity = entity_of(shard, ref);
    entity->generation = shard->generation;
    entity->flags |= ENTITY_UNSAID;
    expire_set(entities->expire, ref.number, OVERDUE);
    shard_mark_dirty(shard, ref);
}

void shard_clear(struct shard *shard, uint32_t view)
{
    struct entities *entities = &shard->views[view];
    for (uint32_t number = 0; number < entities->end; number++)
        if ((entity_at(entities, number)->flags & ENTITY_IN_USE) != 0)
            entities_remove(entities, number);
}
