#include "tidewheel/fleet.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "tidewheel/clock.h"
#include "tidewheel/entropy.h"
#include "tidewheel/http.h"
#include "tidewheel/loader.h"
#include "tidewheel/log.h"
#include "tidewheel/mem.h"
#include "tidewheel/store.h"
#include "tidewheel/version.h"
#include "tidewheel/worker.h"

enum { COUNTERS_MS = 60 * 1000, WATCH_S = 1, EXIT_SECOND_SIGNAL = 128 + SIGTERM };

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

struct fleet {
    const struct options *options;
    const struct catalog *catalog;
    struct member *members;
    size_t member_count;
    struct board **boards; /* of the workers, and the last one is the main thread's */
    struct display display;
    struct http *http; /* NULL: nobody may ask */
    _Atomic bool stop;
};

/* ---- counters ---- */

static uint64_t count_of(const struct fleet *fleet, const struct view *view, enum verdict verdict)
{
    uint64_t count = 0;
    for (size_t i = 0; i < fleet->member_count; i++)
        count += tally_read(&board_find_view(fleet->members[i].board, view->name)->tally, verdict);
    return count;
}

static void log_counters(const struct fleet *fleet, const char *at)
{
    struct buf line = {NULL, 0, 0};
    for (size_t i = 0; i < fleet->catalog->view_count; i++) {
        const struct view *view = fleet->catalog->views[i];
        buf_reset(&line);
        uint64_t rejected = 0;
        for (int verdict = 0; verdict < VERDICT_COUNT; verdict++)
            if (verdict_rows[verdict].is_rejection)
                rejected += count_of(fleet, view, (enum verdict)verdict);
        for (int verdict = VERDICT_ACCEPTED + 1; verdict < VERDICT_COUNT; verdict++) {
            uint64_t count = count_of(fleet, view, (enum verdict)verdict);
            if (count > 0)
                buf_printf(&line, " %s=%llu", verdict_rows[verdict].name,
                           (unsigned long long)count);
        }
        log_info(at, "view=%s accepted=%llu rejected=%llu %s", view->name,
                 (unsigned long long)count_of(fleet, view, VERDICT_ACCEPTED),
                 (unsigned long long)rejected, buf_text(&line));
    }
    buf_fini(&line);
}

static int64_t record_count(const struct fleet *fleet)
{
    int64_t records = 0;
    for (size_t i = 0; i < fleet->member_count; i++)
        records += cell_get(&fleet->members[i].board->cells[BOARD_RECORDS]);
    return records;
}

/* ---- members ---- */

static void *member_main(void *arg)
{
    struct member *member = arg;
    member->rc = worker_run(member->worker, &member->ends, &member->err);
    member->is_done = true;
    return NULL;
}

static void member_open_store(const struct fleet *fleet, struct member *member)
{
    const struct options *options = fleet->options;
    struct store_setup setup = {
        .wire = wire_socket_new(&options->redis),
        .url = &options->redis,
        .group_id = options->kafka_group_id,
        .allows_eviction = options->redis_allow_eviction,
        .random = entropy_draw,
        .board = member->board,
    };
    bool is_fenced = options->checkpoint_interval_ms > 0;
    member->ends.store = is_fenced ? fenced_store_new(&setup) : plain_store_new(&setup);
    if (is_fenced)
        member->ends.loader = loader_new(wire_socket_new(&options->redis), &options->redis);
}

static int member_open_letters(const struct fleet *fleet, struct member *member, int number,
                               struct err *err)
{
    struct letters_handler handler = worker_letters_handler(member->worker);
    bool has_any = false;
    for (int i = 0; i < VERDICT_COUNT; i++)
        has_any =
            has_any || options_on_error(fleet->options, (enum verdict)i) == ON_ERROR_DEAD_LETTER;
    return has_any
               ? kafka_letters_open(fleet->options, number, &handler, &member->ends.letters, err)
               : 0;
}

static int member_open_sources(const struct fleet *fleet, struct member *member, int number,
                               struct err *err)
{
    struct source_handler handler = worker_handler(member->worker);
    int rc = kafka_source_open(fleet->options, fleet->catalog, number, &handler,
                               &member->ends.source, err);
    if (rc < 0 || fleet->options->checkpoint_interval_ms == 0)
        return rc;
    handler = worker_reader_handler(member->worker);
    return kafka_reader_open(fleet->options, fleet->catalog, number, &handler, &member->ends.reader,
                             err);
}

/* What was opened for a worker that will not run. */
static void member_close(struct member *member)
{
    if (member->ends.source != NULL)
        (void)member->ends.source->ops->close(member->ends.source, 0);
    if (member->ends.store != NULL)
        member->ends.store->ops->close(member->ends.store);
    loader_free(member->ends.loader);
    if (member->ends.letters != NULL)
        (void)member->ends.letters->ops->close(member->ends.letters, 0);
}

static int member_start(struct fleet *fleet, size_t number, uint64_t seed, struct err *err)
{
    struct member *member = &fleet->members[number];
    member->board = fleet->boards[number];
    member->worker = worker_new(&(struct worker_setup){
        .options = fleet->options,
        .catalog = fleet->catalog,
        .number = (int)number,
        .seed = seed,
        .stop = &fleet->stop,
        .board = member->board,
    });
    fleet->member_count = number + 1;
    member_open_store(fleet, member);
    int rc = member_open_letters(fleet, member, (int)number, err);
    if (rc == 0)
        rc = member_open_sources(fleet, member, (int)number, err);
    if (rc == 0 && pthread_create(&member->thread, NULL, member_main, member) != 0)
        rc = err_set(err, ERR_INTERNAL, "cannot start a thread: too many are running");
    if (rc < 0) {
        member_close(member);
        return rc;
    }
    member->is_started = true;
    return 0;
}

