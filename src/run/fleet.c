#include "run/fleet_private.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "config/options_rows.h"
#include "tidewheel/clock.h"
#include "tidewheel/entropy.h"
#include "tidewheel/exit_code.h"
#include "tidewheel/http.h"
#include "tidewheel/loader.h"
#include "tidewheel/log.h"
#include "tidewheel/mem.h"
#include "tidewheel/release.h"
#include "tidewheel/store.h"

enum {
    COUNTERS_MS = 60 * 1000,
    WATCH_MS = 500,
    RELOAD_WATCH_MS = 10, /* while workers take other pipelines */
    DRAIN_WATCH_MS = 10,
    STOP_EXTRA_MS = 5000, /* beyond the timeout, until systemd may lose patience */
    EXIT_SECOND_SIGNAL = 128 + SIGTERM
};

/* ---- counters ---- */

static uint64_t count_of(const struct fleet *fleet, const char *view, enum verdict verdict)
{
    uint64_t count = 0;
    for (size_t i = 0; i < fleet->member_count; i++) {
        const struct board_view *line = board_find_view(fleet->members[i].board, view);
        count += line != NULL ? tally_read(&line->tally, verdict) : 0;
    }
    return count;
}

/* Those of views that a reload has taken away, too. */
static void log_counters(const struct fleet *fleet, const char *at)
{
    struct buf line = {NULL, 0, 0};
    for (const struct board_view *known = board_views(fleet->boards[0]); known != NULL;
         known = view_next(known)) {
        const char *view = known->name;
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
        log_info(at, "view=%s accepted=%llu rejected=%llu %s", view,
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
    return kafka_letters_are_used(fleet->options)
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
        .until_ms = fleet->setup.errand != NULL ? fleet->setup.errand->until_ms : 0,
        .saves_at_once = fleet->setup.errand != NULL,
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

static void make_boards(struct fleet *fleet)
{
    size_t count = (size_t)fleet->options->workers;
    fleet->boards = mem_zalloc((count + 1) * sizeof *fleet->boards);
    for (size_t i = 0; i < count; i++)
        fleet->boards[i] = board_new((int)i);
    fleet->boards[count] = fleet->board = board_new(-1);
    cell_set(&fleet->board->cells[BOARD_RELOADED_MS], clock_wall_ms());
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

/* The default address is nobody's wish: a second worker on a machine goes on without one. So does an errand,
 * which is run beside workers with their configuration perhaps. */
static bool may_go_unasked(const struct fleet *fleet)
{
    const char *preset = option_rows[OPTION_HTTP_LISTEN].preset;
    return fleet->setup.errand != NULL || strcmp(fleet->options->http_listen, preset) == 0;
}

static int open_http(struct fleet *fleet, struct err *err)
{
    const char *listen = fleet->options->http_listen;
    int rc = *listen == '\0' ? 0 : http_open(listen, &fleet->display, &fleet->http, err);
    if (rc != ERR_FATAL || !may_go_unasked(fleet))
        return rc;
    log_warn("http", "why=\"%s\" then=\"it goes on, and cannot be asked\"", err->text);
    return 0;
}

static void show(const struct fleet *fleet, enum phase phase)
{
    cell_set(&fleet->board->cells[BOARD_TURN_MS], clock_mono_ms());
    cell_set(&fleet->board->cells[BOARD_PHASE], phase);
}

/* ---- signals ---- */

static void all_signals(sigset_t *ret)
{
    (void)sigemptyset(ret);
    (void)sigaddset(ret, SIGTERM);
    (void)sigaddset(ret, SIGINT);
    (void)sigaddset(ret, SIGHUP);
}

void fleet_prepare(void)
{
    sigset_t signals;
    all_signals(&signals);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)setenv("RES_OPTIONS", "timeout:1 attempts:1", 0);
}

bool fleet_is_told_to_stop(void)
{
    sigset_t pending;
    (void)sigpending(&pending);
    return sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1;
}

/* 0: none came. */
static int wait_signal(int64_t wait_ms)
{
    sigset_t signals;
    struct timespec wait = {.tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000};
    all_signals(&signals);
    int signal = sigtimedwait(&signals, NULL, &wait);
    return signal > 0 ? signal : 0;
}

static bool is_errand_done(const struct fleet *fleet)
{
    struct errand *errand = fleet->setup.errand;
    return errand != NULL && errand->look(errand->arg, fleet->display.boards, fleet->member_count);
}

static void tell_systemd(struct fleet *fleet)
{
    struct buf text = {NULL, 0, 0};
    int64_t now_ms = clock_mono_ms();
    status_write(fleet, &text);
    notify_status(&fleet->notify, now_ms, buf_text(&text));
    notify_beat(&fleet->notify, now_ms, status_is_alive(fleet, now_ms));
    buf_fini(&text);
}

static void watch(struct fleet *fleet)
{
    int64_t counters_ms = clock_mono_ms() + COUNTERS_MS;
    while (!is_anyone_done(fleet) && !is_errand_done(fleet)) {
        show(fleet, PHASE_RUNNING);
        int64_t wait_ms = fleet->reload.next != NULL ? RELOAD_WATCH_MS : WATCH_MS;
        int signal = wait_signal(notify_wait_ms(&fleet->notify, wait_ms));
        if (signal == SIGHUP && fleet->setup.load != NULL)
            fleet->reload.is_wanted = true;
        if (signal > 0 && signal != SIGHUP) {
            log_info("stop", "why=signal then=drain timeout_ms=%lld",
                     (long long)fleet->options->shutdown_timeout_ms);
            break;
        }
        reload_serve(fleet);
        tell_systemd(fleet);
        if (clock_mono_ms() < counters_ms)
            continue;
        counters_ms += COUNTERS_MS;
        log_counters(fleet, "events");
    }
    show(fleet, PHASE_DRAINING);
    fleet->stop = true;
    notify_stopping(&fleet->notify, fleet->options->shutdown_timeout_ms + STOP_EXTRA_MS);
}

/* Of those that have ended. */
static int first_error(struct fleet *fleet, struct err *err)
{
    for (size_t i = 0; i < fleet->member_count; i++) {
        if (fleet->members[i].is_done && fleet->members[i].rc < 0) {
            *err = fleet->members[i].err;
            return fleet->members[i].rc;
        }
    }
    return 0;
}

/* Past its time the process leaves at once: what was not committed is read again. Why it ends may be that a
 * worker has failed. */
static _Noreturn void leave_late(struct fleet *fleet)
{
    struct err err;
    int rc = first_error(fleet, &err);
    log_warn("stop",
             "why=\"the drain took too long\" then=\"what was not committed is read again\"");
    if (rc < 0)
        log_error("exit", "code=%d why=\"%s\"", exit_code_of(rc), err.text);
    else if (fleet->setup.errand != NULL)
        rc = fleet->setup.errand->late_rc;
    log_flush();
    _exit(exit_code_of(rc));
}

static void wait_for_all(struct fleet *fleet)
{
    int64_t deadline_ms = clock_mono_ms() + fleet->options->shutdown_timeout_ms;
    while (!is_everyone_done(fleet)) {
        int signal = wait_signal(DRAIN_WATCH_MS);
        if (signal > 0 && signal != SIGHUP)
            _exit(EXIT_SECOND_SIGNAL);
        tell_systemd(fleet);
        if (clock_mono_ms() >= deadline_ms)
            leave_late(fleet);
    }
}

static void free_all(struct fleet *fleet, bool *ret_has_left)
{
    *ret_has_left = true;
    for (size_t i = 0; i < fleet->member_count; i++) {
        struct member *member = &fleet->members[i];
        *ret_has_left = *ret_has_left && (!member->is_started || worker_has_left(member->worker));
        worker_free(member->worker);
    }
    free(fleet->members);
    http_close(fleet->http);
    free_boards(fleet);
    catalog_free(fleet->catalog);
    catalog_free(fleet->reload.next);
    notify_close(&fleet->notify);
}

int fleet_run(const struct fleet_setup *setup, bool *ret_has_left, struct err *err)
{
    struct fleet fleet = {
        .setup = *setup,
        .options = setup->options,
        .catalog = setup->catalog,
    };
    fleet_prepare();
    notify_open(&fleet.notify);
    log_info("start", "workers=%lld views=%zu topics=%zu group=%s form=%s",
             (long long)fleet.options->workers, fleet.catalog->view_count,
             fleet.catalog->topic_count, fleet.options->kafka_group_id,
             fleet.options->checkpoint_interval_ms > 0 ? "checkpointed" : "plain");
    make_boards(&fleet);
    int rc = open_http(&fleet, err);
    if (rc == 0)
        rc = start_all(&fleet, err);
    if (rc == 0) {
        notify_ready(&fleet.notify);
        watch(&fleet);
    }
    fleet.stop = true;
    wait_for_all(&fleet);
    for (size_t i = 0; i < fleet.member_count; i++)
        if (fleet.members[i].is_started)
            (void)pthread_join(fleet.members[i].thread, NULL);
    log_counters(&fleet, "events");
    if (rc == 0)
        rc = first_error(&fleet, err);
    log_info("exit", "records=%lld", (long long)record_count(&fleet));
    free_all(&fleet, ret_has_left);
    return rc;
}
