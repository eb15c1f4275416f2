#include "tidewheel/metric.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "metrics/health.h"
#include "metrics/scrape.h"
#include "tidewheel/expose.h"

const char *const metric_type_names[] = {
    [METRIC_COUNTER] = "counter",
    [METRIC_GAUGE] = "gauge",
    [METRIC_HISTOGRAM] = "histogram",
};

/* ---- of the whole ---- */

static double scaled(const struct metric *metric, int64_t value)
{
    return (double)value / (double)(metric->per_unit > 0 ? metric->per_unit : 1);
}

static void add_plain(const struct metric *metric, double value, struct buf *text)
{
    expose_sample(metric->name, "", NULL, 0, value, text);
}

static void add_sum(const struct scrape *scrape, const struct metric *metric, struct buf *text)
{
    add_plain(metric, scaled(metric, scrape_sum(scrape, (enum board_cell)metric->of)), text);
}

static void add_max(const struct scrape *scrape, const struct metric *metric, struct buf *text)
{
    add_plain(metric, scaled(metric, scrape_max(scrape, (enum board_cell)metric->of)), text);
}

static void add_min(const struct scrape *scrape, const struct metric *metric, struct buf *text)
{
    add_plain(metric, scaled(metric, scrape_min(scrape, (enum board_cell)metric->of)), text);
}

static void add_results(const struct scrape *scrape, const struct metric *metric, struct buf *text)
{
    for (int i = 0; metric->values[i] != NULL; i++) {
        struct label label = {metric->labels, metric->values[i]};
        int64_t value = scrape_sum(scrape, (enum board_cell)(metric->of + i));
        expose_sample(metric->name, "", &label, 1, (double)value, text);
    }
}

static void add_build(const struct scrape *scrape, const struct metric *metric, struct buf *text)
{
    const struct label labels[] = {
        {"version", scrape->display->version},
        {"librdkafka", scrape->display->kafka_version},
        {"hiredis", scrape->display->redis_version},
    };
    expose_sample(metric->name, "", labels, sizeof labels / sizeof *labels, 1, text);
}

static void add_ready(const struct scrape *scrape, const struct metric *metric, struct buf *text)
{
    add_plain(metric, health_is_ready(scrape, NULL) ? 1 : 0, text);
}

static void add_limit(const struct scrape *scrape, const struct metric *metric, struct buf *text)
{
    add_plain(metric, (double)scrape->display->memory_limit, text);
}

static void add_fullest(const struct scrape *scrape, const struct metric *metric, struct buf *text)
{
    add_plain(metric, scrape_fullest(scrape), text);
}

static void add_process(const struct scrape *scrape, const struct metric *metric, struct buf *text)
{
    double value = scrape->process.values[metric->of];
    if (!isnan(value))
        add_plain(metric, value, text);
}

static void add_topics_missing(const struct scrape *scrape, const struct metric *metric,
                               struct buf *text)
{
    add_plain(metric, (double)scrape->missing.count, text);
}

static void add_reasons(const struct scrape *scrape, const struct metric *metric, struct buf *text)
{
    for (int reason = 0; reason < REASON_COUNT; reason++) {
        struct label label = {metric->labels, reason_name(reason)};
        int64_t count = 0;
        if (label.value == NULL)
            continue;
        for (size_t i = 0; i < scrape->display->board_count; i++)
            count += cell_get(&scrape->display->boards[i]->letters[reason]);
        expose_sample(metric->name, "", &label, 1, (double)count, text);
    }
}

static void add_stages(const struct scrape *scrape, const struct metric *metric, struct buf *text)
{
    int64_t counts[STAGE_COUNT] = {0};
    for (size_t i = 0; i < scrape->unit_count; i++)
        counts[cell_get(&scrape->units[i].unit->cells[UNIT_STAGE])]++;
    for (int stage = STAGE_AWAY + 1; stage < STAGE_COUNT; stage++) {
        struct label label = {metric->labels, stage_names[stage]};
        if (stage != STAGE_PARKED)
            expose_sample(metric->name, "", &label, 1, (double)counts[stage], text);
    }
}

