/* The ledger: when may an offset go? */
#include <stdio.h>
#include <time.h>

#include "tidewheel/ledger.h"
#include "unit.h"

static struct ledger ledger;

static void hold(uint32_t number, int64_t offset)
{
    ledger_hold(&ledger, (struct held){(struct entity_ref){0, number}, offset, -1});
    if (ledger.position <= offset)
        ledger.position = offset + 1;
}

static uint32_t take(void)
{
    struct held held;
    ck_assert(ledger_take(&ledger, &held));
    return held.entity.number;
}

START_TEST(with_nothing_held_all_that_was_applied_is_durable)
{
    ledger_init(&ledger, 7, 3);
    ck_assert_int_eq(ledger_durable(&ledger), 7);
    ck_assert_int_eq(ledger.committed, 3);
    ledger.position = 9;
    ck_assert_int_eq(ledger_durable(&ledger), 9);
    struct held held;
    ck_assert(!ledger_take(&ledger, &held));
    ledger_fini(&ledger);
}
END_TEST

START_TEST(durable_is_the_smallest_of_unacknowledged_held_and_position)
{
    ledger_init(&ledger, 10, -1);
    hold(1, 10);
    hold(2, 12);
    hold(3, 15);
    ledger.position = 20;
    ck_assert_int_eq(ledger_durable(&ledger), 10); /* held */
    ck_assert_uint_eq(take(), 1);
    ck_assert_int_eq(ledger_durable(&ledger), 10); /* in flight */
    ck_assert_uint_eq(take(), 2);
    ck_assert_int_eq(ledger_durable(&ledger), 10);
    ledger_acknowledge(&ledger);
    ck_assert_int_eq(ledger_durable(&ledger), 15); /* held */
    ck_assert_uint_eq(take(), 3);
    ck_assert_int_eq(ledger_durable(&ledger), 15);
    ledger_acknowledge(&ledger);
    ck_assert_int_eq(ledger_durable(&ledger), 20); /* the position */
    ledger_fini(&ledger);
}
END_TEST

START_TEST(an_entity_that_is_held_again_in_flight_waits_with_its_new_offset)
{
    ledger_init(&ledger, 0, -1);
    hold(1, 0);
    ck_assert_uint_eq(take(), 1);
    hold(1, 5);
    ck_assert_int_eq(ledger_durable(&ledger), 0);
    ledger_acknowledge(&ledger);
    ck_assert_int_eq(ledger_durable(&ledger), 5);
    ck_assert_uint_eq(take(), 1);
    ledger_acknowledge(&ledger);
    ck_assert_int_eq(ledger_durable(&ledger), 6);
    ledger_fini(&ledger);
}
END_TEST

START_TEST(a_write_of_no_event_holds_offsets_from_where_it_says)
{
    ledger_init(&ledger, 8, -1);
    ledger_send(&ledger, 4);
    ck_assert_int_eq(ledger_durable(&ledger), 4);
    ledger_send(&ledger, 6); /* the smallest counts */
    ck_assert_int_eq(ledger_durable(&ledger), 4);
    ledger_send(&ledger, 3);
    ck_assert_int_eq(ledger_durable(&ledger), 3);
    ledger_acknowledge(&ledger);
    ck_assert_int_eq(ledger_durable(&ledger), 8);
    ledger_fini(&ledger);
}
END_TEST

START_TEST(one_event_may_hold_several_entities)
{
    ledger_init(&ledger, 0, -1);
    ledger_hold(&ledger, (struct held){(struct entity_ref){0, 4}, 2, -1});
    ledger_hold(&ledger, (struct held){(struct entity_ref){1, 4}, 2, -1});
    ledger.position = 3;
    struct held held;
    ck_assert(ledger_take(&ledger, &held) && held.entity.view == 0);
    ledger_acknowledge(&ledger);
    ck_assert_int_eq(ledger_durable(&ledger), 2);
    ck_assert(ledger_take(&ledger, &held) && held.entity.view == 1);
    ledger_acknowledge(&ledger);
    ck_assert_int_eq(ledger_durable(&ledger), 3);
    ledger_fini(&ledger);
}
END_TEST

/* ---- dead letters ---- */

