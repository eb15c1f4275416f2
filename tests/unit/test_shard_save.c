/* What a shard keeps in blobs, and what it makes of them again: no event twice, and no value left
 * that time or a replay has changed. */
#include "core_kit.h"

enum { WINDOW_MS = 10100, RETRY_MS = 30000 }; /* of a feature, with its hop; of a refused key */

static struct desk desk;

static void see_and_write(const char *id, const char *amount)
{
    desk_see(&desk, id, amount);
    desk_writes(&desk, id);
}

static void save(const char *ids)
{
    desk_saves(&desk, ids);
    desk_saved(&desk);
}

/* Written, saved, and then a crash, after which it goes on at position. */
static void restart_live(int64_t said_ms, int64_t position)
{
    desk_restart(&desk, said_ms, position, false);
    shard_go_live(desk.shard);
}

/* ---- an event that comes again ---- */

START_TEST(an_event_that_is_in_already_changes_nothing_and_is_written_again)
{
    desk_open(&desk);
    desk_see(&desk, "a", "1");
    see_and_write("a", "1");
    save("a");
    restart_live(desk.wall_ms, 0);
    desk_writes(&desk, "");
    desk_see(&desk, "a", "1");
    ck_assert_uint_eq(desk_count(&desk, "a"), 2);
    ck_assert(!desk_is_dirty(&desk, "a"));
    desk_gathers(&desk, "a");
    ck_assert_int_eq(ledger_durable(&desk.shard->ledger), 0);
    desk_acknowledge(&desk);
    desk_see(&desk, "a", "1"); /* offset 1: the last that the blob has */
    ck_assert_uint_eq(desk_count(&desk, "a"), 2);
    desk_see(&desk, "a", "1"); /* the first that it has not */
    ck_assert_uint_eq(desk_count(&desk, "a"), 3);
    ck_assert(desk_is_dirty(&desk, "a"));
    desk_close(&desk);
}
END_TEST

START_TEST(an_event_that_another_entitys_blob_has_is_applied_to_its_own)
{
    desk_open(&desk);
    see_and_write("a", "1");
    save("a");
    desk_see(&desk, "b", "1");
    restart_live(desk.wall_ms, 0);
    desk_see(&desk, "a", "1");
    desk_see(&desk, "b", "1");
    ck_assert_uint_eq(desk_count(&desk, "a"), 1);
    ck_assert_uint_eq(desk_count(&desk, "b"), 1);
    desk_writes(&desk, "a b");
    save("b");
    desk_close(&desk);
}
END_TEST

START_TEST(an_event_that_comes_again_in_silence_is_written_when_the_unit_is_live)
{
    desk_open(&desk);
    see_and_write("a", "1");
    save("a");
    desk_restart(&desk, desk.wall_ms, 0, false);
    desk_see(&desk, "a", "1");
    desk_gathers(&desk, "");
    shard_go_live(desk.shard);
    desk_writes(&desk, "a");
    ck_assert_uint_eq(desk_served(&desk, "a"), 1);
    desk_close(&desk);
}
END_TEST

START_TEST(the_plain_form_knows_nothing_of_offsets_and_keeps_no_list)
{
    desk_open(&desk);
    desk.shard->keeps_blobs = false;
    see_and_write("a", "1");
    desk.shard->ledger.position = 0;
    desk_see(&desk, "a", "1");
    ck_assert_uint_eq(desk_count(&desk, "a"), 2);
    ck_assert_uint_eq(desk.shard->dirty.count, 0);
    desk_close(&desk);
}
END_TEST

/* ---- what a blob owes ---- */

START_TEST(the_blobs_of_a_silent_shard_say_that_they_are_owed)
{
    desk_open_with(&desk, kit_catalog(""));
    desk_see(&desk, "a", "1");
    save("a!");
    restart_live(desk.wall_ms, 1);
    desk_writes(&desk, "a");
    ck_assert_uint_eq(desk_served(&desk, "a"), 1);
    save("a"); /* it is not any more */
    restart_live(desk.wall_ms, 1);
    desk_writes(&desk, "");
    desk_close(&desk);
}
END_TEST

START_TEST(what_the_pass_has_not_reached_yet_is_owed)
{
    desk_open_with(&desk, kit_catalog(""));
    desk_see(&desk, "a", "1");
    shard_go_live(desk.shard);
    save("a!");
    desk_writes(&desk, "a");
    save("a");
    desk_close(&desk);
}
END_TEST

