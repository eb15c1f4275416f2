/* worker: the workers of a configuration on a topic that is full, as fast as they go.
 *
 *     worker CONFIG EVENTS none           the sink takes nothing: from Kafka to buckets
 *     worker CONFIG EVENTS off [DUMP]     every batch is made, and acknowledged at once
 *     worker CONFIG EVENTS on             into the Redis of the configuration, in its form
 *
 * Ends after EVENTS events and the writes of all that they changed. What is read again is silent
 * (promise P); here the fence is lifted at once, so that a log that was filled before is worked
 * through as arrivals are. DUMP gets the batches of the first worker, for the bare writer:
 *
 *     { bytes, entities, commands: 3 words of 32 bits } bytes ...
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "bench.h"
#include "run/worker_private.h"
#include "tidewheel/loader.h"
#include "tidewheel/log.h"
#include "tidewheel/mem.h"
#include "tidewheel/options.h"
#include "tidewheel/worker.h"

enum { WORKERS_MAX = 16, PARTITIONS_MAX = 64, STEP_US = 1000, GIVEN_UP_S = 300 };

/* A store that counts what passes through it; without an inner one it answers at once. */
struct counting {
    struct store store;
    struct store *inner;
    struct worker *worker;
    const struct batch *batch; /* not acknowledged; without an inner store */
    _Atomic uint64_t entities;
    _Atomic bool is_closed;     /* never ready */
    _Atomic int64_t written_ns; /* when nothing was left to write, all events being read */
    FILE *dump;
};

struct member {
    const struct options *options;
    struct board *board;
    struct worker *worker;
    struct source *source;
    struct source_handler handler;
    struct loader *loader;
    struct counting counting;
    uint64_t seed;
    pthread_t thread;
};

static _Atomic bool stop;

/* The ends that were reached. While the group forms, a partition may move and be read twice, so the
 * number of records does not tell when all is done. */
static _Atomic int64_t reached[PARTITIONS_MAX];
static uint64_t events_wanted;

static uint64_t reached_all(void)
{
    int64_t sum = 0;
    for (size_t i = 0; i < PARTITIONS_MAX; i++)
        sum += atomic_load(&reached[i]);
    return (uint64_t)sum;
}

/* ---- the store ---- */

static struct counting *counting_of(const struct store *store)
{
    return (struct counting *)(uintptr_t)store;
}

static void note_written(struct counting *counting)
{
    const struct worker *worker = counting->worker;
    if (atomic_load(&counting->written_ns) == 0 && reached_all() >= events_wanted &&
        !worker->is_sent && !units_have_arrivals(worker))
        atomic_store(&counting->written_ns, clock_ns(CLOCK_MONOTONIC));
}

static int counting_pump(struct store *store, int64_t mono_ms, unsigned *ret_events,
                         struct err *err)
{
    struct counting *counting = counting_of(store);
    note_written(counting);
    if (counting->inner != NULL)
        return counting->inner->ops->pump(counting->inner, mono_ms, ret_events, err);
    *ret_events = counting->batch != NULL ? STORE_WRITTEN : 0;
    counting->batch = NULL;
    return 0;
}

static bool counting_is_ready(const struct store *store)
{
    const struct counting *counting = counting_of(store);
    return counting->inner != NULL ? counting->inner->ops->is_ready(counting->inner)
                                   : counting->batch == NULL && !counting->is_closed;
}

static bool counting_is_away(const struct store *store)
{
    const struct counting *counting = counting_of(store);
    return counting->inner != NULL && counting->inner->ops->is_away(counting->inner);
}

/* With what the plain store says behind a batch. */
static void dump(const struct counting *counting, const struct batch *batch)
{
    struct buf tail = {NULL, 0, 0};
    resp_command(&tail, (const char *const[]){"INCR", "{tw:bench}:alive:0"}, 2);
    resp_command(&tail, (const char *const[]){"EXEC"}, 1);
    uint32_t head[3] = {(uint32_t)(batch->bytes.len + tail.len), (uint32_t)batch->entity_count,
                        batch->command_count + 1};
    if (fwrite(head, sizeof head, 1, counting->dump) != 1 ||
        fwrite(batch->bytes.ptr, batch->bytes.len, 1, counting->dump) != 1 ||
        fwrite(tail.ptr, tail.len, 1, counting->dump) != 1)
        DIE("the dump cannot be written");
    buf_fini(&tail);
}

