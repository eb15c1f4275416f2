/* The order in which a unit's state gets to Redis, and what exactly it says there. The store is a fake
 * that acknowledges when it is told to. */
#include "core_kit.h"
#include "tidewheel/checkpoint.h"

enum { WINDOW_MS = 10100, TEXT_MAX = 8192, MANY = 120, GEN = 3 };

#define M "{u}:m"

static char meta[] = M;
static struct desk desk;
static struct fence fence;
static struct checkpoint checkpoint;
static struct batch batch;
static struct reading readings[KIT_FIELDS];
static struct row row;

static void init(void)
{
    desk_open(&desk);
    fence = (struct fence){.meta_key = meta, .state = FENCE_HELD};
    row = (struct row){.readings = readings};
}

/* The worker's: of the view's state, as a load leaves it. */
static void keep(void)
{
    checkpoint_init(&checkpoint, desk.shard, &fence, "{u}");
    for (size_t i = 0; i < desk.shard->topic->view_count; i++) {
        checkpoint.kept[i].definition = KIT_DEFINITION;
        checkpoint.kept[i].output = "1 out";
        checkpoint.kept[i].gen = GEN;
    }
}

static void open_unit(void)
{
    init();
    keep();
}

static void close_unit(void)
{
    checkpoint_fini(&checkpoint);
    batch_fini(&batch);
    desk_close(&desk);
}

/* ---- what a batch says ---- */

static size_t command_of(size_t item)
{
    return item == 0 ? 0 : batch.items[item - 1].command_end;
}

static bool is_word(size_t command, size_t word, const char *text)
{
    return slice_is_equal(batch_word(&batch, command, word), slice_of(text));
}

/* The value of a field in an HSET; NULL: it has none. */
static const char *field(size_t command, const char *name)
{
    static char text[256];
    for (size_t i = 2; batch_word(&batch, command, i).ptr != NULL; i += 2) {
        struct slice value = batch_word(&batch, command, i + 1);
        if (!is_word(command, i, name))
            continue;
        (void)snprintf(text, sizeof text, "%.*s", (int)value.len, value.ptr);
        return text;
    }
    return NULL;
}

/* Blobs of one hash share a command: of each item it is the last one that it ends with. */
static const char *mark_of(const struct item *item)
{
    size_t command = item->command_end - 1;
    struct slice identity = desk_identity(&desk, item->entity);
    size_t word = 2;
    while (!slice_is_equal(batch_word(&batch, command, word), identity)) {
        ck_assert_ptr_nonnull(batch_word(&batch, command, word).ptr);
        word++;
    }
    if (is_word(command, 0, "HDEL"))
        return "d:";
    ck_assert(is_word(command, 0, "HSET"));
    struct slice blob = batch_word(&batch, command, word + 1);
    return (blob.ptr[1] & SNAPSHOT_OWED) != 0 ? "owed:" : "b:";
}

/* f: features, b: blob, owed: blob that says so, d: a blob's deletion, p: progress. */
static const char *described(void)
{
    static char text[TEXT_MAX];
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = 0; i < batch.item_count; i++) {
        const struct item *item = &batch.items[i];
        const char *space = i > 0 ? " " : "";
        if (item->kind == ITEM_UNIT) {
            len += (size_t)snprintf(text + len, TEXT_MAX - len, "%sp:%s", space,
                                    field(command_of(i), "v:prog"));
            continue;
        }
        struct slice identity = desk_identity(&desk, item->entity);
        len += (size_t)snprintf(text + len, TEXT_MAX - len, "%s%s%.*s", space,
                                item->kind == ITEM_BLOB ? mark_of(item) : "f:", (int)identity.len,
                                identity.ptr);
    }
    return text;
}

/* ---- a worker in small ---- */

static void add_features(struct entity_ref ref)
{
    shard_read(desk.shard, ref, &row);
    (void)batch_add(&batch, desk.shard, &fence, ref, &row, desk.wall_ms);
}

static const char *gather_checkpoint(size_t entities_max)
{
    batch_begin(&batch);
    checkpoint_gather(&checkpoint, &batch, entities_max, &row, desk.wall_ms);
    return described();
}

