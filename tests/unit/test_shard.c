/* The shard: who is known, who is written when, and which offset may go. */
#include <time.h>

#include "core_kit.h"

enum { BATCH_MAX = 64, TURNS_MAX = 10000 };

/* ---- a worker in small: one batch at a time ---- */

struct flight {
    struct entity_ref refs[BATCH_MAX];
    char ids[BATCH_MAX][8];
    int64_t as_of_ms[BATCH_MAX];
    int64_t next_ms[BATCH_MAX];
    struct reading readings[BATCH_MAX][KIT_FIELDS]; /* amount: count, sum, max; seen: count */
    size_t count;
    uint8_t generation;
};

static struct catalog *catalog;
static struct tally tally;
static struct tally *const tallies[] = {&tally};
static struct shard *shard;
static struct flight flight;
static int64_t wall_ms;

static void open_with(const char *more)
{
    catalog = kit_catalog(more);
    tally = (struct tally){0};
    shard = kit_shard(catalog, tallies);
    wall_ms = NOW;
    flight.count = 0;
}

static void open_live(void)
{
    size_t looks = 1000;
    struct entity_ref none;
    open_with("");
    shard_go_live(shard);
    ck_assert(!shard_take_decay(shard, wall_ms, &looks, &none)); /* the pass */
}

static void close_all(void)
{
    shard_free(shard);
    catalog_free(catalog);
}

static void pass_ms(int64_t ms)
{
    wall_ms += ms;
    shard_tell(shard, wall_ms);
}

static void see(const char *id, const char *amount)
{
    (void)kit_apply(shard, id, wall_ms, amount, shard->is_live ? KNOW_FED : KNOW_MATCHED);
}

static void put(struct entity_ref ref)
{
    struct row row = {.readings = flight.readings[flight.count]};
    shard_read(shard, ref, &row);
    flight.refs[flight.count] = ref;
    flight.as_of_ms[flight.count] = row.as_of_ms;
    flight.next_ms[flight.count] = row.next_ms;
    (void)snprintf(flight.ids[flight.count], sizeof flight.ids[0], "%.*s", (int)row.identity.len,
                   row.identity.ptr);
    flight.count++;
}

/* Fills the batch from both lanes; the ids in it, with spaces. */
static const char *gather(size_t most)
{
    static char text[BATCH_MAX * 8];
    struct entity_ref ref;
    size_t looks = 1000;
    flight.count = 0;
    flight.generation = shard->generation;
    while (flight.count < most && shard_take_arrival(shard, &ref, NULL))
        put(ref);
    while (flight.count < most && shard_take_decay(shard, wall_ms, &looks, &ref))
        put(ref);
    text[0] = '\0';
    for (size_t i = 0, len = 0; i < flight.count; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", i > 0 ? " " : "",
                                flight.ids[i]);
    return text;
}

static void acknowledge(void)
{
    for (size_t i = 0; i < flight.count; i++) {
        ledger_acknowledge(&shard->ledger);
        shard_written(shard, flight.refs[i], flight.as_of_ms[i], flight.next_ms[i],
                      flight.generation);
    }
    flight.count = 0;
}

static void refuse_all(void)
{
    ledger_acknowledge(&shard->ledger);
    for (size_t i = 0; i < flight.count; i++)
        shard_refused(shard, flight.refs[i], wall_ms);
    flight.count = 0;
}

#define gathers(most, ids) ck_assert_str_eq(gather(most), ids)
#define writes(ids)                                                                                \
    do {                                                                                           \
        gathers(BATCH_MAX, ids);                                                                   \
        acknowledge();                                                                             \
    } while (0)

/* ---- who is known ---- */

START_TEST(a_late_event_makes_no_entity_known_to_a_running_worker)
{
    open_live();
    (void)kit_apply(shard, "a", NOW - 10101, "1", KNOW_FED);
    ck_assert_uint_eq(shard_count(shard), 0);
    ck_assert_uint_eq(tally_read(&tally, VERDICT_LATE), 1);
    (void)kit_apply(shard, "a", NOW - 10000, "1", KNOW_FED);
    ck_assert_uint_eq(shard_count(shard), 1);
    ck_assert_uint_eq(tally_read(&tally, VERDICT_APPLIED), 1);
    ck_assert_uint_eq(tally_read(&tally, VERDICT_ACCEPTED), 2);
    close_all();
}
END_TEST

