#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#include "reader_kit.h"

START_TEST(a_kept_string_must_be_strict_text)
{
    static const char *const WRONG[] = {
        "\\ud83d",  "\\ude00x",     "\\ud83d\\u0041",   "\\u0000",    "a\\u0000", "\xff",
        "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "ab\xe2\x82", "\\n\xff",  "12345678\x80"};
    OPEN("a", "o.p");
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        char json[128];
        (void)snprintf(json, sizeof json, "{\"a\":\"%s\"}", WRONG[i]);
        check_read(json, VERDICT_BAD_JSON);
        (void)snprintf(json, sizeof json, "{\"o\":{\"p\":\"%s\"}}", WRONG[i]);
        check_read(json, VERDICT_BAD_JSON);
        /* Where nobody looks it does no harm. */
        (void)snprintf(json, sizeof json, "{\"x\":\"%s\",\"o\":[\"%s\"],\"%s\":1,\"a\":1}",
                       WRONG[i], WRONG[i], WRONG[i]);
        check_read(json, VERDICT_ACCEPTED);
        check_value(0, VALUE_NUMBER, "1");
    }
    close_reader();
}
END_TEST

START_TEST(raw_control_characters_in_strings_are_bad_json)
{
    OPEN("a");
    for (int byte = 0; byte < 0x20; byte++) {
        char json[] = "{\"x\":\"?\"}";
        json[6] = (char)byte;
        ck_assert_int_eq(read_bytes(json, sizeof json - 1), VERDICT_BAD_JSON);
    }
    close_reader();
}
END_TEST

START_TEST(valid_json_that_is_no_object_is_not_object)
{
    static const char *const TEXTS[] = {"[]",     "[{\"a\":1}]", "1",     "-0.5e1",
                                        "\"a\"",  "true",        "null",  " [1, 2] ",
                                        "false ", "\"\\ud83d\"", "[[[]]]"};
    OPEN("a", "0.a", "0");
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
        check_read(TEXTS[i], VERDICT_NOT_OBJECT);
        for (int slot = 0; slot < 3; slot++)
            check_value(slot, VALUE_MISSING, "");
    }
    close_reader();
}
END_TEST

START_TEST(what_is_not_json_is_bad_json)
{
    static const char *const WRONG[] = {"",
                                        " ",
                                        "{",
                                        "}",
                                        "{]",
                                        "[",
                                        "[}",
                                        "[1",
                                        "x",
                                        "nul",
                                        "nulll",
                                        "{\"a\"}",
                                        "{\"a\":}",
                                        "{\"a\":1,}",
                                        "{,}",
                                        "{\"a\":1 \"b\":2}",
                                        "{a:1}",
                                        "{'a':1}",
                                        "{\"a\":01}",
                                        "{\"a\":+1}",
                                        "{\"a\":.5}",
                                        "{\"a\":1.}",
                                        "{\"a\":1e}",
                                        "{\"a\":-}",
                                        "{\"a\":NaN}",
                                        "{\"a\":Infinity}",
                                        "{\"a\":0x1}",
                                        "{\"a\":tru}",
                                        "{\"a\":\"x}",
                                        "{\"a\":\"\\x\"}",
                                        "{\"a\":\"\\u12\"}",
                                        "{\"a\":\"\\u12g4\"}",
                                        "{1:2}",
                                        "{\"a\":1}}",
                                        "{\"a\":1}{}",
                                        "{\"a\":1} x",
                                        "{\"a\":1},",
                                        "{\"a\":1} 1",
                                        "[1] 2",
                                        "1 2",
                                        "[1]]",
                                        "[1,]",
                                        "{\"a\":1}//",
                                        "/**/{\"a\":1}",
                                        "{}\x01",
                                        "{\"a\":1}\"",
                                        "{\"a\":1} \"x\\",
                                        "{}\"\\u12",
                                        "{} -",
                                        "[]\"",
                                        "1\"",
                                        "1 \"x",
                                        "{} tr",
                                        "{}1",
                                        "\v{}",
                                        "{}\f",
                                        "{\f}",
                                        "{\"a\":\v1}",
                                        "[\v]",
                                        "[",
                                        "\"a",
                                        "-",
                                        "1e",
                                        "tru",
                                        "{\"a\":1}\xff"};
    OPEN("a");
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++)
        check_read(WRONG[i], VERDICT_BAD_JSON);
    ck_assert_int_eq(read_bytes("{\"a\":1}\0", 8), VERDICT_BAD_JSON);
    ck_assert_int_eq(read_bytes("\0{\"a\":1}", 8), VERDICT_BAD_JSON);
    close_reader();
}
END_TEST

START_TEST(a_byte_order_mark_is_bad_json)
{
    OPEN("a");
    check_read("\xef\xbb\xbf{\"a\":1}", VERDICT_BAD_JSON);
    ck_assert_int_eq(read_bytes("\xff\xfe{\0}\0", 6), VERDICT_BAD_JSON);
    ck_assert_int_eq(read_bytes("{\0}\0", 4), VERDICT_BAD_JSON);
    close_reader();
}
END_TEST

