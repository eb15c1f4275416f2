#include "sink/loader_private.h"

#include <stdlib.h>

#include "tidewheel/batch.h"
#include "tidewheel/mem.h"

struct loader *loader_new(struct wire *wire, const struct redis_url *url)
{
    struct loader *loader = mem_zalloc(sizeof *loader);
    link_init(&loader->link, wire, url, "loader", 1);
    loader->link.allows_eviction =
        true; /* the store's link judges that, and knows what is allowed */
    return loader;
}

void loader_free(struct loader *loader)
{
    if (loader == NULL)
        return;
    for (size_t i = 0; i < loader->fetch_count; i++)
        free(loader->fetches[(loader->fetch_first + i) % LOADER_FETCHES_MAX].words);
    free(loader->loads);
    free(loader->questions);
    buf_fini(&loader->bytes);
    buf_fini(&loader->key);
    link_fini(&loader->link);
    free(loader);
}

/* ---- questions ---- */

void loader_ask(struct loader *loader, enum question_kind kind, size_t number,
                const struct slice *words, size_t count)
{
    resp_words(&loader->bytes, words, count);
    loader->bytes_due++;
    loader->questions = mem_grow(loader->questions, loader->question_count, &loader->question_cap,
                                 sizeof *loader->questions);
    loader->questions[loader->question_count++] = (struct question){kind, number, loader->round};
}

static bool is_asking(const struct loader *loader)
{
    return loader->question_first < loader->question_count;
}

static struct question next_question(struct loader *loader)
{
    struct question question = loader->questions[loader->question_first++];
    size_t left = loader->question_count - loader->question_first;
    if (left > loader->question_first)
        return question;
    /* At least half of them are answered: each is moved once on average. */
    memmove(loader->questions, loader->questions + loader->question_first,
            left * sizeof *loader->questions);
    loader->question_first = 0;
    loader->question_count = left;
    return question;
}

/* ---- fetches ---- */

size_t loader_fetching(const struct loader *loader)
{
    return loader->fetch_count;
}

bool loader_can_fetch(const struct loader *loader)
{
    return loader->fetch_count < LOADER_FETCHES_MAX;
}

void loader_fetch(struct loader *loader, const struct fence *fence, struct slice key,
                  struct slice identity, uint64_t tag, fetched_fn *fetched, void *arg)
{
    CHECK(loader_can_fetch(loader));
    size_t at = (loader->fetch_first + loader->fetch_count++) % LOADER_FETCHES_MAX;
    struct fetch *fetch = &loader->fetches[at];
    *fetch = (struct fetch){.fence = fence,
                            .words = mem_alloc(key.len + identity.len + 1),
                            .key_len = key.len,
                            .identity_len = identity.len,
                            .tag = tag,
                            .fetched = fetched,
                            .arg = arg};
    memcpy(fetch->own, fence->own, sizeof fetch->own);
    memcpy(fetch->words, key.ptr, key.len);
    memcpy(fetch->words + key.len, identity.ptr, identity.len);
}

static void end_fetch(struct fetch *fetch)
{
    free(fetch->words);
    fetch->words = NULL;
    fetch->state = FETCH_OVER;
}

static void drop_ended(struct loader *loader)
{
    while (loader->fetch_count > 0 && loader->fetches[loader->fetch_first].state == FETCH_OVER) {
        loader->fetch_first = (loader->fetch_first + 1) % LOADER_FETCHES_MAX;
        loader->fetch_count--;
    }
}

static bool is_wanted(const struct fetch *fetch)
{
    return fetch->fence != NULL && loader_holds(fetch->fence, fetch->own);
}

static void ask_fetch(struct loader *loader, size_t at)
{
    struct fetch *fetch = &loader->fetches[at];
    if (fetch->state != FETCH_WAITING)
        return;
    if (!is_wanted(fetch)) {
        end_fetch(fetch);
        return;
    }
    fetch->state = FETCH_ASKED;
    const struct slice own[] = {slice_of("HGET"), slice_of(fetch->fence->meta_key),
                                slice_of("own")};
    const struct slice words[] = {slice_of("HGET"),
                                  {fetch->words, fetch->key_len},
                                  {fetch->words + fetch->key_len, fetch->identity_len}};
    loader_ask(loader, ASK_FETCH_OWN, at, own, 3);
    loader_ask(loader, ASK_FETCH, at, words, 3);
}

static void ask_fetches(struct loader *loader)
{
    for (size_t i = 0; i < loader->fetch_count; i++)
        ask_fetch(loader, (loader->fetch_first + i) % LOADER_FETCHES_MAX);
    drop_ended(loader);
}

