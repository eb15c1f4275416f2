#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "cli/load.h"
#include "tidewheel/address.h"
#include "tidewheel/clock.h"

enum { ASK_MS = 5000, ANSWER_MAX = 8192, STATUS_OK = 200 };

/* What can be asked for. */
static const struct {
    const char *name;
    const char *path;
} PROBES[] = {{"live", "/livez"}, {"ready", "/readyz"}};

static const char *find_path(const struct cli_args *args)
{
    const char *name = args->operand_count > 0 ? args->operands[0] : PROBES[0].name;
    for (size_t i = 0; i < sizeof PROBES / sizeof *PROBES; i++)
        if (args->operand_count < 2 && strcmp(PROBES[i].name, name) == 0)
            return PROBES[i].path;
    return NULL;
}

/* Who listens everywhere is found on this machine. */
static const char *host_to_ask(const struct address *address)
{
    if (strcmp(address->host, "0.0.0.0") == 0)
        return "127.0.0.1";
    return strcmp(address->host, "::") == 0 ? "::1" : address->host;
}

/* ---- one request over a socket, within 5 s ---- */

static bool set_timeout(int fd, int64_t deadline_ms)
{
    int64_t left_ms = deadline_ms - clock_mono_ms();
    struct timeval timeout = {.tv_sec = left_ms / 1000, .tv_usec = left_ms % 1000 * 1000};
    return left_ms > 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) == 0 &&
           setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) == 0;
}

static int connect_to(const struct address *address, int64_t deadline_ms, struct err *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    char port[16];
    (void)snprintf(port, sizeof port, "%d", address->port);
    int rc = getaddrinfo(host_to_ask(address), port, &hints, &list);
    if (rc != 0)
        return err_set(err, ERR_RETRY, "%s", gai_strerror(rc));
    int fd = -1;
    for (const struct addrinfo *info = list; info != NULL && fd < 0; info = info->ai_next) {
        fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && set_timeout(fd, deadline_ms) &&
            connect(fd, info->ai_addr, info->ai_addrlen) == 0)
            break;
        (void)err_set(err, ERR_RETRY, "%s",
                      errno == EINPROGRESS ? "no answer in 5 s" : strerror(errno));
        if (fd >= 0)
            (void)close(fd);
        fd = -1;
    }
    freeaddrinfo(list);
    return fd;
}

static bool say(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, text, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        text += sent;
        len -= (size_t)sent;
    }
    return true;
}

/* Until the other side hangs up, or ret is full. False: not in time. */
static bool hear(int fd, int64_t deadline_ms, char *ret)
{
    size_t len = 0;
    ssize_t got = 1;
    while (got > 0 && len < ANSWER_MAX - 1 && set_timeout(fd, deadline_ms)) {
        got = recv(fd, ret + len, ANSWER_MAX - 1 - len, 0);
        len += got > 0 ? (size_t)got : 0;
    }
    ret[len] = '\0';
    return got == 0 || len == ANSWER_MAX - 1;
}

static int ask(const struct address *address, const char *path, char *ret, struct err *err)
{
    char text[ADDRESS_HOST_MAX + 64];
    int64_t deadline_ms = clock_mono_ms() + ASK_MS;
    int fd = connect_to(address, deadline_ms, err);
    if (fd < 0)
        return ERR_RETRY;
    const char *host = host_to_ask(address);
    bool is_ipv6 = strchr(host, ':') != NULL;
    int len = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: %s%s%s\r\n\r\n", path,
                       is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "");
    bool is_answered = say(fd, text, (size_t)len) && hear(fd, deadline_ms, ret);
    (void)close(fd);
    return is_answered ? 0 : err_set(err, ERR_RETRY, "no answer in 5 s");
}

/* ---- what it says ---- */

static int report(const char *listen, const char *path, const char *answer)
{
    int status = 0;
    const char *body = strstr(answer, "\r\n\r\n");
    bool is_http = sscanf(answer, "HTTP/1.%*d %d", &status) == 1 && body != NULL;
    if (is_http && status == STATUS_OK)
        return EXIT_OK;
    if (!is_http)
        (void)fprintf(stderr, "tidewheel: %s%s: what listens there does not speak HTTP\n", listen,
                      path);
    else
        (void)fprintf(stderr, "tidewheel: %s%s says %d\n%s", listen, path, status, body + 4);
    return EXIT_UNAVAILABLE;
}

static int probe(const char *listen, const char *path)
{
    struct err err;
    struct address address;
    static char answer[ANSWER_MAX];
    if (!address_parse(listen, &address) || address.port == 0) {
        (void)fprintf(stderr, "tidewheel: http.listen is '%s': there is nobody to ask\n", listen);
        return EXIT_UNAVAILABLE;
    }
    if (ask(&address, path, answer, &err) < 0) {
        (void)fprintf(stderr, "tidewheel: %s%s: %s\n", listen, path, err.text);
        return EXIT_UNAVAILABLE;
    }
    return report(listen, path, answer);
}

/* A running worker goes on with what it has read: a file that is wrong by now does not make it ill. */
int command_healthcheck(const struct cli_args *args)
{
    struct options options;
    struct buf report = {NULL, 0, 0};
    const char *path = find_path(args);
    if (path == NULL)
        return cli_usage_error("healthcheck takes one argument at most: live or ready");
    bool is_right = load_what_is_right(args, &report, &options) == 0;
    int rc = probe(options.http_listen, path);
    if (rc != EXIT_OK && !is_right) {
        print_report(&report);
        rc = EXIT_CONFIG;
    }
    buf_fini(&report);
    options_fini(&options);
    return rc;
}
