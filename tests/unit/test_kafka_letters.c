/* The real producer of dead letters, on librdkafka's mock cluster. Time is told, so that nothing waits for a
 * back-off. */
#include "kafka_kit.h"
#include "source/kafka_letters.h"

#include <dlfcn.h>
#include <netdb.h>
#include <stdatomic.h>

enum { ANSWERS_MAX = 4096, LARGE = 2000000, MANY = 2500, PRODUCE = 0 };

static struct {
    uint64_t numbers[ANSWERS_MAX];
    size_t count;
} settled;

static int64_t told_ms = 1000000; /* beside the real time */

static struct cluster *cluster;
static struct letters *letters;

static int64_t now_ms(void)
{
    return clock_mono_ms() + told_ms;
}

static void on_settled(void *arg, uint64_t life, uint64_t number, enum verdict reason)
{
    (void)arg;
    (void)reason;
    ck_assert_uint_eq(life, 7);
    settled.numbers[settled.count++] = number;
}

static void open_letters(void)
{
    struct err err;
    struct letters_handler handler = {NULL, on_settled};
    ck_assert_msg(kafka_letters_open(&cluster->options, 3, &handler, &letters, &err) == 0, "%s",
                  err.text);
}

static void open_all(void)
{
    cluster = cluster_open();
    cluster->options.dead_letter_topic = (char *)"letters";
    property_add(cluster, "topic.metadata.refresh.interval.ms", "100");
    property_add(cluster, "topic.metadata.propagation.max.ms", "200");
    ck_assert_int_eq(rd_kafka_mock_topic_create(cluster->mock, "letters", 1, 1), 0);
    open_letters();
}

static void close_all(void)
{
    ck_assert(letters->ops->close(letters, CLOSE_MS));
    cluster_close(cluster);
}

static void serve(void)
{
    letters->ops->serve(letters, now_ms());
    (void)usleep(2000);
}

#define until(cond)                                                                                \
    do {                                                                                           \
        int64_t deadline_ms = clock_mono_ms() + WAIT_MS;                                           \
        while (!(cond)) {                                                                          \
            ck_assert_msg(clock_mono_ms() < deadline_ms, "it does not come: " #cond);              \
            serve();                                                                               \
        }                                                                                          \
    } while (0)

/* A null slice is a null. */
static void send_bytes(uint64_t number, struct slice key, struct slice value, int64_t timestamp_ms)
{
    static const struct header headers[] = {{"trace", {"abc", 3}}, {"none", {NULL, 0}}};
    struct dead_letter letter = {.life = 7,
                                 .number = number,
                                 .reason = VERDICT_BAD_JSON,
                                 .views = "v,w",
                                 .topic = "events",
                                 .partition = 3,
                                 .offset = 41,
                                 .timestamp_ms = timestamp_ms,
                                 .key = key,
                                 .value = value,
                                 .headers = headers,
                                 .header_count = 2};
    letters->ops->send(letters, &letter, now_ms());
}

static void send_one(uint64_t number)
{
    send_bytes(number, slice_of("key"), slice_of("value"), 1600000000000);
}

static void send_range(uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++)
        send_one(i);
}

/* The next requests, whatever is in them. */
static void refuse(rd_kafka_resp_err_t code, int requests)
{
    while (requests-- > 0)
        rd_kafka_mock_push_request_errors(cluster->mock, PRODUCE, 1, code);
}

static const struct letter *first_at_kafka(void)
{
    return ((struct kafka_letters *)letters)->at_kafka.first;
}

/* ---- a name server that does not answer ---- */

static _Atomic bool is_resolver_deaf;
static _Atomic bool is_resolving;

/* Librdkafka is given this one. */
int getaddrinfo(const char *restrict node, const char *restrict service,
                const struct addrinfo *restrict hints, struct addrinfo **restrict ret)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    int64_t deadline_ms = clock_mono_ms() + WAIT_MS;
    while (is_resolver_deaf && clock_mono_ms() < deadline_ms) {
        is_resolving = true;
        (void)usleep(2000);
    }
    return real(node, service, hints, ret);
}

/* ---- reading them back ---- */

