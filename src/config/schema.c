#include "tidewheel/schema.h"

#include <string.h>

#include "config/pipeline_keys.h"
#include "tidewheel/op.h"
#include "tidewheel/options.h"
#include "tidewheel/quantity.h"

#define NAME_PATTERN  "^[A-Za-z_][A-Za-z0-9_.-]{0,127}$"
#define TOPIC_PATTERN "^[A-Za-z0-9_.-]{1,249}$"

/* ---- JSON text, indented ---- */

struct json {
    struct buf *out;
    int depth;
    bool is_first; /* of the object or array that is open */
};

static void begin_value(struct json *json)
{
    if (!json->is_first)
        buf_add_char(json->out, ',');
    if (json->depth > 0)
        buf_printf(json->out, "\n%*s", 2 * json->depth, "");
    json->is_first = false;
}

static void add_string(struct json *json, const char *text)
{
    buf_add_char(json->out, '"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            buf_add_char(json->out, '\\');
        buf_add_char(json->out, *text);
    }
    buf_add_char(json->out, '"');
}

static void key(struct json *json, const char *name)
{
    begin_value(json);
    add_string(json, name);
    buf_add_text(json->out, ": ");
}

static void open(struct json *json, const char *name, char bracket)
{
    if (name != NULL)
        key(json, name);
    else
        begin_value(json);
    buf_add_char(json->out, bracket);
    json->depth++;
    json->is_first = true;
}

static void close(struct json *json, char bracket)
{
    json->depth--;
    if (!json->is_first)
        buf_printf(json->out, "\n%*s", 2 * json->depth, "");
    buf_add_char(json->out, bracket);
    json->is_first = false;
}

static void text(struct json *json, const char *name, const char *value)
{
    key(json, name);
    add_string(json, value);
}

static void item(struct json *json, const char *value)
{
    begin_value(json);
    add_string(json, value);
}

static void number(struct json *json, const char *name, int64_t value)
{
    key(json, name);
    buf_printf(json->out, "%lld", (long long)value);
}

static void truth(struct json *json, const char *name, bool value)
{
    key(json, name);
    buf_add_text(json->out, value ? "true" : "false");
}

/* name: {"$ref": "#/$defs/of"}, or without a name the object alone. */
static void reference(struct json *json, const char *name, const char *of)
{
    open(json, name, '{');
    key(json, "$ref");
    buf_printf(json->out, "\"#/$defs/%s\"", of);
    close(json, '}');
}

static void pattern(struct json *json, const char *value)
{
    open(json, NULL, '{');
    text(json, "type", "string");
    text(json, "pattern", value);
    close(json, '}');
}

/* ---- one row ---- */

static void object(struct json *json, const struct setting *rows, size_t count, const char *prefix);

/* Texts may be written plainly, and then look like numbers. */
static void add_scalar_types(struct json *json)
{
    open(json, "type", '[');
    item(json, "string");
    item(json, "number");
    item(json, "boolean");
    close(json, ']');
}

static void add_choices(struct json *json, const struct setting *row)
{
    open(json, NULL, '{');
    open(json, "enum", '[');
    for (size_t i = 0; row->choices[i] != NULL; i++)
        item(json, row->choices[i]);
    close(json, ']');
    close(json, '}');
}

static void add_boolean(struct json *json)
{
    open(json, NULL, '{');
    text(json, "type", "boolean");
    close(json, '}');
}

static void add_integer(struct json *json, const struct setting *row)
{
    open(json, NULL, '{');
    text(json, "type", "integer");
    if (row->max > 0) {
        number(json, "minimum", row->min);
        number(json, "maximum", row->max);
    }
    close(json, '}');
}

/* What a scalar may be, or a ${VAR} in its place. */
static void add_alternatives(struct json *json, const struct setting *row)
{
    open(json, "anyOf", '[');
    if (row->choices != NULL)
        add_choices(json, row);
    if (row->type == SETTING_NAME)
        pattern(json, NAME_PATTERN);
    else if (row->type == SETTING_TOPIC)
        pattern(json, row->is_required ? TOPIC_PATTERN : TOPIC_PATTERN "|^$");
    else if (row->type == SETTING_DURATION)
        pattern(json, DURATION_PATTERN);
    else if (row->type == SETTING_SIZE)
        pattern(json, SIZE_PATTERN);
    if (row->type == SETTING_INT || row->type == SETTING_SIZE)
        add_integer(json, row);
    if (row->type == SETTING_BOOL)
        add_boolean(json);
    reference(json, NULL, "variable");
    close(json, ']');
}

