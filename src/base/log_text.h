/* log_text: a line in the making, out of a format that is read field by field.
 *
 *     struct log_text text;
 *     log_text_begin(&text, is_json);
 *     log_text_add(&text, "level=%s", ...);      any number of times
 *     log_text_end(&text)                        the length, with its newline
 *
 * Floor: 0. Owner: whoever holds the struct.
 */
#ifndef TIDEWHEEL_BASE_LOG_TEXT_H
#define TIDEWHEEL_BASE_LOG_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

enum {
    LOG_TEXT_MAX = 4096, /* a pipe takes no more in one piece */
    LOG_VALUE_MAX = 2048,
};

struct log_text {
    char bytes[LOG_TEXT_MAX];
    size_t len;
    size_t fields;
    bool is_json;
    bool is_full; /* something was cut: no field comes any more */
};

void log_text_begin(struct log_text *text, bool is_json);

/* By the rules of log.h; a field without a key is, in logfmt, a value alone. */
void log_text_add(struct log_text *text, const char *format, va_list args);
/* A number that has its place even in a line that is full. Once. */
void log_text_add_last(struct log_text *text, const char *key, unsigned long number);
size_t log_text_end(struct log_text *text);

#endif
