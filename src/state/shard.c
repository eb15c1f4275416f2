#include "tidewheel/shard.h"

#include <stdlib.h>

#include "state/shard_private.h"
#include "tidewheel/mem.h"
#include "tidewheel/route.h"

enum { GONE_MS = 30 * 1000 }; /* more than what a crash or a failover of Redis loses */

struct shard *shard_new(const struct topic *topic, struct tally *const *tallies, uint64_t seed,
                        int64_t now_ms)
{
    struct shard *shard = mem_zalloc(sizeof *shard);
    shard->topic = topic;
    shard->tallies = tallies;
    shard->record_ms = -1;
    shard->slab = slab_new();
    shard->views = mem_zalloc(topic->view_count * sizeof *shard->views);
    shard->clock_ms = mem_zalloc(topic->view_count * sizeof *shard->clock_ms);
    shard->is_behind = mem_zalloc(topic->view_count * sizeof *shard->is_behind);
    shard->drained_ms = mem_zalloc(topic->view_count * sizeof *shard->drained_ms);
    shard->said_ms = mem_zalloc(topic->view_count * sizeof *shard->said_ms);
    shard->draining = mem_zalloc(topic->view_count * sizeof *shard->draining);
    for (size_t i = 0; i < topic->view_count; i++) {
        int64_t begin_ms =
            topic->views[i]->clock == CLOCK_EVENT ? 0 : now_ms; /* of the view's clock */
        entities_init(&shard->views[i], topic->views[i], shard->slab, seed, begin_ms);
    }
    ledger_init(&shard->ledger, 0, -1);
    return shard;
}

void shard_free(struct shard *shard)
{
    if (shard == NULL)
        return;
    for (size_t i = 0; i < shard->topic->view_count; i++)
        entities_fini(&shard->views[i]);
    shard_drop_buried(shard);
    ledger_fini(&shard->ledger);
    slab_free(shard->slab);
    free(shard->views);
    free(shard->clock_ms);
    free(shard->is_behind);
    free(shard->drained_ms);
    free(shard->said_ms);
    free(shard->draining);
    free(shard->dirty.refs);
    free(shard->saving.refs);
    free(shard->wanted.refs);
    free(shard->aside);
    free(shard);
}

void shard_tell(struct shard *shard, int64_t wall_ms)
{
    shard->wall_ms = wall_ms;
    for (size_t i = 0; i < shard->topic->view_count; i++)
        if (shard->topic->views[i]->clock == CLOCK_WALL && shard->clock_ms[i] < wall_ms)
            shard->clock_ms[i] = wall_ms;
}

/* ---- applying ---- */

/* An event on its way through the features of one view. */
struct passage {
    struct shard *shard;
    uint32_t view;
    const struct routed *routed;
    uint32_t number; /* of the entity; ENTITY_NONE while it is not known */
    unsigned said;   /* a bit for each verdict that a feature gave */
};

static bool is_silent(const struct shard *shard, uint32_t view)
{
    return !shard->is_live || shard->is_behind[view];
}

static struct entity *passage_find(struct passage *passage)
{
    struct entities *entities = &passage->shard->views[passage->view];
    if (passage->number == ENTITY_NONE)
        passage->number = entities_find(entities, passage->routed->identity);
    return passage->number == ENTITY_NONE ? NULL : entity_at(entities, passage->number);
}

static struct entity *passage_entity(struct passage *passage)
{
    struct entities *entities = &passage->shard->views[passage->view];
    struct entity *known = passage_find(passage);
    if (known != NULL)
        return known;
    passage->number = entities_add(entities, passage->routed->identity);
    struct entity *entity = entity_at(entities, passage->number);
    entity->generation = passage->shard->generation;
    if (is_silent(passage->shard, passage->view))
        entity->flags |= ENTITY_UNSAID; /* a late event alone is something to say, too */
    return entity;
}

