#include "tidewheel/timestamp.h"

#include <stdio.h>
#include <time.h>

#include "tidewheel/decimal.h"

enum { DAY_S = 86400, FORMAT_MAX = 32 };

/* A number of a unit is so many tens of times a millisecond. */
static const int64_t UNIT_SHIFT[] = {[TIME_S] = 3, [TIME_MS] = 0, [TIME_US] = -3, [TIME_NS] = -6};

bool timestamp_is_valid(int64_t ts_ms)
{
    return ts_ms >= 0 && ts_ms < TIMESTAMP_END_MS;
}

/* Howard Hinnant's days_from_civil: years of the proleptic Gregorian calendar that begin in March,
 * so that the leap day is the last one. */
static int64_t days_of_date(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static int days_in_month(int year, int month)
{
    static const int DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return DAYS[month - 1] + (month == 2 && is_leap);
}

/* What is left of the text to read. */
struct cursor {
    const char *at;
    const char *end;
};

static bool is_digit(const struct cursor *cursor)
{
    return cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9';
}

/* Exactly count digits, giving a number within low and high. */
static bool take_number(struct cursor *cursor, int count, int low, int high, int *ret)
{
    int number = 0;
    for (int i = 0; i < count; i++) {
        if (!is_digit(cursor))
            return false;
        number = number * 10 + (*cursor->at++ - '0');
    }
    *ret = number;
    return number >= low && number <= high;
}

/* One byte that is in set; *ret is which one. */
static bool take_one_of(struct cursor *cursor, const char *set, char *ret)
{
    if (cursor->at == cursor->end || *cursor->at == '\0' || strchr(set, *cursor->at) == NULL)
        return false;
    *ret = *cursor->at++;
    return true;
}

static bool take_date(struct cursor *cursor, int64_t *ret_days)
{
    int year = 0;
    int month = 0;
    int day = 0;
    char byte = 0;
    if (!take_number(cursor, 4, 0, 9999, &year) || !take_one_of(cursor, "-", &byte) ||
        !take_number(cursor, 2, 1, 12, &month) || !take_one_of(cursor, "-", &byte) ||
        !take_number(cursor, 2, 1, days_in_month(year, month), &day))
        return false;
    *ret_days = days_of_date(year, month, day);
    return true;
}

/* A second of 60 needs nothing of its own: it is the first of the next minute. */
static bool take_time(struct cursor *cursor, int64_t *ret_ms)
{
    int hour = 0;
    int minute = 0;
    int second = 0;
    char byte = 0;
    if (!take_number(cursor, 2, 0, 23, &hour) || !take_one_of(cursor, ":", &byte) ||
        !take_number(cursor, 2, 0, 59, &minute) || !take_one_of(cursor, ":", &byte) ||
        !take_number(cursor, 2, 0, 60, &second))
        return false;
    int64_t ms = ((hour * 60 + minute) * 60 + second) * INT64_C(1000);
    if (take_one_of(cursor, ".", &byte)) {
        if (!is_digit(cursor))
            return false;
        for (int unit = 100; is_digit(cursor); unit /= 10)
            ms += (*cursor->at++ - '0') * unit;
    }
    *ret_ms = ms;
    return true;
}

static bool take_offset(struct cursor *cursor, int64_t *ret_ms)
{
    char sign = 0;
    char byte = 0;
    int hour = 0;
    int minute = 0;
    if (!take_one_of(cursor, "Zz+-", &sign))
        return false;
    if ((sign == '+' || sign == '-') &&
        (!take_number(cursor, 2, 0, 23, &hour) || !take_one_of(cursor, ":", &byte) ||
         !take_number(cursor, 2, 0, 59, &minute)))
        return false;
    *ret_ms = (sign == '-' ? -1 : 1) * (hour * 60 + minute) * INT64_C(60000);
    return true;
}

bool timestamp_parse_rfc3339(struct slice text, int64_t *ret_ms)
{
    if (text.len == 0)
        return false;
    struct cursor cursor = {text.ptr, text.ptr + text.len};
    int64_t days = 0;
    int64_t time_ms = 0;
    int64_t offset_ms = 0;
    char byte = 0;
    if (!take_date(&cursor, &days) || !take_one_of(&cursor, "Tt", &byte) ||
        !take_time(&cursor, &time_ms) || !take_offset(&cursor, &offset_ms) ||
        cursor.at != cursor.end)
        return false;
    int64_t ts_ms = days * DAY_S * 1000 + time_ms - offset_ms;
    if (!timestamp_is_valid(ts_ms))
        return false;
    *ret_ms = ts_ms;
    return true;
}

static bool read_number(struct slice text, int64_t shift, int64_t *ret_ms)
{
    struct decimal decimal;
    int64_t ts_ms = 0;
    if (!decimal_read(text.ptr, text.len, &decimal) || !decimal_floor(&decimal, shift, &ts_ms) ||
        !timestamp_is_valid(ts_ms))
        return false;
    *ret_ms = ts_ms;
    return true;
}

bool timestamp_read(const struct value *value, enum time_unit unit, int64_t *ret_ms)
{
    bool is_string = value->type == VALUE_STRING;
    if (unit == TIME_RECORD || (value->type != VALUE_NUMBER && !is_string))
        return false;
    if (unit == TIME_RFC3339)
        return is_string && timestamp_parse_rfc3339(value->text, ret_ms);
    return read_number(value->text, UNIT_SHIFT[unit], ret_ms);
}

void timestamp_format(int64_t ts_ms, char *ret)
{
    int64_t ms = (ts_ms % 1000 + 1000) % 1000;
    time_t seconds = (time_t)((ts_ms - ms) / 1000);
    struct tm utc;
    if (gmtime_r(&seconds, &utc) == NULL)
        utc = (struct tm){.tm_mday = 1}; /* A year beyond int; no event has it. */
    size_t len = strftime(ret, FORMAT_MAX - 5, "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(ret + len, 6, ".%03uZ", (unsigned)ms % 1000);
}
