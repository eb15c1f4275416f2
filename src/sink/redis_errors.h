/* redis_errors: what an error reply means for us (pitfalls of Redis, as a table).
 *
 * Floor: 3. Owner: constants.
 */
#ifndef TIDEWHEEL_SINK_REDIS_ERRORS_H
#define TIDEWHEEL_SINK_REDIS_ERRORS_H

enum reaction {
    TRY_AGAIN, /* nothing was done: the same batch, after a while, over a new connection */
    NEEDS_PERSON,
    NEEDS_PERSON_NOW,
};

struct redis_error {
    const char *prefix;
    enum reaction reaction;
    const char *advice;
};

const struct redis_error *redis_error_find(const char *text); /* never NULL */

/* How much of an error reply may be repeated. A server that does not know a command quotes its
 * arguments, and those of AUTH are secrets. */
int redis_error_len(const char *text);

#endif