/* ---- histograms ---- */

struct counts {
    int64_t of[HISTOGRAM_BOUNDS_MAX + 1];
    int64_t sum;
};

static void count_in(struct counts *counts, const struct histogram *histogram)
{
    for (size_t i = 0; i <= HISTOGRAM_BOUNDS_MAX; i++)
        counts->of[i] += cell_get(&histogram->of[i]);
    counts->sum += cell_get(&histogram->sum);
}

static void add_histogram(const struct scrape *scrape, const struct metric *metric,
                          struct buf *text)
{
    struct counts counts = {.sum = 0};
    for (size_t i = 0; i < scrape->display->board_count; i++)
        count_in(&counts, (const struct histogram *)((const char *)scrape->display->boards[i] +
                                                     metric->offset));
    expose_histogram(metric->name, NULL, 0, metric->buckets, counts.of, counts.sum, text);
}

/* ---- of each topic ---- */

static void add_missing(const struct scrape *scrape, const struct metric *metric, struct buf *text)
{
    for (size_t i = 0; i < scrape->topics.count; i++) {
        struct label label = {metric->labels, scrape->topics.of[i]};
        int64_t count = scrape_missing(scrape, label.value);
        expose_sample(metric->name, "", &label, 1, (double)count, text);
    }
}

/* ---- of each view ---- */

static void add_views(const struct scrape *scrape, const struct metric *metric, struct buf *text)
{
    for (size_t i = 0; i < scrape->views.count; i++) {
        struct label label = {metric->labels, scrape->views.of[i]};
        int64_t one = 0;
        if (scrape_view_max(scrape, label.value, VIEW_IS_CURRENT, &one))
            expose_sample(metric->name, "", &label, 1, (double)one, text);
    }
}

static void add_latency(const struct scrape *scrape, const struct metric *metric, struct buf *text)
{
    for (size_t i = 0; i < scrape->views.count; i++) {
        struct label label = {metric->labels, scrape->views.of[i]};
        struct counts counts = {.sum = 0};
        for (size_t k = 0; k < scrape->display->board_count; k++) {
            const struct board_view *view =
                board_find_view(scrape->display->boards[k], label.value);
            if (view != NULL)
                count_in(&counts, &view->latency);
        }
        expose_histogram(metric->name, &label, 1, metric->buckets, counts.of, counts.sum, text);
    }
}

static void add_events(const struct scrape *scrape, const struct metric *metric, struct buf *text)
{
    for (size_t i = 0; i < scrape->views.count; i++) {
        uint64_t counts[VERDICT_COUNT] = {0};
        for (size_t k = 0; k < scrape->display->board_count; k++) {
            const struct board_view *view =
                board_find_view(scrape->display->boards[k], scrape->views.of[i]);
            for (int verdict = 0; view != NULL && verdict < VERDICT_COUNT; verdict++)
                counts[verdict] += tally_read(&view->tally, (enum verdict)verdict);
        }
        for (int verdict = 0; verdict < VERDICT_COUNT; verdict++) {
            const struct label labels[] = {{"view", scrape->views.of[i]},
                                           {"result", verdict_rows[verdict].name}};
            expose_sample(metric->name, "", labels, 2, (double)counts[verdict], text);
        }
    }
}

static void add_freshness(const struct scrape *scrape, const struct metric *metric,
                          struct buf *text)
{
    for (size_t i = 0; i < scrape->views.count; i++) {
        struct label label = {metric->labels, scrape->views.of[i]};
        int64_t newest_ms = -1;
        if (!scrape_view_max(scrape, label.value, (enum board_view_cell)metric->of, &newest_ms) ||
            newest_ms < 0)
            continue;
        int64_t age_ms = scrape->wall_ms - newest_ms; /* an event may be a little ahead */
        expose_sample(metric->name, "", &label, 1, scaled(metric, age_ms > 0 ? age_ms : 0), text);
    }
}