static const char *gather(void)
{
    struct entity_ref ref;
    size_t looks = DESK_LOOKS;
    batch_begin(&batch);
    while (shard_take_arrival(desk.shard, &ref, NULL))
        add_features(ref);
    while (shard_take_decay(desk.shard, desk.wall_ms, &looks, &ref))
        add_features(ref);
    checkpoint_gather(&checkpoint, &batch, 100, &row, desk.wall_ms);
    return described();
}

/* True: the progress is among what is acknowledged. */
static bool acknowledge(void)
{
    bool is_over = false;
    shard_note_said(desk.shard);
    for (size_t i = 0; i < batch.item_count; i++) {
        const struct item *item = &batch.items[i];
        ledger_acknowledge(&desk.shard->ledger);
        if (item->kind == ITEM_FEATURES)
            shard_written(desk.shard, item->entity, item->as_of_ms, item->next_ms,
                          item->generation);
        else
            checkpoint_answered(&checkpoint, item);
        is_over = is_over || (item->kind == ITEM_UNIT && item->tag == UNIT_PROGRESS);
    }
    return is_over;
}

#define gathers(text) ck_assert_str_eq(gather(), text)
#define writes(text)                                                                               \
    do {                                                                                           \
        gathers(text);                                                                             \
        ck_assert(!acknowledge());                                                                 \
    } while (0)
#define ends(text)                                                                                 \
    do {                                                                                           \
        gathers(text);                                                                             \
        ck_assert(acknowledge());                                                                  \
    } while (0)

static void begin(void)
{
    checkpoint_begin(&checkpoint);
}

static void see(const char *id)
{
    desk_see(&desk, id, "1");
}

/* ---- the order ---- */

START_TEST(features_come_before_blobs_and_blobs_before_the_progress)
{
    open_unit();
    see("a");
    see("b");
    begin();
    ck_assert_int_eq(checkpoint.phase, CHECKPOINT_FLUSH);
    writes("f:a f:b");
    writes("b:a b:b");
    ck_assert_int_eq(checkpoint.phase, CHECKPOINT_BLOBS);
    gathers("p:2");
    ck_assert_int_eq(checkpoint.phase, CHECKPOINT_PROGRESS);
    ck_assert_int_eq(checkpoint.progress, -1);
    ck_assert(acknowledge());
    ck_assert_int_eq(checkpoint.progress, 2);
    ck_assert_int_eq(checkpoint.phase, CHECKPOINT_IDLE);
    writes("");
    close_unit();
}
END_TEST

START_TEST(nothing_of_it_goes_out_while_features_before_it_are_not_acknowledged)
{
    open_unit();
    see("a");
    gathers("f:a");
    struct batch sent = batch;
    batch = (struct batch){0};
    begin();
    gathers("");
    ck_assert_int_eq(checkpoint.phase, CHECKPOINT_FLUSH);
    batch_fini(&batch);
    batch = sent;
    ck_assert(!acknowledge());
    writes("b:a");
    ends("p:1");
    close_unit();
}
END_TEST

START_TEST(the_next_part_waits_for_the_answer_to_the_last)
{
    open_unit();
    see("a");
    writes("f:a");
    begin();
    gathers("b:a");
    struct batch sent = batch;
    batch = (struct batch){0};
    gathers("");
    batch_fini(&batch);
    batch = sent;
    ck_assert(!acknowledge());
    ends("p:1");
    close_unit();
}
END_TEST

START_TEST(the_progress_is_the_position_at_the_beginning)
{
    open_unit();
    see("a");
    begin();
    see("b");
    writes("f:a f:b");
    see("a");
    writes("f:a b:a");
    see("b");
    ends("f:b p:1");
    ck_assert_int_eq(checkpoint.progress, 1);
    ck_assert_int_eq(desk.shard->ledger.position, 4);
    begin();
    writes("b:b"); /* the next one's; of a all was saved already */
    ends("p:4");
    close_unit();
}
END_TEST

START_TEST(a_blob_never_says_more_than_the_features_before_it_in_its_batch)
{
    open_unit();
    see("a");
    writes("f:a");
    begin();
    see("a");
    ck_assert_str_eq(gather_checkpoint(100), "f:a b:a");
    ck_assert(!acknowledge());
    ends("p:1");
    close_unit();
}
END_TEST

