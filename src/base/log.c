#include "tidewheel/log.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/log_text.h"
#include "tidewheel/clock.h"

enum { QUIET_MS = 10000 };

static const char *const LEVELS[] = {"error", "warn", "info", "debug"};

static _Atomic int level_shown = LOG_INFO;
static atomic_bool is_json;

/* Sites that have left something out once. Static, and never taken out again. */
static struct log_site *_Atomic sites;
static _Atomic long long sites_seen_ms;

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

bool log_is_shown(enum log_level level)
{
    return (int)level <= level_shown;
}

/* ---- one line ---- */

static void add(struct log_text *text, const char *format, ...) PRINTF_LIKE(2, 3);
static void add(struct log_text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_text_add(text, format, args);
    va_end(args);
}

static void begin(struct log_text *text, enum log_level level, const char *at)
{
    int64_t now_ms = clock_wall_ms();
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm utc;
    char when[32];
    char head[160];
    (void)gmtime_r(&seconds, &utc);
    (void)strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &utc);
    log_text_begin(text, is_json);
    (void)snprintf(head, sizeof head, "%s=%s.%03dZ level=%s at=%s", text->is_json ? "time" : "",
                   when, (int)(now_ms % 1000), LEVELS[level], at);
    add(text, "%s", head); /* as fields of ours: a password that is called so hides no level */
}

/* One call of write(): lines of threads do not mix. */
static void write_line(enum log_level level, const char *at, unsigned long left_out,
                       const char *format, va_list args)
{
    struct log_text text;
    begin(&text, level, at);
    log_text_add(&text, format, args);
    if (left_out > 0)
        log_text_add_last(&text, "left_out", left_out);
    size_t len = log_text_end(&text);
    ssize_t written = write(STDERR_FILENO, text.bytes, len);
    (void)written;
}

/* ---- what was left out ---- */

static void list(struct log_site *site, enum log_level level, const char *at)
{
    if (atomic_exchange(&site->is_listed, true))
        return;
    site->at = at;
    site->level = level;
    site->next = sites;
    while (!atomic_compare_exchange_weak(&sites, &site->next, site))
        continue;
}

static void write_left_out(const struct log_site *site, unsigned long left_out, ...)
{
    va_list none;
    va_start(none, left_out);
    write_line(site->level, site->at, left_out, "", none);
    va_end(none);
}

static void tell(struct log_site *site, long long now_ms, long long quiet_ms)
{
    if (site->left_out == 0 || now_ms - site->last_ms < quiet_ms || !log_is_shown(site->level))
        return;
    unsigned long left_out = atomic_exchange(&site->left_out, 0);
    if (left_out > 0)
        write_left_out(site, left_out);
}

/* Of the sites that have gone quiet; a look once in a while, for there is a line now anyway. */
static void tell_some(void)
{
    long long now_ms = clock_mono_ms();
    long long seen_ms = sites_seen_ms;
    if (now_ms - seen_ms < QUIET_MS ||
        !atomic_compare_exchange_strong(&sites_seen_ms, &seen_ms, now_ms))
        return;
    for (struct log_site *site = sites; site != NULL; site = site->next)
        tell(site, now_ms, QUIET_MS);
}

void log_flush(void)
{
    for (struct log_site *site = sites; site != NULL; site = site->next)
        tell(site, 0, LLONG_MIN);
}

void log_line(enum log_level level, const char *at, const char *format, ...)
{
    if (!log_is_shown(level))
        return;
    if (sites != NULL)
        tell_some();
    va_list args;
    va_start(args, format);
    write_line(level, at, 0, format, args);
    va_end(args);
}

void log_line_limited(struct log_site *site, enum log_level level, const char *at,
                      const char *format, ...)
{
    if (!log_is_shown(level))
        return;
    long long now_ms = clock_mono_ms();
    long long last_ms = site->last_ms;
    if ((last_ms != 0 && now_ms - last_ms < QUIET_MS) ||
        !atomic_compare_exchange_strong(&site->last_ms, &last_ms, now_ms)) {
        site->left_out++;
        list(site, level, at);
        return;
    }
    va_list args;
    va_start(args, format);
    write_line(level, at, atomic_exchange(&site->left_out, 0), format, args);
    va_end(args);
}
