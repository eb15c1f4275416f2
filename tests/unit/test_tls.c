/* TLS on the wire: against a redis-server of its own that speaks it, with certificates made for the
 * run (tests/kit/certs.sh). The server's unix socket stays plain, for the test's own client. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "redis_kit.h"
#include "sink/link.h"
#include "tidewheel/batch.h"
#include "tidewheel/mem.h"
#include "tidewheel/store.h"

enum { MIB = 1024 * 1024 };

static char certs[] = "/tmp/tidewheel-certs-XXXXXX";

/* ---- the server ---- */

static const char *cert(const char *name)
{
    static char paths[8][96];
    static int next;
    char *path = paths[next++ % 8];
    (void)snprintf(path, sizeof paths[0], "%s/%s", certs, name);
    return path;
}

/* A port that nobody has, of IPv6 nor of IPv4; 0: of that family there is none here. */
static int free_port_of(sa_family_t family)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT};
    struct sockaddr_in address4 = {.sin_family = AF_INET, .sin_addr.s_addr = INADDR_ANY};
    struct sockaddr *any =
        family == AF_INET6 ? (struct sockaddr *)&address : (struct sockaddr *)&address4;
    socklen_t len = family == AF_INET6 ? sizeof address : sizeof address4;
    int fd = socket(family, SOCK_STREAM, 0);
    bool is_bound = fd >= 0 && bind(fd, any, len) == 0 && getsockname(fd, any, &len) == 0;
    if (fd >= 0)
        (void)close(fd);
    if (!is_bound)
        return 0;
    return ntohs(family == AF_INET6 ? address.sin6_port : address4.sin_port);
}

static int free_port(void)
{
    int port = free_port_of(AF_INET6);
    return port != 0 ? port : free_port_of(AF_INET);
}

struct tls_server {
    struct server server;
    int port;
};

/* The unix socket, by which the kit knows that it is up, may be there before the port. */
static void await_port(int port)
{
    const char *host = free_port_of(AF_INET6) != 0 ? "::1" : "127.0.0.1"; /* the later one */
    int64_t deadline_ms = clock_mono_ms() + WAIT_MS;
    for (bool is_there = false; !is_there;) {
        redisContext *context = redisConnect(host, port);
        is_there = context->err == 0;
        redisFree(context);
        ck_assert_msg(clock_mono_ms() < deadline_ms, "nobody listens at %d", port);
        sleep_ms(STEP_MS);
    }
}

static bool tls_server_open(struct tls_server *tls, const char *chain, const char *auth_clients)
{
    char port[8];
    if (!has_server("tls"))
        return false;
    tls->port = free_port();
    (void)snprintf(port, sizeof port, "%d", tls->port);
    server_open(&tls->server,
                OPTIONS("--tls-port", port, "--tls-cert-file", cert(chain), "--tls-key-file",
                        cert("server.key"), "--tls-ca-cert-file", cert("ca.pem"),
                        "--tls-auth-clients", auth_clients, "--proto-max-bulk-len", "64mb"));
    await_port(tls->port);
    return true;
}

static void tls_server_close(struct tls_server *tls)
{
    server_close(&tls->server);
}

/* ---- the client ---- */

static struct redis_url url_of(const char *scheme, const char *host, int port)
{
    char text[128];
    struct redis_url url;
    struct err err;
    (void)snprintf(text, sizeof text, "%s://%s:%d", scheme, host, port);
    ck_assert_msg(redis_url_parse(text, &url, &err) == 0, "%s", err.text);
    return url;
}

static struct redis_url tls_url(const struct tls_server *tls, const char *host)
{
    struct redis_url url = url_of("rediss", host, tls->port);
    url.ca_file = mem_strdup(cert("ca.pem"));
    return url;
}

static void show_client(struct redis_url *url)
{
    url->cert_file = mem_strdup(cert("client.pem"));
    url->key_file = mem_strdup(cert("client.key"));
}

