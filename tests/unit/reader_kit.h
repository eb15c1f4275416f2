/* reader_kit: one event reader and its paths, for the suites that read events.
 *
 *     OPEN("a", "o.p");  check_read("{...}", VERDICT_ACCEPTED);  check_value(0, ...);
 * close_reader();
 */
#ifndef TIDEWHEEL_READER_KIT_H
#define TIDEWHEEL_READER_KIT_H

#include "tidewheel/event_reader.h"
#include "unit.h"

enum { NESTING = 64, SLOTS = 16 };

static struct paths *paths;
static struct event_reader *reader;
static struct value values[SLOTS];
static size_t duplicates;

/* Paths take slots 0, 1, 2 ... in the order given; NULL ends them. */
static void open_reader(const char *const *names)
{
    paths = paths_new();
    reader = event_reader_new(NESTING);
    for (int i = 0; names[i] != NULL; i++) {
        int slot = PATH_NONE;
        ck_assert_int_eq(paths_add(paths, names[i], &slot, NULL), 0);
        ck_assert_int_eq(slot, i);
    }
}

#define OPEN(...) open_reader((const char *const[]){__VA_ARGS__, NULL})

static void close_reader(void)
{
    event_reader_free(reader);
    paths_free(paths);
}

/* The event is read from memory of its own size, so that a sanitizer sees a step beyond it. */
static enum verdict read_bytes(const char *ptr, size_t len)
{
    static char *copy;
    free(copy);
    copy = malloc(len > 0 ? len : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, ptr, len);
    return event_reader_read(reader, paths, (struct slice){copy, len}, values, &duplicates);
}

static enum verdict read_text(const char *json)
{
    return read_bytes(json, strlen(json));
}

static void check_read(const char *json, enum verdict expected)
{
    enum verdict verdict = read_text(json);
    ck_assert_msg(verdict == expected, "%s: %s instead of %s", json, verdict_rows[verdict].name,
                  verdict_rows[expected].name);
}

static void check_value(int slot, enum value_type type, const char *text)
{
    ck_assert_int_eq(values[slot].type, type);
    ck_assert_msg(slice_is_equal(values[slot].text, slice_of(text)), "slot %d: '%.*s' not '%s'",
                  slot, (int)values[slot].text.len, values[slot].text.ptr, text);
}

#endif
