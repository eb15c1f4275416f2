/* tidewheel-topics: topics and offsets, by librdkafka's admin calls (a JVM start costs seconds).
 *
 *     tidewheel-topics -b BROKERS ping
 *     tidewheel-topics -b BROKERS create    TOPIC:PARTITIONS...
 *     tidewheel-topics -b BROKERS grow      TOPIC:PARTITIONS...
 *     tidewheel-topics -b BROKERS trim      TOPIC:PARTITION:OFFSET...  the log begins there now
 *     tidewheel-topics -b BROKERS configure TOPIC NAME=VALUE...        in place of what it was made with
 *     tidewheel-topics -b BROKERS ends      TOPIC...        prints `topic partition begin end`
 *     tidewheel-topics -b BROKERS committed GROUP TOPIC...  prints `topic partition offset metadata`
 *     tidewheel-topics -b BROKERS dump      TOPIC           prints `partition offset timestamp key value
 *                                                           name=value...`, bytes in hex, null as -
 *     tidewheel-topics -b BROKERS allow USER KIND:NAME:OPERATION...   topic:events:read group:g:read
 *
 * Topics are made with 15 days of retention, as Kafka's default is shorter than a 7-day window, and
 * take messages of 16 MB.
 */
#include "client.h"

#include <string.h>
#include <unistd.h>

static rd_kafka_t *client;

/* "topic:3:14": up to two numbers at its end, the topic's name is cut off in place. */
static void split(char *operand, int64_t *first, int64_t *second)
{
    for (int64_t *number = second != NULL ? second : first;;) {
        char *colon = strrchr(operand, ':');
        if (colon == NULL)
            DIE("'%s' lacks a number", operand);
        *number = atoll(colon + 1);
        *colon = '\0';
        if (number == first)
            return;
        number = first;
    }
}

static rd_kafka_event_t *answer(rd_kafka_queue_t *queue)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, TIMEOUT_MS);
    if (event == NULL)
        DIE("no answer within %d ms", TIMEOUT_MS);
    if (rd_kafka_event_error(event))
        DIE("%s", rd_kafka_event_error_string(event));
    return event;
}

/* Takes the event. */
static void check_topics(rd_kafka_event_t *event)
{
    size_t count;
    const rd_kafka_topic_result_t **results =
        rd_kafka_event_type(event) == RD_KAFKA_EVENT_CREATETOPICS_RESULT
            ? rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count)
            : rd_kafka_CreatePartitions_result_topics(rd_kafka_event_CreatePartitions_result(event),
                                                      &count);
    for (size_t i = 0; i < count; i++) {
        rd_kafka_resp_err_t code = rd_kafka_topic_result_error(results[i]);
        if (code && code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
            DIE("%s: %s", rd_kafka_topic_result_name(results[i]),
                rd_kafka_topic_result_error_string(results[i]));
    }
    rd_kafka_event_destroy(event);
}

static const rd_kafka_metadata_t *metadata_of(const char *name, rd_kafka_topic_t **ret_topic)
{
    const rd_kafka_metadata_t *metadata = NULL;
    *ret_topic = rd_kafka_topic_new(client, name, NULL);
    rd_kafka_resp_err_t code = rd_kafka_metadata(client, 0, *ret_topic, &metadata, TIMEOUT_MS);
    if (code)
        DIE("%s: %s", name, rd_kafka_err2str(code));
    return metadata;
}

static int partition_count(const char *name)
{
    rd_kafka_topic_t *topic;
    const rd_kafka_metadata_t *metadata = metadata_of(name, &topic);
    int count = metadata->topic_cnt == 1 && !metadata->topics[0].err
                    ? metadata->topics[0].partition_cnt
                    : 0;
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(topic);
    return count;
}

/* A broker says that a topic exists before all its partitions have leaders. */
static void wait_for(const char *name, int64_t partitions)
{
    for (int turn = 0; turn < TIMEOUT_MS / 20; turn++) {
        if (partition_count(name) == partitions)
            return;
        usleep(20000);
    }
    DIE("%s has not got its %lld partitions", name, (long long)partitions);
}

