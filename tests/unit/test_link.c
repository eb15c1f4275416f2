/* The link: against a redis-server of its own, and against a wire of which the test has both ends.
 * The link is told the time, so nothing here waits for seconds to pass. */
#include <string.h>

#include "redis_kit.h"
#include "sink/link.h"
#include "tidewheel/batch.h"
#include "tidewheel/mem.h"
#include "tidewheel/store.h"

enum { MIB = 1024 * 1024 };

struct peer {
    struct redis_url url;
    struct link link;
    struct err err;
    int rc;
    int ups;
    int64_t mono_ms;
};

static void peer_open(struct peer *peer, struct wire *wire, const char *url)
{
    *peer = (struct peer){.mono_ms = 1000000};
    ck_assert_int_eq(redis_url_parse(url, &peer->url, &peer->err), 0);
    link_init(&peer->link, wire != NULL ? wire : wire_socket_new(&peer->url), &peer->url, "redis",
              7);
}

/* login: "user:password@" or nothing; query: "?db=3" or nothing. */
static void peer_open_at(struct peer *peer, const struct server *server, const char *login,
                         const char *query)
{
    char url[192];
    (void)snprintf(url, sizeof url, "unix://%s%s%s", login, server->socket, query);
    peer_open(peer, NULL, url);
}

static void peer_close(struct peer *peer)
{
    link_fini(&peer->link);
    redis_url_fini(&peer->url);
}

static void pump(struct peer *peer)
{
    bool is_up = false;
    peer->rc = link_pump(&peer->link, peer->mono_ms, &is_up, &peer->err);
    peer->ups += is_up;
}

static bool is_up(const struct peer *peer)
{
    return peer->link.state == LINK_UP;
}

static bool is_away(const struct peer *peer)
{
    return peer->link.state == LINK_AWAY;
}

static bool has_failed(const struct peer *peer)
{
    return peer->rc < 0;
}

static void until(struct peer *peer, bool (*is)(const struct peer *peer))
{
    int64_t deadline_ms = clock_mono_ms() + WAIT_MS;
    for (;;) {
        pump(peer);
        if (is(peer))
            return;
        ck_assert_msg(clock_mono_ms() < deadline_ms, "it does not come");
        link_wait(&peer->link, 1);
        peer->mono_ms += 5;
    }
}

static void fails_with(struct peer *peer, const char *text)
{
    until(peer, has_failed);
    ck_assert_int_eq(peer->rc, ERR_FATAL);
    ck_assert_msg(strstr(peer->err.text, text) != NULL, "%s", peer->err.text);
}

static void say(struct peer *peer, const char *verb, const char *word)
{
    struct buf bytes = {NULL, 0, 0};
    resp_command(&bytes, (const char *const[]){verb, word}, 2);
    link_say(&peer->link, &bytes, 1, peer->mono_ms);
    buf_fini(&bytes);
}

static void is_next(struct peer *peer, const char *text)
{
    int64_t deadline_ms = clock_mono_ms() + WAIT_MS;
    redisReply *reply = NULL;
    while ((reply = link_next(&peer->link, peer->mono_ms)) == NULL) {
        ck_assert_msg(clock_mono_ms() < deadline_ms && is_up(peer), "no reply");
        link_wait(&peer->link, 1);
        pump(peer);
    }
    ck_assert_str_eq(reply->str, text);
    freeReplyObject(reply);
}

/* ---- with a server ---- */

START_TEST(it_logs_in_and_is_answered_in_order)
{
    struct server server;
    struct peer peer;
    if (!has_server("link"))
        return;
    server_open(&server, OPTIONS("--requirepass", "right"));
    is_answer(&server, "AUTH right", "OK");
    is_answer(&server, "SELECT 3", "OK");
    is_answer(&server, "SET k there", "OK");
    peer_open_at(&peer, &server, "default:right@", "?db=3");
    until(&peer, is_up);
    say(&peer, "ECHO", "a");
    say(&peer, "GET", "k");
    say(&peer, "ECHO", "b");
    is_next(&peer, "a");
    is_next(&peer, "there");
    is_next(&peer, "b");
    ck_assert_ptr_null(link_next(&peer.link, peer.mono_ms));
    ck_assert_int_eq(peer.ups, 1);
    peer_close(&peer);
    server_close(&server);
}
END_TEST

