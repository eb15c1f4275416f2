/* replay: history is read again, published, saved, and then the process ends.
 *
 *     look: spans --> nobody else? --> the group's offsets, as a person sets them --> a fleet, until each
 *     partition is        caught up --> published --> saved --> committed            --> drain
 *                         reading       publishing    saving
 *
 * It is a person's reset (assign.h) and then the ordinary worker, so there is no second way to read, to
 * rebuild or to publish: a new generation, silent until it has caught up, while the old values stay. One
 * that is stopped or killed leaves the reset, or what was rebuilt so far, and whoever comes next goes on:
 * a worker, or another replay.
 *
 * Whoever joins the group meanwhile is given partitions, and goes on with them as any worker does. The
 * replay is over when their offsets are committed, too.
 *
 * Floor: 4. Owner: the main thread.
 */
#ifndef TIDEWHEEL_REPLAY_H
#define TIDEWHEEL_REPLAY_H

#include "tidewheel/options.h"
#include "tidewheel/pipeline.h"

struct replay_wish {
    int64_t from_ms;  /* of a record's timestamp; 0: from the beginning of the logs */
    int64_t until_ms; /* from the first record that is not older on nothing is read; 0: all is */
    bool is_terminal; /* somebody watches stderr */
};

/* Takes the catalog. 0: it is over. ERR_FATAL, ERR_RETRY: it is not, or nothing was begun: err says which. Else as
 * fleet_run(), as is *ret_has_left. */
int replay_run(const struct options *options, struct catalog *catalog,
               const struct replay_wish *wish, bool *ret_has_left, struct err *err);

#endif