static enum verdict feed(struct passage *passage, size_t feature, double value)
{
    struct shard *shard = passage->shard;
    const struct series_spec *spec = &shard->topic->views[passage->view]->features[feature].series;
    int64_t now_ms = shard->clock_ms[passage->view];
    int64_t ts_ms = passage->routed->ts_ms;
    if (series_is_late(spec, ts_ms, now_ms))
        return VERDICT_LATE;
    struct entity *entity = passage_entity(passage);
    (void)series_add(&entity->series[feature], spec, shard->slab, ts_ms, value, now_ms);
    return VERDICT_APPLIED;
}

/* What the view as a whole says of an accepted event (tally.h). */
static enum verdict sum_up(unsigned said)
{
    static const enum verdict ORDER[] = {VERDICT_APPLIED, VERDICT_BAD_TYPE, VERDICT_MISSING,
                                         VERDICT_LATE};
    if (said == (1u << VERDICT_LATE) || said == (1u << VERDICT_LATE | 1u << VERDICT_UNMATCHED))
        return VERDICT_LATE;
    for (size_t i = 0; i < sizeof ORDER / sizeof ORDER[0]; i++)
        if (said >> ORDER[i] & 1)
            return ORDER[i];
    return VERDICT_UNMATCHED;
}

/* The entity has to be written: now, in the order of offsets, or in the pass when the unit is live.
 */
static void mark_changed(struct shard *shard, struct entity_ref ref, int64_t offset,
                         int64_t record_ms)
{
    struct entity *entity = entity_of(shard, ref);
    if ((entity->flags & ENTITY_GONE) != 0)
        shard->views[ref.view].gone_count--;
    entity->flags &= (uint16_t)~ENTITY_GONE;
    (void)shard_has_buckets(shard, ref);
    if (is_silent(shard, ref.view)) {
        entity->flags |= ENTITY_UNSAID;
        return;
    }
    if ((entity->flags & (ENTITY_HELD | ENTITY_ASIDE)) != 0)
        return;
    entity->flags |= ENTITY_HELD;
    ledger_hold(&shard->ledger, (struct held){ref, offset, record_ms});
}

static bool is_known_by(enum know know, unsigned said)
{
    unsigned matched = 1u << VERDICT_LATE | 1u << VERDICT_APPLIED;
    return know == KNOW_ACCEPTED || (know == KNOW_MATCHED && (said & matched) != 0);
}

/* In it already, from before a crash: it is counted, and its features are written again, since nobody
 * knows whether they were. */
static bool is_applied(struct passage *passage, int64_t offset)
{
    struct shard *shard = passage->shard;
    const struct entity *entity = shard->keeps_blobs ? passage_find(passage) : NULL;
    if (entity == NULL || offset > entity->applied)
        return false;
    mark_changed(shard, (struct entity_ref){passage->view, passage->number}, offset,
                 passage->routed->record_ms);
    return true;
}

void shard_apply(struct shard *shard, uint32_t view_number, const struct routed *routed,
                 const struct value *values, int64_t offset, enum know know)
{
    const struct view *view = shard->topic->views[view_number];
    struct passage passage = {shard, view_number, routed, ENTITY_NONE, 0};
    bool is_on_event_time = view->clock == CLOCK_EVENT || shard->is_on_event_time;
    if (is_on_event_time && shard->clock_ms[view_number] < routed->ts_ms)
        shard->clock_ms[view_number] = routed->ts_ms;
    if (is_applied(&passage, offset))
        return;
    for (size_t i = 0; i < view->feature_count; i++) {
        double value = 0;
        enum verdict verdict = route_feature(&view->features[i], values, &value);
        if (verdict == VERDICT_APPLIED)
            verdict = feed(&passage, i, value);
        passage.said |= 1u << verdict;
    }
    struct tally *tally = shard->tallies[view->index];
    tally_add(tally, VERDICT_ACCEPTED, 1);
    tally_add(tally, sum_up(passage.said), 1);
    bool has_fed = (passage.said >> VERDICT_APPLIED & 1) != 0;
    if (!has_fed && !is_known_by(know, passage.said))
        return;
    struct entity *entity = passage_entity(&passage);
    struct entity_ref ref = {view_number, passage.number};
    entity->applied = offset;
    shard_mark_dirty(shard, ref);
    if (has_fed && entity->newest_ms < routed->ts_ms)
        entity->newest_ms = routed->ts_ms;
    /* An event that has become late while somebody else owned the unit may still be in what that owner
     * has published. */
    if (has_fed || know == KNOW_MATCHED)
        mark_changed(shard, ref, offset, routed->record_ms);
}

