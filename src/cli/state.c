#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/columns.h"
#include "cli/load.h"
#include "tidewheel/clock.h"
#include "tidewheel/log.h"
#include "tidewheel/mem.h"
#include "tidewheel/meta.h"
#include "tidewheel/num.h"
#include "tidewheel/output.h"
#include "tidewheel/redis_query.h"
#include "tidewheel/source.h"

enum {
    KAFKA_MS = 2000,        /* for the ends of all topics together */
    PARTITIONS_MAX = 10000, /* that are believed of a count that stands in Redis */
    AGE_TEXT_MAX = 32,
};

struct report {
    const struct options *options;
    struct redis_query *query;
    int64_t now_ms;
    struct columns units;
    struct columns views;
};

/* The partitions of a topic. */
struct partitions {
    const struct topic *topic;
    int32_t count;
    int64_t *ends; /* of the log; NULL: Kafka did not say */
};

struct unit_state {
    const struct topic *topic;
    int32_t partition;
    int64_t end; /* -1: not known, as the following */
    int64_t entities;
    int64_t bytes;
    struct buf prefix;
    struct meta meta;
    bool is_there; /* the hash exists, whatever is in it */
};

/* ---- Redis ---- */

static int read_meta(struct report *report, const char *topic, int32_t partition, struct meta *ret,
                     bool *ret_is_there, struct err *err)
{
    struct buf key = {NULL, 0, 0};
    struct answer answer;
    meta_key(&key, report->options->kafka_group_id, topic, partition);
    meta_init(ret);
    int rc = redis_query_ask(report->query, (struct slice[]){slice_of("HGETALL"), buf_slice(&key)},
                             2, &answer, err);
    buf_fini(&key);
    for (size_t i = 0; rc == 0 && i + 1 < answer.count; i += 2)
        meta_take(ret, answer_item(&answer, i), answer_item(&answer, i + 1));
    *ret_is_there = rc == 0 && answer.count > 0;
    return rc;
}

/* Adds what a command counts; refused (NOPERM), the whole is not known. */
static int add_count(struct report *report, int64_t less, int64_t *ret, struct err *err)
{
    struct answer answer;
    int rc = redis_query_next(report->query, &answer, err);
    if (rc < 0)
        return rc;
    if (answer.kind == ANSWER_REFUSED)
        *ret = -1;
    else if (*ret >= 0 && answer.kind == ANSWER_INTEGER && answer.integer > less)
        *ret += answer.integer - less;
    return 0;
}

static void send_count(struct report *report, const char *command, const char *more,
                       const struct buf *key)
{
    struct slice words[3] = {slice_of(command)};
    size_t count = 1;
    if (more != NULL)
        words[count++] = slice_of(more);
    words[count++] = buf_slice(key);
    redis_query_send(report->query, words, count);
}

/* A sentinel is no entity; and those of an old generation are counted in the current one. */
static int weigh_view(struct report *report, struct unit_state *unit, const struct meta_view *view,
                      struct err *err)
{
    struct buf key = {NULL, 0, 0};
    int64_t ignored = 0;
    int rc = 0;
    if (view->gen < 0)
        return 0;
    for (unsigned k = 0; k < META_HASHES; k++) {
        buf_reset(&key);
        meta_blob_key(&key, buf_text(&unit->prefix), view->name, view->gen, k);
        send_count(report, "HLEN", NULL, &key);
        send_count(report, "MEMORY", "USAGE", &key);
    }
    buf_fini(&key);
    for (unsigned k = 0; k < META_HASHES && rc == 0; k++) {
        rc = add_count(report, 1, view->is_old ? &ignored : &unit->entities, err);
        if (rc == 0)
            rc = add_count(report, 0, &unit->bytes, err);
    }
    return rc;
}

