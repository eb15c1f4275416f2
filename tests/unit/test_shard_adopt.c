/* A shard whose topic gets other views: of those that stay nothing may show.
 *
 * The oracle is a shard that keeps its topic. Both see the same events at the same time, are asked for
 * writes and blobs at the same time, and have to say the same of the views that both have.
 */
#include "core_kit.h"

#include <time.h>

enum { ENTITIES = 12, STEPS = 400, LIVES = 40, LINES_MAX = 256, SENT_MAX = 256 };

static const char THIRD[] = "view: x\n"
                            "source: {topic: t, timestamp: {field: ts, unit: ms}}\n"
                            "entity: {type: user, keys: [{field: id, type: string}]}\n"
                            "features:\n"
                            "  - {name: extra, value: amount, aggregates: [min], windows: [20s]}\n";

/* ---- one of the two ---- */

struct sent {
    struct entity_ref ref;
    int64_t as_of_ms;
    int64_t next_ms;
    uint8_t generation;
    bool is_features;
    bool is_blob;
};

struct side {
    struct shard *shard;
    struct sent sent[SENT_MAX];
    size_t sent_count;
    struct buf said; /* lines of this step */
};

enum { CHOICES = 3 };

static struct catalog *catalogs[CHOICES]; /* v w | x w v | w x v */
static struct tally tally[8];
static struct tally *tallies[8];
static struct side sides[2]; /* 1: it adopts */
static int64_t wall_ms;
static int64_t offset_next;

static uint64_t state;

