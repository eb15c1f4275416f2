#include "run/clean.h"

#include <stdio.h>
#include <stdlib.h>

#include "run/tenure.h"
#include "tidewheel/log.h"
#include "tidewheel/mem.h"
#include "tidewheel/num.h"

enum { ENTITIES_MAX = 50 /* of a batch */, NAME_MAX_LEN = 300 };

/* ---- what is to go ---- */

static const struct view *view_of(const struct tenure *tenure, const char *name)
{
    const struct topic *topic = tenure->unit->topic;
    for (size_t i = 0; i < topic->view_count; i++)
        if (strcmp(topic->views[i]->name, name) == 0)
            return topic->views[i];
    return NULL;
}

static void leftover_fini(struct leftover *leftover)
{
    free(leftover->view);
    if (leftover->has_output)
        output_fini(&leftover->output);
}

void clean_drop(struct tenure *tenure)
{
    struct cleaning *cleaning = &tenure->cleaning;
    loader_cancel(tenure->worker->loader, &cleaning->load);
    for (size_t i = 0; i < cleaning->count; i++)
        leftover_fini(&cleaning->list[i]);
    free(cleaning->list);
    buf_fini(&cleaning->identities);
    *cleaning = (struct cleaning){0};
}

static void add_leftover(struct tenure *tenure, const char *view, int64_t gen, const char *output,
                         bool is_removed)
{
    struct cleaning *cleaning = &tenure->cleaning;
    struct leftover leftover = {.view = mem_strdup(view), .gen = gen, .is_removed = is_removed};
    struct err err;
    if (output != NULL && output_read(slice_of(output), &leftover.output, &err) == 0) {
        leftover.has_output = true;
        output_subtract(&leftover.output, tenure->worker->setup.catalog);
    }
    cleaning->list =
        mem_grow(cleaning->list, cleaning->count, &cleaning->cap, sizeof *cleaning->list);
    cleaning->list[cleaning->count++] = leftover;
}

void clean_look(struct tenure *tenure)
{
    const struct meta *found = &tenure->fence.found;
    clean_drop(tenure);
    for (size_t i = 0; i < found->view_count; i++) {
        const struct meta_view *known = &found->views[i];
        bool is_removed = !known->is_old && view_of(tenure, known->name) == NULL;
        if (known->gen >= 0 && (known->is_old || is_removed))
            add_leftover(tenure, known->name, known->gen, known->output, is_removed);
    }
    for (size_t i = 0; i < tenure->unit->topic->view_count; i++) {
        const struct kept *kept = &tenure->checkpoint.kept[i];
        if (kept->old_gen >= 0)
            add_leftover(tenure, tenure->unit->topic->views[i]->name, kept->old_gen,
                         kept->old_output, false);
    }
}

/* What is not written any more has a note of its own by now, or gets one: nothing comes back here. */
void clean_adopt(struct tenure *tenure)
{
    struct cleaning *cleaning = &tenure->cleaning;
    for (size_t i = 0; i < cleaning->count; i++)
        if (cleaning->list[i].has_output)
            output_subtract(&cleaning->list[i].output, tenure->worker->setup.catalog);
}

/* ---- reading it ---- */

static void on_begun(void *arg)
{
    struct tenure *tenure = arg;
    buf_reset(&tenure->cleaning.identities);
    tenure->cleaning.identity_next = 0;
}

static void on_identity(void *arg, size_t view, struct slice identity, struct slice blob)
{
    (void)view;
    (void)blob;
    struct tenure *tenure = arg;
    if (identity.len == 0 || memchr(identity.ptr, '\n', identity.len) != NULL)
        return; /* nobody's: identities are encoded */
    buf_add(&tenure->cleaning.identities, identity.ptr, identity.len);
    buf_add_char(&tenure->cleaning.identities, '\n');
}

/* The new state of the view has been published; of a view that is removed there is none. */
static bool may_begin(const struct tenure *tenure, const struct leftover *leftover)
{
    const struct shard *shard = tenure->unit->shard;
    const struct topic *topic = tenure->unit->topic;
    for (uint32_t i = 0; i < topic->view_count; i++)
        if (strcmp(topic->views[i]->name, leftover->view) == 0)
            return shard->is_live && !shard->is_passing && !shard->is_behind[i];
    return true;
}

static void begin_hash(struct tenure *tenure)
{
    struct cleaning *cleaning = &tenure->cleaning;
    const struct leftover *leftover = &cleaning->list[0];
    if (cleaning->k == 0)
        log_info("clean", "worker=%d topic=%s partition=%d view=%s gen=%lld fields=%zu",
                 tenure->worker->setup.number, tenure->unit->topic->name, tenure->unit->partition,
                 leftover->view, (long long)leftover->gen, leftover->output.field_count);
    cleaning->load_view = (struct load_view){
        .name = leftover->view, .gen = leftover->gen, .first = cleaning->k, .count = 1};
    cleaning->load = (struct load){
        .fence = &tenure->fence,
        .prefix = buf_text(&tenure->prefix),
        .views = &cleaning->load_view,
        .view_count = 1,
        .arg = tenure,
        .begun = on_begun,
        .blob = on_identity,
    };
    cleaning->is_running = true;
    loader_add(tenure->worker->loader, &cleaning->load);
}

