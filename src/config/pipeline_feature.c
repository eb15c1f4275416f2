#include "config/pipeline_draft.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/where.h"
#include "tidewheel/mem.h"
#include "tidewheel/quantity.h"
#include "tidewheel/suggest.h"

/* ---- aggregates ---- */

static void unknown_aggregate(const struct yaml_node *node)
{
    struct suggest suggest = suggest_for(node->text);
    struct buf list = {NULL, 0, 0};
    char hint[SUGGEST_TEXT_MAX];
    for (size_t i = 0; i < op_count; i++) {
        suggest_try(&suggest, op_rows[i].name);
        buf_printf(&list, "%s%s", i > 0 ? ", " : "", op_rows[i].name);
    }
    yaml_error(node, "%s is no aggregate; expected one of %s%s", cite(node->text).text,
               buf_text(&list), suggest_text(&suggest, hint));
    buf_fini(&list);
}

static bool has_aggregate(const struct feature *feature, const struct op *op)
{
    for (size_t i = 0; i < feature->aggregate_count; i++)
        if (feature->aggregates[i] == op)
            return true;
    return false;
}

static void compile_aggregates(struct feature *feature, const struct setting_value *values)
{
    const struct yaml_node *list = values[FEATURE_AGGREGATES].node;
    if (list == NULL || values[FEATURE_AGGREGATES].is_refused)
        return;
    feature->aggregates = mem_zalloc((list->count + 1) * sizeof(struct op *));
    for (const struct yaml_node *node = list->child; node != NULL; node = node->next) {
        const struct op *op = node->kind == YAML_TEXT ? op_find(node->text) : NULL;
        if (node->kind != YAML_TEXT)
            yaml_error(node, "expected the name of an aggregate like count");
        else if (op == NULL)
            unknown_aggregate(node);
        else if (has_aggregate(feature, op))
            yaml_error(node, "%s is given twice", op->name);
        else if (op->needs_value && values[FEATURE_VALUE].node == NULL)
            yaml_error(node, "%s needs a number to work on, and this feature has no `value:`",
                       op->name);
        else
            feature->aggregates[feature->aggregate_count++] = op;
    }
}

/* ---- windows ---- */

/* length and hop as the file has them; hop->text is NULL where the default holds. */
static bool read_window(const struct yaml_node *node, struct setting_value values[WINDOW_KEYS])
{
    struct err err;
    memset(values, 0, WINDOW_KEYS * sizeof *values);
    if (node->kind == YAML_MAP) {
        settings_read(window_rows, WINDOW_KEYS, node, values);
        return values[WINDOW_LENGTH].text != NULL && !values[WINDOW_HOP].is_refused;
    }
    if (node->kind != YAML_TEXT) {
        yaml_error(node, "expected a duration like 24h, or {length: 1h, hop: 5m}");
        return false;
    }
    if (setting_parse(&window_rows[WINDOW_LENGTH], node->text, &values[WINDOW_LENGTH], &err) != 0) {
        yaml_error(node, "%s", err.text);
        return false;
    }
    return true;
}

static const struct window *twin_of(const struct feature *feature, int64_t length_ms)
{
    for (size_t i = 0; i < feature->window_count; i++)
        if (feature->windows[i].length_ms == length_ms)
            return &feature->windows[i];
    return NULL;
}

/* The first window whose hop and hop_ms do not divide each other. */
static const struct window *misfit_of(const struct feature *feature, int64_t hop_ms)
{
    for (size_t i = 0; i < feature->window_count; i++)
        if (feature->windows[i].hop_ms % hop_ms != 0 && hop_ms % feature->windows[i].hop_ms != 0)
            return &feature->windows[i];
    return NULL;
}

static bool check_window(const struct feature *feature, const struct yaml_node *node,
                         const struct setting_value *values, int64_t hop_ms)
{
    char hop[QUANTITY_TEXT_MAX];
    char other[QUANTITY_TEXT_MAX];
    int64_t length_ms = values[WINDOW_LENGTH].number;
    const struct yaml_node *at = values[WINDOW_HOP].node != NULL ? values[WINDOW_HOP].node : node;
    const struct window *twin = twin_of(feature, length_ms);
    const struct window *misfit = misfit_of(feature, hop_ms);
    duration_format(hop_ms, hop);
    if (twin != NULL) {
        yaml_error(node, "%s is as long as the window %s of this feature",
                   cite(values[WINDOW_LENGTH].text).text, twin->text);
        return false;
    }
    if (values[WINDOW_HOP].text != NULL && length_ms % hop_ms != 0) {
        yaml_error(at, "the hop %s does not divide the window's length, %s", hop,
                   values[WINDOW_LENGTH].text);
        return false;
    }
    if (misfit != NULL) {
        duration_format(misfit->hop_ms, other);
        yaml_error(at,
                   "the hop %s does not nest with %s, the hop of the window %s: one must divide "
                   "the other",
                   hop, other, misfit->text);
        return false;
    }
    return true;
}

static void compile_windows(struct feature *feature, const struct setting_value *value)
{
    const struct yaml_node *list = value->node;
    if (list == NULL || value->is_refused)
        return;
    feature->windows = mem_zalloc((list->count + 1) * sizeof *feature->windows);
    for (const struct yaml_node *node = list->child; node != NULL; node = node->next) {
        struct setting_value values[WINDOW_KEYS];
        if (!read_window(node, values))
            continue;
        int64_t length_ms = values[WINDOW_LENGTH].number;
        int64_t hop_ms = values[WINDOW_HOP].text != NULL ? values[WINDOW_HOP].number
                                                         : window_default_hop(length_ms);
        if (check_window(feature, node, values, hop_ms))
            feature->windows[feature->window_count++] =
                (struct window){length_ms, hop_ms, mem_strdup(values[WINDOW_LENGTH].text)};
    }
}

