/* core_kit: a catalog of one small view, and events for it, for the suites of shard, batch, store
 * and worker.
 *
 *     amount  count, sum, max of the event's `amount`, over 10 s with hops of 100 ms
 *     seen    count of all events, over 10 s
 *
 * And a desk: a shard that keeps blobs, one batch at a time, and what Redis then has.
 *
 *     desk_see() --> desk_gather() --> desk_acknowledge()      features
 *                    desk_save()   --> desk_saved()            blobs --> desk_restart()
 */
#ifndef TIDEWHEEL_CORE_KIT_H
#define TIDEWHEEL_CORE_KIT_H

#include "unit.h"

#include <stdio.h>

#include "tidewheel/mem.h"
#include "tidewheel/num.h"
#include "tidewheel/shard.h"
#include "tidewheel/snapshot.h"

#define NOW INT64_C(1700000000000)

enum { KIT_FIELDS = 4, KIT_VALUES = 16 };

static const char KIT_VIEW[] = "view: v\n"
                               "source: {topic: t, timestamp: {field: ts, unit: ms}}\n"
                               "entity: {type: user, keys: [{field: id, type: string}]}\n"
                               "features:\n"
                               "  - {name: amount, value: amount, aggregates: [count, sum, max], "
                               "windows: [10s]}\n"
                               "  - {name: seen, aggregates: [count], windows: [10s]}\n";

static inline struct catalog *kit_catalog_of(struct slice text)
{
    struct buf report = {NULL, 0, 0};
    struct catalog *catalog = NULL;
    int rc = pipeline_load_text("kit.yaml", text, &report, &catalog);
    ck_assert_msg(rc == 0, "%s", buf_text(&report));
    buf_fini(&report);
    return catalog;
}

static inline struct catalog *kit_catalog(const char *more)
{
    struct buf text = {NULL, 0, 0};
    buf_add_text(&text, KIT_VIEW);
    buf_add_text(&text, more);
    struct catalog *catalog = kit_catalog_of(buf_slice(&text));
    buf_fini(&text);
    return catalog;
}

static const char KIT_OTHER_VIEW[] = "view: w\n"
                                     "source: {topic: t, timestamp: {field: ts, unit: ms}}\n"
                                     "entity: {type: user, keys: [{field: id, type: string}]}\n"
                                     "features:\n"
                                     "  - {name: met, aggregates: [count], windows: [10s]}\n";

/* More than one view has to come from files: these are gone when it returns. */
static inline struct catalog *kit_catalog_of_files(const char *const *texts, size_t count)
{
    char names[4][32];
    const char *files[4] = {NULL};
    struct buf report = {NULL, 0, 0};
    struct catalog *catalog = NULL;
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(names[i], sizeof names[i], "/tmp/tidewheel-view-XXXXXX.yaml");
        FILE *file = fdopen(mkstemps(names[i], 5), "w");
        ck_assert_ptr_nonnull(file);
        ck_assert_int_ge(fputs(texts[i], file), 0);
        ck_assert_int_eq(fclose(file), 0);
        files[i] = names[i];
    }
    int rc = pipeline_load(files, count, &report, &catalog);
    for (size_t i = 0; i < count; i++)
        (void)remove(names[i]);
    ck_assert_msg(rc == 0, "%s", buf_text(&report));
    buf_fini(&report);
    return catalog;
}

static inline struct catalog *kit_catalog_of_two(void)
{
    return kit_catalog_of_files((const char *const[]){KIT_VIEW, KIT_OTHER_VIEW}, 2);
}

static inline struct shard *kit_shard(const struct catalog *catalog, struct tally *const *tallies)
{
    struct shard *shard = shard_new(catalog->topics[0], tallies, 7, NOW);
    shard_tell(shard, NOW);
    return shard;
}

/* An event at ts_ms; amount NULL: it has none. Offsets go up by one. */
static inline int64_t kit_apply(struct shard *shard, const char *id, int64_t ts_ms,
                                const char *amount, enum know know)
{
    struct value values[KIT_VALUES] = {{VALUE_MISSING, false, {NULL, 0}}};
    struct routed routed = {ts_ms, slice_of(id), ts_ms};
    const struct view *view = shard->topic->views[0];
    if (amount != NULL)
        values[view->features[0].value_slot] =
            (struct value){.type = VALUE_NUMBER, .text = slice_of(amount)};
    int64_t offset = shard->ledger.position;
    shard_apply(shard, 0, &routed, values, offset, know);
    shard->ledger.position = offset + 1;
    return offset;
}

static inline struct entity *kit_entity(const struct shard *shard, const char *id)
{
    uint32_t number = entities_find(&shard->views[0], slice_of(id));
    return number == ENTITY_NONE ? NULL : entity_at(&shard->views[0], number);
}

