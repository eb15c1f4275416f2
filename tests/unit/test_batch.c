/* A batch, byte by byte. */
#include "core_kit.h"
#include "tidewheel/batch.h"

static struct catalog *catalog;
static struct tally tally;
static struct tally *const tallies[] = {&tally};
static struct shard *shard;
static struct batch batch;
static struct reading readings[KIT_FIELDS];
static struct row row = {.readings = readings};

static void open_all(const char *more)
{
    catalog = kit_catalog(more);
    shard = kit_shard(catalog, tallies);
    shard_go_live(shard);
    batch_begin(&batch);
}

static void close_all(void)
{
    batch_fini(&batch);
    shard_free(shard);
    catalog_free(catalog);
}

/* The next change of an entity, as an event brings it. */
static void add(const char *id, const char *amount)
{
    struct entity_ref ref;
    (void)kit_apply(shard, id, NOW - 1, amount, KNOW_FED);
    ck_assert(shard_take_arrival(shard, &ref, NULL));
    shard_read(shard, ref, &row);
    (void)batch_add(&batch, shard, NULL, ref, &row, NOW + 7);
}

/* Commands as words with spaces, one a line. */
static struct buf spoken(void)
{
    struct buf text = {NULL, 0, 0};
    for (size_t i = 0; i < batch.command_count; i++) {
        for (size_t k = 0; batch_word(&batch, i, k).ptr != NULL; k++) {
            if (k > 0)
                buf_add_char(&text, ' ');
            buf_add(&text, batch_word(&batch, i, k).ptr, batch_word(&batch, i, k).len);
        }
        buf_add_char(&text, '\n');
    }
    return text;
}

static void says(const char *expected)
{
    struct buf text = spoken();
    ck_assert_str_eq(buf_text(&text), expected);
    buf_fini(&text);
}

static void acknowledge(void)
{
    for (size_t i = 0; i < batch.item_count; i++)
        shard_written(shard, batch.items[i].entity, batch.items[i].as_of_ms, batch.items[i].next_ms,
                      batch.items[i].generation);
    ledger_acknowledge(&shard->ledger);
    batch_begin(&batch);
}

START_TEST(a_batch_is_these_very_bytes)
{
    open_all("output: {key: \"f:{id}\", freshness_key: \"n:{id}\"}\n");
    add("a", NULL);
    acknowledge();
    add("a", "0.5");
    buf_add_char(&batch.bytes, '\0');
    ck_assert_str_eq(batch.bytes.ptr, "*1\r\n$5\r\nMULTI\r\n"
                                      "*10\r\n$4\r\nHSET\r\n$3\r\nf:a\r\n"
                                      "$16\r\namount_10s_count\r\n$1\r\n1\r\n"
                                      "$14\r\namount_10s_sum\r\n$3\r\n0.5\r\n"
                                      "$14\r\namount_10s_max\r\n$3\r\n0.5\r\n"
                                      "$14\r\nseen_10s_count\r\n$1\r\n2\r\n"
                                      "*3\r\n$6\r\nEXPIRE\r\n$3\r\nf:a\r\n$2\r\n20\r\n"
                                      "*6\r\n$4\r\nHSET\r\n$3\r\nn:a\r\n"
                                      "$1\r\nv\r\n$13\r\n1700000000007\r\n"
                                      "$7\r\nv:event\r\n$13\r\n1699999999999\r\n"
                                      "*3\r\n$6\r\nEXPIRE\r\n$3\r\nn:a\r\n$2\r\n20\r\n");
    ck_assert_uint_eq(batch.command_count, 4); /* MULTI is the batch's, not an item's */
    close_all();
}
END_TEST

START_TEST(what_does_not_exist_is_deleted_and_a_first_write_asks_whose_key_it_is)
{
    open_all("");
    add("a", NULL);
    says("PTTL features:user:a\n"
         "HSET features:user:a amount_10s_count 0 amount_10s_sum 0 seen_10s_count 1\n"
         "HDEL features:user:a amount_10s_max\n"
         "EXPIRE features:user:a 20\n"
         "PTTL freshness:user:a\n"
         "HSET freshness:user:a v 1700000000007 v:event 1699999999999\n"
         "EXPIRE freshness:user:a 20\n");
    close_all();
}
END_TEST

START_TEST(a_refused_entity_asks_again_and_a_written_one_does_not)
{
    open_all("");
    add("a", "1");
    ck_assert(row.is_new);
    acknowledge();
    add("a", "1");
    ck_assert(!row.is_new);
    shard_refused(shard, batch.items[0].entity, NOW);
    batch_begin(&batch);
    size_t looks = 9;
    struct entity_ref ref;
    ck_assert(shard_take_decay(shard, NOW + 30000, &looks, &ref));
    shard_read(shard, ref, &row);
    ck_assert(row.is_new);
    close_all();
}
END_TEST

