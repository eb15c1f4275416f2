#include "tidewheel/redis_query.h"

#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdlib.h>

#include "sink/link.h"
#include "sink/redis_errors.h"
#include "tidewheel/batch.h"
#include "tidewheel/clock.h"
#include "tidewheel/mem.h"

enum { CHUNK_BYTES = 16 * 1024 };

struct redis_query {
    struct wire *wire;
    redisReader *reader;
    struct buf out; /* not sent yet, from out_sent on */
    size_t out_sent;
    int64_t deadline_ms;
    redisReply *reply; /* what the last answer is about */
};

/* ---- waiting ---- */

static void give_time(struct redis_query *query)
{
    query->deadline_ms = clock_mono_ms() + LINK_ANSWER_MS;
}

static int wait_a_while(struct redis_query *query, bool for_sending, struct err *err)
{
    int64_t left_ms = query->deadline_ms - clock_mono_ms();
    if (left_ms <= 0)
        return err_set(err, ERR_RETRY, "no answer in %d s", LINK_ANSWER_MS / 1000);
    query->wire->ops->wait(query->wire, for_sending, left_ms);
    return 0;
}

static int wait_open(struct redis_query *query, struct err *err)
{
    int rc = query->wire->ops->open(query->wire, err);
    while (rc == 0 && (rc = query->wire->ops->is_open(query->wire, err)) == 0)
        rc = wait_a_while(query, true, err);
    return rc < 0 ? rc : 0;
}

/* ---- bytes ---- */

static int flush(struct redis_query *query, struct err *err)
{
    ssize_t sent = 1;
    while (sent > 0 && query->out_sent < query->out.len) {
        sent = query->wire->ops->send(query->wire, query->out.ptr + query->out_sent,
                                      query->out.len - query->out_sent, err);
        query->out_sent += sent > 0 ? (size_t)sent : 0;
    }
    return sent < 0 ? ERR_RETRY : 0;
}

/* Sends what it can, and receives what is there or comes. */
static int move(struct redis_query *query, struct err *err)
{
    char chunk[CHUNK_BYTES];
    if (flush(query, err) < 0)
        return ERR_RETRY;
    ssize_t got = query->wire->ops->recv(query->wire, chunk, sizeof chunk, err);
    if (got == 0)
        return wait_a_while(query, query->out_sent < query->out.len, err);
    if (got < 0)
        return ERR_RETRY;
    (void)redisReaderFeed(query->reader, chunk, (size_t)got);
    give_time(query);
    return 0;
}

static int receive(struct redis_query *query, struct err *err)
{
    void *reply = NULL;
    int rc = 0;
    give_time(query);
    while (rc == 0 && reply == NULL) {
        if (redisReaderGetReply(query->reader, &reply) != REDIS_OK)
            return err_set(err, ERR_RETRY, "%s", query->reader->errstr);
        if (reply == NULL)
            rc = move(query, err);
    }
    query->reply = reply;
    return rc;
}

static int next_good(struct redis_query *query, struct answer *ret, struct err *err)
{
    struct answer answer;
    int rc = redis_query_next(query, &answer, err);
    if (rc == 0 && answer.kind == ANSWER_REFUSED)
        rc = err_set(err, ERR_RETRY, "Redis says '%.*s'", (int)answer.text.len, answer.text.ptr);
    if (rc == 0)
        *ret = answer;
    return rc;
}

/* ---- open and close ---- */

static int log_in(struct redis_query *query, const struct redis_url *url, struct err *err)
{
    struct answer answer;
    int rc = 0;
    for (size_t due = link_add_login(url, &query->out); due > 0 && rc == 0; due--)
        rc = next_good(query, &answer, err);
    return rc;
}

int redis_query_open(const struct redis_url *url, struct redis_query **ret, struct err *err)
{
    struct redis_query *query = mem_zalloc(sizeof *query);
    (void)signal(SIGPIPE, SIG_IGN);
    query->wire = wire_socket_new(url);
    query->reader = redisReaderCreate();
    CHECK(query->reader != NULL); /* out of memory, like any other */
    give_time(query);
    int rc = wait_open(query, err);
    if (rc < 0)
        (void)err_wrap(err, "cannot reach Redis at %s",
                       url->socket != NULL ? url->socket : url->host);
    else
        rc = log_in(query, url, err);
    if (rc < 0)
        redis_query_close(query);
    else
        *ret = query;
    return rc;
}

void redis_query_close(struct redis_query *query)
{
    if (query == NULL)
        return;
    freeReplyObject(query->reply);
    redisReaderFree(query->reader);
    query->wire->ops->free(query->wire);
    buf_fini(&query->out);
    free(query);
}

void redis_query_send(struct redis_query *query, const struct slice *words, size_t count)
{
    if (query->out_sent == query->out.len) {
        buf_reset(&query->out);
        query->out_sent = 0;
    }
    resp_words(&query->out, words, count);
}

static struct answer answer_of(const redisReply *reply)
{
    struct answer ret = {.kind = ANSWER_NONE, .reply = reply};
    switch (reply->type) {
    case REDIS_REPLY_INTEGER:
        ret.kind = ANSWER_INTEGER;
        ret.integer = reply->integer;
        break;
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
        ret.kind = ANSWER_TEXT;
        ret.text = (struct slice){reply->str, (size_t)reply->len};
        break;
    case REDIS_REPLY_ARRAY:
        ret.kind = ANSWER_LIST;
        ret.count = reply->elements;
        break;
    case REDIS_REPLY_ERROR:
        ret.kind = ANSWER_REFUSED;
        ret.text = (struct slice){reply->str, (size_t)redis_error_len(reply->str)};
        break;
    default:
        break;
    }
    return ret;
}

int redis_query_next(struct redis_query *query, struct answer *ret, struct err *err)
{
    freeReplyObject(query->reply);
    query->reply = NULL;
    if (receive(query, err) < 0)
        return err_wrap(err, "Redis does not answer");
    *ret = answer_of(query->reply);
    return 0;
}

int redis_query_ask(struct redis_query *query, const struct slice *words, size_t count,
                    struct answer *ret, struct err *err)
{
    redis_query_send(query, words, count);
    return next_good(query, ret, err);
}

static const redisReply *item_of(const struct answer *answer, size_t index)
{
    const redisReply *reply = answer->reply;
    return index < answer->count ? reply->element[index] : NULL;
}

struct slice answer_item(const struct answer *answer, size_t index)
{
    const redisReply *item = item_of(answer, index);
    return item != NULL && item->type == REDIS_REPLY_STRING
               ? (struct slice){item->str, (size_t)item->len}
               : (struct slice){NULL, 0};
}

bool answer_list(const struct answer *answer, size_t index, struct answer *ret)
{
    const redisReply *item = item_of(answer, index);
    if (item == NULL || item->type != REDIS_REPLY_ARRAY)
        return false;
    *ret = answer_of(item);
    return true;
}
