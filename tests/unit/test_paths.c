#include "tidewheel/paths.h"

#include <stdio.h>

#include "unit.h"

static int add(struct paths *paths, const char *path)
{
    int slot = PATH_NONE;
    struct err err = {0};
    ck_assert_msg(paths_add(paths, path, &slot, &err) == 0, "%s: %s", path, err.text);
    return slot;
}

START_TEST(slots_count_up_and_a_path_given_again_keeps_its_own)
{
    struct paths *paths = paths_new();
    ck_assert_int_eq(add(paths, "user_id"), 0);
    ck_assert_int_eq(add(paths, "items.0.price"), 1);
    ck_assert_int_eq(add(paths, "user_id"), 0);
    ck_assert_int_eq(add(paths, "items"), 2);
    ck_assert_int_eq(add(paths, "items.0"), 3);
    ck_assert_int_eq(add(paths, "items.0.price"), 1);
    ck_assert_uint_eq(paths->count, 4);
    ck_assert_uint_eq(paths->node_count, 4);
    paths_free(paths);
}
END_TEST

START_TEST(a_prefix_of_a_path_has_no_slot_of_its_own)
{
    struct paths *paths = paths_new();
    add(paths, "order.total");
    const struct path_node *order = path_child(&paths->root, "order", 5);
    ck_assert_ptr_nonnull(order);
    ck_assert_int_eq(order->slot, PATH_NONE);
    ck_assert_int_eq(path_child(order, "total", 5)->slot, 0);
    ck_assert_ptr_null(path_child(order, "tota", 4));
    ck_assert_ptr_null(path_child(order, "totals", 6));
    ck_assert_ptr_null(path_child(&paths->root, "total", 5));
    paths_free(paths);
}
END_TEST

START_TEST(a_segment_is_an_element_only_without_sign_and_leading_zeros)
{
    struct paths *paths = paths_new();
    add(paths, "a.0");
    add(paths, "a.12");
    add(paths, "a.00");
    add(paths, "a.-1");
    add(paths, "a.1e1");
    add(paths, "a.99999999999999999999");
    const struct path_node *a = path_child(&paths->root, "a", 1);
    ck_assert_int_eq(path_element(a, 0)->slot, 0);
    ck_assert_int_eq(path_element(a, 12)->slot, 1);
    ck_assert_ptr_null(path_element(a, 1));
    ck_assert_ptr_null(path_element(a, 10));
    ck_assert_int_eq(path_child(a, "00", 2)->element, -1);
    ck_assert_int_eq(path_child(a, "-1", 2)->element, -1);
    ck_assert_int_eq(path_child(a, "99999999999999999999", 20)->element, -1);
    paths_free(paths);
}
END_TEST

START_TEST(each_node_has_a_number_of_its_own)
{
    struct paths *paths = paths_new();
    add(paths, "a.b.c");
    add(paths, "a.d");
    add(paths, "e");
    bool seen[5] = {false};
    const struct path_node *a = path_child(&paths->root, "a", 1);
    const struct path_node *b = path_child(a, "b", 1);
    const struct path_node *nodes[] = {a, b, path_child(b, "c", 1), path_child(a, "d", 1),
                                       path_child(&paths->root, "e", 1)};
    ck_assert_uint_eq(paths->node_count, 5);
    for (size_t i = 0; i < 5; i++) {
        ck_assert_int_ge(nodes[i]->seen, 0);
        ck_assert_int_lt(nodes[i]->seen, 5);
        ck_assert(!seen[nodes[i]->seen]);
        seen[nodes[i]->seen] = true;
    }
    paths_free(paths);
}
END_TEST

START_TEST(an_empty_segment_is_refused_and_nothing_is_left_of_the_path)
{
    static const char *const WRONG[] = {"", ".", "a.", ".a", "a..b", "a.b."};
    struct paths *paths = paths_new();
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        struct err err = {0};
        int slot = 77;
        ck_assert_int_eq(paths_add(paths, WRONG[i], &slot, &err), ERR_CONFIG);
        ck_assert_ptr_nonnull(strstr(err.text, WRONG[i]));
        ck_assert_int_eq(slot, 77);
    }
    ck_assert_uint_eq(paths->count, 0);
    ck_assert_ptr_null(paths->root.child);
    paths_free(paths);
}
END_TEST

START_TEST(a_path_has_at_most_32_segments)
{
    struct paths *paths = paths_new();
    char path[256] = "s";
    for (int i = 1; i < PATH_SEGMENTS_MAX; i++)
        strcat(path, ".s");
    add(paths, path);
    strcat(path, ".s");
    struct err err = {0};
    int slot = 77;
    ck_assert_int_eq(paths_add(paths, path, &slot, &err), ERR_CONFIG);
    ck_assert_uint_eq(paths->count, 1);
    paths_free(paths);
}
END_TEST

START_TEST(a_topic_has_at_most_1024_paths)
{
    struct paths *paths = paths_new();
    char path[32];
    for (int i = 0; i < PATHS_MAX; i++) {
        (void)snprintf(path, sizeof path, "p%d.q", i);
        ck_assert_int_eq(add(paths, path), i);
    }
    struct err err = {0};
    int slot = 77;
    ck_assert_int_eq(paths_add(paths, "one.more", &slot, &err), ERR_CONFIG);
    ck_assert_int_eq(paths_add(paths, "p0", &slot, &err), ERR_CONFIG);
    ck_assert_uint_eq(paths->count, PATHS_MAX);
    ck_assert_int_eq(add(paths, "p7.q"), 7);
    paths_free(paths);
}
END_TEST

START_TEST(nothing_is_freed_without_complaint)
{
    paths_free(NULL);
    paths_free(paths_new());
}
END_TEST

UNIT_MAIN("paths", slots_count_up_and_a_path_given_again_keeps_its_own,
          a_prefix_of_a_path_has_no_slot_of_its_own,
          a_segment_is_an_element_only_without_sign_and_leading_zeros,
          each_node_has_a_number_of_its_own,
          an_empty_segment_is_refused_and_nothing_is_left_of_the_path,
          a_path_has_at_most_32_segments, a_topic_has_at_most_1024_paths,
          nothing_is_freed_without_complaint)
