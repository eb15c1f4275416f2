#include "tidewheel/op.h"

#include <math.h>
#include <string.h>

#include "tidewheel/err.h"

#define SUM_LIMIT 0x1p1000 /* from here on a sum is kept scaled */
#define SUM_SCALE 0x1p-64

/* ---- sums: an unevaluated hi + lo with |lo| <= ulp(hi) / 2 ---- */

struct sum {
    double hi;
    double lo;
    bool is_scaled; /* stands for (hi + lo) * 2^64 */
};

/* In words a scaled pair lies the other way round: |lo| < |hi|, so nothing else is needed to tell. */
static struct sum sum_load(const uint64_t *words)
{
    double pair[2];
    memcpy(pair, words, sizeof pair);
    bool is_scaled = fabs(pair[0]) < fabs(pair[1]);
    return (struct sum){pair[is_scaled], pair[!is_scaled], is_scaled};
}

static void sum_store(struct sum sum, uint64_t *words)
{
    double pair[2];
    pair[sum.is_scaled] = sum.hi;
    pair[!sum.is_scaled] = sum.lo;
    memcpy(words, pair, sizeof pair);
}

static double two_sum(double a, double b, double *ret_error)
{
    double sum = a + b;
    double b_seen = sum - a;
    *ret_error = (a - (sum - b_seen)) + (b - b_seen);
    return sum;
}

static double fast_two_sum(double a, double b, double *ret_error)
{
    double sum = a + b;
    *ret_error = b - (sum - a);
    return sum;
}

/* AccurateDWPlusDW. */
static struct sum pair_add(struct sum x, struct sum y)
{
    double s_low = 0;
    double t_low = 0;
    double v_low = 0;
    struct sum z = {.is_scaled = x.is_scaled};
    double s = two_sum(x.hi, y.hi, &s_low);
    double t = two_sum(x.lo, y.lo, &t_low);
    double v = fast_two_sum(s, s_low + t, &v_low);
    z.hi = fast_two_sum(v, t_low + v_low, &z.lo);
    return z;
}

static struct sum scaled(struct sum sum)
{
    if (sum.is_scaled)
        return sum;
    return (struct sum){sum.hi * SUM_SCALE, sum.lo * SUM_SCALE, true};
}

static struct sum sum_add(struct sum x, struct sum y)
{
    if (!x.is_scaled && !y.is_scaled) {
        struct sum z = pair_add(x, y);
        if (fabs(z.hi) < SUM_LIMIT) /* false for what is not finite, too */
            return z;
    }
    struct sum z = pair_add(scaled(x), scaled(y));
    if (fabs(z.hi) >= SUM_LIMIT * SUM_SCALE)
        return z;
    return (struct sum){z.hi / SUM_SCALE, z.lo / SUM_SCALE, false};
}

/* ---- extremes: integer images of doubles, so that zero can mean "none" ---- */

