/* worker_private: what worker.c (the turn) and units.c (units, writes, commits) share.
 *
 * Floor: 4. Owner: the worker's thread.
 */
#ifndef TIDEWHEEL_RUN_WORKER_PRIVATE_H
#define TIDEWHEEL_RUN_WORKER_PRIVATE_H

#include "tidewheel/clock.h"
#include "tidewheel/dead_letter.h"
#include "tidewheel/keyed.h"
#include "tidewheel/worker.h"

struct tenure;

struct worker {
    struct worker_setup setup;
    struct source *source;
    struct store *store;
    struct source *reader;
    struct loader *loader;
    struct letters *letters;
    struct decoder *decoder;
    struct unit **units; /* those with a shard: assigned or parked */
    size_t unit_count;
    size_t unit_cap;
    size_t unit_first; /* where the next batch begins to look, so that all have their turn */
    struct batch batch;
    bool is_sent;     /* the batch is not acknowledged */
    bool has_backlog; /* the last batch was full: the next one goes as soon as it is answered */
    struct row row;
    struct commit *commits;
    size_t commit_cap;
    struct keyed **keyed; /* of each view */
    struct board *board;
    struct board_view **lines; /* of each view, on the board */
    struct tally **tallies;    /* in them */
    enum on_error on_error[VERDICT_COUNT];
    struct err refusal;     /* an event that is not to be passed; code 0: none */
    size_t letter_bytes;    /* what all letters that are on their way may take */
    uint64_t lives;         /* of shards */
    struct header *headers; /* scratch, of a letter */
    size_t header_cap;
    int64_t wall_ms;
    int64_t mono_ms;
    int64_t gap_ms;     /* between the two clocks */
    int64_t sent_at_us; /* the batch; this and all the following by the monotonic clock */
    int64_t sent_at_ms;
    int64_t store_seen_ms;
    int64_t stats_at_ms;
    int64_t show_at_ms;
    int64_t *aside; /* scratch: of each view */
    int64_t stats_records;
    int64_t alive_ms; /* units are to be read again as if the group had died then; INT64_MAX: no */
    bool is_paused;
    bool has_left; /* the group, and librdkafka is gone */
    bool is_kafka_away;
    bool is_adrift;  /* the group has given our units up, and has not had us back yet */
    bool has_failed; /* nothing is written or committed any more */
    /* A reload (adopt.c). */
    const struct catalog *_Atomic offered; /* by the main thread */
    const struct catalog *_Atomic adopted; /* nobody here knows another any more */
    bool is_adopting;                      /* no batch is sent until the offer is taken */
    int64_t adopt_by_ms;                   /* and then at any rate; monotonic clock */
    /* The checkpointed form. */
    bool is_fenced;
    bool is_ending; /* last checkpoints are being written */
    bool is_tight;  /* memory is nearly full: what is clean is dropped, and little is taken in */
    bool is_full;   /* of memory: intake waits for what can be dropped */
    size_t room;    /* of memory, in entities, before it is tight */
    size_t fetches_left;   /* of dropped entities, that may come back in this turn */
    int64_t moved_ms;      /* when any last went or were allowed to; monotonic clock */
    int64_t full_since_ms; /* monotonic clock */
    char *who;
    struct tenure **tenures;
    size_t tenure_count;
    size_t tenure_cap;
};

/* A shard for the unit, as the plain form begins with it; and away with it. */
struct shard *unit_add(struct worker *worker, struct unit *unit);
void unit_remove(struct worker *worker, struct unit *unit);
void unit_drop(struct worker *worker, struct unit *unit); /* and says so */
/* A window that reaches behind the start of the log is published with what the log holds (promise P). */
void warn_of_gaps(const struct unit *unit, const struct plan *plan);
/* Records that were not read yet, and that the log has lost: an error, and counted. */
void say_missing(const struct worker *worker, const struct unit *unit, int64_t from, int64_t to);

/* ---- show.c: what the board says ---- */

void show_views(struct worker *worker); /* of the catalog, which is another now */
void show_turn(struct worker *worker);  /* its heartbeat */
void show_phase(struct worker *worker, enum phase phase);
void show_all(struct worker *worker); /* units, and what is summed over them */
void show_unit(struct worker *worker, const struct unit *unit);
void show_away(const struct unit *unit); /* it has no shard any more */
void show_sent(struct worker *worker);   /* the batch is on its way */
/* It is acknowledged: before its items are told. */
void show_answers(struct worker *worker);

/* ---- memory.c: a worker's share of limits.memory ---- */

size_t worker_bytes(const struct worker *worker); /* what its units take */
bool worker_is_nearly_full(const struct worker *worker);
/* How many of so many events a turn may take. */
size_t memory_events(const struct worker *worker, size_t most);
/* Once a turn. ERR_INTERNAL: it is full, and nothing moves that would make room. */
int memory_tend(struct worker *worker, struct err *err) MUST_CHECK;

/* ---- */

/* Makes what there is of each view for setup.catalog, from what there was for `before`; NULL: nothing. */
void adopt_views(struct worker *worker, const struct catalog *before);
/* Takes the catalog that is offered, in its own time. */
int adopt_offer(struct worker *worker, struct err *err) MUST_CHECK;

void units_free(struct worker *worker);
/* Every unit, as after a restart; as if the group had been alive only up to alive_ms. */
void read_again(struct worker *worker);
bool units_have_arrivals(const struct worker *worker);

/* Moves the store on, and tells shards what was written or lost. */
int pump_store(struct worker *worker, struct err *err);

/* Units that have reached the end read at assignment go live (promise P). */
void lift_fences(struct worker *worker);

/* Gathers and sends the next batch if the last one is answered and it is time. */
void write_changes(struct worker *worker, size_t looks);

/* Commits what is durable: of each unit at most every interval_ms, and again every idle_ms when
 * nothing has moved. wait_ms: how long to wait for the answer. */
void let_offsets_go(struct worker *worker, int64_t interval_ms, int64_t idle_ms, int64_t wait_ms);

/* Writes everything that events have changed, and commits, within budget_ms. */
void drain(struct worker *worker, int64_t budget_ms);

#endif
