#include "tidewheel/table.h"

#include <stdlib.h>

#include "tidewheel/err.h"
#include "tidewheel/mem.h"

struct slot {
    uint32_t tag;   /* the upper half of the hash */
    uint32_t index; /* TABLE_NONE: never used */
};

enum { SLOTS_MIN = 64, MOVED_PER_ADD = 8, REMOVED = UINT32_MAX - 1 };

struct slots {
    struct slot *slot;
    size_t mask;
    size_t used; /* with the removed ones */
};

struct table {
    struct slots now;
    struct slots old; /* slot == NULL: not growing */
    size_t moved;     /* slots of old that are done */
    size_t count;
};

static struct slots slots_new(size_t count)
{
    struct slots slots = {mem_alloc(count * sizeof(struct slot)), count - 1, 0};
    for (size_t i = 0; i < count; i++)
        slots.slot[i] = (struct slot){0, TABLE_NONE};
    return slots;
}

struct table *table_new(void)
{
    struct table *table = mem_zalloc(sizeof *table);
    table->now = slots_new(SLOTS_MIN);
    return table;
}

void table_free(struct table *table)
{
    if (table == NULL)
        return;
    free(table->now.slot);
    free(table->old.slot);
    free(table);
}

static uint32_t tag_of(uint64_t hash)
{
    return (uint32_t)(hash >> 32);
}

/* Growing needs the place again without asking for the key, so it follows from the tag alone: 32
 * bits place up to 2^32 slots, and an equal tag with another key costs one more comparison. */
static size_t place_of(uint32_t tag, size_t mask)
{
    return tag & mask;
}

static struct slot *slots_find(const struct slots *slots, uint32_t tag, table_is_fn *is,
                               const void *arg)
{
    for (size_t at = place_of(tag, slots->mask);; at = (at + 1) & slots->mask) {
        struct slot *slot = &slots->slot[at];
        if (slot->index == TABLE_NONE)
            return NULL;
        if (slot->tag == tag && slot->index != REMOVED && is(arg, slot->index))
            return slot;
    }
}

static void slots_put(struct slots *slots, uint32_t tag, uint32_t index)
{
    size_t at = place_of(tag, slots->mask);
    while (slots->slot[at].index != TABLE_NONE)
        at = (at + 1) & slots->mask;
    slots->slot[at] = (struct slot){tag, index};
    slots->used++;
}

static void move_some(struct table *table, size_t most)
{
    for (; most > 0 && table->moved <= table->old.mask; most--, table->moved++) {
        struct slot *slot = &table->old.slot[table->moved];
        if (slot->index < REMOVED)
            slots_put(&table->now, slot->tag, slot->index);
        if (slot->index != TABLE_NONE)
            slot->index = REMOVED; /* keeps the probe chains of those that are still here */
    }
    if (table->moved > table->old.mask) {
        free(table->old.slot);
        table->old = (struct slots){NULL, 0, 0};
    }
}

static void grow(struct table *table)
{
    if (table->old.slot != NULL)
        move_some(table, SIZE_MAX);
    /* Many removed and few left: the same size again, cleaned. */
    size_t size = table->now.mask + 1;
    size_t size_new = table->count * 2 > size ? size * 2 : size;
    table->old = table->now;
    table->now = slots_new(size_new);
    table->moved = 0;
}

uint32_t table_find(const struct table *table, uint64_t hash, table_is_fn *is, const void *arg)
{
    uint32_t tag = tag_of(hash);
    struct slot *slot = slots_find(&table->now, tag, is, arg);
    if (slot == NULL && table->old.slot != NULL)
        slot = slots_find(&table->old, tag, is, arg);
    return slot == NULL ? TABLE_NONE : slot->index;
}

void table_add(struct table *table, uint64_t hash, uint32_t index)
{
    CHECK(index < REMOVED);
    if (table->old.slot != NULL)
        move_some(table, MOVED_PER_ADD);
    if ((table->now.used + 1) * 8 > (table->now.mask + 1) * 7)
        grow(table);
    slots_put(&table->now, tag_of(hash), index);
    table->count++;
}

static bool is_index(const void *arg, uint32_t index)
{
    return *(const uint32_t *)arg == index;
}

void table_remove(struct table *table, uint64_t hash, uint32_t index)
{
    uint32_t tag = tag_of(hash);
    struct slot *slot = slots_find(&table->now, tag, is_index, &index);
    if (slot == NULL && table->old.slot != NULL)
        slot = slots_find(&table->old, tag, is_index, &index);
    CHECK(slot != NULL);
    slot->index = REMOVED;
    table->count--;
}

size_t table_count(const struct table *table)
{
    return table->count;
}

size_t table_bytes(const struct table *table)
{
    size_t slots = table->now.mask + 1 + (table->old.slot != NULL ? table->old.mask + 1 : 0);
    return sizeof *table + slots * sizeof(struct slot);
}
