#include "sim_process.h"

#include <stdlib.h>
#include <unistd.h>

#include "run/tenure.h"
#include "sim_time.h"
#include "tidewheel/mem.h"

enum { STACK_BYTES = 256 * 1024, COOL_LOOKS = 8, FEW_BYTES = 2000 };

enum strike (*process_strike)(void *arg, struct process *process, enum failpoint failpoint);
void *process_strike_arg;

static struct process *running; /* NULL: the world */
static ucontext_t world;
static _Atomic bool never;

static int64_t tell_wall(void)
{
    return sim_wall_ms;
}

static int64_t tell_mono(void)
{
    return sim_mono_ms;
}

static int64_t tell_mono_us(void)
{
    return sim_mono_ms * 1000;
}

static uint64_t draw(void *arg)
{
    return rng_next(arg);
}

/* In place of the system's: a claim says which process made it, and a seed must not depend on how many
 * digits that has. */
pid_t getpid(void)
{
    return 4711;
}

/* ---- between the stacks ---- */

static void yield(enum yield why)
{
    struct process *process = running;
    process->yield = why;
    running = NULL;
    (void)swapcontext(&process->context, &world);
}

static void on_wait(int64_t wait_ms)
{
    if (running == NULL) /* its connections are being closed */
        return;
    running->wake_ms = sim_mono_ms + wait_ms;
    yield(YIELD_WAIT);
}

static void on_failpoint(enum failpoint failpoint)
{
    if (running == NULL)
        return;
    enum strike strike = process_strike(process_strike_arg, running, failpoint);
    if (strike == STRIKE_NOT)
        return;
    running->is_frozen = strike == STRIKE_FREEZE;
    yield(YIELD_STRUCK);
}

/* As if limits.memory were nearly reached: all that is clean goes. */
static void run_short_of_memory(const struct worker *worker)
{
    for (size_t i = 0; i < worker->tenure_count; i++)
        tenure_cool(worker->tenures[i], COOL_LOOKS);
}

static void run(void)
{
    for (;;) {
        struct process *process = running;
        if (process->is_short_of_memory)
            run_short_of_memory(process->worker);
        int rc = worker_turn(process->worker, &process->err);
        if (rc < 0)
            yield(YIELD_FAILED);
        if (process->is_stopping) {
            worker_end(process->worker, 0);
            yield(YIELD_ENDED);
        }
        yield(YIELD_TURN);
    }
}

enum yield process_resume(struct process *process)
{
    running = process;
    if (!process->is_started) {
        (void)getcontext(&process->context);
        process->context.uc_stack.ss_sp = process->stack;
        process->context.uc_stack.ss_size = STACK_BYTES;
        makecontext(&process->context, run, 0);
        process->is_started = true;
    }
    (void)swapcontext(&world, &process->context);
    if (process->yield == YIELD_ENDED) { /* what worker_end() has left */
        worker_free(process->worker);
        board_free(process->board);
        process->is_alive = false;
    }
    return process->yield;
}

/* ---- its life ---- */

void process_init(struct process *process, int number)
{
    *process = (struct process){.number = number, .stack = mem_alloc(STACK_BYTES)};
    failpoint_hook = on_failpoint;
}

void process_fini(struct process *process)
{
    free(process->stack);
}

void process_start(struct process *process, const struct process_setup *setup)
{
    process->board = board_new(process->number);
    process->worker = worker_new(&(struct worker_setup){
        .options = setup->options,
        .catalog = setup->catalog,
        .number = process->number,
        .seed = rng_next(setup->rng),
        .stop = &never,
        .board = process->board,
        .wall_ms = tell_wall,
        .mono_ms = tell_mono,
        .mono_us = tell_mono_us,
        .random = draw,
        .random_arg = setup->rng,
    });
    struct source_handler handler = worker_handler(process->worker);
    process->source =
        sim_source_new(setup->kafka, setup->catalog->topics[0], setup->member, &handler, false);
    struct store_setup store = {
        .wire = sim_wire_new(setup->redis, process->number, on_wait),
        .url = setup->url,
        .group_id = setup->options->kafka_group_id,
        .random = draw,
        .random_arg = setup->rng,
    };
    struct letters_handler settled = worker_letters_handler(process->worker);
    process->letters = sim_letters_new(setup->kafka, &settled);
    if (rng_one_in(setup->rng, 2))
        process->worker->letter_bytes = FEW_BYTES;
    process->ends = (struct worker_ends){.source = &process->source->source,
                                         .letters = &process->letters->letters};
    if (setup->options->checkpoint_interval_ms == 0) {
        process->ends.store = plain_store_new(&store);
    } else {
        struct source_handler reads = worker_reader_handler(process->worker);
        process->reader =
            sim_source_new(setup->kafka, setup->catalog->topics[0], setup->member, &reads, true);
        process->ends.reader = &process->reader->source;
        process->ends.store = fenced_store_new(&store);
        process->ends.loader =
            loader_new(sim_wire_new(setup->redis, process->number, on_wait), setup->url);
    }
    worker_begin(process->worker, &process->ends);
    process->is_alive = true;
    process->is_started = process->is_frozen = process->is_stopping = false;
    process->wake_ms = 0;
    process->yield = YIELD_TURN;
}

struct sim_source *process_kill(struct process *process)
{
    struct sim_source *source = process->source;
    worker_free(process->worker);
    board_free(process->board);
    sim_letters_free(process->letters);
    if (process->ends.loader != NULL)
        loader_free(process->ends.loader);
    process->ends.store->ops->close(process->ends.store);
    if (process->reader != NULL)
        sim_source_free(process->reader);
    process->reader = NULL;
    process->is_alive = process->is_frozen = false;
    return source;
}
