#include "kafka_private.h"

#include "tidewheel/clock.h"
#include "tidewheel/log.h"
#include "tidewheel/mem.h"

enum { ATTEMPT_MS = 1000, BACKOFF_MS_MIN = 100, BACKOFF_MS_MAX = 2000 };

/* ListOffsets takes these in place of a timestamp. */
enum { AT_END = RD_KAFKA_OFFSET_END, AT_BEGINNING = RD_KAFKA_OFFSET_BEGINNING };

static const char *const STEP_NAMES[] = {"committed", "member", "end",  "beginning",
                                         "zero",      "since",  "until"};

void lookup_stop(struct lookup *lookup)
{
    for (int i = 0; i < LOOKUP_STEPS; i++) {
        if (lookup->answers[i] != NULL)
            rd_kafka_topic_partition_list_destroy(lookup->answers[i]);
        lookup->answers[i] = NULL;
    }
    lookup->is_running = false;
}

void lookup_start(struct lookup *lookup)
{
    lookup_stop(lookup);
    lookup->is_running = true;
    lookup->retry_mono_ms = 0;
    lookup->backoff_ms = BACKOFF_MS_MIN;
}

static void grown(struct kafka_source *source, const struct kafka_topic *topic, int32_t count)
{
    kafka_fail(
        source,
        "topic %s has %s from %d to %d partitions: keys have moved, and what they had counted "
        "would be missing; stop all workers of the group, reset it to earliest and start again",
        topic->topic->name, count > topic->partition_count ? "grown" : "shrunk",
        (int)topic->partition_count, (int)count);
}

