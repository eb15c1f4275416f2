/* mem: heap memory that is never NULL.
 *
 * Out of memory stops the program with one line on stderr; a restart repairs it. In exchange,
 * whatever grows by input has a limit in the option table and meets it long before memory does.
 * Free with free().
 *
 * Floor: 0. Owner: any thread.
 */
#ifndef TIDEWHEEL_MEM_H
#define TIDEWHEEL_MEM_H

#include <stddef.h>

void *mem_alloc(size_t size);
void *mem_alloc_aligned(size_t alignment, size_t size); /* a power of two that divides size */
void *mem_zalloc(size_t size);                          /* all bytes zero */
void *mem_resize(void *ptr, size_t count,
                 size_t item_size); /* as realloc; count * item_size may not
                                                                overflow */
char *mem_strdup(const char *text);
char *mem_strndup(const char *text, size_t len); /* adds the NUL; text may hold NULs of its own */

/* Makes room for one more item in a growing array: doubles *cap from 8 on when len has reached it.
 *     list = mem_grow(list, len, &cap, sizeof *list);  list[len++] = item;                        */
void *mem_grow(void *list, size_t len, size_t *cap, size_t item_size);

#endif
