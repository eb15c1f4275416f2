/* fuzz_event: any bytes as an event, from decode to identity.
 *
 * What is accepted keeps strings of strict UTF-8 without NUL, numbers of the JSON grammar, a time
 * in range and an identity that splits again; and the same bytes give the same answer twice,
 * whatever came between.
 */
#include "tidewheel/decode.h"
#include "tidewheel/num.h"

enum { SLOTS = 8 };

static const char *const NAMES[SLOTS] = {"user_id", "ts",      "amount",        "order.total",
                                         "order",   "items.0", "items.1.price", "a.b.c.d"};

static struct topic topic;
static struct key_spec keys[2];
static struct view view;
static struct decoder *decoder;

static void open_once(void)
{
    if (decoder != NULL)
        return;
    topic.paths = paths_new();
    for (int i = 0; i < SLOTS; i++) {
        int slot = PATH_NONE;
        CHECK(paths_add(topic.paths, NAMES[i], &slot, NULL) == 0 && slot == i);
    }
    keys[0] = (struct key_spec){.type = KEY_STRING, .slot = 0};
    keys[1] = (struct key_spec){.type = KEY_INT64, .slot = 5};
    view = (struct view){.topic = &topic,
                         .time_unit = TIME_MS,
                         .time_slot = 1,
                         .keys = keys,
                         .key_count = 1,
                         .future_max_ms = 60000};
    decoder =
        decoder_new(&(struct decode_limits){.event_bytes = 65536, .nesting = 16, .key_bytes = 64});
}

/* Plain and slow: the code that is tested is not asked. */
static void check_text(struct slice text)
{
    const unsigned char *at = (const unsigned char *)text.ptr;
    const unsigned char *end = at + text.len;
    while (at < end) {
        int more = *at < 0x80 ? 0 : *at < 0xe0 ? 1 : *at < 0xf0 ? 2 : 3;
        uint32_t point = more == 0 ? *at : *at & (0x3fu >> more);
        CHECK(*at != 0 && (*at < 0x80 || (*at >= 0xc2 && *at <= 0xf4)) && more < end - at);
        for (at++; more > 0; more--, at++) {
            CHECK((*at & 0xc0) == 0x80);
            point = point << 6 | (*at & 0x3f);
        }
        CHECK(point < 0xd800 || (point > 0xdfff && point < 0x110000));
    }
}

static void check_values(const struct event *event)
{
    for (size_t i = 0; i < SLOTS; i++) {
        const struct value *value = &event->values[i];
        if (value->type == VALUE_STRING)
            check_text(value->text);
        else if (value->type == VALUE_NUMBER)
            CHECK(num_is_json(value->text.ptr, value->text.len, NULL));
        else
            CHECK(value->text.len == 0);
    }
}

static void check_identity(struct slice identity, size_t parts)
{
    struct buf again = {0};
    for (size_t i = 0; i < parts; i++) {
        struct buf raw = {0};
        key_decode(key_part(identity, i), &raw);
        CHECK(raw.len > 0 && raw.len <= 64);
        if (i > 0)
            buf_add_char(&again, ':');
        key_encode(raw.ptr, raw.len, &again);
        buf_fini(&raw);
    }
    CHECK(key_part(identity, parts).ptr == NULL);
    CHECK(slice_is_equal(identity, buf_slice(&again)));
    buf_fini(&again);
}

static enum verdict read_once(struct slice bytes, struct event *ret)
{
    struct record record = {.value = bytes, .timestamp_ms = -1};
    enum verdict verdict = decode(decoder, &topic, &record, ret);
    if (verdict != VERDICT_ACCEPTED)
        return verdict;
    check_values(ret);
    for (view.key_count = 1; view.key_count <= 2; view.key_count++) {
        struct routed routed;
        if (decode_for_view(decoder, &view, ret, INT64_MAX, &routed) == VERDICT_ACCEPTED) {
            CHECK(timestamp_is_valid(routed.ts_ms));
            check_identity(routed.identity, view.key_count);
        }
    }
    return verdict;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    open_once();
    struct slice bytes = {(const char *)data, size};
    struct event event;
    enum verdict first = read_once(bytes, &event);
    size_t duplicates = event.duplicates;
    enum value_type types[SLOTS] = {0};
    for (size_t i = 0; i < SLOTS && first == VERDICT_ACCEPTED; i++)
        types[i] = event.values[i].type;
    CHECK(read_once(slice_of("{\"order\":{\"total\":[\"\\n"), &event) == VERDICT_BAD_JSON);
    CHECK(read_once(bytes, &event) == first && event.duplicates == duplicates);
    for (size_t i = 0; i < SLOTS && first == VERDICT_ACCEPTED; i++)
        CHECK(event.values[i].type == types[i]);
    return 0;
}
