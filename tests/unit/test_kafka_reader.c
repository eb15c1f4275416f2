/* The second consumer, and the ends of logs, against librdkafka's mock cluster. */
#include "kafka_kit.h"

#include <dirent.h>

/* --- a worker that has the units of some main source, and reads them again --- */

struct worker {
    struct source *reader;
    struct unit units[PARTITIONS]; /* as if a main source had lent them */
    int64_t position[PARTITIONS];
    int64_t reached[PARTITIONS];
    long records;
    long gaps;
    long strays;
    int retries;
    struct err err;
};

static void on_reached(void *arg, struct unit *unit, int64_t offset)
{
    struct worker *worker = arg;
    ck_assert_ptr_eq(unit, &worker->units[unit->partition]);
    worker->reached[unit->partition] = offset;
}

static void worker_open(struct worker *worker, struct cluster *cluster)
{
    *worker = (struct worker){0};
    for (int p = 0; p < PARTITIONS; p++) {
        worker->units[p] = (struct unit){.topic = &cluster->topic, .partition = p};
        worker->position[p] = worker->reached[p] = -1;
    }
    struct source_handler handler = {.arg = worker, .reached = on_reached};
    int rc = kafka_reader_open(&cluster->options, &cluster->catalog, 1, &handler, &worker->reader,
                               &worker->err);
    ck_assert_msg(rc == 0, "%s", worker->err.text);
}

static int worker_poll(struct worker *worker, int64_t timeout_ms)
{
    struct unit *unit = NULL;
    struct record record;
    int rc = worker->reader->ops->poll(worker->reader, timeout_ms, &unit, &record, &worker->err);
    worker->retries += rc == ERR_RETRY;
    if (rc != 1)
        return rc;
    int32_t p = unit->partition;
    worker->records++;
    worker->gaps += record.offset != worker->position[p];
    worker->strays += unit != &worker->units[p] ||
                      record.offset != strtoll(record.value.ptr, NULL, 10) || record.partition != p;
    worker->position[p] = record.offset + 1;
    return rc;
}

static void worker_step(struct worker *worker)
{
    int rc = worker_poll(worker, 5);
    for (int i = 0; i < 100 && rc == 1; i++)
        rc = worker_poll(worker, 0);
    ck_assert_msg(rc != ERR_FATAL, "%s", worker->err.text);
}

