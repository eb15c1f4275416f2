#include "metrics/answers.h"

#include <string.h>

#include "metrics/health.h"
#include "tidewheel/expose.h"
#include "tidewheel/json_text.h"

enum { OK = 200, UNAVAILABLE = 503 };

static unsigned write_metrics(const struct question *question, struct buf *body)
{
    expose_all(question->display, question->wall_ms, question->mono_ms, body);
    return OK;
}

static unsigned write_live(const struct question *question, struct buf *body)
{
    struct scrape scrape;
    scrape_init(&scrape, question->display, question->wall_ms, question->mono_ms);
    bool is_live = health_is_live(&scrape, body);
    scrape_fini(&scrape);
    return is_live ? OK : UNAVAILABLE;
}

/* What is not well is always said; what is well to who asks. */
static unsigned write_ready(const struct question *question, struct buf *body)
{
    struct scrape scrape;
    scrape_init(&scrape, question->display, question->wall_ms, question->mono_ms);
    bool is_ready = health_is_ready(&scrape, body);
    scrape_fini(&scrape);
    if (is_ready && !question->is_verbose) {
        buf_reset(body);
        buf_add_text(body, "ok\n");
    }
    return is_ready ? OK : UNAVAILABLE;
}

static void add_text(struct buf *body, const char *name, const char *value)
{
    json_text_add(body, slice_of(name));
    buf_add_char(body, ':');
    json_text_add(body, slice_of(value));
}

static unsigned write_version(const struct question *question, struct buf *body)
{
    buf_add_char(body, '{');
    add_text(body, "version", question->display->version);
    buf_add_char(body, ',');
    add_text(body, "librdkafka", question->display->kafka_version);
    buf_add_char(body, ',');
    add_text(body, "hiredis", question->display->redis_version);
    buf_add_text(body, "}\n");
    return OK;
}

/* ---- /debug/state ---- */

static const struct {
    const char *name;
    enum board_unit_cell cell;
} UNIT_NUMBERS[] = {
    {"start", UNIT_START},         {"position", UNIT_POSITION},
    {"live_at", UNIT_LIVE_AT},     {"durable", UNIT_DURABLE},
    {"committed", UNIT_COMMITTED}, {"end", UNIT_END},
    {"entities", UNIT_ENTITIES},   {"bytes", UNIT_BYTES},
    {"record_ms", UNIT_RECORD_MS}, {"checkpoint_ms", UNIT_CHECKED_MS},
};

/* null: not known. */
static void add_number(struct buf *body, const char *name, int64_t value)
{
    if (value < 0)
        buf_printf(body, ",\"%s\":null", name);
    else
        buf_printf(body, ",\"%s\":%lld", name, (long long)value);
}

static void add_unit(struct buf *body, const struct shown_unit *shown)
{
    const struct board_unit *unit = shown->unit;
    buf_add_char(body, '{');
    add_text(body, "topic", unit->topic);
    buf_printf(body, ",\"partition\":%d,\"worker\":%d,", (int)unit->partition,
               shown->board->number);
    add_text(body, "state", stage_names[cell_get(&unit->cells[UNIT_STAGE])]);
    for (size_t i = 0; i < sizeof UNIT_NUMBERS / sizeof *UNIT_NUMBERS; i++)
        add_number(body, UNIT_NUMBERS[i].name, cell_get(&unit->cells[UNIT_NUMBERS[i].cell]));
    add_number(body, "lag", unit_lag(unit));
    buf_add_char(body, '}');
}

static unsigned write_state(const struct question *question, struct buf *body)
{
    struct scrape scrape;
    scrape_init(&scrape, question->display, question->wall_ms, question->mono_ms);
    buf_printf(body, "{\"now_ms\":%lld,\"topics_missing\":[", (long long)question->wall_ms);
    for (size_t i = 0; i < scrape.missing.count; i++) {
        buf_add_text(body, i == 0 ? "" : ",");
        json_text_add(body, slice_of(scrape.missing.of[i]));
    }
    buf_add_text(body, "],\"partitions\":[");
    for (size_t i = 0; i < scrape.unit_count; i++) {
        buf_add_text(body, i == 0 ? "\n" : ",\n");
        add_unit(body, &scrape.units[i]);
    }
    buf_add_text(body, "\n]}\n");
    scrape_fini(&scrape);
    return OK;
}

/* ---- all of them ---- */

static const char PLAIN[] = "text/plain; charset=utf-8";
static const char JSON[] = "application/json";

static const struct answer ANSWERS[] = {
    {"/metrics", EXPOSE_CONTENT_TYPE, write_metrics},
    {"/livez", PLAIN, write_live},
    {"/readyz", PLAIN, write_ready},
    {"/version", JSON, write_version},
    {"/debug/state", JSON, write_state},
};

const struct answer *answer_find(const char *path)
{
    for (size_t i = 0; i < sizeof ANSWERS / sizeof *ANSWERS; i++)
        if (strcmp(ANSWERS[i].path, path) == 0)
            return &ANSWERS[i];
    return NULL;
}
