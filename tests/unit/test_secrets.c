#include "config/options_rows.h"
#include "tidewheel/mask.h"
#include "tidewheel/options.h"
#include "tidewheel/redis_url.h"
#include "tidewheel/source.h"

#include <stdio.h>

#include "unit.h"

struct pair {
    const char *text;
    const char *shown;
};

static void expect(const struct pair *pairs, size_t count,
                   void (*show)(const char *text, struct buf *ret))
{
    for (size_t i = 0; i < count; i++) {
        struct buf shown = {NULL, 0, 0};
        show(pairs[i].text, &shown);
        ck_assert_str_eq(buf_text(&shown), pairs[i].shown);
        buf_fini(&shown);
    }
}

START_TEST(the_login_of_a_url_is_masked_wherever_it_stands)
{
    static const struct pair PAIRS[] = {
        {"", ""},
        {"a topic", "a topic"},
        {"redis://host:1/0", "redis://host:1/0"},
        {"to redis://u:p@host and b@c", "to redis://***@host and b@c"},
        {"x://a:b@c y://d@e", "x://***@c y://***@e"},
        {"redis://u:p@ss@host", "redis://***@host"},
        {"redis://u:p/q@host", "redis://***@host"},
        {"redis://u:x://y@host", "redis://***@host"},
        {"://", "://"},
    };
    expect(PAIRS, sizeof PAIRS / sizeof *PAIRS, mask_logins);
}
END_TEST

START_TEST(of_a_redis_url_only_the_password_is_masked)
{
    static const struct pair PAIRS[] = {
        {"redis://localhost:6379/0", "redis://localhost:6379/0"},
        {"redis://me:hunter2@host:6379/0", "redis://me:***@host:6379/0"},
        {"rediss://:hunter2@[::1]:7000", "rediss://:***@[::1]:7000"},
        {"redis://me:a:b%40@host", "redis://me:***@host"},
        {"redis://hunter2@host", "redis://***@host"}, /* people mean a password */
        {"unix:///run/redis.sock?db=1", "unix:///run/redis.sock?db=1"},
        {"unix://me:hunter2@/run/redis.sock", "unix://me:***@/run/redis.sock"},
    };
    expect(PAIRS, sizeof PAIRS / sizeof *PAIRS, redis_url_show);
}
END_TEST

START_TEST(of_what_is_no_url_all_that_may_be_a_password_is_masked)
{
    static const struct pair PAIRS[] = {
        {"hunter2", "***"},
        {":hunter2", ":***"},
        {"me:hunter2@host", "***"},
        {"redis://me:hun@ter2 @host/a?b=hun@ter 2", "redis://***"},
        {"redis://me:hunter2", "redis://me:***"},
        {"redis://:hunter2/0", "redis://:***"},
        {"redis://me:hun/ter2@host", "redis://***@host"},
        {"redis://me:hunter2@", "redis://***@"},
        {"http://me:hunter2@host", "http://***@host"},
        {"redis://host?password=hunter2", "redis://host?***"},
        {"hunter2://host", "hunter2:***"},
        {"localhost:6379/0", "localhost:6379/0"},
        {"redis://localhost:6379/x", "redis://localhost:6379/x"},
        {"http://localhost", "http://localhost"},
    };
    expect(PAIRS, sizeof PAIRS / sizeof *PAIRS, redis_url_show);
}
END_TEST

static void show_row(enum secret secret, const char *text, struct buf *ret)
{
    const struct setting row = {.path = "a.b", .type = SETTING_TEXT, .secret = secret};
    setting_show(&row, text, ret);
}

START_TEST(a_row_says_what_of_its_value_is_secret)
{
    struct buf shown = {NULL, 0, 0};
    show_row(SECRET_WHOLE, "hunter2", &shown);
    buf_add_char(&shown, ' ');
    show_row(SECRET_WHOLE, "", &shown); /* that there is none is none */
    buf_add_char(&shown, ' ');
    show_row(SECRET_IN_URL, "redis://me:hunter2@host", &shown);
    buf_add_char(&shown, ' ');
    show_row(SECRET_NONE, "plain", &shown);
    ck_assert_str_eq(buf_text(&shown), "***  redis://me:***@host plain");
    buf_fini(&shown);
}
END_TEST

START_TEST(no_refusal_of_a_secret_row_cites_the_secret)
{
    static const enum setting_type TYPES[] = {SETTING_TEXT,     SETTING_NAME,   SETTING_TOPIC,
                                              SETTING_INT,      SETTING_SIZE,   SETTING_BOOL,
                                              SETTING_DURATION, SETTING_CHOICE, SETTING_PROSE};
    static const char *const CHOICES[] = {"one", NULL};
    for (size_t i = 0; i < 2 * sizeof TYPES / sizeof *TYPES; i++) {
        const struct setting row = {.path = "a.b",
                                    .type = TYPES[i / 2],
                                    .secret = i % 2 ? SECRET_WHOLE : SECRET_IN_URL,
                                    .max = 5,
                                    .choices = CHOICES};
        struct setting_value value = {NULL, NULL, 0, false};
        struct err err;
        ck_assert_int_eq(setting_parse(&row, "redis://:hunter2+/@host", &value, &err), ERR_CONFIG);
        ck_assert_msg(strstr(err.text, "hunter2") == NULL, "%s", err.text);
    }
}
END_TEST

