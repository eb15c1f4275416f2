#include "sink/link.h"

#include <stdlib.h>

#include "sink/redis_errors.h"
#include "tidewheel/batch.h"
#include "tidewheel/log.h"

enum {
    BACK_OFF_MIN_MS = 50,
    BACK_OFF_MAX_MS = 2000,
    REFUSALS_MAX = 5, /* of credentials, in a row, before a person is called */
    CHUNK_BYTES = 16 * 1024,
    CHUNKS_MAX = 8, /* of a pump: hiredis moves what it has not parsed yet, again and again */
    REPLY_BYTES_MAX = 64 * 1024 * 1024,
};

void link_init(struct link *link, struct wire *wire, const struct redis_url *url, const char *name,
               uint64_t jitter)
{
    *link = (struct link){
        .wire = wire,
        .url = url,
        .name = name,
        .deadline_ms = INT64_MIN,
        .back_off_ms = BACK_OFF_MIN_MS,
        .jitter = jitter,
    };
}

/* Nothing of a connection outlives it: what was not sent, and what was not heard. */
static void hang_up(struct link *link)
{
    link->wire->ops->hang_up(link->wire);
    if (link->reader != NULL)
        redisReaderFree(link->reader);
    link->reader = NULL;
    link->reply_bytes = 0;
    link->due = 0;
    buf_reset(&link->out);
    link->out_sent = 0;
}

void link_fini(struct link *link)
{
    hang_up(link);
    buf_fini(&link->out);
    link->wire->ops->free(link->wire);
}

/* ---- failing ---- */

void link_fail(struct link *link, int64_t mono_ms, const char *why)
{
    if (link->state == LINK_AWAY)
        return;
    link->jitter = link->jitter * UINT64_C(6364136223846793005) + 1;
    link->state = LINK_AWAY;
    link->deadline_ms =
        mono_ms + link->back_off_ms + (int64_t)((link->jitter >> 33) % (uint64_t)link->back_off_ms);
    link->back_off_ms =
        link->back_off_ms * 2 < BACK_OFF_MAX_MS ? link->back_off_ms * 2 : BACK_OFF_MAX_MS;
    if (link->is_well)
        log_warn(link->name, "state=away why=\"%s\"", why);
    else
        log_limited(LOG_WARN, link->name, "state=away why=\"%s\"", why);
    link->is_well = false;
    hang_up(link); /* why may lie in the reader */
}

/* One side speaks TLS and the other does not: no server says so. */
static const char *doubt(const struct link *link)
{
    if (link->state == LINK_CONNECTING && link->url->is_tls)
        return "; is it TLS that is spoken at this port?";
    if (link->state == LINK_GREETING && !link->url->is_tls && link->url->host != NULL)
        return "; is it TLS that is spoken at this port (rediss://)?";
    return "";
}

static void fail_in_doubt(struct link *link, int64_t mono_ms, const char *why)
{
    char text[ERR_TEXT_MAX];
    (void)snprintf(text, sizeof text, "%s%s", why, doubt(link));
    link_fail(link, mono_ms, text);
}

int link_refuse(struct link *link, int64_t mono_ms, const char *text, struct err *err)
{
    const struct redis_error *row = redis_error_find(text);
    int len = redis_error_len(text);
    link->refusals += row->reaction == NEEDS_PERSON;
    if (row->reaction == NEEDS_PERSON_NOW || link->refusals >= REFUSALS_MAX)
        return err_set(err, ERR_FATAL, "Redis says '%.*s': %s", len, text, row->advice);
    char why[320];
    (void)snprintf(why, sizeof why, "%.*s: %s", len, text, row->advice);
    link_fail(link, mono_ms, why);
    return 0;
}

void link_is_fine(struct link *link)
{
    link->refusals = 0;
    link->back_off_ms = BACK_OFF_MIN_MS;
    if (!link->is_well)
        log_info(link->name, "state=ready");
    link->is_well = true;
}

/* ---- bytes ---- */

static void flush(struct link *link, int64_t mono_ms)
{
    while (link->out_sent < link->out.len) {
        struct err err;
        ssize_t sent = link->wire->ops->send(link->wire, link->out.ptr + link->out_sent,
                                             link->out.len - link->out_sent, &err);
        if (sent < 0)
            link_fail(link, mono_ms, err.text);
        if (sent <= 0)
            return;
        link->out_sent += (size_t)sent;
    }
    buf_reset(&link->out);
    link->out_sent = 0;
}

