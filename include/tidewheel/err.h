/* err: what went wrong, as one sentence and one kind.
 *
 * A function that can fail returns 0 or a negative ERR_*, and leaves the sentence in a struct err:
 * what was expected, what was found, where. Callers put the outer place in front with err_wrap();
 * it is logged once, at the edge.
 *
 * CHECK() is for our own broken promises: always on, free of side effects, never for input.
 *
 * Floor: 0. Owner: whoever holds the struct.
 */
#ifndef TIDEWHEEL_ERR_H
#define TIDEWHEEL_ERR_H

#define MUST_CHECK             __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

enum err_code {
    ERR_CONFIG = -1,   /* the person's files or arguments are wrong: nothing starts */
    ERR_INPUT = -2,    /* an event is wrong: it is counted and passed by */
    ERR_RETRY = -3,    /* the world is away for now: wait and try again */
    ERR_FATAL = -4,    /* the world says no for good: drain and exit */
    ERR_INTERNAL = -5, /* we are wrong */
};

enum { ERR_TEXT_MAX = 1024 };

struct err {
    int code;
    char text[ERR_TEXT_MAX]; /* longer sentences are cut */
};

/* Returns code, so that `return err_set(...)` reads well. A NULL err is allowed. */
int err_set(struct err *err, int code, const char *format, ...) PRINTF_LIKE(3, 4);

/* Puts "outer: " in front of the sentence; returns err->code. */
int err_wrap(struct err *err, const char *format, ...) PRINTF_LIKE(2, 3);

_Noreturn void check_failed(const char *file, int line, const char *cond);

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond))                                                                               \
            check_failed(__FILE__, __LINE__, #cond);                                               \
    } while (0)

#endif
