#include "kafka_private.h"

#include "tidewheel/clock.h"
#include "tidewheel/log.h"
#include "tidewheel/mem.h"

enum {
    SERVE_EVERY_POLLS = 256, /* so that a busy stream is not asked for the time at every record */
    PROBE_AWAY_MS = 1000,
    PROBE_TIMEOUT_MS = 100,
    REFUSED_MS_MAX = 15000,
};

static struct kafka_source *kafka_of(struct source *source)
{
    return (struct kafka_source *)source;
}

void kafka_release(struct kafka_source *source)
{
    if (source->message != NULL)
        rd_kafka_message_destroy(source->message);
    source->message = NULL;
}

/* --- begin and hold --- */

static void hold(struct kafka_source *source, struct kafka_unit *unit)
{
    source->is_dirty = source->is_dirty || unit->has_begun;
    unit->has_begun = false;
}

void kafka_begin_unit(struct kafka_source *source, struct kafka_unit *unit, int64_t start)
{
    if (!unit->unit.is_assigned || unit->waits_lookup || (unit->has_begun && unit->next == start))
        return;
    unit->next = start;
    unit->is_doubted = false;
    if (start >= unit->until) {
        hold(source, unit);
        return;
    }
    unit->has_begun = source->is_dirty = true;
}

/* --- poll --- */

void kafka_ask_ends(struct kafka_source *source, int wait_ms)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
    FOR_EACH_UNIT(unit, source)
    {
        if (unit->unit.is_assigned)
            rd_kafka_topic_partition_list_add(list, unit->unit.topic->name, unit->unit.partition)
                ->offset = RD_KAFKA_OFFSET_END;
    }
    if (list->cnt > 0)
        (void)rd_kafka_offsets_for_times(source->handle, list, wait_ms);
    FOR_EACH_UNIT(unit, source)
    {
        const rd_kafka_topic_partition_t *found =
            rd_kafka_topic_partition_list_find(list, unit->unit.topic->name, unit->unit.partition);
        if (found != NULL && found->err == RD_KAFKA_RESP_ERR_NO_ERROR && found->offset >= 0)
            unit->end = found->offset;
    }
    rd_kafka_topic_partition_list_destroy(list);
}

static void probe(struct kafka_source *source)
{
    int64_t now_ms = clock_mono_ms();
    if (now_ms < source->probe_mono_ms)
        return;
    bool is_answered = kafka_check_counts(source, PROBE_TIMEOUT_MS);
    if (is_answered && source->is_paused) /* no fetch tells, and lag would stand still */
        kafka_ask_ends(source, PROBE_TIMEOUT_MS);
    source->probe_mono_ms = clock_mono_ms() + (is_answered ? KAFKA_PROBE_MS : PROBE_AWAY_MS);
    if (source->refused_mono_ms >= 0 && now_ms - source->refused_mono_ms > REFUSED_MS_MAX)
        kafka_fail(source, "%s", source->trouble);
}

/* What is not a record: rarely anything. */
static void serve(struct kafka_source *source, int64_t *timeout_ms)
{
    kafka_nudge(source);
    kafka_commit_serve(source);
    if (source->lookup.is_running) {
        lookup_serve(source);
        int64_t left_ms = source->lookup.retry_mono_ms - clock_mono_ms();
        if (source->lookup.is_running && left_ms < *timeout_ms)
            *timeout_ms = left_ms > 0 ? left_ms : 0;
    } else {
        probe(source);
    }
}

void kafka_await_lookup(struct kafka_source *source, struct kafka_unit *unit)
{
    hold(source, unit);
    unit->waits_lookup = true;
    if (!source->lookup.is_running)
        lookup_start(&source->lookup);
}

/* The log does not hold what comes next: it has lost it, or it is another log. */
static void read_again(struct kafka_source *source, struct kafka_unit *unit, const char *reason)
{
    log_warn("position", "worker=%d topic=%s partition=%d position=%lld reason=\"%s\"",
             source->number, unit->unit.topic->name, (int)unit->unit.partition,
             (long long)unit->next, reason);
    hold(source, unit);
    if (source->is_reader)
        kafka_begin_unit(source, unit, RD_KAFKA_OFFSET_BEGINNING);
    else
        kafka_await_lookup(source, unit);
}

/* Each assign() with a position that is not in the log makes such an error, and these outlive the
 * assignment, which records do not. So one about another position may be an old one: assigning once
 * more tells. */
static void out_of_range(struct kafka_source *source, struct kafka_unit *unit,
                         const rd_kafka_message_t *message)
{
    if (message->offset != unit->next && !unit->is_doubted)
        unit->is_doubted = source->is_dirty = true;
    else
        read_again(source, unit, rd_kafka_message_errstr(message));
}

static bool is_readable(const struct kafka_source *source, const struct kafka_unit *unit)
{
    return unit != NULL && unit->has_begun && !source->is_paused;
}

/* All that is to be read of it has been handed out. */
static void end_at_bound(struct kafka_source *source, struct kafka_unit *unit)
{
    unit->next = unit->until;
    hold(source, unit);
    source->handler.reached(source->handler.arg, unit->lent, unit->until);
}

