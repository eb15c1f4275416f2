/* The plain store against a redis-server of its own. The store is told the time, so nothing here
 * waits for seconds to pass. */
#include <string.h>

#include "core_kit.h"
#include "redis_kit.h"
#include "tidewheel/store.h"

enum { CHECK_MS = 5000 };

/* ---- a worker that does nothing but write ---- */

struct writer {
    struct catalog *catalog;
    struct board *board;
    struct tally tally;
    struct tally *tallies[1];
    struct shard *shard;
    struct redis_url url;
    struct store *store;
    uint64_t drawn;
    struct batch batch;
    struct reading readings[KIT_FIELDS];
    struct err err;
    int rc;
    unsigned events; /* all since writer_watch() */
    int64_t mono_ms;
};

/* Each writer has nonces of its own, as it lies at an address of its own. */
static uint64_t draw(void *arg)
{
    struct writer *writer = arg;
    return (uint64_t)(uintptr_t)writer * UINT64_C(0x9E3779B97F4A7C15) + ++writer->drawn;
}

static void writer_open(struct writer *writer, const char *url)
{
    *writer = (struct writer){.catalog = kit_catalog(""), .mono_ms = 1000000};
    writer->board = board_new(0);
    writer->tallies[0] = &writer->tally;
    writer->shard = kit_shard(writer->catalog, writer->tallies);
    shard_go_live(writer->shard);
    ck_assert_msg(redis_url_parse(url, &writer->url, &writer->err) == 0, "%s", writer->err.text);
    writer->store = plain_store_new(&(struct store_setup){.wire = wire_socket_new(&writer->url),
                                                          .url = &writer->url,
                                                          .group_id = "group",
                                                          .random = draw,
                                                          .random_arg = writer,
                                                          .board = writer->board});
}

static void writer_open_at(struct writer *writer, const struct server *server)
{
    char url[128];
    (void)snprintf(url, sizeof url, "unix://%s", server->socket);
    writer_open(writer, url);
}

static void writer_close(struct writer *writer)
{
    writer->store->ops->close(writer->store);
    board_free(writer->board);
    redis_url_fini(&writer->url);
    batch_fini(&writer->batch);
    shard_free(writer->shard);
    catalog_free(writer->catalog);
}

static void pump(struct writer *writer)
{
    unsigned events = 0;
    writer->rc = writer->store->ops->pump(writer->store, writer->mono_ms, &events, &writer->err);
    writer->events |= events;
    if ((events & STORE_WRITTEN) == 0)
        return;
    for (size_t i = 0; i < writer->batch.item_count; i++) {
        const struct item *item = &writer->batch.items[i];
        if (item->kind != ITEM_FEATURES)
            continue;
        if (item->shard != NULL && item->is_refused)
            shard_refused(item->shard, item->entity, NOW);
        else if (item->shard != NULL)
            shard_written(item->shard, item->entity, item->as_of_ms, item->next_ms,
                          item->generation);
    }
}

static bool is_ready(const struct writer *writer)
{
    return writer->store->ops->is_ready(writer->store);
}

static bool is_away(const struct writer *writer)
{
    return writer->store->ops->is_away(writer->store);
}

static bool is_written(const struct writer *writer)
{
    return (writer->events & STORE_WRITTEN) != 0;
}

static bool is_lost(const struct writer *writer)
{
    return (writer->events & STORE_LOST) != 0;
}

static bool has_failed(const struct writer *writer)
{
    return writer->rc < 0;
}

/* Time passes with the pumps, so that back-off ends: 5 ms a pump of 1 ms. */
static void until(struct writer *writer, bool (*is)(const struct writer *writer))
{
    int64_t deadline_ms = clock_mono_ms() + WAIT_MS;
    do {
        pump(writer);
        ck_assert_msg(clock_mono_ms() < deadline_ms, "it does not come");
        if (is(writer))
            return;
        writer->store->ops->wait(writer->store, 1);
        writer->mono_ms += 5;
    } while (true);
}