/* 0, or ERR_RETRY with the sentence. */
static int connect_wire(struct wire *wire, struct err *err)
{
    int64_t deadline_ms = clock_mono_ms() + WAIT_MS;
    int rc = wire->ops->open(wire, err);
    while (rc == 0 && (rc = wire->ops->is_open(wire, err)) == 0) {
        ck_assert_msg(clock_mono_ms() < deadline_ms, "the handshake does not end");
        wire->ops->wait(wire, true, 100);
    }
    return rc < 0 ? rc : 0;
}

/* Sends all of it and receives count bytes, cap at a time: a server that is sent more than it has
 * been heard would stop. */
static int exchange(struct wire *wire, const struct buf *bytes, size_t count, size_t cap,
                    struct buf *ret, struct err *err)
{
    int64_t deadline_ms = clock_mono_ms() + WAIT_MS;
    for (size_t sent = 0; sent < bytes->len || ret->len < count;) {
        ssize_t more = sent < bytes->len
                           ? wire->ops->send(wire, bytes->ptr + sent, bytes->len - sent, err)
                           : 0;
        ssize_t got = more < 0 ? more : wire->ops->recv(wire, buf_reserve(ret, cap), cap, err);
        if (got < 0)
            return ERR_RETRY;
        sent += (size_t)more;
        buf_advance(ret, (size_t)got);
        ck_assert_msg(clock_mono_ms() < deadline_ms, "no answer");
        if (got == 0 && (more == 0 || sent == bytes->len))
            wire->ops->wait(wire, sent < bytes->len, 1000);
    }
    return 0;
}

/* PING and its answer over a new connection: 0, or ERR_RETRY with the sentence. */
static int ping(const struct redis_url *url, struct err *err)
{
    struct wire *wire = wire_socket_new(url);
    struct buf bytes = {NULL, 0, 0};
    struct buf answer = {NULL, 0, 0};
    int rc = connect_wire(wire, err);
    buf_add_text(&bytes, "PING\r\n");
    if (rc == 0)
        rc = exchange(wire, &bytes, 7, 16, &answer, err);
    if (rc == 0)
        ck_assert_str_eq(buf_text(&answer), "+PONG\r\n");
    buf_fini(&bytes);
    buf_fini(&answer);
    wire->ops->free(wire);
    return rc;
}

#define says(err, words) ck_assert_msg(strstr((err)->text, words) != NULL, "%s", (err)->text)

/* ---- who it is spoken with ---- */

START_TEST(a_server_is_spoken_with_by_name_and_by_address)
{
    static const char *const HOSTS[] = {"localhost", "127.0.0.1", "[::1]"};
    size_t count = sizeof HOSTS / sizeof *HOSTS - (free_port_of(AF_INET6) == 0);
    struct tls_server tls;
    struct err err = {0, ""};
    if (!tls_server_open(&tls, "server.pem", "no"))
        return;
    for (size_t i = 0; i < count; i++) {
        struct redis_url url = tls_url(&tls, HOSTS[i]);
        ck_assert_msg(ping(&url, &err) == 0, "%s: %s", HOSTS[i], err.text);
        redis_url_fini(&url);
    }
    tls_server_close(&tls);
}
END_TEST

START_TEST(one_whose_certificate_is_not_good_is_not_and_it_is_said_why)
{
    static const struct {
        const char *chain, *ca, *host, *words;
    } CASES[] = {
        {"server.pem", "other_ca.pem", "localhost", "of localhost comes from a CA that we do not"},
        {"server.pem", NULL, "localhost", "comes from a CA that we do not know"},
        {"elsewhere.pem", "ca.pem", "localhost", "of localhost is not for this host name"},
        {"elsewhere.pem", "ca.pem", "127.0.0.1", "of 127.0.0.1 is not for this address"},
        {"expired.pem", "ca.pem", "localhost", "of localhost has expired"},
    };
    struct tls_server tls;
    struct err err = {0, ""};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        if (!tls_server_open(&tls, CASES[i].chain, "no"))
            return;
        struct redis_url url = url_of("rediss", CASES[i].host, tls.port);
        url.ca_file = CASES[i].ca != NULL ? mem_strdup(cert(CASES[i].ca)) : NULL;
        ck_assert_int_eq(ping(&url, &err), ERR_RETRY);
        says(&err, CASES[i].words);
        is_answer(&tls.server, "GET k", "nil"); /* it is not the server that has gone */
        redis_url_fini(&url);
        tls_server_close(&tls);
    }
}
END_TEST

