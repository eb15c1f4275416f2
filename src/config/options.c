#include "tidewheel/options.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/options_files.h"
#include "config/options_origin.h"
#include "config/options_rows.h"
#include "config/options_secrets.h"
#include "tidewheel/address.h"
#include "tidewheel/mem.h"
#include "tidewheel/pipeline.h"
#include "tidewheel/suggest.h"

#define ENV_PREFIX  "TIDEWHEEL_"
#define FILE_PRESET "config/tidewheel.yaml"

struct loader {
    const struct options_source *source;
    struct yaml *yaml; /* NULL: no file */
    struct setting_value values[OPTIONS];
    struct origin origins[OPTIONS];
    struct buf problems;   /* of all that is not in the file */
    bool is_behind_secret; /* in a list of properties: it may be the rest of one */
    struct options *options;
};

const char *option_env(const struct setting *row, char *ret)
{
    size_t len = (size_t)snprintf(ret, OPTION_ENV_MAX, "%s%s", ENV_PREFIX, row->path);
    for (size_t i = 0; i < len; i++)
        ret[i] = ret[i] == '.' ? '_' : (char)toupper((unsigned char)ret[i]);
    return ret;
}

static void problem(struct loader *loader, const char *origin, const char *path,
                    const char *sentence)
{
    buf_printf(&loader->problems, "%s: %s: %s\n", origin, path, sentence);
}

/* A problem of a row's value, wherever it came from. */
static void problem_of(void *arg, enum option option, const char *sentence)
{
    struct loader *loader = arg;
    if (loader->values[option].node != NULL)
        yaml_error(loader->values[option].node, "%s", sentence);
    else
        problem(loader, loader->origins[option].name, option_rows[option].path, sentence);
}

/* ---- properties of librdkafka ---- */

static const char *owned(const char *name, const char *value)
{
    for (size_t i = 0; i < owned_property_count; i++) {
        const struct owned_property *row = &owned_properties[i];
        if (strcmp(row->name, name) == 0)
            return row->allowed != NULL && strcmp(row->allowed, value) == 0 ? NULL : row->reason;
    }
    return NULL;
}

static void property_fini(struct property *property)
{
    free(property->name);
    free(property->value);
    free(property->origin);
}

/* Later beats earlier, in the place of the earlier. */
static void give_property(struct options *options, struct property property)
{
    for (size_t i = 0; i < options->librdkafka_count; i++) {
        if (strcmp(options->librdkafka[i].name, property.name) == 0) {
            property_fini(&options->librdkafka[i]);
            options->librdkafka[i] = property;
            return;
        }
    }
    options->librdkafka =
        mem_resize(options->librdkafka, options->librdkafka_count + 1, sizeof *options->librdkafka);
    options->librdkafka[options->librdkafka_count++] = property;
}

static bool is_property(const struct loader *loader, const char *name, const char *value,
                        struct err *err)
{
    property_check_fn *check = loader->source->check_property;
    return check == NULL || check(name, value, err);
}

/* The sentence never shows the value: it may be a password. node: of the file; else the origin. */
static int take_property(struct loader *loader, const char *name, const char *value,
                         const struct yaml_node *node, const char *origin, struct err *err)
{
    const char *beside = node != NULL ? loader->options->file : NULL;
    struct property property;
    const char *reason = owned(name, value);
    if (reason != NULL)
        return err_set(err, ERR_CONFIG, "is not to be set: %s", reason);
    if (strpbrk(name, ":= \t\n") != NULL)
        return err_set(err, ERR_CONFIG, "is no name of a property of librdkafka");
    int rc = options_read_property(name, value, beside, &property, err);
    if (rc < 0)
        return rc;
    property.origin = node != NULL ? origin_in_file(beside, node) : origin_outside(origin);
    if (is_property(loader, property.name, property.value, err)) {
        give_property(loader->options, property);
        return 0;
    }
    property_fini(&property);
    return ERR_CONFIG;
}

static void read_properties(struct loader *loader)
{
    const struct setting_value *value = &loader->values[OPTION_KAFKA_LIBRDKAFKA];
    if (value->node == NULL || value->is_refused)
        return;
    for (const struct yaml_node *node = value->node->child; node != NULL; node = node->next) {
        struct err err = {0, ""};
        if (node->kind != YAML_TEXT)
            yaml_error(node, "is no scalar; expected the property's value");
        else if (options_twin(node) != NULL)
            yaml_error_key(node, "'%s' is given, too; expected one of the two",
                           options_twin(node)->key);
        else if (take_property(loader, node->key, node->text, node, NULL, &err) < 0)
            yaml_error_key(node, "%s", err.text);
    }
}

static const char BEHIND_SECRET[] =
    "what is behind the ';' of a secret is no property; a value that has one goes into a file, by "
    "NAME_file";