START_TEST(an_expiry_is_rounded_up_to_seconds_and_never_nothing)
{
    static const struct {
        int64_t ttl_ms;
        const char *text;
    } rows[] = {{20000, "20"}, {20001, "21"}, {20999, "21"}, {1, "1"}, {0, "1"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf text;
        char expected[64];
        open_all("");
        catalog->views[0]->key_ttl_ms = rows[i].ttl_ms;
        add("a", "1");
        text = spoken();
        (void)snprintf(expected, sizeof expected, "EXPIRE features:user:a %s\n", rows[i].text);
        ck_assert_msg(strstr(buf_text(&text), expected) != NULL, "%s", buf_text(&text));
        buf_fini(&text);
        close_all();
        batch = (struct batch){.items = NULL};
    }
}
END_TEST

START_TEST(a_write_that_no_event_brought_says_no_newest_event)
{
    open_all("");
    shard_go_silent(shard, 0);
    (void)kit_apply(shard, "a", NOW - 60000, "1", KNOW_MATCHED);
    shard_go_live(shard);
    size_t looks = 9;
    struct entity_ref ref;
    ck_assert(shard_take_decay(shard, NOW, &looks, &ref));
    shard_read(shard, ref, &row);
    (void)batch_add(&batch, shard, NULL, ref, &row, NOW);
    says("PTTL features:user:a\n"
         "HSET features:user:a amount_10s_count 0 amount_10s_sum 0 seen_10s_count 0\n"
         "HDEL features:user:a amount_10s_max\n"
         "EXPIRE features:user:a 20\n"
         "PTTL freshness:user:a\n"
         "HSET freshness:user:a v 1700000000000\n"
         "EXPIRE freshness:user:a 20\n");
    close_all();
}
END_TEST

START_TEST(keys_hold_what_events_gave_them_encoded)
{
    open_all("output: {key: \"{{f}}:{entity_id}\", freshness_key: \"n:{id}\"}\n");
    add("a%3A%0D%0Ab", "1"); /* identities are encoded already */
    struct slice key = batch_word(&batch, 1, 1);
    ck_assert(slice_is_equal(key, slice_of("{f}:a%3A%0D%0Ab")));
    close_all();
}
END_TEST

START_TEST(a_refusal_is_its_entitys_whichever_command_was_refused)
{
    enum { EACH = 7 };
    for (size_t command = 0; command < 3 * EACH; command++) {
        open_all("");
        add("a", NULL);
        add("b", NULL);
        add("c", NULL);
        ck_assert_uint_eq(batch.command_count, 3 * EACH);
        batch_refuse(&batch, command);
        for (size_t i = 0; i < 3; i++)
            ck_assert(batch.items[i].is_refused == (command / EACH == i));
        batch_refuse(&batch, 3 * EACH); /* what ends it is nobody's */
        size_t pttl = 99;
        ck_assert(batch_find_pttl(&batch, command, &pttl) == (command % EACH % 4 != 0));
        if (command % EACH % 4 != 0)
            ck_assert_uint_eq(pttl, command / EACH * EACH + (command % EACH > 4 ? 4 : 0));
        close_all();
        batch = (struct batch){.items = NULL};
    }
}
END_TEST

START_TEST(a_batch_is_full_by_entities_or_by_bytes)
{
    open_all("");
    ck_assert(!batch_is_full(&batch, 2));
    add("a", "1");
    ck_assert(!batch_is_full(&batch, 2));
    add("b", "1");
    ck_assert(batch_is_full(&batch, 2));
    ck_assert(!batch_is_full(&batch, 3));
    batch.bytes.len = BATCH_BYTES_MAX;
    ck_assert(batch_is_full(&batch, 3));
    close_all();
}
END_TEST

START_TEST(what_is_forgotten_is_told_nothing_and_is_left_out_when_it_is_sent_again)
{
    open_all("");
    struct shard *kept = shard;
    struct shard *dropped = kit_shard(catalog, tallies);
    shard_go_live(dropped);
    for (const char *id = "abcde"; *id != '\0'; id++) {
        char name[2] = {*id, '\0'};
        shard = *id == 'b' || *id == 'd' || *id == 'e' ? dropped : kept;
        add(name, *id == 'c' ? "1" : NULL);
    }
    shard = kept;
    batch_forget(&batch, dropped);
    shard_free(dropped);
    ck_assert(batch.items[0].shard == kept && batch.items[1].shard == NULL);
    struct batch other = batch;
    batch = (struct batch){.items = NULL};
    batch_begin(&batch);
    shard_free(kept);
    shard = kit_shard(catalog, tallies);
    shard_go_live(shard);
    add("a", NULL);
    add("c", "1");
    batch_trim(&other);
    ck_assert_uint_eq(other.bytes.len, batch.bytes.len);
    ck_assert(memcmp(other.bytes.ptr, batch.bytes.ptr, batch.bytes.len) == 0);
    ck_assert_uint_eq(other.command_count, batch.command_count);
    ck_assert_uint_eq(other.item_count, 2);
    for (size_t i = 0; i < 2; i++) {
        ck_assert_uint_eq(other.items[i].command_end, batch.items[i].command_end);
        ck_assert_uint_eq(other.items[i].byte_end, batch.items[i].byte_end);
    }
    batch_trim(&other); /* there is nothing more to leave out */
    ck_assert_uint_eq(other.bytes.len, batch.bytes.len);
    batch_fini(&other);
    close_all();
}
END_TEST

/* A key of another type has refused the first entity's HSET: PTTL had said pttl_ms. */
static void refuse_first(int64_t pttl_ms)
{
    batch_refuse(&batch, 1);
    batch_undo(&batch, 1, pttl_ms);
}

START_TEST(an_undo_is_the_first_thing_of_the_next_batch)
{
    static const struct {
        int64_t pttl_ms;
        const char *text;
    } rows[] = {{-1, "PERSIST features:user:a\n"},
                {5000, "PEXPIRE features:user:a 5000\n"},
                {0, "PEXPIRE features:user:a 1\n"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        open_all("");
        add("a", "1");
        refuse_first(rows[i].pttl_ms);
        batch_begin(&batch);
        says(rows[i].text);
        ck_assert_uint_eq(batch.item_count, 1);
        ck_assert(batch.items[0].kind == ITEM_UNIT && batch.items[0].shard == shard);
        ck_assert_uint_eq(batch.entity_count, 0);
        add("b", "1");
        batch_refuse(&batch, 2); /* counted from the undo on */
        ck_assert(!batch.items[0].is_refused && batch.items[1].is_refused);
        batch_begin(&batch);
        says(""); /* once is enough */
        close_all();
        batch = (struct batch){.items = NULL};
    }
}
END_TEST

START_TEST(an_entity_that_was_not_written_is_not_fresh)
{
    open_all("");
    add("a", "1");
    add("b", "1");
    batch_refuse(&batch, 1);
    batch_undo_freshness(&batch, 0);
    batch_begin(&batch);
    says("HDEL freshness:user:a v v:event\n");
    ck_assert(batch.items[0].kind == ITEM_UNIT && batch.items[0].shard == shard);
    batch_begin(&batch);
    add("a", "1");
    batch_undo_freshness(&batch, 0);
    batch_forget(&batch, shard);
    batch_begin(&batch);
    says(""); /* whoever has the unit now tries by himself */
    close_all();
}
END_TEST

START_TEST(an_undo_of_a_unit_that_was_dropped_is_left_to_its_next_owner)
{
    open_all("");
    add("a", "1");
    refuse_first(-1);
    ck_assert_uint_eq(batch.undo_count, 1);
    batch_forget(&batch, shard);
    batch_begin(&batch);
    says("");
    batch_begin(&batch);
    add("b", "1");
    batch_forget(&batch, shard); /* before the answer is in */
    refuse_first(-1);
    batch_begin(&batch);
    says("");
    close_all();
}
END_TEST

/* Fences are only pointed at here. */
static struct fence *fence_of(int number)
{
    static char places[4];
    return (struct fence *)(uintptr_t)&places[number];
}

static struct item *add_words(enum item_kind kind, const char *name, const char *key,
                              struct fence *fence)
{
    const struct slice words[] = {slice_of(name), slice_of(key)};
    batch_command(&batch, words, 2);
    return batch_close(&batch, kind, shard, fence);
}

START_TEST(a_batch_carries_features_blobs_and_units_together)
{
    open_all("");
    const struct slice blob[] = {slice_of("HSET"), slice_of("s:1"), slice_of("a"), {"\0\r\n", 3}};
    batch_command(&batch, blob, 4);
    struct item *item = batch_close(&batch, ITEM_BLOB, shard, fence_of(1));
    ck_assert(item->kind == ITEM_BLOB && item->fence == fence_of(1) && item->shard == shard);
    add_words(ITEM_UNIT, "UNLINK", "s:0", fence_of(1))->tag = 7;
    add("a", "1");
    ck_assert_uint_eq(batch.item_count, 3);
    ck_assert_uint_eq(batch.entity_count, 1); /* others take no entity's place */
    ck_assert(!batch_is_full(&batch, 2) && batch_is_full(&batch, 1));
    ck_assert_uint_eq(batch.items[0].command_end, 1);
    ck_assert_uint_eq(batch.items[1].command_end, 2);
    ck_assert_uint_eq(batch.items[2].command_end, batch.command_count);
    ck_assert_uint_eq(batch.items[2].byte_end, batch.bytes.len);
    ck_assert_uint_eq(batch.items[1].tag, 7);
    ck_assert(slice_is_equal(batch_word(&batch, 0, 3), blob[3])); /* whatever bytes it has */
    ck_assert(slice_is_equal(batch_word(&batch, 1, 1), slice_of("s:0")));
    batch_refuse(&batch, 1);
    ck_assert(!batch.items[0].is_refused && batch.items[1].is_refused &&
              !batch.items[2].is_refused);
    close_all();
}
END_TEST

START_TEST(what_a_lost_fence_covers_is_left_out_and_the_rest_stays_as_it_was)
{
    open_all("");
    (void)add_words(ITEM_BLOB, "DEL", "s:1:a", fence_of(1));
    (void)add_words(ITEM_BLOB, "DEL", "s:2:a", fence_of(2));
    add("a", "1");
    batch.items[2].fence = fence_of(1);
    add("b", "1");
    batch.items[3].fence = fence_of(2);
    (void)add_words(ITEM_UNIT, "UNLINK", "s:1:b", fence_of(1));
    (void)add_words(ITEM_UNIT, "UNLINK", "s:2:b", fence_of(2));
    batch_forget_fence(&batch, fence_of(1));
    for (size_t i = 0; i < 6; i++)
        ck_assert((batch.items[i].shard == NULL) == (i % 2 == 0));
    batch_trim(&batch);
    ck_assert_uint_eq(batch.item_count, 3);
    ck_assert_uint_eq(batch.entity_count, 1);
    says("DEL s:2:a\n"
         "PTTL features:user:b\n"
         "HSET features:user:b amount_10s_count 1 amount_10s_sum 1 amount_10s_max 1 "
         "seen_10s_count 1\n"
         "EXPIRE features:user:b 20\n"
         "PTTL freshness:user:b\n"
         "HSET freshness:user:b v 1700000000007 v:event 1699999999999\n"
         "EXPIRE freshness:user:b 20\n"
         "UNLINK s:2:b\n");
    static const uint32_t ends[] = {1, 7, 8};
    for (size_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(batch.items[i].command_end, ends[i]);
        ck_assert(batch.items[i].fence == fence_of(2));
    }
    ck_assert_uint_eq(batch.items[2].byte_end, batch.bytes.len);
    close_all();
}
END_TEST

START_TEST(the_undos_of_a_lost_fence_are_forgotten_with_it)
{
    open_all("");
    add("a", "1");
    batch.items[0].fence = fence_of(1);
    refuse_first(-1);
    add("b", "1");
    batch.items[1].fence = fence_of(2);
    batch_undo(&batch, 7, 100);
    batch_forget_fence(&batch, fence_of(1));
    batch_begin(&batch);
    says("PEXPIRE features:user:b 100\n");
    ck_assert(batch.items[0].fence == fence_of(2));
    batch_forget_fence(&batch, fence_of(2));
    batch_trim(&batch);
    says("");
    ck_assert_uint_eq(batch.item_count, 0);
    close_all();
}
END_TEST

UNIT_MAIN("batch", a_batch_is_these_very_bytes,
          what_does_not_exist_is_deleted_and_a_first_write_asks_whose_key_it_is,
          a_refused_entity_asks_again_and_a_written_one_does_not,
          an_expiry_is_rounded_up_to_seconds_and_never_nothing,
          a_write_that_no_event_brought_says_no_newest_event,
          keys_hold_what_events_gave_them_encoded,
          a_refusal_is_its_entitys_whichever_command_was_refused,
          a_batch_is_full_by_entities_or_by_bytes,
          what_is_forgotten_is_told_nothing_and_is_left_out_when_it_is_sent_again,
          an_undo_is_the_first_thing_of_the_next_batch, an_entity_that_was_not_written_is_not_fresh,
          an_undo_of_a_unit_that_was_dropped_is_left_to_its_next_owner,
          a_batch_carries_features_blobs_and_units_together,
          what_a_lost_fence_covers_is_left_out_and_the_rest_stays_as_it_was,
          the_undos_of_a_lost_fence_are_forgotten_with_it)
