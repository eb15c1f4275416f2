#include "tidewheel/timestamp.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "unit.h"

enum { RANDOM_CASES = 200000, REFUSED = -1 };

static uint64_t state;

static unsigned below(unsigned limit)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(state >> 33) % limit;
}

static void seed(void)
{
    const char *given = getenv("SEED");
    state = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    printf("seed %" PRIu64 "\n", state);
    (void)fflush(stdout);
}

static int64_t read_as(enum value_type type, const char *text, enum time_unit unit)
{
    struct value value = {.type = type, .text = slice_of(text)};
    int64_t ts_ms = REFUSED;
    ck_assert_int_eq(timestamp_read(&value, unit, &ts_ms), ts_ms != REFUSED);
    return ts_ms;
}

struct row {
    const char *text;
    enum time_unit unit;
    int64_t ts_ms;
};

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int64_t as_number = read_as(VALUE_NUMBER, rows[i].text, rows[i].unit);
        int64_t as_string = read_as(VALUE_STRING, rows[i].text, rows[i].unit);
        ck_assert_msg(as_number == rows[i].ts_ms && as_string == rows[i].ts_ms,
                      "%s: %" PRId64 " and %" PRId64 " instead of %" PRId64, rows[i].text,
                      as_number, as_string, rows[i].ts_ms);
    }
}

START_TEST(numbers_and_strings_of_every_unit_are_floored_to_ms)
{
    static const struct row ROWS[] = {
        {"1700000000", TIME_S, 1700000000000},
        {"1700000000.1239", TIME_S, 1700000000123},
        {"1.7e9", TIME_S, 1700000000000},
        {"17E+8", TIME_S, 1700000000000},
        {"170000000012399e-5", TIME_S, 1700000000123},
        {"0.0009", TIME_S, 0},
        {"0.001", TIME_S, 1},
        {"1700000000123", TIME_MS, 1700000000123},
        {"1700000000123.999999999999999999999", TIME_MS, 1700000000123},
        {"1700000000123456", TIME_US, 1700000000123},
        {"1700000000123456789", TIME_NS, 1700000000123},
        {"1700000000123999999", TIME_NS, 1700000000123},
        {"1.700000000123999999e18", TIME_NS, 1700000000123},
        {"999999", TIME_NS, 0},
        {"1000000", TIME_NS, 1},
        {"0.29", TIME_S, 290},
        {"1.001", TIME_S, 1001},
        {"8.41", TIME_S, 8410},
    };
    check_rows(ROWS, sizeof ROWS / sizeof *ROWS);
}
END_TEST

START_TEST(zero_is_a_time_however_it_is_written)
{
    static const struct row ROWS[] = {
        {"0", TIME_MS, 0},     {"-0", TIME_MS, 0},      {"0.0", TIME_S, 0},
        {"-0.000", TIME_S, 0}, {"0e999999", TIME_S, 0}, {"-0E-99", TIME_NS, 0},
    };
    check_rows(ROWS, sizeof ROWS / sizeof *ROWS);
}
END_TEST

START_TEST(the_range_is_from_1970_to_9999)
{
    static const struct row ROWS[] = {
        {"253402300799999", TIME_MS, 253402300799999},
        {"253402300799999.9999", TIME_MS, 253402300799999},
        {"253402300800000", TIME_MS, REFUSED},
        {"253402300799.9999", TIME_S, 253402300799999},
        {"253402300800", TIME_S, REFUSED},
        {"253402300799999999999", TIME_NS, 253402300799999},
        {"253402300800000000000", TIME_NS, REFUSED},
        {"-1", TIME_MS, REFUSED},
        {"-0.0000001", TIME_MS, REFUSED},
        {"-1e-400", TIME_S, REFUSED},
        {"1e-400", TIME_S, 0},
        {"1e400", TIME_S, REFUSED},
        {"1e99999999999999999999", TIME_NS, REFUSED},
        {"1e-99999999999999999999", TIME_NS, 0},
        {"1700000000000000000", TIME_MS, REFUSED},
        {"9223372036854775808", TIME_MS, REFUSED},
    };
    check_rows(ROWS, sizeof ROWS / sizeof *ROWS);
    ck_assert(timestamp_is_valid(0) && timestamp_is_valid(TIMESTAMP_END_MS - 1));
    ck_assert(!timestamp_is_valid(-1) && !timestamp_is_valid(TIMESTAMP_END_MS));
}
END_TEST

