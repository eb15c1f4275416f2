#include "tidewheel/checkpoint.h"

#include "tidewheel/failpoint.h"
#include "tidewheel/mem.h"
#include "tidewheel/num.h"

enum {
    BLOBS_PER_ENTITY = 4, /* what a blob costs Redis, beside an entity's features */
    NUMBER_MAX = 24,
};

#define BLOB_NONE UINT32_MAX

/* Of a chunk that is being gathered. */
struct blob {
    struct entity_ref ref;
    struct slice identity; /* lent by the shard */
    size_t begin;          /* in text */
    size_t len;            /* 0: nothing is alive */
    unsigned k;
    uint32_t next; /* of the same hash */
};

/* ---- commands ---- */

/* Words gather in one text; what they point at is known when it does not move any more. */
static void begin_words(struct checkpoint *checkpoint, size_t *count)
{
    buf_reset(&checkpoint->text);
    *count = 0;
}

static void end_word(struct checkpoint *checkpoint, size_t begin, size_t *count)
{
    checkpoint->words =
        mem_grow(checkpoint->words, *count, &checkpoint->word_cap, sizeof *checkpoint->words);
    checkpoint->words[(*count)++] = (struct slice){NULL, checkpoint->text.len - begin};
}

static void add_word(struct checkpoint *checkpoint, const char *text, size_t *count)
{
    size_t begin = checkpoint->text.len;
    buf_add_text(&checkpoint->text, text);
    end_word(checkpoint, begin, count);
}

static void add_number(struct checkpoint *checkpoint, int64_t number, size_t *count)
{
    size_t begin = checkpoint->text.len;
    char *at = buf_reserve(&checkpoint->text, NUMBER_MAX);
    buf_advance(&checkpoint->text, num_format_int64(number, at));
    end_word(checkpoint, begin, count);
}

static void add_field(struct checkpoint *checkpoint, const char *view, const char *what,
                      size_t *count)
{
    size_t begin = checkpoint->text.len;
    buf_add_text(&checkpoint->text, view);
    buf_add_char(&checkpoint->text, ':');
    buf_add_text(&checkpoint->text, what);
    end_word(checkpoint, begin, count);
}

static void add_blob_key(struct checkpoint *checkpoint, uint32_t view, unsigned k, size_t *count)
{
    size_t begin = checkpoint->text.len;
    meta_blob_key(&checkpoint->text, checkpoint->prefix,
                  checkpoint->shard->topic->views[view]->name, checkpoint->kept[view].gen, k);
    end_word(checkpoint, begin, count);
}

static void end_words(struct checkpoint *checkpoint, struct batch *batch, size_t count)
{
    const char *at = checkpoint->text.ptr;
    for (size_t i = 0; i < count; i++) {
        checkpoint->words[i].ptr = at;
        at += checkpoint->words[i].len;
    }
    batch_command(batch, checkpoint->words, count);
}

static void close_item(struct checkpoint *checkpoint, struct batch *batch, enum item_kind kind,
                       struct entity_ref entity, uint64_t tag)
{
    struct item *item = batch_close(batch, kind, checkpoint->shard, checkpoint->fence);
    item->entity = entity;
    item->tag = tag;
    checkpoint->in_flight++;
}

/* ---- one after the other ---- */

int64_t checkpoint_goal(const struct checkpoint *checkpoint)
{
    return ledger_delivered(&checkpoint->shard->ledger);
}

/* The progress of a view. None is ever ahead of P: who comes after us would take it for the unit's, and
 * read the others' records, letters among them, as history. */
static int64_t goal_of(const struct checkpoint *checkpoint, size_t view, int64_t goal)
{
    int64_t position = checkpoint->kept[view].position;
    return checkpoint->shard->is_behind[view] && position < goal ? position : goal;
}