/* One that is there may have no leader for a while. */
static void show(const struct kafka_source *source, const rd_kafka_metadata_topic_t *found)
{
    if (found->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        kafka_show_topic(source, found->topic, TOPIC_MISSING);
    else if (found->err == RD_KAFKA_RESP_ERR_NO_ERROR && found->partition_cnt > 0)
        kafka_show_topic(source, found->topic, TOPIC_THERE);
}

static void check_count(struct kafka_source *source, const rd_kafka_metadata_topic_t *found)
{
    struct kafka_topic *topic = kafka_topic_named(source, found->topic);
    if (topic == NULL)
        return;
    show(source, found);
    if (found->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
        kafka_error(source, found->err, found->topic);
    else if (found->err != RD_KAFKA_RESP_ERR_NO_ERROR || found->partition_cnt == 0)
        log_limited(LOG_WARN, "topic", "worker=%d topic=%s error=%s waiting=1", source->number,
                    found->topic, rd_kafka_err2name(found->err));
    else if (topic->partition_count == 0)
        topic->partition_count = found->partition_cnt;
    else if (topic->partition_count != found->partition_cnt)
        grown(source, topic, found->partition_cnt);
}

/* Asks for the topics that we hold a handle of, so for ours. */
bool kafka_check_counts(struct kafka_source *source, int timeout_ms)
{
    const rd_kafka_metadata_t *metadata = NULL;
    if (rd_kafka_metadata(source->handle, 0, NULL, &metadata, timeout_ms) !=
        RD_KAFKA_RESP_ERR_NO_ERROR)
        return false;
    for (int i = 0; i < metadata->topic_cnt; i++)
        check_count(source, &metadata->topics[i]);
    rd_kafka_metadata_destroy(metadata);
    kafka_answers(source);
    return true;
}

static rd_kafka_topic_partition_t *answer(struct kafka_source *source, enum lookup_step step,
                                          const struct kafka_unit *unit)
{
    return rd_kafka_topic_partition_list_find(source->lookup.answers[step], unit->unit.topic->name,
                                              unit->unit.partition);
}

/* Nobody asks for it, or it has not been asked for yet: -1, as when there is no such record. */
static int64_t until_of(struct kafka_source *source, const struct kafka_unit *unit)
{
    bool is_asked = source->lookup.answers[LOOKUP_UNTIL] != NULL;
    return is_asked ? answer(source, LOOKUP_UNTIL, unit)->offset : -1;
}

static struct assign_facts facts_of(struct kafka_source *source, const struct kafka_unit *unit)
{
    const rd_kafka_topic_partition_t *committed = answer(source, LOOKUP_COMMITTED, unit);
    return (struct assign_facts){
        .log_start = answer(source, LOOKUP_BEGINNING, unit)->offset,
        .log_end = answer(source, LOOKUP_END, unit)->offset,
        .committed = committed->offset < 0 ? -1 : committed->offset,
        .metadata = committed->metadata,
        .metadata_len = committed->metadata_size,
        .parked = source->handler.position(source->handler.arg, &unit->unit),
        .is_reset_done = committed->offset >= 0 && unit->reset_done == committed->offset,
        .is_bounded = source->handler.until_ms > 0,
        .until = until_of(source, unit),
    };
}

/* What a step asks of a unit; in ListOffsets the offset is a timestamp. */
static int64_t question(struct kafka_source *source, enum lookup_step step,
                        const struct kafka_unit *unit, int64_t now_ms)
{
    if (step == LOOKUP_END)
        return AT_END;
    if (step == LOOKUP_BEGINNING)
        return AT_BEGINNING;
    if (step == LOOKUP_UNTIL)
        return source->handler.until_ms;
    if (step != LOOKUP_SINCE)
        return 0;
    struct assign_facts facts = facts_of(source, unit);
    return assign_since_ms(&facts, &kafka_topic_of(source, unit)->needs,
                           now_ms < unit->alive_ms ? now_ms : unit->alive_ms);
}

/* Whether we are a member still: the broker takes a commit from nobody else. What was committed last
 * is committed once more, so that nothing changes; a person's offset is left alone. Our own commits
 * have to be through, or this one would undo them. */
static rd_kafka_resp_err_t probe_membership(struct kafka_source *source)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(4);
    source->lookup.answers[LOOKUP_PROBE] = list;
    FOR_EACH_UNIT(unit, source)
    {
        if (!unit->waits_lookup || !unit->waits_probe)
            continue;
        const rd_kafka_topic_partition_t *committed = answer(source, LOOKUP_COMMITTED, unit);
        if (committed->offset < 0 ||
            commit_metadata_read(committed->metadata, committed->metadata_size) < 0)
            continue;
        rd_kafka_topic_partition_t *element =
            rd_kafka_topic_partition_list_add(list, unit->unit.topic->name, unit->unit.partition);
        element->offset = committed->offset;
        element->metadata = mem_strndup(committed->metadata, committed->metadata_size);
        element->metadata_size = committed->metadata_size;
    }
    return list->cnt == 0 ? RD_KAFKA_RESP_ERR_NO_ERROR
                          : kafka_commit_probe(source, list, ATTEMPT_MS);
}

/* Blocks for ATTEMPT_MS at most. Each partition has an error of its own; one is enough to ask all
 * again, and an error is never taken for "no such record". */
static rd_kafka_resp_err_t ask(struct kafka_source *source, enum lookup_step step, int64_t now_ms)
{
    if (step == LOOKUP_PROBE)
        return probe_membership(source);
    if (step == LOOKUP_UNTIL && source->handler.until_ms == 0)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
    source->lookup.answers[step] = list;
    FOR_EACH_UNIT(unit, source)
    {
        if (unit->waits_lookup)
            rd_kafka_topic_partition_list_add(list, unit->unit.topic->name, unit->unit.partition)
                ->offset = question(source, step, unit, now_ms);
    }
    rd_kafka_resp_err_t code = step == LOOKUP_COMMITTED
                                   ? rd_kafka_committed(source->handle, list, ATTEMPT_MS)
                                   : rd_kafka_offsets_for_times(source->handle, list, ATTEMPT_MS);
    for (int i = 0; i < list->cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
        code = list->elems[i].err;
        if ((step == LOOKUP_END || step == LOOKUP_BEGINNING) && list->elems[i].offset < 0 &&
            code == RD_KAFKA_RESP_ERR_NO_ERROR)
            code = RD_KAFKA_RESP_ERR__NO_OFFSET;
    }
    return code;
}

/* Not a member now: Kafka is there, and a rebalance ends the lookup or gives us our units back. */
static bool is_membership(rd_kafka_resp_err_t code)
{
    static const rd_kafka_resp_err_t codes[] = {
        RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION,
        RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i] == code)
            return true;
    return false;
}

