#include "sim_redis.h"

#include <stdlib.h>

#include "sim_time.h"
#include "tidewheel/mem.h"

enum { WORDS_MAX = 4096 };

static struct slice words[WORDS_MAX];

void sim_redis_init(struct sim_redis *redis, struct rng *rng)
{
    *redis = (struct sim_redis){.rng = rng, .primary = db_new()};
    for (int i = 0; i < COPIES; i++)
        redis->copies[i].db = db_new();
}

static void unwatch(struct session *session)
{
    for (size_t i = 0; i < session->watched_count; i++)
        free(session->watched[i].ptr);
    session->watched_count = 0;
    session->is_dirty = false;
}

static void session_free(struct session *session)
{
    unwatch(session);
    free(session->watched);
    buf_fini(&session->in);
    buf_fini(&session->out);
    buf_fini(&session->queue);
    free(session);
}

void sim_redis_fini(struct sim_redis *redis)
{
    while (redis->sessions != NULL) {
        struct session *session = redis->sessions;
        redis->sessions = session->next;
        session_free(session);
    }
    db_free(redis->primary);
    for (int i = 0; i < COPIES; i++)
        db_free(redis->copies[i].db);
    buf_fini(&redis->log);
    buf_fini(&redis->touched);
    buf_fini(&redis->scratch);
    free(redis->groups);
}

/* ---- writes ---- */

static void dirty_watchers(struct sim_redis *redis, struct slice key)
{
    for (struct session *session = redis->sessions; session != NULL; session = session->next)
        for (size_t i = 0; i < session->watched_count && !session->is_dirty; i++)
            session->is_dirty = slice_is_equal(text_slice(&session->watched[i]), key);
}

/* The key at *at of those that the group has touched, and the next one's place. */
static struct slice touched_at(const struct sim_redis *redis, size_t *at)
{
    struct slice key;
    memcpy(&key.len, redis->touched.ptr + *at, sizeof key.len);
    key.ptr = redis->touched.ptr + *at + sizeof key.len;
    *at += sizeof key.len + key.len;
    return key;
}

static void on_touched(void *arg, struct slice key)
{
    struct sim_redis *redis = arg;
    dirty_watchers(redis, key);
    for (size_t at = 0; at < redis->touched.len;)
        if (slice_is_equal(touched_at(redis, &at), key))
            return;
    buf_add(&redis->touched, (const char *)&key.len, sizeof key.len);
    buf_add(&redis->touched, key.ptr, key.len);
}

static void run_command(struct sim_redis *redis, struct slice bytes, size_t count,
                        struct buf *reply)
{
    struct call call = {
        .db = redis->primary,
        .words = words,
        .count = count,
        .wall_ms = sim_wall_ms,
        .reply = reply,
        .rng = redis->rng,
        .touched = on_touched,
        .arg = redis,
    };
    command_find(words[0])->run(&call);
    if (call.has_changed)
        buf_add(&redis->log, bytes.ptr, bytes.len);
}

/* What has been logged since the last group is one. */
static void end_group(struct sim_redis *redis)
{
    size_t begin = redis->group_count > 0 ? redis->groups[redis->group_count - 1].end : 0;
    if (redis->log.len > begin) {
        redis->groups =
            mem_grow(redis->groups, redis->group_count, &redis->group_cap, sizeof *redis->groups);
        redis->groups[redis->group_count++] =
            (struct write_group){sim_wall_ms, begin, redis->log.len};
    }
    for (size_t at = 0; at < redis->touched.len;) {
        struct slice key = touched_at(redis, &at);
        if (redis->written != NULL)
            redis->written(redis->arg, key);
    }
    buf_reset(&redis->touched);
}

/* ---- transactions ---- */

static void run_multi(struct sim_redis *redis, struct session *session)
{
    (void)redis;
    buf_add_text(&session->out,
                 session->is_multi ? "-ERR MULTI calls can not be nested\r\n" : "+OK\r\n");
    session->is_multi = true;
}

static void end_multi(struct session *session)
{
    session->is_multi = session->is_aborted = false;
    session->queued = 0;
    buf_reset(&session->queue);
    unwatch(session);
}

