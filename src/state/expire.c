#include "tidewheel/expire.h"

#include <stdbool.h>
#include <stdlib.h>

#include "tidewheel/err.h"
#include "tidewheel/mem.h"

enum { LEVELS = 7, SLOT_BITS = 6, SLOTS = 1 << SLOT_BITS };

enum { LIST_DUE = LEVELS * SLOTS, LISTS, LIST_NONE = UINT16_MAX };

struct timer {
    int64_t tick;
    uint32_t next;
    uint32_t prev; /* the first of a list has itself */
    uint16_t list;
};

struct expire {
    struct timer *timers; /* by number */
    size_t cap;
    size_t count;
    int64_t now_tick;         /* everything up to here is in the list of the due */
    uint32_t head[LISTS];     /* of each slot, and of the due */
    uint64_t is_used[LEVELS]; /* a bit per slot */
};

struct expire *expire_new(int64_t now_ms)
{
    struct expire *expire = mem_zalloc(sizeof *expire);
    expire->now_tick = now_ms / EXPIRE_TICK_MS;
    for (size_t i = 0; i < LISTS; i++)
        expire->head[i] = EXPIRE_NONE;
    return expire;
}

void expire_free(struct expire *expire)
{
    if (expire == NULL)
        return;
    free(expire->timers);
    free(expire);
}

static void make_room(struct expire *expire, uint32_t number)
{
    if (number < expire->cap)
        return;
    size_t cap = expire->cap == 0 ? 64 : expire->cap;
    while (cap <= number)
        cap *= 2;
    expire->timers = mem_resize(expire->timers, cap, sizeof *expire->timers);
    for (size_t i = expire->cap; i < cap; i++)
        expire->timers[i].list = LIST_NONE;
    expire->cap = cap;
}

static void link_in(struct expire *expire, uint32_t number, uint16_t list)
{
    struct timer *timer = &expire->timers[number];
    uint32_t head = expire->head[list];
    timer->list = list;
    timer->prev = number;
    timer->next = head;
    if (head != EXPIRE_NONE)
        expire->timers[head].prev = number;
    expire->head[list] = number;
    if (list < LIST_DUE)
        expire->is_used[list / SLOTS] |= UINT64_C(1) << list % SLOTS;
}

static void link_out(struct expire *expire, uint32_t number)
{
    struct timer *timer = &expire->timers[number];
    uint16_t list = timer->list;
    if (timer->next != EXPIRE_NONE)
        expire->timers[timer->next].prev = timer->prev == number ? timer->next : timer->prev;
    if (timer->prev != number)
        expire->timers[timer->prev].next = timer->next;
    else
        expire->head[list] = timer->next;
    if (expire->head[list] == EXPIRE_NONE && list < LIST_DUE)
        expire->is_used[list / SLOTS] &= ~(UINT64_C(1) << list % SLOTS);
    timer->list = LIST_NONE;
}

static uint16_t list_for(const struct expire *expire, int64_t tick)
{
    if (tick <= expire->now_tick)
        return LIST_DUE;
    uint64_t ahead = (uint64_t)(tick - expire->now_tick);
    int level = 0;
    while (level < LEVELS - 1 && ahead >> SLOT_BITS * (level + 1) != 0)
        level++;
    return (uint16_t)(level * SLOTS + (int)(tick >> SLOT_BITS * level & (SLOTS - 1)));
}

void expire_set(struct expire *expire, uint32_t number, int64_t at_ms)
{
    CHECK(at_ms >= 0);
    make_room(expire, number);
    expire_clear(expire, number);
    expire->timers[number].tick = (at_ms + EXPIRE_TICK_MS - 1) / EXPIRE_TICK_MS;
    link_in(expire, number, list_for(expire, expire->timers[number].tick));
    expire->count++;
}

void expire_clear(struct expire *expire, uint32_t number)
{
    if (number >= expire->cap || expire->timers[number].list == LIST_NONE)
        return;
    link_out(expire, number);
    expire->count--;
}

/* Deals a slot's timers out again, now that less of the way is left. */
static void deal(struct expire *expire, size_t list)
{
    uint32_t number = expire->head[list];
    expire->head[list] = EXPIRE_NONE;
    expire->is_used[list / SLOTS] &= ~(UINT64_C(1) << list % SLOTS);
    while (number != EXPIRE_NONE) {
        uint32_t next = expire->timers[number].next;
        link_in(expire, number, list_for(expire, expire->timers[number].tick));
        number = next;
    }
}

/* The tick to look at next: the next one in use, or where a level in use is dealt down. */
static int64_t next_stop(const struct expire *expire)
{
    int level = 0;
    while (level < LEVELS - 1 && expire->is_used[level] == 0)
        level++;
    int64_t step = (int64_t)1 << SLOT_BITS * level;
    int64_t stop = (expire->now_tick / step + 1) * step;
    int slot = (int)(stop & (SLOTS - 1));
    if (level > 0 || slot == 0)
        return stop;
    uint64_t ahead = expire->is_used[0] >> slot;
    return ahead != 0 ? stop + __builtin_ctzll(ahead) : stop + (SLOTS - slot);
}

static void advance(struct expire *expire, int64_t now_tick)
{
    if (expire->count == 0) {
        expire->now_tick = now_tick > expire->now_tick ? now_tick : expire->now_tick;
        return;
    }
    while (expire->now_tick < now_tick) {
        int64_t stop = next_stop(expire);
        expire->now_tick = stop < now_tick ? stop : now_tick;
        if (stop > now_tick)
            break;
        for (int level = 1; level < LEVELS; level++) {
            if ((stop & (((int64_t)1 << SLOT_BITS * level) - 1)) != 0)
                break;
            deal(expire, (size_t)(level * SLOTS + (int)(stop >> SLOT_BITS * level & (SLOTS - 1))));
        }
        deal(expire, (size_t)(stop & (SLOTS - 1)));
    }
}

uint32_t expire_take(struct expire *expire, int64_t now_ms)
{
    advance(expire, now_ms / EXPIRE_TICK_MS);
    uint32_t number = expire->head[LIST_DUE];
    if (number != EXPIRE_NONE)
        expire_clear(expire, number);
    return number;
}

size_t expire_count(const struct expire *expire)
{
    return expire->count;
}

size_t expire_bytes(const struct expire *expire)
{
    return sizeof *expire + expire->cap * sizeof *expire->timers;
}