START_TEST(a_server_that_wants_to_know_who_we_are_is_shown_it)
{
    struct tls_server tls;
    struct err err = {0, ""};
    if (!tls_server_open(&tls, "server.pem", "yes"))
        return;
    struct redis_url url = tls_url(&tls, "localhost");
    for (int i = 0; i < 20; i++) { /* the alert and the end of the connection race each other */
        ck_assert_int_eq(ping(&url, &err), ERR_RETRY);
        says(&err, "redis.tls.cert_file");
    }
    show_client(&url);
    ck_assert_msg(ping(&url, &err) == 0, "%s", err.text);
    redis_url_fini(&url);
    tls_server_close(&tls);
}
END_TEST

/* ---- a link over it ---- */

struct peer {
    struct redis_url url;
    struct link link;
    struct capture capture;
    int64_t mono_ms;
};

static void peer_open(struct peer *peer, struct redis_url url)
{
    peer->url = url;
    peer->mono_ms = 1000000;
    link_init(&peer->link, wire_socket_new(&peer->url), &peer->url, "redis", 7);
    capture_begin(&peer->capture);
}

/* What it has logged is in the capture then. */
static void peer_close(struct peer *peer)
{
    capture_end(&peer->capture);
    link_fini(&peer->link);
    redis_url_fini(&peer->url);
}

static void pump(struct peer *peer)
{
    struct err err = {0, ""};
    bool is_up = false;
    ck_assert_msg(link_pump(&peer->link, peer->mono_ms, &is_up, &err) == 0, "%s", err.text);
}

static void until(struct peer *peer, enum link_state state)
{
    int64_t deadline_ms = clock_mono_ms() + WAIT_MS;
    for (pump(peer); peer->link.state != state; pump(peer)) {
        ck_assert_msg(clock_mono_ms() < deadline_ms, "it does not come: %d instead of %d",
                      (int)peer->link.state, (int)state);
        link_wait(&peer->link, 100);
    }
}

static void has_logged(const struct peer *peer, const char *words)
{
    ck_assert_msg(strstr(peer->capture.text, words) != NULL, "%s", peer->capture.text);
}

START_TEST(a_link_logs_in_over_it)
{
    struct tls_server tls;
    struct peer peer;
    if (!tls_server_open(&tls, "server.pem", "no"))
        return;
    is_answer(&tls.server, "ACL SETUSER me on >right +@all ~*", "OK");
    struct redis_url url = tls_url(&tls, "localhost");
    url.user = mem_strdup("me");
    url.password = mem_strdup("right");
    url.db = 3;
    peer_open(&peer, url);
    until(&peer, LINK_UP);
    is_answer(&tls.server, "CLIENT KILL USER me", "1");
    peer_close(&peer);
    tls_server_close(&tls);
}
END_TEST

START_TEST(a_port_of_tls_alone_is_suspected)
{
    struct tls_server tls;
    struct peer peer;
    if (!tls_server_open(&tls, "server.pem", "no"))
        return;
    peer_open(&peer, url_of("redis", "localhost", tls.port));
    until(&peer, LINK_AWAY);
    peer_close(&peer);
    has_logged(&peer, "is it TLS that is spoken at this port (rediss://)?");
    tls_server_close(&tls);
}
END_TEST

