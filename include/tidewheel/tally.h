/* tally: counters of verdicts, one writer and any number of readers.
 *
 * Of each view: every event, by what became of it. An accepted event is counted as accepted, and
 * once more under what its features said: applied if one applied it, late if every feature that it
 * matched said late, otherwise bad_type, missing or unmatched, the first that one of them said.
 *
 * Floor: 1. Owner: written by one worker, read by anybody.
 */
#ifndef TIDEWHEEL_TALLY_H
#define TIDEWHEEL_TALLY_H

#include "tidewheel/verdict.h"

#include <stdatomic.h>
#include <stdint.h>

struct tally {
    _Atomic uint64_t of[VERDICT_COUNT];
};

/* One writer: a plain load and store, no lock on the bus. */
static inline void tally_add(struct tally *tally, enum verdict verdict, uint64_t more)
{
    uint64_t now = atomic_load_explicit(&tally->of[verdict], memory_order_relaxed);
    atomic_store_explicit(&tally->of[verdict], now + more, memory_order_relaxed);
}

static inline uint64_t tally_read(const struct tally *tally, enum verdict verdict)
{
    return atomic_load_explicit(&tally->of[verdict], memory_order_relaxed);
}

#endif
