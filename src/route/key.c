#include "tidewheel/key.h"

#include "tidewheel/num.h"

static const char HEX[] = "0123456789ABCDEF";

static bool is_plain(unsigned char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '_' || byte == '.' || byte == '-';
}

/* The raw bytes of one part; false: the event has no such key. An integer's digits are those that
 * the event has, as JSON allows one way only to write it, except for minus zero. */
static bool part_raw(const struct key_spec *spec, const struct value *value, struct slice *ret)
{
    struct slice text = value->text;
    bool is_integer = false;
    int64_t integer = 0;
    if (value->type == VALUE_NUMBER) {
        if (!num_is_json(text.ptr, text.len, &is_integer) || !is_integer)
            return false;
        if (slice_is_equal(text, slice_of("-0")))
            text = slice_of("0");
    } else if (value->type != VALUE_STRING || text.len == 0) {
        return false;
    }
    if (spec->type == KEY_INT64 && !num_parse_int64(text.ptr, text.len, &integer))
        return false;
    *ret = text;
    return true;
}

enum verdict key_build(const struct key_spec *specs, size_t count, const struct value *values,
                       size_t key_bytes_max, struct buf *ret)
{
    struct slice parts[KEYS_MAX + 1]; /* the tenant is one more */
    CHECK(count <= sizeof parts / sizeof *parts);
    size_t raw_len = 0;
    buf_reset(ret);
    for (size_t i = 0; i < count; i++) {
        if (!part_raw(&specs[i], &values[specs[i].slot], &parts[i]))
            return VERDICT_NO_KEY;
        raw_len += parts[i].len;
    }
    if (raw_len > key_bytes_max)
        return VERDICT_KEY_TOO_LONG;
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_add_char(ret, ':');
        key_encode(parts[i].ptr, parts[i].len, ret);
    }
    return VERDICT_ACCEPTED;
}

struct slice key_part(struct slice identity, size_t index)
{
    const char *at = identity.ptr;
    const char *end = identity.ptr + identity.len;
    while (at != NULL) {
        const char *colon = memchr(at, ':', (size_t)(end - at));
        if (index == 0)
            return (struct slice){at, (size_t)((colon != NULL ? colon : end) - at)};
        index--;
        at = colon != NULL ? colon + 1 : NULL;
    }
    return (struct slice){NULL, 0};
}

static int hex_digit(char byte)
{
    const char *at = byte != '\0' ? strchr(HEX, byte) : NULL;
    return at != NULL ? (int)(at - HEX) : -1;
}

void key_decode(struct slice part, struct buf *ret)
{
    for (size_t i = 0; i < part.len; i++) {
        int high = part.ptr[i] == '%' && part.len - i > 2 ? hex_digit(part.ptr[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(part.ptr[i + 2]) : -1;
        buf_add_char(ret, low >= 0 ? (char)(high * 16 + low) : part.ptr[i]);
        i += low >= 0 ? 2 : 0;
    }
}

bool key_is_part_byte(char byte)
{
    return is_plain((unsigned char)byte) || byte == '%';
}

void key_encode(const char *ptr, size_t len, struct buf *ret)
{
    char *to = buf_reserve(ret, len * 3);
    size_t used = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)ptr[i];
        if (is_plain(byte)) {
            to[used++] = ptr[i];
        } else {
            to[used++] = '%';
            to[used++] = HEX[byte >> 4];
            to[used++] = HEX[byte & 15];
        }
    }
    buf_advance(ret, used);
}
