#include "sink/loader_private.h"

#include "tidewheel/log.h"

#define SCAN_COUNT "1000"

bool loader_holds(const struct fence *fence, const char *own)
{
    return fence->state == FENCE_HELD && strcmp(fence->own, own) == 0;
}

/* ---- one load after the other ---- */

void loader_abandon(struct loader *loader)
{
    loader->load = NULL;
    loader->round++;
    memset(loader->scans, 0, sizeof loader->scans);
}

static void finish(struct loader *loader, enum load_state state)
{
    struct load *load = loader->load;
    loader_abandon(loader);
    loader_cancel(loader, load);
    load->state = state;
}

static size_t hash_count(const struct load *load)
{
    size_t count = 0;
    for (size_t i = 0; i < load->view_count; i++)
        count += load->views[i].count;
    return count;
}

/* The view and the hash of that number among all that are to be read; false: there are fewer. */
static bool find_hash(const struct load *load, size_t number, struct scan *ret)
{
    for (size_t view = 0; view < load->view_count; view++) {
        if (number < load->views[view].count) {
            ret->view = view;
            ret->k = load->views[view].first + (unsigned)number;
            return true;
        }
        number -= load->views[view].count;
    }
    return false;
}

static void name_hash(struct loader *loader, const struct scan *scan)
{
    const struct load_view *view = &loader->load->views[scan->view];
    buf_reset(&loader->key);
    meta_blob_key(&loader->key, loader->load->prefix, view->name, view->gen, scan->k);
}

static void ask_page(struct loader *loader, size_t number)
{
    const struct scan *scan = &loader->scans[number];
    name_hash(loader, scan);
    const struct slice words[] = {slice_of("HSCAN"), buf_slice(&loader->key),
                                  slice_of(scan->cursor), slice_of("COUNT"), slice_of(SCAN_COUNT)};
    loader_ask(loader, ASK_SCAN, number, words, 5);
}

static void ask_sentinel(struct loader *loader, size_t number)
{
    name_hash(loader, &loader->scans[number]);
    const struct slice words[] = {slice_of("HEXISTS"), buf_slice(&loader->key),
                                  slice_of(META_SENTINEL)};
    loader_ask(loader, ASK_SENTINEL, number, words, 3);
}

/* The next hash, in a scan that is free; with none left and none open the load is done. */
static void open_next(struct loader *loader, size_t number)
{
    struct load *load = loader->load;
    struct scan scan = {.is_open = true, .cursor = "0"};
    if (find_hash(load, loader->hash_next, &scan)) {
        loader->scans[number] = scan;
        loader->hash_next++;
        ask_page(loader, number);
        return;
    }
    loader->scans[number].is_open = false;
    for (size_t i = 0; i < SCANS_MAX; i++)
        if (loader->scans[i].is_open)
            return;
    finish(loader, LOAD_DONE);
}

static void begin(struct loader *loader, struct load *load)
{
    loader->load = load;
    loader->hash_next = 0;
    memcpy(loader->own, load->fence->own, sizeof loader->own);
    load->blobs = 0;
    load->bytes = 0;
    load->begun(load->arg);
    if (loader->load != load) /* it was cancelled from there */
        return;
    const struct slice words[] = {slice_of("HGET"), slice_of(load->fence->meta_key),
                                  slice_of("own")};
    loader_ask(loader, ASK_OWN, 0, words, 3);
    for (size_t i = 0; i < SCANS_MAX && i < hash_count(load); i++)
        open_next(loader, i);
}

void loader_choose(struct loader *loader)
{
    if (loader->load != NULL && !loader_holds(loader->load->fence, loader->own))
        loader_abandon(loader);
    for (size_t i = 0; loader->load == NULL && i < loader->load_count; i++)
        if (loader->loads[i]->fence->state == FENCE_HELD)
            begin(loader, loader->loads[i]);
}

/* ---- answers ---- */

static int take_own(struct loader *loader, const redisReply *reply, int64_t mono_ms)
{
    struct slice own = {"", 0};
    if (reply->type == REDIS_REPLY_STRING)
        own = (struct slice){reply->str, (size_t)reply->len};
    if (!slice_is_equal(own, slice_of(loader->own)))
        link_fail(&loader->link, mono_ms, "this server does not know our claim");
    else if (hash_count(loader->load) == 0)
        finish(loader, LOAD_DONE);
    return 0;
}

