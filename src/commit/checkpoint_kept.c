#include "tidewheel/checkpoint.h"

#include <stdlib.h>

#include "tidewheel/mem.h"

static struct kept *kept_new(const struct topic *topic)
{
    struct kept *kept = mem_zalloc(topic->view_count * sizeof *kept);
    for (size_t i = 0; i < topic->view_count; i++)
        kept[i] = (struct kept){.definition = topic->views[i]->definition,
                                .output = topic->views[i]->output,
                                .old_gen = -1};
    return kept;
}

void checkpoint_init(struct checkpoint *checkpoint, struct shard *shard, struct fence *fence,
                     const char *prefix)
{
    *checkpoint = (struct checkpoint){
        .shard = shard,
        .fence = fence,
        .prefix = prefix,
        .anchor = {.offset = -1},
        .progress = -1,
    };
    checkpoint->view_count = shard->topic->view_count;
    checkpoint->kept = kept_new(shard->topic);
}

static void kept_fini(struct kept *kept, size_t view_count)
{
    for (size_t i = 0; i < view_count; i++)
        free(kept[i].old_output);
    free(kept);
}

void checkpoint_fini(struct checkpoint *checkpoint)
{
    kept_fini(checkpoint->kept, checkpoint->view_count);
    buf_fini(&checkpoint->text);
    buf_fini(&checkpoint->key);
    free(checkpoint->words);
    free(checkpoint->chunk);
    *checkpoint = (struct checkpoint){0};
}

static void keep(struct kept *kept, struct kept *before)
{
    const struct kept lent = *kept;
    *kept = *before;
    kept->definition = lent.definition;
    kept->output = lent.output;
    before->old_output = NULL;
}

void checkpoint_adopt(struct checkpoint *checkpoint, const struct topic *before)
{
    struct kept *old = checkpoint->kept;
    size_t old_count = checkpoint->view_count;
    const struct topic *topic = checkpoint->shard->topic;
    checkpoint->kept = kept_new(topic);
    checkpoint->view_count = topic->view_count;
    for (size_t i = 0; i < topic->view_count; i++)
        for (size_t k = 0; k < before->view_count; k++)
            if (view_keeps_state(topic->views[i], before->views[k]))
                keep(&checkpoint->kept[i], &old[k]);
    kept_fini(old, old_count);
    checkpoint->phase = CHECKPOINT_IDLE;
    checkpoint->in_flight = 0;
}
