/* fence: a unit's right to be written, as one worker has it (recovery.md).
 *
 *     OPEN --claim--> CLAIMING --EXEC--> HELD --------> LOST
 *       ^                                  |  somebody else has claimed it, or Redis is older
 *       +-------------- release -----------+
 *
 * Every batch that touches the unit compares (own, seq) with what it saw last, and raises seq: it
 * cannot land twice, nor after anybody else's claim, nor on an older Redis.
 *
 * Floor: 2. Owner: one worker thread; the store writes it, the tenure reads it.
 */
#ifndef TIDEWHEEL_FENCE_H
#define TIDEWHEEL_FENCE_H

#include "tidewheel/meta.h"

enum fence_state { FENCE_OPEN, FENCE_CLAIMING, FENCE_HELD, FENCE_LOST };

struct fence {
    char *meta_key;
    enum fence_state state;
    char own[META_OWN_LEN + 1]; /* of our last claim that succeeded; "": none that holds */
    int64_t seq;                /* as of the last batch that was acknowledged */
    struct meta
        found; /* what the claim has found, from before it: owner and seq of whoever came before */
    bool is_unchanged;  /* the claim found (own, seq) as we had left it: what we remember holds */
    bool is_in_batch;   /* the batch that is not acknowledged touches it */
    int64_t touched_ms; /* monotonic clock, when an answer last said that it is ours */
};

#endif
