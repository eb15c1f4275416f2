/* num: numbers to and from text, the same in every locale.
 *
 *     num_parse("1e3")   -> 1000          num_format(129.95) -> 129.95
 *     num_parse("-0")    -> 0             num_format(3)      -> 3
 *     num_parse("1e999") -> refused       num_format(0.1)    -> 0.1
 *     num_parse("012")   -> refused       num_format(1e21)   -> 1e+21
 *
 * num_parse() takes exactly one number of the JSON grammar (RFC 8259, section 6), correctly rounded,
 * and refuses what is not finite as a double. Minus zero is taken as zero.
 * num_format() gives the shortest text that reads back to the same double.
 *
 * Floor: 0. Owner: any thread.
 */
#ifndef TIDEWHEEL_NUM_H
#define TIDEWHEEL_NUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NUM_TEXT_MAX = 32 };

/* Is it a JSON number? *ret_integer, where asked for, tells whether it has neither fraction nor
 * exponent. */
bool num_is_json(const char *ptr, size_t len, bool *ret_integer);

bool num_parse(const char *ptr, size_t len, double *ret);

/* Canonical digits only: no plus, no leading zeros, no "-0", within int64. */
bool num_parse_int64(const char *ptr, size_t len, int64_t *ret);

/* Write at most NUM_TEXT_MAX bytes, not NUL-terminated; the length is returned. value is finite. */
size_t num_format(double value, char *ret);
size_t num_format_int64(int64_t value, char *ret);
size_t num_format_uint64(uint64_t value, char *ret);

#endif
