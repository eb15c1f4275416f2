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

/* ---- at random, against lists that are searched ---- */

enum { ENTITIES = 700, STEPS = 60000, IN_QUEUE_MAX = STEPS };

struct naive {
    bool is_held[ENTITIES];
    uint32_t queue[IN_QUEUE_MAX];
    int64_t offsets[IN_QUEUE_MAX];
    size_t first;
    size_t end;
    int64_t in_flight;
};

static struct naive naive;

static int64_t naive_durable(void)
{
    int64_t durable = ledger.position;
    for (size_t i = naive.first; i < naive.end; i++)
        durable = naive.offsets[i] < durable ? naive.offsets[i] : durable;
    return naive.in_flight < durable ? naive.in_flight : durable;
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
        if (rand() % 3 > 0) {
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
          it_agrees_with_a_naive_one_and_durable_never_goes_back)
