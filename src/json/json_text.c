#include "tidewheel/json_text.h"

#include <stdint.h>
#include <string.h>

/* True if none of the eight bytes is NUL or outside ASCII. A zero byte borrows its top bit; a byte
 * of 0x80 and more has it already. */
static bool is_plain_word(const char *at)
{
    const uint64_t ones = 0x0101010101010101u;
    const uint64_t tops = 0x8080808080808080u;
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return (((word - ones) | word) & tops) == 0;
}

/* One character outside ASCII, after table 3-7 of the Unicode standard; its length, or 0. */
static size_t char_len(const unsigned char *at, size_t left)
{
    size_t len = 0;
    unsigned char low = 0x80; /* the range of the second byte */
    unsigned char high = 0xbf;
    if (at[0] >= 0xc2 && at[0] <= 0xdf) {
        len = 2;
    } else if (at[0] >= 0xe0 && at[0] <= 0xef) {
        len = 3;
        low = at[0] == 0xe0 ? 0xa0 : low;
        high = at[0] == 0xed ? 0x9f : high;
    } else if (at[0] >= 0xf0 && at[0] <= 0xf4) {
        len = 4;
        low = at[0] == 0xf0 ? 0x90 : low;
        high = at[0] == 0xf4 ? 0x8f : high;
    }
    if (len == 0 || left < len || at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

bool json_text_is_strict(const char *ptr, size_t len)
{
    size_t at = 0;
    while (at < len) {
        if (len - at >= 8 && is_plain_word(ptr + at)) {
            at += 8;
            continue;
        }
        unsigned char byte = (unsigned char)ptr[at];
        size_t step = byte < 0x80 ? byte != 0 : char_len((const unsigned char *)ptr + at, len - at);
        if (step == 0)
            return false;
        at += step;
    }
    return true;
}

static int hex_digit(char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte = (char)(byte | 0x20);
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* The four digits of \uXXXX, whose backslash is at ptr; -1 when there is no such escape. */
static int32_t unit_at(const char *ptr, size_t left)
{
    if (left < 6 || ptr[0] != '\\' || ptr[1] != 'u')
        return -1;
    int32_t unit = 0;
    for (size_t i = 2; i < 6; i++) {
        int digit = hex_digit(ptr[i]);
        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

static size_t char_write(int32_t point, char *ret)
{
    if (point < 0x80) {
        ret[0] = (char)point;
        return 1;
    }
    size_t len = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--) {
        ret[i] = (char)(0x80 | (point & 0x3f));
        point >>= 6;
    }
    ret[0] = (char)((0xf00 >> len & 0xff) | point);
    return len;
}

/* Reads the \u escape at ptr, two for a surrogate pair. Its length, or 0. */
static size_t unicode_read(const char *ptr, size_t left, char *ret, size_t *ret_len)
{
    int32_t point = unit_at(ptr, left);
    size_t len = 6;
    if (point >= 0xd800 && point <= 0xdbff) {
        int32_t second = unit_at(ptr + 6, left - 6);
        if (second < 0xdc00 || second > 0xdfff)
            return 0;
        point = 0x10000 + (point - 0xd800) * 0x400 + (second - 0xdc00);
        len = 12;
    }
    if (point <= 0 || (point >= 0xdc00 && point <= 0xdfff))
        return 0;
    *ret_len = char_write(point, ret);
    return len;
}

/* Reads the escape at ptr. Its length, or 0. */
static size_t escape_read(const char *ptr, size_t left, char *ret, size_t *ret_len)
{
    static const char NAMES[] = "\"\\/bfnrt";
    static const char BYTES[] = "\"\\/\b\f\n\r\t";
    if (left < 2 || ptr[1] == '\0')
        return 0;
    if (ptr[1] == 'u')
        return unicode_read(ptr, left, ret, ret_len);
    const char *name = strchr(NAMES, ptr[1]);
    if (name == NULL)
        return 0;
    *ret = BYTES[name - NAMES];
    *ret_len = 1;
    return 2;
}

bool json_text_decode(const char *ptr, size_t len, char *ret, size_t *ret_len)
{
    size_t at = 0;
    size_t used = 0;
    while (at < len) {
        const char *escape = memchr(ptr + at, '\\', len - at);
        size_t plain = escape != NULL ? (size_t)(escape - ptr) - at : len - at;
        if (!json_text_is_strict(ptr + at, plain))
            return false;
        memcpy(ret + used, ptr + at, plain);
        at += plain;
        used += plain;
        if (escape == NULL)
            break;
        size_t written = 0;
        size_t step = escape_read(escape, len - at, ret + used, &written);
        if (step == 0)
            return false;
        at += step;
        used += written;
    }
    *ret_len = used;
    return true;
}

void json_text_add(struct buf *buf, struct slice text)
{
    buf_add_char(buf, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.ptr[i];
        if (byte == '"' || byte == '\\')
            buf_add_char(buf, '\\');
        if (byte < 0x20 || byte == 0x7f)
            buf_printf(buf, "\\u%04x", byte);
        else
            buf_add_char(buf, text.ptr[i]);
    }
    buf_add_char(buf, '"');
}
