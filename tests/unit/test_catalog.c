/* One catalog after the other: what stays the very same, and what does not. */
#include "core_kit.h"

#define VIEW(name, topic, windows, more)                                                           \
    "view: " name "\n"                                                                             \
    "source: {topic: " topic ", timestamp: {field: ts, unit: ms}}\n"                               \
    "entity: {type: user, keys: [{field: id, type: string}]}\n"                                    \
    "features:\n"                                                                                  \
    "  - {name: " name "_n, aggregates: [count], windows: [" windows "]}\n" more

static struct catalog *before;
static struct catalog *after;
static struct catalog_change change;

static struct catalog *load(const char *const *texts)
{
    size_t count = 0;
    while (texts[count] != NULL)
        count++;
    return kit_catalog_of_files(texts, count);
}

#define TEXTS(...)                                                                                 \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

static void follow(const char *const *texts, const char *const *next)
{
    before = load(texts);
    after = load(next);
    catalog_follow(after, before, &change);
}

static void close_all(void)
{
    catalog_free(before); /* in this order: what is shared is still in use */
    for (size_t i = 0; i < after->view_count; i++)
        ck_assert_ptr_nonnull(after->views[i]->topic->paths);
    catalog_free(after);
}

static void assert_change(size_t kept, size_t changed, size_t new, size_t gone)
{
    ck_assert_uint_eq(change.views_kept, kept);
    ck_assert_uint_eq(change.views_changed, changed);
    ck_assert_uint_eq(change.views_new, new);
    ck_assert_uint_eq(change.views_gone, gone);
    ck_assert_int_eq(catalog_change_is_none(&change), changed + new + gone == 0);
}

static const struct view *view_of(const struct catalog *catalog, const char *name)
{
    const struct view *view = catalog_view(catalog, name);
    ck_assert_ptr_nonnull(view);
    return view;
}

/* Shared, as a whole, or not at all. */
static bool is_shared(const char *topic)
{
    const struct topic *ours = catalog_topic(after, slice_of(topic));
    bool ret = ours == catalog_topic(before, slice_of(topic));
    for (size_t i = 0; i < ours->view_count; i++) {
        ck_assert_ptr_eq(ours->views[i], catalog_view(after, ours->views[i]->name));
        ck_assert_ptr_eq(ours->views[i]->topic, ours);
        ck_assert_int_eq(ours->views[i] == catalog_view(before, ours->views[i]->name), ret);
    }
    return ret;
}

START_TEST(views_that_mean_the_same_are_the_same_objects)
{
    follow(TEXTS(VIEW("a", "t", "1h", ""), VIEW("b", "t", "2h", ""), VIEW("c", "u", "1h", "")),
           TEXTS(VIEW("c", "u", "1h", "description: Other words.\nowner: another\n"),
                 VIEW("b", "t", "2h", ""), VIEW("a", "t", "1h", "output: {ttl: 2h}\n")));
    assert_change(3, 0, 0, 0);
    ck_assert(is_shared("t") && is_shared("u"));
    ck_assert_str_eq(after->views[0]->name, "c"); /* the files' order stays the files' */
    close_all();
}
END_TEST

START_TEST(a_changed_view_makes_its_topic_another_and_leaves_the_others_alone)
{
    follow(TEXTS(VIEW("a", "t", "1h", ""), VIEW("b", "t", "2h", ""), VIEW("c", "u", "1h", "")),
           TEXTS(VIEW("a", "t", "1h", ""), VIEW("b", "t", "3h", ""), VIEW("c", "u", "1h", "")));
    assert_change(2, 1, 0, 0);
    ck_assert(!is_shared("t") && is_shared("u"));
    ck_assert(view_keeps_state(view_of(after, "a"), view_of(before, "a")));
    ck_assert(!view_keeps_state(view_of(after, "b"), view_of(before, "b")));
    close_all();
}
END_TEST

/* Both views write to one hash, whose expiry is the larger one. */
START_TEST(another_expiry_disturbs_nobody)
{
    follow(TEXTS(VIEW("a", "t", "1h", ""), VIEW("b", "u", "1h", "")),
           TEXTS(VIEW("a", "t", "1h", ""), VIEW("b", "u", "1h", "output: {ttl: 9h}\n")));
    assert_change(1, 1, 0, 0);
    ck_assert(is_shared("t") && is_shared("u"));
    ck_assert_int_eq(view_of(before, "a")->ttl_ms, 7200000);
    ck_assert_int_eq(view_of(before, "a")->key_ttl_ms, 9 * 3600000);
    ck_assert_int_eq(view_of(before, "a")->freshness_ttl_ms, 9 * 3600000);
    ck_assert_int_eq(view_of(after, "b")->ttl_ms, 9 * 3600000);
    close_all();
}
END_TEST

START_TEST(views_and_topics_come_and_go)
{
    follow(TEXTS(VIEW("a", "t", "1h", ""), VIEW("b", "u", "1h", "")),
           TEXTS(VIEW("a", "t", "1h", ""), VIEW("x", "t", "1h", ""), VIEW("y", "w", "1h", "")));
    assert_change(1, 0, 2, 1);
    ck_assert_uint_eq(change.topics_new, 1);
    ck_assert_uint_eq(change.topics_gone, 1);
    ck_assert(!is_shared("t"));
    close_all();
}
END_TEST

START_TEST(a_view_keeps_its_index_by_its_name_and_a_new_one_gets_a_free_one)
{
    follow(TEXTS(VIEW("a", "t", "1h", ""), VIEW("b", "u", "1h", ""), VIEW("c", "u", "1h", "")),
           TEXTS(VIEW("x", "w", "1h", ""), VIEW("c", "u", "2h", ""), VIEW("a", "t", "1h", "")));
    ck_assert_uint_eq(view_of(after, "a")->index, 0);
    ck_assert_uint_eq(view_of(after, "c")->index, 2);
    ck_assert_uint_eq(view_of(after, "x")->index, 3); /* not b's, which may still be in use */
    ck_assert_uint_eq(after->index_count, 4);
    struct catalog *third = load(TEXTS(VIEW("y", "w", "1h", ""), VIEW("c", "u", "2h", "")));
    catalog_follow(third, after, &change);
    ck_assert_uint_eq(view_of(third, "y")->index, 1);
    ck_assert_uint_eq(third->index_count, 3);
    catalog_free(third);
    close_all();
}
END_TEST

START_TEST(what_is_shared_lives_until_the_last_catalog_is_freed)
{
    follow(TEXTS(VIEW("a", "t", "1h", "")),
           TEXTS(VIEW("a", "t", "1h", ""), VIEW("b", "u", "1h", "")));
    struct catalog *third = load(TEXTS(VIEW("a", "t", "1h", "")));
    catalog_follow(third, after, &change);
    ck_assert_ptr_eq(third->topics[0], before->topics[0]);
    catalog_free(after);
    after = third;
    close_all();
}
END_TEST

UNIT_MAIN("catalog", views_that_mean_the_same_are_the_same_objects,
          a_changed_view_makes_its_topic_another_and_leaves_the_others_alone,
          another_expiry_disturbs_nobody, views_and_topics_come_and_go,
          a_view_keeps_its_index_by_its_name_and_a_new_one_gets_a_free_one,
          what_is_shared_lives_until_the_last_catalog_is_freed)
