/* kafka_kit: librdkafka's mock cluster with a topic `events`, what a source is opened with, and a way to
 * run tests that mostly wait: some at a time, each in a process of its own.
 */
#ifndef TIDEWHEEL_KAFKA_KIT_H
#define TIDEWHEEL_KAFKA_KIT_H

#include "unit.h"

#include "tidewheel/clock.h"
#include "tidewheel/log.h"
#include "tidewheel/mem.h"
#include "tidewheel/source.h"

#include "source/kafka_private.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PARTITIONS = 4, WAIT_MS = 30000, CLOSE_MS = 10000, LIST_OFFSETS = 2, OFFSET_FETCH = 9 };

/* --- the cluster --- */

struct cluster {
    rd_kafka_t *handle; /* a producer */
    rd_kafka_mock_cluster_t *mock;
    struct topic topic;
    struct topic *topics[1];
    struct view view;
    struct view *views[1];
    struct catalog catalog;
    struct options options;
    struct property properties[8];
};

static inline rd_kafka_t *client_new(rd_kafka_type_t type, const char *const *pairs)
{
    char reason[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (; pairs[0] != NULL; pairs += 2)
        ck_assert_int_eq(rd_kafka_conf_set(conf, pairs[0], pairs[1], reason, sizeof reason),
                         RD_KAFKA_CONF_OK);
    rd_kafka_t *handle = rd_kafka_new(type, conf, reason, sizeof reason);
    ck_assert_ptr_nonnull(handle);
    return handle;
}

static inline struct cluster *cluster_open(void)
{
    log_open(getenv("TEST_LOG") != NULL ? LOG_DEBUG : LOG_ERROR, false);
    struct cluster *cluster = mem_zalloc(sizeof *cluster);
    static const char *const pairs[] = {"test.mock.num.brokers", "1",   "log_level", "2",
                                        "batch.num.messages",    "100", NULL};
    cluster->handle = client_new(RD_KAFKA_PRODUCER, pairs);
    cluster->mock = rd_kafka_handle_mock_cluster(cluster->handle);
    ck_assert_int_eq(rd_kafka_mock_topic_create(cluster->mock, "events", PARTITIONS, 1), 0);
    cluster->view = (struct view){.topic = &cluster->topic,
                                  .longest_ms = 3600000,
                                  .longest_hop_ms = 30000,
                                  .ttl_ms = 7200000,
                                  .future_max_ms = 60000};
    cluster->views[0] = &cluster->view;
    cluster->topic =
        (struct topic){.name = mem_strdup("events"), .views = cluster->views, .view_count = 1};
    cluster->topics[0] = &cluster->topic;
    cluster->catalog = (struct catalog){
        .topics = cluster->topics, .topic_count = 1, .views = cluster->views, .view_count = 1};
    static const char *const properties[][2] = {{"session.timeout.ms", "3000"},
                                                {"heartbeat.interval.ms", "200"},
                                                {"reconnect.backoff.max.ms", "200"},
                                                {"log_level", "3"}};
    for (size_t i = 0; i < 4; i++)
        cluster->properties[i] = (struct property){.name = mem_strdup(properties[i][0]),
                                                   .value = mem_strdup(properties[i][1])};
    cluster->options = (struct options){
        .kafka_brokers = mem_strdup(rd_kafka_mock_cluster_bootstraps(cluster->mock)),
        .kafka_group_id = mem_strdup("group"),
        .librdkafka = cluster->properties,
        .librdkafka_count = 4};
    return cluster;
}

static inline void property_add(struct cluster *cluster, const char *name, const char *value)
{
    cluster->properties[cluster->options.librdkafka_count++] =
        (struct property){.name = mem_strdup(name), .value = mem_strdup(value)};
}

static inline void cluster_close(struct cluster *cluster)
{
    rd_kafka_destroy(cluster->handle);
    for (size_t i = 0; i < cluster->options.librdkafka_count; i++) {
        free(cluster->properties[i].name);
        free(cluster->properties[i].value);
    }
    free(cluster->options.kafka_brokers);
    free(cluster->options.kafka_group_id);
    free(cluster->topic.name);
    free(cluster);
}

/* The value of each record is its number within its partition. */
static inline void produce(struct cluster *cluster, int32_t partition, int from, int count,
                           size_t size)
{
    char *value = mem_zalloc(size + 32);
    for (int i = from; i < from + count; i++) {
        int len = snprintf(value, 32, "%d", i);
        rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
        do {
            code = rd_kafka_producev(
                cluster->handle, RD_KAFKA_V_TOPIC("events"), RD_KAFKA_V_PARTITION(partition),
                RD_KAFKA_V_VALUE(value, size > 0 ? size : (size_t)len),
                RD_KAFKA_V_KEY("k", partition == 0 ? 0 : 1), RD_KAFKA_V_TIMESTAMP(1000 + i),
                RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
            (void)rd_kafka_poll(cluster->handle, code == RD_KAFKA_RESP_ERR__QUEUE_FULL ? 10 : 0);
        } while (code == RD_KAFKA_RESP_ERR__QUEUE_FULL);
        ck_assert_int_eq(code, 0);
    }
    ck_assert_int_eq(rd_kafka_flush(cluster->handle, WAIT_MS), 0);
    free(value);
}

static inline void produce_all(struct cluster *cluster, int from, int count)
{
    for (int32_t i = 0; i < PARTITIONS; i++)
        produce(cluster, i, from, count, 0);
}

/* What the group has committed; the caller destroys it. */
static inline rd_kafka_topic_partition_list_t *committed(struct cluster *cluster)
{
    const char *const pairs[] = {"bootstrap.servers", cluster->options.kafka_brokers, "group.id",
                                 "group", NULL};
    rd_kafka_t *handle = client_new(RD_KAFKA_CONSUMER, pairs);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(PARTITIONS);
    for (int32_t i = 0; i < PARTITIONS; i++)
        rd_kafka_topic_partition_list_add(list, "events", i);
    ck_assert_int_eq(rd_kafka_committed(handle, list, WAIT_MS), 0);
    rd_kafka_destroy(handle);
    return list;
}

enum { AT_A_TIME = 5, TESTS_MAX = 100 };

static inline int run_one(const char *name, const TTest *test)
{
    (void)alarm(60);
    TCase *tcase = tcase_create(name);
    tcase_add_test(tcase, test);
    Suite *suite = suite_create(name);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_SILENT);
    int failed = srunner_ntests_failed(runner);
    srunner_print(runner, failed > 0 ? CK_NORMAL : CK_SILENT);
    srunner_free(runner);
    return failed;
}

static inline int wait_for_one(const TTest *const *tests, const pid_t *pids, int count)
{
    int status = 0;
    pid_t pid = wait(&status);
    for (int i = 0; i < count && WIFSIGNALED(status); i++)
        if (pids[i] == pid)
            printf("%s was ended by signal %d\n", tests[i]->name, WTERMSIG(status));
    return status != 0;
}

/* Libcheck would run one after the other. Its handler of SIGALRM kills the whole process group, so each
 * has one of its own. The last line is libcheck's. */
static inline int run_all(const char *name, const TTest *const *tests, int count)
{
    pid_t pids[TESTS_MAX] = {0};
    CHECK(count <= TESTS_MAX);
    int failed = 0;
    printf("Running suite(s): %s\n", name);
    for (int i = 0; i < count; i++) {
        if (i >= AT_A_TIME)
            failed += wait_for_one(tests, pids, count);
        (void)fflush(stdout);
        pids[i] = fork();
        if (pids[i] != 0)
            continue;
        (void)setpgid(0, 0);
        exit(run_one(name, tests[i]));
    }
    for (int i = 0; i < count && i < AT_A_TIME; i++)
        failed += wait_for_one(tests, pids, count);
    printf("%d%%: Checks: %d, Failures: %d, Errors: 0\n", (count - failed) * 100 / count, count,
           failed);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
