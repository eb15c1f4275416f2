/* fuzz_timestamp: any text as a time in any unit. The first byte chooses the unit, and whether the
 * text is a number or a string.
 *
 * What is read lies in range, is written and read back to the same, and a number of seconds is the
 * same time as its text with three more places.
 */
#include "tidewheel/num.h"
#include "tidewheel/timestamp.h"

#include <stdio.h>

static void check_round_trip(int64_t ts_ms)
{
    char text[32];
    char *end = text;
    int64_t back = -1;
    CHECK(timestamp_is_valid(ts_ms));
    timestamp_format(ts_ms, text);
    CHECK(strlen(text) == 24);
    CHECK(timestamp_parse_rfc3339(slice_of(text), &back) && back == ts_ms);
    end += num_format_int64(ts_ms, text);
    struct value value = {.type = VALUE_NUMBER, .text = {text, (size_t)(end - text)}};
    CHECK(timestamp_read(&value, TIME_MS, &back) && back == ts_ms);
}

/* The exponent does the work of the unit; only where the text has none of its own. */
static void check_exponent(struct slice text, int shift, bool is_read, int64_t ts_ms)
{
    struct buf scaled = {0};
    if (!num_is_json(text.ptr, text.len, NULL) || memchr(text.ptr, 'e', text.len) != NULL ||
        memchr(text.ptr, 'E', text.len) != NULL)
        return;
    buf_add(&scaled, text.ptr, text.len);
    buf_printf(&scaled, "e%d", shift);
    struct value value = {.type = VALUE_STRING, .text = buf_slice(&scaled)};
    int64_t same = -1;
    CHECK(timestamp_read(&value, TIME_MS, &same) == is_read);
    CHECK(!is_read || same == ts_ms);
    buf_fini(&scaled);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int SHIFTS[] = {[TIME_S] = 3, [TIME_MS] = 0, [TIME_US] = -3, [TIME_NS] = -6};
    if (size == 0)
        return 0;
    enum time_unit unit = (enum time_unit)(data[0] % (TIME_RFC3339 + 1));
    struct value value = {.type = data[0] & 0x80 ? VALUE_NUMBER : VALUE_STRING,
                          .text = {(const char *)data + 1, size - 1}};
    int64_t ts_ms = -77;
    bool is_read = timestamp_read(&value, unit, &ts_ms);
    CHECK(is_read || ts_ms == -77);
    if (is_read)
        check_round_trip(ts_ms);
    if (unit >= TIME_S && unit <= TIME_NS)
        check_exponent(value.text, SHIFTS[unit], is_read, ts_ms);
    return 0;
}
