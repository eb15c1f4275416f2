#include "unit.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tidewheel/buf.h"
#include "tidewheel/clock.h"
#include "tidewheel/http.h"
#include "tidewheel/log.h"

enum { WORKERS = 2, WAIT_MS = 20000, ANSWER_MAX = 1 << 20 };

static struct board *boards[WORKERS + 1];
static struct display display;
static struct http *http;
static struct err err;
static char answer[ANSWER_MAX];

static void open_at(const char *listen)
{
    ck_assert_msg(http_open(listen, &display, &http, &err) == 0, "%s", err.text);
}

/* A process that is well. */
static void open_all(void)
{
    log_open(LOG_ERROR, false);
    for (int i = 0; i < WORKERS; i++) {
        boards[i] = board_new(i);
        cell_set(&boards[i]->cells[BOARD_PHASE], PHASE_RUNNING);
        cell_set(&boards[i]->cells[BOARD_TURN_MS], clock_mono_ms());
        cell_set(&boards[i]->cells[BOARD_KAFKA_UP], 1);
        cell_set(&boards[i]->cells[BOARD_REDIS_UP], 1);
        cell_set(&boards[i]->cells[BOARD_OWNED], 1);
        struct board_unit *unit = board_unit(boards[i], "t", i);
        cell_set(&unit->cells[UNIT_STAGE], STAGE_LIVE);
        cell_set(&unit->cells[UNIT_POSITION], 10 + i);
        cell_set(&unit->cells[UNIT_END], 12);
        (void)board_view(boards[i], "v");
    }
    boards[WORKERS] = board_new(-1);
    cell_set(&boards[WORKERS]->cells[BOARD_PHASE], PHASE_RUNNING);
    cell_set(&boards[WORKERS]->cells[BOARD_TURN_MS], clock_mono_ms());
    display = (struct display){.boards = (const struct board *const *)boards,
                               .board_count = WORKERS + 1,
                               .version = "1.2.3",
                               .kafka_version = "2.0.2",
                               .redis_version = "0.14.1",
                               .memory_limit = 4096};
    open_at("127.0.0.1:0");
}

static void close_all(void)
{
    http_close(http);
    http = NULL;
    for (int i = 0; i <= WORKERS; i++)
        board_free(boards[i]);
}

/* ---- a client of bytes ---- */

static int call_server(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)http_port(http)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void say(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, text, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return; /* it has hung up, which is an answer, too */
        text += sent;
        len -= (size_t)sent;
    }
}

/* Whatever comes until the server hangs up; how many bytes. */
static size_t hear(int fd)
{
    size_t len = 0;
    int64_t deadline_ms = clock_mono_ms() + WAIT_MS;
    for (;;) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        ck_assert_msg(clock_mono_ms() < deadline_ms, "the server does not hang up");
        if (poll(&ready, 1, 100) <= 0)
            continue;
        ssize_t got = recv(fd, answer + len, ANSWER_MAX - 1 - len, 0);
        if (got <= 0)
            break;
        len += (size_t)got;
    }
    answer[len] = '\0';
    return len;
}

static void ask_raw(const char *text)
{
    int fd = call_server();
    say(fd, text, strlen(text));
    (void)hear(fd);
    (void)close(fd);
}

static void ask_of(const char *method, const char *path, const char *host)
{
    char text[1024];
    (void)snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: %s\r\n\r\n", method, path, host);
    ask_raw(text);
}

static void get(const char *path)
{
    ask_of("GET", path, "localhost");
}

static int status(void)
{
    int found = 0;
    return sscanf(answer, "HTTP/1.1 %d ", &found) == 1 ? found : -1;
}

static const char *body(void)
{
    const char *at = strstr(answer, "\r\n\r\n");
    return at != NULL ? at + 4 : "";
}

static bool has_header(const char *line)
{
    const char *at = strcasestr(answer, line);
    return at != NULL && at < body() && at[strlen(line)] == '\r';
}

/* ---- what is there ---- */

START_TEST(metrics_come_with_their_content_type_and_length)
{
    get("/metrics");
    ck_assert_int_eq(status(), 200);
    ck_assert(has_header("Content-Type: text/plain; version=0.0.4; charset=utf-8"));
    ck_assert(has_header("Cache-Control: no-store"));
    char length[64];
    (void)snprintf(length, sizeof length, "Content-Length: %zu", strlen(body()));
    ck_assert(has_header(length));
    ck_assert_ptr_nonnull(strstr(body(), "\ntidewheel_ready 1\n"));
}
END_TEST

