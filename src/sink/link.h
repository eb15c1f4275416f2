/* link: a connection to Redis that comes back by itself: log in, speak, listen, give up, back off.
 *
 *     AWAY --open--> CONNECTING --AUTH, SELECT, INFO--> GREETING --> UP --link_fail--> AWAY ...
 *
 * What is said while UP is answered in order; link_next() hands out one reply at a time. Any I/O error,
 * a deadline, a reply of more than 64 MiB and one that nobody asked for hang up: a connection that
 * failed is never used again, and whoever speaks over it begins anew after LINK_UP. What INFO says is
 * looked at once per connection: a Redis Cluster, a replica, and a maxmemory-policy that evicts
 * (unless allowed) are refused here.
 *
 * Floor: 3. Owner: one worker thread.
 */
#ifndef TIDEWHEEL_SINK_LINK_H
#define TIDEWHEEL_SINK_LINK_H

#include "tidewheel/buf.h"
#include "tidewheel/wire.h"

#include <hiredis/hiredis.h>

enum { LINK_ANSWER_MS = 5000 /* a Redis that says nothing for so long is away */ };

enum link_state { LINK_AWAY, LINK_CONNECTING, LINK_GREETING, LINK_UP };

struct link {
    struct wire *wire;
    const struct redis_url *url;
    const char *name; /* in logs: "redis" */
    bool allows_eviction;
    enum link_state state;
    redisReader *reader;
    struct buf out; /* not sent yet */
    size_t out_sent;
    size_t due;          /* replies to what was said */
    size_t reply_bytes;  /* received of replies that nobody has had yet */
    int64_t deadline_ms; /* of the state, or of the next reply; for AWAY: when to try again */
    int64_t back_off_ms;
    uint64_t jitter;
    unsigned refusals; /* of credentials, in a row */
    bool is_well;      /* since the last failure it has been told so (link_is_well) */
};

/* Takes the wire. */
void link_init(struct link *link, struct wire *wire, const struct redis_url *url, const char *name,
               uint64_t jitter);
void link_fini(struct link *link);

/* Connects, logs in, sends what waits, and receives. *ret_is_up: it has come up in this very call.
 * ERR_FATAL when a person has to act. */
int link_pump(struct link *link, int64_t mono_ms, bool *ret_is_up, struct err *err) MUST_CHECK;

/* Hands bytes over, `due` replies of which are expected; they are sent at once as far as there is
 * room. Only while UP. */
void link_say(struct link *link, const struct buf *bytes, size_t due, int64_t mono_ms);

/* The next reply, the caller's to free; NULL: none yet (or the link has failed). */
redisReply *link_next(struct link *link, int64_t mono_ms);

/* Whatever failed: hangs up and backs off. */
void link_fail(struct link *link, int64_t mono_ms, const char *why);

/* An error reply that means that nothing was done: hangs up, or ERR_FATAL (redis_errors.h). */
int link_refuse(struct link *link, int64_t mono_ms, const char *text, struct err *err);

/* All that it was asked has been answered well: the back-off begins anew. */
void link_is_fine(struct link *link);

void link_wait(const struct link *link, int64_t wait_ms);

/* What a connection begins with, AUTH and SELECT as far as they are called for: how many answers will
 * follow. */
size_t link_add_login(const struct redis_url *url, struct buf *bytes);

#endif
