#include "prom_kit.h"

#include <stdlib.h>
#include <time.h>

#include "tidewheel/expose.h"

enum { WORKERS = 2 };

#define NOW INT64_C(1700000000000)

static struct board *boards[WORKERS + 1];
static struct display display;
static struct buf text;

static void open_all(void)
{
    for (int i = 0; i <= WORKERS; i++)
        boards[i] = board_new(i < WORKERS ? i : -1);
    display = (struct display){.boards = (const struct board *const *)boards,
                               .board_count = WORKERS + 1,
                               .version = "1.2.3",
                               .kafka_version = "2.0.2",
                               .redis_version = "0.14.1",
                               .memory_limit = INT64_C(1) << 32};
}

static void close_all(void)
{
    for (int i = 0; i <= WORKERS; i++)
        board_free(boards[i]);
    buf_fini(&text);
}

static void scrape(void)
{
    buf_reset(&text);
    expose_all(&display, NOW, 1000000, &text);
    prom_read(buf_text(&text));
}

#define is_value(name, labels, expected)                                                           \
    ck_assert_double_eq_tol(prom_value(name, labels), expected, 1e-9)

static void set(int board, enum board_cell cell, int64_t value)
{
    cell_set(&boards[board]->cells[cell], value);
}

static struct board_unit *unit_at(int board, const char *topic, int32_t partition, enum stage stage)
{
    struct board_unit *unit = board_unit(boards[board], topic, partition);
    cell_set(&unit->cells[UNIT_STAGE], stage);
    return unit;
}

/* ---- the format ---- */

START_TEST(every_row_begins_in_the_order_of_the_table)
{
    scrape();
    ck_assert_uint_eq(prom.begun_count, metric_count);
    for (size_t i = 0; i < metric_count; i++)
        ck_assert_str_eq(prom.begun[i], metric_rows[i].name);
}
END_TEST

/* The labels of a sample are those of its row, in their order. */
static void check_labels(const char *labels, const char *names)
{
    char found[PROM_LABELS_MAX] = "";
    for (const char *at = labels; *at != '\0';) {
        char name[PROM_NAME_MAX];
        (void)prom_name(at, name);
        if (strcmp(name, "le") != 0) {
            if (found[0] != '\0')
                strcat(found, ",");
            strcat(found, name);
        }
        at = prom_label(at);
        at += *at == ',';
    }
    ck_assert_str_eq(found, names);
}

static void fill_all(void)
{
    for (int i = 0; i < WORKERS; i++) {
        struct board_unit *unit = unit_at(i, "t", i, STAGE_LIVE);
        for (int cell = UNIT_STAGE + 1; cell < UNIT_CELLS; cell++)
            cell_set(&unit->cells[cell], cell);
        struct board_view *view = board_view(boards[i], "v");
        cell_set(&view->cells[VIEW_NEWEST_MS], NOW - 1500);
        histogram_observe(&view->latency, &latency_buckets, 12);
    }
}

START_TEST(the_samples_have_the_labels_of_their_row)
{
    fill_all();
    scrape();
    for (size_t i = 0; i < metric_count; i++) {
        size_t len = strlen(metric_rows[i].name);
        size_t count = 0;
        for (size_t k = 0; k < prom.count; k++) {
            const char *name = prom.samples[k].name;
            bool is_own = strncmp(name, metric_rows[i].name, len) == 0 &&
                          (name[len] == '\0' || (metric_rows[i].type == METRIC_HISTOGRAM));
            if (!is_own)
                continue;
            check_labels(prom.samples[k].labels, metric_rows[i].labels);
            count++;
        }
        ck_assert_msg(count > 0, "%s has no samples, though all is known", metric_rows[i].name);
    }
}
END_TEST

START_TEST(names_and_types_follow_the_conventions)
{
    for (size_t i = 0; i < metric_count; i++) {
        const struct metric *metric = &metric_rows[i];
        size_t len = strlen(metric->name);
        bool is_total = len > 6 && strcmp(metric->name + len - 6, "_total") == 0;
        ck_assert_msg(is_total == (metric->type == METRIC_COUNTER), "%s", metric->name);
        ck_assert_msg(strstr(metric->labels, "entity") == NULL, "%s", metric->name);
        ck_assert_msg(metric->help[strlen(metric->help) - 1] == '.', "%s", metric->name);
    }
}
END_TEST

