#include "tidewheel/match.h"

#include "tidewheel/event_reader.h"
#include "unit.h"

/* Paths of all tests: a b c. */
enum { A, B, C, PATHS };

static struct value text_value(enum value_type type, const char *text)
{
    return (struct value){.type = type, .text = slice_of(text)};
}

static struct match *term(enum match_op op, int slot, enum value_type type, const char *text)
{
    struct value operand = text_value(type, text);
    return match_new_term(op, slot, &operand);
}

static struct match *flag(enum match_op op, int slot, bool truth)
{
    struct value operand = {.type = VALUE_BOOL, .truth = truth};
    return match_new_term(op, slot, &operand);
}

static struct match *with(struct match *match, struct match *first, struct match *second)
{
    if (first != NULL)
        match_add(match, first);
    if (second != NULL)
        match_add(match, second);
    return match;
}

/* Does an event, given as JSON, match? */
static bool holds(const struct match *match, const char *json)
{
    static const char *const NAMES[PATHS] = {"a", "b", "c"};
    struct paths *paths = paths_new();
    struct event_reader *reader = event_reader_new(8);
    struct value values[PATHS];
    size_t duplicates = 0;
    for (int i = 0; i < PATHS; i++) {
        int slot = PATH_NONE;
        ck_assert_int_eq(paths_add(paths, NAMES[i], &slot, NULL), 0);
        ck_assert_int_eq(slot, i);
    }
    ck_assert_msg(event_reader_read(reader, paths, slice_of(json), values, &duplicates) ==
                      VERDICT_ACCEPTED,
                  "%s", json);
    bool is = match_is(match, values);
    event_reader_free(reader);
    paths_free(paths);
    return is;
}

struct row {
    const char *json;
    bool holds;
};

static void check_rows(struct match *match, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(holds(match, rows[i].json) == rows[i].holds, "%s", rows[i].json);
    match_free(match);
}

#define CHECK_ROWS(match, ...)                                                                     \
    do {                                                                                           \
        static const struct row ROWS[] = {__VA_ARGS__};                                            \
        check_rows(match, ROWS, sizeof ROWS / sizeof *ROWS);                                       \
    } while (0)

START_TEST(no_condition_lets_everything_through)
{
    CHECK_ROWS(NULL, {"{}", true}, {"{\"a\":1}", true});
}
END_TEST

START_TEST(equality_compares_type_and_value_of_strings)
{
    CHECK_ROWS(term(MATCH_EQUAL, A, VALUE_STRING, "1"), {"{\"a\":\"1\"}", true},
               {"{\"a\":\"\\u0031\"}", true}, {"{\"a\":1}", false}, {"{\"a\":\"1.0\"}", false},
               {"{\"a\":\"\"}", false}, {"{\"a\":\"11\"}", false}, {"{\"a\":true}", false},
               {"{\"a\":null}", false}, {"{}", false}, {"{\"a\":[1]}", false},
               {"{\"b\":\"1\"}", false});
}
END_TEST

START_TEST(an_empty_string_equals_itself_alone)
{
    CHECK_ROWS(term(MATCH_EQUAL, A, VALUE_STRING, ""), {"{\"a\":\"\"}", true},
               {"{\"a\":\" \"}", false}, {"{}", false}, {"{\"a\":null}", false});
}
END_TEST

START_TEST(numbers_are_equal_by_value_however_they_are_written)
{
    CHECK_ROWS(term(MATCH_EQUAL, A, VALUE_NUMBER, "1"), {"{\"a\":1}", true}, {"{\"a\":1.0}", true},
               {"{\"a\":10e-1}", true}, {"{\"a\":\"1\"}", false}, {"{\"a\":-1}", false},
               {"{\"a\":1.0000000000000000001}", false}, {"{\"a\":true}", false}, {"{}", false});
    CHECK_ROWS(term(MATCH_EQUAL, A, VALUE_NUMBER, "0"), {"{\"a\":-0}", true}, {"{\"a\":0.0}", true},
               {"{\"a\":1e-999}", false});
}
END_TEST

START_TEST(integers_of_any_length_are_compared_exactly)
{
    CHECK_ROWS(term(MATCH_EQUAL, A, VALUE_NUMBER, "9007199254740993"),
               {"{\"a\":9007199254740993}", true}, {"{\"a\":9007199254740992}", false},
               {"{\"a\":9007199254740993.0}", true});
    CHECK_ROWS(term(MATCH_EQUAL, A, VALUE_NUMBER, "123456789012345678901234567890"),
               {"{\"a\":123456789012345678901234567890}", true},
               {"{\"a\":123456789012345678901234567891}", false},
               {"{\"a\":12345678901234567890123456789e1}", true});
}
END_TEST

START_TEST(booleans_equal_only_themselves)
{
    CHECK_ROWS(flag(MATCH_EQUAL, A, true), {"{\"a\":true}", true}, {"{\"a\":false}", false},
               {"{\"a\":1}", false}, {"{\"a\":\"true\"}", false}, {"{}", false});
    CHECK_ROWS(flag(MATCH_EQUAL, A, false), {"{\"a\":false}", true}, {"{\"a\":true}", false},
               {"{\"a\":0}", false}, {"{\"a\":null}", false}, {"{}", false});
}
END_TEST

START_TEST(null_and_compounds_equal_nothing)
{
    CHECK_ROWS(term(MATCH_EQUAL, A, VALUE_NULL, ""), {"{\"a\":null}", false}, {"{}", false});
    CHECK_ROWS(term(MATCH_EQUAL, A, VALUE_COMPOUND, ""), {"{\"a\":{}}", false});
}
END_TEST

