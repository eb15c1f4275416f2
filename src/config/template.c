#include "tidewheel/template.h"

#include <stdlib.h>
#include <string.h>

#include "tidewheel/key.h"
#include "tidewheel/mem.h"
#include "tidewheel/num.h"
#include "tidewheel/suggest.h"
#include "tidewheel/yaml.h"

/* As long as the longest template of a view can become, with each byte as three. */
enum { WORD_MAX = 36 << 10 };

static void add_part(struct template *template, int kind, const char *text, size_t len)
{
    template->parts = mem_resize(template->parts, template->count + 1, sizeof *template->parts);
    template->parts[template->count++] =
        (struct template_part){kind, kind == TEMPLATE_LITERAL ? mem_strndup(text, len) : NULL, len};
}

/* What was gathered as literal text becomes a part. */
static void add_literal(struct template *template, struct buf *literal)
{
    if (literal->len > 0)
        add_part(template, TEMPLATE_LITERAL, literal->ptr, literal->len);
    buf_reset(literal);
}

static int unknown(const char *name, const struct placeholder *placeholders, size_t count,
                   struct err *err)
{
    struct suggest suggest = suggest_for(name);
    struct buf list = {NULL, 0, 0};
    char hint[SUGGEST_TEXT_MAX];
    for (size_t i = 0; i < count; i++) {
        suggest_try(&suggest, placeholders[i].name);
        buf_printf(&list, " {%s}", placeholders[i].name);
    }
    int rc = err_set(err, ERR_CONFIG, "%s is no placeholder; expected one of%s%s", cite(name).text,
                     buf_text(&list), suggest_text(&suggest, hint));
    buf_fini(&list);
    return rc;
}

static const struct placeholder *find(const char *name, const struct placeholder *placeholders,
                                      size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(placeholders[i].name, name) == 0)
            return &placeholders[i];
    return NULL;
}

/* at points behind the brace; *ret_len is the length up to the closing one, and with it. */
static int compile_placeholder(const char *at, const struct placeholder *placeholders, size_t count,
                               struct template *template, struct buf *literal, size_t *ret_len,
                               struct err *err)
{
    size_t len = strcspn(at, "{}");
    if (at[len] != '}')
        return err_set(err, ERR_CONFIG, "a '{' is not closed; a literal brace is written '{{'");
    char *name = mem_strndup(at, len);
    const struct placeholder *placeholder = find(name, placeholders, count);
    if (placeholder == NULL) {
        int rc = unknown(name, placeholders, count, err);
        free(name);
        return rc;
    }
    free(name);
    if (placeholder->kind == TEMPLATE_LITERAL) {
        buf_add_text(literal, placeholder->text);
    } else {
        add_literal(template, literal);
        add_part(template, placeholder->kind, NULL, 0);
    }
    *ret_len = len + 1;
    return 0;
}

static int compile(const char *source, const struct placeholder *placeholders, size_t count,
                   struct template *template, struct buf *literal, struct err *err)
{
    for (const char *at = source; *at != '\0';) {
        size_t len = strcspn(at, "{}");
        buf_add(literal, at, len);
        at += len;
        if (*at == '\0')
            break;
        if (at[1] == at[0]) {
            buf_add_char(literal, *at);
            at += 2;
        } else if (*at == '}') {
            return err_set(err, ERR_CONFIG, "a '}' has no '{'; a literal brace is written '}}'");
        } else {
            if (compile_placeholder(at + 1, placeholders, count, template, literal, &len, err) != 0)
                return ERR_CONFIG;
            at += 1 + len;
        }
    }
    add_literal(template, literal);
    return 0;
}

int template_compile(const char *source, const struct placeholder *placeholders, size_t count,
                     struct template *ret, struct err *err)
{
    struct template template = {.source = mem_strdup(source)};
    struct buf literal = {NULL, 0, 0};
    int rc = compile(source, placeholders, count, &template, &literal, err);
    buf_fini(&literal);
    if (rc != 0)
        template_fini(&template);
    else
        *ret = template;
    return rc;
}

void template_render(const struct template *template, struct slice identity, bool has_tenant,
                     struct buf *ret)
{
    for (size_t i = 0; i < template->count; i++) {
        const struct template_part *part = &template->parts[i];
        struct slice text = {part->text, part->len};
        if (part->kind == TEMPLATE_ENTITY_ID) {
            size_t skip = has_tenant ? key_part(identity, 0).len + 1 : 0;
            text = (struct slice){identity.ptr + skip, identity.len - skip};
        } else if (part->kind != TEMPLATE_LITERAL) {
            text = key_part(identity, (size_t)part->kind);
        }
        buf_add(ret, text.ptr, text.len);
    }
}

/* What is left of a key, and the parts that were found in what came before. */
struct reading_key {
    struct slice rest;
    struct slice parts[KEYS_MAX + 1]; /* the tenant is one more */
};

static bool take_literal(struct reading_key *reading, struct slice literal)
{
    if (reading->rest.len < literal.len || memcmp(reading->rest.ptr, literal.ptr, literal.len) != 0)
        return false;
    reading->rest.ptr += literal.len;
    reading->rest.len -= literal.len;
    return true;
}