START_TEST(the_same_boards_give_the_same_text)
{
    fill_all();
    scrape();
    char *first = strdup(strstr(buf_text(&text), "# HELP tidewheel_events_total"));
    *strstr(first, "# HELP process_") = '\0'; /* those are of this very moment */
    scrape();
    char *second = strdup(strstr(buf_text(&text), "# HELP tidewheel_events_total"));
    *strstr(second, "# HELP process_") = '\0';
    ck_assert_str_eq(first, second);
    free(first);
    free(second);
}
END_TEST

START_TEST(hostile_text_stays_within_its_quotes)
{
    unit_at(0, "a\"} 1\nevil{x=\"\\", 3, STAGE_LIVE);
    (void)board_view(boards[0], "v\n# TYPE evil counter\nevil 1\\n\"");
    display.version = "\\\"\n";
    scrape();
    is_value("tidewheel_build_info",
             "version=\"\\\\\\\"\\n\",librdkafka=\"2.0.2\",hiredis=\"0.14.1\"", 1);
    is_value("tidewheel_events_total",
             "view=\"v\\n# TYPE evil counter\\nevil 1\\\\n\\\"\",result=\"accepted\"", 0);
    ck_assert_uint_eq(prom.begun_count, metric_count);
}
END_TEST

START_TEST(random_names_never_break_the_format)
{
    uint64_t seed = (uint64_t)time(NULL);
    (void)fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
    srand((unsigned)seed);
    for (int round = 0; round < 40; round++) {
        char name[24] = "";
        for (size_t i = 0; i < sizeof name - 1; i++)
            name[i] = (char)(rand() % 4 == 0 ? "\"\\\n{},= #"[rand() % 9] : 1 + rand() % 255);
        unit_at(round % WORKERS, name, round, STAGE_LIVE);
        (void)board_view(boards[round % WORKERS], name);
    }
    scrape();
}
END_TEST

START_TEST(a_help_text_is_escaped_as_well)
{
    const struct metric metric = {
        .name = "m", .type = METRIC_GAUGE, .labels = "", .help = "a\\b\nc \"d\""};
    expose_begin(&metric, &text);
    ck_assert_str_eq(buf_text(&text), "# HELP m a\\\\b\\nc \"d\"\n# TYPE m gauge\n");
}
END_TEST

/* ---- histograms ---- */

START_TEST(buckets_hold_all_below_them)
{
    for (int64_t us = 1; us < 20000000; us *= 2)
        histogram_observe(&boards[us % WORKERS]->batch_us, &duration_buckets, us);
    scrape();
    is_value("tidewheel_redis_batch_duration_seconds_count", "", 25);
    is_value("tidewheel_redis_batch_duration_seconds_sum", "", 33.554431);
    is_value("tidewheel_redis_batch_duration_seconds_bucket", "le=\"0.00025\"", 8);
    is_value("tidewheel_redis_batch_duration_seconds_bucket", "le=\"1\"", 20);
    is_value("tidewheel_redis_batch_duration_seconds_bucket", "le=\"+Inf\"", 25);
}
END_TEST

START_TEST(the_latencies_of_all_workers_are_added_up)
{
    histogram_observe(&board_view(boards[0], "v")->latency, &latency_buckets, 10);
    histogram_observe(&board_view(boards[1], "v")->latency, &latency_buckets, 11);
    (void)board_view(boards[1], "w");
    scrape();
    is_value("tidewheel_end_to_end_latency_seconds_count", "view=\"v\"", 2);
    is_value("tidewheel_end_to_end_latency_seconds_sum", "view=\"v\"", 0.021);
    is_value("tidewheel_end_to_end_latency_seconds_bucket", "view=\"v\",le=\"0.01\"", 1);
    is_value("tidewheel_end_to_end_latency_seconds_bucket", "view=\"v\",le=\"0.025\"", 2);
    is_value("tidewheel_end_to_end_latency_seconds_count", "view=\"w\"", 0);
}
END_TEST

/* ---- what is shown ---- */

