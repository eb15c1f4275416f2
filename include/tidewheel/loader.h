/* loader: reads state back, over a connection of its own, while batches go on.
 *
 *     load    all blobs of a unit: HSCAN of every hash of every view, several at once
 *     fetch   the blob of one entity that was dropped from memory
 *
 * The server that answers must be the one that has the claim: a load begins by comparing `own`, and a
 * server that has another is left for a new connection. Nothing here blocks.
 *
 * The struct is an interface only in that it stands on a wire; there is one implementation.
 *
 * Floor: 3. Owner: one worker thread.
 */
#ifndef TIDEWHEEL_LOADER_H
#define TIDEWHEEL_LOADER_H

#include "tidewheel/fence.h"
#include "tidewheel/wire.h"

enum load_state {
    LOAD_RUNNING,
    LOAD_DONE,
    LOAD_DAMAGED, /* a sentinel is missing: the state is not whole */
};

struct load_view {
    const char *name;
    int64_t gen;
    unsigned first; /* of its hashes */
    unsigned count;
    bool needs_sentinels; /* false: an old generation that is to be cleaned away */
};

struct load {
    const struct fence *fence;
    const char *prefix; /* of the unit (meta.h) */
    const struct load_view *views;
    size_t view_count;
    void *arg;
    /* Begins, or begins again after a broken connection: what came so far is void. */
    void (*begun)(void *arg);
    /* One field of one hash; view: its number in views. Some may come twice (HSCAN). */
    void (*blob)(void *arg, size_t view, struct slice identity, struct slice blob);
    enum load_state state;
    uint64_t blobs;
    uint64_t bytes;
};

/* One entity's blob; ptr NULL: there is none. */
typedef void fetched_fn(void *arg, uint64_t tag, struct slice blob);

struct loader;

/* Takes the wire. url: for AUTH and SELECT; must outlive it. */
struct loader *loader_new(struct wire *wire, const struct redis_url *url);
void loader_free(struct loader *loader);

/* ERR_FATAL as store_ops.pump. */
int loader_pump(struct loader *loader, int64_t mono_ms, struct err *err) MUST_CHECK;

/* The load is lent until it is done or cancelled. Loads run one after the other. */
void loader_add(struct loader *loader, struct load *load);
void loader_cancel(struct loader *loader, const struct load *load);

/* Asks for one blob; answers come in the order of asking, also over broken connections. A fence that is
 * not HELD any more, or that a server does not know, gets no answer. At most LOADER_FETCHES_MAX wait. */
enum { LOADER_FETCHES_MAX = 1024 };
size_t loader_fetching(const struct loader *loader); /* how many wait */
bool loader_can_fetch(const struct loader *loader);
void loader_fetch(struct loader *loader, const struct fence *fence, struct slice key,
                  struct slice identity, uint64_t tag, fetched_fn *fetched, void *arg);
void loader_forget(struct loader *loader, const struct fence *fence); /* its fetches */

/* The writing connection was lost: this one may lead to an older server, too. */
void loader_hang_up(struct loader *loader);

bool loader_is_busy(const struct loader *loader);

#endif
