/* expose: Prometheus' text format 0.0.4.
 *
 *     # HELP tidewheel_records_total Records taken from Kafka.
 *     # TYPE tidewheel_records_total counter
 *     tidewheel_records_total 81723
 *     tidewheel_kafka_consumer_lag{topic="user_events",partition="3"} 0
 *
 * Deterministic: metrics in the order of their table, views in the order of the catalog, units by topic
 * and partition. Every row is there, if only by its first two lines. Whatever stands in a label or a
 * HELP text, the format holds.
 *
 * Floor: 3. Owner: any thread.
 */
#ifndef TIDEWHEEL_EXPOSE_H
#define TIDEWHEEL_EXPOSE_H

#include "tidewheel/display.h"
#include "tidewheel/metric.h"

#define EXPOSE_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* All metrics, as of now: of the wall clock, and of the one that never goes back. */
void expose_all(const struct display *display, int64_t wall_ms, int64_t mono_ms, struct buf *text);

/* ---- what it is made of ---- */

struct label {
    const char *name;
    const char *value;
};

enum { LABELS_MAX = 4 };

/* The two lines in front of the samples. */
void expose_begin(const struct metric *metric, struct buf *text);

/* One sample; suffix: "" or one of a histogram's. An infinite value is written as +Inf or -Inf. */
void expose_sample(const char *name, const char *suffix, const struct label *labels, size_t count,
                   double value, struct buf *text);

/* The samples of one histogram: buckets that hold all below them, sum and count. of: one count for each
 * bound, and one more; not cumulative. */
void expose_histogram(const char *name, const struct label *labels, size_t count,
                      const struct buckets *buckets, const int64_t *of, int64_t sum,
                      struct buf *text);

#endif
