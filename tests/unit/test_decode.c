#include "tidewheel/decode.h"

#include <stdio.h>

#include "unit.h"

/* The view of all tests: entity user_id, time ts in ms, values amount and order.total. */
enum { USER, TS, AMOUNT, TOTAL, SLOTS };

#define WALL_MS   INT64_C(1700000000000)
#define MINUTE_MS INT64_C(60000)

static const struct decode_limits LIMITS = {.event_bytes = 262144, .nesting = 64, .key_bytes = 256};

static struct topic topic;
static struct key_spec key;
static struct view view;
static struct decoder *decoder;

static struct event event; /* of the last record */
static struct routed routed;

static void open_with(const struct decode_limits *limits)
{
    static const char *const NAMES[SLOTS] = {"user_id", "ts", "amount", "order.total"};
    topic = (struct topic){.paths = paths_new()};
    for (int i = 0; i < SLOTS; i++) {
        int slot = PATH_NONE;
        ck_assert_int_eq(paths_add(topic.paths, NAMES[i], &slot, NULL), 0);
        ck_assert_int_eq(slot, i);
    }
    key = (struct key_spec){.type = KEY_STRING, .slot = USER};
    view = (struct view){.topic = &topic,
                         .time_unit = TIME_MS,
                         .time_slot = TS,
                         .keys = &key,
                         .key_count = 1,
                         .future_max_ms = MINUTE_MS};
    decoder = decoder_new(limits);
}

static void open_view(void)
{
    open_with(&LIMITS);
}

static void close_view(void)
{
    decoder_free(decoder);
    paths_free(topic.paths);
}

static enum verdict judge(struct slice bytes, int64_t record_ms, int64_t wall_ms)
{
    struct record record = {.value = bytes, .timestamp_ms = record_ms};
    routed = (struct routed){.ts_ms = -77};
    enum verdict verdict = decode(decoder, &topic, &record, &event);
    return verdict != VERDICT_ACCEPTED ? verdict
                                       : decode_for_view(decoder, &view, &event, wall_ms, &routed);
}

static enum verdict judge_text(const char *json)
{
    return judge(slice_of(json), WALL_MS, WALL_MS);
}

/* The JSON text stands where the format has its percent sign. */
static enum verdict judge_field(const char *format, const char *json)
{
    struct buf text = {0};
    for (const char *at = format; *at != '\0'; at++) {
        if (*at == '%')
            buf_add_text(&text, json);
        else
            buf_add_char(&text, *at);
    }
    static struct buf kept; /* what is routed points into it */
    buf_fini(&kept);
    kept = text;
    return judge(buf_slice(&kept), WALL_MS, WALL_MS);
}

static enum verdict judge_key(const char *json)
{
    return judge_field("{\"user_id\":%,\"ts\":1700000000000}", json);
}

static enum verdict judge_ts(const char *json)
{
    return judge_field("{\"user_id\":\"u\",\"ts\":%}", json);
}

static enum verdict judge_amount(const char *json)
{
    return judge_field("{\"user_id\":\"u\",\"ts\":1700000000000,\"amount\":%}", json);
}

#define CHECK_VERDICT(got, expected)                                                               \
    ck_assert_str_eq(verdict_rows[got].name, verdict_rows[expected].name)

static void check_identity(const char *text)
{
    ck_assert_msg(slice_is_equal(routed.identity, slice_of(text)), "%.*s", (int)routed.identity.len,
                  routed.identity.ptr);
}

/* That the decoder goes on as if nothing had been. */
static void check_goes_on(void)
{
    CHECK_VERDICT(judge_text("{\"user_id\":\"u1\",\"ts\":1700000000001,\"amount\":2.5}"),
                  VERDICT_ACCEPTED);
    ck_assert_int_eq(routed.ts_ms, 1700000000001);
    check_identity("u1");
    ck_assert_int_eq(event.values[AMOUNT].type, VALUE_NUMBER);
    ck_assert_int_eq(event.values[TOTAL].type, VALUE_MISSING);
    ck_assert_uint_eq(event.duplicates, 0);
    close_view();
}

START_TEST(a_good_event_is_accepted_with_time_identity_and_values)
{
    open_view();
    CHECK_VERDICT(judge_text("{\"order\":{\"total\":9},\"ts\":\"1700000000000.9\",\"user_id\":42}"),
                  VERDICT_ACCEPTED);
    ck_assert_int_eq(routed.ts_ms, WALL_MS);
    check_identity("42");
    double total = 0;
    ck_assert(value_number(&event.values[TOTAL], &total) && total == 9);
    ck_assert_int_eq(event.record_ms, WALL_MS);
    check_goes_on();
}
END_TEST

