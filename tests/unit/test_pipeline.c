#include "tidewheel/pipeline.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

#define HEAD                                                                                       \
    "view: activity\n"                                                                             \
    "source: {topic: events, timestamp: {field: at.ms, unit: us}}\n"                               \
    "entity: {type: user, keys: [{field: user_id}, {field: n, type: int64}]}\n"
#define FEATURE                                                                                    \
    "features:\n"                                                                                  \
    "  - {name: buy, value: amount, aggregates: [count, avg], windows: [1h, {length: 24h, hop: "   \
    "1h}]}\n"

static struct buf report;

static struct catalog *load(const char *text)
{
    struct catalog *catalog = NULL;
    int rc = pipeline_load_text("p.yaml", slice_of(text), &report, &catalog);
    ck_assert_msg(rc == 0, "%s", buf_text(&report));
    return catalog;
}

static const char *load_wrong(const char *text)
{
    struct catalog *catalog = NULL;
    buf_reset(&report);
    ck_assert_int_eq(pipeline_load_text("p.yaml", slice_of(text), &report, &catalog), ERR_CONFIG);
    ck_assert_ptr_null(catalog);
    return buf_text(&report);
}

START_TEST(a_view_is_as_its_file_says)
{
    struct catalog *catalog =
        load(HEAD FEATURE "owner: me\nversion: 7\nclock: event\nfuture_max: 5s\n");
    const struct view *view = catalog_view(catalog, "activity");
    ck_assert_ptr_nonnull(view);
    ck_assert_str_eq(view->file, "p.yaml");
    ck_assert_str_eq(view->owner, "me");
    ck_assert_ptr_null(view->description);
    ck_assert_int_eq(view->version, 7);
    ck_assert_str_eq(view->topic->name, "events");
    ck_assert_ptr_eq(view->topic, catalog_topic(catalog, slice_of("events")));
    ck_assert_ptr_eq(view->topic->views[0], view);
    ck_assert_int_eq(view->time_unit, TIME_US);
    ck_assert_str_eq(view->time_path, "at.ms");
    ck_assert_str_eq(view->entity_type, "user");
    ck_assert(!view->has_tenant);
    ck_assert_uint_eq(view->key_count, 2);
    ck_assert_int_eq(view->keys[0].type, KEY_STRING);
    ck_assert_int_eq(view->keys[1].type, KEY_INT64);
    ck_assert_int_eq(view->clock, CLOCK_EVENT);
    ck_assert_int_eq(view->future_max_ms, 5000);
    const struct feature *feature = &view->features[0];
    ck_assert_str_eq(feature->value_path, "amount");
    ck_assert_ptr_null(feature->where);
    ck_assert_ptr_eq(feature->aggregates[1], op_find("avg"));
    ck_assert_int_eq(feature->windows[0].hop_ms, 30000);
    ck_assert_int_eq(feature->windows[1].hop_ms, 3600000);
    ck_assert_str_eq(feature->windows[1].text, "24h");
    ck_assert_uint_eq(feature->series.window_count, 2);
    ck_assert(feature->series.has_value);
    ck_assert_uint_eq(feature->series.shape.parts, op_find("avg")->parts | op_find("count")->parts);
    catalog_free(catalog);
}
END_TEST

START_TEST(what_is_left_out_has_its_default)
{
    struct catalog *catalog =
        load("view: v\nsource: {topic: t}\n"
             "entity: {type: user, keys: [{field: id}]}\n"
             "features: [{name: f, aggregates: [count], windows: [7d, 1h]}]\n");
    const struct view *view = catalog->views[0];
    ck_assert_int_eq(view->time_unit, TIME_RECORD);
    ck_assert_int_eq(view->time_slot, PATH_NONE);
    ck_assert_ptr_null(view->time_path);
    ck_assert_int_eq(view->clock, CLOCK_WALL);
    ck_assert_int_eq(view->future_max_ms, 60000);
    ck_assert_int_eq(view->version, 1);
    ck_assert_int_eq(view->longest_ms, WINDOW_MS_MAX / 400 * 7);
    ck_assert_int_eq(view->longest_hop_ms, 3600000);
    ck_assert_int_eq(view->ttl_ms, 2 * view->longest_ms);
    ck_assert_int_eq(view->key_ttl_ms, view->ttl_ms);
    ck_assert_int_eq(view->freshness_ttl_ms, view->ttl_ms);
    ck_assert_str_eq(view->key.source, "features:{entity_type}:{entity_id}");
    ck_assert_str_eq(view->freshness_key.source, "freshness:{entity_type}:{entity_id}");
    ck_assert(!view->features[0].series.has_value);
    catalog_free(catalog);
}
END_TEST

