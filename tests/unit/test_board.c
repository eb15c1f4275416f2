#include "unit.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "tidewheel/board.h"

static struct board *board;

static void open_board(void)
{
    board = board_new(3);
}

static void close_board(void)
{
    board_free(board);
}

START_TEST(a_new_board_shows_nothing)
{
    ck_assert_int_eq(board->number, 3);
    for (int cell = 0; cell < BOARD_CELLS; cell++)
        ck_assert_int_eq(cell_get(&board->cells[cell]), cell == BOARD_OWNED ? -1 : 0);
    ck_assert_ptr_null(board_views(board));
    ck_assert_ptr_null(board_units(board));
    ck_assert_ptr_null(board_topics(board));
}
END_TEST

START_TEST(a_view_that_comes_again_goes_on_counting)
{
    struct board_view *view = board_view(board, "v");
    tally_add(&view->tally, VERDICT_ACCEPTED, 5);
    board_retire_views(board);
    ck_assert_int_eq(cell_get(&view->cells[VIEW_IS_CURRENT]), 0);
    ck_assert_ptr_eq(board_view(board, "v"), view);
    ck_assert_int_eq(cell_get(&view->cells[VIEW_IS_CURRENT]), 1);
    ck_assert_uint_eq(tally_read(&view->tally, VERDICT_ACCEPTED), 5);
}
END_TEST

START_TEST(a_view_that_is_gone_stays_readable)
{
    struct board_view *view = board_view(board, "gone");
    cell_set(&view->cells[VIEW_NEWEST_MS], 7);
    board_retire_views(board);
    (void)board_view(board, "new");
    const struct board_view *found = board_find_view(board, "gone");
    ck_assert_ptr_eq(found, view);
    ck_assert_int_eq(cell_get(&found->cells[VIEW_NEWEST_MS]), 7);
    ck_assert_int_eq(cell_get(&found->cells[VIEW_IS_CURRENT]), 0);
    ck_assert_str_eq(view_next(found)->name, "new");
    ck_assert_ptr_null(board_find_view(board, "never"));
}
END_TEST

START_TEST(names_are_copied)
{
    char name[] = "before";
    const struct board_view *view = board_view(board, name);
    const struct board_unit *unit = board_unit(board, name, 1);
    memcpy(name, "behind", sizeof name);
    ck_assert_str_eq(view->name, "before");
    ck_assert_str_eq(unit->topic, "before");
}
END_TEST

START_TEST(units_are_told_apart_by_topic_and_partition)
{
    struct board_unit *unit = board_unit(board, "t", 0);
    ck_assert_int_eq(cell_get(&unit->cells[UNIT_STAGE]), STAGE_AWAY);
    ck_assert_int_eq(cell_get(&unit->cells[UNIT_POSITION]), -1);
    struct board_unit *other = board_unit(board, "t", 1);
    struct board_unit *stranger = board_unit(board, "u", 0);
    ck_assert_ptr_ne(unit, other);
    ck_assert_ptr_ne(unit, stranger);
    ck_assert_ptr_eq(board_unit(board, "t", 0), unit);
    ck_assert_ptr_eq(board_unit(board, "u", 0), stranger);
    ck_assert_ptr_eq(unit_next(board_units(board)), other);
    ck_assert_ptr_eq(unit_next(other), stranger);
    ck_assert_ptr_null(unit_next(stranger));
}
END_TEST

START_TEST(a_topic_has_one_line)
{
    struct board_topic *topic = board_topic(board, "t");
    ck_assert_int_eq(cell_get(&topic->state), TOPIC_UNSEEN);
    struct board_topic *other = board_topic(board, "u");
    ck_assert_ptr_eq(board_topic(board, "t"), topic);
    ck_assert_ptr_eq(board_topic(board, "u"), other);
    ck_assert_ptr_eq(board_topics(board), topic);
    ck_assert_ptr_eq(topic_next(topic), other);
    ck_assert_ptr_null(topic_next(other));
}
END_TEST

/* ---- two threads ---- */

enum { LINES = 300 };

/* A line is seen whole, or not at all: its name and its first values with it. */
static void *read_lines(void *arg)
{
    const struct board *read = arg;
    size_t seen = 0;
    while (seen < LINES) {
        seen = 0;
        for (const struct board_view *view = board_views(read); view != NULL;
             view = view_next(view), seen++) {
            char name[16];
            (void)snprintf(name, sizeof name, "view%zu", seen);
            if (strcmp(view->name, name) != 0 || cell_get(&view->cells[VIEW_NEWEST_MS]) < -1)
                return "torn";
        }
    }
    return NULL;
}

