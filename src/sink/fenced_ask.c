#include <stdlib.h>

#include "sink/fenced_private.h"
#include "tidewheel/failpoint.h"
#include "tidewheel/mem.h"

#define WORDS(...)                                                                                 \
    (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)

/* WATCH comes first: what changes behind the answer fails the next EXEC. */
static void compose_arm(struct fenced *fenced)
{
    if (!fenced->is_arm_stale)
        return;
    struct fences *armed = &fenced->armed;
    armed->count = 0;
    for (size_t i = 0; i < fenced->slot_count; i++)
        if (fenced->slots[i].fence->state == FENCE_HELD)
            fences_add(armed, fenced->slots[i].fence);
    for (size_t i = 0; i < fenced->claimed.count; i++)
        fences_add(armed, fenced->claimed.list[i]);
    buf_reset(&fenced->arm);
    fenced->is_arm_stale = false;
    if (armed->count == 0)
        return;
    const char **words = mem_alloc((armed->count + 1) * sizeof *words);
    words[0] = "WATCH";
    for (size_t i = 0; i < armed->count; i++)
        words[i + 1] = armed->list[i]->meta_key;
    resp_command(&fenced->arm, words, armed->count + 1);
    for (size_t i = 0; i < armed->count; i++)
        resp_command(&fenced->arm, WORDS("HMGET", words[i + 1], "own", "seq"));
    free(words);
}

/* Says what is in bytes, whose last reply is EXEC's, and the watch behind it. Of these replies some
 * may have been announced with bytes that were said before. */
static void ask(struct fenced *fenced, enum exchange exchange, size_t announced, size_t more,
                int64_t mono_ms)
{
    compose_arm(fenced);
    size_t watch = fenced->armed.count == 0 ? 0 : fenced->armed.count + 1;
    fenced->exchange = exchange;
    fenced->seen = 0;
    fenced->exec_at = announced + more;
    fenced->due = fenced->exec_at + watch;
    buf_add(&fenced->bytes, fenced->arm.ptr, fenced->arm.len);
    if (fenced->link.state == LINK_UP)
        link_say(&fenced->link, &fenced->bytes, more + watch, mono_ms);
}

/* False: nothing is held. */
static bool ask_verify(struct fenced *fenced, int64_t mono_ms)
{
    compose_arm(fenced);
    if (fenced->armed.count == 0)
        return false;
    buf_reset(&fenced->bytes);
    ask(fenced, VERIFY, 0, 0, mono_ms);
    return true;
}

static void add_claim(struct fenced *fenced, struct slot *slot)
{
    uint64_t high = fenced->random(fenced->random_arg);
    uint64_t low = fenced->random(fenced->random_arg);
    (void)snprintf(slot->nonce, sizeof slot->nonce, "%016llx%016llx", (unsigned long long)high,
                   (unsigned long long)low);
    const char *key = slot->fence->meta_key;
    struct buf *bytes = &fenced->bytes;
    resp_command(bytes, WORDS("HGETALL", key)); /* what was there before us */
    resp_command(bytes, WORDS("HSET", key, "own", slot->nonce, "who", slot->who));
    resp_command(bytes, WORDS("HINCRBY", key, "seq", "1"));
    resp_command(bytes, WORDS("HINCRBY", key, "try", "1"));
    fences_add(&fenced->claimed, slot->fence);
}

/* False: nobody waits for a claim. A claim is made anew with a nonce of its own until one is
 * acknowledged: one whose answer was lost holds the unit against everybody, us too. */
static bool ask_claims(struct fenced *fenced, int64_t mono_ms)
{
    fenced->claimed.count = 0;
    buf_reset(&fenced->bytes);
    resp_command(&fenced->bytes, WORDS("MULTI"));
    for (size_t i = 0; i < fenced->slot_count && fenced->claimed.count < CLAIMS_MAX; i++) {
        struct slot *slot = &fenced->slots[i];
        if (slot->fence->state == FENCE_CLAIMING && mono_ms >= slot->again_at_ms)
            add_claim(fenced, slot);
    }
    if (fenced->claimed.count == 0)
        return false;
    resp_command(&fenced->bytes, WORDS("EXEC"));
    fenced->is_arm_stale = true;
    ask(fenced, CLAIM, 0, fenced->claimed.count * CLAIM_COMMANDS + 2, mono_ms);
    return true;
}

/* Leaves in the batch only what is still ours to write. */
static void cut_batch(struct batch *batch)
{
    bool is_whole = true;
    for (size_t i = 0; i < batch->item_count; i++) {
        const struct item *item = &batch->items[i];
        CHECK(item->shard == NULL || item->fence != NULL);
        if (item->shard != NULL && item->fence->state != FENCE_HELD)
            batch_forget_fence(batch, item->fence);
        is_whole = is_whole && item->shard != NULL;
    }
    if (!is_whole)
        batch_trim(batch);
}

/* Which fences it touches, each once, and the commands for that. */
static void touch(struct fenced *fenced)
{
    const struct batch *batch = fenced->batch;
    fenced->touched.count = 0;
    buf_reset(&fenced->bytes);
    for (size_t i = 0; i < fenced->slot_count; i++)
        fenced->slots[i].fence->is_in_batch = false;
    for (size_t i = 0; i < batch->item_count; i++) {
        struct fence *fence = batch->items[i].fence;
        if (fence->is_in_batch)
            continue;
        fence->is_in_batch = true;
        fences_add(&fenced->touched, fence);
        resp_command(&fenced->bytes, WORDS("HINCRBY", fence->meta_key, "seq", "1"));
    }
    resp_command(&fenced->bytes, WORDS("EXEC"));
}

/* Nothing of the batch is due any more, or it was acknowledged. */
void fenced_finish_batch(struct fenced *fenced)
{
    for (size_t i = 0; i < fenced->touched.count; i++)
        if (fenced->touched.list[i] != NULL)
            fenced->touched.list[i]->is_in_batch = false;
    fenced->touched.count = 0;
    fenced->batch = NULL;
    fenced->events |= STORE_WRITTEN;
}

/* False: nothing of it is left. */
bool fenced_ask_batch(struct fenced *fenced, int64_t mono_ms)
{
    struct batch *batch = fenced->batch;
    cut_batch(batch);
    if (batch->item_count == 0) {
        fenced_finish_batch(fenced);
        return false;
    }
    touch(fenced);
    size_t queued = 1 + (size_t)batch->command_count;
    link_say(&fenced->link, &batch->bytes, queued, mono_ms);
    ask(fenced, BATCH, queued, fenced->touched.count + 1, mono_ms);
    failpoint(FAIL_BATCH_SENT);
    return true;
}

/* Nothing is due: what is there to be said next? */
void fenced_go_on(struct fenced *fenced, int64_t mono_ms)
{
    if (!fenced->is_up || fenced->exchange != NOTHING)
        return;
    if (!fenced->is_verified && ask_verify(fenced, mono_ms))
        return;
    fenced->is_verified = true;
    if (ask_claims(fenced, mono_ms))
        return;
    if (fenced->batch != NULL && fenced_ask_batch(fenced, mono_ms)) {
        board_count(fenced->board, BOARD_RETRIES);
        return;
    }
    link_is_fine(&fenced->link);
}
