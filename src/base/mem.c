#include "tidewheel/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tidewheel/log.h"

static void *must(void *ptr, size_t size)
{
    if (ptr == NULL && size > 0) {
        log_error("out_of_memory", "bytes=%zu", size);
        abort();
    }
    return ptr;
}

void *mem_alloc(size_t size)
{
    return must(malloc(size), size);
}

void *mem_alloc_aligned(size_t alignment, size_t size)
{
    return must(aligned_alloc(alignment, size), size);
}

void *mem_zalloc(size_t size)
{
    return must(calloc(1, size), size);
}

void *mem_resize(void *ptr, size_t count, size_t item_size)
{
    size_t size = 0;
    if (__builtin_mul_overflow(count, item_size, &size))
        return must(NULL, SIZE_MAX);
    return must(realloc(ptr, size > 0 ? size : 1), size);
}

char *mem_strdup(const char *text)
{
    return mem_strndup(text, strlen(text));
}

char *mem_strndup(const char *text, size_t len)
{
    char *copy = mem_alloc(len + 1);
    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

void *mem_grow(void *list, size_t len, size_t *cap, size_t item_size)
{
    if (len < *cap)
        return list;
    *cap = *cap == 0 ? 8 : *cap * 2;
    return mem_resize(list, *cap, item_size);
}
