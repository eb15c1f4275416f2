/* board: what a thread shows to others: counters and gauges, without a lock.
 *
 *     worker --writes--> board [ cells ]                                <--reads-- /metrics /readyz
 *                          |-- views [ name | tally | cells | latency ] ...          a replay's progress
 *                          |-- topics [ name | state ] ...                           the log's summary
 *                          \-- units [ topic, partition | cells ] ...
 *
 * One thread writes a board, any number read it at any time. A view's line is found by its name, a unit's
 * by topic and partition; lines are only ever added, and stay where they are until board_free(), which is
 * the end of the process: so a reader never meets one that is gone, and a view that a reload has
 * touched goes on counting where it was. Each number is right by itself; two that are read one after the
 * other need not be of the same moment.
 *
 * The main thread has a board as well, for what belongs to no worker.
 *
 * Floor: 1. Owner: written by one thread, read by anybody.
 */
#ifndef TIDEWHEEL_BOARD_H
#define TIDEWHEEL_BOARD_H

#include "tidewheel/histogram.h"
#include "tidewheel/tally.h"

enum phase { PHASE_IDLE, PHASE_RUNNING, PHASE_DRAINING, PHASE_ENDED };

/* Of a board. */
enum board_cell {
    /* counters */
    BOARD_RECORDS,
    BOARD_COMMITS_OK,
    BOARD_COMMITS_FAILED,
    BOARD_REBALANCES,
    BOARD_BATCHES,
    BOARD_WRITES, /* of entities, decays with them */
    BOARD_DECAYS,
    BOARD_RETRIES,
    BOARD_CHECKPOINTS,
    BOARD_CHECKPOINT_BYTES,
    BOARD_LETTER_FAILURES,
    BOARD_RELOADS_OK,
    BOARD_RELOADS_REFUSED,
    /* gauges */
    BOARD_PHASE,
    BOARD_TURN_MS,         /* when the last turn began, by the monotonic clock: the heartbeat */
    BOARD_OWNED,           /* units that the group has given us; -1: we are no member */
    BOARD_KAFKA_UP,        /* 0 or 1 */
    BOARD_REDIS_UP,        /* 0 or 1 */
    BOARD_PAUSED,          /* 0 or 1: of intake */
    BOARD_DECAY_LAG_MS,    /* how long the oldest change by time alone has been waiting */
    BOARD_BYTES,           /* of memory, that its units take */
    BOARD_LETTERS_PENDING, /* dead letters that are not acknowledged */
    BOARD_LETTERS_FAIL,    /* 0 or 1: the last attempts to write them have failed */
    BOARD_RELOADED_MS,     /* wall clock: the last reload that was taken; 0: none was */
    BOARD_CELLS
};

enum board_view_cell {
    VIEW_IS_CURRENT, /* 0 or 1: it is in the catalog of now */
    VIEW_NEWEST_MS,  /* the newest event whose write is acknowledged; -1: none yet */
    VIEW_ASIDE,      /* entities whose keys Redis refuses */
    VIEW_CELLS
};

struct board_view {
    char *name;
    struct tally tally;
    struct histogram latency; /* latency_buckets */
    _Atomic int64_t cells[VIEW_CELLS];
    struct board_view *_Atomic next;
};

/* Of a topic of the pipelines, as Kafka has answered last. */
enum topic_state {
    TOPIC_UNSEEN, /* Kafka has not answered yet */
    TOPIC_THERE,
    TOPIC_MISSING,
    TOPIC_GONE, /* from the pipelines: nobody asks any more */
};

struct board_topic {
    char *name;
    _Atomic int64_t state;
    struct board_topic *_Atomic next;
};

/* Where a unit is between here and there. The names of the rows are those of the log. */
enum stage {
    STAGE_AWAY, /* not ours */
    STAGE_CLAIMING,
    STAGE_LOADING,
    STAGE_RESETTING,
    STAGE_SILENT, /* it is being read again: nothing is published */
    STAGE_BEHIND, /* it is live, but for views that are being read again */
    STAGE_LIVE,
    STAGE_HELD, /* it has too many dead letters on their way: nothing more of it is read */
    STAGE_RESTING,
    STAGE_PARKED,
    STAGE_COUNT
};

extern const char *const stage_names[STAGE_COUNT];