static void receive(struct link *link, int64_t mono_ms)
{
    char chunk[CHUNK_BYTES];
    for (int i = 0; i < CHUNKS_MAX && link->reply_bytes < REPLY_BYTES_MAX; i++) {
        struct err err;
        ssize_t got = link->wire->ops->recv(link->wire, chunk, sizeof chunk, &err);
        if (got < 0)
            fail_in_doubt(link, mono_ms, err.text);
        if (got <= 0)
            return;
        (void)redisReaderFeed(link->reader, chunk, (size_t)got);
        link->reply_bytes += (size_t)got;
        link->deadline_ms = mono_ms + LINK_ANSWER_MS;
        if ((size_t)got < sizeof chunk)
            return;
    }
}

static redisReply *next_reply(struct link *link, int64_t mono_ms)
{
    void *reply = NULL;
    if (redisReaderGetReply(link->reader, &reply) != REDIS_OK) {
        fail_in_doubt(link, mono_ms, link->reader->errstr);
        return NULL;
    }
    if (reply == NULL) {
        if (link->reply_bytes >= REPLY_BYTES_MAX)
            link_fail(link, mono_ms, "an answer has more than 64 MiB");
        return NULL;
    }
    link->due--;
    link->reply_bytes = link->reader->len - link->reader->pos;
    link->deadline_ms = mono_ms + LINK_ANSWER_MS;
    return reply;
}

static void say(struct link *link, const struct buf *bytes, size_t due, int64_t mono_ms)
{
    if (link->due == 0)
        link->deadline_ms = mono_ms + LINK_ANSWER_MS;
    link->due += due;
    buf_add(&link->out, bytes->ptr, bytes->len);
    flush(link, mono_ms);
}

void link_say(struct link *link, const struct buf *bytes, size_t due, int64_t mono_ms)
{
    CHECK(link->state == LINK_UP);
    say(link, bytes, due, mono_ms);
}

redisReply *link_next(struct link *link, int64_t mono_ms)
{
    return link->state == LINK_UP && link->due > 0 ? next_reply(link, mono_ms) : NULL;
}

void link_wait(const struct link *link, int64_t wait_ms)
{
    bool for_sending = link->state == LINK_CONNECTING || link->out.len > 0;
    link->wire->ops->wait(link->wire, for_sending, wait_ms);
}

/* ---- coming up ---- */

static void connect_now(struct link *link, int64_t mono_ms)
{
    struct err err;
    link->state = LINK_CONNECTING;
    link->deadline_ms = mono_ms + LINK_ANSWER_MS;
    if (link->wire->ops->open(link->wire, &err) < 0)
        link_fail(link, mono_ms, err.text);
}

static size_t add_words(struct buf *bytes, const char *const *words, size_t count)
{
    resp_command(bytes, words, count);
    return 1;
}

#define WORDS(...)                                                                                 \
    (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)

size_t link_add_login(const struct redis_url *url, struct buf *bytes)
{
    size_t due = 0;
    if (url->password != NULL && url->user != NULL)
        due += add_words(bytes, WORDS("AUTH", url->user, url->password));
    else if (url->password != NULL)
        due += add_words(bytes, WORDS("AUTH", url->password));
    if (url->db != 0) {
        char db[16];
        (void)snprintf(db, sizeof db, "%d", url->db);
        due += add_words(bytes, WORDS("SELECT", db));
    }
    return due;
}

static void greet(struct link *link, int64_t mono_ms)
{
    struct buf bytes = {NULL, 0, 0};
    size_t due = link_add_login(link->url, &bytes);
    due += add_words(&bytes, WORDS("INFO"));
    link->reader = redisReaderCreate();
    CHECK(link->reader != NULL); /* out of memory, like any other */
    link->state = LINK_GREETING;
    say(link, &bytes, due, mono_ms);
    buf_fini(&bytes);
}

static void finish_connecting(struct link *link, int64_t mono_ms)
{
    struct err err;
    int rc = link->wire->ops->is_open(link->wire, &err);
    if (rc < 0)
        link_fail(link, mono_ms, err.text);
    else if (rc > 0)
        greet(link, mono_ms);
}

/* ---- what INFO says ---- */

/* "\nrole:" of "...\r\nrole:master\r\n..."; empty: it does not say. */
static struct slice info_find(const redisReply *info, const char *mark)
{
    const char *at = strstr(info->str, mark);
    if (at == NULL)
        return (struct slice){"", 0};
    at += strlen(mark);
    return (struct slice){at, strcspn(at, "\r\n")};
}

