#include "tidewheel/output.h"

#include <stdlib.h>
#include <xxhash.h>

#include "config/key_pattern.h"
#include "tidewheel/mem.h"
#include "tidewheel/num.h"

#define VERSION "1"

enum { NAME_MAX_BYTES = 128, TEXT_MAX = 16 << 20 };

/* ---- the canonical text of a definition
 *
 * Lines of words; what a person wrote is percent-encoded, so that no name can pass for another line.
 * These words never change: state that was made under other digits is made anew. */

/* clang-format off */
static const char *const TIME_WORDS[] = {
    [TIME_RECORD] = "record", [TIME_S] = "s", [TIME_MS] = "ms", [TIME_US] = "us", [TIME_NS] = "ns",
    [TIME_RFC3339] = "rfc3339",
};
static const char *const KEY_WORDS[] = {[KEY_STRING] = "string", [KEY_INT64] = "int64"};
static const char *const CLOCK_WORDS[] = {[CLOCK_WALL] = "wall", [CLOCK_EVENT] = "event"};
static const char *const MATCH_WORDS[] = {
    [MATCH_ALL] = "all", [MATCH_ANY] = "any", [MATCH_NOT] = "not", [MATCH_EQUAL] = "equal",
    [MATCH_EXISTS] = "exists", [MATCH_GT] = "gt", [MATCH_GTE] = "gte", [MATCH_LT] = "lt",
    [MATCH_LTE] = "lte",
};
/* clang-format on */

static void add_word(struct buf *ret, const char *text)
{
    buf_add_char(ret, ' ');
    key_encode(text, strlen(text), ret);
}

static void add_line(struct buf *ret, const char *name, const char *text)
{
    buf_add_text(ret, name);
    add_word(ret, text);
    buf_add_char(ret, '\n');
}

static void add_template_line(struct buf *ret, const char *name, const struct template *template)
{
    buf_printf(ret, "%s ", name);
    template_write(template, ret);
    buf_add_char(ret, '\n');
}

/* The node of a slot, without recursion: down, else on, else up and on. Returns the depth. */
static size_t find_slot(const struct paths *paths, int slot, const struct path_node **ret_chain)
{
    size_t depth = 0;
    const struct path_node *node = paths->root.child;
    while (node != NULL) {
        CHECK(depth < PATH_SEGMENTS_MAX);
        ret_chain[depth++] = node;
        if (node->slot == slot)
            return depth;
        const struct path_node *next = node->child;
        while (next == NULL && depth > 0)
            next = ret_chain[--depth]->next;
        node = next;
    }
    CHECK(false); /* Every slot has its path. */
    return 0;
}

static void add_path(struct buf *ret, const struct paths *paths, int slot)
{
    const struct path_node *chain[PATH_SEGMENTS_MAX];
    size_t depth = find_slot(paths, slot, chain);
    for (size_t i = 0; i < depth; i++) {
        if (i > 0)
            buf_add_char(ret, '.');
        key_encode(chain[i]->name, chain[i]->name_len, ret);
    }
}

static void add_operand(struct buf *ret, const struct value *operand)
{
    if (operand->type == VALUE_BOOL) {
        buf_add_text(ret, operand->truth ? "true" : "false");
        return;
    }
    buf_add_text(ret, operand->type == VALUE_NUMBER ? "number:" : "string:");
    key_encode(operand->text.ptr, operand->text.len, ret);
}

static int compare_texts(const void *a, const void *b)
{
    const struct buf *first = a;
    const struct buf *second = b;
    size_t len = first->len < second->len ? first->len : second->len;
    int by_bytes = memcmp(first->ptr, second->ptr, len);
    return by_bytes != 0 ? by_bytes : (first->len > second->len) - (first->len < second->len);
}

static void add_match(struct buf *ret, const struct match *match, const struct paths *paths);

/* Sorted, as the order of conditions makes no difference. */
static void add_children(struct buf *ret, const struct match *match, const struct paths *paths)
{
    size_t count = match_count(match);
    struct buf *texts = mem_zalloc((count + 1) * sizeof *texts);
    for (size_t i = 0; i < count; i++)
        add_match(&texts[i], match_child(match, i), paths);
    qsort(texts, count, sizeof *texts, compare_texts);
    for (size_t i = 0; i < count; i++) {
        buf_add_text(ret, i > 0 ? "," : "");
        buf_add(ret, texts[i].ptr, texts[i].len);
        buf_fini(&texts[i]);
    }
    free(texts);
}

/* As deep as the pipeline's file nests, which its reader limits. */
static void add_match(struct buf *ret, const struct match *match, const struct paths *paths)
{
    enum match_op op = match_op(match);
    bool is_group = op == MATCH_ALL || op == MATCH_ANY;
    if (is_group && match_count(match) == 1) {
        add_match(ret, match_child(match, 0), paths);
        return;
    }
    buf_printf(ret, "%s(", MATCH_WORDS[op]);
    if (is_group || op == MATCH_NOT) {
        add_children(ret, match, paths);
    } else {
        add_path(ret, paths, match_slot(match));
        buf_add_char(ret, ',');
        add_operand(ret, match_operand(match));
    }
    buf_add_char(ret, ')');
}

