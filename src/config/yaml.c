#include "tidewheel/yaml.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "config/expand.h"
#include "config/yaml_tree.h"
#include "tidewheel/mem.h"

/* The tree grows along libyaml's events; open is the collection that the next node goes into. */
struct builder {
    struct yaml *yaml;
    yaml_parser_t parser;
    struct yaml_node *open;
    struct yaml_node
        *last[YAML_DEPTH_MAX + 1]; /* by depth: the open collections' newest children */
    int depth;
    char *key; /* of the pair whose value comes next, or NULL */
    int key_line;
    int key_column;
    int documents;
    bool is_done;
};

static int line_of(yaml_mark_t mark)
{
    return (int)mark.line + 1;
}

static int column_of(yaml_mark_t mark)
{
    return (int)mark.column + 1;
}

static void add_problem(struct yaml *yaml, int line, int column, const char *text)
{
    yaml_problems_add(&yaml->problems, line, column, slice_of(text));
}

/* What stops the reading: one sentence, and no tree. */
static int refuse(struct builder *builder, yaml_mark_t mark, const char *text)
{
    add_problem(builder->yaml, line_of(mark), column_of(mark), text);
    return ERR_CONFIG;
}

static int refuse_limit(struct builder *builder, yaml_mark_t mark, const char *what, int limit)
{
    char text[128];
    (void)snprintf(text, sizeof text, "has more than %d %s", limit, what);
    return refuse(builder, mark, text);
}

static struct yaml_node *node_new(struct yaml *yaml, enum yaml_kind kind, yaml_mark_t mark)
{
    struct yaml_node *node = mem_zalloc(sizeof *node);
    node->kind = kind;
    node->line = line_of(mark);
    node->column = column_of(mark);
    node->yaml = yaml;
    yaml->nodes = mem_grow(yaml->nodes, yaml->node_count, &yaml->node_cap, sizeof(void *));
    yaml->nodes[yaml->node_count++] = node;
    return node;
}

static void take_key(struct builder *builder, struct yaml_node *node)
{
    const struct yaml_node *twin = yaml_find(builder->open, builder->key);
    node->key = builder->key;
    node->key_line = builder->key_line;
    node->key_column = builder->key_column;
    builder->key = NULL;
    if (twin != NULL)
        yaml_error_key(node, "is given twice; first in line %d", twin->key_line);
}

/* Hangs the node into the open collection. A second value of the same key stays out of it. */
static int attach(struct builder *builder, struct yaml_node *node, yaml_mark_t mark)
{
    struct yaml_node *parent = builder->open;
    if (builder->yaml->node_count > YAML_NODES_MAX)
        return refuse_limit(builder, mark, "keys and values", YAML_NODES_MAX);
    if (parent == NULL) {
        builder->yaml->root = node;
        return 0;
    }
    node->parent = parent;
    node->index = parent->count;
    if (parent->kind == YAML_MAP) {
        if (parent->count == YAML_KEYS_MAX)
            return refuse_limit(builder, mark, "keys in one mapping", YAML_KEYS_MAX);
        bool is_twin = yaml_find(parent, builder->key) != NULL;
        take_key(builder, node);
        if (is_twin)
            return 0;
    }
    struct yaml_node **last = &builder->last[builder->depth];
    *(*last == NULL ? &parent->child : &(*last)->next) = node;
    *last = node;
    parent->count++;
    return 0;
}

/* By their kind only: `password: *hunter2` is a password whose quotes were forgotten. */
static void refuse_extras(struct yaml_node *node, const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor != NULL)
        yaml_error(node, "anchors are not supported; a text that begins with & stands in quotes");
    if (tag != NULL)
        yaml_error(node, "tags are not supported; a text that begins with ! stands in quotes");
}

static int on_key(struct builder *builder, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;
    if (strlen(text) != len)
        return refuse(builder, event->start_mark, "a key has a NUL in it");
    builder->key = mem_strndup(text, len);
    builder->key_line = line_of(event->start_mark);
    builder->key_column = column_of(event->start_mark);
    if (event->data.scalar.anchor != NULL || event->data.scalar.tag != NULL)
        return refuse(builder, event->start_mark, "anchors and tags are not supported");
    return 0;
}

