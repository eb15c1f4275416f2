#include "source/kafka_log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

static FILE *file;

static void capture(enum log_level level)
{
    file = tmpfile();
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(dup2(fileno(file), STDERR_FILENO), STDERR_FILENO);
    log_open(level, false);
}

static int count(const char *word)
{
    static char text[65536];
    int ret = 0;
    ssize_t len = pread(fileno(file), text, sizeof text - 1, 0);
    text[len > 0 ? len : 0] = '\0';
    for (const char *at = text; (at = strstr(at, word)) != NULL; at++)
        ret++;
    return ret;
}

static void say(int level, const char *facility)
{
    kafka_log(level, facility, "worker=%d facility=%s text=\"%s\"", 1, facility, "what it says");
}

START_TEST(its_levels_are_ours)
{
    static const enum log_level LEVELS[] = {LOG_ERROR, LOG_ERROR, LOG_ERROR, LOG_WARN,
                                            LOG_WARN,  LOG_INFO,  LOG_INFO,  LOG_DEBUG};
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(kafka_log_level(i), LEVELS[i]);
}
END_TEST

START_TEST(a_storm_of_one_facility_hides_no_other)
{
    capture(LOG_INFO);
    for (int i = 0; i < 100; i++)
        say(3, "FAIL");
    say(4, "CONFWARN");
    say(5, "REQTMOUT");
    ck_assert_int_eq(count("level=warn at=kafka worker=1 facility=FAIL"), 1);
    ck_assert_int_eq(count("level=warn at=kafka worker=1 facility=CONFWARN"), 1);
    ck_assert_int_eq(count("level=info at=kafka worker=1 facility=REQTMOUT"), 1);
    log_flush();
    ck_assert_int_eq(count("level=warn at=kafka left_out=99\n"), 1);
}
END_TEST

START_TEST(what_debug_contexts_say_is_shown_at_debug_only_and_whole)
{
    capture(LOG_INFO);
    say(7, "PROTO");
    ck_assert_int_eq(count("\n"), 0);
    log_open(LOG_DEBUG, false);
    for (int i = 0; i < 100; i++)
        say(7, "PROTO");
    ck_assert_int_eq(count("level=debug at=kafka worker=1 facility=PROTO text=\"what it says\"\n"),
                     100);
}
END_TEST

UNIT_MAIN("kafka_log", its_levels_are_ours, a_storm_of_one_facility_hides_no_other,
          what_debug_contexts_say_is_shown_at_debug_only_and_whole)
