#include "kafka_private.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "tidewheel/clock.h"
#include "tidewheel/log.h"
#include "tidewheel/mem.h"

enum { SLICE_MS = 100, OPEN_FAILED_MS = 1000 };

/* --- close --- */

/* False: not within the deadline. A member with a fatal error has no way to leave: it is only torn
 * down. */
static bool leave_group(struct kafka_source *source, int64_t deadline_ms)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(source->handle);
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(source->handle, queue);
    bool has_left = error != NULL;
    if (error != NULL) {
        log_warn("close", "worker=%d reason=\"%s\"", source->number, rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
        kafka_rebalance(source, RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS, NULL);
    }
    while (!has_left && clock_mono_ms() < deadline_ms) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, SLICE_MS);
        if (event != NULL && rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE)
            kafka_rebalance(source, rd_kafka_event_error(event),
                            rd_kafka_event_topic_partition_list(event));
        if (event != NULL)
            rd_kafka_event_destroy(event);
        has_left = rd_kafka_consumer_closed(source->handle) != 0;
    }
    rd_kafka_queue_destroy(queue);
    return has_left;
}

static void *destroy_handle(void *handle)
{
    rd_kafka_destroy_flags(handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE); /* we have left */
    return NULL;
}

bool kafka_join_within(pthread_t thread, int64_t deadline_ms)
{
    int64_t left_ms = deadline_ms - clock_mono_ms();
    left_ms = left_ms < SLICE_MS ? SLICE_MS : left_ms;
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += left_ms / 1000;
    until.tv_nsec += (left_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    if (pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until) == 0)
        return true;
    (void)pthread_detach(thread);
    return false;
}

/* rd_kafka_destroy() has no timeout and has been seen to hang (K1, K18): it gets a thread. */
bool kafka_destroy_within(rd_kafka_t *handle, int64_t deadline_ms)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, destroy_handle, handle) == 0)
        return kafka_join_within(thread, deadline_ms);
    rd_kafka_destroy(handle);
    return true;
}

static void disconnect(struct kafka_source *source)
{
    for (size_t i = 0; i < source->topic_count; i++)
        if (source->topics[i].handle != NULL)
            rd_kafka_topic_destroy(source->topics[i].handle);
    rd_kafka_queue_destroy(source->commit_queue);
    rd_kafka_queue_destroy(source->queue);
}

/* Librdkafka's threads use source until its handle is gone. */
bool kafka_free(struct kafka_source *source, int64_t deadline_ms)
{
    kafka_drop_all(source);
    if (source->handle != NULL) {
        disconnect(source);
        if (!kafka_destroy_within(source->handle, deadline_ms))
            return false;
    }
    if (source->conf != NULL)
        rd_kafka_conf_destroy(source->conf);
    for (size_t i = 0; i < source->topic_count; i++)
        free(source->topics[i].units);
    free(source->topics);
    free(source->cluster);
    free(source);
    return true;
}

/* Past the deadline nothing of librdkafka's is touched any more. */
bool kafka_close(struct source *base, int64_t wait_ms)
{
    struct kafka_source *source = (struct kafka_source *)base;
    int64_t deadline_ms = clock_mono_ms() + wait_ms;
    source->is_closing = true;
    kafka_release(source);
    bool has_left = leave_group(source, deadline_ms);
    (void)kafka_commit_drain(source, 0);
    lookup_stop(&source->lookup);
    if (!has_left) {
        log_warn("close", "worker=%d wait_ms=%lld reason=\"the group could not be left in time\"",
                 source->number, (long long)wait_ms);
        return false;
    }
    return kafka_free(source, deadline_ms);
}