START_TEST(a_late_event_makes_its_entity_known_while_the_log_is_read_again)
{
    open_with("");
    (void)kit_apply(shard, "a", NOW - 60000, "1", KNOW_MATCHED);
    ck_assert_uint_eq(shard_count(shard), 1);
    ck_assert_int_eq(kit_entity(shard, "a")->newest_ms, -1);
    close_all();
}
END_TEST

START_TEST(a_late_event_changes_nothing_of_a_known_entity)
{
    open_live();
    see("a", "1");
    writes("a");
    (void)kit_apply(shard, "a", NOW - 60000, "1", KNOW_FED);
    ck_assert(!shard_has_arrivals(shard));
    ck_assert_int_eq(kit_entity(shard, "a")->newest_ms, NOW);
    gathers(BATCH_MAX, "");
    close_all();
}
END_TEST

/* ---- silence and the pass ---- */

START_TEST(a_silent_unit_has_nothing_to_write)
{
    open_with("");
    see("a", "1");
    see("b", "1");
    ck_assert(!shard_has_arrivals(shard));
    gathers(BATCH_MAX, "");
    pass_ms(30000);
    gathers(BATCH_MAX, "");
    close_all();
}
END_TEST

START_TEST(a_unit_that_goes_live_says_everything_once)
{
    open_with("");
    see("a", "1");
    see("b", "1");
    see("a", "1");
    see("c", "1");
    shard_go_live(shard);
    gathers(2, "a b");
    acknowledge();
    gathers(2, "c");
    acknowledge();
    gathers(BATCH_MAX, "");
    ck_assert(!shard->is_passing);
    close_all();
}
END_TEST

START_TEST(a_known_but_empty_entity_is_said_as_empty_and_forgotten)
{
    open_with("");
    (void)kit_apply(shard, "a", NOW - 60000, "1", KNOW_MATCHED);
    shard_go_live(shard);
    gathers(BATCH_MAX, "a");
    ck_assert_int_eq(flight.readings[0][0].kind, READING_COUNT);
    ck_assert_uint_eq(flight.readings[0][0].count, 0);
    ck_assert_int_eq(flight.readings[0][2].kind, READING_NONE);
    ck_assert_uint_eq(shard_count(shard), 1);
    acknowledge();
    ck_assert_uint_eq(shard_count(shard), 0);
    close_all();
}
END_TEST

START_TEST(an_entity_that_has_fallen_in_silence_is_said_as_empty_and_forgotten)
{
    open_with("");
    see("a", "1");
    pass_ms(60000);
    shard_go_live(shard);
    writes("a");
    ck_assert_uint_eq(shard_count(shard), 0);
    close_all();
}
END_TEST

START_TEST(a_parked_unit_says_only_what_has_changed)
{
    open_live();
    see("a", "1");
    see("b", "1");
    writes("a b");
    shard_go_silent(shard, 10);
    see("b", "1");
    see("c", "1");
    shard_go_live(shard);
    writes("b c");
    gathers(BATCH_MAX, "");
    close_all();
}
END_TEST

START_TEST(no_offset_goes_while_a_unit_is_silent_or_passing)
{
    open_with("");
    shard->ledger.position = shard->started_at = 100;
    see("a", "1");
    see("b", "1");
    ck_assert_int_eq(shard_durable(shard), 100);
    shard_go_live(shard);
    ck_assert_int_eq(shard_durable(shard), 100);
    gathers(1, "a");
    acknowledge();
    ck_assert_int_eq(shard_durable(shard), 100);
    gathers(BATCH_MAX, "b"); /* the pass is over, its last write is not in */
    ck_assert_int_eq(shard_durable(shard), 100);
    acknowledge();
    ck_assert_int_eq(shard_durable(shard), 102);
    close_all();
}
END_TEST