static int judge_policy(struct link *link, struct slice policy, struct err *err)
{
    if (policy.len == 0) {
        log_limited(
            LOG_WARN, link->name,
            "why=\"INFO does not say maxmemory_policy\" then=\"it is taken for noeviction\"");
        return 0;
    }
    if (slice_is_equal(policy, slice_of("noeviction")))
        return 0;
    if (!link->allows_eviction)
        return err_set(err, ERR_FATAL,
                       "the maxmemory-policy of Redis is %.*s: keys may vanish without a trace; "
                       "say CONFIG SET maxmemory-policy noeviction there, or live with it by "
                       "redis.allow_eviction: true here",
                       (int)policy.len, policy.ptr);
    log_warn(link->name, "policy=%.*s why=\"keys may vanish without a trace\"", (int)policy.len,
             policy.ptr);
    return 0;
}

static int judge_info(struct link *link, const redisReply *info, int64_t mono_ms, struct err *err)
{
    if (slice_is_equal(info_find(info, "\ncluster_enabled:"), slice_of("1")))
        return err_set(err, ERR_FATAL, "%s", redis_error_find("MOVED")->advice);
    if (slice_is_equal(info_find(info, "\nrole:"), slice_of("slave"))) {
        link_fail(link, mono_ms, redis_error_find("READONLY")->advice);
        return 0;
    }
    return judge_policy(link, info_find(info, "\nmaxmemory_policy:"), err);
}

/* Some servers do not have INFO, or not for everybody. */
static bool is_info_refused(const redisReply *reply)
{
    return strncmp(reply->str, "NOPERM", 6) == 0 ||
           strncmp(reply->str, "ERR unknown command", 19) == 0;
}

static int judge_greeting(struct link *link, const redisReply *reply, int64_t mono_ms,
                          struct err *err)
{
    bool is_info = link->due == 0;
    if (reply->type == REDIS_REPLY_ERROR && is_info && is_info_refused(reply)) {
        log_limited(LOG_WARN, link->name,
                    "why=\"%.*s\" then=\"taken for a primary that does not evict\"",
                    redis_error_len(reply->str), reply->str);
        return 0;
    }
    if (reply->type == REDIS_REPLY_ERROR)
        return link_refuse(link, mono_ms, reply->str, err);
    if (!is_info)
        return 0;
    if (reply->type == REDIS_REPLY_STRING)
        return judge_info(link, reply, mono_ms, err);
    link_fail(link, mono_ms, "INFO was answered by something else");
    return 0;
}

static int read_greeting(struct link *link, int64_t mono_ms, struct err *err)
{
    while (link->state == LINK_GREETING && link->due > 0) {
        redisReply *reply = next_reply(link, mono_ms);
        if (reply == NULL)
            return 0;
        int rc = judge_greeting(link, reply, mono_ms, err);
        freeReplyObject(reply);
        if (rc < 0)
            return rc;
    }
    if (link->state == LINK_GREETING)
        link->state = LINK_UP;
    return 0;
}

/* ---- all of it ---- */

static void look_for_faults(struct link *link, int64_t mono_ms)
{
    bool is_waiting = link->state != LINK_UP || link->due > 0;
    if (link->state == LINK_AWAY)
        return;
    if (is_waiting && mono_ms >= link->deadline_ms)
        fail_in_doubt(link, mono_ms, "no answer in 5 s");
    else if (!is_waiting && link->reader->len > link->reader->pos)
        link_fail(link, mono_ms, "Redis answers what it was not asked");
}

int link_pump(struct link *link, int64_t mono_ms, bool *ret_is_up, struct err *err)
{
    bool was_up = link->state == LINK_UP;
    int rc = 0;
    if (link->state == LINK_AWAY && mono_ms >= link->deadline_ms)
        connect_now(link, mono_ms);
    if (link->state == LINK_CONNECTING)
        finish_connecting(link, mono_ms);
    if (link->state >= LINK_GREETING)
        flush(link, mono_ms);
    if (link->state >= LINK_GREETING)
        receive(link, mono_ms);
    if (link->state == LINK_GREETING)
        rc = read_greeting(link, mono_ms, err);
    if (rc < 0)
        return rc;
    look_for_faults(link, mono_ms);
    *ret_is_up = !was_up && link->state == LINK_UP;
    return 0;
}