static int ping(char **operands, int count)
{
    (void)operands;
    (void)count;
    const rd_kafka_metadata_t *metadata = NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(client, 0, NULL, &metadata, 1000);
    if (code)
        return 1;
    rd_kafka_metadata_destroy(metadata);
    return 0;
}

static int create(char **operands, int count)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    char retention[32];
    (void)snprintf(retention, sizeof retention, "%lld", TOPIC_RETENTION_DAYS * 86400000LL);
    for (int i = 0; i < count; i++) {
        int64_t partitions;
        char text[512];
        split(operands[i], &partitions, NULL);
        rd_kafka_NewTopic_t *topic =
            rd_kafka_NewTopic_new(operands[i], (int)partitions, 1, text, sizeof text);
        if (topic == NULL)
            DIE("%s", text);
        rd_kafka_NewTopic_set_config(topic, "retention.ms", retention);
        rd_kafka_NewTopic_set_config(topic, "max.message.bytes", "16000000");
        rd_kafka_CreateTopics(client, &topic, 1, NULL, queue);
        rd_kafka_NewTopic_destroy(topic);
        check_topics(answer(queue));
        wait_for(operands[i], partitions);
    }
    rd_kafka_queue_destroy(queue);
    return 0;
}

static int grow(char **operands, int count)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    for (int i = 0; i < count; i++) {
        int64_t partitions;
        char text[512];
        split(operands[i], &partitions, NULL);
        rd_kafka_NewPartitions_t *more =
            rd_kafka_NewPartitions_new(operands[i], (size_t)partitions, text, sizeof text);
        if (more == NULL)
            DIE("%s", text);
        rd_kafka_CreatePartitions(client, &more, 1, NULL, queue);
        rd_kafka_NewPartitions_destroy(more);
        check_topics(answer(queue));
        wait_for(operands[i], partitions);
    }
    rd_kafka_queue_destroy(queue);
    return 0;
}

static int trim(char **operands, int count)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(count);
    for (int i = 0; i < count; i++) {
        int64_t partition, offset;
        split(operands[i], &partition, &offset);
        rd_kafka_topic_partition_list_add(list, operands[i], (int32_t)partition)->offset = offset;
    }
    rd_kafka_DeleteRecords_t *before = rd_kafka_DeleteRecords_new(list);
    rd_kafka_DeleteRecords(client, &before, 1, NULL, queue);
    rd_kafka_DeleteRecords_destroy(before);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_event_destroy(answer(queue));
    rd_kafka_queue_destroy(queue);
    return 0;
}

static int configure(char **operands, int count)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_ConfigResource_t *topic =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, operands[0]);
    for (int i = 1; i < count; i++) {
        char *value = strchr(operands[i], '=');
        if (value == NULL)
            DIE("'%s' is not name=value", operands[i]);
        *value++ = '\0';
        rd_kafka_ConfigResource_set_config(topic, operands[i], value);
    }
    rd_kafka_AlterConfigs(client, &topic, 1, NULL, queue);
    rd_kafka_event_t *event = answer(queue);
    size_t results = 0;
    const rd_kafka_ConfigResource_t **altered =
        rd_kafka_AlterConfigs_result_resources(rd_kafka_event_AlterConfigs_result(event), &results);
    if (results != 1 || rd_kafka_ConfigResource_error(altered[0]))
        DIE("%s: it cannot be configured", operands[0]);
    rd_kafka_event_destroy(event);
    rd_kafka_ConfigResource_destroy(topic);
    rd_kafka_queue_destroy(queue);
    return 0;
}

static int ends(char **operands, int count)
{
    for (int i = 0; i < count; i++) {
        int partitions = partition_count(operands[i]);
        for (int32_t partition = 0; partition < partitions; partition++) {
            int64_t low, high;
            rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
                client, operands[i], partition, &low, &high, TIMEOUT_MS);
            if (code)
                DIE("%s/%d: %s", operands[i], partition, rd_kafka_err2str(code));
            printf("%s %d %lld %lld\n", operands[i], partition, (long long)low, (long long)high);
        }
    }
    return 0;
}

