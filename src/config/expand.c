#include "config/expand.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tidewheel/yaml.h"

enum { NAME_MAX_LEN = 128 };

#define LETTERS    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
#define NAME_CHARS LETTERS "0123456789"

static size_t name_len(const char *text)
{
    return strspn(text, LETTERS) > 0 ? strspn(text, NAME_CHARS) : 0;
}

/* What lies between the braces: the name, and one of "", ":-default", ":?message". */
struct reference {
    char name[NAME_MAX_LEN + 1];
    const char *rest;
    size_t rest_len;
};

/* "${NAME" of a reference: what comes behind it may be a default, or the rest of a URL. */
static struct citation cite_reference(const char *text)
{
    char shown[NAME_MAX_LEN + 8];
    size_t len = 2 + strspn(text + 2, NAME_CHARS);
    (void)snprintf(shown, sizeof shown, "%.*s%s", (int)(len < NAME_MAX_LEN ? len : NAME_MAX_LEN),
                   text, text[len] != '\0' ? "..." : "");
    return cite(shown);
}

/* text points at "${". The length of the whole reference is returned, or ERR_CONFIG. */
static int parse(const char *text, struct reference *ret, size_t *ret_len, struct err *err)
{
    const char *end = strchr(text, '}');
    size_t len = name_len(text + 2);
    if (end == NULL)
        return err_set(err, ERR_CONFIG, "%s has no closing '}'; a plain $ is written $$",
                       cite_reference(text).text);
    ret->rest = text + 2 + len;
    ret->rest_len = (size_t)(end - text) >= 2 + len ? (size_t)(end - ret->rest) : 0;
    bool has_operator = ret->rest_len >= 2 && ret->rest[0] == ':' && strchr("-?", ret->rest[1]);
    if (len == 0 || len > NAME_MAX_LEN || (ret->rest_len > 0 && !has_operator))
        return err_set(
            err, ERR_CONFIG,
            "%s is not ${VAR}, ${VAR:-default} or ${VAR:?message}; a plain $ is written $$",
            cite_reference(text).text);
    if (memmem(ret->rest, ret->rest_len, "${", 2) != NULL)
        return err_set(err, ERR_CONFIG, "%s: references do not nest", cite_reference(text).text);
    memcpy(ret->name, text + 2, len);
    ret->name[len] = '\0';
    *ret_len = (size_t)(end - text) + 1;
    return 0;
}

/* All bytes of ret that are not in borrowed yet are of one kind. */
static void mark(const struct buf *ret, struct buf *borrowed, bool is_borrowed)
{
    size_t len = ret->len - borrowed->len;
    if (len > 0)
        memset(buf_reserve(borrowed, len), is_borrowed, len);
    buf_advance(borrowed, len);
}

static int resolve(const struct reference *reference, struct buf *ret, struct buf *borrowed,
                   struct err *err)
{
    const char *value = getenv(reference->name);
    bool is_empty = value == NULL || *value == '\0';
    if (reference->rest_len == 0 && value == NULL)
        return err_set(
            err, ERR_CONFIG,
            "the environment variable %s is not set; ${%s:-default} would give it a default",
            reference->name, reference->name);
    if (reference->rest_len > 0 && is_empty) {
        const char *rest = reference->rest + 2;
        size_t len = reference->rest_len - 2;
        if (reference->rest[1] == '?')
            return err_set(err, ERR_CONFIG, "the environment variable %s is not set: %.*s",
                           reference->name, (int)(len < 200 ? len : 200), rest);
        buf_add(ret, rest, len);
        return 0;
    }
    buf_add_text(ret, value);
    mark(ret, borrowed, true);
    return 0;
}

int expand(const char *text, size_t len_max, struct buf *ret, struct buf *ret_borrowed,
           struct err *err)
{
    for (const char *at = text; *at != '\0';) {
        size_t len = strcspn(at, "$");
        buf_add(ret, at, len);
        mark(ret, ret_borrowed, false);
        at += len;
        if (at[0] == '$' && at[1] == '{') {
            struct reference reference;
            if (parse(at, &reference, &len, err) != 0 ||
                resolve(&reference, ret, ret_borrowed, err) != 0)
                return ERR_CONFIG;
            at += len;
        } else if (at[0] == '$') {
            buf_add_char(ret, '$');
            at += at[1] == '$' ? 2 : 1;
        }
        mark(ret, ret_borrowed, false);
        if (ret->len > len_max)
            return err_set(err, ERR_CONFIG, "is longer than %zu bytes", len_max);
    }
    return 0;
}
