#include "tidewheel/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/beside.h"
#include "run/progress.h"
#include "tidewheel/clock.h"
#include "tidewheel/fleet.h"
#include "tidewheel/log.h"
#include "tidewheel/mem.h"
#include "tidewheel/reset.h"
#include "tidewheel/timestamp.h"

enum {
    ASK_MS = 1000,   /* for what is committed */
    FIRST_MS = 2000, /* what takes no longer needs no progress */
    LOG_EVERY_MS = 10000,
    STRANGER_MS = 10000, /* longer than a rebalance among ourselves takes */
};

/* What the boards have said of a span. What is not known any more, in a rebalance, stays as it was. */
struct track {
    bool is_here; /* a worker of ours has it, now */
    bool is_read; /* up to live_at, as the following */
    bool is_published;
    bool is_saved;
    int64_t start; /* -1: no worker of ours has had it yet, and so is live_at */
    int64_t position;
    int64_t live_at;
};

struct replay {
    const struct options *options;
    const struct replay_wish *wish;
    struct reset *reset;
    struct span *spans;
    struct track *tracks; /* of each span */
    size_t count;
    struct progress progress;
    struct errand errand;
    int64_t log_at_ms;
    int64_t strangers_since_ms; /* -1: all partitions are with our workers */
    bool has_told_of_strangers;
    bool is_line_up; /* on the terminal */
    bool is_over;
};

/* ---- what the boards say ---- */

static struct track *track_of(const struct replay *replay, const struct board_unit *unit)
{
    for (size_t i = 0; i < replay->count; i++)
        if (strcmp(replay->spans[i].topic->name, unit->topic) == 0) /* the first of the topic */
            return i + (size_t)unit->partition < replay->count
                       ? &replay->tracks[i + (size_t)unit->partition]
                       : NULL;
    return NULL;
}

/* Of a unit that is on its way its worker knows no offsets. */
static void note_unit(struct track *track, const struct board_unit *unit)
{
    int64_t cells[UNIT_CELLS];
    for (int i = 0; i < UNIT_CELLS; i++)
        cells[i] = cell_get(&unit->cells[i]);
    int64_t live_at = cells[UNIT_LIVE_AT];
    if (cells[UNIT_STAGE] == STAGE_AWAY)
        return;
    track->is_here = true;
    bool is_live = cells[UNIT_STAGE] == STAGE_LIVE && live_at >= 0;
    track->is_read = is_live && cells[UNIT_POSITION] >= live_at;
    track->is_published =
        track->is_read && cells[UNIT_PUBLISHED] >= live_at && cells[UNIT_LEFTOVERS] == 0;
    track->is_saved = track->is_published && cells[UNIT_DURABLE] >= live_at;
    if (live_at < 0 || cells[UNIT_START] < 0 || cells[UNIT_POSITION] < 0)
        return;
    if (track->start < 0 || cells[UNIT_START] < track->start)
        track->start = cells[UNIT_START];
    track->position = cells[UNIT_POSITION];
    track->live_at = live_at;
}

static void note_boards(struct replay *replay, const struct board *const *boards, size_t count)
{
    for (size_t i = 0; i < replay->count; i++)
        replay->tracks[i].is_here = false;
    for (size_t i = 0; i < count; i++) {
        for (const struct board_unit *unit = board_units(boards[i]); unit != NULL;
             unit = unit_next(unit)) {
            struct track *track = track_of(replay, unit);
            if (track != NULL)
                note_unit(track, unit);
        }
    }
}

static int64_t within(int64_t value, int64_t max)
{
    return value < 0 ? 0 : value > max ? max : value;
}

/* Of what nobody has begun yet the spans say how much it is. */
static void sum_up(struct replay *replay, int64_t now_ms)
{
    int64_t done = 0;
    int64_t total = 0;
    enum phase_of_replay phase = REPLAY_SAVING;
    for (size_t i = 0; i < replay->count; i++) {
        const struct track *track = &replay->tracks[i];
        const struct span *span = &replay->spans[i];
        int64_t start = track->start < 0 ? span->from : track->start;
        int64_t end = track->start < 0 ? span->until : track->live_at;
        int64_t len = end > start ? end - start : 0;
        total += len;
        done += track->start < 0 ? 0 : within(track->position - start, len);
        enum phase_of_replay here = !track->is_read        ? REPLAY_READING
                                    : !track->is_published ? REPLAY_PUBLISHING
                                                           : REPLAY_SAVING;
        phase = here < phase ? here : phase;
    }
    progress_note(&replay->progress, phase, done, total, now_ms);
}

