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

#include "bench.h"
#include "run/tenure.h"
#include "tidewheel/clock.h"
#include "tidewheel/entropy.h"
#include "tidewheel/log.h"
#include "tidewheel/mem.h"
#include "tidewheel/options.h"

enum { UNITS = 12, TEXT_MAX = 128, POOL = 1 << 20, CROWD = 100000, TS_DIGITS = 13 };
enum { GIVEN_UP_S = 600, WARM_S = 4 };

/* ---- a log that is made up as it is read ---- */

struct text {
    char bytes[TEXT_MAX];
    uint8_t len;
    uint8_t ts_at; /* of its TS_DIGITS */
    uint8_t unit;
};

struct fake {
    struct source source;
    struct source_handler handler;
    struct unit units[UNITS];
    int64_t next[UNITS]; /* -1: held */
    int64_t ends[UNITS];
    size_t turn; /* whose record comes next */
    bool is_assigned;
    int64_t waited_ns;
    /* Restart: an event of a key is the same whenever it is read. */
    int64_t keys_of_unit;
    int64_t now_ms;
    char text[TEXT_MAX]; /* or the digits of now_ms */
    /* Steady: texts that only the time is missing in. */
    struct text *pool;
    uint64_t made;
    double rate;
    int64_t begun_ns;
};

static struct fake *fake_of(struct source *source)
{
    return (struct fake *)source;
}

static void assign_all(struct fake *fake)
{
    fake->is_assigned = true;
    for (size_t i = 0; i < UNITS; i++) {
        int64_t end = fake->pool != NULL ? 0 : fake->ends[i];
        fake->units[i].is_assigned = true;
        fake->handler.assigned(fake->handler.arg, &fake->units[i], &(struct plan){.live_at = end});
    }
}

static int nothing(struct fake *fake, int64_t timeout_ms)
{
    struct timespec wait = {.tv_nsec = timeout_ms * 1000000};
    int64_t begun_ns = clock_ns(CLOCK_MONOTONIC);
    if (timeout_ms > 0)
        (void)nanosleep(&wait, NULL);
    fake->waited_ns += clock_ns(CLOCK_MONOTONIC) - begun_ns;
    return 0;
}

static int make_text(char *ret, uint64_t *random, uint64_t user, int64_t ts_ms)
{
    if (random_below(random, 4) == 0)
        return snprintf(ret, TEXT_MAX,
                        "{\"user_id\":\"%llu\",\"event_type\":\"purchase\",\"amount\":%llu.%02llu,"
                        "\"currency\":\"EUR\",\"ts\":%lld}",
                        (unsigned long long)user, (unsigned long long)random_below(random, 90) + 1,
                        (unsigned long long)random_below(random, 100), (long long)ts_ms);
    return snprintf(ret, TEXT_MAX,
                    "{\"user_id\":\"%llu\",\"event_type\":\"page_view\",\"page\":\"/item/%llu\","
                    "\"ts\":%lld}",
                    (unsigned long long)user, (unsigned long long)random_below(random, 1000),
                    (long long)ts_ms);
}

static void lend(const struct fake *fake, size_t unit, const char *text, int len, int64_t ts_ms,
                 struct record *ret)
{
    const char *key = text + strlen("{\"user_id\":\"");
    *ret = (struct record){.value = {text, (size_t)len},
                           .key = {key, strcspn(key, "\"")},
                           .offset = fake->next[unit],
                           .timestamp_ms = ts_ms,
                           .partition = (int32_t)unit};
}

/* The week before, at random. */
static int poll_old(struct fake *fake, int64_t timeout_ms, struct unit **ret_unit,
                    struct record *ret)
{
    for (size_t i = 0; i < UNITS; i++) {
        size_t unit = fake->turn++ / 64 % UNITS;
        int64_t offset = fake->next[unit];
        if (offset < 0 || offset >= fake->ends[unit])
            continue;
        uint64_t random =
            (uint64_t)(offset * UNITS + (int64_t)unit + 1) * UINT64_C(0x9e3779b97f4a7c15);
        (void)random_next(&random);
        int64_t ts_ms = fake->now_ms - (int64_t)random_below(&random, WEEK_MS);
        uint64_t user = (uint64_t)(offset % fake->keys_of_unit) * UNITS + unit;
        int len = make_text(fake->text, &random, user, ts_ms);
        lend(fake, unit, fake->text, len, ts_ms, ret);
        fake->next[unit]++;
        *ret_unit = &fake->units[unit];
        return 1;
    }
    return nothing(fake, timeout_ms < 1 ? timeout_ms : 1); /* so that all is published soon */
}

static bool is_due(const struct fake *fake)
{
    double passed_s = (double)(clock_ns(CLOCK_MONOTONIC) - fake->begun_ns) / 1e9;
    return (double)fake->made < passed_s * fake->rate;
}

static int poll_new(struct fake *fake, int64_t timeout_ms, struct unit **ret_unit,
                    struct record *ret)
{
    struct text *text = &fake->pool[fake->made % POOL];
    if (fake->next[text->unit] < 0)
        return nothing(fake, timeout_ms);
    if (fake->rate > 0 && !is_due(fake))
        return nothing(fake, timeout_ms < 1 ? timeout_ms : 1);
    if (fake->made % 256 == 0) {
        fake->now_ms = clock_wall_ms();
        (void)snprintf(fake->text, sizeof fake->text, "%lld", (long long)fake->now_ms);
    }
    memcpy(text->bytes + text->ts_at, fake->text, TS_DIGITS);
    lend(fake, text->unit, text->bytes, text->len, fake->now_ms, ret);
    fake->next[text->unit]++;
    fake->made++;
    *ret_unit = &fake->units[text->unit];
    return 1;
}

