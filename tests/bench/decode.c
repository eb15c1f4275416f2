/* decode: what it costs to get from bytes to a routed event, beside yajl with nothing to do.
 *
 *     decode PIPELINE      yajl_ns, decode_ns, route_ns (time, key and where), all per event
 */
#include <yajl/yajl_parse.h>

#include "bench.h"
#include "tidewheel/decode.h"
#include "tidewheel/mem.h"
#include "tidewheel/route.h"

enum { EVENTS = 4096, EVENT_MAX = 256, ROUNDS = 500 };

#define NOW_MS INT64_C(1700000000000)

static char texts[EVENTS][EVENT_MAX];
static struct record records[EVENTS];

static void make_events(void)
{
    uint64_t random = 42;
    for (size_t i = 0; i < EVENTS; i++) {
        unsigned long long user = random_below(&random, 100000);
        bool is_purchase = random_below(&random, 4) == 0;
        int len =
            is_purchase
                ? snprintf(
                      texts[i], EVENT_MAX,
                      "{\"user_id\":\"%llu\",\"event_type\":\"purchase\",\"amount\":%llu.%02llu,"
                      "\"currency\":\"EUR\",\"ts\":%lld}",
                      user, (unsigned long long)random_below(&random, 90),
                      (unsigned long long)random_below(&random, 100), (long long)NOW_MS)
                : snprintf(texts[i], EVENT_MAX,
                           "{\"user_id\":\"%llu\",\"event_type\":\"page_view\","
                           "\"page\":\"/item/%llu\",\"ts\":%lld}",
                           user, (unsigned long long)random_below(&random, 1000),
                           (long long)NOW_MS);
        records[i] = (struct record){.value = {texts[i], (size_t)len}, .timestamp_ms = NOW_MS};
    }
}

static int on_value(void *arg)
{
    (void)arg;
    return 1;
}

static int on_boolean(void *arg, int truth)
{
    (void)arg;
    (void)truth;
    return 1;
}

static int on_text(void *arg, const unsigned char *ptr, size_t len)
{
    (void)arg;
    (void)ptr;
    (void)len;
    return 1;
}

static int on_number(void *arg, const char *ptr, size_t len)
{
    (void)arg;
    (void)ptr;
    (void)len;
    return 1;
}

static const yajl_callbacks NOTHING = {
    .yajl_null = on_value,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number,
    .yajl_string = on_text,
    .yajl_start_map = on_value,
    .yajl_map_key = on_text,
    .yajl_end_map = on_value,
    .yajl_start_array = on_value,
    .yajl_end_array = on_value,
};

static double measure_yajl(void)
{
    int64_t begun_ns = cpu_ns();
    for (size_t i = 0; i < (size_t)EVENTS * ROUNDS; i++) {
        const struct slice *bytes = &records[i % EVENTS].value;
        yajl_handle handle = yajl_alloc(&NOTHING, NULL, NULL);
        if (yajl_parse(handle, (const unsigned char *)bytes->ptr, bytes->len) != yajl_status_ok ||
            yajl_complete_parse(handle) != yajl_status_ok)
            DIE("yajl refuses an event");
        yajl_free(handle);
    }
    return (double)(cpu_ns() - begun_ns) / ((double)EVENTS * ROUNDS);
}

/* One event of the topic, through all its views. */
static unsigned route(struct decoder *decoder, const struct topic *topic, const struct event *event)
{
    unsigned said = 0;
    for (size_t i = 0; i < topic->view_count; i++) {
        const struct view *view = topic->views[i];
        struct routed routed;
        double value = 0;
        if (decode_for_view(decoder, view, event, NOW_MS, &routed) != VERDICT_ACCEPTED)
            DIE("an event is refused");
        for (size_t k = 0; k < view->feature_count; k++)
            said |= 1u << route_feature(&view->features[k], event->values, &value);
    }
    return said;
}

static double measure_ours(struct decoder *decoder, const struct topic *topic, bool is_routed)
{
    unsigned said = 0;
    int64_t begun_ns = cpu_ns();
    for (size_t i = 0; i < (size_t)EVENTS * ROUNDS; i++) {
        struct event event;
        if (decode(decoder, topic, &records[i % EVENTS], &event) != VERDICT_ACCEPTED)
            DIE("an event is refused");
        if (is_routed)
            said |= route(decoder, topic, &event);
    }
    if (is_routed && said == 0)
        DIE("nothing was routed");
    return (double)(cpu_ns() - begun_ns) / ((double)EVENTS * ROUNDS);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        DIE("usage: decode PIPELINE");
    struct catalog *catalog = load_views(argv[1]);
    struct decoder *decoder = decoder_new(
        &(struct decode_limits){.event_bytes = 1 << 18, .nesting = 64, .key_bytes = 256});
    make_events();
    (void)measure_ours(decoder, catalog->topics[0], true);
    result("yajl_ns", measure_yajl());
    double decode_ns = measure_ours(decoder, catalog->topics[0], false);
    result("decode_ns", decode_ns);
    result("route_ns", measure_ours(decoder, catalog->topics[0], true) - decode_ns);
    decoder_free(decoder);
    catalog_free(catalog);
    return 0;
}
