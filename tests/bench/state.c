/* state: what a key costs in memory, and what an event and a reading cost among many keys.
 *
 *     state bytes KEYS EVENTS_A_WEEK         bytes_per_key of the example view, after a week
 *     state value-bytes KEYS EVENTS_A_WEEK   the same where every event is a value in three windows
 *     state cost KEYS                        update_ns, read_ns, write_ns (taken, read,
 *                                             acknowledged), event_ns (an update from JSON on);
 *                                             kept_ns, blob_ns: an update in the checkpointed
 *                                             form, and the blob of what is dirty
 *     state windows                          update and read with one window and with three
 *
 * A shard is driven as the worker drives it, with values made by hand: no JSON, no Kafka, no Redis.
 */
#include "bench.h"
#include "tidewheel/mem.h"
#include "tidewheel/shard.h"

#define NOW_MS INT64_C(1700000000000)

enum { STEPS = 28, SAMPLES = 2000000, TEXT_MAX = 112 };

/* Every event feeds its one feature. */
#define VALUES_VIEW(windows)                                                                       \
    "view: bench\nsource: {topic: t, timestamp: {field: ts, unit: ms}}\n"                          \
    "entity: {type: user, keys: [{field: user_id, type: string}]}\n"                               \
    "features: [{name: purchase, value: amount, windows: " windows ",\n"                           \
    "            aggregates: [count, sum, min, max, avg]}]\n"

/* The example of the documentation: one event in four is a purchase. */
#define SHOP_VIEW                                                                                  \
    "view: bench\nsource: {topic: t, timestamp: {field: ts, unit: ms}}\n"                          \
    "entity: {type: user, keys: [{field: user_id, type: string}]}\n"                               \
    "features:\n"                                                                                  \
    "  - {name: purchase, where: {event_type: purchase}, value: amount,\n"                         \
    "     aggregates: [count, sum, min, max, avg], windows: [1h, 24h, 7d]}\n"                      \
    "  - {name: page_view, where: {event_type: page_view}, aggregates: [count],\n"                 \
    "     windows: [1h, 24h]}\n"

struct rig {
    struct catalog *catalog;
    const struct view *view;
    struct shard *shard;
    struct tally tally;
    struct tally *tallies[1];
    struct value *values; /* by slot */
    int type_slot;        /* of event_type; PATH_NONE: every event is a purchase */
    struct row row;
    int64_t offset;
    uint64_t random;
};

static void rig_open(struct rig *rig, const char *view)
{
    memset(rig, 0, sizeof *rig);
    rig->catalog = load_view_text(view);
    rig->view = rig->catalog->views[0];
    rig->random = 42;
    const struct paths *paths = rig->view->topic->paths;
    rig->values = mem_zalloc(paths->count * sizeof *rig->values);
    for (size_t i = 0; i < paths->count; i++)
        rig->values[i] = (struct value){.type = VALUE_NUMBER, .text = slice_of("12.5")};
    const struct path_node *type = path_child(&paths->root, "event_type", strlen("event_type"));
    rig->type_slot = type == NULL ? PATH_NONE : type->slot;
    rig->row.readings = mem_alloc(rig->view->field_count * sizeof *rig->row.readings);
}

static void rig_new_shard(struct rig *rig, int64_t now_ms)
{
    rig->tallies[0] = &rig->tally;
    rig->shard = shard_new(rig->view->topic, rig->tallies, 7, now_ms);
    shard_tell(rig->shard, now_ms);
    shard_go_live(rig->shard);
}

static void rig_close(struct rig *rig)
{
    shard_free(rig->shard);
    catalog_free(rig->catalog);
    free(rig->values);
    free(rig->row.readings);
}

static void apply(struct rig *rig, uint64_t key, int64_t ts_ms)
{
    char identity[32];
    int len = snprintf(identity, sizeof identity, "%llu", (unsigned long long)key);
    struct routed routed = {ts_ms, {identity, (size_t)len}, ts_ms};
    if (rig->type_slot != PATH_NONE) {
        bool is_purchase = random_below(&rig->random, 4) == 0;
        rig->values[rig->type_slot] = (struct value){
            .type = VALUE_STRING, .text = slice_of(is_purchase ? "purchase" : "page_view")};
    }
    shard_apply(rig->shard, 0, &routed, rig->values, rig->offset++, KNOW_FED);
}

