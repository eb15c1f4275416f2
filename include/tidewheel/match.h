/* match: does an event satisfy a feature's `where`?
 *
 *     where: {event_type: purchase, amount: {gt: 0}, any: [{country: DE}, {coupon: {exists: true}}]}
 *
 * A tree: all, any and not over terms. Equality compares JSON type and value (1 = 1.0, "1" is not 1;
 * integers of any length are compared exactly); gt gte lt lte read their field as an aggregate's
 * value is read. Missing and null are the same: every comparison is false, and so is exists. not is
 * plain negation, so {not: {a: 1}} holds for an event without a.
 *
 * Floor: 1. Owner: built once, then const and shared.
 */
#ifndef TIDEWHEEL_MATCH_H
#define TIDEWHEEL_MATCH_H

#include "tidewheel/value.h"

enum match_op {
    MATCH_ALL, /* of no children: true */
    MATCH_ANY, /* of no children: false */
    MATCH_NOT, /* of exactly one child */
    MATCH_EQUAL,
    MATCH_EXISTS, /* operand: a bool */
    MATCH_GT,
    MATCH_GTE,
    MATCH_LT,
    MATCH_LTE,
};

struct match;

struct match *match_new(enum match_op op); /* ALL, ANY, NOT */
struct match *match_new_term(enum match_op op, int slot,
                             const struct value *operand); /* copies it */
void match_add(struct match *match, struct match *child);  /* child is now match's */
void match_free(struct match *match);

bool match_is(const struct match *match, const struct value *values); /* NULL match: true */

/* For whoever walks the tree. */
enum match_op match_op(const struct match *match);
size_t match_count(const struct match *match); /* of children; a term has none */
const struct match *match_child(const struct match *match, size_t index);
int match_slot(const struct match *match);                    /* of a term, as the next */
const struct value *match_operand(const struct match *match); /* lent */

#endif