static size_t part_bytes(struct slice text)
{
    size_t len = 0;
    while (len < text.len && key_is_part_byte(text.ptr[len]))
        len++;
    return len;
}

/* It ends where a byte comes that no part has, less the bytes of the literal behind it that one could
 * have. A part that stands twice in a key must be the same. */
static bool take_part(struct reading_key *reading, size_t index, struct slice behind)
{
    size_t len = part_bytes(reading->rest);
    size_t less = part_bytes(behind);
    if (len <= less)
        return false;
    struct slice part = {reading->rest.ptr, len - less};
    struct slice *known = &reading->parts[index];
    if (known->ptr != NULL && !slice_is_equal(*known, part))
        return false;
    *known = part;
    return take_literal(reading, part);
}

static bool take_parts(struct reading_key *reading, size_t first, size_t end, struct slice behind)
{
    for (size_t i = first; i < end; i++)
        if ((i > first && !take_literal(reading, slice_of(":"))) ||
            !take_part(reading, i, i + 1 < end ? slice_of(":") : behind))
            return false;
    return true;
}

bool template_identify(const struct template *template, struct slice key, size_t part_count,
                       bool has_tenant, struct buf *ret)
{
    struct reading_key reading = {.rest = key};
    bool is_right = true;
    CHECK(part_count <= sizeof reading.parts / sizeof *reading.parts);
    for (size_t i = 0; i < template->count && is_right; i++) {
        const struct template_part *part = &template->parts[i];
        struct slice behind = {NULL, 0};
        if (i + 1 < template->count)
            behind = (struct slice){part[1].text, part[1].len};
        if (part->kind == TEMPLATE_LITERAL)
            is_right = take_literal(&reading, (struct slice){part->text, part->len});
        else if (part->kind == TEMPLATE_ENTITY_ID)
            is_right = take_parts(&reading, has_tenant, part_count, behind);
        else
            is_right = take_part(&reading, (size_t)part->kind, behind);
    }
    is_right = is_right && reading.rest.len == 0;
    for (size_t i = 0; i < part_count && is_right; i++)
        is_right = reading.parts[i].ptr != NULL;
    for (size_t i = 0; i < part_count && is_right; i++) {
        if (i > 0)
            buf_add_char(ret, ':');
        buf_add(ret, reading.parts[i].ptr, reading.parts[i].len);
    }
    return is_right;
}

void template_fini(struct template *template)
{
    for (size_t i = 0; i < template->count; i++)
        free(template->parts[i].text);
    free(template->parts);
    free(template->source);
    *template = (struct template){NULL, NULL, 0};
}

void template_write(const struct template *template, struct buf *ret)
{
    for (size_t i = 0; i < template->count; i++) {
        const struct template_part *part = &template->parts[i];
        if (part->kind == TEMPLATE_LITERAL)
            key_encode(part->text, part->len, ret);
        else if (part->kind == TEMPLATE_ENTITY_ID)
            buf_add_text(ret, "{id}");
        else
            buf_printf(ret, "{%d}", part->kind);
    }
}

bool template_is_equal(const struct template *a, const struct template *b)
{
    bool is_equal = a->count == b->count;
    for (size_t i = 0; i < a->count && is_equal; i++)
        is_equal = a->parts[i].kind == b->parts[i].kind &&
                   slice_is_equal((struct slice){a->parts[i].text, a->parts[i].len},
                                  (struct slice){b->parts[i].text, b->parts[i].len});
    return is_equal;
}

/* What stands between braces; false: no part of an identity. */
static bool read_kind(struct slice text, int *ret)
{
    int64_t number = TEMPLATE_ENTITY_ID;
    bool is_id = slice_is_equal(text, slice_of("id"));
    if (!is_id && (!num_parse_int64(text.ptr, text.len, &number) || number < 0 ||
                   number > KEYS_MAX)) /* the tenant is one more */
        return false;
    *ret = (int)number;
    return true;
}

static bool read_literal(struct slice text, struct template *template)
{
    struct buf literal = {NULL, 0, 0};
    key_decode(text, &literal);
    bool is_right = memchr(literal.ptr, '\0', literal.len) == NULL;
    if (is_right)
        add_literal(template, &literal);
    buf_fini(&literal);
    return is_right;
}

bool template_read(struct slice word, struct template *ret)
{
    struct template template = {NULL, NULL, 0};
    bool is_right = word.len > 0 && word.len <= WORD_MAX;
    for (size_t at = 0; at < word.len && is_right;) {
        const char *ptr = word.ptr + at;
        bool is_part = *ptr == '{';
        const char *end = memchr(ptr, is_part ? '}' : '{', word.len - at);
        size_t len = end != NULL ? (size_t)(end - ptr) : word.len - at;
        int kind = TEMPLATE_LITERAL;
        if (is_part) {
            is_right = end != NULL && read_kind((struct slice){ptr + 1, len - 1}, &kind);
            add_part(&template, kind, "", 0);
        } else {
            is_right = read_literal((struct slice){ptr, len}, &template);
        }
        at += len + is_part;
    }
    if (is_right)
        *ret = template;
    else
        template_fini(&template);
    return is_right;
}
