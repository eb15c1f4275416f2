#include "tidewheel/output.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "tidewheel/mem.h"
#include "unit.h"

#define HEAD                                                                                       \
    "view: v\n"                                                                                    \
    "source: {topic: t, timestamp: {field: ts, unit: ms}}\n"                                       \
    "entity: {type: user, keys: [{field: id, type: string}]}\n"
#define COUNT "  - {name: seen, aggregates: [count], windows: [10s]}\n"

static struct catalog *load(const char *const *texts, size_t count)
{
    char folder[] = "/tmp/tidewheel-output-XXXXXX";
    char files[4][64];
    const char *names[4];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(files[i], sizeof files[i], "%s/%zu.yaml", folder, i);
        FILE *file = fopen(files[i], "w");
        ck_assert_ptr_nonnull(file);
        ck_assert_int_ge(fputs(texts[i], file), 0);
        ck_assert_int_eq(fclose(file), 0);
        names[i] = files[i];
    }
    struct buf report = {NULL, 0, 0};
    struct catalog *catalog = NULL;
    int rc = pipeline_load(names, count, &report, &catalog);
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(remove(files[i]), 0);
    ck_assert_int_eq(remove(folder), 0);
    ck_assert_msg(rc == 0, "%s", buf_text(&report));
    buf_fini(&report);
    return catalog;
}

/* The digits of the last of these views, loaded together. */
struct digits {
    char text[33];
};

static struct digits digits_among(const char *const *texts, size_t count)
{
    struct digits ret;
    struct catalog *catalog = load(texts, count);
    view_definition(catalog->views[count - 1], ret.text);
    catalog_free(catalog);
    return ret;
}

static struct digits digits_of(const char *text)
{
    return digits_among(&text, 1);
}

static bool are_equal(const char *a, const char *b)
{
    return strcmp(digits_of(a).text, digits_of(b).text) == 0;
}

static const char SMALL[] = HEAD "features:\n" COUNT;

static const char LARGE[] =
    "view: card_activity\n"
    "source: {topic: card_events, timestamp: {field: at.time, unit: rfc3339}}\n"
    "entity:\n"
    "  type: card\n"
    "  tenant: {field: org}\n"
    "  keys: [{field: merchant, type: string}, {field: card.number, type: int64}]\n"
    "features:\n"
    "  - name: purchase\n"
    "    where: {event_type: purchase, amount: {gt: 0, lte: 1e6},\n"
    "            any: [{country: {in: [DE, FR]}}, {vip: true}, {not: {coupon: {exists: false}}}]}\n"
    "    value: amount\n"
    "    aggregates: [count, sum, min, max, avg]\n"
    "    windows: [1h, {length: 24h, hop: 5m}]\n"
    "  - {name: seen, aggregates: [count], windows: [7d]}\n"
    "clock: event\n";

/* If these change, whoever upgrades reads all logs again. */
START_TEST(the_digits_of_a_definition_are_the_same_in_every_version)
{
    ck_assert_str_eq(digits_of(SMALL).text, "a005cab36d72328d2044faf93ea01ff7");
    ck_assert_str_eq(digits_of(LARGE).text, "35b141691d01f10e06eb81cd9973fdcf");
}
END_TEST

START_TEST(what_makes_no_difference_makes_no_other_digits)
{
    ck_assert(are_equal(SMALL, "# a comment\nfeatures:\n  - windows: [10s]\n    name: seen\n"
                               "    aggregates: [count]\n"
                               "entity: {keys: [{type: string, field: id}], type: user}\n"
                               "source: {timestamp: {unit: ms, field: ts}, topic: t}\n"
                               "view: v\n"));
    ck_assert(are_equal(SMALL, HEAD "description: what it is\nowner: me\nversion: 3\nclock: wall\n"
                                    "output: {ttl: 30s, key: 'features:{entity_type}:{entity_id}',"
                                    " field: '{feature}_{window}_{aggregate}'}\n"
                                    "features:\n" COUNT));
    ck_assert(are_equal(SMALL, HEAD "output: {key: 'features:user:{id}',"
                                    " freshness_key: 'freshness:{entity_type}:{entity_id}'}\n"
                                    "features:\n" COUNT) == false);
    ck_assert(are_equal(SMALL, HEAD "output: {key: 'features:user:{entity_id}'}\n"
                                    "features:\n" COUNT));
    ck_assert(are_equal(SMALL, HEAD "features:\n  - {name: seen, aggregates: [count],"
                                    " windows: [{length: 10s, hop: 100ms}]}\n"));
}
END_TEST

