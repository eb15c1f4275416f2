/* ledger: when may an offset go? (promise X)
 *
 *     applied    position        the next offset of the unit that has not been applied
 *     durable    ledger_durable  everything before it is in acknowledged writes, or delivered letters
 *     committed  committed       what the group knows
 *
 *     committed <= durable = min(first unacknowledged, first held, first posted, position)
 *
 * An entity that an event changes is held with that event's offset, unless it is held already: so the
 * queue is in offset order, the oldest first, and its head is the smallest. With the offset goes the
 * record's own time, so that the age of what was written can be told. What is taken for a batch
 * stays in the minimum until the batch is acknowledged. Writes that no event asked for (decays) hold
 * nothing.
 *
 * A record whose dead letter is on its way is posted until the letter is delivered. Letters are
 * delivered in any order:
 *
 *     posted   [ 12 ][ 15 delivered ][ 15 ][ 31 delivered ]      settling 12 leaves [ 15 ][ 31 ]
 *              ^ the oldest that is not delivered
 *
 * Floor: 1. Owner: the worker that owns the shard.
 */
#ifndef TIDEWHEEL_LEDGER_H
#define TIDEWHEEL_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An entity of a shard: the number of its view among the topic's views, and its own number there. */
struct entity_ref {
    uint32_t view;
    uint32_t number;
};

struct held {
    struct entity_ref entity;
    int64_t offset;    /* of the oldest event that the entity's last write lacks */
    int64_t record_ms; /* its Kafka timestamp; -1: none */
};

/* A record, and what tells whether a log still has it. */
struct anchor {
    int64_t offset; /* -1: none */
    int64_t timestamp_ms;
    uint64_t checksum;
};

struct posted {
    struct anchor record;
    size_t bytes; /* of the letter; 0: it is delivered */
};

struct ledger {
    int64_t position;
    int64_t committed; /* -1: nothing, or a reset allows to go back */
    int64_t
        in_flight; /* the smallest offset of the batch that is not acknowledged; INT64_MAX: none */
    struct held *ring;
    size_t head;
    size_t count;
    size_t cap;            /* a power of two */
    struct posted *posted; /* a ring like the other */
    size_t posted_head;
    size_t posted_count;
    size_t posted_cap;
    size_t posted_bytes;   /* what all this takes, here and on the way */
    uint64_t posted_first; /* the number of the oldest */
};

void ledger_init(struct ledger *ledger, int64_t position, int64_t committed);
void ledger_fini(struct ledger *ledger);

/* The caller holds an entity at most once at a time. Offsets never go down. */
void ledger_hold(struct ledger *ledger, struct held held);

/* The entity that has been held longest, now part of the batch; false: none. */
bool ledger_take(struct ledger *ledger, struct held *ret);

/* The entity that has been held longest is written by somebody else. */
void ledger_drop(struct ledger *ledger);

/* The entity that will be taken after `ahead` others, NULL if fewer are held. */
const struct held *ledger_peek(const struct ledger *ledger, size_t ahead);

/* Views have other numbers now, each the one at its old number; of those that are VIEW_GONE nothing is
 * held any more. */
#define VIEW_GONE UINT32_MAX
void ledger_renumber(struct ledger *ledger, const uint32_t *numbers);

/* A write that waits for no event's entity, but must be in before offsets from here on may go. */
void ledger_send(struct ledger *ledger, int64_t offset);

/* The batch was acknowledged, whole. */
void ledger_acknowledge(struct ledger *ledger);

/* The record has a letter of so many bytes (not 0): offsets from it on may not go before
 * ledger_settle() is given the number that this returns. Offsets never go down. */
uint64_t ledger_post(struct ledger *ledger, const struct anchor *record, size_t bytes);
void ledger_settle(struct ledger *ledger, uint64_t number);

/* The oldest that is not settled; NULL: all are. */
const struct posted *ledger_posted(const struct ledger *ledger);

/* Before the one, all writes are acknowledged; before the other, all letters are delivered; before
 * durable, both. */
int64_t ledger_written(const struct ledger *ledger);
int64_t ledger_delivered(const struct ledger *ledger);
int64_t ledger_durable(const struct ledger *ledger);

#endif
