#include "kafka_private.h"

#include <stdlib.h>

#include "tidewheel/log.h"
#include "tidewheel/mem.h"

struct kafka_topic *kafka_topic_named(struct kafka_source *source, const char *name)
{
    for (size_t i = 0; i < source->topic_count; i++)
        if (strcmp(source->topics[i].topic->name, name) == 0)
            return &source->topics[i];
    return NULL;
}

struct kafka_topic *kafka_topic_of(struct kafka_source *source, const struct kafka_unit *unit)
{
    for (size_t i = 0; i < source->topic_count; i++)
        if (source->topics[i].topic == unit->unit.topic)
            return &source->topics[i];
    return NULL;
}

/* On the way of every record: messages carry the very handle that we hold, so no name is compared.
 */
struct kafka_unit *kafka_unit_of(struct kafka_source *source, const rd_kafka_topic_t *handle,
                                 int32_t partition)
{
    struct kafka_topic *topic = source->last_topic;
    if (topic->handle != handle) {
        topic = NULL;
        for (size_t i = 0; i < source->topic_count && topic == NULL; i++)
            if (source->topics[i].handle == handle)
                topic = &source->topics[i];
        if (topic == NULL)
            topic = kafka_topic_named(source, rd_kafka_topic_name(handle));
        if (topic == NULL)
            return NULL;
        source->last_topic = topic;
    }
    return partition >= 0 && partition < topic->unit_cap ? topic->units[partition] : NULL;
}

static struct kafka_unit *first_from(struct kafka_source *source, size_t topic, int32_t partition)
{
    for (; topic < source->topic_count; topic++, partition = 0)
        for (; partition < source->topics[topic].unit_cap; partition++)
            if (source->topics[topic].units[partition] != NULL)
                return source->topics[topic].units[partition];
    return NULL;
}

/* NULL: the first. */
struct kafka_unit *kafka_unit_next(struct kafka_source *source, const struct kafka_unit *unit)
{
    if (unit == NULL)
        return first_from(source, 0, 0);
    const struct kafka_topic *topic = kafka_topic_of(source, unit);
    return first_from(source, (size_t)(topic - source->topics), unit->unit.partition + 1);
}

struct kafka_unit *kafka_unit_make(struct kafka_topic *topic, int32_t partition)
{
    if (partition >= topic->unit_cap) {
        int32_t cap = partition + 1;
        topic->units = mem_resize(topic->units, (size_t)cap, sizeof *topic->units);
        for (int32_t i = topic->unit_cap; i < cap; i++)
            topic->units[i] = NULL;
        topic->unit_cap = cap;
    }
    if (topic->units[partition] == NULL) {
        struct kafka_unit *unit = mem_zalloc(sizeof *unit);
        unit->unit.topic = topic->topic;
        unit->unit.partition = partition;
        unit->lent = &unit->unit;
        unit->reset_done = unit->end = -1;
        unit->commit_due = -1;
        unit->alive_ms = unit->until = INT64_MAX;
        topic->units[partition] = unit;
    }
    return topic->units[partition];
}

void kafka_unit_drop(struct kafka_source *source, struct kafka_unit *unit)
{
    struct kafka_topic *topic = kafka_topic_of(source, unit);
    unit->unit.is_assigned = false;
    if (unit->is_known)
        source->handler.dropped(source->handler.arg, &unit->unit);
    topic->units[unit->unit.partition] = NULL;
    free(unit);
}

static void drop_where(struct kafka_source *source, bool owned_too)
{
    struct kafka_unit *unit = kafka_unit_next(source, NULL);
    while (unit != NULL) {
        struct kafka_unit *next = kafka_unit_next(source, unit);
        if (owned_too || !unit->is_owned)
            kafka_unit_drop(source, unit);
        unit = next;
    }
}

void kafka_drop_all(struct kafka_source *source)
{
    drop_where(source, true);
}