static void add_aside(const struct scrape *scrape, const struct metric *metric, struct buf *text)
{
    int64_t sum = 0;
    for (size_t i = 0; i < scrape->views.count; i++)
        sum += scrape_view_sum(scrape, scrape->views.of[i], (enum board_view_cell)metric->of);
    add_plain(metric, (double)sum, text);
}

/* ---- of each unit ---- */

static void add_of_unit(const struct metric *metric, const struct board_unit *unit, double value,
                        struct buf *text)
{
    char partition[16];
    (void)snprintf(partition, sizeof partition, "%d", (int)unit->partition);
    const struct label labels[] = {{"topic", unit->topic}, {"partition", partition}};
    expose_sample(metric->name, "", labels, 2, value, text);
}

static int64_t of_unit(const struct shown_unit *shown, enum board_unit_cell cell)
{
    return cell_get(&shown->unit->cells[cell]);
}

static void add_units(const struct scrape *scrape, const struct metric *metric, struct buf *text)
{
    for (size_t i = 0; i < scrape->unit_count; i++) {
        int64_t value = of_unit(&scrape->units[i], (enum board_unit_cell)metric->of);
        if (value >= 0)
            add_of_unit(metric, scrape->units[i].unit, scaled(metric, value), text);
    }
}

static void add_lag(const struct scrape *scrape, const struct metric *metric, struct buf *text)
{
    for (size_t i = 0; i < scrape->unit_count; i++) {
        int64_t lag = unit_lag(scrape->units[i].unit);
        if (lag >= 0)
            add_of_unit(metric, scrape->units[i].unit, (double)lag, text);
    }
}

/* The time of a moment that is in a cell. */
static double seconds_since(const struct scrape *scrape, int64_t then_ms)
{
    return scrape->wall_ms > then_ms ? (double)(scrape->wall_ms - then_ms) / 1000 : 0;
}

static void add_lag_seconds(const struct scrape *scrape, const struct metric *metric,
                            struct buf *text)
{
    for (size_t i = 0; i < scrape->unit_count; i++) {
        const struct board_unit *unit = scrape->units[i].unit;
        int64_t lag = unit_lag(unit);
        int64_t record_ms = of_unit(&scrape->units[i], UNIT_RECORD_MS);
        if (lag == 0)
            add_of_unit(metric, unit, 0, text);
        else if (lag > 0 && record_ms >= 0)
            add_of_unit(metric, unit, seconds_since(scrape, record_ms), text);
    }
}

static void add_ages(const struct scrape *scrape, const struct metric *metric, struct buf *text)
{
    for (size_t i = 0; i < scrape->unit_count; i++) {
        int64_t then_ms = of_unit(&scrape->units[i], (enum board_unit_cell)metric->of);
        if (then_ms >= 0)
            add_of_unit(metric, scrape->units[i].unit, seconds_since(scrape, then_ms), text);
    }
}

/* ---- the table ---- */

static const char *const OK_OR_FAILED[] = {"ok", "failed", NULL};
static const char *const OK_OR_REFUSED[] = {"ok", "refused", NULL};

enum { MS = 1000 };