static void add_feature(struct buf *ret, const struct feature *feature, const struct paths *paths)
{
    add_line(ret, "feature", feature->name);
    if (feature->where != NULL) {
        buf_add_text(ret, "where ");
        add_match(ret, feature->where, paths);
        buf_add_char(ret, '\n');
    }
    if (feature->value_path != NULL)
        add_line(ret, "value", feature->value_path);
    for (size_t i = 0; i < feature->aggregate_count; i++)
        add_line(ret, "aggregate", feature->aggregates[i]->name);
    for (size_t i = 0; i < feature->window_count; i++) {
        const struct window *window = &feature->windows[i];
        buf_printf(ret, "window %lld %lld", (long long)window->length_ms,
                   (long long)window->hop_ms);
        add_word(ret, window->text);
        buf_add_char(ret, '\n');
    }
}

static void add_definition(struct buf *ret, const struct view *view)
{
    add_line(ret, "view", view->name);
    add_line(ret, "topic", view->topic->name);
    buf_printf(ret, "time %s", TIME_WORDS[view->time_unit]);
    if (view->time_path != NULL)
        add_word(ret, view->time_path);
    buf_add_char(ret, '\n');
    add_line(ret, "entity", view->entity_type);
    for (size_t i = 0; i < view->key_count; i++) {
        buf_printf(ret, "%s %s", i == 0 && view->has_tenant ? "tenant" : "key",
                   KEY_WORDS[view->keys[i].type]);
        add_word(ret, view->keys[i].path);
        buf_add_char(ret, '\n');
    }
    add_template_line(ret, "output", &view->key);
    add_template_line(ret, "freshness", &view->freshness_key);
    add_line(ret, "clock", CLOCK_WORDS[view->clock]);
    buf_printf(ret, "future %lld\n", (long long)view->future_max_ms);
    for (size_t i = 0; i < view->feature_count; i++)
        add_feature(ret, &view->features[i], view->topic->paths);
    for (size_t i = 0; i < view->field_count; i++)
        add_line(ret, "field", view->fields[i].name);
}

void view_definition(const struct view *view, char *ret)
{
    struct buf text = {NULL, 0, 0};
    add_definition(&text, view);
    XXH128_hash_t hash = XXH3_128bits(text.ptr, text.len);
    const uint64_t words[] = {hash.high64, hash.low64};
    for (int i = 0; i < DEFINITION_LEN; i++)
        ret[i] = "0123456789abcdef"[words[i / 16] >> (60 - i % 16 * 4) & 15];
    ret[DEFINITION_LEN] = '\0';
    buf_fini(&text);
}

/* ---- output ---- */

void view_output(const struct view *view, struct buf *ret)
{
    buf_add_text(ret, VERSION " ");
    template_write(&view->key, ret);
    buf_add_char(ret, ' ');
    template_write(&view->freshness_key, ret);
    buf_printf(ret, " %d %zu", view->has_tenant, view->key_count);
    add_word(ret, view->name);
    for (size_t i = 0; i < view->field_count; i++)
        add_word(ret, view->fields[i].name);
}

/* Words are parted by one space each; false: there are no more. */
static bool next_word(struct slice *rest, struct slice *ret)
{
    if (rest->ptr == NULL)
        return false;
    const char *space = rest->len > 0 ? memchr(rest->ptr, ' ', rest->len) : NULL;
    *ret = (struct slice){rest->ptr, space != NULL ? (size_t)(space - rest->ptr) : rest->len};
    *rest = space != NULL ? (struct slice){space + 1, rest->len - ret->len - 1}
                          : (struct slice){NULL, 0};
    return true;
}

static bool read_number(struct slice *rest, int64_t min, int64_t max, int64_t *ret)
{
    struct slice word;
    return next_word(rest, &word) && num_parse_int64(word.ptr, word.len, ret) && *ret >= min &&
           *ret <= max;
}

/* A name that is not empty and holds no NUL; NULL: it is none. */
static char *read_name(struct slice word)
{
    struct buf name = {NULL, 0, 0};
    key_decode(word, &name);
    bool is_name = name.len > 0 && memchr(name.ptr, '\0', name.len) == NULL;
    char *ret = is_name ? mem_strndup(name.ptr, name.len) : NULL;
    buf_fini(&name);
    return ret;
}

