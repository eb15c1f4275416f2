#include <stdlib.h>
#include <string.h>

#include "run/tenure.h"
#include "tidewheel/mem.h"

static void set(const struct worker *worker, enum board_cell cell, int64_t value)
{
    cell_set(&worker->board->cells[cell], value);
}

static void add(const struct worker *worker, enum board_cell cell, int64_t more)
{
    cell_add(&worker->board->cells[cell], more);
}

void show_views(struct worker *worker)
{
    const struct catalog *catalog = worker->setup.catalog;
    free(worker->lines);
    free(worker->tallies);
    free(worker->aside);
    worker->lines = mem_zalloc((catalog->index_count + 1) * sizeof *worker->lines);
    worker->tallies = mem_zalloc((catalog->index_count + 1) * sizeof *worker->tallies);
    worker->aside = mem_zalloc((catalog->index_count + 1) * sizeof *worker->aside);
    board_retire_views(worker->board);
    for (size_t i = 0; i < catalog->view_count; i++) {
        const struct view *view = catalog->views[i];
        worker->lines[view->index] = board_view(worker->board, view->name);
        worker->tallies[view->index] = &worker->lines[view->index]->tally;
    }
    for (size_t i = 0; i < worker->unit_count; i++)
        worker->units[i]->shard->tallies = worker->tallies;
}

void show_turn(struct worker *worker)
{
    set(worker, BOARD_TURN_MS, worker->mono_ms);
}

void show_phase(struct worker *worker, enum phase phase)
{
    set(worker, BOARD_PHASE, phase);
}

/* ---- units ---- */

static const enum stage tenure_stages[] = {
    [TENURE_CLAIMING] = STAGE_CLAIMING,   [TENURE_LOADING] = STAGE_LOADING,
    [TENURE_RESETTING] = STAGE_RESETTING, [TENURE_RUNNING] = STAGE_LIVE,
    [TENURE_RESTING] = STAGE_RESTING,     [TENURE_PARKED] = STAGE_PARKED,
};

static enum stage stage_of(const struct unit *unit)
{
    const struct shard *shard = unit->shard;
    if (unit->tenure != NULL && unit->tenure->state != TENURE_RUNNING)
        return tenure_stages[unit->tenure->state];
    if (shard == NULL)
        return STAGE_AWAY;
    if (!unit->is_assigned)
        return STAGE_PARKED;
    if (shard->await != AWAIT_NOTHING)
        return STAGE_HELD;
    if (!shard->is_live)
        return STAGE_SILENT;
    for (size_t i = 0; i < unit->topic->view_count; i++)
        if (shard->is_behind[i])
            return STAGE_BEHIND;
    return STAGE_LIVE;
}

/* Redis lacks nothing of it, now. */
static bool is_saved(const struct unit *unit)
{
    const struct tenure *tenure = unit->tenure;
    return tenure != NULL && tenure->state == TENURE_RUNNING &&
           tenure->checkpoint.phase == CHECKPOINT_IDLE && !checkpoint_is_due(&tenure->checkpoint);
}

static void show_shard(const struct worker *worker, const struct unit *unit)
{
    _Atomic int64_t *cells = unit->line->cells;
    const struct shard *shard = unit->shard;
    bool is_fenced = unit->tenure != NULL;
    cell_set(&cells[UNIT_POSITION], shard->ledger.position);
    cell_set(&cells[UNIT_LIVE_AT], shard->live_at == INT64_MAX ? -1 : shard->live_at);
    cell_set(&cells[UNIT_END], worker->source->ops->end(worker->source, unit));
    cell_set(&cells[UNIT_PUBLISHED], shard_durable(shard));
    cell_set(&cells[UNIT_LEFTOVERS], is_fenced ? (int64_t)unit->tenure->cleaning.count : 0);
    cell_set(&cells[UNIT_DURABLE],
             is_fenced ? unit->tenure->checkpoint.progress : shard_durable(shard));
    cell_set(&cells[UNIT_COMMITTED], shard->ledger.committed);
    cell_set(&cells[UNIT_ENTITIES], (int64_t)shard_count(shard));
    cell_set(&cells[UNIT_BYTES], (int64_t)shard_bytes(shard));
    cell_set(&cells[UNIT_RECORD_MS], shard->record_ms);
    if (is_saved(unit))
        cell_set(&cells[UNIT_SAVED_MS], worker->wall_ms);
}

