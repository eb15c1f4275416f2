#include "tidewheel/verdict.h"

/* clang-format off */
const struct verdict_row verdict_rows[VERDICT_COUNT] = {
    [VERDICT_ACCEPTED]      = {"accepted",      "Events that every check let through.", false},
    [VERDICT_EMPTY]         = {"empty",         "Records without a value, tombstones among them.", true},
    [VERDICT_TOO_BIG]       = {"too_big",       "Events longer than limits.event_bytes; they are not parsed.", true},
    [VERDICT_BAD_JSON]      = {"bad_json",      "Values that are not one JSON text, nest deeper than limits.nesting, or hold broken text in a field that is used.", true},
    [VERDICT_NOT_OBJECT]    = {"not_object",    "Values that are JSON but not an object.", true},
    [VERDICT_BAD_TIMESTAMP] = {"bad_timestamp", "Events whose timestamp is missing, unreadable or outside the years 1970 to 9999.", true},
    [VERDICT_NO_KEY]        = {"no_key",        "Events in which a part of the entity's key is missing, empty or of another type.", true},
    [VERDICT_KEY_TOO_LONG]  = {"key_too_long",  "Events whose key has more bytes than limits.key_bytes.", true},
    [VERDICT_FUTURE]        = {"future",        "Events dated further ahead than future_max.", true},
    [VERDICT_POISON]        = {"poison",        "Events that ended the process each time they were tried, and were skipped.", true},
    [VERDICT_UNMATCHED]     = {"unmatched",     "Accepted events that a feature's where does not select.", false},
    [VERDICT_MISSING]       = {"missing",       "Accepted events without the value of a feature.", false},
    [VERDICT_BAD_TYPE]      = {"bad_type",      "Accepted events whose value is no finite number.", false},
    [VERDICT_LATE]          = {"late",          "Accepted events older than every window of a feature.", false},
    [VERDICT_APPLIED]       = {"applied",       "Accepted events that a feature has taken in.", false},
    [VERDICT_DUPLICATE_KEY] = {"duplicate_key", "Names on a used path that an object gave again; the first one counts.", false},
    [VERDICT_OVERFLOW]      = {"overflow",      "Results that are not finite and so do not exist.", false},
};
/* clang-format on */
