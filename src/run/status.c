#include "metrics/health.h"
#include "run/fleet_private.h"

/* Summed over all workers. */
struct sum {
    size_t units;
    size_t live;
    int64_t lag;
    bool is_joining;
    bool is_kafka_away;
    bool is_redis_away;
};

static void add_unit(const struct board_unit *unit, struct sum *sum)
{
    int64_t stage = cell_get(&unit->cells[UNIT_STAGE]);
    int64_t lag = unit_lag(unit);
    if (stage == STAGE_AWAY)
        return;
    sum->units++;
    sum->live += stage == STAGE_LIVE;
    sum->lag += lag > 0 ? lag : 0;
}

static struct sum sum_of(const struct fleet *fleet)
{
    struct sum sum = {0};
    for (size_t i = 0; i < fleet->member_count; i++) {
        const struct board *board = fleet->members[i].board;
        sum.is_kafka_away = sum.is_kafka_away || cell_get(&board->cells[BOARD_KAFKA_UP]) == 0;
        sum.is_redis_away = sum.is_redis_away || cell_get(&board->cells[BOARD_REDIS_UP]) == 0;
        sum.is_joining = sum.is_joining || cell_get(&board->cells[BOARD_OWNED]) < 0;
        for (const struct board_unit *unit = board_units(board); unit != NULL;
             unit = unit_next(unit))
            add_unit(unit, &sum);
    }
    return sum;
}

void status_write(const struct fleet *fleet, struct buf *ret)
{
    struct sum sum = sum_of(fleet);
    if (fleet->stop)
        buf_add_text(ret, "stopping: writes and commits what it has");
    else if (fleet->reload.next != NULL)
        buf_add_text(ret, "reloading: workers take other pipelines");
    else if (sum.is_redis_away)
        buf_add_text(ret, "waiting: Redis is away");
    else if (sum.is_kafka_away)
        buf_add_text(ret, "waiting: Kafka is away");
    else if (sum.is_joining)
        buf_add_text(ret, "joining the group");
    else if (sum.live < sum.units)
        buf_printf(ret, "catching up: %zu of %zu partitions are live, lag %lld", sum.live,
                   sum.units, (long long)sum.lag);
    else
        buf_printf(ret, "running: %zu partitions, lag %lld", sum.units, (long long)sum.lag);
}

bool status_is_alive(const struct fleet *fleet, int64_t mono_ms)
{
    struct buf text = {NULL, 0, 0};
    const struct scrape scrape = {.display = &fleet->display, .mono_ms = mono_ms};
    bool is_live = health_is_live(&scrape, &text);
    buf_fini(&text);
    return is_live;
}