static int start_all(struct fleet *fleet, struct err *err)
{
    uint64_t seed = entropy_draw(NULL);
    size_t count = (size_t)fleet->options->workers;
    fleet->members = mem_zalloc(count * sizeof *fleet->members);
    for (size_t i = 0; i < count; i++) {
        int rc = member_start(fleet, i, seed, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static bool is_anyone_done(const struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->member_count; i++)
        if (fleet->members[i].is_started && fleet->members[i].is_done)
            return true;
    return false;
}

static bool is_everyone_done(const struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->member_count; i++)
        if (fleet->members[i].is_started && !fleet->members[i].is_done)
            return false;
    return true;
}

/* ---- what others see ---- */

static struct board *own_board(const struct fleet *fleet)
{
    return fleet->boards[fleet->options->workers];
}

static void make_boards(struct fleet *fleet)
{
    size_t count = (size_t)fleet->options->workers;
    fleet->boards = mem_zalloc((count + 1) * sizeof *fleet->boards);
    for (size_t i = 0; i < count; i++)
        fleet->boards[i] = board_new((int)i);
    fleet->boards[count] = board_new(-1);
    cell_set(&own_board(fleet)->cells[BOARD_RELOADED_MS], clock_wall_ms());
    fleet->display = (struct display){
        .boards = (const struct board *const *)fleet->boards,
        .board_count = count + 1,
        .version = TIDEWHEEL_VERSION,
        .kafka_version = kafka_version(),
        .redis_version = redis_client_version(),
        .memory_limit = fleet->options->limits_memory,
    };
}

/* Nobody reads them any more. */
static void free_boards(struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->display.board_count; i++)
        board_free(fleet->boards[i]);
    free(fleet->boards);
}

static int open_http(struct fleet *fleet, struct err *err)
{
    const char *listen = fleet->options->http_listen;
    return *listen == '\0' ? 0 : http_open(listen, &fleet->display, &fleet->http, err);
}

static void show(const struct fleet *fleet, enum phase phase)
{
    cell_set(&own_board(fleet)->cells[BOARD_TURN_MS], clock_mono_ms());
    cell_set(&own_board(fleet)->cells[BOARD_PHASE], phase);
}

/* ---- signals ---- */

static void block_signals(sigset_t *ret)
{
    (void)sigemptyset(ret);
    (void)sigaddset(ret, SIGTERM);
    (void)sigaddset(ret, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, ret, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

static bool wait_signal(const sigset_t *signals)
{
    struct timespec wait = {.tv_sec = WATCH_S};
    return sigtimedwait(signals, NULL, &wait) > 0;
}

static void watch(struct fleet *fleet, const sigset_t *signals)
{
    int64_t counters_ms = clock_mono_ms() + COUNTERS_MS;
    while (!is_anyone_done(fleet)) {
        show(fleet, PHASE_RUNNING);
        if (wait_signal(signals)) {
            log_info("stop", "why=signal then=drain timeout_ms=%lld",
                     (long long)fleet->options->shutdown_timeout_ms);
            break;
        }
        if (clock_mono_ms() < counters_ms)
            continue;
        counters_ms += COUNTERS_MS;
        log_counters(fleet, "events");
    }
    show(fleet, PHASE_DRAINING);
    fleet->stop = true;
}

/* Past its time the process leaves at once: what was not committed is read again. */
static void wait_for_all(struct fleet *fleet, const sigset_t *signals)
{
    struct timespec step = {.tv_nsec = 10 * 1000 * 1000};
    int64_t deadline_ms = clock_mono_ms() + fleet->options->shutdown_timeout_ms;
    while (!is_everyone_done(fleet)) {
        if (sigtimedwait(signals, NULL, &step) > 0)
            _exit(EXIT_SECOND_SIGNAL);
        if (clock_mono_ms() < deadline_ms)
            continue;
        log_warn("stop",
                 "why=\"the drain took too long\" then=\"what was not committed is read again\"");
        _exit(0);
    }
}

static int first_error(struct fleet *fleet, struct err *err)
{
    for (size_t i = 0; i < fleet->member_count; i++) {
        if (fleet->members[i].rc < 0) {
            *err = fleet->members[i].err;
            return fleet->members[i].rc;
        }
    }
    return 0;
}

int fleet_run(const struct options *options, const struct catalog *catalog, bool *ret_has_left,
              struct err *err)
{
    struct fleet fleet = {.options = options, .catalog = catalog};
    sigset_t signals;
    block_signals(&signals);
    log_info("start", "workers=%lld views=%zu topics=%zu group=%s form=%s",
             (long long)options->workers, catalog->view_count, catalog->topic_count,
             options->kafka_group_id,
             options->checkpoint_interval_ms > 0 ? "checkpointed" : "plain");
    make_boards(&fleet);
    int rc = open_http(&fleet, err);
    if (rc == 0)
        rc = start_all(&fleet, err);
    if (rc == 0)
        watch(&fleet, &signals);
    fleet.stop = true;
    wait_for_all(&fleet, &signals);
    for (size_t i = 0; i < fleet.member_count; i++)
        if (fleet.members[i].is_started)
            (void)pthread_join(fleet.members[i].thread, NULL);
    log_counters(&fleet, "events");
    if (rc == 0)
        rc = first_error(&fleet, err);
    log_info("exit", "records=%lld", (long long)record_count(&fleet));
    *ret_has_left = true;
    for (size_t i = 0; i < fleet.member_count; i++) {
        struct member *member = &fleet.members[i];
        *ret_has_left = *ret_has_left && (!member->is_started || worker_has_left(member->worker));
        worker_free(member->worker);
    }
    free(fleet.members);
    http_close(fleet.http);
    free_boards(&fleet);
    return rc;
}