static uint64_t draw(uint64_t below)
{
    state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t x = (state ^ (state >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    return (x ^ (x >> 31)) % below;
}

static const char *name_of(const struct side *side, struct entity_ref ref)
{
    return side->shard->topic->views[ref.view]->name;
}

/* Of the other kinds the number is whatever it was. */
static bool is_value(const struct reading *reading)
{
    return reading->kind == READING_COUNT || reading->kind == READING_NUMBER;
}

static void say(struct side *side, const char *what, struct entity_ref ref)
{
    struct reading readings[KIT_FIELDS];
    struct row row = {.readings = readings};
    if (strcmp(name_of(side, ref), "x") == 0)
        return;
    shard_read(side->shard, ref, &row);
    buf_printf(&side->said, "%s %s %.*s as_of=%lld newest=%lld next=%lld new=%d", what,
               name_of(side, ref), (int)row.identity.len, row.identity.ptr, (long long)row.as_of_ms,
               (long long)row.newest_ms, (long long)row.next_ms, row.is_new);
    for (size_t i = 0; i < row.view->field_count; i++)
        buf_printf(&side->said, " %d:%llx", readings[i].kind,
                   is_value(&readings[i]) ? (unsigned long long)readings[i].count : 0);
    buf_add_char(&side->said, '\n');
}

static void put(struct side *side, const char *what, struct entity_ref ref, bool is_blob)
{
    struct reading readings[KIT_FIELDS];
    struct row row = {.readings = readings};
    say(side, what, ref);
    shard_read(side->shard, ref, &row);
    side->sent[side->sent_count++] =
        (struct sent){ref, row.as_of_ms, row.next_ms, side->shard->generation, !is_blob, is_blob};
}

/* ---- what befalls both ---- */

static uint32_t number_of(const struct topic *topic, const char *view)
{
    for (uint32_t i = 0; i < topic->view_count; i++)
        if (strcmp(topic->views[i]->name, view) == 0)
            return i;
    return UINT32_MAX;
}

static void apply(struct side *side, const char *view, const char *id, int64_t ts_ms,
                  const char *amount)
{
    struct shard *shard = side->shard;
    uint32_t number = number_of(shard->topic, view);
    if (number == UINT32_MAX)
        return;
    struct value values[KIT_VALUES] = {{VALUE_MISSING, false, {NULL, 0}}};
    struct routed routed = {.ts_ms = ts_ms, .identity = slice_of(id), .record_ms = ts_ms};
    for (size_t i = 0; i < shard->topic->views[number]->feature_count; i++)
        if (shard->topic->views[number]->features[i].value_path != NULL)
            values[shard->topic->views[number]->features[i].value_slot] =
                (struct value){.type = VALUE_NUMBER, .text = slice_of(amount)};
    shard_apply(shard, number, &routed, values, offset_next, KNOW_FED);
    shard->ledger.position = offset_next + 1;
}

static void see(void)
{
    char id[] = "a";
    char amount[8];
    id[0] = (char)('a' + draw(ENTITIES));
    (void)snprintf(amount, sizeof amount, "%d", (int)draw(1000));
    int64_t ts_ms = wall_ms - (int64_t)(draw(4) == 0 ? draw(30000) : draw(100));
    static const char *const views[] = {"v", "w", "x"};
    for (int i = 0; i < 2; i++)
        for (size_t k = 0; k < 3; k++)
            apply(&sides[i], views[k], id, ts_ms, amount);
    offset_next++;
}

static void gather(struct side *side)
{
    struct entity_ref ref;
    size_t looks = 10000;
    int64_t record_ms = 0;
    while (shard_take_arrival(side->shard, &ref, &record_ms))
        put(side, "arrival", ref, false);
    while (shard_take_decay(side->shard, wall_ms, &looks, &ref))
        put(side, "decay", ref, false);
}

static void save(struct side *side)
{
    struct entity_ref ref;
    bool is_held = false;
    shard_begin_saving(side->shard);
    while (shard_take_saving(side->shard, &ref, &is_held)) {
        if (is_held)
            put(side, "held", ref, false);
        put(side, "blob", ref, true);
    }
}

static void answer(struct side *side, bool is_refused)
{
    shard_note_said(side->shard);
    ledger_acknowledge(&side->shard->ledger);
    for (size_t i = 0; i < side->sent_count; i++) {
        const struct sent *sent = &side->sent[i];
        if (sent->is_blob)
            shard_saved(side->shard, sent->ref);
        else if (is_refused)
            shard_refused(side->shard, sent->ref, wall_ms);
        else
            shard_written(side->shard, sent->ref, sent->as_of_ms, sent->next_ms, sent->generation);
    }
    side->sent_count = 0;
}

/* ---- are they the same? ---- */

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static size_t sort_lines(struct buf *said, char **lines)
{
    size_t count = 0;
    char *next = NULL;
    (void)buf_text(said);
    for (char *line = strtok_r(said->ptr, "\n", &next); line != NULL;
         line = strtok_r(NULL, "\n", &next))
        lines[count++] = line;
    qsort(lines, count, sizeof *lines, compare_lines);
    return count;
}

static void compare(void)
{
    char *lines[2][LINES_MAX];
    size_t count = sort_lines(&sides[0].said, lines[0]);
    ck_assert_uint_eq(sort_lines(&sides[1].said, lines[1]), count);
    for (size_t i = 0; i < count; i++)
        ck_assert_str_eq(lines[0][i], lines[1][i]);
    buf_reset(&sides[0].said);
    buf_reset(&sides[1].said);
}

/* All that is known of the views that both have. */
static void compare_all(void)
{
    for (int i = 0; i < 2; i++)
        for (uint32_t view = 0; view < sides[i].shard->topic->view_count; view++) {
            const struct entities *entities = &sides[i].shard->views[view];
            for (uint32_t number = 0; number < entities->end; number++)
                if ((entity_at(entities, number)->flags & ENTITY_IN_USE) != 0)
                    say(&sides[i], "known", (struct entity_ref){view, number});
        }
    compare();
    ck_assert_int_eq(ledger_durable(&sides[0].shard->ledger),
                     ledger_durable(&sides[1].shard->ledger));
}

/* ---- a life ---- */

static void open_all(void)
{
    wall_ms = NOW;
    offset_next = 0;
    catalogs[0] = kit_catalog_of_files((const char *const[]){KIT_VIEW, KIT_OTHER_VIEW}, 2);
    catalogs[1] = kit_catalog_of_files((const char *const[]){THIRD, KIT_OTHER_VIEW, KIT_VIEW}, 3);
    catalogs[2] = kit_catalog_of_files((const char *const[]){KIT_OTHER_VIEW, THIRD, KIT_VIEW}, 3);
    for (size_t i = 0; i < 8; i++)
        tallies[i] = &tally[i];
    for (int i = 0; i < 2; i++) {
        sides[i] = (struct side){.shard = shard_new(catalogs[0]->topics[0], tallies, 7, NOW)};
        shard_tell(sides[i].shard, NOW);
        sides[i].shard->keeps_blobs = true;
        shard_go_live(sides[i].shard);
    }
}

static void close_all(void)
{
    for (int i = 0; i < 2; i++) {
        shard_free(sides[i].shard);
        buf_fini(&sides[i].said);
    }
    for (size_t i = 0; i < CHOICES; i++)
        catalog_free(catalogs[i]);
}

static void step(void)
{
    uint64_t kind = draw(100);
    bool is_refused = draw(20) == 0;
    if (kind < 50) {
        see();
    } else if (kind < 65) {
        wall_ms += (int64_t)(draw(10) == 0 ? draw(40000) : draw(500));
        shard_tell(sides[0].shard, wall_ms);
        shard_tell(sides[1].shard, wall_ms);
    } else if (kind < 95) {
        for (int i = 0; i < 2; i++) {
            if (kind < 85)
                gather(&sides[i]);
            else
                save(&sides[i]);
        }
        compare();
        answer(&sides[0], is_refused);
        answer(&sides[1], is_refused);
    } else {
        shard_adopt(sides[1].shard, catalogs[draw(CHOICES)]->topics[0]);
        shard_bury(sides[1].shard, draw(20));
    }
}

START_TEST(nothing_shows_of_a_reload_in_views_that_stay)
{
    state = getenv("SEED") != NULL ? strtoull(getenv("SEED"), NULL, 10) : (uint64_t)time(NULL);
    printf("seed %llu\n", (unsigned long long)state);
    for (int life = 0; life < LIVES; life++) {
        open_all();
        for (int i = 0; i < STEPS; i++)
            step();
        compare_all();
        close_all();
    }
}
END_TEST

/* ---- one thing at a time ---- */

static struct desk desk;
static struct catalog *three; /* x w v */

static void open_desk(void)
{
    desk_open_with(&desk, kit_catalog_of_two());
    desk_live(&desk);
    three = kit_catalog_of_files((const char *const[]){THIRD, KIT_OTHER_VIEW, KIT_VIEW}, 3);
}

static void adopt(struct catalog *catalog)
{
    shard_adopt(desk.shard, catalog->topics[0]);
}

static void close_desk(void)
{
    shard_free(desk.shard);
    desk.shard = NULL;
    catalog_free(three);
    desk_close(&desk);
}

static uint32_t number(const char *view)
{
    return number_of(desk.shard->topic, view);
}

START_TEST(a_new_view_knows_nothing_and_is_behind)
{
    open_desk();
    desk_see(&desk, "a", "1");
    adopt(three);
    ck_assert(desk.shard->is_behind[number("x")]);
    ck_assert(!desk.shard->is_behind[number("v")] && !desk.shard->is_behind[number("w")]);
    ck_assert_uint_eq(entities_count(&desk.shard->views[number("x")]), 0);
    ck_assert_uint_eq(entities_count(&desk.shard->views[number("v")]), 1);
    ck_assert_int_eq(desk.shard->clock_ms[number("x")], desk.wall_ms);
    ck_assert_str_eq(desk_gather(&desk), "a");
    close_desk();
}
END_TEST

START_TEST(what_a_view_held_that_is_gone_holds_no_offset_back)
{
    open_desk();
    struct catalog *other = kit_catalog_of_files((const char *const[]){KIT_OTHER_VIEW}, 1);
    desk_see(&desk, "a", "1");
    desk_see(&desk, "b", "1");
    ck_assert_int_eq(ledger_durable(&desk.shard->ledger), 0);
    adopt(other);
    ck_assert_int_eq(ledger_durable(&desk.shard->ledger), 2);
    ck_assert_str_eq(desk_gather(&desk), "");
    ck_assert_uint_eq(shard_count(desk.shard), 0);
    shard_free(desk.shard);
    desk.shard = NULL;
    catalog_free(other);
    catalog_free(three);
    desk_close(&desk);
}
END_TEST

START_TEST(memory_of_a_view_that_is_gone_is_used_again)
{
    open_desk();
    struct catalog *other = kit_catalog_of_files((const char *const[]){KIT_OTHER_VIEW}, 1);
    char id[] = "a";
    size_t bytes = 0;
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 26; i++) {
            id[0] = (char)('a' + i);
            (void)kit_apply(desk.shard, id, desk.wall_ms, "1", KNOW_FED);
        }
        bytes = round == 2 ? shard_bytes(desk.shard) : bytes;
        adopt(other);
        adopt(desk.catalog);
        shard_bury(desk.shard, 10); /* bit by bit */
        ck_assert_uint_eq(desk.shard->buried_count, 1);
        shard_bury(desk.shard, 100);
        ck_assert_uint_eq(desk.shard->buried_count, 0);
    }
    ck_assert_uint_le(shard_bytes(desk.shard), bytes);
    shard_free(desk.shard);
    desk.shard = NULL;
    catalog_free(other);
    catalog_free(three);
    desk_close(&desk);
}
END_TEST

