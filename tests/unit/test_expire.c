/* The timer wheel, against a list that is searched. */
#include "tidewheel/expire.h"

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "unit.h"

#define NOW INT64_C(1700000000000)

START_TEST(a_timer_is_due_at_its_time_and_not_before)
{
    static const int64_t AHEAD[] = {0,   1,   9,     10,      11,        639,
                                    640, 641, 40960, 2621440, 604800000, 34560000000};
    for (size_t i = 0; i < sizeof AHEAD / sizeof *AHEAD; i++) {
        struct expire *expire = expire_new(NOW);
        ck_assert_uint_eq(expire_take(expire, NOW + 3), EXPIRE_NONE);
        expire_set(expire, 5, NOW + 3 + AHEAD[i]);
        ck_assert_uint_eq(expire_take(expire, NOW + 3 + AHEAD[i] - 1 - 9), EXPIRE_NONE);
        ck_assert_uint_eq(expire_take(expire, NOW + 3 + AHEAD[i] + 9), 5);
        ck_assert_uint_eq(expire_take(expire, NOW + 3 + AHEAD[i] + 1000), EXPIRE_NONE);
        expire_free(expire);
    }
}
END_TEST

START_TEST(a_timer_that_is_set_again_or_cleared_does_not_fire_at_the_old_time)
{
    struct expire *expire = expire_new(NOW);
    expire_set(expire, 0, NOW + 100);
    expire_set(expire, 0, NOW + 5000);
    expire_set(expire, 1, NOW + 100);
    expire_clear(expire, 1);
    ck_assert_uint_eq(expire_take(expire, NOW + 4000), EXPIRE_NONE);
    ck_assert_uint_eq(expire_take(expire, NOW + 5000), 0);
    ck_assert_uint_eq(expire_count(expire), 0);
    expire_free(expire);
}
END_TEST

enum { TIMERS = 300 };

START_TEST(random_timers_fire_once_each_in_their_tick)
{
    unsigned seed = (unsigned)time(NULL);
    printf("seed %u\n", seed);
    srand(seed);
    for (int round = 0; round < 40; round++) {
        struct expire *expire = expire_new(NOW);
        int64_t due_ms[TIMERS];
        for (int i = 0; i < TIMERS; i++)
            due_ms[i] = -1;
        int64_t now_ms = NOW + rand() % 100000;
        for (int step = 0; step < 1500; step++) {
            uint32_t number = (uint32_t)(rand() % TIMERS);
            if (rand() % 3 == 0) {
                due_ms[number] = now_ms + (int64_t)rand() % (INT64_C(1) << rand() % 34);
                expire_set(expire, number, due_ms[number]);
            } else if (rand() % 10 == 0) {
                due_ms[number] = -1;
                expire_clear(expire, number);
            }
            now_ms += (int64_t)rand() % (INT64_C(1) << rand() % 28);
            while ((number = expire_take(expire, now_ms)) != EXPIRE_NONE) {
                ck_assert_msg(due_ms[number] >= 0 && due_ms[number] <= now_ms, "seed %u", seed);
                due_ms[number] = -1;
            }
            bool is_overdue = false; /* one assertion a step: each is a system call */
            for (int i = 0; i < TIMERS; i++)
                is_overdue = is_overdue || (due_ms[i] >= 0 && due_ms[i] <= now_ms / 10 * 10);
            ck_assert_msg(!is_overdue, "seed %u", seed);
        }
        expire_free(expire);
    }
}
END_TEST

UNIT_MAIN("expire", a_timer_is_due_at_its_time_and_not_before,
          a_timer_that_is_set_again_or_cleared_does_not_fire_at_the_old_time,
          random_timers_fire_once_each_in_their_tick)
