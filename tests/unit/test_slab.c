/* The slab: blocks do not overlap, come back, and are counted. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tidewheel/slab.h"
#include "unit.h"

enum { BLOCKS = 600, STEPS = 40000, PAGE = 64 * 1024 };

START_TEST(classes_are_as_the_header_draws_them)
{
    static const size_t sizes[] = {16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        ck_assert_uint_eq(slab_class_size(i), sizes[i]);
    for (size_t i = 1; i < SLAB_CLASSES; i++) {
        size_t size = slab_class_size(i);
        ck_assert_uint_eq(slab_class_of(size), i);
        ck_assert_uint_eq(slab_class_of(slab_class_size(i - 1) + 1), i);
        ck_assert_uint_eq(size % 16, 0);
    }
    ck_assert_uint_eq(slab_class_of(0), 0);
    ck_assert_uint_eq(slab_class_of(1), 0);
}
END_TEST

struct block {
    unsigned char *ptr;
    size_t size_class;
    unsigned char mark;
};

static bool is_whole(const struct block *block)
{
    size_t size = slab_class_size(block->size_class);
    bool is_whole = (uintptr_t)block->ptr % 16 == 0;
    for (size_t i = 0; i < size; i++)
        is_whole = is_whole && block->ptr[i] == block->mark;
    return is_whole;
}

START_TEST(blocks_do_not_overlap_whatever_comes_and_goes)
{
    unsigned seed = (unsigned)time(NULL);
    printf("seed %u\n", seed);
    srand(seed);
    struct slab *slab = slab_new();
    static struct block blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++)
        blocks[i].ptr = NULL;
    for (int step = 0; step < STEPS; step++) {
        struct block *block = &blocks[rand() % BLOCKS];
        if (block->ptr != NULL) {
            if (!is_whole(block))
                ck_abort_msg("seed %u step %d", seed, step);
            slab_give(slab, block->size_class, block->ptr);
            block->ptr = NULL;
            continue;
        }
        block->size_class = (size_t)(rand() % (rand() % 50 == 0 ? 20 : 12));
        block->mark = (unsigned char)rand();
        block->ptr = slab_take(slab, block->size_class);
        memset(block->ptr, block->mark, slab_class_size(block->size_class));
    }
    bool are_whole = true;
    for (size_t i = 0; i < BLOCKS; i++)
        are_whole = are_whole && (blocks[i].ptr == NULL || is_whole(&blocks[i]));
    ck_assert_msg(are_whole, "seed %u", seed);
    slab_free(slab); /* with all that is in it */
}
END_TEST

START_TEST(what_is_given_back_is_used_again)
{
    struct slab *slab = slab_new();
    for (size_t size_class = 0; size_class < 24; size_class++) {
        void *block = slab_take(slab, size_class);
        slab_give(slab, size_class, block);
        size_t before = slab_bytes(slab);
        for (int i = 0; i < 10000; i++)
            slab_give(slab, size_class, slab_take(slab, size_class));
        ck_assert_uint_eq(slab_bytes(slab), before);
    }
    slab_give(slab, 3, NULL);
    slab_free(slab);
    slab_free(NULL);
}
END_TEST

START_TEST(bytes_are_what_was_taken_from_the_system)
{
    struct slab *slab = slab_new();
    ck_assert_uint_eq(slab_bytes(slab), 0);
    for (int i = 0; i < 64 * 1024; i++)
        (void)slab_take(slab, 0);
    ck_assert_uint_ge(slab_bytes(slab), 64 * 1024 * 16);
    ck_assert_uint_le(slab_bytes(slab), 64 * 1024 * 16 + 2 * PAGE);
    size_t before = slab_bytes(slab);
    size_t large = slab_class_of(1 << 20);
    void *block = slab_take(slab, large);
    ck_assert_uint_ge(slab_bytes(slab), before + (1 << 20));
    slab_give(slab, large, block);
    ck_assert_uint_eq(slab_bytes(slab), before);
    slab_free(slab);
}
END_TEST

UNIT_MAIN("slab", classes_are_as_the_header_draws_them,
          blocks_do_not_overlap_whatever_comes_and_goes, what_is_given_back_is_used_again,
          bytes_are_what_was_taken_from_the_system)
