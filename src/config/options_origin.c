#include "config/options_origin.h"

#include <stdlib.h>
#include <string.h>

#include "config/options_files.h"
#include "tidewheel/mem.h"

static char *give_text(struct buf *buf)
{
    char *ret = mem_strdup(buf_text(buf));
    buf_fini(buf);
    return ret;
}

char *origin_in_file(const char *file, const struct yaml_node *node)
{
    struct buf text = {NULL, 0, 0};
    buf_printf(&text, "%s:%d", file, node->line);
    return give_text(&text);
}

char *origin_outside(const char *name)
{
    struct buf text = {NULL, 0, 0};
    buf_printf(&text, "%s%s", *name == '-' ? "" : "environment ", name);
    return give_text(&text);
}

static struct option_value remember(const struct options *options, const struct setting *row,
                                    const struct setting_value *value, const struct origin *origin)
{
    bool is_outside = origin->name[0] != '\0';
    bool is_in_file = !is_outside && value->node != NULL;
    struct option_value ret = {NULL, NULL, !is_outside && !is_in_file};
    if (row->is_file && *value->text != '\0')
        ret.text = options_place(value->text, is_in_file ? options->file : NULL);
    else if (setting_is_scalar(row->type))
        ret.text = mem_strdup(value->text);
    ret.origin = is_outside   ? origin_outside(origin->name)
                 : is_in_file ? origin_in_file(options->file, value->node)
                              : mem_strdup("default");
    return ret;
}

void options_remember(struct options *options, const struct setting_value *values,
                      const struct origin *origins)
{
    options->values = mem_alloc(option_count * sizeof *options->values);
    for (size_t i = 0; i < option_count; i++)
        options->values[i] = remember(options, &option_rows[i], &values[i], &origins[i]);
}

void options_forget(struct options *options)
{
    for (size_t i = 0; i < option_count && options->values != NULL; i++) {
        free(options->values[i].text);
        free(options->values[i].origin);
    }
    free(options->values);
    options->values = NULL;
}
