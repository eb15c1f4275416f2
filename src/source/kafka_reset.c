#include "tidewheel/reset.h"

#include "kafka_private.h"

#include <stdlib.h>

#include "tidewheel/clock.h"
#include "tidewheel/mem.h"

/* ListOffsets takes these in place of a timestamp. */
enum { AT_END = RD_KAFKA_OFFSET_END, AT_BEGINNING = RD_KAFKA_OFFSET_BEGINNING };

enum { ANSWER_MS = 10000, ATTEMPT_MS = 2000, PAUSE_MS = 100, LEAVE_MS = 1000 };

struct reset {
    const struct options *options;
    struct kafka_source *source;
    struct span *spans;
    size_t span_count;
    rd_kafka_topic_partition_list_t *list; /* of the last question: one for each span, in order */
    int64_t timestamp;                     /* to look up; or AT_END, AT_BEGINNING */
    const char *group;                     /* whose members are asked for */
    size_t members;
};

/* ---- questions ---- */

/* One attempt, of up to wait_ms. */
typedef rd_kafka_resp_err_t question_fn(struct reset *reset, int wait_ms);

/* More of the same does not help. */
static bool is_final(rd_kafka_resp_err_t code)
{
    static const rd_kafka_resp_err_t codes[] = {
        RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,
        RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION,
        RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
        RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
        RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
        RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE,
    };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i] == code)
            return true;
    return false;
}

/* Errors of the connection come here, and say more than that nothing was answered. */
static void hear(struct reset *reset)
{
    rd_kafka_message_t *message = rd_kafka_consumer_poll(reset->source->handle, PAUSE_MS);
    if (message != NULL)
        rd_kafka_message_destroy(message);
}

/* The same question until there is an answer. */
static rd_kafka_resp_err_t ask(struct reset *reset, question_fn *question, int64_t wait_ms)
{
    int64_t deadline_ms = clock_mono_ms() + wait_ms;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    for (int64_t left_ms = wait_ms; left_ms > 0; left_ms = deadline_ms - clock_mono_ms()) {
        code = question(reset, (int)(left_ms < ATTEMPT_MS ? left_ms : ATTEMPT_MS));
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR || is_final(code))
            break;
        hear(reset);
        if (reset->source->fatal.code != 0)
            break;
    }
    return code;
}

static int explain(const struct reset *reset, const char *what, rd_kafka_resp_err_t code,
                   struct err *err)
{
    const struct kafka_source *source = reset->source;
    if (source->fatal.code != 0)
        return err_set(err, ERR_FATAL, "%s: %s", what, source->fatal.text);
    if (is_final(code))
        return err_set(err, ERR_FATAL, "%s: %s", what, rd_kafka_err2str(code));
    return err_set(err, ERR_RETRY, "%s: %s", what,
                   source->trouble[0] != '\0' ? source->trouble : rd_kafka_err2str(code));
}

/* ---- where logs begin and end ---- */