START_TEST(an_offset_waits_for_what_was_changed_in_silence_and_is_written_as_an_arrival)
{
    open_with("");
    shard->ledger.position = shard->started_at = 100;
    see("a", "1");
    shard_go_live(shard);
    see("a", "1"); /* 101: held, and unsaid since 100 */
    see("b", "1"); /* 102 */
    gathers(1, "a");
    struct entity_ref none;
    size_t looks = 1000;
    ck_assert(!shard_take_decay(shard, wall_ms, &looks, &none)); /* the pass is over */
    ck_assert_int_eq(shard_durable(shard), 100);
    acknowledge();
    ck_assert_int_le(shard_durable(shard), 102);
    writes("b");
    ck_assert_int_eq(shard_durable(shard), 103);
    close_all();
}
END_TEST

START_TEST(an_offset_waits_for_what_was_changed_in_silence_and_is_still_held)
{
    open_with("");
    shard->ledger.position = shard->started_at = 100;
    see("b", "1");
    shard_go_live(shard);
    see("a", "1"); /* 101 */
    see("b", "1"); /* 102: held, and unsaid since 100 */
    gathers(1, "a");
    struct entity_ref none;
    size_t looks = 1000;
    ck_assert(!shard_take_decay(shard, wall_ms, &looks, &none)); /* the pass is over */
    acknowledge();
    ck_assert_int_eq(shard_durable(shard), 100);
    writes("b");
    ck_assert_int_eq(shard_durable(shard), 103);
    close_all();
}
END_TEST

START_TEST(an_offset_waits_for_what_was_changed_in_silence_and_is_written_as_a_decay)
{
    open_live();
    see("a", "1");
    writes("a");
    ck_assert_int_eq(shard_durable(shard), 1);
    shard->started_at = 0;
    shard_go_silent(shard, 2);
    see("a", "1"); /* 1 */
    pass_ms(10100);
    shard_go_live(shard);
    gathers(BATCH_MAX, "a"); /* its timer is due before the pass comes by */
    ck_assert(!shard->is_passing);
    ck_assert_int_le(shard_durable(shard), 1);
    acknowledge();
    ck_assert_int_eq(shard_durable(shard), 2);
    close_all();
}
END_TEST

/* ---- arrivals ---- */

START_TEST(arrivals_come_in_the_order_of_their_first_offsets)
{
    open_live();
    see("b", "1");
    see("a", "1");
    see("b", "1");
    see("c", "1");
    ck_assert_int_eq(shard_durable(shard), 0);
    gathers(1, "b");
    ck_assert_int_eq(shard_durable(shard), 0);
    acknowledge();
    ck_assert_int_eq(shard_durable(shard), 1);
    writes("a c");
    ck_assert_int_eq(shard_durable(shard), 4);
    close_all();
}
END_TEST

START_TEST(an_entity_that_changes_while_it_is_in_flight_is_written_again)
{
    open_live();
    see("a", "1");
    gathers(BATCH_MAX, "a");
    see("a", "2"); /* 1 */
    acknowledge();
    ck_assert_int_eq(shard_durable(shard), 1);
    gathers(BATCH_MAX, "a");
    ck_assert_double_eq(flight.readings[0][1].number, 3);
    acknowledge();
    ck_assert_int_eq(shard_durable(shard), 2);
    gathers(BATCH_MAX, "");
    close_all();
}
END_TEST

START_TEST(an_entity_that_changes_in_silence_while_it_is_in_flight_is_said_by_the_pass)
{
    for (int is_live_first = 0; is_live_first < 2; is_live_first++) {
        open_live();
        see("a", "1");
        gathers(BATCH_MAX, "a");
        shard_go_silent(shard, 2);
        see("a", "2"); /* 1 */
        if (is_live_first)
            shard_go_live(shard);
        acknowledge();
        if (!is_live_first)
            shard_go_live(shard);
        ck_assert_int_le(shard_durable(shard), 1);
        gathers(BATCH_MAX, "a");
        ck_assert_double_eq(flight.readings[0][1].number, 3);
        ck_assert_int_le(shard_durable(shard), 1);
        acknowledge();
        ck_assert_int_eq(shard_durable(shard), 2);
        gathers(BATCH_MAX, "");
        close_all();
    }
}
END_TEST

