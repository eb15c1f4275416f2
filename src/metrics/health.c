#include "metrics/health.h"

int64_t unit_lag(const struct board_unit *unit)
{
    int64_t end = cell_get(&unit->cells[UNIT_END]);
    int64_t position = cell_get(&unit->cells[UNIT_POSITION]);
    if (end < 0 || position < 0)
        return -1;
    return end > position ? end - position : 0;
}

/* ---- alive ---- */

static void add_name(const struct board *board, struct buf *text)
{
    if (is_worker(board))
        buf_printf(text, "worker %d", board->number);
    else
        buf_add_text(text, "the main thread");
}

bool health_is_live(const struct scrape *scrape, struct buf *text)
{
    bool is_live = true;
    for (size_t i = 0; i < scrape->display->board_count; i++) {
        const struct board *board = scrape->display->boards[i];
        int64_t since_ms = scrape->mono_ms - cell_get(&board->cells[BOARD_TURN_MS]);
        if (cell_get(&board->cells[BOARD_PHASE]) != PHASE_RUNNING || since_ms < HEALTH_HANGS_MS)
            continue;
        add_name(board, text);
        buf_printf(text, " has not begun a turn for %lld s\n", (long long)(since_ms / 1000));
        is_live = false;
    }
    if (is_live)
        buf_add_text(text, "ok\n");
    return is_live;
}

/* ---- ready ---- */

/* Of one worker: false with why not. */
typedef bool worker_check_fn(const struct scrape *scrape, const struct board *board,
                             struct buf *why);

static bool has(const struct board *board, enum board_cell cell, int64_t least)
{
    return cell_get(&board->cells[cell]) >= least;
}

static bool is_running(const struct scrape *scrape, const struct board *board, struct buf *why)
{
    static const char *const PHASES[] = {[PHASE_IDLE] = "is not running yet",
                                         [PHASE_RUNNING] = "runs",
                                         [PHASE_DRAINING] = "drains",
                                         [PHASE_ENDED] = "has ended"};
    (void)scrape;
    int64_t phase = cell_get(&board->cells[BOARD_PHASE]);
    buf_add_text(why, PHASES[phase]);
    return phase == PHASE_RUNNING;
}

static bool has_joined(const struct scrape *scrape, const struct board *board, struct buf *why)
{
    (void)scrape;
    buf_add_text(why, "is no member of the group");
    return has(board, BOARD_OWNED, 0);
}

static bool has_kafka(const struct scrape *scrape, const struct board *board, struct buf *why)
{
    (void)scrape;
    buf_add_text(why, "has no answer");
    return has(board, BOARD_KAFKA_UP, 1);
}

static bool has_redis(const struct scrape *scrape, const struct board *board, struct buf *why)
{
    (void)scrape;
    buf_add_text(why, "has no answer");
    return has(board, BOARD_REDIS_UP, 1);
}

static bool has_topics(const struct scrape *scrape, const struct board *board, struct buf *why)
{
    size_t sought = 0;
    (void)scrape;
    buf_add_text(why, "has not found");
    for (const struct board_topic *topic = board_topics(board); topic != NULL;
         topic = topic_next(topic)) {
        int64_t state = cell_get(&topic->state);
        if (state == TOPIC_UNSEEN || state == TOPIC_MISSING)
            buf_printf(why, "%s %s", sought++ == 0 ? "" : ",", topic->name);
    }
    return sought == 0;
}

static bool takes_in(const struct scrape *scrape, const struct board *board, struct buf *why)
{
    (void)scrape;
    buf_add_text(why, "takes no records");
    return !has(board, BOARD_PAUSED, 1);
}

