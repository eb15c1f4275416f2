#include "cli/options_yaml.h"

#include <stdlib.h>
#include <string.h>

#include "tidewheel/mem.h"
#include "tidewheel/options.h"

/* A path below a prefix: its first segment, and whether more come. */
struct segment {
    const char *ptr;
    size_t len;
    bool is_last;
};

static bool segment_of(const char *path, const char *prefix, struct segment *ret)
{
    size_t len = strlen(prefix);
    if (strncmp(path, prefix, len) != 0)
        return false;
    ret->ptr = path + len;
    ret->len = strcspn(ret->ptr, ".");
    ret->is_last = ret->ptr[ret->len] == '\0';
    return true;
}

/* Has a row before this one opened the group already? */
static bool is_open(size_t row, const char *prefix, const struct segment *segment)
{
    struct segment other;
    for (size_t i = 0; i < row; i++)
        if (segment_of(option_rows[i].path, prefix, &other) && other.len == segment->len &&
            memcmp(other.ptr, segment->ptr, other.len) == 0)
            return true;
    return false;
}

static void visit(const struct options_visitor *visitor, const char *prefix, int depth)
{
    for (size_t i = 0; i < option_count; i++) {
        struct segment segment;
        if (!segment_of(option_rows[i].path, prefix, &segment))
            continue;
        if (segment.is_last) {
            visitor->row(visitor->arg, &option_rows[i], segment.ptr, depth);
        } else if (!is_open(i, prefix, &segment)) {
            char *name = mem_strndup(segment.ptr, segment.len);
            char *path = mem_strndup(option_rows[i].path, strlen(prefix) + segment.len + 1);
            visitor->group(visitor->arg, name, depth);
            visit(visitor, path, depth + 1);
            free(path);
            free(name);
        }
    }
}

void options_visit(const struct options_visitor *visitor)
{
    visit(visitor, "", 0);
}

void yaml_add_quoted(struct buf *ret, const char *text)
{
    buf_add_char(ret, '"');
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\')
            buf_add_char(ret, '\\');
        if (byte == '$')
            buf_add_char(ret, '$');
        if (byte < 0x20 || byte == 0x7f)
            buf_printf(ret, "\\x%02x", byte);
        else
            buf_add_char(ret, *text);
    }
    buf_add_char(ret, '"');
}

void yaml_add_value(struct buf *ret, const struct setting *row, const char *text)
{
    switch (row->type) {
    case SETTING_INT:
    case SETTING_DURATION:
    case SETTING_SIZE:
    case SETTING_CHOICE:
    case SETTING_BOOL:
        buf_add_text(ret, text);
        break;
    default:
        yaml_add_quoted(ret, text);
    }
}

void yaml_add_key(struct buf *ret, const char *key)
{
    static const char PLAIN[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.";
    if (*key != '\0' && strspn(key, PLAIN) == strlen(key)) {
        buf_add_text(ret, key);
        return;
    }
    buf_add_char(ret, '"'); /* a $ in a key is a $ */
    for (; *key != '\0'; key++) {
        unsigned char byte = (unsigned char)*key;
        if (byte == '"' || byte == '\\')
            buf_add_char(ret, '\\');
        if (byte < 0x20 || byte == 0x7f)
            buf_printf(ret, "\\x%02x", byte);
        else
            buf_add_char(ret, *key);
    }
    buf_add_char(ret, '"');
}
