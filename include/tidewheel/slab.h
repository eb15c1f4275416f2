/* slab: many small blocks of memory, packed and counted.
 *
 *     class    0    1    2    3    4    5    6    7    8   ...
 *     bytes   16   32   48   64   96  128  192  256  384  ... each about 1.4 times the one before
 *
 * Blocks of one class are cut from pages of 16 KiB, which go back once they are empty: when all keys
 * grow alike, what they have grown out of is given to the next class. Blocks of more than 1 KiB come
 * from the heap. The caller keeps the class (it is the capacity of whatever lies in the block), so a
 * block has no header.
 * slab_bytes() is what the memory limit is held against.
 *
 * Floor: 0. Owner: one thread.
 */
#ifndef TIDEWHEEL_SLAB_H
#define TIDEWHEEL_SLAB_H

#include <stddef.h>
#include <stdint.h>

enum { SLAB_CLASSES = 48 };

struct slab;

struct slab *slab_new(void);
void slab_free(struct slab *slab); /* and every block in it */

size_t slab_class_of(size_t size); /* the smallest class that holds size bytes */
size_t slab_class_size(size_t size_class);

void *slab_take(struct slab *slab, size_t size_class);
void slab_give(struct slab *slab, size_t size_class, void *block); /* NULL is fine */

size_t slab_bytes(const struct slab *slab); /* taken from the system, in use or not */

#endif