/* ---- features ---- */

static bool is_name_taken(const struct view *view, const char *name)
{
    for (size_t i = 0; i < view->feature_count; i++)
        if (strcmp(view->features[i].name, name) == 0)
            return true;
    return false;
}

static void compile_feature(struct draft *draft, const struct yaml_node *node)
{
    struct setting_value values[FEATURE_KEYS];
    struct view *view = draft->view;
    struct paths *paths = view->topic->paths;
    settings_read(feature_rows, FEATURE_KEYS, node, values);
    const char *name = values[FEATURE_NAME].text != NULL ? values[FEATURE_NAME].text : "";
    if (*name != '\0' && is_name_taken(view, name))
        yaml_error(values[FEATURE_NAME].node, "%s is the name of another feature of this view",
                   cite(name).text);
    draft->feature_nodes[view->feature_count] =
        values[FEATURE_NAME].node != NULL ? values[FEATURE_NAME].node : node;
    struct feature *feature = &view->features[view->feature_count++];
    feature->name = mem_strdup(name);
    feature->value_slot = PATH_NONE;
    if (values[FEATURE_WHERE].node != NULL && !values[FEATURE_WHERE].is_refused)
        feature->where = where_compile(values[FEATURE_WHERE].node, paths);
    if (values[FEATURE_VALUE].text != NULL) {
        feature->value_path = mem_strdup(values[FEATURE_VALUE].text);
        feature->value_slot =
            where_slot(values[FEATURE_VALUE].node, false, feature->value_path, paths);
    }
    compile_aggregates(feature, values);
    compile_windows(feature, &values[FEATURE_WINDOWS]);
}

void features_compile(struct draft *draft)
{
    const struct setting_value *value = &draft->values[VIEW_FEATURES];
    if (value->node == NULL || value->is_refused)
        return;
    draft->view->features = mem_zalloc((value->node->count + 1) * sizeof(struct feature));
    for (const struct yaml_node *node = value->node->child;
         node != NULL && draft->view->feature_count < FEATURES_MAX; node = node->next) {
        if (node->kind == YAML_MAP)
            compile_feature(draft, node);
        else
            yaml_error(node, "expected a mapping with name, aggregates and windows");
    }
}

/* ---- fields ---- */

static int render_field(const struct draft *draft, const char *feature, const char *window,
                        const char *aggregate, struct buf *ret, struct err *err)
{
    const struct view *view = draft->view;
    char version[32];
    (void)snprintf(version, sizeof version, "%lld", (long long)view->version);
    const struct placeholder placeholders[] = {
        {"feature", TEMPLATE_LITERAL, feature},     {"window", TEMPLATE_LITERAL, window},
        {"aggregate", TEMPLATE_LITERAL, aggregate}, {"view", TEMPLATE_LITERAL, view->name},
        {"version", TEMPLATE_LITERAL, version},
    };
    struct template template;
    int rc = template_compile(draft->values[VIEW_OUTPUT_FIELD].text, placeholders,
                              sizeof placeholders / sizeof *placeholders, &template, err);
    if (rc != 0)
        return rc;
    buf_reset(ret);
    for (size_t i = 0; i < template.count; i++) /* one literal, or none */
        buf_add(ret, template.parts[i].text, template.parts[i].len);
    template_fini(&template);
    return 0;
}

static size_t count_fields(const struct view *view)
{
    size_t count = 0;
    for (size_t i = 0; i < view->feature_count; i++)
        count += view->features[i].window_count * view->features[i].aggregate_count;
    return count;
}

/* A refused template is said once, not for each field. */
static bool is_field_template_right(const struct draft *draft)
{
    struct buf trial = {NULL, 0, 0};
    struct err err;
    if (draft->values[VIEW_OUTPUT_FIELD].text == NULL)
        return false;
    int rc = render_field(draft, "f", "w", "a", &trial, &err);
    if (rc != 0)
        draft_error(draft, VIEW_OUTPUT_FIELD, err.text);
    buf_fini(&trial);
    return rc == 0;
}

static void add_fields(struct draft *draft, size_t feature_index, struct buf *name)
{
    struct view *view = draft->view;
    const struct feature *feature = &view->features[feature_index];
    for (size_t i = 0; i < feature->window_count; i++) {
        for (size_t j = 0; j < feature->aggregate_count; j++) {
            struct err err;
            const struct op *op = feature->aggregates[j];
            CHECK(render_field(draft, feature->name, feature->windows[i].text, op->name, name,
                               &err) == 0);
            view->fields[view->field_count++] = (struct output_field){
                mem_strndup(buf_text(name), name->len), (uint16_t)feature_index, (uint16_t)i, op};
        }
    }
}

void fields_compile(struct draft *draft)
{
    struct view *view = draft->view;
    size_t count = count_fields(view);
    struct buf name = {NULL, 0, 0};
    if (count > OUTPUT_FIELDS_MAX) {
        char sentence[128];
        (void)snprintf(sentence, sizeof sentence, "make %zu fields; at most %d are allowed", count,
                       OUTPUT_FIELDS_MAX);
        draft_error(draft, VIEW_FEATURES, sentence);
        return;
    }
    if (!is_field_template_right(draft))
        return;
    view->fields = mem_zalloc((count + 1) * sizeof *view->fields);
    for (size_t i = 0; i < view->feature_count; i++)
        add_fields(draft, i, &name);
    buf_fini(&name);
}
