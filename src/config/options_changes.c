#include <string.h>

#include "tidewheel/options.h"

static bool is_same_number(const void *a, const void *b)
{
    return *(const int64_t *)a == *(const int64_t *)b;
}

static bool is_same_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b) == 0;
}

static bool are_same_properties(const struct options *a, const struct options *b)
{
    bool is_same = a->librdkafka_count == b->librdkafka_count;
    for (size_t i = 0; is_same && i < a->librdkafka_count; i++)
        is_same = strcmp(a->librdkafka[i].name, b->librdkafka[i].name) == 0 &&
                  strcmp(a->librdkafka[i].value, b->librdkafka[i].value) == 0;
    return is_same;
}

static bool is_same(const struct setting *row, const struct options *a, const struct options *b)
{
    const void *one = (const char *)a + row->offset;
    const void *other = (const char *)b + row->offset;
    switch (row->type) {
    case SETTING_INT:
    case SETTING_DURATION:
    case SETTING_SIZE:
        return is_same_number(one, other);
    case SETTING_BOOL:
        return *(const bool *)one == *(const bool *)other;
    case SETTING_TEXT:
    case SETTING_TOPIC:
    case SETTING_CHOICE:
        return is_same_text(one, other);
    case SETTING_PROPERTIES:
        return are_same_properties(a, b);
    default: /* pipelines, which are what is reloaded */
        return true;
    }
}

bool options_name_changes(const struct options *options, const struct options *before,
                          struct buf *ret)
{
    bool has_any = false;
    for (size_t i = 0; i < option_count; i++) {
        if (is_same(&option_rows[i], options, before))
            continue;
        buf_printf(ret, "%s%s", has_any ? "," : "", option_rows[i].path);
        has_any = true;
    }
    return has_any;
}