START_TEST(greater_and_less_keep_or_leave_out_the_border)
{
    CHECK_ROWS(term(MATCH_GT, A, VALUE_NUMBER, "10"), {"{\"a\":10}", false},
               {"{\"a\":10.01}", true}, {"{\"a\":9}", false}, {"{\"a\":-11}", false});
    CHECK_ROWS(term(MATCH_GTE, A, VALUE_NUMBER, "10"), {"{\"a\":10}", true}, {"{\"a\":1e1}", true},
               {"{\"a\":9.99}", false}, {"{\"a\":11}", true});
    CHECK_ROWS(term(MATCH_LT, A, VALUE_NUMBER, "10"), {"{\"a\":10}", false}, {"{\"a\":9.99}", true},
               {"{\"a\":11}", false}, {"{\"a\":-11}", true});
    CHECK_ROWS(term(MATCH_LTE, A, VALUE_NUMBER, "10"), {"{\"a\":10}", true},
               {"{\"a\":10.01}", false}, {"{\"a\":9}", true});
}
END_TEST

START_TEST(comparisons_read_their_field_as_an_aggregate_does)
{
    static const enum match_op OPS[] = {MATCH_GT, MATCH_GTE, MATCH_LT, MATCH_LTE};
    for (size_t i = 0; i < 4; i++) {
        bool above = i < 2;
        struct match *match = term(OPS[i], A, VALUE_NUMBER, "10");
        ck_assert(holds(match, above ? "{\"a\":\"11.5\"}" : "{\"a\":\"-1e0\"}"));
        ck_assert(!holds(match, above ? "{\"a\":1e999}" : "{\"a\":-1e999}"));
        ck_assert(!holds(match, "{\"a\":\" 11\"}") && !holds(match, "{\"a\":\"eleven\"}"));
        ck_assert(!holds(match, "{\"a\":true}") && !holds(match, "{\"a\":[11]}"));
        ck_assert(!holds(match, "{\"a\":null}") && !holds(match, "{}"));
        match_free(match);
    }
}
END_TEST

START_TEST(exists_is_false_for_missing_and_null)
{
    CHECK_ROWS(flag(MATCH_EXISTS, A, true), {"{\"a\":0}", true}, {"{\"a\":false}", true},
               {"{\"a\":\"\"}", true}, {"{\"a\":[]}", true}, {"{\"a\":{}}", true},
               {"{\"a\":null}", false}, {"{}", false});
    CHECK_ROWS(flag(MATCH_EXISTS, A, false), {"{\"a\":0}", false}, {"{\"a\":null}", true},
               {"{}", true}, {"{\"a\":{}}", false});
}
END_TEST

START_TEST(all_wants_every_child_and_any_wants_one)
{
    CHECK_ROWS(with(match_new(MATCH_ALL), flag(MATCH_EXISTS, A, true), flag(MATCH_EXISTS, B, true)),
               {"{\"a\":1,\"b\":1}", true}, {"{\"a\":1}", false}, {"{\"b\":1}", false},
               {"{}", false});
    CHECK_ROWS(with(match_new(MATCH_ANY), flag(MATCH_EXISTS, A, true), flag(MATCH_EXISTS, B, true)),
               {"{\"a\":1,\"b\":1}", true}, {"{\"a\":1}", true}, {"{\"b\":1}", true},
               {"{}", false});
    CHECK_ROWS(match_new(MATCH_ALL), {"{}", true});
    CHECK_ROWS(match_new(MATCH_ANY), {"{}", false});
}
END_TEST

START_TEST(not_is_plain_negation)
{
    CHECK_ROWS(with(match_new(MATCH_NOT), term(MATCH_EQUAL, A, VALUE_NUMBER, "1"), NULL),
               {"{\"a\":1}", false}, {"{\"a\":2}", true}, {"{}", true}, {"{\"a\":null}", true},
               {"{\"a\":\"1\"}", true});
    CHECK_ROWS(with(match_new(MATCH_NOT), term(MATCH_GT, A, VALUE_NUMBER, "1"), NULL),
               {"{\"a\":2}", false}, {"{\"a\":\"x\"}", true}, {"{}", true});
}
END_TEST

START_TEST(trees_nest)
{
    /* a == "x" and not (b > 5 or c exists) */
    struct match *any = with(match_new(MATCH_ANY), term(MATCH_GT, B, VALUE_NUMBER, "5"),
                             flag(MATCH_EXISTS, C, true));
    struct match *all = with(match_new(MATCH_ALL), term(MATCH_EQUAL, A, VALUE_STRING, "x"),
                             with(match_new(MATCH_NOT), any, NULL));
    CHECK_ROWS(all, {"{\"a\":\"x\"}", true}, {"{\"a\":\"x\",\"b\":5}", true},
               {"{\"a\":\"x\",\"b\":6}", false}, {"{\"a\":\"x\",\"c\":0}", false},
               {"{\"a\":\"y\"}", false}, {"{}", false});
}
END_TEST

START_TEST(an_operand_is_copied)
{
    char text[] = "purchase";
    struct match *match = term(MATCH_EQUAL, A, VALUE_STRING, text);
    memset(text, 'x', sizeof text - 1);
    ck_assert(holds(match, "{\"a\":\"purchase\"}"));
    match_free(match);
}
END_TEST

UNIT_MAIN("match", no_condition_lets_everything_through,
          equality_compares_type_and_value_of_strings, an_empty_string_equals_itself_alone,
          numbers_are_equal_by_value_however_they_are_written,
          integers_of_any_length_are_compared_exactly, booleans_equal_only_themselves,
          null_and_compounds_equal_nothing, greater_and_less_keep_or_leave_out_the_border,
          comparisons_read_their_field_as_an_aggregate_does, exists_is_false_for_missing_and_null,
          all_wants_every_child_and_any_wants_one, not_is_plain_negation, trees_nest,
          an_operand_is_copied)