START_TEST(what_was_held_when_a_unit_was_parked_is_written_when_it_comes_back)
{
    open_live();
    see("a", "1");
    shard_go_silent(shard, 2);
    gathers(BATCH_MAX, "");
    see("a", "1");
    shard_go_live(shard);
    writes("a");
    gathers(BATCH_MAX, "");
    ck_assert_int_eq(shard_durable(shard), 2);
    close_all();
}
END_TEST

START_TEST(an_event_that_changes_no_value_is_written_all_the_same)
{
    open_live();
    see("a", "1");
    writes("a");
    (void)kit_apply(shard, "a", wall_ms - 60000, NULL, KNOW_FED); /* late: feeds nothing */
    gathers(BATCH_MAX, "");
    see("a", NULL);
    writes("a");
    close_all();
}
END_TEST

/* ---- decay ---- */

START_TEST(a_decay_is_written_when_a_value_falls_and_the_entity_is_forgotten_when_empty)
{
    open_live();
    see("a", "1");
    pass_ms(5000);
    see("a", "2");
    writes("a");
    pass_ms(5099);
    gathers(BATCH_MAX, "");
    pass_ms(1);
    gathers(BATCH_MAX, "a");
    ck_assert_double_eq(flight.readings[0][1].number, 2);
    ck_assert_int_eq(shard_durable(shard), 2); /* a decay holds nothing back */
    acknowledge();
    pass_ms(4999);
    gathers(BATCH_MAX, "");
    pass_ms(1);
    gathers(BATCH_MAX, "a");
    ck_assert_uint_eq(flight.readings[0][0].count, 0);
    ck_assert_int_eq(flight.readings[0][2].kind, READING_NONE);
    acknowledge();
    ck_assert_uint_eq(shard_count(shard), 0);
    close_all();
}
END_TEST

START_TEST(a_decay_that_changes_no_value_writes_nothing_and_waits_for_the_next)
{
    catalog = NULL;
    struct buf report = {NULL, 0, 0};
    static const char view[] = "view: m\nsource: {topic: t, timestamp: {field: ts, unit: ms}}\n"
                               "entity: {type: user, keys: [{field: id, type: string}]}\n"
                               "features: [{name: top, value: amount, aggregates: [max], "
                               "windows: [10s]}]\n";
    ck_assert_int_eq(pipeline_load_text("m.yaml", slice_of(view), &report, &catalog), 0);
    buf_fini(&report);
    shard = kit_shard(catalog, tallies);
    wall_ms = NOW;
    shard_go_live(shard);
    see("a", "1");
    pass_ms(5000);
    see("a", "9");
    writes("a");
    pass_ms(5100); /* the 1 leaves */
    gathers(BATCH_MAX, "");
    ck_assert_uint_eq(expire_count(shard->views[0].expire), 1);
    pass_ms(5000); /* and the 9 */
    gathers(BATCH_MAX, "a");
    ck_assert_int_eq(flight.readings[0][0].kind, READING_NONE);
    acknowledge();
    ck_assert_uint_eq(shard_count(shard), 0);
    close_all();
}
END_TEST

START_TEST(the_second_lane_looks_at_no_more_than_it_may)
{
    open_live();
    see("a", "1");
    see("b", "1");
    see("c", "1");
    writes("a b c");
    pass_ms(20000);
    struct entity_ref ref;
    size_t looks = 2;
    ck_assert(shard_take_decay(shard, wall_ms, &looks, &ref));
    ck_assert(shard_take_decay(shard, wall_ms, &looks, &ref) == (looks > 0));
    looks = 0;
    ck_assert(!shard_take_decay(shard, wall_ms, &looks, &ref));
    close_all();
}
END_TEST

START_TEST(an_arrival_that_empties_before_its_answer_decays_after_it)
{
    open_live();
    see("a", "1");
    gathers(BATCH_MAX, "a");
    pass_ms(20000);
    acknowledge();
    writes("a");
    ck_assert_uint_eq(shard_count(shard), 0);
    close_all();
}
END_TEST