START_TEST(lines_appear_whole_to_a_reader_beside)
{
    pthread_t thread;
    void *found = NULL;
    ck_assert_int_eq(pthread_create(&thread, NULL, read_lines, board), 0);
    for (size_t i = 0; i < LINES; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "view%zu", i);
        cell_set(&board_view(board, name)->cells[VIEW_NEWEST_MS], (int64_t)i);
    }
    ck_assert_int_eq(pthread_join(thread, &found), 0);
    ck_assert_ptr_null(found);
}
END_TEST

/* ---- tables ---- */

START_TEST(every_stage_has_a_name_of_its_own)
{
    for (int i = 0; i < STAGE_COUNT; i++) {
        ck_assert_ptr_nonnull(stage_names[i]);
        for (int k = 0; k < i; k++)
            ck_assert_str_ne(stage_names[i], stage_names[k]);
    }
}
END_TEST

START_TEST(a_reason_is_a_rejection_or_poison)
{
    ck_assert_str_eq(reason_name(VERDICT_BAD_JSON), "bad_json");
    ck_assert_str_eq(reason_name(REASON_POISON), "poison");
    ck_assert_ptr_null(reason_name(VERDICT_ACCEPTED));
    ck_assert_ptr_null(reason_name(VERDICT_LATE));
}
END_TEST

static const struct buckets *const all_buckets[] = {&latency_buckets, &duration_buckets,
                                                    &entities_buckets};

START_TEST(bounds_go_up)
{
    const struct buckets *buckets = all_buckets[_i];
    ck_assert_int_gt(buckets->per_unit, 0);
    ck_assert_uint_gt(buckets->count, 0);
    ck_assert_uint_le(buckets->count, HISTOGRAM_BOUNDS_MAX);
    for (size_t i = 1; i < buckets->count; i++)
        ck_assert_int_gt(buckets->bounds[i], buckets->bounds[i - 1]);
}
END_TEST

START_TEST(a_value_falls_below_the_first_bound_that_holds_it)
{
    struct histogram histogram = {0};
    const struct buckets *buckets = &entities_buckets;
    for (size_t i = 0; i < buckets->count; i++) {
        histogram_observe(&histogram, buckets, buckets->bounds[i]);
        histogram_observe(&histogram, buckets, buckets->bounds[i] + 1);
    }
    histogram_observe(&histogram, buckets, -5);
    int64_t sum = -5;
    for (size_t i = 0; i < buckets->count; i++)
        sum += 2 * buckets->bounds[i] + 1;
    ck_assert_int_eq(cell_get(&histogram.sum), sum);
    ck_assert_int_eq(cell_get(&histogram.of[buckets->count]), 1); /* above all of them */
    int64_t total = 0;
    for (size_t i = 0; i <= buckets->count; i++)
        total += cell_get(&histogram.of[i]);
    ck_assert_int_eq(total, 2 * (int64_t)buckets->count + 1);
    ck_assert_int_eq(cell_get(&histogram.of[0]), 2); /* 1 and -5 */
    ck_assert_int_eq(cell_get(&histogram.of[1]), 2); /* 1 + 1 and 2 */
    ck_assert_int_eq(cell_get(&histogram.of[2]), 2); /* 2 + 1 and 5 */
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("board");
    tcase_add_checked_fixture(tcase, open_board, close_board);
    tcase_add_test(tcase, a_new_board_shows_nothing);
    tcase_add_test(tcase, a_view_that_comes_again_goes_on_counting);
    tcase_add_test(tcase, a_view_that_is_gone_stays_readable);
    tcase_add_test(tcase, names_are_copied);
    tcase_add_test(tcase, units_are_told_apart_by_topic_and_partition);
    tcase_add_test(tcase, a_topic_has_one_line);
    tcase_add_test(tcase, lines_appear_whole_to_a_reader_beside);
    tcase_add_test(tcase, every_stage_has_a_name_of_its_own);
    tcase_add_test(tcase, a_reason_is_a_rejection_or_poison);
    tcase_add_loop_test(tcase, bounds_go_up, 0, sizeof all_buckets / sizeof *all_buckets);
    tcase_add_test(tcase, a_value_falls_below_the_first_bound_that_holds_it);
    Suite *suite = suite_create("board");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