/* ---- writing its end ---- */

static void add_hdel(struct batch *batch, struct slice key, char *const *fields, size_t count)
{
    if (count == 0)
        return;
    struct slice *words = mem_alloc((count + 2) * sizeof *words);
    words[0] = slice_of("HDEL");
    words[1] = key;
    for (size_t i = 0; i < count; i++)
        words[i + 2] = slice_of(fields[i]);
    batch_command(batch, words, count + 2);
    free(words);
}

/* The number of the view that took its place; view_count: none did, or its identities are others. */
static uint32_t heir_of(const struct tenure *tenure, const struct leftover *leftover)
{
    const struct topic *topic = tenure->unit->topic;
    uint32_t i = 0;
    for (; i < topic->view_count; i++) {
        const struct view *view = topic->views[i];
        if (leftover->has_output && strcmp(view->name, leftover->view) == 0 &&
            view->has_tenant == leftover->output.has_tenant &&
            view->key_count == leftover->output.key_count &&
            template_is_equal(&view->key, &leftover->output.key))
            break;
    }
    return i;
}

/* Whoever is not known to the heir would keep its old values. */
static void know(struct tenure *tenure, const struct leftover *leftover, struct slice identity)
{
    uint32_t heir = heir_of(tenure, leftover);
    if (heir < tenure->unit->topic->view_count)
        shard_know(tenure->unit->shard, heir, identity);
}

static void add_entity(struct tenure *tenure, const struct leftover *leftover,
                       struct slice identity)
{
    const struct output *output = &leftover->output;
    struct batch *batch = &tenure->worker->batch;
    struct buf key = {NULL, 0, 0};
    if (!leftover->has_output)
        return;
    template_render(&output->key, identity, output->has_tenant, &key);
    add_hdel(batch, buf_slice(&key), output->fields, output->field_count);
    if (output->view != NULL) {
        struct buf event = {NULL, 0, 0};
        buf_printf(&event, "%s:event", output->view);
        (void)buf_text(&event);
        buf_reset(&key);
        template_render(&output->freshness_key, identity, output->has_tenant, &key);
        add_hdel(batch, buf_slice(&key), (char *const[]){output->view, event.ptr}, 2);
        buf_fini(&event);
    }
    buf_fini(&key);
}

static bool add_entities(struct tenure *tenure)
{
    struct cleaning *cleaning = &tenure->cleaning;
    size_t count = 0;
    for (; count < ENTITIES_MAX && cleaning->identity_next < cleaning->identities.len; count++) {
        const char *begin = cleaning->identities.ptr + cleaning->identity_next;
        const char *end = memchr(begin, '\n', cleaning->identities.len - cleaning->identity_next);
        struct slice identity = {begin, (size_t)(end - begin)};
        add_entity(tenure, &cleaning->list[0], identity);
        know(tenure, &cleaning->list[0], identity);
        cleaning->identity_next += identity.len + 1;
    }
    return count > 0;
}

void clean_with(struct tenure *tenure, struct entity_ref ref)
{
    const struct cleaning *cleaning = &tenure->cleaning;
    const struct entity *entity = entity_at(&tenure->unit->shard->views[ref.view], ref.number);
    struct batch *batch = &tenure->worker->batch;
    uint32_t before = batch->command_count;
    for (size_t i = 0; i < cleaning->count; i++)
        if (heir_of(tenure, &cleaning->list[i]) == ref.view)
            add_entity(tenure, &cleaning->list[i],
                       (struct slice){entity->identity, entity->identity_len});
    if (batch->command_count > before)
        batch_close(batch, ITEM_UNIT, tenure->unit->shard, &tenure->fence)->tag = UNIT_BEAT;
}

/* Those that the heir knows. False: that was all. */
static bool add_heirs(struct tenure *tenure)
{
    struct cleaning *cleaning = &tenure->cleaning;
    const struct leftover *leftover = &cleaning->list[0];
    uint32_t heir = heir_of(tenure, leftover);
    if (heir == tenure->unit->topic->view_count || leftover->output.field_count == 0)
        return false;
    const struct entities *entities = &tenure->unit->shard->views[heir];
    uint32_t end = cleaning->swept + ENTITIES_MAX;
    for (; cleaning->swept < end && cleaning->swept < entities->end; cleaning->swept++) {
        const struct entity *entity = entity_at(entities, cleaning->swept);
        if ((entity->flags & ENTITY_IN_USE) != 0)
            add_entity(tenure, leftover, (struct slice){entity->identity, entity->identity_len});
    }
    return cleaning->swept < entities->end;
}