static void run_queue(struct sim_redis *redis, struct session *session)
{
    size_t at = 0;
    reply_array(&session->out, session->queued);
    for (size_t i = 0; i < session->queued; i++) {
        struct slice rest = {session->queue.ptr + at, session->queue.len - at};
        size_t count = 0;
        size_t len = command_parse(rest, words, WORDS_MAX, &count);
        run_command(redis, (struct slice){rest.ptr, len}, count, &session->out);
        at += len;
    }
    end_group(redis);
}

static void run_exec(struct sim_redis *redis, struct session *session)
{
    redis->execs += session->is_multi;
    if (!session->is_multi) {
        buf_add_text(&session->out, "-ERR EXEC without MULTI\r\n");
        return;
    }
    if (session->is_aborted) {
        buf_add_text(&session->out,
                     "-EXECABORT Transaction discarded because of previous errors.\r\n");
    } else if (session->is_dirty) {
        redis->execs_denied++;
        buf_add_text(&session->out, "*-1\r\n");
    } else {
        unwatch(session);
        run_queue(redis, session);
    }
    end_multi(session);
}

static void run_discard(struct sim_redis *redis, struct session *session)
{
    (void)redis;
    buf_add_text(&session->out, session->is_multi ? "+OK\r\n" : "-ERR DISCARD without MULTI\r\n");
    if (session->is_multi)
        end_multi(session);
}

static void run_unwatch(struct sim_redis *redis, struct session *session)
{
    (void)redis;
    unwatch(session);
    buf_add_text(&session->out, "+OK\r\n");
}

struct session_command {
    const char *name;
    void (*run)(struct sim_redis *redis, struct session *session);
};

static const struct session_command session_commands[] = {
    {"MULTI", run_multi},
    {"EXEC", run_exec},
    {"DISCARD", run_discard},
    {"UNWATCH", run_unwatch},
};

static void run_watch(struct session *session, size_t count)
{
    if (session->is_multi) {
        buf_add_text(&session->out, "-ERR WATCH inside MULTI is not allowed\r\n");
        return;
    }
    for (size_t i = 1; i < count; i++) {
        session->watched = mem_grow(session->watched, session->watched_count, &session->watched_cap,
                                    sizeof *session->watched);
        struct text *text = &session->watched[session->watched_count++];
        *text = (struct text){NULL, 0};
        text_set(text, words[i]);
    }
    buf_add_text(&session->out, "+OK\r\n");
}

/* ---- sessions ---- */

static bool is_write(struct slice name)
{
    static const char *const writes[] = {"HSET", "SET", "HINCRBY", "INCR", "INCRBY"};
    for (size_t i = 0; i < sizeof writes / sizeof *writes; i++)
        if (slice_is_equal(name, slice_of(writes[i])))
            return true;
    return false;
}

/* Why Redis says no to a command before it is looked at; NULL: it does not. */
static const char *refusal(const struct sim_redis *redis, const struct command *command,
                           size_t count)
{
    if (command == NULL)
        return "-ERR unknown command\r\n";
    if (count < command->words_min || count > command->words_max)
        return "-ERR wrong number of arguments\r\n";
    if (sim_mono_ms < redis->loading_until_ms)
        return "-LOADING Redis is loading the dataset in memory\r\n";
    if (sim_mono_ms < redis->full_until_ms && is_write(words[0]))
        return "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
    return NULL;
}

static void take_command(struct sim_redis *redis, struct session *session, struct slice bytes,
                         size_t count)
{
    const struct command *command = command_find(words[0]);
    const char *why = refusal(redis, command, count);
    if (why != NULL) {
        buf_add_text(&session->out, why);
        session->is_aborted = session->is_multi;
    } else if (session->is_multi) {
        buf_add(&session->queue, bytes.ptr, bytes.len);
        session->queued++;
        buf_add_text(&session->out, "+QUEUED\r\n");
    } else {
        run_command(redis, bytes, count, &session->out);
        end_group(redis);
    }
}

static void dispatch(struct sim_redis *redis, struct session *session, struct slice bytes,
                     size_t count)
{
    for (size_t i = 0; i < sizeof session_commands / sizeof *session_commands; i++) {
        if (!slice_is_equal(words[0], slice_of(session_commands[i].name)))
            continue;
        session_commands[i].run(redis, session);
        return;
    }
    if (slice_is_equal(words[0], slice_of("WATCH")))
        run_watch(session, count);
    else
        take_command(redis, session, bytes, count);
}

