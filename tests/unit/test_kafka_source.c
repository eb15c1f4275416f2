/* The Kafka source against librdkafka's mock cluster. A group join takes 3 s there, so a test does
 * much with one join. */
#include "kafka_kit.h"

/* --- a worker that does nothing but count --- */

struct worker {
    struct board *board;
    struct source *source;
    struct unit *units[PARTITIONS]; /* known and not dropped */
    int64_t position[PARTITIONS];   /* -1: no state */
    struct plan plans[PARTITIONS];
    int64_t reached[PARTITIONS];
    int assigned;
    int revoked;
    int lost;
    int dropped;
    long records;
    long gaps;
    long repeats;
    long strays; /* of units that are not assigned, or with another value than was sent */
    int retries;
    int64_t commit_wait_ms; /* > 0: commits its positions when it is revoked */
    bool forgets;           /* has no position when it is asked */
    int restarts;           /* of units 1 and 2, when unit 2 is assigned */
    bool hesitates;         /* does not begin when a unit is assigned */
    int64_t until;          /* > 0: the bound of unit 1, as if Kafka had looked it up */
    struct err err;
};

static int64_t on_position(void *arg, const struct unit *unit)
{
    struct worker *worker = arg;
    return worker->forgets ? -1 : worker->position[unit->partition];
}

static void on_assigned(void *arg, struct unit *unit, const struct plan *plan)
{
    struct worker *worker = arg;
    int32_t p = unit->partition;
    ck_assert(unit->is_assigned);
    ck_assert_int_eq(unit->partition_count, PARTITIONS);
    worker->assigned++;
    worker->units[p] = unit;
    worker->plans[p] = *plan;
    worker->reached[p] = -1;
    worker->position[p] = plan->start;
    if (worker->until > 0 && p == 1)
        ((struct kafka_unit *)unit)->until = worker->until;
    if (worker->restarts > 0 && p == 2) {
        worker->restarts--;
        worker->source->ops->restart(worker->source, unit, INT64_MAX);
        if (worker->units[1] != NULL) /* told of already */
            worker->source->ops->restart(worker->source, worker->units[1], INT64_MAX);
    } else if (!worker->hesitates)
        worker->source->ops->begin(worker->source, unit, plan->start);
}

static void commit_positions(struct worker *worker, int64_t wait_ms)
{
    struct commit commits[PARTITIONS];
    size_t count = 0;
    for (int p = 0; p < PARTITIONS; p++)
        if (worker->units[p] != NULL && worker->units[p]->is_assigned)
            commits[count++] = (struct commit){worker->units[p], worker->position[p]};
    worker->source->ops->commit(worker->source, commits, count, wait_ms);
}

static void on_revoked(void *arg, bool is_lost)
{
    struct worker *worker = arg;
    worker->revoked++;
    worker->lost += is_lost;
    if (worker->commit_wait_ms > 0 && !is_lost)
        commit_positions(worker, worker->commit_wait_ms);
}

static void on_dropped(void *arg, struct unit *unit)
{
    struct worker *worker = arg;
    ck_assert_ptr_eq(worker->units[unit->partition], unit);
    worker->units[unit->partition] = NULL;
    worker->position[unit->partition] = -1;
    worker->dropped++;
}

static void on_reached(void *arg, struct unit *unit, int64_t offset)
{
    struct worker *worker = arg;
    worker->reached[unit->partition] = offset;
}

static void worker_open_until(struct worker *worker, struct cluster *cluster, int number,
                              int64_t until_ms)
{
    *worker = (struct worker){0};
    for (int p = 0; p < PARTITIONS; p++)
        worker->position[p] = worker->reached[p] = -1;
    worker->board = board_new(number);
    struct source_handler handler = {.arg = worker,
                                     .board = worker->board,
                                     .position = on_position,
                                     .assigned = on_assigned,
                                     .revoked = on_revoked,
                                     .dropped = on_dropped,
                                     .reached = on_reached,
                                     .until_ms = until_ms};
    int rc = kafka_source_open(&cluster->options, &cluster->catalog, number, &handler,
                               &worker->source, &worker->err);
    ck_assert_msg(rc == 0, "%s", worker->err.text);
}

static void worker_open(struct worker *worker, struct cluster *cluster, int number)
{
    worker_open_until(worker, cluster, number, 0);
}

static int worker_poll(struct worker *worker, int64_t timeout_ms)
{
    struct unit *unit = NULL;
    struct record record;
    int rc = worker->source->ops->poll(worker->source, timeout_ms, &unit, &record, &worker->err);
    worker->retries += rc == ERR_RETRY;
    if (rc != 1)
        return rc;
    int32_t p = unit->partition;
    ck_assert_int_eq(record.partition, p);
    int64_t *position = &worker->position[p];
    worker->records++;
    worker->gaps += record.offset > *position;
    worker->repeats += record.offset < *position;
    worker->strays += worker->units[p] != unit || !unit->is_assigned ||
                      record.offset != strtoll(record.value.ptr, NULL, 10) ||
                      record.timestamp_ms != 1000 + record.offset;
    *position = record.offset + 1;
    return rc;
}

static int64_t shown(const struct worker *worker, enum board_cell cell)
{
    return cell_get(&worker->board->cells[cell]);
}

static int64_t topic_state(const struct worker *worker)
{
    const struct board_topic *topic = board_topics(worker->board);
    ck_assert_str_eq(topic->name, "events");
    ck_assert_ptr_null(topic_next(topic));
    return cell_get(&topic->state);
}

static void worker_close(struct worker *worker)
{
    ck_assert_int_eq(worker->gaps + worker->repeats + worker->strays, 0);
    int64_t from_ms = clock_mono_ms();
    ck_assert(worker->source->ops->close(worker->source, CLOSE_MS));
    ck_assert_int_lt(clock_mono_ms() - from_ms, CLOSE_MS);
    for (int p = 0; p < PARTITIONS; p++)
        ck_assert_ptr_null(worker->units[p]);
    ck_assert_int_eq(shown(worker, BOARD_OWNED), -1);
    board_free(worker->board);
}

/* What is there at once, and a little more. */
static void worker_step(struct worker *worker)
{
    int rc = worker_poll(worker, 5);
    for (int i = 0; i < 100 && rc == 1; i++)
        rc = worker_poll(worker, 0);
    ck_assert_msg(rc != ERR_FATAL, "%s", worker->err.text);
}