START_TEST(a_string_that_is_no_json_number_is_no_time)
{
    static const char *const WRONG[] = {"",   "now", " 1", "1 ",  "+1",    "01",
                                        "1.", ".1",  "1e", "0x1", "1_000", "2021-07-21T06:00:00Z"};
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++)
        ck_assert_msg(read_as(VALUE_STRING, WRONG[i], TIME_S) == REFUSED, "'%s'", WRONG[i]);
}
END_TEST

START_TEST(other_types_are_no_time)
{
    static const enum value_type TYPES[] = {VALUE_MISSING, VALUE_NULL, VALUE_BOOL, VALUE_COMPOUND};
    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++) {
        ck_assert_int_eq(read_as(TYPES[i], "1700000000", TIME_S), REFUSED);
        ck_assert_int_eq(read_as(TYPES[i], "2021-07-21T06:00:00Z", TIME_RFC3339), REFUSED);
    }
    ck_assert_int_eq(read_as(VALUE_NUMBER, "1700000000", TIME_RFC3339), REFUSED);
}
END_TEST

/* The schoolbook way: all digits in one long row, the point moved along it, one place at a time. */
static int64_t naive_read(bool negative, const char *digits, int point)
{
    enum { ROOM = 2000, MIDDLE = 1000 };
    char row[ROOM + 1];
    memset(row, '0', ROOM);
    row[ROOM] = '\0';
    memcpy(row + MIDDLE - point, digits, strlen(digits));
    bool is_zero = strspn(row, "0") == ROOM;
    if (negative && !is_zero)
        return REFUSED;
    row[MIDDLE] = '\0';
    const char *whole = row + strspn(row, "0");
    if (strlen(whole) > 15)
        return REFUSED;
    int64_t ts_ms = (int64_t)strtoull(whole, NULL, 10);
    return ts_ms < TIMESTAMP_END_MS ? ts_ms : REFUSED;
}

START_TEST(random_decimals_are_read_exactly)
{
    static const enum time_unit UNITS[] = {TIME_S, TIME_MS, TIME_US, TIME_NS};
    static const int SHIFTS[] = {3, 0, -3, -6};
    seed();
    for (int i = 0; i < RANDOM_CASES; i++) {
        char digits[64] = "";
        char text[128];
        int len = 1 + (int)below(below(4) == 0 ? 40 : 20);
        int whole = 1 + (int)below((unsigned)len);
        for (int k = 0; k < len; k++)
            digits[k] = (char)('0' + (below(5) == 0 ? 0 : below(10)));
        if (digits[0] == '0' && whole > 1)
            digits[0] = '1';
        bool negative = below(16) == 0;
        int exponent = below(2) == 0 ? 0 : (int)below(60) - 30;
        int used = snprintf(text, sizeof text, "%s%.*s", negative ? "-" : "", whole, digits);
        if (whole < len)
            used += snprintf(text + used, sizeof text - (size_t)used, ".%s", digits + whole);
        if (exponent != 0 || below(8) == 0)
            (void)snprintf(text + used, sizeof text - (size_t)used, below(2) ? "e%d" : "E%+d",
                           exponent);
        unsigned unit = below(4);
        int64_t expected = naive_read(negative, digits, whole + exponent + SHIFTS[unit]);
        int64_t got = read_as(VALUE_NUMBER, text, UNITS[unit]);
        ck_assert_msg(got == expected, "%s by %d: %" PRId64 " instead of %" PRId64, text,
                      SHIFTS[unit], got, expected);
    }
}
END_TEST

