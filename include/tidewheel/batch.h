/* batch: one atomic write, as the bytes that Redis reads.
 *
 *     MULTI
 *     PTTL   features:user:42                              only in front of an entity's first write
 *     HSET   features:user:42 purchase_1h_count 3 purchase_1h_sum 129.95 ...
 *     HDEL   features:user:42 page_view_min ...            fields that do not exist (promise N)
 *     EXPIRE features:user:42 1209600                      last for its key (promise T)
 *     HSET   freshness:user:42 user_activity 1700000000000 user_activity:event 1699999999000
 *     EXPIRE freshness:user:42 1209600
 *     ...                                                  at most 100 entities and 256 KiB: a batch is
 *     HSET   {tw:g:t:0}:s:v:1:7 42 <blob>                   the tail latency of who reads beside us
 *     ...                                                  what ends it is the store's
 *
 * Every write says all fields of the view: it is absolute, so it may be sent twice, and it repairs
 * what somebody else has deleted. A key may turn out to be of another type, which refuses HSET but
 * neither EXPIRE nor the freshness: the answer of PTTL is what the store needs to give such a key its
 * own expiry back, and what was said to be fresh is taken back (promise F).
 *
 * The bytes stay until the answer is in (hiredis loses what it was given when a connection breaks).
 *
 * Floor: 2. Owner: one worker thread.
 */
#ifndef TIDEWHEEL_BATCH_H
#define TIDEWHEEL_BATCH_H

#include "tidewheel/shard.h"

enum { BATCH_ENTITIES_MAX = 1000, BATCH_BYTES_MAX = 256 * 1024 };

struct fence;

/* What an item writes, and so what its answer is for. */
enum item_kind {
    ITEM_FEATURES, /* an entity's features */
    ITEM_BLOB,     /* an entity's blob */
    ITEM_UNIT,     /* something of the unit as a whole: its progress, a reset, a sign of life */
};

/* One thing that the batch carries: some commands that belong together. */
struct item {
    enum item_kind kind;
    struct shard *shard; /* NULL: dropped since */
    struct fence *fence; /* of its unit; NULL in the plain form */
    struct entity_ref entity;
    int64_t as_of_ms;
    int64_t next_ms;
    int64_t newest_ms; /* of the row; -1: none */
    int64_t record_ms; /* of the oldest event that it is written for; -1: none, or not known */
    uint8_t generation;
    bool is_refused;      /* Redis said no to one of its commands, inside the transaction */
    uint32_t command_end; /* its commands end before this one */
    size_t byte_end;      /* and their bytes here */
    uint64_t tag;         /* of ITEM_UNIT: the caller's */
};

struct undo;

struct batch {
    struct buf bytes;
    struct buf key;         /* scratch */
    uint32_t command_count; /* behind MULTI */
    struct item *items;
    size_t item_count;
    size_t item_cap;
    size_t entity_count; /* items that write features */
    struct undo *undos;  /* what the next batch begins with */
    size_t undo_count;
    size_t undo_cap;
};

void batch_fini(struct batch *batch);

/* bytes: MULTI and the items' commands; the store sends its own behind them. */
void batch_begin(struct batch *batch);
/* An entity's features, as an item. */
struct item *batch_add(struct batch *batch, struct shard *shard, struct fence *fence,
                       struct entity_ref entity, const struct row *row, int64_t wall_ms);

/* Commands of other items: first the commands, then batch_close() makes an item of those since the
 * last one. */
void batch_command(struct batch *batch, const struct slice *words, size_t count);
struct item *batch_close(struct batch *batch, enum item_kind kind, struct shard *shard,
                         struct fence *fence);

static inline bool batch_is_full(const struct batch *batch, size_t entities_max)
{
    return batch->entity_count >= entities_max || batch->bytes.len >= BATCH_BYTES_MAX;
}

/* A dropped shard's entities are not told of the answer any more. The second: of a fence that is lost
 * or released. */
void batch_forget(struct batch *batch, const struct shard *shard);
void batch_forget_fence(struct batch *batch, const struct fence *fence);

/* Redis refused command number `command` of the batch, counted from 0 after MULTI. */
void batch_refuse(struct batch *batch, size_t command);

/* The key of that command has refused our fields, but not our expiry: the next batch gives it back what
 * the PTTL in front had answered, unless the unit has been forgotten. */
void batch_undo(struct batch *batch, size_t command, int64_t pttl_ms);

/* The HSET of an entity's freshness, by the item's number. */
size_t batch_freshness(const struct batch *batch, size_t i);

/* Nothing of the entity was written, but its freshness was, as all of a transaction is: the next batch
 * takes the view's two fields out again, unless the unit has been forgotten. */
void batch_undo_freshness(struct batch *batch, size_t i);

/* Before it is sent again: what has been forgotten is left out. Somebody else may own it by now, and
 * have written something newer. */
void batch_trim(struct batch *batch);

/* Word number `word` of a command of the batch; ptr NULL: there is none. */
struct slice batch_word(const struct batch *batch, size_t command, size_t word);

/* The PTTL of the same key that stands in front of a command; false: none does. */
bool batch_find_pttl(const struct batch *batch, size_t command, size_t *ret);

/* One command as Redis reads it, added to bytes: for those who speak beside batches. */
void resp_command(struct buf *bytes, const char *const *words, size_t count);
void resp_words(struct buf *bytes, const struct slice *words, size_t count);

#endif
