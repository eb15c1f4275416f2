/* snapshot_form: what the writer and the reader of blobs have in common; the form itself is drawn in
 * snapshot.h.
 *
 * Floor: 2. Owner: pure.
 */
#ifndef TIDEWHEEL_STATE_SNAPSHOT_FORM_H
#define TIDEWHEEL_STATE_SNAPSHOT_FORM_H

#include "tidewheel/snapshot.h"
#include "tidewheel/timestamp.h"

enum {
    VARINT_BYTES_MAX = 10,
    CHECKSUM_BYTES = 4,
    HEAD_BYTES_MAX = 2 + 3 * VARINT_BYTES_MAX,
    BLOB_BYTES_MIN = 2 + 3 + CHECKSUM_BYTES,
    HALVES_BITS = 2, /* of a sum: which of its two words are not zero */
};

/* Behind this no bucket and no window has its end. */
#define NEXT_MS_MAX (TIMESTAMP_END_MS + 2 * WINDOW_MS_MAX)

/* The unit of starts: they are multiples of the finest hop, as hops nest. */
static inline int64_t finest_hop(const struct series_spec *spec)
{
    int64_t hop_ms = spec->windows[0].hop_ms;
    for (size_t i = 1; i < spec->window_count; i++)
        if (spec->windows[i].hop_ms < hop_ms)
            hop_ms = spec->windows[i].hop_ms;
    return hop_ms;
}

/* The first bucket is written as its distance from here: most often none. */
static inline int64_t first_unit(int64_t newest_ms, int64_t hop_ms)
{
    return newest_ms < 0 ? 0 : newest_ms / hop_ms;
}

static inline bool has_part(const struct series_spec *spec, enum part part)
{
    return (spec->shape.parts >> part & 1) != 0;
}

#endif
