#include "run/notify.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tidewheel/clock.h"
#include "tidewheel/log.h"
#include "tidewheel/num.h"

enum { STATUS_EVERY_MS = 1000, SAID_MAX = NOTIFY_STATUS_MAX + 16 };

/* ---- the socket ---- */

/* A path, or an abstract name, which has @ in the place of the zero byte that it begins with. */
static bool address_of(const char *name, struct sockaddr_un *ret, socklen_t *ret_len)
{
    size_t len = strlen(name);
    if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof ret->sun_path)
        return false;
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(ret->sun_path, name, len + 1);
    if (name[0] == '@')
        ret->sun_path[0] = '\0';
    *ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (name[0] == '/'));
    return true;
}

static int connect_to(const char *name)
{
    struct sockaddr_un address;
    socklen_t len = 0;
    if (!address_of(name, &address, &len))
        return -1;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, len) < 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

/* Never for longer than it takes: a full socket must not hold the main thread up. */
static void say(const struct notify *notify, const char *text)
{
    if (notify->socket >= 0)
        (void)send(notify->socket, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* ---- from the environment ---- */

static int64_t number_of(const char *name)
{
    const char *text = getenv(name);
    int64_t number = 0;
    return text != NULL && num_parse_int64(text, strlen(text), &number) ? number : -1;
}

void notify_open(struct notify *notify)
{
    *notify = (struct notify){.socket = -1};
    const char *name = getenv("NOTIFY_SOCKET");
    int64_t watchdog_us = number_of("WATCHDOG_USEC");
    int64_t pid = number_of("WATCHDOG_PID");
    if (name != NULL && *name != '\0') {
        notify->socket = connect_to(name);
        if (notify->socket < 0)
            log_warn("notify", "why=\"NOTIFY_SOCKET names no socket that can be reached\"");
    }
    if (watchdog_us > 0 && (pid < 0 || pid == getpid()))
        notify->watchdog_every_ms = watchdog_us / 2000 > 0 ? watchdog_us / 2000 : 1;
    (void)unsetenv("NOTIFY_SOCKET");
    (void)unsetenv("WATCHDOG_USEC");
    (void)unsetenv("WATCHDOG_PID");
}

void notify_close(struct notify *notify)
{
    if (notify->socket >= 0)
        (void)close(notify->socket);
    notify->socket = -1;
}

/* ---- what is said ---- */

void notify_ready(const struct notify *notify)
{
    say(notify, "READY=1");
}

void notify_reloading(const struct notify *notify)
{
    char text[64];
    (void)snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%lld",
                   (long long)clock_mono_us());
    say(notify, text);
}

void notify_stopping(const struct notify *notify, int64_t timeout_ms)
{
    char text[64];
    (void)snprintf(text, sizeof text, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%lld",
                   (long long)timeout_ms * 1000);
    say(notify, text);
}

void notify_status(struct notify *notify, int64_t now_ms, const char *text)
{
    char said[SAID_MAX];
    if (now_ms < notify->status_ms || strncmp(text, notify->status, NOTIFY_STATUS_MAX - 1) == 0)
        return;
    notify->status_ms = now_ms + STATUS_EVERY_MS;
    (void)snprintf(notify->status, sizeof notify->status, "%s", text);
    (void)snprintf(said, sizeof said, "STATUS=%s", notify->status);
    say(notify, said);
}

void notify_beat(struct notify *notify, int64_t now_ms, bool is_well)
{
    if (notify->watchdog_every_ms == 0 || !is_well || now_ms < notify->watchdog_ms)
        return;
    notify->watchdog_ms = now_ms + notify->watchdog_every_ms;
    say(notify, "WATCHDOG=1");
}

int64_t notify_wait_ms(const struct notify *notify, int64_t wait_ms)
{
    int64_t every_ms = notify->watchdog_every_ms / 2; /* as late as half of the half */
    bool is_sooner = notify->watchdog_every_ms > 0 && every_ms < wait_ms;
    return is_sooner ? (every_ms > 0 ? every_ms : 1) : wait_ms;
}