/* name=value; what may be the rest of a secret is not shown. */
static void set_property(struct loader *loader, const char *origin, const char *text)
{
    const char *equals = strchr(text, '=');
    const char *path = option_rows[OPTION_KAFKA_LIBRDKAFKA].path;
    if (equals == NULL || equals == text) {
        problem(loader, origin, path,
                loader->is_behind_secret ? BEHIND_SECRET
                                         : "expected name=value, a property of librdkafka");
        return;
    }
    struct err err = {0, ""};
    char *name = mem_strndup(text, (size_t)(equals - text));
    int rc = take_property(loader, name, equals + 1, NULL, origin, &err);
    if (rc < 0 && loader->is_behind_secret)
        problem(loader, origin, path, BEHIND_SECRET);
    else if (rc < 0)
        buf_printf(&loader->problems, "%s: %s: %s\n", origin, cite_name(name).text, err.text);
    free(name);
}

static void set_listed_property(struct loader *loader, const char *origin, const char *piece)
{
    size_t len = strcspn(piece, "=");
    char *name = mem_strndup(piece, len);
    set_property(loader, origin, piece);
    loader->is_behind_secret = loader->is_behind_secret || property_is_secret(name);
    free(name);
}

/* Calls once per piece of a list. */
static void for_pieces(struct loader *loader, const char *origin, const char *text,
                       const char *separator,
                       void (*take)(struct loader *, const char *origin, const char *piece))
{
    for (const char *at = text; *at != '\0';) {
        size_t len = strcspn(at, separator);
        char *piece = mem_strndup(at, len);
        if (len > 0)
            take(loader, origin, piece);
        free(piece);
        at += len + (at[len] != '\0');
    }
}

/* ---- pipelines ---- */

/* Another list beats the file's: whether the file's patterns match is then of no interest. */
static bool are_pipelines_overridden(const struct options_source *source)
{
    char name[OPTION_ENV_MAX];
    const char *path = option_rows[OPTION_PIPELINES].path;
    const char *env = getenv(option_env(&option_rows[OPTION_PIPELINES], name));
    bool ret = env != NULL && *env != '\0';
    for (size_t i = 0; i < source->assignment_count; i++) {
        const char *text = source->assignments[i];
        ret = ret || (strncmp(text, path, strlen(path)) == 0 && text[strlen(path)] == '=');
    }
    return ret;
}

static void read_pipelines(struct loader *loader)
{
    const struct setting_value *value = &loader->values[OPTION_PIPELINES];
    if (value->node == NULL || value->is_refused || are_pipelines_overridden(loader->source))
        return;
    for (const struct yaml_node *node = value->node->child; node != NULL; node = node->next) {
        if (node->kind != YAML_TEXT || yaml_is_null(node))
            yaml_error(node, "expected a file's name or a pattern like ../pipelines/*.yaml");
        else if (!options_add_files(loader->options, node->text, loader->options->file) &&
                 loader->source->needs_pipelines)
            yaml_error(node, "%s matches no file", cite(node->text).text);
    }
}

static void set_pipeline(struct loader *loader, const char *origin, const char *piece)
{
    char sentence[128];
    (void)snprintf(sentence, sizeof sentence, "%s matches no file", cite(piece).text);
    if (!options_add_files(loader->options, piece, NULL) && loader->source->needs_pipelines)
        problem(loader, origin, option_rows[OPTION_PIPELINES].path, sentence);
}

static void forget_pipelines(struct options *options)
{
    for (size_t i = 0; i < options->pipeline_count; i++)
        free(options->pipelines[i]);
    options->pipeline_count = 0;
}

/* ---- values from outside the file ---- */

static void assign(struct loader *loader, enum option option, const char *origin, const char *text)
{
    const struct setting *row = &option_rows[option];
    struct setting_value value = {NULL, NULL, 0, false};
    struct err err;
    if (option == OPTION_PIPELINES) {
        (void)snprintf(loader->origins[option].name, OPTION_ENV_MAX, "%s", origin);
        forget_pipelines(loader->options);
        for_pieces(loader, origin, text, ",", set_pipeline);
    } else if (option == OPTION_KAFKA_LIBRDKAFKA) {
        for_pieces(loader, origin, text, ";", set_listed_property);
        loader->is_behind_secret = false;
    } else if (setting_parse(row, text, &value, &err) != 0) {
        problem(loader, origin, row->path, err.text);
    } else {
        loader->values[option] = value;
        (void)snprintf(loader->origins[option].name, OPTION_ENV_MAX, "%s", origin);
    }
}