static void add_unlink(struct tenure *tenure)
{
    const struct leftover *leftover = &tenure->cleaning.list[0];
    struct buf key = {NULL, 0, 0};
    for (unsigned k = 0; k < META_HASHES; k++) {
        buf_reset(&key);
        meta_blob_key(&key, buf_text(&tenure->prefix), leftover->view, leftover->gen, k);
        batch_command(&tenure->worker->batch,
                      (const struct slice[]){slice_of("UNLINK"), buf_slice(&key)}, 2);
    }
    buf_fini(&key);
}

static void add_end(struct tenure *tenure)
{
    static const char *const OF_VIEW[] = {"def", "out", "gen", "prog", "clock", "said", "cover"};
    const struct leftover *leftover = &tenure->cleaning.list[0];
    char names[sizeof OF_VIEW / sizeof *OF_VIEW][NAME_MAX_LEN];
    char *fields[sizeof OF_VIEW / sizeof *OF_VIEW];
    size_t count = leftover->is_removed ? sizeof OF_VIEW / sizeof *OF_VIEW : 1;
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(names[i], NAME_MAX_LEN, "%s:%s", leftover->view, OF_VIEW[i]);
        fields[i] = names[i];
    }
    if (!leftover->is_removed)
        (void)snprintf(names[0], NAME_MAX_LEN, "%s:old:%lld", leftover->view,
                       (long long)leftover->gen);
    add_hdel(&tenure->worker->batch, slice_of(tenure->fence.meta_key), fields, count);
}

static void close_item(struct tenure *tenure)
{
    struct item *item =
        batch_close(&tenure->worker->batch, ITEM_UNIT, tenure->unit->shard, &tenure->fence);
    item->tag = UNIT_CLEAN;
    tenure->cleaning.is_in_flight = true;
}

/* Whoever became known from there has a blob of its own once a checkpoint has begun and ended. */
static void expect_checkpoint(struct tenure *tenure)
{
    bool is_idle = tenure->checkpoint.phase == CHECKPOINT_IDLE;
    tenure->cleaning.checkpoints = tenure->checkpoint.count + (is_idle ? 1 : 2);
    tenure->checkpoint_ms = tenure->worker->mono_ms;
}

static bool is_kept(const struct tenure *tenure)
{
    const struct checkpoint *checkpoint = &tenure->checkpoint;
    return checkpoint->count >= tenure->cleaning.checkpoints ||
           (checkpoint->phase == CHECKPOINT_IDLE && !checkpoint_is_due(checkpoint));
}

/* Whoever has the view again, half cleaned, must not take what is deleted for published. */
static void unsay(struct tenure *tenure)
{
    const struct leftover *leftover = &tenure->cleaning.list[0];
    char name[NAME_MAX_LEN];
    (void)snprintf(name, sizeof name, "%s:said", leftover->view);
    if (leftover->is_removed)
        add_hdel(&tenure->worker->batch, slice_of(tenure->fence.meta_key), (char *[]){name}, 1);
}

/* A hash has been read: its entities, and then the next hash. */
static void gather_hash(struct tenure *tenure)
{
    struct cleaning *cleaning = &tenure->cleaning;
    if (add_entities(tenure)) {
        unsay(tenure);
        close_item(tenure);
        return;
    }
    cleaning->is_running = false;
    cleaning->k++;
    if (cleaning->k == META_HASHES)
        expect_checkpoint(tenure);
}

/* The last entities are acknowledged, a checkpoint is over: nothing is left but the hashes and the note. */
static void gather_end(struct tenure *tenure)
{
    struct cleaning *cleaning = &tenure->cleaning;
    uint32_t before = cleaning->swept;
    bool has_more = add_heirs(tenure);
    bool is_last = !has_more && cleaning->swept == before && is_kept(tenure);
    if (is_last) {
        add_unlink(tenure);
        add_end(tenure);
        cleaning->k++;
    }
    if (is_last || cleaning->swept > before)
        close_item(tenure);
}

void clean_gather(struct tenure *tenure)
{
    struct cleaning *cleaning = &tenure->cleaning;
    if (cleaning->count == 0 || cleaning->is_in_flight)
        return;
    if (cleaning->k == META_HASHES)
        gather_end(tenure);
    else if (!cleaning->is_running && may_begin(tenure, &cleaning->list[0]))
        begin_hash(tenure);
    else if (cleaning->is_running && cleaning->load.state == LOAD_DONE)
        gather_hash(tenure);
}

void clean_answered(struct tenure *tenure)
{
    struct cleaning *cleaning = &tenure->cleaning;
    cleaning->is_in_flight = false;
    if (cleaning->k <= META_HASHES)
        return;
    leftover_fini(&cleaning->list[0]);
    cleaning->list[0] = cleaning->list[--cleaning->count];
    cleaning->k = 0;
    cleaning->swept = 0;
}