/* A port of the test's own, where nobody speaks TLS. */
static int listen_plainly(int *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, len), 0);
    ck_assert_int_eq(listen(fd, 8), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

START_TEST(a_port_that_does_not_answer_is_suspected_to_be_without_tls)
{
    struct peer peer;
    int port = 0;
    int fd = listen_plainly(&port);
    peer_open(&peer, url_of("rediss", "127.0.0.1", port));
    until(&peer, LINK_CONNECTING);
    peer.mono_ms += LINK_ANSWER_MS;
    until(&peer, LINK_AWAY);
    peer_close(&peer);
    has_logged(&peer, "no answer in 5 s; is it TLS that is spoken at this port?");
    (void)close(fd);
}
END_TEST

START_TEST(a_port_that_answers_otherwise_has_no_tls)
{
    static const char ANSWER[] = "-ERR unknown command\r\n";
    struct peer peer;
    int port = 0;
    int fd = listen_plainly(&port);
    peer_open(&peer, url_of("rediss", "127.0.0.1", port));
    until(&peer, LINK_CONNECTING);
    int accepted = accept(fd, NULL, NULL);
    ck_assert_int_eq(write(accepted, ANSWER, strlen(ANSWER)), (ssize_t)strlen(ANSWER));
    until(&peer, LINK_AWAY);
    peer_close(&peer);
    has_logged(&peer, "TLS with 127.0.0.1: there is no TLS at this port");
    (void)close(accepted);
    (void)close(fd);
}
END_TEST

START_TEST(a_refused_certificate_is_tried_again_and_said)
{
    struct tls_server tls;
    struct peer peer;
    if (!tls_server_open(&tls, "server.pem", "no"))
        return;
    struct redis_url url = url_of("rediss", "localhost", tls.port);
    url.ca_file = mem_strdup(cert("other_ca.pem"));
    peer_open(&peer, url);
    until(&peer, LINK_AWAY);
    /* The files are read anew: what was mended meanwhile is enough. */
    free(peer.url.ca_file);
    peer.url.ca_file = mem_strdup(cert("ca.pem"));
    peer.mono_ms += 10000;
    until(&peer, LINK_UP);
    peer_close(&peer);
    has_logged(&peer,
               "level=warn at=redis state=away why=\"TLS: the certificate of localhost comes "
               "from a CA that we do not know");
    tls_server_close(&tls);
}
END_TEST

START_TEST(a_question_is_answered_over_it)
{
    struct tls_server tls;
    struct err err = {0, ""};
    char *value = NULL;
    int64_t pttl_ms = 0;
    if (!tls_server_open(&tls, "server.pem", "yes"))
        return;
    struct redis_url url = tls_url(&tls, "localhost");
    is_answer(&tls.server, "HSET k f 1", "1");
    const char *const fields[] = {"f"};
    ck_assert_int_eq(redis_fetch(&url, slice_of("k"), fields, 1, &value, &pttl_ms, &err),
                     ERR_RETRY);
    says(&err, "redis.tls.cert_file");
    show_client(&url);
    ck_assert_msg(redis_fetch(&url, slice_of("k"), fields, 1, &value, &pttl_ms, &err) == 0, "%s",
                  err.text);
    ck_assert_str_eq(value, "1");
    free(value);
    redis_url_fini(&url);
    tls_server_close(&tls);
}
END_TEST

/* ---- bytes ---- */

START_TEST(much_goes_both_ways_in_pieces_of_any_size)
{
    static const size_t CAPS[] = {100, 4096, 16384, 100000};
    struct tls_server tls;
    struct err err = {0, ""};
    if (!tls_server_open(&tls, "server.pem", "no"))
        return;
    struct redis_url url = tls_url(&tls, "localhost");
    struct buf value = {NULL, 0, 0};
    for (uint32_t i = 0; value.len < 4 * MIB; i++)
        buf_add_char(&value, (char)(i * UINT32_C(2654435761) >> 24));
    for (size_t i = 0; i < sizeof CAPS / sizeof *CAPS; i++) {
        struct wire *wire = wire_socket_new(&url);
        struct buf bytes = {NULL, 0, 0};
        struct buf answer = {NULL, 0, 0};
        ck_assert_msg(connect_wire(wire, &err) == 0, "%s", err.text);
        resp_words(&bytes, (struct slice[]){slice_of("ECHO"), buf_slice(&value)}, 2);
        resp_words(&bytes, (struct slice[]){slice_of("ECHO"), buf_slice(&value)}, 2);
        size_t head = strlen("$4194304\r\n");
        size_t count = 2 * (head + value.len + 2);
        ck_assert_msg(exchange(wire, &bytes, count, CAPS[i], &answer, &err) == 0, "%s", err.text);
        ck_assert_uint_eq(answer.len, count);
        ck_assert_mem_eq(answer.ptr + head, value.ptr, value.len);
        ck_assert_mem_eq(answer.ptr + count - 2 - value.len, value.ptr, value.len);
        buf_fini(&bytes);
        buf_fini(&answer);
        wire->ops->free(wire);
    }
    buf_fini(&value);
    redis_url_fini(&url);
    tls_server_close(&tls);
}
END_TEST

START_TEST(what_is_decrypted_already_is_not_waited_for)
{
    struct tls_server tls;
    struct err err = {0, ""};
    struct buf bytes = {NULL, 0, 0};
    struct buf answer = {NULL, 0, 0};
    char byte;
    if (!tls_server_open(&tls, "server.pem", "no"))
        return;
    struct redis_url url = tls_url(&tls, "localhost");
    struct wire *wire = wire_socket_new(&url);
    ck_assert_msg(connect_wire(wire, &err) == 0, "%s", err.text);
    buf_add_text(&bytes, "PING\r\n");
    ck_assert_int_eq(exchange(wire, &bytes, 1, 1, &answer, &err), 0);
    int64_t begun_ms = clock_mono_ms();
    wire->ops->wait(wire, false, 30000);
    ck_assert_int_lt(clock_mono_ms() - begun_ms, 30000);
    for (size_t i = 1; i < 7; i++)
        ck_assert_int_eq(wire->ops->recv(wire, &byte, 1, &err), 1);
    ck_assert_int_eq(wire->ops->recv(wire, &byte, 1, &err), 0);
    buf_fini(&bytes);
    buf_fini(&answer);
    wire->ops->free(wire);
    redis_url_fini(&url);
    tls_server_close(&tls);
}
END_TEST

/* The socket could be written to all the while: waiting for that would be no wait. */
START_TEST(a_handshake_that_is_not_answered_blocks_nobody_and_burns_no_time)
{
    struct tls_server tls;
    struct err err = {0, ""};
    if (!tls_server_open(&tls, "server.pem", "no"))
        return;
    struct redis_url url = tls_url(&tls, "localhost");
    struct wire *wire = wire_socket_new(&url);
    (void)kill(tls.server.pid, SIGSTOP);
    ck_assert_int_eq(wire->ops->open(wire, &err), 0);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(wire->ops->is_open(wire, &err), 0);
        int64_t begun_ms = clock_mono_ms();
        wire->ops->wait(wire, true, 100);
        ck_assert(i == 0 || clock_mono_ms() - begun_ms >= 99);
    }
    (void)kill(tls.server.pid, SIGCONT);
    while (wire->ops->is_open(wire, &err) == 0)
        wire->ops->wait(wire, true, 1000);
    ck_assert_int_eq(wire->ops->is_open(wire, &err), 1);
    wire->ops->free(wire);
    redis_url_fini(&url);
    tls_server_close(&tls);
}
END_TEST