START_TEST(an_empty_value_is_empty)
{
    open_view();
    CHECK_VERDICT(judge((struct slice){"", 0}, WALL_MS, WALL_MS), VERDICT_EMPTY);
    check_goes_on();
}
END_TEST

START_TEST(a_tombstone_is_empty)
{
    open_view();
    CHECK_VERDICT(judge((struct slice){NULL, 0}, WALL_MS, WALL_MS), VERDICT_EMPTY);
    check_goes_on();
}
END_TEST

START_TEST(an_event_over_the_size_limit_is_too_big_whatever_it_holds)
{
    open_with(&(struct decode_limits){.event_bytes = 64, .nesting = 64, .key_bytes = 256});
    char json[66];
    (void)snprintf(json, sizeof json, "{\"user_id\":\"u1\",\"ts\":1700000000001%30s}", "");
    CHECK_VERDICT(judge((struct slice){json, 65}, WALL_MS, WALL_MS), VERDICT_TOO_BIG);
    memset(json, '\xff', sizeof json);
    CHECK_VERDICT(judge((struct slice){json, 65}, WALL_MS, WALL_MS), VERDICT_TOO_BIG);
    (void)snprintf(json, sizeof json, "{\"user_id\":\"u1\",\"ts\":1700000000001%29s}", "");
    CHECK_VERDICT(judge((struct slice){json, 64}, WALL_MS, WALL_MS), VERDICT_ACCEPTED);
    check_goes_on();
}
END_TEST

START_TEST(what_is_not_json_is_bad_json)
{
    open_view();
    CHECK_VERDICT(judge_text("hello"), VERDICT_BAD_JSON);
    CHECK_VERDICT(judge_text("{\"user_id\":\"u\",\"ts\":1700000000000"), VERDICT_BAD_JSON);
    CHECK_VERDICT(judge_text("{\"user_id\":\"u\",\"ts\":1700000000000}}"), VERDICT_BAD_JSON);
    check_goes_on();
}
END_TEST

START_TEST(a_top_level_array_is_not_object)
{
    open_view();
    CHECK_VERDICT(judge_text("[{\"user_id\":\"u\",\"ts\":1700000000000}]"), VERDICT_NOT_OBJECT);
    CHECK_VERDICT(judge_text("[{\"user_id\":\"u\",\"ts\":1700000000000}"), VERDICT_BAD_JSON);
    check_goes_on();
}
END_TEST

START_TEST(ten_million_nested_brackets_are_bad_json)
{
    enum { BRACKETS = 10000000 };
    open_with(&(struct decode_limits){.event_bytes = BRACKETS, .nesting = 64, .key_bytes = 256});
    char *json = malloc(BRACKETS);
    ck_assert_ptr_nonnull(json);
    memset(json, '[', BRACKETS);
    CHECK_VERDICT(judge((struct slice){json, BRACKETS}, WALL_MS, WALL_MS), VERDICT_BAD_JSON);
    free(json);
    check_goes_on();
}
END_TEST

START_TEST(invalid_utf8_in_a_used_field_is_bad_json)
{
    open_view();
    CHECK_VERDICT(judge_key("\"u\xff\""), VERDICT_BAD_JSON);
    CHECK_VERDICT(judge_key("\"\xc0\x80\""), VERDICT_BAD_JSON);
    CHECK_VERDICT(judge_key("\"\xed\xa0\x80\""), VERDICT_BAD_JSON);
    CHECK_VERDICT(judge_key("\"u\",\"note\":\"\xff\""), VERDICT_ACCEPTED);
    check_goes_on();
}
END_TEST

START_TEST(a_lone_surrogate_in_a_used_field_is_bad_json)
{
    open_view();
    CHECK_VERDICT(judge_key("\"\\ud83d\""), VERDICT_BAD_JSON);
    CHECK_VERDICT(judge_key("\"\\ude00u\""), VERDICT_BAD_JSON);
    CHECK_VERDICT(judge_amount("\"\\ud83d\\u0041\""), VERDICT_BAD_JSON);
    CHECK_VERDICT(judge_key("\"\\ud83d\\ude00\""), VERDICT_ACCEPTED);
    check_identity("%F0%9F%98%80");
    check_goes_on();
}
END_TEST

