#include "kafka_private.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "tidewheel/clock.h"
#include "tidewheel/log.h"
#include "tidewheel/mem.h"

enum {
    SERVE_EVERY_POLLS = 256, /* so that a busy stream is not asked for the time at every record */
    PROBE_MS = 10000,
    PROBE_AWAY_MS = 1000,
    PROBE_TIMEOUT_MS = 100,
    REFUSED_MS_MAX = 15000,
    SLICE_MS = 100,
    COMMIT_AGAIN_MS = 1000,
};

static struct kafka_source *kafka_of(struct source *source)
{
    return (struct kafka_source *)source;
}

static void message_release(struct kafka_source *source)
{
    if (source->message != NULL)
        rd_kafka_message_destroy(source->message);
    source->message = NULL;
}

/* --- commits --- */

static void commit_add(rd_kafka_topic_partition_list_t *list, struct kafka_unit *unit,
                       int64_t now_ms)
{
    char metadata[COMMIT_METADATA_MAX];
    size_t len = commit_metadata_write(now_ms, metadata);
    rd_kafka_topic_partition_t *element =
        rd_kafka_topic_partition_list_add(list, unit->unit.topic->name, unit->unit.partition);
    element->offset = unit->commit_due;
    element->metadata = mem_strndup(metadata, len); /* the list frees it */
    element->metadata_size = len;
    unit->commit_due = -1;
}

static void commit_send(struct kafka_source *source)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
    int64_t now_ms = clock_wall_ms();
    FOR_EACH_UNIT(unit, source)
    {
        if (unit->commit_due >= 0)
            commit_add(list, unit, now_ms);
    }
    if (list->cnt > 0) {
        rd_kafka_resp_err_t code =
            rd_kafka_commit_queue(source->handle, list, source->commit_queue, NULL, NULL);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            source->commits_in_flight++;
        else
            log_limited(LOG_WARN, "commit", "worker=%d error=%s", source->number,
                        rd_kafka_err2name(code));
    }
    rd_kafka_topic_partition_list_destroy(list);
}

/* A commit that was refused, in a rebalance say, comes again for the units that are still ours, unless
 * a newer one waits already. */
static void commit_again(struct kafka_source *source, const rd_kafka_topic_partition_list_t *list)
{
    source->commit_mono_ms = clock_mono_ms() + COMMIT_AGAIN_MS;
    for (int i = 0; list != NULL && i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *element = &list->elems[i];
        const struct kafka_topic *topic = kafka_topic_named(source, element->topic);
        struct kafka_unit *unit = topic != NULL && element->partition < topic->unit_cap
                                      ? topic->units[element->partition]
                                      : NULL;
        if (unit != NULL && unit->unit.is_assigned && unit->commit_due < 0)
            unit->commit_due = element->offset;
    }
}

static void commit_answered(struct kafka_source *source, rd_kafka_event_t *event)
{
    const rd_kafka_topic_partition_list_t *list = rd_kafka_event_topic_partition_list(event);
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    for (int i = 0; list != NULL && i < list->cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
        code = list->elems[i].err;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        kafka_answers(source);
        log_debug("commit", "worker=%d units=%d", source->number, list != NULL ? list->cnt : 0);
    } else {
        log_limited(LOG_WARN, "commit", "worker=%d error=%s reason=\"%s\"", source->number,
                    rd_kafka_err2name(code), rd_kafka_err2str(code));
        commit_again(source, list);
    }
}

static void commit_drain(struct kafka_source *source, int64_t wait_ms)
{
    while (source->commits_in_flight > 0) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(source->commit_queue, (int)wait_ms);
        if (event == NULL)
            return;
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_OFFSET_COMMIT) {
            source->commits_in_flight--;
            commit_answered(source, event);
        }
        rd_kafka_event_destroy(event);
    }
}

/* One commit is under way at a time: with Kafka away they would pile up. What is newer waits in its
 * unit for the answer. Works inside the handler's revoked(): the answers have a queue of their own.
 */
static void kafka_commit(struct source *base, const struct commit *commits, size_t count,
                         int64_t wait_ms)
{
    struct kafka_source *source = kafka_of(base);
    for (size_t i = 0; i < count; i++)
        ((struct kafka_unit *)commits[i].unit)->commit_due = commits[i].offset;
    bool may_send = source->commits_in_flight == 0 && clock_mono_ms() >= source->commit_mono_ms;
    if (may_send || wait_ms > 0)
        commit_send(source);
    int64_t deadline_ms = clock_mono_ms() + wait_ms;
    for (int64_t left_ms = wait_ms; left_ms > 0 && source->commits_in_flight > 0;
         left_ms = deadline_ms - clock_mono_ms())
        commit_drain(source, left_ms < SLICE_MS ? left_ms : SLICE_MS);
}