void session_run(struct sim_redis *redis, struct session *session)
{
    size_t at = 0;
    redis->writer = session->owner;
    for (;;) {
        struct slice rest = {session->in.ptr + at, session->in.len - at};
        size_t count = 0;
        size_t len = command_parse(rest, words, WORDS_MAX, &count);
        if (len == 0)
            break;
        dispatch(redis, session, (struct slice){rest.ptr, len}, count);
        at += len;
    }
    if (at > 0)
        memmove(session->in.ptr, session->in.ptr + at, session->in.len - at);
    session->in.len -= at;
}

/* The client finds out at its next word; what it has sent already lies in some buffer. */
void session_break(struct sim_redis *redis, struct session *session)
{
    session->is_broken = true;
    session->in_at_ms = sim_mono_ms + rng_between(redis->rng, 0, 8000);
    if (!rng_one_in(redis->rng, 3))
        session_run(redis, session); /* only the answer is lost */
    session->is_doomed = redis->is_prompt || rng_one_in(redis->rng, 2);
}

void sim_redis_tick(struct sim_redis *redis)
{
    for (struct session **at = &redis->sessions; *at != NULL;) {
        struct session *session = *at;
        if (!session->is_doomed && session->in.len > 0 && sim_mono_ms >= session->in_at_ms)
            session_run(redis, session);
        if (!session->is_left ||
            (session->in.len > 0 && !session->is_doomed && sim_mono_ms < session->in_at_ms)) {
            at = &session->next;
            continue;
        }
        *at = session->next;
        session_free(session);
    }
}

/* ---- copies ---- */

void sim_redis_replicate(struct sim_redis *redis, enum copy_kind kind, size_t groups)
{
    struct copy *copy = &redis->copies[kind];
    for (; groups > 0 && copy->applied < redis->group_count; groups--, copy->applied++) {
        const struct write_group *group = &redis->groups[copy->applied];
        for (size_t at = group->begin; at < group->end;) {
            size_t count = 0;
            at += command_parse((struct slice){redis->log.ptr + at, group->end - at}, words,
                                WORDS_MAX, &count);
            buf_reset(&redis->scratch);
            struct call call = {
                .db = copy->db,
                .words = words,
                .count = count,
                .wall_ms = group->wall_ms,
                .reply = &redis->scratch,
            };
            command_find(words[0])->run(&call);
        }
    }
}

static void break_all(struct sim_redis *redis)
{
    for (struct session *session = redis->sessions; session != NULL; session = session->next)
        session->is_broken = session->is_doomed = true;
}

void sim_redis_fail_over(struct sim_redis *redis, enum copy_kind kind)
{
    break_all(redis);
    db_free(redis->primary);
    redis->primary = redis->copies[kind].db;
    redis->copies[kind].db = NULL;
    buf_reset(&redis->log);
    redis->group_count = 0;
    for (int i = 0; i < COPIES; i++) {
        if (redis->copies[i].db != NULL)
            db_free(redis->copies[i].db);
        redis->copies[i] = (struct copy){db_clone(redis->primary), 0};
    }
}

static void say_to_copies(struct sim_redis *redis)
{
    for (int i = 0; i < COPIES; i++)
        sim_redis_replicate(redis, (enum copy_kind)i, SIZE_MAX);
}

void sim_redis_flush(struct sim_redis *redis)
{
    for (struct session *session = redis->sessions; session != NULL; session = session->next)
        for (size_t i = 0; i < session->watched_count; i++)
            session->is_dirty =
                session->is_dirty ||
                db_find(redis->primary, text_slice(&session->watched[i]), sim_wall_ms) != NULL;
    say_to_copies(redis);
    db_clear(redis->primary);
    for (int i = 0; i < COPIES; i++)
        db_clear(redis->copies[i].db);
}

void sim_redis_delete(struct sim_redis *redis, struct slice key)
{
    dirty_watchers(redis, key);
    say_to_copies(redis);
    for (int i = 0; i < COPIES; i++)
        (void)db_remove(redis->copies[i].db, key, sim_wall_ms);
    (void)db_remove(redis->primary, key, sim_wall_ms); /* last: key may lie in it */
}
