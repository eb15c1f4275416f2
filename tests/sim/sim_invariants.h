/* sim_invariants: what must hold in Redis at every moment of the checkpointed form (recovery.md).
 *
 *     I2  the features of an entity reflect at least all events before its unit's progress, unless its
 *         blob says that they are owed
 *     I4  no pair (own, seq) is written by two processes (one may write it again, if the first time
 *         was lost with its answer)
 */
#ifndef TIDEWHEEL_SIM_INVARIANTS_H
#define TIDEWHEEL_SIM_INVARIANTS_H

#include "sim_oracle.h"

enum { PAIRS_MAX = 1 << 15 };

struct invariants {
    const struct oracle *oracle;
    uint64_t pairs[PAIRS_MAX]; /* hashes, open addressing; 0: free */
    uint8_t writers[PAIRS_MAX];
    size_t pair_count;
};

void invariants_init(struct invariants *invariants, const struct oracle *oracle);

/* A process has written to a key. ERR_INTERNAL with a sentence. */
int invariants_check(struct invariants *invariants, struct db *db, struct slice key, int writer,
                     int64_t wall_ms, struct err *err);

#endif
