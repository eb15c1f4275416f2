/* The operator table: every row obeys the laws that sliding, restoring and combining rely on. */
#include "tidewheel/op.h"

#include <float.h>
#include <string.h>

#include "unit.h"

static const double ODD[] = {0,       1,        -1,     0.1,     -0.1,   1e308, -1e308,
                             DBL_MAX, -DBL_MAX, 5e-324, -5e-324, 1e-308, 1e300, -1e300,
                             3.5,     2.25,     1e16,   1,       -1e16,  1e100};
enum { ODD_COUNT = sizeof ODD / sizeof *ODD };

static uint32_t all_parts(void)
{
    uint32_t parts = 0;
    for (size_t i = 0; i < op_count; i++)
        parts |= op_rows[i].parts;
    return parts;
}

START_TEST(an_accumulator_of_zero_bytes_is_empty_for_every_operator)
{
    uint64_t acc[ACC_WORDS_MAX] = {0};
    for (size_t i = 0; i < op_count; i++) {
        struct acc_shape shape = acc_shape_of(op_rows[i].parts);
        struct reading reading = op_read(&op_rows[i], &shape, acc);
        if (op_rows[i].zero_if_empty)
            ck_assert(reading.kind == READING_COUNT ? reading.count == 0 : reading.number == 0);
        else
            ck_assert_int_eq(reading.kind, READING_NONE);
    }
}
END_TEST

START_TEST(merging_is_free_of_order_for_every_operator)
{
    struct acc_shape shape = acc_shape_of(all_parts());
    for (size_t turn = 0; turn < ODD_COUNT; turn++) {
        uint64_t forward[ACC_WORDS_MAX] = {0};
        uint64_t parted[ACC_WORDS_MAX] = {0};
        uint64_t other[ACC_WORDS_MAX] = {0};
        for (size_t i = 0; i < ODD_COUNT; i++) {
            acc_add(&shape, forward, ODD[i]);
            acc_add(&shape, i % 3 == turn % 3 ? parted : other, ODD[(i + turn) % ODD_COUNT]);
        }
        acc_merge(&shape, other, parted);
        for (size_t i = 0; i < op_count; i++) {
            struct reading a = op_read(&op_rows[i], &shape, forward);
            struct reading b = op_read(&op_rows[i], &shape, other);
            ck_assert_msg(a.kind == b.kind, "%s", op_rows[i].name);
            if (op_rows[i].parts >> PART_SUM &
                1) /* within 2^-90 of the magnitudes, which are 1e308 here */
                ck_assert_double_eq_tol(a.number, b.number, 1e282);
            else
                ck_assert_msg(reading_is_equal(&a, &b), "%s", op_rows[i].name);
        }
    }
}
END_TEST

static struct reading sum_of(const double *values, size_t count)
{
    struct acc_shape shape = acc_shape_of(op_find("sum")->parts);
    uint64_t acc[ACC_WORDS_MAX] = {0};
    for (size_t i = 0; i < count; i++)
        acc_add(&shape, acc, values[i]);
    return op_read(op_find("sum"), &shape, acc);
}

START_TEST(a_sum_keeps_what_a_double_would_drop)
{
    ck_assert_double_eq(sum_of((double[]){1e16, 1, -1e16}, 3).number, 1);
    double tenths[1000];
    for (int i = 0; i < 1000; i++)
        tenths[i] = 0.1;
    ck_assert_double_eq(sum_of(tenths, 1000).number, 100);
}
END_TEST

START_TEST(a_sum_does_not_overflow_on_the_way)
{
    ck_assert_double_eq(sum_of((double[]){1e308, 1e308, -1e308}, 3).number, 1e308);
    ck_assert_double_eq(sum_of((double[]){DBL_MAX, DBL_MAX, -DBL_MAX, -DBL_MAX, 7}, 5).number, 7);
    ck_assert_double_eq(sum_of((double[]){5e-324, 5e-324}, 2).number, 1e-323);
}
END_TEST

START_TEST(n_a_result_that_is_not_finite_does_not_exist_and_is_an_overflow)
{
    ck_assert_int_eq(sum_of((double[]){1e308, 1e308}, 2).kind, READING_OVERFLOW);
    ck_assert_int_eq(sum_of((double[]){-1e308, -1e308}, 2).kind, READING_OVERFLOW);
}
END_TEST

START_TEST(a_mean_is_finite_where_its_sum_is_not)
{
    struct acc_shape shape = acc_shape_of(op_find("avg")->parts);
    uint64_t acc[ACC_WORDS_MAX] = {0};
    acc_add(&shape, acc, 1e308);
    acc_add(&shape, acc, 1e308);
    ck_assert_double_eq(op_read(op_find("avg"), &shape, acc).number, 1e308);
}
END_TEST

START_TEST(extremes_hold_zero_and_both_signs)
{
    struct acc_shape shape = acc_shape_of(op_find("min")->parts | op_find("max")->parts);
    for (size_t i = 0; i < ODD_COUNT; i++) {
        for (size_t k = 0; k < ODD_COUNT; k++) {
            uint64_t acc[ACC_WORDS_MAX] = {0};
            acc_add(&shape, acc, ODD[i]);
            acc_add(&shape, acc, ODD[k]);
            double low = ODD[i] < ODD[k] ? ODD[i] : ODD[k];
            double high = ODD[i] > ODD[k] ? ODD[i] : ODD[k];
            ck_assert_double_eq(op_read(op_find("min"), &shape, acc).number, low);
            ck_assert_double_eq(op_read(op_find("max"), &shape, acc).number, high);
        }
    }
}
END_TEST

START_TEST(a_feature_keeps_only_the_parts_that_its_aggregates_need)
{
    ck_assert_uint_eq(acc_shape_of(op_find("count")->parts).words, 1);
    ck_assert_uint_eq(acc_shape_of(op_find("avg")->parts).words, 3);
    ck_assert_uint_eq(acc_shape_of(op_find("avg")->parts | op_find("sum")->parts).words, 3);
    ck_assert_uint_eq(acc_shape_of(all_parts()).words, 5);
    ck_assert_ptr_null(op_find("median"));
}
END_TEST

UNIT_MAIN("op", an_accumulator_of_zero_bytes_is_empty_for_every_operator,
          merging_is_free_of_order_for_every_operator, a_sum_keeps_what_a_double_would_drop,
          a_sum_does_not_overflow_on_the_way,
          n_a_result_that_is_not_finite_does_not_exist_and_is_an_overflow,
          a_mean_is_finite_where_its_sum_is_not, extremes_hold_zero_and_both_signs,
          a_feature_keeps_only_the_parts_that_its_aggregates_need)