static void add(struct writer *writer, const char *id)
{
    struct row row = {.readings = writer->readings};
    (void)kit_apply(writer->shard, id, NOW, "2.5", KNOW_FED);
    struct entity_ref ref;
    size_t looks = 100;
    while (shard_take_arrival(writer->shard, &ref, NULL) ||
           shard_take_decay(writer->shard, NOW, &looks, &ref)) {
        shard_read(writer->shard, ref, &row);
        (void)batch_add(&writer->batch, writer->shard, NULL, ref, &row, NOW + 5);
    }
}

static void send(struct writer *writer)
{
    writer->events = 0;
    writer->store->ops->send(writer->store, &writer->batch, writer->mono_ms);
}

static void write_one(struct writer *writer, const char *id)
{
    if (!is_ready(writer))
        until(writer, is_ready);
    batch_begin(&writer->batch);
    add(writer, id);
    send(writer);
    until(writer, is_written);
}

/* ---- tests ---- */

START_TEST(a_batch_is_written_and_acknowledged)
{
    struct server server;
    struct writer writer;
    if (!has_server("redis_store"))
        return;
    server_open(&server, NO_OPTIONS);
    writer_open_at(&writer, &server);
    ck_assert(is_away(&writer));
    write_one(&writer, "42");
    ck_assert(!is_lost(&writer) && !is_away(&writer) && !writer.batch.items[0].is_refused);
    is_answer(&server, "HGET features:user:42 amount_10s_sum", "2.5");
    is_answer(&server, "HGET features:user:42 seen_10s_count", "1");
    is_answer(&server, "TTL features:user:42", "20");
    is_answer(&server, "TTL freshness:user:42", "20");
    is_answer(&server, "HGET freshness:user:42 v", "1700000000005");
    is_answer(&server, "HGET freshness:user:42 v:event", "1700000000000");
    write_one(&writer, "42");
    ck_assert(!is_lost(&writer));
    is_answer(&server, "HGET features:user:42 amount_10s_sum", "5");
    writer_close(&writer);
    server_close(&server);
}
END_TEST

START_TEST(a_key_of_another_type_refuses_its_entity_alone)
{
    struct server server;
    struct writer writer;
    struct capture capture;
    if (!has_server("redis_store"))
        return;
    server_open(&server, NO_OPTIONS);
    writer_open_at(&writer, &server);
    is_answer(&server, "SET features:user:b theirs", "OK");
    is_answer(&server, "HSET freshness:user:b w 1 w:event 1", "2");
    is_answer(&server, "RPUSH freshness:user:d theirs", "1");
    until(&writer, is_ready);
    batch_begin(&writer.batch);
    for (const char *id = "a\0b\0c\0d\0"; *id != '\0'; id += 2)
        add(&writer, id);
    capture_begin(&capture);
    send(&writer);
    until(&writer, is_written);
    capture_end(&capture);
    ck_assert_msg(strstr(capture.text, "at=refused key=features:user:b why=\"WRONGTYPE ") != NULL,
                  "%s", capture.text);
    static const bool refused[] = {false, true, false, true};
    for (size_t i = 0; i < 4; i++)
        ck_assert(writer.batch.items[i].is_refused == refused[i]);
    is_answer(&server, "HGET features:user:a seen_10s_count", "1");
    is_answer(&server, "HGET features:user:c seen_10s_count", "1");
    is_answer(&server, "GET features:user:b", "theirs");
    is_answer(&server, "HGET features:user:d seen_10s_count", "1");
    until(&writer, is_ready);
    batch_begin(&writer.batch); /* what it takes back goes with the next batch */
    send(&writer);
    until(&writer, is_written);
    for (size_t i = 0; i < writer.batch.item_count; i++)
        ck_assert(!writer.batch.items[i].is_refused);
    is_answer(&server, "HLEN freshness:user:b", "2"); /* another view's */
    is_answer(&server, "HGET freshness:user:b w:event", "1");
    is_answer(&server, "HGET freshness:user:a v", "1700000000005");
    writer_close(&writer);
    server_close(&server);
}
END_TEST

