#include "tidewheel/keyed.h"

#include <stdlib.h>
#include <xxhash.h>

#include "tidewheel/key.h"
#include "tidewheel/mem.h"

enum { SLOTS = 2048 }; /* a power of two, at most half full */

/* The distinct entities are kept as hashes, unseeded as they count no more than this: two that
 * collide are one, and the worst that ids made on purpose can cost is to look through 1,000 slots.
 */
struct keyed {
    size_t entities;
    size_t strangers;
    uint64_t *slots; /* 0: free; NULL once decided */
    struct buf raw;
};

struct keyed *keyed_new(void)
{
    struct keyed *keyed = mem_zalloc(sizeof *keyed);
    keyed->slots = mem_zalloc(SLOTS * sizeof *keyed->slots);
    return keyed;
}

static void keyed_close(struct keyed *keyed)
{
    free(keyed->slots);
    keyed->slots = NULL;
    buf_fini(&keyed->raw);
}

void keyed_free(struct keyed *keyed)
{
    if (keyed == NULL)
        return;
    keyed_close(keyed);
    free(keyed);
}

uint32_t keyed_murmur2(struct slice bytes)
{
    const uint32_t mix = 0x5bd1e995;
    const unsigned char *at = (const unsigned char *)bytes.ptr;
    uint32_t hash = 0x9747b28c ^ (uint32_t)bytes.len;
    size_t left = bytes.len;
    for (; left >= 4; left -= 4, at += 4) {
        uint32_t word =
            (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
        word *= mix;
        word ^= word >> 24;
        hash = hash * mix ^ word * mix;
    }
    for (size_t i = left; i > 0; i--)
        hash ^= (uint32_t)at[i - 1] << (8 * (i - 1));
    if (left > 0)
        hash *= mix;
    hash ^= hash >> 13;
    hash *= mix;
    return hash ^ hash >> 15;
}

/* Half a byte at a time: a table of 16 is enough for 1,000 short keys. */
uint32_t keyed_crc32(struct slice bytes)
{
    static const uint32_t STEPS[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < bytes.len; i++) {
        crc ^= (unsigned char)bytes.ptr[i];
        crc = crc >> 4 ^ STEPS[crc & 15];
        crc = crc >> 4 ^ STEPS[crc & 15];
    }
    return ~crc;
}

/* True if it was not there yet. */
static bool slots_add(uint64_t *slots, uint64_t hash)
{
    hash += hash == 0;
    size_t at = hash % SLOTS;
    for (; slots[at] != 0; at = (at + 1) % SLOTS)
        if (slots[at] == hash)
            return false;
    slots[at] = hash;
    return true;
}

/* The parts of an identity from number first on, raw, joined by ':'. */
static void raw_join(struct slice identity, size_t first, struct buf *ret)
{
    buf_reset(ret);
    for (size_t i = first;; i++) {
        struct slice part = key_part(identity, i);
        if (part.ptr == NULL)
            return;
        if (i > first)
            buf_add_char(ret, ':');
        key_decode(part, ret);
    }
}

static bool is_at_home(struct slice raw, struct slice key, uint32_t partition, uint32_t count)
{
    if (key.ptr != NULL && slice_is_equal(raw, key))
        return true;
    return (keyed_murmur2(raw) & 0x7fffffff) % count == partition ||
           keyed_crc32(raw) % count == partition;
}

void keyed_note(struct keyed *keyed, struct slice identity, bool has_tenant, struct slice key,
                int32_t partition, int32_t partition_count)
{
    if (keyed->slots == NULL || partition < 0 || partition_count <= 0 ||
        !slots_add(keyed->slots, XXH3_64bits(identity.ptr, identity.len)))
        return;
    bool is_home = false;
    for (size_t first = 0; first <= (has_tenant ? 1 : 0) && !is_home; first++) {
        raw_join(identity, first, &keyed->raw);
        is_home =
            is_at_home(buf_slice(&keyed->raw), key, (uint32_t)partition, (uint32_t)partition_count);
    }
    keyed->strangers += !is_home;
    if (++keyed->entities == KEYED_ENTITIES)
        keyed_close(keyed);
}

bool keyed_is_decided(const struct keyed *keyed)
{
    return keyed->entities >= KEYED_ENTITIES;
}

size_t keyed_strangers(const struct keyed *keyed)
{
    return keyed->strangers;
}

bool keyed_is_wrong(const struct keyed *keyed)
{
    return keyed_is_decided(keyed) && keyed->strangers > KEYED_STRANGERS_MAX;
}