static void check_rfc3339(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int64_t got = read_as(VALUE_STRING, rows[i].text, TIME_RFC3339);
        ck_assert_msg(got == rows[i].ts_ms, "%s: %" PRId64 " instead of %" PRId64, rows[i].text,
                      got, rows[i].ts_ms);
    }
}

START_TEST(rfc3339_has_offsets_fractions_and_both_cases)
{
    static const struct row ROWS[] = {
        {"2021-07-21T06:00:00Z", TIME_RFC3339, 1626847200000},
        {"2021-07-21t08:00:00.123456+02:00", TIME_RFC3339, 1626847200123},
        {"2021-07-21T06:00:00.9z", TIME_RFC3339, 1626847200900},
        {"2021-07-21T06:00:00.99999999999999999999999999Z", TIME_RFC3339, 1626847200999},
        {"2021-07-20T06:01:00-23:59", TIME_RFC3339, 1626847200000},
        {"2021-07-22T05:59:00+23:59", TIME_RFC3339, 1626847200000},
        {"2021-07-21T06:00:00-00:00", TIME_RFC3339, 1626847200000},
        {"1970-01-01T00:00:00Z", TIME_RFC3339, 0},
        {"1969-12-31T23:30:00-00:30", TIME_RFC3339, 0},
        {"9999-12-31T23:59:59.999Z", TIME_RFC3339, TIMESTAMP_END_MS - 1},
        {"2000-02-29T00:00:00Z", TIME_RFC3339, 951782400000},
        {"2024-02-29T23:59:59Z", TIME_RFC3339, 1709251199000},
    };
    check_rfc3339(ROWS, sizeof ROWS / sizeof *ROWS);
}
END_TEST

START_TEST(a_second_of_60_is_the_first_of_the_next_minute)
{
    static const struct row ROWS[] = {
        {"2016-12-31T23:59:60Z", TIME_RFC3339, 1483228800000},
        {"2016-12-31T23:59:60.25Z", TIME_RFC3339, 1483228800250},
        {"2017-01-01T01:59:60+02:00", TIME_RFC3339, 1483228800000},
        {"2016-12-31T23:59:61Z", TIME_RFC3339, REFUSED},
        {"9999-12-31T23:59:60Z", TIME_RFC3339, REFUSED},
    };
    check_rfc3339(ROWS, sizeof ROWS / sizeof *ROWS);
}
END_TEST

START_TEST(what_is_not_rfc3339_is_refused)
{
    static const char *const WRONG[] = {"",
                                        "2021",
                                        "2021-07-21",
                                        "2021-07-21T06:00:00",
                                        "2021-07-21 06:00:00Z",
                                        "2021-07-21T06:00Z",
                                        "2021-07-21T06:00:00.Z",
                                        "2021-07-21T06:00:00,5Z",
                                        "2021-07-21T06:00:00ZZ",
                                        "2021-07-21T06:00:00Z ",
                                        " 2021-07-21T06:00:00Z",
                                        "2021-07-21T06:00:00+0200",
                                        "2021-07-21T06:00:00+02",
                                        "2021-07-21T06:00:00+24:00",
                                        "2021-07-21T06:00:00+02:60",
                                        "2021-07-21T24:00:00Z",
                                        "2021-07-21T06:60:00Z",
                                        "2021-13-21T06:00:00Z",
                                        "2021-00-21T06:00:00Z",
                                        "2021-07-00T06:00:00Z",
                                        "2021-07-32T06:00:00Z",
                                        "2021-06-31T06:00:00Z",
                                        "2021-02-29T06:00:00Z",
                                        "1900-02-29T06:00:00Z",
                                        "2100-02-29T06:00:00Z",
                                        "21-07-21T06:00:00Z",
                                        "2021-7-21T06:00:00Z",
                                        "+2021-07-21T06:00:00Z",
                                        "-021-07-21T06:00:00Z",
                                        "10000-01-01T00:00:00Z",
                                        "1969-12-31T23:59:59.999Z",
                                        "1970-01-01T00:00:00+00:01",
                                        "9999-12-31T23:59:59-00:01",
                                        "0000-01-01T00:00:00Z",
                                        "1700000000",
                                        "2021-07-21T06:00:00\342\210\22202:00"};
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++)
        ck_assert_msg(read_as(VALUE_STRING, WRONG[i], TIME_RFC3339) == REFUSED, "'%s'", WRONG[i]);
    int64_t ts_ms = REFUSED;
    ck_assert(!timestamp_parse_rfc3339((struct slice){"2021-07-21T06:00:00Z\0", 21}, &ts_ms));
    ck_assert(!timestamp_parse_rfc3339((struct slice){NULL, 0}, &ts_ms));
}
END_TEST

