/* What a person, and the watchdog, are told of all workers. */
#include "unit.h"

#include <string.h>

#include "run/fleet_private.h"
#include "tidewheel/mem.h"

enum { WORKERS = 2 };

static struct fleet fleet;
static const struct board *boards[WORKERS];
static struct buf text;

static void set(int worker, enum board_cell cell, int64_t value)
{
    cell_set(&fleet.members[worker].board->cells[cell], value);
}

static void open_all(void)
{
    fleet = (struct fleet){.members = mem_zalloc(WORKERS * sizeof(struct member)),
                           .member_count = WORKERS};
    fleet.display = (struct display){.boards = boards, .board_count = WORKERS};
    for (int i = 0; i < WORKERS; i++) {
        boards[i] = fleet.members[i].board = board_new(i);
        set(i, BOARD_KAFKA_UP, 1);
        set(i, BOARD_REDIS_UP, 1);
        set(i, BOARD_OWNED, 1);
        set(i, BOARD_PHASE, PHASE_RUNNING);
        set(i, BOARD_TURN_MS, 1000000);
    }
}

static void close_all(void)
{
    for (int i = 0; i < WORKERS; i++)
        board_free(fleet.members[i].board);
    free(fleet.members);
    buf_fini(&text);
}

static void unit(int worker, int partition, enum stage stage, int64_t position, int64_t end)
{
    struct board_unit *line = board_unit(fleet.members[worker].board, "t", partition);
    cell_set(&line->cells[UNIT_STAGE], stage);
    cell_set(&line->cells[UNIT_POSITION], position);
    cell_set(&line->cells[UNIT_END], end);
}

#define says(sentence)                                                                             \
    do {                                                                                           \
        buf_reset(&text);                                                                          \
        status_write(&fleet, &text);                                                               \
        ck_assert_str_eq(buf_text(&text), sentence);                                               \
    } while (0)

START_TEST(a_status_says_what_the_workers_do)
{
    open_all();
    unit(0, 0, STAGE_LIVE, 90, 100);
    unit(1, 1, STAGE_LIVE, 7, 7);
    unit(1, 0, STAGE_AWAY, -1, -1); /* worker 0 has it now */
    says("running: 2 partitions, lag 10");
    unit(1, 1, STAGE_SILENT, 7, 1007);
    says("catching up: 1 of 2 partitions are live, lag 1010");
    set(1, BOARD_OWNED, -1);
    says("joining the group");
    set(1, BOARD_KAFKA_UP, 0);
    says("waiting: Kafka is away");
    set(0, BOARD_REDIS_UP, 0);
    says("waiting: Redis is away");
    struct catalog catalog = {.view_count = 0};
    fleet.reload.next = &catalog;
    says("reloading: workers take other pipelines");
    fleet.stop = true;
    says("stopping: writes and commits what it has");
    close_all();
}
END_TEST

START_TEST(one_worker_that_has_stood_still_for_half_a_minute_is_enough)
{
    open_all();
    ck_assert(status_is_alive(&fleet, 1029999));
    ck_assert(!status_is_alive(&fleet, 1030000));
    set(0, BOARD_TURN_MS, 1030000);
    ck_assert(!status_is_alive(&fleet, 1030000));
    set(1, BOARD_TURN_MS, 1030000);
    ck_assert(status_is_alive(&fleet, 1030000));
    set(0, BOARD_PHASE, PHASE_DRAINING); /* which has a time of its own */
    ck_assert(status_is_alive(&fleet, 1059999));
    close_all();
}
END_TEST

UNIT_MAIN("status", a_status_says_what_the_workers_do,
          one_worker_that_has_stood_still_for_half_a_minute_is_enough)
