#include "tidewheel/snapshot.h"

#include <xxhash.h>

#include "state/snapshot_form.h"

uint32_t snapshot_checksum(struct slice bytes, struct slice identity, const char *definition)
{
    uint64_t hash = XXH3_64bits(bytes.ptr, bytes.len);
    hash = XXH3_64bits_withSeed(identity.ptr, identity.len, hash);
    hash = XXH3_64bits_withSeed(definition, strlen(definition), hash);
    return (uint32_t)(hash ^ hash >> 32);
}

/* 0 -1 1 -2 2 ... as 0 1 2 3 4 ... */
static uint64_t zigzag(int64_t value)
{
    return (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0);
}

/* ---- putting: room has been reserved ---- */

static uint8_t *put_varint(uint8_t *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *at++ = (uint8_t)(value | 0x80);
    *at++ = (uint8_t)value;
    return at;
}

static uint8_t *put_fixed(uint8_t *at, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> 8 * i);
    return at + bytes;
}

static unsigned halves_of(const struct series_spec *spec, const struct series_bucket *bucket)
{
    const uint64_t *sum = bucket->words + spec->shape.at[PART_SUM];
    return (unsigned)(sum[0] != 0) | (unsigned)(sum[1] != 0) << 1;
}

static uint8_t *put_acc(uint8_t *at, const struct series_spec *spec, const uint64_t *words)
{
    const uint8_t *part_at = spec->shape.at;
    if (has_part(spec, PART_COUNT))
        at = put_varint(at, words[part_at[PART_COUNT]]);
    for (size_t half = 0; half < HALVES_BITS && has_part(spec, PART_SUM); half++)
        if (words[part_at[PART_SUM] + half] != 0)
            at = put_fixed(at, words[part_at[PART_SUM] + half], 8);
    if (has_part(spec, PART_MIN))
        at = put_fixed(at, words[part_at[PART_MIN]], 8);
    if (has_part(spec, PART_MAX))
        at = put_fixed(at, words[part_at[PART_MAX]], 8);
    return at;
}

static uint8_t *put_bucket(uint8_t *at, const struct series_spec *spec,
                           const struct series_bucket *bucket, uint64_t distance)
{
    if (bucket->is_one) {
        at = put_varint(at, distance << 1);
        return spec->has_value ? put_fixed(at, bucket->words[0], 8) : at;
    }
    if (has_part(spec, PART_SUM))
        distance = distance << HALVES_BITS | halves_of(spec, bucket);
    at = put_varint(at, distance << 1 | 1);
    return put_acc(at, spec, bucket->words);
}

static uint8_t *put_buckets(uint8_t *at, const struct series_spec *spec,
                            const struct series *series, int64_t newest_ms)
{
    int64_t hop_ms = finest_hop(spec);
    int64_t unit = first_unit(newest_ms, hop_ms);
    bool is_first = true;
    struct series_bucket bucket;
    for (uint32_t word = series->len; series_walk(series, spec, &word, &bucket); is_first = false) {
        int64_t here = bucket.start_ms / hop_ms;
        uint64_t distance = is_first ? zigzag(unit - here) : (uint64_t)(unit - here - 1);
        at = put_bucket(at, spec, &bucket, distance);
        unit = here;
    }
    return at;
}

static uint32_t count_buckets(const struct series *series, const struct series_spec *spec)
{
    uint32_t count = 0;
    struct series_bucket bucket;
    for (uint32_t word = series->len; series_walk(series, spec, &word, &bucket);)
        count++;
    return count;
}

static void write_head(const struct snapshot *snapshot, struct buf *ret)
{
    uint8_t *begin = (uint8_t *)buf_reserve(ret, HEAD_BYTES_MAX);
    uint8_t *at = begin;
    int64_t since_ms = snapshot->newest_ms < 0 ? 0 : snapshot->newest_ms;
    *at++ = SNAPSHOT_FORMAT;
    *at++ = snapshot->flags;
    at = put_varint(at, (uint64_t)snapshot->applied + 1);
    at = put_varint(at, (uint64_t)snapshot->newest_ms + 1);
    at = put_varint(at,
                    snapshot->next_ms == INT64_MAX ? 0 : zigzag(snapshot->next_ms - since_ms) + 1);
    buf_advance(ret, (size_t)(at - begin));
}

/* gap: features without buckets before it. */
static void write_series(const struct series *series, const struct series_spec *spec,
                         int64_t newest_ms, size_t gap, struct buf *ret)
{
    uint64_t count = count_buckets(series, spec);
    /* No word takes more than the longest number: a head is one, and so is a count. */
    size_t room = (2 + (size_t)series->len) * VARINT_BYTES_MAX;
    uint8_t *begin = (uint8_t *)buf_reserve(ret, room);
    uint8_t *at = put_varint(begin, count << 1 | (gap > 0));
    if (gap > 0)
        at = put_varint(at, gap);
    at = put_buckets(at, spec, series, newest_ms);
    buf_advance(ret, (size_t)(at - begin));
}

void snapshot_write(const struct snapshot *snapshot, const struct view *view,
                    const char *definition, const struct entity *entity, struct buf *ret)
{
    CHECK(snapshot->applied >= -1 && (snapshot->flags & ~SNAPSHOT_OWED) == 0);
    CHECK(snapshot->newest_ms == -1 || timestamp_is_valid(snapshot->newest_ms));
    CHECK(snapshot->next_ms == INT64_MAX ||
          (snapshot->next_ms >= 0 && snapshot->next_ms <= NEXT_MS_MAX));
    size_t begin = ret->len;
    size_t gap = 0;
    write_head(snapshot, ret);
    for (size_t i = 0; i < view->feature_count; i++, gap++) {
        if (entity->series[i].len == 0)
            continue;
        write_series(&entity->series[i], &view->features[i].series, snapshot->newest_ms, gap, ret);
        gap = SIZE_MAX; /* 0 with the next one */
    }
    struct slice bytes = {ret->ptr + begin, ret->len - begin};
    struct slice identity = {entity->identity, entity->identity_len};
    uint32_t checksum = snapshot_checksum(bytes, identity, definition);
    (void)put_fixed((uint8_t *)buf_reserve(ret, CHECKSUM_BYTES), checksum, CHECKSUM_BYTES);
    buf_advance(ret, CHECKSUM_BYTES);
}
