/* Promises W, L and N on the buckets themselves, against a scan over all events. */
#include "tidewheel/series.h"

#include <stdio.h>
#include <time.h>

#include "unit.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define NOW    INT64_C(1700000000000)

static const uint32_t ALL_PARTS =
    1u << PART_COUNT | 1u << PART_SUM | 1u << PART_MIN | 1u << PART_MAX;

static const struct window USUAL[] = {
    {HOUR, 30 * SECOND, "1h"}, {DAY, 10 * MINUTE, "24h"}, {7 * DAY, HOUR, "7d"}};

struct rig {
    struct series_spec spec;
    struct series series;
    struct slab *slab;
};

static void rig_init(struct rig *rig, uint32_t parts, bool has_value, const struct window *windows,
                     size_t count)
{
    *rig = (struct rig){.slab = slab_new()};
    series_spec_init(&rig->spec, parts, has_value, windows, count);
}

static void rig_fini(struct rig *rig)
{
    series_fini(&rig->series, rig->slab);
    slab_free(rig->slab);
}

static bool rig_add(struct rig *rig, int64_t ts_ms, double value, int64_t now_ms)
{
    return series_add(&rig->series, &rig->spec, rig->slab, ts_ms, value, now_ms);
}

static struct reading rig_read(struct rig *rig, const char *op, size_t window, int64_t now_ms)
{
    struct series_reading reading;
    series_read(&rig->series, &rig->spec, now_ms, &reading);
    return op_read(op_find(op), &rig->spec.shape, reading.acc[window]);
}

static uint64_t count_at(struct rig *rig, size_t window, int64_t now_ms)
{
    return rig_read(rig, "count", window, now_ms).count;
}

START_TEST(w_an_event_at_the_floor_of_the_tail_counts_and_one_before_it_does_not)
{
    for (size_t window = 0; window < 3; window++) {
        int64_t from_ms = window_from(&USUAL[window], NOW);
        struct rig rig;
        rig_init(&rig, ALL_PARTS, true, USUAL, 3);
        rig_add(&rig, from_ms - 1, 1, NOW);
        ck_assert_uint_eq(count_at(&rig, window, NOW), 0);
        ck_assert(rig_add(&rig, from_ms, 1, NOW));
        ck_assert_uint_eq(count_at(&rig, window, NOW), 1);
        int64_t leave_ms = window_leave(&USUAL[window], from_ms);
        ck_assert_uint_eq(count_at(&rig, window, leave_ms - 1), 1);
        ck_assert_uint_eq(count_at(&rig, window, leave_ms), 0);
        rig_fini(&rig);
    }
}
END_TEST

START_TEST(w_the_head_is_open)
{
    struct rig rig;
    rig_init(&rig, ALL_PARTS, true, USUAL, 3);
    ck_assert(rig_add(&rig, NOW + MINUTE, 5, NOW));
    for (size_t window = 0; window < 3; window++)
        ck_assert_uint_eq(count_at(&rig, window, NOW), 1);
    rig_fini(&rig);
}
END_TEST

START_TEST(l_an_event_older_than_every_window_is_late_and_changes_nothing)
{
    struct rig rig;
    rig_init(&rig, ALL_PARTS, true, USUAL, 3);
    ck_assert(!rig_add(&rig, window_from(&USUAL[2], NOW) - 1, 5, NOW));
    ck_assert_uint_eq(rig.series.len, 0);
    rig_fini(&rig);
}
END_TEST

START_TEST(l_a_late_event_counts_only_in_windows_that_still_cover_it)
{
    struct rig rig;
    rig_init(&rig, ALL_PARTS, true, USUAL, 3);
    ck_assert(rig_add(&rig, NOW - 2 * HOUR, 5, NOW));
    ck_assert_uint_eq(count_at(&rig, 0, NOW), 0);
    ck_assert_uint_eq(count_at(&rig, 1, NOW), 1);
    ck_assert_uint_eq(count_at(&rig, 2, NOW), 1);
    rig_fini(&rig);
}
END_TEST

START_TEST(n_an_empty_window_has_a_count_and_a_sum_of_zero_and_nothing_else)
{
    struct rig rig;
    rig_init(&rig, ALL_PARTS, true, USUAL, 3);
    ck_assert_int_eq(rig_read(&rig, "count", 0, NOW).kind, READING_COUNT);
    ck_assert_uint_eq(count_at(&rig, 0, NOW), 0);
    ck_assert_int_eq(rig_read(&rig, "sum", 0, NOW).kind, READING_NUMBER);
    ck_assert_double_eq(rig_read(&rig, "sum", 0, NOW).number, 0);
    ck_assert_int_eq(rig_read(&rig, "min", 0, NOW).kind, READING_NONE);
    ck_assert_int_eq(rig_read(&rig, "max", 0, NOW).kind, READING_NONE);
    ck_assert_int_eq(rig_read(&rig, "avg", 0, NOW).kind, READING_NONE);
    rig_fini(&rig);
}
END_TEST