bool checkpoint_is_due(const struct checkpoint *checkpoint)
{
    const struct shard *shard = checkpoint->shard;
    int64_t goal = checkpoint_goal(checkpoint);
    bool is_due = shard->dirty.count > 0 || goal != checkpoint->progress;
    for (size_t i = 0; i < shard->topic->view_count; i++)
        if (shard->is_behind[i])
            is_due = is_due || goal_of(checkpoint, i, goal) != checkpoint->kept[i].saved;
    return is_due;
}

void checkpoint_begin(struct checkpoint *checkpoint)
{
    struct shard *shard = checkpoint->shard;
    CHECK(checkpoint->phase == CHECKPOINT_IDLE);
    checkpoint->phase = CHECKPOINT_FLUSH;
    const struct posted *posted = ledger_posted(&shard->ledger);
    checkpoint->bytes = 0;
    checkpoint->position = checkpoint_goal(checkpoint);
    checkpoint->saved_anchor = posted != NULL ? posted->record : checkpoint->anchor;
    for (size_t i = 0; i < shard->topic->view_count; i++)
        checkpoint->kept[i].saved = goal_of(checkpoint, i, checkpoint->position);
    shard_begin_saving(shard);
}

/* The next blob of the chunk, behind the others in text. */
static void write_blob(struct checkpoint *checkpoint, struct entity_ref ref, size_t number)
{
    const struct shard *shard = checkpoint->shard;
    const struct entity *entity = entity_at(&shard->views[ref.view], ref.number);
    struct slice identity = {entity->identity, entity->identity_len};
    size_t begin = checkpoint->text.len;
    shard_write_blob(shard, ref, checkpoint->kept[ref.view].definition, &checkpoint->text);
    size_t len = checkpoint->text.len - begin;
    checkpoint->bytes += (int64_t)len;
    checkpoint->chunk =
        mem_grow(checkpoint->chunk, number, &checkpoint->chunk_cap, sizeof *checkpoint->chunk);
    checkpoint->chunk[number] =
        (struct blob){ref, identity, begin, len, meta_blob_hash(identity), BLOB_NONE};
}

static void put_word(struct checkpoint *checkpoint, struct slice word, size_t *count)
{
    checkpoint->words =
        mem_grow(checkpoint->words, *count, &checkpoint->word_cap, sizeof *checkpoint->words);
    checkpoint->words[(*count)++] = word;
}

/* Those of one hash, from `first` on, in one command. */
static void add_blobs(struct checkpoint *checkpoint, struct batch *batch, uint32_t first)
{
    const struct blob *head = &checkpoint->chunk[first];
    const struct kept *kept = &checkpoint->kept[head->ref.view];
    const struct view *view = checkpoint->shard->topic->views[head->ref.view];
    size_t count = 0;
    buf_reset(&checkpoint->key);
    meta_blob_key(&checkpoint->key, checkpoint->prefix, view->name, kept->gen, head->k);
    put_word(checkpoint, slice_of(head->len > 0 ? "HSET" : "HDEL"), &count);
    put_word(checkpoint, buf_slice(&checkpoint->key), &count);
    for (uint32_t i = first; i != BLOB_NONE; i = checkpoint->chunk[i].next) {
        const struct blob *blob = &checkpoint->chunk[i];
        put_word(checkpoint, blob->identity, &count);
        if (blob->len > 0)
            put_word(checkpoint, (struct slice){checkpoint->text.ptr + blob->begin, blob->len},
                     &count);
    }
    batch_command(batch, checkpoint->words, count);
    /* The first item has the command; the others, of the same unit, come and go with it. */
    for (uint32_t i = first; i != BLOB_NONE; i = checkpoint->chunk[i].next)
        close_item(checkpoint, batch, ITEM_BLOB, checkpoint->chunk[i].ref, 0);
}

/* One command costs Redis, and us, as much as a blob does: so those of a hash share one. */
static void add_chunk(struct checkpoint *checkpoint, struct batch *batch, uint32_t view,
                      bool is_gone, size_t count)
{
    uint32_t heads[META_HASHES];
    memset(heads, 0xff, sizeof heads);
    for (size_t i = count; i-- > 0;) {
        struct blob *blob = &checkpoint->chunk[i];
        if (blob->ref.view != view || (blob->len == 0) != is_gone)
            continue;
        blob->next = heads[blob->k];
        heads[blob->k] = (uint32_t)i;
    }
    for (unsigned k = 0; k < META_HASHES; k++)
        if (heads[k] != BLOB_NONE)
            add_blobs(checkpoint, batch, heads[k]);
}

