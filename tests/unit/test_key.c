#include "tidewheel/key.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "unit.h"

enum { KEY_BYTES = 256 };

static struct value number(const char *text)
{
    return (struct value){.type = VALUE_NUMBER, .text = slice_of(text)};
}

static struct value string(const char *text)
{
    return (struct value){.type = VALUE_STRING, .text = slice_of(text)};
}

/* The identity of a one-part key, NUL-terminated; "" when there is none. */
static const char *identity_of(enum key_type type, struct value value)
{
    static char text[4096];
    struct key_spec spec = {.type = type, .slot = 0};
    struct buf identity = {0};
    enum verdict verdict = key_build(&spec, 1, &value, KEY_BYTES, &identity);
    ck_assert(verdict == VERDICT_ACCEPTED || verdict == VERDICT_NO_KEY);
    ck_assert_uint_lt(identity.len, sizeof text);
    (void)snprintf(text, sizeof text, "%s", buf_text(&identity));
    ck_assert_int_eq(text[0] != '\0', verdict == VERDICT_ACCEPTED);
    buf_fini(&identity);
    return text;
}

START_TEST(a_string_key_takes_a_string_or_an_integers_digits)
{
    ck_assert_str_eq(identity_of(KEY_STRING, string("u-42_x.Y")), "u-42_x.Y");
    ck_assert_str_eq(identity_of(KEY_STRING, string("007")), "007");
    ck_assert_str_eq(identity_of(KEY_STRING, number("42")), "42");
    ck_assert_str_eq(identity_of(KEY_STRING, number("-42")), "-42");
    ck_assert_str_eq(identity_of(KEY_STRING, number("0")), "0");
    ck_assert_str_eq(identity_of(KEY_STRING, number("-0")), "0");
    ck_assert_str_eq(identity_of(KEY_STRING, string("-0")), "-0");
    ck_assert_str_eq(identity_of(KEY_STRING, number("9007199254740993")), "9007199254740993");
    ck_assert_str_eq(identity_of(KEY_STRING, number("18446744073709551616")),
                     "18446744073709551616");
}
END_TEST

START_TEST(an_int64_key_takes_an_integer_or_its_canonical_digits)
{
    static const char *const RIGHT[] = {"0", "1", "-1", "9223372036854775807",
                                        "-9223372036854775808"};
    static const char *const WRONG[] = {"9223372036854775808", "-9223372036854775809", "1.0",
                                        "1e3"};
    static const char *const WRONG_TEXT[] = {"", "-0", "01", "+1", " 1", "1 ", "1.0", "x", "0x1"};
    for (size_t i = 0; i < sizeof RIGHT / sizeof *RIGHT; i++) {
        ck_assert_str_eq(identity_of(KEY_INT64, number(RIGHT[i])), RIGHT[i]);
        ck_assert_str_eq(identity_of(KEY_INT64, string(RIGHT[i])), RIGHT[i]);
    }
    ck_assert_str_eq(identity_of(KEY_INT64, number("-0")), "0");
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++)
        ck_assert_str_eq(identity_of(KEY_INT64, number(WRONG[i])), "");
    for (size_t i = 0; i < sizeof WRONG_TEXT / sizeof *WRONG_TEXT; i++)
        ck_assert_str_eq(identity_of(KEY_INT64, string(WRONG_TEXT[i])), "");
}
END_TEST

START_TEST(anything_else_is_no_key)
{
    static const enum value_type TYPES[] = {VALUE_MISSING, VALUE_NULL, VALUE_BOOL, VALUE_COMPOUND};
    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++) {
        struct value value = {.type = TYPES[i], .truth = true, .text = slice_of("1")};
        ck_assert_str_eq(identity_of(KEY_STRING, value), "");
        ck_assert_str_eq(identity_of(KEY_INT64, value), "");
    }
    ck_assert_str_eq(identity_of(KEY_STRING, string("")), "");
    ck_assert_str_eq(identity_of(KEY_STRING, number("1.5")), "");
    ck_assert_str_eq(identity_of(KEY_STRING, number("1.0")), "");
    ck_assert_str_eq(identity_of(KEY_STRING, number("1e3")), "");
}
END_TEST

START_TEST(parts_are_joined_by_colons_and_cannot_forge_one)
{
    struct key_spec specs[] = {{.slot = 1}, {.slot = 0}, {.type = KEY_INT64, .slot = 2}};
    struct value values[] = {string("a:b"), string("{x}%\r\n"), number("7")};
    struct buf identity = {0};
    buf_add_text(&identity, "left over");
    ck_assert_int_eq(key_build(specs, 3, values, KEY_BYTES, &identity), VERDICT_ACCEPTED);
    ck_assert_str_eq(buf_text(&identity), "%7Bx%7D%25%0D%0A:a%3Ab:7");
    buf_fini(&identity);
}
END_TEST