/* ---- is it over? ---- */

/* What Kafka says is what counts: the reset is gone from there, and in its place is an offset that a
 * worker has committed, which it does when all before it is saved. */
static bool is_committed(const struct replay *replay, size_t i)
{
    const struct span *span = &replay->spans[i];
    const struct track *track = &replay->tracks[i];
    int64_t end = track->start < 0 ? span->until : track->live_at;
    return span->is_ours && span->committed >= end;
}

static bool is_all_done(struct replay *replay)
{
    struct err err;
    for (size_t i = 0; i < replay->count; i++)
        if (replay->tracks[i].is_here && !replay->tracks[i].is_saved)
            return false;
    if (reset_ask(replay->reset, ASK_MS, &err) < 0)
        return false; /* the next look asks again */
    for (size_t i = 0; i < replay->count; i++)
        if (!is_committed(replay, i))
            return false;
    return true;
}

/* ---- saying so ---- */

static void say(struct replay *replay, int64_t now_ms)
{
    struct buf line = {NULL, 0, 0};
    if (now_ms - replay->progress.begun_ms < FIRST_MS)
        return;
    if (replay->wish->is_terminal) {
        progress_show(&replay->progress, &line);
        (void)fprintf(stderr, "\033[K%s\r", buf_text(&line)); /* a warning then overwrites it */
        (void)fflush(stderr);
        replay->is_line_up = true;
    } else if (now_ms >= replay->log_at_ms) {
        replay->log_at_ms = now_ms + LOG_EVERY_MS;
        progress_fields(&replay->progress, &line);
        log_info("replay", "%s", buf_text(&line));
    }
    buf_fini(&line);
}

static void say_end(struct replay *replay)
{
    struct buf line = {NULL, 0, 0};
    int64_t now_ms = clock_mono_ms();
    if (replay->is_line_up)
        (void)fputs("\033[K", stderr);
    if (replay->is_over && replay->wish->is_terminal) {
        progress_sum(&replay->progress, now_ms, &line);
        (void)fprintf(stderr, "%s\n", buf_text(&line));
    } else if (replay->is_over) {
        progress_sum_fields(&replay->progress, now_ms, &line);
        log_info("replay", "%s", buf_text(&line));
    }
    buf_fini(&line);
}

/* Somebody has joined the group. They do what we do, and we cannot see how far they are. */
static void look_for_strangers(struct replay *replay, const struct board *const *boards,
                               size_t count, int64_t now_ms)
{
    int64_t owned = 0;
    bool are_joined = true;
    for (size_t i = 0; i < count; i++) {
        int64_t here = cell_get(&boards[i]->cells[BOARD_OWNED]);
        are_joined = are_joined && here >= 0;
        owned += here;
    }
    int64_t elsewhere = (int64_t)replay->count - owned;
    if (!are_joined || elsewhere <= 0)
        replay->strangers_since_ms = -1;
    else if (replay->strangers_since_ms < 0)
        replay->strangers_since_ms = now_ms;
    if (replay->strangers_since_ms < 0 || replay->has_told_of_strangers ||
        now_ms - replay->strangers_since_ms < STRANGER_MS)
        return;
    replay->has_told_of_strangers = true;
    log_warn("replay",
             "partitions=%lld of=%zu why=\"somebody else has joined group %s, and has these now\" "
             "then=\"they are read again there; this waits for them\"",
             (long long)elsewhere, replay->count, replay->options->kafka_group_id);
}

