#include "tidewheel/cli.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "redis_kit.h"
#include "tidewheel/meta.h"
#include "tidewheel/output.h"
#include "tidewheel/timestamp.h"

/* With Kafka away, and with a margin for a busy machine. */
enum { AWAY_MS = 3000, HOUR_MS = 3600000, HOUR_HOP_MS = 30000, SHORT_HOP_MS = 100 };

static const char WALL[] = "view: v\n"
                           "source: {topic: t, timestamp: {field: ts, unit: ms}}\n"
                           "entity: {type: user, keys: [{field: id, type: string}]}\n"
                           "features:\n"
                           "  - {name: seen, aggregates: [count], windows: [10s, 1h]}\n"
                           "  - {name: more, aggregates: [count], windows: [1h]}\n";
static const char EVENT[] = "view: w\n"
                            "source: {topic: t, timestamp: {field: ts, unit: ms}}\n"
                            "entity: {type: user, keys: [{field: id, type: string}]}\n"
                            "features:\n"
                            "  - {name: seen_w, aggregates: [count], windows: [10s]}\n"
                            "clock: event\n";
static const char *const VIEWS[] = {"0.yaml", "1.yaml"};
static const char OWN[] = "0123456789abcdef0123456789abcdef";

/* A Redis, a folder with a configuration, and what the command has printed. */
struct scene {
    struct server server;
    char url[160];
    char digits[2][33];
    char printed[8192];
    int64_t took_ms;
};

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

/* Of a file in the scene's folder; good until the next call. */
static const char *path_of(const struct scene *scene, const char *name)
{
    static char ret[128];
    (void)snprintf(ret, sizeof ret, "%s/%s", scene->server.folder, name);
    return ret;
}

static void scene_open(struct scene *scene, const char *brokers)
{
    char text[512];
    server_open(&scene->server, NO_OPTIONS);
    (void)snprintf(scene->url, sizeof scene->url, "unix://%s", scene->server.socket);
    for (int i = 0; i < 2; i++) {
        struct buf report = {NULL, 0, 0};
        struct catalog *catalog = NULL;
        const char *view = i == 0 ? WALL : EVENT;
        write_file(path_of(scene, VIEWS[i]), view);
        ck_assert_int_eq(pipeline_load_text("x", slice_of(view), &report, &catalog), 0);
        view_definition(catalog->views[0], scene->digits[i]);
        catalog_free(catalog);
    }
    (void)snprintf(text, sizeof text,
                   "kafka: {brokers: '%s', group_id: g}\npipelines: [0.yaml, 1.yaml]\n", brokers);
    write_file(path_of(scene, "config.yaml"), text);
}

static void scene_close(struct scene *scene)
{
    for (int i = 0; i < 2; i++)
        (void)unlink(path_of(scene, VIEWS[i]));
    (void)unlink(path_of(scene, "config.yaml"));
    server_close(&scene->server);
}

static int run_state(struct scene *scene, const char *url)
{
    char redis[256];
    char config[128];
    (void)snprintf(redis, sizeof redis, "redis.url=%s", url);
    (void)snprintf(config, sizeof config, "%s", path_of(scene, "config.yaml"));
    const char *assignments[] = {redis};
    struct cli_args args = {.config = config, .assignments = assignments, .assignment_count = 1};
    FILE *file = fopen(path_of(scene, "printed"), "w+");
    ck_assert_ptr_nonnull(file);
    (void)fflush(stdout);
    int before = dup(STDOUT_FILENO);
    (void)dup2(fileno(file), STDOUT_FILENO);
    int64_t begun_ms = clock_mono_ms();
    int code = command_state(&args);
    scene->took_ms = clock_mono_ms() - begun_ms;
    (void)fflush(stdout);
    (void)dup2(before, STDOUT_FILENO);
    (void)close(before);
    rewind(file);
    size_t len = fread(scene->printed, 1, sizeof scene->printed - 1, file);
    scene->printed[len] = '\0';
    (void)fclose(file);
    (void)unlink(path_of(scene, "printed"));
    return code;
}