START_TEST(what_a_checkpoint_had_still_to_write_is_dirty_again)
{
    struct entity_ref ref;
    bool is_held = false;
    open_desk();
    for (const char *id = "abc"; *id != '\0'; id++)
        desk_see(&desk, (const char[]){*id, '\0'}, "1");
    desk_writes(&desk, "a b c");
    shard_begin_saving(desk.shard);
    ck_assert(shard_take_saving(desk.shard, &ref, &is_held));
    shard_saved(desk.shard, ref);
    adopt(three);
    shard_begin_saving(desk.shard);
    size_t count = 0;
    for (; shard_take_saving(desk.shard, &ref, &is_held); count++)
        ck_assert_uint_eq(ref.view, number("v"));
    ck_assert_uint_eq(count, 2);
    close_desk();
}
END_TEST

START_TEST(who_waits_for_its_blob_still_waits_for_it)
{
    struct entity_ref ref;
    struct err err;
    open_desk();
    desk_see(&desk, "a", "1");
    desk_writes(&desk, "a");
    desk_saves(&desk, "a");
    desk_saved(&desk);
    ck_assert_uint_eq(shard_cool(desk.shard, 100), 1);
    desk_see(&desk, "a", "1");
    desk_gathers(&desk, "");
    ck_assert(shard_take_wanted(desk.shard, &ref)); /* asked for, and that answer is void */
    adopt(three);
    ck_assert(shard_take_wanted(desk.shard, &ref));
    ck_assert_uint_eq(ref.view, number("v"));
    ck_assert(!shard_take_wanted(desk.shard, &ref));
    ck_assert_int_eq(shard_warm(desk.shard, ref, KIT_DEFINITION,
                                buf_slice(&desk_kept(&desk, slice_of("a"))->blob), &err),
                     0);
    ck_assert_uint_eq(desk.shard->warmed, desk.shard->asked);
    ck_assert_str_eq(desk_gather(&desk), "a");
    close_desk();
}
END_TEST

