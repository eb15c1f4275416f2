#include "kafka_private.h"

#include <stdlib.h>

#include "tidewheel/mem.h"

static bool is_in(const struct catalog *catalog, const char *name)
{
    return catalog_topic(catalog, slice_of(name)) != NULL;
}

/* ---- topics that are gone ---- */

/* Until the group has heard of it librdkafka may hand out records of them, which are nobody's. */
static void drop_topic(struct kafka_source *source, struct kafka_topic *topic)
{
    kafka_show_topic(source, topic->topic->name, TOPIC_GONE);
    for (int32_t i = 0; i < topic->unit_cap; i++) {
        struct kafka_unit *unit = topic->units[i];
        if (unit == NULL)
            continue;
        source->is_dirty = source->is_dirty || unit->has_begun;
        kafka_unit_drop(source, unit);
    }
    if (topic->handle != NULL)
        rd_kafka_topic_destroy(topic->handle);
    free(topic->units);
}

static void drop_gone(struct kafka_source *source, const struct catalog *catalog)
{
    for (size_t i = 0; i < source->topic_count;) {
        if (is_in(catalog, source->topics[i].topic->name)) {
            i++;
            continue;
        }
        drop_topic(source, &source->topics[i]);
        source->topics[i] = source->topics[--source->topic_count];
    }
}

/* A lookup that has nobody left to ask for would ask for nothing, which is an error. */
static void stop_idle_lookup(struct kafka_source *source)
{
    bool has_any = false;
    FOR_EACH_UNIT(unit, source) has_any = has_any || unit->waits_lookup;
    if (!has_any)
        lookup_stop(&source->lookup);
}

/* ---- topics that stay ---- */

static void take_over(struct kafka_source *source, struct kafka_topic *topic,
                      const struct topic *now)
{
    bool is_same = topic->topic == now;
    kafka_topic_init(topic, now); /* expiries may be others all the same */
    if (is_same)
        return;
    for (int32_t i = 0; i < topic->unit_cap; i++)
        if (topic->units[i] != NULL)
            topic->units[i]->unit.topic = now;
    for (int32_t i = 0; i < topic->unit_cap; i++) {
        struct kafka_unit *unit = topic->units[i];
        if (unit == NULL || !unit->unit.is_assigned)
            continue; /* whoever waits to be planned is planned by what is needed now */
        kafka_await_lookup(source, unit);
        unit->waits_probe = true;
    }
}

/* ---- new topics ---- */

static int add_topic(struct kafka_source *source, const struct topic *topic, struct err *err)
{
    struct kafka_topic *added = &source->topics[source->topic_count++];
    *added = (struct kafka_topic){.topic = NULL};
    kafka_topic_init(added, topic);
    kafka_show_topic(source, topic->name, TOPIC_UNSEEN);
    return source->handle != NULL ? kafka_topic_open(source, added, err) : 0;
}

/* ---- the whole ---- */

int kafka_adopt(struct source *base, const struct catalog *catalog, struct err *err)
{
    struct kafka_source *source = (struct kafka_source *)base;
    size_t before = source->topic_count;
    int rc = 0;
    kafka_release(source);
    drop_gone(source, catalog);
    bool has_lost = source->topic_count < before;
    bool has_more = source->topic_count < catalog->topic_count;
    source->topics = mem_resize(source->topics, catalog->topic_count, sizeof *source->topics);
    source->last_topic = source->topics;
    for (size_t i = 0; i < catalog->topic_count && rc == 0; i++) {
        struct kafka_topic *known = kafka_topic_named(source, catalog->topics[i]->name);
        if (known == NULL)
            rc = add_topic(source, catalog->topics[i], err);
        else
            take_over(source, known, catalog->topics[i]);
    }
    stop_idle_lookup(source);
    source->polls = 0;
    if (has_more)
        source->probe_mono_ms = 0;
    if (rc == 0 && (has_lost || has_more) && !source->is_reader)
        rc = kafka_subscribe(source, err);
    if (rc < 0)
        err->code = ERR_FATAL;
    return rc < 0 ? ERR_FATAL : 0;
}