/* ---- the desk ---- */

#define KIT_DEFINITION "00112233445566778899aabbccddeeff"

enum { DESK_MAX = 64, DESK_ID_MAX = 16, DESK_LOOKS = 1000 };

struct desk_sent {
    struct entity_ref ref;
    int64_t as_of_ms;
    int64_t next_ms;
    uint8_t generation;
    struct reading readings[KIT_FIELDS];
};

struct desk_kept {
    char id[DESK_ID_MAX];
    struct reading readings[KIT_FIELDS];
    bool has_features;
    struct buf blob; /* nothing: none */
};

struct desk {
    struct catalog *catalog;
    struct tally tally[4];
    struct tally *tallies[4];
    struct shard *shard;
    int64_t wall_ms;
    struct desk_sent sent[DESK_MAX];
    size_t sent_count;
    struct entity_ref saving[DESK_MAX];
    size_t saving_count;
    struct desk_kept kept[DESK_MAX]; /* what Redis has */
    size_t kept_count;
    char text[DESK_MAX * (DESK_ID_MAX + 2)];
};

static inline struct desk_kept *desk_kept(struct desk *desk, struct slice identity)
{
    for (size_t i = 0; i < desk->kept_count; i++)
        if (slice_is_equal(slice_of(desk->kept[i].id), identity))
            return &desk->kept[i];
    struct desk_kept *kept = &desk->kept[desk->kept_count++];
    (void)snprintf(kept->id, sizeof kept->id, "%.*s", (int)identity.len, identity.ptr);
    return kept;
}

static inline struct slice desk_identity(const struct desk *desk, struct entity_ref ref)
{
    const struct entity *entity = entity_at(&desk->shard->views[ref.view], ref.number);
    return (struct slice){entity->identity, entity->identity_len};
}

static inline void desk_shard(struct desk *desk)
{
    desk->shard = shard_new(desk->catalog->topics[0], desk->tallies, 7, desk->wall_ms);
    shard_tell(desk->shard, desk->wall_ms);
    desk->shard->keeps_blobs = true;
}

/* Silent: shard_go_live() is the test's, as is desk_live(). */
static inline void desk_open_with(struct desk *desk, struct catalog *catalog)
{
    *desk = (struct desk){.catalog = catalog, .wall_ms = NOW};
    for (size_t i = 0; i < 4; i++)
        desk->tallies[i] = &desk->tally[i];
    desk_shard(desk);
}

static inline void desk_close(struct desk *desk)
{
    for (size_t i = 0; i < desk->kept_count; i++)
        buf_fini(&desk->kept[i].blob);
    shard_free(desk->shard);
    catalog_free(desk->catalog);
}

static inline void desk_pass_ms(struct desk *desk, int64_t ms)
{
    desk->wall_ms += ms;
    shard_tell(desk->shard, desk->wall_ms);
}

static inline void desk_see(struct desk *desk, const char *id, const char *amount)
{
    (void)kit_apply(desk->shard, id, desk->wall_ms, amount,
                    desk->shard->is_live ? KNOW_FED : KNOW_MATCHED);
}

static inline void desk_add_text(struct desk *desk, struct slice identity, const char *mark)
{
    size_t len = strlen(desk->text);
    (void)snprintf(desk->text + len, sizeof desk->text - len, "%s%.*s%s", len > 0 ? " " : "",
                   (int)identity.len, identity.ptr, mark);
}

static inline void desk_put(struct desk *desk, struct entity_ref ref)
{
    struct desk_sent *sent = &desk->sent[desk->sent_count++];
    struct row row = {.readings = sent->readings};
    shard_read(desk->shard, ref, &row);
    sent->ref = ref;
    sent->as_of_ms = row.as_of_ms;
    sent->next_ms = row.next_ms;
    sent->generation = desk->shard->generation;
}

/* Features of both lanes; the ids with spaces. */
static inline const char *desk_gather(struct desk *desk)
{
    struct entity_ref ref;
    size_t looks = DESK_LOOKS;
    desk->text[0] = '\0';
    while (shard_take_arrival(desk->shard, &ref, NULL)) {
        desk_put(desk, ref);
        desk_add_text(desk, desk_identity(desk, ref), "");
    }
    while (shard_take_decay(desk->shard, desk->wall_ms, &looks, &ref)) {
        desk_put(desk, ref);
        desk_add_text(desk, desk_identity(desk, ref), "");
    }
    return desk->text;
}

