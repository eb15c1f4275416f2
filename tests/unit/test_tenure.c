/* A unit's life in the checkpointed form: the worker's own turn with the fenced store and the loader on a
 * redis-server of its own, and a Kafka that is a list. Time is told; it runs ten times as fast. */
#include "core_kit.h"
#include "letters_kit.h"
#include "run/tenure.h"
#include "tap_kit.h"

enum { RECORDS_MAX = 512, TEXT_MAX = 96, STEP_US = 100, HOUR_MS = 3600000 };

#define M      "{tw:g:t:0}:m"
#define BLOBS  "{tw:g:t:0}:s:v:"
#define THEIRS "0123456789abcdef0123456789abcdef"

#define VIEW_OF(name, fields)                                                                      \
    "view: " name "\n"                                                                             \
    "source: {topic: t, timestamp: {field: ts, unit: ms}}\n"                                       \
    "entity: {type: user, keys: [{field: id, type: string}]}\n"                                    \
    "features:\n" fields

static const char V[] =
    VIEW_OF("v", "  - {name: n, aggregates: [count], windows: [1h]}\n"
                 "  - {name: x, value: amount, aggregates: [sum], windows: [1h]}\n");
static const char V_LESS[] = VIEW_OF("v", "  - {name: n, aggregates: [count], windows: [1h]}\n");
static const char W[] = VIEW_OF("w", "  - {name: m, aggregates: [count], windows: [1h]}\n");
static const char W_MORE[] =
    VIEW_OF("w", "  - {name: m, aggregates: [count], windows: [1h, 2h]}\n");
static const char SHORT[] = VIEW_OF("v", "  - {name: n, aggregates: [count], windows: [10s]}\n");

#define TWO(x, y) (const char *const[]){x, y}, 2

/* ---- the time ---- */

static int64_t mono_now;
static int64_t wall_now;
static int64_t mono_step; /* that asking takes */

static void pass_ms(int64_t ms)
{
    mono_now += ms;
    wall_now += ms;
}

static int64_t tell_mono(void)
{
    pass_ms(mono_step);
    return mono_now;
}

static int64_t tell_wall(void)
{
    return wall_now;
}

/* ---- Kafka ---- */

struct fake_record {
    char text[TEXT_MAX];
    int64_t timestamp_ms;
};

static struct {
    struct source source;
    struct source_handler handler;
    struct source reader; /* the second consumer */
    struct source_handler reader_handler;
    struct unit unit;
    struct fake_record log[RECORDS_MAX]; /* by offset */
    int64_t log_start;
    int64_t log_end;
    int64_t next; /* of the source; -1: held */
    int64_t reader_next;
    int64_t begun; /* the last begin() of each; -1: none */
    int64_t reader_begun;
    int64_t committed; /* -1: none */
    int restarts;
    int64_t ahead;     /* of live_at: records that are not there yet */
    bool is_to_assign; /* the unit is to be planned again */
    bool is_wish;
    const char *cluster;
    size_t handed;  /* records */
    bool polls_one; /* one record a turn */
    bool is_away;
    int64_t again;  /* of plans; -1: the log's start */
    int64_t wanted; /* the start that whole windows need; INT64_MAX: the log has it */
} kafka;

static struct server server;

static int give(int64_t *next, struct unit **ret_unit, struct record *ret)
{
    const struct fake_record *record = &kafka.log[*next];
    *ret_unit = &kafka.unit;
    *ret = (struct record){
        .value = slice_of(record->text), .offset = *next, .timestamp_ms = record->timestamp_ms};
    ++*next;
    return 1;
}

static void assign(void);

static int fake_poll(struct source *source, int64_t timeout_ms, struct unit **ret_unit,
                     struct record *ret, struct err *err)
{
    (void)source;
    (void)err;
    if (kafka.is_to_assign)
        assign();
    if (kafka.unit.is_assigned && kafka.next >= 0 && kafka.next < kafka.log_end) {
        kafka.handed++;
        return give(&kafka.next, ret_unit, ret);
    }
    pass_ms(timeout_ms);
    (void)usleep((useconds_t)timeout_ms * STEP_US);
    return kafka.is_away ? err_set(err, ERR_RETRY, "Kafka is away") : 0;
}

static int reader_poll(struct source *source, int64_t timeout_ms, struct unit **ret_unit,
                       struct record *ret, struct err *err)
{
    (void)source;
    (void)timeout_ms;
    (void)err;
    if (kafka.reader_next < 0)
        return 0;
    if (kafka.reader_next < kafka.log_end)
        return give(&kafka.reader_next, ret_unit, ret);
    kafka.reader_handler.reached(kafka.reader_handler.arg, &kafka.unit, kafka.log_end);
    return 0;
}

static void fake_commit(struct source *source, const struct commit *commits, size_t count,
                        int64_t wait_ms)
{
    (void)source;
    (void)wait_ms;
    ck_assert_uint_eq(count, 1);
    kafka.committed = commits[0].offset;
    long long progress = atoll(ask(&server, "HGET " M " v:prog")); /* either may be behind */
    long long other = atoll(ask(&server, "HGET " M " w:prog"));
    progress = other > progress ? other : progress;
    ck_assert_msg(progress >= kafka.committed, "%lld is committed, the progress is %lld",
                  (long long)kafka.committed, progress);
}

static void ignore_pause(struct source *source, bool is_paused)
{
    (void)source;
    (void)is_paused;
}

static void fake_begin(struct source *source, struct unit *unit, int64_t start)
{
    (void)unit;
    *(source == &kafka.reader ? &kafka.reader_next : &kafka.next) = start;
    *(source == &kafka.reader ? &kafka.reader_begun : &kafka.begun) = start;
}

static void fake_hold(struct source *source, struct unit *unit)
{
    (void)unit;
    *(source == &kafka.reader ? &kafka.reader_next : &kafka.next) = -1;
}

static void fake_restart(struct source *source, struct unit *unit, int64_t alive_ms)
{
    (void)source;
    (void)unit;
    (void)alive_ms;
    kafka.restarts++;
}

static int fake_adopt(struct source *source, const struct catalog *next, struct err *err)
{
    (void)err;
    const struct topic *topic = catalog_topic(next, slice_of("t"));
    if (source == &kafka.reader || topic == kafka.unit.topic)
        return 0;
    kafka.next = -1;
    if (topic == NULL) {
        kafka.unit.is_assigned = false;
        kafka.handler.dropped(kafka.handler.arg, &kafka.unit);
        return 0;
    }
    kafka.unit.topic = topic;
    kafka.is_to_assign = kafka.unit.is_assigned;
    return 0;
}

static int64_t fake_end(struct source *source, const struct unit *unit)
{
    (void)source;
    (void)unit;
    return kafka.log_end;
}

static const char *fake_cluster(struct source *source)
{
    (void)source;
    return kafka.cluster;
}

static const struct source_ops source_ops = {.poll = fake_poll,
                                             .commit = fake_commit,
                                             .pause = ignore_pause,
                                             .begin = fake_begin,
                                             .hold = fake_hold,
                                             .restart = fake_restart,
                                             .adopt = fake_adopt,
                                             .end = fake_end,
                                             .cluster = fake_cluster};
static const struct source_ops reader_ops = {
    .poll = reader_poll, .begin = fake_begin, .hold = fake_hold, .adopt = fake_adopt};

static void produce(const char *id)
{
    struct fake_record *record = &kafka.log[kafka.log_end++];
    (void)snprintf(record->text, TEXT_MAX, "{\"ts\":%lld,\"id\":\"%s\",\"amount\":2}",
                   (long long)wall_now, id);
    record->timestamp_ms = wall_now;
}

static void produce_many(const char *id, int count)
{
    while (count-- > 0)
        produce(id);
}

/* ---- the worker ---- */

static struct catalog *catalog;
static struct catalog *offered; /* for the next reload; NULL: none */
static struct options options;
static struct worker *worker;
static struct board *board;
static struct redis_url url;
static struct tap *store_tap;
static struct tap *loader_tap;
static struct worker_ends ends;
static struct err err;
static _Atomic bool stop;
static uint64_t draws;

static uint64_t draw(void *arg)
{
    (void)arg;
    uint64_t x = (draws += UINT64_C(0x9e3779b97f4a7c15));
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    return x ^ (x >> 31);
}

static bool saves_at_once; /* of the worker_setup */

static struct tenure *tenure(void)
{
    return kafka.unit.tenure;
}

static struct shard *shard(void)
{
    return kafka.unit.shard;
}

static void open_ends(void)
{
    store_tap = tap_new(&url);
    loader_tap = tap_new(&url);
    struct store_setup setup = {
        .wire = &store_tap->wire, .url = &url, .group_id = "g", .random = draw};
    ends = (struct worker_ends){.source = &kafka.source,
                                .store = fenced_store_new(&setup),
                                .reader = &kafka.reader,
                                .loader = loader_new(&loader_tap->wire, &url)};
    struct letters_handler handler = worker_letters_handler(worker);
    if (options.dead_letter_topic != NULL)
        ends.letters = post_open(&handler);
}

