#include <hiredis/hiredis.h>
#include <stdlib.h>

#include "sink/redis_errors.h"
#include "tidewheel/mem.h"
#include "tidewheel/store.h"

enum { WAIT_S = 5 };

#define TEXT_OF(x) #x
#define VERSION(x) TEXT_OF(x)

const char *redis_client_version(void)
{
    return VERSION(HIREDIS_MAJOR) "." VERSION(HIREDIS_MINOR) "." VERSION(HIREDIS_PATCH);
}

int redis_url_login(const char *text, struct redis_url *ret, struct err *err)
{
    struct redis_url url;
    int rc = redis_url_parse(text, &url, err);
    if (rc < 0)
        return rc;
    if (url.is_tls) {
        redis_url_fini(&url);
        return err_set(err, ERR_CONFIG,
                       "redis.url asks for TLS (rediss://), which this version does not speak "
                       "yet: use redis:// or unix://");
    }
    *ret = url;
    return 0;
}

/* One command; NULL with err filled when there is no good answer. */
static redisReply *ask(redisContext *context, const char **words, const size_t *lens, size_t count,
                       struct err *err)
{
    redisReply *reply = redisCommandArgv(context, (int)count, words, lens);
    if (reply == NULL) {
        (void)err_set(err, ERR_RETRY, "Redis does not answer: %s", context->errstr);
        return NULL;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        (void)err_set(err, ERR_RETRY, "Redis says '%.*s'", redis_error_len(reply->str), reply->str);
        freeReplyObject(reply);
        return NULL;
    }
    return reply;
}

static int ask_words(redisContext *context, struct err *err, size_t count, const char **words)
{
    size_t lens[4];
    for (size_t i = 0; i < count; i++)
        lens[i] = strlen(words[i]);
    redisReply *reply = ask(context, words, lens, count, err);
    freeReplyObject(reply);
    return reply == NULL ? ERR_RETRY : 0;
}

static int log_in(redisContext *context, const struct redis_url *url, struct err *err)
{
    int rc = 0;
    if (url->password != NULL && url->user != NULL)
        rc = ask_words(context, err, 3, (const char *[]){"AUTH", url->user, url->password});
    else if (url->password != NULL)
        rc = ask_words(context, err, 2, (const char *[]){"AUTH", url->password});
    if (rc < 0 || url->db == 0)
        return rc;
    char db[16];
    (void)snprintf(db, sizeof db, "%d", url->db);
    return ask_words(context, err, 2, (const char *[]){"SELECT", db});
}

static int fetch_fields(redisContext *context, struct slice key, const char *const *fields,
                        size_t field_count, char **ret_values, struct err *err)
{
    const char **words = mem_alloc((field_count + 2) * sizeof *words);
    size_t *lens = mem_alloc((field_count + 2) * sizeof *lens);
    words[0] = "HMGET";
    lens[0] = 5;
    words[1] = key.ptr;
    lens[1] = key.len;
    for (size_t i = 0; i < field_count; i++) {
        words[i + 2] = fields[i];
        lens[i + 2] = strlen(fields[i]);
    }
    redisReply *reply = ask(context, words, lens, field_count + 2, err);
    free(words);
    free(lens);
    if (reply == NULL)
        return ERR_RETRY;
    for (size_t i = 0; i < field_count; i++) {
        const redisReply *value = i < reply->elements ? reply->element[i] : NULL;
        ret_values[i] = value != NULL && value->type == REDIS_REPLY_STRING
                            ? mem_strndup(value->str, (size_t)value->len)
                            : NULL;
    }
    freeReplyObject(reply);
    return 0;
}

int redis_fetch(const char *text, struct slice key, const char *const *fields, size_t field_count,
                char **ret_values, int64_t *ret_pttl_ms, struct err *err)
{
    struct redis_url url;
    int rc = redis_url_login(text, &url, err);
    if (rc < 0)
        return rc;
    struct timeval wait = {.tv_sec = WAIT_S};
    redisContext *context = url.socket != NULL ? redisConnectUnixWithTimeout(url.socket, wait)
                                               : redisConnectWithTimeout(url.host, url.port, wait);
    if (context == NULL || context->err != 0) {
        rc = err_set(err, ERR_RETRY, "cannot reach Redis at %s: %s",
                     url.socket != NULL ? url.socket : url.host,
                     context != NULL ? context->errstr : "out of memory");
        goto out;
    }
    (void)redisSetTimeout(context, wait);
    rc = log_in(context, &url, err);
    if (rc == 0)
        rc = fetch_fields(context, key, fields, field_count, ret_values, err);
    if (rc < 0)
        goto out;
    redisReply *pttl =
        ask(context, (const char *[]){"PTTL", key.ptr}, (size_t[]){4, key.len}, 2, err);
    *ret_pttl_ms = pttl != NULL ? pttl->integer : -2;
    freeReplyObject(pttl);
out:
    redis_url_fini(&url);
    if (context != NULL)
        redisFree(context);
    return rc;
}
