#include "kafka_log.h"

enum { SYSLOG_CRITICAL = 2, SYSLOG_WARNING = 4, SYSLOG_INFO = 6 };

/* What is an error to it (a broker that does not answer, say) is something that we cope with; what it
 * cannot go on after is said by kafka_fail(), too. */
enum log_level kafka_log_level(int level)
{
    return level <= SYSLOG_CRITICAL  ? LOG_ERROR
           : level <= SYSLOG_WARNING ? LOG_WARN
           : level <= SYSLOG_INFO    ? LOG_INFO
                                     : LOG_DEBUG;
}

struct log_site *kafka_log_site(const char *facility)
{
    static struct log_site sites[32];
    unsigned hash = 0;
    for (; *facility != '\0'; facility++)
        hash = hash * 31 + (unsigned char)*facility;
    return &sites[hash % (sizeof sites / sizeof *sites)];
}
