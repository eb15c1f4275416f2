#include "tidewheel/mem.h"
#include "tidewheel/options.h"
#include "tidewheel/redis_url.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

static char folder[] = "/tmp/tidewheel-options-XXXXXX";
static char config[64];
static struct buf report;

/* Where no config/tidewheel.yaml lies by chance. */
static void go_elsewhere(void)
{
    ck_assert_int_eq(chdir("/"), 0);
    (void)unsetenv("TIDEWHEEL_CONFIG");
}

/* A folder with config/tidewheel.yaml in it; tests run in processes of their own. */
static void write_config(const char *text)
{
    char path[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/config", folder);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    (void)snprintf(config, sizeof config, "%s/config/tidewheel.yaml", folder);
    FILE *file = fopen(config, "w");
    ck_assert_ptr_nonnull(file);
    (void)fputs(text, file);
    (void)fclose(file);
}

static void add_file(const char *name)
{
    char path[96];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    (void)fclose(fopen(path, "w"));
}

static void remove_files(void)
{
    char command[96];
    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static struct options load(const struct options_source *source)
{
    struct options options;
    go_elsewhere();
    int rc = options_load(source, &report, &options);
    ck_assert_msg(rc == 0, "%s", buf_text(&report));
    return options;
}

static const char *load_wrong(const struct options_source *source)
{
    struct options options;
    go_elsewhere();
    ck_assert_int_eq(options_load(source, &report, &options), ERR_CONFIG);
    return buf_text(&report);
}

START_TEST(without_a_file_everything_is_as_the_table_says)
{
    struct options options = load(&(struct options_source){.file = NULL});
    ck_assert_ptr_null(options.file);
    ck_assert_str_eq(options.kafka_brokers, "localhost:9092");
    ck_assert_str_eq(options.kafka_group_id, "tidewheel");
    ck_assert_str_eq(options.redis_url, "redis://localhost:6379/0");
    ck_assert(!options.redis_allow_eviction);
    ck_assert_int_eq(options.workers, 2);
    ck_assert_int_eq(options.flush_interval_ms, 10);
    ck_assert_int_eq(options.flush_entities_max, 100);
    ck_assert_int_eq(options.checkpoint_interval_ms, 10000);
    ck_assert_int_eq(options.limits_event_bytes, 256 << 10);
    ck_assert_int_eq(options.limits_nesting, 64);
    ck_assert_int_eq(options.limits_key_bytes, 256);
    ck_assert_int_eq(options.limits_memory, INT64_C(4) << 30);
    ck_assert_str_eq(options.dead_letter_topic, "");
    ck_assert_str_eq(options.on_error[VERDICT_EMPTY], "drop");
    ck_assert_str_eq(options.on_error[VERDICT_BAD_JSON], "dead_letter");
    ck_assert_str_eq(options.http_listen, "127.0.0.1:4196");
    ck_assert_str_eq(options.log_level, "info");
    ck_assert_str_eq(options.log_format, "text");
    ck_assert_int_eq(options.shutdown_timeout_ms, 30000);
    ck_assert_uint_eq(options.pipeline_count, 0);
    ck_assert_uint_eq(options.librdkafka_count, 0);
    options_fini(&options);
}
END_TEST

START_TEST(later_beats_earlier)
{
    static const char *const ASSIGNMENTS[] = {"flush.interval=4ms", "workers=7", "workers=8"};
    write_config("workers: 3\nflush: {interval: 3ms, entities_max: 30}\nlog: {level: error}\n");
    (void)setenv("TIDEWHEEL_WORKERS", "5", 1);
    (void)setenv("TIDEWHEEL_FLUSH_ENTITIES_MAX", "50", 1);
    (void)setenv("TIDEWHEEL_LOG_LEVEL", "", 1); /* empty: not set */
    struct options options = load(&(struct options_source){
        .file = config, .assignments = ASSIGNMENTS, .assignment_count = 3});
    ck_assert_int_eq(options.workers, 8);
    ck_assert_int_eq(options.flush_interval_ms, 4);
    ck_assert_int_eq(options.flush_entities_max, 50);
    ck_assert_str_eq(options.log_level, "error");
    ck_assert_str_eq(options.file, config);
    options_fini(&options);
    remove_files();
}
END_TEST

START_TEST(every_row_can_be_set_in_every_place)
{
    for (size_t i = 0; i < option_count; i++) {
        const struct setting *row = &option_rows[i];
        char name[OPTION_ENV_MAX];
        char assignment[256];
        if (row->preset == NULL || *row->preset == '\0')
            continue;
        (void)snprintf(assignment, sizeof assignment, "%s=%s", row->path, row->preset);
        const char *const assignments[] = {assignment, "dead_letter.topic=letters"};
        (void)setenv(option_env(row, name), row->preset, 1);
        struct options options =
            load(&(struct options_source){.assignments = assignments, .assignment_count = 2});
        options_fini(&options);
        (void)setenv(name, "\x01", 1);
        struct buf problems = {NULL, 0, 0};
        ck_assert_int_eq(options_read(&(struct options_source){.file = NULL}, &problems, &options),
                         ERR_CONFIG);
        ck_assert_msg(strncmp(buf_text(&problems), name, strlen(name)) == 0, "%s", name);
        options_fini(&options);
        buf_fini(&problems);
        (void)unsetenv(name);
    }
}
END_TEST

START_TEST(properties_are_gathered_and_the_last_value_counts)
{
    static const char *const ASSIGNMENTS[] = {"kafka.librdkafka.debug=cgrp"};
    static const char *const PROPERTIES[] = {"b=4", "sasl.password=a=b;c"};
    write_config("kafka: {librdkafka: {a: 1, b: true}}\n");
    (void)setenv("TIDEWHEEL_KAFKA_LIBRDKAFKA", "b=3;c=5", 1);
    struct options options =
        load(&(struct options_source){config, ASSIGNMENTS, 1, PROPERTIES, 2, false, NULL, NULL});
    static const struct property EXPECTED[] = {
        {.name = (char *)"a", .value = (char *)"1"},
        {.name = (char *)"b", .value = (char *)"4"},
        {.name = (char *)"c", .value = (char *)"5"},
        {.name = (char *)"debug", .value = (char *)"cgrp"},
        {.name = (char *)"sasl.password", .value = (char *)"a=b;c"}};
    ck_assert_uint_eq(options.librdkafka_count, 5);
    for (size_t i = 0; i < 5; i++) {
        ck_assert_str_eq(options.librdkafka[i].name, EXPECTED[i].name);
        ck_assert_str_eq(options.librdkafka[i].value, EXPECTED[i].value);
    }
    options_fini(&options);
    remove_files();
}
END_TEST

START_TEST(properties_that_are_ours_are_refused_with_the_reason)
{
    static const char *const PROPERTIES[] = {"group.id=x", "enable.auto.commit=true",
                                             "partition.assignment.strategy=roundrobin"};
    const char *text =
        load_wrong(&(struct options_source){.properties = PROPERTIES, .property_count = 3});
    ck_assert_ptr_nonnull(strstr(text, "-X: 'group.id': is not to be set: set kafka.group_id"));
    ck_assert_ptr_nonnull(strstr(text, "'enable.auto.commit'"));
    ck_assert_ptr_nonnull(strstr(text, "'partition.assignment.strategy'"));
}
END_TEST

START_TEST(a_value_that_changes_nothing_is_not_refused)
{
    static const char *const PROPERTIES[] = {"partition.assignment.strategy=range",
                                             "enable.auto.commit=false"};
    struct options options =
        load(&(struct options_source){.properties = PROPERTIES, .property_count = 2});
    ck_assert_uint_eq(options.librdkafka_count, 2);
    options_fini(&options);
}
END_TEST

START_TEST(secrets_are_never_shown)
{
    static const char *const PROPERTIES[] = {"group.id=hunter2"};
    static const char *const ASSIGNMENTS[] = {"redis.url=redis://me:hunter2@/"};
    const char *text = load_wrong(&(struct options_source){.assignments = ASSIGNMENTS,
                                                           .assignment_count = 1,
                                                           .properties = PROPERTIES,
                                                           .property_count = 1});
    ck_assert_ptr_nonnull(strstr(text, "redis://***@/"));
    ck_assert_ptr_null(strstr(text, "hunter2"));
}
END_TEST

START_TEST(patterns_are_relative_to_the_files_folder)
{
    char first[96];
    write_config("pipelines: ['../*.yaml', ../b.yaml]\n");
    add_file("c.yaml");
    add_file("b.yaml");
    add_file("a.yaml");
    add_file("d.txt");
    struct options options =
        load(&(struct options_source){.file = config, .needs_pipelines = true});
    ck_assert_uint_eq(options.pipeline_count, 3);
    (void)snprintf(first, sizeof first, "%s/a.yaml", folder);
    ck_assert_str_eq(options.pipelines[0], first);
    ck_assert_str_eq(options.pipelines[2] + strlen(folder), "/c.yaml");
    options_fini(&options);
    remove_files();
}
END_TEST

START_TEST(an_empty_list_of_pipelines_is_an_error_for_whoever_needs_them)
{
    const char *text = load_wrong(&(struct options_source){.needs_pipelines = true});
    ck_assert_ptr_nonnull(strstr(text, "pipelines: no pipeline file is named"));
}
END_TEST

START_TEST(a_variables_name_that_just_misses_is_an_error)
{
    (void)setenv("TIDEWHEEL_WORKRES", "5", 1);
    (void)setenv("TIDEWHEEL_PORT_4196_TCP", "tcp://10.0.0.1", 1);
    const char *text = load_wrong(&(struct options_source){.file = NULL});
    ck_assert_str_eq(text,
                     "TIDEWHEEL_WORKRES: unknown variable; did you mean 'TIDEWHEEL_WORKERS'?\n");
}
END_TEST

START_TEST(what_is_true_or_false_says_so_in_these_words)
{
    static const char *const WRONG[] = {"yes", "True", "1", "on"};
    write_config("redis: {allow_eviction: true}\n");
    struct options options = load(&(struct options_source){.file = config});
    ck_assert(options.redis_allow_eviction);
    options_fini(&options);
    (void)setenv("TIDEWHEEL_REDIS_ALLOW_EVICTION", "false", 1);
    options = load(&(struct options_source){.file = config});
    ck_assert(!options.redis_allow_eviction);
    options_fini(&options);
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        (void)setenv("TIDEWHEEL_REDIS_ALLOW_EVICTION", WRONG[i], 1);
        ck_assert_int_eq(options_read(&(struct options_source){.file = config}, &report, &options),
                         ERR_CONFIG);
        ck_assert_msg(strstr(buf_text(&report), "is not true or false") != NULL, "%s",
                      buf_text(&report));
        options_fini(&options);
        buf_reset(&report);
    }
    remove_files();
}
END_TEST

START_TEST(what_is_wrong_leaves_the_default)
{
    struct options options;
    write_config("workers: many\nredis: {url: nowhere}\nhttp: {listen: ''}\n");
    ck_assert_int_eq(options_read(&(struct options_source){.file = config}, &report, &options),
                     ERR_CONFIG);
    ck_assert_int_eq(options.workers, 2);
    ck_assert_str_eq(options.http_listen, "");
    options_fini(&options);
    remove_files();
}
END_TEST

START_TEST(without_a_topic_a_dead_letter_is_dropped)
{
    struct options options = load(&(struct options_source){.file = NULL});
    for (int i = 0; i < VERDICT_COUNT; i++)
        ck_assert_int_eq(options_on_error(&options, (enum verdict)i), ON_ERROR_DROP);
    options_fini(&options);
}
END_TEST

START_TEST(with_a_topic_all_rejections_but_tombstones_go_there)
{
    static const char *const ASSIGNMENTS[] = {"dead_letter.topic=letters", "on_error.no_key=stop"};
    struct options options =
        load(&(struct options_source){.assignments = ASSIGNMENTS, .assignment_count = 2});
    for (int i = 0; i < VERDICT_COUNT; i++) {
        enum on_error expected = ON_ERROR_DROP;
        if (verdict_rows[i].is_rejection && i != VERDICT_EMPTY)
            expected = i == VERDICT_NO_KEY ? ON_ERROR_STOP : ON_ERROR_DEAD_LETTER;
        ck_assert_msg(options_on_error(&options, (enum verdict)i) == expected, "%s",
                      verdict_rows[i].name);
    }
    options_fini(&options);
}
END_TEST

START_TEST(who_asks_for_dead_letters_has_to_name_a_topic)
{
    static const char *const ASSIGNMENTS[] = {"on_error.future=dead_letter", "on_error.empty=drop"};
    const char *text =
        load_wrong(&(struct options_source){.assignments = ASSIGNMENTS, .assignment_count = 2});
    ck_assert_str_eq(text, "-s: on_error.future: is dead_letter, and dead_letter.topic names no "
                           "topic; name one, or choose drop or stop\n");
}
END_TEST

START_TEST(redis_urls_are_taken_apart)
{
    struct redis_url url;
    struct err err;
    ck_assert_int_eq(redis_url_parse("rediss://me:p%40ss:word@[::1]:7000/3", &url, &err), 0);
    ck_assert(url.is_tls);
    ck_assert_str_eq(url.user, "me");
    ck_assert_str_eq(url.password, "p@ss:word");
    ck_assert_str_eq(url.host, "::1");
    ck_assert_int_eq(url.port, 7000);
    ck_assert_int_eq(url.db, 3);
    redis_url_fini(&url);
    ck_assert_int_eq(redis_url_parse("redis://:secret@there", &url, &err), 0);
    ck_assert_ptr_null(url.user);
    ck_assert_str_eq(url.password, "secret");
    ck_assert_str_eq(url.host, "there");
    ck_assert_int_eq(url.port, 6379);
    redis_url_fini(&url);
    ck_assert_int_eq(redis_url_parse("unix://me:pw@/run/redis.sock?db=2", &url, &err), 0);
    ck_assert_str_eq(url.socket, "/run/redis.sock");
    ck_assert_int_eq(url.db, 2);
    redis_url_fini(&url);
}
END_TEST

START_TEST(other_urls_are_refused)
{
    static const char *const WRONG[] = {"",
                                        "there",
                                        "http://there",
                                        "redis://",
                                        "redis://:6379",
                                        "redis://a:b",
                                        "redis://a:0",
                                        "redis://a:65536",
                                        "redis://a/x",
                                        "redis://a/1/2",
                                        "redis://a?db=1",
                                        "redis://a b",
                                        "redis://a/-1",
                                        "redis://%@a",
                                        "redis://%4@a",
                                        "redis://%00@a",
                                        "redis://[::1",
                                        "redis://[]",
                                        "unix://",
                                        "unix:///",
                                        "unix://a/b",
                                        "unix:///a?db=",
                                        "unix:///a?x=1",
                                        "redis://a\n"};
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        struct redis_url url;
        struct err err;
        ck_assert_msg(redis_url_parse(WRONG[i], &url, &err) == ERR_CONFIG, "%s", WRONG[i]);
    }
}
END_TEST

