#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/json_out.h"
#include "cli/load.h"
#include "tidewheel/eval.h"
#include "tidewheel/json_text.h"
#include "tidewheel/mem.h"
#include "tidewheel/num.h"
#include "tidewheel/suggest.h"
#include "tidewheel/yaml.h"

#define DEFAULT_FILES "pipelines/tests/*.yaml"

struct score {
    size_t passed;
    size_t failed;
};

/* One test of a file, as it runs. */
struct trial {
    const struct yaml_node *node;
    const struct view *view;
    struct eval *eval;
    int64_t at_ms;   /* -1: the event clock */
    struct buf diff; /* empty: passed */
    struct buf text;
    const struct yaml_node *expect; /* the entity that is being looked at */
};

/* ---- the file ---- */

/* The keys that a mapping of a test file may have. */
static void check_keys(const struct yaml_node *map, const char *const *names)
{
    if (map == NULL || map->kind != YAML_MAP)
        return;
    for (const struct yaml_node *key = map->child; key != NULL; key = key->next) {
        struct suggest suggest = suggest_for(key->key);
        size_t i = 0;
        for (; names[i] != NULL && strcmp(names[i], key->key) != 0; i++)
            suggest_try(&suggest, names[i]);
        char hint[SUGGEST_TEXT_MAX];
        if (names[i] == NULL)
            yaml_error_key(key, "'%s' is not a key of a test%s", key->key,
                           suggest_text(&suggest, hint));
    }
}

static const struct yaml_node *need(const struct yaml_node *map, const char *name,
                                    enum yaml_kind kind, const char *what)
{
    const struct yaml_node *node = yaml_find(map, name);
    if (node == NULL)
        yaml_error_lacks(map, name, "is missing: expected %s", what);
    else if (node->kind != kind)
        yaml_error(node, "expected %s", what);
    return node != NULL && node->kind == kind ? node : NULL;
}

static bool is_plain(const struct yaml_node *node, const char *word)
{
    return node->kind == YAML_TEXT && !node->is_quoted && strcmp(node->text, word) == 0;
}

static void add_json(struct buf *ret, const struct yaml_node *node);

static void add_json_children(struct buf *ret, const struct yaml_node *node)
{
    buf_add_char(ret, node->kind == YAML_MAP ? '{' : '[');
    for (const struct yaml_node *child = node->child; child != NULL; child = child->next) {
        if (child != node->child)
            buf_add_char(ret, ',');
        if (node->kind == YAML_MAP) {
            json_text_add(ret, slice_of(child->key));
            buf_add_char(ret, ':');
        }
        add_json(ret, child);
    }
    buf_add_char(ret, node->kind == YAML_MAP ? '}' : ']');
}

/* An event written as YAML, as the JSON that a producer would send. Nesting is bounded by yaml.h. */
static void add_json(struct buf *ret, const struct yaml_node *node)
{
    if (node->kind != YAML_TEXT)
        add_json_children(ret, node);
    else if (yaml_is_null(node))
        buf_add_text(ret, "null");
    else if (is_plain(node, "true") || is_plain(node, "false") ||
             (!node->is_quoted && num_is_json(node->text, strlen(node->text), NULL)))
        buf_add_text(ret, node->text);
    else
        json_text_add(ret, slice_of(node->text));
}

/* ---- expectations ---- */

static const struct output_field *find_field(const struct view *view, const char *name,
                                             size_t *ret_index)
{
    for (*ret_index = 0; *ret_index < view->field_count; ++*ret_index)
        if (strcmp(view->fields[*ret_index].name, name) == 0)
            return &view->fields[*ret_index];
    return NULL;
}

/* Counts are exact; a number may differ as far as somebody who writes 33.333333333 does. */
static bool is_as_expected(const struct reading *reading, const struct yaml_node *expected)
{
    double number = 0;
    bool is_none = reading->kind != READING_COUNT && reading->kind != READING_NUMBER;
    if (yaml_is_null(expected) || is_none)
        return yaml_is_null(expected) && is_none;
    if (!num_parse(expected->text, strlen(expected->text), &number))
        return false;
    if (reading->kind == READING_COUNT)
        return number == (double)reading->count;
    return fabs(number - reading->number) <= 1e-9 * fabs(number);
}

