#include "tidewheel/quantity.h"

#include <stdio.h>
#include <string.h>

#include "tidewheel/num.h"

struct unit {
    const char *name;
    int64_t factor;
};

/* Largest first, so that formatting takes the first that divides. */
static const struct unit DURATIONS[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0},
};

static const struct unit SIZES[] = {
    {"TiB", INT64_C(1) << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20},
    {"KiB", 1 << 10},          {"B", 1},         {NULL, 0},
};

static bool parse(const struct unit *units, const char *text, int64_t *ret)
{
    size_t digits = strspn(text, "0123456789");
    int64_t amount = 0;
    if (!num_parse_int64(text, digits, &amount))
        return false;
    for (; units->name != NULL; units++)
        if (strcmp(units->name, text + digits) == 0)
            return !__builtin_mul_overflow(amount, units->factor, ret);
    return false;
}

static void format(const struct unit *units, int64_t value, char *ret)
{
    while (units[1].name != NULL && (value == 0 || value % units->factor != 0))
        units++;
    (void)snprintf(ret, QUANTITY_TEXT_MAX, "%lld%s", (long long)(value / units->factor),
                   units->name);
}

bool duration_parse(const char *text, int64_t *ret_ms)
{
    return parse(DURATIONS, text, ret_ms);
}

bool size_parse(const char *text, int64_t *ret_bytes)
{
    if (num_parse_int64(text, strlen(text), ret_bytes))
        return *ret_bytes >= 0;
    return parse(SIZES, text, ret_bytes);
}

void duration_format(int64_t ms, char *ret)
{
    format(DURATIONS, ms, ret);
}

void size_format(int64_t bytes, char *ret)
{
    format(SIZES, bytes, ret);
}