/* One command, of words that may hold spaces. */
static void put(struct scene *scene, const char *key, const char *field, const char *value)
{
    redisReply *reply = redisCommand(scene->server.client, "HSET %s %s %s", key, field, value);
    ck_assert(reply != NULL && reply->type == REDIS_REPLY_INTEGER);
    freeReplyObject(reply);
}

static void put_number(struct scene *scene, const char *key, const char *field, int64_t number)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%lld", (long long)number);
    put(scene, key, field, text);
}

/* What all keys of a unit take. */
static long long bytes_of(struct scene *scene, int partition)
{
    long long ret = 0;
    redisReply *keys = redisCommand(scene->server.client, "KEYS {tw:g:t:%d}*", partition);
    for (size_t i = 0; i < keys->elements; i++) {
        redisReply *reply =
            redisCommand(scene->server.client, "MEMORY USAGE %s", keys->element[i]->str);
        ret += reply->integer;
        freeReplyObject(reply);
    }
    freeReplyObject(keys);
    return ret;
}

/* Partition 0 of three, with both views; entities a, b and c of v and a of w. */
static void put_unit(struct scene *scene, int64_t now_ms)
{
    static const char KEY[] = "{tw:g:t:0}:m";
    put(scene, KEY, "own", OWN);
    put(scene, KEY, "seq", "7");
    put(scene, KEY, "fmt", "1");
    put(scene, KEY, "who", "host/42/worker 1");
    put(scene, KEY, "topo", "cluster 3");
    put_number(scene, KEY, "saved", now_ms - 90000);
    put(scene, KEY, "v:def", scene->digits[0]);
    put(scene, KEY, "v:gen", "2");
    put(scene, KEY, "v:prog", "100");
    put_number(scene, KEY, "v:cover", now_ms - 60000);
    put(scene, KEY, "w:def", scene->digits[1]);
    put(scene, KEY, "w:gen", "3");
    put(scene, KEY, "w:prog", "90");
    put(scene, KEY, "w:clock", "1600000000000");
    put(scene, KEY, "w:cover", "1599999995000");
    put(scene, KEY, "v:old:1", "1 k{id} f{id} 0 1 v a");
    put(scene, KEY, "gone:gen", "1");
    for (int k = 0; k < META_HASHES; k++) {
        char key[64];
        (void)snprintf(key, sizeof key, "{tw:g:t:0}:s:v:2:%d", k);
        put(scene, key, META_SENTINEL, "1");
        if (k < 3)
            put(scene, key, "entity", "blob");
        (void)snprintf(key, sizeof key, "{tw:g:t:0}:s:w:3:%d", k);
        put(scene, key, META_SENTINEL, "1");
        if (k == 9)
            put(scene, key, "entity", "blob");
    }
    put(scene, "{tw:g:t:0}:s:v:1:5", "entity", "an old generation is no entity, but takes bytes");
}

/* A table of cells as it is printed, without the width of its columns: one space each. */
static const char *squeezed(const char *text)
{
    static char ret[8192];
    size_t len = 0;
    for (; *text != '\0'; text++)
        if (*text != ' ' || text[1] != ' ')
            ret[len++] = *text;
    ret[len] = '\0';
    return ret;
}

static const char *moment(int64_t ms)
{
    static char ret[32];
    timestamp_format(ms, ret);
    return ret;
}

#define HEAD "TOPIC PARTITION OWNER GENERATION PROGRESS LAG ENTITIES BYTES CHECKPOINT\n"