START_TEST(the_order_of_conditions_makes_no_other_digits)
{
#define WITH(where)                                                                                \
    HEAD "features:\n  - {name: a, where: " where ", aggregates: [count], windows: [10s]}\n"
    ck_assert(are_equal(WITH("{a: 1, b: x}"), WITH("{b: x, a: 1}")));
    ck_assert(are_equal(WITH("{a: {in: [x, y]}}"), WITH("{a: {in: [y, x]}}")));
    ck_assert(are_equal(WITH("{a: {in: [x]}}"), WITH("{a: x}")));
    ck_assert(are_equal(WITH("{any: [{a: 1, c: 2}, {b: 1}], d: {gt: 1, lt: 5}}"),
                        WITH("{d: {lt: 5, gt: 1}, any: [{b: 1}, {c: 2, a: 1}]}")));
    ck_assert(are_equal(WITH("{not: {a: 1, b: 2}}"), WITH("{not: {b: 2, a: 1}}")));
    static const char *const OTHERS[] = {
        WITH("{a: 1, b: 2}"),
        WITH("{a: 2, b: 1}"),
        WITH("{any: [{a: 1}, {b: 2}]}"),
        WITH("{not: {a: 1, b: 2}}"),
        WITH("{a: '1', b: 2}"),
        WITH("{a: true, b: 2}"),
        WITH("{a: 'true', b: 2}"),
        WITH("{a: 1}"),
        WITH("{a: {gt: 1}, b: 2}"),
        WITH("{a: {gte: 1}, b: 2}"),
        WITH("{a: {lt: 1}, b: 2}"),
        WITH("{a: {lte: 1}, b: 2}"),
        WITH("{a: {exists: true}}"),
        WITH("{a: {exists: false}}"),
        WITH("{a: 'b),equal(c'}"),
        WITH("{a.b: 1}"),
        WITH("{not: {not: {a: 1}}}"),
        SMALL,
    };
    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++)
        for (size_t j = 0; j < i; j++)
            ck_assert_msg(!are_equal(OTHERS[i], OTHERS[j]), "%s\n%s", OTHERS[i], OTHERS[j]);
}
END_TEST

/* Slots of a topic depend on all its views. */
START_TEST(other_views_of_the_topic_make_no_other_digits)
{
    static const char OTHER[] =
        "view: w\n"
        "source: {topic: card_events, timestamp: {field: when.exactly, unit: s}}\n"
        "entity: {type: shop, keys: [{field: vip.of, type: string}]}\n"
        "features:\n"
        "  - {name: x, value: country, where: {amount: {gt: 3}, at: 1, amount.x: 2},"
        " aggregates: [max], windows: [1m]}\n";
    const char *const texts[] = {OTHER, LARGE};
    ck_assert_str_eq(digits_among(texts, 2).text, digits_of(LARGE).text);
}
END_TEST

