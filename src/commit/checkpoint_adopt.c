#include "tidewheel/checkpoint.h"

#include <stdlib.h>

#include "tidewheel/mem.h"

struct kept *kept_new(const struct topic *topic)
{
    struct kept *kept = mem_zalloc(topic->view_count * sizeof *kept);
    for (size_t i = 0; i < topic->view_count; i++)
        kept[i] = (struct kept){.definition = topic->views[i]->definition,
                                .output = topic->views[i]->output,
                                .old_gen = -1};
    return kept;
}

void kept_free(struct kept *kept, size_t view_count)
{
    for (size_t i = 0; i < view_count; i++)
        free(kept[i].old_output);
    free(kept);
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
    kept_free(old, old_count);
    checkpoint->phase = CHECKPOINT_IDLE;
    checkpoint->in_flight = 0;
}
