#include "sim_world.h"

#include <stdarg.h>
#include <stdio.h>

#include "sim_time.h"
#include "tidewheel/mem.h"

enum {
    BEGUN_MS = 1000000, /* by the monotonic clock */
    CALM_STEPS_MAX = 4000,
    CALM_CHECK_EVERY = 50,
    CALM_STEP_MS = 50,
    CALM_RIGHT = 3,      /* checks in a row */
    CALM_MS_MIN = 21000, /* all that was sent late has landed, all that has fallen is published */
    LAG_MS = 1000,
    LONG_MS_MAX = 60000,
    ZOMBIE_MS_MAX = 300,
};

#define WALL_BEGUN_MS INT64_C(1700000000000)

int64_t sim_mono_ms;
int64_t sim_wall_ms;

void sim_pass_ms(int64_t ms)
{
    sim_mono_ms += ms;
    sim_wall_ms += ms;
}

void world_trace(const struct world *world, const char *format, ...)
{
    if (!world->is_traced)
        return;
    va_list args;
    va_start(args, format);
    (void)fprintf(stderr, "%6llu %10lld  ", (unsigned long long)world->steps,
                  (long long)(sim_mono_ms - BEGUN_MS));
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
}

static void on_written(void *arg, struct slice key)
{
    struct world *world = arg;
    if (world->err.code != 0)
        return;
    struct db *db = world->redis.primary;
    int rc = oracle_check_prefix(&world->oracle, key, db_find(db, key, sim_wall_ms), &world->err);
    if (rc == 0 && world->form == FORM_CHECKPOINTED)
        (void)invariants_check(&world->invariants, db, key, world->redis.writer, sim_wall_ms,
                               &world->err);
}

/* ---- begin and end ---- */

static int64_t one_of(struct world *world, const int64_t *values, size_t count)
{
    return values[rng_below(&world->rng, (int64_t)count)];
}

