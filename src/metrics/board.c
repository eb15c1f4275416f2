#include "tidewheel/board.h"

#include <stdlib.h>
#include <string.h>

#include "tidewheel/mem.h"

const char *const stage_names[STAGE_COUNT] = {
    [STAGE_AWAY] = "away",           [STAGE_CLAIMING] = "claiming", [STAGE_LOADING] = "loading",
    [STAGE_RESETTING] = "resetting", [STAGE_SILENT] = "silent",     [STAGE_BEHIND] = "behind",
    [STAGE_LIVE] = "live",           [STAGE_RESTING] = "resting",   [STAGE_PARKED] = "parked",
    [STAGE_HELD] = "held",
};

struct board *board_new(int number)
{
    struct board *board = mem_zalloc(sizeof *board);
    board->number = number;
    cell_set(&board->cells[BOARD_OWNED], -1);
    return board;
}

static void free_views(struct board_view *view)
{
    while (view != NULL) {
        struct board_view *next = view->next;
        free(view->name);
        free(view);
        view = next;
    }
}

static void free_topics(struct board_topic *topic)
{
    while (topic != NULL) {
        struct board_topic *next = topic->next;
        free(topic->name);
        free(topic);
        topic = next;
    }
}

static void free_units(struct board_unit *unit)
{
    while (unit != NULL) {
        struct board_unit *next = unit->next;
        free(unit->topic);
        free(unit);
        unit = next;
    }
}

void board_free(struct board *board)
{
    if (board == NULL)
        return;
    free_views(board->views);
    free_topics(board->topics);
    free_units(board->units);
    free(board);
}

/* ---- lines: written whole, and then shown ---- */

static struct board_view *make_view(const char *name)
{
    struct board_view *view = mem_zalloc(sizeof *view);
    view->name = mem_strdup(name);
    cell_set(&view->cells[VIEW_NEWEST_MS], -1);
    return view;
}

struct board_view *board_view(struct board *board, const char *name)
{
    struct board_view *_Atomic *at = &board->views;
    struct board_view *view = *at;
    for (; view != NULL && strcmp(view->name, name) != 0; view = *at)
        at = &view->next;
    if (view == NULL) {
        view = make_view(name);
        atomic_store_explicit(at, view, memory_order_release);
    }
    cell_set(&view->cells[VIEW_IS_CURRENT], 1);
    return view;
}

struct board_topic *board_topic(struct board *board, const char *name)
{
    struct board_topic *_Atomic *at = &board->topics;
    struct board_topic *topic = *at;
    for (; topic != NULL && strcmp(topic->name, name) != 0; topic = *at)
        at = &topic->next;
    if (topic == NULL) {
        topic = mem_zalloc(sizeof *topic);
        topic->name = mem_strdup(name);
        atomic_store_explicit(at, topic, memory_order_release);
    }
    return topic;
}

static struct board_unit *make_unit(const char *topic, int32_t partition)
{
    struct board_unit *unit = mem_zalloc(sizeof *unit);
    unit->topic = mem_strdup(topic);
    unit->partition = partition;
    for (int i = 0; i < UNIT_CELLS; i++)
        cell_set(&unit->cells[i], i == UNIT_STAGE ? STAGE_AWAY : -1);
    return unit;
}

struct board_unit *board_unit(struct board *board, const char *topic, int32_t partition)
{
    struct board_unit *_Atomic *at = &board->units;
    struct board_unit *unit = *at;
    for (; unit != NULL && (unit->partition != partition || strcmp(unit->topic, topic) != 0);
         unit = *at)
        at = &unit->next;
    if (unit == NULL) {
        unit = make_unit(topic, partition);
        atomic_store_explicit(at, unit, memory_order_release);
    }
    return unit;
}

void board_retire_views(struct board *board)
{
    for (struct board_view *view = board->views; view != NULL; view = view->next)
        cell_set(&view->cells[VIEW_IS_CURRENT], 0);
}

const struct board_view *board_find_view(const struct board *board, const char *name)
{
    const struct board_view *view = board_views(board);
    while (view != NULL && strcmp(view->name, name) != 0)
        view = view_next(view);
    return view;
}

const char *reason_name(int reason)
{
    return verdict_rows[reason].is_rejection ? verdict_rows[reason].name : NULL;
}
