/* decimal: the exact value of a JSON number's text, however long it is.
 *
 *     -0.00123e7   ->  negative, digits 123, point 5        -0.123 * 10^5
 *     1700000000   ->  digits 17, point 10                    0.17 * 10^10
 *     0, -0.0e9    ->  no digits
 *
 * Nothing goes through a double and nothing is copied: the digits stay in the text, which is lent.
 * Exponents saturate far outside anything that is a time or a count.
 *
 * Floor: 0. Owner: pure.
 */
#ifndef TIDEWHEEL_DECIMAL_H
#define TIDEWHEEL_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct decimal {
    bool negative;     /* never of zero */
    const char *first; /* the first digit that is not 0; equal to end for zero */
    const char *end;   /* behind the last digit that is not 0; a '.' may lie between */
    int64_t point;     /* digits in front of the decimal point, counted from first */
};

/* False unless the text is exactly one number of the JSON grammar. */
bool decimal_read(const char *ptr, size_t len, struct decimal *ret);

bool decimal_is_equal(const struct decimal *a, const struct decimal *b);

/* The value times 10^shift, rounded down to an integer, if that is within 0 and 10^18 - 1. */
bool decimal_floor(const struct decimal *decimal, int64_t shift, int64_t *ret);

#endif
