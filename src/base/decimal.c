#include "tidewheel/decimal.h"

#include <string.h>

#include "tidewheel/num.h"

enum { FLOOR_DIGITS_MAX = 18 };

static const int64_t EXPONENT_MAX = INT64_C(1000000000000000000);

static int64_t read_exponent(const char *at, const char *end)
{
    bool negative = *at == '-';
    if (*at == '-' || *at == '+')
        at++;
    int64_t exponent = 0;
    for (; at < end; at++)
        if (exponent < EXPONENT_MAX / 10)
            exponent = exponent * 10 + (*at - '0');
    return negative ? -exponent : exponent;
}

bool decimal_read(const char *ptr, size_t len, struct decimal *ret)
{
    if (!num_is_json(ptr, len, NULL))
        return false;
    const char *first = ptr + (*ptr == '-');
    const char *end = first;
    while (end < ptr + len && *end != 'e' && *end != 'E')
        end++;
    const char *dot = memchr(first, '.', (size_t)(end - first));
    if (dot == NULL)
        dot = end;
    int64_t exponent = end < ptr + len ? read_exponent(end + 1, ptr + len) : 0;
    while (first < end && (*first == '0' || *first == '.'))
        first++;
    while (end > first && (end[-1] == '0' || end[-1] == '.'))
        end--;
    int64_t point = first < dot ? dot - first : dot + 1 - first;
    bool zero = first == end;
    *ret = (struct decimal){*ptr == '-' && !zero, first, end, zero ? 0 : point + exponent};
    return true;
}

/* The next digit, or 0 behind the last. */
static int next_digit(const char **at, const char *end)
{
    if (*at < end && **at == '.')
        (*at)++;
    return *at < end ? *(*at)++ - '0' : 0;
}

bool decimal_is_equal(const struct decimal *a, const struct decimal *b)
{
    if (a->negative != b->negative || a->point != b->point)
        return false;
    const char *at_a = a->first;
    const char *at_b = b->first;
    while (at_a < a->end || at_b < b->end)
        if (next_digit(&at_a, a->end) != next_digit(&at_b, b->end))
            return false;
    return true;
}

bool decimal_floor(const struct decimal *decimal, int64_t shift, int64_t *ret)
{
    if (decimal->negative)
        return false;
    int64_t digits = decimal->first == decimal->end ? 0 : decimal->point + shift;
    if (digits > FLOOR_DIGITS_MAX)
        return false;
    int64_t value = 0;
    const char *at = decimal->first;
    for (int64_t i = 0; i < digits; i++)
        value = value * 10 + next_digit(&at, decimal->end);
    *ret = value;
    return true;
}
