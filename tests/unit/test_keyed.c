#include "tidewheel/keyed.h"

#include <stdio.h>

#include "tidewheel/key.h"
#include "unit.h"

enum { PARTITIONS = 12 };

static const struct slice NO_KEY = {NULL, 0};

static int32_t by_murmur2(const char *raw)
{
    return (int32_t)((keyed_murmur2(slice_of(raw)) & 0x7fffffff) % PARTITIONS);
}

static int32_t by_crc32(const char *raw)
{
    return (int32_t)(keyed_crc32(slice_of(raw)) % PARTITIONS);
}

/* A partition that neither hash gives. */
static int32_t elsewhere(const char *raw)
{
    int32_t partition = 0;
    while (partition == by_murmur2(raw) || partition == by_crc32(raw))
        partition++;
    return partition;
}

static void note_raw(struct keyed *keyed, const char *raw, struct slice key, int32_t partition)
{
    struct buf identity = {0};
    key_encode(raw, strlen(raw), &identity);
    keyed_note(keyed, buf_slice(&identity), false, key, partition, PARTITIONS);
    buf_fini(&identity);
}

static const char *user(int number)
{
    static char raw[32];
    (void)snprintf(raw, sizeof raw, "user %d", number);
    return raw;
}

START_TEST(murmur2_is_that_of_kafkas_java_client)
{
    /* org.apache.kafka.common.utils.UtilsTest.testMurmur2 */
    ck_assert_int_eq((int32_t)keyed_murmur2(slice_of("21")), -973932308);
    ck_assert_int_eq((int32_t)keyed_murmur2(slice_of("foobar")), -790332482);
    ck_assert_int_eq((int32_t)keyed_murmur2(slice_of("a-little-bit-long-string")), -985981536);
    ck_assert_int_eq((int32_t)keyed_murmur2(slice_of("a-little-bit-longer-string")), -1486304829);
    ck_assert_int_eq(
        (int32_t)keyed_murmur2(slice_of("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8")),
        -58897971);
    ck_assert_int_eq((int32_t)keyed_murmur2(slice_of("abc")), 479470107);
}
END_TEST

START_TEST(crc32_is_that_of_zlib)
{
    ck_assert_uint_eq(keyed_crc32(slice_of("")), 0);
    ck_assert_uint_eq(keyed_crc32(slice_of("123456789")), 0xcbf43926);
    ck_assert_uint_eq(keyed_crc32(slice_of("The quick brown fox jumps over the lazy dog")),
                      0x414fa339);
    ck_assert_uint_eq(keyed_crc32((struct slice){"\x00\xff\x80", 3}), 0x81dda740);
}
END_TEST

START_TEST(an_entity_that_is_the_key_is_at_home_anywhere)
{
    struct keyed *keyed = keyed_new();
    for (int i = 0; i < KEYED_ENTITIES; i++) {
        ck_assert(!keyed_is_decided(keyed));
        note_raw(keyed, user(i), slice_of(user(i)), elsewhere(user(i)));
    }
    ck_assert(keyed_is_decided(keyed));
    ck_assert_uint_eq(keyed_strangers(keyed), 0);
    ck_assert(!keyed_is_wrong(keyed));
    keyed_free(keyed);
}
END_TEST

START_TEST(an_entity_on_the_partition_of_either_hash_is_at_home)
{
    struct keyed *keyed = keyed_new();
    for (int i = 0; i < KEYED_ENTITIES; i++)
        note_raw(keyed, user(i), i % 3 == 0 ? slice_of("other") : NO_KEY,
                 i % 2 == 0 ? by_murmur2(user(i)) : by_crc32(user(i)));
    ck_assert_uint_eq(keyed_strangers(keyed), 0);
    ck_assert(!keyed_is_wrong(keyed));
    keyed_free(keyed);
}
END_TEST

START_TEST(one_percent_of_strangers_is_borne_and_one_more_is_not)
{
    for (int strangers = KEYED_STRANGERS_MAX; strangers <= KEYED_STRANGERS_MAX + 1; strangers++) {
        struct keyed *keyed = keyed_new();
        for (int i = 0; i < KEYED_ENTITIES; i++) {
            ck_assert(!keyed_is_wrong(keyed));
            note_raw(keyed, user(i), slice_of("other"),
                     i < strangers ? elsewhere(user(i)) : by_murmur2(user(i)));
        }
        ck_assert_uint_eq(keyed_strangers(keyed), (size_t)strangers);
        ck_assert_int_eq(keyed_is_wrong(keyed), strangers > KEYED_STRANGERS_MAX);
        keyed_free(keyed);
    }
}
END_TEST