START_TEST(head_has_everything_but_the_body)
{
    get("/version");
    size_t len = strlen(body());
    ask_of("HEAD", "/version", "localhost");
    ck_assert_int_eq(status(), 200);
    ck_assert_str_eq(body(), "");
    char length[64];
    (void)snprintf(length, sizeof length, "Content-Length: %zu", len);
    ck_assert(has_header(length));
    ck_assert(has_header("Content-Type: application/json"));
}
END_TEST

START_TEST(version_says_all_three)
{
    get("/version");
    ck_assert_str_eq(body(),
                     "{\"version\":\"1.2.3\",\"librdkafka\":\"2.0.2\",\"hiredis\":\"0.14.1\"}\n");
}
END_TEST

START_TEST(state_has_a_row_for_each_partition)
{
    cell_set(&boards[0]->cells[BOARD_RECORDS], 1);
    get("/debug/state");
    ck_assert_int_eq(status(), 200);
    ck_assert(has_header("Content-Type: application/json"));
    ck_assert_ptr_nonnull(strstr(
        body(), "{\"topic\":\"t\",\"partition\":0,\"worker\":0,\"state\":\"live\",\"start\":null,"
                "\"position\":10,\"live_at\":null,\"durable\":null,\"committed\":null,\"end\":12,"
                "\"entities\":null,\"bytes\":null,\"record_ms\":null,\"checkpoint_ms\":null,"
                "\"lag\":2},\n"));
    ck_assert_ptr_nonnull(strstr(body(), "\"partition\":1,\"worker\":1,"));
    ck_assert_ptr_nonnull(strstr(body(), ",\"topics_missing\":[],"));
}
END_TEST

START_TEST(a_path_that_is_none_is_404)
{
    static const char *const PATHS[] = {
        "/", "/metric", "/metrics/", "/debug", "/../etc/passwd", "/%2e%2e/metrics", "//metrics"};
    for (size_t i = 0; i < sizeof PATHS / sizeof *PATHS; i++) {
        get(PATHS[i]);
        ck_assert_msg(status() == 404, "%s: %d", PATHS[i], status());
    }
}
END_TEST

START_TEST(nothing_may_be_asked_across_origins)
{
    ask_raw("GET /metrics HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\r\n");
    ck_assert_int_eq(status(), 200);
    ck_assert_ptr_null(strcasestr(answer, "Access-Control"));
}
END_TEST

/* ---- alive and ready ---- */

START_TEST(a_worker_that_hangs_is_named)
{
    get("/livez");
    ck_assert_int_eq(status(), 200);
    ck_assert_str_eq(body(), "ok\n");
    cell_set(&boards[1]->cells[BOARD_TURN_MS], clock_mono_ms() - 31000);
    get("/livez");
    ck_assert_int_eq(status(), 503);
    ck_assert_str_eq(body(), "worker 1 has not begun a turn for 31 s\n");
    cell_set(&boards[1]->cells[BOARD_PHASE], PHASE_DRAINING); /* a drain has its own deadline */
    get("/livez");
    ck_assert_int_eq(status(), 200);
}
END_TEST

START_TEST(a_redis_that_is_away_does_not_make_it_dead)
{
    cell_set(&boards[0]->cells[BOARD_REDIS_UP], 0);
    cell_set(&boards[0]->cells[BOARD_KAFKA_UP], 0);
    cell_set(&boards[0]->cells[BOARD_PAUSED], 1);
    get("/livez");
    ck_assert_int_eq(status(), 200);
}
END_TEST

static const struct {
    int board;
    enum board_cell cell;
    int64_t value;
    const char *line;
} UNREADY[] = {
    {1, BOARD_OWNED, -1, "[-]group joined failed: worker 1 is no member of the group\n"},
    {0, BOARD_OWNED, 2, "[-]caught up failed: worker 0 has 1 of 2 partitions live\n"},
    {0, BOARD_KAFKA_UP, 0, "[-]kafka failed: worker 0 has no answer\n"},
    {1, BOARD_REDIS_UP, 0, "[-]redis failed: worker 1 has no answer\n"},
    {1, BOARD_PAUSED, 1, "[-]intake failed: worker 1 takes no records\n"},
    {0, BOARD_PHASE, PHASE_IDLE, "[-]running failed: worker 0 is not running yet\n"},
    {1, BOARD_PHASE, PHASE_ENDED, "[-]running failed: worker 1 has ended\n"},
    {0, BOARD_LETTERS_FAIL, 1, "[-]dead_letters failed: worker 0 has 0 that Kafka does not take\n"},
    {WORKERS, BOARD_PHASE, PHASE_DRAINING, "[-]shutdown failed: the process drains\n"},
};