START_TEST(the_blob_of_a_refused_entity_says_that_it_is_owed)
{
    desk_open(&desk);
    desk_see(&desk, "a", "1");
    desk_gathers(&desk, "a");
    desk_refuse(&desk);
    save("a!");
    desk_see(&desk, "a", "1");
    save("a!"); /* its features do not go with it: they wait for the next try */
    restart_live(desk.wall_ms, 2);
    desk_writes(&desk, "a");
    ck_assert_uint_eq(desk_served(&desk, "a"), 2);
    save("a");
    desk_close(&desk);
}
END_TEST

START_TEST(a_refused_entity_owes_nothing_when_its_next_try_succeeds)
{
    desk_open(&desk);
    desk_see(&desk, "a", "1");
    desk_gathers(&desk, "a");
    desk_refuse(&desk);
    save("a!");
    desk_pass_ms(&desk, 1000);
    save("");
    desk_pass_ms(&desk, RETRY_MS);
    desk_writes(&desk, "a");
    save("a-"); /* by now there is nothing alive */
    desk_close(&desk);
}
END_TEST

START_TEST(without_a_time_up_to_which_all_was_said_everything_is_owed)
{
    desk_open(&desk);
    see_and_write("a", "1");
    save("a");
    restart_live(-1, 1);
    desk_pass_ms(&desk, WINDOW_MS);
    desk_writes(&desk, "a");
    ck_assert_uint_eq(desk_served(&desk, "a"), 0);
    desk_close(&desk);
}
END_TEST

/* ---- as it was ---- */

static void is_same(const struct reading *x, const struct reading *y, int64_t at_ms)
{
    for (size_t i = 0; i < KIT_FIELDS; i++)
        ck_assert_msg(reading_is_equal(&x[i], &y[i]), "field %zu at %lld", i,
                      (long long)(at_ms - NOW));
}

START_TEST(an_entity_is_restored_as_it_was_and_its_decay_goes_on)
{
    struct desk twin;
    struct reading mine[KIT_FIELDS];
    struct reading theirs[KIT_FIELDS];
    desk_open(&desk);
    desk_open(&twin);
    for (int i = 0; i < 40; i++) {
        char amount[8];
        (void)snprintf(amount, sizeof amount, "%d.5", i * 7 % 11 - 5);
        desk_see(&desk, "a", i % 5 == 0 ? NULL : amount);
        desk_see(&twin, "a", i % 5 == 0 ? NULL : amount);
        desk_pass_ms(&desk, 230);
        desk_pass_ms(&twin, 230);
        desk_writes(&desk, "a");
        desk_writes(&twin, "a");
    }
    save("a");
    ck_assert_int_eq(kit_entity(desk.shard, "a")->applied, 39);
    int64_t newest_ms = kit_entity(desk.shard, "a")->newest_ms;
    restart_live(desk.shard->said_ms[0], 40);
    ck_assert_int_eq(kit_entity(desk.shard, "a")->applied, 39);
    ck_assert_int_eq(kit_entity(desk.shard, "a")->newest_ms, newest_ms);
    for (int i = 0; i < 130; i++) {
        char own[16];
        (void)snprintf(own, sizeof own, "%s", desk_gather(&twin));
        if (i > 0)
            ck_assert_str_eq(desk_gather(&desk), own);
        desk_acknowledge(&twin);
        desk_acknowledge(&desk);
        if (kit_entity(desk.shard, "a") == NULL)
            break;
        desk_read(&desk, "a", mine);
        desk_read(&twin, "a", theirs);
        is_same(mine, theirs, desk.wall_ms);
        desk_pass_ms(&desk, 100);
        desk_pass_ms(&twin, 100);
    }
    ck_assert_uint_eq(desk_served(&desk, "a"), 0);
    desk_close(&twin);
    desk_close(&desk);
}
END_TEST

START_TEST(what_time_has_changed_since_all_was_said_is_written_again)
{
    desk_open(&desk);
    see_and_write("a", "1");
    desk_pass_ms(&desk, 5000);
    see_and_write("a", "1");
    see_and_write("b", "1");
    save("a b");
    int64_t said_ms = desk.shard->said_ms[0];
    ck_assert_int_eq(said_ms, desk.wall_ms);
    desk.wall_ms += 6000; /* somebody may have written what a was then, or not */
    restart_live(said_ms, 3);
    desk_writes(&desk, "a");
    ck_assert_uint_eq(desk_served(&desk, "a"), 1);
    desk_pass_ms(&desk, 5000);
    desk_writes(&desk, "a b");
    desk_close(&desk);
}
END_TEST

