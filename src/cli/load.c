#include "cli/load.h"

#include <stdio.h>

#include "tidewheel/num.h"
#include "tidewheel/source.h"
#include "tidewheel/timestamp.h"

const struct decode_limits default_limits = {
    .event_bytes = 256 * 1024, .nesting = 64, .key_bytes = 256};

static int say_report(struct buf *report)
{
    (void)fwrite(report->ptr, 1, report->len, stderr);
    buf_fini(report);
    return EXIT_CONFIG;
}

int load_options(const struct cli_args *args, bool needs_pipelines, struct options *ret)
{
    struct buf report = {NULL, 0, 0};
    struct options_source source = {
        .file = args->config,
        .assignments = args->assignments,
        .assignment_count = args->assignment_count,
        .properties = args->properties,
        .property_count = args->property_count,
        .needs_pipelines = needs_pipelines,
        .check_property = kafka_check_property,
    };
    if (options_load(&source, &report, ret) < 0)
        return say_report(&report);
    buf_fini(&report);
    return EXIT_OK;
}

int load_catalog(const char *const *files, size_t count, struct catalog **ret)
{
    struct buf report = {NULL, 0, 0};
    if (pipeline_load(files, count, &report, ret) < 0)
        return say_report(&report);
    buf_fini(&report);
    return EXIT_OK;
}

const struct view *load_view(const struct catalog *catalog, const char *command, const char *name)
{
    const struct view *view = catalog_view(catalog, name);
    if (view != NULL)
        return view;
    (void)fprintf(stderr, "tidewheel %s: no view is called '%s'; there are:", command, name);
    for (size_t i = 0; i < catalog->view_count; i++)
        (void)fprintf(stderr, " %s", catalog->views[i]->name);
    (void)fprintf(stderr, "\n");
    return NULL;
}

bool build_identity(const struct view *view, const struct slice *parts, struct buf *ret)
{
    struct value values[KEYS_MAX + 1];
    struct key_spec specs[KEYS_MAX + 1];
    for (size_t i = 0; i < view->key_count; i++) {
        specs[i] = view->keys[i];
        specs[i].slot = (int)i;
        values[i] = (struct value){.type = parts[i].ptr != NULL ? VALUE_STRING : VALUE_MISSING,
                                   .text = parts[i]};
    }
    return key_build(specs, view->key_count, values, SIZE_MAX, ret) == VERDICT_ACCEPTED;
}

bool parse_time(const char *text, int64_t *ret_ms)
{
    struct slice slice = slice_of(text);
    return (num_parse_int64(slice.ptr, slice.len, ret_ms) && timestamp_is_valid(*ret_ms)) ||
           timestamp_parse_rfc3339(slice, ret_ms);
}