START_TEST(each_reason_makes_it_unready)
{
    cell_set(&boards[UNREADY[_i].board]->cells[UNREADY[_i].cell], UNREADY[_i].value);
    get("/readyz");
    ck_assert_int_eq(status(), 503);
    ck_assert_msg(strstr(body(), UNREADY[_i].line) != NULL, "%s", body());
    get("/metrics");
    ck_assert_ptr_nonnull(strstr(body(), "\ntidewheel_ready 0\n"));
}
END_TEST

START_TEST(what_has_not_begun_does_not_drain)
{
    cell_set(&boards[WORKERS]->cells[BOARD_PHASE], PHASE_IDLE);
    cell_set(&boards[0]->cells[BOARD_PHASE], PHASE_IDLE);
    get("/readyz?verbose");
    ck_assert_int_eq(status(), 503);
    ck_assert_ptr_null(strstr(body(), "shutdown"));
}
END_TEST

START_TEST(refused_entities_of_a_view_that_is_gone_are_none)
{
    struct board_view *view = board_view(boards[0], "gone");
    cell_set(&view->cells[VIEW_ASIDE], 3);
    cell_set(&view->cells[VIEW_IS_CURRENT], 0);
    get("/readyz?verbose");
    ck_assert_ptr_nonnull(strstr(body(), "[+]refused entities ok\n"));
    get("/metrics");
    ck_assert_ptr_nonnull(strstr(body(), "\ntidewheel_redis_refused_entities 0\n"));
}
END_TEST

START_TEST(it_is_ready_when_all_is_well)
{
    get("/readyz");
    ck_assert_int_eq(status(), 200);
    ck_assert_str_eq(body(), "ok\n");
    get("/readyz?verbose");
    ck_assert_int_eq(status(), 200);
    ck_assert_str_eq(body(), "[+]running ok\n[+]group joined ok\n[+]kafka ok\n[+]redis ok\n"
                             "[+]topics ok\n[+]caught up ok\n[+]intake ok\n[+]dead_letters ok\n"
                             "[+]refused entities ok\nreadyz check passed\n");
}
END_TEST

START_TEST(a_topic_that_is_missing_is_named)
{
    cell_set(&board_topic(boards[1], "a")->state, TOPIC_MISSING);
    cell_set(&board_topic(boards[1], "t")->state, TOPIC_THERE);
    cell_set(&board_topic(boards[1], "b")->state, TOPIC_MISSING);
    cell_set(&board_topic(boards[0], "b")->state, TOPIC_THERE); /* it was asked later */
    get("/readyz");
    ck_assert_int_eq(status(), 503);
    ck_assert_ptr_nonnull(strstr(body(), "[-]topics failed: worker 1 has not found a, b\n"));
    get("/debug/state");
    ck_assert_ptr_nonnull(strstr(body(), ",\"topics_missing\":[\"a\",\"b\"],"));
    cell_set(&board_topic(boards[1], "a")->state, TOPIC_THERE);
    cell_set(&board_topic(boards[1], "b")->state, TOPIC_GONE);
    get("/readyz");
    ck_assert_int_eq(status(), 200);
}
END_TEST

START_TEST(a_topic_that_is_not_asked_for_yet_is_not_found_and_not_missing)
{
    (void)board_topic(boards[0], "t");
    get("/readyz");
    ck_assert_int_eq(status(), 503);
    ck_assert_ptr_nonnull(strstr(body(), "[-]topics failed: worker 0 has not found t\n"));
    get("/debug/state");
    ck_assert_ptr_nonnull(strstr(body(), ",\"topics_missing\":[],"));
}
END_TEST

START_TEST(a_unit_that_is_read_again_makes_it_unready)
{
    cell_set(&board_unit(boards[0], "t", 0)->cells[UNIT_STAGE], STAGE_SILENT);
    get("/readyz");
    ck_assert_int_eq(status(), 503);
    ck_assert_ptr_nonnull(
        strstr(body(), "caught up failed: worker 0 has 0 of 1 partitions live, 1 silent\n"));
}
END_TEST