/* ---- the event clock ---- */

START_TEST(an_event_clock_stands_still_without_events)
{
    open_with("clock: event\n");
    shard_go_live(shard);
    ck_assert_int_eq(shard->clock_ms[0], 0);
    (void)kit_apply(shard, "a", 1000000, "1", KNOW_FED);
    (void)kit_apply(shard, "b", 1005000, "1", KNOW_FED);
    writes("a b");
    pass_ms(3600000);
    gathers(BATCH_MAX, "");
    ck_assert_int_eq(shard->clock_ms[0], 1005000);
    ck_assert_uint_eq(expire_count(shard->views[0].expire), 2);
    close_all();
}
END_TEST

START_TEST(on_an_event_clock_every_entity_decays_by_later_events)
{
    open_with("clock: event\n");
    shard_go_live(shard);
    (void)kit_apply(shard, "a", 1000000, "1", KNOW_FED);
    (void)kit_apply(shard, "b", 1000100, "1", KNOW_FED);
    (void)kit_apply(shard, "c", 1005000, "1", KNOW_FED);
    writes("a b c");
    (void)kit_apply(shard, "z", 1010100, "1", KNOW_FED);
    writes("z a");
    (void)kit_apply(shard, "z", 1010200, "1", KNOW_FED);
    writes("z b");
    (void)kit_apply(shard, "z", 1015000, "1", KNOW_FED);
    writes("z");
    (void)kit_apply(shard, "z", 1015100, "1", KNOW_FED);
    writes("z c");
    ck_assert_uint_eq(shard_count(shard), 1);
    close_all();
}
END_TEST

START_TEST(a_wall_clock_that_goes_back_a_little_moves_no_clock)
{
    open_live();
    shard_tell(shard, NOW - 9000);
    ck_assert_int_eq(shard->clock_ms[0], NOW);
    shard_tell(shard, NOW + 1);
    ck_assert_int_eq(shard->clock_ms[0], NOW + 1);
    close_all();
}
END_TEST

/* ---- what is lost ---- */

START_TEST(what_redis_has_lost_is_all_written_again)
{
    open_live();
    see("a", "1");
    see("b", "1");
    writes("a b");
    gathers(BATCH_MAX, "");
    shard_say_again(shard);
    ck_assert_int_eq(shard_durable(shard), 0);
    writes("a b");
    gathers(BATCH_MAX, "");
    ck_assert_int_eq(shard_durable(shard), 2);
    close_all();
}
END_TEST

START_TEST(a_batch_that_was_in_flight_when_redis_lost_its_data_is_written_again)
{
    open_live();
    see("a", "1");
    gathers(BATCH_MAX, "a");
    shard_say_again(shard);
    struct entity_ref none;
    size_t looks = 1000;
    ck_assert(!shard_take_decay(shard, wall_ms, &looks, &none)); /* the pass has gone by */
    acknowledge();
    ck_assert_int_eq(shard_durable(shard), 0);
    writes("a");
    gathers(BATCH_MAX, "");
    ck_assert_int_eq(shard_durable(shard), 1);
    close_all();
}
END_TEST

START_TEST(a_loss_in_silence_is_made_good_when_the_unit_goes_live)
{
    open_live();
    see("a", "1");
    writes("a");
    shard_go_silent(shard, 1);
    shard_say_again(shard);
    gathers(BATCH_MAX, "");
    shard_go_live(shard);
    writes("a");
    gathers(BATCH_MAX, "");
    close_all();
}
END_TEST

START_TEST(as_many_losses_as_a_generation_counts_lose_nothing)
{
    open_live();
    see("a", "1");
    see("b", "1");
    writes("a b");
    for (int i = 0; i < 256; i++)
        shard_say_again(shard);
    writes("a b");
    gathers(BATCH_MAX, "");
    close_all();
}
END_TEST

