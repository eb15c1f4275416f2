#include "kafka_letters.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "kafka_log.h"
#include "kafka_private.h"

struct pair {
    const char *name;
    const char *value; /* NULL: left out, or set by other means */
};

/* What the promise hangs on: whatever a person has set for these, is not a letter's. */
/* clang-format off */
static const struct pair OWNED[] = {
    {"bootstrap.servers",                     NULL},
    {"metadata.broker.list",                  NULL},
    {"group.id",                              NULL},
    {"enable.idempotence",                    "true"},
    {"acks",                                  "all"},
    {"message.timeout.ms",                    "30000"}, /* so that a failure shows: we try again ourselves */
    {"request.required.acks",                 NULL},
    {"delivery.timeout.ms",                   NULL},
    {"retries",                               NULL},
    {"message.send.max.retries",              NULL},
    {"max.in.flight",                         NULL},
    {"max.in.flight.requests.per.connection", NULL},
    {"queuing.strategy",                      NULL},
    {"enable.gapless.guarantee",              NULL},
    {"transactional.id",                      NULL},
    {"transaction.timeout.ms",                NULL},
    {"delivery.report.only.error",            NULL},
};

/* Ours unless the person says otherwise. */
static const struct pair DEFAULTS[] = {
    {"message.max.bytes",                  "1000000000"}, /* what is too large is for the topic to say */
    {"batch.size",                         "65536"}, /* a topic with small limits refuses no batch of small letters */
    {"partitioner",                        "murmur2_random"}, /* a key goes where Java's producer sends it */
    {"topic.metadata.propagation.max.ms",  "5000"}, /* how long a missing topic is thought to be new */
    {"topic.metadata.refresh.interval.ms", "5000"}, /* a topic that is made at last is seen soon */
    {"socket.keepalive.enable",            "true"},
    {"log.connection.close",               "false"},
};

static const struct letter_error ERRORS[] = {
    {RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,              LETTER_WAITS,     "create the topic"},
    {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,       LETTER_WAITS,     "create the topic"},
    {RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION,          LETTER_WAITS,     "create the topic"},
    {RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION,             LETTER_WAITS,     "dead_letter.topic has a name that Kafka refuses"},
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,  LETTER_WAITS,     "give this user WRITE and DESCRIBE on the topic"},
    {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, LETTER_NEW_START, "give this user IDEMPOTENT_WRITE on the cluster"},
    {RD_KAFKA_RESP_ERR__AUTHENTICATION,             LETTER_WAITS,     "Kafka refuses our credentials"},
    {RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED,  LETTER_WAITS,     "Kafka refuses our credentials"},
    {RD_KAFKA_RESP_ERR__SSL,                        LETTER_WAITS,     "Kafka and we do not agree on TLS"},
    {RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN,           LETTER_WAITS,     "Kafka is away"},
    {RD_KAFKA_RESP_ERR__TRANSPORT,                  LETTER_WAITS,     "Kafka is away"},
    {RD_KAFKA_RESP_ERR__RESOLVE,                    LETTER_WAITS,     "Kafka is away"},
    {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT,              LETTER_WAITS,     "Kafka did not answer in 30 s"},
    {RD_KAFKA_RESP_ERR__TIMED_OUT,                  LETTER_WAITS,     "Kafka did not answer in time"},
    {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,         LETTER_WAITS,     "the topic has too few replicas in sync"},
    {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, LETTER_WAITS, "the topic has too few replicas in sync"},
    {RD_KAFKA_RESP_ERR_POLICY_VIOLATION,            LETTER_WAITS,     "a policy of Kafka's refuses it"},
    {RD_KAFKA_RESP_ERR__QUEUE_FULL,                 LETTER_AGAIN,     "librdkafka's queue is full"},
    {RD_KAFKA_RESP_ERR__PURGE_QUEUE,                LETTER_AGAIN,     "the producer is made anew"},
    {RD_KAFKA_RESP_ERR__PURGE_INFLIGHT,             LETTER_AGAIN,     "the producer is made anew"},
    {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,          LETTER_ASIDE,     "raise max.message.bytes of the topic"},
    {RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE,       LETTER_ASIDE,     "raise max.message.bytes of the topic"},
    {RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE,            LETTER_ASIDE,     "raise max.message.bytes of the topic"},
    {RD_KAFKA_RESP_ERR_INVALID_MSG,                 LETTER_ASIDE,     "a compacted topic takes no letter without a key: use cleanup.policy=delete"},
    {RD_KAFKA_RESP_ERR_INVALID_RECORD,              LETTER_ASIDE,     "a compacted topic takes no letter without a key: use cleanup.policy=delete"},
    {RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP,           LETTER_UNDATED,   "the topic does not take its timestamp"},
    {RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, LETTER_NEW_START, "the producer is made anew"},
    {RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID,         LETTER_NEW_START, "the producer is made anew"},
    {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,      LETTER_NEW_START, "the producer is made anew"},
    {RD_KAFKA_RESP_ERR__INCONSISTENT,               LETTER_NEW_START, "the producer is made anew"},
    {RD_KAFKA_RESP_ERR__STATE,                      LETTER_NEW_START, "the producer is made anew"},
    {RD_KAFKA_RESP_ERR__FATAL,                      LETTER_NEW_START, "the producer is made anew"},
};
/* clang-format on */

