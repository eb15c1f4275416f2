#include "metrics/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tidewheel/address.h"

enum { BACKLOG = 128 };

/* Who can do something about it? */
static int code_of(int error)
{
    return error == EADDRNOTAVAIL || error == EAFNOSUPPORT ? ERR_CONFIG : ERR_FATAL;
}

static int refuse(const char *text, int error, struct err *err)
{
    const char *advice = error == EADDRINUSE
                             ? "something listens there already: stop it, or set http.listen to "
                               "another port, or to nothing"
                             : strerror(error);
    return err_set(err, code_of(error), "http.listen: %s: %s", text, advice);
}

static int bind_to(const struct addrinfo *info, int *ret)
{
    int on = 1;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, info->ai_addr, info->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int error = errno;
        (void)close(fd);
        return error;
    }
    *ret = fd;
    return 0;
}

/* The kernel says what it has become: port 0 is any. */
static void describe(struct listener *listener)
{
    struct sockaddr_storage bound;
    socklen_t len = sizeof bound;
    char host[64] = "?";
    char port[16] = "0";
    (void)getsockname(listener->fd, (struct sockaddr *)&bound, &len);
    (void)getnameinfo((struct sockaddr *)&bound, len, host, sizeof host, port, sizeof port,
                      NI_NUMERICHOST | NI_NUMERICSERV);
    bool is_ipv6 = bound.ss_family == AF_INET6;
    (void)snprintf(listener->text, sizeof listener->text, is_ipv6 ? "[%s]:%s" : "%s:%s", host,
                   port);
    listener->port = is_ipv6 ? ntohs(((struct sockaddr_in6 *)(void *)&bound)->sin6_port)
                             : ntohs(((struct sockaddr_in *)(void *)&bound)->sin_port);
    listener->is_loopback = host_is_loopback(host, strlen(host));
}

int listen_open(const char *text, struct listener *ret, struct err *err)
{
    struct address address;
    if (!address_parse(text, &address))
        return err_set(err, ERR_CONFIG,
                       "http.listen: '%s' is not an address; expected host:port like "
                       "127.0.0.1:4196",
                       text);
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *list = NULL;
    char port[16];
    (void)snprintf(port, sizeof port, "%d", address.port);
    int rc = getaddrinfo(address.host, port, &hints, &list);
    if (rc != 0)
        return err_set(err, ERR_CONFIG, "http.listen: %s: %s", text, gai_strerror(rc));
    int error = EADDRNOTAVAIL;
    struct listener listener = {.fd = -1};
    for (const struct addrinfo *info = list; info != NULL && error != 0; info = info->ai_next)
        error = bind_to(info, &listener.fd);
    freeaddrinfo(list);
    if (error != 0)
        return refuse(text, error, err);
    describe(&listener);
    *ret = listener;
    return 0;
}
