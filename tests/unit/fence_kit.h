/* fence_kit: a redis-server of the test's own on a unix socket, and a wire that can be cut, held back
 * and made deaf.
 *
 *     store --> tap --> socket --> redis-server
 *                 \--> ghost: the connection before, given up with its bytes still under way
 */
#ifndef TIDEWHEEL_FENCE_KIT_H
#define TIDEWHEEL_FENCE_KIT_H

#include "unit.h"

#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tidewheel/clock.h"
#include "tidewheel/log.h"
#include "tidewheel/mem.h"
#include "tidewheel/store.h"

enum { KIT_WAIT_MS = 10000, KIT_STEP_MS = 2 };

/* ---- a server ---- */

struct server {
    char folder[64];
    char socket[96];
    char url[128];
    struct redis_url parsed;
    pid_t pid;
    redisContext *client;
};

static inline bool kit_has_server(void)
{
    bool is_there = system("command -v redis-server >/dev/null") == 0;
    if (!is_there)
        printf("skipped  (redis-server is not installed)\n");
    return is_there;
}

static inline void server_connect(struct server *server)
{
    int64_t deadline_ms = clock_mono_ms() + KIT_WAIT_MS;
    for (;;) {
        server->client = redisConnectUnix(server->socket);
        if (server->client->err == 0)
            return;
        redisFree(server->client);
        ck_assert_msg(clock_mono_ms() < deadline_ms, "redis-server does not start");
        (void)usleep(KIT_STEP_MS * 1000);
    }
}

/* It dies with the test, however that ends. */
static inline void server_start(struct server *server)
{
    server->pid = fork();
    if (server->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", server->socket,
                     "--save", "", "--dir", server->folder, "--loglevel", "warning", "--logfile",
                     "server.log", (char *)NULL);
        _exit(127);
    }
    server_connect(server);
}

static inline void server_kill(struct server *server)
{
    redisFree(server->client);
    (void)kill(server->pid, SIGKILL);
    (void)waitpid(server->pid, NULL, 0);
    (void)unlink(server->socket);
}

static inline void server_open(struct server *server)
{
    struct err err;
    log_open(getenv("TEST_LOG") != NULL ? LOG_DEBUG : LOG_ERROR, false);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)snprintf(server->folder, sizeof server->folder, "/tmp/tidewheel-redis-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(server->folder));
    (void)snprintf(server->socket, sizeof server->socket, "%s/socket", server->folder);
    (void)snprintf(server->url, sizeof server->url, "unix://%s", server->socket);
    ck_assert_int_eq(redis_url_parse(server->url, &server->parsed, &err), 0);
    server_start(server);
}

static inline void server_close(struct server *server)
{
    char path[128];
    server_kill(server);
    redis_url_fini(&server->parsed);
    (void)snprintf(path, sizeof path, "%s/server.log", server->folder);
    (void)unlink(path);
    (void)rmdir(server->folder);
}

/* What Redis answers, as text; of an array its length. */
static inline const char *server_ask(struct server *server, const char *command)
{
    static char text[256];
    redisReply *reply = redisCommand(server->client, command);
    ck_assert_msg(reply != NULL, "%s: %s", command, server->client->errstr);
    if (reply->type == REDIS_REPLY_INTEGER)
        (void)snprintf(text, sizeof text, "%lld", reply->integer);
    else if (reply->type == REDIS_REPLY_ARRAY)
        (void)snprintf(text, sizeof text, "%zu", reply->elements);
    else
        (void)snprintf(text, sizeof text, "%s",
                       reply->type == REDIS_REPLY_NIL ? "nil" : reply->str);
    freeReplyObject(reply);
    return text;
}

#define is_answer(server, command, text) ck_assert_str_eq(server_ask(server, command), text)

/* ---- a wire with faults ---- */

struct tap {
    struct wire wire;
    const struct redis_url *url;
    struct wire *socket;
    struct wire *ghost;  /* NULL: none */
    struct buf held;     /* what the ghost has yet to say */
    bool is_held;        /* what is sent now stays in held */
    bool is_deaf;        /* nothing is heard */
    const char *deaf_on; /* nor after these bytes were sent; NULL: none */
    bool is_cut;         /* the next to send or receive finds it broken */
    bool is_closed;      /* nor can it be opened */
    bool leaves_ghost;   /* hanging up leaves the connection open, for its bytes */
    size_t opened;
};

