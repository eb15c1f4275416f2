/* Numbers to and from text. */
#include <fenv.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tidewheel/num.h"
#include "unit.h"

enum { RANDOM_DOUBLES = 400000 };

static uint64_t state;

static uint64_t next_random(void)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    uint64_t mixed = (state ^ state >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
    return mixed ^ mixed >> 32;
}

static unsigned seed_random(void)
{
    unsigned seed = (unsigned)time(NULL);
    printf("seed %u\n", seed);
    state = seed;
    return seed;
}

static double double_of(uint64_t bits)
{
    double value = 0;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static const char *format(double value)
{
    static char text[NUM_TEXT_MAX + 1];
    text[num_format(value, text)] = '\0';
    return text;
}

static bool parse(const char *text, double *ret)
{
    return num_parse(text, strlen(text), ret);
}

/* ---- format ---- */

START_TEST(numbers_are_written_like_this)
{
    static const struct {
        double value;
        const char *text;
    } rows[] = {
        {0, "0"},
        {-0.0, "0"},
        {3, "3"},
        {-3, "-3"},
        {0.1, "0.1"},
        {129.95, "129.95"},
        {-0.05, "-0.05"},
        {0.000001, "0.000001"},
        {1e21, "1e+21"},
        {1e15, "1e+15"},
        {1.5e-7, "1.5e-07"},
        {100, "100"},
        {1234567.891, "1234567.891"},
        {999999999999999, "999999999999999"},
        {0.1 + 0.2, "0.30000000000000004"},
        {5e-324, "5e-324"},
        {DBL_MAX, "1.7976931348623157e+308"},
        {-1.0 / 3, "-0.3333333333333333"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        ck_assert_str_eq(format(rows[i].value), rows[i].text);
}
END_TEST

/* It reads back to the very double, and to nothing but a JSON number. */
static bool reads_back(double value)
{
    char text[NUM_TEXT_MAX];
    size_t len = num_format(value, text);
    double back = 1;
    return len <= NUM_TEXT_MAX && num_is_json(text, len, NULL) && num_parse(text, len, &back) &&
           back == value && !(back == 0 && signbit(back));
}

START_TEST(any_double_reads_back)
{
    unsigned seed = seed_random();
    bool is_right = true;
    for (int i = 0; i < RANDOM_DOUBLES && is_right; i++) {
        double value = double_of(next_random());
        if (i % 4 == 1)
            value = (double)(int64_t)(next_random() % 2000000000) / 100 - 1e7; /* amounts */
        else if (i % 4 == 2)
            value = double_of(next_random() >> 12); /* subnormal */
        else if (i % 4 == 3)
            value = nextafter((double)(next_random() >> 40) / 1000, i % 8 == 3 ? 0 : 1e9);
        if (isfinite(value))
            is_right = reads_back(value);
        if (!is_right)
            ck_abort_msg("seed %u: %.17g", seed, value);
    }
}
END_TEST

static int significant_digits(const char *text)
{
    int count = 0;
    int zeros = 0; /* that may turn out to be in the middle */
    for (; *text != '\0' && *text != 'e'; text++) {
        if (*text < '0' || *text > '9' || (count == 0 && *text == '0'))
            continue;
        zeros = *text == '0' ? zeros + 1 : 0;
        count++;
    }
    return count - zeros;
}

/* Does one of the two decimals of so many digits around a value read back to it? */
static bool has_shorter(double value, int digits)
{
    static const int roundings[] = {FE_DOWNWARD, FE_UPWARD};
    bool is_found = false;
    for (size_t i = 0; i < 2; i++) {
        char text[64];
        double back = 0;
        (void)fesetround(roundings[i]);
        (void)snprintf(text, sizeof text, "%.*e", digits - 1, value);
        (void)fesetround(FE_TONEAREST);
        is_found = is_found || (parse(text, &back) && back == value);
    }
    return is_found;
}

START_TEST(no_shorter_text_reads_back)
{
    unsigned seed = seed_random();
    for (int i = 0; i < 20000; i++) {
        double value = double_of(next_random());
        if (!isnormal(value))
            continue;
        int digits = significant_digits(format(value));
        bool is_shortest = digits == 1 || !has_shorter(value, digits - 1);
        if (!is_shortest)
            ck_abort_msg("seed %u: %.17g is written %s", seed, value, format(value));
    }
    for (int power = -1022; power < 1024; power++) { /* the gap below is half of that above */
        double value = ldexp(1, power);
        int digits = significant_digits(format(value));
        if (digits > 1 && has_shorter(value, digits - 1))
            ck_abort_msg("2^%d is written %s", power, format(value));
    }
}
END_TEST

START_TEST(integers_are_written_in_full)
{
    char text[NUM_TEXT_MAX + 1];
    text[num_format_uint64(UINT64_MAX, text)] = '\0';
    ck_assert_str_eq(text, "18446744073709551615");
    text[num_format_uint64(0, text)] = '\0';
    ck_assert_str_eq(text, "0");
    text[num_format_int64(INT64_MIN, text)] = '\0';
    ck_assert_str_eq(text, "-9223372036854775808");
    text[num_format_int64(INT64_MAX, text)] = '\0';
    ck_assert_str_eq(text, "9223372036854775807");
}
END_TEST

/* ---- parse ---- */

START_TEST(a_number_is_one_by_the_json_grammar)
{
    static const char *const good[] = {
        "0",   "-0",  "1",      "10",   "-1.5",
        "1e3", "1E3", "1e+3",   "1e-3", "0.5",
        "0e5", "0.0", "1.25e2", "1e00", "123456789012345678901234567890"};
    static const char *const bad[] = {
        "",    "-",   "+1",  "01",       "-01", "1.",   ".5",   "1e", "1e+", "1 ", " 1",   "0x10",
        "1_0", "1,5", "NaN", "Infinity", "--1", "1e5.", "1.e5", "1f", "1\0", "00", "1e 5", "-.5"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ck_assert_msg(num_is_json(good[i], strlen(good[i]), NULL), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        double value = 7;
        size_t len = strlen(bad[i]) + (strcmp(bad[i], "1") == 0);
        ck_assert_msg(!num_is_json(bad[i], len, NULL), "%s", bad[i]);
        ck_assert(!num_parse(bad[i], len, &value) && value == 7);
    }
    bool is_integer = false;
    ck_assert(num_is_json("-12", 3, &is_integer) && is_integer);
    ck_assert(num_is_json("1.0", 3, &is_integer) && !is_integer);
    ck_assert(num_is_json("1e2", 3, &is_integer) && !is_integer);
}
END_TEST

START_TEST(any_text_of_number_bytes_is_judged_as_strtod_would_read_it)
{
    static const char bytes[] = "0123456789..eE+--";
    unsigned seed = seed_random();
    for (int i = 0; i < 300000; i++) {
        char text[24];
        size_t len = next_random() % 23;
        for (size_t k = 0; k < len; k++)
            text[k] = bytes[next_random() % (sizeof bytes - 1)];
        text[len] = '\0';
        double value = 0;
        if (!num_parse(text, len, &value))
            continue;
        char *end = NULL;
        double expected = strtod(text, &end);
        if (*end != '\0' || value != expected)
            ck_abort_msg("seed %u: %s", seed, text);
    }
}
END_TEST

START_TEST(long_and_extreme_numbers_are_rounded_correctly)
{
    static const char *const texts[] = {"9007199254740993",
                                        "9007199254740992.9999999999999999999",
                                        "1e22",
                                        "1e23",
                                        "1e-22",
                                        "123456789012345678",
                                        "2.2250738585072011e-308",
                                        "2.2250738585072014e-308",
                                        "4.9e-324",
                                        "2e-324",
                                        "1e-999",
                                        "0.000000000000000000000000000001",
                                        "1.7976931348623157e308",
                                        "100000000000000000000000000000000000000000000000e-20",
                                        "0e999999999999",
                                        "8.5e15",
                                        "9007199254740991e22",
                                        "1000000000000000000000e1"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        double value = -1;
        ck_assert_msg(parse(texts[i], &value), "%s", texts[i]);
        ck_assert_msg(value == strtod(texts[i], NULL), "%s", texts[i]);
    }
    char many[3001];
    memset(many, '9', sizeof many);
    memcpy(many, "0.", 2);
    double value = 0;
    ck_assert(num_parse(many, 3000, &value) && value == 1);
    ck_assert(!num_parse(many + 2, 400, &value)); /* beyond every double */
    static const char *const infinite[] = {"1e999", "-1e999", "1.8e308", "1e99999999999999999999"};
    for (size_t i = 0; i < sizeof infinite / sizeof *infinite; i++)
        ck_assert_msg(!parse(infinite[i], &value), "%s", infinite[i]);
}
END_TEST

START_TEST(minus_zero_is_zero)
{
    static const char *const zeros[] = {"-0", "-0.0", "-0e5", "-1e-999", "-0.000e-999"};
    for (size_t i = 0; i < sizeof zeros / sizeof *zeros; i++) {
        double value = 1;
        ck_assert(parse(zeros[i], &value));
        ck_assert(value == 0 && !signbit(value));
    }
}
END_TEST

START_TEST(an_int64_is_its_canonical_digits)
{
    static const struct {
        const char *text;
        bool is_good;
        int64_t value;
    } rows[] = {{"0", true, 0},
                {"42", true, 42},
                {"-7", true, -7},
                {"9223372036854775807", true, INT64_MAX},
                {"-9223372036854775808", true, INT64_MIN},
                {"9223372036854775808", false, 0},
                {"-9223372036854775809", false, 0},
                {"99999999999999999999", false, 0},
                {"10000000000000000000000000", false, 0},
                {"-0", false, 0},
                {"007", false, 0},
                {"+1", false, 0},
                {"1.0", false, 0},
                {"1e3", false, 0},
                {"", false, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t value = 0;
        ck_assert_msg(num_parse_int64(rows[i].text, strlen(rows[i].text), &value) ==
                          rows[i].is_good,
                      "%s", rows[i].text);
        ck_assert_int_eq(value, rows[i].value);
    }
}
END_TEST

/* ---- locale ---- */

/* A locale with a decimal comma: one of the system's, or one made for the test. */
static bool use_comma(char *folder)
{
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"};
    char command[160];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (setlocale(LC_ALL, names[i]) != NULL)
            return true;
    if (mkdtemp(folder) == NULL)
        return false;
    (void)snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 %s/comma 2>/dev/null",
                   folder);
    int made = system(command);
    (void)made; /* it warns, and makes it */
    (void)setenv("LOCPATH", folder, 1);
    bool is_there = setlocale(LC_ALL, "comma") != NULL;
    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) == 0 && is_there;
}

START_TEST(no_locale_changes_a_number)
{
    char folder[] = "/tmp/tidewheel-locale-XXXXXX";
    char shown[16];
    if (!use_comma(folder)) {
        printf("skipped  num no_locale_changes_a_number  (no locale with a comma)\n");
        return;
    }
    (void)snprintf(shown, sizeof shown, "%.1f", 0.5);
    ck_assert_str_eq(shown, "0,5");
    static const double values[] = {0.1, 1.5e-7, 0.1 + 0.2, 1.2345e300, 5e-324};
    static const char *const texts[] = {"0.1", "1.5e-07", "0.30000000000000004", "1.2345e+300",
                                        "5e-324"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        double back = 0;
        ck_assert_str_eq(format(values[i]), texts[i]);
        ck_assert(parse(texts[i], &back) && back == values[i]);
    }
    double value = 0;
    ck_assert(!parse("0,5", &value));
}
END_TEST

UNIT_MAIN("num", numbers_are_written_like_this, any_double_reads_back, no_shorter_text_reads_back,
          integers_are_written_in_full, a_number_is_one_by_the_json_grammar,
          any_text_of_number_bytes_is_judged_as_strtod_would_read_it,
          long_and_extreme_numbers_are_rounded_correctly, minus_zero_is_zero,
          an_int64_is_its_canonical_digits, no_locale_changes_a_number)
