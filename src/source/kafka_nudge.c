#include "kafka_private.h"

/* Any request that goes to a broker wakes its thread. This one asks each leader of ours for a log's
 * end and does not wait for the answer, which is thrown away when it comes. */
static void wake_fetchers(struct kafka_source *source)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
    FOR_EACH_UNIT(unit, source)
    {
        if (unit->unit.is_assigned)
            rd_kafka_topic_partition_list_add(list, unit->unit.topic->name, unit->unit.partition)
                ->offset = RD_KAFKA_OFFSET_END;
    }
    if (list->cnt > 0)
        (void)rd_kafka_offsets_for_times(source->handle, list, 0);
    rd_kafka_topic_partition_list_destroy(list);
}

/* A broker's thread that finds the queue full looks again after a second, or when something else
 * wakes it. A queue of 10,000 records, read within 20 ms, would then stand empty for the rest of
 * that second: 30,000 records a second in place of a million. From 2.2 on librdkafka has
 * fetch.queue.backoff.ms for it; before, it takes a queue of several 100,000 records, or a nudge.
 */
void kafka_nudge(struct kafka_source *source)
{
    if (source->has_backoff)
        return;
    /* Looked at every few hundred records: a thread may have found the queue full, and gone to
     * sleep, a little before we find it less than full. */
    size_t len = rd_kafka_queue_length(source->queue);
    if (len >= source->queue_min / 4 * 3) {
        source->is_queue_full = true;
    } else if (source->is_queue_full && len < source->queue_min / 2) {
        source->is_queue_full = false;
        wake_fetchers(source);
    }
}