START_TEST(of_a_name_given_twice_the_first_wins_and_it_is_counted)
{
    open_view();
    CHECK_VERDICT(judge_key("\"first\",\"user_id\":\"second\",\"note\":1,\"note\":2"),
                  VERDICT_ACCEPTED);
    check_identity("first");
    ck_assert_uint_eq(event.duplicates, 1);
    CHECK_VERDICT(judge_key("\"u\",\"order\":1,\"order\":{\"total\":5}"), VERDICT_ACCEPTED);
    ck_assert_int_eq(event.values[TOTAL].type, VALUE_MISSING);
    ck_assert_uint_eq(event.duplicates, 1);
    check_goes_on();
}
END_TEST

START_TEST(a_byte_order_mark_is_bad_json)
{
    open_view();
    CHECK_VERDICT(judge_text("\xef\xbb\xbf{\"user_id\":\"u\",\"ts\":1700000000000}"),
                  VERDICT_BAD_JSON);
    check_goes_on();
}
END_TEST

START_TEST(odd_numbers_are_values_as_far_as_they_are_finite)
{
    char digits[401];
    memset(digits, '9', 400);
    digits[400] = '\0';
    const struct {
        const char *json;
        bool is_number;
        double number;
    } rows[] = {
        {"1e999", false, 0},
        {"-1e999", false, 0},
        {digits, false, 0},
        {"\"1e999\"", false, 0},
        {"-0", true, 0},
        {"-0.0", true, 0},
        {"9223372036854775808", true, 0x1p63},
        {"1e-999", true, 0},
        {"\"129.95\"", true, 129.95},
    };
    open_view();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double number = 0;
        CHECK_VERDICT(judge_amount(rows[i].json), VERDICT_ACCEPTED);
        ck_assert_int_eq(value_number(&event.values[AMOUNT], &number), rows[i].is_number);
        ck_assert(number == rows[i].number);
    }
    check_goes_on();
}
END_TEST

START_TEST(wrong_types_of_a_value_are_present_but_no_number)
{
    static const char *const TYPES[] = {"true", "\"\"", "\"abc\"", "[1]", "{\"a\":1}"};
    open_view();
    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++) {
        double number = 0;
        CHECK_VERDICT(judge_amount(TYPES[i]), VERDICT_ACCEPTED);
        ck_assert(value_is_present(&event.values[AMOUNT]));
        ck_assert(!value_number(&event.values[AMOUNT], &number));
    }
    CHECK_VERDICT(judge_amount("null"), VERDICT_ACCEPTED);
    ck_assert(!value_is_present(&event.values[AMOUNT]));
    check_goes_on();
}
END_TEST

START_TEST(a_key_of_a_mebibyte_is_too_long)
{
    enum { LEN = 1 << 20 };
    open_with(&(struct decode_limits){.event_bytes = 2 * LEN, .nesting = 64, .key_bytes = 256});
    char *json = malloc(LEN + 3);
    ck_assert_ptr_nonnull(json);
    memset(json, ':', LEN + 2);
    json[0] = json[LEN + 1] = '"';
    json[LEN + 2] = '\0';
    CHECK_VERDICT(judge_key(json), VERDICT_KEY_TOO_LONG);
    memset(json + 1, '7', LEN);
    CHECK_VERDICT(judge_key(json), VERDICT_KEY_TOO_LONG);
    json[257] = '"';
    json[258] = '\0';
    CHECK_VERDICT(judge_key(json), VERDICT_ACCEPTED);
    free(json);
    check_goes_on();
}
END_TEST

START_TEST(colons_braces_and_newlines_in_a_key_are_encoded_and_nul_is_refused)
{
    open_view();
    CHECK_VERDICT(judge_key("\"a:b{tw:}\\n\\r c\""), VERDICT_ACCEPTED);
    check_identity("a%3Ab%7Btw%3A%7D%0A%0D%20c");
    CHECK_VERDICT(judge_key("\"a\\u0000b\""), VERDICT_BAD_JSON);
    CHECK_VERDICT(judge_key("\"a\nb\""), VERDICT_BAD_JSON);
    static const char RAW_NUL[] = "{\"user_id\":\"a\0b\",\"ts\":1}";
    CHECK_VERDICT(judge((struct slice){RAW_NUL, sizeof RAW_NUL - 1}, WALL_MS, WALL_MS),
                  VERDICT_BAD_JSON);
    check_goes_on();
}
END_TEST

START_TEST(a_missing_empty_or_odd_key_is_no_key)
{
    static const char *const KEYS[] = {"null", "\"\"", "true", "1.5", "1e3", "[]", "{\"a\":1}"};
    open_view();
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++)
        CHECK_VERDICT(judge_key(KEYS[i]), VERDICT_NO_KEY);
    CHECK_VERDICT(judge_text("{\"ts\":1700000000000}"), VERDICT_NO_KEY);
    check_goes_on();
}
END_TEST