static rd_kafka_t *reader_open(void)
{
    const char *const pairs[] = {"bootstrap.servers",
                                 cluster->options.kafka_brokers,
                                 "group.id",
                                 "reader",
                                 "auto.offset.reset",
                                 "earliest",
                                 NULL};
    rd_kafka_t *reader = client_new(RD_KAFKA_CONSUMER, pairs);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, "letters", 0)->offset = 0;
    ck_assert_int_eq(rd_kafka_assign(reader, list), 0);
    rd_kafka_topic_partition_list_destroy(list);
    (void)rd_kafka_poll_set_consumer(reader);
    return reader;
}

static rd_kafka_message_t *read_one(rd_kafka_t *reader)
{
    int64_t deadline_ms = clock_mono_ms() + WAIT_MS;
    rd_kafka_message_t *message = NULL;
    while (message == NULL) {
        ck_assert(clock_mono_ms() < deadline_ms);
        message = rd_kafka_consumer_poll(reader, 100);
        if (message != NULL && message->err != 0) {
            rd_kafka_message_destroy(message);
            message = NULL;
        }
    }
    return message;
}

static const char *header_of(const rd_kafka_message_t *message, const char *name)
{
    static char text[128];
    rd_kafka_headers_t *headers = NULL;
    const void *value = NULL;
    size_t len = 0;
    if (rd_kafka_message_headers(message, &headers) != 0 ||
        rd_kafka_header_get_last(headers, name, &value, &len) != 0)
        return "(none)";
    (void)snprintf(text, sizeof text, "%.*s", value != NULL ? (int)len : 6,
                   value != NULL ? (const char *)value : "(null)");
    return text;
}

START_TEST(a_letter_is_the_record_and_says_where_it_comes_from)
{
    open_all();
    send_one(5);
    ck_assert_uint_eq(letters->pending, 1);
    until(settled.count == 1);
    ck_assert_uint_eq(settled.numbers[0], 5);
    ck_assert_uint_eq(letters->pending, 0);
    rd_kafka_t *reader = reader_open();
    rd_kafka_message_t *message = read_one(reader);
    rd_kafka_timestamp_type_t type;
    ck_assert_int_eq(rd_kafka_message_timestamp(message, &type), 1600000000000);
    ck_assert(message->len == 5 && memcmp(message->payload, "value", 5) == 0);
    ck_assert(message->key_len == 3 && memcmp(message->key, "key", 3) == 0);
    static const char *const headers[][2] = {
        {"trace", "abc"},
        {"none", "(null)"},
        {"tidewheel.topic", "events"},
        {"tidewheel.partition", "3"},
        {"tidewheel.offset", "41"},
        {"tidewheel.timestamp", "1600000000000"},
        {"tidewheel.reason", "bad_json"},
        {"tidewheel.view", "v,w"},
        {"tidewheel.group", "group"},
    };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        ck_assert_str_eq(header_of(message, headers[i][0]), headers[i][1]);
    rd_kafka_message_destroy(message);
    rd_kafka_destroy(reader);
    close_all();
}
END_TEST

START_TEST(what_is_null_stays_null_and_what_is_empty_empty)
{
    static const struct slice null = {NULL, 0};
    open_all();
    send_bytes(0, null, null, -1);
    send_bytes(1, slice_of(""), slice_of(""), -1);
    send_bytes(2, (struct slice){"a\0b", 3}, (struct slice){"\0", 1}, -1);
    until(settled.count == 3);
    rd_kafka_t *reader = reader_open();
    rd_kafka_message_t *message = read_one(reader);
    ck_assert(message->key == NULL && message->payload == NULL);
    ck_assert_str_eq(header_of(message, "tidewheel.timestamp"), "(none)");
    rd_kafka_message_destroy(message);
    message = read_one(reader);
    ck_assert(message->key != NULL && message->key_len == 0);
    ck_assert(message->payload != NULL && message->len == 0);
    rd_kafka_message_destroy(message);
    message = read_one(reader);
    ck_assert(message->key_len == 3 && memcmp(message->key, "a\0b", 3) == 0 && message->len == 1);
    rd_kafka_message_destroy(message);
    rd_kafka_destroy(reader);
    close_all();
}
END_TEST

