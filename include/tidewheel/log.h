/* log: one event, one line on stderr, as logfmt or as a JSON object.
 *
 *     log_info("flush", "worker=%d entities=%zu why=%s", 2, n, "he said \"now\"");
 *
 *     2026-01-01T00:00:00.000Z level=info at=flush worker=2 entities=812 why="he said \"now\""
 *     {"time":"2026-01-01T00:00:00.000Z","level":"info","at":"flush","worker":2,"entities":812,
 *      "why":"he said \"now\""}                                        (in one line)
 *
 * error: someone must act. warn: we are coping. info: a state changed. debug: the rest.
 *
 * The format is the fields: key=value, one space between. It is read field by field, and what a %s
 * brings is only ever a value: it is quoted and escaped where it has to be, so no text from outside
 * can begin a line, a field or an escape sequence, nor end a quote. Escapes are those of JSON; bytes
 * that are no UTF-8 become U+FFFD. A value in quotes in the format is always quoted. Further rules:
 *
 *     why=%s         with NULL: the field is left out
 *     a=1 %s         in a key's place: more fields, made by the caller, of numbers and literals
 *     %d %i %u %x %c %f %s, with ll l z h, and a precision for f and s; no flags, no widths
 *
 * In JSON a value that is one number is a number, and all else a string. A line of more than 4 KiB
 * is cut at a character's end, with "...", and stays well-formed.
 *
 * log_limited() lets one line per call site through in 10 s and says how many were left out, with
 * the next one or, where none comes any more, with whatever line comes next.
 *
 * log_hide() makes a text one that no line may show: *** stands in its place, whatever the value it
 * turns up in. It is a last line of defence behind setting_show(); texts of less than 4 bytes are not
 * hidden, for nothing would be left of the lines. Keys, and what formats say by themselves, stay.
 *
 * Floor: 0, though floors 1 and 2 do not log. Owner: any thread; a line is written at once.
 */
#ifndef TIDEWHEEL_LOG_H
#define TIDEWHEEL_LOG_H

#include "tidewheel/buf.h"

#include <stdatomic.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_open(enum log_level level, bool json);
bool log_level_parse(const char *text, enum log_level *ret);
bool log_is_shown(enum log_level level);

/* at lives as long as the process. */
void log_line(enum log_level level, const char *at, const char *format, ...) PRINTF_LIKE(3, 4);

struct log_site {
    _Atomic long long last_ms;
    _Atomic unsigned long left_out;
    atomic_bool is_listed; /* from here on: of a site that left something out once */
    const char *at;
    enum log_level level;
    struct log_site *next;
};
void log_line_limited(struct log_site *site, enum log_level level, const char *at,
                      const char *format, ...) PRINTF_LIKE(4, 5);

/* Says what was left out and not told yet: at the end. */
void log_flush(void);

enum { LOG_HIDDEN_LEN_MIN = 4, LOG_HIDDEN_MAX = 1024 };

/* The text, and how it is spelled within a URL; copied, and never forgotten. At most LOG_HIDDEN_MAX;
 * any thread, at any time. */
void log_hide(const char *text);

/* Adds the text with what is hidden as ***: for whatever is shown in other ways than by a line. */
void log_hidden(struct slice text, struct buf *ret);

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