static void assign_path(struct loader *loader, const char *path, const char *text)
{
    const char *map = option_rows[OPTION_KAFKA_LIBRDKAFKA].path;
    size_t map_len = strlen(map);
    struct suggest suggest = suggest_for(path);
    if (strncmp(path, map, map_len) == 0 && path[map_len] == '.') {
        struct buf pair = {NULL, 0, 0};
        buf_printf(&pair, "%s=%s", path + map_len + 1, text);
        set_property(loader, "-s", buf_text(&pair));
        buf_fini(&pair);
        return;
    }
    for (size_t i = 0; i < option_count; i++) {
        if (strcmp(option_rows[i].path, path) == 0) {
            assign(loader, (enum option)i, "-s", text);
            return;
        }
        suggest_try(&suggest, option_rows[i].path);
    }
    char hint[SUGGEST_TEXT_MAX];
    buf_printf(&loader->problems, "-s: %s: unknown option%s\n", cite_name(path).text,
               suggest_text(&suggest, hint));
}

static void read_assignments(struct loader *loader)
{
    for (size_t i = 0; i < loader->source->assignment_count; i++) {
        const char *text = loader->source->assignments[i];
        const char *equals = strchr(text, '=');
        if (equals == NULL) {
            buf_printf(&loader->problems, "-s: %s: expected path=value\n", cite_name(text).text);
            continue;
        }
        char *path = mem_strndup(text, (size_t)(equals - text));
        assign_path(loader, path, equals + 1);
        free(path);
    }
    for (size_t i = 0; i < loader->source->property_count; i++)
        set_property(loader, "-X", loader->source->properties[i]);
}

/* A name that only just misses one of ours is a slip; others (a service's address, say) are none of
 * our business. */
static void check_env_name(struct loader *loader, const char *name)
{
    struct suggest suggest = suggest_for(name);
    char names[OPTIONS][OPTION_ENV_MAX];
    suggest_try(&suggest, ENV_PREFIX "CONFIG");
    for (size_t i = 0; i < option_count; i++)
        suggest_try(&suggest, option_env(&option_rows[i], names[i]));
    if (suggest.best == NULL || suggest.distance == 0 || suggest.distance > 2)
        return;
    buf_printf(&loader->problems, "%s: unknown variable; did you mean '%s'?\n", name, suggest.best);
}

static void read_env(struct loader *loader)
{
    for (size_t i = 0; i < option_count; i++) {
        char name[OPTION_ENV_MAX];
        const char *text = getenv(option_env(&option_rows[i], name));
        if (text != NULL && *text != '\0')
            assign(loader, (enum option)i, name, text);
    }
    for (char **entry = environ; *entry != NULL; entry++) {
        char name[OPTION_ENV_MAX];
        size_t len = strcspn(*entry, "=");
        if (strncmp(*entry, ENV_PREFIX, strlen(ENV_PREFIX)) != 0 || len >= sizeof name)
            continue;
        (void)snprintf(name, sizeof name, "%.*s", (int)len, *entry);
        check_env_name(loader, name);
    }
}

/* ---- the whole ---- */

static void check_listen(struct loader *loader)
{
    const char *text = loader->values[OPTION_HTTP_LISTEN].text;
    struct address address;
    if (*text == '\0' || address_parse(text, &address))
        return;
    char sentence[160];
    (void)snprintf(sentence, sizeof sentence,
                   "%s is not an address; expected host:port like 127.0.0.1:4196", cite(text).text);
    problem_of(loader, OPTION_HTTP_LISTEN, sentence);
}

static bool is_explicit(const struct loader *loader, enum option option)
{
    return loader->values[option].node != NULL || loader->origins[option].name[0] != '\0';
}

/* The preset may well have no topic; a wish may not. What was refused has no text yet. */
static void check_on_error(struct loader *loader)
{
    const char *topic = loader->values[OPTION_DEAD_LETTER_TOPIC].text;
    if (topic == NULL || *topic != '\0')
        return;
    for (size_t i = OPTION_ON_ERROR_EMPTY; i <= OPTION_ON_ERROR_POISON; i++)
        if (is_explicit(loader, (enum option)i) && loader->values[i].text != NULL &&
            loader->values[i].number == ON_ERROR_DEAD_LETTER)
            problem_of(loader, (enum option)i,
                       "is dead_letter, and dead_letter.topic names no topic; name one, or choose "
                       "drop or stop");
}

/* Values that were refused stand as their preset by now, so that everything is something. */
static void restore_presets(struct loader *loader)
{
    struct err err;
    for (size_t i = 0; i < option_count; i++)
        if (setting_is_scalar(option_rows[i].type) && loader->values[i].text == NULL)
            CHECK(setting_parse(&option_rows[i], option_rows[i].preset, &loader->values[i], &err) ==
                  0);
}

