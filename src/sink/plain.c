#include "tidewheel/store.h"

#include <stdlib.h>

#include "sink/alive.h"
#include "sink/link.h"
#include "sink/redis_errors.h"
#include "sink/refused.h"
#include "tidewheel/log.h"
#include "tidewheel/mem.h"
#include "tidewheel/num.h"

#define ALIVE_TTL_S "86400"

/* With AWAY and READY nothing is due. */
/* A call adds a number that nobody else draws: over a Redis that has come back empty, the sum of other
 * calls must not be what it was before. */
enum { CALL_SHIFT = 24 };

enum doing { AWAY, READY, ANNOUNCING, CHECKING, WRITING };

struct plain {
    struct store store;
    struct link link;
    char *alive_key;
    char *again; /* the key of the group's call-outs */
    enum doing doing;
    int64_t check_at_ms;
    struct alive alive;
    int64_t calls;      /* what the key of call-outs held when we last knew; -1: we do not */
    int64_t calls_due;  /* what our own call adds to it, until it has been made; 0: none is due */
    int64_t calls_said; /* what the check under way adds */
    uint64_t (*random)(void *arg);
    void *random_arg;
    struct batch *batch; /* not acknowledged; sent again after every failure */
    struct board *board;
    unsigned events;
};

static struct plain *plain_of(const struct store *store)
{
    return (struct plain *)(uintptr_t)store;
}

/* ---- asking ---- */

static void ask(struct plain *plain, enum doing doing, const struct buf *bytes, size_t due,
                int64_t mono_ms)
{
    plain->doing = doing;
    link_say(&plain->link, bytes, due, mono_ms);
}

static size_t add_words(struct buf *bytes, const char *const *words, size_t count)
{
    resp_command(bytes, words, count);
    return 1;
}

#define WORDS(...)                                                                                 \
    (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)

static void announce(struct plain *plain, int64_t mono_ms)
{
    struct buf bytes = {NULL, 0, 0};
    size_t due = 0;
    if (!plain->alive.is_announced) {
        char count[NUM_TEXT_MAX];
        count[num_format_int64(alive_announce(&plain->alive, mono_ms), count)] = '\0';
        due += add_words(&bytes, WORDS("SET", plain->alive_key, count, "EX", ALIVE_TTL_S));
    }
    due += add_words(&bytes, WORDS("GET", plain->alive_key));
    ask(plain, ANNOUNCING, &bytes, due, mono_ms);
    buf_fini(&bytes);
}

static void check_alive(struct plain *plain, int64_t mono_ms)
{
    char more[NUM_TEXT_MAX];
    more[num_format_int64(alive_look(&plain->alive, mono_ms), more)] = '\0';
    struct buf bytes = {NULL, 0, 0};
    size_t due = add_words(&bytes, WORDS("EXPIRE", plain->alive_key, ALIVE_TTL_S));
    char call[NUM_TEXT_MAX];
    call[num_format_int64(plain->calls_due, call)] = '\0';
    plain->calls_said = plain->calls_due;
    if (plain->calls_said > 0)
        due += add_words(&bytes, WORDS("INCRBY", plain->again, call));
    due += add_words(&bytes, WORDS("EXPIRE", plain->again, ALIVE_TTL_S));
    due += add_words(&bytes, WORDS("GET", plain->again));
    due += add_words(&bytes, WORDS("INCRBY", plain->alive_key, more));
    ask(plain, CHECKING, &bytes, due, mono_ms);
    buf_fini(&bytes);
}

static void say_batch(struct plain *plain, int64_t mono_ms)
{
    struct buf tail = {NULL, 0, 0};
    (void)add_words(&tail, WORDS("INCR", plain->alive_key));
    (void)add_words(&tail, WORDS("EXEC"));
    ask(plain, WRITING, &plain->batch->bytes, plain->batch->command_count + 1u, mono_ms);
    if (plain->link.state == LINK_UP)
        link_say(&plain->link, &tail, 2, mono_ms);
    buf_fini(&tail);
}

static void become_ready(struct plain *plain)
{
    plain->doing = READY;
    link_is_fine(&plain->link);
}

