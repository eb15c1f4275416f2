#include "tidewheel/store.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "sink/alive.h"
#include "sink/redis_errors.h"
#include "tidewheel/log.h"
#include "tidewheel/mem.h"
#include "tidewheel/num.h"

enum {
    ANSWER_MS = 5000, /* a Redis that says nothing for so long is away */
    BACK_OFF_MIN_MS = 50,
    BACK_OFF_MAX_MS = 2000,
    REFUSALS_MAX = 5, /* of credentials, in a row, before a person is called */
};

#define ALIVE_TTL_S "86400"

enum state { AWAY, CONNECTING, READY, ASKING };

/* What the replies that are due belong to. */
enum exchange { GREETING, CHECK_ALIVE, BATCH };

struct redis {
    struct store store;
    struct redis_url url;
    char *alive_key;
    char *again; /* the key of the group's call-outs */
    redisContext *context;
    enum state state;
    enum exchange exchange;
    size_t due; /* replies */
    size_t seen;
    int64_t deadline_ms; /* of the state; for AWAY, when to try again */
    int64_t back_off_ms;
    int64_t check_at_ms;
    struct alive alive;
    int64_t calls;     /* what the key of call-outs held when we last knew; -1: we do not */
    int64_t calls_due; /* our own that have not been made */
    bool is_well;      /* since the last failure it has done all that it was asked */
    unsigned refusals;
    struct batch *batch; /* not acknowledged; sent again after every failure */
    uint64_t jitter;
    unsigned events;
};

static struct redis *redis_of(const struct store *store)
{
    return (struct redis *)(uintptr_t)store;
}

/* ---- failing ---- */

/* Whatever failed: the connection is given up, and the batch stays. */
static void go_away(struct redis *redis, int64_t mono_ms, const char *why)
{
    redis->jitter = redis->jitter * UINT64_C(6364136223846793005) + 1;
    redis->state = AWAY;
    redis->deadline_ms = mono_ms + redis->back_off_ms +
                         (int64_t)((redis->jitter >> 33) % (uint64_t)redis->back_off_ms);
    redis->back_off_ms =
        redis->back_off_ms * 2 < BACK_OFF_MAX_MS ? redis->back_off_ms * 2 : BACK_OFF_MAX_MS;
    if (redis->is_well)
        log_warn("redis", "state=away why=\"%s\"", why);
    else
        log_limited(LOG_WARN, "redis", "state=away why=\"%s\"", why);
    redis->is_well = false;
    if (redis->context != NULL)
        redisFree(redis->context); /* why may lie in it */
    redis->context = NULL;
}

/* An error reply that means that nothing was done. */
static int refuse(struct redis *redis, int64_t mono_ms, const char *text, struct err *err)
{
    const struct redis_error *row = redis_error_find(text);
    int len = redis_error_len(text);
    redis->refusals += row->reaction == NEEDS_PERSON;
    if (row->reaction == NEEDS_PERSON_NOW || redis->refusals >= REFUSALS_MAX)
        return err_set(err, ERR_FATAL, "Redis says '%.*s': %s", len, text, row->advice);
    char why[320];
    (void)snprintf(why, sizeof why, "%.*s: %s", len, text, row->advice);
    go_away(redis, mono_ms, why);
    return 0;
}

/* ---- asking ---- */

static void ask(struct redis *redis, enum exchange exchange, size_t due, int64_t mono_ms)
{
    redis->state = ASKING;
    redis->exchange = exchange;
    redis->due = due;
    redis->seen = 0;
    redis->deadline_ms = mono_ms + ANSWER_MS;
}

static void say(struct redis *redis, const struct buf *bytes)
{
    (void)redisAppendFormattedCommand(redis->context, bytes->ptr, bytes->len);
}

static size_t add_words(struct buf *bytes, const char *const *words, size_t count)
{
    resp_command(bytes, words, count);
    return 1;
}

#define WORDS(...)                                                                                 \
    (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)

