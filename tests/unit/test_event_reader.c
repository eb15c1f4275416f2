#include <stdio.h>

#include "reader_kit.h"

START_TEST(values_of_every_type_are_found)
{
    OPEN("s", "n", "t", "f", "z", "o", "a", "m", "e");
    check_read(" {\"s\":\"text\", \"n\" : -1.50e+3,\t\"t\":true,\"f\":false,\n\"z\":null,\"x\":7,"
               "\"o\":{},\"a\":[1],\"e\":\"\"} \r\n",
               VERDICT_ACCEPTED);
    check_value(0, VALUE_STRING, "text");
    check_value(1, VALUE_NUMBER, "-1.50e+3");
    check_value(2, VALUE_BOOL, "");
    ck_assert(values[2].truth && !values[3].truth);
    check_value(3, VALUE_BOOL, "");
    check_value(4, VALUE_NULL, "");
    check_value(5, VALUE_COMPOUND, "");
    check_value(6, VALUE_COMPOUND, "");
    check_value(7, VALUE_MISSING, "");
    check_value(8, VALUE_STRING, "");
    close_reader();
}
END_TEST

START_TEST(paths_lead_through_objects_and_arrays)
{
    OPEN("order.total", "items.0.price", "items.2", "items", "a.b.c.d", "m.1.0");
    check_read("{\"order\":{\"x\":{\"total\":1},\"total\":2},\"total\":3,"
               "\"items\":[{\"id\":1,\"price\":9},[0,0],{\"price\":8},{\"price\":7}],"
               "\"a\":{\"b\":[{\"c\":{\"d\":1}}]},\"m\":[[1,2],[3,4],[5]]}",
               VERDICT_ACCEPTED);
    check_value(0, VALUE_NUMBER, "2");
    check_value(1, VALUE_NUMBER, "9");
    check_value(2, VALUE_COMPOUND, "");
    check_value(3, VALUE_COMPOUND, "");
    check_value(4, VALUE_MISSING, "");
    check_value(5, VALUE_NUMBER, "3");
    close_reader();
}
END_TEST

START_TEST(a_number_in_a_path_is_an_element_or_a_member_of_that_name)
{
    OPEN("items.0.price", "items.00");
    check_read("{\"items\":{\"0\":{\"price\":5},\"00\":6}}", VERDICT_ACCEPTED);
    check_value(0, VALUE_NUMBER, "5");
    check_value(1, VALUE_NUMBER, "6");
    check_read("{\"items\":[{\"price\":7}]}", VERDICT_ACCEPTED);
    check_value(0, VALUE_NUMBER, "7");
    check_value(1, VALUE_MISSING, "");
    close_reader();
}
END_TEST

START_TEST(elements_are_counted_whatever_their_type)
{
    OPEN("a.6", "a.7");
    check_read("{\"a\":[null,true,1,\"s\",{\"a\":[0,0]},[0,[0]],\"six\"]}", VERDICT_ACCEPTED);
    check_value(0, VALUE_STRING, "six");
    check_value(1, VALUE_MISSING, "");
    close_reader();
}
END_TEST

START_TEST(of_a_name_given_twice_the_first_counts)
{
    OPEN("a", "order.total");
    check_read("{\"a\":1,\"a\":2,\"b\":1,\"b\":2,\"a\":null}", VERDICT_ACCEPTED);
    check_value(0, VALUE_NUMBER, "1");
    ck_assert_uint_eq(duplicates, 2);
    check_read("{\"a\":null,\"a\":2}", VERDICT_ACCEPTED);
    check_value(0, VALUE_NULL, "");
    ck_assert_uint_eq(duplicates, 1);
    check_read("{\"a\":2}", VERDICT_ACCEPTED);
    ck_assert_uint_eq(duplicates, 0);
    close_reader();
}
END_TEST

START_TEST(what_lies_in_a_second_object_of_a_name_is_not_there)
{
    OPEN("order.total", "order.tax");
    check_read("{\"order\":1,\"order\":{\"total\":5}}", VERDICT_ACCEPTED);
    check_value(0, VALUE_MISSING, "");
    ck_assert_uint_eq(duplicates, 1);
    check_read("{\"order\":{\"tax\":1},\"order\":{\"total\":5,\"tax\":6}}", VERDICT_ACCEPTED);
    check_value(0, VALUE_MISSING, "");
    check_value(1, VALUE_NUMBER, "1");
    ck_assert_uint_eq(duplicates, 1);
    check_read("{\"order\":{\"total\":1,\"total\":2},\"order\":[{\"total\":3}]}", VERDICT_ACCEPTED);
    check_value(0, VALUE_NUMBER, "1");
    ck_assert_uint_eq(duplicates, 2);
    close_reader();
}
END_TEST

START_TEST(a_name_may_be_written_with_escapes)
{
    OPEN("user_id", "caf\xc3\xa9", "?", "a");
    check_read("{\"us\\u0065r_id\":1,\"caf\\u00e9\":2,\"\\ud83d\":3,\"a\\u0000\":4}",
               VERDICT_ACCEPTED);
    check_value(0, VALUE_NUMBER, "1");
    check_value(1, VALUE_NUMBER, "2");
    check_value(2, VALUE_MISSING, "");
    check_value(3, VALUE_MISSING, "");
    check_read("{\"user_id\":1,\"\\u0075ser_id\":2}", VERDICT_ACCEPTED);
    check_value(0, VALUE_NUMBER, "1");
    ck_assert_uint_eq(duplicates, 1);
    close_reader();
}
END_TEST

