/* The table, against an array that is searched. */
#include <stdio.h>
#include <time.h>

#include "tidewheel/mem.h"
#include "tidewheel/table.h"
#include "unit.h"

enum { KEYS = 5000 };

/* A key is a number; its index is given anew whenever it is added. */
struct naive {
    bool is_in[KEYS];
    uint32_t index_of[KEYS];
    uint32_t key_of[2 * KEYS];
    size_t count;
};

static struct naive naive;

struct wanted {
    uint32_t key;
};

static bool is_wanted(const void *arg, uint32_t index)
{
    return naive.key_of[index] == ((const struct wanted *)arg)->key;
}

static uint32_t find(const struct table *table, uint64_t hash, uint32_t key)
{
    struct wanted wanted = {key};
    return table_find(table, hash, is_wanted, &wanted);
}

/* What the hash of a key is: good, poor (many keys share a tag, and others a place), or one for all. */
static uint64_t good_hash(uint32_t key)
{
    return (key + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

static uint64_t poor_hash(uint32_t key)
{
    return (uint64_t)(key % 97 << 16 | key % 3) << 32;
}

static uint64_t one_hash(uint32_t key)
{
    (void)key;
    return UINT64_C(0xffffffff) << 32;
}

static void begin(void)
{
    naive.count = 0;
    for (uint32_t key = 0; key < KEYS; key++)
        naive.is_in[key] = false;
}

static bool add(struct table *table, uint64_t hash, uint32_t key, uint32_t index)
{
    naive.is_in[key] = true;
    naive.index_of[key] = index;
    naive.key_of[index] = key;
    naive.count++;
    table_add(table, hash, index);
    return find(table, hash, key) == index;
}

static bool take_out(struct table *table, uint64_t hash, uint32_t key)
{
    table_remove(table, hash, naive.index_of[key]);
    naive.is_in[key] = false;
    naive.count--;
    return find(table, hash, key) == TABLE_NONE;
}

static bool agrees(const struct table *table, uint64_t (*hash)(uint32_t), uint32_t keys)
{
    bool is_right = table_count(table) == naive.count;
    for (uint32_t key = 0; key < keys; key++)
        is_right = is_right && find(table, hash(key), key) ==
                                   (naive.is_in[key] ? naive.index_of[key] : TABLE_NONE);
    return is_right;
}

static void compare(uint64_t (*hash)(uint32_t), uint32_t keys, int steps)
{
    unsigned seed = (unsigned)time(NULL);
    printf("seed %u\n", seed);
    srand(seed);
    begin();
    struct table *table = table_new();
    int wish = 70; /* per cent of additions: it fills, empties and fills again */
    for (int step = 0; step < steps; step++) {
        uint32_t key = (uint32_t)rand() % keys;
        bool is_right = true;
        if (step % (steps / 6) == 0)
            wish = wish == 70 ? 30 : 70;
        if (!naive.is_in[key] && rand() % 100 < wish)
            is_right = add(table, hash(key), key, key + (uint32_t)(rand() % 2) * KEYS);
        else if (naive.is_in[key] && rand() % 100 >= wish)
            is_right = take_out(table, hash(key), key);
        if (!is_right || (step % (steps / 40) == 0 && !agrees(table, hash, keys)))
            ck_abort_msg("seed %u step %d", seed, step);
    }
    ck_assert(agrees(table, hash, keys));
    table_free(table);
}

START_TEST(it_agrees_with_a_naive_map)
{
    compare(good_hash, KEYS, 200000);
}
END_TEST

START_TEST(it_agrees_where_tags_and_places_are_shared)
{
    compare(poor_hash, KEYS, 60000);
}
END_TEST

START_TEST(it_agrees_where_all_hashes_are_one)
{
    compare(one_hash, 300, 20000);
}
END_TEST

START_TEST(it_grows_without_losing_any_and_to_a_size_in_proportion)
{
    begin();
    struct table *table = table_new();
    bool is_right = true;
    for (uint32_t key = 0; key < KEYS; key++) {
        is_right = is_right && add(table, good_hash(key), key, key);
        is_right = is_right && find(table, good_hash(key / 2), key / 2) == key / 2;
    }
    ck_assert(is_right && agrees(table, good_hash, KEYS));
    ck_assert_uint_le(table_bytes(table), KEYS * 8 * 5);
    table_free(table);
}
END_TEST

START_TEST(coming_and_going_does_not_make_it_grow)
{
    begin();
    struct table *table = table_new();
    bool is_right = true;
    for (int round = 0; round < 20000; round++) {
        uint32_t key = (uint32_t)round % KEYS;
        is_right = is_right && add(table, good_hash(key), key, key);
        if (round >= 20)
            is_right = is_right && take_out(table, good_hash((uint32_t)(round - 20) % KEYS),
                                            (uint32_t)(round - 20) % KEYS);
    }
    ck_assert(is_right);
    ck_assert_uint_eq(table_count(table), 20);
    ck_assert_uint_le(table_bytes(table), 4096);
    table_free(table);
}
END_TEST

START_TEST(an_empty_table_finds_nothing)
{
    begin();
    struct table *table = table_new();
    ck_assert_uint_eq(find(table, 0, 0), TABLE_NONE);
    ck_assert_uint_eq(find(table, UINT64_MAX, 0), TABLE_NONE);
    ck_assert_uint_eq(table_count(table), 0);
    table_free(table);
    table_free(NULL);
}
END_TEST

UNIT_MAIN("table", it_agrees_with_a_naive_map, it_agrees_where_tags_and_places_are_shared,
          it_agrees_where_all_hashes_are_one,
          it_grows_without_losing_any_and_to_a_size_in_proportion,
          coming_and_going_does_not_make_it_grow, an_empty_table_finds_nothing)