START_TEST(it_comes_back_after_the_server_was_killed)
{
    struct server server;
    struct peer peer;
    if (!has_server("link"))
        return;
    server_open(&server, NO_OPTIONS);
    peer_open_at(&peer, &server, "", "");
    until(&peer, is_up);
    link_is_fine(&peer.link);
    server_kill(&server);
    until(&peer, is_away); /* noticed though nothing was asked */
    ck_assert(!peer.link.is_well);
    for (int i = 0; i < 20; i++) {
        peer.mono_ms += 1000;
        pump(&peer);
        ck_assert(is_away(&peer) && peer.rc == 0);
    }
    server_start(&server, NO_OPTIONS);
    until(&peer, is_up);
    ck_assert_int_eq(peer.ups, 2);
    say(&peer, "ECHO", "a");
    is_next(&peer, "a");
    peer_close(&peer);
    server_close(&server);
}
END_TEST

START_TEST(a_server_on_tcp_is_reached_by_its_name)
{
    struct server server;
    struct peer peer;
    if (!has_server("link"))
        return;
    server_open(&server, NO_OPTIONS);
    char text[64];
    int port = 0;
    for (int i = 0; i < 100 && port == 0; i++) { /* somebody else may have it */
        int next = 20000 + (int)((getpid() * 131 + i * 977) % 40000);
        (void)snprintf(text, sizeof text, "CONFIG SET port %d", next);
        if (strcmp(ask(&server, text), "OK") == 0)
            port = next;
    }
    ck_assert_int_ne(port, 0);
    (void)snprintf(text, sizeof text, "redis://localhost:%d", port);
    peer_open(&peer, NULL, text);
    until(&peer, is_up);
    say(&peer, "ECHO", "a");
    is_next(&peer, "a");
    peer_close(&peer);
    (void)snprintf(text, sizeof text, "redis://127.0.0.1:%d", port);
    is_answer(&server, "CONFIG SET port 0", "OK");
    peer_open(&peer, NULL, text);
    for (int i = 0; i < 20; i++) {
        pump(&peer);
        ck_assert(!is_up(&peer) && peer.rc == 0);
        peer.mono_ms += 500;
    }
    peer_close(&peer);
    server_close(&server);
}
END_TEST

START_TEST(a_server_that_may_evict_is_refused_with_both_ways_out)
{
    static const char *const POLICIES[] = {"allkeys-lru", "volatile-ttl"};
    struct server server;
    struct peer peer;
    if (!has_server("link"))
        return;
    server_open(&server, NO_OPTIONS);
    for (size_t i = 0; i < 2; i++) {
        char command[64];
        (void)snprintf(command, sizeof command, "CONFIG SET maxmemory-policy %s", POLICIES[i]);
        is_answer(&server, command, "OK");
        peer_open_at(&peer, &server, "", "");
        fails_with(&peer, POLICIES[i]);
        ck_assert_ptr_nonnull(strstr(peer.err.text, "keys may vanish without a trace"));
        ck_assert_ptr_nonnull(strstr(peer.err.text, "CONFIG SET maxmemory-policy noeviction"));
        ck_assert_ptr_nonnull(strstr(peer.err.text, "redis.allow_eviction: true"));
        ck_assert(!is_up(&peer));
        peer_close(&peer);
    }
    server_close(&server);
}
END_TEST

static int count_in(const char *text, const char *word)
{
    int count = 0;
    for (; (text = strstr(text, word)) != NULL; text++)
        count++;
    return count;
}

