/* A Kafka source that gets other topics while it runs, on librdkafka's mock cluster. */
#include "kafka_kit.h"

/* --- who is told --- */

struct listener {
    struct source *source;
    struct board *board;
    int assigned;
    int revoked;
    int dropped;
    int records[2]; /* of events, of other */
    int repeats;
    int64_t position[2][PARTITIONS];
    const struct topic
        *topics[2][PARTITIONS]; /* as the unit says when it is assigned; NULL: not ours */
    struct err err;
};

static int number_of(const struct unit *unit)
{
    return strcmp(unit->topic->name, "other") == 0;
}

static int64_t on_position(void *arg, const struct unit *unit)
{
    const struct listener *listener = arg;
    return listener->position[number_of(unit)][unit->partition];
}

static void on_assigned(void *arg, struct unit *unit, const struct plan *plan)
{
    struct listener *listener = arg;
    int64_t *position = &listener->position[number_of(unit)][unit->partition];
    *position = *position < 0 ? plan->start : *position;
    listener->assigned++;
    listener->topics[number_of(unit)][unit->partition] = unit->topic;
    listener->source->ops->begin(listener->source, unit, *position);
}

static void on_revoked(void *arg, bool is_lost)
{
    struct listener *listener = arg;
    (void)is_lost;
    listener->revoked++;
}

static void on_dropped(void *arg, struct unit *unit)
{
    struct listener *listener = arg;
    listener->dropped++;
    listener->topics[number_of(unit)][unit->partition] = NULL;
    listener->position[number_of(unit)][unit->partition] = -1;
}

static void on_reached(void *arg, struct unit *unit, int64_t offset)
{
    (void)arg;
    (void)unit;
    (void)offset;
}

static void listener_open(struct listener *listener, struct cluster *cluster)
{
    *listener = (struct listener){.board = board_new(1), .err = {0, ""}};
    for (int i = 0; i < 2 * PARTITIONS; i++)
        listener->position[i / PARTITIONS][i % PARTITIONS] = -1;
    const struct source_handler handler = {.arg = listener,
                                           .board = listener->board,
                                           .position = on_position,
                                           .assigned = on_assigned,
                                           .revoked = on_revoked,
                                           .dropped = on_dropped,
                                           .reached = on_reached};
    ck_assert_int_eq(kafka_source_open(&cluster->options, &cluster->catalog, 1, &handler,
                                       &listener->source, &listener->err),
                     0);
}

static void listener_step(struct listener *listener)
{
    struct unit *unit = NULL;
    struct record record;
    int rc = 1;
    for (int i = 0; i < 100 && rc == 1; i++) {
        rc = listener->source->ops->poll(listener->source, i == 0 ? 5 : 0, &unit, &record,
                                         &listener->err);
        ck_assert_msg(rc != ERR_FATAL, "%s", listener->err.text);
        if (rc != 1)
            return;
        int64_t *position = &listener->position[number_of(unit)][unit->partition];
        listener->records[number_of(unit)]++;
        listener->repeats += record.offset != *position;
        *position = record.offset + 1;
    }
}

