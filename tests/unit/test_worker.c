/* The turn, between a source and a store that do as they are told; time passes only here. */
#include <stdatomic.h>

#include "core_kit.h"
#include "tidewheel/log.h"
#include "tidewheel/worker.h"

enum { RECORDS_MAX = 8192, TEXT_MAX = 64, UNITS = 2, COMMITS_MAX = 4096 };

/* ---- the time ---- */

static int64_t mono_now;
static int64_t wall_now;

static int64_t tell_mono(void)
{
    return mono_now;
}

static int64_t tell_wall(void)
{
    return wall_now;
}

static void pass_ms(int64_t ms)
{
    mono_now += ms;
    wall_now += ms;
}

/* ---- the source ---- */

struct fake_record {
    int unit;
    int64_t offset;
    char text[TEXT_MAX];
};

static struct {
    struct source source;
    struct source_handler handler;
    struct unit units[UNITS];
    struct fake_record records[RECORDS_MAX];
    size_t count;
    size_t next;
    int64_t ends[UNITS];
    struct commit commits[COMMITS_MAX];
    size_t commit_count;
    int commit_calls;
    bool is_away;
    bool is_paused;
    int restarts;
    int64_t alive_ms;      /* of the last restart */
    int64_t old_ms;        /* so old are records when they come */
    bool has_no_timestamp; /* they have none */
    bool is_closed;
    const struct catalog *adopted;
    bool fails_to_adopt;
    bool drops; /* a unit, when it adopts */
} kafka;

static int fake_poll(struct source *source, int64_t timeout_ms, struct unit **ret_unit,
                     struct record *ret, struct err *err)
{
    (void)source;
    while (!kafka.is_away && !kafka.is_paused && kafka.next < kafka.count) {
        const struct fake_record *record = &kafka.records[kafka.next++];
        *ret_unit = &kafka.units[record->unit];
        if (!(*ret_unit)->is_assigned)
            continue;
        *ret =
            (struct record){.value = slice_of(record->text),
                            .offset = record->offset,
                            .timestamp_ms = kafka.has_no_timestamp ? -1 : wall_now - kafka.old_ms};
        return 1;
    }
    pass_ms(timeout_ms);
    return kafka.is_away ? err_set(err, ERR_RETRY, "Kafka is away") : 0;
}

static void fake_commit(struct source *source, const struct commit *commits, size_t count,
                        int64_t wait_ms)
{
    (void)source;
    (void)wait_ms;
    kafka.commit_calls++;
    for (size_t i = 0; i < count; i++)
        kafka.commits[kafka.commit_count++] = commits[i];
}

static void fake_pause(struct source *source, bool is_paused)
{
    (void)source;
    kafka.is_paused = is_paused;
}

static void fake_begin(struct source *source, struct unit *unit, int64_t start)
{
    (void)source;
    (void)unit;
    (void)start;
}

static void fake_restart(struct source *source, struct unit *unit, int64_t alive_ms)
{
    (void)source;
    (void)unit;
    kafka.alive_ms = alive_ms;
    kafka.restarts++;
}

static int fake_adopt(struct source *source, const struct catalog *next, struct err *err)
{
    (void)source;
    (void)err;
    kafka.adopted = next;
    if (kafka.drops)
        kafka.handler.dropped(kafka.handler.arg, &kafka.units[0]);
    return kafka.fails_to_adopt ? err_set(err, ERR_FATAL, "no") : 0;
}

static int64_t fake_end(struct source *source, const struct unit *unit)
{
    (void)source;
    return kafka.ends[unit - kafka.units];
}

static bool fake_leave(struct source *source, int64_t wait_ms)
{
    (void)source;
    (void)wait_ms;
    kafka.handler.revoked(kafka.handler.arg, false);
    for (int i = 0; i < UNITS; i++) {
        kafka.units[i].is_assigned = false;
        kafka.handler.dropped(kafka.handler.arg, &kafka.units[i]);
    }
    kafka.is_closed = true;
    return true;
}

static const struct source_ops source_ops = {.poll = fake_poll,
                                             .commit = fake_commit,
                                             .pause = fake_pause,
                                             .begin = fake_begin,
                                             .restart = fake_restart,
                                             .adopt = fake_adopt,
                                             .end = fake_end,
                                             .close = fake_leave};

/* ---- the store ---- */

static struct {
    struct store store;
    struct batch *batch; /* in flight */
    bool is_away;
    bool answers; /* at the next pump */
    unsigned events;
    int fails;
    int sends;
    size_t written; /* entities */
    int calls;      /* of call_out() */
    int64_t older_ms;
    bool is_closed;
    struct buf said; /* the bytes of all batches */
} redis;

static int fake_pump(struct store *store, int64_t mono_ms, unsigned *ret_events, struct err *err)
{
    (void)store;
    (void)mono_ms;
    *ret_events = redis.events;
    redis.events = 0;
    if (redis.batch != NULL && redis.answers && !redis.is_away) {
        redis.written += redis.batch->item_count;
        redis.batch = NULL;
        *ret_events |= STORE_WRITTEN;
    }
    return redis.fails == 0 ? 0 : err_set(err, redis.fails, "Redis says no");
}

static bool fake_is_ready(const struct store *store)
{
    (void)store;
    return redis.batch == NULL && !redis.is_away;
}

static bool fake_is_away(const struct store *store)
{
    (void)store;
    return redis.is_away;
}

static void fake_send(struct store *store, struct batch *batch, int64_t mono_ms)
{
    (void)store;
    (void)mono_ms;
    redis.batch = batch;
    redis.sends++;
    buf_add(&redis.said, batch->bytes.ptr, batch->bytes.len);
}

static void fake_wait(struct store *store, int64_t wait_ms)
{
    (void)store;
    pass_ms(wait_ms);
}

static void fake_close(struct store *store)
{
    (void)store;
    redis.is_closed = true;
}

static int64_t fake_older_ms(const struct store *store)
{
    (void)store;
    return redis.older_ms;
}

static void fake_call_out(struct store *store)
{
    (void)store;
    redis.calls++;
}

static const struct store_ops store_ops = {.call_out = fake_call_out,
                                           .older_ms = fake_older_ms,
                                           .pump = fake_pump,
                                           .is_ready = fake_is_ready,
                                           .is_away = fake_is_away,
                                           .send = fake_send,
                                           .wait = fake_wait,
                                           .close = fake_close};

