#include "sim_kafka.h"

#include <stdlib.h>

#include "sim_time.h"
#include "tidewheel/mem.h"

static struct sim_source *source_of(struct source *source)
{
    return (struct sim_source *)source;
}

static struct sim_partition *partition_of(const struct sim_source *source,
                                          const struct sim_unit *unit)
{
    return &source->kafka->partitions[unit->unit.partition];
}

/* ---- units ---- */

static void drop_unit(struct sim_source *source, int partition)
{
    struct sim_unit *unit = source->units[partition];
    unit->unit.is_assigned = false;
    if (unit->is_known)
        source->handler.dropped(source->handler.arg, &unit->unit);
    source->units[partition] = NULL;
    free(unit);
}

static struct sim_unit *make_unit(struct sim_source *source, int partition)
{
    if (source->units[partition] == NULL) {
        struct sim_unit *unit = mem_zalloc(sizeof *unit);
        unit->unit.topic = source->topic;
        unit->unit.partition = partition;
        unit->unit.partition_count = source->kafka->partition_count;
        unit->reset_done = unit->commit_due = -1;
        unit->lent = &unit->unit;
        source->units[partition] = unit;
    }
    return source->units[partition];
}

static void give_up(struct sim_source *source, bool is_lost)
{
    bool had_any = false;
    for (int p = 0; p < PARTITIONS_MAX; p++)
        had_any = had_any || (source->units[p] != NULL && source->units[p]->unit.is_assigned);
    source->is_revoking = true;
    if (had_any)
        source->handler.revoked(source->handler.arg, is_lost);
    source->is_revoking = false;
    for (int p = 0; p < PARTITIONS_MAX; p++) {
        struct sim_unit *unit = source->units[p];
        if (unit == NULL)
            continue;
        unit->unit.is_assigned = unit->is_owned = unit->waits_lookup = unit->is_begun = false;
        unit->commit_due = -1;
    }
}

static void take_assignment(struct sim_source *source)
{
    source->generation = source->kafka->generation;
    source->state = MEMBER_IN;
    for (int p = 0; p < source->kafka->partition_count; p++)
        if (source->kafka->partitions[p].owner == source->number) {
            struct sim_unit *unit = make_unit(source, p);
            unit->is_owned = unit->waits_lookup = true;
        }
    for (int p = 0; p < PARTITIONS_MAX; p++)
        if (source->units[p] != NULL && !source->units[p]->is_owned)
            drop_unit(source, p);
}

/* ---- from "ours" to "assigned" ---- */

static struct assign_needs needs_of(const struct topic *topic)
{
    struct assign_needs needs = {0, 0, false};
    for (size_t i = 0; i < topic->view_count; i++) {
        const struct view *view = topic->views[i];
        int64_t reach_ms = view->longest_ms + view->longest_hop_ms + view->future_max_ms;
        needs.reach_ms = needs.reach_ms < reach_ms ? reach_ms : needs.reach_ms;
        needs.ttl_ms = needs.ttl_ms < view->key_ttl_ms ? view->key_ttl_ms : needs.ttl_ms;
    }
    return needs;
}

static void look_up(struct sim_source *source, struct sim_unit *unit)
{
    const struct sim_partition *partition = partition_of(source, unit);
    struct assign_needs needs = needs_of(source->topic);
    struct assign_facts facts = {
        .log_start = partition->log_start,
        .log_end = partition->log_end,
        .committed = partition->committed,
        .metadata = partition->metadata,
        .metadata_len = strlen(partition->metadata),
        .parked = source->handler.position(source->handler.arg, &unit->unit),
        .is_reset_done = partition->committed >= 0 && unit->reset_done == partition->committed,
    };
    int64_t now_ms = sim_wall_ms < source->alive_ms ? sim_wall_ms : source->alive_ms;
    int64_t since_ms = assign_since_ms(&facts, &needs, now_ms);
    struct plan plan;
    assign_decide(&facts, &needs, true, sim_kafka_since(partition, since_ms), &plan);
    unit->reset_done = plan.is_reset ? facts.committed : -1;
    unit->unit.is_assigned = unit->is_known = true;
    unit->waits_lookup = unit->is_begun = false;
    unit->is_end_told = false;
    source->handler.assigned(source->handler.arg, &unit->unit, &plan);
}