static void counting_send(struct store *store, struct batch *batch, int64_t mono_ms)
{
    struct counting *counting = counting_of(store);
    counting->entities += batch->entity_count;
    if (counting->dump != NULL)
        dump(counting, batch);
    if (counting->inner != NULL)
        counting->inner->ops->send(counting->inner, batch, mono_ms);
    else
        counting->batch = batch;
}

static void counting_call_out(struct store *store)
{
    struct counting *counting = counting_of(store);
    if (counting->inner != NULL)
        counting->inner->ops->call_out(counting->inner);
}

static int64_t counting_older_ms(const struct store *store)
{
    const struct counting *counting = counting_of(store);
    return counting->inner != NULL ? counting->inner->ops->older_ms(counting->inner) : 0;
}

/* Nobody claims from a store that keeps nothing: with it the worker has the plain form. */
static void counting_claim(struct store *store, struct fence *fence, const char *who)
{
    struct counting *counting = counting_of(store);
    counting->inner->ops->claim(counting->inner, fence, who);
}

static void counting_release(struct store *store, struct fence *fence)
{
    struct counting *counting = counting_of(store);
    counting->inner->ops->release(counting->inner, fence);
}

static void counting_wait(struct store *store, int64_t wait_ms)
{
    struct counting *counting = counting_of(store);
    if (counting->inner != NULL)
        counting->inner->ops->wait(counting->inner, wait_ms);
}

static void counting_close(struct store *store)
{
    struct counting *counting = counting_of(store);
    if (counting->inner != NULL)
        counting->inner->ops->close(counting->inner);
}

static const struct store_ops COUNTING = {
    .pump = counting_pump,
    .is_ready = counting_is_ready,
    .is_away = counting_is_away,
    .send = counting_send,
    .call_out = counting_call_out,
    .older_ms = counting_older_ms,
    .claim = counting_claim,
    .release = counting_release,
    .wait = counting_wait,
    .close = counting_close,
};

/* ---- the workers ---- */

static void on_assigned(void *arg, struct unit *unit, const struct plan *plan)
{
    const struct member *member = arg;
    struct plan open = *plan;
    open.live_at = member->options->checkpoint_interval_ms > 0 ? open.again : open.start;
    member->handler.assigned(member->handler.arg, unit, &open);
}

static int64_t on_position(void *arg, const struct unit *unit)
{
    const struct member *member = arg;
    return member->handler.position(member->handler.arg, unit);
}

static void on_revoked(void *arg, bool is_lost)
{
    const struct member *member = arg;
    member->handler.revoked(member->handler.arg, is_lost);
}

static void on_dropped(void *arg, struct unit *unit)
{
    const struct member *member = arg;
    member->handler.dropped(member->handler.arg, unit);
}

static void on_reached(void *arg, struct unit *unit, int64_t offset)
{
    const struct member *member = arg;
    if (unit->partition < PARTITIONS_MAX)
        atomic_store(&reached[unit->partition], offset);
    member->handler.reached(member->handler.arg, unit, offset);
}

static void *member_main(void *arg)
{
    struct member *member = arg;
    struct err err;
    struct worker_ends ends = {
        .source = member->source, .store = &member->counting.store, .loader = member->loader};
    if (worker_run(member->worker, &ends, &err) < 0)
        DIE("%s", err.text);
    return NULL;
}

static uint64_t draw(void *arg)
{
    struct member *member = arg;
    return random_next(&member->seed);
}

static void open_redis(struct member *member, const struct options *options)
{
    struct store_setup setup = {.wire = wire_socket_new(&options->redis),
                                .url = &options->redis,
                                .group_id = "bench",
                                .random = draw,
                                .random_arg = member};
    bool is_fenced = options->checkpoint_interval_ms > 0;
    member->counting.inner = is_fenced ? fenced_store_new(&setup) : plain_store_new(&setup);
    if (is_fenced)
        member->loader = loader_new(wire_socket_new(&options->redis), &options->redis);
}

