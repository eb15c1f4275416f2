/* tidewheel-produce: writes records to a topic, fast, for the tests.
 *
 *     tidewheel-produce -b BROKERS -t TOPIC [-r RATE] [-T TRANSACTIONAL_ID] [-X name=value]... < LINES
 *
 *     key \t partition or nothing \t timestamp ms or nothing \t value
 *     !begin   !commit   !abort              with -T: what lies between is a transaction
 *     !raw PARTITION TIMESTAMP KEY_LEN VALUE_LEN
 *                                            that many bytes of key and value follow, then a newline;
 *                                            -1 stands for: none
 *     !header NAME VALUE                     of the next record
 *
 * Without a partition it is murmur2 of the key. Prints `records=N` once all have been delivered.
 */
#include "client.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct producer {
    rd_kafka_t *client;
    const char *topic;
    long rate; /* records a second; 0: no limit */
    long records;
    struct timespec begun;
    rd_kafka_headers_t *headers; /* of the next record; NULL: none */
};

struct line {
    char *key;
    char *value;
    ssize_t key_len;   /* -1: none */
    ssize_t value_len; /* -1: none */
    int32_t partition;
    int64_t timestamp_ms; /* 0: the producer's clock */
};

static void check(rd_kafka_error_t *error)
{
    if (error != NULL)
        DIE("%s", rd_kafka_error_string(error));
}

/* Waits until the next record is due. */
static void pace(const struct producer *producer)
{
    if (producer->rate == 0)
        return;
    struct timespec due = producer->begun;
    due.tv_sec += producer->records / producer->rate;
    due.tv_nsec += producer->records % producer->rate * 1000000000L / producer->rate;
    if (due.tv_nsec >= 1000000000L) {
        due.tv_sec++;
        due.tv_nsec -= 1000000000L;
    }
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR)
        ;
}

static void produce(struct producer *producer, const struct line *line)
{
    void *key = line->key_len < 0 ? NULL : line->key;
    void *value = line->value_len < 0 ? NULL : line->value;
    size_t key_len = key == NULL ? 0 : (size_t)line->key_len;
    size_t value_len = value == NULL ? 0 : (size_t)line->value_len;
    pace(producer);
    for (;;) {
        rd_kafka_resp_err_t code = rd_kafka_producev(
            producer->client, RD_KAFKA_V_TOPIC(producer->topic),
            RD_KAFKA_V_PARTITION(line->partition), RD_KAFKA_V_KEY(key, key_len),
            RD_KAFKA_V_VALUE(value, value_len), RD_KAFKA_V_TIMESTAMP(line->timestamp_ms),
            RD_KAFKA_V_HEADERS(producer->headers), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
            RD_KAFKA_V_END);
        if (!code)
            break;
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            DIE("record %ld: %s", producer->records, rd_kafka_err2str(code));
        rd_kafka_poll(producer->client, 100);
    }
    producer->records++;
    producer->headers = NULL; /* librdkafka's now */
    rd_kafka_poll(producer->client, 0);
}

static void read_raw(struct producer *producer, const char *text)
{
    struct line line = {0};
    long long timestamp_ms;
    if (sscanf(text, "!raw %d %lld %zd %zd", &line.partition, &timestamp_ms, &line.key_len,
               &line.value_len) != 4)
        DIE("not a raw header: %s", text);
    line.timestamp_ms = timestamp_ms < 0 ? 0 : timestamp_ms;
    size_t key_len = line.key_len < 0 ? 0 : (size_t)line.key_len;
    size_t len = key_len + (line.value_len < 0 ? 0 : (size_t)line.value_len);
    char *bytes = malloc(len + 1);
    if (bytes == NULL || fread(bytes, 1, len + 1, stdin) != len + 1 || bytes[len] != '\n')
        DIE("a raw record is cut off");
    line.key = bytes;
    line.value = bytes + key_len;
    produce(producer, &line);
    free(bytes);
}

static void read_header(struct producer *producer, const char *text)
{
    const char *space = strchr(text, ' ');
    if (space == NULL)
        DIE("not a header: %s", text);
    if (producer->headers == NULL)
        producer->headers = rd_kafka_headers_new(4);
    rd_kafka_header_add(producer->headers, text, space - text, space + 1, -1);
}

static bool is_command(struct producer *producer, const char *text)
{
    if (strncmp(text, "!raw ", 5) == 0)
        read_raw(producer, text);
    else if (strncmp(text, "!header ", 8) == 0)
        read_header(producer, text + 8);
    else if (strcmp(text, "!begin") == 0)
        check(rd_kafka_begin_transaction(producer->client));
    else if (strcmp(text, "!commit") == 0)
        check(rd_kafka_commit_transaction(producer->client, TIMEOUT_MS));
    else if (strcmp(text, "!abort") == 0) {
        /* What is aborted must have reached the log, or nothing is proved by it. */
        rd_kafka_flush(producer->client, TIMEOUT_MS);
        check(rd_kafka_abort_transaction(producer->client, TIMEOUT_MS));
    } else
        return false;
    return true;
}

static void read_line(struct producer *producer, char *text)
{
    if (is_command(producer, text))
        return;
    struct line line = {.key = text, .partition = RD_KAFKA_PARTITION_UA};
    char *fields[3];
    for (int i = 0; i < 3; i++) {
        char *tab = strchr(i == 0 ? text : fields[i - 1], '\t');
        if (tab == NULL)
            DIE("a line lacks its tabs: %.80s", text);
        *tab = '\0';
        fields[i] = tab + 1;
    }
    line.key_len = (ssize_t)strlen(line.key);
    if (*fields[0] != '\0')
        line.partition = (int32_t)atol(fields[0]);
    line.timestamp_ms = atoll(fields[1]);
    line.value = fields[2];
    line.value_len = (ssize_t)strlen(line.value);
    produce(producer, &line);
}

int main(int argc, char **argv)
{
    struct producer producer = {0};
    const char *brokers = getenv("KAFKA_BROKERS"), *transactional_id = NULL;
    rd_kafka_conf_t *conf = producer_conf("");
    for (int option; (option = getopt(argc, argv, "b:t:r:T:X:")) != -1;) {
        switch (option) {
        case 'b':
            brokers = optarg;
            break;
        case 't':
            producer.topic = optarg;
            break;
        case 'r':
            producer.rate = atol(optarg);
            break;
        case 'T':
            transactional_id = optarg;
            break;
        case 'X':
            conf_put_property(conf, optarg);
            break;
        default:
            return 64;
        }
    }
    if (brokers == NULL || producer.topic == NULL)
        DIE("usage: tidewheel-produce -b BROKERS -t TOPIC [-r RATE] [-T ID] [-X name=value] < "
            "LINES");
    conf_put(conf, "bootstrap.servers", brokers);
    if (transactional_id != NULL)
        conf_put(conf, "transactional.id", transactional_id);
    producer.client = client_new(RD_KAFKA_PRODUCER, conf);
    if (transactional_id != NULL)
        check(rd_kafka_init_transactions(producer.client, TIMEOUT_MS));
    clock_gettime(CLOCK_MONOTONIC, &producer.begun);
    char *text = NULL;
    size_t cap = 0;
    for (ssize_t len; (len = getline(&text, &cap, stdin)) > 0;) {
        if (text[len - 1] == '\n')
            text[len - 1] = '\0';
        read_line(&producer, text);
    }
    free(text);
    producer_finish(producer.client);
    printf("records=%ld\n", producer.records);
    return 0;
}
