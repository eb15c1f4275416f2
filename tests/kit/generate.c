/* tidewheel-generate: shop events at a steady rate, for the demo, docker-compose and measurements.
 *
 *     {"user_id":"17","event_type":"purchase","amount":24.9,"currency":"EUR","ts":1700000000000}
 *     {"user_id":"17","event_type":"page_view","page":"/item/512","ts":1700000000040}
 *
 * Keyed by user_id; few users do most of it, as in any shop. Ends after --seconds or --count, or by
 * SIGTERM, and prints `events=N seconds=S`.
 */
#include "client.h"

#include <getopt.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

struct generator {
    rd_kafka_t *client;
    const char *topic;
    long users;
    double rate; /* events a second; 0: no limit */
    double seconds;
    long count;
    long made;
    uint64_t random;
};

static volatile sig_atomic_t is_stopped;

static void on_signal(int number)
{
    (void)number;
    is_stopped = 1;
}

static double now(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* xorshift64*, in [0, 1). */
static double uniform(struct generator *generator)
{
    uint64_t x = generator->random;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    generator->random = x;
    return (double)((x * UINT64_C(2685821657736338717)) >> 11) / 9007199254740992.0;
}

static long pick_user(struct generator *generator)
{
    double share = uniform(generator);
    return 1 + (long)(share * share * (double)generator->users);
}

static int write_event(struct generator *generator, long user, char *ret, size_t cap)
{
    long long ts_ms = (long long)(now(CLOCK_REALTIME) * 1000);
    if (uniform(generator) < 0.25)
        return snprintf(ret, cap,
                        "{\"user_id\":\"%ld\",\"event_type\":\"purchase\",\"amount\":%ld.%02ld,"
                        "\"currency\":\"EUR\",\"ts\":%lld}",
                        user, (long)(uniform(generator) * 90) + 1, (long)(uniform(generator) * 100),
                        ts_ms);
    return snprintf(ret, cap,
                    "{\"user_id\":\"%ld\",\"event_type\":\"page_view\",\"page\":\"/item/%ld\","
                    "\"ts\":%lld}",
                    user, (long)(uniform(generator) * 1000), ts_ms);
}

static void produce(struct generator *generator)
{
    char key[32], value[256];
    long user = pick_user(generator);
    int key_len = snprintf(key, sizeof key, "%ld", user);
    int value_len = write_event(generator, user, value, sizeof value);
    for (;;) {
        rd_kafka_resp_err_t code = rd_kafka_producev(
            generator->client, RD_KAFKA_V_TOPIC(generator->topic),
            RD_KAFKA_V_KEY(key, (size_t)key_len), RD_KAFKA_V_VALUE(value, (size_t)value_len),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
        if (!code)
            break;
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            DIE("%s", rd_kafka_err2str(code));
        rd_kafka_poll(generator->client, 100);
    }
    generator->made++;
}

static void run(struct generator *generator)
{
    double begun = now(CLOCK_MONOTONIC), passed = 0;
    while (!is_stopped && (generator->seconds <= 0 || passed < generator->seconds) &&
           (generator->count <= 0 || generator->made < generator->count)) {
        if (generator->rate > 0 && (double)generator->made > passed * generator->rate)
            rd_kafka_poll(generator->client, 5);
        else
            produce(generator);
        if (generator->made % 64 == 0)
            rd_kafka_poll(generator->client, 0);
        passed = now(CLOCK_MONOTONIC) - begun;
    }
    producer_finish(generator->client);
    printf("events=%ld seconds=%.1f\n", generator->made, passed);
}

static const char USAGE[] =
    "usage: tidewheel-generate -b BROKERS -t TOPIC [--users 1000] [--rate 1000] [--seconds S]\n"
    "                          [--count N] [--seed N] [-X name=value]...\n"
    "Shop events, keyed by user_id, at a steady rate (0: as fast as it goes).\n"
    "KAFKA_BROKERS stands in for -b.\n"
    "Example: tidewheel-generate -b localhost:9092 -t user_events --users 50 --rate 200\n";

/* False when the arguments are wrong. */
static bool parse(int argc, char **argv, rd_kafka_conf_t *conf, struct generator *ret)
{
    static const struct option LONG[] = {
        {"brokers", 1, NULL, 'b'}, {"topic", 1, NULL, 't'},   {"users", 1, NULL, 'u'},
        {"rate", 1, NULL, 'r'},    {"seconds", 1, NULL, 's'}, {"count", 1, NULL, 'n'},
        {"seed", 1, NULL, 'S'},    {"help", 0, NULL, 'h'},    {NULL, 0, NULL, 0},
    };
    const char *brokers = getenv("KAFKA_BROKERS");
    for (int option; (option = getopt_long(argc, argv, "b:t:X:h", LONG, NULL)) != -1;) {
        switch (option) {
        case 'b':
            brokers = optarg;
            break;
        case 't':
            ret->topic = optarg;
            break;
        case 'u':
            ret->users = atol(optarg);
            break;
        case 'r':
            ret->rate = atof(optarg);
            break;
        case 's':
            ret->seconds = atof(optarg);
            break;
        case 'n':
            ret->count = atol(optarg);
            break;
        case 'S':
            ret->random = strtoull(optarg, NULL, 10) * 2 + 1;
            break;
        case 'X':
            conf_put_property(conf, optarg);
            break;
        case 'h':
            fputs(USAGE, stdout);
            exit(0);
        default:
            return false;
        }
    }
    if (brokers != NULL)
        conf_put(conf, "bootstrap.servers", brokers);
    return brokers != NULL && ret->topic != NULL && ret->users > 0 && optind == argc;
}

int main(int argc, char **argv)
{
    struct generator generator = {.users = 1000, .rate = 1000};
    generator.random = (uint64_t)(now(CLOCK_REALTIME) * 1e6) * 2 + 1;
    rd_kafka_conf_t *conf = producer_conf("");
    if (!parse(argc, argv, conf, &generator)) {
        fputs(USAGE, stderr);
        return 64;
    }
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    generator.client = client_new(RD_KAFKA_PRODUCER, conf);
    run(&generator);
    return 0;
}
