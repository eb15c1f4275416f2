#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/load.h"
#include "cli/options_yaml.h"
#include "config/options_rows.h"
#include "tidewheel/log.h"
#include "tidewheel/release.h"

enum { COMMENT_COLUMN = 48, INDENT = 2 };

struct printer {
    const struct options *options;
    char folder[4096]; /* the working one: names hold from anywhere */
};

/* One line; its comment says where the value came from. */
static void print_line(struct buf *line, const char *origin)
{
    struct buf comment = {NULL, 0, 0};
    for (const char *at = origin; *at != '\0'; at++)
        buf_add_char(&comment, (unsigned char)*at < 0x20 || *at == 0x7f ? '?' : *at);
    (void)printf("%-*s  # %s\n", COMMENT_COLUMN, buf_text(line), buf_text(&comment));
    buf_fini(&comment);
    buf_fini(line);
}

static struct buf begin_line(int depth, const char *name)
{
    struct buf line = {NULL, 0, 0};
    buf_printf(&line, "%*s", INDENT * depth, "");
    yaml_add_key(&line, name);
    buf_add_text(&line, ": ");
    return line;
}

/* Behind what the row masks: what is known as a secret, wherever it stands. */
static void add_shown(struct buf *line, const struct setting *row, struct buf *shown)
{
    struct buf hidden = {NULL, 0, 0};
    log_hidden(buf_slice(shown), &hidden);
    yaml_add_value(line, row, buf_text(&hidden));
    buf_fini(&hidden);
    buf_fini(shown);
}

static void add_file(const struct printer *printer, const char *name, struct buf *ret)
{
    if (*name != '/')
        buf_printf(ret, "%s/", printer->folder);
    buf_add_text(ret, name);
}

static void print_properties(const struct options *options, const struct setting *row, int depth)
{
    for (size_t i = 0; i < options->librdkafka_count; i++) {
        const struct property *property = &options->librdkafka[i];
        struct buf line = begin_line(depth, property->name);
        struct buf shown = {NULL, 0, 0};
        property_show(property->name, property->value, &shown);
        add_shown(&line, row, &shown);
        print_line(&line, property->origin);
    }
}

static void print_pipelines(const struct printer *printer, const struct setting *row, int depth,
                            const char *origin)
{
    for (size_t i = 0; i < printer->options->pipeline_count; i++) {
        struct buf line = {NULL, 0, 0};
        struct buf file = {NULL, 0, 0};
        buf_printf(&line, "%*s- ", INDENT * depth, "");
        add_file(printer, printer->options->pipelines[i], &file);
        add_shown(&line, row, &file);
        print_line(&line, origin);
    }
}

/* What has entries shows them below; each says where it came from. */
static void print_list(const struct printer *printer, const struct setting *row, const char *name,
                       int depth, const char *origin)
{
    bool is_map = row->type == SETTING_PROPERTIES;
    size_t count = is_map ? printer->options->librdkafka_count : printer->options->pipeline_count;
    struct buf line = begin_line(depth, name);
    if (count == 0) {
        buf_add_text(&line, is_map ? "{}" : "[]");
        print_line(&line, origin);
        return;
    }
    (void)printf("%.*s\n", (int)line.len - 1, line.ptr);
    buf_fini(&line);
    if (is_map)
        print_properties(printer->options, row, depth + 1);
    else
        print_pipelines(printer, row, depth + 1, origin);
}

static void print_row(void *arg, const struct setting *row, const char *name, int depth)
{
    const struct printer *printer = arg;
    const struct option_value *value = &printer->options->values[row - option_rows];
    if (value->text == NULL) {
        print_list(printer, row, name, depth, value->origin);
        return;
    }
    struct buf line = begin_line(depth, name);
    struct buf shown = {NULL, 0, 0};
    if (row->is_tacit && value->is_preset)
        (void)putchar('#');
    if (row->is_file && *value->text != '\0')
        add_file(printer, value->text, &shown);
    else
        setting_show(row, value->text, &shown);
    add_shown(&line, row, &shown);
    print_line(&line, value->origin);
}

static void print_group(void *arg, const char *name, int depth)
{
    (void)arg;
    (void)printf("%*s%s:\n", INDENT * depth, "", name);
}

int command_print_config(const struct cli_args *args)
{
    struct options options;
    int rc = load_options(args, false, &options);
    if (rc != EXIT_OK)
        return rc;
    struct printer printer = {.options = &options};
    if (getcwd(printer.folder, sizeof printer.folder) == NULL)
        printer.folder[0] = '\0';
    (void)printf("# What tidewheel " TIDEWHEEL_VERSION
                 " makes of its options. *** stands for a secret.\n");
    options_visit(&(struct options_visitor){print_group, print_row, &printer});
    options_fini(&options);
    return EXIT_OK;
}