START_TEST(a_key_that_is_not_ours_keeps_its_own_expiry)
{
    struct server server;
    struct writer writer;
    if (!has_server("redis_store"))
        return;
    server_open(&server, NO_OPTIONS);
    writer_open_at(&writer, &server);
    is_answer(&server, "SET features:user:a theirs", "OK");
    is_answer(&server, "SET freshness:user:a theirs EX 5000", "OK");
    is_answer(&server, "SET features:user:b theirs EX 3", "OK");
    for (int i = 0; i < 2; i++) { /* the second time it is a retry */
        until(&writer, is_ready);
        batch_begin(&writer.batch);
        add(&writer, "a");
        add(&writer, "b");
        size_t looks = 9;
        struct entity_ref ref;
        struct row row = {.readings = writer.readings};
        while (shard_take_decay(writer.shard, NOW + 31000, &looks, &ref)) {
            shard_read(writer.shard, ref, &row);
            (void)batch_add(&writer.batch, writer.shard, NULL, ref, &row, NOW);
        }
        ck_assert_uint_eq(writer.batch.item_count, 2);
        send(&writer);
        until(&writer, is_ready);
        ck_assert_uint_eq(writer.batch.undo_count, 4); /* b's freshness is the fourth */
        batch_begin(&writer.batch);
        send(&writer);
        until(&writer, is_ready);
        is_answer(&server, "TTL features:user:a", "-1");
        ck_assert_int_gt(atoi(ask(&server, "TTL freshness:user:a")), 4900);
        ck_assert_int_le(atoi(ask(&server, "PTTL features:user:b")), 3000);
        ck_assert_int_gt(atoi(ask(&server, "PTTL features:user:b")), 0);
        is_answer(&server, "EXISTS freshness:user:b", "0");
    }
    writer_close(&writer);
    server_close(&server);
}
END_TEST

START_TEST(what_a_restart_has_emptied_is_told_and_the_batch_is_sent_again)
{
    struct server server;
    struct writer writer;
    if (!has_server("redis_store"))
        return;
    server_open(&server, NO_OPTIONS);
    writer_open_at(&writer, &server);
    write_one(&writer, "a");
    until(&writer, is_ready);
    server_kill(&server);
    batch_begin(&writer.batch);
    add(&writer, "b");
    ck_assert_int_eq(cell_get(&writer.board->cells[BOARD_RETRIES]), 0);
    send(&writer);
    until(&writer, is_away);
    ck_assert(!is_written(&writer));
    server_start(&server, NO_OPTIONS);
    until(&writer, is_written);
    ck_assert_int_eq(cell_get(&writer.board->cells[BOARD_RETRIES]), 1);
    ck_assert(is_lost(&writer));
    is_answer(&server, "EXISTS features:user:b", "1");
    is_answer(&server, "EXISTS features:user:a", "0");
    until(&writer, is_ready);
    ck_assert(!is_away(&writer));
    writer_close(&writer);
    server_close(&server);
}
END_TEST

START_TEST(what_was_forgotten_meanwhile_is_not_sent_again)
{
    struct server server;
    struct writer writer;
    if (!has_server("redis_store"))
        return;
    server_open(&server, NO_OPTIONS);
    writer_open_at(&writer, &server);
    until(&writer, is_ready);
    server_kill(&server);
    struct shard *kept = writer.shard;
    struct shard *dropped = kit_shard(writer.catalog, writer.tallies);
    shard_go_live(dropped);
    batch_begin(&writer.batch);
    add(&writer, "a");
    writer.shard = dropped;
    add(&writer, "b");
    writer.shard = kept;
    add(&writer, "c");
    send(&writer);
    until(&writer, is_away);
    batch_forget(&writer.batch, dropped);
    shard_free(dropped);
    server_start(&server, NO_OPTIONS);
    is_answer(&server, "SET features:user:c theirs", "OK");
    until(&writer, is_written);
    is_answer(&server, "EXISTS features:user:a", "1");
    is_answer(&server, "EXISTS features:user:b", "0");
    ck_assert_uint_eq(writer.batch.item_count, 2);
    ck_assert(!writer.batch.items[0].is_refused && writer.batch.items[1].is_refused);
    writer_close(&writer);
    server_close(&server);
}
END_TEST

