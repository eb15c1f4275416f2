/* What systemd hears. */
#include "unit.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "run/notify.h"
#include "tidewheel/log.h"

static char folder[] = "/tmp/tidewheel-notify-XXXXXX";
static char path[64];
static int ear;
static struct notify notify;
static char heard[512];

static void listen_at(const char *name, size_t len)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, name, len);
    ear = socket(AF_UNIX, SOCK_DGRAM, 0);
    ck_assert_int_ge(ear, 0);
    ck_assert_int_eq(bind(ear, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
                     0);
}

static void open_at_path(void)
{
    log_open(LOG_ERROR, false);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/notify", folder);
    listen_at(path, strlen(path) + 1);
    (void)setenv("NOTIFY_SOCKET", path, 1);
}

static void close_all(void)
{
    notify_close(&notify);
    (void)close(ear);
    (void)unlink(path);
    (void)rmdir(folder);
}

/* The next thing said; "" if nothing was. */
static const char *hear(void)
{
    ssize_t len = recv(ear, heard, sizeof heard - 1, MSG_DONTWAIT);
    heard[len > 0 ? len : 0] = '\0';
    return heard;
}

START_TEST(each_thing_is_a_datagram_and_the_environment_is_cleared)
{
    open_at_path();
    notify_open(&notify);
    ck_assert_ptr_null(getenv("NOTIFY_SOCKET"));
    notify_ready(&notify);
    ck_assert_str_eq(hear(), "READY=1");
    notify_reloading(&notify);
    ck_assert_ptr_eq(strstr(hear(), "RELOADING=1\nMONOTONIC_USEC="), heard);
    ck_assert_int_gt(atoll(strchr(strchr(heard, '\n'), '=') + 1), 0);
    notify_stopping(&notify, 35000);
    ck_assert_str_eq(hear(), "STOPPING=1\nEXTEND_TIMEOUT_USEC=35000000");
    ck_assert_str_eq(hear(), "");
    close_all();
}
END_TEST

START_TEST(an_abstract_name_begins_with_an_at)
{
    char name[64];
    (void)snprintf(name, sizeof name, "@tidewheel-test-%ld", (long)getpid());
    (void)setenv("NOTIFY_SOCKET", name, 1);
    size_t len = strlen(name);
    name[0] = '\0';
    listen_at(name, len);
    notify_open(&notify);
    notify_ready(&notify);
    ck_assert_str_eq(hear(), "READY=1");
    notify_close(&notify);
    (void)close(ear);
}
END_TEST

START_TEST(a_status_is_said_once_and_once_a_second_at_most)
{
    open_at_path();
    notify_open(&notify);
    notify_status(&notify, 1000, "one");
    ck_assert_str_eq(hear(), "STATUS=one");
    notify_status(&notify, 1500, "two");
    notify_status(&notify, 2500, "one");
    ck_assert_str_eq(hear(), "");
    notify_status(&notify, 2600, "two");
    ck_assert_str_eq(hear(), "STATUS=two");
    close_all();
}
END_TEST

START_TEST(a_long_status_is_cut_and_not_said_again)
{
    char text[2 * NOTIFY_STATUS_MAX];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    open_at_path();
    notify_open(&notify);
    notify_status(&notify, 1000, text);
    ck_assert_uint_eq(strlen(hear()), strlen("STATUS=") + NOTIFY_STATUS_MAX - 1);
    notify_status(&notify, 5000, text);
    ck_assert_str_eq(hear(), "");
    close_all();
}
END_TEST

START_TEST(the_watchdog_is_fed_twice_in_its_time_and_only_while_all_is_well)
{
    open_at_path();
    (void)setenv("WATCHDOG_USEC", "4000000", 1);
    notify_open(&notify);
    ck_assert_ptr_null(getenv("WATCHDOG_USEC"));
    notify_beat(&notify, 10000, false);
    ck_assert_str_eq(hear(), "");
    notify_beat(&notify, 10000, true);
    ck_assert_str_eq(hear(), "WATCHDOG=1");
    notify_beat(&notify, 11999, true);
    ck_assert_str_eq(hear(), "");
    notify_beat(&notify, 12000, true);
    ck_assert_str_eq(hear(), "WATCHDOG=1");
    notify_beat(&notify, 20000, false);
    ck_assert_str_eq(hear(), "");
    ck_assert_int_eq(notify_wait_ms(&notify, 5000), 1000);
    ck_assert_int_eq(notify_wait_ms(&notify, 10), 10);
    close_all();
}
END_TEST

START_TEST(a_watchdog_that_is_another_process_is_not_ours)
{
    open_at_path();
    (void)setenv("WATCHDOG_USEC", "4000000", 1);
    (void)setenv("WATCHDOG_PID", "1", 1);
    notify_open(&notify);
    notify_beat(&notify, 10000, true);
    ck_assert_str_eq(hear(), "");
    ck_assert_int_eq(notify_wait_ms(&notify, 5000), 5000);
    ck_assert_ptr_null(getenv("WATCHDOG_PID"));
    close_all();
}
END_TEST

START_TEST(without_a_socket_or_with_none_that_listens_nothing_is_said)
{
    log_open(LOG_ERROR, false);
    (void)unsetenv("NOTIFY_SOCKET");
    notify_open(&notify);
    notify_ready(&notify);
    notify_status(&notify, 0, "x");
    notify_close(&notify);
    static const char *const names[] = {"/nowhere/at/all", "relative", "@", "/",
                                        "/tmp/"
                                        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                                        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)setenv("NOTIFY_SOCKET", names[i], 1);
        notify_open(&notify);
        ck_assert_int_eq(notify.socket, -1);
        notify_ready(&notify);
        notify_close(&notify);
    }
}
END_TEST

/* systemd restarts, or is slow: the main thread goes on. */
START_TEST(who_does_not_listen_any_more_holds_nobody_up)
{
    open_at_path();
    notify_open(&notify);
    for (int i = 0; i < 5000; i++)
        notify_ready(&notify);
    (void)close(ear);
    notify_ready(&notify);
    close_all();
}
END_TEST

UNIT_MAIN("notify", each_thing_is_a_datagram_and_the_environment_is_cleared,
          an_abstract_name_begins_with_an_at, a_status_is_said_once_and_once_a_second_at_most,
          a_long_status_is_cut_and_not_said_again,
          the_watchdog_is_fed_twice_in_its_time_and_only_while_all_is_well,
          a_watchdog_that_is_another_process_is_not_ours,
          without_a_socket_or_with_none_that_listens_nothing_is_said,
          who_does_not_listen_any_more_holds_nobody_up)
