/* output: what a view's definition means for state and for Redis.
 *
 *     definition   a hash of all that decides which events count, in which bucket, and under which
 *                  names and keys values go: topic, time, keys, features (where, value, aggregates,
 *                  windows), templates, clock, future_max. Not: description, owner, ttl, file.
 *     output       what it writes, as one text that a later version can still read: key templates,
 *                  tenant, field names. It tells whoever finds it in Redis what is to be deleted
 *                  once the definition has changed. Words, percent-encoded as in key.h:
 *
 *     1 features%3Auser%3A{id} freshness%3Auser%3A{id} 0 1 user_activity purchase_24h_count ...
 *     |        key                  freshness key      | |     view             fields
 *     version                               has_tenant-+ +-key fields, with the tenant
 *
 * Floor: 2. Owner: pure.
 */
#ifndef TIDEWHEEL_OUTPUT_H
#define TIDEWHEEL_OUTPUT_H

#include "tidewheel/pipeline.h"

/* DEFINITION_LEN hex digits, NUL-terminated; ret has room for them. Equal definitions give equal digits in
 * every process and version. A catalog's views have theirs, and their output text, in them. */
void view_definition(const struct view *view, char *ret);

/* Adds the output text to ret. */
void view_output(const struct view *view, struct buf *ret);

/* What an old output text has written, taken apart. */
struct output {
    struct template key;
    struct template freshness_key;
    bool has_tenant;
    size_t key_count; /* with the tenant */
    char *view;       /* its fields in the freshness hash are <view> and <view>:event */
    char **fields;    /* of the feature hash */
    size_t field_count;
};

/* ERR_INPUT: not such a text. */
int output_read(struct slice text, struct output *ret, struct err *err) MUST_CHECK;
void output_fini(struct output *output);

/* Leaves in output->fields only what no view of the catalog writes under a key that both can make; the
 * caller then deletes those. view is set to NULL if a view of the catalog writes one of its two fields
 * of freshness under such a key. */
void output_subtract(struct output *output, const struct catalog *catalog);

#endif