START_TEST(a_flush_is_noticed_within_a_check)
{
    struct server server;
    struct writer writer;
    if (!has_server("redis_store"))
        return;
    server_open(&server, NO_OPTIONS);
    writer_open_at(&writer, &server);
    write_one(&writer, "a");
    until(&writer, is_ready);
    writer.events = 0;
    writer.mono_ms += CHECK_MS;
    pump(&writer);
    until(&writer, is_ready);
    ck_assert(!is_lost(&writer)); /* a check alone says nothing */
    is_answer(&server, "FLUSHALL", "OK");
    writer.mono_ms += CHECK_MS;
    until(&writer, is_lost);
    until(&writer, is_ready);
    write_one(&writer, "a");
    ck_assert(!is_lost(&writer));
    /* and at once where a batch is written */
    is_answer(&server, "FLUSHALL", "OK");
    write_one(&writer, "b");
    ck_assert(is_lost(&writer));
    writer_close(&writer);
    server_close(&server);
}
END_TEST

/* What Redis answers to "<verb> <the key of the one worker's count><more>". */
static const char *ask_alive(struct server *server, const char *verb, const char *more)
{
    char command[256];
    redisReply *keys = redisCommand(server->client, "KEYS {tw:group}:alive:*");
    ck_assert(keys != NULL && keys->type == REDIS_REPLY_ARRAY);
    ck_assert_uint_eq(keys->elements, 1);
    (void)snprintf(command, sizeof command, "%s %s%s", verb, keys->element[0]->str, more);
    freeReplyObject(keys);
    return ask(server, command);
}

static long long alive_count(struct server *server)
{
    return atoll(ask_alive(server, "GET", ""));
}

START_TEST(a_count_never_comes_twice_so_no_older_state_can_pass_for_the_newest)
{
    struct server server;
    struct writer writer;
    if (!has_server("redis_store"))
        return;
    server_open(&server, NO_OPTIONS);
    writer_open_at(&writer, &server);
    for (int i = 0; i < 5; i++)
        write_one(&writer, "a");
    long long before = alive_count(&server);
    is_answer(&server, "FLUSHALL", "OK"); /* noticed by the next batch */
    write_one(&writer, "a");
    until(&writer, is_ready);
    long long between = alive_count(&server);
    ck_assert_int_gt(between, before);
    is_answer(&server, "FLUSHALL", "OK"); /* noticed by a look */
    writer.mono_ms += CHECK_MS;
    until(&writer, is_lost);
    until(&writer, is_ready);
    ck_assert_int_gt(alive_count(&server), between);
    writer_close(&writer);
    server_close(&server);
}
END_TEST

static void pass_checks(struct writer *writer, int checks)
{
    for (int i = 0; i < checks; i++) {
        writer->mono_ms += CHECK_MS;
        pump(writer);
        until(writer, is_ready);
    }
}

START_TEST(a_state_that_comes_back_says_from_when_it_is)
{
    struct server server;
    struct writer writer;
    if (!has_server("redis_store"))
        return;
    server_open(&server, NO_OPTIONS);
    writer_open_at(&writer, &server);
    write_one(&writer, "a");
    until(&writer, is_ready);
    pass_checks(&writer, 20);
    write_one(&writer, "b");
    long long count = alive_count(&server);
    int64_t then_ms = writer.mono_ms;
    until(&writer, is_ready);
    pass_checks(&writer, 20);
    ck_assert(!is_lost(&writer));
    char older[32];
    (void)snprintf(older, sizeof older, " %lld", count);
    ck_assert_str_eq(ask_alive(&server, "SET", older), "OK");
    writer.mono_ms += CHECK_MS;
    until(&writer, is_lost);
    ck_assert((writer.events & STORE_OLDER) != 0);
    int64_t older_ms = writer.store->ops->older_ms(writer.store);
    ck_assert_int_le(older_ms, then_ms);
    ck_assert_int_ge(older_ms, then_ms - 3 * CHECK_MS);
    until(&writer, is_ready);
    writer.events = 0;
    is_answer(&server, "FLUSHALL", "OK"); /* what is empty has no such moment */
    writer.mono_ms += CHECK_MS;
    until(&writer, is_lost);
    ck_assert((writer.events & STORE_OLDER) == 0);
    writer_close(&writer);
    server_close(&server);
}
END_TEST