static uint64_t post(int64_t offset)
{
    uint64_t number = ledger_post(&ledger, &(struct anchor){offset, 1000 + offset, 7}, 100);
    if (ledger.position <= offset)
        ledger.position = offset + 1;
    return number;
}

START_TEST(an_offset_whose_letter_is_not_delivered_does_not_go)
{
    ledger_init(&ledger, 10, -1);
    uint64_t number = post(10);
    ledger.position = 20;
    ck_assert_int_eq(ledger_durable(&ledger), 10);
    ck_assert_int_eq(ledger_posted(&ledger)->record.timestamp_ms, 1010);
    ledger_settle(&ledger, number);
    ck_assert_int_eq(ledger_durable(&ledger), 20);
    ck_assert_ptr_null(ledger_posted(&ledger));
    ledger_fini(&ledger);
}
END_TEST

START_TEST(letters_are_delivered_in_any_order_and_the_oldest_that_is_not_counts)
{
    ledger_init(&ledger, 0, -1);
    uint64_t first = post(3);
    uint64_t second = post(5);
    uint64_t third = post(9);
    ledger.position = 30;
    ledger_settle(&ledger, second);
    ck_assert_int_eq(ledger_durable(&ledger), 3);
    ledger_settle(&ledger, first);
    ck_assert_int_eq(ledger_durable(&ledger), 9);
    ledger_settle(&ledger, third);
    ck_assert_int_eq(ledger_durable(&ledger), 30);
    ledger_fini(&ledger);
}
END_TEST

START_TEST(a_record_with_two_letters_goes_with_the_second)
{
    ledger_init(&ledger, 0, -1);
    uint64_t one = post(4);
    uint64_t other = post(4);
    ledger_settle(&ledger, other);
    ck_assert_int_eq(ledger_durable(&ledger), 4);
    ledger_settle(&ledger, one);
    ck_assert_int_eq(ledger_durable(&ledger), 5);
    ledger_fini(&ledger);
}
END_TEST

START_TEST(entities_and_letters_hold_an_offset_each_for_itself)
{
    ledger_init(&ledger, 0, -1);
    hold(1, 2);
    uint64_t number = post(6);
    ck_assert_int_eq(ledger_durable(&ledger), 2);
    ck_assert_uint_eq(take(), 1);
    ledger_acknowledge(&ledger);
    ck_assert_int_eq(ledger_durable(&ledger), 6);
    hold(2, 7);
    ledger_settle(&ledger, number);
    ck_assert_int_eq(ledger_durable(&ledger), 7);
    ledger_fini(&ledger);
}
END_TEST

START_TEST(what_is_delivered_behind_one_that_is_not_still_takes_some_memory)
{
    ledger_init(&ledger, 0, -1);
    uint64_t stuck = post(0);
    size_t alone = ledger.posted_bytes;
    ck_assert_uint_ge(alone, 100);
    for (int64_t i = 1; i <= 1000; i++)
        ledger_settle(&ledger, post(i));
    ck_assert_uint_ge(ledger.posted_bytes, alone + 1000 * sizeof(struct posted));
    ck_assert_uint_lt(ledger.posted_bytes, alone + 1000 * 100);
    ledger_settle(&ledger, stuck);
    ck_assert_uint_eq(ledger.posted_bytes, 0);
    ledger_fini(&ledger);
}
END_TEST

/* ---- at random, against lists that are searched ---- */

enum { ENTITIES = 700, STEPS = 60000, IN_QUEUE_MAX = STEPS };

struct naive {
    bool is_held[ENTITIES];
    uint32_t queue[IN_QUEUE_MAX];
    int64_t offsets[IN_QUEUE_MAX];
    size_t first;
    size_t end;
    int64_t in_flight;
    int64_t letters[STEPS]; /* by number; -1: delivered */
    size_t letter_count;
};

static struct naive naive;

static int64_t naive_durable(void)
{
    int64_t durable = ledger.position;
    for (size_t i = naive.first; i < naive.end; i++)
        durable = naive.offsets[i] < durable ? naive.offsets[i] : durable;
    for (size_t i = 0; i < naive.letter_count; i++)
        if (naive.letters[i] >= 0 && naive.letters[i] < durable)
            durable = naive.letters[i];
    return naive.in_flight < durable ? naive.in_flight : durable;
}