/* ---- the worker between them ---- */

static struct catalog *catalog;
static struct options options;
static struct worker *worker;
static struct board *board;
static struct err err;
static _Atomic bool stop;

static const struct worker_ends ends = {.source = &kafka.source, .store = &redis.store};

static void open_with(const char *more)
{
    log_open(getenv("TEST_LOG") != NULL ? LOG_DEBUG : LOG_ERROR, false);
    mono_now = 1000000;
    wall_now = NOW;
    catalog = kit_catalog(more);
    options = (struct options){.workers = 1,
                               .flush_interval_ms = 10,
                               .flush_entities_max = 100,
                               .limits_event_bytes = 4096,
                               .limits_nesting = 16,
                               .limits_key_bytes = 64,
                               .limits_memory = INT64_C(1) << 30,
                               .shutdown_timeout_ms = 30000};
    board = board_new(0);
    worker = worker_new(&(struct worker_setup){.options = &options,
                                               .catalog = catalog,
                                               .seed = 7,
                                               .stop = &stop,
                                               .board = board,
                                               .wall_ms = tell_wall,
                                               .mono_ms = tell_mono});
    for (int i = 0; i < UNITS; i++)
        kafka.units[i] =
            (struct unit){.topic = catalog->topics[0], .partition = i, .partition_count = UNITS};
    kafka.source.ops = &source_ops;
    kafka.handler = worker_handler(worker);
    redis.store = (struct store){&store_ops};
    redis.batch = NULL; /* of a test before, whose worker is gone */
    redis.answers = true;
    worker_begin(worker, &ends);
}

static void close_all(void)
{
    worker_free(worker);
    board_free(board);
    catalog_free(catalog);
    buf_fini(&redis.said);
}

static void assign_plan(int unit, const struct plan *plan)
{
    kafka.units[unit].is_assigned = true;
    kafka.handler.assigned(kafka.handler.arg, &kafka.units[unit], plan);
}

/* As Kafka would: a parked unit goes on, others begin at `start`; live at the end of the log. */
static void assign(int unit, int64_t start)
{
    int64_t position = kafka.handler.position(kafka.handler.arg, &kafka.units[unit]);
    assign_plan(unit, &(struct plan){.start = position >= 0 ? position : start,
                                     .live_at = kafka.ends[unit],
                                     .wanted = start});
}

static void revoke(bool is_lost)
{
    kafka.handler.revoked(kafka.handler.arg, is_lost);
    for (int i = 0; i < UNITS; i++)
        kafka.units[i].is_assigned = false;
}

static void drop(int unit)
{
    kafka.handler.dropped(kafka.handler.arg, &kafka.units[unit]);
}

static void produce_at(int unit, int64_t offset, const char *id)
{
    struct fake_record *record = &kafka.records[kafka.count++];
    record->unit = unit;
    record->offset = offset;
    (void)snprintf(record->text, TEXT_MAX, "{\"ts\":%lld,\"id\":\"%s\",\"amount\":1}",
                   (long long)wall_now, id);
    if (kafka.ends[unit] <= offset)
        kafka.ends[unit] = offset + 1;
}

static void produce(int unit, const char *id)
{
    produce_at(unit, kafka.ends[unit], id);
}

static struct shard *shard_of(int unit)
{
    return kafka.units[unit].shard;
}

static void turn(void)
{
    ck_assert_msg(worker_turn(worker, &err) == 0, "%s", err.text);
}

static void turns(int count)
{
    while (count-- > 0)
        turn();
}

static int64_t last_commit(int unit)
{
    int64_t offset = -1;
    for (size_t i = 0; i < kafka.commit_count; i++)
        if (kafka.commits[i].unit == &kafka.units[unit])
            offset = kafka.commits[i].offset;
    return offset;
}

static bool has_said(const char *text)
{
    return memmem(redis.said.ptr, redis.said.len, text, strlen(text)) != NULL;
}

static uint64_t true_count(int unit, const char *id)
{
    struct reading readings[KIT_FIELDS];
    struct row row = {.readings = readings};
    uint32_t number = entities_find(&shard_of(unit)->views[0], slice_of(id));
    ck_assert(number != ENTITY_NONE);
    shard_read(shard_of(unit), (struct entity_ref){0, number}, &row);
    return readings[3].count;
}

/* ---- promise X ---- */

START_TEST(nothing_is_committed_before_the_store_says_written)
{
    open_with("");
    assign(0, 0);
    redis.answers = false;
    produce(0, "a");
    produce(0, "b");
    for (int i = 0; i < 300; i++) {
        turn();
        ck_assert_int_le(last_commit(0), 0);
    }
    ck_assert_int_eq(redis.sends, 1);
    redis.answers = true;
    turns(150);
    ck_assert_int_eq(last_commit(0), 2);
    close_all();
}
END_TEST

START_TEST(nothing_is_committed_before_what_was_read_again_is_written)
{
    open_with("");
    for (int i = 0; i < 20; i++)
        produce(0, i % 2 == 0 ? "a" : "b");
    assign(0, 0);
    redis.answers = false;
    for (int i = 0; i < 300; i++) {
        if (i == 20)
            produce(0, "a");
        turn();
        ck_assert_int_le(last_commit(0), 0);
    }
    redis.answers = true;
    turns(150);
    ck_assert_int_eq(last_commit(0), 21);
    close_all();
}
END_TEST

START_TEST(a_commit_never_goes_back)
{
    open_with("");
    for (int i = 0; i < 10; i++)
        produce(0, "a");
    assign_plan(0, &(struct plan){.start = 2, .live_at = 5, .wanted = 2, .commit_at_least = 50});
    turns(200);
    ck_assert_int_eq(kafka.commit_calls, 0);
    for (int i = 10; i < 60; i++)
        produce(0, "a");
    turns(200);
    ck_assert_int_eq(last_commit(0), 60);
    revoke(false);
    assign_plan(0, &(struct plan){.start = 60, .live_at = 60, .wanted = 60, .commit_at_least = 70});
    kafka.commit_count = 0;
    produce(0, "a");
    turns(200);
    ck_assert_int_eq(last_commit(0), -1);
    close_all();
}
END_TEST

