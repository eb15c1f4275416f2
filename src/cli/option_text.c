#include "cli/option_text.h"

#include "tidewheel/quantity.h"

void option_add_limits(const struct setting *row, struct buf *ret)
{
    char min[QUANTITY_TEXT_MAX];
    char max[QUANTITY_TEXT_MAX];
    for (size_t i = 0; row->choices != NULL && row->choices[i] != NULL; i++)
        buf_printf(ret, "%s%s", i > 0 ? "|" : "", row->choices[i]);
    if (row->max > 0 &&
        (row->type == SETTING_INT || row->type == SETTING_DURATION || row->type == SETTING_SIZE)) {
        setting_limit(row, row->min, min);
        setting_limit(row, row->max, max);
        buf_printf(ret, "%s%s..%s", row->choices != NULL ? "|" : "", min, max);
    }
}

void option_add_facts(const struct setting *row, struct buf *ret)
{
    struct buf limits = {NULL, 0, 0};
    option_add_limits(row, &limits);
    buf_add_text(ret, row->is_file ? "file" : setting_type_name(row->type));
    if (limits.len > 0)
        buf_printf(ret, ", %s", buf_text(&limits));
    else if (row->max > 0 && !row->is_file)
        buf_printf(ret, " of at most %lld %s", (long long)row->max,
                   setting_is_scalar(row->type) ? "bytes" : "entries");
    if (row->preset != NULL)
        buf_printf(ret, ", default %s", *row->preset != '\0' ? row->preset : "\"\"");
    buf_fini(&limits);
}