START_TEST(fields_are_in_the_order_feature_window_aggregate)
{
    static const char *const NAMES[] = {"buy_1h_count", "buy_1h_avg", "buy_24h_count",
                                        "buy_24h_avg"};
    struct catalog *catalog = load(HEAD FEATURE);
    const struct view *view = catalog->views[0];
    ck_assert_uint_eq(view->field_count, 4);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_str_eq(view->fields[i].name, NAMES[i]);
        ck_assert_uint_eq(view->fields[i].window, i / 2);
        ck_assert_ptr_eq(view->fields[i].op, op_find(i % 2 == 0 ? "count" : "avg"));
    }
    catalog_free(catalog);
}
END_TEST

START_TEST(a_tenant_is_the_first_part_and_leads_the_default_templates)
{
    struct catalog *catalog =
        load("view: v\nsource: {topic: t}\n"
             "entity: {type: post, tenant: {field: org}, keys: [{field: id}]}\n"
             "features: [{name: f, aggregates: [count], windows: [1h]}]\n");
    const struct view *view = catalog->views[0];
    struct buf key = {NULL, 0, 0};
    ck_assert(view->has_tenant);
    ck_assert_uint_eq(view->key_count, 2);
    ck_assert_str_eq(view->keys[0].path, "org");
    template_render(&view->key, slice_of("acme:42"), true, &key);
    ck_assert_str_eq(buf_text(&key), "acme:post:42");
    buf_reset(&key);
    template_render(&view->freshness_key, slice_of("acme:42"), true, &key);
    ck_assert_str_eq(buf_text(&key), "acme:freshness:post:42");
    buf_fini(&key);
    catalog_free(catalog);
}
END_TEST

static bool holds(const char *where, struct value a, struct value b)
{
    struct buf text = {NULL, 0, 0};
    buf_printf(&text,
               "view: v\nsource: {topic: t}\nentity: {type: user, keys: [{field: id}]}\n"
               "features: [{name: f, where: %s, aggregates: [count], windows: [1h]}]\n",
               where);
    struct catalog *catalog = load(buf_text(&text));
    const struct topic *topic = catalog->topics[0];
    struct value values[8] = {0};
    const struct path_node *node = path_child(&topic->paths->root, "a", 1);
    ck_assert_uint_le(topic->paths->count, 8);
    if (node != NULL)
        values[node->slot] = a;
    node = path_child(&topic->paths->root, "b", 1);
    if (node != NULL)
        values[node->slot] = b;
    bool ret = match_is(catalog->views[0]->features[0].where, values);
    catalog_free(catalog);
    buf_fini(&text);
    return ret;
}

static struct value number(const char *text)
{
    return (struct value){.type = VALUE_NUMBER, .text = slice_of(text)};
}

static struct value string(const char *text)
{
    return (struct value){.type = VALUE_STRING, .text = slice_of(text)};
}

START_TEST(conditions_mean_what_they_say)
{
    const struct value none = {.type = VALUE_MISSING};
    const struct value yes = {.type = VALUE_BOOL, .truth = true};
    ck_assert(holds("{a: DE}", string("DE"), none));
    ck_assert(holds("{a: NO}", string("NO"), none));
    ck_assert(!holds("{a: 1}", string("1"), none));
    ck_assert(holds("{a: 1}", number("1.0"), none));
    ck_assert(holds("{a: '1'}", string("1"), none));
    ck_assert(!holds("{a: '1'}", number("1"), none));
    ck_assert(holds("{a: true}", yes, none));
    ck_assert(!holds("{a: 'true'}", yes, none));
    ck_assert(holds("{a: ''}", string(""), none));
    ck_assert(holds("{a: 1, b: 2}", number("1"), number("2")));
    ck_assert(!holds("{a: 1, b: 2}", number("1"), number("3")));
    ck_assert(holds("{a: {gt: 0, lte: 10}}", number("10"), none));
    ck_assert(!holds("{a: {gt: 0, lte: 10}}", number("0"), none));
    ck_assert(!holds("{a: {gte: 0, lt: 10}}", number("10"), none));
    ck_assert(holds("{a: {in: [DE, 7]}}", number("7"), none));
    ck_assert(!holds("{a: {in: [DE, 7]}}", string("7"), none));
    ck_assert(holds("{a: {exists: false}}", none, none));
    ck_assert(holds("{a: {exists: true}}", string(""), none));
    ck_assert(holds("{any: [{a: 1}, {b: 2}]}", none, number("2")));
    ck_assert(!holds("{any: [{a: 1, b: 1}, {b: 2, a: 2}]}", number("1"), number("2")));
    ck_assert(holds("{not: {a: 1, b: 1}}", number("1"), number("2")));
    ck_assert(!holds("{not: {any: [{a: 1}, {b: 1}]}}", number("1"), number("2")));
    ck_assert(holds("{not: {not: {any: [{not: {a: 2}}]}}, b: 2}", number("1"), number("2")));
}
END_TEST

