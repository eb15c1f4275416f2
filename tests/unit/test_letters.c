/* What becomes of rejected events in a worker of the plain form, between a Kafka that is a list, a Redis
 * that says OK, and letters that are delivered when a test says so. */
#include "core_kit.h"
#include "letters_kit.h"
#include "run/letters.h"
#include "tidewheel/log.h"
#include "tidewheel/worker.h"

enum { RECORDS_MAX = 512, TEXT_MAX = 96, UNITS = 2, PIECE = 16 << 20 };

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

/* ---- Kafka ---- */

struct fake_log {
    struct unit unit;
    char texts[RECORDS_MAX][TEXT_MAX];
    size_t lens[RECORDS_MAX]; /* 0: that of the text */
    int64_t end;
    int64_t next; /* -1: held */
    int64_t committed;
};

static struct {
    struct source source;
    struct source_handler handler;
    struct fake_log logs[UNITS];
    int restarts;
    bool is_closed;
} kafka;

static const char *large; /* PIECE bytes */

static struct fake_log *log_of(const struct unit *unit)
{
    return &kafka.logs[unit->partition];
}

static int fake_poll(struct source *source, int64_t timeout_ms, struct unit **ret_unit,
                     struct record *ret, struct err *error)
{
    (void)source;
    (void)error;
    for (int i = 0; i < UNITS; i++) {
        struct fake_log *log = &kafka.logs[i];
        if (!log->unit.is_assigned || log->next < 0 || log->next >= log->end)
            continue;
        size_t len = log->lens[log->next];
        const char *text = log->texts[log->next];
        *ret_unit = &log->unit;
        *ret = (struct record){.value = {len > 0 ? large : text, len > 0 ? len : strlen(text)},
                               .key = slice_of("k"),
                               .offset = log->next++,
                               .timestamp_ms = wall_now};
        if (strcmp(text, "(null)") == 0)
            ret->value = (struct slice){NULL, 0};
        return 1;
    }
    pass_ms(timeout_ms);
    return 0;
}

static void fake_commit(struct source *source, const struct commit *commits, size_t count,
                        int64_t wait_ms)
{
    (void)source;
    (void)wait_ms;
    for (size_t i = 0; i < count; i++)
        log_of(commits[i].unit)->committed = commits[i].offset;
}

static void fake_begin(struct source *source, struct unit *unit, int64_t start)
{
    (void)source;
    log_of(unit)->next = start;
}

static void fake_hold(struct source *source, struct unit *unit)
{
    (void)source;
    log_of(unit)->next = -1;
}

static void fake_restart(struct source *source, struct unit *unit, int64_t alive_ms)
{
    (void)source;
    (void)unit;
    (void)alive_ms;
    kafka.restarts++;
}

static int64_t fake_end(struct source *source, const struct unit *unit)
{
    (void)source;
    return log_of(unit)->end;
}

static bool fake_header(struct source *source, size_t i, struct header *ret)
{
    static const struct header headers[] = {{"trace", {"7", 1}}, {"tidewheel.reason", {"old", 3}}};
    (void)source;
    if (i >= 2)
        return false;
    *ret = headers[i];
    return true;
}

static bool fake_leave(struct source *source, int64_t wait_ms)
{
    (void)source;
    (void)wait_ms;
    kafka.handler.revoked(kafka.handler.arg, false);
    for (int i = 0; i < UNITS; i++) {
        kafka.logs[i].unit.is_assigned = false;
        kafka.handler.dropped(kafka.handler.arg, &kafka.logs[i].unit);
    }
    kafka.is_closed = true;
    return true;
}

static const struct source_ops source_ops = {.poll = fake_poll,
                                             .commit = fake_commit,
                                             .begin = fake_begin,
                                             .hold = fake_hold,
                                             .restart = fake_restart,
                                             .end = fake_end,
                                             .header = fake_header,
                                             .close = fake_leave};

/* ---- Redis ---- */

static struct {
    struct store store;
    bool has_batch;
    size_t written;
} redis;