static void compare_row(void *arg, const struct row *row)
{
    struct trial *trial = arg;
    const struct yaml_node *features = yaml_find(trial->expect, "features");
    bool is_headed = false;
    for (const struct yaml_node *node = features->child; node != NULL; node = node->next) {
        size_t field = 0;
        if (find_field(row->view, node->key, &field) == NULL || node->kind != YAML_TEXT ||
            is_as_expected(&row->readings[field], node))
            continue;
        buf_reset(&trial->text);
        if (!is_headed) {
            json_add_entity(&trial->text, row->view, row->identity);
            char when[32];
            timestamp_format(row->as_of_ms, when);
            buf_printf(&trial->diff, "    %s as of %s\n", buf_text(&trial->text), when);
            buf_reset(&trial->text);
        }
        is_headed = true;
        json_add_reading(&trial->text, &row->readings[field]);
        buf_printf(&trial->diff, "    - %s: %s\n    + %s: %s\n", node->key, node->text, node->key,
                   buf_text(&trial->text));
    }
}

static bool read_identity(const struct view *view, const struct yaml_node *entity, struct buf *ret)
{
    struct slice parts[KEYS_MAX + 1] = {{NULL, 0}};
    for (size_t i = 0; i < view->key_count; i++) {
        bool is_tenant = i == 0 && view->has_tenant;
        const struct yaml_node *node = yaml_find(entity, is_tenant ? "tenant" : view->keys[i].path);
        if (node != NULL && node->kind == YAML_TEXT)
            parts[i] = slice_of(node->text);
    }
    return build_identity(view, parts, ret);
}

static void accuse_field(const struct view *view, const struct yaml_node *node)
{
    char hint[SUGGEST_TEXT_MAX];
    struct suggest suggest = suggest_for(node->key);
    for (size_t i = 0; i < view->field_count; i++)
        suggest_try(&suggest, view->fields[i].name);
    yaml_error_key(node, "view %s has no field '%s'%s", view->name, node->key,
                   suggest_text(&suggest, hint));
}

static void check_expectation(struct trial *trial, const struct yaml_node *expect)
{
    struct buf identity = {NULL, 0, 0};
    const struct yaml_node *entity = need(expect, "entity", YAML_MAP, "the entity's keys");
    const struct yaml_node *features =
        need(expect, "features", YAML_MAP, "fields and their values");
    check_keys(expect, (const char *const[]){"entity", "features", NULL});
    if (entity == NULL || features == NULL)
        return;
    size_t field = 0;
    for (const struct yaml_node *node = features->child; node != NULL; node = node->next)
        if (find_field(trial->view, node->key, &field) == NULL)
            accuse_field(trial->view, node);
        else if (node->kind != YAML_TEXT)
            yaml_error(node, "expected a number, or null for a field that does not exist");
    trial->expect = expect;
    if (!read_identity(trial->view, entity, &identity))
        yaml_error(entity, "a key of view %s is missing, empty or of the wrong type",
                   trial->view->name);
    else if (!eval_find(trial->eval, trial->view, buf_slice(&identity), trial->at_ms, compare_row,
                        trial))
        buf_printf(&trial->diff, "    - entity %s\n    + no accepted event was about it\n",
                   buf_text(&identity));
    buf_fini(&identity);
}

static void check_rejected(struct trial *trial, const struct yaml_node *rejected)
{
    for (int i = 0; i < VERDICT_COUNT; i++) {
        if (!verdict_rows[i].is_rejection)
            continue;
        const struct yaml_node *node =
            rejected != NULL ? yaml_find(rejected, verdict_rows[i].name) : NULL;
        unsigned long long count = eval_count(trial->eval, (enum verdict)i);
        int64_t expected = 0;
        if (node != NULL && (node->kind != YAML_TEXT ||
                             !num_parse_int64(node->text, strlen(node->text), &expected)))
            yaml_error(node, "expected how many events were rejected for this reason");
        else if ((unsigned long long)expected != count)
            buf_printf(&trial->diff, "    - rejected as %s: %lld\n    + rejected as %s: %llu\n",
                       verdict_rows[i].name, (long long)expected, verdict_rows[i].name, count);
    }
    const char *names[VERDICT_COUNT + 1] = {NULL};
    size_t count = 0;
    for (int i = 0; i < VERDICT_COUNT; i++)
        if (verdict_rows[i].is_rejection)
            names[count++] = verdict_rows[i].name;
    check_keys(rejected, names);
}

/* ---- running ---- */

static void take_events(struct trial *trial, const struct yaml_node *events)
{
    struct eval_listener listener = {NULL, NULL, NULL};
    int64_t until_ms = trial->at_ms >= 0 ? trial->at_ms : INT64_MAX;
    for (const struct yaml_node *event = events->child; event != NULL; event = event->next) {
        buf_reset(&trial->text);
        if (event->kind == YAML_TEXT)
            buf_add_text(&trial->text, event->text); /* the bytes themselves */
        else
            add_json(&trial->text, event);
        eval_take(trial->eval, buf_slice(&trial->text), -1, until_ms, &listener);
    }
}

