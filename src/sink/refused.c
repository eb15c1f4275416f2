#include "sink/refused.h"

#include "sink/redis_errors.h"
#include "tidewheel/log.h"

static bool is_refusal(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ERROR;
}

/* The key is named: a person has to find it. */
static void say(const struct batch *batch, size_t command, const redisReply *reply)
{
    struct slice key = batch_word(batch, command, 1);
    log_limited(LOG_WARN, "refused",
                "key=%.*s why=\"%.*s\" then=\"set aside, tried again in 30 s\"", (int)key.len,
                key.ptr, redis_error_len(reply->str), reply->str);
}

static void note_command(struct batch *batch, size_t command, const redisReply *exec)
{
    size_t pttl = 0;
    say(batch, command, exec->element[command]);
    batch_refuse(batch, command);
    if (batch_find_pttl(batch, command, &pttl) && exec->element[pttl]->type == REDIS_REPLY_INTEGER)
        batch_undo(batch, command, exec->element[pttl]->integer);
}

/* All of it was refused that makes up the features; what was said beside them has to go. */
static void note_freshness(struct batch *batch, size_t i, size_t first, const redisReply *exec)
{
    size_t freshness = batch_freshness(batch, i);
    bool has_features = true;
    for (size_t command = first; command < freshness; command++)
        has_features = has_features && !is_refusal(exec->element[command]);
    if (!has_features && !is_refusal(exec->element[freshness]))
        batch_undo_freshness(batch, i);
}

void refused_note(struct batch *batch, const redisReply *exec)
{
    for (size_t i = 0, command = 0; i < batch->item_count; i++) {
        size_t first = command;
        for (; command < batch->items[i].command_end; command++)
            if (is_refusal(exec->element[command]))
                note_command(batch, command, exec);
        if (batch->items[i].is_refused && batch->items[i].kind == ITEM_FEATURES)
            note_freshness(batch, i, first, exec);
    }
}
