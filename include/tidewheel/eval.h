/* eval: the worker's own path from bytes to values, without Kafka and Redis (promise S).
 *
 *     eval_take(line) ... -> decode -> route -> window -> state      the very code of the worker
 *     eval_each(at)       -> rows, in the order in which entities first appeared
 *
 * Every event is fed to every view. The clock of a view is the newest timestamp that it accepted;
 * nothing is refused as future. An entity is known from its first accepted event on.
 *
 * Floor: 4. Owner: the main thread.
 */
#ifndef TIDEWHEEL_EVAL_H
#define TIDEWHEEL_EVAL_H

#include "tidewheel/shard.h"

struct eval;

struct eval *eval_new(const struct catalog *catalog, const struct decode_limits *limits);
void eval_free(struct eval *eval);

typedef void eval_reject_fn(void *arg, const struct view *view, enum verdict verdict);
typedef void eval_row_fn(void *arg, const struct row *row);

struct eval_listener {
    void *arg;
    eval_reject_fn *rejected; /* a view refused the event; NULL: nobody asks, as below */
    eval_row_fn *accepted;    /* the event's entity after it, as of the view's clock then */
};

/* One event. Those later than until_ms (by a view's own timestamp) are accepted, and not used.
 * record_ms: its Kafka timestamp, -1: none. */
void eval_take(struct eval *eval, struct slice bytes, int64_t record_ms, int64_t until_ms,
               const struct eval_listener *listener);

/* Every known entity, view by view; at_ms -1: as of each view's clock. */
void eval_each(struct eval *eval, int64_t at_ms, eval_row_fn *each, void *arg);

/* One entity of a view by its identity (key.h); false: it is not known. */
bool eval_find(struct eval *eval, const struct view *view, struct slice identity, int64_t at_ms,
               eval_row_fn *found, void *arg);

uint64_t eval_count(const struct eval *eval, enum verdict verdict); /* over all views */

#endif
