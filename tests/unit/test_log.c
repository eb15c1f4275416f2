#include "tidewheel/log.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
#include <yajl/yajl_parse.h>

#include "tidewheel/json_text.h"
#include "unit.h"

static FILE *file;

/* What stands in the file that is stderr, and no longer. */
static char *written(void)
{
    static char text[65536];
    ssize_t len = pread(fileno(file), text, sizeof text - 1, 0);
    text[len > 0 ? len : 0] = '\0';
    ck_assert_int_eq(ftruncate(fileno(file), 0), 0);
    (void)lseek(STDERR_FILENO, 0, SEEK_SET);
    return text;
}

/* Each test is a process of its own: its stderr, and what it hides, is nobody else's. */
static void capture(enum log_level level, bool is_json)
{
    file = tmpfile();
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(dup2(fileno(file), STDERR_FILENO), STDERR_FILENO);
    log_open(level, is_json);
}

/* The fields, without the time. */
#define is_line(text)   ck_assert_str_eq(written() + 25, text "\n")
#define is_object(text) ck_assert_str_eq(written() + 35, text "}\n")

START_TEST(a_line_is_logfmt_with_its_time_and_level)
{
    capture(LOG_INFO, false);
    log_info("flush", "worker=%d took_ms=%d", 2, 9);
    const char *text = written();
    ck_assert_str_eq(text + 24, " level=info at=flush worker=2 took_ms=9\n");
    ck_assert(text[4] == '-' && text[10] == 'T' && text[19] == '.' && text[23] == 'Z');
    log_debug("flush", "not=shown");
    ck_assert_str_eq(written(), "");
    log_error("flush", "%s", "");
    is_line("level=error at=flush");
}
END_TEST

START_TEST(a_line_in_json_is_one_object_with_a_member_for_each_field)
{
    capture(LOG_INFO, true);
    log_warn("x", "worker=%d text=%s why=\"the %s\" state=away waiting=1", -1, "1", "end");
    const char *text = written();
    ck_assert(strncmp(text, "{\"time\":\"2", 10) == 0 && text[32] == 'Z');
    ck_assert_str_eq(text + 34, ",\"level\":\"warn\",\"at\":\"x\",\"worker\":-1,\"text\":\"1\","
                                "\"why\":\"the end\",\"state\":\"away\",\"waiting\":1}\n");
    log_error("flush", "%s", "");
    is_object("\"level\":\"error\",\"at\":\"flush\"");
}
END_TEST

START_TEST(every_conversion_is_read)
{
    size_t size = SIZE_MAX;
    for (int is_json = 0; is_json < 2; is_json++) {
        capture(LOG_INFO, is_json);
        log_info("x", "a=%lld b=%llu c=%zu d=%ld e=%lu f=%u g=%i h=%x i=%.2f j=%c k=%zd l=%%",
                 LLONG_MIN, ULLONG_MAX, size, LONG_MIN, ULONG_MAX, UINT_MAX, INT_MIN, 255U, 0.125,
                 'y', (ssize_t)-1);
        if (is_json)
            is_object("\"level\":\"info\",\"at\":\"x\",\"a\":-9223372036854775808,"
                      "\"b\":18446744073709551615,\"c\":18446744073709551615,"
                      "\"d\":-9223372036854775808,\"e\":18446744073709551615,\"f\":4294967295,"
                      "\"g\":-2147483648,\"h\":\"ff\",\"i\":0.12,\"j\":\"y\",\"k\":-1,\"l\":\"%\"");
        else
            is_line("level=info at=x a=-9223372036854775808 b=18446744073709551615 "
                    "c=18446744073709551615 d=-9223372036854775808 e=18446744073709551615 "
                    "f=4294967295 g=-2147483648 h=ff i=0.12 j=y k=-1 l=%");
    }
}
END_TEST