static int weigh(struct report *report, struct unit_state *unit, struct err *err)
{
    struct buf key = {NULL, 0, 0};
    meta_key(&key, report->options->kafka_group_id, unit->topic->name, unit->partition);
    send_count(report, "MEMORY", "USAGE", &key);
    buf_fini(&key);
    int rc = add_count(report, 0, &unit->bytes, err);
    for (size_t i = 0; i < unit->meta.view_count && rc == 0; i++)
        rc = weigh_view(report, unit, &unit->meta.views[i], err);
    return rc;
}

/* ---- one unit ---- */

static void add_number(struct columns *columns, int64_t number)
{
    if (number < 0)
        columns_add(columns, "-");
    else
        columns_add(columns, "%lld", (long long)number);
}

static void add_owner(struct report *report, const struct unit_state *unit)
{
    const struct meta *meta = &unit->meta;
    if (!unit->is_there)
        columns_add(&report->units, "never checkpointed");
    else if (!meta->is_found)
        columns_add(&report->units, "damaged");
    else if (meta->format != META_FORMAT)
        columns_add(&report->units, "of another format");
    else
        columns_add(&report->units, "%s %.8s", meta->who != NULL ? meta->who : "-", meta->own);
}

/* Each one once, with commas. */
static void add_generations(struct report *report, const struct unit_state *unit)
{
    struct buf text = {NULL, 0, 0};
    for (size_t i = 0; i < unit->topic->view_count; i++) {
        const struct meta_view *view = meta_view_of(&unit->meta, unit->topic->views[i]->name);
        bool is_new = view != NULL && view->gen >= 0;
        for (size_t j = 0; is_new && j < i; j++) {
            const struct meta_view *other = meta_view_of(&unit->meta, unit->topic->views[j]->name);
            is_new = other == NULL || other->gen != view->gen;
        }
        if (is_new)
            buf_printf(&text, "%s%lld", text.len > 0 ? "," : "", (long long)view->gen);
    }
    columns_add(&report->units, "%s", text.len > 0 ? buf_text(&text) : "-");
    buf_fini(&text);
}

/* Where its next owner begins: the smallest of its views'. */
static int64_t progress_of(const struct unit_state *unit)
{
    int64_t ret = -1;
    for (size_t i = 0; i < unit->topic->view_count; i++) {
        const struct meta_view *view = meta_view_of(&unit->meta, unit->topic->views[i]->name);
        if (view != NULL && view->progress >= 0 && (ret < 0 || view->progress < ret))
            ret = view->progress;
    }
    return ret;
}

/* How long ago, in the largest unit of which it is one. */
static void add_age(struct columns *columns, int64_t then_ms, int64_t now_ms)
{
    static const struct {
        int64_t ms;
        char unit;
    } UNITS[] = {{86400000, 'd'}, {3600000, 'h'}, {60000, 'm'}, {1000, 's'}};
    int64_t age_ms = now_ms > then_ms ? now_ms - then_ms : 0;
    size_t i = 0;
    while (i < 3 && age_ms < UNITS[i].ms)
        i++;
    if (then_ms < 0)
        columns_add(columns, "-");
    else
        columns_add(columns, "%lld%c ago", (long long)(age_ms / UNITS[i].ms), UNITS[i].unit);
}

static void add_unit(struct report *report, const struct unit_state *unit)
{
    struct columns *columns = &report->units;
    int64_t progress = progress_of(unit);
    columns_add(columns, "%s", unit->topic->name);
    columns_add(columns, "%d", (int)unit->partition);
    add_owner(report, unit);
    add_generations(report, unit);
    add_number(columns, progress);
    if (progress >= 0 && unit->end >= 0 && unit->end < progress)
        columns_add(columns, "log ends before");
    else
        add_number(columns, progress >= 0 && unit->end >= 0 ? unit->end - progress : -1);
    add_number(columns, unit->is_there ? unit->entities : -1);
    add_number(columns, unit->is_there ? unit->bytes : -1);
    add_age(columns, unit->meta.saved_ms, report->now_ms);
}

/* ---- coverage ---- */

