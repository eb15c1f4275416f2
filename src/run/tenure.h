/* tenure: a worker's hold of one unit in the checkpointed form, from claim to loss (recovery.md).
 *
 *     CLAIMING --> LOADING --> RUNNING --fence says no--> RESTING --> planned again --> CLAIMING
 *         |           |           ^ |
 *         +--> RESETTING ---------+ +--revoked--> PARKED --assigned--> CLAIMING
 *
 *     CLAIMING   the store makes the unit ours, and tells what it finds
 *     LOADING    blobs are read; nothing is delivered, nothing is written
 *     RESETTING  what was found is of no use: a new generation begins, durably, before anything is read
 *     RUNNING    events are applied, batches and checkpoints go out
 *     RESTING    somebody else has claimed it, or Redis went back: memory is dropped
 *     PARKED     taken away in a rebalance that is not over: state is still in memory
 *
 * Floor: 4. Owner: the worker's thread.
 */
#ifndef TIDEWHEEL_RUN_TENURE_H
#define TIDEWHEEL_RUN_TENURE_H

#include "run/clean.h"
#include "run/worker_private.h"
#include "tidewheel/checkpoint.h"
#include "tidewheel/loader.h"

enum tenure_state {
    TENURE_CLAIMING,
    TENURE_LOADING,
    TENURE_RESETTING,
    TENURE_RUNNING,
    TENURE_RESTING,
    TENURE_PARKED,
};

/* A reload is to take views from it. */
enum leaving {
    LEAVING_NOT,
    LEAVING_SOON, /* a checkpoint, so that the last one is short */
    LEAVING_NOW,  /* no more records; the last one */
};

/* Events are tried one at a time, each noted durably before it is applied, once claims have found no
 * progress three times: one that ends the process whenever it is tried is skipped, or ends the worker in
 * good order (on_error.poison). Until its letter is delivered the unit stays before it, and nobody is told
 * of progress: whoever comes next must know of it. */
struct trial {
    bool is_on;
    bool is_found;     /* the event is at hand, and is not skipped yet */
    bool is_sent;      /* a note, or that it is taken back, is in a batch */
    bool has_survived; /* the event that was allowed is applied */
    int64_t offset;    /* that is to be noted; -1: none */
    int64_t noting;    /* of the note that is in a batch; -1: it is taken back */
    int64_t allowed;   /* noted: it may be applied; -1: none */
    int64_t deaths;    /* of owners that had noted `died_at` */
    int64_t died_at;   /* -1: none */
};

struct tenure {
    struct worker *worker;
    struct unit *unit;
    enum tenure_state state;
    struct plan plan;
    struct fence fence;
    struct buf prefix;
    struct buf meta_key;
    struct checkpoint checkpoint; /* of unit->shard; nothing without one */
    struct cleaning cleaning;
    struct load load;
    struct load_view *load_views;
    uint32_t *load_numbers; /* of the topic's views, by load_views */
    const char *reason;     /* of the rebuild; NULL: none */
    const char *damage;     /* of the next one, once the unit has been planned again */
    struct anchor expected; /* the record that the state ends with, if it is still there */
    bool is_reset_sent;
    bool is_damaged; /* a blob was none */
    bool has_ended;  /* a drain: its last checkpoint is written */
    enum leaving leaving;
    uint64_t leave_after; /* as many checkpoints are to be done before the next step */
    int64_t leave_by_ms;  /* and then it is taken at any rate; monotonic clock */
    struct trial trial;
    int64_t checkpoint_ms; /* the next one; this and the following by the monotonic clock */
    int64_t retry_ms;
    int64_t commit_due; /* may be committed; -1: nothing */
};

/* May its entities be written? Also those of a unit that is parked while all of Kafka is away: time goes
 * on, and should somebody else have it, the fence says so. */
static inline bool tenure_may_write(const struct tenure *tenure)
{
    bool is_stranded = tenure->state == TENURE_PARKED && tenure->worker->is_kafka_away;
    return tenure->fence.state == FENCE_HELD && (tenure->state == TENURE_RUNNING || is_stranded);
}

/* May its next record come? If not, whatever lets it run, or run again, asks for that record. */
static inline bool tenure_may_read(const struct tenure *tenure)
{
    return tenure->state == TENURE_RUNNING && tenure->leaving != LEAVING_NOW;
}

static inline struct tenure *tenure_of(struct fence *fence)
{
    return (struct tenure *)((char *)fence - offsetof(struct tenure, fence));
}

/* What the source's handler is told. */
void tenure_assigned(struct worker *worker, struct unit *unit, const struct plan *plan);
void tenure_park(struct tenure *tenure);
void tenure_free(struct tenure *tenure); /* dropped */

/* Once a turn, before views go: sees to it that all that is known has a blob, so that their features can be
 * found and deleted. True: so it is, or nothing can be done. */
bool tenure_leave(struct tenure *tenure);

/* Its topic has other views now. What is known of those that stay is kept, as while it is parked, unless
 * something of it is in a batch (is_in_flight): then all of it is read back. The source plans the unit
 * again after it. */
void tenure_adopt(struct tenure *tenure, const struct topic *topic, bool is_in_flight);

/* Once a turn: moves on what waits. ERR_FATAL: Redis holds the state of something else. */
int tenures_tend(struct worker *worker, struct err *err) MUST_CHECK;

/* Every tenure's shard and records are void, as after a restart of the process. */
void tenures_restart(struct worker *worker);

/* A record is about to be applied. False: it is not to be, or the unit has just been given up. */
bool tenure_take(struct tenure *tenure, const struct record *record);

/* The same of the second consumer's: for views that are behind. */
bool tenure_take_behind(struct tenure *tenure, const struct record *record);
bool tenure_wants(const struct tenure *tenure, uint32_t view, int64_t offset);
/* It has handed out everything before offset; those who wanted it have it. */
void tenure_reached_behind(struct tenure *tenure, int64_t offset);

/* ---- show.c ---- */

void show_checkpoint(struct tenure *tenure); /* one is over */

/* ---- trial.c ---- */

void trial_begin(struct tenure *tenure); /* after a load: is one needed? */
/* May the record be applied now? If not, it comes again, or is skipped. */
bool trial_take(struct tenure *tenure, const struct record *record);
void trial_gather(struct tenure *tenure);
void trial_answered(struct tenure *tenure);

/* ---- */

/* What is known is of no use: it is built anew from plan.again on. */
void tenure_rebuild(struct tenure *tenure, const char *reason);
void tenure_was_reset(struct tenure *tenure); /* the reset is acknowledged */

/* Asks for what was dropped from memory and is needed. */
void tenure_fetch(struct tenure *tenure);
void tenures_fetch(struct worker *worker);

/* Memory is short: drops what is clean of so many entities, and sees to it that more is soon. */
size_t tenure_cool(struct tenure *tenure, size_t looks); /* how many were dropped */

/* Adds what tenures have to say to the batch: resets, checkpoints, signs of life. */
void tenures_gather(struct worker *worker);
bool tenures_are_settled(const struct worker *worker); /* none loads, rebuilds or publishes all */
bool tenures_have_urgent(const struct worker *worker);

/* An item that is not an entity's features was acknowledged. */
void tenure_answered(struct tenure *tenure, const struct item *item);

/* Last checkpoints: each is asked for one, once is_ending is set; and whether all are written. */
void tenures_begin_ending(struct worker *worker);
bool tenures_have_ended(const struct worker *worker);

#endif