static void greet(struct redis *redis, int64_t mono_ms)
{
    struct buf bytes = {NULL, 0, 0};
    size_t due = 0;
    const struct redis_url *url = &redis->url;
    if (url->password != NULL && url->user != NULL)
        due += add_words(&bytes, WORDS("AUTH", url->user, url->password));
    else if (url->password != NULL)
        due += add_words(&bytes, WORDS("AUTH", url->password));
    if (url->db != 0) {
        char db[16];
        (void)snprintf(db, sizeof db, "%d", url->db);
        due += add_words(&bytes, WORDS("SELECT", db));
    }
    if (!redis->alive.is_announced) {
        char count[NUM_TEXT_MAX];
        count[num_format_int64(alive_announce(&redis->alive, mono_ms), count)] = '\0';
        due += add_words(&bytes, WORDS("SET", redis->alive_key, count, "EX", ALIVE_TTL_S));
    }
    due += add_words(&bytes, WORDS("GET", redis->alive_key));
    say(redis, &bytes);
    buf_fini(&bytes);
    ask(redis, GREETING, due, mono_ms);
}

static void check_alive(struct redis *redis, int64_t mono_ms)
{
    char more[NUM_TEXT_MAX];
    more[num_format_int64(alive_look(&redis->alive, mono_ms), more)] = '\0';
    struct buf bytes = {NULL, 0, 0};
    size_t due = add_words(&bytes, WORDS("EXPIRE", redis->alive_key, ALIVE_TTL_S));
    if (redis->calls_due > 0)
        due += add_words(&bytes, WORDS("INCR", redis->again));
    due += add_words(&bytes, WORDS("EXPIRE", redis->again, ALIVE_TTL_S));
    due += add_words(&bytes, WORDS("GET", redis->again));
    due += add_words(&bytes, WORDS("INCRBY", redis->alive_key, more));
    say(redis, &bytes);
    buf_fini(&bytes);
    ask(redis, CHECK_ALIVE, due, mono_ms);
}

static void say_batch(struct redis *redis, int64_t mono_ms)
{
    struct buf tail = {NULL, 0, 0};
    (void)add_words(&tail, WORDS("INCR", redis->alive_key));
    (void)add_words(&tail, WORDS("EXEC"));
    say(redis, &redis->batch->bytes);
    say(redis, &tail);
    buf_fini(&tail);
    ask(redis, BATCH, redis->batch->command_count + 3u, mono_ms);
}

/* Nothing is due: what is there to be said next? */
static void go_on(struct redis *redis, int64_t mono_ms)
{
    if (!redis->alive.is_announced) {
        greet(redis, mono_ms);
    } else if (redis->batch != NULL) {
        batch_trim(redis->batch);
        say_batch(redis, mono_ms);
    } else {
        redis->state = READY;
        redis->refusals = 0;
        redis->back_off_ms = BACK_OFF_MIN_MS;
        if (!redis->is_well)
            log_info("redis", "state=ready count=%lld", (long long)redis->alive.count);
        redis->is_well = true;
    }
}

/* ---- answers ---- */

/* Writes that were acknowledged are gone, or one that was given up has landed. */
static void lose(struct redis *redis, const char *how)
{
    log_warn("redis", "state=lost how=\"%s\" then=\"everything is written again\"", how);
    redis->events |= STORE_LOST;
}

/* found: what the alive key held before this exchange. */
static void compare_count(struct redis *redis, int64_t found)
{
    enum alive_verdict verdict = alive_compare(&redis->alive, found, redis->batch != NULL);
    if (verdict == ALIVE_AS_EXPECTED)
        return;
    lose(redis, alive_texts[verdict]);
    if (verdict == ALIVE_OLDER)
        redis->events |= STORE_OLDER;
}

/* Has somebody else called out? */
static void compare_calls(struct redis *redis, const redisReply *reply)
{
    int64_t calls = reply->type == REDIS_REPLY_STRING ? strtoll(reply->str, NULL, 10) : 0;
    if (redis->calls >= 0 && calls > redis->calls + redis->calls_due)
        lose(redis, "a worker that was out of the group may have written");
    redis->calls = calls;
    redis->calls_due = 0;
}