START_TEST(new_entities_after_a_loss_are_written_once_and_hold_no_offsets_back)
{
    open_live();
    shard_say_again(shard);
    writes("");
    see("a", "1");
    see("b", "1");
    gathers(1, "a");
    ck_assert_int_eq(shard_durable(shard), 0);
    acknowledge();
    ck_assert_int_eq(shard_durable(shard), 1);
    see("c", "1");
    gathers(1, "b");
    ck_assert_int_eq(shard_durable(shard), 1); /* not where reading began */
    acknowledge();
    writes("c");
    gathers(BATCH_MAX, "");
    close_all();
}
END_TEST

/* ---- refusals ---- */

START_TEST(a_refused_entity_lets_offsets_go_and_is_tried_again_after_30_s)
{
    open_live();
    see("a", "1");
    gathers(BATCH_MAX, "a");
    refuse_all();
    ck_assert_int_eq(shard_durable(shard), 1);
    see("a", "1");
    ck_assert(!shard_has_arrivals(shard));
    ck_assert_int_eq(shard_durable(shard), 2);
    pass_ms(29999);
    gathers(BATCH_MAX, "");
    pass_ms(1);
    gathers(BATCH_MAX, "a");
    refuse_all();
    gathers(BATCH_MAX, "");
    see("a", "1");
    pass_ms(30000);
    writes("a");
    gathers(BATCH_MAX, "");
    see("a", "1");
    writes("a");
    close_all();
}
END_TEST

START_TEST(an_entity_refused_while_it_was_held_again_is_forgotten_once)
{
    open_live();
    see("a", "1");
    gathers(BATCH_MAX, "a");
    see("a", "1");
    refuse_all();
    gathers(BATCH_MAX, "a"); /* as an arrival; by now the key is ours */
    pass_ms(11000);
    acknowledge();
    see("b", "1");
    writes("b");
    pass_ms(10100);
    writes("b");
    pass_ms(30000);
    writes("a"); /* its retry, empty */
    ck_assert_uint_eq(shard_count(shard), 0);
    see("c", "1");
    writes("c");
    gathers(BATCH_MAX, "");
    close_all();
}
END_TEST

START_TEST(an_aside_entity_is_not_taken_from_under_its_retry)
{
    open_with("");
    (void)kit_apply(shard, "a", NOW - 60000, "1", KNOW_MATCHED);
    shard_go_live(shard);
    gathers(BATCH_MAX, "a");
    (void)kit_apply(shard, "a", NOW, "1", KNOW_FED); /* held while it is in flight */
    refuse_all();
    pass_ms(20000); /* empty by now */
    gathers(BATCH_MAX, "a");
    acknowledge();
    (void)kit_apply(shard, "b", wall_ms, "1", KNOW_FED); /* would get a's number */
    writes("b");
    pass_ms(10000);
    gathers(BATCH_MAX, "a");
    acknowledge();
    ck_assert_uint_eq(shard_count(shard), 1);
    close_all();
}
END_TEST

START_TEST(many_refused_entities_hold_no_offsets_back)
{
    open_live();
    shard_say_again(shard);
    writes("");
    for (int i = 0; i < 5; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "%d", i);
        see(id, "1");
    }
    gathers(BATCH_MAX, "0 1 2 3 4");
    refuse_all();
    shard_say_again(shard);
    gathers(BATCH_MAX, "");
    pass_ms(30000);
    gathers(BATCH_MAX, "0 1 2 3 4");
    ck_assert_int_eq(shard_durable(shard), 5);
    refuse_all();
    pass_ms(30000);
    writes("0 1 2 3 4");
    gathers(BATCH_MAX, "");
    close_all();
}
END_TEST

/* ---- all of it at random ---- */

enum { IDS = 6 };

struct truth {
    int64_t ts_ms[4096];
    int id[4096];
    size_t count;
    int64_t published[IDS]; /* what Redis holds: count of amount; -1: unknown */
};

static int64_t true_count(const struct truth *truth, int id, int64_t at_ms)
{
    int64_t count = 0;
    for (size_t i = 0; i < truth->count; i++)
        count += truth->id[i] == id && truth->ts_ms[i] >= floor_to(at_ms - 10000, 100);
    return count;
}

static void store(struct truth *truth)
{
    for (size_t i = 0; i < flight.count; i++)
        truth->published[atoi(flight.ids[i])] = (int64_t)flight.readings[i][0].count;
}

