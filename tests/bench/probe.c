/* probe: how long until an event is seen in Redis, and how long a reader waits for an answer.
 *
 *     probe SOCKET SECONDS                  a reader alone: reader_p50_us, reader_p99_us
 *     probe SOCKET SECONDS BROKERS TOPIC    also visible_p50_ms, visible_p99_ms, samples
 *
 * A few users of its own buy something, each after its last purchase was seen; the reader asks for
 * the features of a random user of the crowd, a thousand times a second.
 */
#include <hiredis/hiredis.h>
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <unistd.h>

#include "bench.h"
#include "tidewheel/mem.h"

enum { USERS = 4, LOOK_US = 250, READ_US = 1000, PAUSE_MS_MAX = 20, CROWD = 100000 };

struct samples {
    double *all;
    size_t count;
    size_t cap;
};

struct user {
    char name[32];
    uint64_t bought;
    int64_t begun_ns; /* of the purchase that is not seen yet; 0: none */
    int64_t next_ns;
};

static int64_t until_ns;

static void add(struct samples *samples, double value)
{
    samples->all = mem_grow(samples->all, samples->count, &samples->cap, sizeof *samples->all);
    samples->all[samples->count++] = value;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double percentile(struct samples *samples, double share)
{
    if (samples->count == 0)
        DIE("nothing was seen");
    qsort(samples->all, samples->count, sizeof *samples->all, compare);
    return samples->all[(size_t)((double)(samples->count - 1) * share)];
}

static redisContext *connect_to(const char *socket)
{
    redisContext *context = redisConnectUnix(socket);
    if (context == NULL || context->err != 0)
        DIE("no connection to %s", socket);
    return context;
}

/* ---- the reader ---- */

static void *reader_main(void *arg)
{
    const char *socket = arg;
    struct samples samples = {NULL, 0, 0};
    redisContext *context = connect_to(socket);
    uint64_t random = 42;
    while (clock_ns(CLOCK_MONOTONIC) < until_ns) {
        int64_t begun_ns = clock_ns(CLOCK_MONOTONIC);
        redisReply *reply = redisCommand(
            context, "HMGET features:user:%u purchase_1h_count purchase_24h_sum page_view_1h_count",
            (unsigned)random_below(&random, CROWD));
        if (reply == NULL)
            DIE("Redis: %s", context->errstr);
        add(&samples, (double)(clock_ns(CLOCK_MONOTONIC) - begun_ns) / 1e3);
        freeReplyObject(reply);
        (void)usleep(READ_US);
    }
    redisFree(context);
    result("reader_p50_us", percentile(&samples, 0.50));
    result("reader_p99_us", percentile(&samples, 0.99));
    free(samples.all);
    return NULL;
}

/* ---- the buyers ---- */

static rd_kafka_t *producer_new(const char *brokers)
{
    char text[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const char *const settings[][2] = {{"bootstrap.servers", brokers},
                                       {"linger.ms", "0"},
                                       {"topic.partitioner", "murmur2_random"}};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1], text, sizeof text) != 0)
            DIE("%s", text);
    rd_kafka_t *producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (producer == NULL)
        DIE("%s", text);
    return producer;
}

static void buy(rd_kafka_t *producer, const char *topic, struct user *user)
{
    char text[256];
    int len = snprintf(text, sizeof text,
                       "{\"user_id\":\"%s\",\"event_type\":\"purchase\",\"amount\":1,\"ts\":%lld}",
                       user->name, (long long)(clock_ns(CLOCK_REALTIME) / 1000000));
    user->begun_ns = clock_ns(CLOCK_MONOTONIC);
    user->bought++;
    rd_kafka_resp_err_t code = rd_kafka_producev(
        producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_KEY(user->name, strlen(user->name)),
        RD_KAFKA_V_VALUE(text, (size_t)len), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_END);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        DIE("%s", rd_kafka_err2str(code));
}

static bool is_seen(redisContext *context, const struct user *user)
{
    redisReply *reply =
        redisCommand(context, "HGET features:user:%s purchase_1h_count", user->name);
    if (reply == NULL)
        DIE("Redis: %s", context->errstr);
    bool is = reply->type == REDIS_REPLY_STRING && strtoull(reply->str, NULL, 10) >= user->bought;
    freeReplyObject(reply);
    return is;
}

static void look(redisContext *context, struct user *user, uint64_t *random, struct samples *ret)
{
    if (!is_seen(context, user))
        return;
    int64_t now_ns = clock_ns(CLOCK_MONOTONIC);
    add(ret, (double)(now_ns - user->begun_ns) / 1e6);
    user->begun_ns = 0;
    user->next_ns = now_ns + (int64_t)random_below(random, PAUSE_MS_MAX * 1000000);
}

static void measure_visible(const char *socket, const char *brokers, const char *topic)
{
    struct user users[USERS] = {{{0}, 0, 0, 0}};
    struct samples samples = {NULL, 0, 0};
    uint64_t random = 43;
    redisContext *context = connect_to(socket);
    rd_kafka_t *producer = producer_new(brokers);
    for (unsigned i = 0; i < USERS; i++)
        (void)snprintf(users[i].name, sizeof users[i].name, "probe-%d-%u", (int)getpid(), i);
    while (clock_ns(CLOCK_MONOTONIC) < until_ns) {
        for (size_t i = 0; i < USERS; i++) {
            if (users[i].begun_ns != 0)
                look(context, &users[i], &random, &samples);
            else if (clock_ns(CLOCK_MONOTONIC) >= users[i].next_ns)
                buy(producer, topic, &users[i]);
        }
        (void)rd_kafka_poll(producer, 0);
        (void)usleep(LOOK_US);
    }
    (void)rd_kafka_flush(producer, 10000);
    rd_kafka_destroy(producer);
    redisFree(context);
    result("visible_p50_ms", percentile(&samples, 0.50));
    result("visible_p99_ms", percentile(&samples, 0.99));
    result("samples", (double)samples.count);
    free(samples.all);
}

int main(int argc, char **argv)
{
    if (argc != 3 && argc != 5)
        DIE("usage: probe SOCKET SECONDS [BROKERS TOPIC]");
    pthread_t reader;
    until_ns = clock_ns(CLOCK_MONOTONIC) + atol(argv[2]) * 1000000000;
    if (pthread_create(&reader, NULL, reader_main, argv[1]) != 0)
        DIE("no thread");
    if (argc == 5)
        measure_visible(argv[1], argv[3], argv[4]);
    (void)pthread_join(reader, NULL);
    return 0;
}