START_TEST(what_time_has_not_changed_since_then_is_not)
{
    desk_open(&desk);
    see_and_write("a", "1");
    save("a");
    int64_t said_ms = desk.wall_ms;
    desk.wall_ms += 9000;
    restart_live(said_ms, 1);
    desk_writes(&desk, "");
    ck_assert_int_eq(kit_entity(desk.shard, "a")->published_ms, said_ms);
    desk_pass_ms(&desk, 2000);
    desk_writes(&desk, "a");
    desk_close(&desk);
}
END_TEST

static const char MEAN[] = "view: m\n"
                           "source: {topic: t, timestamp: {field: ts, unit: ms}}\n"
                           "entity: {type: user, keys: [{field: id, type: string}]}\n"
                           "features:\n"
                           "  - {name: amount, value: amount, aggregates: [avg], windows: [10s]}\n";

/* 7, 3, 5: the mean is 5, then 4, then 5 again. Whoever compares ends sees nothing. */
START_TEST(what_has_changed_and_changed_back_is_written_again)
{
    desk_open_with(&desk, kit_catalog_of(slice_of(MEAN)));
    desk_live(&desk);
    desk_see(&desk, "a", "7");
    desk_pass_ms(&desk, 2000);
    desk_see(&desk, "a", "3");
    desk_pass_ms(&desk, 2000);
    see_and_write("a", "5");
    save("a");
    int64_t said_ms = desk.wall_ms;
    desk.wall_ms += 9000;
    restart_live(said_ms, 3);
    desk_writes(&desk, "a");
    desk_close(&desk);
}
END_TEST

START_TEST(a_blob_that_is_read_twice_counts_once)
{
    struct err err;
    desk_open(&desk);
    see_and_write("a", "1");
    save("a");
    restart_live(desk.wall_ms, 1);
    ck_assert_int_eq(shard_restore(desk.shard, 0, KIT_DEFINITION, slice_of("a"),
                                   buf_slice(&desk.kept[0].blob), desk.wall_ms, false, &err),
                     0);
    ck_assert_uint_eq(desk_count(&desk, "a"), 1);
    ck_assert_uint_eq(shard_count(desk.shard), 1);
    desk_close(&desk);
}
END_TEST

START_TEST(what_is_no_blob_makes_nobody_known)
{
    struct err err;
    desk_open(&desk);
    see_and_write("a", "1");
    save("a");
    struct slice blob = buf_slice(&desk.kept[0].blob);
    ck_assert_int_eq(shard_restore(desk.shard, 0, KIT_DEFINITION, slice_of("b"), blob, desk.wall_ms,
                                   false, &err),
                     ERR_INPUT);
    ck_assert_ptr_null(kit_entity(desk.shard, "b"));
    desk_close(&desk);
}
END_TEST

START_TEST(a_view_that_is_cleared_knows_nobody)
{
    desk_open(&desk);
    see_and_write("a", "1");
    save("a");
    restart_live(desk.wall_ms, 1);
    shard_clear(desk.shard, 0);
    ck_assert_uint_eq(shard_count(desk.shard), 0);
    desk_pass_ms(&desk, WINDOW_MS);
    desk_writes(&desk, "");
    desk_close(&desk);
}
END_TEST

/* ---- nothing alive ---- */

START_TEST(who_has_nothing_alive_is_deleted_from_the_state_and_then_forgotten)
{
    desk_open(&desk);
    see_and_write("a", "1");
    save("a");
    desk_pass_ms(&desk, WINDOW_MS);
    desk_writes(&desk, "a");
    ck_assert_uint_eq(desk_served(&desk, "a"), 0);
    ck_assert_uint_eq(shard_count(desk.shard), 0);
    ck_assert_ptr_nonnull(kit_entity(desk.shard, "a")); /* its blob is still there */
    desk_saves(&desk, "a-");
    ck_assert_ptr_nonnull(kit_entity(desk.shard, "a"));
    desk_saved(&desk);
    ck_assert_ptr_null(kit_entity(desk.shard, "a"));
    ck_assert_uint_eq(desk.shard->views[0].gone_count, 0);
    save("");
    desk_close(&desk);
}
END_TEST

