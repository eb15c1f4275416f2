/* fenced_private: the parts of the fenced store. One exchange at a time, each with the watch for the
 * next one behind it:
 *
 *     VERIFY                                       WATCH m..  HMGET m own seq ..
 *     CLAIM    MULTI  claims ...             EXEC  WATCH m..  HMGET m own seq ..
 *     BATCH    MULTI  items  HINCRBY m seq 1 EXEC  WATCH m..  HMGET m own seq ..
 *
 * No MULTI is sent before all answers are in and equal to what we hold: so a transaction whose answer
 * never came can only be carried out on exactly the state that we knew when we sent it, and at most
 * once, whenever its bytes arrive.
 *
 * Floor: 3. Owner: one worker thread.
 */
#ifndef TIDEWHEEL_SINK_FENCED_PRIVATE_H
#define TIDEWHEEL_SINK_FENCED_PRIVATE_H

#include "sink/link.h"
#include "tidewheel/store.h"

enum {
    CLAIMS_MAX = 32,       /* in one transaction: Redis does nothing else meanwhile */
    CLAIM_COMMANDS = 4,    /* of each */
    CLAIM_AGAIN_MS = 2000, /* after one that Redis has refused */
};

enum exchange { NOTHING, VERIFY, CLAIM, BATCH };

struct slot {
    struct fence *fence;
    char *who;
    char nonce[META_OWN_LEN + 1]; /* of the claim on its way */
    int64_t again_at_ms;          /* not to be claimed before */
};

/* Fences in the order of the replies that are due for them; NULL: released since. */
struct fences {
    struct fence **list;
    size_t count;
    size_t cap;
};

struct fenced {
    struct store store;
    struct link link;
    uint64_t (*random)(void *arg);
    void *random_arg;
    struct slot *slots; /* every fence between claim() and release() */
    size_t slot_count;
    size_t slot_cap;
    struct fences claimed; /* by the CLAIM on its way */
    struct fences touched; /* by the batch */
    struct fences armed;   /* watched, and compared, behind the exchange */
    struct buf arm;        /* the bytes of that; kept as long as the same fences are held */
    bool is_arm_stale;
    struct buf bytes;    /* scratch */
    struct batch *batch; /* not acknowledged */
    struct board *board;
    enum exchange exchange;
    size_t seen;      /* replies of the exchange */
    size_t exec_at;   /* the number of EXEC's among them; 0: there is none */
    size_t due;       /* all of them */
    bool is_up;       /* as far as has been said: STORE_BROKE */
    bool is_verified; /* over this connection, every held fence was compared */
    unsigned events;
};

void fences_add(struct fences *fences, struct fence *fence);

/* Its number; slot_count: none. */
size_t fenced_slot(const struct fenced *fenced, const struct fence *fence);

/* fenced_ask.c: says what is to be said next, if nothing is due; and the batch at once. False: nothing
 * of it is left. */
void fenced_go_on(struct fenced *fenced, int64_t mono_ms);
bool fenced_ask_batch(struct fenced *fenced, int64_t mono_ms);

/* Nothing of the batch is left, or it was acknowledged. */
void fenced_finish_batch(struct fenced *fenced);

/* fenced_take.c: one reply of the exchange. ERR_FATAL as link_refuse. */
int fenced_take(struct fenced *fenced, const redisReply *reply, int64_t mono_ms,
                struct err *err) MUST_CHECK;

#endif
