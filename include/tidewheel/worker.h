/* worker: one thread, one group member, one Redis connection to write over; the turn.
 *
 *     turn:  take events until the turn is full or old, write what they changed, let the offsets go
 *
 * A batch in flight is pumped between events without waiting: while Redis works, the next one gathers.
 * Two lanes share a batch: arrivals first, decays and passes behind them, but never less than a
 * quarter of it. Redis away: intake pauses, polling goes on, nothing is committed, and it goes on by
 * itself. Kafka away: decay goes on. In the checkpointed form each unit is under a tenure
 * (src/run/tenure.h), which claims, loads and saves it; a second connection and a second consumer read
 * what has to be read beside that.
 *
 * Floor: 4. Owner: its own thread; its board and stop are read across threads.
 */
#ifndef TIDEWHEEL_WORKER_H
#define TIDEWHEEL_WORKER_H

#include "tidewheel/board.h"
#include "tidewheel/dead_letter.h"
#include "tidewheel/source.h"
#include "tidewheel/store.h"

struct worker;

struct worker_setup {
    const struct options *options;
    const struct catalog *catalog;
    int number;
    uint64_t seed;
    _Atomic bool *stop;
    struct board *board; /* written by this worker alone; outlives it, and its catalog */
    int64_t until_ms;    /* as source_handler's: 0: everything is read */
    bool saves_at_once;  /* a unit that has caught up: it is somebody's end */
    /* What time it is; NULL: clock.h. Tests and simulations tell their own. */
    int64_t (*wall_ms)(void);
    int64_t (*mono_ms)(void);
    int64_t (*mono_us)(void);      /* only measured by */
    uint64_t (*random)(void *arg); /* 64 bits that nobody else draws; NULL: the system's */
    void *random_arg;
};

/* What a worker works with; it takes them, and closes them. */
struct worker_ends {
    struct source *source;
    struct store *store;
    struct source *reader; /* the checkpointed form's second consumer, and its loader; else NULL */
    struct loader *loader;
    struct letters *letters; /* NULL: no event becomes a dead letter, whatever the options say */
};

struct worker *worker_new(const struct worker_setup *setup);
void worker_free(struct worker *worker);

/* The handler that a source of this worker is opened with. */
struct source_handler worker_handler(struct worker *worker);

/* The same for its reader. */
struct source_handler worker_reader_handler(struct worker *worker);

/* The same for its dead letters. */
struct letters_handler worker_letters_handler(struct worker *worker);

/* Runs until stop: then drains, commits, leaves the group, and returns 0. ERR_FATAL or ERR_INTERNAL
 * with a sentence otherwise. */
int worker_run(struct worker *worker, const struct worker_ends *ends, struct err *err);

/* The same in steps, for tests and simulations. */
void worker_begin(struct worker *worker, const struct worker_ends *ends);
int worker_turn(struct worker *worker, struct err *err);
void worker_end(struct worker *worker, int rc); /* rc: of the last turn; 0: drains first */

/* From another thread: pipelines are to be those of this catalog, which follows the one before
 * (catalog_follow()). The worker takes it between two turns. Units of topics that are the same go on; of
 * others unchanged views keep what is known of them (checkpointed form), and what is new is read behind
 * them. The one before is in use until worker_has_adopted() says so; then the next may be offered. */
void worker_offer(struct worker *worker, const struct catalog *catalog);
bool worker_has_adopted(const struct worker *worker, const struct catalog *catalog);

/* After worker_run(): false if the group could not be left in time. Threads of the library are then still
 * about, and the process must end by _exit(), which is always safe. */
bool worker_has_left(const struct worker *worker);

#endif