START_TEST(each_secret_property_is_masked_and_so_is_what_sounds_like_one)
{
    static const char *const OTHERS[] = {"sasl.pasword.password", "my.plugin.secret",
                                         "x.passphrase"};
    static const char *const OPEN[] = {"sasl.username",      "ssl.ca.pem", "ssl.key.location",
                                       "sasl.password_file", "debug",      "ssl.certificate.pem"};
    for (size_t i = 0; i < secret_property_count; i++)
        ck_assert_msg(property_is_secret(secret_properties[i]), "%s", secret_properties[i]);
    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++)
        ck_assert_msg(property_is_secret(OTHERS[i]), "%s", OTHERS[i]);
    for (size_t i = 0; i < sizeof OPEN / sizeof *OPEN; i++)
        ck_assert_msg(!property_is_secret(OPEN[i]), "%s", OPEN[i]);
    struct buf shown = {NULL, 0, 0};
    property_show("sasl.password", "hunter2", &shown);
    property_show("sasl.oauthbearer.token.endpoint.url", " https://u:hunter2@host/x", &shown);
    ck_assert_str_eq(buf_text(&shown), "*** https://***@host/x");
    buf_fini(&shown);
}
END_TEST

/* librdkafka's reasons cite what they refuse. A text refuses nothing, so the value is one that the
 * reason has by chance. */
START_TEST(librdkafkas_reasons_do_not_cite_a_secret)
{
    struct err err = {0, ""};
    ck_assert(!kafka_check_property("no.such.password", "hunter2", &err));
    ck_assert_msg(strstr(err.text, "hunter2") == NULL, "%s", err.text);
    ck_assert(!kafka_check_property("no.such.password", "configuration property", &err));
    ck_assert_str_eq(err.text, "librdkafka does not take the value");
    ck_assert(!kafka_check_property("fetch.wait.max.ms", "soon", &err));
    ck_assert_msg(strstr(err.text, "librdkafka says: ") == err.text, "%s", err.text);
    ck_assert(kafka_check_property("sasl.password", "hunter2", &err));
}
END_TEST

static void refuse_assignment(const char *text)
{
    struct options options;
    struct buf report = {NULL, 0, 0};
    const struct options_source source = {
        .file = "/dev/null", .assignments = &text, .assignment_count = 1};
    ck_assert_int_eq(options_load(&source, &report, &options), ERR_CONFIG);
    ck_assert_msg(strstr(buf_text(&report), "hunter2") == NULL, "%s: %s", text, buf_text(&report));
    buf_fini(&report);
}

START_TEST(slips_around_a_secret_do_not_cite_it)
{
    static const char *const SLIPS[] = {
        "redis.url redis://:hunter2@host",
        "redis.url:redis://:hunter2@host",
        "redis.url=redis://me:hunter2",
        "redis.url=redis://:hunter2@host:x",
        "redis.ulr=redis://:hunter2@host",
        "redis://:hunter2@host/?a=b",
        "redis.url=hunter2",
        "kafka.librdkafka.sasl.password:hunter2",
    };
    for (size_t i = 0; i < sizeof SLIPS / sizeof *SLIPS; i++)
        refuse_assignment(SLIPS[i]);
}
END_TEST

START_TEST(slips_in_a_file_do_not_cite_a_secret)
{
    static const char *const FILES[] = {
        "redis: {url: 'redis://:hunter2@${HOST'}",    "redis: {url: '${X:-redis://:hunter2@h'}",
        "redis: {url:redis://:hunter2@host}",         "redis: {url: '${X:-${hunter2}}'}",
        "redis: {url: '${X?redis://:hunter2@host}'}", "redis: {url: [hunter2]}",
    };
    for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++) {
        struct setting_value values[SETTINGS_MAX];
        struct buf report = {NULL, 0, 0};
        struct yaml *yaml = yaml_parse("file", FILES[i], strlen(FILES[i]));
        settings_read(option_rows, option_count, yaml_root(yaml), values);
        yaml_report(yaml, &report);
        ck_assert_msg(yaml_problem_count(yaml) > 0, "%s", FILES[i]);
        ck_assert_msg(strstr(buf_text(&report), "hunter2") == NULL, "%s", buf_text(&report));
        buf_fini(&report);
        yaml_close(yaml);
    }
}
END_TEST

UNIT_MAIN("secrets", the_login_of_a_url_is_masked_wherever_it_stands,
          of_a_redis_url_only_the_password_is_masked,
          of_what_is_no_url_all_that_may_be_a_password_is_masked,
          a_row_says_what_of_its_value_is_secret, no_refusal_of_a_secret_row_cites_the_secret,
          each_secret_property_is_masked_and_so_is_what_sounds_like_one,
          librdkafkas_reasons_do_not_cite_a_secret, slips_around_a_secret_do_not_cite_it,
          slips_in_a_file_do_not_cite_a_secret)