/* What the worker does with an entity that is to be written, the bytes left out. */
static void write_entity(struct rig *rig, struct entity_ref entity)
{
    shard_read(rig->shard, entity, &rig->row);
    ledger_acknowledge(&rig->shard->ledger);
    shard_written(rig->shard, entity, rig->row.as_of_ms, rig->row.next_ms, rig->shard->generation);
}

static void write_arrivals(struct rig *rig)
{
    struct entity_ref entity;
    while (shard_take_arrival(rig->shard, &entity, NULL))
        write_entity(rig, entity);
}

static void write_decays(struct rig *rig, int64_t now_ms)
{
    struct entity_ref entity;
    size_t looks = SIZE_MAX;
    while (shard_take_decay(rig->shard, now_ms, &looks, &entity))
        write_entity(rig, entity);
}

/* ---- bytes ---- */

/* A week: events at random, in the order of time, each written at once; what decays is written
 * every six hours. */
static void live_a_week(struct rig *rig, uint64_t keys, uint64_t events_a_week)
{
    int64_t begun_ms = NOW_MS - WEEK_MS;
    uint64_t events = keys * events_a_week;
    for (uint64_t i = 0; i < events; i++) {
        int64_t now_ms = begun_ms + (int64_t)((double)i / (double)events * (double)WEEK_MS);
        shard_tell(rig->shard, now_ms);
        apply(rig, random_below(&rig->random, keys), now_ms);
        write_arrivals(rig);
        if (i % (events / STEPS) == 0)
            write_decays(rig, now_ms);
    }
    shard_tell(rig->shard, NOW_MS);
    write_decays(rig, NOW_MS);
}

static void measure_bytes(const char *view, uint64_t keys, uint64_t events_a_week)
{
    struct rig rig;
    rig_open(&rig, view);
    int64_t begun_ns = cpu_ns();
    rig_new_shard(&rig, NOW_MS - WEEK_MS);
    live_a_week(&rig, keys, events_a_week);
    size_t count = shard_count(rig.shard);
    result("keys", (double)count);
    result("bytes_per_key", (double)shard_bytes(rig.shard) / (double)count);
    result("event_ns", (double)(cpu_ns() - begun_ns) / (double)(keys * events_a_week));
    rig_close(&rig);
}

/* ---- costs ---- */

/* Every key has one bucket, of several events, whatever their number: so an update does the same
 * work in a small table and in a large one. */
static void fill(struct rig *rig, uint64_t keys)
{
    for (uint64_t key = 0; key < keys; key++) {
        apply(rig, key, NOW_MS);
        apply(rig, key, NOW_MS);
        write_arrivals(rig);
    }
}

/* Taking, reading and acknowledging what updates have held; of each entity. */
static double measure_writes(struct rig *rig)
{
    size_t count = rig->shard->ledger.count;
    int64_t begun_ns = cpu_ns();
    write_arrivals(rig);
    return (double)(cpu_ns() - begun_ns) / (double)count;
}

static double measure_updates(struct rig *rig, uint64_t keys)
{
    int64_t begun_ns = cpu_ns();
    for (int i = 0; i < SAMPLES; i++)
        apply(rig, random_below(&rig->random, keys), NOW_MS);
    return (double)(cpu_ns() - begun_ns) / SAMPLES;
}

/* Of each entity that is dirty, in the order in which they have become so. */
static double measure_blobs(struct rig *rig)
{
    static const char definition[] = "0123456789abcdef0123456789abcdef";
    struct buf blob = {NULL, 0, 0};
    struct entity_ref ref;
    bool is_held = false;
    size_t count = 0;
    int64_t begun_ns = cpu_ns();
    shard_begin_saving(rig->shard);
    for (; shard_take_saving(rig->shard, &ref, &is_held); count++) {
        buf_reset(&blob);
        shard_write_blob(rig->shard, ref, definition, &blob);
    }
    double cost_ns = (double)(cpu_ns() - begun_ns) / (double)count;
    buf_fini(&blob);
    return cost_ns;
}

static double measure_reads(struct rig *rig, uint64_t keys)
{
    int64_t begun_ns = cpu_ns();
    for (int i = 0; i < SAMPLES; i++)
        shard_read(rig->shard, (struct entity_ref){0, (uint32_t)random_below(&rig->random, keys)},
                   &rig->row);
    return (double)(cpu_ns() - begun_ns) / SAMPLES;
}

