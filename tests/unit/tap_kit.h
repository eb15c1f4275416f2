/* tap_kit: a wire to a test's redis-server that can be cut, held back and made deaf.
 *
 *     store --> tap --> socket --> redis-server
 *                 \--> ghost: the connection before, given up with its bytes still under way
 */
#ifndef TIDEWHEEL_TAP_KIT_H
#define TIDEWHEEL_TAP_KIT_H

#include "redis_kit.h"

#include <string.h>

#include "tidewheel/buf.h"
#include "tidewheel/mem.h"
#include "tidewheel/wire.h"

/* Where the server is; for redis_url_fini(). */
static inline void tap_url(const struct server *server, struct redis_url *ret)
{
    struct err err;
    char text[128];
    (void)snprintf(text, sizeof text, "unix://%s", server->socket);
    ck_assert_int_eq(redis_url_parse(text, ret, &err), 0);
}

struct tap {
    struct wire wire;
    const struct redis_url *url;
    struct wire *socket;
    struct wire *ghost;  /* NULL: none */
    struct buf held;     /* what was sent, and held back */
    struct buf ghostly;  /* the same of the ghost */
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
    struct tap *tap = tap_of(wire);
    if (tap->is_cut)
        return err_set(err, ERR_RETRY, "cut by the test");
    return tap->socket->ops->is_open(tap->socket, err);
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

static inline void tap_lay_ghost(struct tap *tap)
{
    if (tap->ghost != NULL)
        tap->ghost->ops->free(tap->ghost);
    tap->ghost = NULL;
    buf_reset(&tap->ghostly);
}

static inline void tap_hang_up(struct wire *wire)
{
    struct tap *tap = tap_of(wire);
    tap->is_held = false;
    if (tap->leaves_ghost) {
        tap_lay_ghost(tap);
        tap->ghost = tap->socket;
        tap->socket = wire_socket_new(tap->url);
        buf_add(&tap->ghostly, tap->held.ptr, tap->held.len);
    }
    tap->socket->ops->hang_up(tap->socket);
    tap->leaves_ghost = false;
    buf_reset(&tap->held);
}

static inline void tap_free(struct wire *wire)
{
    struct tap *tap = tap_of(wire);
    tap->socket->ops->free(tap->socket);
    tap_lay_ghost(tap);
    buf_fini(&tap->held);
    buf_fini(&tap->ghostly);
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

/* The server is gone, with all that was under way. */
static inline void tap_kill(struct tap *tap)
{
    tap_lay_ghost(tap);
    tap->socket->ops->hang_up(tap->socket);
    buf_reset(&tap->held);
    tap->is_held = false;
    tap->leaves_ghost = false;
    tap->is_cut = true;
}

/* The bytes that were held back arrive after all, and Redis answers them. */
static inline void tap_haunt(struct tap *tap)
{
    struct err err;
    char answer[4096];
    size_t sent = 0;
    int64_t deadline_ms = clock_mono_ms() + WAIT_MS;
    ck_assert_ptr_nonnull(tap->ghost);
    while (sent < tap->ghostly.len) {
        ssize_t more = tap->ghost->ops->send(tap->ghost, tap->ghostly.ptr + sent,
                                             tap->ghostly.len - sent, &err);
        ck_assert_msg(more >= 0 && clock_mono_ms() < deadline_ms, "the ghost is gone");
        sent += (size_t)more;
    }
    while (sent > 0 && tap->ghost->ops->recv(tap->ghost, answer, sizeof answer, &err) == 0) {
        ck_assert_msg(clock_mono_ms() < deadline_ms, "the ghost gets no answer");
        tap->ghost->ops->wait(tap->ghost, false, 10);
    }
    tap_lay_ghost(tap);
}

#endif