START_TEST(a_silent_unit_writes_blobs_that_are_owed_and_no_features)
{
    open_unit();
    see("a");
    writes("f:a");
    shard_go_silent(desk.shard, 100);
    see("a");
    see("b");
    begin();
    writes("owed:a owed:b");
    gathers("p:3");
    ck_assert_ptr_null(field(0, "v:said"));
    ck_assert(acknowledge());
    close_unit();
}
END_TEST

START_TEST(a_refused_entity_holds_up_nothing_and_is_owed)
{
    open_unit();
    see("a");
    see("b");
    gathers("f:a f:b");
    shard_refused(desk.shard, batch.items[0].entity, desk.wall_ms);
    batch.items[0] = batch.items[--batch.item_count];
    ck_assert(!acknowledge());
    begin();
    writes("owed:a b:b");
    ends("p:2");
    close_unit();
}
END_TEST

/* Otherwise a crash would leave a blob that owes nothing, and features that nobody has. */
START_TEST(what_is_refused_beside_its_own_blob_is_owed_before_the_progress)
{
    open_unit();
    see("a");
    writes("f:a");
    begin();
    see("a");
    ck_assert_str_eq(gather_checkpoint(100), "f:a b:a");
    shard_refused(desk.shard, batch.items[0].entity, desk.wall_ms);
    batch.items[0] = batch.items[--batch.item_count];
    ck_assert(!acknowledge());
    writes("owed:a");
    ends("p:1");
    close_unit();
}
END_TEST

START_TEST(it_waits_for_a_cold_entity_that_is_dirty)
{
    struct err err;
    struct entity_ref ref;
    open_unit();
    see("a");
    writes("f:a");
    begin();
    gathers("b:a");
    struct slice sent = batch_word(&batch, 0, 3);
    struct buf blob = {NULL, 0, 0};
    buf_add(&blob, sent.ptr, sent.len);
    ck_assert(!acknowledge());
    ends("p:1");
    ck_assert_uint_eq(shard_cool(desk.shard, 10), 1);
    see("a");
    begin();
    writes("");
    ck_assert_int_eq(checkpoint.phase, CHECKPOINT_FLUSH);
    ck_assert(shard_take_wanted(desk.shard, &ref));
    ck_assert_int_eq(shard_warm(desk.shard, ref, KIT_DEFINITION, buf_slice(&blob), &err), 0);
    writes("f:a");
    writes("b:a");
    ends("p:2");
    buf_fini(&blob);
    close_unit();
}
END_TEST

/* ---- chunks ---- */

static void see_many(void)
{
    char id[DESK_ID_MAX];
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(id, sizeof id, "e%d", i);
        see(id);
    }
    (void)gather();
    ck_assert(!acknowledge());
}

START_TEST(blobs_go_out_in_chunks)
{
    open_unit();
    see_many();
    begin();
    (void)gather_checkpoint(10);
    size_t first = batch.item_count;
    ck_assert_uint_ge(first, 10);
    ck_assert_uint_lt(first, MANY);
    ck_assert(!acknowledge());
    (void)gather_checkpoint(1000);
    ck_assert_uint_eq(batch.item_count, MANY - first);
    ck_assert(!acknowledge());
    ends("p:120");
    close_unit();
}
END_TEST

START_TEST(a_batch_that_is_full_of_features_takes_few_blobs_but_some)
{
    struct entity_ref ref;
    char id[DESK_ID_MAX];
    open_unit();
    see_many();
    begin();
    for (int i = 0; i < 10; i++) {
        (void)snprintf(id, sizeof id, "f%d", i);
        see(id);
    }
    batch_begin(&batch);
    while (shard_take_arrival(desk.shard, &ref, NULL))
        add_features(ref);
    checkpoint_gather(&checkpoint, &batch, 10, &row, desk.wall_ms);
    ck_assert_uint_gt(batch.item_count, 10);
    ck_assert_uint_lt(batch.item_count, 10 + 40);
    ck_assert(!acknowledge());
    close_unit();
}
END_TEST

START_TEST(a_batch_at_its_limit_of_bytes_takes_no_blob)
{
    static char filler[BATCH_BYTES_MAX];
    open_unit();
    see("a");
    writes("f:a");
    begin();
    batch_begin(&batch);
    batch_command(&batch, &(const struct slice){filler, sizeof filler}, 1);
    checkpoint_gather(&checkpoint, &batch, 100, &row, desk.wall_ms);
    ck_assert_uint_eq(batch.item_count, 0);
    writes("b:a");
    ends("p:1");
    close_unit();
}
END_TEST

