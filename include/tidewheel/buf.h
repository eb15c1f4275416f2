/* buf: bytes that grow, and slices that are lent.
 *
 * A slice is (ptr, len), not NUL-terminated, never owned. A buf owns its bytes; buf_reset() keeps
 * them for the next use. A buf of all zero bytes is valid and empty.
 *
 * Floor: 0. Owner: whoever holds the struct.
 */
#ifndef TIDEWHEEL_BUF_H
#define TIDEWHEEL_BUF_H

#include "tidewheel/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *ptr;
    size_t len;
};

static inline struct slice slice_of(const char *text)
{
    return (struct slice){text, strlen(text)};
}

static inline bool slice_is_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

struct buf {
    char *ptr;
    size_t len;
    size_t cap;
};

void buf_reset(struct buf *buf); /* len = 0, memory kept */
void buf_fini(struct buf *buf);  /* memory freed, usable again */

/* Room for len more bytes: a pointer to write at. Counts only with buf_advance(). */
char *buf_reserve(struct buf *buf, size_t len);
static inline void buf_advance(struct buf *buf, size_t len)
{
    buf->len += len;
}

void buf_add(struct buf *buf, const char *ptr, size_t len);
void buf_add_text(struct buf *buf, const char *text);
void buf_add_char(struct buf *buf, char byte);
void buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);

/* NUL-terminated view of the bytes, valid until the next change. */
const char *buf_text(struct buf *buf);

static inline struct slice buf_slice(const struct buf *buf)
{
    return (struct slice){buf->ptr, buf->len};
}

#endif