static void set_text(struct yaml_node *node, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    struct buf expanded = {NULL, 0, 0};
    struct buf borrowed = {NULL, 0, 0};
    struct err err;
    node->is_quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    if (strlen(text) != event->data.scalar.length) {
        yaml_error(node, "has a NUL in it");
        node->is_broken = true;
    } else if (expand(text, YAML_TEXT_MAX, &expanded, &borrowed, &err) != 0) {
        yaml_error(node, "%s", err.text);
        node->is_broken = true;
        buf_reset(&expanded);
    }
    node->text = mem_strdup(buf_text(&expanded));
    if (!node->is_broken && memchr(buf_text(&borrowed), 1, borrowed.len) != NULL)
        node->borrowed = mem_strndup(borrowed.ptr, borrowed.len);
    buf_fini(&expanded);
    buf_fini(&borrowed);
}

static int on_scalar(struct builder *builder, const yaml_event_t *event)
{
    if (builder->open != NULL && builder->open->kind == YAML_MAP && builder->key == NULL)
        return on_key(builder, event);
    struct yaml_node *node = node_new(builder->yaml, YAML_TEXT, event->start_mark);
    if (attach(builder, node, event->start_mark) != 0)
        return ERR_CONFIG;
    set_text(node, event);
    refuse_extras(node, event->data.scalar.anchor, event->data.scalar.tag);
    return 0;
}

static int on_open(struct builder *builder, enum yaml_kind kind, const yaml_event_t *event)
{
    if (builder->open != NULL && builder->open->kind == YAML_MAP && builder->key == NULL)
        return refuse(builder, event->start_mark,
                      "a key must be plain text, not a mapping or list");
    if (builder->depth == YAML_DEPTH_MAX)
        return refuse_limit(builder, event->start_mark, "levels of nesting", YAML_DEPTH_MAX);
    struct yaml_node *node = node_new(builder->yaml, kind, event->start_mark);
    if (attach(builder, node, event->start_mark) != 0)
        return ERR_CONFIG;
    if (kind == YAML_MAP)
        refuse_extras(node, event->data.mapping_start.anchor, event->data.mapping_start.tag);
    else
        refuse_extras(node, event->data.sequence_start.anchor, event->data.sequence_start.tag);
    builder->open = node;
    builder->last[++builder->depth] = NULL;
    return 0;
}

static int on_alias(struct builder *builder, const yaml_event_t *event)
{
    if (builder->open != NULL && builder->open->kind == YAML_MAP && builder->key == NULL)
        return refuse(builder, event->start_mark, "aliases are not supported");
    struct yaml_node *node = node_new(builder->yaml, YAML_TEXT, event->start_mark);
    if (attach(builder, node, event->start_mark) != 0)
        return ERR_CONFIG;
    yaml_error(node, "aliases are not supported; a text that begins with * stands in quotes");
    node->text = mem_strdup("");
    node->is_broken = true;
    return 0;
}

static int on_event(struct builder *builder, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (builder->documents++ > 0)
            return refuse(builder, event->start_mark, "a second document begins; there may be one");
        return 0;
    case YAML_SCALAR_EVENT:
        return on_scalar(builder, event);
    case YAML_ALIAS_EVENT:
        return on_alias(builder, event);
    case YAML_MAPPING_START_EVENT:
        return on_open(builder, YAML_MAP, event);
    case YAML_SEQUENCE_START_EVENT:
        return on_open(builder, YAML_LIST, event);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        builder->open = builder->open->parent;
        builder->depth--;
        return 0;
    case YAML_STREAM_END_EVENT:
        builder->is_done = true;
        return 0;
    default:
        return 0;
    }
}

/* libyaml's reader (encoding) says where by offset, its scanner and parser by mark. */
static void refuse_syntax(struct builder *builder, const char *ptr, size_t len)
{
    const yaml_parser_t *parser = &builder->parser;
    char text[512];
    int line = line_of(parser->problem_mark);
    int column = column_of(parser->problem_mark);
    if (parser->error == YAML_READER_ERROR) {
        line = column = 1;
        for (size_t i = 0; i < parser->problem_offset && i < len; i++) {
            column = ptr[i] == '\n' ? 1 : column + 1;
            line += ptr[i] == '\n';
        }
        (void)snprintf(text, sizeof text, "is not YAML in UTF-8: %s",
                       parser->problem != NULL ? parser->problem : "unreadable");
    } else if (parser->context != NULL) {
        (void)snprintf(text, sizeof text, "is not YAML: %s, %s from line %d", parser->problem,
                       parser->context, line_of(parser->context_mark));
    } else {
        (void)snprintf(text, sizeof text, "is not YAML: %s",
                       parser->problem != NULL ? parser->problem : "unreadable");
    }
    add_problem(builder->yaml, line, column, text);
}