static int answer_count(struct redis *redis, const redisReply *reply, int64_t mono_ms,
                        struct err *err)
{
    if (reply->type == REDIS_REPLY_ERROR)
        return refuse(redis, mono_ms, reply->str, err);
    if (redis->exchange == CHECK_ALIVE && redis->seen == redis->due - 1)
        compare_calls(redis, reply);
    if (redis->seen < redis->due)
        return 0;
    if (redis->exchange == GREETING) {
        compare_count(redis,
                      reply->type == REDIS_REPLY_STRING ? strtoll(reply->str, NULL, 10) : -1);
    } else {
        compare_count(redis, reply->integer - redis->alive.more);
        alive_raise(&redis->alive, redis->alive.more);
    }
    redis->check_at_ms = redis->calls < 0 ? mono_ms : mono_ms + ALIVE_CHECK_MS;
    go_on(redis, mono_ms);
    return 0;
}

/* The transaction was carried out; single commands in it may have been refused. */
static void take_exec(struct redis *redis, const redisReply *exec, int64_t mono_ms)
{
    struct batch *batch = redis->batch;
    for (size_t i = 0; i < exec->elements; i++) {
        if (exec->element[i]->type != REDIS_REPLY_ERROR)
            continue;
        log_limited(LOG_WARN, "refused", "why=\"%.*s\" then=\"set aside, tried again in 30 s\"",
                    redis_error_len(exec->element[i]->str), exec->element[i]->str);
        batch_refuse(batch, i);
        size_t pttl = 0;
        if (batch_find_pttl(batch, i, &pttl))
            batch_undo(batch, i, exec->element[pttl]->integer);
    }
    redis->batch = NULL;
    compare_count(redis, exec->element[exec->elements - 1]->integer - 1);
    alive_raise(&redis->alive, 1);
    redis->events |= STORE_WRITTEN;
    go_on(redis, mono_ms);
}

static int answer_batch(struct redis *redis, const redisReply *reply, int64_t mono_ms,
                        struct err *err)
{
    /* The first refusal says what is wrong; EXEC's own would only be EXECABORT. */
    if (reply->type == REDIS_REPLY_ERROR)
        return refuse(redis, mono_ms, reply->str, err);
    if (redis->seen < redis->due)
        return 0;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != redis->batch->command_count + 1)
        go_away(redis, mono_ms, "EXEC was answered by something else");
    else
        take_exec(redis, reply, mono_ms);
    return 0;
}

typedef int answer_fn(struct redis *redis, const redisReply *reply, int64_t mono_ms,
                      struct err *err);

static answer_fn *const answers[] = {
    [GREETING] = answer_count,
    [CHECK_ALIVE] = answer_count,
    [BATCH] = answer_batch,
};

/* ---- moving on ---- */

static void connect_now(struct redis *redis, int64_t mono_ms)
{
    const struct redis_url *url = &redis->url;
    redis->context = url->socket != NULL ? redisConnectUnixNonBlock(url->socket)
                                         : redisConnectNonBlock(url->host, url->port);
    if (redis->context == NULL || redis->context->err != 0) {
        go_away(redis, mono_ms, redis->context == NULL ? "out of memory" : redis->context->errstr);
        return;
    }
    redis->state = CONNECTING;
    redis->deadline_ms = mono_ms + ANSWER_MS;
}

static void finish_connecting(struct redis *redis, int64_t mono_ms)
{
    int fd = redis->context->fd;
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    if (poll(&ready, 1, 0) <= 0)
        return;
    int error = 0;
    socklen_t len = sizeof error;
    (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error != 0) {
        go_away(redis, mono_ms, strerror(error));
        return;
    }
    if (redis->url.host != NULL)
        (void)fd;
    greet(redis, mono_ms);
}

static int read_answers(struct redis *redis, int64_t mono_ms, struct err *err)
{
    int is_written = 0;
    if (redisBufferWrite(redis->context, &is_written) != REDIS_OK ||
        redisBufferRead(redis->context) != REDIS_OK) {
        go_away(redis, mono_ms, redis->context->errstr);
        return 0;
    }
    while (redis->state == ASKING && redis->seen < redis->due) {
        void *reply = NULL;
        if (redisGetReplyFromReader(redis->context, &reply) != REDIS_OK) {
            go_away(redis, mono_ms, redis->context->errstr);
            return 0;
        }
        if (reply == NULL)
            return 0;
        redis->seen++;
        int rc = answers[redis->exchange](redis, reply, mono_ms, err);
        freeReplyObject(reply);
        if (rc < 0)
            return rc;
        /* What the answer has made us ask is written at once. */
        if (redis->state == ASKING && redis->seen == 0)
            (void)redisBufferWrite(redis->context, &is_written);
    }
    return 0;
}