START_TEST(what_is_no_number_in_json_is_a_string)
{
    capture(LOG_INFO, true);
    log_info("x", "a=%f b=%f c=%d%d d=007 e=1.5 f=- g=1. h=0 i=\"%d\" j=1.2.3 k=0.5 l=00",
             0.0 / 0.0, 1e300 * 1e300, 1, 2, 3);
    char *text = written();
    ck_assert_ptr_nonnull(strstr(text,
                                 ",\"b\":\"inf\",\"c\":\"12\",\"d\":\"007\",\"e\":1.5,\"f\":\"-\","
                                 "\"g\":\"1.\",\"h\":0,\"i\":\"3\",\"j\":\"1.2.3\",\"k\":0.5,"
                                 "\"l\":\"00\"}\n"));
}
END_TEST

START_TEST(a_field_without_a_text_is_left_out)
{
    const char *volatile nothing = NULL;
    capture(LOG_INFO, false);
    log_info("x", "a=1 why=\"%s\" b=%s c=%.*s", nothing, nothing, 0, nothing);
    is_line("level=info at=x a=1 c=\"\"");
}
END_TEST

START_TEST(what_stands_in_a_keys_place_is_more_fields)
{
    capture(LOG_INFO, true);
    log_info("x", "a=1 %s b=2", " c=3 d=50% e=\"f g\"");
    is_object(
        "\"level\":\"info\",\"at\":\"x\",\"a\":1,\"c\":3,\"d\":\"50%\",\"e\":\"f g\",\"b\":2");
}
END_TEST

START_TEST(a_value_is_quoted_where_it_has_to_be)
{
    capture(LOG_INFO, false);
    log_info("x", "a=%s b=%s c=%s d=%s e=%s f=%s g=\"%s\" h=%.*s i=%.3s", "plain", "two words",
             "a=b", "", "say \"x\"", "back\\slash", "plain", 2, "abc", "abcdef");
    is_line("level=info at=x a=plain b=\"two words\" c=\"a=b\" d=\"\" e=\"say \\\"x\\\"\" "
            "f=\"back\\\\slash\" g=\"plain\" h=ab i=abc");
}
END_TEST

