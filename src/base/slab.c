#include "tidewheel/slab.h"

#include <stdbool.h>
#include <stdlib.h>

#include "tidewheel/err.h"
#include "tidewheel/mem.h"

/* Small pages drain: when all keys grow alike, as they do while a log is read again, the blocks that
 * they leave behind are of use only once their whole page is free for another class. */
enum { PAGE_BYTES = 16 * 1024, PAGED_MAX = 1024 };

/* A free block holds the link to the next one. */
struct free_block {
    struct free_block *next;
};

/* What comes from the heap, pages and blocks too large for one, is on a ring, so that slab_free()
 * finds it. */
struct large_block {
    struct large_block *next;
    struct large_block *prev;
};

/*     | page | block | block | ... |       at a multiple of PAGE_BYTES, so a block knows its page */
struct page {
    struct large_block large;
    struct page *next; /* of the class, among those with room */
    struct page *prev;
    struct free_block *free;
    uint32_t used; /* blocks */
    uint32_t cut;  /* bytes from the page's beginning: behind it nothing was taken yet */
};

struct slab {
    struct page *roomy[SLAB_CLASSES]; /* pages with a block to take */
    struct page *spare; /* an empty one is kept, or a block that comes and goes would cost a page */
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
    free(slab->spare);
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

static void ring_add(struct slab *slab, struct large_block *large)
{
    large->next = slab->large.next;
    large->prev = &slab->large;
    large->next->prev = large;
    slab->large.next = large;
}

static void ring_remove(struct large_block *large)
{
    large->next->prev = large->prev;
    large->prev->next = large->next;
}

static void *take_large(struct slab *slab, size_t size)
{
    struct large_block *large = mem_alloc(sizeof *large + size);
    ring_add(slab, large);
    slab->bytes += sizeof *large + size;
    return large + 1;
}

static void give_large(struct slab *slab, size_t size, void *block)
{
    struct large_block *large = (struct large_block *)block - 1;
    ring_remove(large);
    slab->bytes -= sizeof *large + size;
    free(large);
}

static void page_link(struct page **list, struct page *page)
{
    page->prev = NULL;
    page->next = *list;
    if (*list != NULL)
        (*list)->prev = page;
    *list = page;
}

static void page_unlink(struct page **list, struct page *page)
{
    if (page->next != NULL)
        page->next->prev = page->prev;
    if (page->prev != NULL)
        page->prev->next = page->next;
    else
        *list = page->next;
}

static struct page *page_take(struct slab *slab)
{
    struct page *page = slab->spare;
    slab->spare = NULL;
    if (page == NULL) {
        page = mem_alloc_aligned(PAGE_BYTES, PAGE_BYTES);
        slab->bytes += PAGE_BYTES;
    }
    *page = (struct page){.cut = (sizeof *page + 15) & ~15u};
    ring_add(slab, &page->large);
    return page;
}

static void page_give(struct slab *slab, struct page *page)
{
    ring_remove(&page->large);
    if (slab->spare == NULL) {
        slab->spare = page;
        return;
    }
    slab->bytes -= PAGE_BYTES;
    free(page);
}

static bool page_has_room(const struct page *page, size_t size)
{
    return page->free != NULL || page->cut + size <= PAGE_BYTES;
}

void *slab_take(struct slab *slab, size_t size_class)
{
    size_t size = slab_class_size(size_class);
    if (size > PAGED_MAX)
        return take_large(slab, size);
    struct page *page = slab->roomy[size_class];
    if (page == NULL) {
        page = page_take(slab);
        page_link(&slab->roomy[size_class], page);
    }
    void *block = page->free;
    if (block != NULL) {
        page->free = page->free->next;
    } else {
        block = (char *)page + page->cut;
        page->cut += (uint32_t)size;
    }
    page->used++;
    if (!page_has_room(page, size))
        page_unlink(&slab->roomy[size_class], page);
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
    struct page *page = (struct page *)((uintptr_t)block & ~(uintptr_t)(PAGE_BYTES - 1));
    bool had_room = page_has_room(page, size);
    struct free_block *empty = block;
    empty->next = page->free;
    page->free = empty;
    page->used--;
    if (!had_room)
        page_link(&slab->roomy[size_class], page);
    if (page->used > 0)
        return;
    page_unlink(&slab->roomy[size_class], page);
    page_give(slab, page);
}

size_t slab_bytes(const struct slab *slab)
{
    return slab->bytes;
}
