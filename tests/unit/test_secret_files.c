/* Secrets from files, and in which files none may stand. */
#include "tidewheel/options.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

static char folder[] = "/tmp/tidewheel-secrets-XXXXXX";

static const char *in_folder(const char *name)
{
    static char paths[4][96];
    static int next;
    char *path = paths[next++ % 4];
    (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void write_bytes(const char *name, const char *ptr, size_t len, mode_t mode)
{
    FILE *file = fopen(in_folder(name), "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(ptr, 1, len, file), len);
    (void)fclose(file);
    ck_assert_int_eq(chmod(in_folder(name), mode), 0);
}

static void write_text(const char *name, const char *text, mode_t mode)
{
    write_bytes(name, text, strlen(text), mode);
}

static void begin(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir("/"), 0);
    (void)unsetenv("TIDEWHEEL_CONFIG");
}

static void end(void)
{
    char command[96];
    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}

/* As if librdkafka had every property but those. */
static bool check_property(const char *name, const char *value, struct err *err)
{
    (void)value;
    if (strstr(name, "_file") != NULL)
        (void)err_set(err, ERR_CONFIG, "no such property");
    return strstr(name, "_file") == NULL;
}

static const char *wrong_file;

static int check_redis(const struct redis_url *redis, const char **ret_option, struct err *err)
{
    if (wrong_file == NULL)
        return 0;
    ck_assert_str_eq(redis->ca_file, wrong_file);
    *ret_option = "redis.tls.ca_file";
    return err_set(err, ERR_CONFIG, "holds no CA certificate");
}

/* The configuration's problems, each without the folder. */
static const char *problems_of(const char *config, mode_t mode, struct options *ret)
{
    static char text[4096];
    struct buf report = {NULL, 0, 0};
    write_text("config.yaml", config, mode);
    struct options_source source = {.file = in_folder("config.yaml"),
                                    .check_property = check_property,
                                    .check_redis = check_redis};
    int rc = options_read(&source, &report, ret);
    ck_assert_int_eq(rc, report.len > 0 ? ERR_CONFIG : 0);
    char *at = text;
    for (const char *from = buf_text(&report); *from != '\0';) {
        bool is_folder = strncmp(from, folder, strlen(folder)) == 0;
        from += is_folder ? strlen(folder) + 1 : 0;
        *at++ = *from++;
    }
    *at = '\0';
    buf_fini(&report);
    return text;
}

static void is_wrong(const char *config, mode_t mode, const char *expected)
{
    struct options options;
    ck_assert_str_eq(problems_of(config, mode, &options), expected);
    options_fini(&options);
}

/* ---- the password of Redis ---- */

START_TEST(a_password_comes_from_a_file_without_the_lines_end)
{
    static const char *const CASES[][2] = {
        {"hunter2", "hunter2"},       {"hunter2\n", "hunter2"},       {"hunter2\r\n", "hunter2"},
        {"hunter2\n\n", "hunter2\n"}, {" hunter 2 \n", " hunter 2 "}, {"a\r", "a\r"},
        {"%40:@/\n", "%40:@/"},
    };
    begin();
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct options options;
        write_text("pw", CASES[i][0], 0640);
        ck_assert_str_eq(
            problems_of("redis: {url: 'redis://me@h', password_file: pw}", 0644, &options), "");
        ck_assert_str_eq(options.redis.user, "me");
        ck_assert_str_eq(options.redis.password, CASES[i][1]);
        ck_assert_str_eq(options.redis_password_file, "pw");
        options_fini(&options);
    }
    end();
}
END_TEST

START_TEST(a_name_from_outside_the_file_is_relative_to_the_working_folder)
{
    begin();
    write_text("pw", "here", 0600);
    write_text("config.yaml", "redis: {password_file: other}\n", 0644);
    ck_assert_int_eq(mkdir(in_folder("sub"), 0700), 0);
    ck_assert_int_eq(chdir(in_folder("sub")), 0);
    (void)setenv("TIDEWHEEL_REDIS_PASSWORD_FILE", "../pw", 1);
    struct options options;
    struct buf report = {NULL, 0, 0};
    struct options_source source = {.file = "../config.yaml"};
    ck_assert_msg(options_load(&source, &report, &options) == 0, "%s", buf_text(&report));
    ck_assert_str_eq(options.redis.password, "here");
    options_fini(&options);
    buf_fini(&report);
    end();
}
END_TEST

START_TEST(a_file_that_cannot_be_a_secret_is_refused)
{
    static const char CONFIG[] = "redis:\n  password_file: pw\n";
    static char much[64 * 1024 + 1];
    begin();
    is_wrong(CONFIG, 0644,
             "config.yaml:2:18: redis.password_file: 'pw' cannot be read: No such file or "
             "directory\n");
    write_text("pw", "", 0640);
    is_wrong(CONFIG, 0644, "config.yaml:2:18: redis.password_file: 'pw' is empty\n");
    write_text("pw", "\n", 0640);
    is_wrong(CONFIG, 0644, "config.yaml:2:18: redis.password_file: 'pw' is empty\n");
    write_bytes("pw", "a\0b", 3, 0640);
    is_wrong(CONFIG, 0644, "config.yaml:2:18: redis.password_file: 'pw' has a NUL in it\n");
    memset(much, 'x', sizeof much);
    write_bytes("pw", much, sizeof much, 0640);
    is_wrong(CONFIG, 0644,
             "config.yaml:2:18: redis.password_file: 'pw' is longer than 65536 bytes\n");
    write_bytes("pw", much, sizeof much - 1, 0640);
    is_wrong(CONFIG, 0644, "");
    ck_assert_int_eq(unlink(in_folder("pw")), 0);
    ck_assert_int_eq(mkdir(in_folder("pw"), 0700), 0);
    is_wrong(CONFIG, 0644,
             "config.yaml:2:18: redis.password_file: 'pw' is a folder; expected a file\n");
    end();
}
END_TEST

START_TEST(one_that_others_can_read_is_refused)
{
    static const mode_t OPEN[] = {0644, 0604, 0602, 0601};
    begin();
    write_text("pw", "hunter2", 0600);
    for (size_t i = 0; i < sizeof OPEN / sizeof *OPEN; i++) {
        char expected[160];
        ck_assert_int_eq(chmod(in_folder("pw"), OPEN[i]), 0);
        (void)snprintf(expected, sizeof expected,
                       "config.yaml:1:24: redis.password_file: 'pw' is open to others (mode %04o); "
                       "say chmod 640 'pw'\n",
                       (unsigned)OPEN[i]);
        is_wrong("redis: {password_file: pw}", 0600, expected);
    }
    end();
}
END_TEST

START_TEST(there_is_one_password)
{
    begin();
    write_text("pw", "hunter2", 0600);
    is_wrong("redis: {url: 'redis://:other@h', password_file: pw}", 0600,
             "config.yaml:1:49: redis.password_file: redis.url has a password, too; expected one "
             "of the two\n");
    end();
}
END_TEST

/* ---- properties of librdkafka ---- */

START_TEST(a_property_that_is_a_secret_comes_from_a_file)
{
    struct options options;
    begin();
    write_text("pw", "hunter2\n", 0640);
    write_text("key", "-----BEGIN-----\nabc\n-----END-----\n", 0640);
    ck_assert_str_eq(
        problems_of("kafka: {librdkafka: {sasl.password_file: pw, ssl.key.pem_file: key}}", 0644,
                    &options),
        "");
    ck_assert_uint_eq(options.librdkafka_count, 2);
    ck_assert_str_eq(options.librdkafka[0].name, "sasl.password");
    ck_assert_str_eq(options.librdkafka[0].value, "hunter2");
    ck_assert_str_eq(options.librdkafka[1].name, "ssl.key.pem");
    ck_assert_str_eq(options.librdkafka[1].value, "-----BEGIN-----\nabc\n-----END-----");
    options_fini(&options);
    (void)setenv("TIDEWHEEL_KAFKA_LIBRDKAFKA", "sasl.password_file=/nowhere", 1);
    is_wrong("{}", 0644,
             "TIDEWHEEL_KAFKA_LIBRDKAFKA: 'sasl.password_file': '/nowhere' cannot be read: No such "
             "file or directory\n");
    end();
}
END_TEST

START_TEST(one_that_is_no_secret_does_not_and_none_is_given_twice)
{
    begin();
    write_text("pw", "hunter2\n", 0640);
    is_wrong("kafka:\n  librdkafka:\n    sasl.username_file: pw\n    sasl.password: ${HOME}\n"
             "    sasl.password_file: pw\n    ssl.key.password_file: gone\n",
             0644,
             "config.yaml:3:5: kafka.librdkafka.sasl.username_file: no such property\n"
             "config.yaml:5:5: kafka.librdkafka.sasl.password_file: 'sasl.password' is given, too; "
             "expected one of the two\n"
             "config.yaml:6:5: kafka.librdkafka.ssl.key.password_file: 'gone' cannot be read: No "
             "such file or directory\n");
    end();
}
END_TEST

START_TEST(the_key_files_of_librdkafka_are_looked_at_too)
{
    struct options options;
    char config[256];
    char keytab[256];
    begin();
    write_text("key", "k", 0644);
    (void)snprintf(config, sizeof config,
                   "kafka: {librdkafka: {ssl.key.location: %s, ssl.ca.location: %s}}",
                   in_folder("key"), in_folder("key"));
    is_wrong(config, 0644,
             "config.yaml:1:22: kafka.librdkafka.ssl.key.location: 'key' is open to others (mode "
             "0644); say chmod 640 'key'\n");
    (void)snprintf(keytab, sizeof keytab, "kafka: {librdkafka: {sasl.kerberos.keytab: %s}}",
                   in_folder("key"));
    is_wrong(keytab, 0644,
             "config.yaml:1:22: kafka.librdkafka.sasl.kerberos.keytab: 'key' is open to others "
             "(mode 0644); say chmod 640 'key'\n");
    ck_assert_int_eq(chmod(in_folder("key"), 0440), 0);
    ck_assert_str_eq(problems_of(config, 0644, &options), "");
    options_fini(&options);
    (void)snprintf(config, sizeof config, "kafka: {librdkafka: {ssl.keystore.location: %s}}",
                   in_folder("gone"));
    is_wrong(config, 0644,
             "config.yaml:1:22: kafka.librdkafka.ssl.keystore.location: 'gone' cannot be read: No "
             "such file or directory\n");
    end();
}
END_TEST

/* ---- the configuration itself ---- */

#define OPEN_CONFIG "'config.yaml' is open to others (mode 0644); say chmod 640 'config.yaml'"

START_TEST(a_file_that_others_can_read_has_no_secret_written_in_it)
{
    static const char CONFIG[] = "redis:\n  url: redis://me:hunter2@${TEST_HOST}/0\n"
                                 "kafka:\n  librdkafka:\n    sasl.username: me\n"
                                 "    sasl.password: hunter${TEST_TWO}\n"
                                 "    ssl.key.password: ${TEST_GONE:-hunter2}\n";
    begin();
    (void)setenv("TEST_HOST", "h", 1);
    (void)setenv("TEST_TWO", "2", 1);
    is_wrong(CONFIG, 0644,
             "config.yaml:2:8: redis.url: has a password in it, and " OPEN_CONFIG
             ", or set redis.password_file\n"
             "config.yaml:6:20: kafka.librdkafka.sasl.password: is a secret, and " OPEN_CONFIG
             ", or set sasl.password_file\n"
             "config.yaml:7:23: kafka.librdkafka.ssl.key.password: is a secret, and " OPEN_CONFIG
             ", or set ssl.key.password_file\n");
    is_wrong(CONFIG, 0640, "");
    (void)setenv("TIDEWHEEL_REDIS_URL", "redis://elsewhere", 1); /* it stands there all the same */
    struct options options;
    const char *text = problems_of(CONFIG, 0644, &options);
    ck_assert_msg(strstr(text, "config.yaml:2:8: redis.url: has a password in it") == text, "%s",
                  text);
    options_fini(&options);
    end();
}
END_TEST

START_TEST(what_is_the_environments_is_not_written_in_it)
{
    static const char CONFIG[] =
        "redis: {url: 'redis://me:${TEST_PASSWORD}@me:7000/0'}\n"
        "kafka: {librdkafka: {sasl.password: '${TEST_PASSWORD:?set it}', ssl.key.password: ''}}\n";
    static const char *const PASSWORDS[] = {"hunter2", "me", "7000", "%24"};
    begin();
    for (size_t i = 0; i < sizeof PASSWORDS / sizeof *PASSWORDS; i++) {
        (void)setenv("TEST_PASSWORD", PASSWORDS[i], 1);
        is_wrong(CONFIG, 0644, "");
    }
    (void)setenv("TEST_URL", "redis://me:hunter2@h", 1);
    is_wrong("redis: {url: '${TEST_URL}'}", 0644, "");
    is_wrong("redis: {url: '${TEST_URL}/3'}", 0644, "");
    is_wrong("redis: {url: redis://me@h/0}", 0644, "");
    end();
}
END_TEST

/* ---- TLS to Redis ---- */

START_TEST(the_files_of_tls_are_of_use_with_rediss_alone_and_belong_together)
{
    begin();
    write_text("key", "k", 0644);
    is_wrong("redis:\n  url: redis://h\n  tls:\n    ca_file: ca\n    cert_file: cert\n", 0644,
             "config.yaml:4:14: redis.tls.ca_file: is of no use: redis.url does not begin with "
             "rediss://\n"
             "config.yaml:5:16: redis.tls.cert_file: is of no use: redis.url does not begin with "
             "rediss://\n");
    is_wrong("redis: {url: rediss://h, tls: {cert_file: cert}}", 0644,
             "config.yaml:1:43: redis.tls.cert_file: expected redis.tls.key_file beside it\n");
    is_wrong("redis: {url: rediss://h, tls: {key_file: key}}", 0644,
             "config.yaml:1:42: redis.tls.key_file: expected redis.tls.cert_file beside it\n"
             "config.yaml:1:42: redis.tls.key_file: 'key' is open to others (mode 0644); say chmod "
             "640 'key'\n");
    ck_assert_int_eq(chmod(in_folder("key"), 0400), 0);
    is_wrong("redis: {url: rediss://h, tls: {key_file: key}}", 0644,
             "config.yaml:1:42: redis.tls.key_file: expected redis.tls.cert_file beside it\n");
    end();
}
END_TEST

START_TEST(a_file_that_tls_cannot_use_is_a_problem_of_its_option)
{
    struct options options;
    begin();
    wrong_file = in_folder("ca");
    is_wrong("redis: {url: rediss://h, tls: {ca_file: ca}}", 0644,
             "config.yaml:1:41: redis.tls.ca_file: holds no CA certificate\n");
    wrong_file = NULL;
    ck_assert_str_eq(problems_of("redis: {url: rediss://h, tls: {ca_file: ca}}", 0644, &options),
                     "");
    ck_assert(options.redis.is_tls);
    ck_assert_str_eq(options.redis.ca_file, in_folder("ca"));
    options_fini(&options);
    end();
}
END_TEST

UNIT_MAIN("secret_files", a_password_comes_from_a_file_without_the_lines_end,
          a_name_from_outside_the_file_is_relative_to_the_working_folder,
          a_file_that_cannot_be_a_secret_is_refused, one_that_others_can_read_is_refused,
          there_is_one_password, a_property_that_is_a_secret_comes_from_a_file,
          one_that_is_no_secret_does_not_and_none_is_given_twice,
          the_key_files_of_librdkafka_are_looked_at_too,
          a_file_that_others_can_read_has_no_secret_written_in_it,
          what_is_the_environments_is_not_written_in_it,
          the_files_of_tls_are_of_use_with_rediss_alone_and_belong_together,
          a_file_that_tls_cannot_use_is_a_problem_of_its_option)
