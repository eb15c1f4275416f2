#include "sink/fenced_private.h"

#include <stdlib.h>

#include "tidewheel/mem.h"

static struct fenced *fenced_of(const struct store *store)
{
    return (struct fenced *)(uintptr_t)store;
}

/* ---- lists ---- */

void fences_add(struct fences *fences, struct fence *fence)
{
    fences->list = mem_grow(fences->list, fences->count, &fences->cap, sizeof(struct fence *));
    fences->list[fences->count++] = fence;
}

static void fences_forget(struct fences *fences, const struct fence *fence)
{
    for (size_t i = 0; i < fences->count; i++)
        if (fences->list[i] == fence)
            fences->list[i] = NULL;
}

/* Its number; slot_count: none. */
size_t fenced_slot(const struct fenced *fenced, const struct fence *fence)
{
    size_t i = 0;
    while (i < fenced->slot_count && fenced->slots[i].fence != fence)
        i++;
    return i;
}

/* ---- moving on ---- */

static void notice_break(struct fenced *fenced)
{
    if (!fenced->is_up || fenced->link.state == LINK_UP)
        return;
    fenced->is_up = false;
    fenced->is_verified = false;
    fenced->exchange = NOTHING;
    fenced->claimed.count = 0;
    fenced->is_arm_stale = true; /* it may name units whose claim was on its way */
    fenced->events |= STORE_BROKE;
}

static int take_replies(struct fenced *fenced, int64_t mono_ms, struct err *err)
{
    while (fenced->exchange != NOTHING) {
        redisReply *reply = link_next(&fenced->link, mono_ms);
        if (reply == NULL)
            return 0;
        int rc = fenced_take(fenced, reply, mono_ms, err);
        freeReplyObject(reply);
        if (rc < 0)
            return rc;
        notice_break(fenced);
        if (fenced->exchange == NOTHING || fenced->seen < fenced->due)
            continue;
        fenced->exchange = NOTHING;
        fenced->claimed.count = 0;
        fenced->is_verified = true;
        fenced_go_on(fenced, mono_ms);
    }
    return 0;
}

static int fenced_pump(struct store *store, int64_t mono_ms, unsigned *ret_events, struct err *err)
{
    struct fenced *fenced = fenced_of(store);
    bool is_up = false;
    int rc = link_pump(&fenced->link, mono_ms, &is_up, err);
    notice_break(fenced);
    fenced->is_up = fenced->is_up || is_up;
    if (rc == 0)
        rc = take_replies(fenced, mono_ms, err);
    notice_break(fenced);
    if (rc == 0)
        fenced_go_on(fenced, mono_ms);
    notice_break(fenced);
    *ret_events = fenced->events;
    fenced->events = 0;
    return rc;
}

static bool fenced_is_ready(const struct store *store)
{
    const struct fenced *fenced = fenced_of(store);
    return fenced->is_up && fenced->is_verified && fenced->exchange == NOTHING &&
           fenced->batch == NULL;
}

static bool fenced_is_away(const struct store *store)
{
    return !fenced_of(store)->link.is_well;
}

static void fenced_send(struct store *store, struct batch *batch, int64_t mono_ms)
{
    struct fenced *fenced = fenced_of(store);
    CHECK(fenced_is_ready(store));
    fenced->batch = batch;
    (void)fenced_ask_batch(fenced, mono_ms);
    notice_break(fenced);
}

static void fenced_call_out(struct store *store)
{
    (void)store; /* nobody writes as one that is out of the group: the fence sees to that */
}

static int64_t fenced_older_ms(const struct store *store)
{
    (void)store;
    return 0; /* STORE_OLDER is never said */
}

static void fenced_claim(struct store *store, struct fence *fence, const char *who)
{
    struct fenced *fenced = fenced_of(store);
    size_t at = fenced_slot(fenced, fence);
    if (at == fenced->slot_count) {
        fenced->slots =
            mem_grow(fenced->slots, fenced->slot_count, &fenced->slot_cap, sizeof *fenced->slots);
        fenced->slots[fenced->slot_count++] = (struct slot){.fence = fence};
    }
    struct slot *slot = &fenced->slots[at];
    free(slot->who);
    slot->who = mem_strdup(who);
    slot->again_at_ms = 0;
    fence->state = FENCE_CLAIMING;
    fenced->is_arm_stale = true;
}

static void fenced_release(struct store *store, struct fence *fence)
{
    struct fenced *fenced = fenced_of(store);
    size_t at = fenced_slot(fenced, fence);
    if (at == fenced->slot_count)
        return;
    free(fenced->slots[at].who);
    fenced->slots[at] = fenced->slots[--fenced->slot_count];
    fences_forget(&fenced->claimed, fence);
    fences_forget(&fenced->touched, fence);
    fences_forget(&fenced->armed, fence);
    fenced->is_arm_stale = true;
    if (fenced->batch != NULL)
        batch_forget_fence(fenced->batch, fence);
    if (fence
            ->is_in_batch) /* nobody will be told what of it is written: the unit is to be loaded */
        fence->own[0] = '\0';
    fence->is_in_batch = false;
    fence->state = FENCE_OPEN;
}

static void fenced_wait(struct store *store, int64_t wait_ms)
{
    link_wait(&fenced_of(store)->link, wait_ms);
}

static void fenced_close(struct store *store)
{
    struct fenced *fenced = fenced_of(store);
    for (size_t i = 0; i < fenced->slot_count; i++)
        free(fenced->slots[i].who);
    free(fenced->slots);
    free(fenced->claimed.list);
    free(fenced->touched.list);
    free(fenced->armed.list);
    buf_fini(&fenced->arm);
    buf_fini(&fenced->bytes);
    link_fini(&fenced->link);
    free(fenced);
}

static const struct store_ops fenced_ops = {
    .pump = fenced_pump,
    .is_ready = fenced_is_ready,
    .is_away = fenced_is_away,
    .send = fenced_send,
    .call_out = fenced_call_out,
    .older_ms = fenced_older_ms,
    .claim = fenced_claim,
    .release = fenced_release,
    .wait = fenced_wait,
    .close = fenced_close,
};

struct store *fenced_store_new(const struct store_setup *setup)
{
    struct fenced *fenced = mem_zalloc(sizeof *fenced);
    fenced->store.ops = &fenced_ops;
    fenced->random = setup->random;
    fenced->random_arg = setup->random_arg;
    fenced->is_arm_stale = true;
    fenced->board = setup->board;
    link_init(&fenced->link, setup->wire, setup->url, "redis", setup->random(setup->random_arg));
    fenced->link.allows_eviction = setup->allows_eviction;
    return &fenced->store;
}
