#include "tidewheel/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "tidewheel/clock.h"
#include "tidewheel/json_text.h"

enum { LINE_MAX_BYTES = 4096, QUIET_MS = 10000 };

static const char *const LEVELS[] = {"error", "warn", "info", "debug"};

static _Atomic int level_shown = LOG_INFO;
static _Atomic bool is_json;

void log_open(enum log_level level, bool json)
{
    level_shown = level;
    is_json = json;
}

bool log_level_parse(const char *text, enum log_level *ret)
{
    for (int i = LOG_ERROR; i <= LOG_DEBUG; i++) {
        if (strcasecmp(text, LEVELS[i]) == 0) {
            *ret = (enum log_level)i;
            return true;
        }
    }
    return false;
}

/* The bytes of the character at text; 0: it is none, or one that controls the terminal. */
static size_t character_len(const char *text)
{
    unsigned char byte = (unsigned char)*text;
    if (byte < 0x80)
        return byte >= 0x20 && byte != 0x7f ? 1 : 0;
    for (size_t len = 2; len <= 4 && text[len - 1] != '\0'; len++)
        if (json_text_is_strict(text, len))
            return byte == 0xc2 && (unsigned char)text[1] < 0xa0 ? 0 : len;
    return 0;
}

/* Text from outside may be in a line: it cannot begin a new one, move the cursor or break JSON. */
static void tame(char *text)
{
    while (*text != '\0') {
        size_t len = character_len(text);
        if (len == 0)
            *text = '?';
        text += len > 0 ? len : 1;
    }
}

static size_t escape_json(const char *text, char *ret, size_t cap)
{
    size_t len = 0;
    for (; *text != '\0' && len + 2 < cap; text++) {
        if (*text == '"' || *text == '\\')
            ret[len++] = '\\';
        ret[len++] = *text;
    }
    ret[len] = '\0';
    return len;
}

static void write_line(enum log_level level, const char *at, char *text)
{
    tame(text);
    int64_t now_ms = clock_wall_ms();
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm utc;
    char when[32];
    (void)gmtime_r(&seconds, &utc);
    (void)strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &utc);
    char line[LINE_MAX_BYTES];
    int ms = (int)(now_ms % 1000);
    int len = 0;
    if (is_json) {
        char escaped[LINE_MAX_BYTES / 2];
        (void)escape_json(text, escaped, sizeof escaped);
        len = snprintf(line, sizeof line - 1,
                       "{\"time\":\"%s.%03dZ\",\"level\":\"%s\",\"at\":\"%s\",\"text\":\"%s\"}",
                       when, ms, LEVELS[level], at, escaped);
    } else {
        len = snprintf(line, sizeof line - 1, "%s.%03dZ level=%s at=%s%s%s", when, ms,
                       LEVELS[level], at, *text != '\0' ? " " : "", text);
    }
    size_t size = len < (int)sizeof line - 1 ? (size_t)len : sizeof line - 2;
    line[size++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, size); /* one call: lines of threads do not mix */
    (void)written;
}

void log_line(enum log_level level, const char *at, const char *format, ...)
{
    if ((int)level > level_shown)
        return;
    char text[LINE_MAX_BYTES / 2];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    write_line(level, at, text);
}

void log_line_limited(struct log_site *site, enum log_level level, const char *at,
                      const char *format, ...)
{
    if ((int)level > level_shown)
        return;
    long long now_ms = clock_mono_ms();
    long long last_ms = site->last_ms;
    if ((last_ms != 0 && now_ms - last_ms < QUIET_MS) ||
        !atomic_compare_exchange_strong(&site->last_ms, &last_ms, now_ms)) {
        site->left_out++;
        return;
    }
    char text[LINE_MAX_BYTES / 2];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    unsigned long left_out = atomic_exchange(&site->left_out, 0);
    if (left_out > 0 && len >= 0 && (size_t)len < sizeof text)
        (void)snprintf(text + len, sizeof text - (size_t)len, " left_out=%lu", left_out);
    write_line(level, at, text);
}
