#include "tidewheel/quantity.h"
#include "tidewheel/window.h"

#include "unit.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

START_TEST(the_default_hop_is_the_largest_of_the_ladder_within_a_hundredth)
{
    static const struct {
        int64_t length_ms;
        int64_t hop_ms;
    } ROWS[] = {
        {1 * SECOND, 10},          {9999, 10},
        {10 * SECOND, 100},        {99999, 100},
        {100 * SECOND, SECOND},    {5 * MINUTE, SECOND},
        {10 * MINUTE, 5 * SECOND}, {1000 * SECOND, 10 * SECOND},
        {HOUR, 30 * SECOND},       {100 * MINUTE, MINUTE},
        {24 * HOUR, 10 * MINUTE},  {7 * DAY, HOUR},
        {7 * DAY - 1, HOUR},       {100 * HOUR - 1, 30 * MINUTE},
        {30 * DAY, 6 * HOUR},      {400 * DAY, DAY},
        {100 * DAY, DAY},          {100 * DAY - 1, 6 * HOUR},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++)
        ck_assert_int_eq(window_default_hop(ROWS[i].length_ms), ROWS[i].hop_ms);
}
END_TEST

START_TEST(default_hops_of_any_two_windows_nest)
{
    for (int64_t a = WINDOW_MS_MIN; a <= WINDOW_MS_MAX; a += a / 3) {
        for (int64_t b = WINDOW_MS_MIN; b <= WINDOW_MS_MAX; b += b / 3) {
            const struct window windows[] = {{a, window_default_hop(a), NULL},
                                             {b, window_default_hop(b), NULL}};
            ck_assert(window_hops_nest(windows, 2));
            ck_assert(windows[0].hop_ms * 100 <= a);
        }
    }
}
END_TEST

START_TEST(hops_nest_only_if_each_divides_every_larger_one)
{
    const struct window nests[] = {{HOUR, 5000, NULL}, {DAY, 60000, NULL}, {HOUR, 10000, NULL}};
    const struct window not [] = {{HOUR, 60000, NULL}, {DAY, 4000, NULL}, {HOUR, 10000, NULL}};
    ck_assert(window_hops_nest(nests, 3));
    ck_assert(!window_hops_nest(not, 3));
    ck_assert(window_hops_nest(not, 2));
    ck_assert(window_hops_nest(not, 0));
}
END_TEST

START_TEST(a_window_lets_go_of_an_event_at_the_first_moment_that_does_not_cover_it)
{
    const struct window window = {10 * SECOND, 3 * SECOND, NULL};
    for (int64_t ts_ms = 0; ts_ms < 20 * SECOND; ts_ms += 499) {
        int64_t leave_ms = window_leave(&window, ts_ms);
        ck_assert_int_gt(window_from(&window, leave_ms), ts_ms);
        ck_assert_int_le(window_from(&window, leave_ms - 1), ts_ms);
    }
}
END_TEST

START_TEST(durations_are_a_whole_number_and_one_unit)
{
    static const struct {
        const char *text;
        int64_t ms;
    } RIGHT[] = {{"0ms", 0},
                 {"500ms", 500},
                 {"30s", 30000},
                 {"5m", 300000},
                 {"24h", DAY},
                 {"7d", 7 * DAY},
                 {"106751991167d", INT64_C(106751991167) * DAY}};
    static const char *const WRONG[] = {"",
                                        "1",
                                        "h",
                                        "1 h",
                                        "1H",
                                        "-1h",
                                        "+1h",
                                        "01h",
                                        "1.5h",
                                        "1h30m",
                                        "1hh",
                                        "106751991168d",
                                        "9223372036854775808ms"};
    int64_t ms = 0;
    for (size_t i = 0; i < sizeof RIGHT / sizeof *RIGHT; i++) {
        ck_assert(duration_parse(RIGHT[i].text, &ms));
        ck_assert_int_eq(ms, RIGHT[i].ms);
    }
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++)
        ck_assert_msg(!duration_parse(WRONG[i], &ms), "%s", WRONG[i]);
}
END_TEST

START_TEST(sizes_may_do_without_a_unit)
{
    int64_t bytes = 0;
    ck_assert(size_parse("256", &bytes) && bytes == 256);
    ck_assert(size_parse("64MiB", &bytes) && bytes == 64 << 20);
    ck_assert(size_parse("4GiB", &bytes) && bytes == INT64_C(4) << 30);
    ck_assert(!size_parse("64MB", &bytes) && !size_parse("-1", &bytes) && !size_parse("", &bytes));
    ck_assert(!size_parse("8388608TiB", &bytes));
}
END_TEST

START_TEST(what_is_formatted_reads_back)
{
    static const int64_t VALUES[] = {0,        1,     10,      999,      1000,    1024,
                                     60000,    90000, 3600000, 86400000, 1 << 20, INT64_C(3) << 30,
                                     INT64_MAX};
    for (size_t i = 0; i < sizeof VALUES / sizeof *VALUES; i++) {
        char text[QUANTITY_TEXT_MAX];
        int64_t back = -1;
        duration_format(VALUES[i], text);
        ck_assert(duration_parse(text, &back));
        ck_assert_int_eq(back, VALUES[i]);
        size_format(VALUES[i], text);
        ck_assert(size_parse(text, &back));
        ck_assert_int_eq(back, VALUES[i]);
    }
}
END_TEST

UNIT_MAIN("window", the_default_hop_is_the_largest_of_the_ladder_within_a_hundredth,
          default_hops_of_any_two_windows_nest, hops_nest_only_if_each_divides_every_larger_one,
          a_window_lets_go_of_an_event_at_the_first_moment_that_does_not_cover_it,
          durations_are_a_whole_number_and_one_unit, sizes_may_do_without_a_unit,
          what_is_formatted_reads_back)
