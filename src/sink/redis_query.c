#include "tidewheel/redis_query.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

#include "sink/redis_errors.h"
#include "tidewheel/mem.h"
#include "tidewheel/num.h"
#include "tidewheel/store.h"

enum { WAIT_S = 5 };

struct redis_query {
    redisContext *context;
    redisReply *reply; /* what the last answer is about */
};

static int connect_to(const struct redis_url *url, struct redis_query *query, struct err *err)
{
    struct timeval wait = {.tv_sec = WAIT_S};
    query->context = url->socket != NULL ? redisConnectUnixWithTimeout(url->socket, wait)
                                         : redisConnectWithTimeout(url->host, url->port, wait);
    if (query->context == NULL || query->context->err != 0)
        return err_set(err, ERR_RETRY, "cannot reach Redis at %s: %s",
                       url->socket != NULL ? url->socket : url->host,
                       query->context != NULL ? query->context->errstr : "out of memory");
    (void)redisSetTimeout(query->context, wait);
    return 0;
}

static int log_in(struct redis_query *query, const struct redis_url *url, struct err *err)
{
    struct answer answer;
    char db[NUM_TEXT_MAX];
    struct slice auth[3] = {slice_of("AUTH")};
    size_t count = 1;
    if (url->password != NULL && url->user != NULL)
        auth[count++] = slice_of(url->user);
    if (url->password != NULL)
        auth[count++] = slice_of(url->password);
    int rc = count > 1 ? redis_query_ask(query, auth, count, &answer, err) : 0;
    if (rc < 0 || url->db == 0)
        return rc;
    struct slice select[] = {slice_of("SELECT"), {db, num_format_int64(url->db, db)}};
    return redis_query_ask(query, select, 2, &answer, err);
}

int redis_query_open(const char *text, struct redis_query **ret, struct err *err)
{
    struct redis_url url;
    int rc = redis_url_login(text, &url, err);
    if (rc < 0)
        return rc;
    struct redis_query *query = mem_zalloc(sizeof *query);
    rc = connect_to(&url, query, err);
    if (rc == 0)
        rc = log_in(query, &url, err);
    redis_url_fini(&url);
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
    if (query->context != NULL)
        redisFree(query->context);
    free(query);
}

void redis_query_send(struct redis_query *query, const struct slice *words, size_t count)
{
    const char **ptrs = mem_alloc(count * sizeof *ptrs);
    size_t *lens = mem_alloc(count * sizeof *lens);
    for (size_t i = 0; i < count; i++) {
        ptrs[i] = words[i].ptr;
        lens[i] = words[i].len;
    }
    /* It fails only out of memory, and then the context says so to whoever waits for the answer. */
    (void)redisAppendCommandArgv(query->context, (int)count, ptrs, lens);
    free(ptrs);
    free(lens);
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
    void *reply = NULL;
    freeReplyObject(query->reply);
    query->reply = NULL;
    if (redisGetReply(query->context, &reply) != REDIS_OK || reply == NULL)
        return err_set(err, ERR_RETRY, "Redis does not answer: %s", query->context->errstr);
    query->reply = reply;
    *ret = answer_of(query->reply);
    return 0;
}

int redis_query_ask(struct redis_query *query, const struct slice *words, size_t count,
                    struct answer *ret, struct err *err)
{
    struct answer answer;
    redis_query_send(query, words, count);
    int rc = redis_query_next(query, &answer, err);
    if (rc == 0 && answer.kind == ANSWER_REFUSED)
        rc = err_set(err, ERR_RETRY, "Redis says '%.*s'", (int)answer.text.len, answer.text.ptr);
    if (rc == 0)
        *ret = answer;
    return rc;
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