static bool look(void *arg, const struct board *const *boards, size_t count)
{
    struct replay *replay = arg;
    int64_t now_ms = clock_mono_ms();
    note_boards(replay, boards, count);
    sum_up(replay, now_ms);
    say(replay, now_ms);
    look_for_strangers(replay, boards, count, now_ms);
    replay->is_over = is_all_done(replay);
    if (replay->is_over)
        replay->errand.late_rc = 0;
    return replay->is_over;
}

/* ---- before ---- */

static int check_members(struct replay *replay, struct err *err)
{
    const char *group = replay->options->kafka_group_id;
    size_t members = 0;
    int rc = reset_members(replay->reset, group, &members, err);
    if (rc == 0 && members > 0)
        rc = err_set(err, ERR_FATAL,
                     "group %s has %zu member%s: stop these workers first, or replay beside them "
                     "under another kafka.group_id and version (one that was killed counts until "
                     "its session.timeout.ms is over)",
                     group, members, members == 1 ? "" : "s");
    return rc;
}

/* Of partitions that hold nothing from before --until some others may hold all of it. */
static int check_until(const struct replay *replay, struct err *err)
{
    char until[32];
    for (size_t i = 0; i < replay->count; i++)
        if (replay->spans[i].first >= 0 && replay->spans[i].first < replay->spans[i].until)
            return 0;
    timestamp_format(replay->wish->until_ms, until);
    return err_set(err, ERR_FATAL,
                   "no partition holds a record from before --until %s: every feature would become "
                   "empty, and nothing was begun; give a later time, or none",
                   until);
}

static int begin(struct replay *replay, const struct catalog *catalog, struct err *err)
{
    int rc = reset_open(replay->options, catalog, &replay->reset, err);
    if (rc == 0)
        rc = reset_look(replay->reset, replay->wish->from_ms, replay->wish->until_ms,
                        &replay->spans, &replay->count, err);
    if (rc == 0 && replay->wish->until_ms > 0)
        rc = check_until(replay, err);
    if (rc == 0)
        rc = check_members(replay, err);
    if (rc == 0)
        rc = beside_check(replay->options, catalog, replay->reset, err);
    if (rc == 0 && fleet_is_told_to_stop())
        rc = err_set(err, ERR_FATAL, "stopped before anything was changed");
    if (rc < 0)
        return rc;
    replay->tracks = mem_zalloc((replay->count + 1) * sizeof *replay->tracks);
    for (size_t i = 0; i < replay->count; i++)
        replay->tracks[i].start = -1;
    return reset_set(replay->reset, err);
}

/* ---- after ---- */

static int not_over(const struct replay *replay, struct err *err)
{
    size_t saved = 0;
    for (size_t i = 0; i < replay->count; i++)
        saved += replay->tracks[i].is_saved;
    const char *next = replay->options->checkpoint_interval_ms > 0
                           ? "`tidewheel run` goes on from here"
                           : "`tidewheel run` begins again";
    return err_set(err, ERR_FATAL,
                   "stopped before the replay was over: %zu of %zu partitions are done, and of the "
                   "others Redis holds what it held before, or a part of it is new already; "
                   "%s, and `tidewheel replay` from the beginning",
                   saved, replay->count, next);
}

int replay_run(const struct options *options, struct catalog *catalog,
               const struct replay_wish *wish, bool *ret_has_left, struct err *err)
{
    struct replay replay = {.options = options, .wish = wish, .strangers_since_ms = -1};
    replay.errand = (struct errand){
        .arg = &replay, .look = look, .until_ms = wish->until_ms, .late_rc = ERR_FATAL};
    progress_begin(&replay.progress, clock_mono_ms());
    replay.log_at_ms = replay.progress.begun_ms + LOG_EVERY_MS;
    int rc = begin(&replay, catalog, err);
    if (rc < 0) {
        catalog_free(catalog);
    } else {
        const struct fleet_setup setup = {
            .options = options, .catalog = catalog, .errand = &replay.errand};
        rc = fleet_run(&setup, ret_has_left, err);
        say_end(&replay);
        if (rc == 0 && !replay.is_over)
            rc = not_over(&replay, err);
    }
    if (!reset_close(replay.reset))
        *ret_has_left = false;
    free(replay.tracks);
    return rc;
}