static void start_with(const char *const *views, size_t count)
{
    catalog = kit_catalog_of_files(views, count);
    board = board_new(0);
    worker = worker_new(&(struct worker_setup){.options = &options,
                                               .catalog = catalog,
                                               .seed = 7,
                                               .stop = &stop,
                                               .board = board,
                                               .saves_at_once = saves_at_once,
                                               .wall_ms = tell_wall,
                                               .mono_ms = tell_mono,
                                               .random = draw});
    open_ends();
    kafka.unit = (struct unit){.topic = catalog->topics[0], .partition_count = 4};
    kafka.handler = worker_handler(worker);
    kafka.reader_handler = worker_reader_handler(worker);
    kafka.next = kafka.reader_next = kafka.begun = kafka.reader_begun = -1;
    kafka.handed = 0;
    kafka.restarts = 0;
    kafka.wanted = INT64_MAX;
    kafka.again = -1;
    worker_begin(worker, &ends);
}

static void start(const char *view)
{
    start_with(&view, 1);
}

static void open_all(void)
{
    mono_now = 1000000;
    wall_now = NOW;
    draws = 1;
    server_open(&server, NO_OPTIONS);
    tap_url(&server, &url);
    kafka.source.ops = &source_ops;
    kafka.reader.ops = &reader_ops;
    kafka.committed = -1;
    kafka.cluster = "kafka-1";
    options = (struct options){.workers = 1,
                               .flush_interval_ms = 10,
                               .flush_entities_max = 100,
                               .limits_event_bytes = 4096,
                               .limits_nesting = 16,
                               .limits_key_bytes = 64,
                               .limits_memory = INT64_C(1) << 30,
                               .shutdown_timeout_ms = 30000,
                               .checkpoint_interval_ms = 500,
                               .kafka_group_id = "g"};
}

static void take_away(bool is_lost)
{
    kafka.handler.revoked(kafka.handler.arg, is_lost);
    kafka.unit.is_assigned = false;
    kafka.next = -1;
}

/* The process is gone: nothing more of it gets to Redis. */
static void crash(void)
{
    store_tap->is_cut = store_tap->is_closed = true;
    take_away(true);
    kafka.handler.dropped(kafka.handler.arg, &kafka.unit);
    ends.store->ops->close(ends.store);
    loader_free(ends.loader);
    worker_free(worker);
    board_free(board);
    catalog_free(catalog);
    catalog_free(offered);
    offered = NULL;
}

static void close_all(void)
{
    crash();
    redis_url_fini(&url);
    server_close(&server);
}

static struct plan plan(void)
{
    return (struct plan){.start = kafka.log_start,
                         .again = kafka.again >= 0 ? kafka.again : kafka.log_start,
                         .live_at = kafka.log_end + kafka.ahead,
                         .log_start = kafka.log_start,
                         .wanted = kafka.wanted < kafka.log_start ? kafka.wanted : kafka.log_start,
                         .commit_at_least = kafka.committed,
                         .is_reset = kafka.is_wish};
}

static void assign(void)
{
    struct plan now = plan();
    kafka.is_to_assign = false;
    kafka.unit.is_assigned = true;
    kafka.handler.assigned(kafka.handler.arg, &kafka.unit, &now);
}

static int try_turn(void)
{
    return worker_turn(worker, &err);
}

static void turn(void)
{
    ck_assert_msg(try_turn() == 0, "%s", err.text);
}

static void turns(int count)
{
    while (count-- > 0)
        turn();
}