/* Librdkafka 2.0 aborts the process when a partition is taken away whose fetcher is still stopping: it
 * is stopped a second time, and the second answer finds it stopped. Stops and their answers go through
 * the one queue of librdkafka's main thread, as this question does: the first comes back behind the
 * stops, the second behind their answers. While the group is being left nothing is assigned any more,
 * and a question may stay without an answer for ever. */
static void await_stops(struct kafka_source *source)
{
    for (int i = 0; i < 2 && !source->is_closing; i++) {
        rd_kafka_topic_partition_list_t *partitions = NULL;
        if (rd_kafka_assignment(source->handle, &partitions) == RD_KAFKA_RESP_ERR_NO_ERROR)
            rd_kafka_topic_partition_list_destroy(partitions);
    }
}

static void tell_librdkafka(struct kafka_source *source,
                            const rd_kafka_topic_partition_list_t *partitions)
{
    rd_kafka_resp_err_t code = rd_kafka_assign(source->handle, partitions);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        kafka_error(source, code, "assign() was refused");
    await_stops(source);
}

void kafka_assign(struct kafka_source *source)
{
    rd_kafka_topic_partition_list_t *partitions = rd_kafka_topic_partition_list_new(16);
    FOR_EACH_UNIT(unit, source)
    {
        if (!unit->has_begun || source->is_paused)
            continue;
        rd_kafka_topic_partition_list_add(partitions, unit->unit.topic->name, unit->unit.partition)
            ->offset = unit->next;
    }
    tell_librdkafka(source, partitions);
    rd_kafka_topic_partition_list_destroy(partitions);
    source->is_dirty = false;
}

static void revoke(struct kafka_source *source)
{
    lookup_stop(&source->lookup);
    board_set(source->handler.board, BOARD_OWNED, -1);
    bool had_any = false;
    FOR_EACH_UNIT(unit, source) had_any = had_any || unit->unit.is_assigned;
    if (had_any) {
        bool is_lost = rd_kafka_assignment_lost(source->handle) != 0;
        log_info("revoked", "worker=%d lost=%d", source->number, is_lost);
        source->handler.revoked(source->handler.arg, is_lost);
    }
    FOR_EACH_UNIT(unit, source)
    {
        unit->unit.is_assigned = unit->is_owned = unit->has_begun = false;
        unit->waits_lookup = unit->waits_probe = false;
        unit->commit_due = -1;
    }
    source->is_dirty = false;
}

static void own(struct kafka_source *source, const rd_kafka_topic_partition_list_t *partitions)
{
    int64_t count = 0;
    for (int i = 0; i < partitions->cnt; i++) {
        struct kafka_topic *topic = kafka_topic_named(source, partitions->elems[i].topic);
        if (topic == NULL)
            continue; /* not one that we subscribed to */
        struct kafka_unit *unit = kafka_unit_make(topic, partitions->elems[i].partition);
        unit->is_owned = unit->waits_lookup = true;
        count++;
    }
    drop_where(source, false);
    board_count(source->handler.board, BOARD_REBALANCES);
    board_set(source->handler.board, BOARD_OWNED, count);
    log_info("owned", "worker=%d partitions=%d", source->number, partitions->cnt);
    if (partitions->cnt > 0)
        lookup_start(&source->lookup);
}

/* Inside a poll, or inside close. An ASSIGN is answered with an empty list at once, which is all
 * that the protocol wants: asking Kafka where to begin may take long, and the group must not wait.
 */
void kafka_rebalance(struct kafka_source *source, rd_kafka_resp_err_t code,
                     const rd_kafka_topic_partition_list_t *partitions)
{
    revoke(source);
    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS && !source->is_closing) {
        kafka_answers(source);
        own(source, partitions);
        kafka_assign(source);
        return;
    }
    if (code != RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS && !source->is_closing)
        kafka_error(source, code, "a rebalance failed");
    tell_librdkafka(source, NULL);
}
