#include "cli/columns.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tidewheel/mem.h"

enum { CELL_MAX = 1024, GAP = 2 };

void columns_add(struct columns *columns, const char *format, ...)
{
    char text[CELL_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    columns->cells = mem_grow(columns->cells, columns->count, &columns->cap, sizeof(char *));
    columns->cells[columns->count++] = mem_strdup(text);
}

static int width_of(const struct columns *columns, size_t column)
{
    size_t width = 0;
    for (size_t i = column; i < columns->count; i += columns->width)
        if (strlen(columns->cells[i]) > width)
            width = strlen(columns->cells[i]);
    return (int)width;
}

void columns_print(struct columns *columns, const char *indent)
{
    int *widths = mem_zalloc(columns->width * sizeof *widths);
    for (size_t i = 0; i < columns->width; i++)
        widths[i] = i + 1 < columns->width ? width_of(columns, i) + GAP : 0;
    for (size_t i = 0; i < columns->count; i++) {
        size_t column = i % columns->width;
        (void)printf("%s%-*s%s", column == 0 ? indent : "", widths[column], columns->cells[i],
                     column + 1 == columns->width ? "\n" : "");
    }
    free(widths);
    columns_fini(columns);
}

void columns_fini(struct columns *columns)
{
    for (size_t i = 0; i < columns->count; i++)
        free(columns->cells[i]);
    free(columns->cells);
    *columns = (struct columns){.width = columns->width};
}
