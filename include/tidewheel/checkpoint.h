/* checkpoint: what a unit keeps in Redis, and in which order it gets there (recovery.md).
 *
 *     IDLE --begin--> FLUSH ----------> BLOBS -----------> PROGRESS --------> IDLE: commit P
 *                     until all features  of what was dirty   prog := P, clock,
 *                     for offsets < P     at the beginning,   anchor, try := 0
 *                     are acknowledged    in chunks
 *
 * Events go on all the while: a blob may hold more than P says, which the applied offset in it tells.
 * A chunk carries the features of those of its entities that have changed again, so no blob ever
 * says more than Redis serves; what cannot be served yet is marked as owed in the blob.
 *
 * P is the position, or before it the oldest record whose dead letter is not delivered: that one is
 * then read again by the next owner, and what was applied behind it is known by its offset. It is the
 * anchor, too.
 *
 * A reset begins a view's state anew, in one item, before anything of it is read: a generation that
 * nobody has used, empty but for its sentinels, and its progress at the start. The generation before
 * is noted, to be cleaned away later.
 *
 * Floor: 2. Owner: one worker thread.
 */
#ifndef TIDEWHEEL_CHECKPOINT_H
#define TIDEWHEEL_CHECKPOINT_H

#include "tidewheel/batch.h"
#include "tidewheel/fence.h"

enum checkpoint_phase { CHECKPOINT_IDLE, CHECKPOINT_FLUSH, CHECKPOINT_BLOBS, CHECKPOINT_PROGRESS };

/* What items of a unit are for (item.tag). */
enum unit_tag { UNIT_BEAT = 1, UNIT_RESET, UNIT_PROGRESS, UNIT_TRY, UNIT_CLEAN };

/* What is kept of one view. */
struct kept {
    const char *definition; /* the view's, as output */
    const char *output;
    int64_t gen;        /* 0: none yet */
    int64_t position;   /* behind: where its reader is; else as the unit's */
    int64_t saved;      /* the position of the checkpoint under way */
    int64_t cover_ms;   /* windows that begin earlier may lack events; 0: none does */
    bool is_cover_open; /* the next record says how much earlier */
    bool is_reset;      /* its state is begun anew by the next reset */
    int64_t old_gen;    /* and this one is to be cleaned away; -1: there is none */
    char *old_output;   /* ours; NULL where it is not known */
};

struct blob;

struct checkpoint {
    struct shard *shard;
    struct fence *fence;
    const char *prefix; /* of the unit's keys; lent */
    size_t view_count;
    struct kept *kept;    /* of each view of the topic */
    struct anchor anchor; /* the last record that was applied */
    enum checkpoint_phase phase;
    int64_t position; /* P, of the one under way */
    struct anchor saved_anchor;
    size_t in_flight; /* items that are not acknowledged */
    int64_t progress; /* as acknowledged; -1: none yet */
    uint64_t count;   /* of those that are over */
    int64_t bytes;    /* of the blobs of the last one */
    bool is_farewell; /* others may write the same fields next: whoever comes back says all again */
    struct buf text;  /* scratch, as all that follows */
    struct buf key;
    struct slice *words;
    size_t word_cap;
    struct blob *chunk;
    size_t chunk_cap;
};

/* prefix must outlive it. Views are as the topic's; the caller fills the rest of kept. */
void checkpoint_init(struct checkpoint *checkpoint, struct shard *shard, struct fence *fence,
                     const char *prefix);
void checkpoint_fini(struct checkpoint *checkpoint);

/* P, if one began now. */
int64_t checkpoint_goal(const struct checkpoint *checkpoint);

/* After shard_adopt(), whose topic had been `before`: what is kept goes with its view. A checkpoint that was
 * under way is given up: nothing of it may be in a batch. */
void checkpoint_adopt(struct checkpoint *checkpoint, const struct topic *before);

/* Does Redis lack anything? */
bool checkpoint_is_due(const struct checkpoint *checkpoint);

/* Begins one; the last one must be over. */
void checkpoint_begin(struct checkpoint *checkpoint);

/* Adds what comes next to the batch, up to its limits. row: scratch, as add_entity()'s. */
void checkpoint_gather(struct checkpoint *checkpoint, struct batch *batch, size_t entities_max,
                       struct row *row, int64_t wall_ms);

/* An item of the unit was acknowledged. Of UNIT_PROGRESS: the checkpoint is over, and P may be
 * committed. */
void checkpoint_answered(struct checkpoint *checkpoint, const struct item *item);

/* The item that resets every view with is_reset. cluster: "" where it is not known. */
void checkpoint_add_reset(struct checkpoint *checkpoint, struct batch *batch, const char *cluster,
                          int32_t partition_count, bool is_whole);

#endif