START_TEST(an_event_cut_anywhere_is_bad_json)
{
    static const char WHOLE[] =
        "{\"a\":{\"b\":[1,-2.5e3,\"x\\n\",{\"c\":true}]},\"d\":null,\"e\":\"\\ud83d\\ude00\"}";
    OPEN("a.b.2", "d", "e");
    for (size_t len = 0; len < sizeof WHOLE - 1; len++)
        ck_assert_msg(read_bytes(WHOLE, len) == VERDICT_BAD_JSON, "%zu", len);
    ck_assert_int_eq(read_bytes(WHOLE, sizeof WHOLE - 1), VERDICT_ACCEPTED);
    close_reader();
}
END_TEST

static char *nested(size_t depth, const char *before, const char *open, const char *close)
{
    char *json = malloc(strlen(before) + depth * (strlen(open) + strlen(close)) + 2);
    ck_assert_ptr_nonnull(json);
    char *at = json + sprintf(json, "%s", before);
    for (size_t i = 0; i < depth; i++)
        at += sprintf(at, "%s", open);
    for (size_t i = 0; i < depth; i++)
        at += sprintf(at, "%s", close);
    (void)sprintf(at, "%s", *before != '\0' ? "}" : "");
    return json;
}

START_TEST(nesting_goes_up_to_the_limit_and_no_further)
{
    static const struct {
        const char *before;
        const char *open;
        const char *close;
        enum verdict verdict;
    } ROWS[] = {
        {"{\"x\":", "[", "]", VERDICT_ACCEPTED},
        {"{\"a\":", "[", "]", VERDICT_ACCEPTED},
        {"{\"a\":", "{\"a\":[", "]}", VERDICT_ACCEPTED},
        {"", "[", "]", VERDICT_NOT_OBJECT},
    };
    OPEN("a", "a.a.0.a.0.a.0", "a.0.0.0");
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        size_t room = NESTING - (*ROWS[i].before != '\0');
        size_t depth = room / strlen(ROWS[i].close);
        char *json = nested(depth, ROWS[i].before, ROWS[i].open, ROWS[i].close);
        check_read(json, ROWS[i].verdict);
        free(json);
        json = nested(depth + 1, ROWS[i].before, ROWS[i].open, ROWS[i].close);
        check_read(json, VERDICT_BAD_JSON);
        free(json);
    }
    close_reader();
}
END_TEST

static long peak_kib(void)
{
    struct rusage usage;
    ck_assert_int_eq(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

START_TEST(a_high_limit_is_reached_in_little_memory)
{
    enum { DEEP = 300000, GROWTH_KIB_MAX = 65536 };
    static struct value none;
    paths = paths_new();
    reader = event_reader_new(DEEP);
    char *json = malloc(2 * DEEP);
    ck_assert_ptr_nonnull(json);
    memset(json, '[', DEEP);
    memset(json + DEEP, ']', DEEP);
    struct slice text = {json, 2 * DEEP};
    long before_kib = peak_kib();
    ck_assert_int_eq(event_reader_read(reader, paths, text, &none, &duplicates),
                     VERDICT_NOT_OBJECT);
    ck_assert_int_lt(peak_kib() - before_kib, GROWTH_KIB_MAX);
    free(json);
    close_reader();
}
END_TEST

START_TEST(ten_million_nested_brackets_are_refused_at_once)
{
    enum { BRACKETS = 10000000, MS_MAX = 1000 };
    OPEN("a", "a.0.0.0.0");
    char *json = malloc(BRACKETS + 8);
    ck_assert_ptr_nonnull(json);
    memset(json, '[', BRACKETS + 8);
    clock_t begin = clock();
    ck_assert_int_eq(
        event_reader_read(reader, paths, (struct slice){json, BRACKETS}, values, &duplicates),
        VERDICT_BAD_JSON);
    memcpy(json, "{\"a\":", 5);
    ck_assert_int_eq(
        event_reader_read(reader, paths, (struct slice){json, BRACKETS}, values, &duplicates),
        VERDICT_BAD_JSON);
    ck_assert_int_lt((clock() - begin) * 1000 / CLOCKS_PER_SEC, MS_MAX);
    free(json);
    close_reader();
}
END_TEST

UNIT_MAIN("event_refused", a_kept_string_must_be_strict_text,
          raw_control_characters_in_strings_are_bad_json,
          valid_json_that_is_no_object_is_not_object, what_is_not_json_is_bad_json,
          a_byte_order_mark_is_bad_json, an_event_cut_anywhere_is_bad_json,
          nesting_goes_up_to_the_limit_and_no_further, a_high_limit_is_reached_in_little_memory,
          ten_million_nested_brackets_are_refused_at_once)