/* --- poll --- */

static void probe(struct kafka_source *source)
{
    int64_t now_ms = clock_mono_ms();
    if (now_ms < source->probe_mono_ms)
        return;
    bool is_answered = kafka_check_counts(source, PROBE_TIMEOUT_MS);
    source->probe_mono_ms = clock_mono_ms() + (is_answered ? PROBE_MS : PROBE_AWAY_MS);
    if (source->refused_mono_ms >= 0 && now_ms - source->refused_mono_ms > REFUSED_MS_MAX)
        kafka_fail(source, "%s", source->trouble);
}

/* What is not a record: rarely anything. */
static void serve(struct kafka_source *source, int64_t *timeout_ms)
{
    kafka_nudge(source);
    commit_drain(source, 0);
    if (source->commits_in_flight == 0 && clock_mono_ms() >= source->commit_mono_ms)
        commit_send(source);
    if (source->lookup.is_running) {
        lookup_serve(source);
        int64_t left_ms = source->lookup.retry_mono_ms - clock_mono_ms();
        if (source->lookup.is_running && left_ms < *timeout_ms)
            *timeout_ms = left_ms > 0 ? left_ms : 0;
    } else {
        probe(source);
    }
}

static void read_again(struct kafka_source *source, struct kafka_unit *unit, const char *reason)
{
    log_warn("position", "worker=%d topic=%s partition=%d position=%lld reason=\"%s\"",
             source->number, unit->unit.topic->name, (int)unit->unit.partition,
             (long long)unit->next, reason);
    unit->waits_lookup = true;
    if (!source->lookup.is_running)
        lookup_start(&source->lookup);
}

static bool is_readable(const struct kafka_source *source, const struct kafka_unit *unit)
{
    return unit != NULL && unit->unit.is_assigned && !unit->waits_lookup && !source->is_paused;
}

/* Librdkafka tells of an end and of most errors in the place of a record. */
static void on_signal(struct kafka_source *source, const rd_kafka_message_t *message)
{
    struct kafka_unit *unit =
        message->rkt == NULL ? NULL : kafka_unit_of(source, message->rkt, message->partition);
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        if (!is_readable(source, unit) || message->offset < unit->next)
            return;
        unit->next = message->offset;
        source->handler.reached(source->handler.arg, &unit->unit, message->offset);
    } else if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET) {
        if (is_readable(source, unit))
            read_again(source, unit, rd_kafka_message_errstr(message));
    } else {
        const char *text = rd_kafka_message_errstr(message);
        kafka_error(source, message->err, text != NULL ? text : rd_kafka_err2str(message->err));
    }
}

static void fill(const rd_kafka_message_t *message, struct record *ret)
{
    rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    int64_t timestamp_ms = rd_kafka_message_timestamp(message, &type);
    *ret = (struct record){
        .value = {message->payload, message->payload != NULL ? message->len : 0},
        .key = {message->key, message->key != NULL ? message->key_len : 0},
        .offset = message->offset,
        .timestamp_ms = type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? -1 : timestamp_ms,
        .partition = message->partition,
    };
}

static int nothing(const struct kafka_source *source, struct err *err)
{
    return source->is_away ? err_set(err, ERR_RETRY, "%s", source->trouble) : 0;
}

static int kafka_poll(struct source *base, int64_t timeout_ms, struct unit **ret_unit,
                      struct record *ret, struct err *err)
{
    struct kafka_source *source = kafka_of(base);
    message_release(source);
    if (source->polls++ % SERVE_EVERY_POLLS == 0)
        serve(source, &timeout_ms);
    if (source->fatal.code != 0)
        return err_set(err, source->fatal.code, "%s", source->fatal.text);
    rd_kafka_message_t *message = rd_kafka_consumer_poll(source->handle, (int)timeout_ms);
    if (message == NULL) {
        source->polls = 0;
        return nothing(source, err);
    }
    source->message = message;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        on_signal(source, message);
        source->polls = 0;
        return 0;
    }
    struct kafka_unit *unit = kafka_unit_of(source, message->rkt, message->partition);
    if (!is_readable(source, unit) || message->offset < unit->next)
        return 0; /* of an earlier assignment */
    unit->next = message->offset + 1;
    fill(message, ret);
    *ret_unit = &unit->unit;
    return 1;
}