START_TEST(a_timestamp_of_zero_is_1970_and_accepted)
{
    open_view();
    CHECK_VERDICT(judge_ts("0"), VERDICT_ACCEPTED);
    ck_assert_int_eq(routed.ts_ms, 0);
    CHECK_VERDICT(judge_ts("-0"), VERDICT_ACCEPTED);
    check_goes_on();
}
END_TEST

START_TEST(a_negative_timestamp_is_bad_timestamp)
{
    open_view();
    CHECK_VERDICT(judge_ts("-1"), VERDICT_BAD_TIMESTAMP);
    CHECK_VERDICT(judge_ts("-0.001"), VERDICT_BAD_TIMESTAMP);
    check_goes_on();
}
END_TEST

START_TEST(a_timestamp_in_ns_where_ms_are_meant_is_bad_timestamp)
{
    open_view();
    CHECK_VERDICT(judge_ts("1700000000000000000"), VERDICT_BAD_TIMESTAMP);
    check_goes_on();
}
END_TEST

START_TEST(a_timestamp_in_the_year_10000_is_bad_timestamp_and_before_it_future)
{
    open_view();
    CHECK_VERDICT(judge_ts("253402300800000"), VERDICT_BAD_TIMESTAMP);
    CHECK_VERDICT(judge_ts("253402300799999"), VERDICT_FUTURE);
    check_goes_on();
}
END_TEST

START_TEST(a_missing_or_odd_timestamp_is_bad_timestamp)
{
    static const char *const TIMES[] = {"null", "true", "\"\"", "\"now\"", "[]", "{}", "1e400"};
    open_view();
    for (size_t i = 0; i < sizeof TIMES / sizeof *TIMES; i++)
        CHECK_VERDICT(judge_ts(TIMES[i]), VERDICT_BAD_TIMESTAMP);
    CHECK_VERDICT(judge_text("{\"user_id\":\"u\"}"), VERDICT_BAD_TIMESTAMP);
    check_goes_on();
}
END_TEST

START_TEST(reasons_are_looked_for_in_their_order)
{
    open_view();
    CHECK_VERDICT(judge_text("{\"user_id\":\"\",\"ts\":-1}"), VERDICT_BAD_TIMESTAMP);
    CHECK_VERDICT(judge_text("{\"user_id\":\"\",\"ts\":253402300799999}"), VERDICT_NO_KEY);
    check_goes_on();
}
END_TEST

static enum verdict judge_time(int64_t ts_ms, int64_t record_ms, int64_t wall_ms)
{
    char json[96];
    (void)snprintf(json, sizeof json, "{\"user_id\":\"u\",\"ts\":%lld}", (long long)ts_ms);
    return judge(slice_of(json), record_ms, wall_ms);
}

START_TEST(an_event_too_far_after_its_record_is_future_whatever_the_wall_says)
{
    static const int64_t WALLS[] = {WALL_MS, WALL_MS + 86400000, WALL_MS - MINUTE_MS};
    open_view();
    for (size_t i = 0; i < 3; i++) {
        CHECK_VERDICT(judge_time(WALL_MS + MINUTE_MS, WALL_MS, WALLS[i]), VERDICT_ACCEPTED);
        CHECK_VERDICT(judge_time(WALL_MS + MINUTE_MS + 1, WALL_MS, WALLS[i]), VERDICT_FUTURE);
    }
    check_goes_on();
}
END_TEST

START_TEST(without_a_record_timestamp_the_wall_clock_judges)
{
    open_view();
    CHECK_VERDICT(judge_time(WALL_MS + MINUTE_MS, -1, WALL_MS), VERDICT_ACCEPTED);
    CHECK_VERDICT(judge_time(WALL_MS + MINUTE_MS + 1, -1, WALL_MS), VERDICT_FUTURE);
    check_goes_on();
}
END_TEST

START_TEST(a_record_too_far_ahead_of_the_wall_clock_is_no_judge)
{
    open_view();
    CHECK_VERDICT(judge_time(WALL_MS + 2 * MINUTE_MS, WALL_MS + MINUTE_MS, WALL_MS),
                  VERDICT_ACCEPTED);
    CHECK_VERDICT(judge_time(WALL_MS + 2 * MINUTE_MS, WALL_MS + MINUTE_MS + 1, WALL_MS),
                  VERDICT_FUTURE);
    CHECK_VERDICT(judge_time(WALL_MS + MINUTE_MS, WALL_MS + MINUTE_MS + 1, WALL_MS),
                  VERDICT_ACCEPTED);
    check_goes_on();
}
END_TEST

