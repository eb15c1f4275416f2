/* fleet_private: what fleet.c (start, watch, end), reload.c and status.c share.
 *
 * Floor: 4. Owner: the main thread.
 */
#ifndef TIDEWHEEL_RUN_FLEET_PRIVATE_H
#define TIDEWHEEL_RUN_FLEET_PRIVATE_H

#include <pthread.h>

#include "run/notify.h"
#include "tidewheel/fleet.h"
#include "tidewheel/http.h"
#include "tidewheel/worker.h"

struct member {
    struct worker *worker;
    struct board *board; /* as boards[number] */
    struct worker_ends ends;
    pthread_t thread;
    _Atomic bool is_done;
    bool is_started;
    int rc;
    struct err err;
};

struct reload {
    bool is_wanted;       /* a SIGHUP that nothing has been done about; several are one */
    struct catalog *next; /* offered; NULL: no reload is under way */
    struct catalog_change change;
    int64_t begun_ms; /* monotonic clock */
};

struct fleet {
    struct fleet_setup setup;
    const struct options *options;
    struct catalog *catalog; /* that all workers have, or have had until the next one is taken */
    struct member *members;
    size_t member_count;
    struct board **boards; /* of the workers, and the last one is the main thread's */
    struct board *board;   /* this last one */
    struct display display;
    struct http *http; /* NULL: nobody may ask */
    struct reload reload;
    struct notify notify;
    _Atomic bool stop;
};

/* ---- reload.c ---- */

/* Once in a while: does what a SIGHUP asks for, and ends what has been begun. */
void reload_serve(struct fleet *fleet);

/* ---- status.c ---- */

/* One line for a person: what the workers do. */
void status_write(const struct fleet *fleet, struct buf *ret);

/* As /livez. */
bool status_is_alive(const struct fleet *fleet, int64_t mono_ms);

#endif