START_TEST(eviction_that_is_allowed_is_warned_of_once_a_connection)
{
    struct server server;
    struct peer peer;
    struct capture capture;
    if (!has_server("link"))
        return;
    server_open(&server, OPTIONS("--maxmemory-policy", "allkeys-lru"));
    peer_open_at(&peer, &server, "", "");
    peer.link.allows_eviction = true;
    capture_begin(&capture);
    for (int i = 0; i < 3; i++) {
        until(&peer, is_up);
        say(&peer, "ECHO", "a");
        is_next(&peer, "a");
        link_fail(&peer.link, peer.mono_ms, "try");
    }
    capture_end(&capture);
    ck_assert_int_eq(count_in(capture.text, "level=warn at=redis policy=allkeys-lru"), 3);
    peer_close(&peer);
    server_close(&server);
}
END_TEST

START_TEST(a_replica_is_refused_until_it_is_promoted)
{
    struct server server;
    struct peer peer;
    struct capture capture;
    if (!has_server("link"))
        return;
    server_open(&server, OPTIONS("--replicaof", "127.0.0.1 1"));
    peer_open_at(&peer, &server, "", "");
    capture_begin(&capture);
    for (int i = 0; i < 100; i++) {
        pump(&peer);
        ck_assert(!is_up(&peer) && peer.rc == 0);
        peer.mono_ms += 100;
        link_wait(&peer.link, is_away(&peer) ? 0 : 1);
    }
    capture_end(&capture);
    ck_assert_ptr_nonnull(
        strstr(capture.text, "state=away why=\"this is a replica: name the primary\""));
    is_answer(&server, "REPLICAOF NO ONE", "OK");
    until(&peer, is_up);
    peer_close(&peer);
    server_close(&server);
}
END_TEST

START_TEST(a_wrong_password_is_fatal_after_five_tries)
{
    struct server server;
    struct peer peer;
    if (!has_server("link"))
        return;
    server_open(&server, OPTIONS("--requirepass", "right"));
    peer_open_at(&peer, &server, ":hunter2@", "");
    int tries = 0;
    for (; tries < 20 && peer.rc == 0; tries++) {
        peer.mono_ms += 5000;
        do {
            pump(&peer);
            link_wait(&peer.link, 1);
        } while (!is_away(&peer) && peer.rc == 0);
    }
    ck_assert_int_eq(tries, 5);
    ck_assert_int_eq(peer.rc, ERR_FATAL);
    ck_assert_ptr_nonnull(strstr(peer.err.text, "the user or password in redis.url is wrong"));
    ck_assert_ptr_null(strstr(peer.err.text, "hunter2"));
    peer_close(&peer);
    server_close(&server);
}
END_TEST

START_TEST(a_user_who_may_not_ask_for_info_goes_on_with_a_warning)
{
    struct server server;
    struct peer peer;
    struct capture capture;
    if (!has_server("link"))
        return;
    server_open(&server, NO_OPTIONS);
    is_answer(&server, "ACL SETUSER w on >pw ~* +@all -info", "OK");
    peer_open_at(&peer, &server, "w:pw@", "");
    capture_begin(&capture);
    until(&peer, is_up);
    capture_end(&capture);
    ck_assert_ptr_nonnull(strstr(capture.text, "level=warn at=redis why=\"NOPERM"));
    say(&peer, "ECHO", "a");
    is_next(&peer, "a");
    peer_close(&peer);
    is_answer(&server, "ACL SETUSER w -select", "OK"); /* any other right is one that is needed */
    peer_open_at(&peer, &server, "w:pw@", "?db=1");
    fails_with(&peer, "the Redis user lacks a right");
    peer_close(&peer);
    server_close(&server);
}
END_TEST