START_TEST(text_from_outside_begins_no_line_and_moves_no_cursor)
{
    capture(LOG_INFO, false);
    log_info("x", "id=%s",
             "a\r\nb\x1b[2Jc\td\x7f\xc2\x9b"
             "e\xc3\xa9\xff\xed\xa0\x80");
    is_line("level=info at=x id=\"a\\r\\nb\\u001b[2Jc\\td\\u007f\\u009be\xc3\xa9\xef\xbf\xbd"
            "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}
END_TEST

/* ---- hostile text ---- */

/* Reads one value of logfmt, as a consumer would; returns what is behind it. */
static const char *read_value(const char *at, char *ret)
{
    size_t len = 0;
    if (*at != '"') {
        len = strcspn(at, " \n");
        memcpy(ret, at, len);
        ret[len] = '\0';
        return at + len;
    }
    const char *begin = ++at;
    for (; *at != '"'; at++) {
        ck_assert_int_ne(*at, '\0');
        at += *at == '\\';
    }
    ck_assert(json_text_decode(begin, (size_t)(at - begin), ret, &len));
    ret[len] = '\0';
    return at + 1;
}

/* A line of three fields, a=1 text=<the text> z=2: no more, no less, and the text is what it was. */
static void check_logfmt(const char *line, const char *text)
{
    static char value[65536];
    const char *at = strstr(line, " a=1 text=");
    ck_assert_msg(at == line + 24 + strlen(" level=info at=x"), "%s", line);
    at = read_value(at + strlen(" a=1 text="), value);
    ck_assert_msg(strcmp(at, " z=2\n") == 0, "%s", line);
    if (json_text_is_strict(text, strlen(text)))
        ck_assert_str_eq(value, text);
}

static void check_json(const char *line)
{
    yajl_handle parser = yajl_alloc(NULL, NULL, NULL);
    ck_assert_msg(yajl_parse(parser, (const unsigned char *)line, strlen(line)) == yajl_status_ok &&
                      yajl_complete_parse(parser) == yajl_status_ok,
                  "%s", line);
    yajl_free(parser);
    ck_assert_msg(strchr(line, '\n') == line + strlen(line) - 1, "%s", line);
    ck_assert_msg(json_text_is_strict(line, strlen(line)), "%s", line);
}

static void check_hostile(const char *text)
{
    log_open(LOG_INFO, false);
    log_info("x", "a=%d text=%s z=%d", 1, text, 2);
    check_logfmt(written(), text);
    log_info("x", "a=%d text=\"%s\" z=%d", 1, text, 2);
    check_logfmt(written(), text);
    log_open(LOG_INFO, true);
    log_info("x", "a=%d text=%s z=%d", 1, text, 2);
    const char *line = written();
    check_json(line);
    ck_assert_ptr_nonnull(strstr(line, ",\"a\":1,\"text\":\""));
    ck_assert_str_eq(line + strlen(line) - 8, ",\"z\":2}\n");
}

START_TEST(no_text_forges_a_field_or_a_line)
{
    static const char *const TEXTS[] = {
        "",
        "\" level=error at=fake",
        "x level=error at=fake",
        "\n2026-01-01T00:00:00.000Z level=error at=fake",
        "\r\n",
        "\\",
        "\\\"",
        "\"",
        "a\\",
        "\",\"level\":\"error",
        "\x01\x02\x1b]0;title\x07",
        "\xc2\x85\xe2\x80\xa8", /* other line ends: NEL, U+2028 */
        "\xff\xfe",
        "\xf0\x9f\x98\x80 \xf0\x9f",
        "%s%n%d",
        "=",
        "a=",
        "'",
        "{}",
        "1",
        "null",
    };
    capture(LOG_INFO, false);
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++)
        check_hostile(TEXTS[i]);
}
END_TEST

START_TEST(nor_do_random_bytes)
{
    static const char LIKELY[] = "\"\\\n\r\t =%a1\xff\xc3\xa9\x7f\x1b";
    unsigned seed = (unsigned)getpid();
    printf("seed %u\n", seed);
    srand(seed);
    capture(LOG_INFO, false);
    for (int round = 0; round < 3000; round++) {
        char text[64];
        size_t len = (size_t)(rand() % 60);
        for (size_t i = 0; i < len; i++) {
            int any = 1 + rand() % 255;
            text[i] = (char)(any % 3 > 0 ? LIKELY[(size_t)rand() % (sizeof LIKELY - 1)] : any);
        }
        text[len] = '\0';
        check_hostile(text);
    }
}
END_TEST

START_TEST(a_long_line_is_cut_at_a_character_and_is_well_formed)
{
    static const char *const PIECES[] = {"a",    "\"",   "\xc3\xa9", "\xf0\x9f\x98\x80",
                                         "\x01", "\xff", "a b"};
    static char text[12000];
    capture(LOG_INFO, false);
    for (size_t i = 0; i < sizeof PIECES / sizeof *PIECES; i++) {
        for (size_t shift = 0; shift < 8; shift++) {
            struct buf long_text = {NULL, 0, 0};
            buf_add(&long_text, "12345678", shift);
            while (long_text.len < sizeof text - 8)
                buf_add_text(&long_text, PIECES[i]);
            (void)snprintf(text, sizeof text, "%s", buf_text(&long_text));
            buf_fini(&long_text);
            for (int is_json = 0; is_json < 2; is_json++) {
                log_open(LOG_INFO, is_json);
                log_info("x", "a=%s b=%s c=%s d=%d", text, text, text, 1);
                const char *line = written();
                size_t len = strlen(line);
                ck_assert_uint_gt(len, 3000);
                ck_assert_uint_le(len, 4096);
                ck_assert_str_eq(line + len - (is_json ? 6 : 5), is_json ? "...\"}\n" : "...\"\n");
                ck_assert(json_text_is_strict(line, len));
                if (is_json)
                    check_json(line);
            }
        }
    }
}
END_TEST

START_TEST(a_line_of_any_length_stays_within_its_limit)
{
    static char text[5000];
    struct log_site site = {.last_ms = 0};
    capture(LOG_INFO, false);
    for (size_t len = 3800; len < 4200; len++) {
        memset(text, 'k', len);
        text[len] = '\0';
        for (int is_json = 0; is_json < 2; is_json++) {
            log_open(LOG_INFO, is_json);
            site.last_ms = 0;
            site.left_out = ULONG_MAX;
            log_line_limited(&site, LOG_INFO, "x", "a=%.*s b=%.2000s c=%.*s d=%d",
                             (int)(len - 2100), text, text, 30, text, 12345678);
            const char *line = written();
            ck_assert_uint_le(strlen(line), 4096);
            ck_assert_ptr_nonnull(strstr(line, is_json ? "\"left_out\":18446744073709551615}\n"
                                                       : " left_out=18446744073709551615\n"));
            if (is_json)
                check_json(line);
        }
    }
}
END_TEST

/* ---- limits ---- */

START_TEST(a_limited_line_comes_once_and_says_how_many_were_left_out)
{
    capture(LOG_INFO, false);
    static struct log_site site;
    for (int i = 0; i < 5; i++)
        log_line_limited(&site, LOG_WARN, "x", "i=%d", i);
    is_line("level=warn at=x i=0");
    site.last_ms -= 10001;
    log_line_limited(&site, LOG_WARN, "x", "i=%d", 5);
    is_line("level=warn at=x i=5 left_out=4");
    site.last_ms -= 10001;
    log_line_limited(&site, LOG_WARN, "x", "i=%d", 6);
    is_line("level=warn at=x i=6");
}
END_TEST

START_TEST(what_was_left_out_at_the_end_of_a_burst_is_told_all_the_same)
{
    static struct log_site site;
    static struct log_site other;
    capture(LOG_INFO, false);
    for (int i = 0; i < 5; i++)
        log_line_limited(&site, LOG_WARN, "x", "i=%d", i);
    log_line_limited(&other, LOG_INFO, "y", "i=%d", 0);
    (void)written();
    log_info("z", "a=1"); /* the site is not quiet yet */
    is_line("level=info at=z a=1");
    log_flush();
    is_line("level=warn at=x left_out=4");
    log_flush();
    ck_assert_str_eq(written(), "");
}
END_TEST

START_TEST(any_line_tells_of_a_site_that_has_gone_quiet)
{
    static struct log_site site;
    capture(LOG_INFO, true);
    for (int i = 0; i < 5; i++)
        log_line_limited(&site, LOG_WARN, "x", "i=%d", i);
    site.last_ms -= 10001;
    (void)written();
    log_info("z", "a=1");
    const char *text = written();
    const char *second = strchr(text, '\n') + 1;
    ck_assert_ptr_eq(strstr(text, "\"level\":\"warn\",\"at\":\"x\",\"left_out\":4}\n"), text + 35);
    ck_assert_str_eq(second + 35, "\"level\":\"info\",\"at\":\"z\",\"a\":1}\n");
}
END_TEST

static void *burst(void *site)
{
    for (int i = 0; i < 20000; i++)
        log_line_limited(site, LOG_WARN, "x", "i=%d", i);
    return NULL;
}

START_TEST(threads_lose_no_line_that_was_left_out)
{
    static struct log_site site;
    pthread_t threads[4];
    capture(LOG_INFO, false);
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, burst, &site), 0);
    for (size_t i = 0; i < 4; i++)
        (void)pthread_join(threads[i], NULL);
    (void)written();
    log_flush();
    is_line("level=warn at=x left_out=79999");
}
END_TEST

