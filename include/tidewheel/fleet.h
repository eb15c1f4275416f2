/* fleet: the workers of one process, from start to drain.
 *
 *     main thread   signals, reloads, an errand's end, a line of counters every minute, what systemd is told
 *     N threads     a worker each, nothing shared but const config, counters and the stop flag
 *
 * SIGTERM or SIGINT: all drain, commit and leave the group, exit 0 within shutdown_timeout; a second one
 * stops at once, which is safe. A worker that fails stops the others, which drain.
 *
 * SIGHUP: the pipelines are read anew, by the same arguments. If anything is wrong the whole is refused,
 * every error is logged, and the old ones go on. Else each worker takes the new ones between two turns:
 * views that mean the same are not disturbed. Several in a row are one; one while all drain is none.
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
    int late_rc; /* 0, or the ERR_* that it is if draining takes longer than shutdown_timeout */
};

struct fleet_setup {
    const struct options *options;
    struct catalog *catalog; /* taken */
    struct errand *errand;   /* NULL: runs until a signal */
    /* Configuration and pipelines, as at the start. ERR_CONFIG: all that is wrong is in report. NULL: SIGHUP
     * does nothing. */
    int (*load)(void *arg, struct buf *report, struct options *ret_options,
                struct catalog **ret_catalog);
    void *arg;
};

/* Before any thread: signals wait from here on (a SIGHUP while the configuration is read would end the
 * process), and a name server that does not answer is given up after a second (RES_OPTIONS, if not set): with
 * a cluster's search list a lookup would take minutes, and the worker's turn with it. */
void fleet_prepare(void);

/* A SIGTERM or SIGINT is waiting: for what is done before fleet_run(). */
bool fleet_is_told_to_stop(void);

/* 0, or ERR_FATAL, ERR_INTERNAL with what stopped it. *ret_has_left: as worker_has_left(), of all. */
int fleet_run(const struct fleet_setup *setup, bool *ret_has_left, struct err *err);

#endif
