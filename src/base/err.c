#include "tidewheel/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tidewheel/log.h"

int err_set(struct err *err, int code, const char *format, ...)
{
    if (err == NULL)
        return code;
    err->code = code;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    return code;
}

int err_wrap(struct err *err, const char *format, ...)
{
    char inner[ERR_TEXT_MAX];
    memcpy(inner, err->text, sizeof inner);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    size_t len = strlen(err->text);
    (void)snprintf(err->text + len, sizeof err->text - len, ": %s", inner);
    return err->code;
}

_Noreturn void check_failed(const char *file, int line, const char *cond)
{
    log_error("bug", "where=%s:%d broken=\"%s\"", file, line, cond);
    abort();
}
