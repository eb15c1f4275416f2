#include "sim_redis.h"

#include <stdlib.h>

#include "sim_time.h"
#include "tidewheel/mem.h"

struct sim_wire {
    struct wire wire; /* first */
    struct sim_redis *redis;
    struct session *session; /* NULL: hung up */
    int owner;
    void (*wait)(int64_t wait_ms);
};

static struct sim_wire *wire_of(struct wire *wire)
{
    return (struct sim_wire *)wire;
}

static int gone(struct err *err, const char *why)
{
    return err_set(err, ERR_RETRY, "%s", why);
}

static int sim_open(struct wire *base, struct err *err)
{
    struct sim_wire *wire = wire_of(base);
    struct sim_redis *redis = wire->redis;
    if (sim_mono_ms < redis->down_until_ms)
        return gone(err, "connection refused");
    CHECK(wire->session == NULL);
    wire->session = mem_zalloc(sizeof *wire->session);
    wire->session->owner = wire->owner;
    wire->session->next = redis->sessions;
    redis->sessions = wire->session;
    return 0;
}

static int sim_is_open(struct wire *base, struct err *err)
{
    struct sim_wire *wire = wire_of(base);
    if (wire->session->is_broken)
        return gone(err, "connection refused");
    return !rng_one_in(wire->redis->rng, 4);
}

/* Mostly all at once; a socket may take less. */
static size_t some_of(struct sim_wire *wire, size_t len)
{
    return len > 1 && rng_one_in(wire->redis->rng, 16)
               ? (size_t)rng_between(wire->redis->rng, 1, (int64_t)len)
               : len;
}

static ssize_t sim_send(struct wire *base, const char *ptr, size_t len, struct err *err)
{
    struct sim_wire *wire = wire_of(base);
    if (wire->session->is_broken)
        return gone(err, "broken pipe");
    len = some_of(wire, len);
    buf_add(&wire->session->in, ptr, len);
    return (ssize_t)len;
}

static ssize_t sim_recv(struct wire *base, char *ptr, size_t cap, struct err *err)
{
    struct sim_wire *wire = wire_of(base);
    struct session *session = wire->session;
    if (session->is_broken)
        return gone(err, "connection reset by peer");
    if (sim_mono_ms >= session->in_at_ms)
        session_run(wire->redis, session);
    if (sim_mono_ms < session->out_at_ms || session->out.len == 0)
        return 0;
    size_t len = some_of(wire, session->out.len < cap ? session->out.len : cap);
    memcpy(ptr, session->out.ptr, len);
    memmove(session->out.ptr, session->out.ptr + len, session->out.len - len);
    session->out.len -= len;
    return (ssize_t)len;
}

static void sim_wait(struct wire *base, bool for_sending, int64_t wait_ms)
{
    (void)for_sending;
    wire_of(base)->wait(wait_ms);
}

static void sim_hang_up(struct wire *base)
{
    struct sim_wire *wire = wire_of(base);
    if (wire->session == NULL)
        return;
    if (!wire->session->is_broken)
        session_break(wire->redis, wire->session);
    wire->session->is_left = true;
    wire->session = NULL;
}

static void sim_free(struct wire *base)
{
    sim_hang_up(base);
    free(base);
}

static const struct wire_ops sim_wire_ops = {
    .open = sim_open,
    .is_open = sim_is_open,
    .send = sim_send,
    .recv = sim_recv,
    .wait = sim_wait,
    .hang_up = sim_hang_up,
    .free = sim_free,
};

struct wire *sim_wire_new(struct sim_redis *redis, int owner, void (*wait)(int64_t wait_ms))
{
    struct sim_wire *wire = mem_zalloc(sizeof *wire);
    wire->wire.ops = &sim_wire_ops;
    wire->redis = redis;
    wire->owner = owner;
    wire->wait = wait;
    return &wire->wire;
}