START_TEST(who_has_fallen_to_nothing_before_a_crash_is_said_and_deleted_after_it)
{
    desk_open(&desk);
    see_and_write("a", "1");
    save("a");
    int64_t said_ms = desk.wall_ms;
    desk.wall_ms += 60000;
    restart_live(said_ms, 1);
    desk_writes(&desk, "a");
    ck_assert_uint_eq(desk_served(&desk, "a"), 0);
    save("a-");
    ck_assert_ptr_null(kit_entity(desk.shard, "a"));
    desk_close(&desk);
}
END_TEST

START_TEST(an_event_before_the_deletion_is_gathered_keeps_the_entity)
{
    desk_open(&desk);
    see_and_write("a", "1");
    desk_pass_ms(&desk, WINDOW_MS);
    desk_writes(&desk, "a");
    desk_see(&desk, "a", "1");
    ck_assert_uint_eq(shard_count(desk.shard), 1);
    save("a+");
    ck_assert_uint_eq(desk_served(&desk, "a"), 1);
    desk_close(&desk);
}
END_TEST

START_TEST(an_event_while_the_deletion_is_under_way_keeps_the_entity_and_its_blob_comes_again)
{
    desk_open(&desk);
    see_and_write("a", "1");
    save("a");
    desk_pass_ms(&desk, WINDOW_MS);
    desk_writes(&desk, "a");
    desk_saves(&desk, "a-");
    desk_see(&desk, "a", "1");
    desk_saved(&desk);
    ck_assert_uint_eq(desk_count(&desk, "a"), 1);
    ck_assert_uint_eq(shard_count(desk.shard), 1);
    save("a+");
    restart_live(desk.wall_ms, 2);
    ck_assert_uint_eq(desk_count(&desk, "a"), 1);
    desk_close(&desk);
}
END_TEST

START_TEST(an_old_event_while_the_deletion_is_under_way_keeps_the_entity_until_it_is_said)
{
    desk_open(&desk);
    see_and_write("a", "1");
    desk_pass_ms(&desk, WINDOW_MS);
    desk_writes(&desk, "a");
    desk_saves(&desk, "a-");
    desk.shard->ledger.position = 0;
    desk_see(&desk, "a", "1"); /* in already */
    desk_saved(&desk);
    ck_assert_ptr_nonnull(kit_entity(desk.shard, "a"));
    desk_writes(&desk, "a");
    save("a-");
    ck_assert_ptr_null(kit_entity(desk.shard, "a"));
    desk_close(&desk);
}
END_TEST

/* ---- saving ---- */

START_TEST(an_entity_is_saved_once_however_often_it_has_changed)
{
    desk_open(&desk);
    desk_see(&desk, "a", "1");
    desk_see(&desk, "b", "1");
    desk_see(&desk, "a", "1");
    desk_writes(&desk, "a b");
    save("a b");
    save("");
    desk_close(&desk);
}
END_TEST

START_TEST(time_alone_makes_no_blob_dirty)
{
    desk_open(&desk);
    see_and_write("a", "1");
    desk_pass_ms(&desk, 5000);
    see_and_write("a", "1");
    save("a");
    desk_pass_ms(&desk, 6000);
    desk_writes(&desk, "a");
    save("");
    desk_close(&desk);
}
END_TEST

START_TEST(what_changes_while_it_is_being_saved_is_saved_again)
{
    desk_open(&desk);
    see_and_write("a", "1");
    desk_saves(&desk, "a");
    desk_see(&desk, "a", "1");
    desk_saved(&desk);
    desk_writes(&desk, "a");
    save("a");
    restart_live(desk.wall_ms, 2);
    ck_assert_uint_eq(desk_count(&desk, "a"), 2);
    desk_close(&desk);
}
END_TEST

START_TEST(what_changes_before_its_turn_is_saved_with_its_features)
{
    desk_open(&desk);
    see_and_write("a", "1");
    shard_begin_saving(desk.shard);
    desk_see(&desk, "a", "1");
    ck_assert_str_eq(desk_save_more(&desk), "a+");
    ck_assert_int_eq(ledger_durable(&desk.shard->ledger), 1);
    desk_saved(&desk);
    ck_assert_uint_eq(desk_served(&desk, "a"), 2);
    desk_writes(&desk, ""); /* nor is it sent twice */
    ck_assert_int_eq(ledger_durable(&desk.shard->ledger), 2);
    save("");
    desk_close(&desk);
}
END_TEST

