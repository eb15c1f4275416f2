/* Entities whose buckets are in their blob alone: nothing of what they are is lost, and whoever needs
 * them waits. */
#include <time.h>

#include "core_kit.h"

enum { WINDOW_MS = 10100, TURNS = 4000, IDS = 6, NUMBER_MAX = 8 };

static struct desk desk;

static void see_and_write(const char *id)
{
    desk_see(&desk, id, "1");
    desk_writes(&desk, id);
}

static void save(const char *ids)
{
    desk_saves(&desk, ids);
    desk_saved(&desk);
}

static bool is_cold(const char *id)
{
    const struct entity *entity = kit_entity(desk.shard, id);
    return entity != NULL && (entity->flags & ENTITY_COLD) != 0;
}

static void warm(struct entity_ref ref)
{
    struct err err;
    struct slice blob = buf_slice(&desk_kept(&desk, desk_identity(&desk, ref))->blob);
    ck_assert_msg(shard_warm(desk.shard, ref, KIT_DEFINITION, blob, &err) == 0, "%s", err.text);
}

/* Gives back what is asked for; the ids. */
static const char *fetch(void)
{
    static char text[sizeof desk.text];
    struct entity_ref ref;
    desk.text[0] = '\0';
    while (shard_take_wanted(desk.shard, &ref)) {
        desk_add_text(&desk, desk_identity(&desk, ref), "");
        warm(ref);
    }
    (void)snprintf(text, sizeof text, "%s", desk.text);
    return text;
}

/* One entity, written and saved and away. */
static void open_cold(const char *id)
{
    desk_open(&desk);
    see_and_write(id);
    save(id);
    ck_assert_uint_eq(shard_cool(desk.shard, 10), 1);
    ck_assert(is_cold(id));
}

/* ---- away ---- */

START_TEST(who_is_clean_is_dropped_and_keeps_its_timer)
{
    desk_open(&desk);
    for (int i = 0; i < 20; i++)
        desk_see(&desk, "a", "1");
    desk_writes(&desk, "a");
    save("a");
    ck_assert_uint_gt(kit_entity(desk.shard, "a")->series[0].len, 0);
    ck_assert_uint_eq(shard_cool(desk.shard, 10), 1);
    ck_assert_uint_eq(kit_entity(desk.shard, "a")->series[0].len, 0);
    ck_assert_uint_eq(shard_count(desk.shard), 1);
    desk_pass_ms(&desk, WINDOW_MS - 200);
    desk_writes(&desk, "");
    ck_assert_str_eq(fetch(), ""); /* nothing is due, nothing is asked for */
    desk_pass_ms(&desk, 200);
    desk_writes(&desk, "");
    ck_assert_str_eq(fetch(), "a");
    desk_writes(&desk, "a");
    ck_assert_uint_eq(desk_served(&desk, "a"), 0);
    save("a-");
    ck_assert_ptr_null(kit_entity(desk.shard, "a"));
    desk_close(&desk);
}
END_TEST

START_TEST(nothing_dirty_held_sent_aside_unsaid_or_gone_is_dropped)
{
    desk_open(&desk);
    desk_see(&desk, "held", "1");
    ck_assert_uint_eq(shard_cool(desk.shard, 10), 0);
    desk_gathers(&desk, "held");
    ck_assert_uint_eq(shard_cool(desk.shard, 10), 0); /* sent */
    desk_acknowledge(&desk);
    ck_assert_uint_eq(shard_cool(desk.shard, 10), 0); /* dirty */
    desk_saves(&desk, "held");
    desk_saved(&desk);
    desk_see(&desk, "aside", "1");
    desk_gathers(&desk, "aside");
    desk_refuse(&desk);
    save("aside!");
    ck_assert_uint_eq(shard_cool(desk.shard, 10), 1); /* `held` is clean by now */
    ck_assert(!is_cold("aside"));
    desk_restart(&desk, desk.wall_ms, 2, false);
    desk.shard->is_live = true;
    ck_assert_uint_eq(shard_cool(desk.shard, 10), 1); /* `aside` is unsaid */
    ck_assert(!is_cold("aside"));
    desk.shard->is_live = false;
    ck_assert_uint_eq(shard_cool(desk.shard, 10), 1); /* its blob says so while nothing is said */
    desk_close(&desk);
}
END_TEST

START_TEST(who_waits_to_be_written_again_is_not_dropped)
{
    desk_open(&desk);
    see_and_write("a");
    save("a");
    desk.shard->ledger.position = 0;
    desk_see(&desk, "a", "1"); /* in already: its blob is as it should be */
    ck_assert_uint_eq(shard_cool(desk.shard, 10), 0);
    desk_writes(&desk, "a");
    ck_assert_uint_eq(shard_cool(desk.shard, 10), 1);
    desk_close(&desk);
}
END_TEST