static void take_fetch_own(struct loader *loader, const struct fetch *fetch,
                           const redisReply *reply, int64_t mono_ms)
{
    struct slice own = {"", 0};
    if (reply->type == REDIS_REPLY_STRING)
        own = (struct slice){reply->str, (size_t)reply->len};
    if (is_wanted(fetch) && !slice_is_equal(own, slice_of(fetch->own)))
        link_fail(&loader->link, mono_ms, "this server does not know our claim");
}

static void take_blob(struct loader *loader, struct fetch *fetch, const redisReply *reply)
{
    struct fetch taken = *fetch;
    struct slice blob = {NULL, 0};
    if (reply->type == REDIS_REPLY_STRING)
        blob = (struct slice){reply->str, (size_t)reply->len};
    end_fetch(fetch);
    drop_ended(loader);
    if (is_wanted(&taken)) /* from there, others may be asked for */
        taken.fetched(taken.arg, taken.tag, blob);
}

/* A key of another type holds no blob. */
static int take_fetch(struct loader *loader, const struct question *question,
                      const redisReply *reply, int64_t mono_ms, struct err *err)
{
    struct fetch *fetch = &loader->fetches[question->number];
    bool is_other_type =
        reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "WRONGTYPE", 9) == 0;
    if (reply->type == REDIS_REPLY_ERROR && !is_other_type)
        return link_refuse(&loader->link, mono_ms, reply->str, err);
    if (question->kind == ASK_FETCH_OWN)
        take_fetch_own(loader, fetch, reply, mono_ms);
    else
        take_blob(loader, fetch, reply);
    return 0;
}

void loader_forget(struct loader *loader, const struct fence *fence)
{
    for (size_t i = 0; i < loader->fetch_count; i++) {
        struct fetch *fetch = &loader->fetches[(loader->fetch_first + i) % LOADER_FETCHES_MAX];
        if (fetch->fence != fence)
            continue;
        fetch->fence = NULL;
        if (fetch->state == FETCH_WAITING)
            end_fetch(fetch);
    }
    drop_ended(loader);
}

/* ---- moving on ---- */

static void notice_break(struct loader *loader)
{
    if (!loader->is_up || loader->link.state == LINK_UP)
        return;
    loader->is_up = false;
    loader->question_first = 0;
    loader->question_count = 0;
    buf_reset(&loader->bytes);
    loader->bytes_due = 0;
    loader_abandon(loader);
    for (size_t i = 0; i < loader->fetch_count; i++) {
        struct fetch *fetch = &loader->fetches[(loader->fetch_first + i) % LOADER_FETCHES_MAX];
        if (fetch->state == FETCH_ASKED)
            fetch->state = FETCH_WAITING;
    }
}

static int take_replies(struct loader *loader, int64_t mono_ms, struct err *err)
{
    while (is_asking(loader)) {
        redisReply *reply = link_next(&loader->link, mono_ms);
        if (reply == NULL)
            return 0;
        struct question question = next_question(loader);
        int rc = question.kind >= ASK_FETCH_OWN
                     ? take_fetch(loader, &question, reply, mono_ms, err)
                     : loader_take_load(loader, &question, reply, mono_ms, err);
        freeReplyObject(reply);
        notice_break(loader);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int loader_pump(struct loader *loader, int64_t mono_ms, struct err *err)
{
    bool is_up = false;
    if (loader->must_hang_up)
        link_fail(&loader->link, mono_ms, "the writing connection was lost");
    loader->must_hang_up = false;
    int rc = link_pump(&loader->link, mono_ms, &is_up, err);
    notice_break(loader);
    loader->is_up = loader->is_up || is_up;
    if (rc == 0)
        rc = take_replies(loader, mono_ms, err);
    if (rc < 0 || !loader->is_up)
        return rc;
    ask_fetches(loader);
    loader_choose(loader);
    if (!is_asking(loader))
        link_is_fine(&loader->link);
    if (loader->bytes_due > 0)
        link_say(&loader->link, &loader->bytes, loader->bytes_due, mono_ms);
    buf_reset(&loader->bytes);
    loader->bytes_due = 0;
    notice_break(loader);
    return 0;
}

void loader_add(struct loader *loader, struct load *load)
{
    load->state = LOAD_RUNNING;
    loader->loads =
        mem_grow(loader->loads, loader->load_count, &loader->load_cap, sizeof *loader->loads);
    loader->loads[loader->load_count++] = load;
}

void loader_cancel(struct loader *loader, const struct load *load)
{
    size_t kept = 0;
    for (size_t i = 0; i < loader->load_count; i++)
        if (loader->loads[i] != load)
            loader->loads[kept++] = loader->loads[i];
    loader->load_count = kept;
    if (loader->load == load)
        loader_abandon(loader);
}

void loader_hang_up(struct loader *loader)
{
    loader->must_hang_up = true;
}

bool loader_is_busy(const struct loader *loader)
{
    return loader->load_count > 0 || loader->fetch_count > 0;
}