static int fake_pump(struct store *store, int64_t mono_ms, unsigned *ret_events, struct err *error)
{
    (void)store;
    (void)mono_ms;
    (void)error;
    *ret_events = redis.has_batch ? STORE_WRITTEN : 0;
    redis.has_batch = false;
    return 0;
}

static bool fake_is_ready(const struct store *store)
{
    (void)store;
    return !redis.has_batch;
}

static bool fake_is_away(const struct store *store)
{
    (void)store;
    return false;
}

static void fake_send(struct store *store, struct batch *batch, int64_t mono_ms)
{
    (void)store;
    (void)mono_ms;
    redis.has_batch = true;
    redis.written += batch->entity_count;
}

static void fake_wait(struct store *store, int64_t wait_ms)
{
    (void)store;
    pass_ms(wait_ms);
}

static void fake_call_out(struct store *store)
{
    (void)store;
}

static void fake_close(struct store *store)
{
    (void)store;
}

static const struct store_ops store_ops = {.pump = fake_pump,
                                           .is_ready = fake_is_ready,
                                           .is_away = fake_is_away,
                                           .send = fake_send,
                                           .wait = fake_wait,
                                           .call_out = fake_call_out,
                                           .close = fake_close};

/* ---- the worker between them ---- */

static struct catalog *catalog;
static struct options options;
static struct worker *worker;
static struct board *board;
static struct err err;
static _Atomic bool stop;

/* One reason is stop; the others go to a topic. */
static void open_views(struct catalog *views, enum verdict stops)
{
    log_open(getenv("TEST_LOG") != NULL ? LOG_DEBUG : LOG_ERROR, false);
    mono_now = 1000000;
    wall_now = NOW;
    catalog = views;
    options = (struct options){.workers = 1,
                               .flush_interval_ms = 10,
                               .flush_entities_max = 100,
                               .limits_event_bytes = 4096,
                               .limits_nesting = 16,
                               .limits_key_bytes = 8,
                               .limits_memory = INT64_C(1) << 30,
                               .shutdown_timeout_ms = 30000,
                               .dead_letter_topic = (char *)"letters"};
    for (int i = VERDICT_TOO_BIG; i <= VERDICT_POISON; i++)
        options.on_error[i] = (char *)(i == (int)stops ? "stop" : "dead_letter");
    board = board_new(0);
    worker = worker_new(&(struct worker_setup){.options = &options,
                                               .catalog = catalog,
                                               .board = board,
                                               .seed = 7,
                                               .stop = &stop,
                                               .wall_ms = tell_wall,
                                               .mono_ms = tell_mono});
    struct letters_handler handler = worker_letters_handler(worker);
    for (int i = 0; i < UNITS; i++) {
        kafka.logs[i].unit =
            (struct unit){.topic = catalog->topics[0], .partition = i, .partition_count = UNITS};
        kafka.logs[i].next = -1;
    }
    kafka.source.ops = &source_ops;
    kafka.handler = worker_handler(worker);
    redis.store = (struct store){&store_ops};
    worker_begin(worker, &(struct worker_ends){.source = &kafka.source,
                                               .store = &redis.store,
                                               .letters = post_open(&handler)});
}

static void open_all(void)
{
    for (int i = 0; i < UNITS; i++)
        kafka.logs[i].committed = -1;
    open_views(kit_catalog(""), VERDICT_ACCEPTED);
}

static void close_all(void)
{
    worker_free(worker);
    board_free(board);
    catalog_free(catalog);
    redis.has_batch = false;
}

static void assign_plan(int unit, const struct plan *plan)
{
    kafka.logs[unit].unit.is_assigned = true;
    kafka.handler.assigned(kafka.handler.arg, &kafka.logs[unit].unit, plan);
}

/* All of the log is read again, unless it is parked. */
static void assign(int unit)
{
    struct fake_log *log = &kafka.logs[unit];
    int64_t position = kafka.handler.position(kafka.handler.arg, &log->unit);
    assign_plan(unit, &(struct plan){.start = position >= 0 ? position : 0,
                                     .live_at = log->end,
                                     .commit_at_least = log->committed});
}