START_TEST(options_that_differ_are_named_but_not_pipelines)
{
    static const char *const few[] = {"workers=3", "redis.url=redis://:secret@host:1/0"};
    static const char *const property[] = {"client.rack=a"};
    struct buf names = {NULL, 0, 0};
    struct options one = load(&(struct options_source){.file = NULL});
    struct options other = load(&(struct options_source){
        .assignments = few, .assignment_count = 2, .properties = property, .property_count = 1});
    ck_assert(!options_name_changes(&one, &one, &names));
    ck_assert_uint_eq(names.len, 0);
    other.pipelines = mem_zalloc(sizeof *other.pipelines);
    other.pipelines[other.pipeline_count++] = mem_strdup("p.yaml");
    ck_assert(options_name_changes(&other, &one, &names));
    ck_assert_str_eq(buf_text(&names), "kafka.librdkafka,redis.url,workers");
    options_fini(&one);
    options_fini(&other);
    buf_fini(&names);
}
END_TEST

UNIT_MAIN("options", options_that_differ_are_named_but_not_pipelines,
          without_a_file_everything_is_as_the_table_says, later_beats_earlier,
          every_row_can_be_set_in_every_place, properties_are_gathered_and_the_last_value_counts,
          properties_that_are_ours_are_refused_with_the_reason,
          a_value_that_changes_nothing_is_not_refused, secrets_are_never_shown,
          patterns_are_relative_to_the_files_folder,
          an_empty_list_of_pipelines_is_an_error_for_whoever_needs_them,
          a_variables_name_that_just_misses_is_an_error, what_is_wrong_leaves_the_default,
          what_is_true_or_false_says_so_in_these_words, without_a_topic_a_dead_letter_is_dropped,
          with_a_topic_all_rejections_but_tombstones_go_there,
          who_asks_for_dead_letters_has_to_name_a_topic, redis_urls_are_taken_apart,
          other_urls_are_refused)