/* Blobs are tidied as of the clock, and an event clock is known to nobody else: it goes with them. */
static void add_event_clocks(struct checkpoint *checkpoint, struct batch *batch)
{
    const struct shard *shard = checkpoint->shard;
    size_t count = 0;
    begin_words(checkpoint, &count);
    add_word(checkpoint, "HSET", &count);
    add_word(checkpoint, checkpoint->fence->meta_key, &count);
    size_t none = count;
    for (size_t i = 0; i < shard->topic->view_count; i++) {
        if (shard->topic->views[i]->clock != CLOCK_EVENT)
            continue;
        add_field(checkpoint, shard->topic->views[i]->name, "clock", &count);
        add_number(checkpoint, shard->clock_ms[i], &count);
    }
    if (count == none)
        return;
    end_words(checkpoint, batch, count);
    batch_close(batch, ITEM_UNIT, checkpoint->shard, checkpoint->fence)->tag = UNIT_BEAT;
}

/* All units share what a batch may cost whoever reads beside us. */
static void gather_blobs(struct checkpoint *checkpoint, struct batch *batch, size_t entities_max,
                         struct row *row, int64_t wall_ms)
{
    struct shard *shard = checkpoint->shard;
    struct entity_ref ref;
    bool is_held = false;
    size_t room = batch->entity_count < entities_max ? entities_max - batch->entity_count : 0;
    size_t least = entities_max * BLOBS_PER_ENTITY / 2; /* though arrivals have filled the batch */
    size_t most = room * BLOBS_PER_ENTITY > least ? room * BLOBS_PER_ENTITY : least;
    size_t cost = batch->item_count - batch->entity_count;
    size_t count = 0;
    buf_reset(&checkpoint->text);
    while (cost < most && batch->bytes.len + checkpoint->text.len < BATCH_BYTES_MAX &&
           shard_take_saving(shard, &ref, &is_held)) {
        if (is_held) {
            shard_read(shard, ref, row);
            (void)batch_add(batch, shard, checkpoint->fence, ref, row, wall_ms);
        }
        write_blob(checkpoint, ref, count++);
        cost += is_held ? 1 + BLOBS_PER_ENTITY : 1;
    }
    for (uint32_t view = 0; count > 0 && view < shard->topic->view_count; view++) {
        add_chunk(checkpoint, batch, view, false, count);
        add_chunk(checkpoint, batch, view, true, count);
    }
    if (count > 0)
        add_event_clocks(checkpoint, batch);
}

static void add_view_progress(struct checkpoint *checkpoint, size_t view, size_t *count)
{
    const struct shard *shard = checkpoint->shard;
    const struct kept *kept = &checkpoint->kept[view];
    const char *name = shard->topic->views[view]->name;
    add_field(checkpoint, name, "prog", count);
    add_number(checkpoint, kept->saved, count);
    add_field(checkpoint, name, "clock", count);
    add_number(checkpoint, shard->clock_ms[view], count);
    add_field(checkpoint, name, "cover", count);
    add_number(checkpoint, kept->cover_ms, count);
    if (!shard->is_live || shard->is_behind[view] || shard->said_ms[view] < 0 ||
        checkpoint->is_farewell)
        return;
    add_field(checkpoint, name, "said", count);
    add_number(checkpoint, shard->said_ms[view], count);
}