START_TEST(counters_are_the_sums_of_the_workers)
{
    set(0, BOARD_RECORDS, 5);
    set(1, BOARD_RECORDS, 7);
    set(0, BOARD_REBALANCES, 6); /* each worker is given one at every rebalance of the group */
    set(1, BOARD_REBALANCES, 7);
    set(0, BOARD_COMMITS_OK, 3);
    set(1, BOARD_COMMITS_FAILED, 2);
    set(WORKERS, BOARD_RELOADS_REFUSED, 1);
    set(WORKERS, BOARD_RELOADED_MS, NOW - 500);
    cell_set(&boards[1]->letters[VERDICT_NO_KEY], 4);
    cell_set(&boards[0]->letters[REASON_POISON], 1);
    tally_add(&board_view(boards[0], "v")->tally, VERDICT_LATE, 2);
    tally_add(&board_view(boards[1], "v")->tally, VERDICT_LATE, 3);
    scrape();
    is_value("tidewheel_records_total", "", 12);
    is_value("tidewheel_kafka_rebalances_total", "", 7);
    is_value("tidewheel_kafka_commits_total", "result=\"ok\"", 3);
    is_value("tidewheel_kafka_commits_total", "result=\"failed\"", 2);
    is_value("tidewheel_config_reloads_total", "result=\"refused\"", 1);
    is_value("tidewheel_config_reloads_total", "result=\"ok\"", 0);
    is_value("tidewheel_config_last_reload_success_timestamp_seconds", "", 1699999999.5);
    is_value("tidewheel_dead_letters_total", "reason=\"no_key\"", 4);
    is_value("tidewheel_dead_letters_total", "reason=\"poison\"", 1);
    is_value("tidewheel_dead_letters_total", "reason=\"bad_json\"", 0);
    ck_assert(!prom_has("tidewheel_dead_letters_total", "reason=\"accepted\""));
    is_value("tidewheel_events_total", "view=\"v\",result=\"late\"", 5);
}
END_TEST

START_TEST(records_that_are_missing_stay_counted_when_the_unit_is_not_ours)
{
    cell_add(&unit_at(0, "t", 0, STAGE_AWAY)->missing, 5);
    cell_add(&unit_at(1, "t", 0, STAGE_LIVE)->missing, 2);
    cell_add(&unit_at(1, "t", 1, STAGE_PARKED)->missing, 3);
    (void)unit_at(0, "u", 0, STAGE_LIVE);
    scrape();
    is_value("tidewheel_kafka_records_missing_total", "topic=\"t\"", 10);
    is_value("tidewheel_kafka_records_missing_total", "topic=\"u\"", 0);
}
END_TEST

START_TEST(the_fullest_worker_is_measured_by_its_own_share)
{
    display.memory_limit = 1000;
    set(0, BOARD_BYTES, 100);
    set(1, BOARD_BYTES, 480);
    scrape();
    is_value("tidewheel_state_fullest_worker_ratio", "", 0.96);
}
END_TEST

START_TEST(every_verdict_of_every_view_is_there)
{
    char labels[128];
    (void)board_view(boards[0], "v");
    scrape();
    for (int verdict = 0; verdict < VERDICT_COUNT; verdict++) {
        (void)snprintf(labels, sizeof labels, "view=\"v\",result=\"%s\"",
                       verdict_rows[verdict].name);
        is_value("tidewheel_events_total", labels, 0);
    }
}
END_TEST

START_TEST(up_means_every_worker_and_paused_means_any)
{
    set(0, BOARD_KAFKA_UP, 1);
    set(0, BOARD_REDIS_UP, 1);
    set(1, BOARD_REDIS_UP, 1);
    set(1, BOARD_PAUSED, 1);
    set(1, BOARD_DECAY_LAG_MS, 2500);
    scrape();
    is_value("tidewheel_kafka_up", "", 0);
    is_value("tidewheel_redis_up", "", 1);
    is_value("tidewheel_intake_paused", "", 1);
    is_value("tidewheel_decay_lag_seconds", "", 2.5);
}
END_TEST