static int build(struct builder *builder, const char *ptr, size_t len)
{
    while (!builder->is_done) {
        yaml_event_t event;
        if (!yaml_parser_parse(&builder->parser, &event)) {
            refuse_syntax(builder, ptr, len);
            return ERR_CONFIG;
        }
        int rc = on_event(builder, &event);
        yaml_event_delete(&event);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static struct yaml *yaml_new(const char *name)
{
    struct yaml *yaml = mem_zalloc(sizeof *yaml);
    yaml->name = mem_strdup(name);
    return yaml;
}

static void check_root(struct yaml *yaml)
{
    if (yaml->root == NULL) {
        add_problem(yaml, 1, 1, "is empty; expected a mapping (key: value)");
    } else if (yaml->root->kind != YAML_MAP) {
        if (yaml_is_null(yaml->root))
            yaml_error(yaml->root, "is empty; expected a mapping (key: value)");
        else
            yaml_error(yaml->root, "is a %s; expected a mapping (key: value)",
                       yaml->root->kind == YAML_LIST ? "list" : "scalar");
        yaml->root = NULL;
    }
}

static void parse(struct yaml *yaml, const char *ptr, size_t len)
{
    if (len > YAML_BYTES_MAX) {
        add_problem(yaml, 0, 0, "is larger than 1MiB");
        return;
    }
    bool has_mark = len >= 3 && memcmp(ptr, "\xef\xbb\xbf", 3) == 0; /* a byte order mark */
    ptr += has_mark ? 3 : 0;
    len -= has_mark ? 3 : 0;
    struct builder builder = {.yaml = yaml};
    CHECK(yaml_parser_initialize(&builder.parser) == 1);
    yaml_parser_set_encoding(&builder.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&builder.parser, (const unsigned char *)ptr, len);
    if (build(&builder, ptr, len) != 0)
        yaml->root = NULL;
    else
        check_root(yaml);
    yaml_parser_delete(&builder.parser);
    free(builder.key);
}

struct yaml *yaml_parse(const char *name, const char *ptr, size_t len)
{
    struct yaml *yaml = yaml_new(name);
    parse(yaml, len > 0 ? ptr : "", len);
    return yaml;
}

struct yaml *yaml_read(const char *file)
{
    struct yaml *yaml = yaml_new(file);
    struct buf bytes = {NULL, 0, 0};
    char text[256];
    errno = 0;
    FILE *stream = fopen(file, "rb");
    if (stream != NULL) {
        char *at = buf_reserve(&bytes, YAML_BYTES_MAX + 1);
        buf_advance(&bytes, fread(at, 1, YAML_BYTES_MAX + 1, stream));
    }
    if (stream == NULL || ferror(stream)) {
        (void)snprintf(text, sizeof text, "cannot be read: %s", strerror(errno));
        add_problem(yaml, 0, 0, text);
    } else {
        parse(yaml, bytes.ptr, bytes.len);
    }
    if (stream != NULL)
        (void)fclose(stream);
    buf_fini(&bytes);
    return yaml;
}

void yaml_close(struct yaml *yaml)
{
    if (yaml == NULL)
        return;
    for (size_t i = 0; i < yaml->node_count; i++) {
        free(yaml->nodes[i]->key);
        free(yaml->nodes[i]->text);
        free(yaml->nodes[i]->borrowed);
        free(yaml->nodes[i]);
    }
    free(yaml->nodes);
    free(yaml->name);
    yaml_problems_fini(&yaml->problems);
    free(yaml);
}

const struct yaml_node *yaml_root(const struct yaml *yaml)
{
    return yaml->root;
}

const struct yaml_node *yaml_find(const struct yaml_node *map, const char *key)
{
    if (map->kind != YAML_MAP)
        return NULL;
    for (const struct yaml_node *node = map->child; node != NULL; node = node->next)
        if (strcmp(node->key, key) == 0)
            return node;
    return NULL;
}

bool yaml_is_null(const struct yaml_node *node)
{
    static const char *const NULLS[] = {"", "~", "null", "Null", "NULL"};
    if (node->kind != YAML_TEXT || node->is_quoted)
        return false;
    for (size_t i = 0; i < sizeof NULLS / sizeof *NULLS; i++)
        if (strcmp(node->text, NULLS[i]) == 0)
            return true;
    return false;
}

bool yaml_is_written(const struct yaml_node *node, size_t from, size_t len)
{
    return len > 0 && (node->borrowed == NULL || memchr(node->borrowed + from, 0, len) != NULL);
}

size_t yaml_problem_count(const struct yaml *yaml)
{
    return yaml->problems.count;
}

void yaml_report(struct yaml *yaml, struct buf *report)
{
    yaml_problems_report(&yaml->problems, yaml->name, report);
}