START_TEST(without_kafka_units_are_found_by_what_the_last_owner_left)
{
    struct scene scene;
    char expected[2048];
    int64_t now_ms = clock_wall_ms();
    if (!has_server("state"))
        return;
    scene_open(&scene, "127.0.0.1:1");
    put_unit(&scene, now_ms);
    put(&scene, "{tw:g:t:1}:m", "own", "not a nonce");
    is_answer(&scene.server, "ACL SETUSER reader on >secret ~* -@all +hgetall +hlen +memory|usage",
              "OK");
    char url[256];
    (void)snprintf(url, sizeof url, "unix://reader:secret@%s", scene.server.socket);
    ck_assert_int_eq(run_state(&scene, url), EXIT_OK);
    ck_assert_int_le(scene.took_ms, AWAY_MS);
    int len =
        snprintf(expected, sizeof expected,
                 HEAD "t 0 host/42/worker 1 01234567 2,3 90 - 4 %lld 1m ago\n"
                      "t 1 damaged - - - 0 %lld -\n"
                      "t 2 never checkpointed - - - - - -\n"
                      "\nTOPIC PARTITION VIEW GENERATION PROGRESS COVERAGE\n"
                      "t 0 v 2 100 not whole: 1h until %s\n",
                 bytes_of(&scene, 0), bytes_of(&scene, 1),
                 moment((now_ms - 60000 - 1) / HOUR_HOP_MS * HOUR_HOP_MS + HOUR_HOP_MS + HOUR_MS));
    (void)snprintf(expected + len, sizeof expected - (size_t)len,
                   "t 0 w 3 90 not whole: 10s until event time %s\n"
                   "t 0 gone 1 - not in the configuration\n",
                   moment(INT64_C(1599999994900) + SHORT_HOP_MS + 10000));
    ck_assert_str_eq(squeezed(scene.printed), expected);
    scene_close(&scene);
}
END_TEST

START_TEST(a_window_is_whole_once_it_begins_after_what_was_missing)
{
    struct scene scene;
    int64_t now_ms = clock_wall_ms();
    if (!has_server("state"))
        return;
    scene_open(&scene, "127.0.0.1:1");
    put_unit(&scene, now_ms);
    put_number(&scene, "{tw:g:t:0}:m", "v:cover", now_ms - HOUR_MS - HOUR_HOP_MS);
    put(&scene, "{tw:g:t:0}:m", "w:cover", "0");
    ck_assert_int_eq(run_state(&scene, scene.url), EXIT_OK);
    ck_assert_ptr_nonnull(strstr(squeezed(scene.printed), "t 0 v 2 100 whole\n"));
    ck_assert_ptr_nonnull(strstr(squeezed(scene.printed), "t 0 w 3 90 whole\n"));
    put(&scene, "{tw:g:t:0}:m", "v:def", OWN);
    is_answer(&scene.server, "HDEL {tw:g:t:0}:m w:cover", "1");
    ck_assert_int_eq(run_state(&scene, scene.url), EXIT_OK);
    ck_assert_ptr_nonnull(strstr(squeezed(scene.printed), "t 0 v 2 100 of another definition\n"));
    ck_assert_ptr_nonnull(strstr(squeezed(scene.printed), "t 0 w 3 90 -\n"));
    put(&scene, "{tw:g:t:0}:m", "v:cover", "4000000000000000000");
    put(&scene, "{tw:g:t:0}:m", "v:def", scene.digits[0]);
    is_answer(&scene.server, "HDEL {tw:g:t:0}:m w:def w:gen w:prog w:clock", "4");
    ck_assert_int_eq(run_state(&scene, scene.url), EXIT_OK);
    ck_assert_ptr_nonnull(
        strstr(squeezed(scene.printed),
               "not whole: 10s until the end of time, 1h until the end of time\n"));
    ck_assert_ptr_nonnull(strstr(squeezed(scene.printed), "t 0 w - - no state yet\n"));
    scene_close(&scene);
}
END_TEST

