#include <stdio.h>
#include <stdlib.h>

#include "cli/json_out.h"
#include "cli/load.h"
#include "tidewheel/clock.h"
#include "tidewheel/mem.h"
#include "tidewheel/num.h"
#include "tidewheel/store.h"

/* What Redis holds for one entity. */
struct holding {
    char **values; /* of each output field */
    int64_t ttl_ms;
    char *freshness[2]; /* the write, the newest event */
};

/* The key spec that `name=value` names: by its path, or the tenant by that word too. */
static size_t find_key(const struct view *view, struct slice name)
{
    for (size_t i = 0; i < view->key_count; i++)
        if (slice_is_equal(slice_of(view->keys[i].path), name) ||
            (i == 0 && view->has_tenant && slice_is_equal(slice_of("tenant"), name)))
            return i;
    return SIZE_MAX;
}

static int complain(const struct view *view, const char *what, const char *text)
{
    (void)fprintf(stderr, "tidewheel get: %s%s; view %s is read by:", what, text, view->name);
    for (size_t i = 0; i < view->key_count; i++)
        (void)fprintf(stderr, " %s=%s", view->keys[i].path,
                      view->keys[i].type == KEY_INT64 ? "42" : "VALUE");
    (void)fprintf(stderr, "\n");
    return EXIT_USAGE;
}

static int parse_identity(const struct view *view, const char **operands, size_t count,
                          struct buf *ret)
{
    struct slice parts[KEYS_MAX + 1] = {{NULL, 0}};
    for (size_t i = 0; i < count; i++) {
        const char *equals = strchr(operands[i], '=');
        if (equals == NULL)
            return complain(view, "expected key=value, found ", operands[i]);
        size_t key = find_key(view, (struct slice){operands[i], (size_t)(equals - operands[i])});
        if (key == SIZE_MAX)
            return complain(view, "no key of the view is called as in ", operands[i]);
        parts[key] = slice_of(equals + 1);
    }
    if (!build_identity(view, parts, ret))
        return complain(view, "a key is missing, empty or of the wrong type", "");
    return EXIT_OK;
}

static int fetch(const struct options *options, const struct view *view, struct slice identity,
                 struct holding *ret, struct err *err)
{
    struct buf key = {NULL, 0, 0};
    const char **names = mem_alloc((view->field_count + 1) * sizeof *names);
    for (size_t i = 0; i < view->field_count; i++)
        names[i] = view->fields[i].name;
    template_render(&view->key, identity, view->has_tenant, &key);
    int rc = redis_fetch(&options->redis, buf_slice(&key), names, view->field_count, ret->values,
                         &ret->ttl_ms, err);
    buf_reset(&key);
    template_render(&view->freshness_key, identity, view->has_tenant, &key);
    struct buf event = {NULL, 0, 0};
    buf_printf(&event, "%s:event", view->name);
    const char *fields[] = {view->name, buf_text(&event)};
    int64_t ttl_ms = 0;
    if (rc == 0)
        rc = redis_fetch(&options->redis, buf_slice(&key), fields, 2, ret->freshness, &ttl_ms, err);
    buf_fini(&event);
    buf_fini(&key);
    free(names);
    return rc;
}

static void print_age(const char *what, const char *text, int64_t now_ms)
{
    int64_t at_ms = 0;
    if (text == NULL || !num_parse_int64(text, strlen(text), &at_ms)) {
        (void)printf("%-14s -\n", what);
        return;
    }
    char when[32];
    timestamp_format(at_ms, when);
    (void)printf("%-14s %s  %.3f s ago\n", what, when, (double)(now_ms - at_ms) / 1000.0);
}

static void print(const struct view *view, struct slice identity, const struct holding *holding)
{
    struct buf text = {NULL, 0, 0};
    json_add_entity(&text, view, identity);
    (void)printf("%-14s %s\n%-14s %s\n", "view", view->name, "entity", buf_text(&text));
    buf_reset(&text);
    template_render(&view->key, identity, view->has_tenant, &text);
    (void)printf("%-14s %s\n", "key", buf_text(&text));
    buf_fini(&text);
    if (holding->ttl_ms >= 0)
        (void)printf("%-14s %.0f s\n", "expires in", (double)holding->ttl_ms / 1000.0);
    int64_t now_ms = clock_wall_ms();
    print_age("written", holding->freshness[0], now_ms);
    print_age("newest event", holding->freshness[1], now_ms);
    size_t width = 0;
    for (size_t i = 0; i < view->field_count; i++)
        width = strlen(view->fields[i].name) > width ? strlen(view->fields[i].name) : width;
    for (size_t i = 0; i < view->field_count; i++) {
        const char *value = holding->values[i];
        bool is_count = (view->fields[i].op->parts & (view->fields[i].op->parts - 1)) == 0 &&
                        view->fields[i].op->parts == 1u << PART_COUNT;
        (void)printf("  %-*s  %-6s  %s\n", (int)width, view->fields[i].name,
                     is_count ? "int" : "double", value != NULL ? value : "-");
    }
}

static int get(const struct options *options, const struct view *view, struct slice identity)
{
    struct err err = {0, ""};
    struct holding holding = {.values = mem_zalloc((view->field_count + 1) * sizeof(char *))};
    int rc = fetch(options, view, identity, &holding, &err);
    bool is_known = holding.ttl_ms != -2;
    if (rc < 0)
        (void)fprintf(stderr, "tidewheel get: %s\n", err.text);
    else if (is_known || holding.freshness[0] != NULL)
        print(view, identity, &holding);
    else
        (void)fprintf(
            stderr,
            "tidewheel get: Redis holds nothing for this entity: no event has fed it, or it "
            "has expired\n");
    for (size_t i = 0; i < view->field_count; i++)
        free(holding.values[i]);
    free(holding.values);
    free(holding.freshness[0]);
    free(holding.freshness[1]);
    return rc < 0 ? EXIT_UNAVAILABLE : is_known ? EXIT_OK : EXIT_TEST_FAILED;
}

static int get_view(const struct cli_args *args, const struct options *options,
                    const struct catalog *catalog)
{
    const struct view *view = load_view(catalog, "get", args->operands[0]);
    if (view == NULL)
        return EXIT_USAGE;
    struct buf identity = {NULL, 0, 0};
    int rc = parse_identity(view, args->operands + 1, args->operand_count - 1, &identity);
    if (rc == EXIT_OK)
        rc = get(options, view, buf_slice(&identity));
    buf_fini(&identity);
    return rc;
}

int command_get(const struct cli_args *args)
{
    struct options options;
    struct catalog *catalog = NULL;
    if (args->operand_count == 0) {
        (void)fprintf(
            stderr,
            "tidewheel get: no VIEW was named; try: tidewheel get user_activity user_id=42\n");
        return EXIT_USAGE;
    }
    int rc = load_options(args, true, &options);
    if (rc != EXIT_OK)
        return rc;
    rc = load_catalog((const char *const *)options.pipelines, options.pipeline_count, &catalog);
    if (rc == EXIT_OK)
        rc = get_view(args, &options, catalog);
    catalog_free(catalog);
    options_fini(&options);
    return rc;
}
