/* decode: from the bytes of a Kafka record to an event.
 *
 * The one place where a format is chosen: JSON today, Avro and Protobuf beside it later.
 *
 * Floor: 2. Owner: one worker thread.
 */
#ifndef TIDEWHEEL_DECODE_H
#define TIDEWHEEL_DECODE_H

#include "tidewheel/pipeline.h"

/* A record as a source gives it. All that it points at is lent until the next record. */
struct record {
    struct slice value;
    struct slice key; /* ptr NULL: no key */
    int64_t offset;
    int64_t timestamp_ms; /* -1: none */
    int32_t partition;
};

/* One of a record's, lent as long. */
struct header {
    const char *name;
    struct slice value; /* ptr NULL: null */
};

struct decode_limits {
    size_t event_bytes;
    size_t nesting;
    size_t key_bytes;
};

/* An event, decoded once for all views of its topic. */
struct event {
    const struct value *values; /* by slot of the topic's paths */
    int64_t record_ms;          /* -1: none */
    size_t duplicates;
};

struct decoder;

struct decoder *decoder_new(const struct decode_limits *limits);
void decoder_free(struct decoder *decoder);

/* VERDICT_ACCEPTED, EMPTY, TOO_BIG, BAD_JSON or NOT_OBJECT. ret is lent until the next call. */
enum verdict decode(struct decoder *decoder, const struct topic *topic, const struct record *record,
                    struct event *ret);

/* What a view makes of a decoded event, before its features see it. */
struct routed {
    int64_t ts_ms;
    struct slice identity; /* key.h; lent until the next call */
    int64_t record_ms;     /* as the event's */
};

/* VERDICT_ACCEPTED, BAD_TIMESTAMP, NO_KEY, KEY_TOO_LONG or FUTURE, looked for in this order.
 * wall_ms is the wall clock of promise L; INT64_MAX refuses nothing as future. */
enum verdict decode_for_view(struct decoder *decoder, const struct view *view,
                             const struct event *event, int64_t wall_ms, struct routed *ret);

#endif
