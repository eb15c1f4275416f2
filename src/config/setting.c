#include "tidewheel/setting.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tidewheel/mask.h"
#include "tidewheel/num.h"
#include "tidewheel/quantity.h"
#include "tidewheel/redis_url.h"
#include "tidewheel/suggest.h"

enum { PATH_LEN_MAX = 512, NAME_LEN_MAX = 128, TOPIC_LEN_MAX = 249 };

#define DIGITS     "0123456789"
#define NAME_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_" DIGITS "-."

typedef int parse_fn(const struct setting *setting, const char *text, int64_t *ret,
                     struct err *err);

struct type_row {
    const char *name;
    const char *expected;
    enum yaml_kind kind;
    parse_fn *parse;                              /* of scalars */
    bool (*read)(const char *text, int64_t *ret); /* of numbers: text to number and back */
    void (*format)(int64_t number, char *ret);
};

/* What is expected of a row's value, for people: "a duration like 30s", "one of wall, event". */
struct expected {
    char text[256];
};

static struct expected expected_of(const struct setting *setting);

/* cite() of what may be shown. */
static struct citation cite_value(const struct setting *setting, const char *text)
{
    struct buf shown = {NULL, 0, 0};
    setting_show(setting, text, &shown);
    struct citation ret = cite(buf_text(&shown));
    buf_fini(&shown);
    return ret;
}

static int refuse(const struct setting *setting, const char *text, struct err *err)
{
    return err_set(err, ERR_CONFIG, "%s is not %s", cite_value(setting, text).text,
                   expected_of(setting).text);
}

static int parse_text(const struct setting *setting, const char *text, int64_t *ret,
                      struct err *err)
{
    (void)ret;
    size_t len = strlen(text);
    if (len < (size_t)setting->min)
        return err_set(err, ERR_CONFIG, "is empty; expected %s", expected_of(setting).text);
    if (setting->max > 0 && len > (size_t)setting->max)
        return err_set(err, ERR_CONFIG, "%s is longer than %lld bytes",
                       cite_value(setting, text).text, (long long)setting->max);
    for (; *text != '\0'; text++)
        if (*text == 0x7f || ((unsigned char)*text < 0x20 &&
                              (setting->type != SETTING_PROSE || strchr("\n\t", *text) == NULL)))
            return err_set(err, ERR_CONFIG, "has a control character in it");
    return 0;
}

static int parse_name(const struct setting *setting, const char *text, int64_t *ret,
                      struct err *err)
{
    (void)ret;
    size_t len = strlen(text);
    bool is_name = len > 0 && len <= NAME_LEN_MAX && strspn(text, NAME_CHARS) == len &&
                   strchr(DIGITS "-.", text[0]) == NULL;
    return is_name ? 0 : refuse(setting, text, err);
}

static int parse_topic(const struct setting *setting, const char *text, int64_t *ret,
                       struct err *err)
{
    (void)ret;
    size_t len = strlen(text);
    if (len == 0 && !setting->is_required)
        return 0; /* none */
    bool is_topic = len > 0 && len <= TOPIC_LEN_MAX && strspn(text, NAME_CHARS) == len &&
                    strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
    return is_topic ? 0 : refuse(setting, text, err);
}

static int parse_choice(const struct setting *setting, const char *text, int64_t *ret,
                        struct err *err)
{
    struct suggest suggest = suggest_for(text);
    char hint[SUGGEST_TEXT_MAX];
    for (size_t i = 0; setting->choices[i] != NULL; i++) {
        *ret = (int64_t)i;
        if (strcmp(setting->choices[i], text) == 0)
            return 0;
        suggest_try(&suggest, setting->choices[i]);
    }
    return err_set(err, ERR_CONFIG, "%s is not %s%s", cite_value(setting, text).text,
                   expected_of(setting).text, suggest_text(&suggest, hint));
}

static bool read_int(const char *text, int64_t *ret)
{
    return num_parse_int64(text, strlen(text), ret);
}

static void format_int(int64_t number, char *ret)
{
    ret[num_format_int64(number, ret)] = '\0';
}

