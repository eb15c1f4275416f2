#include "tidewheel/template.h"

#include "config/key_pattern.h"
#include "tidewheel/key.h"

#include "unit.h"

static const struct placeholder PLACEHOLDERS[] = {
    {"entity_type", TEMPLATE_LITERAL, "user"},
    {"entity_id", TEMPLATE_ENTITY_ID, NULL},
    {"tenant", 0, NULL},
    {"shop.id", 1, NULL},
    {"user_id", 2, NULL},
};

static int compile(const char *source, struct template *ret, struct err *err)
{
    return template_compile(source, PLACEHOLDERS, sizeof PLACEHOLDERS / sizeof *PLACEHOLDERS, ret,
                            err);
}

static const char *render(const char *source, const char *identity, bool has_tenant)
{
    static struct buf key;
    struct template template;
    struct err err;
    ck_assert_int_eq(compile(source, &template, &err), 0);
    buf_reset(&key);
    template_render(&template, slice_of(identity), has_tenant, &key);
    template_fini(&template);
    return buf_text(&key);
}

static struct buf pattern_of(const char *source, size_t id_parts)
{
    struct buf pattern = {NULL, 0, 0};
    struct template template;
    struct err err;
    ck_assert_int_eq(compile(source, &template, &err), 0);
    key_pattern_add(&template, id_parts, &pattern);
    template_fini(&template);
    return pattern;
}

START_TEST(placeholders_become_the_entitys_own_parts)
{
    ck_assert_str_eq(render("features:{entity_type}:{entity_id}", "42", false), "features:user:42");
    ck_assert_str_eq(render("{entity_id}", "a%3Ab:7", false), "a%3Ab:7");
    ck_assert_str_eq(render("{tenant}:{entity_type}:{entity_id}", "o1:s:u", true), "o1:user:s:u");
    ck_assert_str_eq(render("x:{user_id}:{shop.id}:{tenant}", "o1:s:u", true), "x:u:s:o1");
    ck_assert_str_eq(render("{{{shop.id}}}:f", "o1:s:u", true), "{s}:f");
    ck_assert_str_eq(render("{{}}", "o1:s:u", true), "{}");
}
END_TEST

START_TEST(what_is_the_same_for_all_entities_is_put_in_once)
{
    struct template template;
    struct err err;
    ck_assert_int_eq(compile("a:{entity_type}:b:{entity_id}", &template, &err), 0);
    ck_assert_uint_eq(template.count, 2);
    ck_assert_str_eq(template.parts[0].text, "a:user:b:");
    ck_assert_int_eq(template.parts[1].kind, TEMPLATE_ENTITY_ID);
    ck_assert_str_eq(template.source, "a:{entity_type}:b:{entity_id}");
    template_fini(&template);
}
END_TEST

START_TEST(unknown_placeholders_and_lonely_braces_are_refused)
{
    static const char *const WRONG[] = {"{entity}", "{}",          "{user_id",     "user_id}",
                                        "a}b",      "{a{b}}",      "{entity_id}}", "{",
                                        "}",        "{{{user_id}}"};
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        struct template template = {NULL, NULL, 0};
        struct err err;
        ck_assert_msg(compile(WRONG[i], &template, &err) == ERR_CONFIG, "%s", WRONG[i]);
        ck_assert_ptr_null(template.source);
    }
}
END_TEST

START_TEST(no_event_reaches_keys_that_begin_with_the_workers_prefix)
{
    static const struct {
        const char *source;
        size_t id_parts;
        bool can;
    } ROWS[] = {
        {"{{tw:{entity_id}}}", 1, true}, {"{{t{user_id}:x", 1, true},
        {"{{{user_id}:x", 1, true},      {"{{{entity_id}}}", 2, true},
        {"{{{entity_id}}}", 1, false},   {"{{{user_id}}}:x", 1, false},
        {"{entity_id}", 3, false},       {"tw:{entity_id}", 1, false},
        {"{{tw{user_id}}}", 1, false},   {"{{tx:{entity_id}}}", 1, false},
        {"x{{tw:{entity_id}", 1, false},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct buf pattern = pattern_of(ROWS[i].source, ROWS[i].id_parts);
        ck_assert_msg(key_pattern_can_begin_with(buf_slice(&pattern), "{tw:") == ROWS[i].can, "%s",
                      ROWS[i].source);
        buf_fini(&pattern);
    }
}
END_TEST

START_TEST(parts_must_be_kept_apart_by_what_neither_can_contain)
{
    static const char *const WRONG[] = {"{user_id}{shop.id}", "{user_id}-{shop.id}",
                                        "{user_id}.x_{tenant}"};
    static const char *const RIGHT[] = {"{user_id}:{shop.id}", "x-{user_id}-y",
                                        "{user_id}-:-{shop.id}", "{entity_id}/{tenant}"};
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        struct buf pattern = pattern_of(WRONG[i], 1);
        ck_assert(key_pattern_is_ambiguous(buf_slice(&pattern)));
        buf_fini(&pattern);
    }
    for (size_t i = 0; i < sizeof RIGHT / sizeof *RIGHT; i++) {
        struct buf pattern = pattern_of(RIGHT[i], 2);
        ck_assert(!key_pattern_is_ambiguous(buf_slice(&pattern)));
        buf_fini(&pattern);
    }
}
END_TEST

