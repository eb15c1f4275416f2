/* sim_oracle: what every value must be, by folding all events, with no buckets (promises W and N).
 *
 * The amounts of an entity's accepted events are 1, 2, 4, 8 ...: the bits of a sum say which of them
 * have been counted, and as long as none has left the window, a right sum is 2^count - 1.
 */
#ifndef TIDEWHEEL_SIM_ORACLE_H
#define TIDEWHEEL_SIM_ORACLE_H

#include "sim_db.h"
#include "tidewheel/pipeline.h"

enum {
    ORACLE_ENTITIES_MAX = 24,
    ORACLE_EVENTS_MAX = 50 /* of an entity: a double holds 53 bits */
};

struct oracle_event {
    int64_t ts_ms;
    double amount;
    int64_t offset;
};

struct oracle {
    bool allows_leftovers; /* nobody knows any more what earlier definitions have written */
    const struct catalog *catalog;
    struct oracle_event events[ORACLE_ENTITIES_MAX][ORACLE_EVENTS_MAX];
    size_t counts[ORACLE_ENTITIES_MAX];
    int partition_of[ORACLE_ENTITIES_MAX];
};

void oracle_init(struct oracle *oracle, const struct catalog *catalog, int partition_count);

bool oracle_is_full(const struct oracle *oracle, size_t entity);

/* The amount of the entity's next event. */
double oracle_amount(const struct oracle *oracle, size_t entity);
void oracle_add(struct oracle *oracle, size_t entity, int64_t ts_ms, int64_t offset);

/* How many of the entity's events lie before an offset of its partition. */
size_t oracle_before(const struct oracle *oracle, size_t entity, int64_t offset);

/* A value in Redis at any time: that of the entity's first events, whatever their number. ERR_INTERNAL
 * with a sentence. */
int oracle_check_prefix(const struct oracle *oracle, struct slice key, const struct entry *entry,
                        struct err *err);

/* Every field of every entity, as of a moment between now_ms and lag_ms before. */
int oracle_check_all(const struct oracle *oracle, struct db *db, int64_t now_ms, int64_t lag_ms,
                     struct err *err);

#endif
