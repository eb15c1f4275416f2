#include "config/pipeline_draft.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/where.h"
#include "tidewheel/mem.h"
#include "tidewheel/quantity.h"

/* {entity_type} {entity_id} {view} {version} {tenant} and the key fields */
enum { PLACEHOLDERS_MAX = 5 + KEYS_MAX };

void draft_error(const struct draft *draft, enum view_key key, const char *sentence)
{
    if (draft->values[key].node != NULL)
        yaml_error(draft->values[key].node, "%s", sentence);
    else
        yaml_error_lacks(draft->root, view_rows[key].path, "%s", sentence);
}

static char *copy(const struct setting_value *value)
{
    return value->text != NULL ? mem_strdup(value->text) : NULL;
}

static char *copy_or_empty(const struct setting_value *value)
{
    return mem_strdup(value->text != NULL ? value->text : "");
}

/* ---- source ---- */

static struct topic *topic_of(struct catalog *catalog, const char *name)
{
    for (size_t i = 0; i < catalog->topic_count; i++)
        if (strcmp(catalog->topics[i]->name, name) == 0)
            return catalog->topics[i];
    struct topic *topic = mem_zalloc(sizeof *topic);
    topic->name = mem_strdup(name);
    topic->paths = paths_new();
    topic->catalogs = 1;
    catalog->topics =
        mem_resize(catalog->topics, catalog->topic_count + 1, sizeof *catalog->topics);
    catalog->topics[catalog->topic_count++] = topic;
    return topic;
}

static void compile_source(struct draft *draft, struct catalog *catalog)
{
    struct view *view = draft->view;
    const struct setting_value *topic = &draft->values[VIEW_TOPIC];
    const struct setting_value *field = &draft->values[VIEW_TIME_FIELD];
    const struct setting_value *unit = &draft->values[VIEW_TIME_UNIT];
    view->topic = topic_of(catalog, topic->text != NULL ? topic->text : "");
    view->time_unit = TIME_RECORD;
    view->time_slot = PATH_NONE;
    if (unit->text != NULL)
        view->time_unit = (enum time_unit)(TIME_S + (int)unit->number);
    if (field->text == NULL)
        return;
    view->time_path = copy(field);
    view->time_slot = where_slot(field->node, false, field->text, view->topic->paths);
}

/* ---- entity ---- */

static void add_key(struct draft *draft, const struct yaml_node *node, const char *path,
                    enum key_type type)
{
    struct view *view = draft->view;
    if (view->key_count == KEYS_MAX)
        return;
    int slot = where_slot(node, false, path, view->topic->paths);
    view->keys[view->key_count++] = (struct key_spec){mem_strdup(path), type, slot};
}

static void compile_tenant(struct draft *draft)
{
    const struct setting_value *field = &draft->values[VIEW_TENANT_FIELD];
    const struct yaml_node *entity = yaml_find(draft->root, "entity");
    if (entity == NULL || yaml_find(entity, "tenant") == NULL)
        return;
    draft->view->has_tenant = true;
    if (field->text != NULL)
        add_key(draft, field->node, field->text, KEY_STRING);
}

static bool has_key(const struct view *view, const char *path)
{
    for (size_t i = view->has_tenant; i < view->key_count; i++)
        if (strcmp(view->keys[i].path, path) == 0)
            return true;
    return false;
}

static void compile_keys(struct draft *draft)
{
    const struct setting_value *keys = &draft->values[VIEW_ENTITY_KEYS];
    draft->view->keys = mem_zalloc(KEYS_MAX * sizeof *draft->view->keys);
    compile_tenant(draft);
    if (keys->node == NULL || keys->is_refused)
        return;
    for (const struct yaml_node *node = keys->node->child; node != NULL; node = node->next) {
        struct setting_value values[ENTITY_KEYS];
        if (node->kind != YAML_MAP) {
            yaml_error(node, "expected a mapping like {field: user_id, type: string}");
            continue;
        }
        settings_read(entity_rows, ENTITY_KEYS, node, values);
        if (values[ENTITY_FIELD].text == NULL)
            continue;
        if (has_key(draft->view, values[ENTITY_FIELD].text))
            yaml_error(values[ENTITY_FIELD].node, "%s is a key already",
                       cite(values[ENTITY_FIELD].text).text);
        else
            add_key(draft, values[ENTITY_FIELD].node, values[ENTITY_FIELD].text,
                    (enum key_type)values[ENTITY_TYPE].number);
    }
}

/* ---- output ---- */

static size_t placeholders_of(const struct view *view, const char *version,
                              struct placeholder ret[PLACEHOLDERS_MAX])
{
    size_t count = 0;
    ret[count++] = (struct placeholder){"entity_type", TEMPLATE_LITERAL, view->entity_type};
    ret[count++] = (struct placeholder){"entity_id", TEMPLATE_ENTITY_ID, NULL};
    ret[count++] = (struct placeholder){"view", TEMPLATE_LITERAL, view->name};
    ret[count++] = (struct placeholder){"version", TEMPLATE_LITERAL, version};
    if (view->has_tenant)
        ret[count++] = (struct placeholder){"tenant", 0, NULL};
    for (size_t i = view->has_tenant; i < view->key_count; i++)
        ret[count++] = (struct placeholder){view->keys[i].path, (int)i, NULL};
    return count;
}