static bool is_text(const redisReply *reply, size_t len_max)
{
    return reply->type == REDIS_REPLY_STRING && (size_t)reply->len <= len_max;
}

static bool is_page(const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        !is_text(reply->element[0], CURSOR_MAX - 1) ||
        reply->element[1]->type != REDIS_REPLY_ARRAY || reply->element[1]->elements % 2 != 0)
        return false;
    const redisReply *fields = reply->element[1];
    for (size_t i = 0; i < fields->elements; i++)
        if (fields->element[i]->type != REDIS_REPLY_STRING)
            return false;
    return true;
}

/* False: the load is not ours to go on with any more. */
static bool take_fields(struct loader *loader, struct scan *scan, const redisReply *fields)
{
    struct load *load = loader->load;
    for (size_t i = 0; i < fields->elements; i += 2) {
        const redisReply *field = fields->element[i];
        const redisReply *value = fields->element[i + 1];
        struct slice identity = {field->str, (size_t)field->len};
        if (slice_is_equal(identity, slice_of(META_SENTINEL))) {
            scan->has_sentinel = true;
            continue;
        }
        load->blobs++;
        load->bytes += (size_t)value->len;
        load->blob(load->arg, scan->view, identity, (struct slice){value->str, (size_t)value->len});
        if (loader->load != load) /* it was cancelled from there */
            return false;
    }
    return true;
}

static void end_hash(struct loader *loader, size_t number)
{
    const struct scan *scan = &loader->scans[number];
    bool is_whole = scan->has_sentinel || !loader->load->views[scan->view].needs_sentinels;
    if (is_whole) {
        open_next(loader, number);
        return;
    }
    name_hash(loader, scan);
    log_warn("load", "hash=\"%s\" state=damaged why=\"its sentinel is missing\"",
             buf_text(&loader->key));
    finish(loader, LOAD_DAMAGED);
}

static void take_page(struct loader *loader, size_t number, const redisReply *reply,
                      int64_t mono_ms)
{
    struct scan *scan = &loader->scans[number];
    if (!is_page(reply)) {
        link_fail(&loader->link, mono_ms, "HSCAN was answered by something else");
        return;
    }
    if (!take_fields(loader, scan, reply->element[1]))
        return;
    (void)snprintf(scan->cursor, sizeof scan->cursor, "%s", reply->element[0]->str);
    if (strcmp(scan->cursor, "0") != 0) {
        scan->is_paged = true;
        ask_page(loader, number);
    } else if (scan->is_paged && scan->has_sentinel) {
        ask_sentinel(loader, number);
    } else {
        end_hash(loader, number);
    }
}

/* A hash that has vanished between two pages had its sentinel on the first, perhaps. */
static void take_sentinel(struct loader *loader, size_t number, const redisReply *reply)
{
    loader->scans[number].has_sentinel = reply->type == REDIS_REPLY_INTEGER && reply->integer == 1;
    end_hash(loader, number);
}

/* A key of another type holds no blobs, and no sentinel. */
static void take_other_type(struct loader *loader, const struct question *question)
{
    loader->scans[question->number].has_sentinel = false;
    end_hash(loader, question->number);
}

int loader_take_load(struct loader *loader, const struct question *question,
                     const redisReply *reply, int64_t mono_ms, struct err *err)
{
    if (question->round != loader->round)
        return 0;
    bool is_other_type =
        reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "WRONGTYPE", 9) == 0;
    if (reply->type == REDIS_REPLY_ERROR && !is_other_type)
        return link_refuse(&loader->link, mono_ms, reply->str, err);
    if (question->kind == ASK_OWN)
        return take_own(loader, reply, mono_ms);
    if (is_other_type)
        take_other_type(loader, question);
    else if (question->kind == ASK_SCAN)
        take_page(loader, question->number, reply, mono_ms);
    else
        take_sentinel(loader, question->number, reply);
    return 0;
}