static inline struct tap *tap_of(struct wire *wire)
{
    return (struct tap *)wire;
}

static inline int tap_open(struct wire *wire, struct err *err)
{
    struct tap *tap = tap_of(wire);
    if (tap->is_closed)
        return err_set(err, ERR_RETRY, "closed by the test");
    tap->is_cut = false;
    tap->opened++;
    return tap->socket->ops->open(tap->socket, err);
}

static inline int tap_is_open(struct wire *wire, struct err *err)
{
    return tap_of(wire)->socket->ops->is_open(tap_of(wire)->socket, err);
}

static inline ssize_t tap_send(struct wire *wire, const char *ptr, size_t len, struct err *err)
{
    struct tap *tap = tap_of(wire);
    if (tap->is_cut)
        return err_set(err, ERR_RETRY, "cut by the test");
    if (tap->deaf_on != NULL && memmem(ptr, len, tap->deaf_on, strlen(tap->deaf_on)) != NULL)
        tap->is_deaf = true;
    if (!tap->is_held)
        return tap->socket->ops->send(tap->socket, ptr, len, err);
    buf_add(&tap->held, ptr, len);
    return (ssize_t)len;
}

static inline ssize_t tap_recv(struct wire *wire, char *ptr, size_t cap, struct err *err)
{
    struct tap *tap = tap_of(wire);
    if (tap->is_cut)
        return err_set(err, ERR_RETRY, "cut by the test");
    return tap->is_deaf ? 0 : tap->socket->ops->recv(tap->socket, ptr, cap, err);
}

static inline void tap_wait(struct wire *wire, bool for_sending, int64_t wait_ms)
{
    tap_of(wire)->socket->ops->wait(tap_of(wire)->socket, for_sending, wait_ms);
}

static inline void tap_hang_up(struct wire *wire)
{
    struct tap *tap = tap_of(wire);
    tap->is_held = false;
    if (!tap->leaves_ghost) {
        tap->socket->ops->hang_up(tap->socket);
        return;
    }
    tap->leaves_ghost = false;
    tap->ghost = tap->socket;
    tap->socket = wire_socket_new(tap->url);
}

static inline void tap_free(struct wire *wire)
{
    struct tap *tap = tap_of(wire);
    tap->socket->ops->free(tap->socket);
    if (tap->ghost != NULL)
        tap->ghost->ops->free(tap->ghost);
    buf_fini(&tap->held);
    free(tap);
}

static const struct wire_ops tap_ops = {
    .open = tap_open,
    .is_open = tap_is_open,
    .send = tap_send,
    .recv = tap_recv,
    .wait = tap_wait,
    .hang_up = tap_hang_up,
    .free = tap_free,
};

static inline struct tap *tap_new(const struct redis_url *url)
{
    struct tap *tap = mem_zalloc(sizeof *tap);
    tap->wire.ops = &tap_ops;
    tap->url = url;
    tap->socket = wire_socket_new(url);
    return tap;
}

/* The bytes that were held back arrive after all, and Redis answers them. */
static inline void tap_haunt(struct tap *tap)
{
    struct err err;
    char answer[4096];
    size_t sent = 0;
    int64_t deadline_ms = clock_mono_ms() + KIT_WAIT_MS;
    ck_assert_ptr_nonnull(tap->ghost);
    while (sent < tap->held.len) {
        ssize_t more =
            tap->ghost->ops->send(tap->ghost, tap->held.ptr + sent, tap->held.len - sent, &err);
        ck_assert_msg(more >= 0 && clock_mono_ms() < deadline_ms, "the ghost is gone");
        sent += (size_t)more;
    }
    while (tap->ghost->ops->recv(tap->ghost, answer, sizeof answer, &err) == 0) {
        ck_assert_msg(clock_mono_ms() < deadline_ms, "the ghost gets no answer");
        tap->ghost->ops->wait(tap->ghost, false, 10);
    }
    buf_reset(&tap->held);
    tap->ghost->ops->free(tap->ghost);
    tap->ghost = NULL;
}

#endif