static void run_trial(const struct catalog *catalog, const struct yaml_node *node,
                      struct score *score)
{
    struct trial trial = {.node = node, .view = catalog->views[0], .at_ms = -1};
    const struct yaml_node *name =
        need(node, "name", YAML_TEXT, "the sentence that the test proves");
    const struct yaml_node *events = need(node, "events", YAML_LIST, "a list of events");
    const struct yaml_node *expect = need(node, "expect", YAML_LIST, "a list of entities");
    const struct yaml_node *at = yaml_find(node, "at");
    const struct yaml_node *rejected = yaml_find(node, "rejected");
    check_keys(node, (const char *const[]){"name", "events", "at", "expect", "rejected", NULL});
    if (at != NULL && (at->kind != YAML_TEXT || !parse_time(at->text, &trial.at_ms)))
        yaml_error(at, "expected Unix milliseconds or a time like 2023-11-14T22:13:20Z");
    if (name == NULL || events == NULL || expect == NULL)
        return;
    trial.eval = eval_new(catalog, &default_limits);
    take_events(&trial, events);
    for (const struct yaml_node *one = expect->child; one != NULL; one = one->next)
        check_expectation(&trial, one);
    check_rejected(&trial, rejected);
    bool has_passed = trial.diff.len == 0;
    score->passed += has_passed;
    score->failed += !has_passed;
    (void)printf("%s  %s\n%s", has_passed ? "ok    " : "FAILED", name->text, buf_text(&trial.diff));
    eval_free(trial.eval);
    buf_fini(&trial.diff);
    buf_fini(&trial.text);
}

/* A path in a file is relative to the file's folder. */
static char *beside(const char *file, const char *path)
{
    const char *slash = path[0] == '/' ? NULL : strrchr(file, '/');
    struct buf joined = {NULL, 0, 0};
    if (slash != NULL)
        buf_add(&joined, file, (size_t)(slash - file) + 1);
    buf_add_text(&joined, path);
    char *text = mem_strdup(buf_text(&joined));
    buf_fini(&joined);
    return text;
}

static int run_tests(const char *file, const struct yaml_node *root, struct score *score)
{
    check_keys(root, (const char *const[]){"pipeline", "tests", NULL});
    const struct yaml_node *pipeline = need(root, "pipeline", YAML_TEXT, "the pipeline's file");
    const struct yaml_node *tests = need(root, "tests", YAML_LIST, "a list of tests");
    if (pipeline == NULL || tests == NULL)
        return EXIT_OK;
    struct catalog *catalog = NULL;
    char *path = beside(file, pipeline->text);
    int rc = load_catalog((const char *const[]){path}, 1, &catalog);
    free(path);
    if (rc != EXIT_OK)
        return rc;
    (void)printf("%s\n", file);
    for (const struct yaml_node *test = tests->child; test != NULL; test = test->next)
        run_trial(catalog, test, score);
    catalog_free(catalog);
    return EXIT_OK;
}

static int test_file(const char *file, struct score *score)
{
    struct buf report = {NULL, 0, 0};
    struct yaml *yaml = yaml_read(file);
    const struct yaml_node *root = yaml_root(yaml);
    int rc = root != NULL ? run_tests(file, root, score) : EXIT_OK;
    if (yaml_problem_count(yaml) > 0) {
        (void)fflush(stdout);
        yaml_report(yaml, &report);
        (void)fwrite(report.ptr, 1, report.len, stderr);
        buf_fini(&report);
        rc = EXIT_CONFIG;
    }
    yaml_close(yaml);
    return rc;
}

int command_test(const struct cli_args *args)
{
    struct score score = {0, 0};
    glob_t found = {0};
    const char **files = args->operands;
    size_t count = args->operand_count;
    if (count == 0 && glob(DEFAULT_FILES, 0, NULL, &found) == 0) {
        files = (const char **)found.gl_pathv;
        count = found.gl_pathc;
    }
    if (count == 0)
        (void)fprintf(stderr,
                      "tidewheel test: no FILE was named, and there is no " DEFAULT_FILES "\n");
    int rc = count == 0 ? EXIT_USAGE : EXIT_OK;
    for (size_t i = 0; i < count; i++) {
        int file_rc = test_file(files[i], &score);
        rc = file_rc != EXIT_OK ? file_rc : rc;
    }
    globfree(&found);
    if (rc == EXIT_OK || score.passed + score.failed > 0)
        (void)printf("%zu passed, %zu failed\n", score.passed, score.failed);
    return rc != EXIT_OK ? rc : score.failed > 0 ? EXIT_TEST_FAILED : EXIT_OK;
}