START_TEST(many_are_sent_a_window_at_a_time)
{
    open_all();
    for (uint64_t i = 0; i < MANY; i++)
        send_one(i);
    serve();
    ck_assert_uint_eq(letters->underway, MANY);
    ck_assert_uint_le(((struct kafka_letters *)letters)->at_kafka.count, 1000);
    until(settled.count == MANY);
    ck_assert_uint_eq(letters->pending, 0);
    ck_assert_uint_eq(letters->failures, 0);
    close_all();
}
END_TEST

START_TEST(a_large_one_is_sent)
{
    open_all();
    char *large = mem_zalloc(LARGE);
    send_bytes(0, slice_of("k"), (struct slice){large, LARGE}, -1);
    free(large); /* it has kept what it needs */
    until(settled.count == 1);
    close_all();
}
END_TEST

START_TEST(a_topic_that_is_missing_is_waited_for)
{
    open_all();
    rd_kafka_mock_topic_set_error(cluster->mock, "letters",
                                  RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    for (uint64_t i = 0; i < 10; i++)
        send_one(i);
    until(letters->failures >= 10);
    ck_assert(letters->is_failing);
    ck_assert_ptr_nonnull(strstr(letters->trouble, "create the topic"));
    ck_assert_uint_eq(letters->pending, 10);
    ck_assert_uint_eq(letters->underway, 0);
    uint64_t failures = letters->failures;
    for (int i = 0; i < 20; i++)
        serve(); /* the gate is closed */
    ck_assert_uint_eq(letters->failures, failures);
    rd_kafka_mock_topic_set_error(cluster->mock, "letters", RD_KAFKA_RESP_ERR_NO_ERROR);
    told_ms += 60000;
    until(settled.count == 10 || (told_ms += 1000, false));
    ck_assert(!letters->is_failing);
    close_all();
}
END_TEST

START_TEST(one_that_is_refused_waits_aside_and_the_others_go_on)
{
    open_all();
    send_one(0);
    until(settled.count == 1);
    refuse(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, 2); /* at first it may have been another's fault */
    send_one(1);
    until(letters->failures == 1);
    ck_assert_ptr_nonnull(strstr(letters->trouble, "max.message.bytes"));
    send_one(2);
    until(settled.count == 2);
    ck_assert_uint_eq(settled.numbers[1], 2);
    ck_assert_uint_eq(letters->pending, 1);
    ck_assert_uint_eq(letters->underway, 0);
    told_ms += 11000;
    until(settled.count == 3);
    ck_assert_uint_eq(settled.numbers[2], 1);
    close_all();
}
END_TEST

START_TEST(one_that_librdkafka_refuses_is_refused_itself)
{
    cluster = cluster_open();
    cluster->options.dead_letter_topic = (char *)"letters";
    property_add(cluster, "message.max.bytes", "2000");
    ck_assert_int_eq(rd_kafka_mock_topic_create(cluster->mock, "letters", 1, 1), 0);
    open_letters();
    char *large = mem_zalloc(LARGE);
    send_one(0);
    send_bytes(1, slice_of("k"), (struct slice){large, LARGE}, -1);
    send_one(2);
    free(large);
    serve();
    ck_assert_uint_eq(letters->failures, 1);
    until(settled.count == 2);
    ck_assert_uint_eq(letters->pending, 1);
    ck_assert_uint_eq(letters->failures, 1);
    close_all();
}
END_TEST

/* Every letter of a request is told what Kafka says of one of them. */
START_TEST(of_a_batch_that_is_refused_each_goes_again_by_itself)
{
    open_all();
    send_one(0);
    until(settled.count == 1);
    refuse(RD_KAFKA_RESP_ERR_INVALID_RECORD, 1);
    send_range(1, 11);
    until(settled.count == 11);
    ck_assert_uint_eq(letters->failures, 0);
    close_all();
}
END_TEST

START_TEST(of_a_batch_that_is_refused_only_the_one_that_is_refused_alone_waits)
{
    open_all();
    send_one(0);
    until(settled.count == 1);
    refuse(RD_KAFKA_RESP_ERR_INVALID_RECORD, 2);
    send_range(1, 11);
    until(settled.count == 10);
    ck_assert_uint_eq(letters->failures, 1);
    ck_assert_uint_eq(letters->underway, 0);
    told_ms += 11000;
    until(settled.count == 11);
    close_all();
}
END_TEST

START_TEST(a_batch_whose_timestamp_is_refused_keeps_those_of_the_others)
{
    open_all();
    send_one(0);
    until(settled.count == 1);
    refuse(RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, 1);
    send_range(1, 4);
    until(settled.count == 4);
    rd_kafka_t *reader = reader_open();
    for (int i = 0; i < 4; i++) {
        rd_kafka_message_t *message = read_one(reader);
        rd_kafka_timestamp_type_t type;
        ck_assert_int_eq(rd_kafka_message_timestamp(message, &type), 1600000000000);
        rd_kafka_message_destroy(message);
    }
    rd_kafka_destroy(reader);
    close_all();
}
END_TEST

/* SIZE_MAX: not settled. */
static size_t place_of(uint64_t number)
{
    for (size_t i = 0; i < settled.count; i++)
        if (settled.numbers[i] == number)
            return i;
    return SIZE_MAX;
}

static bool has_company(void)
{
    const struct letter *letter = first_at_kafka();
    return letter != NULL && letter->is_suspect && letter->next != NULL;
}

START_TEST(suspects_go_alone_and_take_turns_with_the_others)
{
    open_all();
    send_one(0);
    until(settled.count == 1);
    refuse(RD_KAFKA_RESP_ERR_INVALID_RECORD, 1);
    send_range(1, 11);
    until(first_at_kafka() != NULL && first_at_kafka()->is_suspect);
    send_range(11, 511);
    until(settled.count == 511 || has_company());
    ck_assert_uint_eq(settled.count, 511);
    ck_assert_uint_lt(place_of(1), place_of(11));
    ck_assert_uint_lt(place_of(510), place_of(10));
    close_all();
}
END_TEST

START_TEST(a_trickle_of_others_does_not_stop_a_suspect)
{
    open_all();
    send_one(0);
    until(settled.count == 1);
    refuse(RD_KAFKA_RESP_ERR_INVALID_RECORD, 1);
    send_range(1, 3);
    until(first_at_kafka() != NULL && first_at_kafka()->is_suspect);
    for (uint64_t i = 3; place_of(2) == SIZE_MAX; i++) {
        ck_assert_uint_lt(i, 900);
        send_one(i);
        serve();
    }
    close_all();
}
END_TEST

/* Trying them all again takes longer than they wait for it. */
START_TEST(those_that_are_refused_again_and_again_do_not_stop_the_others)
{
    open_all();
    send_one(0);
    until(settled.count == 1);
    refuse(RD_KAFKA_RESP_ERR_INVALID_RECORD, 1000);
    send_range(1, 5);
    until(letters->failures == 4);
    told_ms += 11000;
    serve();
    send_one(5);
    until((first_at_kafka() != NULL && first_at_kafka()->as.number == 5) ||
          (told_ms += 4000, false));
    close_all();
}
END_TEST

START_TEST(one_whose_timestamp_is_refused_goes_without)
{
    open_all();
    send_one(0);
    until(settled.count == 1);
    refuse(RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, 2);
    send_one(1);
    until(settled.count == 2);
    ck_assert_uint_eq(letters->failures, 0);
    rd_kafka_t *reader = reader_open();
    rd_kafka_message_destroy(read_one(reader));
    rd_kafka_message_t *message = read_one(reader);
    rd_kafka_timestamp_type_t type;
    ck_assert_int_gt(rd_kafka_message_timestamp(message, &type), 1600000000000);
    ck_assert_str_eq(header_of(message, "tidewheel.timestamp"), "1600000000000");
    rd_kafka_message_destroy(message);
    rd_kafka_destroy(reader);
    close_all();
}
END_TEST

START_TEST(a_producer_that_is_done_for_is_made_anew)
{
    open_all();
    send_one(0);
    until(settled.count == 1);
    rd_kafka_t *handle = ((struct kafka_letters *)letters)->handle;
    ck_assert_int_eq(rd_kafka_test_fatal_error(
                         handle, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "a test says so"),
                     0);
    for (uint64_t i = 1; i <= 10; i++)
        send_one(i);
    until(settled.count == 11 || (told_ms += 100, false));
    ck_assert(((struct kafka_letters *)letters)->has_retired);
    close_all();
}
END_TEST

START_TEST(one_that_fails_for_minutes_is_made_anew_too)
{
    open_all();
    rd_kafka_mock_topic_set_error(cluster->mock, "letters",
                                  RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    send_one(0);
    until(letters->failures >= 1);
    struct kafka_letters *kafka = (struct kafka_letters *)letters;
    told_ms += 121000;
    rd_kafka_mock_topic_set_error(cluster->mock, "letters", RD_KAFKA_RESP_ERR_NO_ERROR);
    until(kafka->has_retired || settled.count == 1);
    until(settled.count == 1 || (told_ms += 100, false));
    ck_assert(kafka->has_retired);
    close_all();
}
END_TEST

START_TEST(broker_away_nothing_is_lost)
{
    open_all();
    send_one(0);
    until(settled.count == 1);
    ck_assert_int_eq(rd_kafka_mock_broker_set_down(cluster->mock, 1), 0);
    for (uint64_t i = 1; i <= 10; i++)
        send_one(i);
    for (int i = 0; i < 50; i++)
        serve();
    ck_assert_uint_eq(letters->pending, 10);
    ck_assert_int_eq(rd_kafka_mock_broker_set_up(cluster->mock, 1), 0);
    until(settled.count == 11 || (told_ms += 100, false));
    close_all();
}
END_TEST

START_TEST(who_is_forgotten_is_told_nothing)
{
    open_all();
    send_one(0);
    letters->ops->forget(letters, 8);
    ck_assert_uint_eq(letters->pending, 1);
    letters->ops->forget(letters, 7);
    ck_assert_uint_eq(letters->pending, 0);
    send_one(1);
    serve(); /* in librdkafka's hands */
    letters->ops->forget(letters, 7);
    ck_assert_uint_eq(letters->pending, 1);
    until(letters->pending == 0);
    ck_assert_uint_eq(settled.count, 0);
    close_all();
}
END_TEST

START_TEST(it_closes_in_time_with_letters_on_their_way)
{
    open_all();
    send_one(0);
    until(settled.count == 1);
    ck_assert_int_eq(rd_kafka_mock_broker_set_down(cluster->mock, 1), 0);
    for (uint64_t i = 1; i <= 100; i++)
        send_one(i);
    serve();
    int64_t begun = clock_mono_ms();
    ck_assert(letters->ops->close(letters, CLOSE_MS));
    ck_assert_int_lt(clock_mono_ms() - begun, CLOSE_MS);
    cluster_close(cluster);
}
END_TEST

START_TEST(it_closes_in_time_though_no_name_server_answers)
{
    open_all();
    is_resolver_deaf = true;
    send_one(0);
    until(is_resolving);
    int64_t begun = clock_mono_ms();
    ck_assert(!letters->ops->close(letters, 500));
    ck_assert_int_lt(clock_mono_ms() - begun, 5000);
    is_resolver_deaf = false;
    cluster_close(cluster);
}
END_TEST

START_TEST(without_a_letter_there_is_no_producer)
{
    open_all();
    serve();
    ck_assert_ptr_null(((struct kafka_letters *)letters)->handle);
    close_all();
}
END_TEST

START_TEST(a_property_goes_to_whom_it_is_for)
{
    static const struct {
        const char *name;
        char side;
    } cases[] = {
        {"session.timeout.ms", 'C'}, {"fetch.max.bytes", 'C'},
        {"linger.ms", 'P'},          {"acks", 'P'},
        {"client.id", '*'},          {"sasl.password", '*'},
        {"ssl.ca.location", '*'},    {"no.such.property", '*'},
        {"session.timeout", '*'},
    };
    struct buf sides = {NULL, 0, 0};
    kafka_property_sides(&sides);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(kafka_property_side(&sides, cases[i].name) == cases[i].side, "%s",
                      cases[i].name);
    buf_fini(&sides);
}
END_TEST

static char conf_value[256];

static const char *value_of(rd_kafka_conf_t *conf, const char *name)
{
    size_t size = sizeof conf_value;
    ck_assert_int_eq(rd_kafka_conf_get(conf, name, conf_value, &size), RD_KAFKA_CONF_OK);
    return conf_value;
}

START_TEST(a_persons_properties_are_the_producers_but_for_what_the_promise_hangs_on)
{
    cluster = cluster_open();
    cluster->options.dead_letter_topic = (char *)"letters";
    property_add(cluster, "acks", "0");
    property_add(cluster, "linger.ms", "77");
    property_add(cluster, "message.max.bytes", "2000");
    property_add(cluster, "client.id", "shop");
    rd_kafka_conf_t *conf = NULL;
    struct err err;
    ck_assert_int_eq(letters_conf_new(&cluster->options, 3, &conf, &err), 0);
    ck_assert_str_eq(value_of(conf, "acks"), "-1");
    ck_assert_str_eq(value_of(conf, "enable.idempotence"), "true");
    ck_assert_str_eq(value_of(conf, "linger.ms"), "77");
    ck_assert_str_eq(value_of(conf, "message.max.bytes"), "2000");
    ck_assert_str_eq(value_of(conf, "client.id"), "shop-3-letters");
    ck_assert_str_eq(value_of(conf, "bootstrap.servers"), cluster->options.kafka_brokers);
    ck_assert_str_eq(value_of(conf, "session.timeout.ms"), "45000"); /* a consumer's */
    rd_kafka_conf_destroy(conf);
    cluster_close(cluster);
}
END_TEST

/* Each of them is fine, and the two do not go together. */
START_TEST(properties_that_make_no_producer_are_refused_when_it_is_opened)
{
    struct err err = {0};
    struct letters_handler handler = {NULL, on_settled};
    cluster = cluster_open();
    cluster->options.dead_letter_topic = (char *)"letters";
    property_add(cluster, "linger.ms", "60000"); /* the time of a letter is ours: 30 s */
    ck_assert_int_eq(kafka_letters_open(&cluster->options, 3, &handler, &letters, &err),
                     ERR_CONFIG);
    ck_assert_ptr_null(letters);
    ck_assert_ptr_nonnull(strstr(err.text, "kafka.librdkafka: "));
    ck_assert_ptr_nonnull(strstr(err.text, "linger.ms"));
    cluster_close(cluster);
}
END_TEST

START_TEST(to_open_it_asks_no_name_server)
{
    cluster = cluster_open();
    cluster->options.dead_letter_topic = (char *)"letters";
    is_resolver_deaf = true;
    open_letters();
    ck_assert(!is_resolving);
    ck_assert(letters->ops->close(letters, CLOSE_MS));
    is_resolver_deaf = false;
    cluster_close(cluster);
}
END_TEST

START_TEST(every_error_means_something)
{
    const struct rd_kafka_err_desc *rows = NULL;
    size_t count = 0;
    rd_kafka_get_err_descs(&rows, &count);
    for (size_t i = 0; i < count; i++) {
        const struct letter_error *error = letter_error_of(rows[i].code);
        ck_assert(error != NULL && *error->advice != '\0');
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_letter_is_the_record_and_says_where_it_comes_from,
        what_is_null_stays_null_and_what_is_empty_empty,
        many_are_sent_a_window_at_a_time,
        a_large_one_is_sent,
        a_topic_that_is_missing_is_waited_for,
        one_that_is_refused_waits_aside_and_the_others_go_on,
        one_that_librdkafka_refuses_is_refused_itself,
        of_a_batch_that_is_refused_each_goes_again_by_itself,
        of_a_batch_that_is_refused_only_the_one_that_is_refused_alone_waits,
        a_batch_whose_timestamp_is_refused_keeps_those_of_the_others,
        suspects_go_alone_and_take_turns_with_the_others,
        a_trickle_of_others_does_not_stop_a_suspect,
        those_that_are_refused_again_and_again_do_not_stop_the_others,
        one_whose_timestamp_is_refused_goes_without,
        a_producer_that_is_done_for_is_made_anew,
        one_that_fails_for_minutes_is_made_anew_too,
        broker_away_nothing_is_lost,
        who_is_forgotten_is_told_nothing,
        it_closes_in_time_with_letters_on_their_way,
        it_closes_in_time_though_no_name_server_answers,
        without_a_letter_there_is_no_producer,
        a_property_goes_to_whom_it_is_for,
        a_persons_properties_are_the_producers_but_for_what_the_promise_hangs_on,
        properties_that_make_no_producer_are_refused_when_it_is_opened,
        to_open_it_asks_no_name_server,
        every_error_means_something};
    return run_all("kafka_letters", tests, sizeof tests / sizeof *tests);
}