const struct letter_error *letter_error_of(rd_kafka_resp_err_t code)
{
    static const struct letter_error other = {RD_KAFKA_RESP_ERR_UNKNOWN, LETTER_WAITS,
                                              "Kafka does not take it"};
    for (size_t i = 0; i < sizeof ERRORS / sizeof *ERRORS; i++)
        if (ERRORS[i].code == code)
            return &ERRORS[i];
    return &other;
}

static bool is_owned(const char *name)
{
    for (size_t i = 0; i < sizeof OWNED / sizeof *OWNED; i++)
        if (strcmp(OWNED[i].name, name) == 0)
            return true;
    return false;
}

/* A default that this librdkafka does not know is left out. */
static void set_defaults(rd_kafka_conf_t *conf)
{
    for (size_t i = 0; i < sizeof DEFAULTS / sizeof *DEFAULTS; i++)
        (void)rd_kafka_conf_set(conf, DEFAULTS[i].name, DEFAULTS[i].value, NULL, 0);
}

/* librdkafka warns of a consumer's property that a producer is given; only its list says which is which. */
static int set_properties(rd_kafka_conf_t *conf, const struct options *options, struct err *err)
{
    struct buf sides = {NULL, 0, 0};
    int rc = 0;
    kafka_property_sides(&sides);
    for (size_t i = 0; i < options->librdkafka_count && rc == 0; i++) {
        const struct property *property = &options->librdkafka[i];
        if (!is_owned(property->name) && kafka_property_side(&sides, property->name) != 'C')
            rc = kafka_conf_set(conf, property->name, property->value, err);
    }
    for (size_t i = 0; i < sizeof OWNED / sizeof *OWNED && rc == 0; i++)
        if (OWNED[i].value != NULL)
            rc = kafka_conf_set(conf, OWNED[i].name, OWNED[i].value, err);
    buf_fini(&sides);
    return rc;
}

static int set_name(rd_kafka_conf_t *conf, const struct options *options, int number,
                    struct err *err)
{
    char name[512];
    const char *client = NULL;
    for (size_t i = 0; i < options->librdkafka_count; i++)
        if (strcmp(options->librdkafka[i].name, "client.id") == 0)
            client = options->librdkafka[i].value;
    if (client != NULL)
        (void)snprintf(name, sizeof name, "%s-%d-letters", client, number);
    else
        (void)snprintf(name, sizeof name, "tidewheel-%ld-%d-letters", (long)getpid(), number);
    return kafka_conf_set(conf, "client.id", name, err);
}

/* Called by librdkafka's threads, perhaps when its owner is gone: the name has the worker's number. */
static void on_log(const rd_kafka_t *handle, int level, const char *facility, const char *text)
{
    kafka_log(level, facility, "client=%s facility=%s text=\"%s\"",
              handle != NULL ? rd_kafka_name(handle) : "letters", facility, text);
}

int letters_conf_new(const struct options *options, int number, rd_kafka_conf_t **ret,
                     struct err *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set_defaults(conf);
    int rc = set_properties(conf, options, err);
    if (rc == 0)
        rc = set_name(conf, options, number, err);
    if (rc == 0)
        rc = kafka_conf_set(conf, "bootstrap.servers", options->kafka_brokers, err);
    if (rc < 0) {
        rd_kafka_conf_destroy(conf);
        return rc;
    }
    rd_kafka_conf_set_log_cb(conf, on_log);
    *ret = conf;
    return 0;
}

/* ---- before there is a letter ---- */

bool kafka_letters_are_used(const struct options *options)
{
    bool ret = false;
    for (int i = 0; i < VERDICT_COUNT; i++)
        ret = ret || options_on_error(options, (enum verdict)i) == ON_ERROR_DEAD_LETTER;
    return ret;
}

/* The real one says it again. */
static void log_nothing(const rd_kafka_t *handle, int level, const char *facility, const char *text)
{
    (void)handle;
    (void)level;
    (void)facility;
    (void)text;
}

/* Whether properties go together is only told by rd_kafka_new(). This one has no broker to look for, and
 * no ticket or token to fetch: what is wrong with those, the consumer finds. It takes some ms. */
int kafka_letters_check(const struct options *options, struct err *err)
{
    char reason[512];
    rd_kafka_conf_t *conf = NULL;
    int rc = letters_conf_new(options, 0, &conf, err);
    if (rc < 0)
        return rc;
    rd_kafka_conf_set_log_cb(conf, log_nothing);
    (void)rd_kafka_conf_set(conf, "bootstrap.servers", "", NULL, 0);
    (void)rd_kafka_conf_set(conf, "security.protocol", "plaintext", NULL, 0);
    rd_kafka_t *handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    if (handle == NULL) {
        rd_kafka_conf_destroy(conf);
        return err_set(err, ERR_CONFIG,
                       "kafka.librdkafka: no producer of dead letters can be made: %s", reason);
    }
    rd_kafka_destroy(handle);
    return 0;
}
