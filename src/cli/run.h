/* run: commands that are workers: what stands before and behind their work.
 *
 * Floor: 5. Owner: the main thread.
 */
#ifndef TIDEWHEEL_CLI_RUN_H
#define TIDEWHEEL_CLI_RUN_H

#include "tidewheel/cli.h"
#include "tidewheel/pipeline.h"

/* Takes the catalog; else as fleet_run(). */
typedef int work_fn(const struct cli_args *args, const struct options *options,
                    struct catalog *catalog, bool *ret_has_left, struct err *err);

/* Loads and checks everything, opens the log, works, and says why if that failed. Returns an exit code. */
int run_worker(const struct cli_args *args, work_fn *work);

#endif