START_TEST(all_that_decides_a_value_or_its_place_makes_other_digits)
{
    static const char *const CHANGES[][2] = {
        {"view: card_activity", "view: cards"},
        {"topic: card_events", "topic: cards"},
        {"field: at.time", "field: at.tim"},
        {"unit: rfc3339", "unit: s"},
        {"type: card\n", "type: cart\n"},
        {"{field: org}", "{field: firm}"},
        {"  tenant: {field: org}\n", ""},
        {"merchant, type: string", "merchant, type: int64"},
        {"field: merchant", "field: shop"},
        {"{field: merchant, type: string}, {field: card.number, type: int64}",
         "{field: card.number, type: int64}, {field: merchant, type: string}"},
        {"name: purchase", "name: purchases"},
        {"event_type: purchase", "event_type: sale"},
        {"lte: 1e6", "lt: 1e6"},
        {"value: amount", "value: amounts"},
        {"count, sum, min", "count, min"},
        {"[1h, {length", "[2h, {length"},
        {"[1h, {length", "[60m, {length"},
        {"hop: 5m", "hop: 10m"},
        {"clock: event\n", ""},
        {"clock: event\n", "clock: event\noutput: {field: '{aggregate}_{feature}_{window}'}\n"},
        {"clock: event\n", "clock: event\noutput: {key: 'f:{tenant}:{entity_id}'}\n"},
        {"clock: event\n", "clock: event\noutput: {freshness_key: 'f:{tenant}:{entity_id}'}\n"},
        {"clock: event\n", "clock: event\nfuture_max: 7m\n"},
    };
    struct digits before = digits_of(LARGE);
    for (size_t i = 0; i < sizeof CHANGES / sizeof *CHANGES; i++) {
        const char *at = strstr(LARGE, CHANGES[i][0]);
        struct buf text = {NULL, 0, 0};
        ck_assert_msg(at != NULL, "%s", CHANGES[i][0]);
        buf_add(&text, LARGE, (size_t)(at - LARGE));
        buf_add_text(&text, CHANGES[i][1]);
        buf_add_text(&text, at + strlen(CHANGES[i][0]));
        ck_assert_msg(strcmp(digits_of(buf_text(&text)).text, before.text) != 0, "%s -> %s",
                      CHANGES[i][0], CHANGES[i][1]);
        buf_fini(&text);
    }
}
END_TEST

/* ---- output ---- */

static struct buf output_text(const char *view)
{
    struct buf text = {NULL, 0, 0};
    struct catalog *catalog = load(&view, 1);
    view_output(catalog->views[0], &text);
    catalog_free(catalog);
    return text;
}

static struct output output_of(const char *view)
{
    struct output output;
    struct err err;
    struct buf text = output_text(view);
    ck_assert_msg(output_read(buf_slice(&text), &output, &err) == 0, "%s", buf_text(&text));
    buf_fini(&text);
    return output;
}

START_TEST(the_output_of_a_view_is_one_line_of_words)
{
    struct buf text = output_text(SMALL);
    ck_assert_str_eq(buf_text(&text),
                     "1 features%3Auser%3A{id} freshness%3Auser%3A{id} 0 1 v seen_10s_count");
    buf_fini(&text);
    text = output_text(LARGE);
    ck_assert_str_eq(buf_text(&text),
                     "1 {0}%3Acard%3A{id} {0}%3Afreshness%3Acard%3A{id} 1 3 "
                     "card_activity purchase_1h_count purchase_1h_sum purchase_1h_min "
                     "purchase_1h_max purchase_1h_avg purchase_24h_count purchase_24h_sum "
                     "purchase_24h_min purchase_24h_max purchase_24h_avg seen_7d_count");
    buf_fini(&text);
}
END_TEST

static const char *render(const struct output *output, const struct template *template,
                          const char *identity)
{
    static struct buf key;
    buf_reset(&key);
    template_render(template, slice_of(identity), output->has_tenant, &key);
    return buf_text(&key);
}

START_TEST(what_was_written_reads_back)
{
    struct output output = output_of(LARGE);
    ck_assert_str_eq(render(&output, &output.key, "o:m:7"), "o:card:m:7");
    ck_assert_str_eq(render(&output, &output.freshness_key, "o:m:7"), "o:freshness:card:m:7");
    ck_assert(output.has_tenant);
    ck_assert_uint_eq(output.key_count, 3);
    ck_assert_str_eq(output.view, "card_activity");
    ck_assert_uint_eq(output.field_count, 11);
    ck_assert_str_eq(output.fields[10], "seen_7d_count");
    output_fini(&output);
}
END_TEST

