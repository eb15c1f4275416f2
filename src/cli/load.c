#include "cli/load.h"

#include <stdio.h>
#include <stdlib.h>

#include "config/options_rows.h"
#include "tidewheel/log.h"
#include "tidewheel/mem.h"
#include "tidewheel/num.h"
#include "tidewheel/source.h"
#include "tidewheel/timestamp.h"
#include "tidewheel/wire.h"

const struct decode_limits default_limits = {
    .event_bytes = 256 * 1024, .nesting = 64, .key_bytes = 256};

void print_report(const struct buf *report)
{
    struct buf shown = {NULL, 0, 0};
    log_hidden(buf_slice(report), &shown);
    (void)fwrite(shown.ptr, 1, shown.len, stderr);
    buf_fini(&shown);
}

int say_report(struct buf *report)
{
    print_report(report);
    buf_fini(report);
    return EXIT_CONFIG;
}

static void hide_slice(struct slice slice)
{
    char *text = mem_strndup(slice.ptr, slice.len);
    log_hide(text);
    free(text);
}

/* The password of user:password@ in a URL, as it is spelled there; what stands alone may be a token. */
static void hide_login(const char *text)
{
    const char *scheme_end = strstr(text, "://");
    const char *login = scheme_end != NULL ? scheme_end + 3 : text;
    const char *at = strrchr(login, '@');
    if (scheme_end == NULL || at == NULL)
        return;
    const char *colon = memchr(login, ':', (size_t)(at - login));
    login = colon != NULL ? colon + 1 : login;
    hide_slice((struct slice){login, (size_t)(at - login)});
}

/* ---- what librdkafka cites of a secret is not always the whole of it ---- */

/* Without its %{name of a property}, which are filled in. */
static void hide_command(const char *value)
{
    for (const char *at = value; *at != '\0';) {
        const char *hole = strstr(at, "%{");
        const char *end = hole != NULL ? strchr(hole, '}') : NULL;
        hide_slice((struct slice){at, end != NULL ? (size_t)(hole - at) : strlen(at)});
        at = end != NULL ? end + 1 : at + strlen(at);
    }
}

/* From where it is not understood on. */
static void hide_list(const char *value)
{
    for (const char *at = value; *at != '\0'; at++)
        if (*at == ' ' || *at == ',')
            log_hide(at + 1);
}

static const struct {
    const char *name;
    void (*hide)(const char *value);
} CITED_IN_PART[] = {
    {"sasl.kerberos.kinit.cmd", hide_command},
    {"sasl.oauthbearer.config", hide_list},
    {"sasl.oauthbearer.extensions", hide_list},
};

static void hide_property(const struct property *property)
{
    if (!property_is_secret(property->name)) {
        hide_login(property->value);
        return;
    }
    log_hide(property->value);
    for (size_t i = 0; i < sizeof CITED_IN_PART / sizeof *CITED_IN_PART; i++)
        if (strcmp(CITED_IN_PART[i].name, property->name) == 0)
            CITED_IN_PART[i].hide(property->value);
}

void hide_secrets(const struct options *options)
{
    struct slice password = redis_url_password(options->redis_url);
    if (password.ptr != NULL)
        hide_slice(password); /* as it is spelled there */
    if (options->redis.password != NULL)
        log_hide(options->redis.password);
    for (size_t i = 0; i < options->librdkafka_count; i++)
        hide_property(&options->librdkafka[i]);
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
        .check_redis = wire_check_files,
    };
}

int load_options(const struct cli_args *args, bool needs_pipelines, struct options *ret)
{
    struct buf report = {NULL, 0, 0};
    struct options_source source = source_of(args, needs_pipelines);
    struct options options;
    int rc = options_read(&source, &report, &options);
    hide_secrets(&options); /* of what is right, lest it stands in what is said of the rest */
    if (rc < 0) {
        options_fini(&options);
        return say_report(&report);
    }
    *ret = options;
    buf_fini(&report);
    return EXIT_OK;
}

int load_what_is_right(const struct cli_args *args, struct buf *report, struct options *ret)
{
    struct options_source source = source_of(args, false);
    source.check_property = NULL;
    source.check_redis = NULL;
    int rc = options_read(&source, report, ret);
    hide_secrets(ret);
    return rc;
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
    hide_secrets(&options);
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
