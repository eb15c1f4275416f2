/* client: what the test programs share: options, a producer, and ending with a sentence. */
#ifndef TIDEWHEEL_TEST_CLIENT_H
#define TIDEWHEEL_TEST_CLIENT_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIE(...)                                                                                   \
    do {                                                                                           \
        fprintf(stderr, __VA_ARGS__);                                                              \
        fputc('\n', stderr);                                                                       \
        exit(1);                                                                                   \
    } while (0)

enum { TIMEOUT_MS = 60000, TOPIC_RETENTION_DAYS = 15 };

static inline void conf_put(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[512];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) != RD_KAFKA_CONF_OK)
        DIE("%s", text);
}

/* "name=value", of -X; changed in place. */
static inline void conf_put_property(rd_kafka_conf_t *conf, char *property)
{
    char *value = strchr(property, '=');
    if (value == NULL)
        DIE("'%s' is not name=value", property);
    *value++ = '\0';
    conf_put(conf, property, value);
}

static inline rd_kafka_t *client_new(rd_kafka_type_t type, rd_kafka_conf_t *conf)
{
    char text[512];
    rd_kafka_t *client = rd_kafka_new(type, conf, text, sizeof text);
    if (client == NULL)
        DIE("%s", text);
    return client;
}

/* A producer's poll: delivery reports are served, and one that failed ends the program. */
static inline void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *arg)
{
    (void)client;
    (void)arg;
    /* An aborted transaction purges what was still queued: nothing of it was wanted. */
    if (message->err && message->err != RD_KAFKA_RESP_ERR__PURGE_QUEUE &&
        message->err != RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
        DIE("not delivered: %s", rd_kafka_err2str(message->err));
}

static inline rd_kafka_conf_t *producer_conf(const char *brokers)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    conf_put(conf, "bootstrap.servers", brokers);
    conf_put(conf, "linger.ms", "2");
    conf_put(conf, "log_level", "3"); /* a coordinator that is still loading is no news */
    conf_put(conf, "enable.idempotence", "true");
    conf_put(conf, "topic.partitioner", "murmur2_random");
    conf_put(conf, "queue.buffering.max.messages", "500000");
    conf_put(conf, "message.max.bytes", "16000000");
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    return conf;
}

static inline void producer_finish(rd_kafka_t *producer)
{
    rd_kafka_resp_err_t code = rd_kafka_flush(producer, TIMEOUT_MS);
    if (code)
        DIE("not everything was delivered: %s", rd_kafka_err2str(code));
    rd_kafka_destroy(producer);
}

#endif