static void add_counts(struct json *json, const struct setting *row)
{
    if (row->min > 0)
        number(json, "minItems", row->min);
    if (row->max > 0)
        number(json, "maxItems", row->max);
}

static void add_windows(struct json *json, const struct setting *row)
{
    open(json, "items", '{');
    open(json, "anyOf", '[');
    pattern(json, DURATION_PATTERN);
    open(json, NULL, '{');
    object(json, row->items, row->item_count, "");
    close(json, '}');
    reference(json, NULL, "variable");
    close(json, ']');
    close(json, '}');
}

static void add_items(struct json *json, const struct setting *row)
{
    text(json, "type", "array");
    add_counts(json, row);
    if (row->type == SETTING_WINDOWS) {
        add_windows(json, row);
    } else if (row->type == SETTING_AGGREGATES) {
        reference(json, "items", "aggregate");
        truth(json, "uniqueItems", true);
    } else {
        open(json, "items", '{');
        if (row->type == SETTING_ITEMS)
            object(json, row->items, row->item_count, "");
        else
            text(json, "type", "string");
        close(json, '}');
    }
}

static void add_preset(struct json *json, const struct setting *row)
{
    if (row->preset == NULL)
        return;
    key(json, "default");
    if (row->type == SETTING_INT || row->type == SETTING_BOOL)
        buf_add_text(json->out, row->preset);
    else
        add_string(json, row->preset);
}

static void add_row(struct json *json, const struct setting *row, const char *name)
{
    open(json, name, '{');
    text(json, "description", row->help);
    add_preset(json, row);
    if (row->type == SETTING_TEXT || row->type == SETTING_PROSE || row->type == SETTING_PATH) {
        add_scalar_types(json);
        if (row->min > 0)
            number(json, "minLength", row->min);
    } else if (row->type == SETTING_PROPERTIES) {
        text(json, "type", "object");
        open(json, "additionalProperties", '{');
        add_scalar_types(json);
        close(json, '}');
    } else if (row->type == SETTING_WHERE) {
        key(json, "$ref");
        add_string(json, "#/$defs/where");
    } else if (setting_is_scalar(row->type)) {
        add_alternatives(json, row);
    } else {
        add_items(json, row);
    }
    close(json, '}');
}

/* ---- a table ---- */

/* The segment of row's path that stands behind the prefix; its length, 0 if it lies elsewhere. */
static size_t segment_of(const struct setting *row, const char *prefix, const char **ret)
{
    size_t len = strlen(prefix);
    if (strncmp(row->path, prefix, len) != 0)
        return 0;
    *ret = row->path + len;
    return strcspn(*ret, ".");
}

/* Rows of one group stand together, so only the first of them opens it. */
static bool is_new_segment(const struct setting *rows, size_t index, const char *prefix)
{
    const char *segment = NULL;
    const char *before = NULL;
    size_t len = segment_of(&rows[index], prefix, &segment);
    if (len == 0 || index == 0)
        return len > 0;
    size_t before_len = segment_of(&rows[index - 1], prefix, &before);
    return before_len != len || memcmp(before, segment, len) != 0;
}

static void add_required(struct json *json, const struct setting *rows, size_t count,
                         const char *prefix)
{
    struct buf last = {NULL, 0, 0};
    bool is_open = false;
    for (size_t i = 0; i < count; i++) {
        const char *segment = NULL;
        size_t len = segment_of(&rows[i], prefix, &segment);
        bool is_leaf = len > 0 && segment[len] == '\0';
        bool is_required = rows[i].is_required || (is_leaf && rows[i].is_required_in_group);
        if (len == 0 || !is_required ||
            slice_is_equal(buf_slice(&last), (struct slice){segment, len}))
            continue;
        if (!is_open)
            open(json, "required", '[');
        is_open = true;
        buf_reset(&last);
        buf_add(&last, segment, len);
        item(json, buf_text(&last));
    }
    if (is_open)
        close(json, ']');
    buf_fini(&last);
}

/* The members of an object schema whose keys lie below the prefix ("flush." or ""). Goes as deep as
 * the tables do. */
