#include <stdio.h>
#include <string.h>

#include "cli/columns.h"
#include "cli/option_text.h"
#include "tidewheel/cli.h"
#include "tidewheel/metric.h"
#include "tidewheel/op.h"
#include "tidewheel/suggest.h"

static void list_aggregates(void)
{
    struct columns columns = {.width = 3};
    for (size_t i = 0; i < op_count; i++) {
        columns_add(&columns, "%s", op_rows[i].name);
        columns_add(&columns, "%s", op_rows[i].needs_value ? "needs `value:`" : "");
        columns_add(&columns, "%s", op_rows[i].help);
    }
    columns_print(&columns, "");
}

static void list_options(void)
{
    struct columns columns = {.width = 5};
    for (size_t i = 0; i < option_count; i++) {
        const struct setting *row = &option_rows[i];
        columns_add(&columns, "%s", row->path);
        columns_add(&columns, "%s", setting_type_name(row->type));
        columns_add(&columns, "%s",
                    row->preset == NULL    ? ""
                    : *row->preset == '\0' ? "\"\""
                                           : row->preset);
        struct buf limits = {NULL, 0, 0};
        option_add_limits(row, &limits);
        columns_add(&columns, "%s", buf_text(&limits));
        buf_fini(&limits);
        columns_add(&columns, "%s", row->help);
    }
    columns_print(&columns, "");
}

static void list_metrics(void)
{
    struct columns columns = {.width = 4};
    for (size_t i = 0; i < metric_count; i++) {
        columns_add(&columns, "%s", metric_rows[i].name);
        columns_add(&columns, "%s", metric_type_names[metric_rows[i].type]);
        columns_add(&columns, "%s", metric_rows[i].labels);
        columns_add(&columns, "%s", metric_rows[i].help);
    }
    columns_print(&columns, "");
}

static const struct {
    const char *name;
    void (*print)(void);
} LISTS[] = {{"aggregates", list_aggregates}, {"options", list_options}, {"metrics", list_metrics}};

#define EXPECTED "aggregates, options or metrics"

int command_list(const struct cli_args *args)
{
    if (args->operand_count != 1)
        return cli_usage_error("list takes one argument: " EXPECTED);
    struct suggest suggest = suggest_for(args->operands[0]);
    char hint[SUGGEST_TEXT_MAX];
    for (size_t i = 0; i < sizeof LISTS / sizeof *LISTS; i++) {
        if (strcmp(LISTS[i].name, args->operands[0]) == 0) {
            LISTS[i].print();
            return EXIT_OK;
        }
        suggest_try(&suggest, LISTS[i].name);
    }
    return cli_usage_error("there is no list of %s; expected " EXPECTED "%s", args->operands[0],
                           suggest_text(&suggest, hint));
}
