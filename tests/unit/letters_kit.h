/* letters_kit: dead letters that are delivered when a test says so. */
#ifndef TIDEWHEEL_LETTERS_KIT_H
#define TIDEWHEEL_LETTERS_KIT_H

#include "unit.h"

#include <stdio.h>

#include "tidewheel/dead_letter.h"

enum { LETTERS_MAX = 4096 };

struct kept_letter {
    uint64_t life;
    uint64_t number;
    enum verdict reason;
    int64_t offset;
    char views[32];
    char value[96]; /* "(null)" if it is */
    bool is_gone;   /* delivered, or forgotten */
};

static struct {
    struct letters letters;
    struct letters_handler handler;
    struct kept_letter kept[LETTERS_MAX];
    size_t count;
    size_t forgotten;
    bool is_prompt; /* each is delivered by the next serve() */
    bool is_hopeless;
    bool is_closed;
} post;

static void post_send(struct letters *letters, const struct dead_letter *letter, int64_t mono_ms)
{
    (void)mono_ms;
    struct kept_letter *kept = &post.kept[post.count++];
    ck_assert_uint_le(post.count, LETTERS_MAX);
    *kept = (struct kept_letter){.life = letter->life,
                                 .number = letter->number,
                                 .reason = letter->reason,
                                 .offset = letter->offset};
    (void)snprintf(kept->views, sizeof kept->views, "%s", letter->views);
    (void)snprintf(kept->value, sizeof kept->value, "%.*s",
                   letter->value.ptr != NULL ? (int)letter->value.len : 6,
                   letter->value.ptr != NULL ? letter->value.ptr : "(null)");
    letters->pending++;
    letters->underway = post.is_hopeless ? 0 : letters->pending;
}

static void post_deliver(size_t i)
{
    struct kept_letter *kept = &post.kept[i];
    ck_assert(i < post.count && !kept->is_gone);
    kept->is_gone = true;
    post.letters.pending--;
    post.letters.underway = post.is_hopeless ? 0 : post.letters.pending;
    post.handler.settled(post.handler.arg, kept->life, kept->number, kept->reason);
}

static inline void post_deliver_all(void)
{
    for (size_t i = 0; i < post.count; i++)
        if (!post.kept[i].is_gone)
            post_deliver(i);
}

static void post_serve(struct letters *letters, int64_t mono_ms)
{
    (void)letters;
    (void)mono_ms;
    if (post.is_prompt)
        post_deliver_all();
}

static void post_forget(struct letters *letters, uint64_t life)
{
    for (size_t i = 0; i < post.count; i++) {
        if (post.kept[i].is_gone || post.kept[i].life != life)
            continue;
        post.kept[i].is_gone = true;
        post.forgotten++;
        letters->pending--;
    }
    letters->underway = post.is_hopeless ? 0 : letters->pending;
}

static bool post_close(struct letters *letters, int64_t wait_ms)
{
    (void)letters;
    (void)wait_ms;
    post.is_closed = true;
    return true;
}

static const struct letters_ops post_ops = {
    .send = post_send, .serve = post_serve, .forget = post_forget, .close = post_close};

static inline struct letters *post_open(const struct letters_handler *handler)
{
    memset(&post, 0, sizeof post);
    post.letters.ops = &post_ops;
    post.handler = *handler;
    return &post.letters;
}

#endif
