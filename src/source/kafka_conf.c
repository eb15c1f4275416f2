#include "kafka_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/options_rows.h"
#include "kafka_log.h"
#include "tidewheel/clock.h"
#include "tidewheel/log.h"
#include "tidewheel/mem.h"

struct pair {
    const char *name;
    const char *value; /* NULL: set by other means */
};

/* What correctness hangs on: a person cannot set these. */
/* clang-format off */
static const struct pair OWNED[] = {
    {"bootstrap.servers",             NULL},
    {"metadata.broker.list",          NULL},
    {"group.id",                      NULL},
    {"enable.auto.commit",            "false"},
    {"enable.auto.offset.store",      "false"},
    {"auto.offset.reset",             "error"}, /* the default jumps to the end in silence */
    {"enable.partition.eof",          "true"},
    {"partition.assignment.strategy", "range"}, /* eager, and equal partitions go together */
};

/* Ours unless the person says otherwise. The consumer has one queue for all its partitions; what is
 * in flight from each broker comes on top of it. It is small, so that a backlog costs little memory:
 * kafka_nudge() sees to it that the fetchers do not sleep over it. */
static const struct pair DEFAULTS[] = {
    {"queued.min.messages",                "10000"},
    {"queued.max.messages.kbytes",         "65536"},
    {"fetch.max.bytes",                    "16777216"},
    {"fetch.queue.backoff.ms",             "10"}, /* librdkafka < 2.2 has none */
    {"fetch.wait.max.ms",                  "100"}, /* a lookup waits behind a fetch that finds nothing */
    {"topic.metadata.refresh.interval.ms", "10000"}, /* a topic that appears or grows is seen soon */
    {"socket.keepalive.enable",            "true"},
    {"log.connection.close",               "false"},
};

/* The second consumer of a worker shares its memory. */
static const struct pair READER_DEFAULTS[] = {
    {"queued.max.messages.kbytes",         "16384"},
    {"fetch.max.bytes",                    "4194304"},
};

enum reaction {
    REACT_WARN,
    REACT_AWAY,    /* Kafka is not there: wait */
    REACT_REFUSED, /* fatal if it lasts */
    REACT_FATAL,
};

static const struct {
    rd_kafka_resp_err_t code;
    enum reaction reaction;
    const char *advice;
} REACTIONS[] = {
    {RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN,           REACT_AWAY,    ""},
    {RD_KAFKA_RESP_ERR__TRANSPORT,                  REACT_WARN,    ""},
    {RD_KAFKA_RESP_ERR__RESOLVE,                    REACT_WARN,    ""},
    {RD_KAFKA_RESP_ERR__AUTHENTICATION,             REACT_REFUSED, "Kafka refuses our credentials"},
    {RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED,  REACT_REFUSED, "Kafka refuses our credentials"},
    {RD_KAFKA_RESP_ERR__SSL,                        REACT_REFUSED, "Kafka and we do not agree on TLS"},
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,  REACT_FATAL,
     "we may not read a topic; give this user READ and DESCRIBE on it"},
    {RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,  REACT_FATAL,
     "we may not use the group; give this user READ on it"},
    {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, REACT_FATAL, "Kafka refuses our user"},
    {RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID,          REACT_FATAL,
     "another worker uses our group.instance.id; give each its own"},
    {RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL, REACT_FATAL,
     "other members of the group use another assignor than range; give this worker a group of its own"},
};
/* clang-format on */

static const struct pair *find(const struct pair *pairs, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(pairs[i].name, name) == 0)
            return &pairs[i];
    return NULL;
}

static const char *property_of(const struct options *options, const char *name)
{
    const char *value = NULL;
    for (size_t i = 0; i < options->librdkafka_count; i++)
        if (strcmp(options->librdkafka[i].name, name) == 0)
            value = options->librdkafka[i].value;
    return value;
}

/* librdkafka's reasons cite values: not those that are secret. */
static bool takes(rd_kafka_conf_t *conf, const char *name, const char *value, struct err *err)
{
    char reason[512];
    if (rd_kafka_conf_set(conf, name, value, reason, sizeof reason) == RD_KAFKA_CONF_OK)
        return true;
    bool cites = property_is_secret(name) && *value != '\0' && strstr(reason, value) != NULL;
    (void)err_set(err, ERR_CONFIG, "librdkafka %s%s",
                  cites ? "does not take the value" : "says: ", cites ? "" : reason);
    return false;
}

int kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, struct err *err)
{
    return takes(conf, name, value, err) ? 0 : err_wrap(err, "kafka.librdkafka.%s", name);
}

bool kafka_check_property(const char *name, const char *value, struct err *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    bool is_good = takes(conf, name, value, err);
    rd_kafka_conf_destroy(conf);
    return is_good;
}

/* A default that this librdkafka does not know is left out. */
static void set_defaults(rd_kafka_conf_t *conf, const struct pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char reason[512];
        rd_kafka_conf_res_t result =
            rd_kafka_conf_set(conf, pairs[i].name, pairs[i].value, reason, sizeof reason);
        CHECK(result == RD_KAFKA_CONF_OK || result == RD_KAFKA_CONF_UNKNOWN);
    }
}

/* A producer's are the dead letters' (kafka_letters_conf.c). */
static int set_properties(rd_kafka_conf_t *conf, const struct options *options, struct err *err)
{
    struct buf sides = {NULL, 0, 0};
    int rc = 0;
    kafka_property_sides(&sides);
    for (size_t i = 0; i < options->librdkafka_count && rc == 0; i++) {
        const struct property *property = &options->librdkafka[i];
        if (find(OWNED, sizeof OWNED / sizeof *OWNED, property->name) != NULL)
            rc = err_set(err, ERR_CONFIG,
                         "kafka.librdkafka.%s: is the worker's own to set, leave it out",
                         property->name);
        else if (kafka_property_side(&sides, property->name) != 'P')
            rc = kafka_conf_set(conf, property->name, property->value, err);
    }
    buf_fini(&sides);
    return rc;
}

static int set_owned(rd_kafka_conf_t *conf, const struct options *options, struct err *err)
{
    for (size_t i = 0; i < sizeof OWNED / sizeof *OWNED; i++) {
        int rc =
            OWNED[i].value != NULL ? kafka_conf_set(conf, OWNED[i].name, OWNED[i].value, err) : 0;
        if (rc < 0)
            return rc;
    }
    int rc = kafka_conf_set(conf, "bootstrap.servers", options->kafka_brokers, err);
    return rc < 0 ? rc : kafka_conf_set(conf, "group.id", options->kafka_group_id, err);
}

/* Two workers of one process are two clients: equal names confuse assignors and people, and equal
 * instance ids fence each other. */
static int set_names(rd_kafka_conf_t *conf, const struct options *options,
                     const struct kafka_source *source, struct err *err)
{
    char name[512];
    const char *client = property_of(options, "client.id");
    const char *what = source->is_reader ? "-reader" : "";
    if (client != NULL)
        (void)snprintf(name, sizeof name, "%s-%d%s", client, source->number, what);
    else
        (void)snprintf(name, sizeof name, "tidewheel-%ld-%d%s", (long)getpid(), source->number,
                       what);
    int rc = kafka_conf_set(conf, "client.id", name, err);
    const char *instance = property_of(options, "group.instance.id");
    if (rc < 0 || instance == NULL)
        return rc;
    (void)snprintf(name, sizeof name, "%s-%d%s", instance, source->number, what);
    return kafka_conf_set(conf, "group.instance.id", name, err);
}

/* Called by librdkafka's threads. */
static void on_log(const rd_kafka_t *handle, int level, const char *facility, const char *text)
{
    const struct kafka_source *source = handle != NULL ? rd_kafka_opaque(handle) : NULL;
    kafka_log(level, facility, "worker=%d facility=%s text=\"%s\"",
              source != NULL ? source->number : -1, facility, text);
}

/* Called inside rd_kafka_consumer_poll(), as on_rebalance() is. */
static void on_error(rd_kafka_t *handle, int code, const char *reason, void *opaque)
{
    (void)handle;
    kafka_error(opaque, (rd_kafka_resp_err_t)code, reason);
}

