/* event_reader: the values at some paths of one JSON event; the only place that includes yajl.
 *
 * Streaming: nothing is built, only the paths asked for are kept. Strict where it matters (promise B):
 * one object and nothing behind it, no byte order mark, nesting limited, strict UTF-8 without NUL and
 * without lone surrogates in every string that is kept; a name given twice counts once, the first
 * time (noted for names on the way to a path that is asked for).
 *
 * Numbers are kept as text: nothing goes through a double here, so 2^53 + 1 stays what it is.
 *
 * Floor: 1. Owner: one worker thread.
 */
#ifndef TIDEWHEEL_EVENT_READER_H
#define TIDEWHEEL_EVENT_READER_H

#include "tidewheel/paths.h"
#include "tidewheel/value.h"
#include "tidewheel/verdict.h"

struct event_reader;

struct event_reader *event_reader_new(size_t nesting_max);
void event_reader_free(struct event_reader *reader);

/* VERDICT_ACCEPTED, VERDICT_BAD_JSON or VERDICT_NOT_OBJECT. values has room for paths->count and is
 * filled (VALUE_MISSING where nothing was found); *ret_duplicates counts repeated names. What values
 * point at lives until the next call, and not longer than bytes. A valid JSON text that is no object
 * is NOT_OBJECT, an invalid one BAD_JSON whatever it begins with. */
enum verdict event_reader_read(struct event_reader *reader, const struct paths *paths,
                               struct slice bytes, struct value *values, size_t *ret_duplicates);

#endif