static void revoke(void)
{
    kafka.handler.revoked(kafka.handler.arg, false);
    for (int i = 0; i < UNITS; i++) {
        kafka.logs[i].unit.is_assigned = false;
        kafka.logs[i].next = -1;
    }
}

static void drop(int unit)
{
    kafka.handler.dropped(kafka.handler.arg, &kafka.logs[unit].unit);
}

static void produce(int unit, const char *text)
{
    struct fake_log *log = &kafka.logs[unit];
    (void)snprintf(log->texts[log->end++], TEXT_MAX, "%s", text);
}

static void produce_good(int unit, const char *id)
{
    char text[TEXT_MAX];
    (void)snprintf(text, sizeof text, "{\"ts\":%lld,\"id\":\"%s\",\"amount\":1}",
                   (long long)wall_now, id);
    produce(unit, text);
}

static void produce_large(int unit)
{
    if (large == NULL)
        large = mem_zalloc(PIECE);
    kafka.logs[unit].lens[kafka.logs[unit].end] = PIECE;
    produce(unit, "");
}

static void turns(int count)
{
    while (count-- > 0)
        ck_assert_msg(worker_turn(worker, &err) == 0, "%s", err.text);
}

static int64_t committed(int unit)
{
    return kafka.logs[unit].committed;
}

static struct shard *shard_of(int unit)
{
    return kafka.logs[unit].unit.shard;
}

/* ---- what becomes a letter ---- */

START_TEST(a_rejected_event_becomes_a_letter)
{
    open_all();
    assign(0);
    produce_good(0, "a");
    produce(0, "{oops");
    turns(5);
    ck_assert_uint_eq(post.count, 1);
    ck_assert_int_eq(post.kept[0].reason, VERDICT_BAD_JSON);
    ck_assert_int_eq(post.kept[0].offset, 1);
    ck_assert_str_eq(post.kept[0].value, "{oops");
    ck_assert_str_eq(post.kept[0].views, "v");
    ck_assert_int_eq(cell_get(&board->letters[VERDICT_BAD_JSON]), 0);
    post_deliver(0);
    ck_assert_int_eq(cell_get(&board->letters[VERDICT_BAD_JSON]), 1);
    close_all();
}
END_TEST

