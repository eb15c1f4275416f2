/* sim_redis: a Redis server in memory, with two copies of itself that lag.
 *
 *     wire --in--> session --command by command--> primary --log--> replica   fail over: it takes the
 *          <-out--                                            \---> disk      primary's place
 *
 * A session is the server's end of a connection. After hang_up() what it has received and not carried
 * out may be carried out later, or never.
 */
#ifndef TIDEWHEEL_SIM_REDIS_H
#define TIDEWHEEL_SIM_REDIS_H

#include "sim_db.h"
#include "tidewheel/wire.h"

struct session {
    struct buf in;    /* received, not carried out */
    struct buf out;   /* answered, not sent */
    struct buf queue; /* behind MULTI */
    size_t queued;
    struct text *watched;
    size_t watched_count;
    size_t watched_cap;
    bool is_multi;
    bool is_aborted;  /* a command was refused while it was queued */
    bool is_dirty;    /* a watched key has changed */
    bool is_broken;   /* for the client; what is in may still be carried out */
    bool is_left;     /* nobody listens any more */
    bool is_doomed;   /* what is in is never carried out */
    int64_t in_at_ms; /* not before, by the monotonic clock */
    int64_t out_at_ms;
    int owner;
    struct session *next;
};

/* A copy of the primary, as it was some of its writes ago. */
struct copy {
    struct db *db;
    size_t applied; /* of the log's groups */
};

enum copy_kind { COPY_REPLICA, COPY_DISK, COPIES };

/* Writes that were made in one go. */
struct write_group {
    int64_t wall_ms;
    size_t begin; /* in the log's bytes */
    size_t end;
};

struct sim_redis {
    struct rng *rng;
    struct db *primary;
    struct copy copies[COPIES];
    struct buf log;
    struct write_group *groups;
    size_t group_count;
    size_t group_cap;
    struct session *sessions;
    bool is_prompt;           /* what is given up is carried out at once or never */
    int64_t down_until_ms;    /* refuses connections */
    int64_t loading_until_ms; /* answers -LOADING */
    int64_t full_until_ms;    /* answers -OOM to writes */
    uint64_t execs;
    uint64_t execs_denied;                        /* by a watch */
    int writer;                                   /* whose session it is that is carried out */
    void (*written)(void *arg, struct slice key); /* after each group of writes */
    void *arg;
    struct buf touched; /* keys of the group, each behind its length */
    struct buf scratch;
};

void sim_redis_init(struct sim_redis *redis, struct rng *rng);
void sim_redis_fini(struct sim_redis *redis);

/* Carries out what is due; called as time goes. */
void sim_redis_tick(struct sim_redis *redis);

/* A copy catches up with the next `groups` groups. */
void sim_redis_replicate(struct sim_redis *redis, enum copy_kind kind, size_t groups);

/* All that the copy lacks is lost, and so are all connections. */
void sim_redis_fail_over(struct sim_redis *redis, enum copy_kind kind);
void sim_redis_flush(struct sim_redis *redis);
void sim_redis_delete(struct sim_redis *redis, struct slice key);

/* Faults of one session. */
void session_run(struct sim_redis *redis, struct session *session);
void session_break(struct sim_redis *redis, struct session *session);

struct wire *sim_wire_new(struct sim_redis *redis, int owner, void (*wait)(int64_t wait_ms));

#endif
