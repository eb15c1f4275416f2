/* entity: all entities of one view in one shard.
 *
 *     table   hash of identity -> number
 *     chunks  number -> record     [ identity | flags | times | applied | series of each feature ]
 *     expire  number -> when time alone next changes a value (promise D)
 *
 * Records do not move; numbers of removed ones are used again.
 *
 * Floor: 2. Owner: the worker that owns the shard.
 */
#ifndef TIDEWHEEL_ENTITY_H
#define TIDEWHEEL_ENTITY_H

#include "tidewheel/expire.h"
#include "tidewheel/pipeline.h"
#include "tidewheel/table.h"

enum { ENTITY_NONE = UINT32_MAX };

enum entity_flag {
    ENTITY_IN_USE = 1,
    ENTITY_HELD = 2,     /* an event has changed it: the ledger holds it for a write */
    ENTITY_SENT = 4,     /* it is in the batch that is not acknowledged yet */
    ENTITY_ASIDE = 8,    /* Redis refused its key (WRONGTYPE): it waits for its next try */
    ENTITY_UNSAID = 16,  /* it has changed in silence: the next pass writes it */
    ENTITY_GONE = 32,    /* published as empty: kept a little longer, lest Redis loses just that */
    ENTITY_DIRTY = 64,   /* its blob lacks something: the next checkpoint has it on its list */
    ENTITY_COLD = 128,   /* its buckets are in its blob, but for those of events since */
    ENTITY_WANTED = 256, /* and are to be read back */
    ENTITY_SAVING = 512, /* its blob is in the batch, and cannot be read back before the answer */
};

struct entity {
    char *identity; /* key.h; not NUL-terminated */
    uint32_t identity_len;
    uint16_t flags;
    uint8_t generation;   /* of the shard, when its last acknowledged write was made */
    int64_t newest_ms;    /* of its events that fed this view; -1: none */
    int64_t published_ms; /* the A of its last acknowledged write; -1: none */
    int64_t applied;      /* the offset of the last event that fed it; -1: none */
    struct series series[];
};

struct entities {
    const struct view *view;
    struct slab *slab; /* the shard's */
    struct table *table;
    struct expire *expire;
    uint64_t seed;
    char **chunks;
    size_t chunk_count;
    size_t chunk_cap;
    uint32_t end;       /* numbers below it have been used */
    uint32_t free_head; /* of the numbers that can be used again */
    size_t record_bytes;
    size_t feature_count;
    size_t gone_count; /* the shard's: of those that are published as empty and not forgotten yet */
};

/* seed keeps hashes from being guessed by who sends the events. */
void entities_init(struct entities *entities, const struct view *view, struct slab *slab,
                   uint64_t seed, int64_t now_ms);
void entities_fini(struct entities *entities);

/* Gives back to the slab, one by one, what lies there of up to *looks of them, and counts these down. True:
 * that was all. Nothing else is done with them after it, but entities_fini(). */
bool entities_bury(struct entities *entities, size_t *looks);

uint32_t entities_find(const struct entities *entities, struct slice identity);
uint32_t entities_add(struct entities *entities, struct slice identity);
void entities_remove(struct entities *entities, uint32_t number);

struct entity *entity_at(const struct entities *entities, uint32_t number);

size_t entities_count(const struct entities *entities);
size_t entities_bytes(const struct entities *entities); /* without what lies in the slab */

#endif