/* ---- silence and speech ---- */

static void begin_pass(struct shard *shard)
{
    shard->pass = (struct entity_ref){0, 0};
    shard->is_passing = true;
}

void shard_go_live(struct shard *shard)
{
    shard->is_live = true;
    begin_pass(shard);
}

void shard_join(struct shard *shard, uint32_t view)
{
    shard->is_behind[view] = false;
    if (shard->is_live)
        begin_pass(shard);
}

void shard_go_silent(struct shard *shard, int64_t live_at)
{
    shard->is_live = false;
    shard->live_at = live_at;
}

/* Generations begin anew: none of the old ones may be taken for this one. */
static void mark_all_unsaid(struct shard *shard)
{
    for (size_t i = 0; i < shard->topic->view_count; i++) {
        for (uint32_t number = 0; number < shard->views[i].end; number++) {
            struct entity *entity = entity_at(&shard->views[i], number);
            if ((entity->flags & ENTITY_IN_USE) != 0)
                entity->flags |= ENTITY_UNSAID;
        }
    }
}

void shard_say_again(struct shard *shard)
{
    shard->generation++;
    if (shard->generation == 0)
        mark_all_unsaid(shard);
    if (shard->is_live)
        begin_pass(shard);
}

/* ---- lane 1 ---- */

void shard_mark_sent(struct shard *shard, struct entity_ref ref)
{
    struct entity *entity = entity_of(shard, ref);
    if (has_unsaid(shard, entity)) { /* events of any offset may have changed it */
        ledger_send(&shard->ledger, shard->started_at);
        shard_mark_dirty(shard, ref); /* its blob says that it is owed */
    }
    entity->flags = (uint16_t)((entity->flags & ~(ENTITY_HELD | ENTITY_UNSAID)) | ENTITY_SENT);
}

static void fetch_ahead(const struct shard *shard)
{
    const struct held *record = ledger_peek(&shard->ledger, FETCH_RECORD);
    const struct held *buckets = ledger_peek(&shard->ledger, FETCH_BUCKETS);
    if (record != NULL)
        shard_fetch_record(shard, record->entity);
    if (buckets != NULL)
        shard_fetch_buckets(shard, buckets->entity);
}

/* The next one that is held: those that a checkpoint has written since are passed by. */
static const struct held *next_held(struct shard *shard)
{
    for (;;) {
        const struct held *next = ledger_peek(&shard->ledger, 0);
        if (next == NULL || (entity_of(shard, next->entity)->flags & ENTITY_HELD) != 0)
            return next;
        ledger_drop(&shard->ledger);
    }
}

bool shard_take_arrival(struct shard *shard, struct entity_ref *ret, int64_t *ret_record_ms)
{
    const struct held *next = shard->is_live ? next_held(shard) : NULL;
    if (next == NULL || !shard_has_buckets(shard, next->entity))
        return false;
    struct held held;
    (void)ledger_take(&shard->ledger, &held);
    fetch_ahead(shard);
    shard_mark_sent(shard, held.entity);
    *ret = held.entity;
    if (ret_record_ms != NULL)
        *ret_record_ms = held.record_ms;
    return true;
}

/* ---- lane 2 ---- */

enum { WRITE_PENDING = ENTITY_HELD | ENTITY_SENT | ENTITY_ASIDE };

/* Has time changed any value since the last acknowledged write? The buckets are still those of
 * then: an arrival would have marked the entity, and only a write or an arrival tidies. */