START_TEST(levels_have_names)
{
    enum log_level level = LOG_ERROR;
    ck_assert(log_level_parse("debug", &level) && level == LOG_DEBUG);
    ck_assert(log_level_parse("WARN", &level) && level == LOG_WARN);
    ck_assert(!log_level_parse("loud", &level) && level == LOG_WARN);
}
END_TEST

/* ---- secrets ---- */

START_TEST(what_is_hidden_is_in_no_line)
{
    log_hide("hunter2");
    log_hide("pa\"ss wo/rd");
    log_hide("abc"); /* too short */
    capture(LOG_INFO, false);
    log_info("x", "a=%s b=\"%s!\" c=%s d=%s", "hunter2", "my hunter2hunter2", "abc",
             "pa\"ss wo/rd");
    is_line("level=info at=x a=*** b=\"my ******!\" c=abc d=***");
    log_info("x", "url=%s", "redis://me:pa%22ss%20wo%2Frd@host");
    is_line("level=info at=x url=redis://me:***@host");
    log_open(LOG_INFO, true);
    log_info("x", "a=%s", "hunter2");
    is_object("\"level\":\"info\",\"at\":\"x\",\"a\":\"***\"");
}
END_TEST

START_TEST(a_password_that_is_one_of_our_words_changes_no_level)
{
    log_hide("info");
    log_hide("flush");
    log_hide("entities");
    capture(LOG_INFO, false);
    log_info("flush", "entities=%d why=%s state=info", 1, "a flush");
    is_line("level=info at=flush entities=1 why=\"a ***\" state=info");
}
END_TEST