START_TEST(a_commit_goes_back_to_honour_a_reset)
{
    open_with("");
    for (int i = 0; i < 10; i++)
        produce(0, "a");
    assign_plan(
        0, &(struct plan){
               .start = 2, .live_at = 10, .wanted = 2, .commit_at_least = 50, .is_reset = true});
    turns(200);
    ck_assert_int_eq(last_commit(0), 10);
    close_all();
}
END_TEST

START_TEST(a_unit_commits_at_most_once_a_second_and_again_after_a_minute_of_silence)
{
    open_with("");
    assign(0, 0);
    int64_t begun = mono_now;
    while (mono_now - begun < 10000) {
        produce(0, "a");
        turn();
        pass_ms(5);
    }
    ck_assert_int_ge(kafka.commit_calls, 9);
    ck_assert_int_le(kafka.commit_calls, 11);
    while (last_commit(0) < kafka.ends[0])
        turn();
    int calls = kafka.commit_calls;
    begun = mono_now;
    while (mono_now - begun < 59000)
        turn();
    ck_assert_int_eq(kafka.commit_calls, calls);
    while (mono_now - begun < 61000)
        turn();
    ck_assert_int_eq(kafka.commit_calls, calls + 1);
    ck_assert_int_eq(last_commit(0), kafka.ends[0]);
    close_all();
}
END_TEST

/* ---- promise P ---- */

START_TEST(nothing_is_sent_while_a_unit_is_silent)
{
    open_with("");
    produce(0, "a");
    produce(0, "b");
    kafka.ends[0] = 3;
    assign(0, 0);
    turns(2000); /* 20 s: values have fallen, too */
    ck_assert_int_eq(redis.sends, 0);
    ck_assert_int_eq(kafka.commit_calls, 0);
    produce_at(0, 2, "c");
    turns(3);
    ck_assert_uint_eq(redis.written, 3);
    ck_assert(has_said("features:user:a") && has_said("features:user:c"));
    close_all();
}
END_TEST

START_TEST(the_fence_lifts_where_an_end_of_partition_reaches_it)
{
    open_with("");
    produce(0, "a");
    kafka.ends[0] = 5; /* a transaction's marks: records that nobody sees */
    assign(0, 0);
    turns(10);
    kafka.handler.reached(kafka.handler.arg, &kafka.units[0], 4);
    turns(10);
    ck_assert_int_eq(redis.sends, 0);
    kafka.handler.reached(kafka.handler.arg, &kafka.units[0], 5);
    turns(200);
    ck_assert_int_eq(redis.sends, 1);
    ck_assert_int_eq(last_commit(0), 5);
    kafka.handler.reached(kafka.handler.arg, &kafka.units[0], 3); /* never back */
    ck_assert_int_eq(shard_of(0)->ledger.position, 5);
    close_all();
}
END_TEST

START_TEST(an_empty_log_is_live_at_once)
{
    open_with("");
    assign(0, 0);
    turns(2);
    ck_assert(shard_of(0)->is_live);
    close_all();
}
END_TEST

/* ---- rebalance ---- */

START_TEST(a_revoke_writes_and_commits_and_a_parked_unit_reads_nothing_twice)
{
    open_with("");
    assign(0, 0);
    turn();
    produce(0, "a");
    produce(0, "b");
    redis.answers = false;
    turn(); /* sent, not answered */
    redis.answers = true;
    produce(0, "a");
    mono_now++; /* not time for another batch yet */
    wall_now++;
    revoke(false);
    ck_assert_int_eq(last_commit(0), 2);
    ck_assert_uint_eq(redis.written, 2);
    kafka.next = 0; /* a fetch that begins too early */
    assign(0, 0);
    ck_assert(!shard_of(0)->is_live);
    turns(150);
    ck_assert(shard_of(0)->is_live);
    ck_assert_uint_eq(true_count(0, "a"), 2);
    ck_assert_int_eq(cell_get(&board->cells[BOARD_RECORDS]), 3);
    ck_assert_int_eq(last_commit(0), 3);
    close_all();
}
END_TEST

START_TEST(a_lost_unit_is_parked_without_a_write_or_a_commit)
{
    open_with("");
    assign(0, 0);
    redis.answers = false;
    turn();
    int calls = kafka.commit_calls;
    produce(0, "a");
    turn();
    redis.answers = true;
    revoke(true);
    ck_assert_int_eq(kafka.commit_calls, calls);
    ck_assert_uint_eq(redis.written, 0);
    ck_assert_ptr_nonnull(shard_of(0));
    close_all();
}
END_TEST

START_TEST(a_revoke_gives_up_after_its_budget_and_what_was_held_is_written_later)
{
    open_with("");
    assign(0, 0);
    turn();
    redis.is_away = true;
    produce(0, "a");
    turn();
    int64_t begun = mono_now;
    revoke(false);
    ck_assert_int_ge(mono_now - begun, 4900);
    ck_assert_int_le(mono_now - begun, 6000);
    redis.is_away = false;
    assign(0, 0);
    turns(150);
    ck_assert_uint_eq(redis.written, 1);
    ck_assert_int_eq(last_commit(0), 1);
    close_all();
}
END_TEST

START_TEST(a_parked_unit_whose_log_was_made_anew_is_read_again)
{
    open_with("");
    assign(0, 0);
    for (int i = 0; i < 5; i++)
        produce(0, "old");
    turns(20);
    revoke(false);
    kafka.count = kafka.next = 0;
    kafka.ends[0] = 0;
    produce(0, "new");
    assign_plan(0, &(struct plan){.start = 0, .live_at = 1, .wanted = 0, .commit_at_least = 1});
    ck_assert_int_eq(kafka.handler.position(kafka.handler.arg, &kafka.units[0]), 0);
    redis.said.len = 0;
    turns(150);
    ck_assert_uint_eq(shard_count(shard_of(0)), 1);
    ck_assert_uint_eq(true_count(0, "new"), 1);
    ck_assert(has_said("user:new") && !has_said("user:old"));
    close_all();
}
END_TEST

START_TEST(a_unit_that_is_assigned_and_read_again_is_kept_once)
{
    open_with("");
    assign(0, 0);
    assign(1, 0);
    for (int i = 0; i < 5; i++)
        produce(0, "a");
    turns(20);
    for (int i = 0; i < 3; i++) {
        assign_plan(0, &(struct plan){.start = 0, .live_at = 5, .wanted = 0});
        kafka.next = 0;
        turns(20);
        ck_assert_uint_eq(true_count(0, "a"), 5);
    }
    revoke(false);
    drop(0);
    drop(1);
    ck_assert_ptr_null(shard_of(0));
    turns(5);
    close_all();
}
END_TEST

