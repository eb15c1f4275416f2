#include "tidewheel/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "metrics/answers.h"
#include "metrics/listen.h"
#include "tidewheel/address.h"
#include "tidewheel/clock.h"
#include "tidewheel/log.h"
#include "tidewheel/mem.h"

enum {
    /* Those that were cut stay until the library has noticed. */
    SLOTS = 2 * HTTP_CONNECTIONS_MAX,
    POOL_BYTES =
        2 * HTTP_HEAD_MAX, /* of a connection: what it reads, and the head that it writes */
    WAIT_MS_MAX = 1000,
};

/* A connection. */
struct caller {
    int fd;
    bool is_open;
    bool is_cut;
    int64_t deadline_ms; /* monotonic clock */
};

struct http {
    const struct display *display;
    struct listener listener;
    struct MHD_Daemon *daemon;
    struct caller callers[SLOTS];
    int epoll_fd; /* the daemon's: readable when it has something to do */
    int stop_fd;
    _Atomic bool is_stopping;
    pthread_t thread;
};

/* ---- connections: a deadline for the whole, which the library does not have ---- */

/* Its own timeout begins anew with every byte. The library finds the end of the stream, and closes. */
static void cut(struct caller *caller)
{
    caller->is_cut = true;
    (void)shutdown(caller->fd, SHUT_RDWR);
}

static bool is_waiting(const struct caller *caller)
{
    return caller->is_open && !caller->is_cut;
}

static void cut_oldest(struct http *http)
{
    struct caller *oldest = NULL;
    size_t count = 0;
    for (size_t i = 0; i < SLOTS; i++) {
        struct caller *caller = &http->callers[i];
        if (!is_waiting(caller))
            continue;
        count++;
        if (oldest == NULL || caller->deadline_ms < oldest->deadline_ms)
            oldest = caller;
    }
    if (count >= HTTP_CONNECTIONS_MAX)
        cut(oldest);
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http *http = arg;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (*context != NULL)
            *(struct caller *)*context = (struct caller){.fd = -1};
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    cut_oldest(http);
    for (size_t i = 0; i < SLOTS && info != NULL; i++) {
        if (http->callers[i].is_open)
            continue;
        http->callers[i] = (struct caller){.fd = info->connect_fd,
                                           .is_open = true,
                                           .deadline_ms = clock_mono_ms() + HTTP_CONNECTION_MS};
        *context = &http->callers[i];
        return;
    }
}

/* Cuts those whose time is over; how long until the next one's is. */
static int64_t cut_late(struct http *http)
{
    int64_t now_ms = clock_mono_ms();
    int64_t wait_ms = WAIT_MS_MAX;
    for (size_t i = 0; i < SLOTS; i++) {
        struct caller *caller = &http->callers[i];
        if (!is_waiting(caller))
            continue;
        int64_t left_ms = caller->deadline_ms - now_ms;
        if (left_ms <= 0)
            cut(caller);
        else if (left_ms < wait_ms)
            wait_ms = left_ms;
    }
    return wait_ms;
}

/* ---- answering ---- */

