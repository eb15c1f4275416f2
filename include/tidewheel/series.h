/* series: the non-empty buckets of one feature of one entity.
 *
 *     oldest                                                        newest
 *     | parts.. head | value head | head | parts............... head |  free ... |
 *
 * A head is one word, behind what it describes, so that a series is read from its newest end:
 *
 *     start of the bucket in ms (48 bits) | form (16 bits)
 *     form  ONE   a single event: its value in one word, or in none where the feature counts events
 *           MANY  an accumulator of the feature's shape
 *
 * Buckets are sorted by start. An event goes to the bucket of the finest hop among the windows that
 * still hold it; when finer windows have let go of buckets, those that share the next hop's bucket
 * are merged (only ever before a series would grow). Because hops nest and windows begin on their
 * own hop's boundary, every bucket lies inside a window or outside it, and what is read is exactly
 * promise W, whatever has been merged.
 *
 * series_read() visits each bucket once, newest first, and copies the running accumulator out
 * whenever it passes a window's beginning: three windows cost what one does. Sums are added up afresh at
 * each reading and never subtracted, so nothing drifts.
 *
 * Callers never let now_ms go back.
 *
 * Floor: 1. Owner: the worker that owns the shard.
 */
#ifndef TIDEWHEEL_SERIES_H
#define TIDEWHEEL_SERIES_H

#include "tidewheel/op.h"
#include "tidewheel/slab.h"
#include "tidewheel/window.h"

enum { SERIES_WINDOWS_MAX = 16 };

struct series {
    uint64_t *words;
    uint32_t len;        /* words in use */
    uint32_t size_class; /* of the slab; the capacity follows from it */
};

/* What a series needs to know of its feature; the same for all entities. */
struct series_spec {
    struct acc_shape shape;
    bool has_value;               /* false: counts events */
    const struct window *windows; /* as declared */
    size_t window_count;
    uint8_t by_length[SERIES_WINDOWS_MAX]; /* window numbers, shortest first */
};

/* What one reading gives. */
struct series_reading {
    uint64_t acc[SERIES_WINDOWS_MAX][ACC_WORDS_MAX]; /* by window number */
    int64_t next_ms; /* the next A at which time alone changes a window; INT64_MAX: nothing alive */
};

/* ERR-free: windows and parts were validated by the configuration. */
void series_spec_init(struct series_spec *spec, uint32_t parts, bool has_value,
                      const struct window *windows, size_t window_count);

/* Is it older than every window at now_ms (promise L)? */
bool series_is_late(const struct series_spec *spec, int64_t ts_ms, int64_t now_ms);

/* False: the event is late, and changes nothing. */
bool series_add(struct series *series, const struct series_spec *spec, struct slab *slab,
                int64_t ts_ms, double value, int64_t now_ms);

void series_read(const struct series *series, const struct series_spec *spec, int64_t now_ms,
                 struct series_reading *ret);

/* Lets go of buckets that no window holds, merges those that may be merged, and gives back memory
 * that is more than twice too much. */
void series_tidy(struct series *series, const struct series_spec *spec, struct slab *slab,
                 int64_t now_ms);

void series_fini(struct series *series, struct slab *slab);

#endif