START_TEST(refused_entities_are_named_by_view_and_no_reason)
{
    cell_set(&board_view(boards[0], "v")->cells[VIEW_ASIDE], 2);
    cell_set(&board_view(boards[1], "v")->cells[VIEW_ASIDE], 1);
    get("/readyz?verbose");
    ck_assert_int_eq(status(), 200);
    ck_assert_ptr_nonnull(
        strstr(body(), "[+]refused entities ok: view v has 3 whose keys have another type; "
                       "the log names one (at=refused)\n"));
}
END_TEST

/* ---- who asks wrongly ---- */

START_TEST(other_methods_are_405)
{
    static const char *const METHODS[] = {"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"};
    for (size_t i = 0; i < sizeof METHODS / sizeof *METHODS; i++) {
        ask_of(METHODS[i], "/metrics", "localhost");
        ck_assert_msg(status() == 405, "%s: %d", METHODS[i], status());
        ck_assert(has_header("Allow: GET, HEAD"));
    }
}
END_TEST

START_TEST(a_body_is_not_waited_for)
{
    ask_raw("POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\nx");
    ck_assert_int_eq(status(), 405);
    ask_raw("GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\nx");
    ck_assert_int_eq(status(), 200);
}
END_TEST

static const struct {
    const char *host;
    int status;
} HOSTS[] = {
    {"localhost", 200},
    {"localhost:4196", 200},
    {"LocalHost:1", 200},
    {"127.0.0.1", 200},
    {"127.0.0.1:80", 200},
    {"127.8.9.10", 200},
    {"[::1]", 200},
    {"[::1]:4196", 200},
    {"evil.example", 403},
    {"localhost.evil", 403},
    {"10.0.0.1", 403},
    {"127.0.0.1.evil.example", 403},
    {"127.evil.example", 403},
    {"[::2]", 403},
    {"[::1]evil", 403},
    {"127.0.0.1.", 403},
    {"1270.0.1", 403},
    {"", 403},
};

START_TEST(the_host_must_be_of_this_machine)
{
    ask_of("GET", "/livez", HOSTS[_i].host);
    ck_assert_msg(status() == HOSTS[_i].status, "Host: %s: %d", HOSTS[_i].host, status());
}
END_TEST

START_TEST(without_a_host_nothing_is_answered)
{
    ask_raw("GET /livez HTTP/1.0\r\n\r\n");
    ck_assert_int_ne(status(), 200);
}
END_TEST

START_TEST(any_host_will_do_where_others_may_ask)
{
    http_close(http);
    open_at("0.0.0.0:0");
    ask_of("GET", "/livez", "tidewheel.prod.example:4196");
    ck_assert_int_eq(status(), 200);
}
END_TEST

static void ask_with_header_of(size_t len)
{
    struct buf text = {NULL, 0, 0};
    buf_add_text(&text, "GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Long: ");
    while (text.len < len - 4)
        buf_add_char(&text, 'x');
    buf_add_text(&text, "\r\n\r\n");
    ask_raw(buf_text(&text));
    buf_fini(&text);
}

START_TEST(eight_kib_are_taken_and_not_a_byte_more)
{
    ask_with_header_of(HTTP_HEAD_MAX);
    ck_assert_int_eq(status(), 200);
    for (size_t len = HTTP_HEAD_MAX + 1; len < (size_t)1 << 20; len *= 2) {
        ask_with_header_of(len);
        ck_assert_msg(status() != 200, "%zu bytes", len);
    }
    ask_with_header_of(HTTP_HEAD_MAX + 1);
    ck_assert_int_eq(status(), 431);
    get("/livez");
    ck_assert_int_eq(status(), 200);
}
END_TEST

/* ---- who is slow, or many ---- */

/* Bytes that trickle keep an idle timeout from ever being reached. */
START_TEST(who_trickles_is_cut_after_five_seconds)
{
    static const char HEAD[] = "GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow: ";
    int fd = call_server();
    int64_t begun_ms = clock_mono_ms();
    bool is_open = true;
    say(fd, HEAD, strlen(HEAD));
    while (is_open && clock_mono_ms() - begun_ms < WAIT_MS) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        say(fd, "x", 1);
        is_open = poll(&ready, 1, 50) == 0;
    }
    int64_t took_ms = clock_mono_ms() - begun_ms;
    ck_assert_msg(took_ms >= HTTP_CONNECTION_MS - 100, "cut after %lld ms", (long long)took_ms);
    ck_assert_msg(!is_open, "it may trickle for ever");
    (void)close(fd);
}
END_TEST

