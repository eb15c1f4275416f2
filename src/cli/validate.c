#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/columns.h"
#include "cli/load.h"
#include "config/key_pattern.h"
#include "tidewheel/cli.h"
#include "tidewheel/dead_letter.h"
#include "tidewheel/pipeline.h"
#include "tidewheel/quantity.h"
#include "tidewheel/source.h"
#include "tidewheel/wire.h"

enum { LINE_WIDTH = 100, WORD = 8 /* bytes of one in a bucket */ };

/* ---- a view as a table ---- */

/* The template with what the view is known to put in, and what is left for the entity. */
static void add_template(const struct view *view, const struct template *template, struct buf *ret)
{
    for (size_t i = 0; i < template->count; i++) {
        const struct template_part *part = &template->parts[i];
        if (part->kind == TEMPLATE_LITERAL)
            buf_add(ret, part->text, part->len);
        else if (part->kind == TEMPLATE_ENTITY_ID)
            buf_add_text(ret, "{entity_id}");
        else
            buf_printf(ret, "{%s}",
                       view->has_tenant && part->kind == 0 ? "tenant"
                                                           : view->keys[part->kind].path);
    }
}

static void print_hash(const struct view *view, const char *what, const struct template *template,
                       int64_t ttl_ms)
{
    struct buf key = {NULL, 0, 0};
    char ttl[QUANTITY_TEXT_MAX];
    duration_format(ttl_ms, ttl);
    add_template(view, template, &key);
    (void)printf("  %-10s%s, expires after %s\n", what, buf_text(&key), ttl);
    buf_fini(&key);
}

static void print_source(const struct view *view)
{
    static const char *const UNITS[] = {"", "in s", "in ms", "in us", "in ns", "as RFC 3339"};
    char future_max[QUANTITY_TEXT_MAX];
    duration_format(view->future_max_ms, future_max);
    (void)printf("  %-10s%s, by %s %s, at most %s ahead\n", "topic", view->topic->name,
                 view->time_path != NULL ? view->time_path : "the record's timestamp",
                 UNITS[view->time_unit], future_max);
    (void)printf("  %-10s%s\n", "clock", view->clock == CLOCK_WALL ? "wall" : "event");
}

static void print_entity(const struct view *view)
{
    static const char *const TYPES[] = {"string", "int64"};
    (void)printf("  %-10s%s, by", "entity", view->entity_type);
    for (size_t i = 0; i < view->key_count; i++)
        (void)printf("%s %s%s (%s)", i > 0 ? "," : "", view->has_tenant && i == 0 ? "tenant " : "",
                     view->keys[i].path, TYPES[view->keys[i].type]);
    (void)putchar('\n');
}

static void add_window(struct columns *columns, const struct feature *feature, size_t index)
{
    const struct window *window = &feature->windows[index];
    char hop[QUANTITY_TEXT_MAX];
    duration_format(window->hop_ms, hop);
    columns_add(columns, "%s", index == 0 ? feature->name : "");
    columns_add(columns, "%s",
                index == 0 ? (feature->value_path != NULL ? feature->value_path : "-") : "");
    columns_add(columns, "%s", window->text);
    columns_add(columns, "%s", hop);
    columns_add(columns, "< %.3g %%", 100.0 * (double)window->hop_ms / (double)window->length_ms);
    columns_add(columns, "%d..%d", feature->value_path != NULL ? 2 * WORD : WORD,
                (feature->series.shape.words + 1) * WORD);
    columns_add(columns, "%zu", feature->aggregate_count);
}

static void print_features(const struct view *view)
{
    static const char *const TITLES[] = {"feature",    "value",        "window", "hop",
                                         "tail error", "bytes/bucket", "fields"};
    struct columns columns = {.width = sizeof TITLES / sizeof *TITLES};
    for (size_t i = 0; i < columns.width; i++)
        columns_add(&columns, "%s", TITLES[i]);
    for (size_t i = 0; i < view->feature_count; i++)
        for (size_t j = 0; j < view->features[i].window_count; j++)
            add_window(&columns, &view->features[i], j);
    columns_print(&columns, "  ");
}

static void print_fields(const struct view *view)
{
    size_t at = 0;
    (void)printf("  %zu fields per entity:\n", view->field_count);
    for (size_t i = 0; i < view->field_count; i++) {
        size_t len = strlen(view->fields[i].name);
        if (at > 0 && at + len + 1 > LINE_WIDTH) {
            (void)putchar('\n');
            at = 0;
        }
        at += (size_t)printf("%s%s", at == 0 ? "    " : " ", view->fields[i].name);
    }
    (void)printf("\n\n");
}