START_TEST(who_is_on_two_lists_is_saved_and_forgotten_once)
{
    desk_open_with(&desk, kit_catalog(""));
    desk_see(&desk, "a", "1");
    shard_begin_saving(desk.shard); /* dirty, and unsaid: writing it makes it dirty again */
    shard_go_live(desk.shard);
    desk_see(&desk, "a", "1");
    ck_assert_str_eq(desk_save_more(&desk), "a+");
    desk_saved(&desk);
    save("a");
    desk_pass_ms(&desk, WINDOW_MS);
    desk_writes(&desk, "a");
    save("a-");
    ck_assert_uint_eq(entities_count(&desk.shard->views[0]), 0);
    desk_close(&desk);
}
END_TEST

/* ---- how far it was said ---- */

START_TEST(said_moves_only_with_acknowledgements)
{
    desk_open(&desk);
    see_and_write("a", "1");
    ck_assert_int_eq(desk.shard->said_ms[0], NOW);
    desk_pass_ms(&desk, WINDOW_MS);
    ck_assert_int_eq(desk.shard->said_ms[0], NOW);
    desk_gathers(&desk, "a");
    ck_assert_int_eq(desk.shard->said_ms[0], NOW);
    desk_acknowledge(&desk);
    ck_assert_int_eq(desk.shard->said_ms[0], NOW + WINDOW_MS);
    desk_close(&desk);
}
END_TEST

START_TEST(said_stays_where_not_all_that_was_due_was_gathered)
{
    struct entity_ref ref;
    size_t looks = 1;
    desk_open(&desk);
    desk_see(&desk, "a", "1");
    desk_see(&desk, "b", "1");
    desk_writes(&desk, "a b");
    desk_pass_ms(&desk, WINDOW_MS);
    ck_assert(shard_take_decay(desk.shard, desk.wall_ms, &looks, &ref));
    desk_put(&desk, ref);
    looks = 0;
    ck_assert(!shard_take_decay(desk.shard, desk.wall_ms, &looks, &ref));
    desk_acknowledge(&desk);
    ck_assert_int_eq(desk.shard->said_ms[0], NOW);
    (void)desk_gather(&desk);
    desk_acknowledge(&desk);
    ck_assert_int_eq(desk.shard->said_ms[0], NOW + WINDOW_MS);
    desk_close(&desk);
}
END_TEST

START_TEST(said_does_not_move_past_what_a_restart_has_to_say)
{
    struct entity_ref ref;
    size_t looks = 1;
    desk_open(&desk);
    (void)desk_kept(&desk, slice_of("a")); /* the pass comes to it first */
    see_and_write("b", "1");
    desk_pass_ms(&desk, 5000);
    see_and_write("a", "1");
    save("b a");
    int64_t said_ms = desk.wall_ms;
    desk.wall_ms += 6005; /* not a moment at which timers go off */
    restart_live(said_ms, 2);
    if (shard_take_decay(desk.shard, desk.wall_ms, &looks, &ref))
        desk_put(&desk, ref);
    desk_acknowledge(&desk);
    ck_assert(desk.shard->said_ms[0] == said_ms || desk_served(&desk, "b") == 0);
    desk_close(&desk);
}
END_TEST

/* Their blobs do not say that they are owed: whoever comes next must not take them for written. */
START_TEST(said_begins_when_all_was_said_that_a_restart_found_unsaid)
{
    struct entity_ref ref;
    size_t looks = 1;
    desk_open(&desk);
    see_and_write("a", "1");
    see_and_write("b", "1");
    save("a b");
    desk_pass_ms(&desk, 1000);
    restart_live(-1, 2);
    ck_assert(shard_take_decay(desk.shard, desk.wall_ms, &looks, &ref));
    desk_put(&desk, ref);
    desk_acknowledge(&desk);
    ck_assert_int_eq(desk.shard->said_ms[0], -1);
    desk_gathers(&desk, "b");
    ck_assert_int_eq(desk.shard->said_ms[0], -1);
    desk_acknowledge(&desk);
    desk_writes(&desk, "");
    ck_assert_int_eq(desk.shard->said_ms[0], desk.wall_ms);
    desk_close(&desk);
}
END_TEST

