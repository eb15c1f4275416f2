#include "tidewheel/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tidewheel/mem.h"

void buf_reset(struct buf *buf)
{
    buf->len = 0;
}

void buf_fini(struct buf *buf)
{
    free(buf->ptr);
    *buf = (struct buf){NULL, 0, 0};
}

char *buf_reserve(struct buf *buf, size_t len)
{
    size_t need = buf->len + len;
    if (need > buf->cap) {
        size_t cap = buf->cap < 64 ? 64 : buf->cap;
        while (cap < need)
            cap *= 2;
        buf->ptr = mem_resize(buf->ptr, cap, 1);
        buf->cap = cap;
    }
    return buf->ptr + buf->len;
}

void buf_add(struct buf *buf, const char *ptr, size_t len)
{
    if (len == 0)
        return;
    memcpy(buf_reserve(buf, len), ptr, len);
    buf->len += len;
}

void buf_add_text(struct buf *buf, const char *text)
{
    buf_add(buf, text, strlen(text));
}

void buf_add_char(struct buf *buf, char byte)
{
    *buf_reserve(buf, 1) = byte;
    buf->len++;
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    CHECK(len >= 0);
    char *at = buf_reserve(buf, (size_t)len + 1);
    va_start(args, format);
    (void)vsnprintf(at, (size_t)len + 1, format, args);
    va_end(args);
    buf->len += (size_t)len;
}

const char *buf_text(struct buf *buf)
{
    *buf_reserve(buf, 1) = '\0';
    return buf->ptr;
}
