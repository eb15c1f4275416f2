/* metric: what /metrics has, one row each.
 *
 *     {"tidewheel_kafka_consumer_lag", METRIC_GAUGE, "topic,partition", "Records between ...", ...}
 *
 * HELP and TYPE lines, `tidewheel list metrics` and the samples are made from the row: a new metric is
 * one row, and a function only if no other metric is made like it. No label is made from an entity, so
 * the number of samples does not depend on the data.
 *
 * tidewheel_end_to_end_latency_seconds: one observation for each write of an entity that an arrival has
 * caused, when it is acknowledged: the age of the oldest event in it by Kafka's timestamp of its record.
 * Not observed: records without a timestamp, what was read again in silence (promise P), and what a
 * checkpoint writes on its way. Whatever a clock says that runs ahead of ours counts as 0.
 *
 * Floor: 3. Owner: constants.
 */
#ifndef TIDEWHEEL_METRIC_H
#define TIDEWHEEL_METRIC_H

#include "tidewheel/buf.h"
#include "tidewheel/histogram.h"

struct scrape;
struct metric;

/* Adds the samples, none if there is nothing to be said. */
typedef void metric_fn(const struct scrape *scrape, const struct metric *metric, struct buf *text);

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

extern const char *const metric_type_names[];

struct metric {
    const char *name;
    enum metric_type type;
    const char *labels; /* their names, with commas; "": none */
    const char *help;
    metric_fn *add;
    int of;           /* which cell, where there is one */
    int64_t per_unit; /* so many of what the cell counts are one; 0: 1 */
    const char *const
        *values; /* of the one label, NULL-terminated: of `of` and the cells behind it */
    const struct buckets *buckets;
    size_t offset; /* of the histogram in its board or line */
};

extern const struct metric metric_rows[];
extern const size_t metric_count;

#endif
