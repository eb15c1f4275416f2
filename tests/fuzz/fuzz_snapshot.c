/* fuzz_snapshot: any bytes as the state of an entity.
 *
 *     first byte   % 3: the view; 64: the bytes get the right checksum; 128: the series hold an event
 *
 * What is refused changes nothing. What is read says no value that is not finite, now or later, and
 * takes further events; written again it is read again, with the same readings; and where nothing was
 * merged or left out, it is written as the very same bytes.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tidewheel/mem.h"
#include "tidewheel/snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_MS     INT64_C(1700000000000)
#define DEFINITION "00112233445566778899aabbccddeeff"
#define HEAD                                                                                       \
    "view: v\nsource: {topic: t, timestamp: {field: ts, unit: ms}}\n"                              \
    "entity: {type: user, keys: [{field: user_id, type: string}]}\nfeatures:\n"

enum { CHOICE_VIEWS = 3, CHOICE_CHECKSUM = 64, CHOICE_MERGE = 128, FUZZ_FEATURES_MAX = 5 };

static const char *const VIEWS[CHOICE_VIEWS] = {
    HEAD
    "  - {name: a, value: x, aggregates: [count, sum, min, max, avg], windows: [1h, 24h, 7d]}\n"
    "  - {name: b, aggregates: [count], windows: [1h, 24h]}\n",
    HEAD "  - {name: a, value: x, aggregates: [sum], windows: [10s, 1m]}\n"
         "  - {name: b, value: x, aggregates: [min], windows: [1s]}\n"
         "  - {name: c, value: x, aggregates: [max], windows: [1h]}\n"
         "  - {name: d, value: x, aggregates: [avg], windows: [5m, 1h, 30d]}\n"
         "  - {name: e, value: x, aggregates: [count], windows: [24h]}\n",
    HEAD "  - {name: a, value: x, aggregates: [sum, max], windows: [{length: 400d, hop: 1ms}]}\n"
         "  - {name: b, aggregates: [count], windows: [{length: 400d, hop: 1ms}, 1h]}\n",
};

static struct catalog *catalogs[CHOICE_VIEWS];

static const struct view *view_of(uint8_t choice)
{
    size_t number = choice % CHOICE_CHECKSUM % CHOICE_VIEWS;
    if (catalogs[number] == NULL) {
        struct buf report = {0};
        int code = pipeline_load_text("fuzz", slice_of(VIEWS[number]), &report, &catalogs[number]);
        CHECK(code == 0);
        buf_fini(&report);
    }
    return catalogs[number]->views[0];
}

struct state {
    const struct view *view;
    struct slab *slab;
    struct entity *entity;
};

static void state_init(struct state *state, const struct view *view)
{
    size_t size = sizeof(struct entity) + view->feature_count * sizeof(struct series);
    *state = (struct state){view, slab_new(), mem_zalloc(size)};
    state->entity->identity = mem_strdup("u1");
    state->entity->identity_len = 2;
    CHECK(view->feature_count <= FUZZ_FEATURES_MAX);
}

static void state_fini(struct state *state)
{
    slab_free(state->slab);
    free(state->entity->identity);
    free(state->entity);
}

static void add_event(struct state *state, int64_t now_ms)
{
    for (size_t i = 0; i < state->view->feature_count; i++)
        (void)series_add(&state->entity->series[i], &state->view->features[i].series, state->slab,
                         now_ms, 1.5, now_ms);
}

static int read_into(struct state *state, struct slice blob, int64_t now_ms, struct snapshot *ret)
{
    struct err err = {0};
    struct series before[FUZZ_FEATURES_MAX];
    size_t bytes = slab_bytes(state->slab);
    size_t size = state->view->feature_count * sizeof before[0];
    memcpy(before, state->entity->series, size);
    int code = snapshot_read(blob, state->view, DEFINITION, slice_of("u1"), now_ms, state->slab,
                             state->entity->series, ret, &err);
    if (code == 0)
        return 0;
    CHECK(code == ERR_INPUT && strlen(err.text) > 20);
    CHECK(memcmp(before, state->entity->series, size) == 0 && bytes == slab_bytes(state->slab));
    return code;
}

static void write_from(const struct state *state, const struct snapshot *snapshot, struct buf *ret)
{
    buf_reset(ret);
    snapshot_write(snapshot, state->view, DEFINITION, state->entity, ret);
}

/* Starts descend, and lie in time: as series.h has them. */
static size_t check_series(const struct state *state)
{
    size_t buckets = 0;
    for (size_t i = 0; i < state->view->feature_count; i++) {
        const struct series_spec *spec = &state->view->features[i].series;
        struct series_bucket bucket;
        int64_t newer_ms = TIMESTAMP_END_MS + 1;
        for (uint32_t at = state->entity->series[i].len;
             series_walk(&state->entity->series[i], spec, &at, &bucket); buckets++) {
            CHECK(bucket.start_ms >= 0 && bucket.start_ms < newer_ms);
            newer_ms = bucket.start_ms;
        }
    }
    return buckets;
}