static int committed(char **operands, int count)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
    for (int i = 1; i < count; i++) {
        int partitions = partition_count(operands[i]);
        for (int32_t partition = 0; partition < partitions; partition++)
            rd_kafka_topic_partition_list_add(list, operands[i], partition);
    }
    rd_kafka_resp_err_t code = rd_kafka_committed(client, list, TIMEOUT_MS);
    if (code)
        DIE("%s: %s", operands[0], rd_kafka_err2str(code));
    for (int i = 0; i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *row = &list->elems[i];
        printf("%s %d %lld %.*s\n", row->topic, row->partition,
               (long long)(row->offset < 0 ? -1 : row->offset), (int)row->metadata_size,
               row->metadata != NULL ? (const char *)row->metadata : "");
    }
    rd_kafka_topic_partition_list_destroy(list);
    return 0;
}

static void print_bytes(const char *before, const void *bytes, size_t len)
{
    printf("%s%s", before, bytes == NULL ? "-" : "");
    for (size_t i = 0; bytes != NULL && i < len; i++)
        printf("%02x", ((const unsigned char *)bytes)[i]);
}

static void print_message(const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers = NULL;
    rd_kafka_timestamp_type_t type;
    printf("%d %lld %lld", message->partition, (long long)message->offset,
           (long long)rd_kafka_message_timestamp(message, &type));
    print_bytes(" ", message->key, message->key_len);
    print_bytes(" ", message->payload, message->len);
    const char *name;
    const void *value;
    size_t len;
    if (!rd_kafka_message_headers(message, &headers))
        for (size_t i = 0; !rd_kafka_header_get_all(headers, i, &name, &value, &len); i++) {
            printf(" %s=", name);
            print_bytes("", value, len);
        }
    printf("\n");
}

/* All that there is: to the end of each partition. */
static int dump(char **operands, int count)
{
    (void)count;
    int left = partition_count(operands[0]);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(left);
    for (int32_t partition = 0; partition < left; partition++)
        rd_kafka_topic_partition_list_add(list, operands[0], partition)->offset =
            RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_poll_set_consumer(client);
    rd_kafka_assign(client, list);
    rd_kafka_topic_partition_list_destroy(list);
    while (left > 0) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(client, TIMEOUT_MS);
        if (message == NULL)
            DIE("%s: no answer within %d ms", operands[0], TIMEOUT_MS);
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
            left--;
        else if (message->err)
            DIE("%s: %s", operands[0], rd_kafka_message_errstr(message));
        else
            print_message(message);
        rd_kafka_message_destroy(message);
    }
    return 0;
}

/* ---- rights ---- */

enum { PARTS = 3 };

/* "topic:events:read", taken apart in place. */
static void take_apart(char *operand, char **ret_parts)
{
    char *place = NULL;
    for (int i = 0; i < PARTS; i++) {
        ret_parts[i] = strtok_r(i == 0 ? operand : NULL, ":", &place);
        if (ret_parts[i] == NULL)
            DIE("expected KIND:NAME:OPERATION");
    }
}

static rd_kafka_ResourceType_t kind_of(const char *name)
{
    return strcmp(name, "topic") == 0   ? RD_KAFKA_RESOURCE_TOPIC
           : strcmp(name, "group") == 0 ? RD_KAFKA_RESOURCE_GROUP
                                        : RD_KAFKA_RESOURCE_UNKNOWN;
}

static rd_kafka_AclOperation_t operation_of(const char *name)
{
    return strcmp(name, "read") == 0    ? RD_KAFKA_ACL_OPERATION_READ
           : strcmp(name, "write") == 0 ? RD_KAFKA_ACL_OPERATION_WRITE
                                        : RD_KAFKA_ACL_OPERATION_UNKNOWN;
}

