#include "tidewheel/decimal.h"

#include <string.h>

#include "unit.h"

static bool read(const char *text, struct decimal *ret)
{
    return decimal_read(text, strlen(text), ret);
}

START_TEST(ways_to_write_one_number_are_equal_and_others_are_not)
{
    /* Rows of equals; no two rows are. */
    static const char *const ROWS[][6] = {
        {"0", "-0", "0.0", "0e7", "-0.00E-3", "0e-99999999999"},
        {"1", "1.0", "1e0", "10e-1", "0.1e1", "0.0001E+4"},
        {"-1", "-1.0", "-100e-2"},
        {"1000000", "1e6", "0.001e9", "1000000.000"},
        {"0.00123", "123e-5", "0.123e-2", "0.0012300"},
        {"9007199254740993", "9007199254740993.0", "900719925474099.3e1"},
        {"9007199254740992"},
        {"10.5", "1.05e1", "105e-1"},
        {"1.005", "1005e-3"},
        {"1e400", "10e399"},
        {"0.1", "1e-1", "0.1000000"},
        {"0.1000000000000000055511151231257827"},
    };
    enum { COUNT = sizeof ROWS / sizeof *ROWS };
    for (size_t i = 0; i < COUNT * 6; i++) {
        for (size_t k = 0; k < COUNT * 6; k++) {
            const char *first = ROWS[i / 6][i % 6];
            const char *second = ROWS[k / 6][k % 6];
            struct decimal a;
            struct decimal b;
            if (first == NULL || second == NULL)
                continue;
            ck_assert(read(first, &a) && read(second, &b));
            ck_assert_msg(decimal_is_equal(&a, &b) == (i / 6 == k / 6), "%s and %s", first, second);
        }
    }
}
END_TEST

START_TEST(only_json_numbers_are_decimals)
{
    static const char *const WRONG[] = {"", "-", "01", "1.", ".1", "1e", "+1", "1 ", "x", "1e+"};
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        struct decimal decimal;
        ck_assert(!read(WRONG[i], &decimal));
    }
}
END_TEST

START_TEST(a_floor_drops_what_is_behind_the_point)
{
    static const struct {
        const char *text;
        int64_t shift;
        int64_t floor; /* -1: there is none */
    } ROWS[] = {
        {"0", 5, 0},
        {"12.999", 0, 12},
        {"12.999", 2, 1299},
        {"12.999", 5, 1299900},
        {"129", -1, 12},
        {"129", -3, 0},
        {"129", -9, 0},
        {"0.5", 0, 0},
        {"-0", 0, 0},
        {"-0.1", 0, -1},
        {"999999999999999999", 0, 999999999999999999},
        {"1000000000000000000", 0, -1},
        {"1e19", -1, -1},
        {"1e18", -1, 100000000000000000},
        {"1e999999999999999999999999", 3, -1},
        {"1e-999999999999999999999999", 3, 0},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct decimal decimal;
        int64_t got = -1;
        ck_assert(read(ROWS[i].text, &decimal));
        ck_assert_int_eq(decimal_floor(&decimal, ROWS[i].shift, &got), ROWS[i].floor >= 0);
        ck_assert_msg(got == ROWS[i].floor, "%s: %lld", ROWS[i].text, (long long)got);
    }
}
END_TEST

START_TEST(a_quarter_of_a_million_digits_take_no_time)
{
    enum { LEN = 262144 };
    char *text = malloc(LEN);
    ck_assert_ptr_nonnull(text);
    memset(text, '9', LEN);
    struct decimal a;
    int64_t floor = 0;
    ck_assert(decimal_read(text, LEN, &a) && decimal_is_equal(&a, &a));
    ck_assert(!decimal_floor(&a, 0, &floor));
    ck_assert(decimal_floor(&a, -LEN + 2, &floor) && floor == 99);
    free(text);
}
END_TEST

UNIT_MAIN("decimal", ways_to_write_one_number_are_equal_and_others_are_not,
          only_json_numbers_are_decimals, a_floor_drops_what_is_behind_the_point,
          a_quarter_of_a_million_digits_take_no_time)