/* Of this process, and so of the server. */
static int count_fds(void)
{
    struct pollfd pause = {.fd = -1};
    (void)poll(&pause, 1, 20);
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (readdir(folder) != NULL)
        count++;
    (void)closedir(folder);
    return count;
}

/* It asks for what does not fit into the socket's buffers, and reads none of it. */
START_TEST(who_does_not_read_is_cut_too)
{
    int small = 1024;
    for (int i = 0; i < 4000; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "view%d", i);
        (void)board_view(boards[0], name);
    }
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)http_port(http)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    static const char TEXT[] = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    int before = count_fds();
    say(fd, TEXT, strlen(TEXT));
    int64_t begun_ms = clock_mono_ms();
    while (count_fds() == before) /* the server's end has not come yet */
        ck_assert_int_lt(clock_mono_ms() - begun_ms, WAIT_MS);
    while (count_fds() > before)
        ck_assert_int_lt(clock_mono_ms() - begun_ms, WAIT_MS);
    int64_t took_ms = clock_mono_ms() - begun_ms;
    ck_assert_msg(took_ms >= HTTP_CONNECTION_MS - 100, "cut after %lld ms", (long long)took_ms);
    (void)close(fd);
}
END_TEST

START_TEST(who_comes_after_64_takes_the_place_of_the_oldest)
{
    int fds[HTTP_CONNECTIONS_MAX];
    for (int i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
        fds[i] = call_server();
        say(fds[i], "GET ", 4);
    }
    int64_t begun_ms = clock_mono_ms();
    get("/livez");
    ck_assert_int_eq(status(), 200);
    ck_assert_int_lt(clock_mono_ms() - begun_ms, HTTP_CONNECTION_MS / 2);
    (void)hear(fds[0]);
    struct pollfd ready = {.fd = fds[HTTP_CONNECTIONS_MAX - 1], .events = POLLIN};
    ck_assert_int_eq(poll(&ready, 1, 0), 0); /* the newest are still there */
    for (int i = 0; i < HTTP_CONNECTIONS_MAX; i++)
        (void)close(fds[i]);
}
END_TEST

START_TEST(hundreds_that_say_nothing_keep_nobody_out)
{
    enum { MANY = 300 };
    int fds[MANY];
    for (int i = 0; i < MANY; i++)
        fds[i] = call_server();
    int64_t begun_ms = clock_mono_ms();
    get("/livez");
    ck_assert_int_eq(status(), 200);
    ck_assert_int_lt(clock_mono_ms() - begun_ms, HTTP_CONNECTION_MS);
    for (int i = 0; i < MANY; i++)
        (void)close(fds[i]);
}
END_TEST

/* ---- what is no HTTP ---- */

static uint64_t random_next(uint64_t *state)
{
    uint64_t x = (*state += UINT64_C(0x9e3779b97f4a7c15));
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    return x ^ (x >> 29);
}

/* Bytes of any kind, or a request of which some are changed. */
static size_t make_garbage(uint64_t *state, char *ret, size_t max)
{
    static const char REQUEST[] = "GET /metrics?verbose=%20 HTTP/1.1\r\nHost: localhost\r\n"
                                  "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc";
    size_t len = random_next(state) % max;
    if (random_next(state) % 2 == 0) {
        for (size_t i = 0; i < len; i++)
            ret[i] = (char)random_next(state);
        return len;
    }
    memcpy(ret, REQUEST, sizeof REQUEST - 1);
    for (uint64_t i = random_next(state) % 6; i > 0; i--)
        ret[random_next(state) % (sizeof REQUEST - 1)] = (char)random_next(state);
    return sizeof REQUEST - 1;
}

START_TEST(it_outlives_whatever_is_thrown_at_it)
{
    char garbage[2000];
    uint64_t seed = (uint64_t)time(NULL);
    uint64_t state = seed;
    (void)fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
    for (int i = 0; i < 1000; i++) {
        int fd = call_server();
        say(fd, garbage, make_garbage(&state, garbage, sizeof garbage));
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        (void)poll(&ready, 1, 10);
        (void)close(fd);
    }
    get("/livez");
    ck_assert_int_eq(status(), 200);
}
END_TEST

