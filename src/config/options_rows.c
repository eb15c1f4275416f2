#include "config/options_rows.h"

#include <string.h>

#include "tidewheel/mask.h"
#include "tidewheel/options.h"

#define KIB       (INT64_C(1) << 10)
#define MIB       (INT64_C(1) << 20)
#define GIB       (INT64_C(1) << 30)
#define MINUTE_MS INT64_C(60000)
#define HOUR_MS   INT64_C(3600000)

static const char *const OFF[] = {"off", NULL};
static const char *const LOG_LEVELS[] = {"error", "warn", "info", "debug", NULL};
static const char *const LOG_FORMATS[] = {"text", "json", NULL};

static const char *const ON_ERRORS[] = {[ON_ERROR_DROP] = "drop",
                                        [ON_ERROR_DEAD_LETTER] = "dead_letter",
                                        [ON_ERROR_STOP] = "stop",
                                        NULL};

#define ON_ERROR(reason, member, what, tacit, how)                                                 \
    {                                                                                              \
        .path = "on_error." reason, .type = SETTING_CHOICE, .preset = (what), .is_tacit = (tacit), \
        .choices = ON_ERRORS, .offset = offsetof(struct options, on_error[member]), .help = (how)  \
    }

/* clang-format off */
const struct setting option_rows[] = {
    [OPTION_KAFKA_BROKERS] = {
        .path = "kafka.brokers", .type = SETTING_TEXT, .preset = "localhost:9092", .min = 1, .max = 4096,
        .offset = offsetof(struct options, kafka_brokers),
        .example = "localhost:9092",
        .help = "Kafka's bootstrap servers, host:port with commas."},
    [OPTION_KAFKA_GROUP_ID] = {
        .path = "kafka.group_id", .type = SETTING_TEXT, .preset = "tidewheel", .min = 1, .max = 249,
        .offset = offsetof(struct options, kafka_group_id),
        .help = "The consumer group; processes with the same one share the work."},
    [OPTION_KAFKA_LIBRDKAFKA] = {
        .path = "kafka.librdkafka", .type = SETTING_PROPERTIES,
        .help = "Any property of librdkafka, by its own name, but for those that the worker owns."},
    [OPTION_REDIS_URL] = {
        .path = "redis.url", .type = SETTING_TEXT, .secret = SECRET_IN_URL, .preset = "redis://localhost:6379/0", .min = 1, .max = 4096,
        .offset = offsetof(struct options, redis_url),
        .help = "redis://[user:password@]host[:port][/db], rediss:// for TLS, or unix:///path/to/socket."},
    [OPTION_REDIS_PASSWORD_FILE] = {
        .path = "redis.password_file", .type = SETTING_TEXT, .is_file = true, .preset = "", .max = 4096,
        .offset = offsetof(struct options, redis_password_file),
        .help = "The file that holds the password of redis.url's user; empty: redis.url has it, or there is none."},
    [OPTION_REDIS_TLS_CA_FILE] = {
        .path = "redis.tls.ca_file", .type = SETTING_TEXT, .is_file = true, .preset = "", .max = 4096,
        .offset = offsetof(struct options, redis_tls_ca_file),
        .help = "PEM file of the CAs that may vouch for Redis, with rediss://; empty: the system's."},
    [OPTION_REDIS_TLS_CERT_FILE] = {
        .path = "redis.tls.cert_file", .type = SETTING_TEXT, .is_file = true, .preset = "", .max = 4096,
        .offset = offsetof(struct options, redis_tls_cert_file),
        .help = "PEM file of the certificate that is shown to Redis, and of those between it and its CA; empty: none."},
    [OPTION_REDIS_TLS_KEY_FILE] = {
        .path = "redis.tls.key_file", .type = SETTING_TEXT, .is_file = true, .preset = "", .max = 4096,
        .offset = offsetof(struct options, redis_tls_key_file),
        .help = "PEM file of the private key of that certificate, without a passphrase."},
    [OPTION_REDIS_ALLOW_EVICTION] = {
        .path = "redis.allow_eviction", .type = SETTING_BOOL, .preset = "false",
        .offset = offsetof(struct options, redis_allow_eviction),
        .help = "Starts even if Redis has a maxmemory-policy by which keys may vanish without a trace."},
    [OPTION_PIPELINES] = {
        .path = "pipelines", .type = SETTING_TEXTS, .max = 1024,
        .example = "../pipelines/*.yaml",
        .help = "Pipeline files; patterns like *.yaml are expanded, relative to this file's folder."},
    [OPTION_WORKERS] = {
        .path = "workers", .type = SETTING_INT, .preset = "2", .min = 1, .max = 256,
        .offset = offsetof(struct options, workers),
        .help = "Consumer threads, each a member of the group."},
    [OPTION_FLUSH_INTERVAL] = {
        .path = "flush.interval", .type = SETTING_DURATION, .preset = "10ms", .min = 0, .max = 10000,
        .offset = offsetof(struct options, flush_interval_ms),
        .help = "How long changes gather before they are written; 0ms: as soon as the last write is answered."},
    [OPTION_FLUSH_ENTITIES_MAX] = {
        .path = "flush.entities_max", .type = SETTING_INT, .preset = "100", .min = 1, .max = 1000,
        .offset = offsetof(struct options, flush_entities_max),
        .help = "Entities in one atomic write; more make throughput, and pauses for Redis's other clients."},
    [OPTION_CHECKPOINT_INTERVAL] = {
        .path = "checkpoint.interval", .type = SETTING_DURATION, .preset = "10s", .min = 1000, .max = HOUR_MS,
        .choices = OFF, .offset = offsetof(struct options, checkpoint_interval_ms),
        .help = "How often state is saved in Redis, for a restart to go on from there; off: it reads the log again."},
    [OPTION_LIMITS_EVENT_BYTES] = {
        .path = "limits.event_bytes", .type = SETTING_SIZE, .preset = "256KiB", .min = 64, .max = 64 * MIB,
        .offset = offsetof(struct options, limits_event_bytes),
        .help = "A larger event is rejected as too_big."},
    [OPTION_LIMITS_NESTING] = {
        .path = "limits.nesting", .type = SETTING_INT, .preset = "64", .min = 1, .max = 1024,
        .offset = offsetof(struct options, limits_nesting),
        .help = "An event that is nested more deeply is rejected as bad_json."},
    [OPTION_LIMITS_KEY_BYTES] = {
        .path = "limits.key_bytes", .type = SETTING_SIZE, .preset = "256B", .min = 1, .max = 64 * KIB,
        .offset = offsetof(struct options, limits_key_bytes),
        .help = "An event whose entity has more raw bytes is rejected as key_too_long."},
    [OPTION_LIMITS_MEMORY] = {
        .path = "limits.memory", .type = SETTING_SIZE, .preset = "4GiB", .min = 16 * MIB, .max = 16 * 1024 * GIB,
        .offset = offsetof(struct options, limits_memory),
        .help = "What the windows of all workers of the process may take together, shared equally among them."},
    [OPTION_DEAD_LETTER_TOPIC] = {
        .path = "dead_letter.topic", .type = SETTING_TOPIC, .preset = "",
        .offset = offsetof(struct options, dead_letter_topic),
        .help = "Where rejected events go, with their origin and reason; empty: they are counted and dropped."},
    [OPTION_ON_ERROR_EMPTY] = ON_ERROR("empty", VERDICT_EMPTY, "drop", false,
        "What becomes of a record without a value: drop counts it, dead_letter also sends it to "
        "dead_letter.topic, if one is named, stop ends the process before it."),
    [OPTION_ON_ERROR_TOO_BIG] = ON_ERROR("too_big", VERDICT_TOO_BIG, "dead_letter", true,
        "What becomes of an event longer than limits.event_bytes; as on_error.empty."),
    [OPTION_ON_ERROR_BAD_JSON] = ON_ERROR("bad_json", VERDICT_BAD_JSON, "dead_letter", true,
        "What becomes of a value that is not one JSON text; as on_error.empty."),
    [OPTION_ON_ERROR_NOT_OBJECT] = ON_ERROR("not_object", VERDICT_NOT_OBJECT, "dead_letter", true,
        "What becomes of a value that is JSON, but no object; as on_error.empty."),
    [OPTION_ON_ERROR_BAD_TIMESTAMP] = ON_ERROR("bad_timestamp", VERDICT_BAD_TIMESTAMP, "dead_letter", true,
        "What becomes of an event without a timestamp that can be read; as on_error.empty."),
    [OPTION_ON_ERROR_NO_KEY] = ON_ERROR("no_key", VERDICT_NO_KEY, "dead_letter", true,
        "What becomes of an event that lacks a part of the entity's key; as on_error.empty."),
    [OPTION_ON_ERROR_KEY_TOO_LONG] = ON_ERROR("key_too_long", VERDICT_KEY_TOO_LONG, "dead_letter", true,
        "What becomes of an event whose key has more bytes than limits.key_bytes; as on_error.empty."),
    [OPTION_ON_ERROR_FUTURE] = ON_ERROR("future", VERDICT_FUTURE, "dead_letter", true,
        "What becomes of an event that is dated further ahead than future_max; as on_error.empty."),
    [OPTION_ON_ERROR_POISON] = ON_ERROR("poison", VERDICT_POISON, "dead_letter", true,
        "What becomes of an event that ended the process each time it was tried; as on_error.empty."),
    [OPTION_HTTP_LISTEN] = {
        .path = "http.listen", .type = SETTING_TEXT, .preset = "127.0.0.1:4196", .max = 256,
        .offset = offsetof(struct options, http_listen),
        .help = "host:port of /metrics, /livez and /readyz; empty: none. In use by another: refused, but for the default, which is then done without."},
    [OPTION_LOG_LEVEL] = {
        .path = "log.level", .type = SETTING_CHOICE, .preset = "info", .choices = LOG_LEVELS,
        .offset = offsetof(struct options, log_level),
        .help = "What is logged to stderr: this and what is worse."},
    [OPTION_LOG_FORMAT] = {
        .path = "log.format", .type = SETTING_CHOICE, .preset = "text", .choices = LOG_FORMATS,
        .offset = offsetof(struct options, log_format),
        .help = "logfmt, or one JSON object a line."},
    [OPTION_SHUTDOWN_TIMEOUT] = {
        .path = "shutdown_timeout", .type = SETTING_DURATION, .preset = "30s", .min = 1000, .max = 10 * MINUTE_MS,
        .offset = offsetof(struct options, shutdown_timeout_ms),
        .help = "How long SIGTERM may take to drain, write and commit."},
};

