/* shard: all entities of one topic-partition; the unit of ownership, rebalance and replay.
 *
 *     apply  --> entities, buckets ------------- read --> rows --> batch --> Redis
 *       |                                          ^
 *       +--> ledger: arrivals, oldest first -------+   lane 1: as soon as the last batch is answered
 *            timers: values that time changes -----+   lane 2: behind arrivals, spread out; and all
 *            pass:   everything not yet published -+           that a fence or a loss has left unsaid
 *
 * Silent (promise P): state grows, nothing is to be written. shard_go_live() begins a pass over all
 * entities, which publishes what is known; an entity with nothing alive is published as empty and
 * forgotten, half a minute later: the last seconds of Redis may still be lost, and are then said again.
 *
 * In the checkpointed form every entity carries the offset of the last event applied to it, so that an
 * event which comes again changes nothing but is written again; and a list of those whose blobs lack
 * something. A view that is behind is read by the worker's second consumer: it changes, and says
 * nothing, until shard_join().
 *
 * The clock A of each view never goes back: the wall clock, or with `clock: event` the newest accepted
 * timestamp of the view in this partition.
 *
 * Floor: 2. Owner: one worker thread.
 */
#ifndef TIDEWHEEL_SHARD_H
#define TIDEWHEEL_SHARD_H

#include "tidewheel/decode.h"
#include "tidewheel/entity.h"
#include "tidewheel/ledger.h"
#include "tidewheel/tally.h"

/* From which event on is an entity known? */
enum know {
    KNOW_FED,     /* one that fed a feature: the running worker */
    KNOW_MATCHED, /* one that matched a feature, though it was late: reading again (recovery.md). It
                      is written, too: somebody may have published it before it was late */
    KNOW_ACCEPTED, /* any accepted one: eval */
};

/* The features of one entity at one moment. */
struct row {
    const struct view *view;
    struct slice identity; /* lent until the shard changes */
    int64_t as_of_ms;
    int64_t newest_ms;        /* -1: no event fed it in living memory */
    int64_t next_ms;          /* when time alone changes a value; INT64_MAX: nothing is alive */
    bool is_new;              /* no write of it has been acknowledged: its key may be anybody's */
    struct reading *readings; /* by output field; the caller's, room for view->field_count */
};

struct refs {
    struct entity_ref *refs;
    size_t count;
    size_t cap;
};

/* Changes by time that wait for blobs: how far all of them are gathered, once what was asked for has
 * come back (it comes in the order of asking). */
struct draining {
    int64_t upto_ms;
    uint64_t asked;
};

/* A unit whose letters are on their way (run/letters.h) may have to wait for them. */
enum await { AWAIT_NOTHING, AWAIT_ROOM, AWAIT_ALL };

struct shard {
    const struct topic *topic;
    struct ledger ledger;
    struct entities *views; /* as topic->views */
    int64_t *clock_ms;      /* A of each view */
    int64_t wall_ms;        /* as last told */
    int64_t
        forgot_ms; /* the last write of whoever was forgotten last, by the wall clock; 0: none */
    struct entities
        *buried; /* of views that are gone: what lies in the slab is given back bit by bit */
    size_t buried_count;
    size_t buried_cap;
    struct slab *slab;
    struct tally *const *tallies; /* of each view by its number in the catalog; lent */
    bool is_on_event_time;        /* every view, whatever it says: eval */
    bool is_live;
    int64_t live_at;         /* silent until the position has reached it */
    int64_t committed_at_ms; /* monotonic clock; 0: never */
    int64_t own_from;        /* offsets before may have been published by somebody else */
    int64_t letters_from;    /* what was rejected before is told nobody again */
    uint64_t life;           /* of all shards that a worker ever had, this one */
    enum await await;        /* no record of the unit is taken meanwhile */
    int64_t started_at;      /* the offset where reading began: nothing before it is held back */
    int64_t record_ms;       /* Kafka's timestamp of the last record applied; -1: not known */
    uint8_t generation;      /* goes up when all that was published may be lost */
    struct entity_ref pass;  /* where the pass is */
    bool is_passing;
    int64_t said_at;     /* the position when the last pass was over */
    bool keeps_blobs;    /* the checkpointed form; all of the following is of it */
    bool *is_behind;     /* of each view */
    int64_t *drained_ms; /* of each view: no change by time up to here waits to be gathered */
    int64_t *said_ms;    /* ... nor to be acknowledged */
    struct refs dirty;   /* whose blobs lack something; some are on it twice, or are gone */
    struct refs saving;  /* the same list of the checkpoint under way */
    size_t saving_next;
    struct refs wanted; /* cold entities, in the order in which they are needed */
    size_t wanted_next;
    uint64_t asked; /* of cold entities, and how many of them are back */
    uint64_t warmed;
    struct draining *draining; /* of each view */
    struct entity_ref hand;    /* where shard_cool() goes on */
    struct aside *aside;       /* refused entities, the oldest first */
    size_t aside_first;
    size_t aside_count; /* with those before the first */
    size_t aside_cap;
};