/* Grows with the double; 0 and UINT64_MAX are images of NaNs only. */
static uint64_t image_of(double value)
{
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

static double image_value(uint64_t image)
{
    uint64_t bits = image >> 63 ? image & ~(UINT64_C(1) << 63) : ~image;
    double value = 0;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* ---- parts ---- */

static void count_add(uint64_t *words, double value)
{
    (void)value;
    words[0]++;
}

static void count_merge(uint64_t *words, const uint64_t *other)
{
    words[0] += other[0];
}

static void sum_part_add(uint64_t *words, double value)
{
    sum_store(sum_add(sum_load(words), (struct sum){value, 0, false}), words);
}

static void sum_part_merge(uint64_t *words, const uint64_t *other)
{
    sum_store(sum_add(sum_load(words), sum_load(other)), words);
}

static void larger_merge(uint64_t *words, const uint64_t *other)
{
    if (words[0] < other[0])
        words[0] = other[0];
}

static void min_add(uint64_t *words, double value)
{
    uint64_t image = ~image_of(value);
    larger_merge(words, &image);
}

static void max_add(uint64_t *words, double value)
{
    uint64_t image = image_of(value);
    larger_merge(words, &image);
}

struct part_row {
    uint8_t words;
    void (*add)(uint64_t *words, double value);
    void (*merge)(uint64_t *words, const uint64_t *other);
};

/* clang-format off */
static const struct part_row part_rows[PARTS] = {
    [PART_COUNT] = {1, count_add,    count_merge},
    [PART_SUM]   = {2, sum_part_add, sum_part_merge},
    [PART_MIN]   = {1, min_add,      larger_merge},
    [PART_MAX]   = {1, max_add,      larger_merge},
};
/* clang-format on */

struct acc_shape acc_shape_of(uint32_t parts)
{
    struct acc_shape shape = {.parts = parts};
    for (size_t part = 0; part < PARTS; part++) {
        if ((parts >> part & 1) == 0)
            continue;
        shape.at[part] = shape.words;
        shape.words = (uint8_t)(shape.words + part_rows[part].words);
    }
    CHECK(shape.words <= ACC_WORDS_MAX);
    return shape;
}

void acc_add(const struct acc_shape *shape, uint64_t *acc, double value)
{
    for (size_t part = 0; part < PARTS; part++)
        if (shape->parts >> part & 1)
            part_rows[part].add(acc + shape->at[part], value);
}

void acc_merge(const struct acc_shape *shape, uint64_t *acc, const uint64_t *other)
{
    for (size_t part = 0; part < PARTS; part++)
        if (shape->parts >> part & 1)
            part_rows[part].merge(acc + shape->at[part], other + shape->at[part]);
}

/* ---- operators ---- */

static struct reading number(double value, bool is_scaled)
{
    if (is_scaled)
        value /= SUM_SCALE;
    if (!isfinite(value))
        return (struct reading){.kind = READING_OVERFLOW};
    return (struct reading){.kind = READING_NUMBER, .number = value};
}

static struct reading read_count(const struct acc_shape *shape, const uint64_t *acc)
{
    return (struct reading){.kind = READING_COUNT, .count = acc[shape->at[PART_COUNT]]};
}

static struct reading read_sum(const struct acc_shape *shape, const uint64_t *acc)
{
    struct sum sum = sum_load(acc + shape->at[PART_SUM]);
    return number(sum.hi, sum.is_scaled);
}

static struct reading read_min(const struct acc_shape *shape, const uint64_t *acc)
{
    uint64_t image = acc[shape->at[PART_MIN]];
    return image == 0 ? (struct reading){.kind = READING_NONE} : number(image_value(~image), false);
}

static struct reading read_max(const struct acc_shape *shape, const uint64_t *acc)
{
    uint64_t image = acc[shape->at[PART_MAX]];
    return image == 0 ? (struct reading){.kind = READING_NONE} : number(image_value(image), false);
}

static struct reading read_avg(const struct acc_shape *shape, const uint64_t *acc)
{
    uint64_t count = acc[shape->at[PART_COUNT]];
    if (count == 0)
        return (struct reading){.kind = READING_NONE};
    struct sum sum = sum_load(acc + shape->at[PART_SUM]);
    return number(sum.hi / (double)count, sum.is_scaled);
}

/* clang-format off */
const struct op op_rows[] = {
    /* name     help                               parts                              value  zero   read */
    {"count",  "events, or values where there is a `value:`", 1u << PART_COUNT,        false, true,  read_count},
    {"sum",    "sum of the values",                1u << PART_SUM,                     true,  true,  read_sum},
    {"min",    "smallest value",                   1u << PART_MIN,                     true,  false, read_min},
    {"max",    "largest value",                    1u << PART_MAX,                     true,  false, read_max},
    {"avg",    "mean of the values",               1u << PART_SUM | 1u << PART_COUNT,  true,  false, read_avg},
};
/* clang-format on */

const size_t op_count = sizeof op_rows / sizeof op_rows[0];

const struct op *op_find(const char *name)
{
    for (size_t i = 0; i < op_count; i++)
        if (strcmp(op_rows[i].name, name) == 0)
            return &op_rows[i];
    return NULL;
}

struct reading op_read(const struct op *op, const struct acc_shape *shape, const uint64_t *acc)
{
    return op->read(shape, acc);
}

bool reading_is_equal(const struct reading *a, const struct reading *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case READING_COUNT:
        return a->count == b->count;
    case READING_NUMBER:
        return a->number == b->number;
    default:
        return true;
    }
}
