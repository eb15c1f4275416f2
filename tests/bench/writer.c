/* writer: the fastest that the same batches go into Redis: no thought, a few always on their way.
 *
 *     writer SOCKET DUMP CONNECTIONS      writes, writes_s, cpu_ns (of a write, on our side)
 *
 * Each connection has a thread and its share of the dump's batches (worker.c).
 */
#include <hiredis/hiredis.h>
#include <pthread.h>

#include "bench.h"
#include "tidewheel/mem.h"

enum { CONNECTIONS_MAX = 16, WINDOW = 4 };

struct packet {
    const char *bytes;
    uint32_t len;
    uint32_t entities;
    uint32_t replies;
};

struct packets {
    struct packet *all;
    size_t count;
    size_t cap;
};

struct connection {
    redisContext *context;
    const struct packets *packets;
    size_t first;
    size_t step;
    uint64_t writes;
    pthread_t thread;
};

static char *read_file(const char *name, size_t *ret_len)
{
    FILE *file = fopen(name, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0)
        DIE("%s cannot be read", name);
    *ret_len = (size_t)ftell(file);
    rewind(file);
    char *bytes = mem_alloc(*ret_len + 1);
    if (fread(bytes, 1, *ret_len, file) != *ret_len)
        DIE("%s cannot be read", name);
    (void)fclose(file);
    return bytes;
}

static struct packets cut(const char *bytes, size_t len)
{
    struct packets packets = {NULL, 0, 0};
    uint32_t head[3];
    for (size_t at = 0; at + sizeof head <= len; at += head[0]) {
        memcpy(head, bytes + at, sizeof head);
        at += sizeof head;
        packets.all = mem_grow(packets.all, packets.count, &packets.cap, sizeof *packets.all);
        /* MULTI, a QUEUED for each command, and EXEC. */
        packets.all[packets.count++] = (struct packet){bytes + at, head[0], head[1], head[2] + 2};
    }
    return packets;
}

static void take_replies(struct connection *connection, const struct packet *packet)
{
    for (uint32_t i = 0; i < packet->replies; i++) {
        redisReply *reply = NULL;
        if (redisGetReply(connection->context, (void **)&reply) != REDIS_OK)
            DIE("Redis: %s", connection->context->errstr);
        if (reply->type == REDIS_REPLY_ERROR)
            DIE("Redis: %s", reply->str);
        freeReplyObject(reply);
    }
    connection->writes += packet->entities;
}

static void send_packet(struct connection *connection, const struct packet *packet)
{
    int is_written = 0;
    (void)redisAppendFormattedCommand(connection->context, packet->bytes, packet->len);
    while (!is_written)
        if (redisBufferWrite(connection->context, &is_written) != REDIS_OK)
            DIE("Redis: %s", connection->context->errstr);
}

static void *connection_main(void *arg)
{
    struct connection *connection = arg;
    const struct packets *packets = connection->packets;
    size_t answered = connection->first;
    for (size_t at = connection->first; at < packets->count; at += connection->step) {
        send_packet(connection, &packets->all[at]);
        if (at - answered < (WINDOW - 1) * connection->step)
            continue;
        take_replies(connection, &packets->all[answered]);
        answered += connection->step;
    }
    for (; answered < packets->count; answered += connection->step)
        take_replies(connection, &packets->all[answered]);
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        DIE("usage: writer SOCKET DUMP CONNECTIONS");
    struct connection connections[CONNECTIONS_MAX] = {{0}};
    size_t len = 0;
    char *bytes = read_file(argv[2], &len);
    struct packets packets = cut(bytes, len);
    size_t count = strtoul(argv[3], NULL, 10);
    if (packets.count < CONNECTIONS_MAX || count > CONNECTIONS_MAX)
        DIE("too few batches, or too many connections");
    int64_t begun_ns = clock_ns(CLOCK_MONOTONIC);
    int64_t begun_cpu_ns = cpu_ns();
    for (size_t i = 0; i < count; i++) {
        connections[i] = (struct connection){redisConnectUnix(argv[1]), &packets, i, count, 0, 0};
        if (connections[i].context == NULL || connections[i].context->err != 0)
            DIE("no connection to %s", argv[1]);
        if (pthread_create(&connections[i].thread, NULL, connection_main, &connections[i]) != 0)
            DIE("no thread");
    }
    uint64_t writes = 0;
    for (size_t i = 0; i < count; i++) {
        (void)pthread_join(connections[i].thread, NULL);
        writes += connections[i].writes;
        redisFree(connections[i].context);
    }
    double seconds = (double)(clock_ns(CLOCK_MONOTONIC) - begun_ns) / 1e9;
    result("writes", (double)writes);
    result("writes_s", (double)writes / seconds);
    result("cpu_ns", (double)(cpu_ns() - begun_cpu_ns) / (double)writes);
    free(packets.all);
    free(bytes);
    return 0;
}
