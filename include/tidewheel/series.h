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
 * Bucket by bucket a series is walked, filled and merged newest first: only then a head comes before
 * what it describes.
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

enum { SERIES_WINDOWS_MAX = 16, SERIES_WORDS_MAX = 1 << 24 };

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

/* One bucket as it lies in a series; words are lent until the series changes. */
struct series_bucket {
    int64_t start_ms;
    bool is_one;           /* form ONE: words hold its value, or are none */
    const uint64_t *words; /* otherwise its accumulator */
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

/* The bucket that ends at word *at, which moves to its beginning; from series->len on: newest first.
 * False: there are no more. */
bool series_walk(const struct series *series, const struct series_spec *spec, uint32_t *at,
                 struct series_bucket *ret);

/* The words that a bucket of this form takes, its head among them. */
uint32_t series_bucket_words(const struct series_spec *spec, bool is_one);

/* Makes an empty series of exactly these words. All of them are then to be
 * filled with series_put(), newest first and with descending starts, *at from series->len down to 0;
 * it returns the place of the bucket's value or accumulator. */
void series_make(struct series *series, struct slab *slab, uint32_t words);
uint64_t *series_put(struct series *series, const struct series_spec *spec, uint32_t *at,
                     int64_t start_ms, bool is_one);

/* Takes the buckets of another series of the same feature, whose events are others; it is then empty. */
void series_merge(struct series *series, const struct series_spec *spec, struct slab *slab,
                  struct series *other);

/* The earliest moment that any window still holds at now_ms. */
int64_t series_begin(const struct series_spec *spec, int64_t now_ms);

#endif