/* Adds `, 24h until ...` for a window that may lack events still; once for each length. */
static void add_window(const struct window *window, const struct meta_view *state, int64_t now_ms,
                       const char *clock, struct buf *ret)
{
    if (state->cover_ms == 0)
        return;
    char when[32] = "the end of time";
    struct buf piece = {NULL, 0, 0};
    int64_t whole_ms = window_leave(window, state->cover_ms - 1);
    if (timestamp_is_valid(whole_ms))
        timestamp_format(whole_ms, when);
    buf_printf(&piece, ", %s until %s%s", window->text, clock, when);
    if (whole_ms > now_ms && strstr(buf_text(ret), buf_text(&piece)) == NULL)
        buf_add_text(ret, buf_text(&piece));
    buf_fini(&piece);
}

static void add_windows(struct report *report, const struct view *view,
                        const struct meta_view *state)
{
    struct buf text = {NULL, 0, 0};
    bool is_wall = view->clock == CLOCK_WALL;
    int64_t now_ms = is_wall ? report->now_ms : state->clock_ms;
    for (size_t i = 0; i < view->feature_count; i++)
        for (size_t j = 0; j < view->features[i].window_count; j++)
            add_window(&view->features[i].windows[j], state, now_ms, is_wall ? "" : "event time ",
                       &text);
    if (text.len == 0)
        columns_add(&report->views, "whole");
    else
        columns_add(&report->views, "not whole: %s", buf_text(&text) + 2);
    buf_fini(&text);
}

static void add_coverage(struct report *report, const struct view *view,
                         const struct meta_view *state)
{
    if (view == NULL)
        columns_add(&report->views, "not in the configuration");
    else if (state == NULL)
        columns_add(&report->views, "no state yet");
    else if (state->definition == NULL || strcmp(state->definition, view->definition) != 0)
        columns_add(&report->views, "of another definition");
    else if (state->cover_ms < 0)
        columns_add(&report->views, "-");
    else
        add_windows(report, view, state);
}

/* view, state: NULL where the configuration, or the unit, has none of that name. */
static void add_view(struct report *report, const struct unit_state *unit, const char *name,
                     const struct view *view, const struct meta_view *state)
{
    struct columns *columns = &report->views;
    columns_add(columns, "%s", unit->topic->name);
    columns_add(columns, "%d", (int)unit->partition);
    columns_add(columns, "%s", name);
    add_number(columns, state != NULL ? state->gen : -1);
    add_number(columns, state != NULL ? state->progress : -1);
    add_coverage(report, view, state);
}

static bool has_view(const struct topic *topic, const char *name)
{
    for (size_t i = 0; i < topic->view_count; i++)
        if (strcmp(topic->views[i]->name, name) == 0)
            return true;
    return false;
}

static void add_views(struct report *report, const struct unit_state *unit)
{
    const struct topic *topic = unit->topic;
    for (size_t i = 0; i < topic->view_count && unit->meta.is_found; i++)
        add_view(report, unit, topic->views[i]->name, topic->views[i],
                 meta_view_of(&unit->meta, topic->views[i]->name));
    for (size_t i = 0; i < unit->meta.view_count && unit->meta.is_found; i++) {
        const struct meta_view *state = &unit->meta.views[i];
        if (!state->is_old && !has_view(topic, state->name))
            add_view(report, unit, state->name, NULL, state);
    }
}

/* ---- all units ---- */

static int report_unit(struct report *report, const struct partitions *partitions,
                       int32_t partition, struct err *err)
{
    struct unit_state unit = {.topic = partitions->topic, .partition = partition, .end = -1};
    if (partitions->ends != NULL)
        unit.end = partitions->ends[partition];
    meta_prefix(&unit.prefix, report->options->kafka_group_id, unit.topic->name, partition);
    int rc = read_meta(report, unit.topic->name, partition, &unit.meta, &unit.is_there, err);
    if (rc == 0 && unit.is_there)
        rc = weigh(report, &unit, err);
    if (rc == 0) {
        add_unit(report, &unit);
        add_views(report, &unit);
    }
    meta_fini(&unit.meta);
    buf_fini(&unit.prefix);
    return rc;
}