/* ---- what it says ---- */

START_TEST(a_blob_is_where_a_load_looks_for_it)
{
    struct err err;
    struct buf key = {NULL, 0, 0};
    open_unit();
    see("a");
    see("a");
    writes("f:a");
    begin();
    gathers("b:a");
    meta_blob_key(&key, "{u}", "v", GEN, meta_blob_hash(slice_of("a")));
    ck_assert(is_word(0, 0, "HSET") && is_word(0, 1, buf_text(&key)) && is_word(0, 2, "a"));
    struct shard *other = kit_shard(desk.catalog, desk.tallies);
    ck_assert_int_eq(shard_restore(other, 0, KIT_DEFINITION, slice_of("a"),
                                   batch_word(&batch, 0, 3), NOW, false, &err),
                     0);
    ck_assert_int_eq(kit_entity(other, "a")->applied, 1);
    shard_free(other);
    buf_fini(&key);
    close_unit();
}
END_TEST

START_TEST(the_blob_of_who_has_nothing_alive_is_deleted)
{
    struct buf key = {NULL, 0, 0};
    open_unit();
    see("a");
    writes("f:a");
    desk_pass_ms(&desk, WINDOW_MS);
    writes("f:a");
    begin();
    gathers("d:a");
    meta_blob_key(&key, "{u}", "v", GEN, meta_blob_hash(slice_of("a")));
    ck_assert(is_word(0, 1, buf_text(&key)) && is_word(0, 2, "a"));
    ck_assert_ptr_null(batch_word(&batch, 0, 3).ptr);
    ck_assert(!acknowledge());
    ck_assert_ptr_null(kit_entity(desk.shard, "a"));
    ends("p:1");
    buf_fini(&key);
    close_unit();
}
END_TEST

START_TEST(the_progress_says_how_far_the_log_and_the_clocks_were)
{
    open_unit();
    see("a");
    checkpoint.anchor = (struct anchor){0, NOW - 5, 0xabc};
    checkpoint.kept[0].cover_ms = 77;
    writes("f:a");
    begin();
    checkpoint.anchor = (struct anchor){1, NOW, 0xdef}; /* not as of P */
    writes("b:a");
    desk_pass_ms(&desk, 100);
    gathers("p:1");
    ck_assert(is_word(0, 0, "HSET") && is_word(0, 1, M));
    ck_assert_str_eq(field(0, "v:clock"), "1700000000100");
    ck_assert_str_eq(field(0, "v:said"), "1700000000000");
    ck_assert_str_eq(field(0, "v:cover"), "77");
    ck_assert_str_eq(field(0, "saved"), "1700000000100");
    ck_assert_str_eq(field(0, "clock"), "1700000000100");
    ck_assert_str_eq(field(0, "try"), "0");
    ck_assert_str_eq(field(0, "anchor"), "0 1699999999995 0000000000000abc");
    ck_assert(is_word(1, 0, "HDEL") && is_word(1, 1, M) && is_word(1, 2, "trying"));
    ck_assert_uint_eq(batch.command_count, 2);
    ck_assert(acknowledge());
    close_unit();
}
END_TEST

START_TEST(without_a_record_there_is_no_anchor)
{
    open_unit();
    begin();
    gathers("p:0");
    ck_assert_ptr_null(field(0, "anchor"));
    close_unit();
}
END_TEST

START_TEST(a_view_that_is_behind_has_a_progress_of_its_own)
{
    open_unit();
    see("a");
    writes("f:a");
    desk.shard->ledger.position = 50;
    desk.shard->is_behind[0] = true;
    checkpoint.kept[0].position = 40;
    begin();
    checkpoint.kept[0].position = 41;
    writes("b:a");
    gathers("p:40");
    ck_assert_ptr_null(field(0, "v:said"));
    ck_assert(acknowledge());
    ck_assert(checkpoint_is_due(&checkpoint));
    begin();
    ends("p:41");
    ck_assert(!checkpoint_is_due(&checkpoint));
    close_unit();
}
END_TEST