START_TEST(an_entity_counts_once)
{
    struct keyed *keyed = keyed_new();
    for (int i = 0; i < 5 * KEYED_ENTITIES; i++)
        note_raw(keyed, user(i % (KEYED_ENTITIES - 1)), NO_KEY,
                 elsewhere(user(i % (KEYED_ENTITIES - 1))));
    ck_assert(!keyed_is_decided(keyed));
    ck_assert_uint_eq(keyed_strangers(keyed), KEYED_ENTITIES - 1);
    note_raw(keyed, "the last one", NO_KEY, by_crc32("the last one"));
    ck_assert(keyed_is_decided(keyed) && keyed_is_wrong(keyed));
    keyed_free(keyed);
}
END_TEST

START_TEST(nothing_is_noted_once_it_is_decided)
{
    struct keyed *keyed = keyed_new();
    for (int i = 0; i < 2 * KEYED_ENTITIES; i++)
        note_raw(keyed, user(i), NO_KEY,
                 i < KEYED_ENTITIES ? by_murmur2(user(i)) : elsewhere(user(i)));
    ck_assert_uint_eq(keyed_strangers(keyed), 0);
    keyed_free(keyed);
}
END_TEST

START_TEST(a_composite_key_stands_for_itself_joined_by_colons)
{
    struct keyed *keyed = keyed_new();
    keyed_note(keyed, slice_of("m%3A1:card%2F7"), false, slice_of("m:1:card/7"),
               elsewhere("m:1:card/7"), PARTITIONS);
    ck_assert_uint_eq(keyed_strangers(keyed), 0);
    keyed_note(keyed, slice_of("m2:card"), false, slice_of("card"), elsewhere("m2:card"),
               PARTITIONS);
    ck_assert_uint_eq(keyed_strangers(keyed), 1);
    keyed_free(keyed);
}
END_TEST

START_TEST(a_tenant_may_be_part_of_the_key_or_not)
{
    struct keyed *keyed = keyed_new();
    keyed_note(keyed, slice_of("org:p1"), true, slice_of("p1"), elsewhere("org:p1"), PARTITIONS);
    keyed_note(keyed, slice_of("org:p2"), true, slice_of("org:p2"), elsewhere("p2"), PARTITIONS);
    keyed_note(keyed, slice_of("org:p3"), true, NO_KEY, by_murmur2("p3"), PARTITIONS);
    ck_assert_uint_eq(keyed_strangers(keyed), 0);
    keyed_note(keyed, slice_of("org:q1"), false, slice_of("q1"), elsewhere("org:q1"), PARTITIONS);
    ck_assert_uint_eq(keyed_strangers(keyed), 1);
    keyed_free(keyed);
}
END_TEST

START_TEST(a_topic_of_one_partition_has_no_strangers)
{
    struct keyed *keyed = keyed_new();
    for (int i = 0; i < KEYED_ENTITIES; i++) {
        struct buf identity = {0};
        key_encode(user(i), strlen(user(i)), &identity);
        keyed_note(keyed, buf_slice(&identity), false, NO_KEY, 0, 1);
        buf_fini(&identity);
    }
    ck_assert(keyed_is_decided(keyed));
    ck_assert_uint_eq(keyed_strangers(keyed), 0);
    keyed_free(keyed);
}
END_TEST

START_TEST(an_unknown_partition_count_is_not_judged)
{
    struct keyed *keyed = keyed_new();
    keyed_note(keyed, slice_of("a"), false, NO_KEY, 0, 0);
    keyed_note(keyed, slice_of("a"), false, NO_KEY, -1, PARTITIONS);
    ck_assert_uint_eq(keyed_strangers(keyed), 0);
    keyed_free(keyed);
    keyed_free(NULL);
}
END_TEST

UNIT_MAIN("keyed", murmur2_is_that_of_kafkas_java_client, crc32_is_that_of_zlib,
          an_entity_that_is_the_key_is_at_home_anywhere,
          an_entity_on_the_partition_of_either_hash_is_at_home,
          one_percent_of_strangers_is_borne_and_one_more_is_not, an_entity_counts_once,
          nothing_is_noted_once_it_is_decided, a_composite_key_stands_for_itself_joined_by_colons,
          a_tenant_may_be_part_of_the_key_or_not, a_topic_of_one_partition_has_no_strangers,
          an_unknown_partition_count_is_not_judged)
