#include "tidewheel/num.h"

#include <fenv.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tidewheel/err.h"
#include "tidewheel/mem.h"

enum {
    DIGITS_EXACT = 15
}; /* any decimal of that many digits is told from its neighbours by a double */

static const double POWERS[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* A number's text, taken apart by the JSON grammar. */
struct digits {
    uint64_t mantissa; /* the first 19 significant digits */
    int count;         /* of digits in mantissa */
    int exponent;      /* of ten, for the mantissa as an integer; saturates far outside double */
    bool negative;
    bool integer; /* neither fraction nor exponent */
    bool whole;   /* the mantissa holds every digit */
};

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static void digits_add(struct digits *digits, char byte, bool fraction)
{
    if (digits->count == 0 && byte == '0') {
        digits->exponent -= fraction;
    } else if (digits->count < 19) {
        digits->mantissa = digits->mantissa * 10 + (uint64_t)(byte - '0');
        digits->count++;
        digits->exponent -= fraction;
    } else {
        digits->whole = digits->whole && byte == '0';
        digits->exponent += !fraction;
    }
}

static const char *scan_exponent(const char *at, const char *end, struct digits *ret)
{
    bool negative = false;
    if (at < end && (*at == '+' || *at == '-'))
        negative = *at++ == '-';
    if (at == end || !is_digit(*at))
        return NULL;
    int exponent = 0;
    for (; at < end && is_digit(*at); at++)
        if (exponent < 100000000)
            exponent = exponent * 10 + (*at - '0');
    ret->exponent += negative ? -exponent : exponent;
    return at;
}

static bool scan(const char *ptr, size_t len, struct digits *ret)
{
    const char *at = ptr;
    const char *end = ptr + len;
    *ret = (struct digits){.integer = true, .whole = true};
    if (at < end && *at == '-') {
        ret->negative = true;
        at++;
    }
    if (at == end || !is_digit(*at) || (*at == '0' && at + 1 < end && is_digit(at[1])))
        return false;
    for (; at < end && is_digit(*at); at++)
        digits_add(ret, *at, false);
    if (at < end && *at == '.') {
        ret->integer = false;
        if (++at == end || !is_digit(*at))
            return false;
        for (; at < end && is_digit(*at); at++)
            digits_add(ret, *at, true);
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        ret->integer = false;
        at = scan_exponent(at + 1, end, ret);
    }
    return at == end;
}

bool num_is_json(const char *ptr, size_t len, bool *ret_integer)
{
    struct digits digits;
    if (!scan(ptr, len, &digits))
        return false;
    if (ret_integer != NULL)
        *ret_integer = digits.integer;
    return true;
}

static locale_t c_locale;

static void c_locale_open(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    CHECK(c_locale != (locale_t)0);
}

static locale_t c_locale_get(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, c_locale_open);
    return c_locale;
}

static double parse_slowly(const char *ptr, size_t len)
{
    char stack[128];
    char *text = len < sizeof stack ? stack : mem_alloc(len + 1);
    memcpy(text, ptr, len);
    text[len] = '\0';
    double value = strtod_l(text, NULL, c_locale_get());
    if (text != stack)
        free(text);
    return value;
}

bool num_parse(const char *ptr, size_t len, double *ret)
{
    struct digits digits;
    if (!scan(ptr, len, &digits))
        return false;
    double value = 0;
    /* Clinger's fast path: both factors are exact doubles, so one rounding is the right one. */
    if (digits.whole && digits.mantissa <= 1ULL << 53 && abs(digits.exponent) <= 22) {
        value = (double)digits.mantissa;
        value = digits.exponent < 0 ? value / POWERS[-digits.exponent]
                                    : value * POWERS[digits.exponent];
        if (digits.negative)
            value = -value;
    } else {
        value = parse_slowly(ptr, len);
    }
    if (!isfinite(value))
        return false;
    *ret = value == 0 ? 0.0 : value;
    return true;
}

bool num_parse_int64(const char *ptr, size_t len, int64_t *ret)
{
    struct digits digits;
    if (!scan(ptr, len, &digits) || !digits.integer || !digits.whole || digits.exponent != 0)
        return false;
    uint64_t limit = (uint64_t)INT64_MAX + (digits.negative ? 1 : 0);
    if (digits.mantissa > limit || (digits.negative && digits.mantissa == 0))
        return false;
    *ret = digits.negative ? (int64_t)(0 - digits.mantissa) : (int64_t)digits.mantissa;
    return true;
}

size_t num_format_uint64(uint64_t value, char *ret)
{
    char reversed[20];
    size_t len = 0;
    do {
        reversed[len++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    for (size_t i = 0; i < len; i++)
        ret[i] = reversed[len - 1 - i];
    return len;
}

size_t num_format_int64(int64_t value, char *ret)
{
    if (value >= 0)
        return num_format_uint64((uint64_t)value, ret);
    *ret = '-';
    return 1 + num_format_uint64(0 - (uint64_t)value, ret + 1);
}

/* Amounts and counts: a decimal of up to six places and at most 15 digits. The division is correctly
 * rounded, so if it gives the value back, so does reading the text. 0 when it is no such number. */
static size_t format_decimal(double value, char *ret)
{
    for (int places = 0; places <= 6; places++) {
        double scaled = nearbyint(value * POWERS[places]);
        if (fabs(scaled) >= POWERS[DIGITS_EXACT])
            return 0;
        if (scaled / POWERS[places] != value)
            continue;
        char digits[NUM_TEXT_MAX];
        size_t count = num_format_uint64((uint64_t)fabs(scaled), digits);
        size_t len = 0;
        size_t point = (size_t)places;
        if (value < 0)
            ret[len++] = '-';
        for (size_t i = count; i <= point; i++) {
            ret[len++] = '0';
            if (i == count && point > 0)
                ret[len++] = '.';
        }
        for (size_t i = 0; i < count; i++) {
            ret[len++] = digits[i];
            if (count > point && i + point + 1 == count && point > 0)
                ret[len++] = '.';
        }
        return len;
    }
    return 0;
}

static bool format_digits(double value, int digits, char *ret, size_t *ret_len)
{
    double back = 0;
    *ret_len = (size_t)snprintf(ret, NUM_TEXT_MAX, "%.*g", digits, value);
    return num_parse(ret, *ret_len, &back) && back == value;
}

static size_t format_shortest(double value, char *ret)
{
    size_t len = 0;
    /* Only a subnormal may need fewer digits than %g finds by dropping zeros. */
    for (int digits = isnormal(value) ? DIGITS_EXACT : 1; digits <= 16; digits++)
        if (format_digits(value, digits, ret, &len))
            return len;
    /* A power of two lies nearer to its neighbour below: of the two decimals of 16 digits around it,
     * the nearer one may not read back where the one above does. */
    int exponent = 0;
    if (fabs(frexp(value, &exponent)) == 0.5) {
        (void)fesetround(value > 0 ? FE_UPWARD : FE_DOWNWARD);
        (void)snprintf(ret, NUM_TEXT_MAX, "%.16g", value);
        (void)fesetround(FE_TONEAREST);
        double back = 0;
        if (num_parse(ret, strlen(ret), &back) && back == value)
            return strlen(ret);
    }
    (void)format_digits(value, 17, ret, &len); /* which always reads back */
    return len;
}

size_t num_format(double value, char *ret)
{
    CHECK(isfinite(value));
    size_t len = format_decimal(value, ret);
    if (len > 0)
        return len;
    locale_t before = uselocale(c_locale_get());
    len = format_shortest(value, ret);
    (void)uselocale(before);
    return len;
}
