/* log: one event, one line of logfmt on stderr.
 *
 *     log_info("flush", "worker=%d entities=%zu took_ms=%lld", ...)
 *     2026-01-01T00:00:00.000Z level=info at=flush worker=2 entities=812 took_ms=9
 *
 * error: someone must act. warn: we are coping. info: a state changed. debug: the rest. Values that
 * may hold spaces are put in quotes by the caller, as \"%s\"; control characters are replaced here.
 * log_limited() lets one line per call site through in 10 s and says how many were left out.
 *
 * Floor: 0, though floors 1 and 2 do not log. Owner: any thread; a line is written at once.
 */
#ifndef TIDEWHEEL_LOG_H
#define TIDEWHEEL_LOG_H

#include "tidewheel/err.h"

#include <stdatomic.h>
#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_open(enum log_level level, bool json);
bool log_level_parse(const char *text, enum log_level *ret);

void log_line(enum log_level level, const char *at, const char *format, ...) PRINTF_LIKE(3, 4);

struct log_site {
    _Atomic long long last_ms;
    _Atomic unsigned long left_out;
};
void log_line_limited(struct log_site *site, enum log_level level, const char *at,
                      const char *format, ...) PRINTF_LIKE(4, 5);

#define log_error(at, ...) log_line(LOG_ERROR, at, __VA_ARGS__)
#define log_warn(at, ...)  log_line(LOG_WARN, at, __VA_ARGS__)
#define log_info(at, ...)  log_line(LOG_INFO, at, __VA_ARGS__)
#define log_debug(at, ...) log_line(LOG_DEBUG, at, __VA_ARGS__)
#define log_limited(level, at, ...)                                                                \
    do {                                                                                           \
        static struct log_site log_site_here;                                                      \
        log_line_limited(&log_site_here, level, at, __VA_ARGS__);                                  \
    } while (0)

#endif