#define POLL_UNTIL(cond, worker)                                                                   \
    do {                                                                                           \
        int64_t until_ms = clock_mono_ms() + WAIT_MS;                                              \
        while (!(cond)) {                                                                          \
            ck_assert_msg(clock_mono_ms() < until_ms, "never: " #cond);                            \
            worker_step(worker);                                                                   \
        }                                                                                          \
    } while (0)

static void begin_at(struct worker *worker, int p, int64_t start)
{
    worker->position[p] = start;
    worker->reached[p] = -1;
    worker->reader->ops->begin(worker->reader, &worker->units[p], start);
}

static void worker_close(struct worker *worker)
{
    ck_assert_int_eq(worker->gaps + worker->strays, 0);
    int64_t from_ms = clock_mono_ms();
    ck_assert(worker->reader->ops->close(worker->reader, CLOSE_MS));
    ck_assert_int_lt(clock_mono_ms() - from_ms, CLOSE_MS);
}

static int thread_count(void)
{
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    ck_assert_ptr_nonnull(tasks);
    for (const struct dirent *entry = readdir(tasks); entry != NULL; entry = readdir(tasks))
        count += entry->d_name[0] != '.';
    (void)closedir(tasks);
    return count;
}

/* --- the tests --- */

START_TEST(a_reader_that_reads_nothing_has_no_thread)
{
    struct cluster *cluster = cluster_open();
    produce_all(cluster, 0, 10);
    int before = thread_count();
    struct worker worker;
    worker_open(&worker, cluster);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(worker_poll(&worker, 1), 0);
    worker.reader->ops->hold(worker.reader, &worker.units[0]);
    ck_assert_int_eq(worker.reader->ops->end(worker.reader, &worker.units[0]), -1);
    ck_assert_str_eq(worker.reader->ops->cluster(worker.reader), "");
    ck_assert_int_eq(thread_count(), before);
    worker_close(&worker);
    cluster_close(cluster);
}
END_TEST

START_TEST(it_reads_what_has_begun_from_there_on_and_nothing_else)
{
    struct cluster *cluster = cluster_open();
    produce_all(cluster, 0, 1000);
    struct worker worker;
    worker_open(&worker, cluster);
    begin_at(&worker, 1, 0);
    begin_at(&worker, 2, 700);
    POLL_UNTIL(worker.reached[1] == 1000 && worker.reached[2] == 1000, &worker);
    ck_assert_int_eq(worker.records, 1300);
    ck_assert_int_eq(worker.reader->ops->end(worker.reader, &worker.units[1]), 1000);

    worker.reader->ops->hold(worker.reader, &worker.units[1]);
    begin_at(&worker, 3, 990);
    produce_all(cluster, 1000, 10);
    POLL_UNTIL(worker.reached[2] == 1010 && worker.reached[3] == 1010, &worker);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(worker_poll(&worker, 10), 0);
    ck_assert_int_eq(worker.records, 1300 + 10 + 20);
    ck_assert_int_eq(worker.position[0], -1);
    ck_assert_int_eq(worker.position[1], 1000);
    begin_at(&worker, 1, 500);
    POLL_UNTIL(worker.reached[1] == 1010, &worker);
    ck_assert_int_eq(worker.records, 1330 + 510);
    worker_close(&worker);
    cluster_close(cluster);
}
END_TEST

START_TEST(going_back_while_records_are_queued_hands_out_each_from_there_on)
{
    struct cluster *cluster = cluster_open();
    enum { COUNT = 20000 };
    produce_all(cluster, 0, COUNT);
    struct worker worker;
    worker_open(&worker, cluster);
    for (int p = 0; p < PARTITIONS; p++)
        begin_at(&worker, p, 0);
    for (int round = 0; round < 30; round++) {
        long until = worker.records + 500;
        POLL_UNTIL(worker.records >= until, &worker);
        for (int p = round % 2; p < PARTITIONS; p += 2)
            begin_at(&worker, p, worker.position[p] / 2);
    }
    POLL_UNTIL(worker.reached[0] == COUNT && worker.reached[1] == COUNT &&
                   worker.reached[2] == COUNT && worker.reached[3] == COUNT,
               &worker);
    worker_close(&worker);
    cluster_close(cluster);
}
END_TEST

START_TEST(a_log_that_begins_later_by_now_is_read_from_its_beginning)
{
    struct cluster *cluster = cluster_open();
    produce(cluster, 0, 0, 12000, 1000); /* the mock keeps 5 MiB of a partition */
    struct worker worker;
    worker_open(&worker, cluster);
    for (int round = 0; round < 2; round++) {
        begin_at(&worker, 0, 10);
        POLL_UNTIL(worker.records > 0, &worker);
        ck_assert_int_eq(worker.gaps, 1); /* to the log's beginning */
        ck_assert_int_gt(worker.position[0], 1000);
        POLL_UNTIL(worker.reached[0] == 12000, &worker);
        ck_assert_int_eq(worker.gaps, 1);
        worker.gaps = worker.records = 0;
        worker.reader->ops->hold(worker.reader, &worker.units[0]);
    }
    worker_close(&worker);
    cluster_close(cluster);
}
END_TEST

START_TEST(it_leaves_the_group_and_its_commits_alone)
{
    struct cluster *cluster = cluster_open();
    produce_all(cluster, 0, 100);
    struct worker worker;
    worker_open(&worker, cluster);
    begin_at(&worker, 0, 0);
    struct commit commit = {&worker.units[0], 50};
    worker.reader->ops->commit(worker.reader, &commit, 1, 100);
    worker.reader->ops->pause(worker.reader, true);
    worker.reader->ops->restart(worker.reader, NULL, 0);
    POLL_UNTIL(worker.reached[0] == 100, &worker);
    worker_close(&worker);
    rd_kafka_topic_partition_list_t *list = committed(cluster);
    ck_assert_int_eq(list->elems[0].offset, RD_KAFKA_OFFSET_INVALID);
    rd_kafka_topic_partition_list_destroy(list);
    cluster_close(cluster);
}
END_TEST

START_TEST(it_waits_while_kafka_is_away_and_can_be_closed_meanwhile)
{
    struct cluster *cluster = cluster_open();
    produce_all(cluster, 0, 100);
    struct worker worker;
    worker_open(&worker, cluster);
    begin_at(&worker, 0, 0);
    POLL_UNTIL(worker.position[0] == 100, &worker);
    ck_assert_int_eq(rd_kafka_mock_broker_set_down(cluster->mock, -1), 0);
    POLL_UNTIL(worker.retries > 0, &worker);
    ck_assert_int_eq(rd_kafka_mock_broker_set_up(cluster->mock, -1), 0);
    produce(cluster, 0, 100, 100, 0);
    POLL_UNTIL(worker.position[0] == 200, &worker);
    ck_assert_int_eq(rd_kafka_mock_broker_set_down(cluster->mock, -1), 0);
    worker.retries = 0;
    POLL_UNTIL(worker.retries > 0, &worker);
    worker_close(&worker);
    cluster_close(cluster);
}
END_TEST

START_TEST(its_properties_are_checked_before_it_connects)
{
    struct cluster *cluster = cluster_open();
    property_add(cluster, "no.such.property", "1");
    struct source_handler handler = {0};
    struct source *reader = NULL;
    struct err err;
    ck_assert_int_eq(
        kafka_reader_open(&cluster->options, &cluster->catalog, 1, &handler, &reader, &err),
        ERR_CONFIG);
    ck_assert_ptr_null(reader);
    cluster_close(cluster);
}
END_TEST

START_TEST(the_ends_of_a_topics_logs_are_told)
{
    struct cluster *cluster = cluster_open();
    produce(cluster, 1, 0, 100, 0);
    produce(cluster, 3, 0, 7, 0);
    int64_t *ends = NULL;
    int32_t count = 0;
    struct err err = {0};
    int rc = kafka_log_ends(&cluster->options, "events", WAIT_MS, &ends, &count, &err);
    ck_assert_msg(rc == 0, "%s", err.text);
    static const int64_t expected[PARTITIONS] = {0, 100, 0, 7};
    ck_assert_int_eq(count, PARTITIONS);
    ck_assert_mem_eq(ends, expected, sizeof expected);
    free(ends);
    cluster_close(cluster);
}
END_TEST

START_TEST(ends_that_nobody_tells_are_asked_for_no_longer_than_allowed)
{
    struct cluster *cluster = cluster_open();
    rd_kafka_mock_topic_set_error(cluster->mock, "events", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    int64_t *ends = NULL;
    int32_t count = -1;
    struct err err = {0};
    ck_assert_int_eq(kafka_log_ends(&cluster->options, "events", 2000, &ends, &count, &err),
                     ERR_RETRY);
    ck_assert_ptr_nonnull(strstr(err.text, "events"));
    ck_assert_int_eq(rd_kafka_mock_broker_set_down(cluster->mock, -1), 0);
    int64_t from_ms = clock_mono_ms();
    ck_assert_int_eq(kafka_log_ends(&cluster->options, "events", 500, &ends, &count, &err),
                     ERR_RETRY);
    ck_assert_int_lt(clock_mono_ms() - from_ms, 3000);
    ck_assert_ptr_null(ends);
    ck_assert_int_eq(count, -1);
    cluster_close(cluster);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_reader_that_reads_nothing_has_no_thread,
        it_reads_what_has_begun_from_there_on_and_nothing_else,
        going_back_while_records_are_queued_hands_out_each_from_there_on,
        a_log_that_begins_later_by_now_is_read_from_its_beginning,
        it_leaves_the_group_and_its_commits_alone,
        it_waits_while_kafka_is_away_and_can_be_closed_meanwhile,
        its_properties_are_checked_before_it_connects,
        the_ends_of_a_topics_logs_are_told,
        ends_that_nobody_tells_are_asked_for_no_longer_than_allowed,
    };
    return run_all("kafka_reader", tests, sizeof tests / sizeof *tests);
}
