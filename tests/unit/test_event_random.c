#include "tidewheel/event_reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "unit.h"

enum { SLOTS = 16 };

/* Random events whose maker knows what is to be found: it follows the path as it writes, and gives
 * it up (NULL) inside the second member of a name. */

struct expected {
    enum value_type type;
    bool truth;
    char text[32];
};

static const char *const WANTED[] = {"a",     "b.a",   "b.0",     "a.b.0.a", "0",
                                     "a.1.b", "b.a.1", "b.b.b.b", "1.1",     NULL};

static struct expected expected[SLOTS];
static size_t expected_duplicates;
static struct buf json;

static void write_value(const char *path, int depth);

static bool is_on_the_way(const char *path)
{
    for (size_t i = 0; WANTED[i] != NULL; i++) {
        size_t len = strlen(path);
        if (strncmp(WANTED[i], path, len) == 0 && (WANTED[i][len] == '.' || WANTED[i][len] == '\0'))
            return true;
    }
    return false;
}

static void expect(const char *path, enum value_type type, bool truth, const char *text)
{
    for (size_t i = 0; path != NULL && WANTED[i] != NULL; i++) {
        if (strcmp(WANTED[i], path) == 0) {
            expected[i] = (struct expected){.type = type, .truth = truth};
            (void)snprintf(expected[i].text, sizeof expected[i].text, "%s", text);
        }
    }
}

static void child_path(const char *path, const char *name, char *ret, size_t cap)
{
    (void)snprintf(ret, cap, "%s%s%s", path, *path != '\0' ? "." : "", name);
}

static void write_object(const char *path, int depth)
{
    static const char *const NAMES[] = {"a", "b", "0", "1", "c"};
    static const char *const ESCAPED[] = {"\\u0061", "\\u0062", "\\u0030", "\\u0031", "c"};
    bool used[5] = {false};
    int count = rand() % 6;
    buf_add_char(&json, '{');
    for (int i = 0; i < count; i++) {
        size_t name = (size_t)rand() % 5;
        char child[128] = "";
        if (path != NULL)
            child_path(path, NAMES[name], child, sizeof child);
        bool is_duplicate = path != NULL && used[name];
        expected_duplicates += is_duplicate && is_on_the_way(child);
        used[name] = true;
        buf_printf(&json, "%s\"%s\":", i > 0 ? "," : "",
                   rand() % 4 == 0 ? ESCAPED[name] : NAMES[name]);
        write_value(path == NULL || is_duplicate ? NULL : child, depth + 1);
    }
    buf_add_char(&json, '}');
}

static void write_array(const char *path, int depth)
{
    int count = rand() % 4;
    buf_add_char(&json, '[');
    for (int i = 0; i < count; i++) {
        char name[16];
        char child[128] = "";
        (void)snprintf(name, sizeof name, "%d", i);
        if (path != NULL)
            child_path(path, name, child, sizeof child);
        if (i > 0)
            buf_add_text(&json, ", ");
        write_value(path != NULL ? child : NULL, depth + 1);
    }
    buf_add_char(&json, ']');
}

static void write_value(const char *path, int depth)
{
    int kind = rand() % (depth < 5 ? 10 : 5);
    char text[32];
    switch (kind) {
    case 0:
        buf_add_text(&json, "null");
        expect(path, VALUE_NULL, false, "");
        break;
    case 1:
        buf_add_text(&json, rand() % 2 ? "true" : "false");
        expect(path, VALUE_BOOL, json.ptr[json.len - 2] == 'u', "");
        break;
    case 2:
        (void)snprintf(text, sizeof text, "%d.%03d", rand() % 1000, rand() % 1000);
        buf_add_text(&json, text);
        expect(path, VALUE_NUMBER, false, text);
        break;
    case 3:
    case 4:
        (void)snprintf(text, sizeof text, "s%d", rand());
        buf_printf(&json, "\"%s%s\"", kind == 3 ? "s" : "\\u0073", text + 1);
        expect(path, VALUE_STRING, false, text);
        break;
    default:
        expect(path, VALUE_COMPOUND, false, "");
        if (kind < 8)
            write_object(path, depth);
        else
            write_array(path, depth);
    }
}

START_TEST(random_events_are_read_as_their_maker_wrote_them)
{
    const char *given = getenv("SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    printf("seed %" PRIu64 "\n", seed);
    (void)fflush(stdout);
    srand((unsigned)seed);
    struct paths *paths = paths_new();
    struct event_reader *reader = event_reader_new(8);
    struct value values[SLOTS];
    size_t duplicates = 0;
    for (int i = 0; WANTED[i] != NULL; i++) {
        int slot = PATH_NONE;
        ck_assert_int_eq(paths_add(paths, WANTED[i], &slot, NULL), 0);
        ck_assert_int_eq(slot, i);
    }
    size_t found = 0;
    size_t repeated = 0;
    for (int round = 0; round < 100000; round++) {
        buf_reset(&json);
        memset(expected, 0, sizeof expected);
        expected_duplicates = 0;
        write_object("", 0);
        ck_assert_int_eq(event_reader_read(reader, paths, buf_slice(&json), values, &duplicates),
                         VERDICT_ACCEPTED);
        for (int i = 0; WANTED[i] != NULL; i++) {
            ck_assert_msg(values[i].type == expected[i].type &&
                              values[i].truth == expected[i].truth &&
                              slice_is_equal(values[i].text, slice_of(expected[i].text)),
                          "%s in %s", WANTED[i], buf_text(&json));
            found += values[i].type != VALUE_MISSING;
        }
        ck_assert_msg(duplicates == expected_duplicates, "%s", buf_text(&json));
        repeated += duplicates;
    }
    ck_assert_uint_gt(found, 10000);
    ck_assert_uint_gt(repeated, 10000);
    buf_fini(&json);
    event_reader_free(reader);
    paths_free(paths);
}
END_TEST

UNIT_MAIN("event_random", random_events_are_read_as_their_maker_wrote_them)