static bool read_fields(struct slice rest, struct output *output)
{
    struct slice word;
    size_t cap = 0;
    while (next_word(&rest, &word)) {
        char *name = output->field_count < OUTPUT_FIELDS_MAX ? read_name(word) : NULL;
        if (name == NULL)
            return false;
        output->fields = mem_grow(output->fields, output->field_count, &cap, sizeof(char *));
        output->fields[output->field_count++] = name;
    }
    return output->field_count > 0;
}

static bool has_parts(const struct template *template, size_t key_count)
{
    for (size_t i = 0; i < template->count; i++)
        if (template->parts[i].kind >= 0 && (size_t) template->parts[i].kind >= key_count)
            return false;
    return true;
}

static bool read_output(struct slice rest, struct output *output)
{
    struct slice word;
    int64_t has_tenant = 0;
    int64_t key_count = 0;
    if (!next_word(&rest, &word) || !slice_is_equal(word, slice_of(VERSION)) ||
        !next_word(&rest, &word) || !template_read(word, &output->key) ||
        !next_word(&rest, &word) || !template_read(word, &output->freshness_key) ||
        !read_number(&rest, 0, 1, &has_tenant) ||
        !read_number(&rest, 1 + has_tenant, KEYS_MAX + 1, &key_count) ||
        !has_parts(&output->key, (size_t)key_count) ||
        !has_parts(&output->freshness_key, (size_t)key_count) || !next_word(&rest, &word))
        return false;
    output->has_tenant = has_tenant == 1;
    output->key_count = (size_t)key_count;
    output->view = word.len <= NAME_MAX_BYTES ? read_name(word) : NULL;
    return output->view != NULL && read_fields(rest, output);
}

int output_read(struct slice text, struct output *ret, struct err *err)
{
    struct output output = {.field_count = 0};
    if (text.len <= TEXT_MAX && read_output(text, &output)) {
        *ret = output;
        return 0;
    }
    output_fini(&output);
    return err_set(err, ERR_INPUT,
                   "what a view has written is not said as '" VERSION
                   " KEY FRESHNESS_KEY TENANT KEYS VIEW FIELD...' (%zu bytes)",
                   text.len);
}

void output_fini(struct output *output)
{
    template_fini(&output->key);
    template_fini(&output->freshness_key);
    for (size_t i = 0; i < output->field_count; i++)
        free(output->fields[i]);
    free(output->fields);
    free(output->view);
    *output = (struct output){.field_count = 0};
}

/* ---- what is written still ---- */

static bool overlaps(const struct output *output, const struct template *ours,
                     const struct view *view, const struct template *theirs)
{
    struct buf a = {NULL, 0, 0};
    struct buf b = {NULL, 0, 0};
    key_pattern_add(ours, output->key_count - output->has_tenant, &a);
    key_pattern_add(theirs, view->key_count - view->has_tenant, &b);
    bool ret = key_pattern_overlaps(buf_slice(&a), buf_slice(&b));
    buf_fini(&a);
    buf_fini(&b);
    return ret;
}

/* Is name one of the two fields of view's freshness? */
static bool is_of_freshness(const char *name, const char *view)
{
    size_t len = strlen(view);
    return strncmp(name, view, len) == 0 &&
           (name[len] == '\0' || strcmp(name + len, ":event") == 0);
}

/* Does view write the field, with its values or (in the same hash, perhaps) with its freshness? */
static bool writes(const struct view *view, bool in_values, bool in_freshness, const char *name)
{
    for (size_t i = 0; in_values && i < view->field_count; i++)
        if (strcmp(view->fields[i].name, name) == 0)
            return true;
    return in_freshness && is_of_freshness(name, view->name);
}

static void subtract_view(struct output *output, const struct view *view)
{
    bool in_values = overlaps(output, &output->key, view, &view->key);
    bool in_freshness = overlaps(output, &output->key, view, &view->freshness_key);
    size_t left = 0;
    for (size_t i = 0; i < output->field_count; i++) {
        if (writes(view, in_values, in_freshness, output->fields[i]))
            free(output->fields[i]);
        else
            output->fields[left++] = output->fields[i];
    }
    output->field_count = left;
}

static bool writes_freshness(const struct output *output, const struct view *view)
{
    bool in_values = overlaps(output, &output->freshness_key, view, &view->key);
    bool in_freshness = overlaps(output, &output->freshness_key, view, &view->freshness_key);
    if (in_freshness && strcmp(view->name, output->view) == 0)
        return true;
    for (size_t i = 0; in_values && i < view->field_count; i++)
        if (is_of_freshness(view->fields[i].name, output->view))
            return true;
    return false;
}

void output_subtract(struct output *output, const struct catalog *catalog)
{
    bool is_fresh = false;
    for (size_t i = 0; i < catalog->view_count; i++) {
        subtract_view(output, catalog->views[i]);
        is_fresh =
            is_fresh || (output->view != NULL && writes_freshness(output, catalog->views[i]));
    }
    if (is_fresh) {
        free(output->view);
        output->view = NULL;
    }
}