#define until(cond)                                                                                \
    do {                                                                                           \
        int64_t deadline_ms = clock_mono_ms() + WAIT_MS;                                           \
        while (!(cond)) {                                                                          \
            ck_assert_msg(clock_mono_ms() < deadline_ms, "it does not come: " #cond);              \
            turn();                                                                                \
        }                                                                                          \
    } while (0)

#define until_answer(command, text) until(strcmp(ask(&server, command), text) == 0)
#define is_now(command, text)       is_answer(&server, command, text)

static bool is_running(void)
{
    return tenure()->state == TENURE_RUNNING;
}

static bool is_live(void)
{
    return is_running() && shard()->is_live;
}

/* Everything is applied, written, saved and committed. */
static void settle(void)
{
    until(is_live() && kafka.committed == kafka.log_end);
}

static void settle_at_once(void)
{
    until(is_running() && shard()->ledger.position == kafka.log_end);
    tenure()->checkpoint_ms = 0;
    settle();
}

/* Skips without a server. */
#define SCENE                                                                                      \
    if (!has_server("tenure"))                                                                     \
        return;                                                                                    \
    open_all()

/* A first life: three events of a, two of b, all of it saved. */
#define SCENE_OF_TWO_LIVES(view)                                                                   \
    SCENE;                                                                                         \
    start(V);                                                                                      \
    produce_many("a", 3);                                                                          \
    produce_many("b", 2);                                                                          \
    assign();                                                                                      \
    settle();                                                                                      \
    crash();                                                                                       \
    start(view)

#define A_COUNT "HGET features:user:a n_1h_count"
#define B_COUNT "HGET features:user:b n_1h_count"

/* ---- claim, reset, load ---- */

START_TEST(a_fresh_unit_is_reset_durably_and_then_read)
{
    SCENE;
    start(V);
    produce_many("a", 3);
    assign();
    ck_assert_int_eq(tenure()->state, TENURE_CLAIMING);
    until(tenure()->state == TENURE_RESETTING);
    ck_assert_int_eq(kafka.begun, -1);
    until(kafka.begun >= 0);
    is_now("HGET " M " v:gen", "1");
    is_now("HGET " M " v:prog", "0");
    is_now("HGET " M " topo", "kafka-1 4");
    is_now("HEXISTS " BLOBS "1:0 !", "1");
    is_now("HEXISTS " BLOBS "1:63 !", "1");
    is_now("EXISTS features:user:a", "0");
    settle();
    is_now(A_COUNT, "3");
    is_now("HGET " M " v:prog", "3");
    is_now("HGET " M " try", "0");
    close_all();
}
END_TEST

START_TEST(a_unit_that_somebody_waits_for_is_saved_as_soon_as_it_is_published)
{
    SCENE;
    saves_at_once = true;
    options.checkpoint_interval_ms = 3600000;
    start(V);
    produce_many("a", 3);
    kafka.ahead = 2; /* not caught up yet */
    assign();
    until(is_running() && shard()->ledger.position == 3);
    turns(50);
    is_now("HGET " M " v:prog", "0");
    is_now("EXISTS features:user:a", "0");
    produce_many("a", 2);
    settle();
    is_now(A_COUNT, "5");
    is_now("HGET " M " v:prog", "5");
    turns(200); /* until the board is written */
    ck_assert_int_eq(cell_get(&kafka.unit.line->cells[UNIT_PUBLISHED]), 5);
    ck_assert_int_eq(cell_get(&kafka.unit.line->cells[UNIT_LEFTOVERS]), 0);
    /* From then on it is saved as any other is. */
    produce("a");
    until_answer(A_COUNT, "6");
    turns(50);
    is_now("HGET " M " v:prog", "5");
    kafka.ahead = 0;
    close_all();
}
END_TEST

START_TEST(a_restart_loads_and_reads_nothing_twice)
{
    SCENE_OF_TWO_LIVES(V);
    produce("a");
    assign();
    until(tenure()->state == TENURE_LOADING);
    ck_assert_int_eq(kafka.begun, -1); /* nothing is delivered */
    settle();
    ck_assert_int_eq(kafka.begun, 4); /* the anchor, and what follows it */
    is_now(A_COUNT, "4");
    is_now(B_COUNT, "2");
    is_now("HGET " M " v:gen", "1");
    ck_assert_uint_eq(tenure()->load.blobs, 2);
    close_all();
}
END_TEST

START_TEST(what_was_not_saved_is_read_again_and_counts_once)
{
    SCENE;
    start(V);
    produce("a");
    assign();
    settle();
    tenure()->checkpoint_ms = INT64_MAX;
    produce_many("a", 2);
    until_answer(A_COUNT, "3");
    crash();
    start(V);
    assign();
    settle();
    is_now(A_COUNT, "3");
    close_all();
}
END_TEST

START_TEST(a_load_does_not_follow_what_kafka_has_committed)
{
    SCENE_OF_TWO_LIVES(V);
    is_now("HSET " M " v:prog 4", "0"); /* Redis went back; so did its blobs */
    is_now("HDEL " M " anchor", "1");
    assign();
    until(is_running());
    ck_assert_int_eq(kafka.begun, 4);
    ck_assert_int_eq(kafka.committed, 5);
    until(is_live());
    until(shard()->ledger.position == 5);
    ck_assert_int_eq(kafka.committed, 5);
    close_all();
}
END_TEST

START_TEST(the_second_life_counts_what_the_first_did_not_say)
{
    SCENE_OF_TWO_LIVES(V);
    is_now("DEL features:user:a", "1");
    is_now("HSET " M " v:prog 0", "0");
    is_now("HDEL " M " anchor", "1");
    assign();
    until_answer(A_COUNT, "3"); /* in its blob already, and written again */
    close_all();
}
END_TEST

/* fake_commit() compares each with the progress that Redis has. */
START_TEST(a_commit_says_what_the_checkpoint_began_with)
{
    SCENE;
    start(V);
    produce_many("a", 3);
    assign();
    until(is_live() && tenure()->checkpoint.phase != CHECKPOINT_IDLE);
    produce("a");
    until(kafka.committed >= 0);
    ck_assert_int_eq(kafka.committed, 3);
    settle();
    is_now(A_COUNT, "4");
    close_all();
}
END_TEST

START_TEST(a_state_that_was_not_live_yet_stays_silent_until_it_has_caught_up)
{
    SCENE;
    kafka.ahead = 2;
    start(V);
    produce_many("a", 3);
    assign();
    until_answer("HGET " M " v:prog", "3");
    crash();
    start(V);
    assign();
    until(is_running());
    turns(100);
    ck_assert(!shard()->is_live);
    is_now("EXISTS features:user:a", "0");
    produce_many("a", 2);
    until_answer(A_COUNT, "5");
    close_all();
}
END_TEST

/* ---- rebuilt ---- */

START_TEST(a_missing_sentinel_builds_the_unit_anew)
{
    SCENE_OF_TWO_LIVES(V);
    is_now("DEL " BLOBS "1:7", "1");
    assign();
    until(tenure()->state == TENURE_RESETTING);
    settle();
    is_now("HGET " M " v:gen", "2");
    is_now(A_COUNT, "3");
    until_answer("HEXISTS " M " v:old:1", "0");
    is_now("EXISTS " BLOBS "1:0", "0"); /* the old generation is gone */
    is_now("HEXISTS " BLOBS "2:0 !", "1");
    close_all();
}
END_TEST

START_TEST(a_damaged_blob_builds_the_unit_anew)
{
    char command[128];
    SCENE_OF_TWO_LIVES(V);
    (void)snprintf(command, sizeof command, "HSET " BLOBS "1:%u a rubbish",
                   meta_blob_hash(slice_of("a")));
    is_now(command, "0");
    assign();
    settle();
    is_now("HGET " M " v:gen", "2");
    is_now(A_COUNT, "3");
    close_all();
}
END_TEST

START_TEST(another_record_where_the_state_ends_builds_the_unit_anew)
{
    SCENE_OF_TWO_LIVES(V);
    kafka.log_end = 4;
    produce("c"); /* in place of b's second */
    assign();
    until(tenure()->state == TENURE_RESETTING);
    settle();
    is_now("HGET " M " v:gen", "2");
    until_answer(B_COUNT, "1");
    is_now("HGET features:user:c n_1h_count", "1");
    close_all();
}
END_TEST

START_TEST(a_record_that_the_log_has_lost_is_not_compared)
{
    SCENE_OF_TWO_LIVES(V);
    kafka.log_start = 5;
    produce("a");
    assign();
    settle();
    ck_assert_int_eq(kafka.begun, 5);
    is_now("HGET " M " v:gen", "1");
    is_now(A_COUNT, "4");
    close_all();
}
END_TEST

START_TEST(a_log_that_ends_before_the_state_builds_the_unit_anew)
{
    SCENE_OF_TWO_LIVES(V);
    kafka.log_end = 2;
    kafka.committed = -1;
    assign();
    settle();
    is_now("HGET " M " v:gen", "2");
    is_now(A_COUNT, "2");
    close_all();
}
END_TEST

START_TEST(a_persons_wish_builds_the_unit_anew_and_is_not_found_again)
{
    SCENE_OF_TWO_LIVES(V);
    kafka.is_wish = true;
    kafka.committed = 1;
    options.checkpoint_interval_ms = HOUR_MS;
    assign();
    until(kafka.committed == 0); /* before any checkpoint */
    until(is_live());
    until_answer(A_COUNT, "3");
    is_now("HGET " M " v:gen", "2");
    close_all();
}
END_TEST

START_TEST(a_state_of_a_clock_that_ran_ahead_is_built_anew)
{
    SCENE_OF_TWO_LIVES(V);
    is_now("HSET " M " v:clock 1700003600000", "0");
    assign();
    settle();
    is_now("HGET " M " v:gen", "2");
    is_now(A_COUNT, "3");
    close_all();
}
END_TEST

START_TEST(a_crash_in_a_rebuild_goes_on_in_the_new_generation)
{
    SCENE_OF_TWO_LIVES(V);
    is_now("DEL " BLOBS "1:7", "1");
    assign();
    until(kafka.begun >= 0);
    is_now("HGET " M " v:gen", "2");
    is_now("HGET " M " v:prog", "0");
    crash();
    start(V);
    assign();
    settle();
    is_now("HGET " M " v:gen", "2");
    is_now(A_COUNT, "3");
    is_now(B_COUNT, "2");
    close_all();
}
END_TEST

/* ---- halted ---- */

static void halts(const char *sentence)
{
    int64_t deadline_ms = clock_mono_ms() + WAIT_MS;
    int rc = 0;
    assign();
    while ((rc = try_turn()) == 0)
        ck_assert_msg(clock_mono_ms() < deadline_ms, "it does not halt");
    ck_assert_int_eq(rc, ERR_FATAL);
    ck_assert_msg(strstr(err.text, sentence) != NULL, "%s", err.text);
    ck_assert_int_eq(kafka.begun, -1);
    is_now("HGET " M " v:gen", "1");
    is_now("HGET " M " v:prog", "5");
}

START_TEST(another_number_of_partitions_halts)
{
    SCENE_OF_TWO_LIVES(V);
    kafka.unit.partition_count = 5;
    halts("topic t has 5 partitions, and its state in Redis was made from 4");
    close_all();
}
END_TEST

START_TEST(another_cluster_halts)
{
    SCENE_OF_TWO_LIVES(V);
    kafka.cluster = "kafka-2";
    halts("was made from Kafka cluster kafka-1, and this is kafka-2");
    close_all();
}
END_TEST

START_TEST(a_cluster_that_is_not_known_halts_nobody)
{
    SCENE_OF_TWO_LIVES(V);
    kafka.cluster = "";
    assign();
    until(is_live());
    is_now("HGET " M " v:gen", "1");
    close_all();
}
END_TEST

START_TEST(another_format_halts)
{
    SCENE_OF_TWO_LIVES(V);
    is_now("HSET " M " fmt 2", "0");
    halts("its state in Redis has format 2, and this version reads 1");
    close_all();
}
END_TEST

/* ---- windows that lack events ---- */

START_TEST(a_log_that_begins_behind_the_progress_goes_on_and_marks_the_coverage)
{
    char covered[32];
    SCENE_OF_TWO_LIVES(V);
    produce_many("a", 2);
    kafka.log_start = 6;
    kafka.log[6].timestamp_ms = wall_now - 1000;
    (void)snprintf(covered, sizeof covered, "%lld", (long long)(wall_now - 1000));
    assign();
    settle();
    ck_assert_int_eq(kafka.begun, 6);
    is_now("HGET " M " v:gen", "1");
    is_now("HGET " M " v:cover", covered);
    is_now(A_COUNT, "4"); /* that of offset 5 is lost */
    ck_assert_int_eq(cell_get(&kafka.unit.line->missing), 1);
    crash();
    start(V);
    assign();
    until(is_live());
    is_now("HGET " M " v:cover", covered); /* it stays known */
    close_all();
}
END_TEST

START_TEST(a_log_that_is_too_short_marks_the_views_that_begin_with_it_and_no_other)
{
    char covered[32];
    SCENE;
    start_with(TWO(V, W));
    produce("a");
    (void)snprintf(covered, sizeof covered, "%lld", (long long)(wall_now - 500));
    kafka.log[0].timestamp_ms = wall_now - 500;
    assign();
    settle();
    is_now("HGET " M " v:cover", "0");
    crash();
    start_with(TWO(V, W_MORE));
    kafka.wanted = -1;
    assign();
    until_answer("HEXISTS " M " w:old:1", "0");
    produce("a");
    settle();
    is_now("HGET " M " v:cover", "0");
    is_now("HGET " M " w:cover", covered);
    crash();
    (void)ask(&server, "DEL " M);
    start_with(TWO(V, W_MORE));
    kafka.wanted = -1;
    assign();
    until_answer("HGET " M " v:cover", covered);
    until_answer("HGET " M " w:cover", covered);
    close_all();
}
END_TEST

/* ---- the fence says no ---- */

static void claim_theirs(void)
{
    is_now("HSET " M " own " THEIRS, "0");
    (void)ask(&server, "HINCRBY " M " seq 1");
}

START_TEST(a_foreign_claim_drops_the_unit_until_it_is_planned_again)
{
    SCENE;
    start(V);
    produce_many("a", 3);
    assign();
    settle();
    claim_theirs();
    produce("a");
    until(tenure()->state == TENURE_RESTING);
    ck_assert_ptr_null(shard());
    ck_assert_int_eq(kafka.next, -1); /* held */
    is_now(A_COUNT, "3");
    is_now("HGET " M " own", THEIRS);
    int64_t since_ms = mono_now;
    until(kafka.restarts == 1);
    ck_assert_int_ge(mono_now - since_ms, 200);
    turns(100);
    ck_assert_int_eq(kafka.restarts, 1);
    assign();
    settle();
    is_now(A_COUNT, "4");
    close_all();
}
END_TEST

START_TEST(an_idle_unit_notices_a_foreign_claim_too)
{
    SCENE;
    start(V);
    produce("a");
    assign();
    settle();
    int64_t seq = tenure()->fence.seq;
    pass_ms(5000);
    until(tenure()->fence.seq > seq);
    claim_theirs();
    pass_ms(5000);
    until(tenure()->state == TENURE_RESTING);
    close_all();
}
END_TEST

START_TEST(an_older_redis_drops_the_unit)
{
    SCENE;
    start(V);
    produce("a");
    assign();
    settle();
    is_now("FLUSHALL", "OK");
    produce("a");
    until(tenure()->state == TENURE_RESTING);
    assign();
    settle();
    is_now(A_COUNT, "2");
    close_all();
}
END_TEST

/* ---- revoked, parked, lost ---- */

START_TEST(revoked_it_writes_a_last_checkpoint_commits_and_parks)
{
    SCENE;
    options.checkpoint_interval_ms = HOUR_MS;
    start(V);
    produce_many("a", 3);
    assign();
    until(is_live() && shard()->ledger.position == 3);
    is_now("HGET " M " v:prog", "0");
    mono_step = 1;
    take_away(false);
    ck_assert_int_eq(tenure()->state, TENURE_PARKED);
    ck_assert_ptr_nonnull(shard());
    is_now(A_COUNT, "3");
    is_now("HGET " M " v:prog", "3");
    is_now("HGET " M " try", "0");
    ck_assert_int_eq(kafka.committed, 3);
    close_all();
}
END_TEST

START_TEST(revoked_with_redis_away_it_gives_up_within_its_budget)
{
    SCENE;
    options.checkpoint_interval_ms = HOUR_MS;
    start(V);
    produce("a");
    assign();
    until(is_live());
    until_answer(A_COUNT, "1");
    produce("a");
    store_tap->is_closed = store_tap->is_cut = true;
    until(shard()->ledger.position == 2);
    mono_step = 50;
    int64_t since_ms = mono_now;
    take_away(false);
    ck_assert_int_ge(mono_now - since_ms, 5000);
    ck_assert_int_lt(mono_now - since_ms, 5500);
    ck_assert_int_eq(tenure()->state, TENURE_PARKED);
    ck_assert_int_eq(kafka.committed, -1);
    is_now("HGET " M " v:prog", "0");
    close_all();
}
END_TEST

START_TEST(assigned_again_and_untouched_it_goes_on_without_a_load)
{
    SCENE;
    start(V);
    produce_many("a", 3);
    assign();
    settle();
    mono_step = 1;
    take_away(false);
    const struct shard *kept = shard();
    produce("a");
    assign();
    until(is_running());
    ck_assert_ptr_eq(shard(), kept);
    ck_assert_int_eq(kafka.begun, 3);
    ck_assert_uint_eq(tenure()->load.blobs, 0);
    settle();
    is_now(A_COUNT, "4");
    close_all();
}
END_TEST

START_TEST(assigned_again_but_touched_meanwhile_it_is_loaded)
{
    SCENE;
    start(V);
    produce_many("a", 3);
    assign();
    settle();
    mono_step = 1;
    take_away(false);
    claim_theirs();
    assign();
    until(tenure()->state == TENURE_LOADING);
    settle();
    ck_assert_uint_eq(tenure()->load.blobs, 1);
    close_all();
}
END_TEST

START_TEST(lost_it_is_parked_without_a_write)
{
    SCENE;
    options.checkpoint_interval_ms = HOUR_MS;
    start(V);
    produce("a");
    assign();
    until_answer(A_COUNT, "1");
    until(tenure()->fence.seq == atoll(ask(&server, "HGET " M " seq")));
    int64_t seq = tenure()->fence.seq;
    produce("a");
    mono_step = 1;
    options.flush_interval_ms = HOUR_MS;
    until(shard()->ledger.position == 2);
    take_away(true);
    ck_assert_int_eq(tenure()->state, TENURE_PARKED);
    options.flush_interval_ms = 10;
    turns(50);
    ck_assert_int_eq(atoll(ask(&server, "HGET " M " seq")), seq);
    is_now(A_COUNT, "1");
    is_now("HGET " M " v:prog", "0");
    ck_assert_int_eq(kafka.committed, -1);
    close_all();
}
END_TEST

START_TEST(a_parked_unit_that_goes_elsewhere_is_forgotten)
{
    SCENE;
    start(V);
    produce("a");
    assign();
    settle();
    mono_step = 1;
    take_away(false);
    kafka.handler.dropped(kafka.handler.arg, &kafka.unit);
    ck_assert_ptr_null(tenure());
    ck_assert_ptr_null(shard());
    turns(20);
    assign();
    settle();
    is_now(A_COUNT, "1");
    close_all();
}
END_TEST

START_TEST(a_unit_that_was_parked_while_it_loaded_is_loaded_again)
{
    SCENE_OF_TWO_LIVES(V);
    loader_tap->is_deaf = true;
    assign();
    until(tenure()->state == TENURE_LOADING);
    mono_step = 1;
    take_away(false);
    ck_assert_ptr_null(shard());
    loader_tap->is_deaf = false;
    produce("a");
    assign();
    settle();
    is_now(A_COUNT, "4");
    is_now(B_COUNT, "2");
    close_all();
}
END_TEST

/* ---- views that change while it runs ---- */

/* As the main thread does it. */
static void offer(const char *const *views, size_t count)
{
    struct catalog_change change;
    struct catalog *next = kit_catalog_of_files(views, count);
    catalog_follow(next, catalog, &change);
    worker_offer(worker, next);
    catalog_free(offered);
    offered = next;
}

static void take_offer(void)
{
    until(worker_has_adopted(worker, offered));
    catalog_free(catalog);
    catalog = offered;
    offered = NULL;
}

static void reload(const char *const *views, size_t count)
{
    offer(views, count);
    take_offer();
}

/* Three events of a and one of b, in v and w. */
#define SCENE_THAT_RUNS                                                                            \
    SCENE;                                                                                         \
    start_with(TWO(V, W));                                                                         \
    produce_many("a", 3);                                                                          \
    produce("b");                                                                                  \
    assign();                                                                                      \
    settle()

START_TEST(a_reload_that_changes_nothing_touches_nothing)
{
    SCENE_THAT_RUNS;
    const struct shard *before = shard();
    const struct topic *topic = kafka.unit.topic;
    enum tenure_state state = tenure()->state;
    reload(TWO(W, V));
    ck_assert_ptr_eq(shard(), before);
    ck_assert_ptr_eq(kafka.unit.topic, topic);
    ck_assert_int_eq(tenure()->state, state);
    produce("a");
    until_answer(A_COUNT, "4");
    settle();
    ck_assert_uint_eq(kafka.handed, 5);
    close_all();
}
END_TEST

START_TEST(a_view_that_changes_is_behind_and_the_other_keeps_its_memory)
{
    SCENE_THAT_RUNS;
    const struct shard *before = shard();
    reload(TWO(V, W_MORE));
    until(is_live());
    ck_assert_ptr_eq(shard(), before);
    ck_assert_int_eq(kafka.begun, 4);
    ck_assert(shard()->is_behind[1] && !shard()->is_behind[0]);
    until(kafka.reader_begun >= 0);
    ck_assert_int_eq(kafka.reader_begun, 0);
    is_now("HGET " M " w:gen", "2");
    is_now("HGET " M " v:gen", "1");
    until(!shard()->is_behind[1]);
    until_answer("HGET features:user:a m_2h_count", "3");
    produce("a");
    until_answer("HGET features:user:a m_2h_count", "4");
    is_now(A_COUNT, "4");
    settle();
    ck_assert_uint_eq(kafka.handed, 5); /* nothing twice, but for the reader */
    until_answer("HEXISTS " M " w:old:1", "0");
    close_all();
}
END_TEST

START_TEST(a_reload_survives_a_crash_right_behind_it)
{
    SCENE_THAT_RUNS;
    produce("a");
    until_answer(A_COUNT, "4");
    reload(TWO(W_MORE, V));
    crash();
    start_with(TWO(W_MORE, V));
    assign();
    until_answer("HGET features:user:a m_2h_count", "4");
    is_now(A_COUNT, "4");
    settle();
    close_all();
}
END_TEST

START_TEST(a_view_that_goes_is_saved_first_and_cleaned_away)
{
    SCENE;
    options.checkpoint_interval_ms = HOUR_MS;
    start_with(TWO(V, W));
    assign();
    until(is_live());
    produce("a");
    until_answer("HGET features:user:a m_1h_count", "1");
    is_now("HLEN features:user:a", "3");
    reload((const char *const[]){V}, 1);
    until_answer("HEXISTS " M " w:gen", "0");
    is_now("HLEN features:user:a", "2");
    is_now(A_COUNT, "1");
    ck_assert_uint_eq(kafka.handed, 1);
    close_all();
}
END_TEST

START_TEST(what_comes_while_a_view_is_saved_that_goes_is_saved_as_well)
{
    SCENE;
    options.checkpoint_interval_ms = HOUR_MS;
    start_with(TWO(V, W));
    assign();
    until(is_live());
    produce("a");
    until_answer("HGET features:user:a m_1h_count", "1");
    offer((const char *const[]){V}, 1);
    until(tenure()->leaving == LEAVING_SOON && tenure()->checkpoint.phase != CHECKPOINT_IDLE);
    produce("b");
    take_offer();
    until_answer("HEXISTS " M " w:gen", "0");
    until_answer(B_COUNT, "1");
    is_now("HEXISTS features:user:b m_1h_count", "0");
    close_all();
}
END_TEST

START_TEST(a_topic_that_goes_is_saved_and_its_state_stays)
{
    static const char *const other = "view: o\nsource: {topic: other}\n"
                                     "entity: {type: user, keys: [{field: id, type: string}]}\n"
                                     "features: [{name: o, aggregates: [count], windows: [1h]}]\n";
    SCENE;
    options.checkpoint_interval_ms = HOUR_MS;
    start_with(TWO(V, W));
    assign();
    until(is_live());
    produce("a");
    until_answer(A_COUNT, "1");
    reload(&other, 1);
    ck_assert_ptr_null(tenure());
    ck_assert_ptr_null(shard());
    is_now("HGET " M " v:prog", "1");
    is_now("HEXISTS " M " v:said", "0"); /* others may write its fields now */
    is_now(A_COUNT, "1");
    turns(10);
    close_all();
}
END_TEST

START_TEST(a_reload_waits_for_the_batch_but_not_for_ever)
{
    SCENE_THAT_RUNS;
    produce("a");
    store_tap->is_deaf = true;
    until(worker->is_sent);
    offer(TWO(V, W_MORE));
    int64_t begun_ms = mono_now;
    until(worker_has_adopted(worker, offered));
    ck_assert_int_ge(mono_now - begun_ms, 5000);
    take_offer();
    ck_assert_ptr_null(shard()); /* what was in the batch may be in Redis, or not */
    store_tap->is_deaf = false;
    until_answer("HGET features:user:a m_2h_count", "4");
    is_now(A_COUNT, "4");
    settle();
    close_all();
}
END_TEST

START_TEST(a_unit_that_is_loading_is_loaded_with_the_new_views)
{
    SCENE_THAT_RUNS;
    crash();
    start_with(TWO(V, W));
    loader_tap->is_deaf = true;
    assign();
    until(tenure()->state == TENURE_LOADING);
    reload(TWO(V, W_MORE));
    loader_tap->is_deaf = false;
    until_answer("HGET features:user:a m_2h_count", "3");
    settle();
    is_now(A_COUNT, "3");
    is_now("HGET " M " v:gen", "1");
    close_all();
}
END_TEST

START_TEST(one_reload_after_the_other_is_as_one)
{
    SCENE_THAT_RUNS;
    reload(TWO(V, W_MORE));
    reload((const char *const[]){W_MORE}, 1);
    reload(TWO(W, V));
    produce("a");
    until_answer("HGET features:user:a m_1h_count", "4");
    until_answer(A_COUNT, "4");
    settle();
    until_answer("HEXISTS features:user:a m_2h_count", "0");
    close_all();
}
END_TEST

/* What is being cleaned away may be written again, by a view of another topic. */
START_TEST(a_field_that_has_a_new_writer_is_not_cleaned_away)
{
    static const char OTHER[] = "view: o\n"
                                "source: {topic: other}\n"
                                "entity: {type: user, keys: [{field: id, type: string}]}\n"
                                "features:\n"
                                "  - {name: x, value: amount, aggregates: [sum], windows: [1h]}\n";
    SCENE_THAT_RUNS;
    reload(TWO(V_LESS, W));
    loader_tap->is_deaf = true;
    until(tenure()->cleaning.count == 1);
    is_now("HEXISTS " M " v:old:1", "1");
    reload((const char *const[]){V_LESS, W, OTHER}, 3);
    ck_assert_uint_eq(tenure()->cleaning.count, 1); /* its topic has not changed */
    (void)ask(&server, "HSET features:user:a x_1h_sum 7");
    loader_tap->is_deaf = false;
    until_answer("HEXISTS " M " v:old:1", "0");
    is_now("HGET features:user:a x_1h_sum", "7");
    close_all();
}
END_TEST

START_TEST(a_drain_does_not_wait_for_a_reload)
{
    SCENE_THAT_RUNS;
    produce("a");
    until(shard()->ledger.position == 5);
    offer((const char *const[]){V}, 1);
    mono_step = 1;
    int64_t begun_ms = mono_now;
    take_away(false);
    ck_assert_int_lt(mono_now - begun_ms, 4000);
    is_now(A_COUNT, "4");
    is_now("HGET " M " v:prog", "5");
    mono_step = 0;
    take_offer();
    assign();
    settle();
    until_answer("HEXISTS " M " w:gen", "0");
    close_all();
}
END_TEST

/* ---- views that change ---- */

START_TEST(a_view_that_has_changed_is_behind_and_joins_while_others_go_on)
{
    SCENE;
    start_with(TWO(V, W));
    produce_many("a", 3);
    produce("b");
    assign();
    settle();
    crash();
    start_with(TWO(V, W_MORE));
    produce("a");
    assign();
    until(is_running());
    ck_assert_int_eq(kafka.begun, 3);
    ck_assert(shard()->is_behind[1] && !shard()->is_behind[0]);
    until(kafka.reader_begun >= 0);
    ck_assert_int_eq(kafka.reader_begun, 0);
    is_now("HGET " M " w:gen", "2");
    until(!shard()->is_behind[1]);
    ck_assert_int_eq(kafka.reader_next, -1); /* held: the unit's own reading has it */
    until_answer("HGET features:user:a m_2h_count", "4");
    produce("a");
    until_answer("HGET features:user:a m_2h_count", "5");
    is_now("HGET features:user:b m_2h_count", "1");
    settle();
    is_now(A_COUNT, "5");
    is_now("HGET " M " w:prog", "6");
    is_now("HGET " M " v:gen", "1");
    until_answer("HEXISTS " M " w:old:1", "0");
    close_all();
}
END_TEST

START_TEST(commits_wait_for_joined_views_only)
{
    SCENE;
    start_with(TWO(V, W));
    produce("a");
    assign();
    settle();
    crash();
    start_with(TWO(V, W_MORE));
    kafka.reader.ops = NULL;
    const struct source_ops deaf = {.poll = fake_poll, .begin = fake_begin, .hold = fake_hold};
    struct source_ops mute = deaf;
    mute.poll = reader_poll;
    kafka.reader.ops = &mute;
    produce("a");
    assign();
    until(is_running());
    until(kafka.reader_begun >= 0);
    kafka.reader_next = -1; /* it is slow */
    kafka.committed = -1;
    until(kafka.committed == 2);
    ck_assert(shard()->is_behind[1]);
    is_now("HGET " M " w:prog", "0");
    kafka.reader_next = 0;
    until(!shard()->is_behind[1]);
    kafka.reader.ops = &reader_ops;
    close_all();
}
END_TEST

START_TEST(a_view_that_is_behind_stays_so_over_a_crash)
{
    SCENE;
    start_with(TWO(V, W));
    produce_many("a", 3);
    assign();
    settle();
    crash();
    start_with(TWO(V, W_MORE));
    assign();
    until(is_running());
    until(kafka.reader_begun >= 0);
    kafka.reader_next = -1; /* it gets no further */
    crash();
    start_with(TWO(V, W_MORE));
    assign();
    until(is_running());
    ck_assert(shard()->is_behind[1] && !shard()->is_behind[0]);
    ck_assert_int_eq(kafka.reader_begun, 0);
    is_now("HGET " M " w:gen", "2"); /* it goes on in the generation that was begun */
    until_answer("HGET features:user:a m_2h_count", "3");
    close_all();
}
END_TEST

START_TEST(a_view_that_is_added_is_read_from_its_own_start)
{
    SCENE_OF_TWO_LIVES(V);
    crash();
    start_with(TWO(V, W));
    assign();
    until_answer("HGET features:user:a m_1h_count", "3");
    is_now("HGET " M " v:gen", "1");
    close_all();
}
END_TEST

START_TEST(fields_that_the_new_definition_does_not_write_disappear)
{
    SCENE;
    start_with(TWO(V, W));
    produce("a");
    assign();
    settle();
    is_now("HGET features:user:a x_1h_sum", "2");
    crash();
    start_with(TWO(V_LESS, W));
    assign();
    until_answer("HGET " M " v:gen", "2");
    until_answer("HEXISTS " M " v:old:1", "0");
    is_now("HGET features:user:a x_1h_sum", "nil");
    is_now(A_COUNT, "1");
    is_now("HGET features:user:a m_1h_count", "1");
    is_now("EXISTS " BLOBS "1:0", "0");
    close_all();
}
END_TEST

START_TEST(old_fields_stay_until_the_new_ones_are_published)
{
    SCENE;
    start_with(TWO(V, W));
    produce("a");
    assign();
    settle();
    crash();
    start_with(TWO(V_LESS, W));
    assign();
    until(is_running());
    until(kafka.reader_begun >= 0);
    kafka.reader_next = -1;
    turns(200);
    is_now("HGET features:user:a x_1h_sum", "2");
    is_now("HEXISTS " M " v:old:1", "1");
    close_all();
}
END_TEST

START_TEST(a_view_that_is_removed_leaves_nothing)
{
    SCENE;
    start_with(TWO(V, W));
    produce("a");
    assign();
    settle();
    crash();
    start(V);
    assign();
    is_now("HEXISTS " M " w:said", "1");
    until_answer("HGET features:user:a m_1h_count", "nil");
    is_now("HEXISTS " M " w:gen", "1"); /* whoever has it again finds all but what is said */
    is_now("HEXISTS " M " w:said", "0");
    until_answer("HEXISTS " M " w:gen", "0");
    is_now("HEXISTS " M " w:out", "0");
    is_now("HGET freshness:user:a w", "nil");
    is_now("EXISTS {tw:g:t:0}:s:w:1:63", "0");
    is_now(A_COUNT, "1");
    close_all();
}
END_TEST

START_TEST(whom_only_the_old_definition_knew_is_published_as_empty)
{
    SCENE;
    start_with(TWO(V, W));
    produce_many("a", 2);
    assign();
    settle();
    crash();
    start_with(TWO(V_LESS, W));
    kafka.log_start = 2; /* the log has forgotten a */
    produce("b");
    assign();
    until_answer(A_COUNT, "0");
    until_answer("HEXISTS " M " v:old:1", "0");
    close_all();
}
END_TEST

START_TEST(the_board_says_that_something_is_left_until_it_is_gone)
{
    SCENE_OF_TWO_LIVES(V_LESS);
    assign();
    until(is_running());
    const _Atomic int64_t *left = &kafka.unit.line->cells[UNIT_LEFTOVERS];
    ck_assert_int_eq(cell_get(left), 1);
    until(cell_get(left) == 0);
    is_now("HEXISTS " M " v:old:1", "0");
    is_now("EXISTS " BLOBS "1:0", "0");
    close_all();
}
END_TEST

START_TEST(an_old_state_stays_until_all_that_it_knew_are_published)
{
    enum { STRANGERS = 200 };
    char text[64];
    SCENE;
    start_with(TWO(V, W));
    for (int i = 0; i < STRANGERS; i++) {
        (void)snprintf(text, sizeof text, "s%d", i);
        produce(text);
    }
    assign();
    settle();
    crash();
    kafka.log_start = STRANGERS; /* the log has forgotten them */
    options.flush_entities_max = 1;
    options.checkpoint_interval_ms = HOUR_MS;
    start_with(TWO(V_LESS, W));
    assign();
    until_answer("HGET " M " v:gen", "2");
    until_answer("HEXISTS " M " v:old:1", "0");
    crash();
    options.flush_entities_max = 100;
    start_with(TWO(V_LESS, W));
    assign();
    until(is_live());
    for (int i = 0; i < STRANGERS; i++) {
        (void)snprintf(text, sizeof text, "HGET features:user:s%d n_1h_count", i);
        until_answer(text, "0");
    }
    close_all();
}
END_TEST

/* ---- events that kill ---- */

#define TRYING "HGET " M " trying"

START_TEST(after_three_claims_without_progress_events_are_tried_one_at_a_time)
{
    SCENE_OF_TWO_LIVES(V);
    produce_many("a", 3);
    is_now("HSET " M " try 3", "0");
    options.checkpoint_interval_ms = HOUR_MS;
    assign();
    until(is_running());
    ck_assert(tenure()->trial.is_on);
    until(shard()->ledger.position == 6);
    /* Noted before it was applied; the next one's note may be there already. */
    long long noted = atoll(ask(&server, TRYING));
    ck_assert(noted == 5 || noted == 6);
    until(shard()->ledger.position == 8);
    settle_at_once();
    is_now(A_COUNT, "6");
    is_now(TRYING, "nil");
    ck_assert(!tenure()->trial.is_on);
    close_all();
}
END_TEST

START_TEST(two_claims_without_progress_are_nothing_yet)
{
    SCENE_OF_TWO_LIVES(V);
    produce("a");
    is_now("HSET " M " try 2", "0");
    assign();
    until(is_running());
    ck_assert(!tenure()->trial.is_on);
    close_all();
}
END_TEST

START_TEST(with_nothing_to_read_there_is_nothing_to_try)
{
    SCENE_OF_TWO_LIVES(V);
    is_now("HSET " M " try 9", "0");
    assign();
    until(is_running());
    ck_assert(!tenure()->trial.is_on);
    close_all();
}
END_TEST

static void note_deaths(const char *trying)
{
    freeReplyObject(redisCommand(server.client, "HSET " M " try 5 trying %s", trying));
}

START_TEST(an_event_that_was_tried_three_times_is_skipped)
{
    SCENE_OF_TWO_LIVES(V);
    produce("a");
    produce("poison");
    produce("a");
    note_deaths("6 2");
    options.checkpoint_interval_ms = HOUR_MS;
    assign();
    settle_at_once();
    is_now(A_COUNT, "5");
    is_now("EXISTS features:user:poison", "0");
    is_now("HGET " M " v:prog", "8");
    close_all();
}
END_TEST

START_TEST(an_event_that_was_tried_twice_gets_another_chance)
{
    SCENE_OF_TWO_LIVES(V);
    produce("a");
    produce("poison");
    note_deaths("6 1");
    options.checkpoint_interval_ms = HOUR_MS;
    assign();
    until_answer(TRYING, "6 2");
    settle_at_once();
    is_now("HGET features:user:poison n_1h_count", "1");
    close_all();
}
END_TEST

/* Each life tries again what comes before it, and survives that. */
START_TEST(an_event_that_kills_is_skipped_though_others_come_before_it)
{
    static const char *const notes[] = {"7 0", "7 1", "7 2"};
    SCENE_OF_TWO_LIVES(V);
    produce_many("a", 2);
    produce("poison");
    produce("a");
    is_now("HSET " M " try 3", "0");
    options.checkpoint_interval_ms = HOUR_MS;
    for (size_t i = 0; i < 3; i++) {
        assign();
        until_answer(TRYING, notes[i]);
        crash();
        start(V);
    }
    assign();
    settle_at_once();
    is_now(A_COUNT, "6");
    is_now("EXISTS features:user:poison", "0");
    close_all();
}
END_TEST

START_TEST(nothing_more_is_tried_while_a_view_that_goes_is_saved)
{
    SCENE_THAT_RUNS;
    offer((const char *const[]){V}, 1);
    until(tenure()->leaving == LEAVING_SOON && worker->is_sent &&
          tenure()->checkpoint.phase == CHECKPOINT_PROGRESS);
    produce("a");
    kafka.next = kafka.begun = -1;
    tenure()->trial.offset = 4; /* it is held: its note goes with the last checkpoint */
    until(tenure()->trial.allowed == 4);
    ck_assert_int_eq(kafka.begun, -1);
    take_offer();
    settle();
    is_now(A_COUNT, "4");
    close_all();
}
END_TEST

/* ---- dead letters ---- */

static void write_letters(const char *poison)
{
    options.dead_letter_topic = (char *)"letters";
    options.on_error[VERDICT_BAD_JSON] = (char *)"dead_letter";
    options.on_error[VERDICT_POISON] = (char *)poison;
}

static void produce_bad(void)
{
    (void)snprintf(kafka.log[kafka.log_end].text, TEXT_MAX, "{bad");
    kafka.log[kafka.log_end++].timestamp_ms = wall_now;
}

START_TEST(progress_stops_before_a_letter_and_what_comes_behind_it_counts_once)
{
    SCENE;
    write_letters("drop");
    start(V);
    produce_many("a", 3);
    produce_bad();
    produce_many("a", 2);
    assign();
    until(is_live() && shard()->ledger.position == 6);
    until(kafka.committed == 3);
    is_now("HGET " M " v:prog", "3");
    until_answer(A_COUNT, "5");
    until(shard()->dirty.count == 0);
    crash();
    start(V);
    produce("a");
    assign();
    until(is_live() && shard()->ledger.position == 7);
    ck_assert_int_eq(kafka.begun, 3);
    ck_assert_uint_eq(post.count, 1); /* once more */
    ck_assert_int_eq(post.kept[0].offset, 3);
    post_deliver(0);
    settle();
    is_now(A_COUNT, "6");
    is_now("HGET " M " v:prog", "7");
    close_all();
}
END_TEST

START_TEST(another_log_is_noticed_at_the_letter_that_the_state_stops_before)
{
    SCENE;
    write_letters("drop");
    start(V);
    produce_many("a", 2);
    produce_bad();
    produce("a");
    assign();
    until(kafka.committed == 2);
    crash();
    kafka.log[2].timestamp_ms++;
    start(V);
    assign();
    until(is_running() && shard()->ledger.position == 4);
    is_now("HGET " M " v:gen", "2");
    close_all();
}
END_TEST

START_TEST(revoked_it_waits_for_letters_before_its_last_checkpoint)
{
    SCENE;
    write_letters("drop");
    options.checkpoint_interval_ms = HOUR_MS;
    start(V);
    produce("a");
    produce_bad();
    produce("a");
    assign();
    until(is_live() && shard()->ledger.position == 3);
    post.is_prompt = true;
    mono_step = 1;
    take_away(false);
    is_now("HGET " M " v:prog", "3");
    ck_assert_int_eq(kafka.committed, 3);
    close_all();
}
END_TEST

START_TEST(revoked_with_letters_that_do_not_go_it_leaves_progress_before_them)
{
    SCENE;
    write_letters("drop");
    options.checkpoint_interval_ms = HOUR_MS;
    start(V);
    produce("a");
    produce_bad();
    produce("a");
    assign();
    until(is_live() && shard()->ledger.position == 3);
    mono_step = 1;
    int64_t begun = mono_now;
    take_away(false);
    ck_assert_int_lt(mono_now - begun, 5000);
    is_now(A_COUNT, "2");
    is_now("HGET " M " v:prog", "1");
    ck_assert_int_eq(kafka.committed, 1);
    close_all();
}
END_TEST

START_TEST(a_view_that_is_behind_only_counts)
{
    SCENE;
    write_letters("drop");
    start_with(TWO(V, W));
    produce("a");
    produce_bad();
    assign();
    until(is_live() && shard()->ledger.position == 2);
    post_deliver(0);
    settle();
    crash();
    start_with(TWO(V, W_MORE));
    produce_bad();
    assign();
    until(is_live() && !shard()->is_behind[1]);
    until(shard()->ledger.position == 3);
    ck_assert_uint_eq(post.count, 1);
    ck_assert_int_eq(post.kept[0].offset, 2);
    ck_assert_str_eq(post.kept[0].views, "v,w");
    ck_assert_uint_ge(tally_read(&worker->lines[1]->tally, VERDICT_BAD_JSON), 1);
    close_all();
}
END_TEST

START_TEST(a_new_view_does_not_begin_ahead_of_the_others)
{
    SCENE;
    start_with(TWO(V, W));
    produce_many("a", 5);
    assign();
    settle();
    crash();
    options.checkpoint_interval_ms = HOUR_MS;
    start_with(TWO(V, W_MORE));
    produce_many("a", 5);
    kafka.again = 8; /* after a long absence */
    assign();
    until_answer("HGET " M " w:gen", "2");
    is_now("HGET " M " w:prog", "5");
    until(kafka.reader_begun >= 0);
    ck_assert_int_eq(kafka.reader_begun, 5);
    close_all();
}
END_TEST

START_TEST(a_poison_event_is_skipped_once_its_letter_is_delivered)
{
    SCENE_OF_TWO_LIVES(V);
    crash();
    write_letters("dead_letter");
    start(V);
    produce("a");
    produce("poison");
    produce("a");
    note_deaths("6 2");
    assign();
    until(is_running() && tenure()->trial.is_found);
    until_answer(TRYING, "6 3");
    turns(200);
    ck_assert_uint_eq(post.count, 1);
    ck_assert_int_eq(post.kept[0].reason, VERDICT_POISON);
    ck_assert_int_eq(post.kept[0].offset, 6);
    ck_assert_int_eq(shard()->ledger.position, 6);
    is_now(TRYING, "6 3"); /* whoever comes next knows of it */
    is_now("HGET " M " v:prog", "5");
    until_answer(A_COUNT, "4");
    post_deliver(0);
    settle();
    is_now(A_COUNT, "5");
    is_now("EXISTS features:user:poison", "0");
    is_now(TRYING, "nil");
    ck_assert_uint_eq(tally_read(&worker->lines[0]->tally, VERDICT_POISON), 1);
    close_all();
}
END_TEST

START_TEST(a_crash_while_the_poison_event_waits_finds_it_again)
{
    SCENE_OF_TWO_LIVES(V);
    crash();
    write_letters("dead_letter");
    start(V);
    produce("a");
    produce("poison");
    note_deaths("6 2");
    for (int life = 0; life < 4; life++) {
        assign();
        until(is_running() && tenure()->trial.is_found && tenure()->trial.offset < 0);
        turns(50);
        ck_assert_uint_eq(post.count, 1);
        crash();
        start(V);
    }
    post.is_prompt = true;
    assign();
    settle();
    is_now("EXISTS features:user:poison", "0");
    close_all();
}
END_TEST

START_TEST(a_stop_at_a_poison_event_stops_every_life_there)
{
    SCENE_OF_TWO_LIVES(V);
    crash();
    write_letters("stop");
    produce("a");
    produce("poison");
    note_deaths("6 2");
    for (int life = 0; life < 4; life++) {
        start(V);
        assign();
        int rc = 0;
        while (rc == 0)
            rc = try_turn();
        ck_assert_int_eq(rc, ERR_FATAL);
        ck_assert_ptr_nonnull(strstr(err.text, "offset 6: rejected as poison by view v"));
        mono_step = 1;
        take_away(false); /* the drain, as worker_end() does it */
        mono_step = 0;
        ck_assert_int_le(kafka.committed, 6);
        crash();
    }
    start(V);
    close_all();
}
END_TEST

/* ---- entities that are away ---- */

static bool is_cold(const char *id)
{
    const struct entity *entity = kit_entity(shard(), id);
    return entity != NULL && (entity->flags & ENTITY_COLD) != 0;
}

static void cool_all(void)
{
    until(tenure()->checkpoint.phase == CHECKPOINT_IDLE && shard()->dirty.count == 0);
    ck_assert_uint_gt(shard_cool(shard(), 10), 0);
}

START_TEST(a_cold_entity_is_fetched_for_its_next_event)
{
    SCENE_OF_TWO_LIVES(V);
    assign();
    until(is_live());
    cool_all();
    ck_assert(is_cold("a"));
    produce("a");
    settle();
    is_now(A_COUNT, "4");
    ck_assert(!is_cold("a") && is_cold("b"));
    close_all();
}
END_TEST

enum { CROWD = 200 };

static void produce_crowd(void)
{
    for (int i = 0; i < CROWD; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "u%d", i);
        produce(id);
    }
}