/* A batch of which nothing is left needs no answer. */
static void write_again(struct plain *plain, int64_t mono_ms)
{
    batch_trim(plain->batch);
    if (plain->batch->item_count > 0) {
        board_count(plain->board, BOARD_RETRIES);
        say_batch(plain, mono_ms);
        return;
    }
    plain->batch = NULL;
    plain->events |= STORE_WRITTEN;
    become_ready(plain);
}

/* Nothing is due: what is there to be said next? */
static void go_on(struct plain *plain, int64_t mono_ms)
{
    if (!plain->alive.is_announced)
        announce(plain, mono_ms);
    else if (plain->batch != NULL)
        write_again(plain, mono_ms);
    else
        become_ready(plain);
}

/* ---- answers ---- */

/* Writes that were acknowledged are gone, or one that was given up has landed. */
static void lose(struct plain *plain, const char *how)
{
    log_warn("redis", "state=lost how=\"%s\" then=\"everything is written again\"", how);
    plain->events |= STORE_LOST;
}

/* found: what the alive key held before this exchange. */
static void compare_count(struct plain *plain, int64_t found)
{
    enum alive_verdict verdict = alive_compare(&plain->alive, found, plain->batch != NULL);
    if (verdict == ALIVE_AS_EXPECTED)
        return;
    lose(plain, alive_texts[verdict]);
    if (verdict == ALIVE_OLDER)
        plain->events |= STORE_OLDER;
}

/* Has somebody else called out? */
static void compare_calls(struct plain *plain, const redisReply *reply)
{
    int64_t calls = reply->type == REDIS_REPLY_STRING ? strtoll(reply->str, NULL, 10) : 0;
    if (plain->calls >= 0 && calls != plain->calls + plain->calls_said)
        lose(plain, "a worker that was out of the group may have written");
    plain->calls = calls;
    if (plain->calls_due == plain->calls_said) /* else one became due since the check was sent */
        plain->calls_due = 0;
}

static int answer_count(struct plain *plain, const redisReply *reply, int64_t mono_ms,
                        struct err *err)
{
    if (reply->type == REDIS_REPLY_ERROR)
        return link_refuse(&plain->link, mono_ms, reply->str, err);
    if (plain->doing == CHECKING && plain->link.due == 1)
        compare_calls(plain, reply);
    if (plain->link.due > 0)
        return 0;
    if (plain->doing == ANNOUNCING) {
        compare_count(plain,
                      reply->type == REDIS_REPLY_STRING ? strtoll(reply->str, NULL, 10) : -1);
    } else {
        compare_count(plain, reply->integer - plain->alive.more);
        alive_raise(&plain->alive, plain->alive.more);
    }
    plain->check_at_ms = plain->calls < 0 ? mono_ms : mono_ms + ALIVE_CHECK_MS;
    go_on(plain, mono_ms);
    return 0;
}

/* The transaction was carried out; single commands in it may have been refused. */
static void take_exec(struct plain *plain, const redisReply *exec, int64_t mono_ms)
{
    refused_note(plain->batch, exec);
    plain->batch = NULL;
    compare_count(plain, exec->element[exec->elements - 1]->integer - 1);
    alive_raise(&plain->alive, 1);
    plain->events |= STORE_WRITTEN;
    go_on(plain, mono_ms);
}

static int answer_batch(struct plain *plain, const redisReply *reply, int64_t mono_ms,
                        struct err *err)
{
    /* The first refusal says what is wrong; EXEC's own would only be EXECABORT. */
    if (reply->type == REDIS_REPLY_ERROR)
        return link_refuse(&plain->link, mono_ms, reply->str, err);
    if (plain->link.due > 0)
        return 0;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != plain->batch->command_count + 1)
        link_fail(&plain->link, mono_ms, "EXEC was answered by something else");
    else
        take_exec(plain, reply, mono_ms);
    return 0;
}

typedef int answer_fn(struct plain *plain, const redisReply *reply, int64_t mono_ms,
                      struct err *err);

static answer_fn *const answers[] = {
    [ANNOUNCING] = answer_count,
    [CHECKING] = answer_count,
    [WRITING] = answer_batch,
};