START_TEST(a_call_out_is_heard_by_the_rest_of_the_group_within_a_check)
{
    struct server server;
    struct writer caller;
    struct writer writer;
    if (!has_server("redis_store"))
        return;
    server_open(&server, NO_OPTIONS);
    writer_open_at(&caller, &server);
    writer_open_at(&writer, &server);
    until(&caller, is_ready);
    until(&writer, is_ready);
    caller.events = writer.events = 0;
    caller.store->ops->call_out(caller.store);
    pump(&caller);
    until(&caller, is_ready);
    ck_assert(!is_lost(&caller)); /* it need not tell itself */
    writer.mono_ms += CHECK_MS;
    until(&writer, is_lost);
    until(&writer, is_ready);
    writer.events = 0;
    writer.mono_ms += CHECK_MS;
    pump(&writer);
    until(&writer, is_ready);
    ck_assert(!is_lost(&writer)); /* once is enough */
    writer_close(&caller);
    writer_close(&writer);
    server_close(&server);
}
END_TEST

START_TEST(checks_are_made_between_batches_that_follow_each_other_at_once)
{
    struct server server;
    struct writer writer;
    if (!has_server("redis_store"))
        return;
    server_open(&server, NO_OPTIONS);
    writer_open_at(&writer, &server);
    write_one(&writer, "a");
    ck_assert_str_eq(ask_alive(&server, "PERSIST", ""), "1");
    for (int i = 0; i < 20; i++) {
        writer.mono_ms += CHECK_MS / 10;
        write_one(&writer, "a");
    }
    ck_assert_str_eq(ask_alive(&server, "PERSIST", ""), "1"); /* it has its expiry again */
    writer_close(&writer);
    server_close(&server);
}
END_TEST

START_TEST(a_server_out_of_memory_is_waited_for_with_the_batch_kept)
{
    struct server server;
    struct writer writer;
    if (!has_server("redis_store"))
        return;
    server_open(&server, NO_OPTIONS);
    writer_open_at(&writer, &server);
    until(&writer, is_ready);
    is_answer(&server, "CONFIG SET maxmemory 100kb", "OK");
    batch_begin(&writer.batch);
    add(&writer, "a");
    send(&writer);
    until(&writer, is_away);
    /* It stays away however often it connects: intake is not to flicker. */
    for (int i = 0; i < 400; i++) {
        writer.mono_ms += 50;
        pump(&writer);
        ck_assert(is_away(&writer) && writer.rc == 0);
        if (i % 4 == 0)
            writer.store->ops->wait(writer.store, 1);
    }
    ck_assert(!is_written(&writer));
    is_answer(&server, "CONFIG SET maxmemory 0", "OK");
    until(&writer, is_written);
    is_answer(&server, "EXISTS features:user:a", "1");
    until(&writer, is_ready);
    ck_assert(!is_away(&writer) && !is_lost(&writer));
    writer_close(&writer);
    server_close(&server);
}
END_TEST

START_TEST(a_replica_is_waited_for)
{
    struct server server;
    struct writer writer;
    if (!has_server("redis_store"))
        return;
    server_open(&server, NO_OPTIONS);
    writer_open_at(&writer, &server);
    until(&writer, is_ready);
    is_answer(&server, "REPLICAOF 127.0.0.1 1", "OK");
    batch_begin(&writer.batch);
    add(&writer, "a");
    send(&writer);
    until(&writer, is_away);
    is_answer(&server, "REPLICAOF NO ONE", "OK");
    until(&writer, is_written);
    is_answer(&server, "EXISTS features:user:a", "1");
    writer_close(&writer);
    server_close(&server);
}
END_TEST

