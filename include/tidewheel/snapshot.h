/* snapshot: one entity's state as bytes: the blob that a checkpoint keeps of it.
 *
 *     format 1 | flags | applied | newest | next | buckets of each feature ... | checksum
 *
 *     format     one byte
 *     flags      one byte: SNAPSHOT_OWED its features are not in Redis as of this blob
 *     applied    the offset of the last event applied to it; or none
 *     newest     of its events that fed this view, ms; or none
 *     next       when time alone next changes a value, ms; or never
 *     buckets    of the features that have any, as series.h has them, newest first:
 *                    number of buckets, features without any before this one
 *                    | form, empty halves of its sum, start | value, or count sum min max | ...
 *                numbers are of variable length (seven bits a byte, the low ones first, the shortest
 *                form only), starts are differences in units of the finest hop, doubles are 8 bytes,
 *                the low byte first
 *     checksum   4 bytes over all that, the identity and the definition of the view, so that a blob
 *                under another entity's name or of another definition is no blob
 *
 * At most 1.3 times the bytes of the non-empty buckets (16 a bucket of one event, 8 + 8 for each word
 * of the accumulator for others) plus 24, for offsets below 2^55. The decoder treats its input as
 * hostile: whatever the bytes, it returns ERR_INPUT or a series that series.h could have made.
 *
 * Floor: 2. Owner: the worker that owns the shard.
 */
#ifndef TIDEWHEEL_SNAPSHOT_H
#define TIDEWHEEL_SNAPSHOT_H

#include "tidewheel/entity.h"

enum { SNAPSHOT_FORMAT = 1, SNAPSHOT_OWED = 1 };

struct snapshot {
    int64_t applied;   /* -1: none */
    int64_t newest_ms; /* -1: none */
    int64_t next_ms;   /* INT64_MAX: never */
    uint8_t flags;
};

/* Adds the blob of an entity with these buckets to ret. definition: 32 hex digits (output.h). */
void snapshot_write(const struct snapshot *snapshot, const struct view *view,
                    const char *definition, const struct entity *entity, struct buf *ret);

/* Reads a blob into series that are empty, or that hold later events of the same entity: then the
 * buckets are merged into them. now_ms: A; buckets that no window holds at that time are left out.
 * A blob that is read twice counts twice. ERR_INPUT: nothing has been changed. */
int snapshot_read(struct slice blob, const struct view *view, const char *definition,
                  struct slice identity, int64_t now_ms, struct slab *slab, struct series *series,
                  struct snapshot *ret, struct err *err) MUST_CHECK;

/* The last four bytes of a blob of which these are all the others. */
uint32_t snapshot_checksum(struct slice bytes, struct slice identity, const char *definition);

#endif
