#include "kafka_private.h"

#include <stdlib.h>

#include "tidewheel/clock.h"
#include "tidewheel/mem.h"

enum { LEAVE_MS = 1000 };

static int left_ms(int64_t deadline_ms)
{
    int64_t left = deadline_ms - clock_mono_ms();
    return left < 1 ? 1 : left > INT32_MAX ? INT32_MAX : (int)left;
}

static int no_answer(const char *topic, rd_kafka_resp_err_t code, struct err *err)
{
    return err_set(err, ERR_RETRY, "the ends of topic %s: %s", topic, rd_kafka_err2str(code));
}

static rd_kafka_resp_err_t ask_count(const struct kafka_source *source, int64_t deadline_ms,
                                     int32_t *ret)
{
    const rd_kafka_metadata_t *metadata = NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(source->handle, 0, source->topics[0].handle,
                                                 &metadata, left_ms(deadline_ms));
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return code;
    if (metadata->topic_cnt == 1) {
        code = metadata->topics[0].err;
        *ret = metadata->topics[0].partition_cnt;
    }
    rd_kafka_metadata_destroy(metadata);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR && *ret == 0 ? RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
                                                           : code;
}

static rd_kafka_resp_err_t ask_ends(const struct kafka_source *source, int64_t deadline_ms,
                                    rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < list->cnt; i++)
        list->elems[i].offset = RD_KAFKA_OFFSET_END;
    rd_kafka_resp_err_t code =
        rd_kafka_offsets_for_times(source->handle, list, left_ms(deadline_ms));
    for (int i = 0; i < list->cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
        code = list->elems[i].err;
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR && list->elems[i].offset < 0)
            code = RD_KAFKA_RESP_ERR__NO_OFFSET;
    }
    return code;
}

static int ends_of(const struct kafka_source *source, int64_t deadline_ms, int64_t **ret_ends,
                   int32_t *ret_count, struct err *err)
{
    const char *topic = source->topics[0].topic->name;
    int32_t count = 0;
    rd_kafka_resp_err_t code = ask_count(source, deadline_ms, &count);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return no_answer(topic, code, err);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(count);
    for (int32_t i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, topic, i);
    code = ask_ends(source, deadline_ms, list);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        *ret_ends = mem_alloc((size_t)count * sizeof **ret_ends);
        for (int32_t i = 0; i < count; i++)
            (*ret_ends)[i] = list->elems[i].offset;
        *ret_count = count;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? 0 : no_answer(topic, code, err);
}

int kafka_log_ends(const struct options *options, const char *topic, int64_t timeout_ms,
                   int64_t **ret_ends, int32_t *ret_count, struct err *err)
{
    char *name = mem_strdup(topic);
    struct topic one = {.name = name};
    struct topic *topics[] = {&one};
    struct catalog catalog = {.topics = topics, .topic_count = 1};
    struct source_handler handler = {0};
    struct kafka_source *source = NULL;
    int64_t deadline_ms = clock_mono_ms() + timeout_ms;
    int rc = kafka_new(options, &catalog, 0, &handler, true, &source, err);
    if (rc == 0) {
        rc = kafka_connect(source, err);
        if (rc == 0)
            rc = ends_of(source, deadline_ms, ret_ends, ret_count, err);
        (void)kafka_free(source, clock_mono_ms() + LEAVE_MS);
    }
    free(name);
    return rc;
}