START_TEST(a_parked_unit_goes_on_where_the_log_goes_on)
{
    open_with("");
    assign(0, 0);
    produce(0, "a");
    turns(20);
    revoke(false);
    kafka.ends[0] = 9; /* what lay between is lost, and nothing has come since */
    assign_plan(0, &(struct plan){.start = 9, .live_at = 9, .log_start = 9, .wanted = 1});
    turns(150);
    ck_assert(shard_of(0)->is_live);
    ck_assert_int_eq(last_commit(0), 9);
    ck_assert_int_eq(cell_get(&kafka.units[0].line->missing), 8);
    close_all();
}
END_TEST

static const struct {
    int64_t commit_at_least;
    int64_t log_start;
    bool is_reset;
    int64_t missing;
} LOSSES[] = {
    {4, 9, false, 5}, {9, 9, false, 0}, {20, 9, false, 0},
    {0, 9, false, 0}, /* nothing was committed: nothing is known to have been there for us */
    {4, 9, true, 0},  /* a person has said where to begin */
};

START_TEST(what_the_log_has_lost_behind_the_commit_is_counted)
{
    for (size_t i = 0; i < sizeof LOSSES / sizeof *LOSSES; i++) {
        open_with("");
        kafka.ends[0] = 30;
        kafka.is_away = true;
        assign_plan(0, &(struct plan){.start = LOSSES[i].log_start,
                                      .live_at = 30,
                                      .log_start = LOSSES[i].log_start,
                                      .wanted = LOSSES[i].log_start,
                                      .commit_at_least = LOSSES[i].commit_at_least,
                                      .is_reset = LOSSES[i].is_reset});
        ck_assert_int_eq(cell_get(&kafka.units[0].line->missing), LOSSES[i].missing);
        close_all();
    }
}
END_TEST

START_TEST(the_answer_to_a_dropped_units_batch_does_no_harm)
{
    open_with("");
    assign(0, 0);
    assign(1, 0);
    turn();
    redis.answers = false;
    produce(0, "a");
    produce(1, "b");
    turn();
    ck_assert_uint_eq(redis.batch->item_count, 2);
    revoke(true);
    drop(0);
    assign(1, 0);
    redis.answers = true;
    turns(150);
    ck_assert_int_eq(last_commit(0), 0);
    ck_assert_int_eq(last_commit(1), 1);
    assign(0, 0);
    kafka.next = 0;
    turns(150);
    ck_assert_int_eq(last_commit(0), 1);
    close_all();
}
END_TEST

START_TEST(a_wall_clock_that_steps_has_every_unit_read_again)
{
    static const int64_t steps_ms[] = {10001, -10001, 86400000, -86400000};
    for (size_t i = 0; i < sizeof steps_ms / sizeof *steps_ms; i++) {
        kafka.restarts = 0;
        kafka.count = kafka.next = 0;
        kafka.ends[0] = 0;
        open_with("");
        assign(0, 0);
        produce(0, "a");
        turns(20);
        wall_now += 9999;
        turns(2);
        wall_now -= 9999;
        turns(2);
        ck_assert_int_eq(kafka.restarts, 0);
        int sends = redis.sends;
        wall_now += steps_ms[i];
        turn();
        ck_assert_int_eq(kafka.restarts, 1);
        ck_assert_int_eq(kafka.handler.position(kafka.handler.arg, &kafka.units[0]), -1);
        turns(20);
        ck_assert_int_eq(kafka.restarts, 1);
        ck_assert_int_eq(redis.sends, sends);
        assign(0, 0);
        kafka.next = 0;
        turns(20);
        ck_assert_uint_eq(shard_count(shard_of(0)), steps_ms[i] == -10001 ? 1 : 0);
        close_all();
        redis.said = (struct buf){NULL, 0, 0};
    }
}
END_TEST

/* ---- the two edges ---- */

START_TEST(intake_pauses_when_the_store_is_away_for_a_second)
{
    open_with("");
    assign(0, 0);
    produce(0, "a");
    turns(20);
    redis.is_away = true;
    int64_t begun = mono_now;
    while (mono_now - begun < 1000)
        turn();
    ck_assert(!kafka.is_paused);
    turns(2);
    ck_assert(kafka.is_paused);
    produce(0, "b");
    turns(500);
    ck_assert_uint_eq(shard_count(shard_of(0)), 1);
    redis.is_away = false;
    turns(150);
    ck_assert(!kafka.is_paused);
    ck_assert_uint_eq(true_count(0, "b"), 1);
    ck_assert_int_eq(last_commit(0), 2);
    close_all();
}
END_TEST

START_TEST(values_fall_while_kafka_is_away)
{
    open_with("");
    assign(0, 0);
    produce(0, "a");
    turns(20);
    kafka.is_away = true;
    redis.said.len = 0;
    turns(1100);
    ck_assert(has_said("$14\r\nseen_10s_count\r\n$1\r\n0\r\n"));
    ck_assert_uint_eq(shard_count(shard_of(0)), 0);
    close_all();
}
END_TEST

START_TEST(what_was_forgotten_since_the_state_that_came_back_is_read_again)
{
    open_with("");
    assign(0, 0);
    produce(0, "a");
    turns(1100 + 3100); /* it has fallen to nothing, and is forgotten */
    ck_assert_uint_eq(shard_count(shard_of(0)), 0);
    redis.older_ms = mono_now - 60000;
    int64_t since_ms = wall_now - 60000;
    redis.events = STORE_LOST | STORE_OLDER;
    turn();
    ck_assert_int_eq(kafka.restarts, 1);
    ck_assert_int_eq(kafka.alive_ms, since_ms);
    ck_assert_ptr_null(kafka.units[0].shard);
    turns(10);
    ck_assert_int_eq(kafka.restarts, 1);
    close_all();
}
END_TEST

