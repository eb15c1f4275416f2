#include "config/where.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/pipeline_keys.h"
#include "tidewheel/mem.h"
#include "tidewheel/num.h"
#include "tidewheel/suggest.h"

enum { PATH_BYTES_MAX = 256 };

/* Conditions that are still to be compiled, each into its own tree. */
struct job {
    const struct yaml_node *map;
    struct match *into; /* an ALL */
};

struct compiler {
    struct paths *paths;
    struct job *jobs;
    size_t count;
    size_t cap;
};

static void add_job(struct compiler *compiler, const struct yaml_node *map, struct match *into)
{
    compiler->jobs =
        mem_grow(compiler->jobs, compiler->count, &compiler->cap, sizeof *compiler->jobs);
    compiler->jobs[compiler->count++] = (struct job){map, into};
}

int where_slot(const struct yaml_node *node, bool is_key, const char *path, struct paths *paths)
{
    struct err err = {0, ""};
    int slot = PATH_NONE;
    bool has_control = false;
    for (const char *at = path; *at != '\0'; at++)
        has_control = has_control || (unsigned char)*at < 0x20 || *at == 0x7f;
    if (has_control || strlen(path) > PATH_BYTES_MAX)
        (void)err_set(&err, ERR_CONFIG, "%s is not a path into an event", cite(path).text);
    else if (paths_add(paths, path, &slot, &err) == 0)
        return slot;
    if (is_key)
        yaml_error_key(node, "%s", err.text);
    else
        yaml_error(node, "%s", err.text);
    return PATH_NONE;
}

/* ---- scalars ---- */

/* What other YAML readers would take for a number or a bool, and JSON has not: nobody can know what
 * is meant. */
static bool is_ambiguous(const char *text)
{
    static const char *const WORDS[] = {"True", "TRUE", "False", "FALSE", ".nan", ".NaN", ".NAN"};
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
        if (strcmp(WORDS[i], text) == 0)
            return true;
    const char *at = text + (*text == '-' || *text == '+');
    if (strcmp(at, ".inf") == 0 || strcmp(at, ".Inf") == 0 || strcmp(at, ".INF") == 0)
        return true;
    if (strncmp(at, "0x", 2) == 0 || strncmp(at, "0o", 2) == 0)
        return at[2] != '\0' && strspn(at + 2, "0123456789abcdefABCDEF") == strlen(at + 2);
    size_t digits = strspn(at, "0123456789");
    const char *rest = at + digits;
    if (*rest == '.') {
        size_t fraction = strspn(rest + 1, "0123456789");
        digits += fraction;
        rest += 1 + fraction;
    }
    if (digits == 0)
        return false;
    if (*rest == 'e' || *rest == 'E') {
        rest += 1 + (rest[1] == '-' || rest[1] == '+');
        size_t exponent = strspn(rest, "0123456789");
        return exponent > 0 && rest[exponent] == '\0';
    }
    return *rest == '\0';
}

/* The JSON value that a scalar stands for; false after a problem. */
static bool read_scalar(const struct yaml_node *node, struct value *ret)
{
    const char *text = node->text;
    *ret = (struct value){.type = VALUE_STRING};
    if (node->kind != YAML_TEXT) {
        yaml_error(node, "expected a text, a number, true or false");
        return false;
    }
    ret->text = slice_of(text);
    if (node->is_broken || node->is_quoted)
        return !node->is_broken;
    if (yaml_is_null(node)) {
        yaml_error(node, "nothing is equal to null; write {exists: false} for missing or null");
        return false;
    }
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0) {
        *ret = (struct value){.type = VALUE_BOOL, .truth = *text == 't'};
    } else if (num_is_json(text, strlen(text), NULL)) {
        ret->type = VALUE_NUMBER;
    } else if (is_ambiguous(text)) {
        yaml_error(node,
                   "%s is no JSON number or bool; write it as JSON has it, or in quotes to mean "
                   "the text",
                   cite(text).text);
        return false;
    }
    return true;
}

static bool read_number(const struct yaml_node *node, struct value *ret)
{
    double number = 0;
    if (node->kind != YAML_TEXT || node->is_quoted ||
        !num_parse(node->text, strlen(node->text), &number)) {
        yaml_error(node, "%s is not a number",
                   node->kind == YAML_TEXT ? cite(node->text).text : "this");
        return false;
    }
    *ret = (struct value){.type = VALUE_NUMBER, .text = slice_of(node->text)};
    return true;
}

