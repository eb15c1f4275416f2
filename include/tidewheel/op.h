/* op: the operator table. Adding an aggregate is a row in it.
 *
 * An accumulator is an array of words (8 bytes each), cut into parts. A part is what is stored; an op
 * is what is read off the parts. All-zero words are the empty accumulator, and merging is
 * associative and order-free, so sliding, late events, restoring and combining are the same code for
 * every operator.
 *
 *     part    words  zero means     merge
 *     count   1      no value       add
 *     sum     2      sum of none    double-double addition (Joldes, Muller, Popescu: Tight and
 *                                   rigorous error bounds for basic building blocks of
 *                                   double-word arithmetic, 2017; algorithm 6, error < 3u^2)
 *     min     1      no value       the larger of order-reversing integer images of the doubles
 *     max     1      no value       the larger of order-preserving images
 *
 * A feature keeps the union of its aggregates' parts: avg is sum and count and stores nothing of its
 * own. Sums do not overflow on the way: beyond 2^1000 a pair is kept scaled by 2^-64, so
 * 1e308 + 1e308 - 1e308 is 1e308 in any order.
 *
 * Floor: 1. Owner: pure.
 */
#ifndef TIDEWHEEL_OP_H
#define TIDEWHEEL_OP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum part { PART_COUNT, PART_SUM, PART_MIN, PART_MAX, PARTS };

enum { ACC_WORDS_MAX = 8 };

/* The parts that a feature keeps, and where each lies in its accumulator. */
struct acc_shape {
    uint32_t parts; /* bit (1 << part) */
    uint8_t words;
    uint8_t at[PARTS]; /* first word of each part that is kept */
};

enum reading_kind {
    READING_NONE,     /* does not exist (promise N) */
    READING_COUNT,    /* an exact integer */
    READING_NUMBER,   /* a finite double */
    READING_OVERFLOW, /* not finite: does not exist, and is counted */
};

struct reading {
    enum reading_kind kind;
    union {
        uint64_t count;
        double number;
    };
};

struct op {
    const char *name;
    const char *help;
    uint32_t parts;
    bool needs_value;   /* false: works for features without `value:` too */
    bool zero_if_empty; /* over no events: 0 rather than nothing (promise N) */
    struct reading (*read)(const struct acc_shape *shape, const uint64_t *acc);
};

extern const struct op op_rows[];
extern const size_t op_count;

const struct op *op_find(const char *name); /* NULL: no such aggregate */

struct acc_shape acc_shape_of(uint32_t parts);

void acc_add(const struct acc_shape *shape, uint64_t *acc, double value);
void acc_merge(const struct acc_shape *shape, uint64_t *acc, const uint64_t *other);

/* What the op says of an accumulator; an empty one reads as promise N has it. */
struct reading op_read(const struct op *op, const struct acc_shape *shape, const uint64_t *acc);

bool reading_is_equal(const struct reading *a, const struct reading *b);

#endif