static bool has_decayed(const struct shard *shard, uint32_t view_number, uint32_t number,
                        int64_t *ret_next_ms)
{
    const struct view *view = shard->topic->views[view_number];
    const struct entity *entity = entity_at(&shard->views[view_number], number);
    bool has_changed = false;
    *ret_next_ms = INT64_MAX;
    for (size_t i = 0; i < view->feature_count; i++) {
        const struct feature *feature = &view->features[i];
        struct series_reading then;
        struct series_reading now;
        series_read(&entity->series[i], &feature->series, entity->published_ms, &then);
        series_read(&entity->series[i], &feature->series, shard->clock_ms[view_number], &now);
        *ret_next_ms = now.next_ms < *ret_next_ms ? now.next_ms : *ret_next_ms;
        for (size_t k = 0; k < feature->aggregate_count * feature->window_count; k++) {
            const struct op *op = feature->aggregates[k / feature->window_count];
            size_t window = k % feature->window_count;
            struct reading before = op_read(op, &feature->series.shape, then.acc[window]);
            struct reading after = op_read(op, &feature->series.shape, now.acc[window]);
            has_changed = has_changed || !reading_is_equal(&before, &after);
        }
    }
    return has_changed;
}

static void forget(struct shard *shard, struct entities *entities, uint32_t number)
{
    entities->gone_count--;
    shard->forgot_ms = shard->wall_ms - GONE_MS;
    entities_remove(entities, number);
}

/* Blobs of a view that nobody has said whole do not tell who of it is owed: only the pass tells that. */
static bool is_unsaid_yet(const struct shard *shard, uint32_t view)
{
    return shard->is_passing && shard->drained_ms[view] < 0;
}

/* No timer is due. But those of cold ones have gone off, too, and are set again when they are back: up to
 * now all is gathered only if none is away; else up to when nobody was asked for who is still away. */
static void note_drained(struct shard *shard, uint32_t view)
{
    struct draining *draining = &shard->draining[view];
    int64_t now_ms = floor_to(shard->clock_ms[view], EXPIRE_TICK_MS);
    if (shard->warmed < draining->asked || is_unsaid_yet(shard, view))
        return;
    int64_t upto_ms = shard->warmed == shard->asked ? now_ms : draining->upto_ms;
    if (shard->drained_ms[view] < upto_ms)
        shard->drained_ms[view] = upto_ms;
    *draining = (struct draining){now_ms, shard->asked};
}

static bool take_due(struct shard *shard, size_t *looks, struct entity_ref *ret)
{
    for (uint32_t view = 0; view < shard->topic->view_count; view++) {
        struct entities *entities = &shard->views[view];
        for (; *looks > 0 && !shard->is_behind[view]; --*looks) {
            uint32_t number = expire_take(entities->expire, shard->clock_ms[view]);
            if (number == EXPIRE_NONE) {
                note_drained(shard, view);
                break;
            }
            const struct entity *entity = entity_at(entities, number);
            if ((entity->flags & WRITE_PENDING) != 0)
                continue; /* a write is on its way, and sets the timer again */
            if ((entity->flags & ENTITY_GONE) != 0 && !has_unsaid(shard, entity)) {
                forget(shard, entities, number);
                continue;
            }
            int64_t next_ms = 0;
            *ret = (struct entity_ref){view, number};
            if (!shard_has_buckets(shard, *ret))
                continue; /* its timer is set again when they are back */
            /* With nothing alive it is written in any case: that is how it is forgotten. */
            if (has_unsaid(shard, entity) || has_decayed(shard, view, number, &next_ms) ||
                next_ms == INT64_MAX)
                return true;
            expire_set(entities->expire, number, next_ms);
        }
    }
    return false;
}

/* What it has asked for is said when it is back: until then nothing of its view is drained. */
static void end_pass(struct shard *shard)
{
    shard->is_passing = false;
    for (size_t i = 0; i < shard->topic->view_count; i++)
        shard->draining[i].asked = shard->asked;
}