/* The sentence has this in it, and not the password. */
static void fails_with(struct writer *writer, const char *text)
{
    until(writer, has_failed);
    ck_assert_int_eq(writer->rc, ERR_FATAL);
    ck_assert_msg(strstr(writer->err.text, text) != NULL, "%s", writer->err.text);
    ck_assert_msg(strstr(writer->err.text, "hunter2") == NULL, "%s", writer->err.text);
}

START_TEST(a_wrong_password_is_for_a_person_after_five_tries)
{
    struct server server;
    struct writer writer;
    char url[160];
    if (!has_server("redis_store"))
        return;
    server_open(&server, OPTIONS("--requirepass", "right"));
    is_answer(&server, "AUTH right", "OK");
    (void)snprintf(url, sizeof url, "unix://:hunter2@%s", server.socket);
    writer_open(&writer, url);
    fails_with(&writer, "the user or password in redis.url is wrong");
    ck_assert(strstr(ask(&server, "INFO commandstats"), "x") == NULL); /* all was AUTH */
    writer_close(&writer);
    (void)snprintf(url, sizeof url, "unix://%s", server.socket);
    writer_open(&writer, url);
    fails_with(&writer, "redis.url needs a password");
    writer_close(&writer);
    (void)snprintf(url, sizeof url, "unix://:right@%s", server.socket);
    writer_open(&writer, url);
    write_one(&writer, "a");
    writer_close(&writer);
    server_close(&server);
}
END_TEST

START_TEST(a_user_without_a_right_is_for_a_person_too)
{
    struct server server;
    struct writer writer;
    char url[160];
    if (!has_server("redis_store"))
        return;
    server_open(&server, NO_OPTIONS);
    is_answer(&server, "ACL SETUSER w on >hunter2 ~* +@all -hset", "OK");
    (void)snprintf(url, sizeof url, "unix://w:hunter2@%s", server.socket);
    writer_open(&writer, url);
    until(&writer, is_ready);
    batch_begin(&writer.batch);
    add(&writer, "a");
    send(&writer);
    fails_with(&writer, "the Redis user lacks a right");
    writer_close(&writer);
    server_close(&server);
}
END_TEST

/* ---- what is logged ---- */

static void pump_often(struct writer *writer)
{
    for (int i = 0; i < 50; i++) {
        pump(writer);
        writer->store->ops->wait(writer->store, 1);
    }
}

START_TEST(why_redis_is_away_is_said)
{
    struct server server;
    struct writer writer;
    struct capture capture;
    if (!has_server("redis_store"))
        return;
    server_open(&server, NO_OPTIONS);
    writer_open_at(&writer, &server);
    until(&writer, is_ready);
    server_kill(&server);
    batch_begin(&writer.batch);
    add(&writer, "a");
    capture_begin(&capture);
    send(&writer);
    pump_often(&writer);
    capture_end(&capture);
    ck_assert_msg(strstr(capture.text, "state=away why=\"Broken pipe\"") != NULL ||
                      strstr(capture.text, "state=away why=\"Server closed the connection\"") !=
                          NULL,
                  "%s", capture.text);
    server_start(&server, NO_OPTIONS);
    writer_close(&writer);
    server_close(&server);
}
END_TEST

START_TEST(a_server_that_quotes_the_password_is_not_quoted)
{
    struct server server;
    struct writer writer;
    struct capture capture;
    char url[160];
    if (!has_server("redis_store"))
        return;
    server_open(&server, OPTIONS("--rename-command", "AUTH", ""));
    (void)snprintf(url, sizeof url, "unix://:hunter2@%s", server.socket);
    writer_open(&writer, url);
    capture_begin(&capture);
    pump_often(&writer);
    capture_end(&capture);
    ck_assert_ptr_nonnull(strstr(capture.text, "AUTH"));
    ck_assert_msg(strstr(capture.text, "hunter2") == NULL, "%s", capture.text);
    char *value = NULL;
    int64_t pttl_ms = 0;
    struct err err = {0, ""};
    ck_assert_int_eq(redis_fetch(&writer.url, slice_of("k"), (const char *const[]){"f"}, 1, &value,
                                 &pttl_ms, &err),
                     ERR_RETRY);
    ck_assert_msg(strstr(err.text, "hunter2") == NULL, "%s", err.text);
    writer_close(&writer);
    server_close(&server);
}
END_TEST

