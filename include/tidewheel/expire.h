/* expire: a timer wheel over numbered things: who is due next?
 *
 *     level 0   64 slots of 10 ms        | . | . | 7 | . | ...     due within 640 ms
 *     level 1   64 slots of 640 ms       | . | 3 | . | ...         ... within 41 s
 *     level 2   64 slots of 41 s         ...                       up to level 6, which reaches
 *                                                                  beyond every window
 *
 * Setting and clearing are O(1); a timer moves down a level at most six times (Varghese and Lauck:
 * Hashed and hierarchical timing wheels, 1987). A timer is due at the first multiple of 10 ms at or
 * after its time, never before.
 *
 * Floor: 1. Owner: the worker that owns the shard.
 */
#ifndef TIDEWHEEL_EXPIRE_H
#define TIDEWHEEL_EXPIRE_H

#include <stddef.h>
#include <stdint.h>

enum { EXPIRE_NONE = UINT32_MAX, EXPIRE_TICK_MS = 10 };

struct expire;

struct expire *expire_new(int64_t now_ms);
void expire_free(struct expire *expire);

/* Numbers are 0 and up, dense; a timer that is set already is moved. */
void expire_set(struct expire *expire, uint32_t number, int64_t at_ms);
void expire_clear(struct expire *expire, uint32_t number);

/* The next number that is due at now_ms, taken out; EXPIRE_NONE when there is none. */
uint32_t expire_take(struct expire *expire, int64_t now_ms);

size_t expire_count(const struct expire *expire); /* of timers that are set */
size_t expire_bytes(const struct expire *expire);

#endif
