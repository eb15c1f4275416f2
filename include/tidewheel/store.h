/* store: where finished values go, one batch at a time.
 *
 *     AWAY --connect, log in--> compare --> READY --send--> BUSY --replies--> READY
 *       ^                                                     |
 *       +--- any I/O error, deadline or refusal: back off, same batch again <---+
 *
 * Nothing here blocks: the worker pumps between events. A connection that failed is never used again.
 *
 * Fenced, the checkpointed form: a batch lands only where every unit that it touches is as we left it
 * (fence.h), and what has changed behind our back makes that unit's fence LOST.
 * Plain: a batch raises a count under a key of this worker alone; its answer, and a look every 5 s, tell
 * whether Redis still holds what it acknowledged: if it came back empty or older, or if a batch of a
 * connection that was given up has landed late, the store says STORE_LOST. So it does when another
 * worker of the group has called out: one that was frozen, say, and wrote what it still had when it woke.
 *
 * The struct is an interface: plain.c and fenced.c are real ones, tests have their own.
 *
 * Floor: 3. Owner: one worker thread.
 */
#ifndef TIDEWHEEL_STORE_H
#define TIDEWHEEL_STORE_H

#include "tidewheel/batch.h"
#include "tidewheel/board.h"
#include "tidewheel/fence.h"
#include "tidewheel/wire.h"

enum store_event {
    STORE_WRITTEN = 1, /* the batch was acknowledged; its refused entities are marked */
    STORE_LOST = 2,    /* what was acknowledged earlier may be gone */
    STORE_OLDER = 4,   /* and Redis is as it was at older_ms() */
    STORE_FENCES = 8,  /* the state of some fence has changed */
    STORE_BROKE = 16,  /* the connection was lost, and is made anew */
};

struct store;

struct store_ops {
    /* Moves on as far as it can without waiting. *ret_events: a set of store_event. ERR_FATAL when a
     * person has to act (credentials, cluster). */
    int (*pump)(struct store *store, int64_t mono_ms, unsigned *ret_events, struct err *err);
    bool (*is_ready)(const struct store *store); /* takes a batch now */
    bool (*is_away)(const struct store *store);  /* not connected, or not answering */
    /* The store reads the batch until STORE_WRITTEN; only batch_forget() may touch it. */
    void (*send)(struct store *store, struct batch *batch, int64_t mono_ms);
    /* This worker may have written as one that is out of the group: whoever owns its units now hears
     * STORE_LOST within a check, and writes them again. */
    void (*call_out)(struct store *store);
    /* With STORE_OLDER: the moment, by the clock that pump is given, whose state has come back; a few
     * seconds early rather than late. */
    int64_t (*older_ms)(const struct store *store);
    /* The checkpointed form only. Claims the unit, again if it is HELD or LOST: the fence is HELD with
     * what was found, or stays CLAIMING as long as Redis is away. From then on the store looks after
     * it until release(). who: for people. */
    void (*claim)(struct store *store, struct fence *fence, const char *who);
    void (*release)(struct store *store, struct fence *fence);
    /* Waits at most wait_ms until there is something to pump. */
    void (*wait)(struct store *store, int64_t wait_ms);
    void (*close)(struct store *store);
};

struct store {
    const struct store_ops *ops;
};

struct store_setup {
    struct wire *wire; /* the store's from now on */
    const struct redis_url *url;
    const char *group_id;
    bool allows_eviction;
    /* Where nonces come from: 64 bits that nobody else draws. */
    uint64_t (*random)(void *arg);
    void *random_arg;
    struct board *board; /* where batches that are sent again are counted; NULL: nobody looks */
};

/* Neither connects yet. Plain: what was acknowledged is watched by a count (alive.h). Fenced: every
 * batch is compared with the claims of the units that it touches (fence.h). */
struct store *plain_store_new(const struct store_setup *setup);
struct store *fenced_store_new(const struct store_setup *setup);

/* One HMGET and the key's PTTL, over a connection of its own, waiting up to 5 s. ret_values[i] is
 * NULL where the field does not exist; free() each. ERR_RETRY when Redis is away or says no. */
int redis_fetch(const struct redis_url *url, struct slice key, const char *const *fields,
                size_t field_count, char **ret_values, int64_t *ret_pttl_ms,
                struct err *err) MUST_CHECK;

const char *redis_client_version(void); /* of hiredis */

#endif
