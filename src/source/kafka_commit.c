#include "kafka_private.h"

#include "tidewheel/clock.h"
#include "tidewheel/log.h"
#include "tidewheel/mem.h"

enum { SLICE_MS = 100, COMMIT_AGAIN_MS = 1000 };

static void commit_add(rd_kafka_topic_partition_list_t *list, struct kafka_unit *unit,
                       int64_t now_ms)
{
    char metadata[COMMIT_METADATA_MAX];
    size_t len = commit_metadata_write(now_ms, metadata);
    rd_kafka_topic_partition_t *element =
        rd_kafka_topic_partition_list_add(list, unit->unit.topic->name, unit->unit.partition);
    element->offset = unit->commit_due;
    element->metadata = mem_strndup(metadata, len); /* the list frees it */
    element->metadata_size = len;
    unit->commit_due = -1;
}

static void commit_send(struct kafka_source *source)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
    int64_t now_ms = clock_wall_ms();
    FOR_EACH_UNIT(unit, source)
    {
        if (unit->commit_due >= 0)
            commit_add(list, unit, now_ms);
    }
    if (list->cnt > 0) {
        rd_kafka_resp_err_t code =
            rd_kafka_commit_queue(source->handle, list, source->commit_queue, NULL, NULL);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            source->commits_in_flight++;
        else
            log_limited(LOG_WARN, "commit", "worker=%d error=%s", source->number,
                        rd_kafka_err2name(code));
    }
    rd_kafka_topic_partition_list_destroy(list);
}

/* A commit that was refused, in a rebalance say, comes again for the units that are still ours, unless
 * a newer one waits already. */
static void commit_again(struct kafka_source *source, const rd_kafka_topic_partition_list_t *list)
{
    source->commit_mono_ms = clock_mono_ms() + COMMIT_AGAIN_MS;
    for (int i = 0; list != NULL && i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *element = &list->elems[i];
        const struct kafka_topic *topic = kafka_topic_named(source, element->topic);
        struct kafka_unit *unit = topic != NULL && element->partition < topic->unit_cap
                                      ? topic->units[element->partition]
                                      : NULL;
        if (unit != NULL && unit->unit.is_assigned && unit->commit_due < 0)
            unit->commit_due = element->offset;
    }
}

static void commit_answered(struct kafka_source *source, rd_kafka_event_t *event)
{
    const rd_kafka_topic_partition_list_t *list = rd_kafka_event_topic_partition_list(event);
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    for (int i = 0; list != NULL && i < list->cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
        code = list->elems[i].err;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        kafka_answers(source);
        board_count(source->handler.board, BOARD_COMMITS_OK);
        log_debug("commit", "worker=%d units=%d", source->number, list != NULL ? list->cnt : 0);
    } else {
        board_count(source->handler.board, BOARD_COMMITS_FAILED);
        log_limited(LOG_WARN, "commit", "worker=%d error=%s reason=\"%s\"", source->number,
                    rd_kafka_err2name(code), rd_kafka_err2str(code));
        commit_again(source, list);
    }
}

static void take_answers(struct kafka_source *source, int64_t wait_ms)
{
    while (source->commits_in_flight > 0) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(source->commit_queue, (int)wait_ms);
        if (event == NULL)
            return;
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_OFFSET_COMMIT) {
            source->commits_in_flight--;
            commit_answered(source, event);
        }
        rd_kafka_event_destroy(event);
    }
}

bool kafka_commit_drain(struct kafka_source *source, int64_t wait_ms)
{
    take_answers(source, 0);
    int64_t deadline_ms = clock_mono_ms() + wait_ms;
    for (int64_t left_ms = wait_ms; left_ms > 0 && source->commits_in_flight > 0;
         left_ms = deadline_ms - clock_mono_ms())
        take_answers(source, left_ms < SLICE_MS ? left_ms : SLICE_MS);
    return source->commits_in_flight == 0;
}

static bool may_send(const struct kafka_source *source)
{
    return source->commits_in_flight == 0 && clock_mono_ms() >= source->commit_mono_ms;
}

void kafka_commit_serve(struct kafka_source *source)
{
    take_answers(source, 0);
    if (may_send(source))
        commit_send(source);
}

/* One commit is under way at a time: with Kafka away they would pile up. What is newer waits in its
 * unit for the answer. Works inside the handler's revoked(): the answers have a queue of their own.
 */
void kafka_commit(struct source *base, const struct commit *commits, size_t count, int64_t wait_ms)
{
    struct kafka_source *source = (struct kafka_source *)base;
    for (size_t i = 0; i < count; i++)
        ((struct kafka_unit *)commits[i].unit)->commit_due = commits[i].offset;
    if (may_send(source) || wait_ms > 0)
        commit_send(source);
    if (wait_ms > 0)
        (void)kafka_commit_drain(source, wait_ms);
}

/* On a queue of its own, which is gone when a late answer comes. */
rd_kafka_resp_err_t kafka_commit_probe(struct kafka_source *source,
                                       const rd_kafka_topic_partition_list_t *list, int64_t wait_ms)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(source->handle);
    rd_kafka_resp_err_t code = rd_kafka_commit_queue(source->handle, list, queue, NULL, NULL);
    rd_kafka_event_t *event = NULL;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        event = rd_kafka_queue_poll(queue, (int)wait_ms);
        code = event == NULL ? RD_KAFKA_RESP_ERR__TIMED_OUT : rd_kafka_event_error(event);
    }
    const rd_kafka_topic_partition_list_t *answers =
        event == NULL ? NULL : rd_kafka_event_topic_partition_list(event);
    for (int i = 0; answers != NULL && i < answers->cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
        code = answers->elems[i].err;
    if (event != NULL)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    return code;
}