START_TEST(a_bucket_of_one_event_takes_two_words_and_of_a_counted_one_takes_one)
{
    struct rig rig;
    rig_init(&rig, ALL_PARTS, true, USUAL, 3);
    rig_add(&rig, NOW, 5, NOW);
    ck_assert_uint_eq(rig.series.len, 2);
    rig_fini(&rig);
    rig_init(&rig, 1u << PART_COUNT, false, USUAL, 3);
    rig_add(&rig, NOW, 0, NOW);
    ck_assert_uint_eq(rig.series.len, 1);
    rig_fini(&rig);
}
END_TEST

START_TEST(buckets_are_merged_when_finer_windows_have_let_go_of_them)
{
    struct rig rig;
    rig_init(&rig, ALL_PARTS, true, USUAL, 3);
    for (int i = 0; i < 7 * 24 * 120; i++)
        rig_add(&rig, NOW + i * 30 * SECOND, 1, NOW + i * 30 * SECOND);
    int64_t now_ms = NOW + 7 * DAY;
    series_tidy(&rig.series, &rig.spec, rig.slab, now_ms);
    /* 1 h of 30 s, 23 h of 10 min, 6 d of 1 h, and one more of each for the tails; one event or 6 words. */
    ck_assert_uint_le(rig.series.len, (120 + 1) * 2 + (23 * 6 + 2 + 6 * 24 + 2) * 6);
    ck_assert_uint_ge(count_at(&rig, 2, now_ms), 7 * 24 * 120 - 1);
    rig_fini(&rig);
}
END_TEST

START_TEST(nothing_alive_takes_no_memory_after_a_tidy)
{
    struct rig rig;
    rig_init(&rig, ALL_PARTS, true, USUAL, 3);
    for (int i = 0; i < 1000; i++)
        rig_add(&rig, NOW + i * SECOND, i, NOW + i * SECOND);
    series_tidy(&rig.series, &rig.spec, rig.slab, NOW + 8 * DAY);
    ck_assert_ptr_null(rig.series.words);
    rig_fini(&rig);
}
END_TEST

START_TEST(three_windows_are_read_in_one_pass_whatever_their_order_and_hops)
{
    /* The longer window begins later than the shorter one for half of the time. */
    const struct window odd[] = {
        {70 * MINUTE, MINUTE, "70m"}, {HOUR, 30 * MINUTE, "1h"}, {10 * SECOND, 100, "10s"}};
    struct rig rig;
    rig_init(&rig, ALL_PARTS, true, odd, 3);
    int64_t ts[200];
    for (int i = 0; i < 200; i++) {
        ts[i] = NOW + i * MINUTE;
        rig_add(&rig, ts[i], 1, ts[i]);
        for (size_t window = 0; window < 3; window++) {
            uint64_t expected = 0;
            for (int k = 0; k <= i; k++)
                expected += ts[k] >= window_from(&odd[window], ts[i]);
            ck_assert_uint_eq(count_at(&rig, window, ts[i]), expected);
        }
    }
    rig_fini(&rig);
}
END_TEST

/* ---- random histories ---- */

struct model {
    int64_t ts[4000];
    double value[4000];
    size_t count;
};

static void compare(struct rig *rig, const struct model *model, int64_t now_ms, unsigned seed)
{
    struct series_reading reading;
    series_read(&rig->series, &rig->spec, now_ms, &reading);
    for (size_t window = 0; window < rig->spec.window_count; window++) {
        uint64_t count = 0;
        double sum = 0;
        double min = 1e300;
        double max = -1e300;
        for (size_t i = 0; i < model->count; i++) {
            if (model->ts[i] < window_from(&rig->spec.windows[window], now_ms))
                continue;
            count++;
            sum += model->value[i];
            min = model->value[i] < min ? model->value[i] : min;
            max = model->value[i] > max ? model->value[i] : max;
        }
        const struct acc_shape *shape = &rig->spec.shape;
        const uint64_t *acc = reading.acc[window];
        ck_assert_msg(op_read(op_find("count"), shape, acc).count == count, "seed %u", seed);
        ck_assert_msg(op_read(op_find("sum"), shape, acc).number == sum, "seed %u", seed);
        struct reading low = op_read(op_find("min"), shape, acc);
        struct reading high = op_read(op_find("max"), shape, acc);
        ck_assert_msg((low.kind == READING_NONE) == (count == 0), "seed %u", seed);
        ck_assert_msg(count == 0 || (low.number == min && high.number == max), "seed %u", seed);
    }
}