START_TEST(each_reason_is_told)
{
    static const struct {
        const char *text;
        enum verdict reason;
    } cases[] = {
        {"{", VERDICT_BAD_JSON},
        {"[1]", VERDICT_NOT_OBJECT},
        {"{\"id\":\"a\",\"ts\":\"?\"}", VERDICT_BAD_TIMESTAMP},
        {"{\"ts\":1700000000000}", VERDICT_NO_KEY},
        {"{\"ts\":1700000000000,\"id\":\"0123456789\"}", VERDICT_KEY_TOO_LONG},
        {"{\"ts\":1800000000000,\"id\":\"a\"}", VERDICT_FUTURE},
    };
    open_all();
    assign(0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        produce(0, cases[i].text);
    produce_large(0);
    turns(5);
    ck_assert_uint_eq(post.count, 7);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_int_eq(post.kept[i].reason, cases[i].reason);
    ck_assert_int_eq(post.kept[6].reason, VERDICT_TOO_BIG);
    close_all();
}
END_TEST

START_TEST(a_reason_that_is_dropped_is_counted_and_no_more)
{
    open_all();
    assign(0);
    produce(0, "(null)");
    turns(150);
    ck_assert_uint_eq(post.count, 0);
    ck_assert_uint_eq(tally_read(&worker->lines[0]->tally, VERDICT_EMPTY), 1);
    ck_assert_int_eq(committed(0), 1);
    close_all();
}
END_TEST

START_TEST(what_is_no_event_makes_one_letter_for_all_views)
{
    open_all();
    close_all();
    open_views(kit_catalog_of_two(), VERDICT_ACCEPTED);
    assign(0);
    produce(0, "[]");
    turns(5);
    ck_assert_uint_eq(post.count, 1);
    ck_assert_str_eq(post.kept[0].views, "v,w");
    for (int i = 0; i < 2; i++)
        ck_assert_uint_eq(tally_read(&worker->lines[i]->tally, VERDICT_NOT_OBJECT), 1);
    close_all();
}
END_TEST

START_TEST(what_a_view_rejects_is_that_views_letter)
{
    open_all();
    close_all();
    open_views(kit_catalog_of_two(), VERDICT_ACCEPTED);
    assign(0);
    produce(0, "{\"ts\":1700000000000}");
    turns(150);
    ck_assert_uint_eq(post.count, 2);
    ck_assert_str_eq(post.kept[0].views, "v");
    ck_assert_str_eq(post.kept[1].views, "w");
    ck_assert_int_eq(post.kept[1].offset, 0);
    post_deliver(0);
    turns(150);
    ck_assert_int_eq(committed(0), 0);
    post_deliver(1);
    turns(150);
    ck_assert_int_eq(committed(0), 1);
    close_all();
}
END_TEST

START_TEST(headers_of_an_earlier_life_are_left_out)
{
    open_all();
    assign(0);
    produce(0, "{");
    turns(2);
    ck_assert_uint_eq(post.count, 1);
    ck_assert_str_eq(worker->headers[0].name, "trace");
    close_all();
}
END_TEST

/* ---- promise X ---- */

START_TEST(nothing_is_committed_behind_a_letter_that_is_not_delivered)
{
    open_all();
    assign(0);
    assign(1);
    produce_good(0, "a");
    produce(0, "{");
    produce_good(0, "b");
    produce_good(1, "c");
    turns(150);
    ck_assert_int_eq(committed(0), 1);
    ck_assert_int_eq(committed(1), 1);
    ck_assert_uint_eq(redis.written, 3); /* features go on */
    turns(1000);
    ck_assert_int_eq(committed(0), 1);
    post_deliver(0);
    turns(150);
    ck_assert_int_eq(committed(0), 3);
    close_all();
}
END_TEST

START_TEST(letters_may_be_delivered_in_any_order)
{
    open_all();
    assign(0);
    for (int i = 0; i < 3; i++)
        produce(0, "{");
    turns(150);
    post_deliver(1);
    turns(150);
    ck_assert_int_eq(committed(0), 0);
    post_deliver(0);
    turns(150);
    ck_assert_int_eq(committed(0), 2);
    close_all();
}
END_TEST

START_TEST(what_was_rejected_before_the_committed_offset_is_not_sent_again)
{
    open_all();
    for (int i = 0; i < 4; i++)
        produce(0, "{");
    assign_plan(0, &(struct plan){.start = 0, .live_at = 4, .commit_at_least = 2});
    turns(10);
    ck_assert_uint_eq(post.count, 2);
    ck_assert_int_eq(post.kept[0].offset, 2);
    ck_assert_uint_eq(tally_read(&worker->lines[0]->tally, VERDICT_BAD_JSON), 4);
    close_all();
}
END_TEST

START_TEST(after_a_persons_reset_letters_begin_where_it_says)
{
    open_all();
    for (int i = 0; i < 4; i++)
        produce(0, "{");
    assign_plan(0,
                &(struct plan){.start = 0, .live_at = 4, .commit_at_least = 1, .is_reset = true});
    turns(10);
    ck_assert_uint_eq(post.count, 3);
    ck_assert_int_eq(post.kept[0].offset, 1);
    close_all();
}
END_TEST

START_TEST(a_unit_that_is_read_again_sends_nothing_that_is_committed)
{
    open_all();
    assign(0);
    produce(0, "{");
    turns(2);
    post_deliver(0);
    turns(150);
    ck_assert_int_eq(committed(0), 1);
    produce(0, "{");
    turns(2);
    ck_assert_uint_eq(post.count, 2);
    wall_now += 3600000;
    turns(1);
    ck_assert_int_eq(kafka.restarts, 1);
    ck_assert_uint_eq(post.forgotten, 1);
    assign(0);
    turns(2);
    ck_assert_uint_eq(post.count, 3);
    ck_assert_int_eq(post.kept[2].offset, 1);
    ck_assert(post.kept[2].life != post.kept[1].life);
    close_all();
}
END_TEST

START_TEST(an_answer_for_a_unit_that_is_gone_does_no_harm)
{
    open_all();
    assign(0);
    produce(0, "{");
    turns(2);
    struct kept_letter letter = post.kept[0];
    revoke();
    drop(0);
    ck_assert_uint_eq(post.forgotten, 1);
    assign(0);
    turns(2);
    ck_assert_uint_eq(post.count, 2);
    post.handler.settled(post.handler.arg, letter.life, letter.number, letter.reason);
    turns(150);
    ck_assert_int_eq(committed(0), 0); /* the second one is still on its way */
    close_all();
}
END_TEST

START_TEST(letters_of_a_parked_unit_are_delivered_and_count)
{
    open_all();
    assign(0);
    produce(0, "{");
    post.is_hopeless = true;
    turns(2);
    revoke();
    ck_assert_int_eq(committed(0), 0);
    post_deliver(0);
    assign(0);
    turns(150);
    ck_assert_uint_eq(post.count, 1);
    ck_assert_int_eq(committed(0), 1);
    close_all();
}
END_TEST

/* ---- on_error: stop ---- */

START_TEST(stop_ends_the_worker_before_the_event)
{
    open_all();
    close_all();
    open_views(kit_catalog(""), VERDICT_NO_KEY);
    assign(0);
    assign(1);
    turns(1);
    produce_good(0, "a");
    produce(0, "{\"ts\":1700000000000}");
    produce_good(0, "b");
    produce_good(1, "c");
    struct worker_ends ends = {
        .source = &kafka.source, .store = &redis.store, .letters = &post.letters};
    ck_assert_int_eq(worker_run(worker, &ends, &err), ERR_FATAL);
    ck_assert_str_eq(err.text,
                     "topic t, partition 0, offset 1: rejected as no_key by view v, and "
                     "on_error.no_key is stop: mend the pipeline, or set on_error.no_key "
                     "to dead_letter or drop, and start again: it goes on with this event");
    ck_assert_int_eq(committed(0), 1);
    ck_assert_uint_eq(redis.written, 1);
    ck_assert(kafka.is_closed && post.is_closed);
    close_all();
}
END_TEST

START_TEST(a_restart_stops_there_again)
{
    open_all();
    close_all();
    for (int life = 0; life < 3; life++) {
        open_views(kit_catalog(""), VERDICT_BAD_JSON);
        kafka.is_closed = false;
        assign(0);
        if (life == 0) {
            turns(1);
            produce_good(0, "a");
            produce(0, "{");
            produce_good(0, "b");
        }
        struct worker_ends ends = {
            .source = &kafka.source, .store = &redis.store, .letters = &post.letters};
        ck_assert_int_eq(worker_run(worker, &ends, &err), ERR_FATAL);
        ck_assert_ptr_nonnull(strstr(err.text, "offset 1: rejected as bad_json"));
        ck_assert_int_eq(committed(0), 1);
        close_all();
    }
}
END_TEST

START_TEST(history_stops_nobody)
{
    open_all();
    close_all();
    open_views(kit_catalog(""), VERDICT_BAD_JSON);
    produce(0, "{");
    assign_plan(0, &(struct plan){.start = 0, .live_at = 1, .commit_at_least = 1});
    turns(150);
    ck_assert_uint_eq(tally_read(&worker->lines[0]->tally, VERDICT_BAD_JSON), 1);
    close_all();
}
END_TEST

/* ---- memory ---- */

START_TEST(a_unit_with_too_many_letters_is_held_and_the_others_go_on)
{
    open_all();
    assign(0);
    assign(1);
    for (int i = 0; i < 4; i++)
        produce_large(0);
    turns(10);
    ck_assert_uint_eq(post.count, 2); /* half of the limit is its share */
    ck_assert_int_eq(kafka.logs[0].next, -1);
    produce_good(1, "b");
    turns(150);
    ck_assert_int_eq(committed(1), 1);
    ck_assert_int_eq(committed(0), 0);
    post_deliver(0);
    turns(2);
    ck_assert_uint_eq(post.count, 2); /* half of its share would do, and a little is more */
    post_deliver(1);
    turns(10);
    ck_assert_uint_eq(post.count, 4);
    ck_assert_int_eq(post.kept[2].offset, 2);
    post_deliver_all();
    turns(150);
    ck_assert_int_eq(committed(0), 4);
    close_all();
}
END_TEST

START_TEST(a_held_unit_stays_so_whoever_begins_it)
{
    open_all();
    assign(0);
    for (int i = 0; i < 6; i++)
        produce_large(0);
    turns(10);
    ck_assert_uint_eq(post.count, 4);
    kafka.logs[0].next = 4;
    turns(10);
    ck_assert_uint_eq(post.count, 4);
    ck_assert_int_eq(kafka.logs[0].next, -1);
    ck_assert_int_eq(shard_of(0)->ledger.position, 4);
    close_all();
}
END_TEST

START_TEST(a_held_unit_that_was_parked_goes_on_when_its_letters_are_delivered)
{
    open_all();
    assign(0);
    for (int i = 0; i < 6; i++)
        produce_large(0);
    turns(10);
    post.is_hopeless = true;
    revoke();
    post_deliver_all();
    turns(2);
    ck_assert_int_eq(kafka.logs[0].next, -1); /* not ours now */
    assign(0);
    turns(10);
    ck_assert_uint_eq(post.count, 6);
    close_all();
}
END_TEST

/* ---- the end ---- */

START_TEST(a_revoke_waits_for_letters_half_of_its_time)
{
    open_all();
    assign(0);
    produce(0, "{");
    turns(2);
    int64_t begun = mono_now;
    revoke();
    ck_assert_int_ge(mono_now - begun, 2000);
    ck_assert_int_le(mono_now - begun, 3000);
    close_all();
}
END_TEST

START_TEST(nobody_waits_for_letters_without_hope)
{
    open_all();
    assign(0);
    produce(0, "{");
    post.is_hopeless = true;
    turns(2);
    int64_t begun = mono_now;
    revoke();
    ck_assert_int_le(mono_now - begun, 100);
    close_all();
}
END_TEST

START_TEST(a_worker_that_is_stopped_delivers_and_commits)
{
    open_all();
    assign(0);
    produce_good(0, "a");
    produce(0, "{");
    turns(2);
    ck_assert_uint_eq(post.count, 1);
    post.is_prompt = true;
    worker_end(worker, 0);
    ck_assert_int_eq(committed(0), 2);
    ck_assert(post.is_closed);
    close_all();
}
END_TEST

START_TEST(without_letters_dead_letter_is_drop)
{
    open_all();
    worker_begin(worker, &(struct worker_ends){.source = &kafka.source, .store = &redis.store});
    assign(0);
    produce(0, "{");
    turns(150);
    ck_assert_int_eq(committed(0), 1);
    close_all();
}
END_TEST

UNIT_MAIN("letters", a_rejected_event_becomes_a_letter, each_reason_is_told,
          a_reason_that_is_dropped_is_counted_and_no_more,
          what_is_no_event_makes_one_letter_for_all_views, what_a_view_rejects_is_that_views_letter,
          headers_of_an_earlier_life_are_left_out,
          nothing_is_committed_behind_a_letter_that_is_not_delivered,
          letters_may_be_delivered_in_any_order,
          what_was_rejected_before_the_committed_offset_is_not_sent_again,
          after_a_persons_reset_letters_begin_where_it_says,
          a_unit_that_is_read_again_sends_nothing_that_is_committed,
          an_answer_for_a_unit_that_is_gone_does_no_harm,
          letters_of_a_parked_unit_are_delivered_and_count, stop_ends_the_worker_before_the_event,
          a_restart_stops_there_again, history_stops_nobody,
          a_unit_with_too_many_letters_is_held_and_the_others_go_on,
          a_held_unit_stays_so_whoever_begins_it,
          a_held_unit_that_was_parked_goes_on_when_its_letters_are_delivered,
          a_revoke_waits_for_letters_half_of_its_time, nobody_waits_for_letters_without_hope,
          a_worker_that_is_stopped_delivers_and_commits, without_letters_dead_letter_is_drop)
