/* verdict: what became of an event, and the counters of it (promise B).
 *
 * An event is rejected for one reason, or accepted. An accepted event is, for each feature,
 * unmatched, missing, bad_type, late or applied. Each has one row in verdict_rows[], which is where
 * names and help texts come from.
 *
 * Floor: 1. Owner: none; constants.
 */
#ifndef TIDEWHEEL_VERDICT_H
#define TIDEWHEEL_VERDICT_H

#include <stdbool.h>

enum verdict {
    /* of the event */
    VERDICT_ACCEPTED,
    VERDICT_EMPTY,
    VERDICT_TOO_BIG,
    VERDICT_BAD_JSON,
    VERDICT_NOT_OBJECT,
    VERDICT_BAD_TIMESTAMP,
    VERDICT_NO_KEY,
    VERDICT_KEY_TOO_LONG,
    VERDICT_FUTURE,
    VERDICT_POISON, /* by no check: it ended the process each time it was applied */
    /* of an accepted event, per feature */
    VERDICT_UNMATCHED,
    VERDICT_MISSING,
    VERDICT_BAD_TYPE,
    VERDICT_LATE,
    VERDICT_APPLIED,
    /* noted on the way */
    VERDICT_DUPLICATE_KEY,
    VERDICT_OVERFLOW,
    VERDICT_COUNT
};

struct verdict_row {
    const char *name; /* as counters, logs and metrics print it */
    const char *help;
    bool is_rejection;
};

extern const struct verdict_row verdict_rows[VERDICT_COUNT];

#endif
