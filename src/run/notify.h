/* notify: tells systemd how we are, where it asks for it (Type=notify): lines of NAME=value, a datagram each
 * to the socket that $NOTIFY_SOCKET names.
 *
 *     READY=1                        configuration is right, the threads run. Kafka or Redis may be away:
 *                                    that is waited for, and no reason to be killed
 *     STATUS=running: 12 partitions, lag 0
 *     RELOADING=1 MONOTONIC_USEC=... SIGHUP; READY=1 behind it
 *     WATCHDOG=1                     twice in $WATCHDOG_USEC, as long as the caller says that all is well
 *     STOPPING=1 EXTEND_TIMEOUT_USEC=...
 *
 * Without a socket nothing is said. What cannot be sent is lost: the next thing said is as good.
 *
 * Floor: 4. Owner: the main thread.
 */
#ifndef TIDEWHEEL_RUN_NOTIFY_H
#define TIDEWHEEL_RUN_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

enum { NOTIFY_STATUS_MAX = 200 };

struct notify {
    int socket; /* -1: nobody asks */
    char status[NOTIFY_STATUS_MAX];
    int64_t status_ms; /* the next one not before; monotonic clock, as the other */
    int64_t watchdog_ms;
    int64_t watchdog_every_ms; /* 0: none */
};

/* Takes the variables out of the environment: they are not for children. */
void notify_open(struct notify *notify);
void notify_close(struct notify *notify);

void notify_ready(const struct notify *notify);
void notify_reloading(const struct notify *notify);
void notify_stopping(const struct notify *notify, int64_t timeout_ms);

/* Once a second at most, and only what is new. */
void notify_status(struct notify *notify, int64_t now_ms, const char *text);
void notify_beat(struct notify *notify, int64_t now_ms, bool is_well);

/* How long the caller may wait until it has something to say. */
int64_t notify_wait_ms(const struct notify *notify, int64_t wait_ms);

#endif