START_TEST(what_redis_loses_of_its_last_seconds_needs_no_reading)
{
    open_with("");
    assign(0, 0);
    produce(0, "a");
    turns(1100); /* it has fallen to nothing */
    redis.older_ms = mono_now - 5000;
    redis.events = STORE_LOST | STORE_OLDER;
    redis.said.len = 0;
    turns(20);
    ck_assert(has_said("$14\r\nseen_10s_count\r\n$1\r\n0\r\n")); /* once more */
    turns(3100);
    redis.older_ms = mono_now - 5000;
    redis.events = STORE_LOST | STORE_OLDER;
    turns(20);
    ck_assert_int_eq(kafka.restarts, 0);
    ck_assert_ptr_nonnull(shard_of(0));
    close_all();
}
END_TEST

START_TEST(values_of_lost_units_fall_while_all_of_kafka_is_away)
{
    open_with("");
    assign(0, 0);
    produce(0, "a");
    turns(20);
    kafka.is_away = true;
    turns(2);
    revoke(true); /* the session has timed out */
    redis.said.len = 0;
    turns(1100);
    ck_assert(has_said("$14\r\nseen_10s_count\r\n$1\r\n0\r\n"));
    close_all();
}
END_TEST

START_TEST(a_worker_that_was_put_out_while_kafka_answers_writes_nothing_more)
{
    open_with("");
    assign(0, 0);
    produce(0, "a");
    turns(20);
    revoke(true);
    redis.said.len = 0;
    turns(1100);
    ck_assert_uint_eq(redis.said.len, 0);
    close_all();
}
END_TEST

START_TEST(a_worker_that_was_put_out_calls_out_then_and_when_it_is_back)
{
    open_with("");
    assign(0, 0);
    turns(2);
    ck_assert_int_eq(redis.calls, 0);
    revoke(true);
    ck_assert_int_eq(redis.calls, 1);
    assign(0, 0);
    ck_assert_int_eq(redis.calls, 2);
    revoke(false);
    assign(0, 0);
    ck_assert_int_eq(redis.calls, 2);
    close_all();
}
END_TEST

START_TEST(what_the_store_has_lost_is_written_again)
{
    open_with("");
    assign(0, 0);
    produce(0, "a");
    produce(0, "b");
    turns(20);
    ck_assert_uint_eq(redis.written, 2);
    redis.events = STORE_LOST;
    turns(20);
    ck_assert_uint_eq(redis.written, 4);
    close_all();
}
END_TEST

START_TEST(a_store_that_needs_a_person_ends_the_worker)
{
    open_with("");
    redis.fails = ERR_FATAL;
    ck_assert_int_eq(worker_turn(worker, &err), ERR_FATAL);
    ck_assert_str_eq(err.text, "Redis says no");
    close_all();
}
END_TEST

/* ---- lanes and limits ---- */

/* Of the entities written while both lanes have more than fits, how many were decays? */
static double decay_share(int64_t entities_max)
{
    enum { SILENT = 400 };
    char id[32];
    kafka.count = kafka.next = 0;
    kafka.ends[0] = 0;
    redis.said = (struct buf){NULL, 0, 0};
    open_with("");
    options.flush_entities_max = entities_max;
    assign(0, 0);
    turn();
    for (int i = 0; i < SILENT; i++) {
        (void)snprintf(id, sizeof id, "silent%d", i);
        produce(0, id);
    }
    while (shard_of(0)->ledger.position < SILENT || shard_has_arrivals(shard_of(0)))
        turn();
    pass_ms(10200);
    for (int i = 0; i < 2000; i++) {
        (void)snprintf(id, sizeof id, "new%d", i);
        produce(0, id);
    }
    turns(2);
    redis.written = 0;
    uint64_t before = shard_count(shard_of(0));
    int rounds = 0;
    while (redis.written < 400) {
        turn();
        rounds++;
    }
    double share = (double)(before - shard_count(shard_of(0))) / (double)redis.written;
    ck_assert(shard_has_arrivals(shard_of(0)));
    close_all();
    return share;
}

START_TEST(decays_get_a_quarter_of_a_batch_while_arrivals_saturate_it)
{
    static const int64_t maxima[] = {1, 2, 3, 4, 100};
    for (size_t i = 0; i < sizeof maxima / sizeof *maxima; i++) {
        double share = decay_share(maxima[i]);
        ck_assert_msg(share >= 0.24 && share <= 0.76, "entities_max %d: %f", (int)maxima[i], share);
    }
}
END_TEST

START_TEST(decays_get_a_quarter_of_a_batch_that_is_full_by_bytes)
{
    open_with("output: {field: \"{feature}_{window}_{aggregate}\", "
              "freshness_key: \"freshness:{id}\", key: \"k:{id}\"}\n");
    /* Names so long that eight entities fill a batch. */
    char *name = mem_alloc(9001);
    memset(name, 'x', 9000);
    name[9000] = '\0';
    for (size_t i = 0; i < KIT_FIELDS; i++) {
        free(catalog->views[0]->fields[i].name);
        catalog->views[0]->fields[i].name = mem_strdup(name);
    }
    free(name);
    assign(0, 0);
    turn();
    produce(0, "a");
    turns(20);
    pass_ms(10200);
    char id[32];
    for (int i = 0; i < 100; i++) {
        (void)snprintf(id, sizeof id, "new%d", i);
        produce(0, id);
    }
    turns(4);
    ck_assert(shard_has_arrivals(shard_of(0)));
    uint32_t number = entities_find(&shard_of(0)->views[0], slice_of("a"));
    ck_assert((entity_at(&shard_of(0)->views[0], number)->flags & ENTITY_GONE) != 0);
    close_all();
}
END_TEST

START_TEST(a_batch_waits_for_the_interval_unless_it_is_full)
{
    open_with("");
    options.flush_interval_ms = 1000;
    options.flush_entities_max = 4;
    assign(0, 0);
    turns(2);
    produce(0, "a");
    turns(2);
    ck_assert_int_eq(redis.sends, 1);
    produce(0, "b");
    turns(50);
    ck_assert_int_eq(redis.sends, 1);
    produce(0, "c");
    produce(0, "d");
    produce(0, "e");
    turns(2);
    ck_assert_int_eq(redis.sends, 2);
    close_all();
}
END_TEST