static void print_view(const struct view *view)
{
    (void)printf("view %s, version %lld (%s)\n", view->name, (long long)view->version, view->file);
    print_source(view);
    print_entity(view);
    print_hash(view, "key", &view->key, view->key_ttl_ms);
    print_hash(view, "freshness", &view->freshness_key, view->freshness_ttl_ms);
    (void)putchar('\n');
    print_features(view);
    print_fields(view);
}

static struct buf pattern_of(const struct view *view, const struct template *template)
{
    struct buf pattern = {NULL, 0, 0};
    key_pattern_add(template, view->key_count - view->has_tenant, &pattern);
    return pattern;
}

/* Templates that differ, and can make the same key all the same: a tenant called `features` does. */
static void note_overlap(const struct view *view, const struct template *template,
                         const struct view *other, const struct template *other_template)
{
    struct buf ours = pattern_of(view, template);
    struct buf theirs = pattern_of(other, other_template);
    bool is_same = slice_is_equal(buf_slice(&ours), buf_slice(&theirs));
    if (!is_same && key_pattern_overlaps(buf_slice(&ours), buf_slice(&theirs))) {
        struct buf shown = {NULL, 0, 0};
        key_pattern_show(buf_slice(&ours), &shown);
        buf_printf(&shown, " of view %s could be a key of view %s, ", view->name, other->name);
        key_pattern_show(buf_slice(&theirs), &shown);
        (void)printf("note: %s: another prefix would tell them apart\n", buf_text(&shown));
        buf_fini(&shown);
    }
    buf_fini(&ours);
    buf_fini(&theirs);
}

static void print_notes(const struct catalog *catalog)
{
    for (size_t i = 0; i < catalog->view_count; i++) {
        const struct view *view = catalog->views[i];
        for (size_t j = 0; j < i; j++) {
            const struct view *other = catalog->views[j];
            note_overlap(view, &view->key, other, &other->key);
            note_overlap(view, &view->key, other, &other->freshness_key);
            note_overlap(view, &view->freshness_key, other, &other->key);
        }
    }
}

static void print_catalog(const struct catalog *catalog)
{
    size_t features = 0;
    size_t fields = 0;
    for (size_t i = 0; i < catalog->view_count; i++) {
        print_view(catalog->views[i]);
        features += catalog->views[i]->feature_count;
        fields += catalog->views[i]->field_count;
    }
    print_notes(catalog);
    (void)printf("all is right: topics %zu, views %zu, features %zu, fields %zu\n",
                 catalog->topic_count, catalog->view_count, features, fields);
}

/* ---- the command ---- */

/* What only shows once all properties are known. */
static int check_letters(const struct options *options, struct buf *report)
{
    struct err err;
    if (!kafka_letters_are_used(options) || kafka_letters_check(options, &err) == 0)
        return 0;
    buf_printf(report, "%s: %s\n", options->file != NULL ? options->file : "options", err.text);
    return ERR_CONFIG;
}

/* Errors of the configuration do not hide those of the pipelines. */
int command_validate(const struct cli_args *args)
{
    struct buf report = {NULL, 0, 0};
    struct options options = {.file = NULL};
    struct catalog *catalog = NULL;
    bool has_operands = args->operand_count > 0;
    bool reads_options = !has_operands || args->config != NULL || args->assignment_count > 0 ||
                         args->property_count > 0;
    const struct options_source source = {
        args->config,         args->assignments, args->assignment_count, args->properties,
        args->property_count, !has_operands,     kafka_check_property,   wire_check_files};
    int rc = reads_options ? options_read(&source, &report, &options) : 0;
    if (reads_options)
        hide_secrets(&options);
    if (reads_options && rc == 0)
        rc = check_letters(&options, &report);
    const char *const *files =
        has_operands ? args->operands : (const char *const *)options.pipelines;
    size_t count = has_operands ? args->operand_count : options.pipeline_count;
    int pipelines_rc = pipeline_load(files, count, &report, &catalog);
    if (pipelines_rc == 0 && reads_options)
        pipelines_rc = options_check_catalog(&options, catalog, &report);
    bool is_wrong = rc != 0 || pipelines_rc != 0;
    if (is_wrong)
        print_report(&report);
    else
        print_catalog(catalog);
    catalog_free(catalog);
    options_fini(&options);
    buf_fini(&report);
    return is_wrong ? EXIT_CONFIG : EXIT_OK;
}
