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
 *     INCR   {tw:group}:alive:<nonce>                      the tail latency of who reads beside us
 *     EXEC
 *
 * Every write says all fields of the view: it is absolute, so it may be sent twice, and it repairs
 * what somebody else has deleted. A key may turn out to be of another type, which refuses HSET but
 * not EXPIRE: the answer of PTTL is what the store needs to give such a key its own expiry back.
 *
 * The bytes stay until the answer is in (hiredis loses what it was given when a connection breaks).
 *
 * Floor: 2. Owner: one worker thread.
 */
#ifndef TIDEWHEEL_BATCH_H
#define TIDEWHEEL_BATCH_H

#include "tidewheel/shard.h"

enum { BATCH_ENTITIES_MAX = 1000, BATCH_BYTES_MAX = 256 * 1024 };

/* An entity that the batch carries. */
struct sent {
    struct shard *shard; /* NULL: dropped since */
    struct entity_ref entity;
    int64_t as_of_ms;
    int64_t next_ms;
    uint8_t generation;
    bool is_refused;      /* Redis said no to one of its commands, inside the transaction */
    uint32_t command_end; /* its commands end before this one */
    size_t byte_end;      /* and their bytes here */
};

struct batch {
    struct buf bytes;
    struct buf key;         /* scratch */
    uint32_t command_count; /* between MULTI and EXEC */
    struct sent *sent;
    size_t sent_count;
    size_t sent_cap;
};

void batch_fini(struct batch *batch);

void batch_begin(struct batch *batch);
void batch_add(struct batch *batch, struct shard *shard, struct entity_ref entity,
               const struct row *row, int64_t wall_ms);
void batch_end(struct batch *batch, struct slice alive_key);

static inline bool batch_is_full(const struct batch *batch, size_t entities_max)
{
    return batch->sent_count >= entities_max || batch->bytes.len >= BATCH_BYTES_MAX;
}

/* A dropped shard's entities are not told of the answer any more. */
void batch_forget(struct batch *batch, const struct shard *shard);

/* Redis refused command number `command` of the batch, counted from 0 after MULTI. */
void batch_refuse(struct batch *batch, size_t command);

/* Before it is sent again: what has been forgotten is left out. Somebody else may own it by now, and
 * have written something newer. */
void batch_trim(struct batch *batch);

/* Word number `word` of a command of the batch; ptr NULL: there is none. */
struct slice batch_word(const struct batch *batch, size_t command, size_t word);

/* The PTTL of the same key that stands in front of a command; false: none does. */
bool batch_find_pttl(const struct batch *batch, size_t command, size_t *ret);

/* One command as Redis reads it, added to bytes: for those who speak beside batches. */
void resp_command(struct buf *bytes, const char *const *words, size_t count);

#endif
