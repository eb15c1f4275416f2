/* snapshot_kit: entities outside of any shard, for tests of their state as bytes.
 *
 *     rig_init() --> rig_add() ... --> snapshot_write() --> snapshot_read() into another rig
 */
#ifndef TIDEWHEEL_SNAPSHOT_KIT_H
#define TIDEWHEEL_SNAPSHOT_KIT_H

#include <stdlib.h>
#include <string.h>

#include "tidewheel/mem.h"
#include "tidewheel/snapshot.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define NOW    INT64_C(1700000000000)

#define DEFINITION "00112233445566778899aabbccddeeff"

struct rig {
    const struct view *view;
    struct slab *slab;
    struct entity *entity;
};

static inline struct catalog *catalog_of(const char *text)
{
    struct buf report = {0};
    struct catalog *catalog = NULL;
    if (pipeline_load_text("kit.yaml", slice_of(text), &report, &catalog) != 0)
        err_set(NULL, ERR_INTERNAL, "%s", buf_text(&report));
    CHECK(catalog != NULL);
    buf_fini(&report);
    return catalog;
}

static inline struct slice identity_of(const struct rig *rig)
{
    return (struct slice){rig->entity->identity, rig->entity->identity_len};
}

static inline void rig_init(struct rig *rig, const struct view *view, const char *identity)
{
    size_t size = sizeof(struct entity) + view->feature_count * sizeof(struct series);
    *rig = (struct rig){view, slab_new(), mem_zalloc(size)};
    rig->entity->identity = mem_strdup(identity);
    rig->entity->identity_len = (uint32_t)strlen(identity);
    rig->entity->newest_ms = -1;
}

static inline void rig_fini(struct rig *rig)
{
    slab_free(rig->slab);
    free(rig->entity->identity);
    free(rig->entity);
}

static inline void rig_add(struct rig *rig, size_t feature, int64_t ts_ms, double value,
                           int64_t now_ms)
{
    if (series_add(&rig->entity->series[feature], &rig->view->features[feature].series, rig->slab,
                   ts_ms, value, now_ms) &&
        rig->entity->newest_ms < ts_ms)
        rig->entity->newest_ms = ts_ms;
}

static inline void rig_tidy(struct rig *rig, int64_t now_ms)
{
    for (size_t i = 0; i < rig->view->feature_count; i++)
        series_tidy(&rig->entity->series[i], &rig->view->features[i].series, rig->slab, now_ms);
}

static inline int64_t rig_next(const struct rig *rig, int64_t now_ms)
{
    struct series_reading reading;
    int64_t next_ms = INT64_MAX;
    for (size_t i = 0; i < rig->view->feature_count; i++) {
        series_read(&rig->entity->series[i], &rig->view->features[i].series, now_ms, &reading);
        if (reading.next_ms < next_ms)
            next_ms = reading.next_ms;
    }
    return next_ms;
}

/* The whole entity; what is behind `applied` follows from it. */
static inline void rig_write(const struct rig *rig, int64_t applied, uint8_t flags, int64_t now_ms,
                             struct buf *ret)
{
    struct snapshot snapshot = {applied, rig->entity->newest_ms, rig_next(rig, now_ms), flags};
    buf_reset(ret);
    snapshot_write(&snapshot, rig->view, DEFINITION, rig->entity, ret);
}

static inline int rig_restore(struct rig *rig, struct slice blob, int64_t now_ms,
                              struct snapshot *ret, struct err *err)
{
    int code = snapshot_read(blob, rig->view, DEFINITION, identity_of(rig), now_ms, rig->slab,
                             rig->entity->series, ret, err);
    if (code == 0 && rig->entity->newest_ms < ret->newest_ms)
        rig->entity->newest_ms = ret->newest_ms;
    return code;
}

/* What the limit of a blob counts: 16 a bucket of one event, 8 + 8 for each word of another. */
static inline size_t rig_bytes(const struct rig *rig)
{
    size_t bytes = 0;
    struct series_bucket bucket;
    for (size_t i = 0; i < rig->view->feature_count; i++) {
        const struct series *series = &rig->entity->series[i];
        const struct series_spec *spec = &rig->view->features[i].series;
        for (uint32_t at = series->len; series_walk(series, spec, &at, &bucket);)
            bytes += bucket.is_one ? 16 : 8 + 8 * (size_t)spec->shape.words;
    }
    return bytes;
}

#endif
