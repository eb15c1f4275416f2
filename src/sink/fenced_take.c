#include "sink/fenced_private.h"
#include "sink/redis_errors.h"
#include "sink/refused.h"
#include "tidewheel/failpoint.h"
#include "tidewheel/log.h"
#include "tidewheel/num.h"

/* ---- what becomes of a fence ---- */

/* What we remember of the unit is not to be trusted, whatever a later claim finds: own is gone. One
 * that is to be claimed again anyway stays so. */
static void lose(struct fenced *fenced, struct fence *fence, const char *why)
{
    fence->own[0] = '\0';
    if (fence->state != FENCE_HELD)
        return;
    log_warn("fence", "unit=\"%s\" state=lost why=\"%s\"", fence->meta_key, why);
    fence->state = FENCE_LOST;
    fence->is_in_batch = false;
    fenced->is_arm_stale = true;
    fenced->events |= STORE_FENCES;
    if (fenced->batch != NULL)
        batch_forget_fence(fenced->batch, fence);
}

static void hear(struct fence *fence, int64_t seq, int64_t mono_ms)
{
    fence->seq = seq;
    fence->touched_ms = mono_ms;
}

/* ---- answers ---- */

static bool is_next(int64_t seq, int64_t last)
{
    return seq > last && seq - 1 == last;
}

/* Behind every exchange: is it still ours, with nothing done that we do not know of? */
static void compare(struct fenced *fenced, struct fence *fence, const redisReply *reply,
                    int64_t mono_ms)
{
    if (fence == NULL || fence->state != FENCE_HELD)
        return;
    const redisReply *own = reply->elements == 2 ? reply->element[0] : NULL;
    const redisReply *count = reply->elements == 2 ? reply->element[1] : NULL;
    int64_t seq = -1;
    if (own == NULL || own->type != REDIS_REPLY_STRING || count->type != REDIS_REPLY_STRING ||
        !num_parse_int64(count->str, (size_t)count->len, &seq)) {
        lose(fenced, fence, "Redis does not know it");
        return;
    }
    struct slice found = {own->str, (size_t)own->len};
    if (!slice_is_equal(found, slice_of(fence->own)))
        lose(fenced, fence, "it was claimed by somebody else, or Redis is older than our claim");
    else if (seq == fence->seq)
        hear(fence, seq, mono_ms);
    else if (fenced->exchange == VERIFY && fence->is_in_batch && is_next(seq, fence->seq))
        hear(fence, seq, mono_ms); /* the batch in doubt was carried out */
    else
        lose(fenced, fence, "Redis is older than what it acknowledged");
}

/* A key that is no state of ours refuses some of it; the claims of other units stand. */
static void refuse_claim(struct fenced *fenced, struct slot *slot, const redisReply *wrong,
                         int64_t mono_ms)
{
    const char *why = wrong->type == REDIS_REPLY_ERROR ? wrong->str : "an answer of another kind";
    log_limited(LOG_ERROR, "fence", "unit=\"%s\" state=claiming why=\"%.*s\" then=\"%s\"",
                slot->fence->meta_key, redis_error_len(why), why,
                "tried again in 2 s; delete this key, and the unit is built anew");
    slot->again_at_ms = mono_ms + CLAIM_AGAIN_MS;
    fenced->is_arm_stale = true;
}

static void read_meta(struct meta *meta, const redisReply *all)
{
    meta_fini(meta);
    meta_init(meta);
    for (size_t i = 0; i + 1 < all->elements; i += 2) {
        const redisReply *field = all->element[i];
        const redisReply *value = all->element[i + 1];
        if (field->type == REDIS_REPLY_STRING && value->type == REDIS_REPLY_STRING)
            meta_take(meta, (struct slice){field->str, (size_t)field->len},
                      (struct slice){value->str, (size_t)value->len});
    }
}

