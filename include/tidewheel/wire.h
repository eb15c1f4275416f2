/* wire: bytes to and from one Redis server, one connection at a time.
 *
 *     open() --> is_open() ... 1 --> send() recv() ... --> hang_up() --> open() again
 *
 * Nothing waits but wait(). What was handed to send() may be carried out by the server long after
 * hang_up(): who needs to know asks again over the next connection.
 *
 * The struct is an interface: socket.c is the real one, the simulation has its own server behind it.
 *
 * Floor: 3. Owner: one worker thread.
 */
#ifndef TIDEWHEEL_WIRE_H
#define TIDEWHEEL_WIRE_H

#include "tidewheel/err.h"
#include "tidewheel/redis_url.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct wire;

struct wire_ops {
    int (*open)(struct wire *wire, struct err *err);    /* begins to connect; ERR_RETRY */
    int (*is_open)(struct wire *wire, struct err *err); /* 1, 0: not yet, ERR_RETRY: it failed */
    /* How many bytes went, or came; 0: none for now. ERR_RETRY: the connection is gone. What did
     * not go is what the next send() begins with. */
    ssize_t (*send)(struct wire *wire, const char *ptr, size_t len, struct err *err);
    ssize_t (*recv)(struct wire *wire, char *ptr, size_t cap, struct err *err);
    /* Waits at most wait_ms until there is something to receive (or, with for_sending, room). */
    void (*wait)(struct wire *wire, bool for_sending, int64_t wait_ms);
    void (*hang_up)(struct wire *wire);
    void (*free)(struct wire *wire); /* hangs up */
};

struct wire {
    const struct wire_ops *ops;
};

/* A TCP or unix socket, with rediss:// under TLS (sink/tls.h). The url must outlive it. */
struct wire *wire_socket_new(const struct redis_url *url);

/* Can TLS be spoken with the files that the url names? Else ERR_CONFIG, and in *ret_option the path of
 * the option that names the wrong one. */
int wire_check_files(const struct redis_url *url, const char **ret_option,
                     struct err *err) MUST_CHECK;

#endif