static bool read_bool(const char *text, int64_t *ret)
{
    *ret = strcmp(text, "true") == 0;
    return *ret != 0 || strcmp(text, "false") == 0;
}

static parse_fn parse_number;

/* clang-format off */
static const struct type_row TYPES[SETTING_TYPES] = {
    [SETTING_TEXT]       = {"text", "text", YAML_TEXT, parse_text, NULL, NULL},
    [SETTING_PROSE]      = {"text", "text", YAML_TEXT, parse_text, NULL, NULL},
    [SETTING_PATH]       = {"path", "a dotted path into the event like order.total", YAML_TEXT, parse_text, NULL, NULL},
    [SETTING_NAME]       = {"name", "a name like user_activity (letters, digits and _ - ., first a letter or _)",
                            YAML_TEXT, parse_name, NULL, NULL},
    [SETTING_TOPIC]      = {"topic", "a Kafka topic's name (letters, digits and _ - .)",
                            YAML_TEXT, parse_topic, NULL, NULL},
    [SETTING_INT]        = {"int", "a whole number", YAML_TEXT, parse_number, read_int, format_int},
    [SETTING_DURATION]   = {"duration", "a duration like 500ms, 30s, 5m, 24h or 7d",
                            YAML_TEXT, parse_number, duration_parse, duration_format},
    [SETTING_SIZE]       = {"size", "a size like 512B, 256KiB, 64MiB or 4GiB",
                            YAML_TEXT, parse_number, size_parse, size_format},
    [SETTING_CHOICE]     = {"choice", "one of", YAML_TEXT, parse_choice, NULL, NULL},
    [SETTING_BOOL]       = {"bool", "true or false", YAML_TEXT, parse_number, read_bool, NULL},
    [SETTING_TEXTS]      = {"list", "a list of texts", YAML_LIST, NULL, NULL, NULL},
    [SETTING_PROPERTIES] = {"map", "a mapping of names to values", YAML_MAP, NULL, NULL, NULL},
    [SETTING_ITEMS]      = {"list", "a list of mappings", YAML_LIST, NULL, NULL, NULL},
    [SETTING_AGGREGATES] = {"list", "a list of aggregates like [count, sum]", YAML_LIST, NULL, NULL, NULL},
    [SETTING_WINDOWS]    = {"list", "a list of windows like [1h, 24h]", YAML_LIST, NULL, NULL, NULL},
    [SETTING_WHERE]      = {"map", "a condition like {event_type: purchase}", YAML_MAP, NULL, NULL, NULL},
};
/* clang-format on */

static int parse_number(const struct setting *setting, const char *text, int64_t *ret,
                        struct err *err)
{
    const struct type_row *type = &TYPES[setting->type];
    for (size_t i = 0; setting->choices != NULL && setting->choices[i] != NULL; i++) {
        *ret = 0;
        if (strcmp(setting->choices[i], text) == 0)
            return 0;
    }
    if (!type->read(text, ret))
        return refuse(setting, text, err);
    if (setting->max == 0 || (*ret >= setting->min && *ret <= setting->max))
        return 0;
    char min[QUANTITY_TEXT_MAX];
    char max[QUANTITY_TEXT_MAX];
    type->format(setting->min, min);
    type->format(setting->max, max);
    return err_set(err, ERR_CONFIG, "%s is not between %s and %s", cite_value(setting, text).text,
                   min, max);
}

static struct expected expected_of(const struct setting *setting)
{
    struct expected ret;
    bool is_choice = setting->type == SETTING_CHOICE;
    size_t len = (size_t)snprintf(
        ret.text, sizeof ret.text, "%s%s%s", TYPES[setting->type].expected,
        setting->example != NULL ? " like " : "", setting->example != NULL ? setting->example : "");
    for (size_t i = 0; is_choice && setting->choices[i] != NULL && len < sizeof ret.text; i++)
        len += (size_t)snprintf(ret.text + len, sizeof ret.text - len, "%s %s", i > 0 ? "," : "",
                                setting->choices[i]);
    return ret;
}

const char *setting_type_name(enum setting_type type)
{
    return TYPES[type].name;
}

