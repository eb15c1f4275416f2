#include "tidewheel/slab.h"

#include <stdlib.h>

#include "tidewheel/err.h"
#include "tidewheel/mem.h"

enum { PAGE_BYTES = 64 * 1024, PAGED_MAX = 4096 }; /* a page wastes at most one block of 4 KiB */

struct page {
    struct page *next;
};

/* A free block holds the link to the next one. */
struct free_block {
    struct free_block *next;
};

/* A block too large for a page is on a list of its own, so that slab_free() finds it. */
struct large_block {
    struct large_block *next;
    struct large_block *prev;
};

struct slab {
    struct free_block *free[SLAB_CLASSES];
    struct page *pages;
    char *cut; /* the rest of the newest page */
    size_t cut_len;
    struct large_block large; /* head of the ring */
    size_t bytes;
};

struct slab *slab_new(void)
{
    struct slab *slab = mem_zalloc(sizeof *slab);
    slab->large.next = &slab->large;
    slab->large.prev = &slab->large;
    return slab;
}

void slab_free(struct slab *slab)
{
    if (slab == NULL)
        return;
    while (slab->pages != NULL) {
        struct page *page = slab->pages;
        slab->pages = page->next;
        free(page);
    }
    while (slab->large.next != &slab->large) {
        struct large_block *large = slab->large.next;
        slab->large.next = large->next;
        free(large);
    }
    free(slab);
}

size_t slab_class_size(size_t size_class)
{
    if (size_class < 3)
        return 16 * (size_class + 1);
    size_t doublings = (size_class - 3) / 2;
    return (size_class % 2 == 1 ? (size_t)64 : (size_t)96) << doublings;
}

size_t slab_class_of(size_t size)
{
    size_t size_class = 0;
    while (slab_class_size(size_class) < size)
        size_class++;
    CHECK(size_class < SLAB_CLASSES);
    return size_class;
}

static void *take_large(struct slab *slab, size_t size)
{
    struct large_block *large = mem_alloc(sizeof *large + size);
    large->next = slab->large.next;
    large->prev = &slab->large;
    large->next->prev = large;
    slab->large.next = large;
    slab->bytes += sizeof *large + size;
    return large + 1;
}

static void give_large(struct slab *slab, size_t size, void *block)
{
    struct large_block *large = (struct large_block *)block - 1;
    large->next->prev = large->prev;
    large->prev->next = large->next;
    slab->bytes -= sizeof *large + size;
    free(large);
}

static void *cut_block(struct slab *slab, size_t size)
{
    if (slab->cut_len < size) {
        struct page *page = mem_alloc(PAGE_BYTES);
        page->next = slab->pages;
        slab->pages = page;
        slab->cut = (char *)page + 16;
        slab->cut_len = PAGE_BYTES - 16;
        slab->bytes += PAGE_BYTES;
    }
    void *block = slab->cut;
    slab->cut += size;
    slab->cut_len -= size;
    return block;
}

void *slab_take(struct slab *slab, size_t size_class)
{
    size_t size = slab_class_size(size_class);
    if (size > PAGED_MAX)
        return take_large(slab, size);
    struct free_block *block = slab->free[size_class];
    if (block == NULL)
        return cut_block(slab, size);
    slab->free[size_class] = block->next;
    return block;
}

void slab_give(struct slab *slab, size_t size_class, void *block)
{
    if (block == NULL)
        return;
    size_t size = slab_class_size(size_class);
    if (size > PAGED_MAX) {
        give_large(slab, size, block);
        return;
    }
    struct free_block *empty = block;
    empty->next = slab->free[size_class];
    slab->free[size_class] = empty;
}

size_t slab_bytes(const struct slab *slab)
{
    return slab->bytes;
}
