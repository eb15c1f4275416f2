/* fleet: the workers of one process, from start to drain.
 *
 *     main thread   signals, an errand's end, a line of counters every minute, the end
 *     N threads     a worker each, nothing shared but const config, counters and the stop flag
 *
 * SIGTERM or SIGINT: all drain, commit and leave the group, exit 0 within shutdown_timeout; a second one
 * stops at once, which is safe. A worker that fails stops the others, which drain.
 *
 * Floor: 4. Owner: the main thread.
 */
#ifndef TIDEWHEEL_FLEET_H
#define TIDEWHEEL_FLEET_H

#include "tidewheel/board.h"
#include "tidewheel/options.h"
#include "tidewheel/pipeline.h"

/* What the workers are for, if not for ever. */
struct errand {
    void *arg;
    /* Twice a second: what each worker's board says. True: it is done, and all drain. */
    bool (*look)(void *arg, const struct board *const *boards, size_t count);
    int64_t until_ms; /* as source_handler's */
    int late_exit;    /* the exit code if draining takes longer than shutdown_timeout */
};

/* 0, or ERR_FATAL, ERR_INTERNAL with what stopped it. errand NULL: runs until a signal. *ret_has_left: as
 * worker_has_left(), of all. */
int fleet_run(const struct options *options, const struct catalog *catalog, struct errand *errand,
              bool *ret_has_left, struct err *err);

#endif