#define STEP_UNTIL(cond)                                                                           \
    do {                                                                                           \
        int64_t deadline_ms = clock_mono_ms() + WAIT_MS;                                           \
        while (!(cond)) {                                                                          \
            ck_assert_msg(clock_mono_ms() < deadline_ms, "never: " #cond);                         \
            listener_step(&listener);                                                              \
        }                                                                                          \
    } while (0)

/* --- what it is told --- */

/* A catalog of topics with these names; each has the cluster's view. */
struct shelf {
    struct topic topics[2];
    struct topic *pointers[2];
    struct catalog catalog;
};

static void shelf_fill(struct shelf *shelf, struct cluster *cluster, const char *const *names)
{
    *shelf = (struct shelf){.catalog = {.topics = shelf->pointers}};
    for (size_t i = 0; names[i] != NULL; i++) {
        shelf->topics[i] =
            (struct topic){.name = (char *)names[i], .views = cluster->views, .view_count = 1};
        shelf->pointers[i] = &shelf->topics[i];
        shelf->catalog.topic_count++;
    }
}

#define NAMES(...)                                                                                 \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

static void adopt(struct listener *listener, const struct catalog *catalog)
{
    ck_assert_msg(listener->source->ops->adopt(listener->source, catalog, &listener->err) == 0,
                  "%s", listener->err.text);
}

static bool are_all_of(const struct listener *listener, int number, const struct topic *topic)
{
    for (int p = 0; p < PARTITIONS; p++)
        if (listener->topics[number][p] != topic)
            return false;
    return true;
}

static int64_t topic_state(const struct listener *listener, const char *name)
{
    return cell_get(&board_topic(listener->board, name)->state);
}

static struct cluster *cluster_of_two(void)
{
    struct cluster *cluster = cluster_open();
    ck_assert_int_eq(rd_kafka_mock_topic_create(cluster->mock, "other", PARTITIONS, 1), 0);
    produce_all(cluster, 0, 100);
    return cluster;
}

static void close_both(struct listener *listener, struct cluster *cluster)
{
    ck_assert_int_eq(listener->repeats, 0);
    ck_assert(listener->source->ops->close(listener->source, CLOSE_MS));
    board_free(listener->board);
    cluster_close(cluster);
}

/* --- the tests --- */

START_TEST(topics_that_are_the_same_objects_go_on)
{
    struct cluster *cluster = cluster_of_two();
    struct listener listener;
    listener_open(&listener, cluster);
    STEP_UNTIL(listener.records[0] == 400);
    adopt(&listener, &cluster->catalog);
    produce_all(cluster, 100, 50);
    STEP_UNTIL(listener.records[0] == 600);
    ck_assert_int_eq(listener.assigned, PARTITIONS);
    ck_assert_int_eq(listener.revoked, 0);
    close_both(&listener, cluster);
}
END_TEST

START_TEST(units_of_a_topic_that_has_changed_are_planned_again_without_a_rebalance)
{
    struct cluster *cluster = cluster_of_two();
    struct listener listener;
    struct shelf shelf;
    shelf_fill(&shelf, cluster, NAMES("events"));
    listener_open(&listener, cluster);
    STEP_UNTIL(listener.records[0] == 400);
    adopt(&listener, &shelf.catalog);
    produce_all(cluster, 100, 50);
    STEP_UNTIL(listener.assigned == 2 * PARTITIONS);
    ck_assert(are_all_of(&listener, 0, &shelf.topics[0]));
    STEP_UNTIL(listener.records[0] == 600);
    ck_assert_int_eq(listener.revoked + listener.dropped, 0);
    close_both(&listener, cluster);
}
END_TEST

START_TEST(a_new_topic_is_joined_and_nothing_is_read_twice)
{
    struct cluster *cluster = cluster_of_two();
    struct listener listener;
    struct shelf shelf;
    shelf_fill(&shelf, cluster, NAMES("other"));
    listener_open(&listener, cluster);
    STEP_UNTIL(listener.records[0] == 400);
    struct topic *both[] = {&cluster->topic, &shelf.topics[0]};
    shelf.catalog = (struct catalog){.topics = both, .topic_count = 2};
    adopt(&listener, &shelf.catalog);
    STEP_UNTIL(are_all_of(&listener, 1, &shelf.topics[0]));
    produce_all(cluster, 100, 50);
    STEP_UNTIL(listener.records[0] == 600);
    ck_assert_int_eq(listener.dropped, 0);
    close_both(&listener, cluster);
}
END_TEST

START_TEST(units_of_a_topic_that_is_gone_are_dropped_at_once)
{
    struct cluster *cluster = cluster_of_two();
    struct listener listener;
    struct shelf shelf;
    shelf_fill(&shelf, cluster, NAMES("other"));
    listener_open(&listener, cluster);
    STEP_UNTIL(listener.records[0] == 400);
    produce_all(cluster, 100, 50);
    adopt(&listener, &shelf.catalog);
    ck_assert_int_eq(listener.dropped, PARTITIONS);
    ck_assert_int_eq(topic_state(&listener, "events"), TOPIC_GONE);
    ck_assert_int_eq(topic_state(&listener, "other"), TOPIC_UNSEEN);
    STEP_UNTIL(are_all_of(&listener, 1, &shelf.topics[0]));
    ck_assert_int_eq(topic_state(&listener, "other"), TOPIC_THERE);
    ck_assert_int_eq(listener.records[0], 400);
    adopt(&listener, &cluster->catalog); /* it is back, and the other one is gone */
    ck_assert_int_eq(listener.dropped, 2 * PARTITIONS);
    STEP_UNTIL(are_all_of(&listener, 0, &cluster->topic));
    ck_assert_int_eq(topic_state(&listener, "events"), TOPIC_THERE);
    STEP_UNTIL(listener.records[0] == 400 + 600);
    close_both(&listener, cluster);
}
END_TEST

START_TEST(other_topics_before_the_group_is_joined_are_joined_instead)
{
    struct cluster *cluster = cluster_of_two();
    struct listener listener;
    struct shelf shelf;
    shelf_fill(&shelf, cluster, NAMES("other", "events"));
    listener_open(&listener, cluster);
    adopt(&listener, &shelf.catalog);
    STEP_UNTIL(are_all_of(&listener, 0, &shelf.topics[1]) &&
               are_all_of(&listener, 1, &shelf.topics[0]));
    STEP_UNTIL(listener.records[0] == 400);
    close_both(&listener, cluster);
}
END_TEST

/* It would ask for nothing, and take the refusal for a Kafka that is away. */
START_TEST(a_lookup_whose_units_are_gone_asks_no_more)
{
    struct cluster *cluster = cluster_of_two();
    struct listener listener;
    struct shelf shelf;
    shelf_fill(&shelf, cluster, NAMES("other"));
    listener_open(&listener, cluster);
    STEP_UNTIL(listener.records[0] == 400);
    listener.source->ops->restart(listener.source, NULL, INT64_MAX);
    struct kafka_source *source = (struct kafka_source *)listener.source;
    ck_assert(source->lookup.is_running);
    adopt(&listener, &shelf.catalog);
    ck_assert(!source->lookup.is_running);
    STEP_UNTIL(are_all_of(&listener, 1, &shelf.topics[0]));
    close_both(&listener, cluster);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        topics_that_are_the_same_objects_go_on,
        units_of_a_topic_that_has_changed_are_planned_again_without_a_rebalance,
        a_new_topic_is_joined_and_nothing_is_read_twice,
        units_of_a_topic_that_is_gone_are_dropped_at_once,
        other_topics_before_the_group_is_joined_are_joined_instead,
        a_lookup_whose_units_are_gone_asks_no_more,
    };
    return run_all("kafka_adopt", tests, sizeof tests / sizeof *tests);
}