static inline void desk_acknowledge(struct desk *desk)
{
    shard_note_said(desk->shard);
    ledger_acknowledge(&desk->shard->ledger);
    for (size_t i = 0; i < desk->sent_count; i++) {
        const struct desk_sent *sent = &desk->sent[i];
        struct desk_kept *kept = desk_kept(desk, desk_identity(desk, sent->ref));
        memcpy(kept->readings, sent->readings, sizeof kept->readings);
        kept->has_features = true;
        shard_written(desk->shard, sent->ref, sent->as_of_ms, sent->next_ms, sent->generation);
    }
    desk->sent_count = 0;
}

static inline void desk_refuse(struct desk *desk)
{
    shard_note_said(desk->shard);
    ledger_acknowledge(&desk->shard->ledger);
    for (size_t i = 0; i < desk->sent_count; i++)
        shard_refused(desk->shard, desk->sent[i].ref, desk->wall_ms);
    desk->sent_count = 0;
}

/* What a checkpoint has to write: "a" its blob, "a+" its features too, "a-" none any more, "a!" owed. */
static inline const char *desk_save_more(struct desk *desk)
{
    struct entity_ref ref;
    bool is_held = false;
    desk->text[0] = '\0';
    while (shard_take_saving(desk->shard, &ref, &is_held)) {
        if (is_held)
            desk_put(desk, ref);
        struct buf *blob = &desk_kept(desk, desk_identity(desk, ref))->blob;
        buf_reset(blob);
        shard_write_blob(desk->shard, ref, KIT_DEFINITION, blob);
        bool is_owed = blob->len > 1 && (blob->ptr[1] & SNAPSHOT_OWED) != 0;
        desk_add_text(desk, desk_identity(desk, ref),
                      blob->len == 0 ? "-"
                      : is_owed      ? "!"
                      : is_held      ? "+"
                                     : "");
        desk->saving[desk->saving_count++] = ref;
    }
    return desk->text;
}

static inline const char *desk_save(struct desk *desk)
{
    shard_begin_saving(desk->shard);
    return desk_save_more(desk);
}

static inline void desk_saved(struct desk *desk)
{
    desk_acknowledge(desk);
    for (size_t i = 0; i < desk->saving_count; i++)
        shard_saved(desk->shard, desk->saving[i]);
    desk->saving_count = 0;
}

#define desk_gathers(desk, ids) ck_assert_str_eq(desk_gather(desk), ids)
#define desk_saves(desk, ids)   ck_assert_str_eq(desk_save(desk), ids)
#define desk_writes(desk, ids)                                                                     \
    do {                                                                                           \
        desk_gathers(desk, ids);                                                                   \
        desk_acknowledge(desk);                                                                    \
    } while (0)

static inline void desk_live(struct desk *desk)
{
    shard_go_live(desk->shard);
    desk_writes(desk, "");
}

static inline void desk_open(struct desk *desk)
{
    desk_open_with(desk, kit_catalog(""));
    desk_live(desk);
}

/* A crash: all that is left is in Redis, and the log from position on. */
static inline void desk_restart(struct desk *desk, int64_t said_ms, int64_t position,
                                bool stays_cold)
{
    struct err err;
    shard_free(desk->shard);
    desk_shard(desk);
    desk->sent_count = desk->saving_count = 0;
    for (size_t i = 0; i < desk->kept_count; i++)
        if (desk->kept[i].blob.len > 0)
            ck_assert_msg(shard_restore(desk->shard, 0, KIT_DEFINITION, slice_of(desk->kept[i].id),
                                        buf_slice(&desk->kept[i].blob), said_ms, stays_cold,
                                        &err) == 0,
                          "%s", err.text);
    desk->shard->said_ms[0] = desk->shard->drained_ms[0] = said_ms;
    desk->shard->ledger.position = position;
}

/* As of now, from memory; field: amount count, sum, max; seen count. */
static inline void desk_read(const struct desk *desk, const char *id, struct reading *ret)
{
    struct row row = {.readings = ret};
    uint32_t number = entities_find(&desk->shard->views[0], slice_of(id));
    ck_assert_msg(number != ENTITY_NONE, "%s is not known", id);
    shard_read(desk->shard, (struct entity_ref){0, number}, &row);
}

static inline uint64_t desk_count(const struct desk *desk, const char *id)
{
    struct reading readings[KIT_FIELDS];
    desk_read(desk, id, readings);
    return readings[3].count;
}

/* As Redis has it. */
static inline uint64_t desk_served(struct desk *desk, const char *id)
{
    const struct desk_kept *kept = desk_kept(desk, slice_of(id));
    ck_assert_msg(kept->has_features, "%s was never written", id);
    return kept->readings[3].count;
}

static inline bool desk_is_dirty(const struct desk *desk, const char *id)
{
    const struct entity *entity = kit_entity(desk->shard, id);
    return entity != NULL && (entity->flags & ENTITY_DIRTY) != 0;
}

#endif