static void add_progress(struct checkpoint *checkpoint, struct batch *batch, int64_t wall_ms)
{
    const struct shard *shard = checkpoint->shard;
    size_t count = 0;
    begin_words(checkpoint, &count);
    add_word(checkpoint, "HSET", &count);
    add_word(checkpoint, checkpoint->fence->meta_key, &count);
    for (size_t i = 0; i < shard->topic->view_count; i++)
        add_view_progress(checkpoint, i, &count);
    add_word(checkpoint, "saved", &count);
    add_number(checkpoint, wall_ms, &count);
    add_word(checkpoint, "clock", &count);
    add_number(checkpoint, shard->wall_ms, &count);
    add_word(checkpoint, "try", &count);
    add_number(checkpoint, 0, &count);
    if (checkpoint->saved_anchor.offset >= 0) {
        add_word(checkpoint, "anchor", &count);
        size_t begin = checkpoint->text.len;
        meta_anchor_write(&checkpoint->saved_anchor, &checkpoint->text);
        end_word(checkpoint, begin, &count);
    }
    end_words(checkpoint, batch, count);
    begin_words(checkpoint, &count);
    add_word(checkpoint, "HDEL", &count);
    add_word(checkpoint, checkpoint->fence->meta_key, &count);
    add_word(checkpoint, "trying", &count);
    for (size_t i = 0; i < shard->topic->view_count && checkpoint->is_farewell; i++)
        add_field(checkpoint, shard->topic->views[i]->name, "said", &count);
    end_words(checkpoint, batch, count);
    close_item(checkpoint, batch, ITEM_UNIT, (struct entity_ref){0, 0}, UNIT_PROGRESS);
}

/* While a unit is silent nothing of it is written but blobs, and all of them say that they are owed. */
static bool is_flushed(const struct checkpoint *checkpoint)
{
    const struct shard *shard = checkpoint->shard;
    return !shard->is_live || ledger_written(&shard->ledger) >= checkpoint->position;
}

static bool has_blobs_left(const struct checkpoint *checkpoint)
{
    return checkpoint->shard->saving_next < checkpoint->shard->saving.count;
}

void checkpoint_gather(struct checkpoint *checkpoint, struct batch *batch, size_t entities_max,
                       struct row *row, int64_t wall_ms)
{
    if (checkpoint->in_flight > 0)
        return;
    if (checkpoint->phase == CHECKPOINT_FLUSH && is_flushed(checkpoint))
        checkpoint->phase = CHECKPOINT_BLOBS;
    if (checkpoint->phase == CHECKPOINT_FLUSH)
        failpoint(FAIL_FLUSHED_SOME);
    if (checkpoint->phase == CHECKPOINT_BLOBS && !has_blobs_left(checkpoint))
        shard_save_refused(checkpoint->shard);
    if (checkpoint->phase == CHECKPOINT_BLOBS && has_blobs_left(checkpoint)) {
        gather_blobs(checkpoint, batch, entities_max, row, wall_ms);
    } else if (checkpoint->phase == CHECKPOINT_BLOBS) {
        failpoint(FAIL_BLOBS_ALL);
        checkpoint->phase = CHECKPOINT_PROGRESS;
        add_progress(checkpoint, batch, wall_ms);
    }
}

void checkpoint_answered(struct checkpoint *checkpoint, const struct item *item)
{
    if (item->kind == ITEM_BLOB) {
        checkpoint->in_flight--;
        shard_saved(checkpoint->shard, item->entity);
        if (checkpoint->in_flight == 0 && has_blobs_left(checkpoint))
            failpoint(FAIL_BLOBS_SOME);
        return;
    }
    if (item->kind != ITEM_UNIT || item->tag != UNIT_PROGRESS)
        return;
    checkpoint->in_flight--;
    checkpoint->phase = CHECKPOINT_IDLE;
    checkpoint->progress = checkpoint->position;
    checkpoint->count++;
}

/* ---- resets ---- */

static void add_empty_hashes(struct checkpoint *checkpoint, struct batch *batch, uint32_t view)
{
    size_t count = 0;
    begin_words(checkpoint, &count);
    add_word(checkpoint, "UNLINK",
             &count); /* a hash of a life that was lost, under the same number */
    for (unsigned k = 0; k < META_HASHES; k++)
        add_blob_key(checkpoint, view, k, &count);
    end_words(checkpoint, batch, count);
    for (unsigned k = 0; k < META_HASHES; k++) {
        begin_words(checkpoint, &count);
        add_word(checkpoint, "HSET", &count);
        add_blob_key(checkpoint, view, k, &count);
        add_word(checkpoint, META_SENTINEL, &count);
        add_word(checkpoint, "1", &count);
        end_words(checkpoint, batch, count);
    }
}

