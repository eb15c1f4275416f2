/* consumer: what librdkafka alone costs: a consumer with the worker's own flags that throws away.
 *
 *     consumer CONFIG TOPIC PARTITIONS EVENTS      cpu_ns, events_s
 */
#include "bench.h"
#include "source/kafka_private.h"
#include "tidewheel/options.h"

enum { POLL_MS = 1000, SILENT_POLLS_MAX = 60 };

static void assign_all(rd_kafka_t *consumer, const char *topic, int partitions)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
    for (int i = 0; i < partitions; i++)
        rd_kafka_topic_partition_list_add(list, topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    if (rd_kafka_assign(consumer, list) != RD_KAFKA_RESP_ERR_NO_ERROR)
        DIE("the partitions cannot be assigned");
    rd_kafka_topic_partition_list_destroy(list);
}

static void consume(rd_kafka_t *consumer, long events)
{
    int64_t begun_ns = 0;
    int silent = 0;
    for (long seen = 0; seen < events;) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, POLL_MS);
        if (message == NULL && ++silent > SILENT_POLLS_MAX)
            DIE("%ld events are missing", events - seen);
        if (message == NULL)
            continue;
        if (begun_ns == 0)
            begun_ns = clock_ns(CLOCK_MONOTONIC);
        seen += message->err == RD_KAFKA_RESP_ERR_NO_ERROR;
        rd_kafka_message_destroy(message);
    }
    result("events_s", (double)events * 1e9 / (double)(clock_ns(CLOCK_MONOTONIC) - begun_ns));
}

int main(int argc, char **argv)
{
    if (argc != 5)
        DIE("usage: consumer CONFIG TOPIC PARTITIONS EVENTS");
    struct buf report = {NULL, 0, 0};
    struct options options;
    struct options_source from = {.file = argv[1]};
    if (options_load(&from, &report, &options) != 0)
        DIE("%s", buf_text(&report));
    struct err err;
    struct kafka_source source = {.number = 0};
    if (kafka_conf_new(&source, &options, &err) != 0)
        DIE("%s", err.text);
    rd_kafka_conf_t *conf = source.conf;
    rd_kafka_conf_set_rebalance_cb(conf, NULL);
    rd_kafka_conf_set_error_cb(conf, NULL);
    char reason[512];
    rd_kafka_t *consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof reason);
    if (consumer == NULL)
        DIE("%s", reason);
    long events = atol(argv[4]);
    assign_all(consumer, argv[2], atoi(argv[3]));
    consume(consumer, events);
    (void)rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
    result("cpu_ns", (double)cpu_ns() / (double)events);
    options_fini(&options);
    buf_fini(&report);
    return 0;
}
