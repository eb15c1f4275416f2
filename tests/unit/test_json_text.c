#include "tidewheel/json_text.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "unit.h"

enum { POINTS = 0x110000, RANDOM_CASES = 500000 };

static bool is_scalar(uint32_t point)
{
    return point < 0xd800 || (point > 0xdfff && point < POINTS);
}

/* One sequence of UTF-8 by its definition: the bits gathered, then what they must not be. */
static bool naive_is_strict(const unsigned char *at, size_t len)
{
    static const uint32_t SMALLEST[] = {0, 0, 0x80, 0x800, 0x10000};
    while (len > 0) {
        size_t size = *at < 0x80             ? 1
                      : (*at & 0xe0) == 0xc0 ? 2
                      : (*at & 0xf0) == 0xe0 ? 3
                      : (*at & 0xf8) == 0xf0 ? 4
                                             : 0;
        if (size == 0 || size > len)
            return false;
        uint32_t point = size == 1 ? *at : *at & (0x7fu >> size);
        for (size_t i = 1; i < size; i++) {
            if (at[i] < 0x80 || at[i] > 0xbf)
                return false;
            point = point << 6 | (at[i] & 0x3f);
        }
        if (point == 0 || point < SMALLEST[size] || !is_scalar(point))
            return false;
        at += size;
        len -= size;
    }
    return true;
}

static bool decodes_to(const char *escaped, const char *text, size_t len)
{
    char decoded[64];
    size_t decoded_len = 0;
    ck_assert_uint_lt(strlen(escaped), sizeof decoded);
    return json_text_decode(escaped, strlen(escaped), decoded, &decoded_len) &&
           decoded_len == len && memcmp(decoded, text, len) == 0;
}

START_TEST(every_sequence_of_up_to_three_bytes_is_judged_by_the_definition)
{
    for (uint32_t bits = 0; bits < 1u << 24; bits++) {
        unsigned char bytes[3] = {(unsigned char)(bits >> 16), (unsigned char)(bits >> 8),
                                  (unsigned char)bits};
        size_t len = bits < 1u << 8 ? 1 : bits < 1u << 16 ? 2 : 3;
        const unsigned char *at = bytes + 3 - len;
        if (json_text_is_strict((const char *)at, len) != naive_is_strict(at, len))
            ck_abort_msg("%06x", bits);
    }
    ck_assert(json_text_is_strict("", 0));
}
END_TEST

START_TEST(random_longer_texts_are_judged_by_the_definition)
{
    const char *given = getenv("SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    printf("seed %" PRIu64 "\n", seed);
    (void)fflush(stdout);
    srand((unsigned)seed);
    static const char *const PIECES[] = {"a",
                                         "plain words",
                                         "\xc3\xa9",
                                         "\xe2\x82\xac",
                                         "\xf0\x9f\x98\x80",
                                         "\xf4\x8f\xbf\xbf",
                                         "\xef\xbf\xbf",
                                         "\xed\xa0\x80",
                                         "\xc0\x80",
                                         "\xf4\x90\x80\x80",
                                         "\x80",
                                         "\xff",
                                         "\xf0\x8f\xbf\xbf",
                                         "\xe0\x9f\xbf",
                                         "\xf0\x9f"};
    size_t strict = 0;
    for (int i = 0; i < RANDOM_CASES; i++) {
        unsigned char text[256];
        size_t len = 0;
        int bad = rand() % 3;
        for (int k = rand() % 12; k >= 0; k--) {
            size_t piece = (size_t)rand() % (bad == 0 ? sizeof PIECES / sizeof *PIECES : 7);
            memcpy(text + len, PIECES[piece], strlen(PIECES[piece]));
            len += strlen(PIECES[piece]);
        }
        if (bad == 1)
            text[(size_t)rand() % len] = (unsigned char)(rand() % 4 == 0 ? 0 : rand());
        bool expected = naive_is_strict(text, len);
        ck_assert_int_eq(json_text_is_strict((const char *)text, len), expected);
        strict += expected;
    }
    ck_assert_uint_gt(strict, RANDOM_CASES / 4);
    ck_assert_uint_lt(strict, RANDOM_CASES);
}
END_TEST

START_TEST(every_code_point_can_be_escaped)
{
    for (uint32_t point = 0; point < POINTS; point++) {
        char escaped[16];
        char text[5] = "";
        size_t len = 0;
        if (point < 0x10000)
            (void)snprintf(escaped, sizeof escaped, "\\u%04x", point);
        else
            (void)snprintf(escaped, sizeof escaped, "\\u%04X\\u%04x",
                           0xd800 + ((point - 0x10000) >> 10), 0xdc00 + (point & 0x3ff));
        if (!is_scalar(point) || point == 0) {
            ck_assert(!json_text_decode(escaped, strlen(escaped), text, &len));
            continue;
        }
        ck_assert(json_text_decode(escaped, strlen(escaped), text, &len));
        uint32_t back = 0;
        for (size_t i = 0; i < len; i++)
            back = i == 0 && len > 1
                       ? (unsigned char)text[0] & (0x7fu >> len)
                       : back << 6 | ((unsigned char)text[i] & (len > 1 ? 0x3f : 0x7f));
        ck_assert_uint_eq(back, point);
        ck_assert(naive_is_strict((const unsigned char *)text, len));
    }
}
END_TEST

START_TEST(short_escapes_and_text_between_them_are_kept)
{
    ck_assert(decodes_to("a\\\"b\\\\c\\/d", "a\"b\\c/d", 7));
    ck_assert(decodes_to("\\b\\f\\n\\r\\t", "\b\f\n\r\t", 5));
    ck_assert(decodes_to("caf\\u00e9 \\ud83d\\ude00!", "caf\xc3\xa9 \xf0\x9f\x98\x80!", 11));
    ck_assert(decodes_to("\xc3\xa9\\u00E9", "\xc3\xa9\xc3\xa9", 4));
    ck_assert(decodes_to("", "", 0));
}
END_TEST

START_TEST(lone_surrogates_nul_and_broken_text_are_refused)
{
    static const char *const WRONG[] = {"\\ud83d",
                                        "\\ude00",
                                        "x\\ud83dx",
                                        "\\ud83d\\u0041",
                                        "\\ud83d\\n",
                                        "\\ude00\\ud83d",
                                        "\\ud83d\\ud83d",
                                        "\\ud83d\\ud83d\\ude00",
                                        "\\u0000",
                                        "a\\u0000b",
                                        "\\n\xc0\x80",
                                        "\xed\xa0\x80\\n",
                                        "\\n\xf4\x90\x80\x80",
                                        "\\",
                                        "\\x",
                                        "\\u12",
                                        "\\u12g4",
                                        "\\ud83d\\u",
                                        "\\ud83d\\ude0"};
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        char text[64];
        size_t len = 77;
        ck_assert_msg(!json_text_decode(WRONG[i], strlen(WRONG[i]), text, &len), "%s", WRONG[i]);
        ck_assert_uint_eq(len, 77);
    }
}
END_TEST

UNIT_MAIN("json_text", every_sequence_of_up_to_three_bytes_is_judged_by_the_definition,
          random_longer_texts_are_judged_by_the_definition, every_code_point_can_be_escaped,
          short_escapes_and_text_between_them_are_kept,
          lone_surrogates_nul_and_broken_text_are_refused)
