/* kafka_private: what the files of the Kafka source share.
 *
 *     kafka.c         the interface: poll, begin, hold, pause, restart
 *     kafka_open.c    a consumer, from its first breath to its last
 *     kafka_commit.c  offsets to Kafka, one commit at a time
 *     kafka_conf.c    librdkafka's configuration, its log and its errors
 *     kafka_group.c   rebalances, and the list of units
 *     kafka_lookup.c  from "ours" to "assigned": what Kafka must be asked first
 *     kafka_nudge.c   a full queue that has been emptied
 *     kafka_adopt.c   other topics, while all goes on
 *     kafka_reader.c  the second consumer, without a group
 *     kafka_reset.c   a group from outside: its members, and its offsets
 *     kafka_ends.c    the ends of a topic's logs, for who only looks
 *     kafka_property.c   which properties are a consumer's, and which a producer's
 *
 * A unit's way, all of it inside source_poll():
 *
 *     on_rebalance(ASSIGN)   owned, waits_lookup; librdkafka is given an empty list
 *     lookup_serve() ...     counts, committed, end, beginning, timestamps; again until all is known
 *     handler->assigned      is_assigned
 *     begin()                has_begun; is_dirty: before the next record is asked for, librdkafka is
 *                            given the full list with explicit offsets
 *     records                dropped unless is_assigned, has_begun, not paused, offset >= next; the
 *                            first one at `until` is not handed out, and holds the unit
 *     hold()                 not has_begun; is_dirty
 *     restart()              as hold(); waits_lookup
 *     on_rebalance(REVOKE)   handler->revoked; kept, not owned
 *     on_rebalance(ASSIGN)   not in it: handler->dropped, freed
 *
 * A begin() may go back while records of the fetch before it are queued. They are never seen: each
 * assign() stops and starts the fetchers of all partitions, either raises the partition's version
 * before assign() returns, and librdkafka throws away what it queued under a lower one.
 *
 * Floor: 3. Owner: one worker thread; librdkafka's own threads enter on_log() only.
 */
#ifndef TIDEWHEEL_KAFKA_PRIVATE_H
#define TIDEWHEEL_KAFKA_PRIVATE_H

#include "tidewheel/source.h"

#include <librdkafka/rdkafka.h>
#include <pthread.h>

enum { KAFKA_PROBE_MS = 10000 }; /* how often the partition counts are looked at */

struct kafka_unit {
    struct unit unit;   /* first: a struct unit that a source lends is one of these */
    struct unit *lent;  /* to the handler: unit; of a reader, the main source's */
    int64_t next;       /* the lowest offset that may come next */
    int64_t live_at;    /* of the last plan */
    int64_t end;        /* of the log, as asked for in a pause; -1 */
    int64_t until;      /* the first offset that is left alone; INT64_MAX: none is */
    int64_t reset_done; /* the person's offset that the state was read again for; -1 */
    int64_t commit_due; /* not sent yet; -1 */
    int64_t alive_ms; /* the lookup under way reads as if the group had died then; INT64_MAX: no */
    bool is_owned;    /* in the group's newest assignment */
    bool is_known;    /* the handler has been told of it */
    bool waits_lookup;
    bool waits_probe; /* before its lookup a commit tells whether we are a member */
    bool has_begun;   /* the handler has said from where on it wants records */
    bool is_doubted;  /* an error about another position was not believed; the next one is */
};

struct kafka_topic {
    const struct topic *topic;
    rd_kafka_topic_t *handle;
    struct kafka_unit **units; /* by partition; NULL where it is not ours */
    int32_t unit_cap;
    int32_t partition_count; /* as first seen; 0: not yet */
    struct assign_needs needs;
};

/* The questions of a lookup, in this order; the end is read before the timestamps. */
enum lookup_step {
    LOOKUP_COMMITTED,
    LOOKUP_PROBE,
    LOOKUP_END,
    LOOKUP_BEGINNING,
    LOOKUP_ZERO,
    LOOKUP_SINCE,
    LOOKUP_UNTIL,
    LOOKUP_STEPS
};

struct lookup {
    bool is_running;
    int64_t retry_mono_ms;
    int64_t backoff_ms;
    rd_kafka_topic_partition_list_t *answers[LOOKUP_STEPS];
};

struct kafka_source {
    struct source source; /* first */
    int number;
    rd_kafka_conf_t *conf; /* until it becomes the handle's */
    rd_kafka_t *handle;    /* NULL: not connected yet, as the queues and the topics' handles */
    rd_kafka_queue_t *commit_queue;
    rd_kafka_message_t *message; /* lent to the caller */
    struct source_handler handler;
    struct kafka_topic *topics;
    size_t topic_count;
    struct kafka_topic *last_topic;
    struct lookup lookup;
    rd_kafka_queue_t *queue; /* of records that wait for us */
    size_t queue_min;        /* fetching stops at that many */
    bool has_backoff;        /* librdkafka looks after its fetchers itself */
    bool is_queue_full;
    bool is_reader; /* kafka_reader.c */
    bool is_dirty;  /* librdkafka is to be given another list */
    bool is_paused;
    bool is_closing;
    int commits_in_flight;
    int64_t commit_mono_ms; /* the next not before: the last one was refused */
    unsigned polls;
    int64_t probe_mono_ms;   /* when the partition counts are asked for again */
    int64_t refused_mono_ms; /* since when our credentials are refused; -1: they are not */
    bool is_away;
    char *cluster;     /* its id; NULL: not known yet */
    char trouble[512]; /* the last reason for is_away or refused */
    struct err fatal;  /* code 0: none */
};