static int count_hot(void)
{
    int hot = 0;
    for (int i = 0; i < CROWD; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "u%d", i);
        hot += !is_cold(id);
    }
    return hot;
}

START_TEST(short_of_memory_no_more_blobs_come_back_than_go)
{
    int most = 0;
    SCENE;
    start(V);
    produce_crowd();
    assign();
    settle();
    until(tenure()->checkpoint.phase == CHECKPOINT_IDLE && shard()->dirty.count == 0);
    ck_assert_uint_eq(shard_cool(shard(), 2 * CROWD), CROWD);
    options.limits_memory = (int64_t)shard_bytes(shard()) / 9 * 10;
    produce_crowd();
    while (kafka.committed < kafka.log_end) {
        pass_ms(1);
        turn();
        most = count_hot() > most ? count_hot() : most;
    }
    ck_assert_int_lt(most, CROWD * 3 / 4);
    is_now("HGET features:user:u0 n_1h_count", "2");
    is_now("HGET features:user:u199 n_1h_count", "2");
    close_all();
}
END_TEST

START_TEST(a_cold_entity_whose_blob_is_gone_builds_the_unit_anew)
{
    char command[128];
    SCENE_OF_TWO_LIVES(V);
    assign();
    until(is_live());
    cool_all();
    (void)snprintf(command, sizeof command, "HDEL " BLOBS "1:%u a", meta_blob_hash(slice_of("a")));
    is_now(command, "1");
    produce("a");
    until(kafka.restarts == 1);
    assign();
    settle();
    is_now(A_COUNT, "4");
    is_now("HGET " M " v:gen", "2");
    close_all();
}
END_TEST