static void check_readings(const struct state *state, const struct state *other, int64_t now_ms)
{
    for (size_t i = 0; i < state->view->feature_count; i++) {
        const struct series_spec *spec = &state->view->features[i].series;
        struct series_reading one;
        struct series_reading two;
        series_read(&state->entity->series[i], spec, now_ms, &one);
        series_read(&other->entity->series[i], spec, now_ms, &two);
        CHECK(one.next_ms == two.next_ms);
        for (const struct op *op = op_rows; op < op_rows + op_count; op++) {
            for (size_t w = 0; w < spec->window_count && (op->parts & ~spec->shape.parts) == 0;
                 w++) {
                struct reading a = op_read(op, &spec->shape, one.acc[w]);
                struct reading b = op_read(op, &spec->shape, two.acc[w]);
                CHECK(reading_is_equal(&a, &b));
                CHECK(a.kind != READING_NUMBER || isfinite(a.number));
            }
        }
    }
}

static void check_right(struct state *state, const struct snapshot *snapshot, struct slice blob,
                        bool is_merged)
{
    static const int64_t LATER_MS[] = {0, 1, 60000, 3600000, INT64_C(86400000) * 200};
    struct buf again = {0};
    struct state twin;
    struct snapshot of_twin;
    state_init(&twin, state->view);
    size_t buckets = check_series(state);
    write_from(state, snapshot, &again);
    CHECK(read_into(&twin, buf_slice(&again), NOW_MS, &of_twin) == 0);
    CHECK(snapshot->applied == of_twin.applied && snapshot->newest_ms == of_twin.newest_ms);
    CHECK(snapshot->next_ms == of_twin.next_ms && snapshot->flags == of_twin.flags);
    CHECK(is_merged || check_series(&twin) == buckets);
    for (size_t i = 0; i < sizeof LATER_MS / sizeof LATER_MS[0]; i++)
        check_readings(state, &twin, NOW_MS + LATER_MS[i]);
    write_from(&twin, &of_twin, &again);
    CHECK(is_merged || again.len <= blob.len);
    CHECK(is_merged || again.len < blob.len || slice_is_equal(buf_slice(&again), blob));
    add_event(state, NOW_MS + 60000);
    for (size_t i = 0; i < state->view->feature_count; i++)
        series_tidy(&state->entity->series[i], &state->view->features[i].series, state->slab,
                    NOW_MS + 90000);
    (void)check_series(state);
    check_readings(state, state, NOW_MS + 90000);
    state_fini(&twin);
    buf_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 5)
        return 0;
    struct state state;
    struct snapshot snapshot;
    struct buf blob = {0};
    state_init(&state, view_of(data[0]));
    buf_add(&blob, (const char *)data + 1, size - 1);
    if ((data[0] & CHOICE_CHECKSUM) != 0) {
        struct slice bytes = {blob.ptr, blob.len - 4};
        uint32_t checksum = snapshot_checksum(bytes, slice_of("u1"), DEFINITION);
        for (size_t i = 0; i < 4; i++)
            blob.ptr[bytes.len + i] = (char)(checksum >> 8 * i);
    }
    bool is_merged = (data[0] & CHOICE_MERGE) != 0;
    if (is_merged)
        add_event(&state, NOW_MS);
    if (read_into(&state, buf_slice(&blob), NOW_MS, &snapshot) == 0)
        check_right(&state, &snapshot, buf_slice(&blob), is_merged);
    state_fini(&state);
    buf_fini(&blob);
    return 0;
}