/* --- open --- */

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static struct assign_needs needs_of(const struct topic *topic)
{
    struct assign_needs needs = {0};
    for (size_t i = 0; i < topic->view_count; i++) {
        const struct view *view = topic->views[i];
        int64_t reach_ms = 0;
        if (__builtin_add_overflow(view->longest_ms + view->longest_hop_ms, view->future_max_ms,
                                   &reach_ms))
            reach_ms = INT64_MAX;
        needs.reach_ms = larger(needs.reach_ms, reach_ms);
        needs.ttl_ms = larger(needs.ttl_ms, larger(view->ttl_ms, view->key_ttl_ms));
        needs.from_beginning = needs.from_beginning || view->clock == CLOCK_EVENT;
    }
    return needs;
}

void kafka_topic_init(struct kafka_topic *topic, const struct topic *from)
{
    topic->topic = from;
    topic->needs = needs_of(from);
}

static void topics_init(struct kafka_source *source, const struct catalog *catalog)
{
    source->topics = mem_zalloc(catalog->topic_count * sizeof *source->topics);
    source->topic_count = catalog->topic_count;
    for (size_t i = 0; i < catalog->topic_count; i++) {
        kafka_topic_init(&source->topics[i], catalog->topics[i]);
        kafka_show_topic(source, catalog->topics[i]->name, TOPIC_UNSEEN);
    }
    source->last_topic = source->topics;
}

int kafka_new(const struct options *options, const struct catalog *catalog, int number,
              const struct source_handler *handler, bool is_reader, struct kafka_source **ret,
              struct err *err)
{
    struct kafka_source *source = mem_zalloc(sizeof *source);
    source->number = number;
    source->handler = *handler;
    source->is_reader = is_reader;
    source->refused_mono_ms = -1;
    topics_init(source, catalog);
    int rc = kafka_conf_new(source, options, err);
    if (rc < 0) {
        (void)kafka_free(source, 0);
        return rc;
    }
    *ret = source;
    return 0;
}

int kafka_topic_open(struct kafka_source *source, struct kafka_topic *topic, struct err *err)
{
    topic->handle = rd_kafka_topic_new(source->handle, topic->topic->name, NULL);
    if (topic->handle == NULL)
        return err_set(err, ERR_CONFIG, "'%s' is not a topic's name", topic->topic->name);
    return 0;
}

int kafka_connect(struct kafka_source *source, struct err *err)
{
    char reason[512];
    source->handle = rd_kafka_new(RD_KAFKA_CONSUMER, source->conf, reason, sizeof reason);
    if (source->handle == NULL)
        return err_set(err, ERR_CONFIG, "kafka: %s", reason);
    source->conf = NULL;
    (void)rd_kafka_poll_set_consumer(source->handle);
    source->commit_queue = rd_kafka_queue_new(source->handle);
    source->queue = rd_kafka_queue_get_consumer(source->handle);
    int rc = 0;
    for (size_t i = 0; i < source->topic_count && rc == 0; i++)
        rc = kafka_topic_open(source, &source->topics[i], err);
    return rc;
}

int kafka_subscribe(struct kafka_source *source, struct err *err)
{
    rd_kafka_topic_partition_list_t *names = rd_kafka_topic_partition_list_new(4);
    for (size_t i = 0; i < source->topic_count; i++)
        rd_kafka_topic_partition_list_add(names, source->topics[i].topic->name,
                                          RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t code = rd_kafka_subscribe(source->handle, names);
    rd_kafka_topic_partition_list_destroy(names);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return err_set(err, ERR_FATAL, "subscribing: %s", rd_kafka_err2str(code));
    return 0;
}

int kafka_source_open(const struct options *options, const struct catalog *catalog, int number,
                      const struct source_handler *handler, struct source **ret, struct err *err)
{
    struct kafka_source *source = NULL;
    int rc = kafka_new(options, catalog, number, handler, false, &source, err);
    if (rc < 0)
        return rc;
    source->source.ops = &KAFKA_OPS;
    rc = kafka_connect(source, err);
    if (rc == 0)
        rc = kafka_subscribe(source, err);
    if (rc < 0) {
        (void)kafka_free(source, clock_mono_ms() + OPEN_FAILED_MS);
        return rc;
    }
    *ret = &source->source;
    return 0;
}
