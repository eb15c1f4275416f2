#include "config/key_pattern.h"

#include <stdlib.h>

#include "tidewheel/key.h"
#include "tidewheel/mem.h"

void key_pattern_add(const struct template *template, size_t id_parts, struct buf *ret)
{
    for (size_t i = 0; i < template->count; i++) {
        const struct template_part *part = &template->parts[i];
        if (part->kind == TEMPLATE_LITERAL) {
            buf_add(ret, part->text, part->len);
            continue;
        }
        buf_add_char(ret, KEY_PATTERN_STAR);
        for (size_t j = 1; part->kind == TEMPLATE_ENTITY_ID && j < id_parts; j++) {
            buf_add_char(ret, ':');
            buf_add_char(ret, KEY_PATTERN_STAR);
        }
    }
}

void key_pattern_show(struct slice pattern, struct buf *ret)
{
    for (size_t i = 0; i < pattern.len; i++)
        buf_add_char(ret, pattern.ptr[i] == KEY_PATTERN_STAR ? '*' : pattern.ptr[i]);
}

void key_pattern_glob(struct slice pattern, struct buf *ret)
{
    for (size_t i = 0; i < pattern.len; i++) {
        char byte = pattern.ptr[i];
        if (byte != KEY_PATTERN_STAR && strchr("*?[]\\", byte) != NULL)
            buf_add_char(ret, '\\');
        buf_add_char(ret, byte == KEY_PATTERN_STAR ? '*' : byte);
    }
}

bool key_pattern_is_ambiguous(struct slice pattern)
{
    bool is_open = false; /* a star, and since then nothing that could not be its own */
    for (size_t i = 0; i < pattern.len; i++) {
        char byte = pattern.ptr[i];
        if (byte == KEY_PATTERN_STAR && is_open)
            return true;
        is_open = byte == KEY_PATTERN_STAR || (is_open && key_is_part_byte(byte));
    }
    return false;
}

static bool meets(char a, char b)
{
    if (a == KEY_PATTERN_STAR)
        return b == KEY_PATTERN_STAR || key_is_part_byte(b);
    return b == KEY_PATTERN_STAR ? key_is_part_byte(a) : a == b;
}

/* Both patterns are walked at once over every key that they could make: reached[i][j] says that
 * some text brings one to its place i and the other to j. A star may take one byte more (stay) or
 * end. With is_prefix it is enough that b is at its end. */
static bool have_common(struct slice a, struct slice b, bool is_prefix)
{
    size_t width = b.len + 1;
    bool *reached = mem_zalloc((a.len + 1) * width);
    bool ret = false;
    reached[0] = true;
    for (size_t i = 0; i < a.len; i++) {
        for (size_t j = 0; j < b.len; j++) {
            if (!reached[i * width + j] || !meets(a.ptr[i], b.ptr[j]))
                continue;
            bool a_stays = a.ptr[i] == KEY_PATTERN_STAR;
            bool b_stays = b.ptr[j] == KEY_PATTERN_STAR;
            reached[(i + 1) * width + j + 1] = true;
            if (a_stays)
                reached[i * width + j + 1] = true;
            if (b_stays)
                reached[(i + 1) * width + j] = true;
        }
    }
    for (size_t i = is_prefix ? 0 : a.len; i <= a.len; i++)
        ret = ret || reached[i * width + b.len];
    free(reached);
    return ret;
}

bool key_pattern_can_begin_with(struct slice pattern, const char *prefix)
{
    return have_common(pattern, slice_of(prefix), true);
}

/* A part has none of the other bytes, so both must have the same: a quick no for most pairs. */
static bool have_same_frame(struct slice a, struct slice b)
{
    size_t i = 0;
    size_t j = 0;
    for (;;) {
        while (i < a.len && (a.ptr[i] == KEY_PATTERN_STAR || key_is_part_byte(a.ptr[i])))
            i++;
        while (j < b.len && (b.ptr[j] == KEY_PATTERN_STAR || key_is_part_byte(b.ptr[j])))
            j++;
        if (i == a.len || j == b.len)
            return i == a.len && j == b.len;
        if (a.ptr[i++] != b.ptr[j++])
            return false;
    }
}

bool key_pattern_overlaps(struct slice a, struct slice b)
{
    return have_same_frame(a, b) && have_common(a, b, false);
}