/* ---- dead letters ---- */

static uint64_t post_letter(int64_t offset)
{
    return ledger_post(&desk.shard->ledger, &(struct anchor){offset, NOW + offset, 0xbad}, 99);
}

START_TEST(progress_stops_before_a_letter_that_is_not_delivered)
{
    open_unit();
    see("a");
    uint64_t number = post_letter(1);
    desk.shard->ledger.position = 2;
    see("b");
    writes("f:a f:b");
    begin();
    ck_assert_int_eq(checkpoint.position, 1);
    writes("b:a b:b");
    gathers("p:1");
    ck_assert(acknowledge());
    ck_assert(!checkpoint_is_due(&checkpoint)); /* until it is delivered */
    ledger_settle(&desk.shard->ledger, number);
    ck_assert(checkpoint_is_due(&checkpoint));
    begin();
    ends("p:3");
    close_unit();
}
END_TEST

START_TEST(the_record_of_the_letter_is_the_anchor)
{
    open_unit();
    checkpoint.anchor = (struct anchor){7, NOW, 0xabc};
    (void)post_letter(5);
    (void)post_letter(6);
    desk.shard->ledger.position = 8;
    begin();
    gathers("p:5");
    ck_assert_str_eq(field(0, "anchor"), "5 1700000000005 0000000000000bad");
    close_unit();
}
END_TEST

START_TEST(features_behind_the_letter_do_not_hold_the_checkpoint_up)
{
    open_unit();
    see("a");
    writes("f:a");
    (void)post_letter(1);
    desk.shard->ledger.position = 2;
    see("b"); /* not written yet */
    begin();
    writes("f:b b:a b:b");
    ends("p:1");
    close_unit();
}
END_TEST

START_TEST(a_view_that_is_behind_does_not_pass_the_letter)
{
    open_unit();
    (void)post_letter(10);
    desk.shard->ledger.position = 20;
    desk.shard->is_behind[0] = true;
    checkpoint.kept[0].position = 15;
    begin();
    ends("p:10");
    ck_assert(!checkpoint_is_due(&checkpoint));
    close_unit();
}
END_TEST

START_TEST(one_is_due_when_redis_lacks_something)
{
    open_unit();
    ck_assert(checkpoint_is_due(&checkpoint));
    begin();
    ends("p:0");
    ck_assert(!checkpoint_is_due(&checkpoint));
    desk.shard->ledger.position = 1; /* an event that fed nobody */
    ck_assert(checkpoint_is_due(&checkpoint));
    begin();
    ends("p:1");
    shard_know(desk.shard, 0, slice_of("stray"));
    ck_assert(checkpoint_is_due(&checkpoint));
    close_unit();
}
END_TEST

/* ---- resets ---- */

static void reset(const char *cluster, bool is_whole)
{
    batch_begin(&batch);
    checkpoint_add_reset(&checkpoint, &batch, cluster, 12, is_whole);
    ck_assert_uint_eq(batch.item_count, 1);
    ck_assert_int_eq(batch.items[0].kind, ITEM_UNIT);
    ck_assert_uint_eq(batch.items[0].tag, UNIT_RESET);
    ck_assert_ptr_eq(batch.items[0].fence, &fence);
}

static void plan_reset(void)
{
    checkpoint.kept[0].is_reset = true;
    checkpoint.kept[0].position = 7;
    checkpoint.kept[0].cover_ms = 9;
}

START_TEST(a_reset_empties_every_hash_and_lays_a_sentinel_in_each)
{
    struct buf key = {NULL, 0, 0};
    open_unit();
    plan_reset();
    reset("", true);
    ck_assert(is_word(0, 0, "UNLINK"));
    for (unsigned k = 0; k < META_HASHES; k++) {
        buf_reset(&key);
        meta_blob_key(&key, "{u}", "v", GEN, k);
        ck_assert(is_word(0, 1 + k, buf_text(&key)));
        ck_assert(is_word(1 + k, 0, "HSET") && is_word(1 + k, 1, buf_text(&key)));
        ck_assert(is_word(1 + k, 2, META_SENTINEL));
    }
    ck_assert_ptr_null(batch_word(&batch, 0, 1 + META_HASHES).ptr);
    buf_fini(&key);
    close_unit();
}
END_TEST