static bool post_and_settle(void)
{
    uint64_t number = post(ledger.position);
    bool is_right = number == naive.letter_count;
    naive.letters[naive.letter_count++] = ledger.position - 1;
    for (int i = rand() % 4; i > 0; i--) { /* mostly one of the last few */
        size_t back = (size_t)(rand() % (rand() % 50 == 0 ? 2000 : 20));
        size_t at = back < naive.letter_count ? naive.letter_count - 1 - back : 0;
        if (rand() % 3 == 0 && ledger_posted(&ledger) != NULL)
            at = ledger.posted_first;
        if (naive.letters[at] < 0)
            continue;
        naive.letters[at] = -1;
        ledger_settle(&ledger, at);
    }
    return is_right;
}

START_TEST(it_agrees_with_a_naive_one_and_durable_never_goes_back)
{
    unsigned seed = (unsigned)time(NULL);
    printf("seed %u\n", seed);
    srand(seed);
    ledger_init(&ledger, 0, -1);
    naive = (struct naive){.in_flight = INT64_MAX};
    int64_t before = 0;
    bool is_flying = false;
    for (int step = 0; step < STEPS; step++) {
        uint32_t number = (uint32_t)(rand() % ENTITIES);
        bool is_right = true;
        if (rand() % 4 == 0) {
            is_right = post_and_settle();
        } else if (rand() % 3 > 0) {
            int64_t offset = ledger.position + rand() % 3;
            ledger.position = offset + 1;
            if (!naive.is_held[number]) {
                ledger_hold(&ledger, (struct held){(struct entity_ref){1, number}, offset, -1});
                naive.is_held[number] = true;
                naive.queue[naive.end] = number;
                naive.offsets[naive.end++] = offset;
            }
        } else if (!is_flying || rand() % 2 == 0) {
            for (int i = rand() % 200; i > 0 && naive.first < naive.end; i--) {
                struct held held = {{0, 0}, -1, -1};
                is_right = is_right && ledger_take(&ledger, &held) &&
                           held.entity.number == naive.queue[naive.first] &&
                           held.entity.view == 1 && held.offset == naive.offsets[naive.first];
                naive.is_held[held.entity.number % ENTITIES] = false;
                naive.in_flight = held.offset < naive.in_flight ? held.offset : naive.in_flight;
                naive.first++;
            }
            is_flying = true;
        } else {
            ledger_acknowledge(&ledger);
            naive.in_flight = INT64_MAX;
            is_flying = false;
        }
        int64_t durable = ledger_durable(&ledger);
        if (!is_right || durable < before || (step % 50 == 0 && durable != naive_durable()))
            ck_abort_msg("seed %u step %d", seed, step);
        before = durable;
    }
    ledger_fini(&ledger);
}
END_TEST

START_TEST(what_is_held_keeps_its_records_time_and_grows_with_it)
{
    ledger_init(&ledger, 0, -1);
    for (uint32_t i = 0; i < 200; i++) /* the ring is moved on the way */
        ledger_hold(&ledger, (struct held){{0, i}, i, 1000 + i});
    struct held held;
    for (uint32_t i = 0; i < 200; i++) {
        ck_assert(ledger_take(&ledger, &held));
        ck_assert_int_eq(held.record_ms, 1000 + i);
    }
    ledger_fini(&ledger);
}
END_TEST

UNIT_MAIN("ledger", with_nothing_held_all_that_was_applied_is_durable,
          durable_is_the_smallest_of_unacknowledged_held_and_position,
          an_entity_that_is_held_again_in_flight_waits_with_its_new_offset,
          a_write_of_no_event_holds_offsets_from_where_it_says, one_event_may_hold_several_entities,
          what_is_held_keeps_its_records_time_and_grows_with_it,
          an_offset_whose_letter_is_not_delivered_does_not_go,
          letters_are_delivered_in_any_order_and_the_oldest_that_is_not_counts,
          a_record_with_two_letters_goes_with_the_second,
          entities_and_letters_hold_an_offset_each_for_itself,
          what_is_delivered_behind_one_that_is_not_still_takes_some_memory,
          it_agrees_with_a_naive_one_and_durable_never_goes_back)