START_TEST(what_was_asked_for_before_it_was_parked_is_asked_for_again)
{
    SCENE_OF_TWO_LIVES(V);
    assign();
    until(is_live());
    cool_all();
    loader_tap->is_deaf = true;
    produce("a");
    until(loader_is_busy(ends.loader));
    mono_step = 100;
    take_away(true);
    mono_step = 0;
    assign();
    until(is_running());
    loader_tap->is_deaf = false;
    settle();
    is_now(A_COUNT, "4");
    close_all();
}
END_TEST

START_TEST(a_unit_that_is_lost_goes_on_decaying_while_kafka_is_away)
{
    SCENE;
    start(SHORT);
    produce("a");
    assign();
    settle();
    is_now("HGET features:user:a n_10s_count", "1");
    take_away(true);
    kafka.is_away = true;
    until_answer("HGET features:user:a n_10s_count", "0");
    kafka.is_away = false;
    close_all();
}
END_TEST

START_TEST(what_decays_while_nobody_runs_is_written_by_who_comes)
{
    SCENE;
    start(SHORT);
    produce("a");
    assign();
    settle();
    is_now("HGET features:user:a n_10s_count", "1");
    crash();
    pass_ms(60000);
    start(SHORT);
    assign();
    until_answer("HGET features:user:a n_10s_count", "0");
    until_answer("HLEN " BLOBS "1:0", "1");
    close_all();
}
END_TEST