static int redis_pump(struct store *store, int64_t mono_ms, unsigned *ret_events, struct err *err)
{
    struct redis *redis = redis_of(store);
    int rc = 0;
    if (redis->state == AWAY && mono_ms >= redis->deadline_ms)
        connect_now(redis, mono_ms);
    if (redis->state == CONNECTING)
        finish_connecting(redis, mono_ms);
    if (redis->state == ASKING)
        rc = read_answers(redis, mono_ms, err);
    if (redis->state == READY && mono_ms >= redis->check_at_ms) { /* between batches too */
        check_alive(redis, mono_ms);
        rc = read_answers(redis, mono_ms, err);
    }
    if (redis->state != AWAY && redis->state != READY && mono_ms >= redis->deadline_ms)
        go_away(redis, mono_ms, "no answer in 5 s");
    *ret_events = redis->events;
    redis->events = 0;
    return rc;
}

static bool redis_is_ready(const struct store *store)
{
    const struct redis *redis = redis_of(store);
    return redis->state == READY && redis->batch == NULL;
}

static bool redis_is_away(const struct store *store)
{
    return !redis_of(store)->is_well;
}

static void redis_send(struct store *store, struct batch *batch, int64_t mono_ms)
{
    struct redis *redis = redis_of(store);
    CHECK(redis_is_ready(store));
    redis->batch = batch;
    say_batch(redis, mono_ms);
    int is_written = 0;
    if (redisBufferWrite(redis->context, &is_written) != REDIS_OK)
        go_away(redis, mono_ms, redis->context->errstr);
}

static int64_t redis_older_ms(const struct store *store)
{
    return redis_of(store)->alive.older_ms;
}

static void redis_call_out(struct store *store)
{
    struct redis *redis = redis_of(store);
    redis->calls_due = 1;
    redis->check_at_ms = 0;
}

static void redis_wait(struct store *store, int64_t wait_ms)
{
    const struct redis *redis = redis_of(store);
    bool is_asking = redis->state == ASKING || redis->state == CONNECTING;
    struct pollfd ready = {.fd = -1, .events = POLLIN};
    if (is_asking)
        ready.fd = redis->context->fd;
    if (redis->state == CONNECTING)
        ready.events = POLLOUT;
    (void)poll(&ready, 1, (int)wait_ms);
}

static void redis_close(struct store *store)
{
    struct redis *redis = redis_of(store);
    if (redis->context != NULL)
        redisFree(redis->context);
    redis_url_fini(&redis->url);
    free(redis->alive_key);
    free(redis->again);
    free(redis);
}

static const struct store_ops redis_ops = {
    .pump = redis_pump,
    .is_ready = redis_is_ready,
    .is_away = redis_is_away,
    .send = redis_send,
    .call_out = redis_call_out,
    .older_ms = redis_older_ms,
    .wait = redis_wait,
    .close = redis_close,
};

int redis_store_open(const char *url, const char *group_id, struct store **ret, struct err *err)
{
    struct redis_url parsed;
    int rc = redis_url_login(url, &parsed, err);
    if (rc < 0)
        return rc;
    struct redis *redis = mem_zalloc(sizeof *redis);
    uint64_t nonce[2] = {0, 0};
    (void)getrandom(nonce, sizeof nonce, 0);
    *redis = (struct redis){.url = parsed,
                            .alive = {.born_ms = -1},
                            .calls = -1,

                            .back_off_ms = BACK_OFF_MIN_MS,
                            .jitter = nonce[0]};
    struct buf key = {NULL, 0, 0};
    buf_printf(&key, "{tw:%s}:alive:%016llx%016llx", group_id, (unsigned long long)nonce[0],
               (unsigned long long)nonce[1]);
    redis->alive_key = mem_strdup(buf_text(&key));
    buf_reset(&key);
    buf_printf(&key, "{tw:%s}:again", group_id);
    redis->again = mem_strdup(buf_text(&key));
    buf_fini(&key);
    redis->store = (struct store){&redis_ops};
    *ret = &redis->store;
    return 0;
}