/* next_ms is the first moment at which time alone changes a count. */
static void check_next(struct rig *rig, int64_t now_ms, unsigned seed)
{
    struct series_reading now;
    struct series_reading before;
    struct series_reading after;
    series_read(&rig->series, &rig->spec, now_ms, &now);
    bool is_alive = false;
    for (size_t window = 0; window < rig->spec.window_count; window++)
        is_alive = is_alive || now.acc[window][0] > 0;
    ck_assert_msg(is_alive == (now.next_ms != INT64_MAX), "seed %u", seed);
    if (!is_alive)
        return;
    ck_assert_msg(now.next_ms > now_ms, "seed %u", seed);
    series_read(&rig->series, &rig->spec, now.next_ms - 1, &before);
    series_read(&rig->series, &rig->spec, now.next_ms, &after);
    bool differs = false;
    for (size_t window = 0; window < rig->spec.window_count; window++) {
        ck_assert_msg(before.acc[window][0] == now.acc[window][0], "seed %u", seed);
        differs = differs || after.acc[window][0] != now.acc[window][0];
    }
    ck_assert_msg(differs, "seed %u", seed);
}

START_TEST(w_random_histories_equal_a_scan_over_all_events)
{
    static const struct window SETS[][4] = {
        {{HOUR, 30 * SECOND, "1h"}, {DAY, 10 * MINUTE, "24h"}, {7 * DAY, HOUR, "7d"}},
        {{SECOND, 10, "1s"}, {10 * SECOND, 100, "10s"}, {MINUTE, 500, "1m"}},
        {{HOUR, 5 * MINUTE, "1h"}, {DAY, HOUR, "24h"}, {7 * DAY, HOUR, "7d"}},
        {{7 * DAY, MINUTE, "7d"}, {HOUR, 30 * MINUTE, "1h"}, {90 * MINUTE, MINUTE, "90m"}},
    };
    static struct model model;
    unsigned seed = (unsigned)time(NULL);
    printf("seed %u\n", seed);
    srand(seed);
    for (int round = 0; round < 60; round++) {
        const struct window *windows = SETS[round % 4];
        struct rig rig;
        rig_init(&rig, ALL_PARTS, true, windows, 3);
        model.count = 0;
        int64_t now_ms = NOW + rand() % (int)HOUR;
        int64_t longest_ms = windows[2].length_ms > windows[0].length_ms ? windows[2].length_ms
                                                                         : windows[0].length_ms;
        while (model.count < 400) {
            now_ms +=
                (int64_t)((double)longest_ms * (rand() % 1000) / 100000.0 * (rand() % 4 == 0));
            int64_t ts_ms =
                now_ms -
                (int64_t)((double)longest_ms * (rand() % 1200) / 1000.0 * (rand() % 3 == 0)) +
                rand() % 2000;
            if (rand() % 8 == 0)
                ts_ms = window_from(&windows[rand() % 3], now_ms) - rand() % 2;
            double value = rand() % 1000 - 500;
            bool is_late = true;
            for (size_t window = 0; window < 3; window++)
                is_late = is_late && ts_ms < window_from(&windows[window], now_ms);
            ck_assert_msg(rig_add(&rig, ts_ms, value, now_ms) == !is_late, "seed %u", seed);
            model.ts[model.count] = ts_ms;
            model.value[model.count++] = value;
            if (rand() % 20 == 0)
                series_tidy(&rig.series, &rig.spec, rig.slab, now_ms);
            if (rand() % 4 == 0) {
                compare(&rig, &model, now_ms, seed);
                check_next(&rig, now_ms, seed);
            }
        }
        for (int i = 0; i < 20; i++)
            compare(&rig, &model, now_ms += longest_ms / 15, seed);
        rig_fini(&rig);
    }
}
END_TEST

UNIT_MAIN("series", w_an_event_at_the_floor_of_the_tail_counts_and_one_before_it_does_not,
          w_the_head_is_open, l_an_event_older_than_every_window_is_late_and_changes_nothing,
          l_a_late_event_counts_only_in_windows_that_still_cover_it,
          n_an_empty_window_has_a_count_and_a_sum_of_zero_and_nothing_else,
          a_bucket_of_one_event_takes_two_words_and_of_a_counted_one_takes_one,
          buckets_are_merged_when_finer_windows_have_let_go_of_them,
          nothing_alive_takes_no_memory_after_a_tidy,
          three_windows_are_read_in_one_pass_whatever_their_order_and_hops,
          w_random_histories_equal_a_scan_over_all_events)
