/* pipeline: views, as their YAML files say, compiled for the hot path.
 *
 *     catalog --- topic "user_events" --- paths      every path that any of its views reads
 *                   |                      views --- view "user_activity" --- features
 *                   |                                                     \-- output fields
 *               topic "card_events" ...
 *
 * One file is one view. pipeline_load() reads all files of a configuration and reports
 * all errors of all of them at once, each as `file:line:column: path: what is wrong`, with what was
 * expected and the nearest valid name. The keys of the file are rows of one table (pipeline_keys.c),
 * which the JSON Schema is made from too.
 *
 * Floor: 2. Owner: built once, then const and shared.
 */
#ifndef TIDEWHEEL_PIPELINE_H
#define TIDEWHEEL_PIPELINE_H

#include "tidewheel/key.h"
#include "tidewheel/match.h"
#include "tidewheel/paths.h"
#include "tidewheel/series.h"
#include "tidewheel/template.h"
#include "tidewheel/timestamp.h"

enum clock_kind { CLOCK_WALL, CLOCK_EVENT };

enum { FEATURES_MAX = 256, OUTPUT_FIELDS_MAX = 4096, DEFINITION_LEN = 32 };

struct topic;

struct feature {
    char *name;
    struct match *where; /* NULL: every event */
    char *value_path;    /* NULL: the feature counts events */
    int value_slot;
    const struct op **aggregates;
    size_t aggregate_count;
    struct window *windows;
    size_t window_count;
    struct series_spec series;
};

/* One field of the view's hash, in the order feature, window, aggregate as declared. */
struct output_field {
    char *name;
    uint16_t feature;
    uint16_t window;
    const struct op *op;
};

struct view {
    char *file;
    char *name;
    char *description; /* may be NULL, as owner may */
    char *owner;
    int64_t version;
    struct topic *topic;
    enum time_unit time_unit;
    char *time_path; /* NULL with TIME_RECORD */
    int time_slot;
    char *entity_type;
    bool has_tenant;
    struct key_spec *keys; /* the tenant first, where there is one */
    size_t key_count;      /* with the tenant */
    struct feature *features;
    size_t feature_count;
    struct output_field *fields;
    size_t field_count;
    struct template key;
    struct template freshness_key;
    /* Of this view's own; of the feature hash: the largest ttl of the views that share it; the same for the
     * freshness hash. A reload may change them while they are read: nothing else is ever written. */
    _Atomic int64_t ttl_ms;
    _Atomic int64_t key_ttl_ms;
    _Atomic int64_t freshness_ttl_ms;
    enum clock_kind clock;
    int64_t future_max_ms;
    int64_t longest_ms; /* the window that, with its hop, reaches furthest back */
    int64_t longest_hop_ms;
    char definition[DEFINITION_LEN + 1]; /* output.h, both */
    char *output;
    size_t
        index; /* among the catalog's numbers of views; stays as long as there is a view of the name */
};

struct topic {
    char *name;
    struct paths *paths;
    struct view **views;
    size_t view_count;
    unsigned
        catalogs; /* that have it: counted by whoever loads and frees them, and by nobody else */
};

struct catalog {
    struct topic **topics;
    size_t topic_count;
    struct view **views; /* in the order of the files */
    size_t view_count;
    size_t index_count; /* every view's index is below it */
};

/* Loads every file into one catalog. Errors are added to report, one line each; ERR_CONFIG if there
 * was any, and *ret is then untouched. */
int pipeline_load(const char *const *files, size_t file_count, struct buf *report,
                  struct catalog **ret) MUST_CHECK;

/* The same for one file's bytes; name is what errors call it. */
int pipeline_load_text(const char *name, struct slice text, struct buf *report,
                       struct catalog **ret) MUST_CHECK;
void catalog_free(struct catalog *catalog);

/* Have both the same definition? State of the one is then state of the other. */
bool view_keeps_state(const struct view *view, const struct view *before);

/* What a reload brings. */
struct catalog_change {
    size_t views_kept;
    size_t views_changed;
    size_t views_new;
    size_t views_gone;
    size_t topics_new;
    size_t topics_gone;
};

/* The catalog is to take the place of `before` while workers run. A topic of which each view keeps its
 * definition becomes the very object that `before` has, which lives until both are freed: whoever points
 * at it need not be told. Only expiries may be others there. Views keep their index by their names;
 * description, owner and file mean nothing. */
void catalog_follow(struct catalog *catalog, struct catalog *before, struct catalog_change *ret);
bool catalog_change_is_none(const struct catalog_change *change);

const struct topic *catalog_topic(const struct catalog *catalog, struct slice name);
const struct view *catalog_view(const struct catalog *catalog, const char *name);

#endif