START_TEST(names_may_hold_spaces_braces_percents_and_any_letter)
{
    struct output output = output_of(HEAD "output: {key: 'a b%20{{{id}}}\xc3\xa9',"
                                          " field: ' {feature} %\xc3\xa9{{}} '}\n"
                                          "features:\n" COUNT);
    ck_assert_str_eq(render(&output, &output.key, "7"), "a b%20{7}\xc3\xa9");
    ck_assert_str_eq(output.fields[0], " seen %\xc3\xa9{} ");
    output_fini(&output);
}
END_TEST

START_TEST(what_no_view_has_written_is_refused)
{
    static const char *const ROWS[] = {
        "",
        "1",
        "2 k{id} f{id} 0 1 v a",
        "1 k{id} f{id} 0 1 v",
        "1 k{id} f{id} 0 1 v ",
        "1 k{id} f{id} 0 1 v a  b",
        "1 k{id} f{id} 2 1 v a",
        "1 k{id} f{id} 1 1 v a",
        "1 k{id} f{id} 0 0 v a",
        "1 k{id} f{id} 0 10 v a",
        "1 k{id} f{id} x 1 v a",
        "1 k{1} f{id} 0 1 v a",
        "1 k{-1} f{id} 0 1 v a",
        "1 k{-2} f{id} 0 1 v a",
        "1 k{99999999999} f{id} 0 1 v a",
        "1 k{id f{id} 0 1 v a",
        "1 k{} f{id} 0 1 v a",
        "1 k%00{id} f{id} 0 1 v a",
        "1  f{id} 0 1 v a",
        "1 k{id} f{id} 0 1 %00 a",
        "1 k{id} f{id} 0 1 v a%00b",
        " 1 k{id} f{id} 0 1 v a",
    };
    struct output output;
    struct err err;
    ck_assert_int_eq(output_read(slice_of("1 k{id} f{0} 0 1 v a"), &output, &err), 0);
    output_fini(&output);
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++)
        ck_assert_msg(output_read(slice_of(ROWS[i]), &output, &err) == ERR_INPUT, "%s", ROWS[i]);
}
END_TEST

START_TEST(more_fields_than_a_view_may_have_are_refused)
{
    struct buf text = {NULL, 0, 0};
    struct output output;
    struct err err;
    buf_add_text(&text, "1 k{id} f{id} 0 1 v");
    for (int i = 0; i < OUTPUT_FIELDS_MAX; i++)
        buf_printf(&text, " f%d", i);
    ck_assert_int_eq(output_read(buf_slice(&text), &output, &err), 0);
    ck_assert_uint_eq(output.field_count, OUTPUT_FIELDS_MAX);
    output_fini(&output);
    buf_add_text(&text, " x");
    ck_assert_int_eq(output_read(buf_slice(&text), &output, &err), ERR_INPUT);
    buf_fini(&text);
}
END_TEST

START_TEST(no_bytes_break_the_reader)
{
    static const char ALPHABET[] = "01 {}%3Aidvf\0x";
    unsigned seed = (unsigned)time(NULL);
    const char *given = getenv("SEED");
    if (given != NULL)
        seed = (unsigned)strtoul(given, NULL, 10);
    (void)printf("seed %u\n", seed);
    srand(seed);
    struct buf right = output_text(LARGE);
    for (int i = 0; i < 50000; i++) {
        size_t len = (size_t)rand() % (right.len + 1);
        char *text = mem_strndup(right.ptr, len);
        for (int changes = rand() % 4; changes > 0 && len > 0; changes--)
            text[(size_t)rand() % len] =
                i % 2 == 0 ? (char)rand() : ALPHABET[(size_t)rand() % (sizeof ALPHABET - 1)];
        char *exact = mem_alloc(len + (len == 0)); /* so that a sanitizer sees its end */
        memcpy(exact, text, len);
        struct output output;
        struct err err;
        if (output_read((struct slice){exact, len}, &output, &err) == 0) {
            (void)render(&output, &output.key, "o:m:7");
            output_fini(&output);
        }
        free(exact);
        free(text);
    }
    buf_fini(&right);
}
END_TEST

/* ---- what is written still ---- */