START_TEST(a_reply_never_belongs_to_an_earlier_connection)
{
    struct server server;
    struct peer peer;
    if (!has_server("link"))
        return;
    server_open(&server, NO_OPTIONS);
    peer_open_at(&peer, &server, "", "");
    until(&peer, is_up);
    /* Received, but not handed out when the connection fails. */
    say(&peer, "ECHO", "old 1");
    say(&peer, "ECHO", "old 2");
    is_next(&peer, "old 1");
    link_fail(&peer.link, peer.mono_ms, "try");
    ck_assert_ptr_null(link_next(&peer.link, peer.mono_ms));
    until(&peer, is_up);
    say(&peer, "ECHO", "new 1");
    is_next(&peer, "new 1");
    /* Said to a server that answers when nobody listens any more. */
    (void)kill(server.pid, SIGSTOP);
    say(&peer, "ECHO", "old 3");
    peer.mono_ms += LINK_ANSWER_MS;
    pump(&peer);
    ck_assert(is_away(&peer));
    (void)kill(server.pid, SIGCONT);
    until(&peer, is_up);
    ck_assert_ptr_null(link_next(&peer.link, peer.mono_ms));
    say(&peer, "ECHO", "new 2");
    is_next(&peer, "new 2");
    ck_assert_uint_eq(peer.link.due, 0);
    peer_close(&peer);
    server_close(&server);
}
END_TEST

/* ---- with a wire of our own ---- */

struct fake {
    struct wire wire;
    struct buf heard; /* of this connection */
    struct buf told;  /* not received yet */
    size_t room;      /* of a send */
    bool is_closed;   /* open() fails */
    bool is_freed;
    int opens;
};

static struct fake *fake_of(const struct wire *wire)
{
    return (struct fake *)(uintptr_t)wire;
}

static int fake_open(struct wire *wire, struct err *err)
{
    struct fake *fake = fake_of(wire);
    fake->opens++;
    buf_reset(&fake->heard);
    return fake->is_closed ? err_set(err, ERR_RETRY, "nobody there") : 0;
}

static int fake_is_open(struct wire *wire, struct err *err)
{
    (void)wire;
    (void)err;
    return 1;
}

static ssize_t fake_send(struct wire *wire, const char *ptr, size_t len, struct err *err)
{
    (void)err;
    struct fake *fake = fake_of(wire);
    size_t sent = len < fake->room ? len : fake->room;
    fake->room -= sent;
    buf_add(&fake->heard, ptr, sent);
    return (ssize_t)sent;
}

static ssize_t fake_recv(struct wire *wire, char *ptr, size_t cap, struct err *err)
{
    (void)err;
    struct fake *fake = fake_of(wire);
    size_t got = fake->told.len < cap ? fake->told.len : cap;
    memcpy(ptr, fake->told.ptr, got);
    memmove(fake->told.ptr, fake->told.ptr + got, fake->told.len - got);
    fake->told.len -= got;
    return (ssize_t)got;
}

static void fake_wait(struct wire *wire, bool for_sending, int64_t wait_ms)
{
    (void)wire;
    (void)for_sending;
    (void)wait_ms;
}

static void fake_hang_up(struct wire *wire)
{
    buf_reset(&fake_of(wire)->told);
}

static void fake_free(struct wire *wire)
{
    struct fake *fake = fake_of(wire);
    buf_fini(&fake->heard);
    buf_fini(&fake->told);
    fake->is_freed = true;
}

static const struct wire_ops fake_ops = {fake_open, fake_is_open, fake_send, fake_recv,
                                         fake_wait, fake_hang_up, fake_free};

static void fake_begin(struct fake *fake, struct peer *peer)
{
    log_open(LOG_ERROR, false);
    *fake = (struct fake){.wire = {&fake_ops}, .room = SIZE_MAX};
    fake->told.ptr = mem_alloc(1);
    fake->told.cap = 1;
    peer_open(peer, &fake->wire, "redis://h");
}

static void tell_bulk(struct fake *fake, const char *text)
{
    buf_printf(&fake->told, "$%zu\r\n%s\r\n", strlen(text), text);
}

static const char GOOD[] = "# Memory\r\nmaxmemory_policy:noeviction\r\n# Replication\r\n"
                           "role:master\r\n# Cluster\r\ncluster_enabled:0\r\n";

static void come_up(struct fake *fake, struct peer *peer)
{
    pump(peer);
    ck_assert_int_eq(peer->link.state, LINK_GREETING);
    tell_bulk(fake, GOOD);
    pump(peer);
    ck_assert(is_up(peer));
    buf_reset(&fake->heard);
}