START_TEST(a_topic_that_several_workers_miss_is_one)
{
    scrape();
    is_value("tidewheel_kafka_topics_missing", "", 0);
    for (int i = 0; i < WORKERS; i++)
        cell_set(&board_topic(boards[i], "t")->state, TOPIC_MISSING);
    cell_set(&board_topic(boards[0], "u")->state, TOPIC_MISSING);
    cell_set(&board_topic(boards[0], "there")->state, TOPIC_THERE);
    (void)board_topic(boards[0], "unseen");
    scrape();
    is_value("tidewheel_kafka_topics_missing", "", 2);
}
END_TEST

static const struct {
    int64_t position;
    int64_t end;
    int64_t record_ms;
    double lag; /* -1: absent, as seconds */
    double seconds;
} LAGS[] = {
    {10, 10, NOW - 5000, 0, 0},  {12, 10, -1, 0, 0},           {10, 15, NOW - 5000, 5, 5},
    {10, 15, -1, 5, -1},         {10, -1, NOW - 5000, -1, -1}, {-1, 15, NOW - 5000, -1, -1},
    {10, 15, NOW + 60000, 5, 0},
};

START_TEST(lag_is_told_where_it_is_known)
{
    static const char LABELS[] = "topic=\"t\",partition=\"3\"";
    struct board_unit *unit = unit_at(0, "t", 3, STAGE_LIVE);
    cell_set(&unit->cells[UNIT_POSITION], LAGS[_i].position);
    cell_set(&unit->cells[UNIT_END], LAGS[_i].end);
    cell_set(&unit->cells[UNIT_RECORD_MS], LAGS[_i].record_ms);
    scrape();
    ck_assert_int_eq(prom_has("tidewheel_kafka_consumer_lag", LABELS), LAGS[_i].lag >= 0);
    ck_assert_int_eq(prom_has("tidewheel_kafka_consumer_lag_seconds", LABELS),
                     LAGS[_i].seconds >= 0);
    if (LAGS[_i].lag >= 0)
        is_value("tidewheel_kafka_consumer_lag", LABELS, LAGS[_i].lag);
    if (LAGS[_i].seconds >= 0)
        is_value("tidewheel_kafka_consumer_lag_seconds", LABELS, LAGS[_i].seconds);
}
END_TEST

START_TEST(a_unit_on_two_boards_is_shown_once)
{
    struct board_unit *old = unit_at(0, "t", 1, STAGE_LIVE);
    struct board_unit *new = unit_at(1, "t", 1, STAGE_LIVE);
    cell_set(&old->cells[UNIT_POSITION], 10);
    cell_set(&new->cells[UNIT_POSITION], 20);
    cell_set(&old->cells[UNIT_END], 30);
    cell_set(&new->cells[UNIT_END], 30);
    scrape();
    is_value("tidewheel_kafka_consumer_lag", "topic=\"t\",partition=\"1\"", 10);
    is_value("tidewheel_partitions", "state=\"live\"", 1);
}
END_TEST

START_TEST(units_that_are_not_ours_are_not_shown)
{
    cell_set(&unit_at(0, "t", 0, STAGE_AWAY)->cells[UNIT_ENTITIES], 7);
    cell_set(&unit_at(0, "t", 1, STAGE_PARKED)->cells[UNIT_ENTITIES], 8);
    cell_set(&unit_at(1, "t", 2, STAGE_LOADING)->cells[UNIT_ENTITIES], 9);
    scrape();
    is_value("tidewheel_partitions", "state=\"loading\"", 1);
    is_value("tidewheel_partitions", "state=\"live\"", 0);
    is_value("tidewheel_state_entities", "topic=\"t\",partition=\"2\"", 9);
    ck_assert(!prom_has("tidewheel_state_entities", "topic=\"t\",partition=\"0\""));
    ck_assert(!prom_has("tidewheel_state_entities", "topic=\"t\",partition=\"1\""));
}
END_TEST

START_TEST(the_age_of_a_checkpoint_is_absent_without_one)
{
    cell_set(&unit_at(0, "t", 0, STAGE_LIVE)->cells[UNIT_SAVED_MS], NOW - 7000);
    unit_at(0, "t", 1, STAGE_LIVE);
    scrape();
    is_value("tidewheel_checkpoint_age_seconds", "topic=\"t\",partition=\"0\"", 7);
    ck_assert(!prom_has("tidewheel_checkpoint_age_seconds", "topic=\"t\",partition=\"1\""));
}
END_TEST

