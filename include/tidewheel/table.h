/* table: from a hash to the indices that have it; open addressing, grown a little at a time.
 *
 *     slots   [ tag | index ] 8 bytes each, linear probing, at most 7/8 full
 *     old     [ ....        ] while growing: every add moves a few slots over, so no call pauses
 *
 * The table knows no keys: the caller says whether an index is the one it means.
 * Seed the hash per process: keys come from outside (hash flooding).
 *
 * Floor: 0. Owner: one thread.
 */
#ifndef TIDEWHEEL_TABLE_H
#define TIDEWHEEL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TABLE_NONE = UINT32_MAX };

struct table;

typedef bool table_is_fn(const void *arg, uint32_t index);

struct table *table_new(void);
void table_free(struct table *table);

/* The index with this hash for which is(arg, index) says yes; TABLE_NONE when there is none. */
uint32_t table_find(const struct table *table, uint64_t hash, table_is_fn *is, const void *arg);
void table_add(struct table *table, uint64_t hash, uint32_t index);    /* must not be in it yet */
void table_remove(struct table *table, uint64_t hash, uint32_t index); /* must be in it */

size_t table_count(const struct table *table);
size_t table_bytes(const struct table *table);

#endif