START_TEST(whose_blob_is_on_its_way_is_not_dropped)
{
    desk_open(&desk);
    see_and_write("a");
    see_and_write("b");
    desk_saves(&desk, "a b");
    ck_assert_uint_eq(shard_cool(desk.shard, 10), 0);
    desk_saved(&desk);
    ck_assert_uint_eq(shard_cool(desk.shard, 10), 2);
    desk_close(&desk);
}
END_TEST

START_TEST(who_is_gone_is_not_dropped)
{
    desk_open(&desk);
    see_and_write("a");
    save("a");
    desk_pass_ms(&desk, WINDOW_MS);
    desk_writes(&desk, "a");
    ck_assert_uint_eq(shard_cool(desk.shard, 10), 0);
    save("a-");
    desk_close(&desk);
}
END_TEST

START_TEST(a_view_that_is_behind_is_not_dropped)
{
    desk_open(&desk);
    see_and_write("a");
    save("a");
    desk.shard->is_behind[0] = true;
    ck_assert_uint_eq(shard_cool(desk.shard, 10), 0);
    desk_close(&desk);
}
END_TEST

START_TEST(dropping_goes_on_where_it_ended)
{
    static const char *const ids[] = {"a", "b", "c"};
    desk_open(&desk);
    for (size_t i = 0; i < 3; i++)
        see_and_write(ids[i]);
    save("a b c");
    ck_assert_uint_eq(shard_cool(desk.shard, 2), 2);
    ck_assert(is_cold("a") && is_cold("b") && !is_cold("c"));
    ck_assert_uint_eq(shard_cool(desk.shard, 2), 1);
    ck_assert(is_cold("c"));
    desk_close(&desk);
}
END_TEST

START_TEST(with_little_memory_a_load_leaves_the_buckets_where_they_are)
{
    desk_open(&desk);
    see_and_write("a");
    save("a");
    desk_restart(&desk, desk.wall_ms, 1, true);
    ck_assert(is_cold("a"));
    desk_restart(&desk, desk.wall_ms - WINDOW_MS, 1, true);
    ck_assert(is_cold("a"));
    desk.wall_ms += WINDOW_MS;
    desk_restart(&desk, NOW, 1, true); /* time has changed it: it is read back when it is live */
    ck_assert(is_cold("a"));
    desk_close(&desk);
}
END_TEST

/* ---- and back ---- */

START_TEST(an_event_on_a_cold_entity_waits_for_its_blob_and_then_reads_right)
{
    open_cold("a");
    desk_pass_ms(&desk, 1000);
    desk_see(&desk, "a", "1");
    desk_see(&desk, "a", "1");
    desk_writes(&desk, "");
    ck_assert_int_eq(ledger_durable(&desk.shard->ledger), 1);
    ck_assert_str_eq(fetch(), "a");
    desk_writes(&desk, "a");
    ck_assert_uint_eq(desk_served(&desk, "a"), 3);
    ck_assert_int_eq(ledger_durable(&desk.shard->ledger), 3);
    desk_close(&desk);
}
END_TEST

START_TEST(an_event_that_a_cold_entity_has_already_changes_nothing)
{
    open_cold("a");
    desk.shard->ledger.position = 0;
    desk_see(&desk, "a", "1");
    ck_assert_str_eq(fetch(), "a");
    desk_writes(&desk, "a");
    ck_assert_uint_eq(desk_served(&desk, "a"), 1);
    desk_close(&desk);
}
END_TEST

START_TEST(a_blob_is_asked_for_once)
{
    open_cold("a");
    desk_see(&desk, "a", "1");
    desk_writes(&desk, "");
    struct entity_ref ref;
    ck_assert(shard_take_wanted(desk.shard, &ref));
    desk_see(&desk, "a", "1");
    desk_writes(&desk, "");
    desk_pass_ms(&desk, WINDOW_MS);
    desk_writes(&desk, "");
    desk_saves(&desk, "");
    struct entity_ref none;
    ck_assert(!shard_take_wanted(desk.shard, &none));
    warm(ref);
    ck_assert_str_eq(desk_save_more(&desk), "a+");
    desk_saved(&desk);
    desk_close(&desk);
}
END_TEST

START_TEST(arrivals_behind_a_cold_one_wait_their_turn)
{
    open_cold("a");
    desk_see(&desk, "a", "1");
    desk_see(&desk, "b", "1");
    desk_writes(&desk, "");
    ck_assert_int_eq(ledger_durable(&desk.shard->ledger), 1);
    (void)fetch();
    desk_writes(&desk, "a b");
    ck_assert_int_eq(ledger_durable(&desk.shard->ledger), 3);
    desk_close(&desk);
}
END_TEST