/* From bytes to bucket, as the worker does it. */
static double measure_events(struct rig *rig, uint64_t keys)
{
    char(*texts)[TEXT_MAX] = mem_alloc(SAMPLES * sizeof *texts);
    for (size_t i = 0; i < SAMPLES; i++)
        (void)snprintf(texts[i], TEXT_MAX,
                       "{\"user_id\":\"%llu\",\"event_type\":\"%s\",\"amount\":12.5,\"ts\":%lld}",
                       (unsigned long long)random_below(&rig->random, keys),
                       i % 4 == 0 ? "purchase" : "page_view", (long long)NOW_MS);
    struct decoder *decoder = decoder_new(
        &(struct decode_limits){.event_bytes = 1 << 18, .nesting = 64, .key_bytes = 256});
    int64_t begun_ns = cpu_ns();
    for (size_t i = 0; i < SAMPLES; i++) {
        struct record record = {.value = slice_of(texts[i]), .timestamp_ms = NOW_MS};
        struct event event;
        struct routed routed;
        if (decode(decoder, rig->view->topic, &record, &event) != VERDICT_ACCEPTED ||
            decode_for_view(decoder, rig->view, &event, NOW_MS, &routed) != VERDICT_ACCEPTED)
            DIE("an event is refused");
        shard_apply(rig->shard, 0, &routed, event.values, rig->offset++, KNOW_FED);
    }
    double cost_ns = (double)(cpu_ns() - begun_ns) / SAMPLES;
    decoder_free(decoder);
    free(texts);
    return cost_ns;
}

static void measure_cost(uint64_t keys)
{
    struct rig rig;
    rig_open(&rig, SHOP_VIEW);
    rig_new_shard(&rig, NOW_MS);
    fill(&rig, keys);
    (void)measure_updates(&rig, keys); /* the ledger grows to its size */
    (void)measure_writes(&rig);
    result("update_ns", measure_updates(&rig, keys));
    result("write_ns", measure_writes(&rig));
    result("read_ns", measure_reads(&rig, keys));
    result("event_ns", measure_events(&rig, keys));
    (void)measure_writes(&rig);
    rig.shard->keeps_blobs = true;
    (void)measure_updates(&rig, keys); /* the list of dirty ones grows to its size, too */
    (void)measure_blobs(&rig);
    (void)measure_writes(&rig);
    (void)measure_updates(&rig, keys);
    (void)measure_writes(&rig);
    result("blob_ns", measure_blobs(&rig));
    result("kept_ns", measure_updates(&rig, keys));
    rig_close(&rig);
}

/* ---- windows ---- */

enum { WINDOW_KEYS = 20000, WINDOW_EVENTS = 20, WINDOW_SAMPLES = 1000000 };

static void measure_windows_of(const char *view, const char *update, const char *read)
{
    struct rig rig;
    rig_open(&rig, view);
    rig_new_shard(&rig, NOW_MS - WEEK_MS);
    live_a_week(&rig, WINDOW_KEYS, WINDOW_EVENTS);
    int64_t begun_ns = cpu_ns();
    for (int64_t i = 0; i < WINDOW_SAMPLES; i++) {
        shard_tell(rig.shard, NOW_MS + i / 100);
        apply(&rig, random_below(&rig.random, WINDOW_KEYS), NOW_MS + i / 100);
    }
    result(update, (double)(cpu_ns() - begun_ns) / WINDOW_SAMPLES);
    result(read, measure_reads(&rig, WINDOW_KEYS));
    rig_close(&rig);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    uint64_t keys = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
    if (argc == 4 && strcmp(what, "bytes") == 0)
        measure_bytes(SHOP_VIEW, keys, strtoull(argv[3], NULL, 10));
    else if (argc == 4 && strcmp(what, "value-bytes") == 0)
        measure_bytes(VALUES_VIEW("[1h, 24h, 7d]"), keys, strtoull(argv[3], NULL, 10));
    else if (argc == 3 && strcmp(what, "cost") == 0)
        measure_cost(keys);
    else if (argc == 2 && strcmp(what, "windows") == 0) {
        measure_windows_of(VALUES_VIEW("[7d]"), "update_1_ns", "read_1_ns");
        measure_windows_of(VALUES_VIEW("[1h, 24h, 7d]"), "update_3_ns", "read_3_ns");
    } else
        DIE("usage: state bytes|value-bytes KEYS EVENTS_A_WEEK | cost KEYS | windows");
    return 0;
}
