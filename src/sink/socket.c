#include "tidewheel/wire.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "sink/link.h"
#include "sink/tls.h"
#include "tidewheel/mem.h"

struct wire_socket {
    struct wire wire;
    const struct redis_url *url;
    redisContext *context; /* finds and connects; the bytes go past it. NULL: hung up */
    struct tls *tls;       /* NULL: plain, or not connected yet */
};

static struct wire_socket *socket_of(const struct wire *wire)
{
    return (struct wire_socket *)(uintptr_t)wire;
}

static void socket_hang_up(struct wire *wire)
{
    struct wire_socket *self = socket_of(wire);
    tls_free(self->tls);
    if (self->context != NULL)
        redisFree(self->context);
    self->tls = NULL;
    self->context = NULL;
}

static int socket_open(struct wire *wire, struct err *err)
{
    struct wire_socket *self = socket_of(wire);
    const struct redis_url *url = self->url;
    CHECK(self->context == NULL);
    self->context = url->socket != NULL ? redisConnectUnixNonBlock(url->socket)
                                        : redisConnectNonBlock(url->host, url->port);
    if (self->context == NULL)
        return err_set(err, ERR_RETRY, "out of memory");
    return self->context->err == 0 ? 0 : err_set(err, ERR_RETRY, "%s", self->context->errstr);
}

/* Small writes go at once, and what is not acknowledged in time breaks the connection. */
static void tune(int fd)
{
    int yes = 1;
    unsigned timeout_ms = LINK_ANSWER_MS;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
}

static int is_connected(const struct wire_socket *self, struct err *err)
{
    int fd = self->context->fd;
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    if (poll(&ready, 1, 0) <= 0)
        return 0;
    int error = 0;
    socklen_t len = sizeof error;
    (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error != 0)
        return err_set(err, ERR_RETRY, "%s", strerror(error));
    if (self->url->host != NULL)
        tune(fd);
    return 1;
}

static int socket_is_open(struct wire *wire, struct err *err)
{
    struct wire_socket *self = socket_of(wire);
    int rc = self->tls == NULL ? is_connected(self, err) : 1;
    if (rc == 1 && self->url->is_tls && self->tls == NULL)
        rc = tls_new(self->url, self->context->fd, &self->tls, err) < 0 ? ERR_RETRY : 1;
    return rc == 1 && self->tls != NULL ? tls_shake_hands(self->tls, err) : rc;
}

static bool is_for_later(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static ssize_t socket_send(struct wire *wire, const char *ptr, size_t len, struct err *err)
{
    const struct wire_socket *self = socket_of(wire);
    if (self->tls != NULL)
        return tls_send(self->tls, ptr, len, err);
    ssize_t sent = send(self->context->fd, ptr, len, MSG_NOSIGNAL);
    if (sent >= 0)
        return sent;
    return is_for_later(errno) ? 0 : err_set(err, ERR_RETRY, "%s", strerror(errno));
}

static ssize_t socket_recv(struct wire *wire, char *ptr, size_t cap, struct err *err)
{
    const struct wire_socket *self = socket_of(wire);
    if (self->tls != NULL)
        return tls_recv(self->tls, ptr, cap, err);
    ssize_t got = recv(self->context->fd, ptr, cap, 0);
    if (got > 0)
        return got;
    if (got == 0)
        return err_set(err, ERR_RETRY, "Server closed the connection");
    return is_for_later(errno) ? 0 : err_set(err, ERR_RETRY, "%s", strerror(errno));
}

static void socket_wait(struct wire *wire, bool for_sending, int64_t wait_ms)
{
    const struct wire_socket *self = socket_of(wire);
    struct pollfd ready = {.fd = self->context != NULL ? self->context->fd : -1, .events = POLLIN};
    if (self->tls != NULL)
        ready.events = tls_events(self->tls, for_sending);
    else if (for_sending)
        ready.events |= POLLOUT;
    if (ready.events != 0)
        (void)poll(&ready, 1, (int)wait_ms);
}

static void socket_free(struct wire *wire)
{
    socket_hang_up(wire);
    free(socket_of(wire));
}

static const struct wire_ops socket_ops = {
    .open = socket_open,
    .is_open = socket_is_open,
    .send = socket_send,
    .recv = socket_recv,
    .wait = socket_wait,
    .hang_up = socket_hang_up,
    .free = socket_free,
};

struct wire *wire_socket_new(const struct redis_url *url)
{
    struct wire_socket *self = mem_zalloc(sizeof *self);
    self->wire.ops = &socket_ops;
    self->url = url;
    return &self->wire;
}
