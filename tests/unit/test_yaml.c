#include "tidewheel/suggest.h"
#include "tidewheel/yaml.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

static struct yaml *parse(const char *text)
{
    return yaml_parse("f.yaml", text, strlen(text));
}

/* The whole report, which is freed by the end of the test's process. */
static const char *report_of(const char *text)
{
    static struct buf report;
    struct yaml *yaml = parse(text);
    buf_reset(&report);
    yaml_report(yaml, &report);
    yaml_close(yaml);
    return buf_text(&report);
}

static const char *expanded(const char *text)
{
    static char ret[1024];
    struct buf source = {NULL, 0, 0};
    buf_printf(&source, "a: '%s'\n", text);
    struct yaml *yaml = parse(buf_text(&source));
    ck_assert_uint_eq(yaml_problem_count(yaml), 0);
    (void)snprintf(ret, sizeof ret, "%s", yaml_find(yaml_root(yaml), "a")->text);
    yaml_close(yaml);
    buf_fini(&source);
    return ret;
}

START_TEST(every_node_knows_where_it_stands)
{
    struct yaml *yaml = parse("features:\n  - name: purchase\n    windows: [1h, '24h']\n");
    const struct yaml_node *list = yaml_find(yaml_root(yaml), "features");
    const struct yaml_node *windows = yaml_find(list->child, "windows");
    const struct yaml_node *second = windows->child->next;
    ck_assert_int_eq(list->kind, YAML_LIST);
    ck_assert_uint_eq(list->count, 1);
    ck_assert_str_eq(yaml_find(list->child, "name")->text, "purchase");
    ck_assert_str_eq(second->text, "24h");
    ck_assert(second->is_quoted && !windows->child->is_quoted);
    ck_assert_int_eq(second->line, 3);
    ck_assert_int_eq(second->column, 19);
    ck_assert_int_eq(windows->key_line, 3);
    ck_assert_int_eq(windows->key_column, 5);
    struct buf report = {NULL, 0, 0};
    yaml_error(second, "is odd");
    yaml_report(yaml, &report);
    ck_assert_str_eq(buf_text(&report), "f.yaml:3:19: features[0].windows[1]: is odd\n");
    buf_fini(&report);
    yaml_close(yaml);
}
END_TEST

START_TEST(problems_are_reported_in_the_order_of_the_file)
{
    struct yaml *yaml = parse("a: 1\nb: 2\n");
    struct buf report = {NULL, 0, 0};
    yaml_error(yaml_find(yaml_root(yaml), "b"), "second");
    yaml_error(yaml_find(yaml_root(yaml), "a"), "first");
    yaml_error_lacks(yaml_root(yaml), "c.d", "is missing");
    yaml_report(yaml, &report);
    ck_assert_str_eq(buf_text(&report), "f.yaml:1:1: c.d: is missing\n"
                                        "f.yaml:1:4: a: first\nf.yaml:2:4: b: second\n");
    buf_fini(&report);
    yaml_close(yaml);
}
END_TEST

START_TEST(a_key_given_twice_is_a_problem_and_the_first_counts)
{
    struct yaml *yaml = parse("a: 1\na: {b: [2]}\nc: 3\n");
    ck_assert_uint_eq(yaml_problem_count(yaml), 1);
    ck_assert_str_eq(yaml_find(yaml_root(yaml), "a")->text, "1");
    ck_assert_str_eq(yaml_find(yaml_root(yaml), "c")->text, "3");
    ck_assert_uint_eq(yaml_root(yaml)->count, 2);
    yaml_close(yaml);
}
END_TEST

START_TEST(what_is_no_single_mapping_has_no_root)
{
    static const char *const TEXTS[] = {"",
                                        "# c\n",
                                        "---\n",
                                        "- a\n",
                                        "a\n",
                                        "a: 1\n---\nb: 2\n",
                                        "a: [\n",
                                        "a: 'b\n",
                                        "\xff",
                                        "a: \"\\0\n",
                                        "? [a]\n: b\n",
                                        "? {a: b}\n: c\n",
                                        "*a : b\n",
                                        "%YAML 9.9\n---\na: b\n"};
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
        struct yaml *yaml = parse(TEXTS[i]);
        ck_assert_msg(yaml_root(yaml) == NULL, "%s", TEXTS[i]);
        ck_assert_uint_eq(yaml_problem_count(yaml), 1);
        yaml_close(yaml);
    }
}
END_TEST

START_TEST(a_byte_order_mark_and_windows_line_ends_do_no_harm)
{
    struct yaml *yaml = parse("\xef\xbb\xbf"
                              "a: 1\r\nb: 2\r\n");
    ck_assert_uint_eq(yaml_problem_count(yaml), 0);
    ck_assert_str_eq(yaml_find(yaml_root(yaml), "b")->text, "2");
    yaml_close(yaml);
}
END_TEST

START_TEST(a_refused_node_is_said_once)
{
    struct yaml *yaml = parse("a: *b\n");
    ck_assert_uint_eq(yaml_problem_count(yaml), 1);
    yaml_error(yaml_find(yaml_root(yaml), "a"), "again");
    ck_assert_uint_eq(yaml_problem_count(yaml), 1);
    yaml_close(yaml);
}
END_TEST