START_TEST(views_of_one_topic_share_their_paths)
{
    static const char *const TEXTS[] = {
        HEAD FEATURE,
        "view: other\nsource: {topic: events}\nentity: {type: card, keys: [{field: user_id}]}\n"
        "features: [{name: f, value: amount, where: {kind: x}, aggregates: [count], windows: "
        "[1h]}]\n"};
    char files[2][40] = {"/tmp/tidewheel-pipeline-XXXXXX", "/tmp/tidewheel-pipeline-XXXXXX"};
    const char *names[2] = {files[0], files[1]};
    struct catalog *catalog = NULL;
    for (int i = 0; i < 2; i++) {
        int fd = mkstemp(files[i]);
        ck_assert_int_eq(write(fd, TEXTS[i], strlen(TEXTS[i])), (ssize_t)strlen(TEXTS[i]));
        (void)close(fd);
    }
    int rc = pipeline_load(names, 2, &report, &catalog);
    (void)unlink(files[0]);
    (void)unlink(files[1]);
    ck_assert_msg(rc == 0, "%s", buf_text(&report));
    ck_assert_uint_eq(catalog->topic_count, 1);
    ck_assert_uint_eq(catalog->topics[0]->view_count, 2);
    ck_assert_int_eq(catalog->views[0]->keys[0].slot, catalog->views[1]->keys[0].slot);
    ck_assert_int_eq(catalog->views[0]->features[0].value_slot,
                     catalog->views[1]->features[0].value_slot);
    ck_assert_uint_eq(catalog->topics[0]->paths->count, 5);
    ck_assert_uint_eq(catalog->views[1]->index, 1);
    catalog_free(catalog);
}
END_TEST

START_TEST(all_errors_are_said_at_once)
{
    const char *text = load_wrong("view: v\nsource: {topik: t}\nclock: walk\n"
                                  "entity: {type: user, keys: [{field: id}]}\n"
                                  "features: [{name: f, aggregates: [sum], windows: [1x]}]\n");
    ck_assert_str_eq(
        text, "p.yaml:2:9: source.topic: is missing; expected a Kafka topic's name (letters, "
              "digits and _ - .)\n"
              "p.yaml:2:10: source.topik: unknown key; did you mean 'topic'?\n"
              "p.yaml:3:8: clock: 'walk' is not one of wall, event; did you mean 'wall'?\n"
              "p.yaml:5:35: features[0].aggregates[0]: sum needs a number to work on, and this "
              "feature has no `value:`\n"
              "p.yaml:5:51: features[0].windows[0]: '1x' is not a duration like 500ms, 30s, 5m, "
              "24h or 7d\n");
}
END_TEST

START_TEST(an_expiry_covers_the_longest_window_and_its_hop)
{
    catalog_free(load(HEAD FEATURE "output: {ttl: 25h}\n"));
    ck_assert_ptr_nonnull(strstr(load_wrong(HEAD FEATURE "output: {ttl: 89999s}\n"), "output.ttl"));
}
END_TEST

START_TEST(fields_have_a_limit)
{
    struct buf text = {NULL, 0, 0};
    buf_add_text(&text, HEAD "features:\n");
    for (int i = 0; i < 256; i++) {
        buf_printf(&text, "  - {name: f%d, value: a, aggregates: [count, sum, avg], windows: [", i);
        for (int j = 1; j <= 6; j++)
            buf_printf(&text, "%dh,", j);
        buf_add_text(&text, "]}\n");
    }
    ck_assert_ptr_nonnull(strstr(load_wrong(buf_text(&text)), "make 4608 fields"));
    buf_fini(&text);
}
END_TEST

START_TEST(a_catalog_may_be_empty)
{
    struct catalog *catalog = NULL;
    ck_assert_int_eq(pipeline_load(NULL, 0, &report, &catalog), 0);
    ck_assert_uint_eq(catalog->view_count, 0);
    ck_assert_ptr_null(catalog_view(catalog, "x"));
    ck_assert_ptr_null(catalog_topic(catalog, slice_of("")));
    catalog_free(catalog);
    catalog_free(NULL);
}
END_TEST

UNIT_MAIN("pipeline", a_view_is_as_its_file_says, what_is_left_out_has_its_default,
          fields_are_in_the_order_feature_window_aggregate,
          a_tenant_is_the_first_part_and_leads_the_default_templates, conditions_mean_what_they_say,
          views_of_one_topic_share_their_paths, all_errors_are_said_at_once,
          an_expiry_covers_the_longest_window_and_its_hop, fields_have_a_limit,
          a_catalog_may_be_empty)
