#include "run/tenure.h"
#include "tidewheel/log.h"

/* ---- records ---- */

static void note_cover(struct tenure *tenure, const struct record *record, bool is_behind)
{
    const struct shard *shard = tenure->unit->shard;
    for (size_t i = 0; i < tenure->unit->topic->view_count; i++) {
        struct kept *kept = &tenure->checkpoint.kept[i];
        if (!kept->is_cover_open || shard->is_behind[i] != is_behind)
            continue;
        kept->is_cover_open = false;
        if (record->timestamp_ms >= 0 && record->timestamp_ms < kept->cover_ms)
            kept->cover_ms = record->timestamp_ms;
    }
}

/* The views that are behind have seen everything before offset. */
static void join(struct tenure *tenure, int64_t offset)
{
    struct worker *worker = tenure->worker;
    struct shard *shard = tenure->unit->shard;
    if (offset < shard->ledger.position)
        return;
    for (uint32_t i = 0; i < tenure->unit->topic->view_count; i++) {
        if (!shard->is_behind[i] || tenure->checkpoint.kept[i].is_reset)
            continue;
        log_info("joined", "worker=%d topic=%s partition=%d view=%s position=%lld",
                 worker->setup.number, tenure->unit->topic->name, tenure->unit->partition,
                 tenure->unit->topic->views[i]->name, (long long)shard->ledger.position);
        shard_join(shard, i);
    }
    worker->reader->ops->hold(worker->reader, tenure->unit);
}

bool tenure_wants(const struct tenure *tenure, uint32_t view, int64_t offset)
{
    const struct kept *kept = &tenure->checkpoint.kept[view];
    return tenure->unit->shard->is_behind[view] && !kept->is_reset && kept->position <= offset;
}

bool tenure_take_behind(struct tenure *tenure, const struct record *record)
{
    if (tenure == NULL || tenure->state != TENURE_RUNNING)
        return false;
    if (record->offset >= tenure->unit->shard->ledger.position) {
        join(tenure, record->offset);
        return false;
    }
    note_cover(tenure, record, true);
    return true;
}

void tenure_reached_behind(struct tenure *tenure, int64_t offset)
{
    if (tenure == NULL || tenure->state != TENURE_RUNNING)
        return;
    for (uint32_t i = 0; i < tenure->unit->topic->view_count; i++)
        if (tenure_wants(tenure, i, offset))
            tenure->checkpoint.kept[i].position = offset;
    join(tenure, offset);
}

/* Who had the unit before may have read on until our claim; a record that came after it brings an end
 * of the log that lies behind all that. */
static void note_own(struct tenure *tenure)
{
    struct shard *shard = tenure->unit->shard;
    struct source *source = tenure->worker->source;
    if (shard->own_from < INT64_MAX)
        return;
    int64_t end = source->ops->end(source, tenure->unit);
    shard->own_from = end > tenure->plan.live_at ? end : tenure->plan.live_at;
}

bool tenure_take(struct tenure *tenure, const struct record *record)
{
    struct anchor seen = {record->offset, record->timestamp_ms, meta_checksum(record->value)};
    if (tenure->state != TENURE_RUNNING)
        return false;
    note_own(tenure);
    if (record->offset == tenure->expected.offset) {
        bool is_same = seen.timestamp_ms == tenure->expected.timestamp_ms &&
                       seen.checksum == tenure->expected.checksum;
        tenure->expected.offset = -1;
        if (!is_same) {
            tenure_rebuild(tenure, "the log is another than the one that was read");
            return false;
        }
    }
    if (record->offset < tenure->unit->shard->ledger.position || !trial_take(tenure, record))
        return false;
    tenure->checkpoint.anchor = seen;
    note_cover(tenure, record, false);
    return true;
}

/* ---- what was dropped from memory ---- */

static void on_fetched(void *arg, uint64_t tag, struct slice blob)
{
    struct tenure *tenure = arg;
    struct entity_ref ref = {(uint32_t)(tag >> 32), (uint32_t)tag};
    struct err err = {0, "its blob is gone"};
    if (blob.ptr != NULL &&
        shard_warm(tenure->unit->shard, ref, tenure->checkpoint.kept[ref.view].definition, blob,
                   &err) == 0)
        return;
    log_warn("blob", "worker=%d topic=%s partition=%d view=%s why=\"%s\"",
             tenure->worker->setup.number, tenure->unit->topic->name, tenure->unit->partition,
             tenure->unit->topic->views[ref.view]->name, err.text);
    tenure->is_damaged = true;
}

void tenure_fetch(struct tenure *tenure)
{
    struct worker *worker = tenure->worker;
    struct shard *shard = tenure->unit->shard;
    struct entity_ref ref;
    struct buf key = {NULL, 0, 0};
    while (worker->fetches_left > 0 && loader_can_fetch(worker->loader) &&
           shard_take_wanted(shard, &ref)) {
        worker->fetches_left--;
        const struct entity *entity = entity_at(&shard->views[ref.view], ref.number);
        struct slice identity = {entity->identity, entity->identity_len};
        buf_reset(&key);
        meta_blob_key(&key, buf_text(&tenure->prefix), tenure->unit->topic->views[ref.view]->name,
                      tenure->checkpoint.kept[ref.view].gen, meta_blob_hash(identity));
        loader_fetch(worker->loader, &tenure->fence, buf_slice(&key), identity,
                     (uint64_t)ref.view << 32 | ref.number, on_fetched, tenure);
    }
    buf_fini(&key);
}

void tenures_fetch(struct worker *worker)
{
    for (size_t i = 0; i < worker->tenure_count; i++)
        if (worker->tenures[i]->state == TENURE_RUNNING && !worker->tenures[i]->is_damaged)
            tenure_fetch(worker->tenures[i]);
}
