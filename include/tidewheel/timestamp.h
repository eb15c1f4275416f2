/* timestamp: an event's time in Unix milliseconds, from what producers write.
 *
 *     s       1700000000.1239, "1700000000"      ms us ns alike: a number or a string that is one
 *     rfc3339 2021-07-21T06:00:00Z, 2021-07-21t08:00:00.123456+02:00
 *
 * Exact decimal arithmetic, floored to ms; never through a double. The range is
 * 0 <= ts < 253402300800000 (the years 1970 to 9999); anything outside it, or of another shape, is
 * bad_timestamp. RFC 3339 is read as its section 5.6 has it: T and Z in either case, a fraction of
 * any length, an offset of at most 23:59; a second of 60 counts as the first of the next minute.
 *
 * Floor: 1. Owner: pure.
 */
#ifndef TIDEWHEEL_TIMESTAMP_H
#define TIDEWHEEL_TIMESTAMP_H

#include "tidewheel/value.h"

enum time_unit {
    TIME_RECORD, /* Kafka's record timestamp */
    TIME_S,
    TIME_MS,
    TIME_US,
    TIME_NS,
    TIME_RFC3339,
};

#define TIMESTAMP_END_MS INT64_C(253402300800000)

bool timestamp_is_valid(int64_t ts_ms);
bool timestamp_read(const struct value *value, enum time_unit unit, int64_t *ret_ms);

/* RFC 3339 text alone, as timestamp_read() takes it. */
bool timestamp_parse_rfc3339(struct slice text, int64_t *ret_ms);

/* "2023-11-14T22:13:20.000Z", NUL-terminated. ret has room for 32 bytes. */
void timestamp_format(int64_t ts_ms, char *ret);

#endif