static void again(struct kafka_source *source, const char *what, rd_kafka_resp_err_t code)
{
    struct lookup *lookup = &source->lookup;
    log_limited(LOG_WARN, "lookup", "worker=%d what=%s error=%s reason=\"%s\"", source->number,
                what, rd_kafka_err2name(code), rd_kafka_err2str(code));
    int64_t backoff_ms = lookup->backoff_ms;
    lookup_start(lookup); /* from the first question on: answers of different times do not mix */
    lookup->backoff_ms = backoff_ms * 2 > BACKOFF_MS_MAX ? BACKOFF_MS_MAX : backoff_ms * 2;
    lookup->retry_mono_ms = clock_mono_ms() + backoff_ms;
    if (is_membership(code))
        return;
    kafka_away(source, "Kafka does not answer", rd_kafka_err2str(code));
    if (code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED ||
        code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
        kafka_error(source, code, rd_kafka_err2str(code));
}

static void report(struct kafka_source *source, const struct kafka_unit *unit,
                   const struct assign_facts *facts, const struct plan *plan)
{
    log_info("assigned",
             "worker=%d topic=%s partition=%d start=%lld live_at=%lld committed=%lld parked=%lld",
             source->number, unit->unit.topic->name, (int)unit->unit.partition,
             (long long)plan->start, (long long)plan->live_at, (long long)facts->committed,
             (long long)facts->parked);
    if (plan->is_reset && !facts->is_reset_done)
        log_info("reset", "worker=%d topic=%s partition=%d offset=%lld start=%lld text=\"%s\"",
                 source->number, unit->unit.topic->name, (int)unit->unit.partition,
                 (long long)facts->committed, (long long)plan->start,
                 plan->start < facts->committed
                     ? "begins earlier than asked: windows are never left incomplete on purpose"
                     : "begins where asked");
}

static void decide(struct kafka_source *source, struct kafka_unit *unit)
{
    struct kafka_topic *topic = kafka_topic_of(source, unit);
    struct assign_facts facts = facts_of(source, unit);
    bool is_empty = facts.log_end <= facts.log_start;
    bool has_timestamps = is_empty || answer(source, LOOKUP_ZERO, unit)->offset >= 0;
    int64_t looked_up = answer(source, LOOKUP_SINCE, unit)->offset;
    struct plan plan;
    if (facts.is_bounded && !has_timestamps) {
        kafka_fail(source, "this Kafka looks up no timestamps: reading cannot end at one");
        return;
    }
    assign_decide(&facts, &topic->needs, has_timestamps, looked_up < 0 ? -1 : looked_up, &plan);
    report(source, unit, &facts, &plan);
    unit->next = plan.start;
    unit->live_at = plan.live_at;
    unit->until = facts.is_bounded ? plan.live_at : INT64_MAX;
    unit->reset_done = plan.is_reset ? facts.committed : -1;
    unit->unit.partition_count = topic->partition_count;
    unit->unit.is_assigned = unit->is_known = true;
    unit->waits_lookup = unit->waits_probe = unit->has_begun = false;
    unit->alive_ms = INT64_MAX;
    source->handler.assigned(source->handler.arg, &unit->unit, &plan);
}

/* A probe commits the offset that was found: commits of ours that are still out come first. */
static bool may_begin(struct kafka_source *source)
{
    bool has_probe = false;
    FOR_EACH_UNIT(unit, source) has_probe = has_probe || (unit->waits_lookup && unit->waits_probe);
    if (has_probe && !kafka_commit_drain(source, ATTEMPT_MS)) {
        again(source, STEP_NAMES[LOOKUP_PROBE], RD_KAFKA_RESP_ERR__TIMED_OUT);
        return false;
    }
    if (!kafka_check_counts(source, ATTEMPT_MS)) {
        again(source, "partitions", RD_KAFKA_RESP_ERR__TIMED_OUT);
        return false;
    }
    kafka_learn_cluster(source);
    return source->fatal.code == 0;
}

/* The handler may restart units while it is told of others: these have no answers yet. */
static void decide_all(struct kafka_source *source)
{
    bool has_more = false;
    FOR_EACH_UNIT(unit, source)
    {
        if (unit->waits_lookup && answer(source, LOOKUP_SINCE, unit) != NULL)
            decide(source, unit);
    }
    FOR_EACH_UNIT(unit, source) has_more = has_more || unit->waits_lookup;
    lookup_stop(&source->lookup);
    if (has_more)
        lookup_start(&source->lookup);
}

/* All questions of one attempt in a row. With Kafka away the first one that is not answered ends
 * it, so the caller's turn is held up for ATTEMPT_MS at most. */
void lookup_serve(struct kafka_source *source)
{
    struct lookup *lookup = &source->lookup;
    if (!lookup->is_running || clock_mono_ms() < lookup->retry_mono_ms || !may_begin(source))
        return;
    int64_t now_ms = clock_wall_ms();
    for (int step = 0; step < LOOKUP_STEPS; step++) {
        rd_kafka_resp_err_t code = ask(source, (enum lookup_step)step, now_ms);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            again(source, STEP_NAMES[step], code);
            return;
        }
    }
    decide_all(source);
}
