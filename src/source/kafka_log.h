/* kafka_log: librdkafka's own log lines among ours.
 *
 * Floor: 3. Owner: any thread: librdkafka's own call it.
 */
#ifndef TIDEWHEEL_SOURCE_KAFKA_LOG_H
#define TIDEWHEEL_SOURCE_KAFKA_LOG_H

#include "tidewheel/log.h"

/* Of one of librdkafka's levels, which are syslog's: contexts of `debug` speak at the last, ours too. */
enum log_level kafka_log_level(int level);

/* A limit for each of its facilities (FAIL, CONFWARN, REQTMOUT...): a storm of one hides no other. */
struct log_site *kafka_log_site(const char *facility);

/* One line at=kafka; debug lines have no limit. */
#define kafka_log(level, facility, ...)                                                            \
    do {                                                                                           \
        if (kafka_log_level(level) == LOG_DEBUG)                                                   \
            log_debug("kafka", __VA_ARGS__);                                                       \
        else                                                                                       \
            log_line_limited(kafka_log_site(facility), kafka_log_level(level), "kafka",            \
                             __VA_ARGS__);                                                         \
    } while (0)

#endif