/* NOPERM. */
START_TEST(what_redis_does_not_let_count_is_a_dash)
{
    struct scene scene;
    char url[256];
    if (!has_server("state"))
        return;
    scene_open(&scene, "127.0.0.1:1");
    put_unit(&scene, clock_wall_ms());
    is_answer(&scene.server, "ACL SETUSER reader on >secret ~* -@all +hgetall", "OK");
    (void)snprintf(url, sizeof url, "unix://reader:secret@%s", scene.server.socket);
    ck_assert_int_eq(run_state(&scene, url), EXIT_OK);
    ck_assert_ptr_nonnull(strstr(squeezed(scene.printed), " 2,3 90 - - - 1m ago\n"));
    is_answer(&scene.server, "ACL SETUSER reader -hgetall", "OK");
    ck_assert_int_eq(run_state(&scene, url), EXIT_UNAVAILABLE);
    ck_assert_str_eq(scene.printed, "");
    scene_close(&scene);
}
END_TEST

START_TEST(a_redis_that_is_away_is_69_and_a_wrong_configuration_78)
{
    struct scene scene;
    if (!has_server("state"))
        return;
    scene_open(&scene, "127.0.0.1:1");
    ck_assert_int_eq(run_state(&scene, "unix:///nonexistent/socket"), EXIT_UNAVAILABLE);
    ck_assert_int_eq(run_state(&scene, "http://h"), EXIT_CONFIG);
    ck_assert_int_eq(run_state(&scene, "nonsense"), EXIT_CONFIG);
    write_file(path_of(&scene, VIEWS[0]), "view: v\n");
    ck_assert_int_eq(run_state(&scene, scene.url), EXIT_CONFIG);
    ck_assert_str_eq(scene.printed, "");
    scene_close(&scene);
}
END_TEST

/* A mock cluster whose topic has two partitions, with records in the first. */
static rd_kafka_t *kafka_open(int count)
{
    char reason[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    (void)rd_kafka_conf_set(conf, "test.mock.num.brokers", "1", reason, sizeof reason);
    (void)rd_kafka_conf_set(conf, "log_level", "2", reason, sizeof reason);
    rd_kafka_t *handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    ck_assert_ptr_nonnull(handle);
    ck_assert_int_eq(rd_kafka_mock_topic_create(rd_kafka_handle_mock_cluster(handle), "t", 2, 1),
                     0);
    for (int i = 0; i < count; i++)
        ck_assert_int_eq(rd_kafka_producev(handle, RD_KAFKA_V_TOPIC("t"), RD_KAFKA_V_PARTITION(0),
                                           RD_KAFKA_V_VALUE("{}", 2),
                                           RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                                           RD_KAFKA_V_END),
                         RD_KAFKA_RESP_ERR_NO_ERROR);
    ck_assert_int_eq(rd_kafka_flush(handle, WAIT_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
    return handle;
}

START_TEST(with_kafka_lag_is_what_the_log_holds_from_the_progress_on)
{
    struct scene scene;
    if (!has_server("state"))
        return;
    rd_kafka_t *kafka = kafka_open(95);
    scene_open(&scene, rd_kafka_mock_cluster_bootstraps(rd_kafka_handle_mock_cluster(kafka)));
    put_unit(&scene, clock_wall_ms());
    ck_assert_int_eq(run_state(&scene, scene.url), EXIT_OK);
    ck_assert_ptr_nonnull(strstr(squeezed(scene.printed), " 2,3 90 5 4 "));
    ck_assert_ptr_nonnull(
        strstr(squeezed(scene.printed), "t 1 never checkpointed - - - - - -\n\nTOPIC"));
    put(&scene, "{tw:g:t:0}:m", "w:prog", "96");
    ck_assert_int_eq(run_state(&scene, scene.url), EXIT_OK);
    ck_assert_ptr_nonnull(strstr(squeezed(scene.printed), " 2,3 96 log ends before 4 "));
    scene_close(&scene);
    rd_kafka_destroy(kafka);
}
END_TEST

UNIT_MAIN("state", without_kafka_units_are_found_by_what_the_last_owner_left,
          a_window_is_whole_once_it_begins_after_what_was_missing,
          what_redis_does_not_let_count_is_a_dash,
          a_redis_that_is_away_is_69_and_a_wrong_configuration_78,
          with_kafka_lag_is_what_the_log_holds_from_the_progress_on)
