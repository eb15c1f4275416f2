/* alive: does Redis still hold what it acknowledged?
 *
 * Every batch raises a count under a key of this worker alone; every look, 5 s apart, lets it catch up
 * with the time at 10 a millisecond, which batches alone never reach.
 *
 *     as expected   nothing is lost (or the batch in doubt was carried out: one more)
 *     lower         Redis is older: the count tells from when
 *     higher        a batch over a connection that was given up has landed late
 *     nothing       Redis came back empty
 *
 * The count goes up as long as the process lives, over losses too: were it to begin anew, an older
 * state of Redis could come back with the very count that is expected by now.
 *
 * Floor: 1. Owner: one worker thread.
 */
#ifndef TIDEWHEEL_SINK_ALIVE_H
#define TIDEWHEEL_SINK_ALIVE_H

#include <stdbool.h>
#include <stdint.h>

enum { ALIVE_CHECK_MS = 5000 };

struct alive {
    int64_t count;   /* what the key holds, as far as we know */
    int64_t born_ms; /* when it was 0, by the monotonic clock; -1: not yet */
    int64_t more;    /* what the look under way adds */
    int64_t
        older_ms; /* of the last ALIVE_OLDER: whose state has come back, early rather than late */
    bool is_announced; /* the key has been made, and seen */
};

enum alive_verdict { ALIVE_AS_EXPECTED, ALIVE_GONE, ALIVE_OLDER, ALIVE_OTHER };

extern const char *const alive_texts[]; /* by verdict, for people */

int64_t alive_announce(struct alive *alive, int64_t mono_ms); /* what the key is to be made with */
int64_t alive_look(struct alive *alive, int64_t mono_ms);     /* what a look is to add */

/* found: what the key held before anything of this exchange; at most 0: nothing. */
enum alive_verdict alive_compare(struct alive *alive, int64_t found, bool is_in_doubt);

/* After a look, or a batch, that was as expected: what it has added. */
void alive_raise(struct alive *alive, int64_t more);

#endif