static int fake_poll(struct source *source, int64_t timeout_ms, struct unit **ret_unit,
                     struct record *ret, struct err *err)
{
    struct fake *fake = fake_of(source);
    (void)err;
    if (!fake->is_assigned)
        assign_all(fake);
    return fake->pool != NULL ? poll_new(fake, timeout_ms, ret_unit, ret)
                              : poll_old(fake, timeout_ms, ret_unit, ret);
}

static void fake_begin(struct source *source, struct unit *unit, int64_t start)
{
    fake_of(source)->next[unit->partition] = start;
}

static void fake_hold(struct source *source, struct unit *unit)
{
    fake_of(source)->next[unit->partition] = -1;
}

static void fake_commit(struct source *source, const struct commit *commits, size_t count,
                        int64_t wait_ms)
{
    (void)source, (void)commits, (void)count, (void)wait_ms;
}

static void fake_pause(struct source *source, bool is_paused)
{
    (void)source, (void)is_paused;
}

static void fake_restart(struct source *source, struct unit *unit, int64_t alive_ms)
{
    (void)source, (void)unit, (void)alive_ms;
    DIE("a unit was lost");
}

static int64_t fake_end(struct source *source, const struct unit *unit)
{
    (void)source, (void)unit;
    return -1;
}

static const char *fake_cluster(struct source *source)
{
    (void)source;
    return "";
}

static bool fake_close(struct source *source, int64_t wait_ms)
{
    struct fake *fake = fake_of(source);
    (void)wait_ms;
    for (size_t i = 0; i < UNITS; i++)
        fake->handler.dropped(fake->handler.arg, &fake->units[i]);
    return true;
}

static const struct source_ops FAKE = {
    .poll = fake_poll,
    .commit = fake_commit,
    .pause = fake_pause,
    .begin = fake_begin,
    .hold = fake_hold,
    .restart = fake_restart,
    .end = fake_end,
    .cluster = fake_cluster,
    .close = fake_close,
};

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
    struct redis_url url;
    redisContext *redis;
    struct worker *worker;
    struct fake fake;
    struct turns turns;
    _Atomic bool stop;
};

static void rig_start(struct rig *rig)
{
    const struct options *options = rig->options;
    bool is_fenced = options->checkpoint_interval_ms > 0;
    rig->worker = worker_new(&(struct worker_setup){
        .options = options, .catalog = rig->catalog, .seed = 7, .stop = &rig->stop});
    struct store_setup setup = {.wire = wire_socket_new(&rig->url),
                                .url = &rig->url,
                                .group_id = options->kafka_group_id,
                                .random = entropy_draw};
    struct fake *fake = &rig->fake;
    fake->source = (struct source){&FAKE};
    fake->handler = worker_handler(rig->worker);
    fake->is_assigned = false;
    for (size_t i = 0; i < UNITS; i++) {
        fake->next[i] = -1;
        fake->units[i] =
            (struct unit){rig->catalog->topics[0], (int32_t)i, UNITS, false, NULL, NULL};
    }
    worker_begin(rig->worker,
                 &(struct worker_ends){
                     .source = &fake->source,
                     .store = is_fenced ? fenced_store_new(&setup) : plain_store_new(&setup),
                     .loader = is_fenced ? loader_new(wire_socket_new(&rig->url), &rig->url) : NULL,
                 });
}

/* As by kill -9: nothing is drained. */
static void rig_kill(struct rig *rig)
{
    worker_end(rig->worker, ERR_RETRY);
    worker_free(rig->worker);
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

static void make_pool(struct fake *fake)
{
    uint64_t random = 42;
    fake->now_ms = clock_wall_ms();
    fake->pool = mem_alloc(POOL * sizeof *fake->pool);
    for (size_t i = 0; i < POOL; i++) {
        struct text *text = &fake->pool[i];
        double share = (double)(random_next(&random) >> 11) / 9007199254740992.0;
        uint64_t user = 1 + (uint64_t)(share * share * CROWD);
        text->unit = (uint8_t)(user % UNITS);
        text->len = (uint8_t)make_text(text->bytes, &random, user, fake->now_ms);
        text->ts_at = (uint8_t)(text->len - TS_DIGITS - 1);
    }
}

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
    uint64_t batches = rig->worker->batches;
    uint64_t writes = rig->worker->writes;
    double redis_ns = redis_cpu_ns(rig);
    int64_t begun_cpu_ns = cpu_ns();
    turn_for(rig, seconds);
    double events = (double)(rig->fake.made - made);
    result("events_s", events / seconds);
    result("cpu_ns", (double)(cpu_ns() - begun_cpu_ns) / events);
    result("redis_ns", (redis_cpu_ns(rig) - redis_ns) / events);
    result("batches_s", (double)(rig->worker->batches - batches) / seconds);
    result("writes", (double)(rig->worker->writes - writes) / events);
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
    struct err err;
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
    if (redis_url_login(options.redis_url, &rig->url, &err) < 0)
        DIE("%s", err.text);
    rig->redis = redisConnectUnix(rig->url.socket);
    if (rig->redis == NULL || rig->redis->err != 0)
        DIE("no connection to %s", rig->url.socket);
    if (strcmp(argv[2], "restart") == 0)
        measure_restart(rig, atol(argv[3]), atol(argv[4]));
    else
        measure_steady(rig, atof(argv[3]), atof(argv[4]));
    redisFree(rig->redis);
    redis_url_fini(&rig->url);
    free(rig->turns.wall_us);
    free(rig->fake.pool);
    free(rig);
    catalog_free(catalog);
    options_fini(&options);
    buf_fini(&report);
    return 0;
}