START_TEST(a_server_that_is_stopped_is_away_after_five_seconds)
{
    struct server server;
    struct writer writer;
    if (!has_server("redis_store"))
        return;
    server_open(&server, NO_OPTIONS);
    writer_open_at(&writer, &server);
    write_one(&writer, "a");
    until(&writer, is_ready);
    (void)kill(server.pid, SIGSTOP);
    batch_begin(&writer.batch);
    add(&writer, "b");
    send(&writer);
    writer.mono_ms += 4900;
    pump(&writer);
    ck_assert(!is_away(&writer));
    writer.mono_ms += 100;
    pump(&writer);
    ck_assert(is_away(&writer));
    (void)kill(server.pid, SIGCONT);
    until(&writer, is_written);
    /* The batch of the connection that was given up has landed before, between or after: it is
     * counted, and where it cannot be told from somebody's write, all is written again. */
    writer.mono_ms += CHECK_MS;
    pump(&writer);
    until(&writer, is_ready);
    is_answer(&server, "HGET features:user:b seen_10s_count", "1");
    writer_close(&writer);
    server_close(&server);
}
END_TEST

START_TEST(a_late_batch_of_an_abandoned_connection_is_noticed)
{
    struct server server;
    struct writer writer;
    if (!has_server("redis_store"))
        return;
    server_open(&server, NO_OPTIONS);
    writer_open_at(&writer, &server);
    write_one(&writer, "a");
    until(&writer, is_ready);
    (void)ask_alive(&server, "INCR", ""); /* as such a batch would */
    write_one(&writer, "b");
    ck_assert(is_lost(&writer));
    until(&writer, is_ready);
    writer.events = 0;
    (void)ask_alive(&server, "INCR", "");
    writer.mono_ms += CHECK_MS;
    until(&writer, is_lost);
    writer_close(&writer);
    server_close(&server);
}
END_TEST

START_TEST(a_batch_of_which_nothing_is_left_counts_as_written)
{
    struct server server;
    struct writer writer;
    if (!has_server("redis_store"))
        return;
    server_open(&server, NO_OPTIONS);
    writer_open_at(&writer, &server);
    write_one(&writer, "a");
    until(&writer, is_ready);
    long long before = alive_count(&server);
    (void)ask(&server, "CLIENT KILL TYPE normal SKIPME yes");
    batch_begin(&writer.batch);
    add(&writer, "b");
    send(&writer);
    until(&writer, is_away);
    batch_forget(&writer.batch, writer.shard);
    until(&writer, is_written);
    ck_assert(!is_lost(&writer) && is_ready(&writer) && !is_away(&writer));
    ck_assert_uint_eq(writer.batch.item_count, 0);
    is_answer(&server, "EXISTS features:user:b", "0");
    ck_assert_int_eq(alive_count(&server), before);
    writer_close(&writer);
    server_close(&server);
}
END_TEST

static bool has_broken(const struct writer *writer)
{
    return (writer->events & STORE_BROKE) != 0;
}