bool setting_is_scalar(enum setting_type type)
{
    return TYPES[type].kind == YAML_TEXT;
}

void setting_show(const struct setting *setting, const char *text, struct buf *ret)
{
    switch (setting->secret) {
    case SECRET_NONE:
        mask_logins(text, ret);
        break;
    case SECRET_WHOLE:
        buf_add_text(ret, *text != '\0' ? MASK : "");
        break;
    case SECRET_IN_URL:
        redis_url_show(text, ret);
        break;
    }
}

void setting_limit(const struct setting *setting, int64_t limit, char *ret)
{
    const struct type_row *type = &TYPES[setting->type];
    (type->format != NULL ? type->format : format_int)(limit, ret);
}

int setting_parse(const struct setting *setting, const char *text, struct setting_value *ret,
                  struct err *err)
{
    int64_t number = 0;
    int rc = TYPES[setting->type].parse(setting, text, &number, err);
    if (rc == 0)
        *ret = (struct setting_value){ret->node, text, number, false};
    return rc;
}

/* The dotted path of node below base, as rows have it; false if no row can have it: it is too long,
 * or a key has a dot of its own and would pass for two. */
static bool path_below(const struct yaml_node *base, const struct yaml_node *node, char *ret)
{
    const struct yaml_node *chain[YAML_DEPTH_MAX + 2];
    size_t count = 0;
    for (; node != base; node = node->parent)
        chain[count++] = node;
    size_t len = 0;
    while (count-- > 0) {
        size_t key_len = strlen(chain[count]->key);
        if (len + key_len + 2 > PATH_LEN_MAX || strchr(chain[count]->key, '.') != NULL)
            return false;
        if (len > 0)
            ret[len++] = '.';
        memcpy(ret + len, chain[count]->key, key_len + 1);
        len += key_len;
    }
    return true;
}

static const struct setting *find(const struct setting *settings, size_t count, const char *path)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(settings[i].path, path) == 0)
            return &settings[i];
    return NULL;
}

static bool is_group(const struct setting *settings, size_t count, const char *path)
{
    size_t len = strlen(path);
    for (size_t i = 0; i < count; i++)
        if (strncmp(settings[i].path, path, len) == 0 && settings[i].path[len] == '.')
            return true;
    return false;
}

/* The names that may stand where path's last segment does. */
static void suggest_sibling(const struct setting *settings, size_t count, const char *path,
                            char names[SETTINGS_MAX][SUGGEST_LEN_MAX + 1], struct suggest *suggest)
{
    size_t prefix = strlen(path) - strlen(suggest->word);
    for (size_t i = 0; i < count && i < SETTINGS_MAX; i++) {
        const char *name = settings[i].path + prefix;
        if (strncmp(settings[i].path, path, prefix) != 0)
            continue;
        size_t len = strcspn(name, ".");
        if (len > SUGGEST_LEN_MAX)
            continue;
        memcpy(names[i], name, len);
        names[i][len] = '\0';
        suggest_try(suggest, names[i]);
    }
}

/* First a name that is right elsewhere, then one that is nearly right here, then a whole path. */
static void unknown_key(const struct setting *settings, size_t count, const struct yaml_node *node,
                        const char *path)
{
    struct suggest suggest = suggest_for(node->key);
    char names[SETTINGS_MAX][SUGGEST_LEN_MAX + 1];
    char hint[SUGGEST_TEXT_MAX];
    for (size_t i = 0; i < count && suggest.best == NULL; i++) {
        const char *last = strrchr(settings[i].path, '.');
        if (last != NULL && strcmp(last + 1, node->key) == 0)
            suggest.best = settings[i].path;
    }
    if (suggest.best == NULL)
        suggest_sibling(settings, count, path, names, &suggest);
    for (size_t i = 0; i < count && suggest.best == NULL; i++)
        suggest_try(&suggest, settings[i].path);
    if (strchr(node->key, '.') != NULL)
        yaml_error_key(node, "unknown key; the parts of a path are written as nested mappings");
    else
        yaml_error_key(node, "unknown key%s", suggest_text(&suggest, hint));
}