START_TEST(the_memory_limit_ends_the_worker_with_one_sentence_and_without_a_commit)
{
    open_with("");
    options.limits_memory = 100000;
    assign(0, 0);
    turns(2);
    int calls = kafka.commit_calls;
    for (int i = 0; i < 2000; i++) {
        char id[32];
        (void)snprintf(id, sizeof id, "user%d", i);
        produce(0, id);
    }
    int64_t begun = mono_now;
    int rc = worker_run(worker, &ends, &err);
    ck_assert_int_eq(rc, ERR_INTERNAL);
    ck_assert_int_le(mono_now - begun, 1000);
    ck_assert_ptr_nonnull(strstr(err.text, "limits.memory is reached"));
    ck_assert_ptr_nonnull(strstr(err.text, "100000"));
    ck_assert_ptr_nonnull(strstr(err.text, "bytes each"));
    ck_assert_int_eq(kafka.commit_calls, calls);
    ck_assert(kafka.is_closed && redis.is_closed);
    close_all();
}
END_TEST

START_TEST(a_worker_that_is_stopped_writes_commits_and_leaves)
{
    open_with("");
    assign(0, 0);
    turns(2);
    produce(0, "a");
    redis.answers = false;
    turn();
    redis.answers = true;
    produce(0, "b");
    turn();
    stop = true;
    ck_assert_int_eq(worker_run(worker, &ends, &err), 0);
    ck_assert_uint_eq(redis.written, 2);
    ck_assert_int_eq(last_commit(0), 2);
    ck_assert(kafka.is_closed && redis.is_closed);
    close_all();
}
END_TEST

START_TEST(a_worker_that_is_stopped_leaves_in_time_when_redis_is_away)
{
    open_with("");
    assign(0, 0);
    turns(2);
    produce(0, "a");
    redis.answers = false;
    turn();
    redis.is_away = true;
    stop = true;
    int64_t begun = mono_now;
    ck_assert_int_eq(worker_run(worker, &ends, &err), 0);
    ck_assert_int_le(mono_now - begun, 30000);
    ck_assert_int_le(last_commit(0), 0);
    close_all();
}
END_TEST

/* ---- a reload ---- */

static struct catalog *offer(const char *more)
{
    struct catalog *next = kit_catalog(more);
    struct catalog_change change;
    catalog_follow(next, catalog, &change);
    worker_offer(worker, next);
    return next;
}

static void take(struct catalog *next)
{
    ck_assert(worker_has_adopted(worker, next));
    ck_assert_ptr_eq(kafka.adopted, next);
    catalog_free(catalog);
    catalog = next;
}

START_TEST(a_reload_leaves_units_of_a_topic_that_means_the_same_alone)
{
    open_with("");
    assign(0, 0);
    produce(0, "a");
    turns(3);
    const struct shard *before = shard_of(0);
    struct catalog *next = offer("output: {ttl: 1h}\n");
    turn();
    take(next);
    ck_assert_ptr_eq(shard_of(0), before);
    produce(0, "a");
    turns(5);
    ck_assert_uint_eq(shard_count(shard_of(0)), 1);
    ck_assert_int_eq(shard_of(0)->ledger.position, 2);
    ck_assert_ptr_nonnull(strstr(buf_text(&redis.said), "3600"));
    close_all();
}
END_TEST

/* Nobody tells the views of a unit apart here. */
START_TEST(a_reload_has_a_changed_topic_read_again)
{
    open_with("");
    assign(0, 0);
    produce(0, "a");
    turns(3);
    struct catalog *next = offer("clock: event\n");
    turn();
    ck_assert_ptr_null(shard_of(0));
    for (int i = 0; i < UNITS; i++)
        kafka.units[i].topic = next->topics[0];
    take(next);
    kafka.next = 0;
    assign(0, 0);
    turns(5);
    ck_assert_uint_eq(shard_count(shard_of(0)), 1);
    close_all();
}
END_TEST

START_TEST(a_reload_waits_for_the_answer_and_nothing_is_sent_until_then)
{
    open_with("");
    assign(0, 0);
    turn();
    redis.answers = false;
    produce(0, "a");
    pass_ms(20);
    turns(2);
    ck_assert_ptr_nonnull(redis.batch);
    int sends = redis.sends;
    struct catalog *next = offer("clock: event\n");
    turns(3);
    ck_assert(!worker_has_adopted(worker, next));
    ck_assert_ptr_nonnull(shard_of(0));
    redis.answers = true;
    turn();
    ck_assert_int_eq(redis.sends, sends);
    take(next);
    close_all();
}
END_TEST

START_TEST(a_reload_does_not_wait_for_a_redis_that_stays_away)
{
    open_with("");
    assign(0, 0);
    turn();
    redis.is_away = true;
    produce(0, "a");
    struct catalog *next = offer("clock: event\n");
    turn();
    take(next); /* nothing is in flight */
    redis.is_away = redis.answers = false;
    kafka.units[0].topic = next->topics[0];
    kafka.next = 0;
    assign(0, 0);
    pass_ms(20);
    turns(2);
    ck_assert_ptr_nonnull(redis.batch);
    next = offer("");
    turn();
    ck_assert(!worker_has_adopted(worker, next));
    pass_ms(10000);
    turn();
    take(next);
    close_all();
}
END_TEST

/* Only the group's word is worth a call. */
START_TEST(a_unit_that_a_reload_drops_says_nothing_of_the_group)
{
    open_with("");
    assign(0, 0);
    assign(1, 0);
    turns(3);
    revoke(true);
    ck_assert_int_eq(redis.calls, 1);
    kafka.drops = true;
    struct catalog *next = offer("clock: event\n");
    turn();
    take(next);
    ck_assert_int_eq(redis.calls, 1);
    close_all();
}
END_TEST

START_TEST(a_source_that_cannot_adopt_ends_the_worker)
{
    open_with("");
    kafka.fails_to_adopt = true;
    struct catalog *next = offer("clock: event\n");
    ck_assert_int_eq(worker_turn(worker, &err), ERR_FATAL);
    worker_end(worker, ERR_FATAL);
    worker_free(worker);
    worker = NULL;
    catalog_free(next);
    close_all();
}
END_TEST

START_TEST(counters_of_a_view_go_on_through_a_reload)
{
    open_with("");
    assign(0, 0);
    produce(0, "a");
    turns(3);
    struct catalog *next = offer("clock: event\n");
    turn();
    kafka.units[0].topic = next->topics[0];
    take(next);
    kafka.next = 0;
    assign(0, 0);
    turns(3);
    const struct board_view *line = board_find_view(board, "v");
    ck_assert_uint_eq(tally_read(&line->tally, VERDICT_ACCEPTED), 2);
    close_all();
}
END_TEST