static bool read_bool(const struct yaml_node *node, struct value *ret)
{
    bool is_plain = node->kind == YAML_TEXT && !node->is_quoted;
    if (!is_plain || (strcmp(node->text, "true") != 0 && strcmp(node->text, "false") != 0)) {
        yaml_error(node, "expected true or false");
        return false;
    }
    *ret = (struct value){.type = VALUE_BOOL, .truth = node->text[0] == 't'};
    return true;
}

/* ---- terms ---- */

static void add_in(const struct yaml_node *list, int slot, struct match *into)
{
    if (list->kind != YAML_LIST || list->child == NULL) {
        yaml_error(list, "expected a list of values like [DE, FR]");
        return;
    }
    struct match *any = match_new(MATCH_ANY);
    match_add(into, any);
    for (const struct yaml_node *node = list->child; node != NULL; node = node->next) {
        struct value value;
        if (read_scalar(node, &value))
            match_add(any, match_new_term(MATCH_EQUAL, slot, &value));
    }
}

static void add_operand(const struct where_row *row, const struct yaml_node *node, int slot,
                        struct match *into)
{
    struct value value;
    if (row->operand == WHERE_SCALARS)
        add_in(node, slot, into);
    else if (row->operand == WHERE_BOOL ? read_bool(node, &value) : read_number(node, &value))
        match_add(into, match_new_term(row->op, slot, &value));
}

/* amount: {gt: 0, lte: 1000} */
static void add_operands(const struct yaml_node *map, int slot, struct match *into)
{
    if (map->child == NULL)
        yaml_error(map, "is empty; expected gt, gte, lt, lte, in or exists");
    for (const struct yaml_node *node = map->child; node != NULL; node = node->next) {
        struct suggest suggest = suggest_for(node->key);
        size_t i = 0;
        while (i < where_row_count && strcmp(where_rows[i].name, node->key) != 0)
            suggest_try(&suggest, where_rows[i++].name);
        if (i < where_row_count) {
            add_operand(&where_rows[i], node, slot, into);
            continue;
        }
        char hint[SUGGEST_TEXT_MAX];
        yaml_error_key(node, "unknown comparison; expected gt, gte, lt, lte, in or exists%s",
                       suggest_text(&suggest, hint));
    }
}

static void add_field(struct compiler *compiler, const struct yaml_node *node, struct match *into)
{
    int slot = where_slot(node, true, node->key, compiler->paths);
    struct value value;
    if (slot == PATH_NONE)
        return;
    if (node->kind == YAML_MAP)
        add_operands(node, slot, into);
    else if (node->kind == YAML_LIST)
        yaml_error(node, "is a list; expected a value, or {in: [...]} for one of several");
    else if (read_scalar(node, &value))
        match_add(into, match_new_term(MATCH_EQUAL, slot, &value));
}

/* any: [{country: DE}, {coupon: {exists: true}}] */
static void add_any(struct compiler *compiler, const struct yaml_node *list, struct match *into)
{
    if (list->kind != YAML_LIST || list->child == NULL) {
        yaml_error(list, "expected a list of conditions like [{country: DE}, {country: FR}]");
        return;
    }
    struct match *any = match_new(MATCH_ANY);
    match_add(into, any);
    for (const struct yaml_node *node = list->child; node != NULL; node = node->next) {
        struct match *all = match_new(MATCH_ALL);
        match_add(any, all);
        add_job(compiler, node, all);
    }
}

/* not: {country: DE} */
static void add_not(struct compiler *compiler, const struct yaml_node *map, struct match *into)
{
    struct match *not = match_new(MATCH_NOT);
    struct match *all = match_new(MATCH_ALL);
    match_add(not, all);
    match_add(into, not );
    add_job(compiler, map, all);
}

static void run_job(struct compiler *compiler, struct job job)
{
    if (job.map->kind != YAML_MAP || job.map->child == NULL) {
        yaml_error(job.map, "%s; expected a condition like {event_type: purchase}",
                   job.map->kind == YAML_MAP || yaml_is_null(job.map) ? "is empty"
                                                                      : "is no mapping");
        return;
    }
    for (const struct yaml_node *node = job.map->child; node != NULL; node = node->next) {
        if (strcmp(node->key, "any") == 0)
            add_any(compiler, node, job.into);
        else if (strcmp(node->key, "not") == 0)
            add_not(compiler, node, job.into);
        else
            add_field(compiler, node, job.into);
    }
}

struct match *where_compile(const struct yaml_node *map, struct paths *paths)
{
    struct compiler compiler = {.paths = paths};
    struct match *root = match_new(MATCH_ALL);
    add_job(&compiler, map, root);
    while (compiler.count > 0)
        run_job(&compiler, compiler.jobs[--compiler.count]);
    free(compiler.jobs);
    return root;
}
