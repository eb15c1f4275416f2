/* loader_private: the two halves of the loader, over one link.
 *
 *     loader.c       the connection, the questions on their way, fetches
 *     loader_scan.c  one load: up to SCANS_MAX hashes at once
 *
 * Floor: 3. Owner: one worker thread.
 */
#ifndef TIDEWHEEL_SINK_LOADER_PRIVATE_H
#define TIDEWHEEL_SINK_LOADER_PRIVATE_H

#include "sink/link.h"
#include "tidewheel/loader.h"

enum { SCANS_MAX = 8, CURSOR_MAX = 24 };

enum question_kind {
    ASK_OWN,      /* of the load */
    ASK_SCAN,     /* a page of a hash */
    ASK_SENTINEL, /* is it there still, behind the last page? */
    ASK_FETCH_OWN,
    ASK_FETCH,
};

/* What a reply that is due belongs to. */
struct question {
    enum question_kind kind;
    size_t number;  /* of the scan; of the fetch in the ring */
    uint64_t round; /* of the load: an answer to another one is none */
};

struct scan {
    bool is_open;
    bool has_sentinel;
    bool is_paged; /* it took more than one page: it may have changed in between */
    size_t view;
    unsigned k;
    char cursor[CURSOR_MAX];
};

enum fetch_state { FETCH_WAITING, FETCH_ASKED, FETCH_OVER };

struct fetch {
    enum fetch_state state;
    const struct fence *fence;  /* NULL: forgotten */
    char own[META_OWN_LEN + 1]; /* as it was asked under */
    char *words;                /* the key and the identity, one behind the other */
    size_t key_len;
    size_t identity_len;
    uint64_t tag;
    fetched_fn *fetched;
    void *arg;
};

struct loader {
    struct link link;
    bool is_up;
    bool must_hang_up;
    struct buf bytes; /* to be said at the end of the pump */
    size_t bytes_due;
    struct buf key; /* scratch */
    struct question *questions;
    size_t question_first; /* the next to be answered */
    size_t question_count; /* with those before it */
    size_t question_cap;
    struct load **loads;
    size_t load_count;
    size_t load_cap;
    struct load *load;          /* the one that is running; NULL: none */
    char own[META_OWN_LEN + 1]; /* as it was begun under */
    uint64_t round;
    size_t hash_next; /* of all its hashes */
    struct scan scans[SCANS_MAX];
    struct fetch fetches[LOADER_FETCHES_MAX]; /* a ring */
    size_t fetch_first;
    size_t fetch_count;
};

/* Asks, at the end of the pump. */
void loader_ask(struct loader *loader, enum question_kind kind, size_t number,
                const struct slice *words, size_t count);

/* The fence is held, under that very claim. */
bool loader_holds(const struct fence *fence, const char *own);

/* loader_scan.c: begins or ends a load as there is reason to; and one reply of a load. */
void loader_choose(struct loader *loader);
void loader_abandon(struct loader *loader); /* the load that is running begins again later */
int loader_take_load(struct loader *loader, const struct question *question,
                     const redisReply *reply, int64_t mono_ms, struct err *err) MUST_CHECK;

#endif