static void check_count(const struct setting *setting, const struct yaml_node *node)
{
    if (setting->type == SETTING_WHERE || setting->type == SETTING_PROPERTIES)
        return;
    if ((int64_t)node->count < setting->min)
        yaml_error(node, "is empty; expected %s", expected_of(setting).text);
    else if (setting->max > 0 && (int64_t)node->count > setting->max)
        yaml_error(node, "has %zu entries; at most %lld are allowed", node->count,
                   (long long)setting->max);
}

static const char *kind_name(const struct yaml_node *node)
{
    static const char *const NAMES[] = {"a scalar", "a list", "a mapping"};
    return yaml_is_null(node) ? "empty" : NAMES[node->kind];
}

static void read_value(const struct setting *setting, const struct yaml_node *node,
                       struct setting_value *ret)
{
    struct err err;
    ret->node = node;
    ret->is_refused = true;
    ret->text = NULL;
    if (node->kind != TYPES[setting->type].kind ||
        (node->kind == YAML_TEXT && yaml_is_null(node))) {
        yaml_error(node, "is %s; expected %s", kind_name(node), expected_of(setting).text);
    } else if (node->kind != YAML_TEXT) {
        check_count(setting, node);
        ret->is_refused = false;
    } else if (setting_parse(setting, node->text, ret, &err) != 0) {
        yaml_error(node, "%s", err.text);
    }
}

static void set_preset(const struct setting *setting, struct setting_value *ret)
{
    struct err err;
    *ret = (struct setting_value){NULL, NULL, 0, false};
    if (setting->preset != NULL && setting_is_scalar(setting->type))
        CHECK(setting_parse(setting, setting->preset, ret, &err) == 0);
}

/* Its group may be there already: the problem stands at the nearest one. */
static void check_required(const struct setting *setting, const struct yaml_node *map)
{
    const struct yaml_node *at = map;
    const char *rest = setting->path;
    for (const char *dot = strchr(rest, '.'); dot != NULL; dot = strchr(rest, '.')) {
        char segment[PATH_LEN_MAX];
        (void)snprintf(segment, sizeof segment, "%.*s", (int)(dot - rest), rest);
        const struct yaml_node *group = yaml_find(at, segment);
        if (group == NULL)
            break;
        if (group->kind != YAML_MAP && !yaml_is_null(group))
            return; /* said already */
        at = group;
        rest = dot + 1;
    }
    if (setting->is_required || (at != map && strchr(rest, '.') == NULL))
        yaml_error_lacks(at, rest, "is missing; expected %s", expected_of(setting).text);
}

/* In the order of the file, without recursion: down into groups, else on to the next. */
static const struct yaml_node *next_key(const struct yaml_node *node, const struct yaml_node *map,
                                        bool is_group_node)
{
    if (is_group_node && node->child != NULL)
        return node->child;
    while (node != map && node->next == NULL)
        node = node->parent;
    return node == map ? NULL : node->next;
}

void settings_read(const struct setting *settings, size_t count, const struct yaml_node *map,
                   struct setting_value *ret)
{
    for (size_t i = 0; i < count; i++)
        set_preset(&settings[i], &ret[i]);
    if (map == NULL)
        return;
    const struct yaml_node *node = map->child;
    while (node != NULL) {
        char path[PATH_LEN_MAX];
        bool fits = path_below(map, node, path);
        const struct setting *setting = fits ? find(settings, count, path) : NULL;
        bool opens = fits && setting == NULL && is_group(settings, count, path);
        if (setting != NULL)
            read_value(setting, node, &ret[setting - settings]);
        else if (!opens)
            unknown_key(settings, count, node, fits ? path : node->key);
        else if (node->kind != YAML_MAP && !yaml_is_null(node))
            yaml_error(node, "is %s; expected a mapping", kind_name(node));
        node = next_key(node, map, opens && node->kind == YAML_MAP);
    }
    for (size_t i = 0; i < count; i++)
        if ((settings[i].is_required || settings[i].is_required_in_group) && ret[i].node == NULL)
            check_required(&settings[i], map);
}