static void expect_fatal(struct worker *worker, const char *sentence)
{
    int64_t from_ms = clock_mono_ms();
    while (worker_poll(worker, 10) != ERR_FATAL)
        ck_assert_int_lt(clock_mono_ms() - from_ms, WAIT_MS);
    ck_assert_msg(strstr(worker->err.text, sentence) != NULL, "%s", worker->err.text);
    ck_assert_int_eq(worker_poll(worker, 0), ERR_FATAL); /* and stays */
}

static bool is_at(const struct worker *worker, int64_t offset)
{
    for (int p = 0; p < PARTITIONS; p++)
        if (worker->units[p] == NULL || !worker->units[p]->is_assigned ||
            worker->position[p] != offset)
            return false;
    return true;
}

static int owned(const struct worker *worker)
{
    int count = 0;
    for (int p = 0; p < PARTITIONS; p++)
        count += worker->units[p] != NULL && worker->units[p]->is_assigned;
    return count;
}

/* Polls until the condition holds. */
#define POLL_UNTIL(cond, ...)                                                                      \
    do {                                                                                           \
        struct worker *polled[] = {__VA_ARGS__};                                                   \
        int64_t deadline_ms = clock_mono_ms() + WAIT_MS;                                           \
        while (!(cond)) {                                                                          \
            ck_assert_msg(clock_mono_ms() < deadline_ms, "never: " #cond);                         \
            for (size_t w = 0; w < sizeof polled / sizeof *polled; w++)                            \
                worker_step(polled[w]);                                                            \
        }                                                                                          \
    } while (0)

/* --- the tests --- */

START_TEST(records_come_in_order_and_commits_are_read_back)
{
    struct cluster *cluster = cluster_open();
    produce_all(cluster, 0, 1000);
    struct worker worker;
    worker_open(&worker, cluster, 1);
    POLL_UNTIL(is_at(&worker, 1000) && worker.reached[0] == 1000 && worker.reached[3] == 1000,
               &worker);
    ck_assert_int_eq(worker.records, 4000);
    ck_assert_int_eq(worker.plans[2].start, 0);
    ck_assert_int_eq(worker.plans[2].live_at, 1000);
    ck_assert_int_eq(worker.source->ops->end(worker.source, worker.units[2]), 1000);

    int64_t from_ms = clock_wall_ms();
    ck_assert_int_eq(shown(&worker, BOARD_OWNED), PARTITIONS);
    ck_assert_int_eq(shown(&worker, BOARD_REBALANCES), 1);
    ck_assert_int_eq(shown(&worker, BOARD_KAFKA_UP), 1);
    commit_positions(&worker, WAIT_MS);
    ck_assert_int_eq(shown(&worker, BOARD_COMMITS_OK), 1);
    ck_assert_int_eq(shown(&worker, BOARD_COMMITS_FAILED), 0);
    rd_kafka_topic_partition_list_t *list = committed(cluster);
    for (int p = 0; p < PARTITIONS; p++) {
        const rd_kafka_topic_partition_t *one = &list->elems[p];
        ck_assert_int_eq(one->offset, 1000);
        int64_t at_ms = commit_metadata_read(one->metadata, one->metadata_size);
        ck_assert_int_ge(at_ms, from_ms);
        ck_assert_int_le(at_ms, clock_wall_ms());
    }
    rd_kafka_topic_partition_list_destroy(list);

    produce_all(cluster, 1000, 10);
    worker.commit_wait_ms = 2000; /* while it leaves the group */
    POLL_UNTIL(is_at(&worker, 1010), &worker);
    worker_close(&worker);
    ck_assert_int_eq(worker.revoked, 1);
    list = committed(cluster);
    ck_assert_int_eq(list->elems[3].offset, 1010);
    rd_kafka_topic_partition_list_destroy(list);

    worker_open(&worker, cluster, 1);
    POLL_UNTIL(is_at(&worker, 1010), &worker);
    ck_assert_int_eq(worker.plans[3].commit_at_least, 1010);
    ck_assert(!worker.plans[3].is_reset);
    worker_close(&worker);
    cluster_close(cluster);
}
END_TEST

START_TEST(commits_without_waiting_arrive_and_the_newest_wins)
{
    struct cluster *cluster = cluster_open();
    produce_all(cluster, 0, 100);
    struct worker worker;
    worker_open(&worker, cluster, 1);
    POLL_UNTIL(owned(&worker) == PARTITIONS, &worker);
    while (!is_at(&worker, 100)) {
        ck_assert_int_ge(worker_poll(&worker, 100), 0);
        commit_positions(&worker, 0);
    }
    rd_kafka_topic_partition_list_t *list = NULL;
    for (int64_t at = -1, from_ms = clock_mono_ms(); at != 100;) {
        ck_assert_int_lt(clock_mono_ms() - from_ms, WAIT_MS);
        for (int i = 0; i < 10; i++)
            (void)worker_poll(&worker, 10);
        list = committed(cluster);
        at = list->elems[1].offset;
        rd_kafka_topic_partition_list_destroy(list);
    }
    worker_close(&worker);
    cluster_close(cluster);
}
END_TEST

START_TEST(a_commit_that_is_refused_comes_again)
{
    enum { OFFSET_COMMIT = 8 };
    struct cluster *cluster = cluster_open();
    produce_all(cluster, 0, 50);
    struct worker worker;
    worker_open(&worker, cluster, 1);
    POLL_UNTIL(is_at(&worker, 50), &worker);
    rd_kafka_mock_push_request_errors(cluster->mock, OFFSET_COMMIT, 1,
                                      RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS);
    commit_positions(&worker, 0);
    rd_kafka_topic_partition_list_t *list = NULL;
    for (int64_t at = -1, from_ms = clock_mono_ms(); at != 50;) {
        ck_assert_int_lt(clock_mono_ms() - from_ms, WAIT_MS);
        for (int i = 0; i < 10; i++)
            (void)worker_poll(&worker, 10);
        list = committed(cluster);
        at = list->elems[1].offset;
        rd_kafka_topic_partition_list_destroy(list);
    }
    ck_assert_int_eq(shown(&worker, BOARD_COMMITS_FAILED), 1);
    POLL_UNTIL(shown(&worker, BOARD_COMMITS_OK) >= 1, &worker);
    worker_close(&worker);
    cluster_close(cluster);
}
END_TEST

START_TEST(units_that_stay_read_nothing_twice_and_those_that_leave_are_dropped)
{
    struct cluster *cluster = cluster_open();
    produce_all(cluster, 0, 500);
    struct worker first;
    struct worker second;
    worker_open(&first, cluster, 1);
    POLL_UNTIL(is_at(&first, 500), &first);
    worker_open(&second, cluster, 2);
    POLL_UNTIL(owned(&first) == 2 && owned(&second) == 2, &first, &second);
    produce_all(cluster, 500, 100);
    POLL_UNTIL(first.records == 2200 && second.records == 1200, &first, &second);
    ck_assert_int_ge(first.revoked, 1); /* under load the mock cluster rebalances once more */
    ck_assert_int_eq(first.dropped, 2);
    for (int p = 0; p < PARTITIONS; p++) {
        ck_assert((first.units[p] == NULL) != (second.units[p] == NULL));
        if (first.units[p] != NULL)
            ck_assert_int_eq(first.plans[p].start, 500); /* went on where it was parked */
    }
    worker_close(&second);
    POLL_UNTIL(is_at(&first, 600), &first);
    ck_assert_int_eq(first.records, 2200 + 1200);
    ck_assert_int_eq(first.dropped, 2);
    worker_close(&first);
    cluster_close(cluster);
}
END_TEST

/* So that lag is seen to grow while Redis is away. */
START_TEST(the_end_of_the_log_is_known_in_a_pause_too)
{
    struct cluster *cluster = cluster_open();
    produce_all(cluster, 0, 100);
    struct worker worker;
    worker_open(&worker, cluster, 1);
    struct kafka_source *source = (struct kafka_source *)worker.source;
    POLL_UNTIL(is_at(&worker, 100), &worker);
    worker.source->ops->pause(worker.source, true);
    for (int i = 0; i < 75; i++) /* the fetches that wait at the broker are over after 500 ms */
        ck_assert_int_eq(worker_poll(&worker, 20), 0);
    produce_all(cluster, 100, 50);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(worker_poll(&worker, 20), 0);
    ck_assert_int_eq(worker.source->ops->end(worker.source, worker.units[1]), 100);
    source->probe_mono_ms = 0; /* it is time to ask */
    source->polls = 0;
    POLL_UNTIL(worker.source->ops->end(worker.source, worker.units[1]) == 150, &worker);
    ck_assert_int_eq(worker.records, 400);
    worker.source->ops->pause(worker.source, false);
    POLL_UNTIL(is_at(&worker, 150), &worker);
    ck_assert_int_eq(worker.source->ops->end(worker.source, worker.units[1]), 150);
    worker_close(&worker);
    cluster_close(cluster);
}
END_TEST

START_TEST(a_pause_hands_out_nothing_and_loses_nothing)
{
    struct cluster *cluster = cluster_open();
    produce_all(cluster, 0, 5000);
    struct worker worker;
    worker_open(&worker, cluster, 1);
    POLL_UNTIL(worker.records >= 1000, &worker);
    for (int round = 0; round < 5; round++) {
        long before = worker.records;
        worker.source->ops->pause(worker.source, true);
        for (int i = 0; i < 20; i++)
            ck_assert_int_eq(worker_poll(&worker, 5), 0);
        ck_assert_int_eq(worker.records, before);
        worker.source->ops->pause(worker.source, false);
        POLL_UNTIL(worker.records >= before + 1000, &worker);
    }
    POLL_UNTIL(is_at(&worker, 5000), &worker);
    ck_assert_int_eq(worker.records, 20000);

    /* Membership is kept beyond the session, and another member may come and go meanwhile. */
    worker.source->ops->pause(worker.source, true);
    struct worker other;
    worker_open(&other, cluster, 2);
    POLL_UNTIL(owned(&worker) == 2 && owned(&other) == 2, &worker, &other);
    produce_all(cluster, 5000, 10);
    POLL_UNTIL(other.records == 2 * 5010, &worker, &other);
    worker_close(&other);
    POLL_UNTIL(owned(&worker) == PARTITIONS, &worker);
    ck_assert_int_eq(worker.records, 20000);
    worker.source->ops->pause(worker.source, false);
    POLL_UNTIL(is_at(&worker, 5010), &worker);
    ck_assert_int_eq(worker.records, 20000 + 2 * 10 + 2 * 5010);
    worker_close(&worker);
    cluster_close(cluster);
}
END_TEST

START_TEST(a_restart_reads_everything_again_without_a_rejoin)
{
    struct cluster *cluster = cluster_open();
    produce_all(cluster, 0, 5000);
    struct worker worker;
    worker_open(&worker, cluster, 1);
    POLL_UNTIL(worker.records >= 1, &worker);
    for (int round = 0; round < 10; round++) {
        long before = worker.records;
        POLL_UNTIL(worker.records >= before + 500, &worker); /* more waits in the queue */
        worker.forgets = true;
        worker.source->ops->restart(worker.source, NULL, INT64_MAX);
        worker.assigned = 0;
        POLL_UNTIL(worker.assigned == PARTITIONS, &worker);
        worker.forgets = false;
    }
    POLL_UNTIL(is_at(&worker, 5000), &worker);
    ck_assert_int_eq(worker.revoked, 0);
    worker_close(&worker);
    cluster_close(cluster);
}
END_TEST

static void begin_at(struct worker *worker, int p, int64_t start)
{
    worker->position[p] = start;
    worker->reached[p] = -1;
    worker->source->ops->begin(worker->source, worker->units[p], start);
}

START_TEST(a_units_records_wait_until_it_begins_and_stop_when_it_is_held)
{
    struct cluster *cluster = cluster_open();
    produce_all(cluster, 0, 1000);
    struct worker worker;
    worker_open(&worker, cluster, 1);
    worker.hesitates = true;
    POLL_UNTIL(worker.assigned == PARTITIONS, &worker);
    for (int i = 0; i < 50; i++)
        ck_assert_int_eq(worker_poll(&worker, 10), 0);
    ck_assert_int_eq(worker.records, 0);
    for (int p = 0; p < PARTITIONS; p++)
        ck_assert_int_eq(worker.reached[p], -1);

    begin_at(&worker, 1, 100);
    begin_at(&worker, 2, 200);
    POLL_UNTIL(worker.position[1] == 1000 && worker.position[2] == 1000, &worker);
    ck_assert_int_eq(worker.records, 900 + 800);
    begin_at(&worker, 3, 999);
    worker.source->ops->hold(worker.source, worker.units[1]);
    produce_all(cluster, 1000, 50);
    POLL_UNTIL(worker.position[2] == 1050 && worker.position[3] == 1050, &worker);
    for (int i = 0; i < 50; i++)
        ck_assert_int_eq(worker_poll(&worker, 10), 0);
    ck_assert_int_eq(worker.position[1], 1000);
    ck_assert_int_eq(worker.reached[0], -1);

    begin_at(&worker, 0, 0);
    begin_at(&worker, 1, 1000);
    worker.source->ops->hold(worker.source, worker.units[0]);
    begin_at(&worker, 0, 1049);
    POLL_UNTIL(is_at(&worker, 1050), &worker);
    ck_assert_int_eq(worker.records, 900 + 800 + 50 + 51 + 50 + 1);
    ck_assert_int_eq(worker.assigned, PARTITIONS);
    worker_close(&worker);
    cluster_close(cluster);
}
END_TEST

/* worker_poll() counts each offset that is not the very next one. */
START_TEST(going_back_while_records_are_queued_hands_out_each_from_there_on)
{
    struct cluster *cluster = cluster_open();
    enum { COUNT = 20000 };
    produce_all(cluster, 0, COUNT);
    unsigned seed = (unsigned)clock_wall_ms();
    printf("seed %u\n", seed);
    srandom(seed);
    struct worker worker;
    worker_open(&worker, cluster, 1);
    POLL_UNTIL(worker.records > 100, &worker);
    for (int round = 0; round < 100; round++) {
        long until = worker.records + random() % 2000;
        POLL_UNTIL(worker.records >= until || is_at(&worker, COUNT), &worker);
        for (int p = 0; p < PARTITIONS; p++)
            if (random() % 2 == 0)
                begin_at(&worker, p, random() % (worker.position[p] + 1));
    }
    begin_at(&worker, 0, 0);
    POLL_UNTIL(is_at(&worker, COUNT), &worker);
    POLL_UNTIL(worker.reached[0] == COUNT && worker.reached[3] == COUNT, &worker);
    worker_close(&worker);
    cluster_close(cluster);
}
END_TEST

/* The source of the test asks librdkafka what it was told. */
START_TEST(beginning_when_assigned_tells_librdkafka_once)
{
    struct cluster *cluster = cluster_open();
    produce_all(cluster, 0, 10);
    struct worker worker;
    worker_open(&worker, cluster, 1);
    struct kafka_source *source = (struct kafka_source *)worker.source;
    POLL_UNTIL(worker.assigned == PARTITIONS, &worker);
    ck_assert(!source->is_dirty);
    rd_kafka_topic_partition_list_t *list = NULL;
    ck_assert_int_eq(rd_kafka_assignment(source->handle, &list), 0);
    ck_assert_int_eq(list->cnt, PARTITIONS);
    rd_kafka_topic_partition_list_destroy(list);

    worker.source->ops->hold(worker.source, worker.units[0]);
    worker.source->ops->hold(worker.source, worker.units[1]);
    begin_at(&worker, 1, 5);
    ck_assert(source->is_dirty); /* not before it is polled */
    (void)worker_poll(&worker, 0);
    ck_assert(!source->is_dirty);
    ck_assert_int_eq(rd_kafka_assignment(source->handle, &list), 0);
    ck_assert_int_eq(list->cnt, PARTITIONS - 1);
    rd_kafka_topic_partition_list_destroy(list);
    POLL_UNTIL(worker.reached[2] == 10, &worker);
    worker.source->ops->begin(worker.source, worker.units[2], 10);
    ck_assert(!source->is_dirty); /* it is there already */
    worker_close(&worker);
    cluster_close(cluster);
}
END_TEST

START_TEST(a_restart_of_one_unit_leaves_the_others_and_its_commit_alone)
{
    struct cluster *cluster = cluster_open();
    produce_all(cluster, 0, 1000);
    struct worker worker;
    worker_open(&worker, cluster, 1);
    POLL_UNTIL(is_at(&worker, 1000), &worker);
    commit_positions(&worker, WAIT_MS);
    rd_kafka_topic_partition_list_t *before = committed(cluster);
    produce_all(cluster, 1000, 100);
    POLL_UNTIL(is_at(&worker, 1100), &worker);
    worker.hesitates = worker.forgets = true;
    worker.source->ops->restart(worker.source, worker.units[2], INT64_MAX);
    produce_all(cluster, 1100, 100);
    POLL_UNTIL(worker.assigned == PARTITIONS + 1, &worker);
    for (int p = 0; p < PARTITIONS; p++)
        if (p != 2)
            POLL_UNTIL(worker.position[p] == 1200, &worker);
    ck_assert_int_eq(worker.position[2], 0); /* the mock does not look timestamps up */
    ck_assert_int_eq(worker.plans[2].commit_at_least, 1000);
    ck_assert(!worker.plans[2].is_reset);
    begin_at(&worker, 2, 600);
    POLL_UNTIL(is_at(&worker, 1200), &worker);
    rd_kafka_topic_partition_list_t *after = committed(cluster);
    for (int p = 0; p < PARTITIONS; p++) {
        ck_assert_int_eq(after->elems[p].offset, before->elems[p].offset);
        ck_assert_uint_eq(after->elems[p].metadata_size, before->elems[p].metadata_size);
        ck_assert_int_eq(memcmp(after->elems[p].metadata, before->elems[p].metadata,
                                after->elems[p].metadata_size),
                         0);
    }
    rd_kafka_topic_partition_list_destroy(before);
    rd_kafka_topic_partition_list_destroy(after);
    ck_assert_int_eq(worker.revoked, 0);
    worker_close(&worker);
    cluster_close(cluster);
}
END_TEST

/* A commit without metadata, as kafka-consumer-groups writes it. */
static void reset_group(struct worker *worker, int64_t offset)
{
    struct kafka_source *source = (struct kafka_source *)worker->source;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(PARTITIONS);
    for (int p = 0; p < PARTITIONS; p++)
        rd_kafka_topic_partition_list_add(list, "events", p)->offset = offset;
    ck_assert_int_eq(rd_kafka_commit(source->handle, list, 0), 0);
    rd_kafka_topic_partition_list_destroy(list);
}

START_TEST(a_restart_of_one_unit_does_not_overwrite_a_persons_offset)
{
    struct cluster *cluster = cluster_open();
    produce_all(cluster, 0, 100);
    struct worker worker;
    worker_open(&worker, cluster, 1);
    POLL_UNTIL(is_at(&worker, 100), &worker);
    reset_group(&worker, 40);
    worker.source->ops->restart(worker.source, worker.units[1], INT64_MAX);
    POLL_UNTIL(worker.assigned == PARTITIONS + 1, &worker);
    ck_assert(worker.plans[1].is_reset);
    ck_assert_int_eq(worker.plans[1].commit_at_least, 40);
    worker.source->ops->restart(worker.source, worker.units[1], INT64_MAX);
    POLL_UNTIL(worker.assigned == PARTITIONS + 2, &worker);
    ck_assert(worker.plans[1].is_reset);
    POLL_UNTIL(is_at(&worker, 100), &worker);
    worker_close(&worker);
    cluster_close(cluster);
}
END_TEST

START_TEST(a_restart_waits_while_a_commit_says_that_we_are_no_member)
{
    enum { OFFSET_COMMIT = 8 };
    struct cluster *cluster = cluster_open();
    produce_all(cluster, 0, 100);
    struct worker worker;
    worker_open(&worker, cluster, 1);
    POLL_UNTIL(is_at(&worker, 100), &worker);
    commit_positions(&worker, WAIT_MS);
    static rd_kafka_resp_err_t errors[1000];
    for (size_t i = 0; i < 1000; i++)
        errors[i] = RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS;
    rd_kafka_mock_push_request_errors_array(cluster->mock, OFFSET_COMMIT, 1000, errors);
    worker.forgets = true;
    worker.source->ops->restart(worker.source, worker.units[3], INT64_MAX);
    produce_all(cluster, 100, 100);
    int64_t from_ms = clock_mono_ms();
    POLL_UNTIL(clock_mono_ms() - from_ms > 1500, &worker);
    ck_assert_int_eq(worker.assigned, PARTITIONS);
    ck_assert_int_eq(worker.position[3], 100);
    ck_assert_int_eq(worker.position[2], 200);
    ck_assert_int_eq(worker.retries, 0); /* Kafka is not away */
    rd_kafka_mock_clear_request_errors(cluster->mock, OFFSET_COMMIT);
    POLL_UNTIL(worker.assigned == PARTITIONS + 1 && is_at(&worker, 200), &worker);
    worker_close(&worker);
    cluster_close(cluster);
}
END_TEST

START_TEST(a_restart_of_one_whom_the_group_has_forgotten_ends_in_a_rebalance)
{
    enum { OFFSET_COMMIT = 8 };
    struct cluster *cluster = cluster_open();
    produce_all(cluster, 0, 100);
    struct worker worker;
    worker_open(&worker, cluster, 1);
    POLL_UNTIL(is_at(&worker, 100), &worker);
    commit_positions(&worker, WAIT_MS);
    rd_kafka_mock_push_request_errors(cluster->mock, OFFSET_COMMIT, 1,
                                      RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID);
    worker.source->ops->restart(worker.source, worker.units[0], INT64_MAX);
    POLL_UNTIL(worker.revoked == 1, &worker);
    ck_assert_int_eq(worker.assigned, PARTITIONS);
    produce_all(cluster, 100, 100);
    POLL_UNTIL(is_at(&worker, 200), &worker);
    ck_assert_int_eq(worker.assigned, 2 * PARTITIONS);
    worker_close(&worker);
    cluster_close(cluster);
}
END_TEST

START_TEST(a_restart_reads_as_if_the_group_had_died_at_the_time_given)
{
    struct cluster *cluster = cluster_open();
    struct worker worker;
    worker_open(&worker, cluster, 1);
    worker.hesitates = true;
    POLL_UNTIL(worker.assigned == PARTITIONS, &worker);
    struct kafka_source *source = (struct kafka_source *)worker.source;
    worker.source->ops->restart(worker.source, worker.units[0], 1000);
    worker.source->ops->restart(worker.source, NULL, 2000); /* the older time stays */
    ck_assert_int_eq(source->topics[0].units[0]->alive_ms, 1000);
    ck_assert_int_eq(source->topics[0].units[1]->alive_ms, 2000);
    POLL_UNTIL(worker.assigned == 2 * PARTITIONS, &worker);
    for (int p = 0; p < PARTITIONS; p++)
        ck_assert_int_eq(source->topics[0].units[p]->alive_ms, INT64_MAX);
    worker_close(&worker);
    cluster_close(cluster);
}
END_TEST

START_TEST(the_clusters_id_is_known_when_units_are_assigned)
{
    struct cluster *cluster = cluster_open();
    struct worker worker;
    worker_open(&worker, cluster, 1);
    ck_assert_ptr_nonnull(worker.source->ops->cluster(worker.source));
    POLL_UNTIL(worker.assigned == PARTITIONS, &worker);
    char *id = rd_kafka_clusterid(cluster->handle, WAIT_MS);
    ck_assert_ptr_nonnull(id);
    ck_assert_str_eq(worker.source->ops->cluster(worker.source), id);
    rd_kafka_mem_free(cluster->handle, id);
    worker_close(&worker);
    cluster_close(cluster);
}
END_TEST

static void go_back_somewhere(struct worker *worker)
{
    for (int p = 0; p < PARTITIONS; p++)
        if (worker->units[p] != NULL && worker->units[p]->is_assigned)
            begin_at(worker, p, worker->position[p] / 2);
}

START_TEST(going_back_in_the_middle_of_a_rebalance_disturbs_neither)
{
    struct cluster *cluster = cluster_open();
    enum { COUNT = 5000 };
    produce_all(cluster, 0, COUNT);
    struct worker first;
    struct worker second;
    worker_open(&first, cluster, 1);
    POLL_UNTIL(owned(&first) == PARTITIONS, &first);
    worker_open(&second, cluster, 2);
    for (int rounds = 0; owned(&first) != 2 || owned(&second) != 2; rounds++) {
        ck_assert_int_lt(rounds, 3000);
        go_back_somewhere(&first); /* before and after it is polled for the rebalance */
        worker_step(&first);
        worker_step(&second);
    }
    POLL_UNTIL(first.records > 0 && second.records >= 2 * COUNT, &first, &second);
    worker_close(&second);
    for (int rounds = 0; owned(&first) != PARTITIONS; rounds++) {
        ck_assert_int_lt(rounds, 3000);
        go_back_somewhere(&first);
        worker_step(&first);
    }
    POLL_UNTIL(is_at(&first, COUNT), &first);
    worker_close(&first);
    cluster_close(cluster);
}
END_TEST

START_TEST(units_may_be_restarted_while_their_handler_is_told_of_them)
{
    struct cluster *cluster = cluster_open();
    produce_all(cluster, 0, 100);
    struct worker worker;
    worker_open(&worker, cluster, 1);
    worker.restarts = 3;
    POLL_UNTIL(is_at(&worker, 100), &worker);
    ck_assert_int_eq(worker.assigned, PARTITIONS + 2 * 3);
    ck_assert_int_eq(worker.restarts, 0);
    worker_close(&worker);
    cluster_close(cluster);
}
END_TEST

START_TEST(it_waits_while_kafka_is_away_and_goes_on_by_itself)
{
    struct cluster *cluster = cluster_open();
    produce_all(cluster, 0, 100);
    struct worker worker;
    worker_open(&worker, cluster, 1);
    POLL_UNTIL(is_at(&worker, 100), &worker);
    ck_assert_int_eq(rd_kafka_mock_broker_set_down(cluster->mock, -1), 0);
    POLL_UNTIL(worker.retries > 0, &worker);
    ck_assert_uint_gt(strlen(worker.err.text), 0);
    ck_assert_int_eq(shown(&worker, BOARD_KAFKA_UP), 0);
    ck_assert_int_eq(rd_kafka_mock_broker_set_up(cluster->mock, -1), 0);
    produce_all(cluster, 100, 100);
    POLL_UNTIL(is_at(&worker, 200), &worker);
    POLL_UNTIL(worker_poll(&worker, 10) == 0, &worker);
    ck_assert_int_eq(worker.records, 800);
    POLL_UNTIL(shown(&worker, BOARD_KAFKA_UP) == 1, &worker);
    worker_close(&worker);
    cluster_close(cluster);
}
END_TEST

START_TEST(an_idle_source_notices_that_kafka_is_back)
{
    struct cluster *cluster = cluster_open();
    struct worker worker;
    worker_open(&worker, cluster, 1);
    POLL_UNTIL(is_at(&worker, 0), &worker);
    ck_assert_int_eq(rd_kafka_mock_broker_set_down(cluster->mock, -1), 0);
    POLL_UNTIL(worker.retries > 0, &worker);
    ck_assert_int_eq(rd_kafka_mock_broker_set_up(cluster->mock, -1), 0);
    POLL_UNTIL(worker_poll(&worker, 10) == 0, &worker);
    worker_close(&worker);
    cluster_close(cluster);
}
END_TEST

START_TEST(it_can_be_closed_in_time_with_kafka_away)
{
    struct cluster *cluster = cluster_open();
    produce_all(cluster, 0, 100);
    struct worker worker;
    worker_open(&worker, cluster, 1);
    POLL_UNTIL(is_at(&worker, 100), &worker);
    ck_assert_int_eq(rd_kafka_mock_broker_set_down(cluster->mock, -1), 0);
    POLL_UNTIL(worker.retries > 0, &worker);
    worker.commit_wait_ms = 500;
    int64_t from_ms = clock_mono_ms();
    (void)worker.source->ops->close(worker.source, 3000); /* either way, it returns */
    ck_assert_int_lt(clock_mono_ms() - from_ms, 4000);
    _Exit(EXIT_SUCCESS); /* as the caller does past the deadline */
}
END_TEST

START_TEST(a_lookup_that_fails_is_tried_again_and_never_taken_for_an_answer)
{
    struct cluster *cluster = cluster_open();
    produce_all(cluster, 0, 100);
    rd_kafka_mock_push_request_errors(
        cluster->mock, LIST_OFFSETS, 5, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR_NO_ERROR,
        RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_UNKNOWN);
    rd_kafka_mock_push_request_errors(cluster->mock, OFFSET_FETCH, 2,
                                      RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
                                      RD_KAFKA_RESP_ERR_NOT_COORDINATOR);
    ck_assert_int_eq(rd_kafka_mock_partition_set_leader(cluster->mock, "events", 2, -1), 0);
    struct worker worker;
    worker_open(&worker, cluster, 1);
    POLL_UNTIL(worker.retries > 2, &worker);
    ck_assert_int_eq(worker.assigned, 0); /* three of the four were answered */
    ck_assert_int_eq(rd_kafka_mock_partition_set_leader(cluster->mock, "events", 2, 1), 0);
    POLL_UNTIL(is_at(&worker, 100), &worker);
    ck_assert_int_eq(worker.records, 400);
    ck_assert_int_eq(worker.assigned, PARTITIONS);
    worker_close(&worker);
    cluster_close(cluster);
}
END_TEST

START_TEST(a_rebalance_in_the_middle_of_a_lookup_starts_it_over)
{
    struct cluster *cluster = cluster_open();
    produce_all(cluster, 0, 100);
    rd_kafka_resp_err_t errors[200];
    for (size_t i = 0; i < 200; i++)
        errors[i] = RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
    rd_kafka_mock_push_request_errors_array(cluster->mock, LIST_OFFSETS, 200, errors);
    struct worker first;
    struct worker second;
    worker_open(&first, cluster, 1);
    POLL_UNTIL(first.retries > 0, &first); /* the group has it, the lookup fails */
    worker_open(&second, cluster, 2);
    POLL_UNTIL(first.retries > 0 && second.retries > 0, &first, &second);
    ck_assert_int_eq(first.assigned + second.assigned, 0);
    rd_kafka_mock_clear_request_errors(cluster->mock, LIST_OFFSETS);
    POLL_UNTIL(first.records == 200 && second.records == 200, &first, &second);
    ck_assert_int_eq(first.assigned, 2);
    ck_assert_int_eq(first.revoked + first.dropped, 0); /* it never knew of the others */
    worker_close(&first);
    worker_close(&second);
    cluster_close(cluster);
}
END_TEST

START_TEST(records_lost_behind_our_back_are_noticed_and_reading_goes_on)
{
    struct cluster *cluster = cluster_open();
    produce(cluster, 0, 0, 10, 0);
    struct worker worker;
    worker_open(&worker, cluster, 1);
    POLL_UNTIL(worker.position[0] == 10, &worker);
    worker.source->ops->pause(worker.source, true);
    produce(cluster, 0, 10, 12000, 1000); /* the mock keeps 5 MiB of a partition */
    worker.source->ops->pause(worker.source, false);
    POLL_UNTIL(worker.position[0] == 12010, &worker);
    ck_assert_int_eq(worker.assigned, PARTITIONS + 1);
    ck_assert_int_eq(worker.plans[0].wanted, 10);
    ck_assert_int_gt(worker.plans[0].start, 10);
    ck_assert_int_eq(worker.plans[0].start, worker.plans[0].log_start);
    worker_close(&worker);
    cluster_close(cluster);
}
END_TEST

/* Each assign() with a position that the log does not hold makes an error of its own, and librdkafka
 * does not throw these away with the records of an assignment that is over. */
START_TEST(an_error_about_an_earlier_position_plans_nothing_again)
{
    struct cluster *cluster = cluster_open();
    produce(cluster, 0, 0, 12000, 1000); /* the mock keeps 5 MiB of a partition */
    produce(cluster, 1, 0, 10, 0);
    struct worker worker;
    worker_open(&worker, cluster, 1);
    POLL_UNTIL(worker.position[0] == 12000, &worker);
    for (int round = 0; round < 20; round++) {
        worker.assigned = 0;
        begin_at(&worker, 0, 10 + round);
        for (int i = 0; worker.assigned == 0; i++) {
            ck_assert_int_lt(i, 10000);
            begin_at(&worker, 1, i % 9);
            (void)worker_poll(&worker, i % 4);
        }
        POLL_UNTIL(worker.position[0] == 12000, &worker);
        ck_assert_int_eq(worker.assigned, 1);
    }
    worker_close(&worker);
    cluster_close(cluster);
}
END_TEST

START_TEST(records_from_the_bound_on_are_left_alone)
{
    struct cluster *cluster = cluster_open();
    produce_all(cluster, 0, 1000);
    struct worker worker;
    worker_open(&worker, cluster, 1);
    worker.until = 600;
    POLL_UNTIL(worker.reached[1] == 600 && worker.reached[0] == 1000 && worker.reached[2] == 1000 &&
                   worker.reached[3] == 1000,
               &worker);
    ck_assert_int_eq(worker.position[1], 600);
    ck_assert_int_eq(worker.records, 3600);
    /* Whoever begins again behind it is given nothing, and before it the rest, once. */
    worker.reached[1] = -1;
    worker.source->ops->begin(worker.source, worker.units[1], 600);
    produce_all(cluster, 1000, 10);
    POLL_UNTIL(worker.position[0] == 1010, &worker);
    ck_assert_int_eq(worker.position[1], 600);
    worker.position[1] = 590;
    worker.source->ops->begin(worker.source, worker.units[1], 590);
    POLL_UNTIL(worker.reached[1] == 600, &worker);
    ck_assert_int_eq(worker.position[1], 600);
    worker_close(&worker);
    cluster_close(cluster);
}
END_TEST

START_TEST(a_bound_that_lies_at_the_end_of_the_log_is_reached_there)
{
    struct cluster *cluster = cluster_open();
    produce_all(cluster, 0, 100);
    struct worker worker;
    worker_open(&worker, cluster, 1);
    worker.until = 100;
    POLL_UNTIL(worker.reached[1] == 100 && worker.reached[0] == 100, &worker);
    produce_all(cluster, 100, 10);
    POLL_UNTIL(worker.position[0] == 110 && worker.position[2] == 110 && worker.position[3] == 110,
               &worker);
    ck_assert_int_eq(worker.position[1], 100);
    worker_close(&worker);
    cluster_close(cluster);
}
END_TEST

START_TEST(a_kafka_without_timestamps_cannot_end_at_one)
{
    struct cluster *cluster = cluster_open();
    produce_all(cluster, 0, 1);
    struct worker worker;
    worker_open_until(&worker, cluster, 1, 1000);
    expect_fatal(&worker, "no timestamps");
    ck_assert_int_eq(worker.assigned, 0);
    worker_close(&worker);
    cluster_close(cluster);
}
END_TEST

START_TEST(a_topic_that_is_not_there_yet_is_waited_for)
{
    struct cluster *cluster = cluster_open();
    property_add(cluster, "topic.metadata.refresh.interval.ms", "300");
    rd_kafka_mock_topic_set_error(cluster->mock, "events", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    struct worker worker;
    worker_open(&worker, cluster, 1);
    ck_assert_int_eq(topic_state(&worker), TOPIC_UNSEEN);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_ne(worker_poll(&worker, 10), ERR_FATAL);
        ck_assert_int_ne(topic_state(&worker), TOPIC_THERE);
    }
    ck_assert_int_eq(topic_state(&worker), TOPIC_MISSING);
    rd_kafka_mock_topic_set_error(cluster->mock, "events", RD_KAFKA_RESP_ERR_NO_ERROR);
    produce_all(cluster, 0, 10);
    POLL_UNTIL(is_at(&worker, 10), &worker);
    ck_assert_int_eq(topic_state(&worker), TOPIC_THERE);
    worker_close(&worker);
    cluster_close(cluster);
}
END_TEST

START_TEST(a_topic_that_we_may_not_read_is_fatal)
{
    if (rd_kafka_version() >= 0x02060000 && rd_kafka_version() < 0x020a0000) {
        /* Its own code crashes on what its mock cluster answers here: partitions beside a topic's
         * error, which brokers do not send (confluentinc/librdkafka#4907 looks alike). */
        printf(
            "skipped  unit kafka_source a_topic_that_we_may_not_read_is_fatal  (librdkafka %s)\n",
            rd_kafka_version_str());
        return;
    }
    struct cluster *cluster = cluster_open();
    rd_kafka_mock_topic_set_error(cluster->mock, "events",
                                  RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    struct worker worker;
    worker_open(&worker, cluster, 1);
    expect_fatal(&worker, "events");
    worker_close(&worker);
    cluster_close(cluster);
}
END_TEST

/* The mock cluster's topics do not grow, so the source is made to remember fewer partitions. */
START_TEST(a_topic_that_grows_is_fatal)
{
    struct cluster *cluster = cluster_open();
    struct worker worker;
    worker_open(&worker, cluster, 1);
    POLL_UNTIL(owned(&worker) == PARTITIONS, &worker);
    struct kafka_source *source = (struct kafka_source *)worker.source;
    ck_assert_int_eq(source->topics[0].partition_count, PARTITIONS);
    source->topics[0].partition_count = PARTITIONS - 1;
    source->probe_mono_ms = 0;
    expect_fatal(&worker, "events has grown from 3 to 4 partitions");
    worker_close(&worker);
    cluster_close(cluster);
}
END_TEST

START_TEST(a_fenced_member_is_fatal)
{
    struct cluster *cluster = cluster_open();
    struct worker worker;
    worker_open(&worker, cluster, 1);
    struct kafka_source *source = (struct kafka_source *)worker.source;
    (void)rd_kafka_test_fatal_error(source->handle, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, "fenced");
    expect_fatal(&worker, "group.instance.id");
    worker_close(&worker);
    cluster_close(cluster);
}
END_TEST

START_TEST(credentials_that_stay_refused_are_fatal)
{
    struct cluster *cluster = cluster_open();
    ck_assert_int_eq(rd_kafka_mock_broker_set_down(cluster->mock, -1), 0);
    struct worker worker;
    worker_open(&worker, cluster, 1);
    struct kafka_source *source = (struct kafka_source *)worker.source;
    kafka_error(source, RD_KAFKA_RESP_ERR__AUTHENTICATION, "no such user");
    for (int i = 0; i < 50; i++)
        ck_assert_int_ne(worker_poll(&worker, 10), ERR_FATAL);
    source->refused_mono_ms -= 60000; /* a minute later */
    expect_fatal(&worker, "refuses our credentials: no such user");
    worker_close(&worker);
    cluster_close(cluster);
}
END_TEST

/* The fetchers of librdkafka < 2.2 sleep for a second when the queue is full. The mock cluster
 * hands out a batch at a time, so the queue is full after ten, and that would take 80 s. */
START_TEST(a_backlog_is_read_without_pauses)
{
    struct cluster *cluster = cluster_open();
    property_add(cluster, "queued.min.messages", "1000");
    produce_all(cluster, 0, 20000);
    struct worker worker;
    worker_open(&worker, cluster, 1);
    POLL_UNTIL(is_at(&worker, 20000), &worker);
    ck_assert_int_eq(worker.records, PARTITIONS * 20000);
    worker_close(&worker);
    cluster_close(cluster);
}
END_TEST

START_TEST(properties_that_are_ours_or_unknown_are_refused)
{
    static const char *const refused[][2] = {
        {"enable.auto.commit", "true"}, {"auto.offset.reset", "latest"},
        {"group.id", "other"},          {"bootstrap.servers", "other"},
        {"no.such.property", "1"},      {"session.timeout.ms", "soon"}};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char name[64];
        char value[64];
        (void)snprintf(name, sizeof name, "%s", refused[i][0]);
        (void)snprintf(value, sizeof value, "%s", refused[i][1]);
        struct property property = {.name = name, .value = value};
        char brokers[] = "127.0.0.1:1";
        char group[] = "group";
        struct options options = {.kafka_brokers = brokers,
                                  .kafka_group_id = group,
                                  .librdkafka = &property,
                                  .librdkafka_count = 1};
        struct catalog catalog = {0};
        struct source_handler handler = {0};
        struct source *source = NULL;
        struct err err = {0};
        ck_assert_int_eq(kafka_source_open(&options, &catalog, 1, &handler, &source, &err),
                         ERR_CONFIG);
        ck_assert_ptr_nonnull(strstr(err.text, name));
        ck_assert_ptr_null(source);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        properties_that_are_ours_or_unknown_are_refused,
        records_come_in_order_and_commits_are_read_back,
        commits_without_waiting_arrive_and_the_newest_wins,
        a_commit_that_is_refused_comes_again,
        units_that_stay_read_nothing_twice_and_those_that_leave_are_dropped,
        the_end_of_the_log_is_known_in_a_pause_too,
        a_pause_hands_out_nothing_and_loses_nothing,
        a_restart_reads_everything_again_without_a_rejoin,
        a_units_records_wait_until_it_begins_and_stop_when_it_is_held,
        going_back_while_records_are_queued_hands_out_each_from_there_on,
        beginning_when_assigned_tells_librdkafka_once,
        going_back_in_the_middle_of_a_rebalance_disturbs_neither,
        units_may_be_restarted_while_their_handler_is_told_of_them,
        a_restart_of_one_unit_leaves_the_others_and_its_commit_alone,
        a_restart_of_one_unit_does_not_overwrite_a_persons_offset,
        a_restart_waits_while_a_commit_says_that_we_are_no_member,
        a_restart_of_one_whom_the_group_has_forgotten_ends_in_a_rebalance,
        a_restart_reads_as_if_the_group_had_died_at_the_time_given,
        the_clusters_id_is_known_when_units_are_assigned,
        it_waits_while_kafka_is_away_and_goes_on_by_itself,
        an_idle_source_notices_that_kafka_is_back,
        it_can_be_closed_in_time_with_kafka_away,
        a_lookup_that_fails_is_tried_again_and_never_taken_for_an_answer,
        a_rebalance_in_the_middle_of_a_lookup_starts_it_over,
        records_lost_behind_our_back_are_noticed_and_reading_goes_on,
        an_error_about_an_earlier_position_plans_nothing_again,
        records_from_the_bound_on_are_left_alone,
        a_bound_that_lies_at_the_end_of_the_log_is_reached_there,
        a_kafka_without_timestamps_cannot_end_at_one,
        a_topic_that_is_not_there_yet_is_waited_for,
        a_topic_that_we_may_not_read_is_fatal,
        a_topic_that_grows_is_fatal,
        a_fenced_member_is_fatal,
        credentials_that_stay_refused_are_fatal,
        a_backlog_is_read_without_pauses,
    };
    return run_all("kafka_source", tests, sizeof tests / sizeof *tests);
}