static bool has_part(const struct template *template, const struct view *view, size_t number)
{
    for (size_t i = 0; i < template->count; i++) {
        int kind = template->parts[i].kind;
        bool is_tenant = view->has_tenant && number == 0;
        if (kind == (int)number || (kind == TEMPLATE_ENTITY_ID && !is_tenant))
            return true;
    }
    return false;
}

static void check_parts(const struct draft *draft, enum view_key key,
                        const struct template *template)
{
    const struct view *view = draft->view;
    for (size_t i = 0; i < view->key_count; i++) {
        char sentence[512];
        if (has_part(template, view, i))
            continue;
        bool is_tenant = view->has_tenant && i == 0;
        (void)snprintf(sentence, sizeof sentence,
                       "lacks {%s}%s, so entities that differ in it would share a hash",
                       is_tenant ? "tenant" : view->keys[i].path,
                       is_tenant ? "" : " or {entity_id}");
        draft_error(draft, key, sentence);
    }
}

/* Only where the keys themselves are right: else what is missing is missing because of them. */
static void compile_template(struct draft *draft, enum view_key key, const char *tenant_preset,
                             bool are_keys_right, struct template *ret)
{
    const struct setting_value *value = &draft->values[key];
    bool is_preset = value->node == NULL && draft->view->has_tenant;
    const char *source = is_preset ? tenant_preset : value->text;
    struct placeholder placeholders[PLACEHOLDERS_MAX];
    char version[32];
    struct err err;
    if (source == NULL || !are_keys_right)
        return;
    (void)snprintf(version, sizeof version, "%lld", (long long)draft->view->version);
    size_t count = placeholders_of(draft->view, version, placeholders);
    if (template_compile(source, placeholders, count, ret, &err) != 0)
        draft_error(draft, key, err.text);
    else
        check_parts(draft, key, ret);
}

static void compile_ttl(struct draft *draft)
{
    struct view *view = draft->view;
    const struct setting_value *ttl = &draft->values[VIEW_TTL];
    int64_t longest_ms = 0;
    for (size_t i = 0; i < view->feature_count; i++) {
        for (size_t j = 0; j < view->features[i].window_count; j++) {
            const struct window *window = &view->features[i].windows[j];
            if (window->length_ms > longest_ms)
                longest_ms = window->length_ms;
            if (window->length_ms + window->hop_ms > view->longest_ms + view->longest_hop_ms) {
                view->longest_ms = window->length_ms;
                view->longest_hop_ms = window->hop_ms;
            }
        }
    }
    view->ttl_ms = ttl->text != NULL ? ttl->number : 2 * longest_ms;
    if (ttl->text == NULL || view->ttl_ms >= view->longest_ms + view->longest_hop_ms)
        return;
    char sentence[256];
    char length[QUANTITY_TEXT_MAX];
    char hop[QUANTITY_TEXT_MAX];
    duration_format(view->longest_ms, length);
    duration_format(view->longest_hop_ms, hop);
    (void)snprintf(sentence, sizeof sentence,
                   "%s is shorter than the longest window and its hop (%s and %s): values would "
                   "expire while a window still holds events",
                   cite(ttl->text).text, length, hop);
    draft_error(draft, VIEW_TTL, sentence);
}

void view_compile(struct draft *draft, struct catalog *catalog)
{
    struct setting_value *values = draft->values;
    struct view *view = draft->view;
    settings_read(view_rows, VIEW_KEYS, draft->root, values);
    view->name = copy_or_empty(&values[VIEW_NAME]);
    view->description = copy(&values[VIEW_DESCRIPTION]);
    view->owner = copy(&values[VIEW_OWNER]);
    view->version = values[VIEW_VERSION].number;
    view->entity_type = copy_or_empty(&values[VIEW_ENTITY_TYPE]);
    view->clock = (enum clock_kind)values[VIEW_CLOCK].number;
    view->future_max_ms = values[VIEW_FUTURE_MAX].number;
    compile_source(draft, catalog);
    size_t problems = yaml_problem_count(draft->yaml);
    compile_keys(draft);
    bool are_keys_right = yaml_problem_count(draft->yaml) == problems &&
                          view->key_count > view->has_tenant && *view->name != '\0' &&
                          *view->entity_type != '\0' &&
                          view->has_tenant == (values[VIEW_TENANT_FIELD].text != NULL);
    compile_template(draft, VIEW_OUTPUT_KEY, TENANT_KEY, are_keys_right, &view->key);
    compile_template(draft, VIEW_FRESHNESS_KEY, TENANT_FRESHNESS_KEY, are_keys_right,
                     &view->freshness_key);
    features_compile(draft);
    fields_compile(draft);
    compile_ttl(draft);
}
