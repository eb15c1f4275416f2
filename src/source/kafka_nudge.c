#include "kafka_private.h"

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
        kafka_ask_ends(source, 0); /* any request that goes to a broker wakes its thread */
    }
}