static void settle(struct truth *truth)
{
    if (!shard->is_live)
        shard_go_live(shard);
    for (int i = 0; i < TURNS_MAX && (gather(2)[0] != '\0' || shard->is_passing); i++) {
        store(truth);
        acknowledge();
    }
}

START_TEST(after_random_silences_losses_and_refusals_all_that_was_written_is_right)
{
    unsigned seed = (unsigned)time(NULL);
    printf("seed %u\n", seed);
    srand(seed);
    for (int round = 0; round < 200; round++) {
        static struct truth truth;
        truth.count = 0;
        for (int i = 0; i < IDS; i++)
            truth.published[i] = 0;
        open_with("");
        bool is_right = true;
        for (int step = 0; step < 300; step++) {
            int what = rand() % 20;
            if (what < 8) {
                char id[16];
                int number = rand() % IDS;
                int64_t ts_ms = wall_ms - rand() % 12000;
                (void)snprintf(id, sizeof id, "%d", number);
                if (ts_ms >= floor_to(wall_ms - 10000, 100)) {
                    truth.id[truth.count] = number;
                    truth.ts_ms[truth.count++] = ts_ms;
                }
                (void)kit_apply(shard, id, ts_ms, "1", shard->is_live ? KNOW_FED : KNOW_MATCHED);
            } else if (what < 12) {
                pass_ms(rand() % (rand() % 10 == 0 ? 40000 : 500));
            } else if (what < 14 && flight.count == 0) {
                (void)gather((size_t)(1 + rand() % 3));
                store(&truth);
            } else if (what < 17 && flight.count > 0) {
                if (rand() % 6 == 0)
                    refuse_all();
                else
                    acknowledge();
            } else if (what == 17) {
                if (shard->is_live)
                    shard_go_silent(shard, shard->ledger.position);
                else
                    shard_go_live(shard);
            } else if (what == 18 && rand() % 4 == 0) {
                shard_say_again(shard);
                for (int i = 0; i < IDS; i++)
                    truth.published[i] = 0;
            }
            is_right = is_right && shard_durable(shard) <= shard->ledger.position;
        }
        store(&truth);
        acknowledge();
        pass_ms(30000);
        for (int i = 0; i < 3; i++) {
            settle(&truth);
            pass_ms(4000);
        }
        settle(&truth);
        is_right = is_right && shard_durable(shard) == shard->ledger.position;
        for (int i = 0; i < IDS; i++)
            is_right = is_right && truth.published[i] == true_count(&truth, i, wall_ms);
        ck_assert_msg(is_right, "seed %u round %d", seed, round);
        pass_ms(60000);
        settle(&truth);
        ck_assert_msg(shard_count(shard) == 0, "seed %u round %d", seed, round);
        close_all();
    }
}
END_TEST

static void see_at(const char *id, int64_t record_ms)
{
    struct value values[KIT_VALUES] = {{VALUE_MISSING, false, {NULL, 0}}};
    struct routed routed = {wall_ms, slice_of(id), record_ms};
    shard_apply(shard, 0, &routed, values, shard->ledger.position, KNOW_FED);
    shard->ledger.position++;
}

START_TEST(an_arrival_tells_the_time_of_the_first_event_since_its_last_write)
{
    struct entity_ref ref;
    int64_t record_ms = 0;
    open_live();
    see_at("a", NOW - 50);
    see_at("a", NOW - 70); /* older by its clock, and yet a later record */
    see_at("b", -1);
    ck_assert(shard_take_arrival(shard, &ref, &record_ms));
    ck_assert_int_eq(record_ms, NOW - 50);
    ck_assert(shard_take_arrival(shard, &ref, &record_ms));
    ck_assert_int_eq(record_ms, -1);
    see_at("a", NOW - 10);
    ck_assert(shard_take_arrival(shard, &ref, &record_ms));
    ck_assert_int_eq(record_ms, NOW - 10);
    close_all();
}
END_TEST