/* ---- what the board shows ---- */

static int64_t unit_cell(enum board_unit_cell cell)
{
    return cell_get(&kafka.unit.line->cells[cell]);
}

static int64_t board_cell(enum board_cell cell)
{
    return cell_get(&board->cells[cell]);
}

/* Batches that had features in them. */
static int64_t measured_batches(void)
{
    int64_t count = 0;
    for (size_t i = 0; i <= entities_buckets.count; i++)
        count += cell_get(&board->batch_entities.of[i]);
    return count;
}

/* So that what is shown once a second is shown. */
static void see(void)
{
    pass_ms(1000);
    turn();
}

START_TEST(a_unit_shows_its_way_and_its_checkpoints)
{
    SCENE;
    start(V);
    produce_many("a", 3);
    assign();
    ck_assert_int_eq(unit_cell(UNIT_STAGE), STAGE_CLAIMING);
    ck_assert_int_eq(unit_cell(UNIT_SAVED_MS), -1);
    settle();
    int64_t saved_ms = wall_now;
    ck_assert_int_eq(unit_cell(UNIT_STAGE), STAGE_LIVE);
    ck_assert_int_ge(board_cell(BOARD_CHECKPOINTS), 1);
    ck_assert_int_gt(board_cell(BOARD_CHECKPOINT_BYTES), 10);
    ck_assert_int_eq(measured_batches(), 1);
    ck_assert_int_gt(board_cell(BOARD_BATCHES), 1);
    see();
    ck_assert_int_eq(unit_cell(UNIT_DURABLE), 3);
    ck_assert_int_eq(unit_cell(UNIT_COMMITTED), 3);
    ck_assert_int_ge(unit_cell(UNIT_SAVED_MS), saved_ms); /* nothing is to be saved */
    int64_t checked_ms = unit_cell(UNIT_CHECKED_MS);
    see();
    ck_assert_int_eq(unit_cell(UNIT_CHECKED_MS), checked_ms);
    ck_assert_int_gt(unit_cell(UNIT_SAVED_MS), checked_ms);
    tenure()->checkpoint_ms = INT64_MAX; /* none any more */
    produce("a");
    see();
    int64_t last_ms = unit_cell(UNIT_SAVED_MS);
    see();
    ck_assert_int_eq(unit_cell(UNIT_SAVED_MS),
                     last_ms); /* so long it is that Redis lacks something */
    close_all();
}
END_TEST