static void add_old(struct checkpoint *checkpoint, const char *view, const struct kept *kept,
                    size_t *count)
{
    char what[NUMBER_MAX + 8] = "old:";
    what[4 + num_format_int64(kept->old_gen, what + 4)] = '\0';
    add_field(checkpoint, view, what, count);
    add_word(checkpoint, kept->old_output != NULL ? kept->old_output : "", count);
}

static void add_view_reset(struct checkpoint *checkpoint, size_t view, size_t *count)
{
    const struct shard *shard = checkpoint->shard;
    struct kept *kept = &checkpoint->kept[view];
    const char *name = shard->topic->views[view]->name;
    add_field(checkpoint, name, "def", count);
    add_word(checkpoint, kept->definition, count);
    add_field(checkpoint, name, "out", count);
    add_word(checkpoint, kept->output, count);
    add_field(checkpoint, name, "gen", count);
    add_number(checkpoint, kept->gen, count);
    add_field(checkpoint, name, "prog", count);
    add_number(checkpoint, kept->position, count);
    add_field(checkpoint, name, "clock", count);
    add_number(checkpoint, shard->clock_ms[view], count);
    add_field(checkpoint, name, "cover", count);
    add_number(checkpoint, kept->cover_ms, count);
    if (kept->old_gen >= 0)
        add_old(checkpoint, name, kept, count);
}

static void add_unit_reset(struct checkpoint *checkpoint, const char *cluster,
                           int32_t partition_count, size_t *count)
{
    add_word(checkpoint, "fmt", count);
    add_number(checkpoint, META_FORMAT, count);
    add_word(checkpoint, "topo", count);
    size_t begin = checkpoint->text.len;
    buf_printf(&checkpoint->text, "%s %d", cluster[0] != '\0' ? cluster : "-", partition_count);
    end_word(checkpoint, begin, count);
}

/* What says that a view is live, and where the log was, is not true of the new state. */
static void add_forgotten(struct checkpoint *checkpoint, struct batch *batch, bool is_whole)
{
    size_t count = 0;
    begin_words(checkpoint, &count);
    add_word(checkpoint, "HDEL", &count);
    add_word(checkpoint, checkpoint->fence->meta_key, &count);
    for (size_t i = 0; i < checkpoint->shard->topic->view_count; i++)
        if (checkpoint->kept[i].is_reset)
            add_field(checkpoint, checkpoint->shard->topic->views[i]->name, "said", &count);
    if (is_whole)
        add_word(checkpoint, "anchor", &count);
    end_words(checkpoint, batch, count);
}

void checkpoint_add_reset(struct checkpoint *checkpoint, struct batch *batch, const char *cluster,
                          int32_t partition_count, bool is_whole)
{
    size_t view_count = checkpoint->shard->topic->view_count;
    for (uint32_t i = 0; i < view_count; i++)
        if (checkpoint->kept[i].is_reset)
            add_empty_hashes(checkpoint, batch, i);
    size_t count = 0;
    begin_words(checkpoint, &count);
    add_word(checkpoint, "HSET", &count);
    add_word(checkpoint, checkpoint->fence->meta_key, &count);
    add_unit_reset(checkpoint, cluster, partition_count, &count);
    for (size_t i = 0; i < view_count; i++)
        if (checkpoint->kept[i].is_reset)
            add_view_reset(checkpoint, i, &count);
    end_words(checkpoint, batch, count);
    add_forgotten(checkpoint, batch, is_whole);
    struct item *item = batch_close(batch, ITEM_UNIT, checkpoint->shard, checkpoint->fence);
    item->tag = UNIT_RESET;
}