static bool take_unsaid(struct shard *shard, size_t *looks, struct entity_ref *ret)
{
    for (; shard->is_passing && *looks > 0; --*looks) {
        const struct entities *entities = &shard->views[shard->pass.view];
        if (shard->pass.number == entities->end || shard->is_behind[shard->pass.view]) {
            shard->pass = (struct entity_ref){shard->pass.view + 1, 0};
            shard->said_at = shard->ledger.position;
            if (shard->pass.view == shard->topic->view_count)
                end_pass(shard);
            continue;
        }
        *ret = shard->pass;
        shard->pass.number++;
        const struct entity *entity = entity_of(shard, *ret);
        if ((entity->flags & (ENTITY_IN_USE | WRITE_PENDING)) == ENTITY_IN_USE &&
            has_unsaid(shard, entity) && shard_has_buckets(shard, *ret))
            return true; /* the timer of one that is away says it when it is back */
    }
    return false;
}

bool shard_take_decay(struct shard *shard, int64_t wall_ms, size_t *looks, struct entity_ref *ret)
{
    if (!shard->is_live)
        return false;
    if (!shard_take_refused(shard, wall_ms, ret) && !take_due(shard, looks, ret) &&
        !take_unsaid(shard, looks, ret))
        return false;
    shard_mark_sent(shard, *ret);
    return true;
}

/* ---- reading ---- */

void shard_read(const struct shard *shard, struct entity_ref ref, struct row *row)
{
    const struct view *view = shard->topic->views[ref.view];
    const struct entity *entity = entity_of(shard, ref);
    row->view = view;
    row->identity = (struct slice){entity->identity, entity->identity_len};
    row->as_of_ms = shard->clock_ms[ref.view];
    row->newest_ms = entity->newest_ms;
    row->next_ms = INT64_MAX;
    row->is_new = entity->published_ms < 0;
    struct series_reading reading;
    for (size_t i = 0, feature = SIZE_MAX; i < view->field_count; i++) {
        const struct output_field *field = &view->fields[i];
        const struct series_spec *spec = &view->features[field->feature].series;
        if (field->feature != feature) {
            feature = field->feature;
            series_read(&entity->series[feature], spec, row->as_of_ms, &reading);
            row->next_ms = reading.next_ms < row->next_ms ? reading.next_ms : row->next_ms;
        }
        row->readings[i] = op_read(field->op, &spec->shape, reading.acc[field->window]);
        if (row->readings[i].kind == READING_OVERFLOW)
            tally_add(shard->tallies[view->index], VERDICT_OVERFLOW, 1);
    }
}

/* ---- answers ---- */

void shard_written(struct shard *shard, struct entity_ref ref, int64_t as_of_ms, int64_t next_ms,
                   uint8_t generation)
{
    struct entities *entities = &shard->views[ref.view];
    struct entity *entity = entity_of(shard, ref);
    entity->flags &= (uint16_t)~ENTITY_SENT;
    entity->published_ms = as_of_ms;
    entity->generation = generation;
    if (has_unsaid(shard, entity) && shard->is_live)
        begin_pass(shard); /* changed in silence, or lost, while it was on its way */
    if ((entity->flags & (ENTITY_HELD | ENTITY_ASIDE)) != 0 || has_unsaid(shard, entity))
        return; /* it is written again, by whoever has it on a list */
    bool is_gone = next_ms == INT64_MAX;
    if (is_gone && (entity->flags & ENTITY_GONE) == 0)
        entities->gone_count++;
    entity->flags |= is_gone ? ENTITY_GONE : 0;
    if (shard->keeps_blobs && is_gone) {
        expire_clear(entities->expire, ref.number);
        shard_mark_dirty(shard, ref); /* it is forgotten with its blob */
    } else {
        expire_set(entities->expire, ref.number, is_gone ? as_of_ms + GONE_MS : next_ms);
    }
    for (size_t i = 0; i < entities->view->feature_count; i++)
        series_tidy(&entity->series[i], &entities->view->features[i].series, shard->slab, as_of_ms);
}
