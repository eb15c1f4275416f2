/* buf, err and mem. */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tidewheel/buf.h"
#include "tidewheel/mem.h"
#include "unit.h"

/* ---- buf ---- */

START_TEST(a_buf_of_zero_bytes_is_empty_and_valid)
{
    struct buf buf = {NULL, 0, 0};
    buf_reset(&buf);
    buf_add(&buf, NULL, 0);
    ck_assert_uint_eq(buf.len, 0);
    ck_assert_str_eq(buf_text(&buf), "");
    ck_assert_uint_eq(buf.len, 0);
    buf_fini(&buf);
    buf_fini(&buf);
    ck_assert_ptr_null(buf.ptr);
}
END_TEST

START_TEST(a_buf_grows_and_keeps_what_it_holds)
{
    struct buf buf = {NULL, 0, 0};
    bool is_right = true;
    for (int i = 0; i < 20000; i++) {
        buf_add_char(&buf, (char)(i % 26 + 'a'));
        is_right = is_right && buf.len <= buf.cap;
    }
    buf_add_text(&buf, "end");
    for (int i = 0; i < 20000; i++)
        is_right = is_right && buf.ptr[i] == (char)(i % 26 + 'a');
    ck_assert(is_right);
    ck_assert_uint_eq(buf.len, 20003);
    char *before = buf.ptr;
    buf_reset(&buf);
    ck_assert_ptr_eq(buf_reserve(&buf, 20000), before); /* memory is kept */
    buf_fini(&buf);
}
END_TEST

START_TEST(printf_adds_behind_what_is_there_at_every_length)
{
    struct buf buf = {NULL, 0, 0};
    char expected[2048] = "";
    for (int i = 0; i < 200; i++) {
        buf_printf(&buf, "%d%s", i % 10, "x");
        (void)snprintf(expected + 2 * i, sizeof expected - 2 * (size_t)i, "%dx", i % 10);
        ck_assert_str_eq(buf_text(&buf), expected);
    }
    buf_printf(&buf, "%s", "");
    ck_assert_str_eq(buf_text(&buf), expected);
    buf_fini(&buf);
}
END_TEST

START_TEST(reserved_bytes_count_only_when_advanced)
{
    struct buf buf = {NULL, 0, 0};
    memcpy(buf_reserve(&buf, 10), "0123456789", 10);
    ck_assert_uint_eq(buf.len, 0);
    buf_advance(&buf, 4);
    ck_assert(slice_is_equal(buf_slice(&buf), slice_of("0123")));
    buf_fini(&buf);
}
END_TEST

START_TEST(slices_are_equal_by_their_bytes)
{
    ck_assert(slice_is_equal((struct slice){NULL, 0}, slice_of("")));
    ck_assert(slice_is_equal((struct slice){"a\0b", 3}, (struct slice){"a\0b", 3}));
    ck_assert(!slice_is_equal((struct slice){"a\0b", 3}, (struct slice){"a\0c", 3}));
    ck_assert(!slice_is_equal(slice_of("ab"), slice_of("abc")));
}
END_TEST

/* ---- err ---- */

START_TEST(an_error_is_a_sentence_with_its_place_in_front)
{
    struct err err = {0, ""};
    ck_assert_int_eq(err_set(&err, ERR_CONFIG, "'%s' is not a duration", "1x"), ERR_CONFIG);
    ck_assert_int_eq(err_wrap(&err, "%s:%d", "card.yaml", 14), ERR_CONFIG);
    ck_assert_str_eq(err.text, "card.yaml:14: '1x' is not a duration");
    ck_assert_int_eq(err.code, ERR_CONFIG);
    ck_assert_int_eq(err_set(NULL, ERR_FATAL, "nobody reads it"), ERR_FATAL);
}
END_TEST

START_TEST(a_sentence_that_is_too_long_is_cut)
{
    char longer[2 * ERR_TEXT_MAX];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    struct err err = {0, ""};
    (void)err_set(&err, ERR_INPUT, "%s", longer);
    ck_assert_uint_eq(strlen(err.text), ERR_TEXT_MAX - 1);
    (void)err_wrap(&err, "outer");
    ck_assert_uint_eq(strlen(err.text), ERR_TEXT_MAX - 1);
    ck_assert_int_eq(strncmp(err.text, "outer: xxx", 10), 0);
    (void)err_wrap(&err, "%s", longer);
    ck_assert_uint_eq(strlen(err.text), ERR_TEXT_MAX - 1);
}
END_TEST

/* Does it stop the program that calls it? */
static bool aborts(void (*call)(void))
{
    pid_t child = fork();
    if (child == 0) {
        (void)close(STDERR_FILENO);
        call();
        _exit(0);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void keep_a_promise(void)
{
    CHECK(1 + 1 == 2);
}

static void break_a_promise(void)
{
    CHECK(1 + 1 == 3);
}

START_TEST(a_broken_promise_of_ours_stops_the_program)
{
    ck_assert(!aborts(keep_a_promise));
    ck_assert(aborts(break_a_promise));
}
END_TEST

/* ---- mem ---- */

START_TEST(an_array_grows_by_doubling)
{
    int *list = NULL;
    size_t cap = 0;
    for (size_t len = 0; len < 100; len++) {
        list = mem_grow(list, len, &cap, sizeof *list);
        list[len] = (int)len;
    }
    ck_assert_uint_eq(cap, 128);
    ck_assert_int_eq(list[99], 99);
    free(list);
    char *copy = mem_strndup("a\0bc", 3);
    ck_assert(memcmp(copy, "a\0b", 4) == 0);
    free(copy);
    unsigned char *zeros = mem_zalloc(64);
    ck_assert_int_eq(zeros[0] | zeros[63], 0);
    free(zeros);
}
END_TEST

static void ask_for_too_much(void)
{
    free(mem_resize(NULL, SIZE_MAX / 2, 4));
}

START_TEST(a_size_that_overflows_stops_the_program)
{
    ck_assert(aborts(ask_for_too_much));
}
END_TEST

UNIT_MAIN("buf", a_buf_of_zero_bytes_is_empty_and_valid, a_buf_grows_and_keeps_what_it_holds,
          printf_adds_behind_what_is_there_at_every_length, reserved_bytes_count_only_when_advanced,
          slices_are_equal_by_their_bytes, an_error_is_a_sentence_with_its_place_in_front,
          a_sentence_that_is_too_long_is_cut, a_broken_promise_of_ours_stops_the_program,
          an_array_grows_by_doubling, a_size_that_overflows_stops_the_program)