/* ---- what the board shows ---- */

static const struct board_view *line_of_view(void)
{
    return board_find_view(board, "v");
}

static int64_t latencies(void)
{
    int64_t count = 0;
    for (size_t i = 0; i <= latency_buckets.count; i++)
        count += cell_get(&line_of_view()->latency.of[i]);
    return count;
}

static int64_t unit_cell(int unit, enum board_unit_cell cell)
{
    return cell_get(&kafka.units[unit].line->cells[cell]);
}

static int64_t board_cell(enum board_cell cell)
{
    return cell_get(&board->cells[cell]);
}

/* So that what is shown once a second is shown. */
static void see(void)
{
    pass_ms(1000);
    turn();
}

START_TEST(the_latency_of_a_write_is_that_of_its_oldest_event)
{
    open_with("");
    assign(0, 0);
    turns(2);
    redis.answers = false;
    produce(0, "first");
    turns(2); /* its batch is on its way: what comes now waits for the next */
    int64_t from_ms = wall_now;
    produce(0, "a");
    turn();
    pass_ms(2000);
    produce(0, "a");
    turn();
    pass_ms(500);
    redis.answers = true;
    ck_assert_int_eq(latencies(), 0);
    turn();
    int64_t first_ms = cell_get(&line_of_view()->latency.sum);
    ck_assert_int_eq(latencies(), 1);
    turns(2);
    ck_assert_int_eq(latencies(), 2);
    int64_t took_ms = cell_get(&line_of_view()->latency.sum) - first_ms;
    ck_assert_msg(took_ms >= 2500 && took_ms <= wall_now - from_ms, "%lld", (long long)took_ms);
    close_all();
}
END_TEST

START_TEST(the_latency_begins_with_the_records_own_time)
{
    open_with("");
    kafka.old_ms = 7000;
    assign(0, 0);
    turns(2);
    produce(0, "a");
    turns(5);
    ck_assert_int_eq(latencies(), 1);
    ck_assert_int_ge(cell_get(&line_of_view()->latency.sum), 7000);
    ck_assert_int_lt(cell_get(&line_of_view()->latency.sum), 7200);
    close_all();
}
END_TEST

START_TEST(what_no_arrival_has_caused_has_no_latency)
{
    open_with("");
    for (int i = 0; i < 5; i++)
        produce(0, i % 2 == 0 ? "a" : "b");
    assign(0, 0); /* read in silence, and published by the pass */
    turns(20);
    ck_assert_int_eq(board_cell(BOARD_WRITES), 2);
    pass_ms(20000); /* and fallen to nothing */
    turns(20);
    ck_assert_int_eq(board_cell(BOARD_WRITES), 4);
    ck_assert_int_eq(board_cell(BOARD_DECAYS), 4);
    kafka.has_no_timestamp = true;
    produce(0, "c");
    turns(5);
    ck_assert_int_eq(board_cell(BOARD_WRITES), 5);
    ck_assert_int_eq(latencies(), 0);
    close_all();
}
END_TEST

START_TEST(freshness_is_shown_when_its_write_is_acknowledged)
{
    open_with("");
    assign(0, 0);
    turns(2);
    redis.answers = false;
    int64_t ts_ms = wall_now;
    produce(0, "a");
    turns(5);
    ck_assert_int_eq(cell_get(&line_of_view()->cells[VIEW_NEWEST_MS]), -1);
    redis.answers = true;
    turn();
    ck_assert_int_eq(cell_get(&line_of_view()->cells[VIEW_NEWEST_MS]), ts_ms);
    close_all();
}
END_TEST

START_TEST(batches_are_counted_sent_and_measured_answered)
{
    open_with("");
    assign(0, 0);
    turns(2);
    redis.answers = false;
    produce(0, "a");
    produce(0, "b");
    turns(3);
    ck_assert_int_eq(board_cell(BOARD_BATCHES), 1);
    ck_assert_int_eq(board_cell(BOARD_WRITES), 0);
    ck_assert_int_eq(cell_get(&board->batch_entities.sum), 0);
    redis.answers = true;
    turn();
    ck_assert_int_eq(board_cell(BOARD_WRITES), 2);
    ck_assert_int_eq(cell_get(&board->batch_entities.sum), 2);
    int64_t measured = 0;
    for (size_t i = 0; i <= duration_buckets.count; i++)
        measured += cell_get(&board->batch_us.of[i]);
    ck_assert_int_eq(measured, 1);
    close_all();
}
END_TEST

START_TEST(a_unit_shows_where_it_is)
{
    open_with("");
    for (int i = 0; i < 4; i++)
        produce(1, "a");
    kafka.is_away = true; /* so that nothing is read yet */
    assign(1, 0);
    ck_assert_int_eq(unit_cell(1, UNIT_STAGE), STAGE_SILENT);
    ck_assert_int_eq(unit_cell(1, UNIT_START), 0);
    ck_assert_int_eq(unit_cell(1, UNIT_LIVE_AT), 4);
    kafka.is_away = false;
    turns(3);
    ck_assert_int_eq(unit_cell(1, UNIT_STAGE), STAGE_LIVE);
    see();
    ck_assert_int_eq(unit_cell(1, UNIT_POSITION), 4);
    ck_assert_int_eq(unit_cell(1, UNIT_END), 4);
    ck_assert_int_eq(unit_cell(1, UNIT_ENTITIES), 1);
    ck_assert_int_gt(unit_cell(1, UNIT_BYTES), 0);
    ck_assert_int_eq(board_cell(BOARD_BYTES), unit_cell(1, UNIT_BYTES));
    ck_assert_int_ge(unit_cell(1, UNIT_RECORD_MS), NOW);
    turns(200);
    see();
    ck_assert_int_eq(unit_cell(1, UNIT_DURABLE), 4);
    ck_assert_int_eq(unit_cell(1, UNIT_COMMITTED), 4);
    ck_assert_int_eq(unit_cell(1, UNIT_SAVED_MS), -1); /* the plain form saves nothing */
    revoke(false);
    ck_assert_int_eq(unit_cell(1, UNIT_STAGE), STAGE_PARKED);
    const struct board_unit *line = kafka.units[1].line;
    drop(1);
    ck_assert_int_eq(cell_get(&line->cells[UNIT_STAGE]), STAGE_AWAY);
    ck_assert_int_eq(cell_get(&line->cells[UNIT_POSITION]), -1);
    assign(1, 0);
    ck_assert_ptr_eq(kafka.units[1].line, line); /* it comes back to its line */
    close_all();
}
END_TEST