START_TEST(a_checkpoint_waits_for_a_cold_entity_that_is_dirty)
{
    open_cold("a");
    desk_see(&desk, "a", "1");
    desk_see(&desk, "b", "1");
    desk_saves(&desk, "");
    ck_assert_uint_lt(desk.shard->saving_next, desk.shard->saving.count);
    (void)fetch();
    ck_assert_str_eq(desk_save_more(&desk), "a+ b+");
    desk_saved(&desk);
    desk_restart(&desk, desk.wall_ms, 3, false);
    ck_assert_uint_eq(desk_count(&desk, "a"), 2);
    desk_close(&desk);
}
END_TEST

START_TEST(what_no_window_holds_any_more_when_it_is_back_falls_at_once)
{
    open_cold("a");
    desk_pass_ms(&desk, 3 * WINDOW_MS);
    desk_see(&desk, "a", "1");
    (void)fetch();
    desk_writes(&desk, "a");
    ck_assert_uint_eq(desk_served(&desk, "a"), 1);
    desk_close(&desk);
}
END_TEST

START_TEST(what_is_no_blob_warms_nobody)
{
    struct err err;
    struct entity_ref ref;
    open_cold("a");
    desk_see(&desk, "a", "1");
    ck_assert(shard_take_wanted(desk.shard, &ref));
    ck_assert_int_eq(shard_warm(desk.shard, ref, KIT_DEFINITION, slice_of("none"), &err),
                     ERR_INPUT);
    ck_assert(is_cold("a"));
    desk_close(&desk);
}
END_TEST

START_TEST(said_does_not_move_past_a_change_that_waits_for_its_blob)
{
    open_cold("a");
    desk_pass_ms(&desk, WINDOW_MS);
    desk_see(&desk, "b", "1");
    desk_writes(&desk, "b");
    ck_assert_int_eq(desk.shard->said_ms[0], NOW);
    desk_pass_ms(&desk, 100);
    desk_writes(&desk, "");
    ck_assert_int_eq(desk.shard->said_ms[0], NOW);
    /* A crash here: whoever comes has to write it. */
    (void)fetch();
    desk_gathers(&desk, "a");
    ck_assert_int_eq(desk.shard->said_ms[0], NOW);
    desk_acknowledge(&desk);
    ck_assert_int_eq(desk.shard->said_ms[0], NOW + WINDOW_MS + 100);
    desk_close(&desk);
}
END_TEST

START_TEST(said_begins_when_what_a_restart_found_unsaid_is_back_and_said)
{
    struct entity_ref first;
    struct entity_ref second;
    desk_open(&desk);
    see_and_write("a");
    see_and_write("b");
    save("a b");
    desk_restart(&desk, -1, 2, true);
    shard_go_live(desk.shard);
    desk_writes(&desk, ""); /* the pass goes by, and asks for both */
    ck_assert(shard_take_wanted(desk.shard, &first));
    ck_assert(shard_take_wanted(desk.shard, &second));
    for (int i = 0; i < 3; i++) {
        desk_pass_ms(&desk, 1000);
        desk_writes(&desk, "");
        ck_assert_int_eq(desk.shard->said_ms[0], -1);
    }
    warm(first);
    desk_writes(&desk, "a");
    ck_assert_int_eq(desk.shard->said_ms[0], -1);
    warm(second);
    desk_gathers(&desk, "b");
    ck_assert_int_eq(desk.shard->said_ms[0], -1);
    desk_acknowledge(&desk);
    ck_assert_int_ge(desk.shard->said_ms[0], NOW);
    desk_close(&desk);
}
END_TEST

/* Under lasting pressure some blob is always under way: said follows all the same. */
START_TEST(said_follows_though_some_blob_is_always_under_way)
{
    static const char *const ids[] = {"a", "b", "c", "d"};
    struct entity_ref first;
    struct entity_ref second;
    desk_open(&desk);
    for (size_t i = 0; i < 4; i++) {
        see_and_write(ids[i]);
        desk_pass_ms(&desk, 1000);
    }
    save("a b c d");
    ck_assert_uint_eq(shard_cool(desk.shard, 10), 4);
    desk_pass_ms(&desk, WINDOW_MS - 4000);
    desk_writes(&desk, "");
    int64_t asked_ms = desk.wall_ms;
    ck_assert(shard_take_wanted(desk.shard, &first));
    desk_pass_ms(&desk, 1000);
    desk_writes(&desk, "");
    ck_assert(shard_take_wanted(desk.shard, &second));
    warm(first);
    desk_writes(&desk, "a");
    ck_assert_int_ge(desk.shard->said_ms[0], asked_ms);
    ck_assert_int_lt(desk.shard->said_ms[0], desk.wall_ms);
    desk_close(&desk);
}
END_TEST

