#include "tidewheel/decode.h"

#include <stdlib.h>

#include "tidewheel/event_reader.h"
#include "tidewheel/mem.h"

struct decoder {
    struct decode_limits limits;
    struct event_reader *reader;
    struct value *values; /* by slot */
    size_t value_cap;
    struct buf identity;
};

struct decoder *decoder_new(const struct decode_limits *limits)
{
    struct decoder *decoder = mem_zalloc(sizeof *decoder);
    decoder->limits = *limits;
    decoder->reader = event_reader_new(limits->nesting);
    return decoder;
}

void decoder_free(struct decoder *decoder)
{
    if (decoder == NULL)
        return;
    event_reader_free(decoder->reader);
    free(decoder->values);
    buf_fini(&decoder->identity);
    free(decoder);
}

enum verdict decode(struct decoder *decoder, const struct topic *topic, const struct record *record,
                    struct event *ret)
{
    *ret = (struct event){.record_ms = record->timestamp_ms};
    if (record->value.ptr == NULL || record->value.len == 0)
        return VERDICT_EMPTY;
    if (record->value.len > decoder->limits.event_bytes)
        return VERDICT_TOO_BIG;
    if (topic->paths->count > decoder->value_cap) {
        decoder->value_cap = topic->paths->count;
        decoder->values = mem_resize(decoder->values, decoder->value_cap, sizeof *decoder->values);
    }
    ret->values = decoder->values;
    return event_reader_read(decoder->reader, topic->paths, record->value, decoder->values,
                             &ret->duplicates);
}

static bool read_time(const struct view *view, const struct event *event, int64_t *ret_ms)
{
    if (view->time_unit != TIME_RECORD)
        return timestamp_read(&event->values[view->time_slot], view->time_unit, ret_ms);
    *ret_ms = event->record_ms;
    return timestamp_is_valid(event->record_ms);
}

static bool is_ahead(int64_t ts_ms, int64_t of_ms, int64_t by_ms)
{
    int64_t limit_ms = 0;
    return !__builtin_add_overflow(of_ms, by_ms, &limit_ms) && ts_ms > limit_ms;
}

/* Promise L. The record timestamp is the judge, so that a replay judges alike; except where it has
 * nothing of its own to say, or is itself not to be believed. */
static bool is_future(const struct view *view, int64_t ts_ms, int64_t record_ms, int64_t wall_ms)
{
    if (wall_ms == INT64_MAX)
        return false;
    bool is_judge = view->time_unit != TIME_RECORD && record_ms >= 0 &&
                    !is_ahead(record_ms, wall_ms, view->future_max_ms);
    return is_ahead(ts_ms, is_judge ? record_ms : wall_ms, view->future_max_ms);
}

enum verdict decode_for_view(struct decoder *decoder, const struct view *view,
                             const struct event *event, int64_t wall_ms, struct routed *ret)
{
    int64_t ts_ms = 0;
    if (!read_time(view, event, &ts_ms))
        return VERDICT_BAD_TIMESTAMP;
    enum verdict verdict = key_build(view->keys, view->key_count, event->values,
                                     decoder->limits.key_bytes, &decoder->identity);
    if (verdict != VERDICT_ACCEPTED)
        return verdict;
    if (is_future(view, ts_ms, event->record_ms, wall_ms))
        return VERDICT_FUTURE;
    *ret = (struct routed){ts_ms, buf_slice(&decoder->identity), event->record_ms};
    return VERDICT_ACCEPTED;
}
