/* recover: what the checkpointed form costs, and what a restart costs with it.
 *
 *     recover CONFIG restart KEYS EVENTS_OF_A_KEY    state is made, checkpointed, and loaded again
 *     recover CONFIG steady SECONDS RATE             events at that rate (0: as fast as they go)
 *
 * One worker over the Redis of the configuration, turn by turn. Kafka is played: its log is made up as
 * it is read, so that nothing but the worker and Redis is measured. A turn that finds no record waits
 * as librdkafka would; that is no part of its time.
 */
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdatomic.h>

#include "played_log.h"
#include "run/tenure.h"
#include "tidewheel/clock.h"
#include "tidewheel/entropy.h"
#include "tidewheel/log.h"
#include "tidewheel/mem.h"
#include "tidewheel/options.h"

enum { GIVEN_UP_S = 600, WARM_S = 4 };

/* ---- the worker, turn by turn ---- */

struct turns {
    double *wall_us;
    size_t count;
    size_t cap;
    double cpu_us_max;
};

struct rig {
    const struct options *options;
    const struct catalog *catalog;
    redisContext *redis;
    struct worker *worker;
    struct board *board;
    struct fake fake;
    struct turns turns;
    _Atomic bool stop;
};

static void rig_start(struct rig *rig)
{
    const struct options *options = rig->options;
    bool is_fenced = options->checkpoint_interval_ms > 0;
    rig->board = board_new(0);
    rig->worker = worker_new(&(struct worker_setup){.options = options,
                                                    .catalog = rig->catalog,
                                                    .seed = 7,
                                                    .stop = &rig->stop,
                                                    .board = rig->board});
    struct store_setup setup = {.wire = wire_socket_new(&options->redis),
                                .url = &options->redis,
                                .group_id = options->kafka_group_id,
                                .random = entropy_draw};
    struct fake *fake = &rig->fake;
    fake->source = (struct source){&FAKE};
    fake->handler = worker_handler(rig->worker);
    fake->is_assigned = false;
    for (size_t i = 0; i < UNITS; i++) {
        fake->next[i] = -1;
        fake->units[i] = (struct unit){
            .topic = rig->catalog->topics[0], .partition = (int32_t)i, .partition_count = UNITS};
    }
    worker_begin(rig->worker,
                 &(struct worker_ends){
                     .source = &fake->source,
                     .store = is_fenced ? fenced_store_new(&setup) : plain_store_new(&setup),
                     .loader = is_fenced
                                   ? loader_new(wire_socket_new(&options->redis), &options->redis)
                                   : NULL,
                 });
}

/* As by kill -9: nothing is drained. */
static void rig_kill(struct rig *rig)
{
    worker_end(rig->worker, ERR_RETRY);
    worker_free(rig->worker);
    board_free(rig->board);
}

static void turn(struct rig *rig)
{
    struct turns *turns = &rig->turns;
    struct err err;
    rig->fake.waited_ns = 0;
    int64_t begun_ns = clock_ns(CLOCK_MONOTONIC);
    int64_t begun_cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    if (worker_turn(rig->worker, &err) < 0)
        DIE("%s", err.text);
    double cpu_us = (double)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - begun_cpu_ns) / 1e3;
    int64_t wall_ns = clock_ns(CLOCK_MONOTONIC) - begun_ns - rig->fake.waited_ns;
    turns->wall_us = mem_grow(turns->wall_us, turns->count, &turns->cap, sizeof *turns->wall_us);
    turns->wall_us[turns->count++] = (double)wall_ns / 1e3;
    turns->cpu_us_max = cpu_us > turns->cpu_us_max ? cpu_us : turns->cpu_us_max;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void result_of(const char *phase, const char *name, double value)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%s_%s", phase, name);
    result(text, value);
}

/* Of the turns since the last time. */
static void report_turns(struct rig *rig, const char *phase)
{
    struct turns *turns = &rig->turns;
    if (turns->count == 0)
        DIE("there was no turn");
    qsort(turns->wall_us, turns->count, sizeof *turns->wall_us, compare);
    result_of(phase, "turn_p999_ms",
              turns->wall_us[(size_t)((double)(turns->count - 1) * 0.999)] / 1e3);
    result_of(phase, "turn_max_ms", turns->wall_us[turns->count - 1] / 1e3);
    result_of(phase, "turn_cpu_max_ms", turns->cpu_us_max / 1e3);
    turns->count = 0;
    turns->cpu_us_max = 0;
}

