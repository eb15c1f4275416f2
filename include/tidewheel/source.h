/* source: where records come from: one member of the consumer group.
 *
 *     rebalance -> lookup -> assigned(unit, plan) -> begin() -> records ... -> revoked() -> parked
 *                               ^                                                             |
 *                               +--- comes back: goes on at the parked position --------------+--> dropped(unit)
 *
 * A unit is one partition of one topic. The source keeps the list of units, works out where each
 * begins (assign.h), and hands out records of units that are assigned now, never of an earlier
 * assignment (K7). The handler's functions are called inside source_poll(), on the worker's thread.
 *
 * The struct is an interface: kafka.c is the real one, tests have their own.
 *
 * Floor: 3. Owner: one worker thread.
 */
#ifndef TIDEWHEEL_SOURCE_H
#define TIDEWHEEL_SOURCE_H

#include "tidewheel/assign.h"
#include "tidewheel/board.h"
#include "tidewheel/decode.h"
#include "tidewheel/options.h"

struct unit {
    const struct topic *topic;
    int32_t partition;
    int32_t partition_count; /* of the topic */
    bool is_assigned;
    struct shard *shard; /* the handler's, as tenure and line */
    struct tenure *tenure;
    struct board_unit *line; /* on the board */
};

struct source_handler {
    void *arg;
    /* The parked position of a unit whose state is still in memory, or -1: it is read again. */
    int64_t (*position)(void *arg, const struct unit *unit);
    /* The unit is ours now; its records follow once begin() has said from where on. With a parked state:
     * plan->start below its position means that the state is void and everything is read again; else
     * it goes on. Comes again for a unit that is assigned already, after restart() or when the log
     * has lost records behind our back: its records then wait for another begin(). */
    void (*assigned)(void *arg, struct unit *unit, const struct plan *plan);
    /* All units are taken away (eager rebalance): flush and commit within a budget, and park. With
     * is_lost nothing may be committed any more. */
    void (*revoked)(void *arg, bool is_lost);
    /* The unit did not come back in this rebalance: its state goes. The unit is freed after it. */
    void (*dropped)(void *arg, struct unit *unit);
    /* Everything before offset has been handed out (an end-of-partition event, or the bound). */
    void (*reached)(void *arg, struct unit *unit, int64_t offset);
    /* Of each unit the first record with a timestamp of at least this, and all behind it, are left
     * alone; 0: none are. */
    int64_t until_ms;
    /* Where the source shows what it knows best: commits, rebalances, what the group has given us, and
     * whether Kafka answers. NULL: nobody looks. */
    struct board *board;
};

struct commit {
    struct unit *unit;
    int64_t offset; /* the next one to read */
};

struct source;

struct source_ops {
    /* One record at most; waits up to timeout_ms for it. 1: *ret_unit and *ret are filled, lent until
     * the next call. 0: none. ERR_FATAL: err says what a person must do; ERR_RETRY: Kafka is away. */
    int (*poll)(struct source *source, int64_t timeout_ms, struct unit **ret_unit,
                struct record *ret, struct err *err);
    /* The i-th header of the record that poll has handed out last; false: it has fewer. NULL: this source
     * knows of none. */
    bool (*header)(struct source *source, size_t i, struct header *ret);
    /* Commits with our metadata. wait_ms 0: does not wait, failures are logged and come again with
     * the next commit. Otherwise waits at most that long for the answer; best effort. */
    void (*commit)(struct source *source, const struct commit *commits, size_t count,
                   int64_t wait_ms);
    /* Paused: membership is kept and poll goes on, but no record is handed out. Resuming goes on at
     * the positions given by the handler's position(). */
    void (*pause)(struct source *source, bool is_paused);
    /* The unit's records follow from offset start on, which may lie before what was handed out
     * already. May be called inside assigned(). */
    void (*begin)(struct source *source, struct unit *unit, int64_t start);
    /* No more records of the unit until the next begin(). */
    void (*hold)(struct source *source, struct unit *unit);
    /* The unit (NULL: every unit) that is assigned is planned again, as after a restart, and assigned()
     * comes once more: if this is still a member of the group, which a commit has told. alive_ms: a
     * group that is known to have been alive only up to then, by the wall clock; INT64_MAX: as its
     * commits say. */
    void (*restart)(struct source *source, struct unit *unit, int64_t alive_ms);
    /* From now on these topics. Units of a topic that is not among them are dropped at once. Those of a topic
     * that is another object now belong to that one, and are planned again, by what it needs, as by
     * restart(): their records wait for begin(). Those of an object that stays go on. With other names the
     * group is told, which brings a rebalance. ERR_FATAL: the source is of no use any more. */
    int (*adopt)(struct source *source, const struct catalog *catalog, struct err *err);
    /* Lag per unit, as far as is known without asking: the newest known end of the log; -1 unknown. */
    int64_t (*end)(struct source *source, const struct unit *unit);
    const char *(*cluster)(struct source *source); /* its id; "" where it is not known */
    /* Leaves the group and frees everything, within wait_ms; false: past that, the caller must leave
     * by _exit(), which is always safe. */
    bool (*close)(struct source *source, int64_t wait_ms);
};

struct source {
    const struct source_ops *ops;
};

/* The Kafka source: one consumer that subscribes to all topics of the catalog. ERR_CONFIG for a
 * refused property, ERR_FATAL as poll. number tells the workers of one process apart (client.id). */
int kafka_source_open(const struct options *options, const struct catalog *catalog, int number,
                      const struct source_handler *handler, struct source **ret,
                      struct err *err) MUST_CHECK;

/* The second consumer of a worker: no group; begin() and hold() alone say which units it reads. Its
 * handler is asked for reached() only. commit, pause and restart do nothing. */
int kafka_reader_open(const struct options *options, const struct catalog *catalog, int number,
                      const struct source_handler *handler, struct source **ret,
                      struct err *err) MUST_CHECK;

/* The end of the log of every partition of a topic: *ret_ends is the caller's to free. ERR_RETRY: no
 * answer in timeout_ms. */
int kafka_log_ends(const struct options *options, const char *topic, int64_t timeout_ms,
                   int64_t **ret_ends, int32_t *ret_count, struct err *err) MUST_CHECK;

/* A property_check_fn (options.h). */
bool kafka_check_property(const char *name, const char *value, struct err *err);

const char *kafka_version(void); /* of librdkafka */

#endif
