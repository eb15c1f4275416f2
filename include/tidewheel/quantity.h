/* quantity: durations and sizes as people write them.
 *
 *     500ms 30s 5m 1h 7d        512B 256KiB 64MiB 4GiB
 *
 * A whole number and one unit, nothing else: no fractions, no signs, no leading zeros, no spaces.
 * Only a size may do without a unit: it is in bytes.
 *
 * Floor: 1. Owner: pure.
 */
#ifndef TIDEWHEEL_QUANTITY_H
#define TIDEWHEEL_QUANTITY_H

#include <stdbool.h>
#include <stdint.h>

enum { QUANTITY_TEXT_MAX = 32 };

/* As regular expressions, for schemas. */
#define DURATION_PATTERN "^(0|[1-9][0-9]*)(ms|s|m|h|d)$"
#define SIZE_PATTERN     "^(0|[1-9][0-9]*)(B|KiB|MiB|GiB|TiB)?$"

bool duration_parse(const char *text, int64_t *ret_ms);
bool size_parse(const char *text, int64_t *ret_bytes);

/* In the largest unit that divides it, NUL-terminated; ret has room for QUANTITY_TEXT_MAX. */
void duration_format(int64_t ms, char *ret);
void size_format(int64_t bytes, char *ret);

#endif
