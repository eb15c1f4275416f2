/* core_kit: a catalog of one small view, and events for it, for the suites of shard, batch, store
 * and worker.
 *
 *     amount  count, sum, max of the event's `amount`, over 10 s with hops of 100 ms
 *     seen    count of all events, over 10 s
 */
#ifndef TIDEWHEEL_CORE_KIT_H
#define TIDEWHEEL_CORE_KIT_H

#include "unit.h"

#include <stdio.h>

#include "tidewheel/mem.h"
#include "tidewheel/num.h"
#include "tidewheel/shard.h"

#define NOW INT64_C(1700000000000)

enum { KIT_FIELDS = 4, KIT_VALUES = 16 };

static const char KIT_VIEW[] = "view: v\n"
                               "source: {topic: t, timestamp: {field: ts, unit: ms}}\n"
                               "entity: {type: user, keys: [{field: id, type: string}]}\n"
                               "features:\n"
                               "  - {name: amount, value: amount, aggregates: [count, sum, max], "
                               "windows: [10s]}\n"
                               "  - {name: seen, aggregates: [count], windows: [10s]}\n";

static inline struct catalog *kit_catalog(const char *more)
{
    struct buf text = {NULL, 0, 0};
    struct buf report = {NULL, 0, 0};
    struct catalog *catalog = NULL;
    buf_add_text(&text, KIT_VIEW);
    buf_add_text(&text, more);
    int rc = pipeline_load_text("kit.yaml", buf_slice(&text), &report, &catalog);
    ck_assert_msg(rc == 0, "%s", buf_text(&report));
    buf_fini(&report);
    buf_fini(&text);
    return catalog;
}

static inline struct shard *kit_shard(const struct catalog *catalog, struct tally *tallies)
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
    struct routed routed = {ts_ms, slice_of(id)};
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

#endif