#define ONE_OF(world, ...)                                                                         \
    one_of(world, (const int64_t[]){__VA_ARGS__},                                                  \
           sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

static void draw_options(struct world *world)
{
    world->options = (struct options){
        .workers = 1,
        .kafka_group_id = (char *)(uintptr_t) "g",
        .flush_interval_ms = ONE_OF(world, 0, 10, 10, 100),
        .flush_entities_max = ONE_OF(world, 1, 3, 100),
        .checkpoint_interval_ms =
            world->form == FORM_PLAIN ? 0 : ONE_OF(world, 100, 500, 2000, 10000),
        .limits_event_bytes = 4096,
        .limits_nesting = 16,
        .limits_key_bytes = 64,
        .limits_memory = INT64_C(1) << 30,
        .shutdown_timeout_ms = 30000,
        .dead_letter_topic = (char *)(uintptr_t) "letters",
    };
    world->options.on_error[VERDICT_BAD_JSON] = (char *)(uintptr_t) "dead_letter";
}

void world_init(struct world *world, uint64_t seed, enum form form,
                const struct catalog *const *catalogs, struct totals *totals)
{
    *world = (struct world){.seed = seed,
                            .form = form,
                            .rng = {seed * 2 + form},
                            .catalogs = catalogs,
                            .totals = totals};
    sim_mono_ms = BEGUN_MS;
    sim_wall_ms = WALL_BEGUN_MS;
    draw_options(world);
    CHECK(redis_url_parse("redis://127.0.0.1:6379/0", &world->url, &world->err) == 0);
    sim_kafka_init(&world->kafka, &world->rng, (int)rng_between(&world->rng, 1, PARTITIONS_MAX));
    sim_redis_init(&world->redis, &world->rng);
    world->redis.written = on_written;
    world->redis.is_prompt = form == FORM_PLAIN;
    world->redis.arg = world;
    oracle_init(&world->oracle, catalogs[0], world->kafka.partition_count);
    invariants_init(&world->invariants, &world->oracle);
    world->process_count = (int)rng_between(&world->rng, 2, PROCESSES_MAX);
    world->entity_count =
        (int)rng_between(&world->rng, 3, rng_one_in(&world->rng, 4) ? ORACLE_ENTITIES_MAX : 8);
    world->events_left = rng_between(&world->rng, 50, rng_one_in(&world->rng, 8) ? 400 : 150);
    world->fault_every = ONE_OF(world, 10, 25, 60);
    world->faults_left = ONE_OF(world, 3, 8, 16, 40);
    world->strike_every = ONE_OF(world, 5, 20, 100);
    world->lag_every = ONE_OF(world, 1, 10, 100);
    process_strike = faults_at;
    process_strike_arg = world;
    bool is_short = form == FORM_CHECKPOINTED && rng_one_in(&world->rng, 3);
    for (int i = 0; i < world->process_count; i++) {
        process_init(&world->processes[i], i);
        world->processes[i].is_short_of_memory = is_short;
        world_start(world, &world->processes[i]);
    }
}

void world_fini(struct world *world)
{
    for (int i = 0; i < world->process_count; i++) {
        if (world->processes[i].is_alive)
            sim_source_free(process_kill(&world->processes[i]));
        process_fini(&world->processes[i]);
    }
    for (size_t i = 0; i < world->dead_count; i++)
        sim_source_free(world->dead[i]);
    world->totals->execs += world->redis.execs;
    world->totals->execs_denied += world->redis.execs_denied;
    world->totals->rebalances += world->kafka.rebalances;
    sim_redis_fini(&world->redis);
    sim_kafka_fini(&world->kafka);
    redis_url_fini(&world->url);
}

/* ---- processes ---- */

void world_start(struct world *world, struct process *process)
{
    world_trace(world, "process %d starts, version %d", process->number, world->version);
    process->version = world->version;
    process_start(process, &(struct process_setup){
                               .kafka = &world->kafka,
                               .redis = &world->redis,
                               .rng = &world->rng,
                               .catalog = world->catalogs[world->version],
                               .options = &world->options,
                               .url = &world->url,
                               .member = world->next_member++,
                           });
}

/* One version after the other, as the main thread does: the next is offered once the last is taken. */
void world_reload(struct world *world, struct process *process)
{
    if (!process->is_alive || process->version == world->version ||
        !worker_has_adopted(process->worker, world->catalogs[process->version]))
        return;
    process->version++;
    world_trace(world, "process %d reloads, version %d", process->number, process->version);
    worker_offer(process->worker, world->catalogs[process->version]);
}

/* The session of one that was killed times out. */
static void expel_dead(struct world *world)
{
    struct sim_source *source = world->dead[--world->dead_count];
    sim_kafka_expel(&world->kafka, source);
    sim_source_free(source);
}

void world_kill(struct world *world, struct process *process)
{
    world_trace(world, "process %d is killed", process->number);
    if (world->dead_count == DEAD_MAX)
        expel_dead(world);
    world->dead[world->dead_count++] = process_kill(process);
}

struct process *world_pick(struct world *world)
{
    int first = (int)rng_below(&world->rng, world->process_count);
    for (int i = 0; i < world->process_count; i++) {
        struct process *process = &world->processes[(first + i) % world->process_count];
        if (process->is_alive && !process->is_frozen)
            return process;
    }
    return NULL;
}

static void resume(struct world *world, struct process *process)
{
    if (process->yield == YIELD_WAIT && sim_mono_ms < process->wake_ms)
        sim_pass_ms(rng_between(&world->rng, 1, process->wake_ms - sim_mono_ms));
    enum yield why = process_resume(process);
    if (why == YIELD_STRUCK && !process->is_frozen)
        world_kill(world, process);
    else if (why == YIELD_FAILED)
        (void)err_set(&world->err, ERR_INTERNAL, "process %d gave up: %.500s", process->number,
                      process->err.text);
    if (world->err.code == 0 && world->kafka.err.code != 0)
        world->err = world->kafka.err;
}

/* ---- steps ---- */

/* Mostly now; sometimes late, or a little ahead. */
static int64_t draw_event_ms(struct world *world)
{
    if (rng_one_in(&world->rng, 10))
        return sim_wall_ms - rng_below(&world->rng, 300000);
    if (rng_one_in(&world->rng, 10))
        return sim_wall_ms + rng_below(&world->rng, 3000);
    return sim_wall_ms - rng_below(&world->rng, 100);
}

/* At the end of its log, sometimes behind a gap, sometimes before the mark of a transaction. */
static int64_t append(struct world *world, int entity, const char *text, bool is_bad)
{
    char key[] = "ea";
    key[1] = (char)('a' + entity);
    int partition = world->oracle.partition_of[entity];
    int64_t gap = rng_one_in(&world->rng, 5) ? rng_between(&world->rng, 1, 5) : 0;
    int64_t offset = sim_kafka_produce(&world->kafka, partition, gap, text, key, is_bad);
    if (rng_one_in(&world->rng, 20))
        world->kafka.partitions[partition].log_end++;
    world_trace(world, "event %d:%lld %s", partition, (long long)offset, text);
    return offset;
}

static void produce(struct world *world)
{
    int entity = (int)rng_below(&world->rng, world->entity_count);
    char text[128];
    world->events_left--;
    if (oracle_is_full(&world->oracle, (size_t)entity) || rng_one_in(&world->rng, 20)) {
        (void)append(world, entity, "{\"id\":", true); /* no event at all */
        return;
    }
    int64_t ts_ms = draw_event_ms(world);
    (void)snprintf(text, sizeof text, "{\"id\":\"e%c\",\"amount\":%.0f,\"ts\":%lld}", 'a' + entity,
                   oracle_amount(&world->oracle, (size_t)entity), (long long)ts_ms);
    oracle_add(&world->oracle, (size_t)entity, ts_ms, append(world, entity, text, false));
}

static bool has_zombie(const struct world *world)
{
    for (int i = 0; i < world->process_count; i++) {
        const struct process *process = &world->processes[i];
        if (process->is_alive && (process->is_frozen || process->source->is_expelled))
            return true;
    }
    return false;
}

/* In the plain form whoever wakes after half a minute may write what its owner has forgotten. */
static void pass_time(struct world *world)
{
    int64_t kind = rng_below(&world->rng, 100);
    int64_t most_ms = kind < 85 ? 30 : kind < 98 ? 2000 : LONG_MS_MAX;
    if (world->form == FORM_PLAIN && most_ms > ZOMBIE_MS_MAX && has_zombie(world))
        most_ms = ZOMBIE_MS_MAX;
    sim_pass_ms(rng_between(&world->rng, 1, most_ms));
}

/* Not of the plain form while it gives its units up, or ends: then it never hears that it has lost them, and so
 * does not call out for what it still wrote. */
bool world_may_expel(const struct world *world, const struct process *process)
{
    return process->is_alive && process->source->state != MEMBER_OUT &&
           !(world->form == FORM_PLAIN && (process->source->is_revoking || process->is_stopping));
}

/* The group waits for no member for ever. */
static void expel_slow(struct world *world)
{
    struct process *process = &world->processes[rng_below(&world->rng, world->process_count)];
    if (!world_may_expel(world, process) || !world->kafka.is_preparing ||
        process->source->state != MEMBER_IN)
        return;
    if (rng_one_in(&world->rng, process->is_frozen ? 20 : 200))
        sim_kafka_expel(&world->kafka, process->source);
}

/* What is dead begins anew, what is frozen wakes. */
static void heal(struct world *world)
{
    for (int i = 0; i < world->process_count; i++) {
        struct process *process = &world->processes[i];
        if (!process->is_alive && (world->is_calm || rng_one_in(&world->rng, 40)))
            world_start(world, process);
        else if (process->is_frozen && (world->is_calm || rng_one_in(&world->rng, 80)))
            process->is_frozen = false;
    }
    if (world->is_calm || sim_mono_ms >= world->calm_at_ms)
        world->kafka.is_away = world->kafka.refuses_commits = world->kafka.refuses_letters = false;
}

/* What goes on whatever the step is. */
static void go_on(struct world *world)
{
    if (world->dead_count > 0 && (world->is_calm || rng_one_in(&world->rng, 20)))
        expel_dead(world);
    expel_slow(world);
    heal(world);
    if (rng_one_in(&world->rng, 4))
        sim_redis_tick(&world->redis);
    if (rng_one_in(&world->rng, world->lag_every))
        sim_redis_replicate(&world->redis, COPY_REPLICA, (size_t)rng_below(&world->rng, 30));
    if (rng_one_in(&world->rng, 200))
        sim_redis_replicate(&world->redis, COPY_DISK, SIZE_MAX);
}

static void step(struct world *world)
{
    world->steps++;
    go_on(world);
    if (world->faults_left > 0 && rng_one_in(&world->rng, world->fault_every)) {
        faults_strike(world);
        return;
    }
    int64_t kind = rng_below(&world->rng, 100);
    struct process *process = kind < 70 ? world_pick(world) : NULL;
    if (process != NULL)
        resume(world, process);
    else if (kind < 82 && world->events_left > 0)
        produce(world);
    else
        pass_time(world);
}

/* ---- until all is well ---- */

/* With the newest version: by a reload, or by a restart. */
static void catch_up(struct world *world, struct process *process)
{
    if (process->version == world->version)
        return;
    if (rng_one_in(&world->rng, 4))
        process->is_stopping = true;
    else
        world_reload(world, process);
}

static void calm_step(struct world *world)
{
    go_on(world);
    for (int i = 0; i < world->process_count; i++)
        catch_up(world, &world->processes[i]);
    sim_redis_tick(&world->redis);
    for (int i = 0; i < world->process_count; i++)
        if (world->processes[i].is_alive)
            resume(world, &world->processes[i]);
    sim_pass_ms(rng_between(&world->rng, 1, CALM_STEP_MS));
}

static int settle(struct world *world)
{
    world->is_calm = true;
    world_trace(world, "calm");
    int64_t begun_ms = sim_mono_ms;
    struct err err = {0, ""};
    int right = 0;
    for (int i = 1; i < CALM_STEPS_MAX && world->err.code == 0; i++) {
        calm_step(world);
        if (i % CALM_CHECK_EVERY != 0 || sim_mono_ms - begun_ms < CALM_MS_MIN)
            continue;
        bool is_right =
            oracle_check_all(&world->oracle, world->redis.primary, sim_wall_ms, LAG_MS, &err) == 0;
        for (int p = 0; p < world->kafka.partition_count && is_right; p++)
            is_right = sim_letters_check(&world->kafka.partitions[p], INT64_MAX, &err) == 0;
        right = is_right ? right + 1 : 0;
        if (right == CALM_RIGHT)
            return 0;
    }
    if (world->err.code == 0)
        world->err = err;
    return ERR_INTERNAL;
}

int world_run(struct world *world)
{
    while (world->events_left > 0 && world->err.code == 0)
        step(world);
    for (int i = 0; i < 200 && world->err.code == 0; i++)
        step(world);
    return world->err.code == 0 ? settle(world) : ERR_INTERNAL;
}