/* Librdkafka tells of an end and of most errors in the place of a record. */
static void on_signal(struct kafka_source *source, const rd_kafka_message_t *message)
{
    struct kafka_unit *unit =
        message->rkt == NULL ? NULL : kafka_unit_of(source, message->rkt, message->partition);
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        if (!is_readable(source, unit) || message->offset < unit->next)
            return;
        if (message->offset >= unit->until) {
            end_at_bound(source, unit);
            return;
        }
        unit->next = message->offset;
        source->handler.reached(source->handler.arg, unit->lent, message->offset);
    } else if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET) {
        if (is_readable(source, unit))
            out_of_range(source, unit, message);
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

/* However many units have begun or stopped since the last poll, the fetchers begin anew once. With no
 * unit of ours there is nothing to say, and an ASSIGN that waits in the queue would take it for its
 * answer. */
static void assign_if_dirty(struct kafka_source *source)
{
    if (!source->is_dirty)
        return;
    bool has_any = false;
    FOR_EACH_UNIT(unit, source) has_any = has_any || unit->unit.is_assigned;
    if (has_any || source->is_reader)
        kafka_assign(source);
    source->is_dirty = false;
}

static int nothing(const struct kafka_source *source, struct err *err)
{
    return source->is_away ? err_set(err, ERR_RETRY, "%s", source->trouble) : 0;
}

int kafka_poll(struct source *base, int64_t timeout_ms, struct unit **ret_unit, struct record *ret,
               struct err *err)
{
    struct kafka_source *source = kafka_of(base);
    kafka_release(source);
    if (source->polls++ % SERVE_EVERY_POLLS == 0)
        serve(source, &timeout_ms);
    if (source->fatal.code != 0)
        return err_set(err, source->fatal.code, "%s", source->fatal.text);
    assign_if_dirty(source);
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
    if (message->offset >= unit->until) {
        end_at_bound(source, unit);
        return 0;
    }
    unit->next = message->offset + 1;
    fill(message, ret);
    *ret_unit = unit->lent;
    return 1;
}

/* --- the rest of the interface --- */

/* librdkafka reads them when it is asked, which for most records it never is. */
static bool kafka_header(struct source *base, size_t i, struct header *ret)
{
    const struct kafka_source *source = kafka_of(base);
    rd_kafka_headers_t *headers = NULL;
    const char *name = NULL;
    const void *value = NULL;
    size_t len = 0;
    if (source->message == NULL ||
        rd_kafka_message_headers(source->message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_all(headers, i, &name, &value, &len) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return false;
    *ret = (struct header){name, {value, len}};
    return true;
}

/* An empty list in place of rd_kafka_pause_partitions(), which loses or repeats offsets in some
 * versions; the fetchers begin anew at explicit offsets. */
static void kafka_pause(struct source *base, bool is_paused)
{
    struct kafka_source *source = kafka_of(base);
    if (source->is_paused == is_paused)
        return;
    source->is_paused = is_paused;
    source->is_dirty = true;
    FOR_EACH_UNIT(unit, source)
    {
        if (is_paused || !unit->has_begun)
            continue;
        int64_t position = source->handler.position(source->handler.arg, &unit->unit);
        if (position >= 0 && position < unit->next) /* a begin() may have gone back */
            unit->next = position;
    }
}

static void kafka_begin(struct source *base, struct unit *unit, int64_t start)
{
    kafka_begin_unit(kafka_of(base), (struct kafka_unit *)unit, start);
}

static void kafka_hold(struct source *base, struct unit *unit)
{
    hold(kafka_of(base), (struct kafka_unit *)unit);
}

static void restart(struct kafka_source *source, struct kafka_unit *unit, int64_t alive_ms)
{
    if (alive_ms < unit->alive_ms)
        unit->alive_ms = alive_ms;
    if (unit->is_owned)
        kafka_await_lookup(source, unit);
}

/* Of a unit that is parked only the time is kept, for when it comes back. */
static void kafka_restart(struct source *base, struct unit *only, int64_t alive_ms)
{
    struct kafka_source *source = kafka_of(base);
    FOR_EACH_UNIT(unit, source)
    {
        if (only != NULL && only != &unit->unit)
            continue;
        restart(source, unit, alive_ms);
        unit->waits_probe = only != NULL && unit->is_owned;
    }
    source->polls = 0;
}

int64_t kafka_known_end(const struct kafka_source *source, const struct unit *unit)
{
    int64_t start = -1;
    int64_t end = -1;
    rd_kafka_resp_err_t code = rd_kafka_get_watermark_offsets(source->handle, unit->topic->name,
                                                              unit->partition, &start, &end);
    return code != RD_KAFKA_RESP_ERR_NO_ERROR || end < 0 ? -1 : end;
}

static int64_t kafka_end(struct source *base, const struct unit *unit)
{
    struct kafka_source *source = kafka_of(base);
    const struct kafka_unit *known = (const struct kafka_unit *)unit;
    int64_t end = kafka_known_end(source, unit);
    if (source->is_paused && known->end > end)
        end = known->end;
    return end > known->live_at ? end : known->is_known ? known->live_at : -1;
}

void kafka_learn_cluster(struct kafka_source *source)
{
    char *id = source->cluster == NULL ? rd_kafka_clusterid(source->handle, 0) : NULL;
    if (id == NULL)
        return;
    source->cluster = mem_strdup(id);
    rd_kafka_mem_free(source->handle, id);
}

/* The id comes with the partition counts, which are asked for before anything is assigned. */
static const char *kafka_cluster(struct source *base)
{
    struct kafka_source *source = kafka_of(base);
    kafka_learn_cluster(source);
    return source->cluster != NULL ? source->cluster : "";
}

const struct source_ops KAFKA_OPS = {
    .poll = kafka_poll,
    .header = kafka_header,
    .commit = kafka_commit,
    .pause = kafka_pause,
    .begin = kafka_begin,
    .hold = kafka_hold,
    .restart = kafka_restart,
    .adopt = kafka_adopt,
    .end = kafka_end,
    .cluster = kafka_cluster,
    .close = kafka_close,
};

const char *kafka_version(void)
{
    return rd_kafka_version_str();
}