/* ---- where it listens ---- */

START_TEST(an_address_in_use_is_said)
{
    char listen[64];
    struct http *other = NULL;
    (void)snprintf(listen, sizeof listen, "127.0.0.1:%d", http_port(http));
    ck_assert_int_eq(http_open(listen, &display, &other, &err), ERR_FATAL);
    ck_assert_ptr_nonnull(strstr(err.text, listen));
    ck_assert_ptr_nonnull(strstr(err.text, "something listens there already"));
}
END_TEST

START_TEST(an_address_that_is_none_is_a_wrong_configuration)
{
    struct http *other = NULL;
    ck_assert_int_eq(http_open("nowhere", &display, &other, &err), ERR_CONFIG);
    ck_assert_int_eq(http_open("no.such.host.invalid:1", &display, &other, &err), ERR_CONFIG);
    ck_assert_int_eq(http_open("203.0.113.7:4196", &display, &other, &err), ERR_CONFIG);
}
END_TEST

START_TEST(it_listens_on_ipv6_in_brackets)
{
    http_close(http);
    http = NULL;
    int rc = http_open("[::1]:0", &display, &http, &err);
    if (rc < 0)
        return; /* a machine without it */
    struct sockaddr_in6 to = {.sin6_family = AF_INET6,
                              .sin6_port = htons((uint16_t)http_port(http)),
                              .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    static const char TEXT[] = "GET /livez HTTP/1.1\r\nHost: [::1]:80\r\n\r\n";
    say(fd, TEXT, strlen(TEXT));
    (void)hear(fd);
    (void)close(fd);
    ck_assert_int_eq(status(), 200);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("http");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, metrics_come_with_their_content_type_and_length);
    tcase_add_test(tcase, head_has_everything_but_the_body);
    tcase_add_test(tcase, version_says_all_three);
    tcase_add_test(tcase, state_has_a_row_for_each_partition);
    tcase_add_test(tcase, a_path_that_is_none_is_404);
    tcase_add_test(tcase, nothing_may_be_asked_across_origins);
    tcase_add_test(tcase, a_worker_that_hangs_is_named);
    tcase_add_test(tcase, a_redis_that_is_away_does_not_make_it_dead);
    tcase_add_loop_test(tcase, each_reason_makes_it_unready, 0, sizeof UNREADY / sizeof *UNREADY);
    tcase_add_test(tcase, it_is_ready_when_all_is_well);
    tcase_add_test(tcase, what_has_not_begun_does_not_drain);
    tcase_add_test(tcase, refused_entities_of_a_view_that_is_gone_are_none);
    tcase_add_test(tcase, a_topic_that_is_missing_is_named);
    tcase_add_test(tcase, a_topic_that_is_not_asked_for_yet_is_not_found_and_not_missing);
    tcase_add_test(tcase, a_unit_that_is_read_again_makes_it_unready);
    tcase_add_test(tcase, refused_entities_are_named_by_view_and_no_reason);
    tcase_add_test(tcase, other_methods_are_405);
    tcase_add_test(tcase, a_body_is_not_waited_for);
    tcase_add_loop_test(tcase, the_host_must_be_of_this_machine, 0, sizeof HOSTS / sizeof *HOSTS);
    tcase_add_test(tcase, without_a_host_nothing_is_answered);
    tcase_add_test(tcase, any_host_will_do_where_others_may_ask);
    tcase_add_test(tcase, eight_kib_are_taken_and_not_a_byte_more);
    tcase_add_test(tcase, who_trickles_is_cut_after_five_seconds);
    tcase_add_test(tcase, who_does_not_read_is_cut_too);
    tcase_add_test(tcase, who_comes_after_64_takes_the_place_of_the_oldest);
    tcase_add_test(tcase, hundreds_that_say_nothing_keep_nobody_out);
    tcase_add_test(tcase, it_outlives_whatever_is_thrown_at_it);
    tcase_add_test(tcase, an_address_in_use_is_said);
    tcase_add_test(tcase, an_address_that_is_none_is_a_wrong_configuration);
    tcase_add_test(tcase, it_listens_on_ipv6_in_brackets);
    Suite *suite = suite_create("http");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