/* clang-format off */
const struct metric metric_rows[] = {
    {"tidewheel_build_info", METRIC_GAUGE, "version,librdkafka,hiredis",
     "Always 1; the labels are the versions.", .add = add_build},
    {"tidewheel_view_info", METRIC_GAUGE, "view",
     "Always 1, for each view of the pipelines that run; one that a reload has taken out has its counters only.", .add = add_views},
    {"tidewheel_events_total", METRIC_COUNTER, "view,result",
     "Events by what became of them in a view; an accepted one is counted as accepted and under what its features said.", .add = add_events},
    {"tidewheel_records_total", METRIC_COUNTER, "",
     "Records of Kafka that were looked at, those read again among them.", .add = add_sum, .of = BOARD_RECORDS},
    {"tidewheel_ready", METRIC_GAUGE, "",
     "1 if /readyz says so: in the group, Redis and Kafka answer, all partitions are live, intake runs.", .add = add_ready},
    {"tidewheel_kafka_up", METRIC_GAUGE, "",
     "1 if Kafka answers every worker.", .add = add_min, .of = BOARD_KAFKA_UP},
    {"tidewheel_kafka_topics_missing", METRIC_GAUGE, "",
     "Topics of the pipelines that Kafka does not have, by its last answer.", .add = add_topics_missing},
    {"tidewheel_redis_up", METRIC_GAUGE, "",
     "1 if Redis answers every worker.", .add = add_min, .of = BOARD_REDIS_UP},
    {"tidewheel_kafka_consumer_lag", METRIC_GAUGE, "topic,partition",
     "Records between our position and the end of the log, as far as it is known; absent while it is not.", .add = add_lag},
    {"tidewheel_kafka_consumer_lag_seconds", METRIC_GAUGE, "topic,partition",
     "0 at the end of the log, else the age of the last record applied by its Kafka timestamp; absent while it is not known.", .add = add_lag_seconds},
    {"tidewheel_kafka_records_missing_total", METRIC_COUNTER, "topic",
     "Records that Kafka's log lost before they were read; again for each view that is read by itself and lacks them.", .add = add_missing},
    {"tidewheel_kafka_commits_total", METRIC_COUNTER, "result",
     "Commits that Kafka has answered.", .add = add_results, .of = BOARD_COMMITS_OK, .values = OK_OR_FAILED},
    {"tidewheel_kafka_rebalances_total", METRIC_COUNTER, "",
     "Rebalances that the process has seen: assignments given to the worker that was given most.", .add = add_max, .of = BOARD_REBALANCES},
    {"tidewheel_partitions", METRIC_GAUGE, "state",
     "Partitions that are ours, by how far they are.", .add = add_stages},
    {"tidewheel_intake_paused", METRIC_GAUGE, "",
     "1 while a worker takes no records, because Redis is away or memory is full.", .add = add_max, .of = BOARD_PAUSED},
    {"tidewheel_redis_batches_total", METRIC_COUNTER, "",
     "Batches sent, each once however often it was sent again.", .add = add_sum, .of = BOARD_BATCHES},
    {"tidewheel_redis_entity_writes_total", METRIC_COUNTER, "",
     "Writes of an entity's features that Redis has acknowledged, decays among them.", .add = add_sum, .of = BOARD_WRITES},
    {"tidewheel_redis_batch_entities", METRIC_HISTOGRAM, "",
     "Entities whose features were in an acknowledged batch.", .add = add_histogram,
     .buckets = &entities_buckets, .offset = offsetof(struct board, batch_entities)},
    {"tidewheel_redis_batch_duration_seconds", METRIC_HISTOGRAM, "",
     "From sending a batch to its acknowledgement, retries included.", .add = add_histogram,
     .buckets = &duration_buckets, .offset = offsetof(struct board, batch_us)},
    {"tidewheel_redis_retries_total", METRIC_COUNTER, "",
     "Batches that were sent again.", .add = add_sum, .of = BOARD_RETRIES},
    {"tidewheel_redis_refused_entities", METRIC_GAUGE, "",
     "Entities that are set aside because a key of theirs has another type (WRONGTYPE).", .add = add_aside, .of = VIEW_ASIDE},
    {"tidewheel_decay_writes_total", METRIC_COUNTER, "",
     "Writes that no event asked for: values that time has changed, and what is published again.", .add = add_sum, .of = BOARD_DECAYS},
    {"tidewheel_decay_lag_seconds", METRIC_GAUGE, "",
     "How long the oldest change by time alone has been waiting to be written.", .add = add_max, .of = BOARD_DECAY_LAG_MS, .per_unit = MS},
    {"tidewheel_feature_freshness_seconds", METRIC_GAUGE, "view",
     "Age of the newest event whose write Redis has acknowledged; absent until there is one.", .add = add_freshness, .of = VIEW_NEWEST_MS, .per_unit = MS},
    {"tidewheel_end_to_end_latency_seconds", METRIC_HISTOGRAM, "view",
     "From Kafka's timestamp of the oldest event in an entity's write to its acknowledgement.", .add = add_latency, .buckets = &latency_buckets},
    {"tidewheel_checkpoints_total", METRIC_COUNTER, "",
     "Checkpoints of partitions that have ended.", .add = add_sum, .of = BOARD_CHECKPOINTS},
    {"tidewheel_checkpoint_bytes_total", METRIC_COUNTER, "",
     "Bytes of state that checkpoints have written.", .add = add_sum, .of = BOARD_CHECKPOINT_BYTES},
    {"tidewheel_checkpoint_age_seconds", METRIC_GAUGE, "topic,partition",
     "Since Redis had the state of the partition whole: what a restart would read again; 0 with nothing to save.", .add = add_ages, .of = UNIT_SAVED_MS},
    {"tidewheel_state_entities", METRIC_GAUGE, "topic,partition",
     "Entities in memory, once in each view.", .add = add_units, .of = UNIT_ENTITIES},
    {"tidewheel_state_bytes", METRIC_GAUGE, "topic,partition",
     "Memory of the windows.", .add = add_units, .of = UNIT_BYTES},
    {"tidewheel_state_limit_bytes", METRIC_GAUGE, "",
     "limits.memory, of all workers of the process together.", .add = add_limit},
    {"tidewheel_state_fullest_worker_ratio", METRIC_GAUGE, "",
     "Memory of the fullest worker's windows, of its share of limits.memory: every worker has the same.", .add = add_fullest},
    {"tidewheel_dead_letters_total", METRIC_COUNTER, "reason",
     "Events that were written to the dead letter topic.", .add = add_reasons},
    {"tidewheel_dead_letters_pending", METRIC_GAUGE, "",
     "Dead letters that Kafka has not acknowledged yet.", .add = add_sum, .of = BOARD_LETTERS_PENDING},
    {"tidewheel_dead_letter_failures_total", METRIC_COUNTER, "",
     "Attempts to write a dead letter that have failed.", .add = add_sum, .of = BOARD_LETTER_FAILURES},
    {"tidewheel_config_reloads_total", METRIC_COUNTER, "result",
     "Reloads of the pipelines (SIGHUP); a refused one has changed nothing.", .add = add_results, .of = BOARD_RELOADS_OK, .values = OK_OR_REFUSED},
    {"tidewheel_config_last_reload_success_timestamp_seconds", METRIC_GAUGE, "",
     "When the pipelines that run were loaded, in Unix time.", .add = add_max, .of = BOARD_RELOADED_MS, .per_unit = MS},
    {"process_cpu_seconds_total", METRIC_COUNTER, "",
     "User and system CPU time, in seconds.", .add = add_process, .of = PROCESS_CPU_SECONDS},
    {"process_resident_memory_bytes", METRIC_GAUGE, "",
     "Resident memory.", .add = add_process, .of = PROCESS_RESIDENT_BYTES},
    {"process_virtual_memory_bytes", METRIC_GAUGE, "",
     "Virtual memory.", .add = add_process, .of = PROCESS_VIRTUAL_BYTES},
    {"process_virtual_memory_max_bytes", METRIC_GAUGE, "",
     "The limit of virtual memory.", .add = add_process, .of = PROCESS_VIRTUAL_BYTES_MAX},
    {"process_open_fds", METRIC_GAUGE, "",
     "Open file descriptors.", .add = add_process, .of = PROCESS_OPEN_FDS},
    {"process_max_fds", METRIC_GAUGE, "",
     "The limit of open file descriptors.", .add = add_process, .of = PROCESS_MAX_FDS},
    {"process_start_time_seconds", METRIC_GAUGE, "",
     "When the process was started, in Unix time.", .add = add_process, .of = PROCESS_START_SECONDS},
};
/* clang-format on */

const size_t metric_count = sizeof metric_rows / sizeof *metric_rows;