START_TEST(a_server_that_dies_ends_the_connection)
{
    struct tls_server tls;
    struct err err = {0, ""};
    struct buf bytes = {NULL, 0, 0};
    struct buf answer = {NULL, 0, 0};
    if (!tls_server_open(&tls, "server.pem", "no"))
        return;
    struct redis_url url = tls_url(&tls, "localhost");
    struct wire *wire = wire_socket_new(&url);
    ck_assert_msg(connect_wire(wire, &err) == 0, "%s", err.text);
    (void)kill(tls.server.pid, SIGKILL);
    buf_add_text(&bytes, "PING\r\n");
    ck_assert_int_eq(exchange(wire, &bytes, 1, 16, &answer, &err), ERR_RETRY);
    ck_assert_str_ne(err.text, "");
    wire->ops->hang_up(wire);
    ck_assert_int_eq(connect_wire(wire, &err), ERR_RETRY);
    buf_fini(&bytes);
    buf_fini(&answer);
    wire->ops->free(wire);
    redis_url_fini(&url);
    tls_server_close(&tls);
}
END_TEST

/* ---- files ---- */

START_TEST(files_that_are_wrong_are_found_at_the_start)
{
    static const struct {
        const char *ca, *cert, *key, *option, *words;
    } CASES[] = {
        {"nowhere.pem", NULL, NULL, "redis.tls.ca_file", "nowhere.pem' holds no CA certificate"},
        {"ca.key", NULL, NULL, "redis.tls.ca_file", "ca.key' holds no CA certificate"},
        {"ca.pem", "nowhere.pem", "client.key", "redis.tls.cert_file", "No such file"},
        {"ca.pem", "client.key", "client.key", "redis.tls.cert_file", "holds no certificate"},
        {"ca.pem", "client.pem", "server.key", "redis.tls.key_file", "holds no key of our cert"},
        {"ca.pem", "client.pem", "client.pem", "redis.tls.key_file", "holds no key"},
        {"ca.pem", "client.pem", "locked.key", "redis.tls.key_file", "holds no key"},
        {"ca.pem", "client.pem", "client.key", NULL, NULL},
        {NULL, NULL, NULL, NULL, NULL},
    };
    struct tls_server tls;
    if (!tls_server_open(&tls, "server.pem", "no"))
        return;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct err err = {0, ""};
        const char *option = NULL;
        struct redis_url url = url_of("rediss", "localhost", 1);
        url.ca_file = CASES[i].ca != NULL ? mem_strdup(cert(CASES[i].ca)) : NULL;
        url.cert_file = CASES[i].cert != NULL ? mem_strdup(cert(CASES[i].cert)) : NULL;
        url.key_file = CASES[i].key != NULL ? mem_strdup(cert(CASES[i].key)) : NULL;
        int rc = wire_check_files(&url, &option, &err);
        ck_assert_msg(rc == (CASES[i].option != NULL ? ERR_CONFIG : 0), "%zu: %s", i, err.text);
        if (rc < 0) {
            ck_assert_str_eq(option, CASES[i].option);
            says(&err, CASES[i].words);
        }
        redis_url_fini(&url);
    }
    tls_server_close(&tls);
}
END_TEST