START_TEST(nor_is_a_part_of_it_where_a_text_was_cut)
{
    log_hide("correct horse battery");
    capture(LOG_INFO, false);
    log_info("x", "a=%.*s b=%.*s", 16, "it is correct horse battery", 8, "correct horse");
    is_line("level=info at=x a=\"it is ***\" b=***");
    log_info("x", "a=%s", "so correct"); /* at its end a beginning of a secret, by chance */
    is_line("level=info at=x a=\"so correct\"");
}
END_TEST

START_TEST(the_longest_secret_counts_and_each_is_kept_once)
{
    for (int i = 0; i < 3 * LOG_HIDDEN_MAX; i++)
        log_hide("pass");
    log_hide("pass-word");
    struct buf shown = {NULL, 0, 0};
    log_hidden(slice_of("a pass-word, a pass"), &shown);
    ck_assert_str_eq(buf_text(&shown), "a ***, a ***");
    buf_fini(&shown);
}
END_TEST

static void *hide_many(void *first)
{
    char text[32];
    for (int i = 0; i < 50; i++) {
        (void)snprintf(text, sizeof text, "secret-%d-%d.", *(int *)first, i);
        log_hide(text);
    }
    return NULL;
}

START_TEST(threads_hide_beside_each_other)
{
    pthread_t threads[4];
    int numbers[4] = {0, 1, 2, 3};
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, hide_many, &numbers[i]), 0);
    for (size_t i = 0; i < 4; i++)
        (void)pthread_join(threads[i], NULL);
    for (int i = 0; i < 200; i++) {
        char text[32];
        struct buf shown = {NULL, 0, 0};
        (void)snprintf(text, sizeof text, "secret-%d-%d.", i / 50, i % 50);
        log_hidden(slice_of(text), &shown);
        ck_assert_str_eq(buf_text(&shown), "***");
        buf_fini(&shown);
    }
}
END_TEST

UNIT_MAIN("log", a_line_is_logfmt_with_its_time_and_level,
          a_line_in_json_is_one_object_with_a_member_for_each_field, every_conversion_is_read,
          what_is_no_number_in_json_is_a_string, a_field_without_a_text_is_left_out,
          what_stands_in_a_keys_place_is_more_fields, a_value_is_quoted_where_it_has_to_be,
          text_from_outside_begins_no_line_and_moves_no_cursor, no_text_forges_a_field_or_a_line,
          nor_do_random_bytes, a_long_line_is_cut_at_a_character_and_is_well_formed,
          a_line_of_any_length_stays_within_its_limit,
          a_limited_line_comes_once_and_says_how_many_were_left_out,
          what_was_left_out_at_the_end_of_a_burst_is_told_all_the_same,
          any_line_tells_of_a_site_that_has_gone_quiet, threads_lose_no_line_that_was_left_out,
          levels_have_names, what_is_hidden_is_in_no_line,
          a_password_that_is_one_of_our_words_changes_no_level,
          nor_is_a_part_of_it_where_a_text_was_cut, the_longest_secret_counts_and_each_is_kept_once,
          threads_hide_beside_each_other)
