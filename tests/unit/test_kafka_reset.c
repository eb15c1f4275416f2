/* A group from outside, against librdkafka's mock cluster, which looks up no timestamps, describes no
 * groups, and takes offsets for a group only before it has had its first member. */
#include "kafka_kit.h"

#include "tidewheel/reset.h"

static struct reset *open_reset(struct cluster *cluster)
{
    struct reset *reset = NULL;
    struct err err = {0};
    ck_assert_msg(reset_open(&cluster->options, &cluster->catalog, &reset, &err) == 0, "%s",
                  err.text);
    return reset;
}

static struct span *look(struct reset *reset)
{
    struct span *spans = NULL;
    size_t count = 0;
    struct err err = {0};
    ck_assert_msg(reset_look(reset, 0, 0, &spans, &count, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(count, PARTITIONS);
    return spans;
}

START_TEST(a_span_is_the_whole_log_of_each_partition)
{
    struct cluster *cluster = cluster_open();
    produce(cluster, 1, 0, 70, 0);
    produce(cluster, 3, 0, 5, 0);
    struct reset *reset = open_reset(cluster);
    struct span *spans = look(reset);
    static const int64_t ends[PARTITIONS] = {0, 70, 0, 5};
    for (int p = 0; p < PARTITIONS; p++) {
        ck_assert_ptr_eq(spans[p].topic, &cluster->topic);
        ck_assert_int_eq(spans[p].partition, p);
        ck_assert_int_eq(spans[p].log_start, 0);
        ck_assert_int_eq(spans[p].log_end, ends[p]);
        ck_assert_int_eq(spans[p].from, 0);
        ck_assert_int_eq(spans[p].until, ends[p]);
    }
    reset_close(reset);
    cluster_close(cluster);
}
END_TEST

START_TEST(offsets_are_set_as_a_person_does_and_asked_for)
{
    struct cluster *cluster = cluster_open();
    produce_all(cluster, 0, 50);
    struct reset *reset = open_reset(cluster);
    struct span *spans = look(reset);
    struct err err = {0};
    ck_assert_int_eq(reset_ask(reset, WAIT_MS, &err), 0);
    for (int p = 0; p < PARTITIONS; p++) {
        ck_assert_int_eq(spans[p].committed, -1);
        ck_assert(!spans[p].is_ours);
        spans[p].from = 10 + p;
    }
    ck_assert_msg(reset_set(reset, &err) == 0, "%s", err.text);
    ck_assert_int_eq(reset_ask(reset, WAIT_MS, &err), 0);
    rd_kafka_topic_partition_list_t *list = committed(cluster);
    for (int p = 0; p < PARTITIONS; p++) {
        ck_assert_int_eq(spans[p].committed, 10 + p);
        ck_assert(!spans[p].is_ours);
        ck_assert_int_eq(list->elems[p].offset, 10 + p);
        ck_assert_uint_eq(list->elems[p].metadata_size, 0);
    }
    rd_kafka_topic_partition_list_destroy(list);
    reset_close(reset);
    cluster_close(cluster);
}
END_TEST

START_TEST(what_workers_have_committed_is_ours)
{
    struct cluster *cluster = cluster_open();
    produce_all(cluster, 0, 50);
    const char *const pairs[] = {"bootstrap.servers", cluster->options.kafka_brokers, "group.id",
                                 "group", NULL};
    rd_kafka_t *handle = client_new(RD_KAFKA_CONSUMER, pairs);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *element = rd_kafka_topic_partition_list_add(list, "events", 2);
    char metadata[COMMIT_METADATA_MAX];
    element->offset = 33;
    element->metadata_size = commit_metadata_write(clock_wall_ms(), metadata);
    element->metadata = mem_strndup(metadata, element->metadata_size);
    ck_assert_int_eq(rd_kafka_commit(handle, list, 0), 0);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(handle);
    struct reset *reset = open_reset(cluster);
    const struct span *spans = look(reset);
    struct err err = {0};
    ck_assert_int_eq(reset_ask(reset, WAIT_MS, &err), 0);
    ck_assert_int_eq(spans[2].committed, 33);
    ck_assert(spans[2].is_ours);
    ck_assert_int_eq(spans[1].committed, -1);
    reset_close(reset);
    cluster_close(cluster);
}
END_TEST

/* As Kafka does: offsets come from members only, once there are any. */
START_TEST(offsets_of_a_group_with_members_are_refused_in_one_sentence)
{
    struct cluster *cluster = cluster_open();
    produce_all(cluster, 0, 50);
    const char *const pairs[] = {"bootstrap.servers", cluster->options.kafka_brokers, "group.id",
                                 "group", NULL};
    rd_kafka_t *handle = client_new(RD_KAFKA_CONSUMER, pairs);
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, "events", RD_KAFKA_PARTITION_UA);
    ck_assert_int_eq(rd_kafka_subscribe(handle, topics), 0);
    rd_kafka_topic_partition_list_destroy(topics);
    rd_kafka_message_t *message = rd_kafka_consumer_poll(handle, WAIT_MS); /* it has joined */
    if (message != NULL)
        rd_kafka_message_destroy(message);
    struct reset *reset = open_reset(cluster);
    (void)look(reset);
    struct err err = {0};
    ck_assert_int_eq(reset_set(reset, &err), ERR_FATAL);
    ck_assert_msg(strstr(err.text, "group group has members") != NULL, "%s", err.text);
    reset_close(reset);
    rd_kafka_destroy(handle);
    rd_kafka_topic_partition_list_t *list = committed(cluster);
    for (int p = 0; p < PARTITIONS; p++)
        ck_assert_int_lt(list->elems[p].offset, 0);
    rd_kafka_topic_partition_list_destroy(list);
    cluster_close(cluster);
}
END_TEST

START_TEST(a_kafka_without_timestamps_refuses_times_and_nothing_else)
{
    struct cluster *cluster = cluster_open();
    struct reset *reset = open_reset(cluster);
    struct span *spans = NULL;
    size_t count = 0;
    struct err err = {0};
    ck_assert_int_eq(reset_look(reset, 1000, 2000, &spans, &count, &err), 0); /* nothing is there */
    produce(cluster, 2, 0, 3, 0);
    ck_assert_int_eq(reset_look(reset, 1000, 0, &spans, &count, &err), ERR_FATAL);
    ck_assert_int_eq(reset_look(reset, 0, 1000, &spans, &count, &err), ERR_FATAL);
    ck_assert_ptr_nonnull(strstr(err.text, "no timestamps"));
    ck_assert_int_eq(reset_look(reset, 0, 0, &spans, &count, &err), 0);
    reset_close(reset);
    cluster_close(cluster);
}
END_TEST

START_TEST(members_that_cannot_be_counted_are_none)
{
    struct cluster *cluster = cluster_open();
    struct reset *reset = open_reset(cluster);
    struct err err = {0};
    size_t members = 99;
    ck_assert_msg(reset_members(reset, "group", &members, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(members, 0);
    reset_close(reset);
    cluster_close(cluster);
}
END_TEST

START_TEST(a_topic_that_does_not_exist_is_named)
{
    struct cluster *cluster = cluster_open();
    rd_kafka_mock_topic_set_error(cluster->mock, "events", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    struct reset *reset = open_reset(cluster);
    struct span *spans = NULL;
    size_t count = 0;
    struct err err = {0};
    ck_assert_int_eq(reset_look(reset, 0, 0, &spans, &count, &err), ERR_FATAL);
    ck_assert_msg(strstr(err.text, "topic events") != NULL, "%s", err.text);
    reset_close(reset);
    cluster_close(cluster);
}
END_TEST

START_TEST(without_kafka_a_question_ends_in_time)
{
    struct cluster *cluster = cluster_open();
    ck_assert_int_eq(rd_kafka_mock_broker_set_down(cluster->mock, 1), 0);
    struct reset *reset = open_reset(cluster);
    struct span *spans = NULL;
    size_t count = 0;
    struct err err = {0};
    int64_t from_ms = clock_mono_ms();
    ck_assert_int_eq(reset_look(reset, 0, 0, &spans, &count, &err), ERR_RETRY);
    ck_assert_int_lt(clock_mono_ms() - from_ms, WAIT_MS);
    reset_close(reset);
    cluster_close(cluster);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_span_is_the_whole_log_of_each_partition,
        offsets_are_set_as_a_person_does_and_asked_for,
        what_workers_have_committed_is_ours,
        offsets_of_a_group_with_members_are_refused_in_one_sentence,
        a_kafka_without_timestamps_refuses_times_and_nothing_else,
        members_that_cannot_be_counted_are_none,
        a_topic_that_does_not_exist_is_named,
        without_kafka_a_question_ends_in_time,
    };
    return run_all("kafka_reset", tests, sizeof tests / sizeof *tests);
}