static bool has_caught_up(const struct scrape *scrape, const struct board *board, struct buf *why)
{
    int64_t counts[STAGE_COUNT] = {0};
    int64_t owned = cell_get(&board->cells[BOARD_OWNED]);
    for (size_t i = 0; i < scrape->unit_count; i++)
        if (scrape->units[i].board == board)
            counts[cell_get(&scrape->units[i].unit->cells[UNIT_STAGE])]++;
    buf_printf(why, "has %lld of %lld partitions live", (long long)counts[STAGE_LIVE],
               (long long)(owned > 0 ? owned : 0));
    for (int stage = 0; stage < STAGE_COUNT; stage++)
        if (counts[stage] > 0 && stage != STAGE_LIVE)
            buf_printf(why, ", %lld %s", (long long)counts[stage], stage_names[stage]);
    return counts[STAGE_LIVE] >= owned;
}

static bool writes_letters(const struct scrape *scrape, const struct board *board, struct buf *why)
{
    (void)scrape;
    buf_printf(why, "has %lld that Kafka does not take",
               (long long)cell_get(&board->cells[BOARD_LETTERS_PENDING]));
    return !has(board, BOARD_LETTERS_FAIL, 1);
}

/* clang-format off */
static const struct {
    const char *name;
    worker_check_fn *is_ok;
} CHECKS[] = {
    {"running",      is_running},
    {"group joined", has_joined},
    {"kafka",        has_kafka},
    {"redis",        has_redis},
    {"topics",       has_topics},
    {"caught up",    has_caught_up},
    {"intake",       takes_in},
    {"dead_letters", writes_letters},
};
/* clang-format on */

/* Of all workers: false with the first that is not well. */
static bool check_all(const struct scrape *scrape, worker_check_fn *is_ok, struct buf *why)
{
    for (size_t i = 0; i < scrape->display->board_count; i++) {
        const struct board *board = scrape->display->boards[i];
        buf_reset(why);
        if (!is_worker(board))
            continue;
        buf_printf(why, "worker %d ", board->number);
        if (!is_ok(scrape, board, why))
            return false;
    }
    return true;
}

static bool is_draining(const struct scrape *scrape)
{
    for (size_t i = 0; i < scrape->display->board_count; i++) {
        const struct board *board = scrape->display->boards[i];
        if (!is_worker(board) && cell_get(&board->cells[BOARD_PHASE]) > PHASE_RUNNING)
            return true;
    }
    return false;
}

/* No check: what a person should know all the same. */
static void add_refused(const struct scrape *scrape, struct buf *text)
{
    size_t shown = 0;
    buf_add_text(text, "[+]refused entities ok");
    for (size_t i = 0; i < scrape->views.count; i++) {
        int64_t count = scrape_view_sum(scrape, scrape->views.of[i], VIEW_ASIDE);
        if (count > 0)
            buf_printf(text, "%s view %s has %lld whose keys have another type",
                       shown++ == 0 ? ":" : ",", scrape->views.of[i], (long long)count);
    }
    buf_add_text(text, shown > 0 ? "; the log names one (at=refused)\n" : "\n");
}

bool health_is_ready(const struct scrape *scrape, struct buf *text)
{
    struct buf why = {NULL, 0, 0};
    bool is_ready = true;
    for (size_t i = 0; i < sizeof CHECKS / sizeof *CHECKS; i++) {
        bool is_ok = check_all(scrape, CHECKS[i].is_ok, &why);
        is_ready = is_ready && is_ok;
        if (text != NULL && is_ok)
            buf_printf(text, "[+]%s ok\n", CHECKS[i].name);
        else if (text != NULL)
            buf_printf(text, "[-]%s failed: %s\n", CHECKS[i].name, buf_text(&why));
    }
    buf_fini(&why);
    if (is_draining(scrape)) {
        is_ready = false;
        if (text != NULL)
            buf_add_text(text, "[-]shutdown failed: the process drains\n");
    }
    if (text != NULL) {
        add_refused(scrape, text);
        buf_printf(text, "readyz check %s\n", is_ready ? "passed" : "failed");
    }
    return is_ready;
}