void show_unit(struct worker *worker, const struct unit *unit)
{
    if (unit->shard != NULL)
        show_shard(worker, unit);
    cell_set(&unit->line->cells[UNIT_STAGE], stage_of(unit));
}

void show_away(const struct unit *unit)
{
    cell_set(&unit->line->cells[UNIT_STAGE], STAGE_AWAY);
    for (int cell = UNIT_STAGE + 1; cell < UNIT_CELLS; cell++)
        cell_set(&unit->line->cells[cell], -1);
}

static void show_aside(const struct worker *worker)
{
    const struct catalog *catalog = worker->setup.catalog;
    memset(worker->aside, 0, catalog->index_count * sizeof *worker->aside);
    for (size_t i = 0; i < worker->unit_count; i++)
        shard_count_aside(worker->units[i]->shard, worker->aside);
    for (size_t i = 0; i < catalog->view_count; i++) {
        size_t index = catalog->views[i]->index;
        cell_set(&worker->lines[index]->cells[VIEW_ASIDE], worker->aside[index]);
    }
}

void show_all(struct worker *worker)
{
    int64_t lag_ms = 0;
    for (size_t i = 0; i < worker->tenure_count; i++)
        show_unit(worker, worker->tenures[i]->unit);
    for (size_t i = 0; i < worker->unit_count; i++) {
        int64_t of_unit_ms = shard_decay_lag_ms(worker->units[i]->shard);
        lag_ms = of_unit_ms > lag_ms ? of_unit_ms : lag_ms;
        if (worker->units[i]->tenure == NULL)
            show_unit(worker, worker->units[i]);
    }
    set(worker, BOARD_DECAY_LAG_MS, lag_ms);
    set(worker, BOARD_BYTES, (int64_t)worker_bytes(worker));
    show_aside(worker);
}

void show_checkpoint(struct tenure *tenure)
{
    _Atomic int64_t *cells = tenure->unit->line->cells;
    add(tenure->worker, BOARD_CHECKPOINTS, 1);
    add(tenure->worker, BOARD_CHECKPOINT_BYTES, tenure->checkpoint.bytes);
    cell_set(&cells[UNIT_CHECKED_MS], tenure->worker->wall_ms);
    cell_set(&cells[UNIT_SAVED_MS], tenure->worker->wall_ms);
}

/* ---- batches ---- */

void show_sent(struct worker *worker)
{
    worker->sent_at_us = worker->setup.mono_us();
    add(worker, BOARD_BATCHES, 1);
}

/* now_ms: the turn's time may be as old as a poll takes. */
static void show_answer(const struct worker *worker, const struct item *item, int64_t now_ms)
{
    const struct view *view = item->shard->topic->views[item->entity.view];
    struct board_view *line = worker->lines[view->index];
    if (item->newest_ms > cell_get(&line->cells[VIEW_NEWEST_MS]))
        cell_set(&line->cells[VIEW_NEWEST_MS], item->newest_ms);
    if (item->record_ms < 0)
        return;
    int64_t age_ms = now_ms - item->record_ms;
    histogram_observe(&line->latency, &latency_buckets, age_ms > 0 ? age_ms : 0);
}

void show_answers(struct worker *worker)
{
    struct board *board = worker->board;
    int64_t now_ms = worker->setup.wall_ms();
    int64_t writes = 0;
    for (size_t i = 0; i < worker->batch.item_count; i++) {
        const struct item *item = &worker->batch.items[i];
        if (item->shard == NULL || item->kind != ITEM_FEATURES || item->is_refused)
            continue;
        show_answer(worker, item, now_ms);
        writes++;
    }
    add(worker, BOARD_WRITES, writes);
    if (writes > 0) /* beats and checkpoints have batches, too */
        histogram_observe(&board->batch_entities, &entities_buckets, writes);
    histogram_observe(&board->batch_us, &duration_buckets,
                      worker->setup.mono_us() - worker->sent_at_us);
}