START_TEST(a_connection_that_was_lost_is_told_once)
{
    struct server server;
    struct writer writer;
    if (!has_server("redis_store"))
        return;
    server_open(&server, NO_OPTIONS);
    writer_open_at(&writer, &server);
    write_one(&writer, "a");
    until(&writer, is_ready);
    ck_assert(!has_broken(&writer)); /* the first one is not made anew */
    (void)ask(&server, "CLIENT KILL TYPE normal SKIPME yes");
    until(&writer, has_broken); /* nothing need be said to notice it */
    ck_assert(is_away(&writer));
    writer.events = 0;
    until(&writer, is_ready);
    ck_assert(!has_broken(&writer) && !is_lost(&writer));
    server_kill(&server);
    until(&writer, has_broken);
    writer.events = 0;
    for (int i = 0; i < 50; i++) { /* tries that fail are no losses */
        writer.mono_ms += 500;
        pump(&writer);
    }
    ck_assert(!has_broken(&writer) && is_away(&writer));
    /* One that breaks while something is said, and is there again when the store is pumped. */
    server_start(&server, NO_OPTIONS);
    until(&writer, is_ready);
    (void)ask(&server, "CLIENT KILL TYPE normal SKIPME yes");
    batch_begin(&writer.batch);
    add(&writer, "b");
    send(&writer);
    writer.mono_ms += 1000;
    pump(&writer);
    until(&writer, is_written);
    ck_assert(has_broken(&writer));
    writer_close(&writer);
    server_close(&server);
}
END_TEST

START_TEST(values_are_fetched_with_what_is_left_of_their_time)
{
    struct server server;
    if (!has_server("redis_store"))
        return;
    server_open(&server, NO_OPTIONS);
    is_answer(&server, "SELECT 3", "OK");
    is_answer(&server, "HSET k f 1 g \"\"", "2");
    is_answer(&server, "EXPIRE k 100", "1");
    char text[160];
    (void)snprintf(text, sizeof text, "unix://%s?db=3", server.socket);
    char *values[3] = {NULL, NULL, NULL};
    int64_t pttl_ms = 0;
    struct err err = {0, ""};
    struct redis_url url;
    ck_assert_int_eq(redis_url_parse(text, &url, &err), 0);
    ck_assert_int_eq(redis_fetch(&url, slice_of("k"), (const char *const[]){"f", "x", "g"}, 3,
                                 values, &pttl_ms, &err),
                     0);
    ck_assert_str_eq(values[0], "1");
    ck_assert_ptr_null(values[1]);
    ck_assert_ptr_nonnull(values[2]);
    ck_assert(pttl_ms > 90000 && pttl_ms <= 100000);
    free(values[0]);
    free(values[2]);
    is_answer(&server, "SET s 1", "OK");
    ck_assert_int_eq(
        redis_fetch(&url, slice_of("s"), (const char *const[]){"f"}, 1, values, &pttl_ms, &err),
        ERR_RETRY);
    ck_assert_ptr_nonnull(strstr(err.text, "WRONGTYPE"));
    server_close(&server);
    ck_assert_int_eq(
        redis_fetch(&url, slice_of("s"), (const char *const[]){"f"}, 1, values, &pttl_ms, &err),
        ERR_RETRY);
    ck_assert_ptr_nonnull(strstr(err.text, server.socket));
    redis_url_fini(&url);
}
END_TEST

UNIT_MAIN("redis_store", a_batch_is_written_and_acknowledged,
          a_key_of_another_type_refuses_its_entity_alone,
          a_key_that_is_not_ours_keeps_its_own_expiry,
          what_a_restart_has_emptied_is_told_and_the_batch_is_sent_again,
          what_was_forgotten_meanwhile_is_not_sent_again, a_flush_is_noticed_within_a_check,
          a_count_never_comes_twice_so_no_older_state_can_pass_for_the_newest,
          a_state_that_comes_back_says_from_when_it_is,
          a_call_out_is_heard_by_the_rest_of_the_group_within_a_check,
          checks_are_made_between_batches_that_follow_each_other_at_once,
          a_server_out_of_memory_is_waited_for_with_the_batch_kept, a_replica_is_waited_for,
          a_wrong_password_is_for_a_person_after_five_tries,
          a_user_without_a_right_is_for_a_person_too, why_redis_is_away_is_said,
          a_server_that_quotes_the_password_is_not_quoted,
          a_server_that_is_stopped_is_away_after_five_seconds,
          a_late_batch_of_an_abandoned_connection_is_noticed,
          a_batch_of_which_nothing_is_left_counts_as_written,
          a_connection_that_was_lost_is_told_once,
          values_are_fetched_with_what_is_left_of_their_time)