START_TEST(the_limit_counts_raw_bytes_of_all_parts)
{
    struct key_spec specs[] = {{.slot = 0}, {.slot = 1}};
    struct value values[] = {string("::::"), string("12345")};
    struct buf identity = {0};
    ck_assert_int_eq(key_build(specs, 2, values, 9, &identity), VERDICT_ACCEPTED);
    ck_assert_uint_eq(identity.len, 4 * 3 + 1 + 5);
    ck_assert_int_eq(key_build(specs, 2, values, 8, &identity), VERDICT_KEY_TOO_LONG);
    buf_fini(&identity);
}
END_TEST

START_TEST(no_key_is_looked_for_before_key_too_long)
{
    struct key_spec specs[] = {{.slot = 0}, {.slot = 1}};
    struct value values[] = {string("much too long"), string("")};
    struct buf identity = {0};
    ck_assert_int_eq(key_build(specs, 2, values, 4, &identity), VERDICT_NO_KEY);
    buf_fini(&identity);
}
END_TEST

START_TEST(a_tenant_and_eight_keys_fit)
{
    struct key_spec specs[KEYS_MAX + 1] = {{.slot = 0}};
    struct value value = string("k");
    struct buf identity = {0};
    ck_assert_int_eq(key_build(specs, KEYS_MAX + 1, &value, KEY_BYTES, &identity),
                     VERDICT_ACCEPTED);
    ck_assert_str_eq(buf_text(&identity), "k:k:k:k:k:k:k:k:k");
    buf_fini(&identity);
}
END_TEST

START_TEST(every_byte_is_encoded_unless_it_is_harmless)
{
    static const char PLAIN[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    for (int byte = 0; byte < 256; byte++) {
        char raw = (char)byte;
        char hex[4];
        (void)snprintf(hex, sizeof hex, "%%%02X", (unsigned)byte);
        bool is_plain = byte != 0 && strchr(PLAIN, byte) != NULL;
        struct buf text = {0};
        key_encode(&raw, 1, &text);
        struct slice expected = is_plain ? (struct slice){&raw, 1} : slice_of(hex);
        ck_assert(slice_is_equal(buf_slice(&text), expected));
        buf_fini(&text);
    }
}
END_TEST

START_TEST(random_parts_come_back_from_their_identity)
{
    const char *given = getenv("SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    printf("seed %" PRIu64 "\n", seed);
    (void)fflush(stdout);
    srand((unsigned)seed);
    struct buf identity = {0};
    struct buf back = {0};
    for (int round = 0; round < 20000; round++) {
        char raw[4][16];
        struct value values[4];
        struct key_spec specs[4];
        for (int i = 0; i < 4; i++) {
            size_t len = 1 + (size_t)rand() % sizeof raw[i];
            for (size_t k = 0; k < len; k++)
                raw[i][k] = (char)(rand() % 3 == 0 ? ":%{}A\n\0"[rand() % 7] : rand());
            values[i] = (struct value){.type = VALUE_STRING, .text = {raw[i], len}};
            specs[i] = (struct key_spec){.slot = i};
        }
        ck_assert_int_eq(key_build(specs, 4, values, KEY_BYTES, &identity), VERDICT_ACCEPTED);
        for (size_t i = 0; i < 4; i++) {
            buf_reset(&back);
            key_decode(key_part(buf_slice(&identity), i), &back);
            ck_assert(slice_is_equal(buf_slice(&back), values[i].text));
        }
        ck_assert_ptr_null(key_part(buf_slice(&identity), 4).ptr);
    }
    buf_fini(&identity);
    buf_fini(&back);
}
END_TEST

START_TEST(a_broken_escape_is_left_as_it_is)
{
    static const char *const TEXTS[] = {"%", "%4", "a%", "%G0", "%0G", "%%41", "%a0"};
    static const char *const RAW[] = {"%", "%4", "a%", "%G0", "%0G", "%A", "%a0"};
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
        struct buf back = {0};
        key_decode(slice_of(TEXTS[i]), &back);
        ck_assert_str_eq(buf_text(&back), RAW[i]);
        buf_fini(&back);
    }
}
END_TEST

UNIT_MAIN("key", a_string_key_takes_a_string_or_an_integers_digits,
          an_int64_key_takes_an_integer_or_its_canonical_digits, anything_else_is_no_key,
          parts_are_joined_by_colons_and_cannot_forge_one, the_limit_counts_raw_bytes_of_all_parts,
          no_key_is_looked_for_before_key_too_long, a_tenant_and_eight_keys_fit,
          every_byte_is_encoded_unless_it_is_harmless, random_parts_come_back_from_their_identity,
          a_broken_escape_is_left_as_it_is)