/* Where Kafka does not answer, the count that the last owner of partition 0 has left. */
static int count_by_redis(struct report *report, struct partitions *partitions, struct err *err)
{
    struct meta meta;
    bool is_there = false;
    int rc = read_meta(report, partitions->topic->name, 0, &meta, &is_there, err);
    int64_t count = meta.partition_count;
    partitions->count = count < 1 ? 1 : count > PARTITIONS_MAX ? PARTITIONS_MAX : (int32_t)count;
    meta_fini(&meta);
    return rc;
}

static int report_topic(struct report *report, const struct topic *topic, int64_t deadline_ms,
                        struct err *err)
{
    struct partitions partitions = {.topic = topic};
    int64_t left_ms = deadline_ms - clock_mono_ms();
    int rc = kafka_log_ends(report->options, topic->name, left_ms > 1 ? left_ms : 1,
                            &partitions.ends, &partitions.count, err);
    if (rc == ERR_CONFIG)
        return rc;
    if (rc < 0) {
        (void)fprintf(stderr, "tidewheel state: lag is not known: %s\n", err->text);
        rc = count_by_redis(report, &partitions, err);
    }
    for (int32_t i = 0; i < partitions.count && rc == 0; i++)
        rc = report_unit(report, &partitions, i, err);
    free(partitions.ends);
    return rc;
}

static void add_heading(struct columns *columns, const char *const *names)
{
    for (size_t i = 0; i < columns->width; i++)
        columns_add(columns, "%s", names[i]);
}

static int report_all(struct report *report, const struct catalog *catalog, struct err *err)
{
    static const char *const UNIT_NAMES[] = {"TOPIC",      "PARTITION", "OWNER",
                                             "GENERATION", "PROGRESS",  "LAG",
                                             "ENTITIES",   "BYTES",     "CHECKPOINT"};
    static const char *const VIEW_NAMES[] = {"TOPIC",      "PARTITION", "VIEW",
                                             "GENERATION", "PROGRESS",  "COVERAGE"};
    report->units.width = sizeof UNIT_NAMES / sizeof *UNIT_NAMES;
    report->views.width = sizeof VIEW_NAMES / sizeof *VIEW_NAMES;
    add_heading(&report->units, UNIT_NAMES);
    add_heading(&report->views, VIEW_NAMES);
    size_t heading = report->views.count;
    int64_t deadline_ms = clock_mono_ms() + KAFKA_MS;
    int rc = redis_query_open(&report->options->redis, &report->query, err);
    for (size_t i = 0; i < catalog->topic_count && rc == 0; i++)
        rc = report_topic(report, catalog->topics[i], deadline_ms, err);
    if (rc == 0) {
        columns_print(&report->units, "");
        if (report->views.count > heading) {
            (void)printf("\n");
            columns_print(&report->views, "");
        }
    }
    columns_fini(&report->units);
    columns_fini(&report->views);
    redis_query_close(report->query);
    return rc;
}

int command_state(const struct cli_args *args)
{
    struct options options;
    struct catalog *catalog = NULL;
    struct err err = {0, ""};
    int rc = load_options(args, true, &options);
    if (rc != EXIT_OK)
        return rc;
    log_open(LOG_ERROR, false);     /* What matters of it is said in a sentence. */
    (void)signal(SIGPIPE, SIG_IGN); /* A Redis that goes away is one, too. */
    rc = load_catalog((const char *const *)options.pipelines, options.pipeline_count, &catalog);
    if (rc == EXIT_OK) {
        struct report report = {.options = &options, .now_ms = clock_wall_ms()};
        int failed = report_all(&report, catalog, &err);
        if (failed < 0)
            (void)fprintf(stderr, "tidewheel state: %s\n", err.text);
        rc = failed == ERR_CONFIG ? EXIT_CONFIG : failed < 0 ? EXIT_UNAVAILABLE : EXIT_OK;
    }
    catalog_free(catalog);
    options_fini(&options);
    return rc;
}
