#include "unit.h"

#include "run/progress.h"

static struct progress progress;
static struct buf text;

static const char *shown(void)
{
    buf_reset(&text);
    progress_show(&progress, &text);
    return buf_text(&text);
}

static const char *fields(void)
{
    buf_reset(&text);
    progress_fields(&progress, &text);
    return buf_text(&text);
}

START_TEST(it_says_how_far_it_is_how_fast_and_when_it_is_there)
{
    progress_begin(&progress, 1000);
    progress_note(&progress, REPLAY_READING, 11533678, 19534221, 1000);
    progress_note(&progress, REPLAY_READING, 12345678, 19534221, 2000);
    ck_assert_str_eq(shown(),
                     "replaying   63.2 %  12,345,678 of 19,534,221 events  812,000/s  ETA 9 s");
    ck_assert_str_eq(
        fields(), "phase=reading percent=63.2 events=12345678 of=19534221 events_s=812000 eta_s=9");
}
END_TEST

START_TEST(when_nothing_moves_it_does_not_say_when_it_is_there)
{
    progress_begin(&progress, 0);
    progress_note(&progress, REPLAY_READING, 0, 1200, 0);
    ck_assert_str_eq(shown(), "replaying    0.0 %  0 of 1,200 events  0/s  ETA -");
    progress_note(&progress, REPLAY_READING, 0, 1200, 500);
    ck_assert_str_eq(fields(), "phase=reading percent=0.0 events=0 of=1200 events_s=0");
    ck_assert_int_eq(progress_eta_ms(&progress), -1);
}
END_TEST

START_TEST(the_speed_is_that_of_the_last_samples)
{
    progress_begin(&progress, 0);
    for (int i = 0; i < 100; i++) /* slowly at first */
        progress_note(&progress, REPLAY_READING, i, 1000000, i * 500);
    for (int i = 1; i < PROGRESS_SAMPLES; i++)
        progress_note(&progress, REPLAY_READING, 99 + i * 1000, 1000000, 49500 + i * 500);
    ck_assert_int_eq(progress_speed(&progress), 2000);
}
END_TEST

START_TEST(what_begins_again_is_not_counted_backwards)
{
    progress_begin(&progress, 0);
    progress_note(&progress, REPLAY_READING, 800, 1000, 1000);
    progress_note(&progress, REPLAY_READING, 100, 1000, 2000);
    ck_assert_int_eq(progress_speed(&progress), 0);
    progress_note(&progress, REPLAY_READING, 300, 1000, 3000);
    ck_assert_int_eq(progress_speed(&progress), 200);
    ck_assert_int_eq(progress_eta_ms(&progress), 3500);
}
END_TEST

START_TEST(it_is_never_more_than_all_nor_less_than_nothing)
{
    progress_begin(&progress, 0);
    progress_note(&progress, REPLAY_READING, 1500, 1000, 1000);
    ck_assert_double_eq(progress_percent(&progress), 100);
    progress_note(&progress, REPLAY_READING, -5, 1000, 1000);
    ck_assert_double_eq(progress_percent(&progress), 0);
    progress_note(&progress, REPLAY_READING, 0, 0, 1000);
    ck_assert_double_eq(progress_percent(&progress), 100);
    ck_assert_int_eq(progress_eta_ms(&progress), 0);
}
END_TEST

START_TEST(long_times_are_said_in_minutes_and_hours)
{
    static const struct {
        int64_t total;
        const char *end;
    } rows[] = {{59 * 10, "ETA 59 s"},
                {60 * 10, "ETA 1 min 00 s"},
                {(59 * 60 + 59) * 10, "ETA 59 min 59 s"},
                {3600 * 10, "ETA 1 h 00 min"},
                {(3600 * 100 + 300) * 10, "ETA 100 h 05 min"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        progress_begin(&progress, 0);
        progress_note(&progress, REPLAY_READING, 0, rows[i].total + 10, 0);
        progress_note(&progress, REPLAY_READING, 10, rows[i].total + 10, 1000);
        const char *line = shown();
        ck_assert_str_eq(line + strlen(line) - strlen(rows[i].end), rows[i].end);
    }
}
END_TEST

START_TEST(behind_reading_come_publishing_and_saving)
{
    progress_begin(&progress, 0);
    progress_note(&progress, REPLAY_PUBLISHING, 1000, 1000, 1000);
    ck_assert_str_eq(shown(), "publishing 100.0 %  1,000 of 1,000 events");
    progress_note(&progress, REPLAY_SAVING, 1000, 1000, 1500);
    ck_assert_str_eq(shown(), "saving     100.0 %  1,000 of 1,000 events");
    ck_assert_str_eq(fields(), "phase=saving percent=100.0 events=1000 of=1000 events_s=0 eta_s=0");
}
END_TEST

START_TEST(at_the_end_it_says_what_it_came_to)
{
    progress_begin(&progress, 500);
    progress_note(&progress, REPLAY_SAVING, 24000, 24000, 10000);
    buf_reset(&text);
    progress_sum(&progress, 12500, &text);
    ck_assert_str_eq(buf_text(&text), "replayed 24,000 events in 12 s, 2,000/s");
    buf_reset(&text);
    progress_sum_fields(&progress, 12500, &text);
    ck_assert_str_eq(buf_text(&text), "phase=done events=24000 took_ms=12000 events_s=2000");
}
END_TEST

UNIT_MAIN("progress", it_says_how_far_it_is_how_fast_and_when_it_is_there,
          when_nothing_moves_it_does_not_say_when_it_is_there,
          the_speed_is_that_of_the_last_samples, what_begins_again_is_not_counted_backwards,
          it_is_never_more_than_all_nor_less_than_nothing, long_times_are_said_in_minutes_and_hours,
          behind_reading_come_publishing_and_saving, at_the_end_it_says_what_it_came_to)
