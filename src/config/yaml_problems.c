#include "config/yaml_problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/yaml_tree.h"
#include "tidewheel/mask.h"
#include "tidewheel/mem.h"
#include "tidewheel/yaml.h"

enum { TEXT_MAX = 1024 };

struct citation cite(const char *from)
{
    struct citation ret;
    struct buf masked = {NULL, 0, 0};
    mask_logins(from, &masked);
    const char *text = buf_text(&masked);
    size_t most = sizeof ret.text - 8; /* two quotes, three dots, NUL */
    size_t len = strlen(text);
    bool is_cut = len > most;
    if (is_cut)
        len = most;
    while (is_cut && len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80)
        len--; /* not within a character */
    ret.text[0] = '\'';
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)text[i];
        ret.text[i + 1] = byte < 0x20 || byte == 0x7f ? '?' : (char)byte;
    }
    (void)snprintf(ret.text + len + 1, sizeof ret.text - len - 1, "%s'", is_cut ? "..." : "");
    buf_fini(&masked);
    return ret;
}

struct citation cite_name(const char *text)
{
    struct citation ret;
    size_t len = strcspn(text, ":= \t\n");
    char *name = mem_strndup(text, len);
    struct buf shown = {NULL, 0, 0};
    buf_printf(&shown, "%s%s", name, text[len] != '\0' ? "..." : "");
    ret = cite(buf_text(&shown));
    buf_fini(&shown);
    free(name);
    return ret;
}

void yaml_problems_add(struct yaml_problems *problems, int line, int column, struct slice text)
{
    if (problems->count == YAML_PROBLEMS_MAX) {
        problems->left_out++;
        return;
    }
    problems->list =
        mem_grow(problems->list, problems->count, &problems->cap, sizeof *problems->list);
    problems->list[problems->count] =
        (struct yaml_problem){line, column, problems->count, mem_strndup(text.ptr, text.len)};
    problems->count++;
}

static int compare(const void *a, const void *b)
{
    const struct yaml_problem *first = a;
    const struct yaml_problem *second = b;
    if (first->line != second->line)
        return first->line < second->line ? -1 : 1;
    if (first->column != second->column)
        return first->column < second->column ? -1 : 1;
    return first->number < second->number ? -1 : 1;
}

void yaml_problems_report(struct yaml_problems *problems, const char *name, struct buf *report)
{
    struct buf shown = {NULL, 0, 0};
    mask_logins(name, &shown); /* a URL where a file's name was expected */
    name = buf_text(&shown);
    if (problems->count > 0)
        qsort(problems->list, problems->count, sizeof *problems->list, compare);
    for (size_t i = 0; i < problems->count; i++) {
        const struct yaml_problem *problem = &problems->list[i];
        if (problem->line > 0)
            buf_printf(report, "%s:%d:%d: %s\n", name, problem->line, problem->column,
                       problem->text);
        else
            buf_printf(report, "%s: %s\n", name, problem->text);
    }
    if (problems->left_out > 0)
        buf_printf(report, "%s: and %zu more\n", name, problems->left_out);
    buf_fini(&shown);
}

void yaml_problems_fini(struct yaml_problems *problems)
{
    for (size_t i = 0; i < problems->count; i++)
        free(problems->list[i].text);
    free(problems->list);
    *problems = (struct yaml_problems){NULL, 0, 0, 0};
}

/* features[2].windows[0]; of the root nothing. */
static void add_path(struct buf *text, const struct yaml_node *node)
{
    const struct yaml_node *chain[YAML_DEPTH_MAX + 2];
    size_t count = 0;
    for (; node->parent != NULL && count < YAML_DEPTH_MAX + 2; node = node->parent)
        chain[count++] = node;
    while (count-- > 0) {
        if (chain[count]->key == NULL) {
            buf_printf(text, "[%zu]", chain[count]->index);
            continue;
        }
        struct citation key = cite_name(chain[count]->key);
        buf_printf(text, "%s%.*s", text->len > 0 ? "." : "", (int)strlen(key.text) - 2,
                   key.text + 1);
    }
}

static void record(const struct yaml_node *node, int line, int column, const char *name,
                   const char *format, va_list args)
{
    if (node->is_broken)
        return;
    struct buf text = {NULL, 0, 0};
    add_path(&text, node);
    if (name != NULL)
        buf_printf(&text, "%s%s", text.len > 0 ? "." : "", name);
    if (text.len > 0)
        buf_add_text(&text, ": ");
    char sentence[TEXT_MAX];
    (void)vsnprintf(sentence, sizeof sentence, format, args);
    buf_add_text(&text, sentence);
    yaml_problems_add(&node->yaml->problems, line, column, buf_slice(&text));
    buf_fini(&text);
}

void yaml_error(const struct yaml_node *node, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    record(node, node->line, node->column, NULL, format, args);
    va_end(args);
}

void yaml_error_key(const struct yaml_node *node, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    bool has_key = node->key != NULL;
    record(node, has_key ? node->key_line : node->line, has_key ? node->key_column : node->column,
           NULL, format, args);
    va_end(args);
}

void yaml_error_lacks(const struct yaml_node *node, const char *name, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    record(node, node->line, node->column, name, format, args);
    va_end(args);
}