/* ---- moving on ---- */

static int read_answers(struct plain *plain, int64_t mono_ms, struct err *err)
{
    redisReply *reply = NULL;
    int rc = 0;
    while (rc == 0 && (reply = link_next(&plain->link, mono_ms)) != NULL) {
        rc = answers[plain->doing](plain, reply, mono_ms, err);
        freeReplyObject(reply);
    }
    return rc;
}

/* The connection that we spoke over is gone. */
static void note_loss(struct plain *plain)
{
    if (plain->doing == AWAY || plain->link.state == LINK_UP)
        return;
    plain->doing = AWAY;
    plain->events |= STORE_BROKE;
}

static int plain_pump(struct store *store, int64_t mono_ms, unsigned *ret_events, struct err *err)
{
    struct plain *plain = plain_of(store);
    bool is_up = false;
    note_loss(plain); /* while something was said; the pump may make it anew at once */
    int rc = link_pump(&plain->link, mono_ms, &is_up, err);
    note_loss(plain);
    if (is_up)
        announce(plain, mono_ms);
    if (rc == 0)
        rc = read_answers(plain, mono_ms, err);
    if (rc == 0 && plain->doing == READY && mono_ms >= plain->check_at_ms) /* between batches too */
        check_alive(plain, mono_ms);
    *ret_events = plain->events;
    plain->events = 0;
    return rc;
}

static bool plain_is_ready(const struct store *store)
{
    const struct plain *plain = plain_of(store);
    return plain->doing == READY && plain->batch == NULL;
}

static bool plain_is_away(const struct store *store)
{
    return !plain_of(store)->link.is_well;
}

static void plain_send(struct store *store, struct batch *batch, int64_t mono_ms)
{
    struct plain *plain = plain_of(store);
    CHECK(plain_is_ready(store));
    plain->batch = batch;
    say_batch(plain, mono_ms);
}

static void plain_call_out(struct store *store)
{
    struct plain *plain = plain_of(store);
    plain->calls_due = 1 + (int64_t)(plain->random(plain->random_arg) >> CALL_SHIFT);
    plain->check_at_ms = 0;
}

static int64_t plain_older_ms(const struct store *store)
{
    return plain_of(store)->alive.older_ms;
}

static void plain_wait(struct store *store, int64_t wait_ms)
{
    link_wait(&plain_of(store)->link, wait_ms);
}

static void plain_close(struct store *store)
{
    struct plain *plain = plain_of(store);
    link_fini(&plain->link);
    free(plain->alive_key);
    free(plain->again);
    free(plain);
}

static const struct store_ops plain_ops = {
    .pump = plain_pump,
    .is_ready = plain_is_ready,
    .is_away = plain_is_away,
    .send = plain_send,
    .call_out = plain_call_out,
    .older_ms = plain_older_ms,
    .wait = plain_wait,
    .close = plain_close,
};

static char *make_key(const char *group_id, const char *rest)
{
    struct buf key = {NULL, 0, 0};
    buf_printf(&key, "{tw:%s}:%s", group_id, rest);
    char *ret = mem_strdup(buf_text(&key));
    buf_fini(&key);
    return ret;
}

struct store *plain_store_new(const struct store_setup *setup)
{
    struct plain *plain = mem_alloc(sizeof *plain);
    uint64_t nonce[2];
    for (size_t i = 0; i < 2; i++)
        nonce[i] = setup->random(setup->random_arg);
    char alive[64];
    (void)snprintf(alive, sizeof alive, "alive:%016llx%016llx", (unsigned long long)nonce[0],
                   (unsigned long long)nonce[1]);
    *plain = (struct plain){
        .store = {&plain_ops},
        .alive_key = make_key(setup->group_id, alive),
        .again = make_key(setup->group_id, "again"),
        .alive = {.born_ms = -1},
        .calls = -1,
        .random = setup->random,
        .random_arg = setup->random_arg,
        .board = setup->board,
    };
    link_init(&plain->link, setup->wire, setup->url, "redis", nonce[0]);
    plain->link.allows_eviction = setup->allows_eviction;
    return &plain->store;
}
