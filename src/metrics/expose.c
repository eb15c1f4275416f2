#include "tidewheel/expose.h"

#include <math.h>

#include "metrics/scrape.h"
#include "tidewheel/num.h"

/* ---- text ---- */

/* A label's value stands in quotes, a HELP text does not. */
static void add_escaped(struct buf *text, const char *value, bool is_quoted)
{
    for (; *value != '\0'; value++) {
        if (*value == '\\')
            buf_add_text(text, "\\\\");
        else if (*value == '\n')
            buf_add_text(text, "\\n");
        else if (*value == '"' && is_quoted)
            buf_add_text(text, "\\\"");
        else
            buf_add_char(text, *value);
    }
}

static void add_number(struct buf *text, double value)
{
    char number[NUM_TEXT_MAX];
    if (isfinite(value))
        buf_add(text, number, num_format(value, number));
    else
        buf_add_text(text, isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf");
}

void expose_begin(const struct metric *metric, struct buf *text)
{
    buf_printf(text, "# HELP %s ", metric->name);
    add_escaped(text, metric->help, false);
    buf_printf(text, "\n# TYPE %s %s\n", metric->name, metric_type_names[metric->type]);
}

void expose_sample(const char *name, const char *suffix, const struct label *labels, size_t count,
                   double value, struct buf *text)
{
    buf_add_text(text, name);
    buf_add_text(text, suffix);
    for (size_t i = 0; i < count; i++) {
        buf_add_char(text, i == 0 ? '{' : ',');
        buf_add_text(text, labels[i].name);
        buf_add_text(text, "=\"");
        add_escaped(text, labels[i].value, true);
        buf_add_char(text, '"');
    }
    buf_add_text(text, count > 0 ? "} " : " ");
    add_number(text, value);
    buf_add_char(text, '\n');
}

void expose_histogram(const char *name, const struct label *labels, size_t count,
                      const struct buckets *buckets, const int64_t *of, int64_t sum,
                      struct buf *text)
{
    struct label all[LABELS_MAX + 1];
    struct buf bound = {NULL, 0, 0};
    int64_t total = 0;
    CHECK(count <= LABELS_MAX);
    for (size_t i = 0; i < count; i++)
        all[i] = labels[i];
    for (size_t i = 0; i <= buckets->count; i++) {
        total += of[i];
        buf_reset(&bound);
        add_number(&bound, i < buckets->count
                               ? (double)buckets->bounds[i] / (double)buckets->per_unit
                               : INFINITY);
        all[count] = (struct label){"le", buf_text(&bound)};
        expose_sample(name, "_bucket", all, count + 1, (double)total, text);
    }
    buf_fini(&bound);
    expose_sample(name, "_sum", labels, count, (double)sum / (double)buckets->per_unit, text);
    expose_sample(name, "_count", labels, count, (double)total, text);
}

/* ---- all of it ---- */

void expose_all(const struct display *display, int64_t wall_ms, int64_t mono_ms, struct buf *text)
{
    struct scrape scrape;
    scrape_init(&scrape, display, wall_ms, mono_ms);
    process_read(&scrape.process);
    for (size_t i = 0; i < metric_count; i++) {
        expose_begin(&metric_rows[i], text);
        metric_rows[i].add(&scrape, &metric_rows[i], text);
    }
    scrape_fini(&scrape);
}