struct shard *shard_new(const struct topic *topic, struct tally *const *tallies, uint64_t seed,
                        int64_t now_ms);
void shard_free(struct shard *shard);

/* Tells the wall clock. */
void shard_tell(struct shard *shard, int64_t wall_ms);

/* One routed event of the view with that number among the topic's views. */
void shard_apply(struct shard *shard, uint32_t view, const struct routed *routed,
                 const struct value *values, int64_t offset, enum know know);

void shard_go_live(struct shard *shard);
void shard_go_silent(struct shard *shard, int64_t live_at);

/* Redis has lost writes that it had acknowledged: everything is to be written again. */
void shard_say_again(struct shard *shard);

/* The next entity to write; it counts as sent. ret_record_ms: of the oldest event that it is written
 * for; NULL: nobody asks. Lane 2 looks at no more than *looks entities, and counts them down. False:
 * none. */
bool shard_take_arrival(struct shard *shard, struct entity_ref *ret, int64_t *ret_record_ms);
bool shard_take_decay(struct shard *shard, int64_t wall_ms, size_t *looks, struct entity_ref *ret);

/* Values as of the view's clock; overflows are counted. */
void shard_read(const struct shard *shard, struct entity_ref ref, struct row *row);

/* What became of a sent entity. as_of_ms and next_ms are those of the row that was sent. */
void shard_written(struct shard *shard, struct entity_ref ref, int64_t as_of_ms, int64_t next_ms,
                   uint8_t generation);
void shard_refused(struct shard *shard, struct entity_ref ref, int64_t wall_ms);

/* ---- the checkpointed form ---- */

/* Puts a blob's entity in, as it was; A must have been told. said_ms: every change by time up to then
 * was published. ERR_INPUT: not a blob of this view and entity. */
int shard_restore(struct shard *shard, uint32_t view, const char *definition, struct slice identity,
                  struct slice blob, int64_t said_ms, bool stays_cold, struct err *err) MUST_CHECK;

/* Drops the buckets of clean entities, whose blobs say all that is known: looks at so many, and goes on
 * there the next time. Their timers stay, and whoever needs one of them waits for it. Returns how
 * many were dropped. */
size_t shard_cool(struct shard *shard, size_t looks);

/* The next cold entity that is needed: its blob is to be fetched, and given to shard_warm(). ERR_INPUT
 * as shard_restore(). */
bool shard_take_wanted(struct shard *shard, struct entity_ref *ret);
int shard_warm(struct shard *shard, struct entity_ref ref, const char *definition,
               struct slice blob, struct err *err) MUST_CHECK;

/* Nothing that was taken will be given any more: all that is missing is to be taken again. */
void shard_want_again(struct shard *shard);

/* Nothing of the view is known any more: its blobs come again. */
void shard_clear(struct shard *shard, uint32_t view);

/* An entity that somebody has published: it is known, if only to say that it is empty. */
void shard_know(struct shard *shard, uint32_t view, struct slice identity);

/* All that is dirty now is to be saved; the last saving must be over. Then one after the other:
 * its features too, if *ret_is_held (they count as sent). False: that was all. */
void shard_begin_saving(struct shard *shard);
/* Puts those behind them whose features Redis has refused since: their blobs say nothing of it yet. */
void shard_save_refused(struct shard *shard);
bool shard_take_saving(struct shard *shard, struct entity_ref *ret, bool *ret_is_held);

/* Adds its blob to ret; nothing: there is nothing to keep, and an older one is to be deleted. */
void shard_write_blob(const struct shard *shard, struct entity_ref ref, const char *definition,
                      struct buf *ret);
void shard_saved(struct shard *shard, struct entity_ref ref); /* acknowledged */

/* The batch that was gathered last is acknowledged, or there was nothing to gather. */
void shard_note_said(struct shard *shard);

/* The view has caught up: what it knows is written, and nothing sets it apart any more. */
void shard_join(struct shard *shard, uint32_t view);

/* The topic has other views now. Those with the same definition (view_keeps_state()) keep all that is
 * known of them, silence and timers and what is held, under their new numbers; of new ones nothing is
 * known, and they are behind; the others are gone. Nothing of the shard may be in a batch, and numbers of
 * views that anybody else has, and a saving under way, are void. */
void shard_adopt(struct shard *shard, const struct topic *topic);

/* Gives back memory of views that are gone: of so many entities. */
void shard_bury(struct shard *shard, size_t looks);

/* ---- what it comes to ---- */

/* The offset that may be committed. */
int64_t shard_durable(const struct shard *shard);

bool shard_has_arrivals(const struct shard *shard);
size_t shard_count(const struct shard *shard); /* of entities that are not gone */
size_t shard_bytes(const struct shard *shard);

/* How many are aside, added to counts, which has one for each view by its number in the catalog. */
void shard_count_aside(const struct shard *shard, int64_t *counts);

/* How long the oldest change by time alone has been waiting for its write, among views by the wall
 * clock that are published; 0: none is known to wait. A clock of events jumps, and lag with it. */
int64_t shard_decay_lag_ms(const struct shard *shard);

#endif
