/* value: what one path of an event holds.
 *
 * Missing and null are different types here and the same thing to every reader (promise N).
 * text is lent: it lives as long as the event's bytes and the reader's arena, that is until the next
 * event is decoded.
 *
 * Floor: 1. Owner: the worker that decoded it.
 */
#ifndef TIDEWHEEL_VALUE_H
#define TIDEWHEEL_VALUE_H

#include "tidewheel/buf.h"

enum value_type {
    VALUE_MISSING, /* zero: an event begins with nothing found */
    VALUE_NULL,
    VALUE_BOOL,
    VALUE_NUMBER,   /* text: as written */
    VALUE_STRING,   /* text: decoded, strict UTF-8 without NUL */
    VALUE_COMPOUND, /* an object or an array */
};

struct value {
    enum value_type type;
    bool truth; /* of VALUE_BOOL */
    struct slice text;
};

static inline bool value_is_present(const struct value *value)
{
    return value->type > VALUE_NULL;
}

/* The number that an aggregate or a comparison sees: a JSON number, or a string that is exactly one
 * by the JSON grammar, finite as a double (promise N). False for everything else. */
bool value_number(const struct value *value, double *ret);

#endif