static void turn_until(struct rig *rig, bool (*is)(const struct rig *rig))
{
    int64_t deadline_ms = clock_mono_ms() + GIVEN_UP_S * 1000;
    while (!is(rig)) {
        if (clock_mono_ms() > deadline_ms)
            DIE("not done after %d s", GIVEN_UP_S);
        turn(rig);
    }
}

/* ---- what Redis says of itself ---- */

static redisReply *ask(const struct rig *rig, const char *const *words, int count)
{
    redisReply *reply = redisCommandArgv(rig->redis, count, (const char **)(uintptr_t)words, NULL);
    if (reply == NULL || reply->type == REDIS_REPLY_ERROR)
        DIE("Redis: %s", reply == NULL ? rig->redis->errstr : reply->str);
    return reply;
}

static double redis_cpu_ns(const struct rig *rig)
{
    redisReply *reply = ask(rig, (const char *[]){"INFO", "cpu"}, 2);
    double seconds = 0;
    for (const char *const *name = (const char *[]){"\nused_cpu_sys:", "\nused_cpu_user:", NULL};
         *name != NULL; name++) {
        const char *at = strstr(reply->str, *name);
        if (at == NULL)
            DIE("Redis does not tell its CPU time");
        seconds += strtod(at + strlen(*name), NULL);
    }
    freeReplyObject(reply);
    return seconds * 1e9;
}

static double redis_bytes_of_blobs(const struct rig *rig)
{
    double bytes = 0;
    struct buf key = {NULL, 0, 0};
    for (size_t i = 0; i < UNITS * META_HASHES; i++) {
        const struct tenure *tenure = rig->fake.units[i / META_HASHES].tenure;
        buf_reset(&key);
        meta_blob_key(&key, buf_text((struct buf *)(uintptr_t)&tenure->prefix),
                      rig->catalog->views[0]->name, tenure->checkpoint.kept[0].gen,
                      (unsigned)(i % META_HASHES));
        redisReply *reply =
            ask(rig, (const char *[]){"MEMORY", "USAGE", buf_text(&key), "SAMPLES", "0"}, 5);
        bytes += (double)reply->integer;
        freeReplyObject(reply);
    }
    buf_fini(&key);
    return bytes;
}

/* ---- restart ---- */

static bool is_saved(const struct rig *rig)
{
    for (size_t i = 0; i < UNITS; i++) {
        const struct unit *unit = &rig->fake.units[i];
        const struct shard *shard = unit->shard;
        if (shard == NULL || unit->tenure->state != TENURE_RUNNING || !shard->is_live ||
            shard->is_passing || shard->dirty.count > 0 ||
            unit->tenure->checkpoint.phase != CHECKPOINT_IDLE ||
            unit->tenure->checkpoint.progress != rig->fake.ends[i])
            return false;
    }
    return !rig->worker->is_sent;
}

static bool is_running(const struct rig *rig)
{
    for (size_t i = 0; i < UNITS; i++) {
        const struct tenure *tenure = rig->fake.units[i].tenure;
        if (tenure == NULL || tenure->state != TENURE_RUNNING || !rig->fake.units[i].shard->is_live)
            return false;
    }
    return true;
}

static void report_bytes(const struct rig *rig)
{
    double entities = 0;
    double memory = 0;
    double blobs = 0;
    struct buf blob = {NULL, 0, 0};
    for (size_t i = 0; i < UNITS; i++) {
        const struct shard *shard = rig->fake.units[i].shard;
        entities += (double)shard_count(shard);
        memory += (double)shard_bytes(shard);
        for (uint32_t number = 0; number < shard->views[0].end; number++) {
            if ((entity_at(&shard->views[0], number)->flags & ENTITY_IN_USE) == 0)
                continue;
            buf_reset(&blob);
            shard_write_blob(shard, (struct entity_ref){0, number},
                             rig->fake.units[i].tenure->checkpoint.kept[0].definition, &blob);
            blobs += (double)blob.len;
        }
    }
    result("entities", entities);
    result("memory_bytes", memory / entities);
    result("blob_bytes", blobs / entities);
    result("redis_bytes", redis_bytes_of_blobs(rig) / entities);
    buf_fini(&blob);
}

