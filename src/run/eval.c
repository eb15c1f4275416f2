#include "tidewheel/eval.h"

#include <stdlib.h>

#include "tidewheel/mem.h"

/* One topic's share of the work: the event as decoded for it, and the state. */
struct lane {
    struct decoder *decoder; /* of its own: what it decoded lives until its next event */
    struct shard *shard;
    struct event event;
    enum verdict verdict;
};

struct eval {
    const struct catalog *catalog;
    struct lane *lanes;     /* of each topic */
    struct tally *own;      /* of each view */
    struct tally **tallies; /* pointers to them, as a shard takes them */
    struct row row;
};

static size_t most_fields(const struct catalog *catalog)
{
    size_t most = 1;
    for (size_t i = 0; i < catalog->view_count; i++)
        if (catalog->views[i]->field_count > most)
            most = catalog->views[i]->field_count;
    return most;
}

struct eval *eval_new(const struct catalog *catalog, const struct decode_limits *limits)
{
    struct eval *eval = mem_zalloc(sizeof *eval);
    eval->catalog = catalog;
    eval->own = mem_zalloc((catalog->view_count + 1) * sizeof *eval->own);
    eval->tallies = mem_zalloc((catalog->view_count + 1) * sizeof *eval->tallies);
    for (size_t i = 0; i < catalog->view_count; i++)
        eval->tallies[i] = &eval->own[i];
    eval->lanes = mem_zalloc((catalog->topic_count + 1) * sizeof *eval->lanes);
    for (size_t i = 0; i < catalog->topic_count; i++) {
        eval->lanes[i].decoder = decoder_new(limits);
        eval->lanes[i].shard = shard_new(catalog->topics[i], eval->tallies, 0, 0);
        eval->lanes[i].shard->is_on_event_time = true;
    }
    eval->row.readings = mem_alloc(most_fields(catalog) * sizeof *eval->row.readings);
    return eval;
}

void eval_free(struct eval *eval)
{
    if (eval == NULL)
        return;
    for (size_t i = 0; i < eval->catalog->topic_count; i++) {
        shard_free(eval->lanes[i].shard);
        decoder_free(eval->lanes[i].decoder);
    }
    free(eval->lanes);
    free(eval->tallies);
    free(eval->own);
    free(eval->row.readings);
    free(eval);
}

/* The lane of a view, and the view's number in its topic. */
static struct lane *lane_of(const struct eval *eval, const struct view *view, uint32_t *ret_number)
{
    size_t topic = 0;
    while (eval->catalog->topics[topic] != view->topic)
        topic++;
    *ret_number = 0;
    while (view->topic->views[*ret_number] != view)
        ++*ret_number;
    return &eval->lanes[topic];
}

static void reject(struct eval *eval, const struct view *view, enum verdict verdict,
                   const struct eval_listener *listener)
{
    tally_add(eval->tallies[view->index], verdict, 1);
    if (listener->rejected != NULL)
        listener->rejected(listener->arg, view, verdict);
}

static void accept(struct eval *eval, struct shard *shard, uint32_t number,
                   const struct routed *routed, const struct event *event,
                   const struct eval_listener *listener)
{
    shard_apply(shard, number, routed, event->values, 0, KNOW_ACCEPTED);
    if (listener->accepted == NULL)
        return;
    uint32_t entity = entities_find(&shard->views[number], routed->identity);
    shard_read(shard, (struct entity_ref){number, entity}, &eval->row);
    listener->accepted(listener->arg, &eval->row);
}

static void take_for_view(struct eval *eval, const struct view *view, int64_t until_ms,
                          const struct eval_listener *listener)
{
    uint32_t number = 0;
    struct lane *lane = lane_of(eval, view, &number);
    struct tally *tally = eval->tallies[view->index];
    struct routed routed;
    enum verdict verdict = lane->verdict;
    if (verdict == VERDICT_ACCEPTED)
        verdict = decode_for_view(lane->decoder, view, &lane->event, INT64_MAX, &routed);
    if (verdict != VERDICT_ACCEPTED) {
        reject(eval, view, verdict, listener);
        return;
    }
    if (lane->event.duplicates > 0)
        tally_add(tally, VERDICT_DUPLICATE_KEY, lane->event.duplicates);
    if (routed.ts_ms <= until_ms)
        accept(eval, lane->shard, number, &routed, &lane->event, listener);
    else
        tally_add(tally, VERDICT_ACCEPTED, 1);
}

void eval_take(struct eval *eval, struct slice bytes, int64_t record_ms, int64_t until_ms,
               const struct eval_listener *listener)
{
    struct record record = {.value = bytes, .timestamp_ms = record_ms};
    for (size_t i = 0; i < eval->catalog->topic_count; i++) {
        struct lane *lane = &eval->lanes[i];
        lane->verdict = decode(lane->decoder, eval->catalog->topics[i], &record, &lane->event);
    }
    for (size_t i = 0; i < eval->catalog->view_count; i++)
        take_for_view(eval, eval->catalog->views[i], until_ms, listener);
}

static void set_clock(struct shard *shard, uint32_t number, int64_t at_ms)
{
    if (at_ms >= 0)
        shard->clock_ms[number] = at_ms;
}

void eval_each(struct eval *eval, int64_t at_ms, eval_row_fn *each, void *arg)
{
    for (size_t i = 0; i < eval->catalog->view_count; i++) {
        uint32_t number = 0;
        struct shard *shard = lane_of(eval, eval->catalog->views[i], &number)->shard;
        set_clock(shard, number, at_ms);
        /* Numbers are given in the order of appearance, and nothing is forgotten here. */
        for (uint32_t entity = 0; entity < shard->views[number].end; entity++) {
            shard_read(shard, (struct entity_ref){number, entity}, &eval->row);
            each(arg, &eval->row);
        }
    }
}

bool eval_find(struct eval *eval, const struct view *view, struct slice identity, int64_t at_ms,
               eval_row_fn *found, void *arg)
{
    uint32_t number = 0;
    struct shard *shard = lane_of(eval, view, &number)->shard;
    uint32_t entity = entities_find(&shard->views[number], identity);
    if (entity == ENTITY_NONE)
        return false;
    set_clock(shard, number, at_ms);
    shard_read(shard, (struct entity_ref){number, entity}, &eval->row);
    found(arg, &eval->row);
    return true;
}

uint64_t eval_count(const struct eval *eval, enum verdict verdict)
{
    uint64_t count = 0;
    for (size_t i = 0; i < eval->catalog->view_count; i++)
        count += tally_read(eval->tallies[i], verdict);
    return count;
}
