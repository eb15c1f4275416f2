/* fuzz_pipeline: any bytes as a pipeline file.
 *
 * What is refused says why, a line for each problem; what is accepted is whole: every feature has
 * windows that nest and fields that read off it, and every entity gets a key that is not the
 * worker's.
 */
#include "tidewheel/pipeline.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_report(struct buf *report)
{
    const char *text = buf_text(report);
    CHECK(report->len > 0 && report->ptr[report->len - 1] == '\n');
    CHECK(strlen(text) == report->len);
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1)
        CHECK(strncmp(line, "fuzz.yaml:", 10) == 0);
    for (const char *at = text; *at != '\0'; at++)
        CHECK(*at == '\n' || ((unsigned char)*at >= 0x20 && *at != 0x7f));
}

static void check_feature(const struct feature *feature)
{
    CHECK(feature->window_count > 0 && feature->window_count <= SERIES_WINDOWS_MAX);
    CHECK(feature->aggregate_count > 0 && *feature->name != '\0');
    CHECK(window_hops_nest(feature->windows, feature->window_count));
    for (size_t i = 0; i < feature->window_count; i++) {
        CHECK(feature->windows[i].length_ms >= WINDOW_MS_MIN);
        CHECK(feature->windows[i].length_ms <= WINDOW_MS_MAX && feature->windows[i].hop_ms >= 1);
    }
    for (size_t i = 0; i < feature->aggregate_count; i++)
        CHECK(feature->value_path != NULL || !feature->aggregates[i]->needs_value);
    CHECK((feature->value_path != NULL) == (feature->value_slot != PATH_NONE));
}

/* The most spiteful identity that encoding lets through. */
static void check_key(const struct view *view, const struct template *template)
{
    struct buf identity = {NULL, 0, 0};
    struct buf key = {NULL, 0, 0};
    for (size_t i = 0; i < view->key_count; i++)
        buf_add_text(&identity, i == 0 ? "tw" : ":tw");
    template_render(template, buf_slice(&identity), view->has_tenant, &key);
    CHECK(key.len > 0 && strncmp(buf_text(&key), "{tw:", 4) != 0);
    buf_fini(&identity);
    buf_fini(&key);
}

static void check_view(const struct view *view)
{
    size_t fields = 0;
    for (size_t i = 0; i < view->feature_count; i++) {
        check_feature(&view->features[i]);
        fields += view->features[i].window_count * view->features[i].aggregate_count;
    }
    CHECK(view->feature_count > 0 && fields == view->field_count && fields <= OUTPUT_FIELDS_MAX);
    for (size_t i = 0; i < fields; i++)
        CHECK(*view->fields[i].name != '\0');
    CHECK(view->key_count > view->has_tenant &&
          view->ttl_ms >= view->longest_ms + view->longest_hop_ms);
    CHECK(view->key_ttl_ms == view->ttl_ms && view->freshness_ttl_ms == view->ttl_ms);
    check_key(view, &view->key);
    check_key(view, &view->freshness_key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf report = {NULL, 0, 0};
    struct catalog *catalog = NULL;
    struct slice text = {(const char *)data, size};
    if (pipeline_load_text("fuzz.yaml", text, &report, &catalog) != 0) {
        check_report(&report);
    } else {
        CHECK(report.len == 0 && catalog->view_count == 1);
        check_view(catalog->views[0]);
    }
    catalog_free(catalog);
    buf_fini(&report);
    return 0;
}