START_TEST(where_the_record_timestamp_is_the_event_time_the_wall_clock_judges)
{
    static const struct slice JSON = {"{\"user_id\":\"u\"}", 15};
    open_view();
    view.time_unit = TIME_RECORD;
    CHECK_VERDICT(judge(JSON, WALL_MS + MINUTE_MS, WALL_MS), VERDICT_ACCEPTED);
    ck_assert_int_eq(routed.ts_ms, WALL_MS + MINUTE_MS);
    CHECK_VERDICT(judge(JSON, WALL_MS + MINUTE_MS + 1, WALL_MS), VERDICT_FUTURE);
    CHECK_VERDICT(judge(JSON, -1, WALL_MS), VERDICT_BAD_TIMESTAMP);
    CHECK_VERDICT(judge(JSON, TIMESTAMP_END_MS, WALL_MS), VERDICT_BAD_TIMESTAMP);
    view.time_unit = TIME_MS;
    check_goes_on();
}
END_TEST

START_TEST(an_endless_wall_clock_refuses_nothing_as_future)
{
    open_view();
    CHECK_VERDICT(judge_time(TIMESTAMP_END_MS - 1, -1, INT64_MAX), VERDICT_ACCEPTED);
    CHECK_VERDICT(judge_time(TIMESTAMP_END_MS - 1, 0, INT64_MAX), VERDICT_ACCEPTED);
    check_goes_on();
}
END_TEST

START_TEST(an_endless_future_max_refuses_nothing_as_future)
{
    open_view();
    view.future_max_ms = INT64_MAX;
    CHECK_VERDICT(judge_time(TIMESTAMP_END_MS - 1, 1, WALL_MS), VERDICT_ACCEPTED);
    CHECK_VERDICT(judge_time(TIMESTAMP_END_MS - 1, -1, WALL_MS), VERDICT_ACCEPTED);
    check_goes_on();
}
END_TEST

START_TEST(a_tenant_is_part_of_the_identity)
{
    struct key_spec keys[] = {{.slot = TOTAL}, {.slot = USER}};
    open_view();
    view.has_tenant = true;
    view.keys = keys;
    view.key_count = 2;
    CHECK_VERDICT(judge_key("\"p:1\",\"order\":{\"total\":\"o1\"}"), VERDICT_ACCEPTED);
    check_identity("o1:p%3A1");
    CHECK_VERDICT(judge_key("\"p1\""), VERDICT_NO_KEY);
    view.keys = &key;
    view.key_count = 1;
    check_goes_on();
}
END_TEST

UNIT_MAIN("decode", a_good_event_is_accepted_with_time_identity_and_values, an_empty_value_is_empty,
          a_tombstone_is_empty, an_event_over_the_size_limit_is_too_big_whatever_it_holds,
          what_is_not_json_is_bad_json, a_top_level_array_is_not_object,
          ten_million_nested_brackets_are_bad_json, invalid_utf8_in_a_used_field_is_bad_json,
          a_lone_surrogate_in_a_used_field_is_bad_json,
          of_a_name_given_twice_the_first_wins_and_it_is_counted, a_byte_order_mark_is_bad_json,
          odd_numbers_are_values_as_far_as_they_are_finite,
          wrong_types_of_a_value_are_present_but_no_number, a_key_of_a_mebibyte_is_too_long,
          colons_braces_and_newlines_in_a_key_are_encoded_and_nul_is_refused,
          a_missing_empty_or_odd_key_is_no_key, a_timestamp_of_zero_is_1970_and_accepted,
          a_negative_timestamp_is_bad_timestamp,
          a_timestamp_in_ns_where_ms_are_meant_is_bad_timestamp,
          a_timestamp_in_the_year_10000_is_bad_timestamp_and_before_it_future,
          a_missing_or_odd_timestamp_is_bad_timestamp, reasons_are_looked_for_in_their_order,
          an_event_too_far_after_its_record_is_future_whatever_the_wall_says,
          without_a_record_timestamp_the_wall_clock_judges,
          a_record_too_far_ahead_of_the_wall_clock_is_no_judge,
          where_the_record_timestamp_is_the_event_time_the_wall_clock_judges,
          an_endless_wall_clock_refuses_nothing_as_future,
          an_endless_future_max_refuses_nothing_as_future, a_tenant_is_part_of_the_identity)
