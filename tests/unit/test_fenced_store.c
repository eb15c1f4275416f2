/* The fenced store against a redis-server of its own. The store is told the time, so nothing here
 * waits for seconds to pass. */
#include "core_kit.h"
#include "tap_kit.h"
#include "tidewheel/failpoint.h"
#include "tidewheel/store.h"

enum { UNITS = 12 };

/* ---- a worker that does nothing but claim and write ---- */

struct unit {
    struct shard *shard;
    struct fence fence;
    char key[32];
};

struct writer {
    struct catalog *catalog;
    struct board *board;
    struct tally tally;
    struct tally *tallies[1];
    struct unit units[UNITS];
    struct redis_url url;
    struct tap *tap;
    struct store *store;
    struct batch batch;
    struct reading readings[KIT_FIELDS];
    struct err err;
    int rc;
    unsigned events; /* all since the last send() or claim() */
    int64_t mono_ms;
    uint64_t draws;
};

static uint64_t draw(void *arg)
{
    uint64_t *draws = arg;
    uint64_t x = (*draws += UINT64_C(0x9e3779b97f4a7c15));
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static void writer_open(struct writer *writer, const struct server *server, uint64_t seed)
{
    *writer = (struct writer){.catalog = kit_catalog(""), .mono_ms = 1000000, .draws = seed};
    writer->board = board_new(0);
    writer->tallies[0] = &writer->tally;
    for (int i = 0; i < UNITS; i++) {
        struct unit *unit = &writer->units[i];
        unit->shard = kit_shard(writer->catalog, writer->tallies);
        shard_go_live(unit->shard);
        (void)snprintf(unit->key, sizeof unit->key, "{tw:g:t:%d}:m", i);
        unit->fence.meta_key = unit->key;
        meta_init(&unit->fence.found);
    }
    tap_url(server, &writer->url);
    writer->tap = tap_new(&writer->url);
    struct store_setup setup = {.wire = &writer->tap->wire,
                                .url = &writer->url,
                                .group_id = "g",
                                .random = draw,
                                .random_arg = &writer->draws,
                                .board = writer->board};
    writer->store = fenced_store_new(&setup);
}

static void writer_close(struct writer *writer)
{
    for (int i = 0; i < UNITS; i++) {
        shard_free(writer->units[i].shard);
        meta_fini(&writer->units[i].fence.found);
    }
    writer->store->ops->close(writer->store);
    board_free(writer->board);
    redis_url_fini(&writer->url);
    batch_fini(&writer->batch);
    catalog_free(writer->catalog);
}

static void pump(struct writer *writer)
{
    unsigned events = 0;
    writer->rc = writer->store->ops->pump(writer->store, writer->mono_ms, &events, &writer->err);
    ck_assert_msg(writer->rc == 0, "%s", writer->err.text);
    writer->events |= events;
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

static bool is_fence_news(const struct writer *writer)
{
    return (writer->events & STORE_FENCES) != 0;
}

static bool is_broken(const struct writer *writer)
{
    return (writer->events & STORE_BROKE) != 0;
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

static struct fence *fence_of(struct writer *writer, int unit)
{
    return &writer->units[unit].fence;
}

static void claim(struct writer *writer, int unit)
{
    writer->events = 0;
    writer->store->ops->claim(writer->store, fence_of(writer, unit), "host:1/0");
}

static void claim_all(struct writer *writer, int units)
{
    for (int i = 0; i < units; i++)
        claim(writer, i);
    until(writer, is_fence_news);
    until(writer, is_ready);
    for (int i = 0; i < units; i++)
        ck_assert_int_eq(fence_of(writer, i)->state, FENCE_HELD);
}

static void release(struct writer *writer, int unit)
{
    writer->store->ops->release(writer->store, fence_of(writer, unit));
}

static void begin(struct writer *writer)
{
    batch_begin(&writer->batch);
}

/* One event of an entity, and its features into the batch. */
static void add(struct writer *writer, int unit, const char *id)
{
    struct shard *shard = writer->units[unit].shard;
    struct row row = {.readings = writer->readings};
    (void)kit_apply(shard, id, NOW, "2.5", KNOW_FED);
    struct entity_ref ref = {0, entities_find(&shard->views[0], slice_of(id))};
    shard_read(shard, ref, &row);
    (void)batch_add(&writer->batch, shard, fence_of(writer, unit), ref, &row, NOW + 5);
}

static void add_command(struct writer *writer, int unit, const char *key, const char *value)
{
    const struct slice words[] = {slice_of("HSET"), slice_of(key), slice_of("v"), slice_of(value)};
    batch_command(&writer->batch, words, 4);
    (void)batch_close(&writer->batch, ITEM_UNIT, writer->units[unit].shard, fence_of(writer, unit));
}

static void send(struct writer *writer)
{
    writer->events = 0;
    writer->store->ops->send(writer->store, &writer->batch, writer->mono_ms);
}

/* To a unit, by the command that it is asked with. */
static void write_value(struct writer *writer, int unit, const char *key, const char *value)
{
    until(writer, is_ready);
    begin(writer);
    add_command(writer, unit, key, value);
    send(writer);
    until(writer, is_written);
}

/* Redis has it: the answer may not be heard. */
static void until_answer(struct server *server, struct writer *writer, const char *command,
                         const char *text)
{
    int64_t deadline_ms = clock_mono_ms() + WAIT_MS;
    while (strcmp(ask(server, command), text) != 0) {
        ck_assert_msg(clock_mono_ms() < deadline_ms, "%s is not %s", command, text);
        pump(writer);
    }
}

static bool has_value(const struct item *items, size_t count, const struct fence *fence)
{
    for (size_t i = 0; i < count; i++)
        if (items[i].fence == fence && items[i].shard != NULL)
            return true;
    return false;
}

#define SCENE(units_claimed)                                                                       \
    struct server server;                                                                          \
    struct writer writer;                                                                          \
    if (!has_server("fenced_store"))                                                               \
        return;                                                                                    \
    server_open(&server, NO_OPTIONS);                                                              \
    writer_open(&writer, &server, 1);                                                              \
    if ((units_claimed) > 0)                                                                       \
    claim_all(&writer, units_claimed)

#define SCENE_END                                                                                  \
    writer_close(&writer);                                                                         \
    server_close(&server)

#define M0     "{tw:g:t:0}:m"
#define M1     "{tw:g:t:1}:m"
#define M4     "{tw:g:t:4}:m"
#define THEIRS "0123456789abcdef0123456789abcdef"

/* What another worker's claim does. */
static void claim_theirs(struct server *server, const char *key)
{
    redisReply *reply = redisCommand(server->client, "HSET %s own " THEIRS, key);
    freeReplyObject(reply);
    reply = redisCommand(server->client, "HINCRBY %s seq 1", key);
    freeReplyObject(reply);
}

static unsigned reached[FAILPOINTS];

static void reach(enum failpoint failpoint)
{
    reached[failpoint]++;
}

/* ---- claims ---- */

START_TEST(a_claim_shows_what_was_there_before_it)
{
    SCENE(0);
    (void)ask(&server, "HSET " M0 " own " THEIRS " seq 41 who them v:prog 7 v:gen 3 try 2");
    claim(&writer, 0);
    claim(&writer, 1);
    ck_assert_int_eq(fence_of(&writer, 0)->state, FENCE_CLAIMING);
    until(&writer, is_fence_news);
    const struct fence *fence = fence_of(&writer, 0);
    ck_assert_int_eq(fence->state, FENCE_HELD);
    ck_assert(fence->found.is_found && !fence->is_unchanged);
    ck_assert_str_eq(fence->found.own, THEIRS);
    ck_assert_int_eq(fence->found.seq, 41);
    ck_assert_str_eq(fence->found.who, "them");
    ck_assert_int_eq(fence->found.tries, 2);
    ck_assert_int_eq(meta_view_of(&fence->found, "v")->progress, 7);
    ck_assert_int_eq(fence->seq, 42);
    ck_assert_int_eq(fence->touched_ms, writer.mono_ms);
    is_answer(&server, "HGET " M0 " own", fence->own);
    is_answer(&server, "HGET " M0 " seq", "42");
    is_answer(&server, "HGET " M0 " try", "3");
    is_answer(&server, "HGET " M0 " who", "host:1/0");
    ck_assert(!fence_of(&writer, 1)->found.is_found);
    ck_assert_int_eq(fence_of(&writer, 1)->seq, 1);
    ck_assert_str_ne(fence_of(&writer, 1)->own, fence->own);
    SCENE_END;
}
END_TEST

START_TEST(a_claim_over_a_parked_unit_tells_whether_it_was_touched)
{
    SCENE(3);
    write_value(&writer, 0, "a", "1");
    until(&writer, is_ready);
    release(&writer, 0);
    release(&writer, 1);
    release(&writer, 2);
    ck_assert_int_eq(fence_of(&writer, 0)->state, FENCE_OPEN);
    claim_theirs(&server, M1);
    is_answer(&server, "HINCRBY {tw:g:t:2}:m seq 1", "2"); /* bytes of ours, late */
    claim_all(&writer, 3);
    ck_assert(fence_of(&writer, 0)->is_unchanged);
    ck_assert(!fence_of(&writer, 1)->is_unchanged);
    ck_assert(!fence_of(&writer, 2)->is_unchanged);
    ck_assert_str_eq(fence_of(&writer, 1)->found.own, THEIRS);
    SCENE_END;
}
END_TEST

START_TEST(a_claim_whose_answer_is_lost_is_made_anew_with_another_nonce)
{
    SCENE(1);
    writer.tap->is_deaf = true;
    claim(&writer, 1);
    until_answer(&server, &writer, "HGET " M1 " seq", "1");
    char *own = mem_strdup(ask(&server, "HGET " M1 " own"));
    writer.tap->is_cut = true;
    writer.tap->is_deaf = false;
    until(&writer, is_broken);
    ck_assert_int_eq(fence_of(&writer, 1)->state, FENCE_CLAIMING);
    until(&writer, is_fence_news);
    ck_assert_str_eq(fence_of(&writer, 1)->found.own, own);
    ck_assert_str_ne(fence_of(&writer, 1)->own, own);
    ck_assert_int_eq(fence_of(&writer, 1)->seq, 2);
    ck_assert(!fence_of(&writer, 1)->is_unchanged);
    ck_assert_int_eq(fence_of(&writer, 0)->state, FENCE_HELD);
    free(own);
    SCENE_END;
}
END_TEST

START_TEST(a_claim_goes_on_when_a_held_unit_was_touched_meanwhile)
{
    SCENE(1);
    claim_theirs(&server, M0);
    claim(&writer, 1);
    until(&writer, is_ready);
    ck_assert_int_eq(fence_of(&writer, 0)->state, FENCE_LOST);
    ck_assert_int_eq(fence_of(&writer, 1)->state, FENCE_HELD);
    is_answer(&server, "HGET " M1 " seq", "1");
    SCENE_END;
}
END_TEST

static bool is_claimed_0(const struct writer *writer)
{
    return writer->units[0].fence.state == FENCE_HELD;
}

START_TEST(a_key_that_is_no_meta_holds_up_its_own_unit_alone)
{
    SCENE(0);
    is_answer(&server, "SET " M0 " theirs", "OK");
    claim(&writer, 0);
    claim(&writer, 1);
    until(&writer, is_ready);
    ck_assert_int_eq(fence_of(&writer, 0)->state, FENCE_CLAIMING);
    ck_assert_int_eq(fence_of(&writer, 1)->state, FENCE_HELD);
    write_value(&writer, 1, "b", "1");
    for (int i = 0; i < 20; i++)
        pump(&writer);
    is_answer(&server, "HGET " M1 " seq", "2"); /* nor does it loop */
    is_answer(&server, "DEL " M0, "1");
    is_answer(&server, "HSET " M0 " seq many", "1");
    writer.mono_ms += 2000;
    until(&writer, is_ready);
    ck_assert_int_eq(fence_of(&writer, 0)->state, FENCE_CLAIMING);
    is_answer(&server, "DEL " M0, "1");
    until(&writer, is_claimed_0);
    ck_assert_int_eq(fence_of(&writer, 0)->seq, 1);
    SCENE_END;
}
END_TEST

START_TEST(a_held_unit_may_be_claimed_again_with_its_batch_under_way)
{
    SCENE(1);
    begin(&writer);
    add_command(&writer, 0, "a", "1");
    send(&writer);
    writer.store->ops->claim(writer.store, fence_of(&writer, 0), "again");
    until(&writer, is_written);
    until(&writer, is_fence_news);
    ck_assert(fence_of(&writer, 0)->is_unchanged);
    ck_assert_int_eq(fence_of(&writer, 0)->seq, 3);
    write_value(&writer, 0, "a", "2");
    is_answer(&server, "HGET " M0 " seq", "4");
    SCENE_END;
}
END_TEST

/* ---- batches ---- */

START_TEST(a_batch_raises_seq_once_for_each_unit_that_it_touches)
{
    SCENE(3);
    begin(&writer);
    add(&writer, 0, "x");
    add(&writer, 1, "y");
    add(&writer, 0, "z");
    send(&writer);
    ck_assert(!is_ready(&writer) && fence_of(&writer, 0)->is_in_batch);
    ck_assert(!fence_of(&writer, 2)->is_in_batch);
    until(&writer, is_written);
    ck_assert(!fence_of(&writer, 0)->is_in_batch);
    is_answer(&server, "HGET features:user:x amount_10s_sum", "2.5");
    is_answer(&server, "HGET features:user:z amount_10s_sum", "2.5");
    is_answer(&server, "HGET " M0 " seq", "2");
    is_answer(&server, "HGET " M1 " seq", "2");
    is_answer(&server, "HGET {tw:g:t:2}:m seq", "1");
    ck_assert_int_eq(fence_of(&writer, 0)->seq, 2);
    until(&writer, is_ready);
    ck_assert(!is_fence_news(&writer) && !is_away(&writer));
    SCENE_END;
}
END_TEST

START_TEST(a_unit_that_only_beats_raises_its_seq)
{
    SCENE(1);
    for (int i = 0; i < 3; i++) {
        until(&writer, is_ready);
        begin(&writer);
        struct item *item =
            batch_close(&writer.batch, ITEM_UNIT, writer.units[0].shard, fence_of(&writer, 0));
        item->tag = 9;
        writer.mono_ms += 5000;
        send(&writer);
        until(&writer, is_written);
        ck_assert_int_ge(fence_of(&writer, 0)->touched_ms, 1015000 + 5000 * i - 10000);
    }
    is_answer(&server, "HGET " M0 " seq", "4");
    SCENE_END;
}
END_TEST

START_TEST(of_twelve_units_the_one_that_was_claimed_away_is_lost_alone)
{
    SCENE(UNITS);
    begin(&writer);
    for (int i = 0; i < UNITS; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "e%d", i);
        add(&writer, i, id);
    }
    claim_theirs(&server, M4);
    send(&writer);
    until(&writer, is_written);
    ck_assert(is_fence_news(&writer) && !is_broken(&writer));
    for (int i = 0; i < UNITS; i++) {
        char command[64];
        (void)snprintf(command, sizeof command, "EXISTS features:user:e%d", i);
        is_answer(&server, command, i == 4 ? "0" : "1");
        ck_assert_int_eq(fence_of(&writer, i)->state, i == 4 ? FENCE_LOST : FENCE_HELD);
        ck_assert(has_value(writer.batch.items, writer.batch.item_count, fence_of(&writer, i)) ==
                  (i != 4));
    }
    is_answer(&server, "HGET " M4 " own", THEIRS);
    is_answer(&server, "HGET " M4 " seq", "2");
    until(&writer, is_ready);
    is_answer(&server, "HINCRBY " M4 " seq 1", "3"); /* what becomes of it is nothing to us */
    failpoint_hook = reach;
    write_value(&writer, 0, "a", "1");
    failpoint_hook = NULL;
    ck_assert_uint_eq(reached[FAIL_BATCH_SENT], 1);
    until(&writer, is_ready);
    claim(&writer, 4);
    until(&writer, is_fence_news);
    ck_assert_int_eq(fence_of(&writer, 4)->state, FENCE_HELD);
    ck_assert(!fence_of(&writer, 4)->is_unchanged);
    SCENE_END;
}
END_TEST

START_TEST(a_batch_of_which_nothing_is_left_is_over)
{
    SCENE(1);
    begin(&writer);
    add(&writer, 0, "x");
    claim_theirs(&server, M0);
    send(&writer);
    until(&writer, is_written);
    ck_assert_int_eq(fence_of(&writer, 0)->state, FENCE_LOST);
    ck_assert(!has_value(writer.batch.items, writer.batch.item_count, fence_of(&writer, 0)));
    is_answer(&server, "EXISTS features:user:x", "0");
    SCENE_END;
}
END_TEST

START_TEST(a_flush_loses_every_unit)
{
    SCENE(3);
    is_answer(&server, "FLUSHALL", "OK");
    begin(&writer);
    (void)batch_close(&writer.batch, ITEM_UNIT, writer.units[0].shard, fence_of(&writer, 0));
    send(&writer);
    until(&writer, is_written);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(fence_of(&writer, i)->state, FENCE_LOST);
    is_answer(&server, "DBSIZE", "0");
    SCENE_END;
}
END_TEST

START_TEST(a_meta_that_is_gone_loses_its_unit_even_if_it_went_before_the_watch)
{
    SCENE(2);
    writer.tap->is_cut = true; /* gone before and after: WATCH sees no change */
    is_answer(&server, "DEL " M1, "1");
    until(&writer, is_broken);
    until(&writer, is_ready);
    ck_assert_int_eq(fence_of(&writer, 0)->state, FENCE_HELD);
    ck_assert_int_eq(fence_of(&writer, 1)->state, FENCE_LOST);
    is_answer(&server, "DEL " M0, "1");
    begin(&writer);
    add(&writer, 0, "x");
    send(&writer);
    until(&writer, is_written);
    ck_assert_int_eq(fence_of(&writer, 0)->state, FENCE_LOST);
    is_answer(&server, "EXISTS features:user:x", "0");
    SCENE_END;
}
END_TEST

START_TEST(a_meta_of_another_type_loses_its_unit)
{
    SCENE(2);
    is_answer(&server, "DEL " M1, "1");
    is_answer(&server, "SET " M1 " theirs", "OK");
    write_value(&writer, 0, "a", "1");
    until(&writer, is_ready);
    ck_assert_int_eq(fence_of(&writer, 0)->state, FENCE_HELD);
    ck_assert_int_eq(fence_of(&writer, 1)->state, FENCE_LOST);
    ck_assert(!is_broken(&writer));
    SCENE_END;
}
END_TEST

START_TEST(a_nil_without_a_visible_difference_sends_the_same_batch_again)
{
    SCENE(1);
    is_answer(&server, "HSET " M0 " who somebody", "0");
    begin(&writer);
    add(&writer, 0, "x");
    send(&writer);
    until(&writer, is_written);
    ck_assert(!is_fence_news(&writer) && !is_broken(&writer));
    is_answer(&server, "HGET features:user:x amount_10s_sum", "2.5");
    is_answer(&server, "HGET " M0 " seq", "2");
    SCENE_END;
}
END_TEST

START_TEST(a_unit_that_changes_hands_behind_a_batch_is_lost_before_the_next)
{
    SCENE(2);
    begin(&writer);
    add(&writer, 0, "x");
    send(&writer);
    until(&writer, is_written);
    until(&writer, is_ready);
    is_answer(&server, "HINCRBY " M1 " seq 1", "2"); /* a write that is not ours */
    write_value(&writer, 0, "a", "1");
    until(&writer, is_ready);
    ck_assert_int_eq(fence_of(&writer, 1)->state, FENCE_LOST);
    ck_assert_int_eq(fence_of(&writer, 0)->state, FENCE_HELD);
    SCENE_END;
}
END_TEST

START_TEST(a_key_of_another_type_refuses_its_item_alone_and_keeps_its_expiry)
{
    SCENE(1);
    is_answer(&server, "SET features:user:b theirs EX 5000", "OK");
    is_answer(&server, "SET h theirs", "OK");
    begin(&writer);
    add(&writer, 0, "a");
    add(&writer, 0, "b");
    add_command(&writer, 0, "h", "1");
    send(&writer);
    until(&writer, is_written);
    static const bool refused[] = {false, true, true};
    for (size_t i = 0; i < 3; i++)
        ck_assert(writer.batch.items[i].is_refused == refused[i]);
    is_answer(&server, "HGET features:user:a amount_10s_sum", "2.5");
    ck_assert_int_eq(fence_of(&writer, 0)->seq, 2);
    until(&writer, is_ready);
    begin(&writer); /* what it takes back goes with the next batch */
    send(&writer);
    until(&writer, is_written);
    ck_assert_int_gt(atoi(ask(&server, "TTL features:user:b")), 4900);
    is_answer(&server, "EXISTS freshness:user:b", "0");
    is_answer(&server, "EXISTS freshness:user:a", "1");
    ck_assert_int_eq(fence_of(&writer, 0)->seq, 3);
    SCENE_END;
}
END_TEST

/* ---- refusals of the whole ---- */

static void refused_and_again(struct server *server, struct writer *writer, const char *break_it,
                              const char *mend_it)
{
    begin(writer);
    add(writer, 0, "x");
    is_answer(server, break_it, "OK");
    send(writer);
    until(writer, is_away);
    for (int i = 0; i < 50; i++) {
        pump(writer);
        writer->mono_ms += 100;
    }
    ck_assert(is_broken(writer) && !is_written(writer));
    is_answer(server, mend_it, "OK");
    until(writer, is_written);
    until(writer, is_ready);
    ck_assert(!is_fence_news(writer) && !is_away(writer));
    is_answer(server, "HGET features:user:x amount_10s_sum", "2.5");
    is_answer(server, "HGET " M0 " seq", "2");
}

START_TEST(out_of_memory_leaves_the_batch_to_be_sent_again)
{
    SCENE(1);
    refused_and_again(&server, &writer, "CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0");
    SCENE_END;
}
END_TEST

START_TEST(a_primary_that_has_become_a_replica_leaves_the_batch_to_be_sent_again)
{
    SCENE(1);
    refused_and_again(&server, &writer, "REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE");
    SCENE_END;
}
END_TEST

/* ---- batches in doubt ---- */

START_TEST(a_batch_whose_answer_was_lost_is_known_to_have_been_applied)
{
    SCENE(2);
    begin(&writer);
    add(&writer, 0, "x");
    writer.tap->is_deaf = true;
    send(&writer);
    until_answer(&server, &writer, "HGET " M0 " seq", "2");
    writer.tap->is_cut = true;
    writer.tap->is_deaf = false;
    until(&writer, is_broken);
    ck_assert(!is_written(&writer));
    is_answer(&server, "DEL features:user:x", "1");
    until(&writer, is_written);
    ck_assert(!is_fence_news(&writer));
    is_answer(&server, "HGET features:user:x amount_10s_sum", "2.5"); /* sent again all the same */
    is_answer(&server, "HGET " M0 " seq", "3");
    ck_assert_int_eq(fence_of(&writer, 0)->seq, 3);
    ck_assert_int_eq(fence_of(&writer, 1)->seq, 1);
    SCENE_END;
}
END_TEST

START_TEST(a_batch_that_never_arrived_is_sent_again)
{
    SCENE(2);
    begin(&writer);
    add(&writer, 0, "x");
    writer.tap->is_held = true;
    send(&writer);
    ck_assert_int_eq(cell_get(&writer.board->cells[BOARD_RETRIES]), 0);
    writer.tap->is_cut = true;
    until(&writer, is_written);
    ck_assert_int_eq(cell_get(&writer.board->cells[BOARD_RETRIES]), 1);
    ck_assert(is_broken(&writer) && !is_fence_news(&writer));
    is_answer(&server, "HGET features:user:x amount_10s_sum", "2.5");
    is_answer(&server, "HGET " M0 " seq", "2");
    SCENE_END;
}
END_TEST

START_TEST(a_silent_redis_is_given_up_after_five_seconds)
{
    SCENE(1);
    begin(&writer);
    add(&writer, 0, "x");
    writer.tap->is_held = true;
    send(&writer);
    writer.mono_ms += 4900;
    pump(&writer);
    ck_assert(!is_broken(&writer));
    writer.mono_ms += 200;
    pump(&writer);
    ck_assert(is_broken(&writer));
    until(&writer, is_written);
    SCENE_END;
}
END_TEST

START_TEST(bytes_of_an_abandoned_connection_do_not_land_once_it_was_sent_again)
{
    SCENE(1);
    begin(&writer);
    add_command(&writer, 0, "a", "old");
    writer.tap->is_held = true;
    writer.tap->leaves_ghost = true;
    send(&writer);
    writer.tap->is_cut = true;
    until(&writer, is_written);
    write_value(&writer, 0, "a", "new");
    tap_haunt(writer.tap);
    is_answer(&server, "HGET a v", "new");
    is_answer(&server, "HGET " M0 " seq", "3");
    write_value(&writer, 0, "a", "newer");
    ck_assert_int_eq(fence_of(&writer, 0)->state, FENCE_HELD);
    SCENE_END;
}
END_TEST

START_TEST(bytes_of_an_abandoned_connection_do_not_land_after_another_claim)
{
    SCENE(1);
    struct writer other;
    writer_open(&other, &server, 2);
    begin(&writer);
    add_command(&writer, 0, "a", "old");
    writer.tap->is_held = true;
    writer.tap->leaves_ghost = true;
    send(&writer);
    writer.tap->is_cut = true;
    writer.tap->is_closed = true;
    until(&writer, is_broken);
    claim_all(&other, 1);
    tap_haunt(writer.tap);
    is_answer(&server, "EXISTS a", "0");
    write_value(&other, 0, "a", "theirs");
    writer.tap->is_closed = false;
    until(&writer, is_written);
    ck_assert_int_eq(fence_of(&writer, 0)->state, FENCE_LOST);
    is_answer(&server, "HGET a v", "theirs");
    ck_assert_int_eq(fence_of(&other, 0)->state, FENCE_HELD);
    writer_close(&other);
    SCENE_END;
}
END_TEST

static bool is_deaf(const struct writer *writer)
{
    return writer->tap->is_deaf;
}

START_TEST(bytes_that_land_between_the_comparison_and_the_batch_fail_the_batch)
{
    SCENE(2);
    begin(&writer);
    add_command(&writer, 0, "a", "1");
    writer.tap->is_held = true;
    writer.tap->leaves_ghost = true;
    send(&writer);
    writer.tap->is_cut = true;
    until(&writer, is_broken);
    /* A claim is made behind the comparison and before the batch, and its answer comes late. */
    writer.tap->deaf_on = "HGETALL";
    writer.store->ops->claim(writer.store, fence_of(&writer, 2), "x");
    until(&writer, is_deaf);
    until_answer(&server, &writer, "EXISTS {tw:g:t:2}:m", "1");
    tap_haunt(writer.tap);
    is_answer(&server, "HGET " M0 " seq", "2");
    writer.tap->deaf_on = NULL;
    writer.tap->is_deaf = false;
    until(&writer, is_written);
    ck_assert_int_eq(fence_of(&writer, 0)->state, FENCE_LOST); /* which costs no more than a load */
    ck_assert_int_eq(fence_of(&writer, 1)->state, FENCE_HELD);
    ck_assert_int_eq(fence_of(&writer, 2)->state, FENCE_HELD);
    is_answer(&server, "HGET a v", "1");
    SCENE_END;
}
END_TEST

START_TEST(an_older_redis_loses_the_units_whose_state_has_gone_back)
{
    SCENE(3);
    write_value(&writer, 0, "a", "1");
    write_value(&writer, 0, "a", "2");
    until(&writer, is_ready);
    writer.tap->is_closed = true;
    writer.tap->is_cut = true;
    until(&writer, is_broken);
    is_answer(&server, "HSET " M0 " seq 2", "0");
    is_answer(&server, "HSET " M1 " own " THEIRS, "0");
    writer.tap->is_closed = false;
    until(&writer, is_ready);
    ck_assert_int_eq(fence_of(&writer, 0)->state, FENCE_LOST);
    ck_assert_int_eq(fence_of(&writer, 1)->state, FENCE_LOST);
    ck_assert_int_eq(fence_of(&writer, 2)->state, FENCE_HELD);
    SCENE_END;
}
END_TEST

START_TEST(one_more_than_we_left_is_only_right_for_a_batch_in_doubt)
{
    SCENE(2);
    begin(&writer);
    add(&writer, 0, "x");
    writer.tap->is_held = true;
    send(&writer);
    writer.tap->is_cut = true;
    writer.tap->is_closed = true;
    until(&writer, is_broken);
    is_answer(&server, "HINCRBY " M0 " seq 2", "3");
    is_answer(&server, "HINCRBY " M1 " seq 1", "2");
    writer.tap->is_closed = false;
    until(&writer, is_written);
    ck_assert_int_eq(fence_of(&writer, 0)->state, FENCE_LOST);
    ck_assert_int_eq(fence_of(&writer, 1)->state, FENCE_LOST);
    is_answer(&server, "EXISTS features:user:x", "0");
    SCENE_END;
}
END_TEST

START_TEST(a_unit_that_is_lost_is_forgotten_before_the_batch_is_sent_again)
{
    SCENE(2);
    begin(&writer);
    add(&writer, 0, "x");
    add(&writer, 1, "y");
    writer.tap->is_held = true;
    send(&writer);
    writer.tap->is_cut = true;
    writer.tap->is_closed = true;
    until(&writer, is_broken);
    claim_theirs(&server, M0);
    writer.tap->is_closed = false;
    writer.tap->deaf_on = "HGETALL";
    writer.store->ops->claim(writer.store, fence_of(&writer, 2), "x"); /* comes first */
    until(&writer, is_deaf);
    ck_assert(is_fence_news(&writer) && !is_written(&writer));
    ck_assert_ptr_null(writer.batch.items[0].shard);
    ck_assert_ptr_nonnull(writer.batch.items[1].shard);
    writer.tap->deaf_on = NULL;
    writer.tap->is_deaf = false;
    until(&writer, is_written);
    is_answer(&server, "EXISTS features:user:x", "0");
    is_answer(&server, "EXISTS features:user:y", "1");
    SCENE_END;
}
END_TEST

START_TEST(a_restart_of_an_empty_redis_loses_every_unit)
{
    SCENE(2);
    server_kill(&server);
    until(&writer, is_broken);
    server_start(&server, NO_OPTIONS);
    until(&writer, is_ready);
    ck_assert_int_eq(fence_of(&writer, 0)->state, FENCE_LOST);
    ck_assert_int_eq(fence_of(&writer, 1)->state, FENCE_LOST);
    claim_all(&writer, 2);
    ck_assert(!fence_of(&writer, 0)->found.is_found);
    SCENE_END;
}
END_TEST

/* ---- releases ---- */

START_TEST(a_unit_released_in_flight_is_told_of_no_answer)
{
    SCENE(2);
    struct fence *fence = mem_alloc(sizeof *fence); /* it may be gone before the answer comes */
    *fence = (struct fence){.meta_key = "{tw:g:t:9}:m"};
    meta_init(&fence->found);
    writer.store->ops->claim(writer.store, fence, "w");
    until(&writer, is_fence_news);
    until(&writer, is_ready);
    begin(&writer);
    add(&writer, 0, "x");
    (void)batch_close(&writer.batch, ITEM_UNIT, writer.units[1].shard, fence);
    send(&writer);
    writer.store->ops->release(writer.store, fence);
    meta_fini(&fence->found);
    free(fence);
    until(&writer, is_written);
    until(&writer, is_ready);
    ck_assert_ptr_nonnull(writer.batch.items[0].shard);
    ck_assert_ptr_null(writer.batch.items[1].shard);
    write_value(&writer, 1, "b", "1");
    SCENE_END;
}
END_TEST

START_TEST(a_unit_released_in_doubt_is_not_sent_again)
{
    SCENE(2);
    begin(&writer);
    add(&writer, 0, "x");
    add(&writer, 1, "y");
    writer.tap->is_held = true;
    send(&writer);
    release(&writer, 0);
    writer.tap->is_cut = true;
    until(&writer, is_written);
    is_answer(&server, "EXISTS features:user:x", "0");
    is_answer(&server, "EXISTS features:user:y", "1");
    is_answer(&server, "HGET " M0 " seq", "1");
    claim(&writer, 0);
    until(&writer, is_fence_news);
    ck_assert_int_eq(fence_of(&writer, 0)->found.seq, 1);
    ck_assert(!fence_of(&writer, 0)->is_unchanged); /* of what was not said nobody knows */
    SCENE_END;
}
END_TEST

START_TEST(a_unit_released_while_it_is_claimed_is_left_alone)
{
    SCENE(1);
    writer.tap->is_deaf = true;
    claim(&writer, 1);
    until_answer(&server, &writer, "HGET " M1 " seq", "1");
    release(&writer, 1);
    writer.tap->is_deaf = false;
    until(&writer, is_ready);
    ck_assert_int_eq(fence_of(&writer, 1)->state, FENCE_OPEN);
    write_value(&writer, 0, "a", "1");
    SCENE_END;
}
END_TEST

START_TEST(a_unit_released_and_claimed_again_waits_for_the_second_claim)
{
    SCENE(1);
    writer.tap->is_deaf = true;
    claim(&writer, 1);
    until_answer(&server, &writer, "HGET " M1 " seq", "1");
    release(&writer, 1);
    claim(&writer, 1);
    writer.tap->is_deaf = false;
    until(&writer, is_fence_news);
    ck_assert_int_eq(fence_of(&writer, 1)->seq, 2);
    is_answer(&server, "HGET " M1 " own", fence_of(&writer, 1)->own);
    SCENE_END;
}
END_TEST

/* ---- anything, in any order ---- */

/* Two workers, three units, and per unit a list in Redis to which every batch adds "<count> <line>" in
 * the transaction that writes the unit. Memory runs ahead of Redis: the count goes up when a batch is
 * made. A worker that has claimed a unit begins a new line at what it finds last, unless it is told that
 * what it remembers holds. Whatever breaks: each entry of the list is the one before, sent again; or a
 * later one of its line; or the first of a line that has begun at exactly the one before. */
enum { RANDOM_UNITS = 3, RANDOM_STEPS = 3000, RANDOM_SEEDS = 20 };

struct entry {
    long long count;
    long long line;
};

struct player {
    struct writer writer;
    struct entry memory[RANDOM_UNITS];
    bool is_loaded[RANDOM_UNITS];
};

struct game {
    struct server server;
    struct player players[2];
    uint64_t draws;
    struct entry *begun; /* by line: where */
    size_t line_count;
    size_t line_cap;
    size_t written;
    size_t lost;
    size_t parked;
    size_t haunted;
    redisReply *saved[RANDOM_UNITS]; /* own, seq; and how long the list was */
    long long saved_len[RANDOM_UNITS];
};

static uint64_t roll(struct game *game, uint64_t sides)
{
    return draw(&game->draws) % sides;
}

static redisReply *do_ask(struct game *game, const char *format, int unit)
{
    redisReply *reply = redisCommand(game->server.client, format, unit);
    ck_assert_ptr_nonnull(reply);
    return reply;
}

static void do_only(struct game *game, const char *format, int unit)
{
    freeReplyObject(do_ask(game, format, unit));
}

static struct entry read_entry(const redisReply *reply)
{
    struct entry entry = {0, 0};
    if (reply->type == REDIS_REPLY_STRING)
        ck_assert_int_eq(sscanf(reply->str, "%lld %lld", &entry.count, &entry.line), 2);
    return entry;
}

static struct entry load_entry(struct game *game, int unit)
{
    redisReply *reply = do_ask(game, "LINDEX list:%d -1", unit);
    struct entry last = read_entry(reply);
    freeReplyObject(reply);
    game->begun = mem_grow(game->begun, game->line_count, &game->line_cap, sizeof *game->begun);
    game->begun[game->line_count] = last;
    return (struct entry){last.count, (long long)game->line_count++};
}

/* As the tenure does it. */
static void hear_of_fences(struct game *game, struct player *player)
{
    for (int i = 0; i < RANDOM_UNITS; i++) {
        const struct fence *fence = fence_of(&player->writer, i);
        if (fence->state == FENCE_LOST && player->is_loaded[i])
            game->lost++;
        if (fence->state == FENCE_HELD && !player->is_loaded[i]) {
            game->parked += fence->is_unchanged;
            if (!fence->is_unchanged)
                player->memory[i] = load_entry(game, i);
        }
        player->is_loaded[i] = fence->state == FENCE_HELD;
    }
}

static void play_pump(struct game *game, struct player *player)
{
    struct writer *writer = &player->writer;
    writer->events = 0;
    writer->mono_ms += is_away(writer) ? 100 : 5;
    pump(writer);
    if (is_written(writer))
        for (size_t i = 0; i < writer->batch.item_count; i++)
            game->written += writer->batch.items[i].shard != NULL;
    if (is_fence_news(writer))
        hear_of_fences(game, player);
    if (roll(game, 2) == 0)
        (void)usleep(50);
}

static void play_send(struct game *game, struct player *player)
{
    struct writer *writer = &player->writer;
    if (!is_ready(writer))
        return;
    begin(writer);
    for (int i = 0; i < RANDOM_UNITS; i++) {
        char entry[48];
        if (!player->is_loaded[i] || fence_of(writer, i)->state != FENCE_HELD || roll(game, 3) == 0)
            continue;
        char key[32];
        (void)snprintf(key, sizeof key, "list:%d", i);
        (void)snprintf(entry, sizeof entry, "%lld %lld", ++player->memory[i].count,
                       player->memory[i].line);
        const struct slice words[] = {slice_of("RPUSH"), slice_of(key), slice_of(entry)};
        batch_command(&writer->batch, words, 3);
        (void)batch_close(&writer->batch, ITEM_UNIT, writer->units[i].shard, fence_of(writer, i));
    }
    if (writer->batch.item_count > 0)
        send(writer);
}

static void play_claim(struct game *game, struct player *player, bool is_release)
{
    struct writer *writer = &player->writer;
    int unit = (int)roll(game, RANDOM_UNITS);
    struct fence *fence = fence_of(writer, unit);
    if (is_release)
        release(writer, unit);
    else if (fence->state != FENCE_CLAIMING && (fence->state != FENCE_HELD || roll(game, 8) == 0))
        claim(writer, unit);
    player->is_loaded[unit] = false;
    if (!is_release && fence->state == FENCE_HELD)
        player->is_loaded[unit] = true;
}

static void play_save(struct game *game)
{
    for (int i = 0; i < RANDOM_UNITS; i++) {
        freeReplyObject(game->saved[i]);
        game->saved[i] = do_ask(game, "HMGET {tw:g:t:%d}:m own seq", i);
        redisReply *len = do_ask(game, "LLEN list:%d", i);
        game->saved_len[i] = len->integer;
        freeReplyObject(len);
    }
}

/* A failover to what was saved: every connection is gone, with all that was under way. */
static void play_failover(struct game *game)
{
    if (game->saved[0] == NULL)
        return;
    for (int i = 0; i < 2; i++)
        tap_kill(game->players[i].writer.tap);
    (void)usleep(2000); /* what was sent before is carried out, or is not */
    for (int i = 0; i < RANDOM_UNITS; i++) {
        const redisReply *saved = game->saved[i];
        do_only(game, "DEL {tw:g:t:%d}:m", i);
        if (saved->element[0]->type == REDIS_REPLY_STRING)
            freeReplyObject(redisCommand(game->server.client, "HSET {tw:g:t:%d}:m own %s seq %s", i,
                                         saved->element[0]->str, saved->element[1]->str));
        if (game->saved_len[i] == 0)
            do_only(game, "DEL list:%d", i);
        else
            freeReplyObject(redisCommand(game->server.client, "LTRIM list:%d 0 %lld", i,
                                         game->saved_len[i] - 1));
    }
}

static void play_break(struct game *game, struct player *player)
{
    struct tap *tap = player->writer.tap;
    switch (roll(game, 6)) {
    case 0:
        tap->is_held = true;
        break;
    case 1:
        tap->is_deaf = true;
        break;
    case 2:
        tap->is_cut = true;
        tap->is_deaf = false;
        break;
    case 3:
    case 4:
        tap->leaves_ghost = true;
        tap->is_cut = true;
        tap->is_deaf = false;
        break;
    case 5:
    case 6:
        if (tap->ghost != NULL) {
            game->haunted += tap->ghostly.len > 0;
            tap_haunt(tap);
        }
        break;
    default:
        if (roll(game, 8) == 0)
            do_only(game, "DEL {tw:g:t:%d}:m", (int)roll(game, RANDOM_UNITS));
    }
}

static void play_step(struct game *game)
{
    struct player *player = &game->players[roll(game, 2)];
    uint64_t what = roll(game, 100);
    if (what < 70)
        play_pump(game, player);
    else if (what < 86)
        play_send(game, player);
    else if (what < 93)
        play_claim(game, player, what == 92);
    else if (what < 98)
        play_break(game, player);
    else if (what < 99)
        play_save(game);
    else if (roll(game, 4) == 0)
        play_failover(game);
}

static bool may_follow(const struct game *game, struct entry before, struct entry entry)
{
    if (entry.line == before.line)
        return entry.count >= before.count;
    struct entry begun = game->begun[entry.line];
    return begun.line == before.line && begun.count == before.count;
}

static void check_list(struct game *game, int unit, uint64_t seed)
{
    redisReply *list = do_ask(game, "LRANGE list:%d 0 -1", unit);
    struct entry before = {0, 0};
    for (size_t i = 0; i < list->elements; i++) {
        struct entry entry = read_entry(list->element[i]);
        ck_assert_msg(may_follow(game, before, entry),
                      "SEED=%llu, unit %d: count %lld of line %lld follows %lld of %lld",
                      (unsigned long long)seed, unit, entry.count, entry.line, before.count,
                      before.line);
        before = entry;
    }
    freeReplyObject(list);
}

static void play(struct game *game, uint64_t seed)
{
    game->draws = seed;
    game->line_count = 1; /* the first is nobody's */
    do_only(game, "FLUSHALL", 0);
    for (int i = 0; i < 2; i++) {
        game->players[i] = (struct player){.is_loaded = {false}};
        writer_open(&game->players[i].writer, &game->server, seed * 2 + (uint64_t)i);
    }
    for (int i = 0; i < RANDOM_STEPS; i++)
        play_step(game);
    for (int i = 0; i < RANDOM_UNITS; i++) {
        check_list(game, i, seed);
        freeReplyObject(game->saved[i]);
        game->saved[i] = NULL;
    }
    for (int i = 0; i < 2; i++)
        writer_close(&game->players[i].writer);
}

START_TEST(whatever_breaks_no_write_is_doubled_nor_undone)
{
    struct game game = {.line_count = 1};
    if (!has_server("fenced_store"))
        return;
    const char *text = getenv("SEED");
    uint64_t first = text != NULL ? strtoull(text, NULL, 10) : (uint64_t)clock_mono_ms() % 1000000;
    printf("random  seed=%llu\n", (unsigned long long)first);
    game.begun = mem_grow(NULL, 0, &game.line_cap, sizeof *game.begun);
    server_open(&game.server, NO_OPTIONS);
    for (uint64_t i = 0; i < RANDOM_SEEDS; i++)
        play(&game, first + i);
    printf("random  written=%zu lost=%zu parked=%zu haunted=%zu\n", game.written, game.lost,
           game.parked, game.haunted);
    ck_assert_uint_gt(game.written, 200);
    ck_assert_uint_gt(game.lost, 20);
    free(game.begun);
    server_close(&game.server);
}
END_TEST

/* ---- failpoints ---- */

START_TEST(claims_and_batches_pass_their_failpoints)
{
    SCENE(0);
    failpoint_hook = reach;
    claim_all(&writer, 1);
    ck_assert_uint_eq(reached[FAIL_CLAIMED], 1);
    ck_assert_uint_eq(reached[FAIL_BATCH_SENT], 0);
    begin(&writer);
    add(&writer, 0, "x");
    send(&writer);
    ck_assert_uint_eq(reached[FAIL_CLAIMED], 1);
    ck_assert_uint_eq(reached[FAIL_BATCH_SENT], 1);
    failpoint_hook = NULL;
    until(&writer, is_written);
    SCENE_END;
}
END_TEST

UNIT_MAIN("fenced_store", a_claim_shows_what_was_there_before_it,
          a_claim_over_a_parked_unit_tells_whether_it_was_touched,
          a_claim_whose_answer_is_lost_is_made_anew_with_another_nonce,
          a_claim_goes_on_when_a_held_unit_was_touched_meanwhile,
          a_key_that_is_no_meta_holds_up_its_own_unit_alone,
          a_held_unit_may_be_claimed_again_with_its_batch_under_way,
          a_batch_raises_seq_once_for_each_unit_that_it_touches,
          a_unit_that_only_beats_raises_its_seq,
          of_twelve_units_the_one_that_was_claimed_away_is_lost_alone,
          a_batch_of_which_nothing_is_left_is_over, a_flush_loses_every_unit,
          a_meta_that_is_gone_loses_its_unit_even_if_it_went_before_the_watch,
          a_meta_of_another_type_loses_its_unit,
          a_nil_without_a_visible_difference_sends_the_same_batch_again,
          a_unit_that_changes_hands_behind_a_batch_is_lost_before_the_next,
          a_key_of_another_type_refuses_its_item_alone_and_keeps_its_expiry,
          out_of_memory_leaves_the_batch_to_be_sent_again,
          a_primary_that_has_become_a_replica_leaves_the_batch_to_be_sent_again,
          a_batch_whose_answer_was_lost_is_known_to_have_been_applied,
          a_batch_that_never_arrived_is_sent_again, a_silent_redis_is_given_up_after_five_seconds,
          bytes_of_an_abandoned_connection_do_not_land_once_it_was_sent_again,
          bytes_of_an_abandoned_connection_do_not_land_after_another_claim,
          bytes_that_land_between_the_comparison_and_the_batch_fail_the_batch,
          an_older_redis_loses_the_units_whose_state_has_gone_back,
          one_more_than_we_left_is_only_right_for_a_batch_in_doubt,
          a_unit_that_is_lost_is_forgotten_before_the_batch_is_sent_again,
          a_restart_of_an_empty_redis_loses_every_unit,
          a_unit_released_in_flight_is_told_of_no_answer,
          a_unit_released_in_doubt_is_not_sent_again,
          a_unit_released_while_it_is_claimed_is_left_alone,
          a_unit_released_and_claimed_again_waits_for_the_second_claim,
          whatever_breaks_no_write_is_doubled_nor_undone, claims_and_batches_pass_their_failpoints)