START_TEST(a_unit_that_was_loaded_knows_when_it_was_saved)
{
    SCENE;
    start(V);
    produce_many("a", 3);
    assign();
    settle();
    crash();
    int64_t died_ms = wall_now;
    pass_ms(7000);
    start(V);
    assign();
    until(is_running());
    ck_assert_int_gt(unit_cell(UNIT_CHECKED_MS), NOW);
    ck_assert_int_le(unit_cell(UNIT_CHECKED_MS), died_ms);
    ck_assert_int_gt(unit_cell(UNIT_SAVED_MS), died_ms); /* what was loaded is what Redis has */
    ck_assert_int_eq(unit_cell(UNIT_START), 3);
    ck_assert_int_ge(unit_cell(UNIT_RECORD_MS), NOW);
    ck_assert_int_le(unit_cell(UNIT_RECORD_MS), died_ms);
    close_all();
}
END_TEST

START_TEST(a_unit_with_a_view_that_is_behind_is_not_shown_as_live)
{
    SCENE;
    start_with(TWO(V, W));
    produce_many("a", 3);
    assign();
    settle();
    crash();
    start_with(TWO(V, W_MORE));
    assign();
    until(is_running());
    ck_assert(shard()->is_live && shard()->is_behind[1]);
    ck_assert_int_eq(unit_cell(UNIT_STAGE), STAGE_BEHIND);
    until(!shard()->is_behind[1]);
    see();
    ck_assert_int_eq(unit_cell(UNIT_STAGE), STAGE_LIVE);
    close_all();
}
END_TEST

