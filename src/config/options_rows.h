/* options_rows: the numbers of the rows that are more than a value, and the properties that are
 * ours.
 *
 * Floor: 2. Owner: constants.
 */
#ifndef TIDEWHEEL_CONFIG_OPTIONS_ROWS_H
#define TIDEWHEEL_CONFIG_OPTIONS_ROWS_H

#include <stdbool.h>
#include <stddef.h>

enum option {
    OPTION_KAFKA_BROKERS,
    OPTION_KAFKA_GROUP_ID,
    OPTION_KAFKA_LIBRDKAFKA,
    OPTION_REDIS_URL,
    OPTION_REDIS_PASSWORD_FILE,
    OPTION_REDIS_TLS_CA_FILE,
    OPTION_REDIS_TLS_CERT_FILE,
    OPTION_REDIS_TLS_KEY_FILE,
    OPTION_REDIS_ALLOW_EVICTION,
    OPTION_PIPELINES,
    OPTION_WORKERS,
    OPTION_FLUSH_INTERVAL,
    OPTION_FLUSH_ENTITIES_MAX,
    OPTION_CHECKPOINT_INTERVAL,
    OPTION_LIMITS_EVENT_BYTES,
    OPTION_LIMITS_NESTING,
    OPTION_LIMITS_KEY_BYTES,
    OPTION_LIMITS_MEMORY,
    OPTION_DEAD_LETTER_TOPIC,
    OPTION_ON_ERROR_EMPTY,
    OPTION_ON_ERROR_TOO_BIG,
    OPTION_ON_ERROR_BAD_JSON,
    OPTION_ON_ERROR_NOT_OBJECT,
    OPTION_ON_ERROR_BAD_TIMESTAMP,
    OPTION_ON_ERROR_NO_KEY,
    OPTION_ON_ERROR_KEY_TOO_LONG,
    OPTION_ON_ERROR_FUTURE,
    OPTION_ON_ERROR_POISON,
    OPTION_HTTP_LISTEN,
    OPTION_LOG_LEVEL,
    OPTION_LOG_FORMAT,
    OPTION_SHUTDOWN_TIMEOUT,
    OPTIONS
};

/* A property of librdkafka that people may not set, and what to do instead. */
struct owned_property {
    const char *name;
    const char *allowed; /* a value that changes nothing, or NULL */
    const char *reason;
};

extern const struct owned_property owned_properties[];
extern const size_t owned_property_count;

/* Properties of librdkafka whose value is a secret, as its CONFIGURATION.md has them. */
extern const char *const secret_properties[];
extern const size_t secret_property_count;

/* One of these, or a name that ends as theirs do: a plug-in's, a later librdkafka's, a slip. */
bool property_is_secret(const char *name);

struct buf;

/* Adds a property's value as it may be shown. */
void property_show(const char *name, const char *value, struct buf *ret);

#endif