static enum MHD_Result send_response(struct MHD_Connection *connection, unsigned status,
                                     const char *type, struct buf *body)
{
    static char nothing[] = "";
    bool has_body = body->len > 0;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(body->len, has_body ? body->ptr : nothing,
                                        has_body ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (response == NULL) {
        buf_fini(body);
        return MHD_NO;
    }
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    (void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status, const char *why)
{
    struct buf body = {NULL, 0, 0};
    buf_printf(&body, "%s\n", why);
    return send_response(connection, status, "text/plain; charset=utf-8", &body);
}

static bool has_argument(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value_n(connection, MHD_GET_ARGUMENT_KIND, name, strlen(name),
                                         NULL, NULL) == MHD_YES;
}

static bool is_host_allowed(const struct http *http, struct MHD_Connection *connection)
{
    const char *host =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
    return !http->listener.is_loopback || (host != NULL && host_header_is_loopback(host));
}

static size_t head_size(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return info != NULL ? info->header_size : 0;
}

/* At once, when the head is in: a body is not read. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **context)
{
    const struct http *http = arg;
    (void)version;
    (void)upload;
    (void)upload_size;
    (void)context;
    if (head_size(connection) > HTTP_HEAD_MAX)
        return refuse(connection, MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE,
                      "the request has more than 8 KiB");
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD are answered");
    if (!is_host_allowed(http, connection))
        return refuse(connection, MHD_HTTP_FORBIDDEN,
                      "the Host of the request is not of this machine");
    const struct answer *answer = answer_find(path);
    if (answer == NULL)
        return refuse(connection, MHD_HTTP_NOT_FOUND, "nothing is here");
    struct question question = {.display = http->display,
                                .wall_ms = clock_wall_ms(),
                                .mono_ms = clock_mono_ms(),
                                .is_verbose = has_argument(connection, "verbose")};
    struct buf body = {NULL, 0, 0};
    unsigned status = answer->write(&question, &body);
    return send_response(connection, status, answer->type, &body);
}

/* ---- the thread ---- */

static int wait_for(const struct http *http, int64_t wait_ms)
{
    MHD_UNSIGNED_LONG_LONG library_ms = 0;
    if (MHD_get_timeout(http->daemon, &library_ms) == MHD_YES && (int64_t)library_ms < wait_ms)
        return (int)library_ms;
    return (int)wait_ms;
}

static void *serve(void *arg)
{
    struct http *http = arg;
    struct pollfd fds[] = {{.fd = http->epoll_fd, .events = POLLIN},
                           {.fd = http->stop_fd, .events = POLLIN}};
    while (!atomic_load(&http->is_stopping)) {
        int64_t wait_ms = cut_late(http);
        (void)poll(fds, 2, wait_for(http, wait_ms));
        (void)MHD_run(http->daemon);
    }
    return NULL;
}

static int start_daemon(struct http *http, struct err *err)
{
    http->daemon =
        MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_ITC, 0, NULL, NULL, on_request, http,
                         MHD_OPTION_LISTEN_SOCKET, http->listener.fd, MHD_OPTION_CONNECTION_LIMIT,
                         (unsigned)SLOTS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_BYTES,
                         MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)HTTP_CONNECTION_MS / 1000,
                         MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_END);
    if (http->daemon == NULL)
        return err_set(err, ERR_INTERNAL, "http: the server does not start: %s", strerror(errno));
    http->epoll_fd = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    return 0;
}

static void http_free(struct http *http)
{
    if (http->daemon != NULL)
        MHD_stop_daemon(http->daemon); /* closes the listening socket, too */
    else
        (void)close(http->listener.fd);
    (void)close(http->stop_fd);
    free(http);
}

int http_open(const char *listen, const struct display *display, struct http **ret, struct err *err)
{
    struct listener listener;
    int rc = listen_open(listen, &listener, err);
    if (rc < 0)
        return rc;
    struct http *http = mem_zalloc(sizeof *http);
    http->display = display;
    http->listener = listener;
    http->stop_fd = eventfd(0, EFD_CLOEXEC);
    rc = start_daemon(http, err);
    if (rc == 0 && pthread_create(&http->thread, NULL, serve, http) != 0)
        rc = err_set(err, ERR_INTERNAL, "cannot start a thread: too many are running");
    if (rc < 0) {
        http_free(http);
        return rc;
    }
    log_info("http", "listen=%s", listener.text);
    *ret = http;
    return 0;
}

int http_port(const struct http *http)
{
    return http->listener.port;
}

void http_close(struct http *http)
{
    const uint64_t one = 1;
    if (http == NULL)
        return;
    atomic_store(&http->is_stopping, true);
    (void)!write(http->stop_fd, &one, sizeof one);
    (void)pthread_join(http->thread, NULL);
    http_free(http);
}