static void fill(struct loader *loader)
{
    for (size_t i = 0; i < option_count; i++) {
        void *member = (char *)loader->options + option_rows[i].offset;
        switch (option_rows[i].type) {
        case SETTING_INT:
        case SETTING_DURATION:
        case SETTING_SIZE:
            *(int64_t *)member = loader->values[i].number;
            break;
        case SETTING_BOOL:
            *(bool *)member = loader->values[i].number != 0;
            break;
        case SETTING_TEXT:
        case SETTING_TOPIC:
        case SETTING_CHOICE:
            *(char **)member = mem_strdup(loader->values[i].text);
            break;
        default: /* lists are filled as they are read */
            break;
        }
    }
}

static const char *file_of(const struct options_source *source)
{
    const char *env = getenv(ENV_PREFIX "CONFIG");
    if (source->file != NULL)
        return source->file;
    if (env != NULL && *env != '\0')
        return env;
    return options_file_exists(FILE_PRESET) ? FILE_PRESET : NULL;
}

static void check_pipelines(struct loader *loader, bool is_clean)
{
    if (is_clean && loader->source->needs_pipelines && loader->options->pipeline_count == 0)
        buf_printf(&loader->problems,
                   "%s: pipelines: no pipeline file is named; expected a list like "
                   "[\"../pipelines/*.yaml\"]\n",
                   loader->options->file != NULL ? loader->options->file : "options");
}

int options_read(const struct options_source *source, struct buf *report, struct options *ret)
{
    struct loader loader = {.source = source, .options = ret};
    const char *file = file_of(source);
    *ret = (struct options){.file = file != NULL ? mem_strdup(file) : NULL};
    loader.yaml = file != NULL ? yaml_read(file) : NULL;
    settings_read(option_rows, option_count, loader.yaml != NULL ? yaml_root(loader.yaml) : NULL,
                  loader.values);
    options_check_written(loader.values, ret->file);
    read_properties(&loader);
    read_pipelines(&loader);
    read_env(&loader);
    read_assignments(&loader);
    check_on_error(&loader);
    restore_presets(&loader);
    options_read_redis(loader.values, ret->file, source->check_redis, &ret->redis, problem_of,
                       &loader);
    check_listen(&loader);
    fill(&loader);
    options_remember(ret, loader.values, loader.origins);
    size_t in_file = loader.yaml != NULL ? yaml_problem_count(loader.yaml) : 0;
    check_pipelines(&loader, in_file == 0 && loader.problems.len == 0);
    bool is_wrong = in_file > 0 || loader.problems.len > 0;
    if (in_file > 0)
        yaml_report(loader.yaml, report);
    buf_add(report, loader.problems.ptr, loader.problems.len);
    buf_fini(&loader.problems);
    yaml_close(loader.yaml);
    return is_wrong ? ERR_CONFIG : 0;
}

int options_load(const struct options_source *source, struct buf *report, struct options *ret)
{
    struct options options;
    int rc = options_read(source, report, &options);
    if (rc != 0)
        options_fini(&options);
    else
        *ret = options;
    return rc;
}

int options_check_catalog(const struct options *options, const struct catalog *catalog,
                          struct buf *report)
{
    const struct topic *topic = catalog_topic(catalog, slice_of(options->dead_letter_topic));
    if (topic == NULL)
        return 0;
    buf_printf(
        report,
        "%s: dead_letter.topic: '%s' is read by view %s: what was rejected would come back as "
        "new events\n",
        options->file != NULL ? options->file : "options", topic->name, topic->views[0]->name);
    return ERR_CONFIG;
}

enum on_error options_on_error(const struct options *options, enum verdict reason)
{
    const char *const *choices = option_rows[OPTION_ON_ERROR_EMPTY].choices;
    const char *text = options->on_error[reason];
    enum on_error ret = ON_ERROR_DROP;
    for (size_t i = 0; text != NULL && choices[i] != NULL; i++)
        if (strcmp(choices[i], text) == 0)
            ret = (enum on_error)i;
    bool has_topic = options->dead_letter_topic != NULL && *options->dead_letter_topic != '\0';
    return ret == ON_ERROR_DEAD_LETTER && !has_topic ? ON_ERROR_DROP : ret;
}

void options_fini(struct options *options)
{
    for (size_t i = 0; i < option_count; i++) {
        void *member = (char *)options + option_rows[i].offset;
        if (option_rows[i].type == SETTING_TEXT || option_rows[i].type == SETTING_TOPIC ||
            option_rows[i].type == SETTING_CHOICE)
            free(*(char **)member);
    }
    for (size_t i = 0; i < options->librdkafka_count; i++)
        property_fini(&options->librdkafka[i]);
    free(options->librdkafka);
    options_forget(options);
    redis_url_fini(&options->redis);
    forget_pipelines(options);
    free(options->pipelines);
    free(options->file);
    *options = (struct options){.file = NULL};
}