START_TEST(a_reset_says_where_the_new_state_begins_and_what_it_is)
{
    size_t command = 1 + META_HASHES;
    open_unit();
    plan_reset();
    reset("kafka-1", true);
    ck_assert(is_word(command, 0, "HSET") && is_word(command, 1, M));
    ck_assert_str_eq(field(command, "fmt"), "1");
    ck_assert_str_eq(field(command, "topo"), "kafka-1 12");
    ck_assert_str_eq(field(command, "v:def"), KIT_DEFINITION);
    ck_assert_str_eq(field(command, "v:out"), "1 out");
    ck_assert_str_eq(field(command, "v:gen"), "3");
    ck_assert_str_eq(field(command, "v:prog"), "7");
    ck_assert_str_eq(field(command, "v:clock"), "1700000000000");
    ck_assert_str_eq(field(command, "v:cover"), "9");
    ck_assert(is_word(command + 1, 0, "HDEL") && is_word(command + 1, 1, M));
    ck_assert(is_word(command + 1, 2, "v:said") && is_word(command + 1, 3, "anchor"));
    ck_assert_uint_eq(batch.command_count, command + 2);
    close_unit();
}
END_TEST

START_TEST(a_reset_notes_the_generation_before_it)
{
    size_t command = 1 + META_HASHES;
    open_unit();
    plan_reset();
    reset("", true);
    ck_assert_ptr_null(field(command, "v:old:2"));
    ck_assert_str_eq(field(command, "topo"), "- 12");
    checkpoint.kept[0].old_gen = 2;
    checkpoint.kept[0].old_output = "1 old";
    reset("", true);
    ck_assert_str_eq(field(command, "v:old:2"), "1 old");
    checkpoint.kept[0].old_output = NULL;
    reset("", true);
    ck_assert_str_eq(field(command, "v:old:2"), "");
    close_unit();
}
END_TEST

START_TEST(a_reset_of_one_view_leaves_the_anchor_and_the_others)
{
    size_t command = 1 + META_HASHES;
    desk_open_with(&desk, kit_catalog_of_two());
    fence = (struct fence){.meta_key = meta, .state = FENCE_HELD};
    keep();
    checkpoint.kept[1].is_reset = true;
    reset("", false);
    ck_assert_ptr_null(field(command, "v:prog"));
    ck_assert_ptr_nonnull(field(command, "w:prog"));
    ck_assert(is_word(command + 1, 2, "w:said"));
    ck_assert_ptr_null(batch_word(&batch, command + 1, 3).ptr);
    close_unit();
}
END_TEST

UNIT_MAIN("checkpoint", features_come_before_blobs_and_blobs_before_the_progress,
          nothing_of_it_goes_out_while_features_before_it_are_not_acknowledged,
          the_next_part_waits_for_the_answer_to_the_last,
          the_progress_is_the_position_at_the_beginning,
          a_blob_never_says_more_than_the_features_before_it_in_its_batch,
          a_silent_unit_writes_blobs_that_are_owed_and_no_features,
          a_refused_entity_holds_up_nothing_and_is_owed,
          what_is_refused_beside_its_own_blob_is_owed_before_the_progress,
          it_waits_for_a_cold_entity_that_is_dirty, blobs_go_out_in_chunks,
          a_batch_that_is_full_of_features_takes_few_blobs_but_some,
          a_batch_at_its_limit_of_bytes_takes_no_blob, a_blob_is_where_a_load_looks_for_it,
          the_blob_of_who_has_nothing_alive_is_deleted,
          the_progress_says_how_far_the_log_and_the_clocks_were,
          without_a_record_there_is_no_anchor, a_view_that_is_behind_has_a_progress_of_its_own,
          progress_stops_before_a_letter_that_is_not_delivered,
          the_record_of_the_letter_is_the_anchor,
          features_behind_the_letter_do_not_hold_the_checkpoint_up,
          a_view_that_is_behind_does_not_pass_the_letter, one_is_due_when_redis_lacks_something,
          a_reset_empties_every_hash_and_lays_a_sentinel_in_each,
          a_reset_says_where_the_new_state_begins_and_what_it_is,
          a_reset_notes_the_generation_before_it,
          a_reset_of_one_view_leaves_the_anchor_and_the_others)
