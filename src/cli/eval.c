#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/json_out.h"
#include "cli/load.h"
#include "tidewheel/eval.h"

/* When to look. */
struct look {
    bool at_each;
    int64_t at_ms; /* -1: the view's clock */
};

struct output {
    struct buf line;
    unsigned long long line_number;
    bool says_view; /* several views: which of them refused the event? */
};

static void print_row(void *arg, const struct row *row)
{
    struct output *output = arg;
    buf_reset(&output->line);
    json_add_row(&output->line, row);
    buf_add_char(&output->line, '\n');
    (void)fwrite(output->line.ptr, 1, output->line.len, stdout);
}

static void print_rejection(void *arg, const struct view *view, enum verdict verdict)
{
    const struct output *output = arg;
    const struct verdict_row *row = &verdict_rows[verdict];
    (void)fprintf(stderr, "line %llu: %s: %s", output->line_number, row->name, row->help);
    (void)fprintf(stderr, output->says_view ? " (view %s)\n" : "\n", view->name);
}

static void take_lines(FILE *file, struct eval *eval, const struct look *look,
                       struct output *output)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t len = 0;
    struct eval_listener listener = {output, print_rejection, look->at_each ? print_row : NULL};
    int64_t until_ms = look->at_ms >= 0 ? look->at_ms : INT64_MAX;
    while ((len = getline(&line, &cap, file)) > 0) {
        output->line_number++;
        if (line[len - 1] == '\n')
            len--;
        eval_take(eval, (struct slice){line, (size_t)len}, -1, until_ms, &listener);
    }
    free(line);
}

static void print_counts(const struct eval *eval)
{
    unsigned long long rejected = 0;
    for (int i = 0; i < VERDICT_COUNT; i++)
        if (verdict_rows[i].is_rejection)
            rejected += eval_count(eval, (enum verdict)i);
    (void)fprintf(stderr, "at=eval accepted=%llu rejected=%llu",
                  (unsigned long long)eval_count(eval, VERDICT_ACCEPTED), rejected);
    for (int i = VERDICT_ACCEPTED + 1; i < VERDICT_COUNT; i++) {
        unsigned long long count = eval_count(eval, (enum verdict)i);
        if (count > 0)
            (void)fprintf(stderr, " %s=%llu", verdict_rows[i].name, count);
    }
    (void)fprintf(stderr, "\n");
}

static int parse_look(const char *text, struct look *ret)
{
    *ret = (struct look){false, -1};
    if (text == NULL || strcmp(text, "end") == 0)
        return EXIT_OK;
    ret->at_each = strcmp(text, "each") == 0;
    if (ret->at_each || parse_time(text, &ret->at_ms))
        return EXIT_OK;
    (void)fprintf(
        stderr,
        "tidewheel eval: --at '%s' is no time: expected end, each, Unix milliseconds, or RFC 3339 "
        "like 2023-11-14T22:13:20Z\n",
        text);
    return EXIT_USAGE;
}

static int eval_file(const struct cli_args *args, const struct catalog *catalog,
                     const struct look *look)
{
    bool is_stdin = args->events == NULL || strcmp(args->events, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(args->events, "r");
    if (file == NULL) {
        (void)fprintf(stderr, "tidewheel eval: cannot read %s: %s\n", args->events,
                      strerror(errno));
        return EXIT_USAGE;
    }
    struct eval *eval = eval_new(catalog, &default_limits);
    struct output output = {.says_view = catalog->view_count > 1};
    take_lines(file, eval, look, &output);
    if (!look->at_each)
        eval_each(eval, look->at_ms, print_row, &output);
    bool is_whole = fflush(stdout) == 0;
    print_counts(eval);
    buf_fini(&output.line);
    eval_free(eval);
    if (!is_stdin)
        (void)fclose(file);
    if (!is_whole)
        (void)fprintf(stderr, "tidewheel eval: cannot write: %s\n", strerror(errno));
    return is_whole ? EXIT_OK : EXIT_UNAVAILABLE;
}

int command_eval(const struct cli_args *args)
{
    struct look look;
    if (args->operand_count == 0) {
        (void)fprintf(stderr,
                      "tidewheel eval: no PIPELINE was named; try: tidewheel eval -e events.ndjson "
                      "pipelines/user_activity.yaml\n");
        return EXIT_USAGE;
    }
    int rc = parse_look(args->at, &look);
    struct catalog *catalog = NULL;
    if (rc == EXIT_OK)
        rc = load_catalog(args->operands, args->operand_count, &catalog);
    if (rc != EXIT_OK)
        return rc;
    rc = eval_file(args, catalog, &look);
    catalog_free(catalog);
    return rc;
}