START_TEST(a_change_that_waits_for_redis_lags)
{
    open_with("");
    assign(0, 0);
    turns(2);
    produce(0, "a");
    turns(5);
    see();
    ck_assert_int_lt(board_cell(BOARD_DECAY_LAG_MS), 1500);
    redis.is_away = true;
    for (int i = 0; i < 15; i++)
        see(); /* its windows have emptied in the meantime */
    ck_assert_int_ge(board_cell(BOARD_DECAY_LAG_MS), 10000);
    redis.is_away = false;
    turns(5);
    see();
    ck_assert_int_lt(board_cell(BOARD_DECAY_LAG_MS), 1500);
    close_all();
}
END_TEST

START_TEST(ups_downs_and_pauses_are_shown)
{
    open_with("");
    turn();
    ck_assert_int_eq(board_cell(BOARD_REDIS_UP), 1);
    ck_assert_int_eq(board_cell(BOARD_PHASE), PHASE_RUNNING);
    ck_assert_int_eq(board_cell(BOARD_TURN_MS), mono_now - 10); /* an idle turn waits for 10 ms */
    redis.is_away = true;
    for (int i = 0; i < 3; i++)
        see();
    ck_assert_int_eq(board_cell(BOARD_REDIS_UP), 0);
    ck_assert_int_eq(board_cell(BOARD_PAUSED), 1);
    redis.is_away = false;
    turns(2);
    ck_assert_int_eq(board_cell(BOARD_REDIS_UP), 1);
    ck_assert_int_eq(board_cell(BOARD_PAUSED), 0);
    worker_end(worker, 0);
    ck_assert_int_eq(board_cell(BOARD_PHASE), PHASE_ENDED);
    close_all();
}
END_TEST

START_TEST(a_worker_that_is_made_anew_goes_on_counting_on_its_board)
{
    open_with("");
    assign(0, 0);
    turns(2);
    produce(0, "a");
    turns(5);
    struct board *kept = board;
    const struct board_view *line = line_of_view();
    ck_assert_uint_eq(tally_read(&line->tally, VERDICT_ACCEPTED), 1);
    worker_end(worker, 0);
    worker_free(worker);
    worker = worker_new(&(struct worker_setup){.options = &options,
                                               .catalog = catalog,
                                               .seed = 7,
                                               .stop = &stop,
                                               .board = kept,
                                               .wall_ms = tell_wall,
                                               .mono_ms = tell_mono});
    kafka.handler = worker_handler(worker);
    redis.batch = NULL;
    worker_begin(worker, &ends);
    assign(0, 1);
    turns(2);
    produce(0, "b");
    turns(5);
    ck_assert_ptr_eq(line_of_view(), line);
    ck_assert_uint_eq(tally_read(&line->tally, VERDICT_ACCEPTED), 2);
    ck_assert_int_eq(board_cell(BOARD_RECORDS), 2);
    close_all();
}
END_TEST

UNIT_MAIN("worker", a_reload_leaves_units_of_a_topic_that_means_the_same_alone,
          a_reload_has_a_changed_topic_read_again,
          a_reload_waits_for_the_answer_and_nothing_is_sent_until_then,
          a_reload_does_not_wait_for_a_redis_that_stays_away,
          a_unit_that_a_reload_drops_says_nothing_of_the_group,
          a_source_that_cannot_adopt_ends_the_worker, counters_of_a_view_go_on_through_a_reload,
          nothing_is_committed_before_the_store_says_written,
          nothing_is_committed_before_what_was_read_again_is_written, a_commit_never_goes_back,
          a_commit_goes_back_to_honour_a_reset,
          a_unit_commits_at_most_once_a_second_and_again_after_a_minute_of_silence,
          nothing_is_sent_while_a_unit_is_silent,
          the_fence_lifts_where_an_end_of_partition_reaches_it, an_empty_log_is_live_at_once,
          a_revoke_writes_and_commits_and_a_parked_unit_reads_nothing_twice,
          a_lost_unit_is_parked_without_a_write_or_a_commit,
          a_revoke_gives_up_after_its_budget_and_what_was_held_is_written_later,
          a_parked_unit_whose_log_was_made_anew_is_read_again,
          a_unit_that_is_assigned_and_read_again_is_kept_once,
          a_parked_unit_goes_on_where_the_log_goes_on,
          what_the_log_has_lost_behind_the_commit_is_counted,
          the_answer_to_a_dropped_units_batch_does_no_harm,
          a_wall_clock_that_steps_has_every_unit_read_again,
          intake_pauses_when_the_store_is_away_for_a_second, values_fall_while_kafka_is_away,
          what_was_forgotten_since_the_state_that_came_back_is_read_again,
          what_redis_loses_of_its_last_seconds_needs_no_reading,
          values_of_lost_units_fall_while_all_of_kafka_is_away,
          a_worker_that_was_put_out_while_kafka_answers_writes_nothing_more,
          a_worker_that_was_put_out_calls_out_then_and_when_it_is_back,
          what_the_store_has_lost_is_written_again, a_store_that_needs_a_person_ends_the_worker,
          decays_get_a_quarter_of_a_batch_while_arrivals_saturate_it,
          decays_get_a_quarter_of_a_batch_that_is_full_by_bytes,
          a_batch_waits_for_the_interval_unless_it_is_full,
          the_memory_limit_ends_the_worker_with_one_sentence_and_without_a_commit,
          a_worker_that_is_stopped_writes_commits_and_leaves,
          a_worker_that_is_stopped_leaves_in_time_when_redis_is_away,
          the_latency_of_a_write_is_that_of_its_oldest_event,
          the_latency_begins_with_the_records_own_time, what_no_arrival_has_caused_has_no_latency,
          freshness_is_shown_when_its_write_is_acknowledged,
          batches_are_counted_sent_and_measured_answered, a_unit_shows_where_it_is,
          a_change_that_waits_for_redis_lags, ups_downs_and_pauses_are_shown,
          a_worker_that_is_made_anew_goes_on_counting_on_its_board)