/* What was asked for when its answer could still be lost: the claim has changed since. */
START_TEST(what_has_not_come_is_asked_for_again)
{
    struct entity_ref ref;
    open_cold("a");
    desk_see(&desk, "a", "1");
    ck_assert(shard_take_wanted(desk.shard, &ref));
    ck_assert(!shard_take_wanted(desk.shard, &ref));
    shard_want_again(desk.shard);
    ck_assert_str_eq(fetch(), "a");
    desk_writes(&desk, "a");
    shard_want_again(desk.shard);
    ck_assert_str_eq(fetch(), "");
    desk_close(&desk);
}
END_TEST

/* ---- at random ---- */

static uint64_t seed;
static uint64_t draws;

static uint32_t draw(uint32_t below)
{
    draws = draws * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(draws >> 33) % below;
}

static void turn(struct desk *one)
{
    (void)desk_gather(one);
    desk_acknowledge(one);
}

static void compare(struct desk *twin, const char *id)
{
    const struct desk_kept *mine = desk_kept(&desk, slice_of(id));
    const struct desk_kept *theirs = desk_kept(twin, slice_of(id));
    ck_assert_int_eq(mine->has_features, theirs->has_features);
    for (size_t i = 0; mine->has_features && i < KIT_FIELDS; i++)
        ck_assert_msg(reading_is_equal(&mine->readings[i], &theirs->readings[i]),
                      "%s field %zu, seed %llu", id, i, (unsigned long long)seed);
}

START_TEST(a_twin_that_was_never_cold_serves_the_same)
{
    static const char *const ids[IDS] = {"a", "b", "c", "d", "e", "f"};
    struct desk twin;
    draws = seed = (uint64_t)time(NULL);
    desk_open(&desk);
    desk_open(&twin);
    size_t cooled = 0;
    for (int i = 0; i < TURNS; i++) {
        if (draw(4) == 0) {
            char amount[NUMBER_MAX];
            const char *id = ids[draw(IDS)];
            (void)snprintf(amount, sizeof amount, "%u", draw(100));
            desk_see(&desk, id, amount);
            desk_see(&twin, id, amount);
        }
        int64_t step_ms =
            10 * (int64_t)(draw(20) == 0 ? draw(1200) : draw(30)); /* as timers go off */
        desk_pass_ms(&desk, step_ms);
        desk_pass_ms(&twin, step_ms);
        if (draw(8) == 0) {
            (void)desk_save(&desk);
            if (desk.shard->saving_next < desk.shard->saving.count) {
                (void)fetch();
                (void)desk_save_more(&desk);
            }
            desk_saved(&desk);
            cooled += shard_cool(desk.shard, IDS + 2);
        }
        turn(&desk);
        turn(&twin);
        (void)fetch();
        turn(&desk);
        for (size_t k = 0; k < IDS; k++)
            compare(&twin, ids[k]);
    }
    ck_assert_uint_gt(cooled, 100);
    desk_close(&twin);
    desk_close(&desk);
}
END_TEST

UNIT_MAIN("shard_cold", who_is_clean_is_dropped_and_keeps_its_timer,
          nothing_dirty_held_sent_aside_unsaid_or_gone_is_dropped,
          who_waits_to_be_written_again_is_not_dropped, whose_blob_is_on_its_way_is_not_dropped,
          who_is_gone_is_not_dropped, a_view_that_is_behind_is_not_dropped,
          dropping_goes_on_where_it_ended,
          with_little_memory_a_load_leaves_the_buckets_where_they_are,
          an_event_on_a_cold_entity_waits_for_its_blob_and_then_reads_right,
          an_event_that_a_cold_entity_has_already_changes_nothing, a_blob_is_asked_for_once,
          arrivals_behind_a_cold_one_wait_their_turn,
          a_checkpoint_waits_for_a_cold_entity_that_is_dirty,
          what_no_window_holds_any_more_when_it_is_back_falls_at_once, what_is_no_blob_warms_nobody,
          said_does_not_move_past_a_change_that_waits_for_its_blob,
          said_begins_when_what_a_restart_found_unsaid_is_back_and_said,
          said_follows_though_some_blob_is_always_under_way, what_has_not_come_is_asked_for_again,
          a_twin_that_was_never_cold_serves_the_same)