static void member_start(struct member *member, const struct options *options,
                         const struct catalog *catalog, int number, const char *sink)
{
    bool is_on = strcmp(sink, "on") == 0;
    struct err err;
    member->options = options;
    member->board = board_new(number);
    member->worker = worker_new(&(struct worker_setup){.options = options,
                                                       .catalog = catalog,
                                                       .number = number,
                                                       .seed = 7,
                                                       .stop = &stop,
                                                       .board = member->board});
    struct counting *counting = &member->counting;
    counting->worker = member->worker;
    member->seed = (uint64_t)number + 1; /* of nonces: never 0 */
    counting->is_closed = strcmp(sink, "none") == 0;
    counting->store = (struct store){&COUNTING};
    if (is_on)
        open_redis(member, options);
    member->handler = worker_handler(member->worker);
    struct source_handler handler = {.arg = member,
                                     .position = on_position,
                                     .assigned = on_assigned,
                                     .revoked = on_revoked,
                                     .dropped = on_dropped,
                                     .reached = on_reached,
                                     .board = member->board};
    if (kafka_source_open(options, catalog, number, &handler, &member->source, &err) < 0)
        DIE("%s", err.text);
    if (pthread_create(&member->thread, NULL, member_main, member) != 0)
        DIE("no thread");
}

static uint64_t records_of(const struct member *members, size_t count)
{
    uint64_t records = 0;
    for (size_t i = 0; i < count; i++)
        records += (uint64_t)cell_get(&members[i].board->cells[BOARD_RECORDS]);
    return records;
}

static bool is_written(const struct member *members, size_t count)
{
    size_t written = 0;
    for (size_t i = 0; i < count; i++)
        written += atomic_load(&members[i].counting.written_ns) != 0;
    return written == count;
}

static bool has_begun(const struct member *members, size_t count)
{
    return records_of(members, count) > 0;
}

static bool is_read(const struct member *members, size_t count)
{
    (void)members;
    (void)count;
    return reached_all() >= events_wanted;
}

static void wait_until(bool (*is)(const struct member *members, size_t count),
                       const struct member *members, size_t count)
{
    int64_t deadline_ms = clock_mono_ms() + GIVEN_UP_S * 1000;
    while (!is(members, count)) {
        if (clock_mono_ms() > deadline_ms)
            DIE("not done after %d s and %llu records", GIVEN_UP_S,
                (unsigned long long)records_of(members, count));
        (void)usleep(STEP_US);
    }
}

static double seconds_since(int64_t begun_ns)
{
    return (double)(clock_ns(CLOCK_MONOTONIC) - begun_ns) / 1e9;
}

static void run(const struct options *options, const struct catalog *catalog, const char *sink,
                FILE *dump_file)
{
    struct member *members = mem_zalloc(WORKERS_MAX * sizeof *members);
    size_t count = (size_t)options->workers;
    members[0].counting.dump = dump_file;
    for (size_t i = 0; i < count; i++)
        member_start(&members[i], options, catalog, (int)i, sink);
    wait_until(has_begun, members, count);
    int64_t begun_ns = clock_ns(CLOCK_MONOTONIC);
    wait_until(is_read, members, count);
    double records = (double)records_of(members, count);
    result("records", records);
    result("events_s", records / seconds_since(begun_ns));
    if (strcmp(sink, "none") != 0)
        wait_until(is_written, members, count);
    result("cpu_ns", (double)cpu_ns() / records);
    uint64_t entities = 0;
    for (size_t i = 0; i < count; i++) {
        entities += atomic_load(&members[i].counting.entities);
        atomic_store(&members[i].counting.is_closed, false);
    }
    result("writes", (double)entities);
    result("writes_s", (double)entities / seconds_since(begun_ns));
    atomic_store(&stop, true);
    for (size_t i = 0; i < count; i++)
        (void)pthread_join(members[i].thread, NULL);
    for (size_t i = 0; i < count; i++) {
        worker_free(members[i].worker);
        board_free(members[i].board);
    }
    free(members);
}

int main(int argc, char **argv)
{
    if (argc < 4)
        DIE("usage: worker CONFIG EVENTS none|off|on [DUMP]");
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
    if (options.workers > WORKERS_MAX)
        DIE("at most %d workers", WORKERS_MAX);
    FILE *dump_file = argc > 4 ? fopen(argv[4], "wb") : NULL;
    events_wanted = strtoull(argv[2], NULL, 10);
    if (strcmp(argv[3], "on") != 0)
        options.checkpoint_interval_ms = 0;
    run(&options, catalog, argv[3], dump_file);
    if (dump_file != NULL && fclose(dump_file) != 0)
        DIE("the dump cannot be written");
    catalog_free(catalog);
    options_fini(&options);
    buf_fini(&report);
    return 0;
}