/* Offsets that are not known, and times by the wall clock: -1. */
enum board_unit_cell {
    UNIT_STAGE,
    UNIT_START,      /* the offset where reading began */
    UNIT_POSITION,   /* the next one to be applied */
    UNIT_LIVE_AT,    /* it is caught up there */
    UNIT_END,        /* of the log, as far as it is known */
    UNIT_PUBLISHED,  /* everything before is in acknowledged writes of features */
    UNIT_LEFTOVERS,  /* generations of state that are to be cleaned away; plain: 0 */
    UNIT_DURABLE,    /* everything before is in acknowledged writes; checkpointed: in blobs */
    UNIT_COMMITTED,  /* what the group has been told */
    UNIT_ENTITIES,   /* in memory, once in each view */
    UNIT_BYTES,      /* of memory */
    UNIT_RECORD_MS,  /* Kafka's timestamp of the last record applied */
    UNIT_SAVED_MS,   /* the last moment at which Redis lacked nothing; plain: -1 */
    UNIT_CHECKED_MS, /* the end of the last checkpoint; plain: -1 */
    UNIT_CELLS
};

struct board_unit {
    char *topic;
    int32_t partition;
    _Atomic int64_t missing; /* a counter: records that the log lost before they were read */
    _Atomic int64_t cells[UNIT_CELLS];
    struct board_unit *_Atomic next;
};

/* Why an event became a dead letter: the verdicts that reject it. */
enum { REASON_POISON = VERDICT_POISON, REASON_COUNT = VERDICT_COUNT };

struct board {
    int number; /* of the worker; -1: the main thread's */
    _Atomic int64_t cells[BOARD_CELLS];
    _Atomic int64_t letters[REASON_COUNT]; /* dead letters that Kafka has acknowledged, by reason */
    struct histogram batch_us;             /* duration_buckets */
    struct histogram batch_entities;       /* entities_buckets */
    struct board_view *_Atomic views;
    struct board_topic *_Atomic topics;
    struct board_unit *_Atomic units;
};

/* One writer: a plain load and store, no lock on the bus. */
static inline int64_t cell_get(const _Atomic int64_t *cell)
{
    return atomic_load_explicit(cell, memory_order_relaxed);
}

static inline void cell_set(_Atomic int64_t *cell, int64_t value)
{
    atomic_store_explicit(cell, value, memory_order_relaxed);
}

static inline void cell_add(_Atomic int64_t *cell, int64_t more)
{
    cell_set(cell, cell_get(cell) + more);
}

/* For those that may have no board: with NULL nothing is counted. */
static inline void board_count(struct board *board, enum board_cell cell)
{
    if (board != NULL)
        cell_add(&board->cells[cell], 1);
}

static inline void board_set(struct board *board, enum board_cell cell, int64_t value)
{
    if (board != NULL)
        cell_set(&board->cells[cell], value);
}

struct board *board_new(int number);
void board_free(struct board *board); /* nobody reads it any more */

/* For the writer: the line, made if there is none. */
struct board_view *board_view(struct board *board, const char *name);
struct board_topic *board_topic(struct board *board, const char *name);
struct board_unit *board_unit(struct board *board, const char *topic, int32_t partition);

/* Of every view: not in the catalog any more, until board_view() is asked for it again. */
void board_retire_views(struct board *board);

/* For readers: NULL: none. */
const struct board_view *board_find_view(const struct board *board, const char *name);

/* All lines, in the order in which they were made:
 *     for (const struct board_unit *unit = board_units(board); unit != NULL; unit = unit_next(unit))   */
static inline const struct board_view *board_views(const struct board *board)
{
    return atomic_load_explicit(&board->views, memory_order_acquire);
}

static inline const struct board_view *view_next(const struct board_view *view)
{
    return atomic_load_explicit(&view->next, memory_order_acquire);
}

static inline const struct board_topic *board_topics(const struct board *board)
{
    return atomic_load_explicit(&board->topics, memory_order_acquire);
}

static inline const struct board_topic *topic_next(const struct board_topic *topic)
{
    return atomic_load_explicit(&topic->next, memory_order_acquire);
}

static inline const struct board_unit *board_units(const struct board *board)
{
    return atomic_load_explicit(&board->units, memory_order_acquire);
}

static inline const struct board_unit *unit_next(const struct board_unit *unit)
{
    return atomic_load_explicit(&unit->next, memory_order_acquire);
}

const char *reason_name(int reason); /* NULL: this verdict rejects nothing */

#endif
