/* histogram: how often something was at most so much; one writer and any number of readers.
 *
 *     bounds     1    5   10   50            of integers: milliseconds, microseconds, entities
 *     of       | 3 |  9 |  2 |  0 |  1 |     how many fell between a bound and the one before;
 *                                            the last one: above all bounds
 *
 * What is counted is an integer, and so is the sum: it is exact. Counts are not cumulative here; whoever
 * shows them adds them up (Prometheus' `le`), so that a reader's total is that of the counts it has read.
 *
 * Floor: 1. Owner: written by one thread, read by anybody.
 */
#ifndef TIDEWHEEL_HISTOGRAM_H
#define TIDEWHEEL_HISTOGRAM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { HISTOGRAM_BOUNDS_MAX = 20 };

struct buckets {
    int64_t
        per_unit; /* so many of what is counted are one of the unit that is shown: 1000 ms a second */
    size_t count;
    int64_t bounds[HISTOGRAM_BOUNDS_MAX];
};

struct histogram {
    _Atomic int64_t of[HISTOGRAM_BOUNDS_MAX + 1];
    _Atomic int64_t sum;
};

extern const struct buckets
    latency_buckets; /* ms: from Kafka to Redis; minutes, while it catches up */
extern const struct buckets duration_buckets; /* us: one batch, from sending it to its answer */
extern const struct buckets entities_buckets; /* of a batch */

/* Most are small: looked for from below. */
static inline void histogram_observe(struct histogram *histogram, const struct buckets *buckets,
                                     int64_t value)
{
    size_t i = 0;
    while (i < buckets->count && value > buckets->bounds[i])
        i++;
    int64_t count = atomic_load_explicit(&histogram->of[i], memory_order_relaxed);
    int64_t sum = atomic_load_explicit(&histogram->sum, memory_order_relaxed);
    atomic_store_explicit(&histogram->of[i], count + 1, memory_order_relaxed);
    atomic_store_explicit(&histogram->sum, sum + value, memory_order_relaxed);
}

#endif