static void on_rebalance(rd_kafka_t *handle, rd_kafka_resp_err_t code,
                         rd_kafka_topic_partition_list_t *partitions, void *opaque)
{
    (void)handle;
    kafka_rebalance(opaque, code, partitions);
}

int kafka_conf_new(struct kafka_source *source, const struct options *options, struct err *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set_defaults(conf, DEFAULTS, sizeof DEFAULTS / sizeof *DEFAULTS);
    if (source->is_reader)
        set_defaults(conf, READER_DEFAULTS, sizeof READER_DEFAULTS / sizeof *READER_DEFAULTS);
    int rc = set_properties(conf, options, err);
    if (rc == 0)
        rc = set_owned(conf, options, err);
    if (rc == 0)
        rc = set_names(conf, options, source, err);
    if (rc < 0) {
        rd_kafka_conf_destroy(conf);
        return rc;
    }
    char text[32] = "";
    size_t size = sizeof text;
    if (rd_kafka_conf_get(conf, "queued.min.messages", text, &size) == RD_KAFKA_CONF_OK)
        source->queue_min = strtoull(text, NULL, 10);
    source->has_backoff =
        rd_kafka_conf_get(conf, "fetch.queue.backoff.ms", NULL, &size) == RD_KAFKA_CONF_OK;
    rd_kafka_conf_set_opaque(conf, source);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    source->conf = conf;
    return 0;
}

/* The first sentence stays: what comes after it is a consequence. */
void kafka_fail(struct kafka_source *source, const char *format, ...)
{
    if (source->fatal.code != 0)
        return;
    char text[ERR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    (void)err_set(&source->fatal, ERR_FATAL, "%s", text);
}

void kafka_away(struct kafka_source *source, const char *advice, const char *reason)
{
    if (!source->is_away)
        source->probe_mono_ms = 0; /* asks soon whether it is back: an idle topic tells nobody */
    source->is_away = true;
    board_set(source->handler.board, BOARD_KAFKA_UP, 0);
    if (source->refused_mono_ms >= 0)
        return; /* why is known already */
    (void)snprintf(source->trouble, sizeof source->trouble, "%s%s%s", advice,
                   *advice != '\0' ? ": " : "", reason);
}

static void react(struct kafka_source *source, rd_kafka_resp_err_t code, const char *reason)
{
    enum reaction reaction = REACT_WARN;
    const char *advice = "";
    for (size_t i = 0; i < sizeof REACTIONS / sizeof *REACTIONS; i++) {
        if (REACTIONS[i].code == code) {
            reaction = REACTIONS[i].reaction;
            advice = REACTIONS[i].advice;
        }
    }
    if (reaction == REACT_FATAL)
        kafka_fail(source, "%s: %s", advice, reason);
    if (reaction == REACT_AWAY || reaction == REACT_REFUSED)
        kafka_away(source, advice, reason);
    if (reaction == REACT_REFUSED && source->refused_mono_ms < 0)
        source->refused_mono_ms = clock_mono_ms();
}

/* A fatal error hides its cause: the handle tells it. */
void kafka_error(struct kafka_source *source, rd_kafka_resp_err_t code, const char *reason)
{
    char text[512] = "";
    bool is_fatal = code == RD_KAFKA_RESP_ERR__FATAL;
    if (is_fatal) {
        code = rd_kafka_fatal_error(source->handle, text, sizeof text);
        reason = text;
    }
    log_limited(LOG_WARN, "kafka", "worker=%d error=%s reason=\"%s\"", source->number,
                rd_kafka_err2name(code), reason);
    react(source, code, reason);
    if (is_fatal)
        kafka_fail(source, "Kafka gave up on this member: %s", reason);
}

/* A reader has the topics of the source beside it, which asks for all of them. */
void kafka_show_topic(const struct kafka_source *source, const char *name, enum topic_state state)
{
    if (source->handler.board != NULL && !source->is_reader)
        cell_set(&board_topic(source->handler.board, name)->state, state);
}

void kafka_answers(struct kafka_source *source)
{
    if (source->is_away)
        log_info("kafka", "worker=%d state=back", source->number);
    source->is_away = false;
    source->refused_mono_ms = -1;
    board_set(source->handler.board, BOARD_KAFKA_UP, 1);
}
