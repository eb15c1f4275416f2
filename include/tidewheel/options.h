/* options: the worker's own configuration, config/tidewheel.yaml.
 *
 * Every option is one row of one table (src/config/options.c): path, type, default, limits, help.
 * Parser, `list options`, the JSON Schema and the environment's names (TIDEWHEEL_<PATH>, dots as
 * underscores: TIDEWHEEL_FLUSH_INTERVAL) are made from the row. Later beats earlier: default, file,
 * environment, `-s path=value`; an environment variable that is empty counts as not set. Outside the
 * file, `pipelines` is a list with commas, relative to the working folder, and a property of
 * librdkafka is `kafka.librdkafka.<name>`, or name=value pairs with semicolons in
 * TIDEWHEEL_KAFKA_LIBRDKAFKA. Properties that the worker owns are refused, with the reason.
 *
 * Secrets come from the environment, by ${VAR} or TIDEWHEEL_REDIS_URL, or from files: redis.password_file,
 * and NAME_file in place of a property NAME that is a secret. A name in the configuration file is relative
 * to its folder. A file with a secret in it that others may read is refused, the configuration itself too
 * if a secret stands in it literally.
 *
 * Floor: 2. Owner: built once, then const and shared.
 */
#ifndef TIDEWHEEL_OPTIONS_H
#define TIDEWHEEL_OPTIONS_H

#include "tidewheel/redis_url.h"
#include "tidewheel/setting.h"
#include "tidewheel/verdict.h"

struct catalog;

/* What becomes of a rejected event, beside being counted. */
enum on_error {
    ON_ERROR_DROP,        /* nothing */
    ON_ERROR_DEAD_LETTER, /* it goes to dead_letter.topic (dead_letter.h) */
    ON_ERROR_STOP,        /* nothing behind it is read before a person has decided */
};

struct property {
    char *name;
    char *value;
    char *origin;
};

/* Of a row: for whoever shows the configuration. */
struct option_value {
    char *text;   /* as it would be written, a file's name as seen from here; NULL: a list's */
    char *origin; /* default, file:line, environment NAME, or -s */
    bool is_preset;
};

struct options {
    char *file; /* NULL: none was read */
    char *kafka_brokers;
    char *kafka_group_id;
    struct property *librdkafka;
    size_t librdkafka_count;
    char *redis_url;
    char *redis_password_file;
    char *redis_tls_ca_file;
    char *redis_tls_cert_file;
    char *redis_tls_key_file;
    struct redis_url redis; /* all of these, taken apart and read */
    bool redis_allow_eviction;
    char **pipelines; /* files: globs are expanded, relative to the configuration file's folder */
    size_t pipeline_count;
    int64_t workers;
    int64_t flush_interval_ms;
    int64_t flush_entities_max;
    int64_t checkpoint_interval_ms; /* 0: off */
    int64_t limits_event_bytes;
    int64_t limits_nesting;
    int64_t limits_key_bytes;
    int64_t limits_memory;
    char *dead_letter_topic;
    char *on_error[VERDICT_COUNT]; /* of rejections; see options_on_error() */
    char *http_listen;
    char *log_level;
    char *log_format;
    int64_t shutdown_timeout_ms;
    struct option_value *values; /* one for each row */
};

/* Is this a property of librdkafka, and a value that it takes? False with a sentence. */
typedef bool property_check_fn(const char *name, const char *value, struct err *err);

/* Can it be reached with these files? Else ERR_CONFIG, and the path of the option that is wrong. */
typedef int redis_check_fn(const struct redis_url *redis, const char **ret_option, struct err *err);

struct options_source {
    const char *file; /* -c; NULL: TIDEWHEEL_CONFIG, else config/tidewheel.yaml if it is there,
                                       else defaults alone */
    const char *const *assignments; /* -s path=value */
    size_t assignment_count;
    const char *const *properties; /* -X name=value */
    size_t property_count;
    bool needs_pipelines;              /* an empty list of pipeline files is an error */
    property_check_fn *check_property; /* NULL: any will do */
    redis_check_fn *check_redis;       /* the same */
};

/* All errors are added to report, one line each, as pipeline_load() does. */
int options_load(const struct options_source *source, struct buf *report,
                 struct options *ret) MUST_CHECK;

/* The same, but *ret is filled whatever is wrong, with defaults in place of what was refused: for
 * whoever wants to see the errors of the pipelines as well. */
int options_read(const struct options_source *source, struct buf *report,
                 struct options *ret) MUST_CHECK;
/* What only shows beside the pipelines; ERR_CONFIG and a line in report for each. */
int options_check_catalog(const struct options *options, const struct catalog *catalog,
                          struct buf *report) MUST_CHECK;

/* What becomes of an event that is rejected for this reason; without a topic for it, a dead letter is
 * dropped. */
enum on_error options_on_error(const struct options *options, enum verdict reason);

/* Adds the names of the options that differ, parted by commas, but not of pipelines; false: none does. */
bool options_name_changes(const struct options *options, const struct options *before,
                          struct buf *ret);

void options_fini(struct options *options);

extern const struct setting option_rows[];
extern const size_t option_count;

enum { OPTION_ENV_MAX = 128 };

/* The name of a row in the environment; ret has room for OPTION_ENV_MAX. */
const char *option_env(const struct setting *row, char *ret);

#endif
