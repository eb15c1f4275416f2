#include "tidewheel/value.h"

#include <math.h>

#include "tidewheel/verdict.h"
#include "unit.h"

static struct value number(const char *text)
{
    return (struct value){.type = VALUE_NUMBER, .text = slice_of(text)};
}

static struct value string(const char *text)
{
    return (struct value){.type = VALUE_STRING, .text = slice_of(text)};
}

START_TEST(a_number_and_a_string_that_is_one_read_alike)
{
    static const struct {
        const char *text;
        double number;
    } ROWS[] = {{"0", 0},
                {"-1.5", -1.5},
                {"129.95", 129.95},
                {"1e3", 1000},
                {"1E-2", 0.01},
                {"-0", 0},
                {"1e-999", 0},
                {"9223372036854775808", 0x1p63},
                {"1.7976931348623157e308", 1.7976931348623157e308}};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct value values[] = {number(ROWS[i].text), string(ROWS[i].text)};
        for (size_t k = 0; k < 2; k++) {
            double got = NAN;
            ck_assert(value_number(&values[k], &got));
            ck_assert(got == ROWS[i].number && !signbit(got) == !signbit(ROWS[i].number));
        }
    }
}
END_TEST

START_TEST(a_string_that_is_not_exactly_a_json_number_is_none)
{
    static const char *const WRONG[] = {"",    " 1",  "1 ",  "+1",  "01",  ".5",       "1.",
                                        "0x1", "NaN", "inf", "1e",  "1,5", "Infinity", "-",
                                        "1\n", "1f",  "--1", "1e+", "1_0", "true",     "null"};
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        struct value value = string(WRONG[i]);
        double got = 77;
        ck_assert_msg(!value_number(&value, &got) && got == 77, "'%s'", WRONG[i]);
    }
}
END_TEST

START_TEST(what_is_not_finite_as_a_double_is_no_number)
{
    char digits[401];
    memset(digits, '9', 400);
    digits[400] = '\0';
    struct value values[] = {number("1e999"), string("1e999"), number("-1e309"), number(digits)};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        double got = 77;
        ck_assert(!value_number(&values[i], &got));
    }
}
END_TEST

START_TEST(no_other_type_is_a_number)
{
    static const enum value_type TYPES[] = {VALUE_MISSING, VALUE_NULL, VALUE_BOOL, VALUE_COMPOUND};
    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++) {
        struct value value = {.type = TYPES[i], .truth = true, .text = slice_of("1")};
        double got = 77;
        ck_assert(!value_number(&value, &got));
    }
}
END_TEST

START_TEST(missing_and_null_are_not_present)
{
    static const bool PRESENT[] = {
        [VALUE_MISSING] = false, [VALUE_NULL] = false,  [VALUE_BOOL] = true,
        [VALUE_NUMBER] = true,   [VALUE_STRING] = true, [VALUE_COMPOUND] = true,
    };
    for (size_t i = 0; i < sizeof PRESENT / sizeof *PRESENT; i++) {
        struct value value = {.type = (enum value_type)i};
        ck_assert_int_eq(value_is_present(&value), PRESENT[i]);
    }
}
END_TEST

START_TEST(every_verdict_has_a_name_of_its_own_and_a_help_text)
{
    for (size_t i = 0; i < VERDICT_COUNT; i++) {
        const struct verdict_row *row = &verdict_rows[i];
        ck_assert_ptr_nonnull(row->name);
        ck_assert_uint_eq(strspn(row->name, "abcdefghijklmnopqrstuvwxyz_"), strlen(row->name));
        ck_assert_uint_gt(strlen(row->help), 10);
        ck_assert_int_eq(row->help[strlen(row->help) - 1], '.');
        for (size_t k = 0; k < i; k++)
            ck_assert_str_ne(row->name, verdict_rows[k].name);
    }
}
END_TEST

START_TEST(exactly_the_eight_rejections_are_rejections)
{
    for (int i = 0; i < VERDICT_COUNT; i++)
        ck_assert_int_eq(verdict_rows[i].is_rejection, i >= VERDICT_EMPTY && i <= VERDICT_POISON);
}
END_TEST

UNIT_MAIN("value", a_number_and_a_string_that_is_one_read_alike,
          a_string_that_is_not_exactly_a_json_number_is_none,
          what_is_not_finite_as_a_double_is_no_number, no_other_type_is_a_number,
          missing_and_null_are_not_present, every_verdict_has_a_name_of_its_own_and_a_help_text,
          exactly_the_eight_rejections_are_rejections)
