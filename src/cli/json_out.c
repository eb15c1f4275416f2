#include "cli/json_out.h"

#include "tidewheel/json_text.h"
#include "tidewheel/num.h"

static void add_key(struct buf *ret, const char *name, enum key_type type, struct slice part)
{
    struct buf raw = {NULL, 0, 0};
    json_text_add(ret, slice_of(name));
    buf_add_char(ret, ':');
    key_decode(part, &raw);
    if (type == KEY_INT64)
        buf_add(ret, raw.ptr, raw.len);
    else
        json_text_add(ret, buf_slice(&raw));
    buf_fini(&raw);
}

void json_add_entity(struct buf *ret, const struct view *view, struct slice identity)
{
    size_t first = view->has_tenant ? 1 : 0;
    buf_add_char(ret, '{');
    for (size_t i = first; i < view->key_count; i++) {
        if (i > first)
            buf_add_char(ret, ',');
        add_key(ret, view->keys[i].path, view->keys[i].type, key_part(identity, i));
    }
    if (view->has_tenant) {
        buf_add_char(ret, ',');
        add_key(ret, "tenant", KEY_STRING, key_part(identity, 0));
    }
    buf_add_char(ret, '}');
}

void json_add_reading(struct buf *ret, const struct reading *reading)
{
    char text[NUM_TEXT_MAX];
    switch (reading->kind) {
    case READING_COUNT:
        buf_add(ret, text, num_format_uint64(reading->count, text));
        break;
    case READING_NUMBER:
        buf_add(ret, text, num_format(reading->number, text));
        break;
    default:
        buf_add_text(ret, "null");
    }
}

void json_add_row(struct buf *ret, const struct row *row)
{
    buf_add_text(ret, "{\"view\":");
    json_text_add(ret, slice_of(row->view->name));
    buf_add_text(ret, ",\"entity\":");
    json_add_entity(ret, row->view, row->identity);
    buf_printf(ret, ",\"as_of\":%lld,\"features\":{", (long long)row->as_of_ms);
    for (size_t i = 0; i < row->view->field_count; i++) {
        if (i > 0)
            buf_add_char(ret, ',');
        json_text_add(ret, slice_of(row->view->fields[i].name));
        buf_add_char(ret, ':');
        json_add_reading(ret, &row->readings[i]);
    }
    buf_add_text(ret, "}}");
}