const size_t option_count = OPTIONS;

const struct owned_property owned_properties[] = {
    {"bootstrap.servers",           NULL, "set kafka.brokers instead"},
    {"metadata.broker.list",        NULL, "set kafka.brokers instead"},
    {"group.id",                    NULL, "set kafka.group_id instead"},
    {"client.id",                   NULL, "each worker has its own, made from kafka.group_id"},
    {"group.instance.id",           NULL, "the workers of a process would fence each other"},
    {"group.protocol",              "classic", "only the classic group protocol is supported"},
    {"enable.auto.commit",          "false", "an offset is committed only when the writes that depend on it were acknowledged"},
    {"auto.commit.enable",          "false", "an offset is committed only when the writes that depend on it were acknowledged"},
    {"auto.commit.interval.ms",     NULL, "nothing is committed by the clock"},
    {"enable.auto.offset.store",    "false", "the worker keeps its own account of offsets"},
    {"auto.offset.reset",           "error", "a lost position is read again from where the windows need it, never skipped"},
    {"enable.partition.eof",        "true", "the worker must see the end of a partition to know that it has caught up"},
    {"partition.assignment.strategy", "range", "only range keeps units where they were and partitions of several topics together"},
};

const size_t owned_property_count = sizeof owned_properties / sizeof *owned_properties;
/* clang-format on */

/* librdkafka itself masks fewer in its debug lines: not the client's secret, up to 2.8 at least. */
const char *const secret_properties[] = {
    "sasl.password",
    "sasl.oauthbearer.config",
    "sasl.oauthbearer.extensions",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.client.credentials.client.secret",
    "sasl.oauthbearer.assertion.private.key.passphrase",
    "sasl.oauthbearer.assertion.private.key.pem",
    "sasl.kerberos.kinit.cmd", /* a command line, perhaps with a password in it */
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.password",
};

const size_t secret_property_count = sizeof secret_properties / sizeof *secret_properties;

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text);
    size_t end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

bool property_is_secret(const char *name)
{
    static const char *const ENDS[] = {"password", "passphrase", "secret", "key.pem"};
    for (size_t i = 0; i < secret_property_count; i++)
        if (strcmp(secret_properties[i], name) == 0)
            return true;
    for (size_t i = 0; i < sizeof ENDS / sizeof *ENDS; i++)
        if (ends_with(name, ENDS[i]))
            return true;
    return false;
}

void property_show(const char *name, const char *value, struct buf *ret)
{
    if (property_is_secret(name))
        buf_add_text(ret, *value != '\0' ? MASK : "");
    else
        mask_logins(value, ret);
}
