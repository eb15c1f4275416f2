/* redis_kit: a redis-server of its own for a test, on a unix socket in a temporary folder.
 *
 *     server_open(&server, NO_OPTIONS);  is_answer(&server, "GET k", "v");  server_close(&server);
 *
 * It dies with the test, however that ends.
 */
#ifndef TIDEWHEEL_REDIS_KIT_H
#define TIDEWHEEL_REDIS_KIT_H

#include "unit.h"

#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tidewheel/clock.h"
#include "tidewheel/log.h"

enum { WAIT_MS = 10000, STEP_MS = 2 };

struct server {
    char folder[64];
    char socket[96];
    pid_t pid;
    redisContext *client;
};

static inline bool has_server(const char *suite)
{
    bool is_there = system("command -v redis-server >/dev/null") == 0;
    if (!is_there)
        printf("skipped  %s  (redis-server is not installed)\n", suite);
    return is_there;
}

static inline void sleep_ms(long ms)
{
    (void)usleep((useconds_t)ms * 1000);
}

static inline void run_server(const struct server *server, const char *const *more)
{
    const char *argv[40] = {"redis-server", "--port",     "0",       "--unixsocket",
                            server->socket, "--save",     "",        "--dir",
                            server->folder, "--loglevel", "warning", "--logfile",
                            "server.log"};
    size_t argc = 13;
    while (*more != NULL)
        argv[argc++] = *more++;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)execvp(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

static inline void server_connect(struct server *server)
{
    int64_t deadline_ms = clock_mono_ms() + WAIT_MS;
    for (;;) {
        server->client = redisConnectUnix(server->socket);
        if (server->client->err == 0)
            return;
        redisFree(server->client);
        ck_assert_msg(clock_mono_ms() < deadline_ms, "redis-server does not start");
        sleep_ms(STEP_MS);
    }
}

static inline void server_start(struct server *server, const char *const *more)
{
    server->pid = fork();
    if (server->pid == 0)
        run_server(server, more);
    server_connect(server);
}

static inline void server_kill(struct server *server)
{
    redisFree(server->client);
    (void)kill(server->pid, SIGKILL);
    (void)waitpid(server->pid, NULL, 0);
    (void)unlink(server->socket);
}

#define OPTIONS(...)                                                                               \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }
#define NO_OPTIONS                                                                                 \
    (const char *const[])                                                                          \
    {                                                                                              \
        NULL                                                                                       \
    }

static inline void server_open(struct server *server, const char *const *more)
{
    log_open(getenv("TEST_LOG") != NULL ? LOG_DEBUG : LOG_ERROR, false);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)snprintf(server->folder, sizeof server->folder, "/tmp/tidewheel-redis-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(server->folder));
    (void)snprintf(server->socket, sizeof server->socket, "%s/socket", server->folder);
    server_start(server, more);
}

static inline void server_close(struct server *server)
{
    static const char *const names[] = {"server.log", "dump.rdb"};
    char path[128];
    server_kill(server);
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", server->folder, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(server->folder);
}

/* What Redis answers, as text. */
static inline const char *ask(struct server *server, const char *command)
{
    static char text[256];
    redisReply *reply = redisCommand(server->client, command);
    ck_assert_msg(reply != NULL, "%s: %s", command, server->client->errstr);
    if (reply->type == REDIS_REPLY_INTEGER)
        (void)snprintf(text, sizeof text, "%lld", reply->integer);
    else
        (void)snprintf(text, sizeof text, "%s",
                       reply->type == REDIS_REPLY_NIL ? "nil" : reply->str);
    freeReplyObject(reply);
    return text;
}

#define is_answer(server, command, text) ck_assert_str_eq(ask(server, command), text)

/* ---- what is logged ---- */

struct capture {
    FILE *file;
    int before;
    char text[8192];
};

static inline void capture_begin(struct capture *capture)
{
    capture->file = tmpfile();
    ck_assert_ptr_nonnull(capture->file);
    capture->before = dup(STDERR_FILENO);
    (void)dup2(fileno(capture->file), STDERR_FILENO);
    log_open(LOG_DEBUG, false);
}

static inline void capture_end(struct capture *capture)
{
    log_open(LOG_ERROR, false);
    (void)dup2(capture->before, STDERR_FILENO);
    (void)close(capture->before);
    ssize_t len = pread(fileno(capture->file), capture->text, sizeof capture->text - 1, 0);
    capture->text[len > 0 ? len : 0] = '\0';
    (void)fclose(capture->file);
}

#endif
