#include "unit.h"

#include "tidewheel/assign.h"

#define NOW  INT64_C(1700000000000)
#define HOUR INT64_C(3600000)

static const struct assign_needs NEEDS = {.reach_ms = 2 * HOUR, .ttl_ms = 24 * HOUR};

static char ours[COMMIT_METADATA_MAX];

/* A log of the offsets 100 to 999, a commit of our own at 800 an hour ago, nothing in memory. */
static struct assign_facts some_facts(void)
{
    size_t len = commit_metadata_write(NOW - HOUR, ours);
    return (struct assign_facts){.log_start = 100,
                                 .log_end = 1000,
                                 .committed = 800,
                                 .metadata = ours,
                                 .metadata_len = len,
                                 .parked = -1};
}

static struct assign_facts reset_to(int64_t offset)
{
    struct assign_facts facts = some_facts();
    facts.committed = offset;
    facts.metadata = "";
    facts.metadata_len = 0;
    return facts;
}

static struct plan decide(const struct assign_facts *facts, bool has_timestamps, int64_t looked_up)
{
    struct plan plan;
    assign_decide(facts, &NEEDS, has_timestamps, looked_up, &plan);
    return plan;
}

START_TEST(metadata_reads_back_and_anything_else_is_not_ours)
{
    char text[COMMIT_METADATA_MAX];
    size_t len = commit_metadata_write(INT64_MAX, text);
    ck_assert_uint_lt(len, COMMIT_METADATA_MAX);
    ck_assert_int_eq(text[len], '\0');
    ck_assert_int_eq(commit_metadata_read(text, len), INT64_MAX);
    len = commit_metadata_write(NOW, text);
    ck_assert_str_eq(text, "tw1 1700000000000");
    ck_assert_int_eq(commit_metadata_read(text, len), NOW);
    static const char *const others[] = {
        "",         "tw1",     "tw1 ",    "tw2 17",  "tw1 -17",
        "tw1 17 x", "tw1 1.5", "tw1 1e3", "hello",   "TW1 17",
        "tw1 017",  "tw1  17", " tw1 17", "tw1\t17", "tw1 99999999999999999999"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        ck_assert_int_eq(commit_metadata_read(others[i], strlen(others[i])), -1);
    ck_assert_int_eq(commit_metadata_read(NULL, 0), -1);
}
END_TEST

START_TEST(with_our_metadata_the_group_was_alive_at_the_commit)
{
    struct assign_facts facts = some_facts();
    ck_assert_int_eq(assign_since_ms(&facts, &NEEDS, NOW), NOW - HOUR - NEEDS.reach_ms);
}
END_TEST

START_TEST(a_commit_from_the_future_counts_as_of_now)
{
    struct assign_facts facts = some_facts();
    facts.metadata_len = commit_metadata_write(NOW + HOUR, ours);
    ck_assert_int_eq(assign_since_ms(&facts, &NEEDS, NOW), NOW - NEEDS.reach_ms);
}
END_TEST

START_TEST(without_a_commit_the_group_was_alive_a_ttl_ago)
{
    struct assign_facts facts = some_facts();
    facts.committed = -1; /* metadata without a commit means nothing */
    ck_assert_int_eq(assign_since_ms(&facts, &NEEDS, NOW), NOW - NEEDS.ttl_ms - NEEDS.reach_ms);
    struct plan plan = decide(&facts, true, 400);
    ck_assert_int_eq(plan.start, 400);
    ck_assert_int_eq(plan.commit_at_least, 0);
    ck_assert(!plan.is_reset);
}
END_TEST

START_TEST(a_persons_offset_says_nothing_of_when_the_group_was_alive)
{
    struct assign_facts facts = reset_to(200);
    ck_assert_int_eq(assign_since_ms(&facts, &NEEDS, NOW), NOW - NEEDS.ttl_ms - NEEDS.reach_ms);
}
END_TEST

START_TEST(the_lookup_is_never_of_a_negative_time)
{
    struct assign_facts facts = reset_to(200);
    ck_assert_int_eq(assign_since_ms(&facts, &NEEDS, HOUR), 0);
    struct assign_needs endless = {.reach_ms = INT64_MAX, .ttl_ms = INT64_MAX};
    ck_assert_int_eq(assign_since_ms(&facts, &endless, NOW), 0);
}
END_TEST

START_TEST(reading_begins_where_the_lookup_says_and_is_live_at_the_end)
{
    struct assign_facts facts = some_facts();
    struct plan plan = decide(&facts, true, 400);
    ck_assert_int_eq(plan.start, 400);
    ck_assert_int_eq(plan.wanted, 400);
    ck_assert_int_eq(plan.live_at, 1000);
    ck_assert_int_eq(plan.log_start, 100);
    ck_assert_int_eq(plan.commit_at_least, 800);
    ck_assert(!plan.is_reset);
}
END_TEST

START_TEST(no_record_since_then_means_the_end)
{
    struct assign_facts facts = some_facts();
    struct plan plan = decide(&facts, true, -1);
    ck_assert_int_eq(plan.start, 1000);
    ck_assert_int_eq(plan.live_at, 1000);
    ck_assert_int_ge(plan.wanted, plan.log_start);
}
END_TEST

START_TEST(a_record_that_came_after_the_end_was_read_is_not_skipped_to)
{
    struct assign_facts facts = some_facts();
    ck_assert_int_eq(decide(&facts, true, 1005).start, 1000);
}
END_TEST

START_TEST(a_broker_without_timestamps_is_read_from_the_beginning)
{
    struct assign_facts facts = some_facts();
    struct plan plan = decide(&facts, false, -1);
    ck_assert_int_eq(plan.start, 100);
    ck_assert_int_lt(plan.wanted, plan.log_start);
    facts.log_start = 0;
    plan = decide(&facts, false, -1);
    ck_assert_int_eq(plan.start, 0);
    ck_assert_int_eq(plan.wanted, plan.log_start);
}
END_TEST

START_TEST(a_log_that_begins_too_late_makes_windows_incomplete)
{
    struct assign_facts facts = some_facts();
    struct plan plan = decide(&facts, true, 100);
    ck_assert_int_eq(plan.start, 100);
    ck_assert_int_lt(plan.wanted, plan.log_start);
    ck_assert_int_ge(decide(&facts, true, 101).wanted, 100);
}
END_TEST

START_TEST(a_log_that_has_lost_nothing_is_complete_from_its_first_record)
{
    struct assign_facts facts = some_facts();
    facts.log_start = 0;
    struct plan plan = decide(&facts, true, 0);
    ck_assert_int_eq(plan.start, 0);
    ck_assert_int_eq(plan.wanted, 0);
}
END_TEST

START_TEST(an_empty_partition_is_live_at_once)
{
    static const int64_t ends[] = {0, 500};
    for (size_t i = 0; i < 2; i++) {
        struct assign_facts facts = {
            .log_start = ends[i], .log_end = ends[i], .committed = -1, .parked = -1};
        struct plan plan = decide(&facts, true, -1);
        ck_assert_int_eq(plan.start, ends[i]);
        ck_assert_int_eq(plan.live_at, ends[i]);
        ck_assert_int_ge(plan.wanted, plan.log_start);
    }
}
END_TEST

START_TEST(a_persons_offset_before_the_start_is_begun_at)
{
    struct assign_facts facts = reset_to(200);
    struct plan plan = decide(&facts, true, 400);
    ck_assert_int_eq(plan.start, 200);
    ck_assert_int_eq(plan.wanted, 400);
    ck_assert(plan.is_reset);
}
END_TEST

START_TEST(a_persons_offset_before_the_log_is_begun_at_the_log)
{
    struct assign_facts facts = reset_to(0);
    ck_assert_int_eq(decide(&facts, true, 400).start, 100);
}
END_TEST

START_TEST(a_persons_offset_behind_the_start_leaves_no_window_incomplete)
{
    struct assign_facts facts = reset_to(900);
    struct plan plan = decide(&facts, true, 400);
    ck_assert_int_eq(plan.start, 400);
    ck_assert(plan.is_reset);
}
END_TEST

START_TEST(a_parked_unit_goes_on_where_it_was)
{
    struct assign_facts facts = some_facts();
    facts.parked = 850;
    struct plan plan = decide(&facts, true, 400);
    ck_assert_int_eq(plan.start, 850);
    ck_assert_int_eq(plan.live_at, 1000);
    ck_assert_int_ge(plan.wanted, plan.log_start);
    facts.committed = -1;
    facts.parked = 0;
    facts.log_start = 0;
    ck_assert_int_eq(decide(&facts, true, 400).start, 0);
    facts.parked = 1000;
    ck_assert_int_eq(decide(&facts, true, 400).start, 1000);
}
END_TEST

START_TEST(a_parked_unit_whose_next_records_are_gone_goes_on_incomplete)
{
    struct assign_facts facts = some_facts();
    facts.parked = 50;
    struct plan plan = decide(&facts, true, 400);
    ck_assert_int_eq(plan.start, 100);
    ck_assert_int_eq(plan.wanted, 50);
}
END_TEST

START_TEST(a_position_beyond_the_logs_end_belongs_to_another_log)
{
    struct assign_facts facts = some_facts();
    facts.parked = 1001;
    facts.committed = 1001;
    struct plan plan = decide(&facts, true, 400);
    ck_assert_int_eq(plan.start, 400);
    ck_assert_int_eq(plan.commit_at_least, 1000); /* or no commit would ever be let through */
}
END_TEST

START_TEST(a_reset_voids_a_parked_state_once)
{
    struct assign_facts facts = reset_to(200);
    facts.parked = 850;
    ck_assert_int_eq(decide(&facts, true, 400).start, 200);
    facts.is_reset_done = true;
    struct plan plan = decide(&facts, true, 400);
    ck_assert_int_eq(plan.start, 850);
    ck_assert(plan.is_reset);
}
END_TEST

START_TEST(where_all_is_read_again_does_not_depend_on_what_is_parked)
{
    static const int64_t parked[] = {-1, 50, 850, 1000, 1001};
    for (size_t i = 0; i < sizeof parked / sizeof *parked; i++) {
        for (int reset = -1; reset <= 900; reset += 300) {
            struct assign_facts facts = reset < 0 ? some_facts() : reset_to(reset);
            for (int64_t looked_up = -1; looked_up <= 1000; looked_up += 77) {
                facts.parked = -1;
                facts.is_reset_done = false;
                struct plan afresh = decide(&facts, true, looked_up);
                ck_assert_int_eq(afresh.again, afresh.start);
                facts.parked = parked[i];
                ck_assert_int_eq(decide(&facts, true, looked_up).again, afresh.start);
                facts.is_reset_done = true;
                ck_assert_int_eq(decide(&facts, true, looked_up).again, afresh.start);
                ck_assert_int_ge(afresh.again, facts.log_start);
            }
        }
    }
}
END_TEST

START_TEST(a_parked_unit_knows_where_all_would_be_read_again)
{
    struct assign_facts facts = some_facts();
    facts.parked = 850;
    ck_assert_int_eq(decide(&facts, true, 400).again, 400);
    ck_assert_int_eq(decide(&facts, true, -1).again, 1000);
    ck_assert_int_eq(decide(&facts, false, -1).again, 100);
    facts = reset_to(200);
    facts.parked = 850;
    facts.is_reset_done = true;
    ck_assert_int_eq(decide(&facts, true, 400).again, 200);
}
END_TEST

START_TEST(a_view_on_the_event_clock_is_read_from_the_beginning)
{
    struct assign_needs needs = NEEDS;
    needs.from_beginning = true;
    struct assign_facts facts = some_facts();
    struct plan plan;
    assign_decide(&facts, &needs, true, 400, &plan);
    ck_assert_int_eq(plan.start, 100);
    facts.parked = 850;
    assign_decide(&facts, &needs, true, 400, &plan);
    ck_assert_int_eq(plan.start, 850);
}
END_TEST

/* Of a log of 100 to 999. */
static struct assign_facts bounded_at(int64_t until)
{
    struct assign_facts facts = reset_to(200);
    facts.is_bounded = true;
    facts.until = until;
    return facts;
}

START_TEST(a_bounded_reading_is_caught_up_at_the_bound)
{
    struct assign_facts facts = bounded_at(700);
    struct plan plan = decide(&facts, true, 400);
    ck_assert_int_eq(plan.start, 200);
    ck_assert_int_eq(plan.again, 200);
    ck_assert_int_eq(plan.live_at, 700);
    ck_assert(plan.is_reset);
}
END_TEST

START_TEST(without_a_record_at_the_bound_reading_ends_where_the_log_did)
{
    struct assign_facts facts = bounded_at(-1);
    ck_assert_int_eq(decide(&facts, true, 400).live_at, 1000);
    facts.until = 1005; /* it came after the end was read */
    ck_assert_int_eq(decide(&facts, true, 400).live_at, 1000);
    facts.until = 700;
    facts.is_bounded = false;
    ck_assert_int_eq(decide(&facts, true, 400).live_at, 1000);
}
END_TEST

START_TEST(a_bound_before_the_start_that_windows_need_leaves_nothing_to_read)
{
    struct assign_facts facts = bounded_at(300);
    facts.committed = 800;
    struct plan plan = decide(&facts, true, 400);
    ck_assert_int_eq(plan.start, 300);
    ck_assert_int_eq(plan.live_at, 300);
    ck_assert_int_eq(plan.again, 300);
    ck_assert_int_ge(plan.wanted, plan.log_start); /* no window lacks anything for it */
    facts.until = 50;                              /* the log has lost it meanwhile */
    plan = decide(&facts, true, 400);
    ck_assert_int_eq(plan.start, 100);
    ck_assert_int_ge(plan.start, plan.live_at);
}
END_TEST

START_TEST(a_parked_unit_that_has_reached_the_bound_goes_on_there)
{
    struct assign_facts facts = bounded_at(700);
    facts.parked = 700;
    facts.is_reset_done = true;
    struct plan plan = decide(&facts, true, 400);
    ck_assert_int_eq(plan.start, 700);
    ck_assert_int_eq(plan.live_at, 700);
    facts.parked = 650;
    ck_assert_int_eq(decide(&facts, true, 400).start, 650);
}
END_TEST

UNIT_MAIN("assign", metadata_reads_back_and_anything_else_is_not_ours,
          with_our_metadata_the_group_was_alive_at_the_commit,
          a_commit_from_the_future_counts_as_of_now, without_a_commit_the_group_was_alive_a_ttl_ago,
          a_persons_offset_says_nothing_of_when_the_group_was_alive,
          the_lookup_is_never_of_a_negative_time,
          reading_begins_where_the_lookup_says_and_is_live_at_the_end,
          no_record_since_then_means_the_end,
          a_record_that_came_after_the_end_was_read_is_not_skipped_to,
          a_broker_without_timestamps_is_read_from_the_beginning,
          a_log_that_begins_too_late_makes_windows_incomplete,
          a_log_that_has_lost_nothing_is_complete_from_its_first_record,
          an_empty_partition_is_live_at_once, a_persons_offset_before_the_start_is_begun_at,
          a_persons_offset_before_the_log_is_begun_at_the_log,
          a_persons_offset_behind_the_start_leaves_no_window_incomplete,
          a_parked_unit_goes_on_where_it_was,
          a_parked_unit_whose_next_records_are_gone_goes_on_incomplete,
          a_position_beyond_the_logs_end_belongs_to_another_log, a_reset_voids_a_parked_state_once,
          where_all_is_read_again_does_not_depend_on_what_is_parked,
          a_parked_unit_knows_where_all_would_be_read_again,
          a_view_on_the_event_clock_is_read_from_the_beginning,
          a_bounded_reading_is_caught_up_at_the_bound,
          without_a_record_at_the_bound_reading_ends_where_the_log_did,
          a_bound_before_the_start_that_windows_need_leaves_nothing_to_read,
          a_parked_unit_that_has_reached_the_bound_goes_on_there)