static void look_up_all(struct sim_source *source)
{
    bool has_any = false;
    for (int p = 0; p < PARTITIONS_MAX; p++) {
        struct sim_unit *unit = source->units[p];
        if (unit == NULL || !unit->waits_lookup)
            continue;
        look_up(source, unit);
        has_any = true;
    }
    if (has_any)
        source->alive_ms = INT64_MAX;
}

/* ---- membership ---- */

/* False: it has not found out yet that it is out. */
static bool finds_out(struct sim_source *source)
{
    if (source->blind_polls-- > 0)
        return false;
    give_up(source, true);
    source->state = MEMBER_OUT;
    return true;
}

static void serve_group(struct sim_source *source)
{
    struct sim_kafka *kafka = source->kafka;
    if (source->is_expelled && source->state != MEMBER_OUT && !finds_out(source))
        return;
    if (source->state == MEMBER_OUT)
        sim_kafka_join(kafka, source);
    if (kafka->is_preparing && source->state == MEMBER_IN) {
        give_up(source, false);
        if (source->is_expelled) /* it has taken too long */
            return;
        source->state = MEMBER_JOINED;
    }
    sim_kafka_settle(kafka);
    if (!kafka->is_preparing && source->state == MEMBER_JOINED)
        take_assignment(source);
    if (!kafka->is_preparing)
        look_up_all(source);
}

/* ---- commits ---- */

static void send_commits(struct sim_source *source)
{
    for (int p = 0; p < PARTITIONS_MAX; p++) {
        struct sim_unit *unit = source->units[p];
        if (unit != NULL && unit->commit_due >= 0 &&
            sim_kafka_commit(source->kafka, source, p, unit->commit_due))
            unit->commit_due = -1;
    }
}

static void sim_commit(struct source *base, const struct commit *commits, size_t count,
                       int64_t wait_ms)
{
    struct sim_source *source = source_of(base);
    for (size_t i = 0; i < count; i++)
        ((struct sim_unit *)commits[i].unit)->commit_due = commits[i].offset;
    if (wait_ms > 0 || rng_one_in(source->kafka->rng, 2))
        send_commits(source); /* else it goes with the next poll, if there is one */
}

/* ---- records ---- */

static bool is_readable(const struct sim_source *source, const struct sim_unit *unit)
{
    return unit != NULL && unit->is_begun && !source->is_paused &&
           (source->is_reader || unit->unit.is_assigned);
}

static void tell_end(struct sim_source *source, struct sim_unit *unit)
{
    if (unit->is_end_told)
        return;
    unit->is_end_told = true;
    unit->next = partition_of(source, unit)->log_end;
    source->handler.reached(source->handler.arg, unit->lent, unit->next);
}

static bool take_from(struct sim_source *source, struct sim_unit *unit, struct unit **ret_unit,
                      struct record *ret)
{
    const struct sim_record *record = sim_kafka_from(partition_of(source, unit), unit->next);
    if (record == NULL) {
        tell_end(source, unit);
        return false;
    }
    unit->next = record->offset + 1;
    unit->is_end_told = false;
    *ret = (struct record){
        .value = slice_of(record->text),
        .key = slice_of(record->key),
        .offset = record->offset,
        .timestamp_ms = record->timestamp_ms,
        .partition = unit->unit.partition,
    };
    *ret_unit = unit->lent;
    return true;
}

static int sim_poll(struct source *base, int64_t timeout_ms, struct unit **ret_unit,
                    struct record *ret, struct err *err)
{
    (void)timeout_ms;
    struct sim_source *source = source_of(base);
    if (source->kafka->is_away)
        return err_set(err, ERR_RETRY, "Kafka is away");
    send_commits(source);
    if (!source->is_reader)
        serve_group(source);
    if (source->budget-- <= 0) {
        source->budget = (int)rng_below(source->kafka->rng, 12);
        return 0;
    }
    for (int i = 0; i < PARTITIONS_MAX; i++) {
        source->next_partition = (source->next_partition + 1) % PARTITIONS_MAX;
        struct sim_unit *unit = source->units[source->next_partition];
        if (is_readable(source, unit) && take_from(source, unit, ret_unit, ret))
            return 1;
    }
    return 0;
}