START_TEST(those_who_are_aside_are_counted_by_view)
{
    int64_t counts[1] = {0};
    open_live();
    see("a", "1");
    see("b", "1");
    gathers(BATCH_MAX, "a b");
    refuse_all();
    shard_count_aside(shard, counts);
    ck_assert_int_eq(counts[0], 2);
    pass_ms(30000);
    writes("a b");
    counts[0] = 0;
    shard_count_aside(shard, counts);
    ck_assert_int_eq(counts[0], 0);
    close_all();
}
END_TEST

START_TEST(decays_lag_from_when_all_was_said)
{
    open_live();
    ck_assert_int_eq(shard_decay_lag_ms(shard), 0); /* nothing was said yet: not known */
    see("a", "1");
    writes("a");
    gathers(BATCH_MAX, ""); /* no timer is due */
    shard_note_said(shard);
    ck_assert_int_lt(shard_decay_lag_ms(shard), EXPIRE_TICK_MS);
    pass_ms(12000);
    ck_assert_int_ge(shard_decay_lag_ms(shard), 12000);
    gathers(BATCH_MAX, "a");
    ck_assert_int_ge(shard_decay_lag_ms(shard), 12000); /* it is not acknowledged */
    acknowledge();
    gathers(BATCH_MAX, "");
    shard_note_said(shard);
    ck_assert_int_lt(shard_decay_lag_ms(shard), EXPIRE_TICK_MS);
    pass_ms(12000);
    shard_go_silent(shard, INT64_MAX);
    ck_assert_int_eq(shard_decay_lag_ms(shard), 0); /* nothing is published */
    close_all();
}
END_TEST

UNIT_MAIN("shard", a_late_event_makes_no_entity_known_to_a_running_worker,
          a_late_event_makes_its_entity_known_while_the_log_is_read_again,
          a_late_event_changes_nothing_of_a_known_entity, a_silent_unit_has_nothing_to_write,
          a_unit_that_goes_live_says_everything_once,
          a_known_but_empty_entity_is_said_as_empty_and_forgotten,
          an_entity_that_has_fallen_in_silence_is_said_as_empty_and_forgotten,
          a_parked_unit_says_only_what_has_changed,
          no_offset_goes_while_a_unit_is_silent_or_passing,
          an_offset_waits_for_what_was_changed_in_silence_and_is_written_as_an_arrival,
          an_offset_waits_for_what_was_changed_in_silence_and_is_still_held,
          an_offset_waits_for_what_was_changed_in_silence_and_is_written_as_a_decay,
          arrivals_come_in_the_order_of_their_first_offsets,
          an_entity_that_changes_while_it_is_in_flight_is_written_again,
          an_entity_that_changes_in_silence_while_it_is_in_flight_is_said_by_the_pass,
          what_was_held_when_a_unit_was_parked_is_written_when_it_comes_back,
          an_event_that_changes_no_value_is_written_all_the_same,
          a_decay_is_written_when_a_value_falls_and_the_entity_is_forgotten_when_empty,
          a_decay_that_changes_no_value_writes_nothing_and_waits_for_the_next,
          the_second_lane_looks_at_no_more_than_it_may,
          an_arrival_that_empties_before_its_answer_decays_after_it,
          an_event_clock_stands_still_without_events,
          on_an_event_clock_every_entity_decays_by_later_events,
          a_wall_clock_that_goes_back_a_little_moves_no_clock,
          what_redis_has_lost_is_all_written_again,
          a_batch_that_was_in_flight_when_redis_lost_its_data_is_written_again,
          a_loss_in_silence_is_made_good_when_the_unit_goes_live,
          as_many_losses_as_a_generation_counts_lose_nothing,
          new_entities_after_a_loss_are_written_once_and_hold_no_offsets_back,
          a_refused_entity_lets_offsets_go_and_is_tried_again_after_30_s,
          an_entity_refused_while_it_was_held_again_is_forgotten_once,
          an_aside_entity_is_not_taken_from_under_its_retry,
          many_refused_entities_hold_no_offsets_back,
          an_arrival_tells_the_time_of_the_first_event_since_its_last_write,
          those_who_are_aside_are_counted_by_view, decays_lag_from_when_all_was_said,
          after_random_silences_losses_and_refusals_all_that_was_written_is_right)