START_TEST(a_file_that_becomes_wrong_later_is_waited_for)
{
    struct tls_server tls;
    struct err err = {0, ""};
    if (!tls_server_open(&tls, "server.pem", "no"))
        return;
    struct redis_url url = tls_url(&tls, "localhost");
    free(url.ca_file);
    url.ca_file = mem_strdup(cert("nowhere.pem"));
    ck_assert_int_eq(ping(&url, &err), ERR_RETRY);
    ck_assert_int_eq(err.code, ERR_RETRY);
    says(&err, "redis.tls.ca_file: '");
    redis_url_fini(&url);
    tls_server_close(&tls);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {a_server_is_spoken_with_by_name_and_by_address,
                                  one_whose_certificate_is_not_good_is_not_and_it_is_said_why,
                                  a_server_that_wants_to_know_who_we_are_is_shown_it,
                                  a_link_logs_in_over_it,
                                  a_port_of_tls_alone_is_suspected,
                                  a_port_that_does_not_answer_is_suspected_to_be_without_tls,
                                  a_port_that_answers_otherwise_has_no_tls,
                                  a_refused_certificate_is_tried_again_and_said,
                                  a_question_is_answered_over_it,
                                  much_goes_both_ways_in_pieces_of_any_size,
                                  what_is_decrypted_already_is_not_waited_for,
                                  a_handshake_that_is_not_answered_blocks_nobody_and_burns_no_time,
                                  a_server_that_dies_ends_the_connection,
                                  files_that_are_wrong_are_found_at_the_start,
                                  a_file_that_becomes_wrong_later_is_waited_for};
    char command[128];
    if (mkdtemp(certs) == NULL)
        return EXIT_FAILURE;
    (void)snprintf(command, sizeof command, "tests/kit/certs.sh %s", certs);
    int rc =
        system(command) == 0 ? unit_run("tls", tests, sizeof tests / sizeof *tests) : EXIT_FAILURE;
    (void)snprintf(command, sizeof command, "rm -r %s", certs);
    return system(command) == 0 ? rc : EXIT_FAILURE;
}
