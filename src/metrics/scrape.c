#include "metrics/scrape.h"

#include <stdlib.h>
#include <string.h>

#include "tidewheel/mem.h"

static bool is_ours(const struct board_unit *unit)
{
    int64_t stage = cell_get(&unit->cells[UNIT_STAGE]);
    return stage != STAGE_AWAY && stage != STAGE_PARKED;
}

/* By topic and partition; of two that are the same the one that is further comes first. */
static int compare_units(const void *left, const void *right)
{
    const struct board_unit *a = ((const struct shown_unit *)left)->unit;
    const struct board_unit *b = ((const struct shown_unit *)right)->unit;
    int order = strcmp(a->topic, b->topic);
    if (order != 0)
        return order;
    if (a->partition != b->partition)
        return a->partition < b->partition ? -1 : 1;
    int64_t position = cell_get(&a->cells[UNIT_POSITION]);
    int64_t other = cell_get(&b->cells[UNIT_POSITION]);
    return position > other ? -1 : position < other;
}

static bool is_same(const struct board_unit *a, const struct board_unit *b)
{
    return a->partition == b->partition && strcmp(a->topic, b->topic) == 0;
}

static void gather_units(struct scrape *scrape)
{
    for (size_t i = 0; i < scrape->display->board_count; i++) {
        const struct board *board = scrape->display->boards[i];
        for (const struct board_unit *unit = board_units(board); unit != NULL;
             unit = unit_next(unit)) {
            if (!is_ours(unit))
                continue;
            scrape->units = mem_grow(scrape->units, scrape->unit_count, &scrape->unit_cap,
                                     sizeof *scrape->units);
            scrape->units[scrape->unit_count++] = (struct shown_unit){board, unit};
        }
    }
    if (scrape->unit_count > 1)
        qsort(scrape->units, scrape->unit_count, sizeof *scrape->units, compare_units);
    size_t kept = 0;
    for (size_t i = 0; i < scrape->unit_count; i++)
        if (kept == 0 || !is_same(scrape->units[kept - 1].unit, scrape->units[i].unit))
            scrape->units[kept++] = scrape->units[i];
    scrape->unit_count = kept;
}

static void add_name(struct names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->of[i], name) == 0)
            return;
    names->of = mem_grow((void *)names->of, names->count, &names->cap, sizeof *names->of);
    names->of[names->count++] = name;
}

static void gather_names(struct scrape *scrape)
{
    for (size_t i = 0; i < scrape->display->board_count; i++) {
        const struct board *board = scrape->display->boards[i];
        for (const struct board_view *view = board_views(board); view != NULL;
             view = view_next(view))
            add_name(&scrape->views, view->name);
        for (const struct board_unit *unit = board_units(board); unit != NULL;
             unit = unit_next(unit))
            add_name(&scrape->topics, unit->topic);
        for (const struct board_topic *topic = board_topics(board); topic != NULL;
             topic = topic_next(topic))
            if (cell_get(&topic->state) == TOPIC_MISSING)
                add_name(&scrape->missing, topic->name);
    }
}

void scrape_init(struct scrape *scrape, const struct display *display, int64_t wall_ms,
                 int64_t mono_ms)
{
    *scrape = (struct scrape){.display = display, .wall_ms = wall_ms, .mono_ms = mono_ms};
    gather_units(scrape);
    gather_names(scrape);
}

void scrape_fini(struct scrape *scrape)
{
    free(scrape->units);
    free((void *)scrape->views.of);
    free((void *)scrape->topics.of);
    free((void *)scrape->missing.of);
}

int64_t scrape_sum(const struct scrape *scrape, enum board_cell cell)
{
    int64_t sum = 0;
    for (size_t i = 0; i < scrape->display->board_count; i++)
        sum += cell_get(&scrape->display->boards[i]->cells[cell]);
    return sum;
}

int64_t scrape_max(const struct scrape *scrape, enum board_cell cell)
{
    int64_t max = 0;
    for (size_t i = 0; i < scrape->display->board_count; i++) {
        int64_t value = cell_get(&scrape->display->boards[i]->cells[cell]);
        max = value > max ? value : max;
    }
    return max;
}

int64_t scrape_min(const struct scrape *scrape, enum board_cell cell)
{
    int64_t min = INT64_MAX;
    for (size_t i = 0; i < scrape->display->board_count; i++) {
        const struct board *board = scrape->display->boards[i];
        int64_t value = cell_get(&board->cells[cell]);
        if (is_worker(board) && value < min)
            min = value;
    }
    return min == INT64_MAX ? 0 : min;
}

double scrape_fullest(const struct scrape *scrape)
{
    int64_t workers = 0;
    for (size_t i = 0; i < scrape->display->board_count; i++)
        workers += is_worker(scrape->display->boards[i]);
    return (double)scrape_max(scrape, BOARD_BYTES) * (double)workers /
           (double)scrape->display->memory_limit;
}

int64_t scrape_missing(const struct scrape *scrape, const char *topic)
{
    int64_t sum = 0;
    for (size_t i = 0; i < scrape->display->board_count; i++)
        for (const struct board_unit *unit = board_units(scrape->display->boards[i]); unit != NULL;
             unit = unit_next(unit))
            if (strcmp(unit->topic, topic) == 0)
                sum += cell_get(&unit->missing);
    return sum;
}

bool scrape_view_max(const struct scrape *scrape, const char *view, enum board_view_cell cell,
                     int64_t *ret)
{
    bool is_current = false;
    int64_t max = INT64_MIN;
    for (size_t i = 0; i < scrape->display->board_count; i++) {
        const struct board_view *line = board_find_view(scrape->display->boards[i], view);
        if (line == NULL || cell_get(&line->cells[VIEW_IS_CURRENT]) == 0)
            continue;
        int64_t value = cell_get(&line->cells[cell]);
        max = value > max ? value : max;
        is_current = true;
    }
    if (is_current)
        *ret = max;
    return is_current;
}

int64_t scrape_view_sum(const struct scrape *scrape, const char *view, enum board_view_cell cell)
{
    int64_t sum = 0;
    for (size_t i = 0; i < scrape->display->board_count; i++) {
        const struct board_view *line = board_find_view(scrape->display->boards[i], view);
        if (line != NULL && cell_get(&line->cells[VIEW_IS_CURRENT]) != 0)
            sum += cell_get(&line->cells[cell]);
    }
    return sum;
}