START_TEST(said_does_not_move_past_a_change_that_still_waits_for_its_blob)
{
    open_desk();
    desk_see(&desk, "a", "1");
    desk_writes(&desk, "a");
    desk_saves(&desk, "a");
    desk_saved(&desk);
    int64_t said_ms = desk.wall_ms;
    ck_assert_uint_eq(shard_cool(desk.shard, 100), 1);
    desk_pass_ms(&desk, 10100); /* of a feature's window, with its hop */
    desk_writes(&desk, "");
    adopt(three);
    desk_pass_ms(&desk, 100);
    desk_writes(&desk, "");
    ck_assert_int_eq(desk.shard->said_ms[number("v")], said_ms);
    close_desk();
}
END_TEST

START_TEST(who_waits_for_a_blob_of_a_view_that_is_gone_is_not_waited_for)
{
    open_desk();
    struct catalog *other = kit_catalog_of_files((const char *const[]){KIT_OTHER_VIEW}, 1);
    desk_see(&desk, "a", "1");
    desk_writes(&desk, "a");
    desk_saves(&desk, "a");
    desk_saved(&desk);
    ck_assert_uint_eq(shard_cool(desk.shard, 100), 1);
    desk_see(&desk, "a", "1");
    desk_gathers(&desk, "");
    adopt(other);
    ck_assert_uint_eq(desk.shard->warmed, desk.shard->asked);
    desk_pass_ms(&desk, 1000);
    desk_writes(&desk, "");
    desk_writes(&desk, "");
    ck_assert_int_gt(desk.shard->said_ms[0], desk.wall_ms - 1000);
    shard_free(desk.shard);
    desk.shard = NULL;
    catalog_free(other);
    catalog_free(three);
    desk_close(&desk);
}
END_TEST

UNIT_MAIN("shard_adopt", nothing_shows_of_a_reload_in_views_that_stay,
          a_new_view_knows_nothing_and_is_behind,
          what_a_view_held_that_is_gone_holds_no_offset_back,
          memory_of_a_view_that_is_gone_is_used_again,
          what_a_checkpoint_had_still_to_write_is_dirty_again,
          who_waits_for_its_blob_still_waits_for_it,
          said_does_not_move_past_a_change_that_still_waits_for_its_blob,
          who_waits_for_a_blob_of_a_view_that_is_gone_is_not_waited_for)