static rd_kafka_resp_err_t ask_counts(struct reset *reset, int wait_ms)
{
    struct kafka_source *source = reset->source;
    if (!kafka_check_counts(source, wait_ms))
        return RD_KAFKA_RESP_ERR__TIMED_OUT;
    for (size_t i = 0; i < source->topic_count; i++)
        if (source->topics[i].partition_count == 0)
            return RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* A topic that was made a moment ago is known soon: it has been asked for a while. */
static int explain_counts(const struct reset *reset, rd_kafka_resp_err_t code, struct err *err)
{
    const struct kafka_source *source = reset->source;
    size_t i = 0;
    while (i < source->topic_count && source->topics[i].partition_count > 0)
        i++;
    if (code != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || i == source->topic_count)
        return explain(reset, "the partitions of the topics are not known", code, err);
    return err_set(err, ERR_FATAL, "topic %s does not exist: nothing is there to be read",
                   source->topics[i].topic->name);
}

/* Each partition has an error of its own. */
static rd_kafka_resp_err_t first_error(const rd_kafka_topic_partition_list_t *list,
                                       rd_kafka_resp_err_t code)
{
    for (int i = 0; i < list->cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
        code = list->elems[i].err;
    return code;
}

/* In the order of the spans. */
static void begin_list(struct reset *reset, int64_t offset)
{
    if (reset->list != NULL)
        rd_kafka_topic_partition_list_destroy(reset->list);
    reset->list = rd_kafka_topic_partition_list_new((int)reset->span_count + 1);
    for (size_t i = 0; i < reset->span_count; i++)
        rd_kafka_topic_partition_list_add(reset->list, reset->spans[i].topic->name,
                                          reset->spans[i].partition)
            ->offset = offset;
}

/* An attempt overwrites the times with what was found. */
static rd_kafka_resp_err_t look_up(struct reset *reset, int wait_ms)
{
    begin_list(reset, reset->timestamp);
    rd_kafka_resp_err_t code =
        rd_kafka_offsets_for_times(reset->source->handle, reset->list, wait_ms);
    return first_error(reset->list, code);
}

static int find(struct reset *reset, int64_t timestamp, struct err *err)
{
    reset->timestamp = timestamp;
    rd_kafka_resp_err_t code = ask(reset, look_up, ANSWER_MS);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    return explain(reset, "where the logs begin and end is not known", code, err);
}

/* What was found for a span; -1: no such record. */
static int64_t found(const struct reset *reset, size_t i)
{
    return reset->list->elems[i].offset < 0 ? -1 : reset->list->elems[i].offset;
}

static void make_spans(struct reset *reset)
{
    const struct kafka_source *source = reset->source;
    size_t count = 0;
    for (size_t i = 0; i < source->topic_count; i++)
        count += (size_t)source->topics[i].partition_count;
    free(reset->spans);
    reset->spans = mem_zalloc(count * sizeof *reset->spans);
    reset->span_count = 0;
    for (size_t i = 0; i < source->topic_count; i++)
        for (int32_t p = 0; p < source->topics[i].partition_count; p++)
            reset->spans[reset->span_count++] = (struct span){
                .topic = source->topics[i].topic, .partition = p, .first = -1, .committed = -1};
}

static int find_ends(struct reset *reset, struct err *err)
{
    int rc = find(reset, AT_END, err);
    for (size_t i = 0; i < reset->span_count && rc == 0; i++)
        reset->spans[i].log_end = reset->spans[i].until = found(reset, i);
    if (rc == 0)
        rc = find(reset, AT_BEGINNING, err);
    for (size_t i = 0; i < reset->span_count && rc == 0; i++)
        reset->spans[i].log_start = reset->spans[i].from = found(reset, i);
    return rc;
}

/* A lookup of timestamp 0 finds the first record of a log that has any. */
static int check_timestamps(struct reset *reset, struct err *err)
{
    int rc = find(reset, 0, err);
    for (size_t i = 0; i < reset->span_count && rc == 0; i++) {
        struct span *span = &reset->spans[i];
        span->first = found(reset, i);
        if (span->first < 0 && span->log_end > span->log_start)
            rc = err_set(err, ERR_FATAL,
                         "this Kafka looks up no timestamps: only from the beginning to the end");
    }
    return rc;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* No such record: at the end that was read before. */
static int find_times(struct reset *reset, int64_t from_ms, int64_t until_ms, struct err *err)
{
    int rc = from_ms > 0 ? find(reset, from_ms, err) : 0;
    for (size_t i = 0; i < reset->span_count && rc == 0 && from_ms > 0; i++) {
        struct span *span = &reset->spans[i];
        span->from = found(reset, i) < 0 ? span->log_end : smaller(found(reset, i), span->log_end);
    }
    if (rc == 0 && until_ms > 0)
        rc = find(reset, until_ms, err);
    for (size_t i = 0; i < reset->span_count && rc == 0 && until_ms > 0; i++) {
        struct span *span = &reset->spans[i];
        if (found(reset, i) >= 0)
            span->until = smaller(found(reset, i), span->log_end);
    }
    return rc;
}

int reset_look(struct reset *reset, int64_t from_ms, int64_t until_ms, struct span **ret,
               size_t *ret_count, struct err *err)
{
    rd_kafka_resp_err_t code = ask(reset, ask_counts, ANSWER_MS);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return explain_counts(reset, code, err);
    make_spans(reset);
    int rc = find_ends(reset, err);
    if (rc == 0 && (from_ms > 0 || until_ms > 0))
        rc = check_timestamps(reset, err);
    if (rc == 0)
        rc = find_times(reset, from_ms, until_ms, err);
    if (rc < 0)
        return rc;
    *ret = reset->spans;
    *ret_count = reset->span_count;
    return 0;
}

/* ---- groups ---- */

/* The answer to an administrator's question, on a queue of its own; NULL: none. */
static rd_kafka_event_t *answer_on(rd_kafka_queue_t *queue, int wait_ms, rd_kafka_resp_err_t *ret)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, wait_ms + PAUSE_MS);
    *ret = event == NULL ? RD_KAFKA_RESP_ERR__TIMED_OUT : rd_kafka_event_error(event);
    return event;
}

static rd_kafka_AdminOptions_t *options_for(struct reset *reset, rd_kafka_admin_op_t op,
                                            int wait_ms)
{
    char reason[256];
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(reset->source->handle, op);
    (void)rd_kafka_AdminOptions_set_request_timeout(options, wait_ms, reason, sizeof reason);
    return options;
}

/* By the old call: DescribeConsumerGroups aborts the process when its request cannot be sent, in every
 * librdkafka so far (#4605, #5397). */
static rd_kafka_resp_err_t ask_members(struct reset *reset, int wait_ms)
{
    const struct rd_kafka_group_list *list = NULL;
    rd_kafka_resp_err_t code =
        rd_kafka_list_groups(reset->source->handle, reset->group, &list, wait_ms);
    reset->members = 0;
    for (int i = 0; list != NULL && i < list->group_cnt; i++) {
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            code = list->groups[i].err;
        reset->members += (size_t)list->groups[i].member_cnt;
    }
    if (list != NULL)
        rd_kafka_group_list_destroy(list);
    return code;
}

int reset_members(struct reset *reset, const char *group, size_t *ret, struct err *err)
{
    reset->group = group;
    rd_kafka_resp_err_t code = ask(reset, ask_members, ANSWER_MS);
    if (code == RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE)
        code = RD_KAFKA_RESP_ERR_NO_ERROR; /* the offsets will be refused, if there are any */
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return explain(reset, "whether the group has members is not known", code, err);
    *ret = reset->members;
    return 0;
}

int reset_others(struct reset *reset, void (*tell)(void *arg, const char *group), void *arg,
                 struct err *err)
{
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_queue_t *queue = rd_kafka_queue_new(reset->source->handle);
    rd_kafka_AdminOptions_t *options =
        options_for(reset, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS, ANSWER_MS);
    rd_kafka_ListConsumerGroups(reset->source->handle, options, queue);
    rd_kafka_event_t *event = answer_on(queue, ANSWER_MS, &code);
    size_t count = 0;
    const rd_kafka_ConsumerGroupListing_t **groups =
        code != RD_KAFKA_RESP_ERR_NO_ERROR
            ? NULL
            : rd_kafka_ListConsumerGroups_result_valid(
                  rd_kafka_event_ListConsumerGroups_result(event), &count);
    for (size_t i = 0; i < count; i++) {
        const char *group = rd_kafka_ConsumerGroupListing_group_id(groups[i]);
        if (strcmp(group, reset->options->kafka_group_id) != 0)
            tell(arg, group);
    }
    if (event != NULL)
        rd_kafka_event_destroy(event);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return explain(reset, "the groups of this Kafka are not known", code, err);
    return 0;
}

/* ---- offsets ---- */

static rd_kafka_resp_err_t send_offsets(struct reset *reset, int wait_ms)
{
    begin_list(reset, 0);
    for (size_t i = 0; i < reset->span_count; i++)
        reset->list->elems[i].offset = reset->spans[i].from;
    return kafka_commit_probe(reset->source, reset->list, wait_ms);
}

int reset_set(struct reset *reset, struct err *err)
{
    rd_kafka_resp_err_t code = ask(reset, send_offsets, ANSWER_MS);
    if (code == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID)
        return err_set(err, ERR_FATAL,
                       "group %s has members: Kafka takes no offsets for it from outside",
                       reset->options->kafka_group_id);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR
               ? 0
               : explain(reset, "the offsets of the group could not be set", code, err);
}

static rd_kafka_resp_err_t ask_committed(struct reset *reset, int wait_ms)
{
    begin_list(reset, RD_KAFKA_OFFSET_INVALID);
    rd_kafka_resp_err_t code = rd_kafka_committed(reset->source->handle, reset->list, wait_ms);
    return first_error(reset->list, code);
}

int reset_ask(struct reset *reset, int64_t wait_ms, struct err *err)
{
    rd_kafka_resp_err_t code = ask(reset, ask_committed, wait_ms);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return explain(reset, "what the group has committed is not known", code, err);
    for (size_t i = 0; i < reset->span_count; i++) {
        const rd_kafka_topic_partition_t *element = &reset->list->elems[i];
        struct span *span = &reset->spans[i];
        span->committed = found(reset, i);
        span->is_ours = span->committed >= 0 &&
                        commit_metadata_read(element->metadata, element->metadata_size) >= 0;
    }
    return 0;
}

/* ---- from first to last ---- */

int reset_open(const struct options *options, const struct catalog *catalog, struct reset **ret,
               struct err *err)
{
    struct reset *reset = mem_zalloc(sizeof *reset);
    const struct source_handler nobody = {.arg = NULL};
    reset->options = options;
    int rc = kafka_new(options, catalog, 0, &nobody, true, &reset->source, err);
    if (rc == 0)
        rc = kafka_connect(reset->source, err);
    if (rc < 0)
        (void)reset_close(reset); /* nothing was asked yet */
    else
        *ret = reset;
    return rc;
}

bool reset_close(struct reset *reset)
{
    bool has_left = true;
    if (reset == NULL)
        return true;
    if (reset->list != NULL)
        rd_kafka_topic_partition_list_destroy(reset->list);
    if (reset->source != NULL)
        has_left = kafka_free(reset->source, clock_mono_ms() + LEAVE_MS);
    free(reset->spans);
    free(reset);
    return has_left;
}