START_TEST(templates_that_can_make_the_same_key_are_found)
{
    static const struct {
        const char *a;
        const char *b;
        size_t b_parts;
        bool overlap;
    } ROWS[] = {
        {"features:user:{user_id}", "{tenant}:user:{entity_id}", 1, true},
        {"features:user:{user_id}", "{tenant}:user:{entity_id}", 2, false},
        {"features:user:{user_id}", "{tenant}:post:{entity_id}", 1, false},
        {"features:user:{user_id}", "freshness:user:{user_id}", 1, false},
        {"a-{user_id}:x", "{user_id}-b:x", 1, true},
        {"a-{user_id}:x", "b-{user_id}:x", 1, false},
        {"{user_id}a", "{user_id}b", 1, false},
        {"{user_id}", "x", 1, true},
        {"{user_id}x", "x", 1, false}, /* a part is never empty */
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct buf a = pattern_of(ROWS[i].a, 1);
        struct buf b = pattern_of(ROWS[i].b, ROWS[i].b_parts);
        ck_assert_msg(key_pattern_overlaps(buf_slice(&a), buf_slice(&b)) == ROWS[i].overlap,
                      "%s %s", ROWS[i].a, ROWS[i].b);
        ck_assert(key_pattern_overlaps(buf_slice(&b), buf_slice(&a)) == ROWS[i].overlap);
        buf_fini(&a);
        buf_fini(&b);
    }
}
END_TEST

/* The identity that a key says; "": the template makes no such key. */
static const char *identify(const char *source, const char *key, size_t part_count, bool has_tenant)
{
    static struct buf identity;
    struct template template;
    struct err err;
    ck_assert_int_eq(compile(source, &template, &err), 0);
    buf_reset(&identity);
    bool is_ours = template_identify(&template, slice_of(key), part_count, has_tenant, &identity);
    ck_assert_msg(is_ours == (identity.len > 0), "%s %s", source, key);
    template_fini(&template);
    return buf_text(&identity);
}

START_TEST(a_key_says_whose_it_is)
{
    static const struct {
        const char *source;
        const char *identity;
        size_t parts;
        bool has_tenant;
    } ROWS[] = {
        {"freshness:{entity_type}:{entity_id}", "42", 1, false},
        {"freshness:{entity_type}:{entity_id}", "a%3Ab:7:%5B%2A", 3, false},
        {"{tenant}:freshness:{entity_type}:{entity_id}", "o1:s:u", 3, true},
        {"f:{user_id}:{shop.id}:{tenant}", "o1:s:u", 3, true},
        {"f:{entity_id}:{shop.id}:{tenant}", "o1:s:u", 3, true}, /* a part that stands twice */
        {"{{{entity_id}}}", "s", 1, false},
        {"f*[a]?:{entity_id}\\", "s", 1, false},
        {"x-{tenant}-y:z-{shop.id}.v1", "-y-y:z-z.v1", 2, false},
        {"{tenant}_v2:{shop.id}_v2", "a_v2_v2:_v2", 2, false},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        const char *key = render(ROWS[i].source, ROWS[i].identity, ROWS[i].has_tenant);
        ck_assert_str_eq(identify(ROWS[i].source, key, ROWS[i].parts, ROWS[i].has_tenant),
                         ROWS[i].identity);
    }
}
END_TEST

START_TEST(a_key_that_the_template_does_not_make_says_nothing)
{
    static const struct {
        const char *source;
        const char *key;
        size_t parts;
    } ROWS[] = {
        {"f:{entity_id}", "f:", 1},       {"f:{entity_id}", "f:a:b", 1},
        {"f:{entity_id}", "f:a", 2},      {"f:{entity_id}", "f:a:b:c", 2},
        {"f:{entity_id}", "f::b", 2},     {"f:{entity_id}", "g:a", 1},
        {"f:{entity_id}", "f:a b", 1},    {"f:{entity_id}", "f", 1},
        {"f:{entity_id}", "f:{a}", 1},    {"f:{entity_id}.v1", "f:a.v2", 1},
        {"f:{entity_id}.v1", "f:.v1", 1}, {"f:{entity_id}:x", "f:a:xy", 1},
        {"{tenant}:{tenant}", "a:b", 1},  {"{entity_id}", "", 1},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++)
        ck_assert_str_eq(identify(ROWS[i].source, ROWS[i].key, ROWS[i].parts, false), "");
}
END_TEST

START_TEST(only_stars_are_special_to_redis)
{
    static const struct {
        const char *source;
        size_t id_parts;
        const char *glob;
    } ROWS[] = {
        {"freshness:{entity_type}:{entity_id}", 1, "freshness:user:*"},
        {"{entity_id}", 3, "*:*:*"},
        {"{{f}}*?[a-z]^\\:{user_id}", 1, "{f}\\*\\?\\[a-z\\]^\\\\:*"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct buf pattern = pattern_of(ROWS[i].source, ROWS[i].id_parts);
        struct buf glob = {NULL, 0, 0};
        key_pattern_glob(buf_slice(&pattern), &glob);
        ck_assert_str_eq(buf_text(&glob), ROWS[i].glob);
        buf_fini(&glob);
        buf_fini(&pattern);
    }
}
END_TEST

UNIT_MAIN("template", placeholders_become_the_entitys_own_parts,
          what_is_the_same_for_all_entities_is_put_in_once,
          unknown_placeholders_and_lonely_braces_are_refused,
          no_event_reaches_keys_that_begin_with_the_workers_prefix,
          parts_must_be_kept_apart_by_what_neither_can_contain,
          templates_that_can_make_the_same_key_are_found, a_key_says_whose_it_is,
          a_key_that_the_template_does_not_make_says_nothing, only_stars_are_special_to_redis)