/* ---- views that are behind, and strangers ---- */

START_TEST(a_view_that_is_behind_says_nothing_until_it_joins)
{
    desk_open(&desk);
    desk.shard->is_behind[0] = true;
    (void)kit_apply(desk.shard, "a", desk.wall_ms, "1", KNOW_MATCHED);
    (void)kit_apply(desk.shard, "late", desk.wall_ms - 60000, "1", KNOW_MATCHED);
    desk_writes(&desk, "");
    ck_assert(!shard_has_arrivals(desk.shard));
    save("a! late!");
    desk_pass_ms(&desk, 5000);
    desk_writes(&desk, "");
    shard_join(desk.shard, 0);
    desk_writes(&desk, "a late");
    ck_assert_uint_eq(desk_served(&desk, "a"), 1);
    ck_assert_uint_eq(desk_served(&desk, "late"), 0);
    desk_close(&desk);
}
END_TEST

START_TEST(a_stranger_is_published_as_empty_and_forgotten)
{
    desk_open(&desk);
    see_and_write("a", "1");
    save("a");
    shard_know(desk.shard, 0, slice_of("a")); /* is known, and stays as it is */
    shard_know(desk.shard, 0, slice_of("stray"));
    desk_writes(&desk, "stray");
    ck_assert_uint_eq(desk_served(&desk, "stray"), 0);
    ck_assert_uint_eq(desk_count(&desk, "a"), 1);
    save("stray-");
    ck_assert_ptr_null(kit_entity(desk.shard, "stray"));
    desk_close(&desk);
}
END_TEST

START_TEST(a_stranger_that_was_not_published_yet_is_owed)
{
    desk_open(&desk);
    shard_know(desk.shard, 0, slice_of("stray"));
    save("stray!");
    restart_live(desk.wall_ms, 0);
    desk_writes(&desk, "stray");
    save("stray-");
    desk_close(&desk);
}
END_TEST

UNIT_MAIN("shard_save", an_event_that_is_in_already_changes_nothing_and_is_written_again,
          an_event_that_another_entitys_blob_has_is_applied_to_its_own,
          an_event_that_comes_again_in_silence_is_written_when_the_unit_is_live,
          the_plain_form_knows_nothing_of_offsets_and_keeps_no_list,
          the_blobs_of_a_silent_shard_say_that_they_are_owed,
          what_the_pass_has_not_reached_yet_is_owed,
          the_blob_of_a_refused_entity_says_that_it_is_owed,
          a_refused_entity_owes_nothing_when_its_next_try_succeeds,
          without_a_time_up_to_which_all_was_said_everything_is_owed,
          an_entity_is_restored_as_it_was_and_its_decay_goes_on,
          what_time_has_changed_since_all_was_said_is_written_again,
          what_time_has_not_changed_since_then_is_not,
          what_has_changed_and_changed_back_is_written_again, a_blob_that_is_read_twice_counts_once,
          what_is_no_blob_makes_nobody_known, a_view_that_is_cleared_knows_nobody,
          who_has_nothing_alive_is_deleted_from_the_state_and_then_forgotten,
          who_has_fallen_to_nothing_before_a_crash_is_said_and_deleted_after_it,
          an_event_before_the_deletion_is_gathered_keeps_the_entity,
          an_event_while_the_deletion_is_under_way_keeps_the_entity_and_its_blob_comes_again,
          an_old_event_while_the_deletion_is_under_way_keeps_the_entity_until_it_is_said,
          an_entity_is_saved_once_however_often_it_has_changed, time_alone_makes_no_blob_dirty,
          what_changes_while_it_is_being_saved_is_saved_again,
          what_changes_before_its_turn_is_saved_with_its_features,
          who_is_on_two_lists_is_saved_and_forgotten_once, said_moves_only_with_acknowledgements,
          said_stays_where_not_all_that_was_due_was_gathered,
          said_does_not_move_past_what_a_restart_has_to_say,
          said_begins_when_all_was_said_that_a_restart_found_unsaid,
          a_view_that_is_behind_says_nothing_until_it_joins,
          a_stranger_is_published_as_empty_and_forgotten,
          a_stranger_that_was_not_published_yet_is_owed)
