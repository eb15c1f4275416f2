/* template: the names of Redis keys and fields, compiled.
 *
 *     "features:{entity_type}:{entity_id}"  ->  "features:" "user:" {entity_id}
 *
 * Placeholders whose value is the same for the whole view are put in when the view is loaded; what
 * is left depends on the entity: {entity_id} (its encoded parts, joined by ':'), {tenant}, and any
 * key field by its path. `{{` and `}}` stand for braces.
 *
 * Floor: 1. Owner: built once, then const and shared.
 */
#ifndef TIDEWHEEL_TEMPLATE_H
#define TIDEWHEEL_TEMPLATE_H

#include "tidewheel/buf.h"

enum { TEMPLATE_LITERAL = -1, TEMPLATE_ENTITY_ID = -2 };

struct template_part {
    int kind;   /* TEMPLATE_LITERAL, TEMPLATE_ENTITY_ID, or the number of an identity part */
    char *text; /* of a literal */
    size_t len;
};

struct template
{
    char *source; /* as written */
    struct template_part *parts;
    size_t count;
};

/* What may stand between braces: a name, and what is put in its place. */
struct placeholder {
    const char *name;
    int kind;         /* as of a template_part */
    const char *text; /* of TEMPLATE_LITERAL */
};

/* ERR_CONFIG for an unknown placeholder (with the nearest) and for a lonely brace. The placeholders
 * need not live on. */
int template_compile(const char *source, const struct placeholder *placeholders, size_t count,
                     struct template *ret, struct err *err) MUST_CHECK;

/* Adds the key of the entity with this identity (key.h) to ret. has_tenant: the identity's first
 * part is the tenant and not part of {entity_id}. */
void template_render(const struct template *template, struct slice identity, bool has_tenant,
                     struct buf *ret);
void template_fini(struct template *template);

/* The way back: the identity, of so many parts with the tenant, whose key this is. False: the template
 * makes no such key. For templates that are not ambiguous, as those of a view (key_pattern.h). Adds. */
bool template_identify(const struct template *template, struct slice key, size_t part_count,
                       bool has_tenant, struct buf *ret) MUST_CHECK;

/* One word, for keeping: literal text percent-encoded, `{id}` for the entity's identity, `{n}` for its
 * part number n: features%3Auser%3A{id}. template_read() leaves no source; false: it is no such word. */
void template_write(const struct template *template, struct buf *ret);      /* adds */
bool template_is_equal(const struct template *a, const struct template *b); /* the same keys */
bool template_read(struct slice word, struct template *ret) MUST_CHECK;

#endif