START_TEST(what_info_says_is_judged)
{
    static const struct {
        const char *info;
        enum link_state state;
        const char *text; /* of ERR_FATAL; NULL: it is none */
    } rows[] = {
        {GOOD, LINK_UP, NULL},
        {"", LINK_UP, NULL},                             /* says nothing: warned of */
        {"maxmemory_policy:allkeys-lru", LINK_UP, NULL}, /* no line of its own */
        {"\r\nmaxmemory_policy:allkeys-lfu\r\n", LINK_GREETING, "Redis is allkeys-lfu: "},
        {"\r\nmaxmemory_policy:allkeys-lfu", LINK_GREETING, "Redis is allkeys-lfu: "},
        {"\r\nmaxmemory_policy:noeviction\r\nrole:slave\r\n", LINK_AWAY, NULL},
        {"\r\nmaxmemory_policy:allkeys-lru\r\nrole:slave\r\n", LINK_AWAY, NULL},
        {"\r\nrole:master\r\ncluster_enabled:1\r\n", LINK_GREETING,
         "Redis Cluster is not supported: name a single primary"},
        {"\r\nrole:slave\r\ncluster_enabled:1\r\n", LINK_GREETING, "Redis Cluster"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fake fake;
        struct peer peer;
        fake_begin(&fake, &peer);
        pump(&peer);
        ck_assert_str_eq(buf_text(&fake.heard), "*1\r\n$4\r\nINFO\r\n");
        tell_bulk(&fake, rows[i].info);
        pump(&peer);
        ck_assert_msg(peer.link.state == rows[i].state, "row %zu: %d", i, (int)peer.link.state);
        ck_assert_int_eq(peer.rc, rows[i].text != NULL ? ERR_FATAL : 0);
        if (rows[i].text != NULL)
            ck_assert_msg(strstr(peer.err.text, rows[i].text) != NULL, "%s", peer.err.text);
        peer_close(&peer);
        ck_assert(fake.is_freed);
    }
}
END_TEST

START_TEST(greetings_that_make_no_sense_are_hung_up_on)
{
    static const char *const SAID[] = {"+OK\r\n",          "*0\r\n",    "$-1\r\n",
                                       ":1\r\n",           "hello\r\n", "$3\r\nabc\r\n+more\r\n",
                                       "-LOADING wait\r\n"};
    for (size_t i = 0; i < sizeof SAID / sizeof *SAID; i++) {
        struct fake fake;
        struct peer peer;
        fake_begin(&fake, &peer);
        pump(&peer);
        buf_add_text(&fake.told, SAID[i]);
        pump(&peer);
        ck_assert_msg(is_away(&peer) && peer.rc == 0, "row %zu", i);
        peer_close(&peer);
    }
}
END_TEST

START_TEST(what_nobody_asked_for_is_a_failure)
{
    struct fake fake;
    struct peer peer;
    fake_begin(&fake, &peer);
    come_up(&fake, &peer);
    say(&peer, "ECHO", "a");
    buf_add_text(&fake.told, "$1\r\na\r\n$1\r\nb\r\n");
    pump(&peer);
    is_next(&peer, "a");
    ck_assert_ptr_null(link_next(&peer.link, peer.mono_ms));
    pump(&peer);
    ck_assert(is_away(&peer));
    peer_close(&peer);
}
END_TEST

START_TEST(bytes_go_out_as_there_is_room_and_in_order)
{
    struct fake fake;
    struct peer peer;
    fake_begin(&fake, &peer);
    come_up(&fake, &peer);
    fake.room = 5;
    say(&peer, "ECHO", "a");
    ck_assert_str_eq(buf_text(&fake.heard), "*2\r\n$");
    say(&peer, "ECHO", "b");
    for (int i = 0; i < 100; i++) {
        fake.room = 3;
        pump(&peer);
    }
    ck_assert_str_eq(buf_text(&fake.heard),
                     "*2\r\n$4\r\nECHO\r\n$1\r\na\r\n*2\r\n$4\r\nECHO\r\n$1\r\nb\r\n");
    fake.room = 0;
    say(&peer, "ECHO", "c");
    link_fail(&peer.link, peer.mono_ms, "try");
    fake.room = SIZE_MAX;
    peer.mono_ms += 1000;
    pump(&peer);
    ck_assert_str_eq(buf_text(&fake.heard), "*1\r\n$4\r\nINFO\r\n"); /* and nothing of "c" */
    peer_close(&peer);
}
END_TEST

START_TEST(silence_of_five_seconds_is_a_failure_but_slowness_is_not)
{
    struct fake fake;
    struct peer peer;
    fake_begin(&fake, &peer);
    come_up(&fake, &peer);
    peer.mono_ms += 60000; /* nothing is due */
    pump(&peer);
    ck_assert(is_up(&peer));
    say(&peer, "ECHO", "a");
    for (const char *byte = "$1\r\na\r"; *byte != '\0'; byte++) {
        peer.mono_ms += LINK_ANSWER_MS - 1;
        buf_add_char(&fake.told, *byte);
        pump(&peer);
        ck_assert(is_up(&peer));
        ck_assert_ptr_null(link_next(&peer.link, peer.mono_ms));
    }
    peer.mono_ms += LINK_ANSWER_MS - 1;
    pump(&peer);
    ck_assert(is_up(&peer));
    peer.mono_ms += 1;
    pump(&peer);
    ck_assert(is_away(&peer));
    peer_close(&peer);
}
END_TEST

START_TEST(an_answer_that_was_there_in_time_counts_however_late_it_is_looked_at)
{
    struct fake fake;
    struct peer peer;
    fake_begin(&fake, &peer);
    come_up(&fake, &peer);
    say(&peer, "ECHO", "a");
    tell_bulk(&fake, "a");
    peer.mono_ms += 100 * LINK_ANSWER_MS; /* the process was stopped, say */
    pump(&peer);
    is_next(&peer, "a");
    ck_assert(is_up(&peer));
    peer_close(&peer);
}
END_TEST

START_TEST(a_reply_has_at_most_64_mib_but_all_together_may_have_more)
{
    struct fake fake;
    struct peer peer;
    fake_begin(&fake, &peer);
    come_up(&fake, &peer);
    char *block = mem_zalloc(MIB);
    for (int i = 0; i < 5; i++) {
        say(&peer, "GET", "k");
        buf_printf(&fake.told, "$%d\r\n", 16 * MIB);
        redisReply *reply = NULL;
        for (int k = 0; k < 16; k++) {
            buf_add(&fake.told, block, MIB);
            while (fake.told.len > 0)
                pump(&peer);
            ck_assert_ptr_null(link_next(&peer.link, peer.mono_ms));
        }
        buf_add_text(&fake.told, "\r\n");
        pump(&peer);
        reply = link_next(&peer.link, peer.mono_ms);
        ck_assert(reply != NULL && reply->len == 16 * MIB);
        freeReplyObject(reply);
    }
    say(&peer, "GET", "k");
    buf_printf(&fake.told, "*2\r\n$%d\r\n", 80 * MIB);
    size_t taken = 0;
    while (taken < 80 && is_up(&peer)) {
        buf_add(&fake.told, block, MIB);
        taken++;
        for (int k = 0; k < 8; k++)
            pump(&peer);
        ck_assert_ptr_null(link_next(&peer.link, peer.mono_ms));
    }
    ck_assert_uint_ge(taken, 64);
    ck_assert_uint_le(taken, 65);
    ck_assert(is_away(&peer));
    free(block);
    peer_close(&peer);
}
END_TEST

START_TEST(tries_are_further_and_further_apart_until_it_is_fine)
{
    struct fake fake;
    struct peer peer;
    fake_begin(&fake, &peer);
    for (int round = 0; round < 2; round++) {
        fake.is_closed = true;
        if (round > 0) {
            link_is_fine(&peer.link);
            link_fail(&peer.link, peer.mono_ms, "try");
        } else {
            pump(&peer);
        }
        int64_t back_off_ms = 50;
        for (int i = 0; i < 10; i++) {
            int opens = fake.opens;
            int64_t waited_ms = 0;
            for (; fake.opens == opens; waited_ms++) {
                peer.mono_ms++;
                pump(&peer);
            }
            ck_assert_int_ge(waited_ms, back_off_ms);
            ck_assert_int_le(waited_ms, 2 * back_off_ms);
            back_off_ms = back_off_ms * 2 < 2000 ? back_off_ms * 2 : 2000;
        }
        fake.is_closed = false;
        peer.mono_ms += 5000;
        come_up(&fake, &peer);
    }
    peer_close(&peer);
}
END_TEST

START_TEST(the_first_failure_is_always_said_and_the_rest_now_and_then)
{
    struct fake fake;
    struct peer peer;
    struct capture capture;
    fake_begin(&fake, &peer);
    capture_begin(&capture);
    for (int i = 0; i < 3; i++) {
        come_up(&fake, &peer);
        link_is_fine(&peer.link);
        link_fail(&peer.link, peer.mono_ms, "the cable");
        fake.is_closed = true;
        for (int k = 0; k < 20; k++) {
            peer.mono_ms += 5000;
            pump(&peer);
        }
        fake.is_closed = false;
        peer.mono_ms += 5000;
    }
    capture_end(&capture);
    ck_assert_int_eq(count_in(capture.text, "level=info at=redis state=ready"), 3);
    ck_assert_int_eq(count_in(capture.text, "level=warn at=redis state=away why=\"the cable\""), 3);
    ck_assert_int_eq(count_in(capture.text, "why=\"nobody there\""), 1);
    peer_close(&peer);
}
END_TEST

START_TEST(refusals_are_waited_out_or_told)
{
    struct fake fake;
    struct peer peer;
    fake_begin(&fake, &peer);
    for (int i = 0; i < 20; i++) { /* of no credentials: never for a person */
        come_up(&fake, &peer);
        ck_assert_int_eq(link_refuse(&peer.link, peer.mono_ms, "OOM command", &peer.err), 0);
        ck_assert(is_away(&peer));
        peer.mono_ms += 5000;
    }
    for (int i = 0; i < 20; i++) { /* of credentials, but not in a row */
        come_up(&fake, &peer);
        ck_assert_int_eq(link_refuse(&peer.link, peer.mono_ms, "NOPERM x", &peer.err), 0);
        peer.mono_ms += 5000;
        come_up(&fake, &peer);
        link_is_fine(&peer.link);
        link_fail(&peer.link, peer.mono_ms, "try");
        peer.mono_ms += 5000;
    }
    come_up(&fake, &peer);
    ck_assert_int_eq(link_refuse(&peer.link, peer.mono_ms, "MOVED 1 h:1", &peer.err), ERR_FATAL);
    peer_close(&peer);
}
END_TEST

UNIT_MAIN("link", it_logs_in_and_is_answered_in_order, it_comes_back_after_the_server_was_killed,
          a_server_on_tcp_is_reached_by_its_name,
          a_server_that_may_evict_is_refused_with_both_ways_out,
          eviction_that_is_allowed_is_warned_of_once_a_connection,
          a_replica_is_refused_until_it_is_promoted, a_wrong_password_is_fatal_after_five_tries,
          a_user_who_may_not_ask_for_info_goes_on_with_a_warning,
          a_reply_never_belongs_to_an_earlier_connection, what_info_says_is_judged,
          greetings_that_make_no_sense_are_hung_up_on, what_nobody_asked_for_is_a_failure,
          bytes_go_out_as_there_is_room_and_in_order,
          silence_of_five_seconds_is_a_failure_but_slowness_is_not,
          an_answer_that_was_there_in_time_counts_however_late_it_is_looked_at,
          a_reply_has_at_most_64_mib_but_all_together_may_have_more,
          tries_are_further_and_further_apart_until_it_is_fine,
          the_first_failure_is_always_said_and_the_rest_now_and_then,
          refusals_are_waited_out_or_told)
