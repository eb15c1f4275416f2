/* fleet: the workers of one process, from start to drain.
 *
 *     main thread   signals, a line of counters every minute, the end
 *     N threads     a worker each, nothing shared but const config, counters and the stop flag
 *
 * SIGTERM or SIGINT: all drain, commit and leave the group, exit 0 within shutdown_timeout; a second one
 * stops at once, which is safe. A worker that fails stops the others, which drain.
 *
 * Floor: 4. Owner: the main thread.
 */
#ifndef TIDEWHEEL_FLEET_H
#define TIDEWHEEL_FLEET_H

#include "tidewheel/options.h"
#include "tidewheel/pipeline.h"

/* 0, or ERR_FATAL, ERR_INTERNAL with what stopped it. *ret_has_left: as worker_has_left(), of all. */
int fleet_run(const struct options *options, const struct catalog *catalog, bool *ret_has_left,
              struct err *err);

#endif