/* --- the rest of the interface --- */

/* An empty list in place of rd_kafka_pause_partitions(), which loses or repeats offsets in some
 * versions; the fetchers begin anew at explicit offsets. */
static void kafka_pause(struct source *base, bool is_paused)
{
    struct kafka_source *source = kafka_of(base);
    if (source->is_paused == is_paused)
        return;
    source->is_paused = is_paused;
    FOR_EACH_UNIT(unit, source)
    {
        if (is_paused || !unit->unit.is_assigned || unit->waits_lookup)
            continue;
        int64_t position = source->handler.position(source->handler.arg, &unit->unit);
        if (position >= 0)
            unit->next = position;
    }
    kafka_assign(source);
}

/* The plan has said so already. */
static void kafka_begin(struct source *base, struct unit *unit, int64_t start)
{
    (void)base;
    (void)unit;
    (void)start;
}

static void kafka_restart(struct source *base, struct unit *only, int64_t alive_ms)
{
    (void)only;
    struct kafka_source *source = kafka_of(base);
    source->alive_ms = alive_ms;
    bool has_any = false;
    FOR_EACH_UNIT(unit, source)
    {
        unit->waits_lookup = unit->is_owned;
        has_any = has_any || unit->is_owned;
    }
    kafka_assign(source);
    if (has_any)
        lookup_start(&source->lookup);
    source->polls = 0;
}

static int64_t kafka_end(struct source *base, const struct unit *unit)
{
    struct kafka_source *source = kafka_of(base);
    int64_t start = -1;
    int64_t end = -1;
    const struct kafka_unit *known = (const struct kafka_unit *)unit;
    if (rd_kafka_get_watermark_offsets(source->handle, unit->topic->name, unit->partition, &start,
                                       &end) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        end < 0)
        end = -1;
    return end > known->live_at ? end : known->is_known ? known->live_at : -1;
}

/* False: not within the deadline. A member with a fatal error has no way to leave: it is only torn
 * down. */
static bool leave_group(struct kafka_source *source, int64_t deadline_ms)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(source->handle);
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(source->handle, queue);
    bool has_left = error != NULL;
    if (error != NULL) {
        log_warn("close", "worker=%d reason=\"%s\"", source->number, rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
        kafka_rebalance(source, RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS, NULL);
    }
    while (!has_left && clock_mono_ms() < deadline_ms) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, SLICE_MS);
        if (event != NULL && rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE)
            kafka_rebalance(source, rd_kafka_event_error(event),
                            rd_kafka_event_topic_partition_list(event));
        if (event != NULL)
            rd_kafka_event_destroy(event);
        has_left = rd_kafka_consumer_closed(source->handle) != 0;
    }
    rd_kafka_queue_destroy(queue);
    return has_left;
}

static void *destroy_handle(void *handle)
{
    rd_kafka_destroy_flags(handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE); /* we have left */
    return NULL;
}

/* rd_kafka_destroy() has no timeout and has been seen to hang (K1, K18): it gets a thread. */
static bool destroy_within(rd_kafka_t *handle, int64_t deadline_ms)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, destroy_handle, handle) != 0) {
        rd_kafka_destroy(handle);
        return true;
    }
    int64_t left_ms = deadline_ms - clock_mono_ms();
    left_ms = left_ms < SLICE_MS ? SLICE_MS : left_ms;
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += left_ms / 1000;
    until.tv_nsec += (left_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    if (pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until) == 0)
        return true;
    (void)pthread_detach(thread);
    return false;
}

static void source_free(struct kafka_source *source)
{
    for (size_t i = 0; i < source->topic_count; i++)
        free(source->topics[i].units);
    free(source->topics);
    free(source);
}

static void handles_release(struct kafka_source *source)
{
    for (size_t i = 0; i < source->topic_count; i++)
        if (source->topics[i].handle != NULL)
            rd_kafka_topic_destroy(source->topics[i].handle);
    rd_kafka_queue_destroy(source->commit_queue);
    rd_kafka_queue_destroy(source->queue);
}

/* Past the deadline nothing of librdkafka's is touched any more, and what is ours is left to the
 * system: its threads may still use it. */