/* The claim of one unit, from the answers to its commands. False: Redis has refused it. */
static bool take_claim(struct fenced *fenced, struct fence *fence, redisReply *const *answers,
                       int64_t mono_ms)
{
    static const int types[] = {REDIS_REPLY_ARRAY, REDIS_REPLY_INTEGER, REDIS_REPLY_INTEGER};
    struct slot *slot = &fenced->slots[fenced_slot(fenced, fence)];
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (answers[i]->type == types[i])
            continue;
        refuse_claim(fenced, slot, answers[i], mono_ms);
        return false;
    }
    read_meta(&fence->found, answers[0]);
    fence->is_unchanged = fence->own[0] != '\0' && fence->found.seq == fence->seq &&
                          strcmp(fence->found.own, fence->own) == 0;
    if (!fence->is_unchanged && fenced->batch != NULL)
        batch_forget_fence(fenced->batch, fence);
    memcpy(fence->own, slot->nonce, sizeof fence->own);
    fence->state = FENCE_HELD;
    hear(fence, answers[2]->integer, mono_ms);
    fenced->events |= STORE_FENCES;
    log_info("fence", "unit=\"%s\" state=held seq=%lld unchanged=%d", fence->meta_key,
             (long long)fence->seq, fence->is_unchanged);
    return true;
}

static void take_claims(struct fenced *fenced, const redisReply *exec, int64_t mono_ms)
{
    size_t taken = 0;
    for (size_t i = 0; i < fenced->claimed.count; i++) {
        struct fence *fence = fenced->claimed.list[i];
        if (fence != NULL && fence->state == FENCE_CLAIMING)
            taken += take_claim(fenced, fence, exec->element + i * CLAIM_COMMANDS, mono_ms);
    }
    if (taken > 0)
        failpoint(FAIL_CLAIMED);
}

/* The transaction was carried out; single commands in it may have been refused. */
static void take_batch(struct fenced *fenced, const redisReply *exec, int64_t mono_ms)
{
    struct batch *batch = fenced->batch;
    refused_note(batch, exec);
    for (size_t i = 0; i < fenced->touched.count; i++) {
        struct fence *fence = fenced->touched.list[i];
        const redisReply *seq = exec->element[batch->command_count + i];
        if (fence == NULL)
            continue;
        if (seq->type == REDIS_REPLY_INTEGER && is_next(seq->integer, fence->seq))
            hear(fence, seq->integer, mono_ms);
        else
            lose(fenced, fence, "its count was not what we left");
    }
    fenced_finish_batch(fenced);
}

static size_t commands_due(const struct fenced *fenced)
{
    if (fenced->exchange == CLAIM)
        return fenced->claimed.count * CLAIM_COMMANDS;
    return fenced->batch->command_count + fenced->touched.count;
}

/* A nil: nothing was done. The answers behind it tell which units are not ours any more. */
static void take_exec(struct fenced *fenced, const redisReply *reply, int64_t mono_ms)
{
    if (reply->type == REDIS_REPLY_NIL)
        fenced->is_arm_stale = fenced->is_arm_stale || fenced->exchange == CLAIM;
    else if (reply->type != REDIS_REPLY_ARRAY || reply->elements != commands_due(fenced))
        link_fail(&fenced->link, mono_ms, "EXEC was answered by something else");
    else if (fenced->exchange == CLAIM)
        take_claims(fenced, reply, mono_ms);
    else
        take_batch(fenced, reply, mono_ms);
}

static bool is_other_type(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "WRONGTYPE", 9) == 0;
}

int fenced_take(struct fenced *fenced, const redisReply *reply, int64_t mono_ms, struct err *err)
{
    size_t watch_at = fenced->exec_at + 1;
    fenced->seen++;
    /* The first refusal says what is wrong; EXEC's own would only be EXECABORT. */
    if (reply->type == REDIS_REPLY_ERROR && !(fenced->seen > watch_at && is_other_type(reply)))
        return link_refuse(&fenced->link, mono_ms, reply->str, err);
    if (fenced->seen == fenced->exec_at)
        take_exec(fenced, reply, mono_ms);
    else if (fenced->seen > watch_at)
        compare(fenced, fenced->armed.list[fenced->seen - watch_at - 1], reply, mono_ms);
    return 0;
}