/* kafka.c */
int kafka_poll(struct source *base, int64_t timeout_ms, struct unit **ret_unit, struct record *ret,
               struct err *err) MUST_CHECK;
void kafka_await_lookup(struct kafka_source *source, struct kafka_unit *unit);
void kafka_begin_unit(struct kafka_source *source, struct kafka_unit *unit, int64_t start);
void kafka_learn_cluster(struct kafka_source *source); /* waits for nothing */
int64_t kafka_known_end(const struct kafka_source *source, const struct unit *unit);
void kafka_release(struct kafka_source *source); /* the record that is lent */
extern const struct source_ops KAFKA_OPS;

/* kafka_open.c */
/* With a conf, and nothing of Kafka's yet. */
int kafka_new(const struct options *options, const struct catalog *catalog, int number,
              const struct source_handler *handler, bool is_reader, struct kafka_source **ret,
              struct err *err) MUST_CHECK;
int kafka_connect(struct kafka_source *source, struct err *err) MUST_CHECK;
void kafka_topic_init(struct kafka_topic *topic, const struct topic *from);
int kafka_topic_open(struct kafka_source *source, struct kafka_topic *topic,
                     struct err *err) MUST_CHECK;
int kafka_subscribe(struct kafka_source *source, struct err *err) MUST_CHECK;
/* False: librdkafka is not gone yet, and what is left of source is left to the system. */
bool kafka_free(struct kafka_source *source, int64_t deadline_ms);
bool kafka_close(struct source *base, int64_t wait_ms);
/* False: it has not ended, or is not gone, yet. */
bool kafka_join_within(pthread_t thread, int64_t deadline_ms);
bool kafka_destroy_within(rd_kafka_t *handle, int64_t deadline_ms);

/* kafka_commit.c */
void kafka_commit(struct source *base, const struct commit *commits, size_t count, int64_t wait_ms);
void kafka_commit_serve(struct kafka_source *source); /* takes answers, sends what is due */
bool kafka_commit_drain(struct kafka_source *source, int64_t wait_ms); /* false: some are out */
/* Commits offsets and metadata as they stand in the list, and waits for the answer. */
rd_kafka_resp_err_t kafka_commit_probe(struct kafka_source *source,
                                       const rd_kafka_topic_partition_list_t *list,
                                       int64_t wait_ms);

/* kafka_conf.c */
int kafka_conf_new(struct kafka_source *source, const struct options *options,
                   struct err *err) MUST_CHECK;
int kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value,
                   struct err *err) MUST_CHECK;
void kafka_error(struct kafka_source *source, rd_kafka_resp_err_t code, const char *reason);
void kafka_fail(struct kafka_source *source, const char *format, ...) PRINTF_LIKE(2, 3);
void kafka_away(struct kafka_source *source, const char *advice, const char *reason);
/* On the board of who has one: what is known of a topic. */
void kafka_show_topic(const struct kafka_source *source, const char *name, enum topic_state state);
void kafka_answers(struct kafka_source *source); /* Kafka has answered: it is not away */

/* kafka_property.c */
/* librdkafka's list of properties, and whose one is by it: 'C' a consumer's, 'P' a producer's, '*' both
 * or not known. */
void kafka_property_sides(struct buf *ret);
char kafka_property_side(struct buf *sides, const char *name);

/* kafka_group.c */
void kafka_rebalance(struct kafka_source *source, rd_kafka_resp_err_t code,
                     const rd_kafka_topic_partition_list_t *partitions);
void kafka_assign(struct kafka_source *source); /* what may be read, to librdkafka */
struct kafka_unit *kafka_unit_make(struct kafka_topic *topic, int32_t partition);
void kafka_unit_drop(struct kafka_source *source, struct kafka_unit *unit);
void kafka_drop_all(struct kafka_source *source);
struct kafka_unit *kafka_unit_of(struct kafka_source *source, const rd_kafka_topic_t *handle,
                                 int32_t partition);
struct kafka_unit *kafka_unit_next(struct kafka_source *source, const struct kafka_unit *unit);
struct kafka_topic *kafka_topic_named(struct kafka_source *source, const char *name);
struct kafka_topic *kafka_topic_of(struct kafka_source *source, const struct kafka_unit *unit);

#define FOR_EACH_UNIT(unit, source)                                                                \
    for (struct kafka_unit *unit = kafka_unit_next(source, NULL); unit != NULL;                    \
         unit = kafka_unit_next(source, unit))

/* kafka_lookup.c */
void lookup_start(struct lookup *lookup);
void lookup_stop(struct lookup *lookup);
void lookup_serve(struct kafka_source *source);
bool kafka_check_counts(struct kafka_source *source, int timeout_ms); /* false: no answer */

/* kafka_adopt.c */
int kafka_adopt(struct source *base, const struct catalog *catalog, struct err *err) MUST_CHECK;

/* Asks each leader of ours for its log's end. wait_ms 0: the answer is thrown away when it comes. */
void kafka_ask_ends(struct kafka_source *source, int wait_ms);

/* kafka_nudge.c */
void kafka_nudge(struct kafka_source *source);

#endif