static bool kafka_close(struct source *base, int64_t wait_ms)
{
    struct kafka_source *source = kafka_of(base);
    int64_t deadline_ms = clock_mono_ms() + wait_ms;
    source->is_closing = true;
    message_release(source);
    bool has_left = leave_group(source, deadline_ms);
    commit_drain(source, 0);
    lookup_stop(&source->lookup);
    if (!has_left) {
        log_warn("close", "worker=%d wait_ms=%lld reason=\"the group could not be left in time\"",
                 source->number, (long long)wait_ms);
        return false;
    }
    kafka_drop_all(source);
    handles_release(source);
    if (!destroy_within(source->handle, deadline_ms))
        return false;
    source_free(source);
    return true;
}

static const struct source_ops KAFKA_OPS = {
    .poll = kafka_poll,
    .commit = kafka_commit,
    .pause = kafka_pause,
    .begin = kafka_begin,
    .restart = kafka_restart,
    .end = kafka_end,
    .close = kafka_close,
};

/* --- open --- */

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static struct assign_needs needs_of(const struct topic *topic)
{
    struct assign_needs needs = {0};
    for (size_t i = 0; i < topic->view_count; i++) {
        const struct view *view = topic->views[i];
        int64_t reach_ms = 0;
        if (__builtin_add_overflow(view->longest_ms + view->longest_hop_ms, view->future_max_ms,
                                   &reach_ms))
            reach_ms = INT64_MAX;
        needs.reach_ms = larger(needs.reach_ms, reach_ms);
        needs.ttl_ms = larger(needs.ttl_ms, larger(view->ttl_ms, view->key_ttl_ms));
        needs.from_beginning = needs.from_beginning || view->clock == CLOCK_EVENT;
    }
    return needs;
}

static void topics_open(struct kafka_source *source, const struct catalog *catalog)
{
    source->topics = mem_zalloc(catalog->topic_count * sizeof *source->topics);
    source->topic_count = catalog->topic_count;
    for (size_t i = 0; i < catalog->topic_count; i++) {
        struct kafka_topic *topic = &source->topics[i];
        topic->topic = catalog->topics[i];
        topic->needs = needs_of(topic->topic);
        topic->handle = rd_kafka_topic_new(source->handle, topic->topic->name, NULL);
    }
    source->last_topic = source->topics;
}

static int subscribe(struct kafka_source *source, struct err *err)
{
    rd_kafka_topic_partition_list_t *names = rd_kafka_topic_partition_list_new(4);
    for (size_t i = 0; i < source->topic_count; i++) {
        if (source->topics[i].handle == NULL) {
            rd_kafka_topic_partition_list_destroy(names);
            return err_set(err, ERR_CONFIG, "'%s' is not a topic's name",
                           source->topics[i].topic->name);
        }
        rd_kafka_topic_partition_list_add(names, source->topics[i].topic->name,
                                          RD_KAFKA_PARTITION_UA);
    }
    rd_kafka_resp_err_t code = rd_kafka_subscribe(source->handle, names);
    rd_kafka_topic_partition_list_destroy(names);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return err_set(err, ERR_FATAL, "subscribing: %s", rd_kafka_err2str(code));
    return 0;
}

int kafka_source_open(const struct options *options, const struct catalog *catalog, int number,
                      const struct source_handler *handler, struct source **ret, struct err *err)
{
    struct kafka_source *source = mem_zalloc(sizeof *source);
    source->source.ops = &KAFKA_OPS;
    source->number = number;
    source->handler = *handler;
    source->refused_mono_ms = -1;
    source->alive_ms = INT64_MAX;
    source->probe_mono_ms = clock_mono_ms() + PROBE_MS;
    rd_kafka_conf_t *conf = NULL;
    int rc = kafka_conf_new(source, options, &conf, err);
    if (rc < 0) {
        source_free(source);
        return rc;
    }
    char reason[512];
    source->handle = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof reason);
    if (source->handle == NULL) {
        rd_kafka_conf_destroy(conf);
        source_free(source);
        return err_set(err, ERR_CONFIG, "kafka: %s", reason);
    }
    (void)rd_kafka_poll_set_consumer(source->handle);
    source->commit_queue = rd_kafka_queue_new(source->handle);
    source->queue = rd_kafka_queue_get_consumer(source->handle);
    topics_open(source, catalog);
    rc = subscribe(source, err);
    if (rc < 0) {
        handles_release(source);
        rd_kafka_destroy(source->handle);
        source_free(source);
        return rc;
    }
    *ret = &source->source;
    return 0;
}

const char *kafka_version(void)
{
    return rd_kafka_version_str();
}