/* The fields that are left, each with a space behind it, and the view's name or -. */
static const char *left_of(const char *old, const char *const *views, size_t count)
{
    static struct buf text;
    struct output output = output_of(old);
    struct catalog *catalog = load(views, count);
    buf_reset(&text);
    output_subtract(&output, catalog);
    for (size_t i = 0; i < output.field_count; i++)
        buf_printf(&text, "%s ", output.fields[i]);
    buf_add_text(&text, output.view != NULL ? output.view : "-");
    catalog_free(catalog);
    output_fini(&output);
    return buf_text(&text);
}

#define VIEW(name, more, features)                                                                 \
    "view: " name "\nsource: {topic: t, timestamp: {field: ts, unit: ms}}\n"                       \
    "entity: {type: user, keys: [{field: id, type: string}]}\n" more "features:\n" features
#define FEATURE(name, windows) "  - {name: " name ", aggregates: [count], windows: [" windows "]}\n"

START_TEST(only_what_nobody_writes_any_more_is_left)
{
    static const char OLD[] = VIEW("v", "", FEATURE("a", "1m, 1h") FEATURE("b", "1h"));
    static const struct {
        const char *views[2];
        size_t count;
        const char *left;
    } ROWS[] = {
        {{OLD}, 1, "-"},
        {{VIEW("v", "", FEATURE("a", "1m"))}, 1, "a_1h_count b_1h_count -"},
        {{VIEW("w", "", FEATURE("a", "1m"))}, 1, "a_1h_count b_1h_count v"},
        {{VIEW("v", "", FEATURE("a", "1m")), VIEW("w", "", FEATURE("b", "1h"))}, 2, "a_1h_count -"},
        /* Another name for the same keys is the same keys. */
        {{VIEW("v", "output: {key: 'features:user:{id}'}\n", FEATURE("a", "1m"))},
         1,
         "a_1h_count b_1h_count -"},
        /* Other keys: all of it is to go, there. */
        {{VIEW("v", "output: {key: 'f:{id}'}\n", FEATURE("a", "1m"))},
         1,
         "a_1m_count a_1h_count b_1h_count -"},
        {{VIEW("v", "output: {freshness_key: 'f:{id}'}\n", FEATURE("a", "1m, 1h"))},
         1,
         "b_1h_count v"},
        /* A key that is another one for some entities only. */
        {{VIEW("v", "output: {key: 'features:user:{id}x'}\n", FEATURE("a", "1m"))},
         1,
         "a_1h_count b_1h_count -"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++)
        ck_assert_str_eq(left_of(OLD, ROWS[i].views, ROWS[i].count), ROWS[i].left);
}
END_TEST

START_TEST(values_and_freshness_in_one_hash_spare_each_other)
{
    static const char OLD[] = VIEW("v",
                                   "output: {key: 'x:{id}', freshness_key: 'x:{id}',"
                                   " field: '{feature}'}\n",
                                   FEATURE("w", "1m") FEATURE("a", "1m"));
    static const char *const BY_FRESHNESS[] = {
        VIEW("w", "output: {key: 'y:{id}', freshness_key: 'x:{id}'}\n", FEATURE("b", "1m"))};
    ck_assert_str_eq(left_of(OLD, BY_FRESHNESS, 1), "a v");
    static const char *const BY_VALUES[] = {
        VIEW("u", "output: {key: 'x:{id}', field: '{feature}:event'}\n", FEATURE("v", "1m"))};
    ck_assert_str_eq(left_of(OLD, BY_VALUES, 1), "w a -");
}
END_TEST

UNIT_MAIN("output", the_digits_of_a_definition_are_the_same_in_every_version,
          what_makes_no_difference_makes_no_other_digits,
          the_order_of_conditions_makes_no_other_digits,
          other_views_of_the_topic_make_no_other_digits,
          all_that_decides_a_value_or_its_place_makes_other_digits,
          the_output_of_a_view_is_one_line_of_words, what_was_written_reads_back,
          names_may_hold_spaces_braces_percents_and_any_letter, what_no_view_has_written_is_refused,
          more_fields_than_a_view_may_have_are_refused, no_bytes_break_the_reader,
          only_what_nobody_writes_any_more_is_left,
          values_and_freshness_in_one_hash_spare_each_other)