START_TEST(a_unit_that_was_lost_shows_that_it_rests_and_a_dropped_one_is_away)
{
    SCENE;
    start(V);
    produce_many("a", 3);
    assign();
    settle();
    claim_theirs();
    produce("a");
    until(tenure()->state == TENURE_RESTING);
    ck_assert_int_eq(unit_cell(UNIT_STAGE), STAGE_RESTING);
    ck_assert_int_eq(unit_cell(UNIT_POSITION), -1);
    const struct board_unit *line = kafka.unit.line;
    cell_add(&kafka.unit.line->missing, 1);
    take_away(false);
    kafka.handler.dropped(kafka.handler.arg, &kafka.unit);
    ck_assert_int_eq(cell_get(&line->cells[UNIT_STAGE]), STAGE_AWAY);
    ck_assert_int_eq(cell_get(&line->missing), 1); /* a counter goes on */
    assign();                                      /* and close_all() drops it again */
    close_all();
}
END_TEST

UNIT_MAIN(
    "tenure", a_reload_that_changes_nothing_touches_nothing,
    a_view_that_changes_is_behind_and_the_other_keeps_its_memory,
    a_reload_survives_a_crash_right_behind_it, a_view_that_goes_is_saved_first_and_cleaned_away,
    a_topic_that_goes_is_saved_and_its_state_stays, a_reload_waits_for_the_batch_but_not_for_ever,
    a_unit_that_is_loading_is_loaded_with_the_new_views, one_reload_after_the_other_is_as_one,
    a_drain_does_not_wait_for_a_reload, a_field_that_has_a_new_writer_is_not_cleaned_away,
    a_fresh_unit_is_reset_durably_and_then_read,
    a_unit_that_somebody_waits_for_is_saved_as_soon_as_it_is_published,
    a_restart_loads_and_reads_nothing_twice, what_was_not_saved_is_read_again_and_counts_once,
    a_load_does_not_follow_what_kafka_has_committed,
    the_second_life_counts_what_the_first_did_not_say, a_commit_says_what_the_checkpoint_began_with,
    a_state_that_was_not_live_yet_stays_silent_until_it_has_caught_up,
    a_missing_sentinel_builds_the_unit_anew, a_damaged_blob_builds_the_unit_anew,
    another_record_where_the_state_ends_builds_the_unit_anew,
    a_record_that_the_log_has_lost_is_not_compared,
    a_log_that_ends_before_the_state_builds_the_unit_anew,
    a_persons_wish_builds_the_unit_anew_and_is_not_found_again,
    a_state_of_a_clock_that_ran_ahead_is_built_anew,
    a_crash_in_a_rebuild_goes_on_in_the_new_generation, another_number_of_partitions_halts,
    another_cluster_halts, a_cluster_that_is_not_known_halts_nobody, another_format_halts,
    a_log_that_begins_behind_the_progress_goes_on_and_marks_the_coverage,
    a_log_that_is_too_short_marks_the_views_that_begin_with_it_and_no_other,
    a_foreign_claim_drops_the_unit_until_it_is_planned_again,
    an_idle_unit_notices_a_foreign_claim_too, an_older_redis_drops_the_unit,
    revoked_it_writes_a_last_checkpoint_commits_and_parks,
    revoked_with_redis_away_it_gives_up_within_its_budget,
    assigned_again_and_untouched_it_goes_on_without_a_load,
    assigned_again_but_touched_meanwhile_it_is_loaded, lost_it_is_parked_without_a_write,
    a_parked_unit_that_goes_elsewhere_is_forgotten,
    a_unit_that_was_parked_while_it_loaded_is_loaded_again,
    a_view_that_has_changed_is_behind_and_joins_while_others_go_on,
    commits_wait_for_joined_views_only, a_view_that_is_behind_stays_so_over_a_crash,
    a_view_that_is_added_is_read_from_its_own_start,
    fields_that_the_new_definition_does_not_write_disappear,
    old_fields_stay_until_the_new_ones_are_published, a_view_that_is_removed_leaves_nothing,
    whom_only_the_old_definition_knew_is_published_as_empty,
    the_board_says_that_something_is_left_until_it_is_gone,
    an_old_state_stays_until_all_that_it_knew_are_published,
    after_three_claims_without_progress_events_are_tried_one_at_a_time,
    two_claims_without_progress_are_nothing_yet, with_nothing_to_read_there_is_nothing_to_try,
    an_event_that_was_tried_three_times_is_skipped,
    an_event_that_was_tried_twice_gets_another_chance,
    an_event_that_kills_is_skipped_though_others_come_before_it,
    nothing_more_is_tried_while_a_view_that_goes_is_saved,
    progress_stops_before_a_letter_and_what_comes_behind_it_counts_once,
    another_log_is_noticed_at_the_letter_that_the_state_stops_before,
    revoked_it_waits_for_letters_before_its_last_checkpoint,
    revoked_with_letters_that_do_not_go_it_leaves_progress_before_them,
    a_view_that_is_behind_only_counts, a_new_view_does_not_begin_ahead_of_the_others,
    a_poison_event_is_skipped_once_its_letter_is_delivered,
    a_crash_while_the_poison_event_waits_finds_it_again,
    a_stop_at_a_poison_event_stops_every_life_there, a_cold_entity_is_fetched_for_its_next_event,
    short_of_memory_no_more_blobs_come_back_than_go,
    a_cold_entity_whose_blob_is_gone_builds_the_unit_anew,
    what_was_asked_for_before_it_was_parked_is_asked_for_again,
    a_unit_that_is_lost_goes_on_decaying_while_kafka_is_away,
    what_decays_while_nobody_runs_is_written_by_who_comes, a_unit_shows_its_way_and_its_checkpoints,
    a_unit_that_was_loaded_knows_when_it_was_saved,
    a_unit_with_a_view_that_is_behind_is_not_shown_as_live,
    a_unit_that_was_lost_shows_that_it_rests_and_a_dropped_one_is_away,
    what_comes_while_a_view_is_saved_that_goes_is_saved_as_well)