START_TEST(random_rfc3339_times_agree_with_the_c_library)
{
    seed();
    for (int i = 0; i < RANDOM_CASES; i++) {
        struct tm tm = {.tm_year = (int)below(240) + 60,
                        .tm_mon = (int)below(12),
                        .tm_mday = (int)below(31) + 1,
                        .tm_hour = (int)below(24),
                        .tm_min = (int)below(60),
                        .tm_sec = (int)below(61)};
        struct tm there = tm;
        int offset = (int)below(24 * 60 * 2) - 24 * 60;
        int ms = (int)below(1000);
        if (offset == -24 * 60)
            offset = 0;
        char text[64];
        (void)snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03d%u%c%02d:%02d",
                       tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
                       tm.tm_sec, ms, below(100), offset < 0 ? '-' : '+', abs(offset) / 60,
                       abs(offset) % 60);
        int64_t expected = (int64_t)timegm(&there) * 1000 + ms - offset * INT64_C(60000);
        struct tm day = tm;
        day.tm_hour = day.tm_min = day.tm_sec = 0;
        (void)timegm(&day);
        if (day.tm_mday != tm.tm_mday || !timestamp_is_valid(expected))
            expected = REFUSED;
        int64_t got = read_as(VALUE_STRING, text, TIME_RFC3339);
        ck_assert_msg(got == expected, "%s: %" PRId64 " instead of %" PRId64, text, got, expected);
    }
}
END_TEST

START_TEST(a_formatted_time_reads_back)
{
    char text[32];
    timestamp_format(1700000000000, text);
    ck_assert_str_eq(text, "2023-11-14T22:13:20.000Z");
    timestamp_format(TIMESTAMP_END_MS - 1, text);
    ck_assert_str_eq(text, "9999-12-31T23:59:59.999Z");
    seed();
    for (int i = 0; i < RANDOM_CASES; i++) {
        int64_t ts_ms = (int64_t)(((uint64_t)below(1u << 30) << 30 | below(1u << 30)) %
                                  (uint64_t)TIMESTAMP_END_MS);
        int64_t back = REFUSED;
        timestamp_format(ts_ms, text);
        ck_assert(timestamp_parse_rfc3339(slice_of(text), &back) && back == ts_ms);
    }
}
END_TEST

UNIT_MAIN("timestamp", numbers_and_strings_of_every_unit_are_floored_to_ms,
          zero_is_a_time_however_it_is_written, the_range_is_from_1970_to_9999,
          a_string_that_is_no_json_number_is_no_time, other_types_are_no_time,
          random_decimals_are_read_exactly, rfc3339_has_offsets_fractions_and_both_cases,
          a_second_of_60_is_the_first_of_the_next_minute, what_is_not_rfc3339_is_refused,
          random_rfc3339_times_agree_with_the_c_library, a_formatted_time_reads_back)