START_TEST(strings_with_escapes_are_decoded_and_all_live_until_the_next_read)
{
    OPEN("a", "b", "c");
    check_read("{\"a\":\"x\\\"\\\\\",\"b\":\"\\\"\",\"c\":\"\\ud83d\\ude00\\\\\\\"\\\\\"}",
               VERDICT_ACCEPTED);
    check_value(0, VALUE_STRING, "x\"\\");
    check_value(1, VALUE_STRING, "\"");
    check_value(2, VALUE_STRING, "\xf0\x9f\x98\x80\\\"\\");
    close_reader();
}
END_TEST

START_TEST(long_strings_with_escapes_outgrow_the_arena_unharmed)
{
    enum { LEN = 200000 };
    OPEN("a", "b");
    char *json = malloc(3 * LEN + 64);
    char *text = malloc(LEN + 1);
    ck_assert(json != NULL && text != NULL);
    for (int round = 0; round < 3; round++) {
        size_t used = (size_t)sprintf(json, "{\"a\":\"");
        for (size_t i = 0; i < LEN; i++) {
            text[i] = i % 5 == 0 ? '\n' : (char)('a' + i % 23);
            if (i % 5 == 0)
                json[used++] = '\\';
            json[used++] = i % 5 == 0 ? 'n' : text[i];
        }
        text[LEN] = '\0';
        used += (size_t)sprintf(json + used, "\",\"b\":\"\\t\"}");
        ck_assert_int_eq(read_bytes(json, used), VERDICT_ACCEPTED);
        check_value(0, VALUE_STRING, text);
        check_value(1, VALUE_STRING, "\t");
    }
    free(json);
    free(text);
    close_reader();
}
END_TEST

START_TEST(numbers_stay_as_they_are_written)
{
    static const char *const TEXTS[] = {"1e999",
                                        "-0",
                                        "-0.0",
                                        "9223372036854775808",
                                        "9007199254740993",
                                        "-9223372036854775808",
                                        "1E+2",
                                        "0.1000000000000000000000000000000000000001"};
    OPEN("a");
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
        char json[128];
        (void)snprintf(json, sizeof json, "{\"a\":%s}", TEXTS[i]);
        check_read(json, VERDICT_ACCEPTED);
        check_value(0, VALUE_NUMBER, TEXTS[i]);
    }
    close_reader();
}
END_TEST

START_TEST(no_event_leaves_anything_behind_for_the_next)
{
    static const char *const BEFORE[] = {"{\"a\":1,\"o\":{\"p\":[{",
                                         "[[[",
                                         "\"",
                                         "{\"a\":\"\\ud83d\"}",
                                         "{\"a\":1}x",
                                         "",
                                         "[]",
                                         "1",
                                         "{\"o\":{\"p\":{\"q\":1}},\"o\":1,\"a\":2}"};
    OPEN("a", "o.p.q", "z");
    for (size_t i = 0; i < sizeof BEFORE / sizeof *BEFORE; i++) {
        (void)read_text(BEFORE[i]);
        check_read("{\"o\":{\"p\":{\"q\":\"\\n\"}}}", VERDICT_ACCEPTED);
        check_value(0, VALUE_MISSING, "");
        check_value(1, VALUE_STRING, "\n");
        ck_assert_uint_eq(duplicates, 0);
    }
    close_reader();
}
END_TEST

START_TEST(one_reader_serves_topics_with_other_paths)
{
    OPEN("a");
    struct paths *first = paths;
    struct paths *second = paths_new();
    int slot = PATH_NONE;
    ck_assert_int_eq(paths_add(second, "x.y.z", &slot, NULL), 0);
    ck_assert_int_eq(paths_add(second, "a.b", &slot, NULL), 0);
    for (int i = 0; i < 3; i++) {
        paths = first;
        check_read("{\"a\":1,\"x\":{\"y\":{\"z\":2}}}", VERDICT_ACCEPTED);
        check_value(0, VALUE_NUMBER, "1");
        paths = second;
        check_read("{\"a\":{\"b\":3},\"x\":{\"y\":{\"z\":2}}}", VERDICT_ACCEPTED);
        check_value(0, VALUE_NUMBER, "2");
        check_value(1, VALUE_NUMBER, "3");
        ck_assert_uint_eq(duplicates, 0);
    }
    paths_free(second);
    paths = first;
    close_reader();
}
END_TEST

START_TEST(without_paths_an_event_is_only_judged)
{
    paths = paths_new();
    reader = event_reader_new(NESTING);
    check_read("{\"a\":{\"a\":[1]},\"a\":1}", VERDICT_ACCEPTED);
    ck_assert_uint_eq(duplicates, 0);
    check_read("[]", VERDICT_NOT_OBJECT);
    check_read("{\"a\":", VERDICT_BAD_JSON);
    close_reader();
}
END_TEST

UNIT_MAIN("event_reader", values_of_every_type_are_found, paths_lead_through_objects_and_arrays,
          a_number_in_a_path_is_an_element_or_a_member_of_that_name,
          elements_are_counted_whatever_their_type, of_a_name_given_twice_the_first_counts,
          what_lies_in_a_second_object_of_a_name_is_not_there, a_name_may_be_written_with_escapes,
          strings_with_escapes_are_decoded_and_all_live_until_the_next_read,
          long_strings_with_escapes_outgrow_the_arena_unharmed, numbers_stay_as_they_are_written,
          no_event_leaves_anything_behind_for_the_next, one_reader_serves_topics_with_other_paths,
          without_paths_an_event_is_only_judged)