/* The broker says that a right is granted before it heeds it: what it lists, it heeds. */
static size_t count_rights(rd_kafka_queue_t *queue, char **parts, const char *principal)
{
    char text[512];
    size_t count = 0;
    rd_kafka_AclBindingFilter_t *filter = rd_kafka_AclBindingFilter_new(
        kind_of(parts[0]), parts[1], RD_KAFKA_RESOURCE_PATTERN_LITERAL, principal, "*",
        operation_of(parts[2]), RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW, text, sizeof text);
    if (filter == NULL)
        DIE("%s", text);
    rd_kafka_DescribeAcls(client, filter, NULL, queue);
    rd_kafka_event_t *event = answer(queue);
    (void)rd_kafka_DescribeAcls_result_acls(rd_kafka_event_DescribeAcls_result(event), &count);
    rd_kafka_event_destroy(event);
    rd_kafka_AclBinding_destroy(filter);
    return count;
}

static void grant(rd_kafka_queue_t *queue, char **parts, const char *principal)
{
    char text[512];
    size_t count = 0;
    rd_kafka_AclBinding_t *binding = rd_kafka_AclBinding_new(
        kind_of(parts[0]), parts[1], RD_KAFKA_RESOURCE_PATTERN_LITERAL, principal, "*",
        operation_of(parts[2]), RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW, text, sizeof text);
    if (binding == NULL)
        DIE("%s", text);
    rd_kafka_CreateAcls(client, &binding, 1, NULL, queue);
    rd_kafka_event_t *event = answer(queue);
    const rd_kafka_acl_result_t **results =
        rd_kafka_CreateAcls_result_acls(rd_kafka_event_CreateAcls_result(event), &count);
    for (size_t i = 0; i < count; i++)
        if (rd_kafka_acl_result_error(results[i]) != NULL)
            DIE("%s: %s", parts[1], rd_kafka_error_string(rd_kafka_acl_result_error(results[i])));
    rd_kafka_event_destroy(event);
    rd_kafka_AclBinding_destroy(binding);
}

static int allow(char **operands, int count)
{
    char principal[128];
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    (void)snprintf(principal, sizeof principal, "User:%s", operands[0]);
    for (int i = 1; i < count; i++) {
        char *parts[PARTS];
        take_apart(operands[i], parts);
        grant(queue, parts, principal);
        for (int turn = 0; count_rights(queue, parts, principal) == 0; turn++) {
            if (turn == TIMEOUT_MS / 20)
                DIE("%s is not granted", parts[1]);
            usleep(20000);
        }
    }
    rd_kafka_queue_destroy(queue);
    return 0;
}

static const struct action {
    const char *name;
    int (*run)(char **operands, int count);
    int operands_min;
} ACTIONS[] = {
    {"ping", ping, 0}, {"create", create, 1},       {"grow", grow, 1},
    {"trim", trim, 1}, {"ends", ends, 1},           {"committed", committed, 2},
    {"dump", dump, 1}, {"configure", configure, 2}, {"allow", allow, 2},
};

static void open_client(const char *brokers, const char *group)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    conf_put(conf, "bootstrap.servers", brokers);
    conf_put(conf, "group.id", group);
    conf_put(conf, "enable.partition.eof", "true");
    conf_put(conf, "log_level", "2"); /* a broker that is not up yet is no news here */
    client = client_new(RD_KAFKA_CONSUMER, conf);
}

int main(int argc, char **argv)
{
    const char *brokers = getenv("KAFKA_BROKERS");
    for (int option; (option = getopt(argc, argv, "b:")) != -1;) {
        if (option != 'b')
            return 64;
        brokers = optarg;
    }
    argv += optind;
    argc -= optind;
    for (size_t i = 0; brokers != NULL && argc > 0 && i < sizeof ACTIONS / sizeof *ACTIONS; i++) {
        if (strcmp(argv[0], ACTIONS[i].name) != 0 || argc - 1 < ACTIONS[i].operands_min)
            continue;
        open_client(brokers, ACTIONS[i].run == committed ? argv[1] : "tidewheel-topics");
        int code = ACTIONS[i].run(argv + 1, argc - 1);
        rd_kafka_destroy(client);
        return code;
    }
    fprintf(stderr,
            "usage: tidewheel-topics -b BROKERS "
            "ping | create | grow | trim | configure | ends | committed | dump | allow ...\n");
    return 64;
}