START_TEST(freshness_is_that_of_the_newest_event_of_all_workers)
{
    static const char LABELS[] = "view=\"v\"";
    struct board_view *one = board_view(boards[0], "v");
    struct board_view *two = board_view(boards[1], "v");
    scrape();
    ck_assert(!prom_has("tidewheel_feature_freshness_seconds", LABELS));
    cell_set(&one->cells[VIEW_NEWEST_MS], NOW - 9000);
    cell_set(&two->cells[VIEW_NEWEST_MS], NOW - 4000);
    scrape();
    is_value("tidewheel_feature_freshness_seconds", LABELS, 4);
    cell_set(&one->cells[VIEW_NEWEST_MS], NOW + 1000); /* a little ahead */
    scrape();
    is_value("tidewheel_feature_freshness_seconds", LABELS, 0);
}
END_TEST

START_TEST(a_view_that_is_gone_keeps_its_counters_and_loses_its_freshness)
{
    struct board_view *view = board_view(boards[0], "v");
    cell_set(&view->cells[VIEW_NEWEST_MS], NOW - 9000);
    tally_add(&view->tally, VERDICT_ACCEPTED, 3);
    scrape();
    is_value("tidewheel_view_info", "view=\"v\"", 1);
    board_retire_views(boards[0]);
    scrape();
    ck_assert(!prom_has("tidewheel_view_info", "view=\"v\""));
    is_value("tidewheel_events_total", "view=\"v\",result=\"accepted\"", 3);
    ck_assert(!prom_has("tidewheel_feature_freshness_seconds", "view=\"v\""));
}
END_TEST

START_TEST(the_process_tells_of_itself)
{
    scrape();
    ck_assert_double_gt(prom_value("process_resident_memory_bytes", ""), 100000);
    ck_assert_double_ge(prom_value("process_virtual_memory_bytes", ""),
                        prom_value("process_resident_memory_bytes", ""));
    ck_assert_double_ge(prom_value("process_open_fds", ""), 3);
    ck_assert_double_ge(prom_value("process_max_fds", ""), prom_value("process_open_fds", ""));
    ck_assert_double_ge(prom_value("process_cpu_seconds_total", ""), 0);
    double age = difftime(time(NULL), (time_t)prom_value("process_start_time_seconds", ""));
    ck_assert_msg(age >= -2 && age < 600, "it is said to have begun %g s ago", age);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("expose");
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, every_row_begins_in_the_order_of_the_table);
    tcase_add_test(tcase, the_samples_have_the_labels_of_their_row);
    tcase_add_test(tcase, names_and_types_follow_the_conventions);
    tcase_add_test(tcase, the_same_boards_give_the_same_text);
    tcase_add_test(tcase, hostile_text_stays_within_its_quotes);
    tcase_add_test(tcase, random_names_never_break_the_format);
    tcase_add_test(tcase, a_help_text_is_escaped_as_well);
    tcase_add_test(tcase, buckets_hold_all_below_them);
    tcase_add_test(tcase, the_latencies_of_all_workers_are_added_up);
    tcase_add_test(tcase, counters_are_the_sums_of_the_workers);
    tcase_add_test(tcase, records_that_are_missing_stay_counted_when_the_unit_is_not_ours);
    tcase_add_test(tcase, the_fullest_worker_is_measured_by_its_own_share);
    tcase_add_test(tcase, every_verdict_of_every_view_is_there);
    tcase_add_test(tcase, a_topic_that_several_workers_miss_is_one);
    tcase_add_test(tcase, up_means_every_worker_and_paused_means_any);
    tcase_add_loop_test(tcase, lag_is_told_where_it_is_known, 0, sizeof LAGS / sizeof *LAGS);
    tcase_add_test(tcase, a_unit_on_two_boards_is_shown_once);
    tcase_add_test(tcase, units_that_are_not_ours_are_not_shown);
    tcase_add_test(tcase, the_age_of_a_checkpoint_is_absent_without_one);
    tcase_add_test(tcase, freshness_is_that_of_the_newest_event_of_all_workers);
    tcase_add_test(tcase, a_view_that_is_gone_keeps_its_counters_and_loses_its_freshness);
    tcase_add_test(tcase, the_process_tells_of_itself);
    Suite *suite = suite_create("expose");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
