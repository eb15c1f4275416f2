/* assign: where reading begins, as a pure decision over what Kafka answered.
 *
 * Commits carry the metadata `tw1 <wall ms of the commit>`. t_live, the last moment at which the
 * group was known to be alive, is the smaller of now and that time; without one it is now - ttl.
 * Reading begins at the first record with a timestamp of at least
 *
 *     t_live - longest window - its hop - future_max
 *
 * because by promise L no accepted event of a living window has an older record. A committed offset
 * whose metadata is not ours was set by a person: before that start, it is begun there; behind it,
 * the start stays, as windows are never left incomplete on purpose.
 *
 * A bounded reading ends before the end of the log: it is caught up there, and begins no later.
 *
 * Floor: 1. Owner: pure.
 */
#ifndef TIDEWHEEL_ASSIGN_H
#define TIDEWHEEL_ASSIGN_H

#include "tidewheel/buf.h"

enum { COMMIT_METADATA_MAX = 32 };

/* Where a unit begins, and when it is caught up. */
struct plan {
    int64_t start;     /* the first offset to read */
    int64_t again;     /* where everything is read again, whatever is parked */
    int64_t live_at;   /* silent until the position has reached it: the end read at assignment, or
                          the bound */
    int64_t log_start; /* the oldest offset that the log holds */
    int64_t wanted; /* the start that whole windows need; below log_start: windows are incomplete.
                           What the log has lost cannot be looked up: a lookup that answers with the
                           very first record of a log that has lost some wants one record more */
    int64_t commit_at_least; /* a commit may not be lower, except with is_reset (promise X) */
    bool is_reset;           /* a person set the group's offset: commits may go back, once */
};

/* What the broker said of one partition. */
struct assign_facts {
    int64_t log_start;
    int64_t log_end;      /* read before the lookups */
    int64_t committed;    /* -1: none */
    const char *metadata; /* of the commit; NULL or "": none */
    size_t metadata_len;
    int64_t parked;     /* our own position if the state is still in memory, else -1 */
    bool is_reset_done; /* the parked state was already read again for this very reset */
    bool is_bounded;    /* nothing from until on is read */
    int64_t until; /* the first record at or after the time it is bounded by; -1: no such one */
};

/* What the topic's views need. */
struct assign_needs {
    int64_t reach_ms;    /* longest window + its hop + future_max, the largest over the views */
    int64_t ttl_ms;      /* the largest */
    bool from_beginning; /* a view with `clock: event` */
};

int64_t commit_metadata_read(const char *metadata, size_t len); /* the time in it; -1: not ours */
size_t commit_metadata_write(int64_t wall_ms, char *ret);       /* NUL-terminated */

/* The timestamp to look up, in ms; at least 0. */
int64_t assign_since_ms(const struct assign_facts *facts, const struct assign_needs *needs,
                        int64_t now_ms);

/* looked_up: the broker's answer for since_ms (-1: no such record). has_timestamps: false when a
 * lookup of timestamp 0 answers -1 for a partition that is not empty (librdkafka's mock cluster). */
void assign_decide(const struct assign_facts *facts, const struct assign_needs *needs,
                   bool has_timestamps, int64_t looked_up, struct plan *ret);

#endif
