/* sim_process: one worker process on a stack of its own.
 *
 *     resume --> worker_turn() ... --yield--> what for: its turn is over, it waits for Redis, it has
 *                                             been struck at a failpoint, it has failed
 *
 * Because it can be left in the middle of a turn, it can be frozen or killed there.
 */
#ifndef TIDEWHEEL_SIM_PROCESS_H
#define TIDEWHEEL_SIM_PROCESS_H

#include <ucontext.h>

#include "sim_letters.h"
#include "sim_redis.h"
#include "tidewheel/failpoint.h"
#include "tidewheel/loader.h"
#include "tidewheel/worker.h"

enum yield {
    YIELD_TURN,
    YIELD_WAIT,   /* for Redis, until wake_ms */
    YIELD_STRUCK, /* at a failpoint: killed or frozen */
    YIELD_FAILED, /* worker_turn() said so: err */
    YIELD_ENDED,  /* it was stopped, and has left */
};

enum strike { STRIKE_NOT, STRIKE_KILL, STRIKE_FREEZE };

struct process {
    int number;
    int version; /* the world's: of the views that it runs */
    bool is_alive;
    bool is_frozen;
    bool is_stopping;
    bool is_started;         /* its stack is in use */
    bool is_short_of_memory; /* of the checkpointed form */
    struct worker *worker;
    struct board *board; /* of the process that runs now */
    struct worker_ends ends;
    struct sim_source *source;
    struct sim_source *reader;
    struct sim_letters *letters;
    struct err err;
    int64_t wake_ms;
    enum yield yield;
    ucontext_t context;
    char *stack;
};

struct process_setup {
    struct sim_kafka *kafka;
    struct sim_redis *redis;
    struct rng *rng;
    const struct catalog *catalog;
    const struct options *options;
    const struct redis_url *url;
    int member; /* unique for each start */
};

/* What a failpoint does to the process that reaches it. */
extern enum strike (*process_strike)(void *arg, struct process *process, enum failpoint failpoint);
extern void *process_strike_arg;

void process_init(struct process *process, int number);
void process_fini(struct process *process);

void process_start(struct process *process, const struct process_setup *setup);
enum yield process_resume(struct process *process);

/* As kill -9. Its source is handed over: to the group it is a member still. */
struct sim_source *process_kill(struct process *process);

#endif