static void measure_restart(struct rig *rig, int64_t keys, int64_t events_of_a_key)
{
    rig->fake.keys_of_unit = keys / UNITS;
    rig->fake.now_ms = clock_wall_ms();
    for (size_t i = 0; i < UNITS; i++)
        rig->fake.ends[i] = rig->fake.keys_of_unit * events_of_a_key;
    rig_start(rig);
    turn_until(rig, is_saved);
    report_turns(rig, "build");
    report_bytes(rig);
    rig_kill(rig);

    double redis_ns = redis_cpu_ns(rig);
    rig_start(rig);
    int64_t begun_ns = clock_ns(CLOCK_MONOTONIC);
    int64_t begun_cpu_ns = cpu_ns();
    turn_until(rig, is_running);
    double entities = 0;
    for (size_t i = 0; i < UNITS; i++)
        entities += (double)shard_count(rig->fake.units[i].shard);
    result("load_s", (double)(clock_ns(CLOCK_MONOTONIC) - begun_ns) / 1e9);
    result("load_cpu_ns", (double)(cpu_ns() - begun_cpu_ns) / entities);
    result("load_redis_ns", (redis_cpu_ns(rig) - redis_ns) / entities);
    result("loaded", entities);
    report_turns(rig, "load");
    rig_kill(rig);
}

/* ---- steady ---- */

static void turn_for(struct rig *rig, double seconds)
{
    int64_t until_ns = clock_ns(CLOCK_MONOTONIC) + (int64_t)(seconds * 1e9);
    while (clock_ns(CLOCK_MONOTONIC) < until_ns)
        turn(rig);
}

static void measure_steady(struct rig *rig, double seconds, double rate)
{
    make_pool(&rig->fake);
    rig->fake.rate = rate;
    rig->fake.begun_ns = clock_ns(CLOCK_MONOTONIC);
    rig_start(rig);
    turn_for(rig, WARM_S);
    rig->turns.count = 0;
    rig->turns.cpu_us_max = 0;
    uint64_t made = rig->fake.made;
    int64_t batches = cell_get(&rig->board->cells[BOARD_BATCHES]);
    int64_t writes = cell_get(&rig->board->cells[BOARD_WRITES]);
    double redis_ns = redis_cpu_ns(rig);
    int64_t begun_cpu_ns = cpu_ns();
    turn_for(rig, seconds);
    double events = (double)(rig->fake.made - made);
    result("events_s", events / seconds);
    result("cpu_ns", (double)(cpu_ns() - begun_cpu_ns) / events);
    result("redis_ns", (redis_cpu_ns(rig) - redis_ns) / events);
    result("batches_s", (double)(cell_get(&rig->board->cells[BOARD_BATCHES]) - batches) / seconds);
    result("writes", (double)(cell_get(&rig->board->cells[BOARD_WRITES]) - writes) / events);
    report_turns(rig, "steady");
    rig_kill(rig);
}

int main(int argc, char **argv)
{
    if (argc != 5)
        DIE("usage: recover CONFIG restart KEYS EVENTS_OF_A_KEY | CONFIG steady SECONDS RATE");
    (void)signal(SIGPIPE, SIG_IGN);
    log_open(LOG_ERROR, false);
    struct buf report = {NULL, 0, 0};
    struct options options;
    struct catalog *catalog = NULL;
    struct options_source source = {.file = argv[1], .needs_pipelines = true};
    if (options_load(&source, &report, &options) != 0 ||
        pipeline_load((const char *const *)options.pipelines, options.pipeline_count, &report,
                      &catalog) != 0)
        DIE("%s", buf_text(&report));
    struct rig *rig = mem_zalloc(sizeof *rig);
    rig->options = &options;
    rig->catalog = catalog;
    rig->redis = redisConnectUnix(options.redis.socket);
    if (rig->redis == NULL || rig->redis->err != 0)
        DIE("no connection to %s", options.redis.socket);
    if (strcmp(argv[2], "restart") == 0)
        measure_restart(rig, atol(argv[3]), atol(argv[4]));
    else
        measure_steady(rig, atof(argv[3]), atof(argv[4]));
    redisFree(rig->redis);
    free(rig->turns.wall_us);
    free(rig->fake.pool);
    free(rig);
    catalog_free(catalog);
    options_fini(&options);
    buf_fini(&report);
    return 0;
}