static void object(struct json *json, const struct setting *rows, size_t count, const char *prefix)
{
    text(json, "type", "object");
    truth(json, "additionalProperties", false);
    add_required(json, rows, count, prefix);
    open(json, "properties", '{');
    for (size_t i = 0; i < count; i++) {
        const char *segment = NULL;
        if (!is_new_segment(rows, i, prefix))
            continue;
        size_t len = segment_of(&rows[i], prefix, &segment);
        struct buf name = {NULL, 0, 0};
        buf_add(&name, segment, len);
        if (segment[len] == '\0') {
            add_row(json, &rows[i], buf_text(&name));
        } else {
            struct buf below = {NULL, 0, 0};
            buf_printf(&below, "%s%s.", prefix, buf_text(&name));
            open(json, buf_text(&name), '{');
            object(json, rows, count, buf_text(&below));
            close(json, '}');
            buf_fini(&below);
        }
        buf_fini(&name);
    }
    close(json, '}');
}

/* ---- definitions ---- */

static void define_variable(struct json *json)
{
    open(json, "variable", '{');
    text(json, "description", "${VAR}, ${VAR:-default} or ${VAR:?message} of the environment");
    text(json, "type", "string");
    text(json, "pattern", "\\$\\{");
    close(json, '}');
}

static void define_aggregate(struct json *json)
{
    open(json, "aggregate", '{');
    open(json, "oneOf", '[');
    for (size_t i = 0; i < op_count; i++) {
        open(json, NULL, '{');
        text(json, "const", op_rows[i].name);
        text(json, "description", op_rows[i].help);
        close(json, '}');
    }
    close(json, ']');
    close(json, '}');
}

static void define_comparison(struct json *json)
{
    static const char *const TYPES[] = {
        [WHERE_NUMBER] = "number", [WHERE_BOOL] = "boolean", [WHERE_SCALARS] = "array"};
    open(json, "comparison", '{');
    text(json, "type", "object");
    number(json, "minProperties", 1);
    truth(json, "additionalProperties", false);
    open(json, "properties", '{');
    for (size_t i = 0; i < where_row_count; i++) {
        open(json, where_rows[i].name, '{');
        text(json, "description", where_rows[i].help);
        if (where_rows[i].operand == WHERE_SCALARS) {
            text(json, "type", TYPES[where_rows[i].operand]);
            number(json, "minItems", 1);
            open(json, "items", '{');
            add_scalar_types(json);
            close(json, '}');
        } else {
            open(json, "anyOf", '[');
            open(json, NULL, '{');
            text(json, "type", TYPES[where_rows[i].operand]);
            close(json, '}');
            reference(json, NULL, "variable");
            close(json, ']');
        }
        close(json, '}');
    }
    close(json, '}');
    close(json, '}');
}

static void define_where(struct json *json)
{
    open(json, "where", '{');
    text(json, "description", "all of its terms must hold");
    text(json, "type", "object");
    number(json, "minProperties", 1);
    open(json, "properties", '{');
    open(json, "any", '{');
    text(json, "description", "one of the list must hold");
    text(json, "type", "array");
    number(json, "minItems", 1);
    reference(json, "items", "where");
    close(json, '}');
    reference(json, "not", "where");
    close(json, '}');
    open(json, "additionalProperties", '{');
    open(json, "anyOf", '[');
    open(json, NULL, '{');
    add_scalar_types(json);
    close(json, '}');
    reference(json, NULL, "comparison");
    close(json, ']');
    close(json, '}');
    close(json, '}');
}

static void begin(struct json *json, const char *title)
{
    open(json, NULL, '{');
    text(json, "$schema", "https://json-schema.org/draft/2020-12/schema");
    text(json, "title", title);
}

void schema_config(struct buf *ret)
{
    struct json json = {ret, 0, true};
    begin(&json, "tidewheel's configuration");
    object(&json, option_rows, option_count, "");
    open(&json, "$defs", '{');
    define_variable(&json);
    close(&json, '}');
    close(&json, '}');
    buf_add_char(ret, '\n');
}

void schema_pipeline(struct buf *ret)
{
    struct json json = {ret, 0, true};
    begin(&json, "a tidewheel pipeline");
    object(&json, view_rows, VIEW_KEYS, "");
    open(&json, "$defs", '{');
    define_variable(&json);
    define_aggregate(&json);
    define_comparison(&json);
    define_where(&json);
    close(&json, '}');
    close(&json, '}');
    buf_add_char(ret, '\n');
}
