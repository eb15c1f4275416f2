#include "run/tenure_judge.h"

#include <stdlib.h>

#include "tidewheel/mem.h"

enum { CLOCK_AHEAD_MS = 10000 };

static bool is_intact(const struct meta_view *view, const char *definition)
{
    return view != NULL && view->definition != NULL && strcmp(view->definition, definition) == 0 &&
           view->gen >= 0 && view->progress >= 0;
}

int judge_place(const struct tenure *tenure, const char *cluster, struct err *err)
{
    const struct meta *found = &tenure->fence.found;
    const struct unit *unit = tenure->unit;
    const char *topic = unit->topic->name;
    const char *group = tenure->worker->setup.options->kafka_group_id;
    if (found->format >= 0 && found->format != META_FORMAT)
        return err_set(err, ERR_FATAL,
                       "topic %s: its state in Redis has format %lld, and this version reads %d: "
                       "run the version that wrote it, or another kafka.group_id",
                       topic, (long long)found->format, META_FORMAT);
    if (found->cluster != NULL && strcmp(found->cluster, "-") != 0 && cluster[0] != '\0' &&
        strcmp(found->cluster, cluster) != 0)
        return err_set(
            err, ERR_FATAL,
            "topic %s: its state in Redis was made from Kafka cluster %s, and this is %s: "
            "correct kafka.brokers, or use another kafka.group_id",
            topic, found->cluster, cluster);
    if (found->partition_count >= 0 && found->partition_count != unit->partition_count)
        return err_set(
            err, ERR_FATAL,
            "topic %s has %d partitions, and its state in Redis was made from %lld: keys "
            "have moved, and what they had counted would be missing; stop all workers, "
            "unlink the keys {tw:%s:%s:* and start again: all of it is read again",
            topic, (int)unit->partition_count, (long long)found->partition_count, group, topic);
    return 0;
}

int64_t judge_joined(const struct meta *found, const struct topic *topic)
{
    int64_t joined = -1;
    for (size_t i = 0; i < topic->view_count; i++) {
        const struct meta_view *view = meta_view_of(found, topic->views[i]->name);
        if (is_intact(view, topic->views[i]->definition) && view->progress > joined)
            joined = view->progress;
    }
    return joined;
}

/* A clock that ran ahead has let go of buckets that are alive. */
static bool is_clock_ahead(const struct tenure *tenure)
{
    const struct topic *topic = tenure->unit->topic;
    for (size_t i = 0; i < topic->view_count; i++) {
        const struct meta_view *view = meta_view_of(&tenure->fence.found, topic->views[i]->name);
        if (view != NULL && topic->views[i]->clock == CLOCK_WALL &&
            view->clock_ms > tenure->worker->wall_ms + CLOCK_AHEAD_MS)
            return true;
    }
    return false;
}

const char *judge_rebuild(const struct tenure *tenure)
{
    const struct meta *found = &tenure->fence.found;
    int64_t joined = judge_joined(found, tenure->unit->topic);
    if (!found->is_found)
        return "Redis has no state of it";
    if (tenure->plan.is_reset)
        return "the group's offsets were set by a person";
    if (joined < 0)
        return "every view is new or has changed";
    if (joined > tenure->plan.live_at)
        return "the log ends before the state does";
    if (is_clock_ahead(tenure))
        return "the state was written by a clock that ran ahead";
    return NULL;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

bool judge_view(const struct meta *found, int64_t joined, struct shard *shard, uint32_t view,
                struct kept *kept)
{
    const struct view *now = shard->topic->views[view];
    const struct meta_view *known = meta_view_of(found, now->name);
    if (!is_intact(known, now->definition))
        return false;
    kept->gen = known->gen;
    kept->position = kept->saved = known->progress;
    kept->cover_ms = larger(known->cover_ms, 0);
    shard->is_behind[view] = known->progress < joined;
    shard->clock_ms[view] = larger(shard->clock_ms[view], known->clock_ms);
    shard->said_ms[view] = shard->drained_ms[view] = known->said_ms;
    return true;
}

void judge_reset(const struct meta *found, const char *view, int64_t start, struct kept *kept)
{
    kept->is_reset = true;
    kept->gen = 0;
    kept->old_gen = -1;
    for (size_t i = 0; i < found->view_count; i++) {
        const struct meta_view *known = &found->views[i];
        if (strcmp(known->name, view) != 0)
            continue;
        kept->gen = larger(kept->gen, known->gen);
        if (known->is_old || known->gen < 0)
            continue;
        kept->old_gen = known->gen;
        free(kept->old_output);
        kept->old_output = known->output != NULL ? mem_strdup(known->output) : NULL;
    }
    kept->gen++;
    kept->position = start;
}

bool judge_is_live(const struct tenure *tenure)
{
    const struct shard *shard = tenure->unit->shard;
    for (size_t i = 0; i < tenure->unit->topic->view_count; i++)
        if (!shard->is_behind[i] && shard->said_ms[i] < 0)
            return false;
    return true;
}