/* ---- the rest ---- */

static void sim_pause(struct source *base, bool is_paused)
{
    struct sim_source *source = source_of(base);
    if (source->is_paused == is_paused)
        return;
    source->is_paused = is_paused;
    for (int p = 0; p < PARTITIONS_MAX && !is_paused; p++) {
        struct sim_unit *unit = source->units[p];
        if (unit == NULL || !unit->is_begun)
            continue;
        int64_t position = source->handler.position(source->handler.arg, &unit->unit);
        if (position >= 0)
            unit->next = position;
    }
}

static struct sim_unit *own_unit(struct sim_source *source, struct unit *unit)
{
    if (!source->is_reader)
        return (struct sim_unit *)unit;
    struct sim_unit *own = make_unit(source, unit->partition);
    own->lent = unit;
    return own;
}

static void sim_begin(struct source *base, struct unit *unit, int64_t start)
{
    struct sim_unit *own = own_unit(source_of(base), unit);
    own->next = start;
    own->is_begun = true;
    own->is_end_told = false;
}

static void sim_hold(struct source *base, struct unit *unit)
{
    struct sim_unit *own = own_unit(source_of(base), unit);
    own->is_begun = false;
}

static void sim_restart(struct source *base, struct unit *only, int64_t alive_ms)
{
    struct sim_source *source = source_of(base);
    source->alive_ms = alive_ms;
    for (int p = 0; p < PARTITIONS_MAX; p++) {
        struct sim_unit *unit = source->units[p];
        if (unit == NULL || (only != NULL && only != &unit->unit))
            continue;
        unit->waits_lookup = unit->is_owned && !source->is_expelled;
        unit->is_begun = false;
    }
}

/* There is one topic; the reader's units are made anew. */
static int sim_adopt(struct source *base, const struct catalog *catalog, struct err *err)
{
    (void)err;
    struct sim_source *source = source_of(base);
    if (source->topic == catalog->topics[0])
        return 0;
    source->topic = catalog->topics[0];
    for (int p = 0; p < PARTITIONS_MAX; p++) {
        struct sim_unit *unit = source->units[p];
        if (unit == NULL)
            continue;
        unit->unit.topic = source->topic;
        unit->is_begun = false;
        unit->waits_lookup = unit->waits_lookup || (unit->unit.is_assigned && !source->is_expelled);
    }
    return 0;
}

static int64_t sim_end(struct source *base, const struct unit *unit)
{
    return source_of(base)->kafka->partitions[unit->partition].log_end;
}

static const char *sim_cluster(struct source *base)
{
    (void)base;
    return "sim";
}

void sim_source_free(struct sim_source *source)
{
    for (int p = 0; p < PARTITIONS_MAX; p++)
        free(source->units[p]);
    free(source);
}

static bool sim_close(struct source *base, int64_t wait_ms)
{
    (void)wait_ms;
    struct sim_source *source = source_of(base);
    if (!source->is_reader) {
        give_up(source, source->is_expelled);
        sim_kafka_leave(source->kafka, source);
        for (int p = 0; p < PARTITIONS_MAX; p++)
            if (source->units[p] != NULL)
                drop_unit(source, p);
    }
    sim_source_free(source);
    return true;
}

static const struct source_ops sim_source_ops = {
    .poll = sim_poll,
    .commit = sim_commit,
    .pause = sim_pause,
    .begin = sim_begin,
    .hold = sim_hold,
    .restart = sim_restart,
    .adopt = sim_adopt,
    .end = sim_end,
    .cluster = sim_cluster,
    .close = sim_close,
};

struct sim_source *sim_source_new(struct sim_kafka *kafka, const struct topic *topic, int number,
                                  const struct source_handler *handler, bool is_reader)
{
    struct sim_source *source = mem_zalloc(sizeof *source);
    source->source.ops = &sim_source_ops;
    source->kafka = kafka;
    source->topic = topic;
    source->number = number;
    source->handler = *handler;
    source->is_reader = is_reader;
    source->alive_ms = INT64_MAX;
    return source;
}