START_TEST(limits_end_the_reading)
{
    struct buf text = {NULL, 0, 0};
    for (int i = 0; i < 1000000; i++)
        buf_add_char(&text, '[');
    ck_assert_str_eq(report_of(buf_text(&text)),
                     "f.yaml:1:33: has more than 32 levels of nesting\n");
    buf_reset(&text);
    for (int i = 0; i <= YAML_KEYS_MAX; i++)
        buf_printf(&text, "k%d: 1\n", i);
    ck_assert_ptr_nonnull(strstr(report_of(buf_text(&text)), "more than 1024 keys"));
    buf_reset(&text);
    buf_add_text(&text, "a: [");
    for (int i = 0; i < YAML_NODES_MAX; i++)
        buf_add_text(&text, "1,");
    ck_assert_ptr_nonnull(strstr(report_of(buf_text(&text)), "keys and values"));
    buf_reset(&text);
    while (text.len <= YAML_BYTES_MAX)
        buf_add_text(&text, "# a comment\n");
    ck_assert_str_eq(report_of(buf_text(&text)), "f.yaml: is larger than 1MiB\n");
    buf_fini(&text);
}
END_TEST

START_TEST(only_so_many_problems_are_kept)
{
    struct yaml *yaml = parse("a: 1\n");
    struct buf report = {NULL, 0, 0};
    for (int i = 0; i < YAML_PROBLEMS_MAX + 7; i++)
        yaml_error(yaml_root(yaml), "no");
    yaml_report(yaml, &report);
    ck_assert_ptr_nonnull(strstr(buf_text(&report), "f.yaml: and 7 more\n"));
    buf_fini(&report);
    yaml_close(yaml);
}
END_TEST

START_TEST(variables_are_replaced_in_scalars)
{
    (void)setenv("TW_SET", "x: [1]", 1);
    (void)setenv("TW_EMPTY", "", 1);
    (void)unsetenv("TW_UNSET");
    ck_assert_str_eq(expanded("a ${TW_SET} b"), "a x: [1] b");
    ck_assert_str_eq(expanded("${TW_EMPTY}"), "");
    ck_assert_str_eq(expanded("${TW_EMPTY:-d}${TW_UNSET:-}${TW_SET:-d}"), "dx: [1]");
    ck_assert_str_eq(expanded("${TW_SET:?never}"), "x: [1]");
    ck_assert_str_eq(expanded("$$ $${TW_SET} $5 $"), "$ ${TW_SET} $5 $");
}
END_TEST

START_TEST(variables_that_are_not_set_or_not_closed_are_problems)
{
    (void)unsetenv("TW_UNSET");
    ck_assert_ptr_nonnull(strstr(report_of("a: ${TW_UNSET}\n"), "TW_UNSET is not set"));
    ck_assert_ptr_nonnull(strstr(report_of("a: ${TW_UNSET:?say it}\n"), "not set: say it"));
    ck_assert_ptr_nonnull(strstr(report_of("a: ${TW_UNSET\n"), "no closing"));
    ck_assert_ptr_nonnull(strstr(report_of("a: '${}'\n"), "is not ${VAR}"));
    ck_assert_ptr_nonnull(strstr(report_of("a: '${A-b}'\n"), "is not ${VAR}"));
    ck_assert_ptr_nonnull(strstr(report_of("a: '${A:-${B}}'\n"), "do not nest"));
}
END_TEST

START_TEST(a_variable_cannot_fill_the_memory)
{
    char value[4096];
    struct buf text = {NULL, 0, 0};
    memset(value, 'x', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    (void)setenv("TW_LONG", value, 1);
    buf_add_text(&text, "a: '");
    for (int i = 0; i < 10000; i++)
        buf_add_text(&text, "${TW_LONG}");
    buf_add_text(&text, "'\n");
    ck_assert_str_eq(report_of(buf_text(&text)), "f.yaml:1:4: a: is longer than 65536 bytes\n");
    buf_fini(&text);
}
END_TEST

START_TEST(citations_are_cut_and_tame)
{
    char text[200];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    ck_assert_uint_lt(strlen(cite(text).text), sizeof(struct citation));
    ck_assert_str_eq(cite("a\nb\x1b").text, "'a?b?'");
    ck_assert_str_eq(cite("").text, "''");
    for (size_t i = 0; i < sizeof text - 1; i += 2)
        memcpy(text + i, "\xc3\xa9", i + 2 < sizeof text ? 2 : 1);
    text[100] = '\0';
    struct citation cut = cite(text);
    char *dots = strstr(cut.text, "...");
    ck_assert_ptr_nonnull(dots);
    ck_assert_int_eq((dots - cut.text - 1) % 2, 0);
}
END_TEST

START_TEST(the_nearest_name_is_suggested)
{
    static const char *const NAMES[] = {"features", "freshness_key", "field", "future_max", "view"};
    static const struct {
        const char *word;
        const char *best;
    } ROWS[] = {{"feature", "features"},
                {"fetaures", "features"},
                {"FIELD", "field"},
                {"futuremax", "future_max"},
                {"veiw", "view"},
                {"colour", NULL},
                {"", NULL},
                {"x", NULL}};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct suggest suggest = suggest_for(ROWS[i].word);
        for (size_t j = 0; j < sizeof NAMES / sizeof *NAMES; j++)
            suggest_try(&suggest, NAMES[j]);
        if (ROWS[i].best == NULL)
            ck_assert_ptr_null(suggest.best);
        else
            ck_assert_str_eq(suggest.best, ROWS[i].best);
    }
}
END_TEST

UNIT_MAIN("yaml", every_node_knows_where_it_stands, problems_are_reported_in_the_order_of_the_file,
          a_key_given_twice_is_a_problem_and_the_first_counts,
          what_is_no_single_mapping_has_no_root, a_byte_order_mark_and_windows_line_ends_do_no_harm,
          a_refused_node_is_said_once, limits_end_the_reading, only_so_many_problems_are_kept,
          variables_are_replaced_in_scalars, variables_that_are_not_set_or_not_closed_are_problems,
          a_variable_cannot_fill_the_memory, citations_are_cut_and_tame,
          the_nearest_name_is_suggested)
