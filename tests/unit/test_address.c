#include "unit.h"

#include <string.h>

#include "tidewheel/address.h"

static const struct {
    const char *text;
    const char *host; /* NULL: none */
    int port;
} ADDRESSES[] = {
    {"127.0.0.1:4196", "127.0.0.1", 4196},
    {"localhost:0", "localhost", 0},
    {"[::1]:65535", "::1", 65535},
    {"[::]:80", "::", 80},
    {"a.b-c.example:1", "a.b-c.example", 1},
    {"", NULL, 0},
    {"4196", NULL, 0},
    {":4196", NULL, 0},
    {"localhost", NULL, 0},
    {"localhost:", NULL, 0},
    {"localhost:65536", NULL, 0},
    {"localhost:-1", NULL, 0},
    {"localhost:080", NULL, 0},
    {"localhost:x", NULL, 0},
    {"::1:4196", NULL, 0},
    {"[::1]", NULL, 0},
    {"[::1]4196", NULL, 0},
    {"[]:4196", NULL, 0},
    {"[::1]:4196:1", NULL, 0},
    {"user@host:1", NULL, 0},
    {"http://host:1", NULL, 0},
    {"a b:1", NULL, 0},
};

START_TEST(an_address_is_host_and_port)
{
    struct address address;
    bool is_one = address_parse(ADDRESSES[_i].text, &address);
    ck_assert_msg(is_one == (ADDRESSES[_i].host != NULL), "%s", ADDRESSES[_i].text);
    if (!is_one)
        return;
    ck_assert_str_eq(address.host, ADDRESSES[_i].host);
    ck_assert_int_eq(address.port, ADDRESSES[_i].port);
    ck_assert_int_eq(address.is_bracketed, ADDRESSES[_i].text[0] == '[');
}
END_TEST

START_TEST(a_host_that_is_too_long_is_refused)
{
    char text[ADDRESS_HOST_MAX + 8];
    struct address address;
    memset(text, 'a', sizeof text);
    memcpy(text + ADDRESS_HOST_MAX - 1, ":1", 3);
    ck_assert(address_parse(text, &address));
    text[ADDRESS_HOST_MAX - 1] = 'a';
    memcpy(text + ADDRESS_HOST_MAX, ":1", 3);
    ck_assert(!address_parse(text, &address));
}
END_TEST

static const struct {
    const char *header;
    bool is_loopback;
} HOSTS[] = {
    {"localhost", true},
    {"LOCALHOST:80", true},
    {"127.0.0.1", true},
    {"127.255.255.255:1", true},
    {"[::1]", true},
    {"[::1]:80", true},
    {"", false},
    {":80", false},
    {"localhost.", false},
    {"127.0.0.256", false},
    {"127.0.0", false},
    {"127.0.0.0.1", false},
    {"127.0..1", false},
    {"127.0.0.01", false},
    {"128.0.0.1", false},
    {"[::1", false},
    {"[::1]x", false},
    {"[::2]", false},
    {"127.0.0.1.nip.io", false},
    {"[127.0.0.1]", true},
    {"0.0.0.0", false},
};

START_TEST(a_host_of_this_machine_is_told_from_others)
{
    ck_assert_msg(host_header_is_loopback(HOSTS[_i].header) == HOSTS[_i].is_loopback, "%s",
                  HOSTS[_i].header);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("address");
    tcase_add_loop_test(tcase, an_address_is_host_and_port, 0,
                        sizeof ADDRESSES / sizeof *ADDRESSES);
    tcase_add_test(tcase, a_host_that_is_too_long_is_refused);
    tcase_add_loop_test(tcase, a_host_of_this_machine_is_told_from_others, 0,
                        sizeof HOSTS / sizeof *HOSTS);
    Suite *suite = suite_create("address");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
