#include "sink/refused.h"

#include "sink/redis_errors.h"
#include "tidewheel/log.h"

void refused_note(struct batch *batch, const redisReply *exec)
{
    for (size_t i = 0; i < batch->command_count; i++) {
        const redisReply *reply = exec->element[i];
        if (reply->type != REDIS_REPLY_ERROR)
            continue;
        log_limited(LOG_WARN, "refused", "why=\"%.*s\" then=\"set aside, tried again in 30 s\"",
                    redis_error_len(reply->str), reply->str);
        batch_refuse(batch, i);
        size_t pttl = 0;
        if (batch_find_pttl(batch, i, &pttl) && exec->element[pttl]->type == REDIS_REPLY_INTEGER)
            batch_undo(batch, i, exec->element[pttl]->integer);
    }
}
