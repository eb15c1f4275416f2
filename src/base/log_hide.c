#include "base/log_hide.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "tidewheel/mask.h"
#include "tidewheel/mem.h"

enum { CUT_LEN_MIN = 8 }; /* fewer bytes are any word's beginning */

/* A list that only grows, at its head: whoever reads it needs no lock. */
struct hidden {
    struct hidden *next;
    size_t len;
    char text[];
};

static struct hidden *_Atomic newest;
static atomic_size_t count;

static bool is_hidden(const char *text, size_t len)
{
    for (const struct hidden *hidden = newest; hidden != NULL; hidden = hidden->next)
        if (hidden->len == len && memcmp(hidden->text, text, len) == 0)
            return true;
    return false;
}

static void hide(const char *text, size_t len)
{
    if (len < LOG_HIDDEN_LEN_MIN || is_hidden(text, len) ||
        atomic_fetch_add(&count, 1) >= LOG_HIDDEN_MAX)
        return;
    struct hidden *hidden = mem_alloc(sizeof *hidden + len);
    hidden->len = len;
    memcpy(hidden->text, text, len);
    hidden->next = newest;
    while (!atomic_compare_exchange_weak(&newest, &hidden->next, hidden))
        continue;
}

void log_hide(const char *text)
{
    static const char PLAIN[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    struct buf encoded = {NULL, 0, 0};
    for (const char *at = text; *at != '\0'; at++) {
        if (strchr(PLAIN, *at) != NULL)
            buf_add_char(&encoded, *at);
        else
            buf_printf(&encoded, "%%%02X", (unsigned char)*at);
    }
    hide(text, strlen(text));
    hide(encoded.ptr, encoded.len);
    buf_fini(&encoded);
}

/* A text that was cut may end within a secret: the beginning of one is none to show either. */
size_t log_hidden_at(const char *text, size_t len)
{
    size_t longest = 0;
    for (const struct hidden *hidden = newest; hidden != NULL; hidden = hidden->next) {
        size_t part = hidden->len < len ? hidden->len : len;
        bool is_telling = part == hidden->len || part >= CUT_LEN_MIN;
        if (is_telling && part > longest && memcmp(hidden->text, text, part) == 0)
            longest = part;
    }
    return longest;
}

void log_hidden(struct slice text, struct buf *ret)
{
    for (size_t i = 0; i < text.len;) {
        size_t len = log_hidden_at(text.ptr + i, text.len - i);
        if (len > 0)
            buf_add_text(ret, MASK);
        else
            buf_add_char(ret, text.ptr[i]);
        i += len > 0 ? len : 1;
    }
}
