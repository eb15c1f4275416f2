#include "cli/load.h"

#include <stdio.h>

#include "tidewheel/num.h"
#include "tidewheel/source.h"
#include "tidewheel/timestamp.h"

const struct decode_limits default_limits = {
    .event_bytes = 256 * 1024, .nesting = 64, .key_bytes = 256};

int say_report(struct buf *report)
{
    (void)fwrite(report->ptr, 1, report->len, stderr);
    buf_fini(report);
    return EXIT_CONFIG;
}

static struct options_source source_of(const struct cli_args *args, bool needs_pipelines)
{
    return (struct options_source){
        .file = args->config,
        .assignments = args->assignments,
        .assignment_count = args->assignment_count,
        .properties = args->properties,
        .property_count = args->property_count,
        .needs_pipelines = needs_pipelines,
        .check_property = kafka_check_property,
    };
}

int load_options(const struct cli_args *args, bool needs_pipelines, struct options *ret)
{
    struct buf report = {NULL, 0, 0};
    struct options_source source = source_of(args, needs_pipelines);
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

/* Errors of the configuration do not hide those of the pipelines. */
int load_all(const struct cli_args *args, struct buf *report, struct options *ret_options,
             struct catalog **ret_catalog)
{
    struct options options;
    struct catalog *catalog = NULL;
    struct options_source source = source_of(args, true);
    int rc = options_read(&source, report, &options);
    int pipelines_rc = pipeline_load((const char *const *)options.pipelines, options.pipeline_count,
                                     report, &catalog);
    if (pipelines_rc == 0)
        pipelines_rc = options_check_catalog(&options, catalog, report);
    if (rc == 0 && pipelines_rc == 0) {
        *ret_options = options;
        *ret_catalog = catalog;
        return 0;
    }
    catalog_free(catalog);
    options_fini(&options);
    return ERR_CONFIG;
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
