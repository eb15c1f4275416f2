/* reset: a consumer group from outside: who is in it, what it has committed; and a person's reset, which
 * is offsets without our metadata: all that the windows need is read again, once (assign.h).
 *
 *     reset_open --> look(from, until) --> members? none --> set --> ask, until all is ours --> close
 *                        spans                                the workers, meanwhile
 *
 * It is no member itself. Kafka takes offsets from outside only while a group has none, so two who set
 * them at once are safe: whoever's workers have joined first, the other one is refused.
 *
 * Each question waits up to 10 s for Kafka. Then it is ERR_RETRY, and so is a refusal that time may heal;
 * ERR_FATAL: a person must do something.
 *
 * Floor: 3. Owner: whoever holds it.
 */
#ifndef TIDEWHEEL_RESET_H
#define TIDEWHEEL_RESET_H

#include "tidewheel/options.h"
#include "tidewheel/pipeline.h"

/* What is to be read of one partition, as a person has said. */
struct span {
    const struct topic *topic;
    int32_t partition;
    int64_t log_start;
    int64_t log_end;
    int64_t from;  /* the first offset */
    int64_t until; /* the first one that is not: the end of the log, unless time has bounded it */
    int64_t first; /* of its records; -1: it holds none, or no time was asked for */
    int64_t committed; /* as asked last; -1: nothing */
    bool is_ours;      /* with our metadata: by a worker, not by a person */
};

struct reset;

/* A client of Kafka that has not asked anything yet. ERR_CONFIG for a refused property. */
int reset_open(const struct options *options, const struct catalog *catalog, struct reset **ret,
               struct err *err) MUST_CHECK;
/* False: librdkafka is not gone yet, and the process must leave by _exit(). */
bool reset_close(struct reset *reset);

/* Every partition of every topic: what lies from the first record at or after from_ms up to the first one
 * at or after until_ms. from_ms 0: from the beginning; until_ms 0: to the end, which is read first. The
 * spans are reset's. ERR_FATAL: a topic is unknown; or there is a time, and this Kafka looks up none. */
int reset_look(struct reset *reset, int64_t from_ms, int64_t until_ms, struct span **ret,
               size_t *ret_count, struct err *err) MUST_CHECK;

/* How many live members a group has; 0 also where Kafka cannot tell (librdkafka's mock cluster). */
int reset_members(struct reset *reset, const char *group, size_t *ret, struct err *err) MUST_CHECK;

/* Calls tell() with each group that Kafka shows us, but our own. */
int reset_others(struct reset *reset, void (*tell)(void *arg, const char *group), void *arg,
                 struct err *err) MUST_CHECK;

/* Sets the group's offsets to each span's `from`. ERR_FATAL: it has members, or we may not. */
int reset_set(struct reset *reset, struct err *err) MUST_CHECK;

/* Asks what is committed, into the spans. Waits up to wait_ms only. */
int reset_ask(struct reset *reset, int64_t wait_ms, struct err *err) MUST_CHECK;

#endif
