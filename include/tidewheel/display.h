/* display: all that a process shows: the boards of its threads, and what never changes.
 *
 * Floor: 1. Owner: const; lent to who answers questions.
 */
#ifndef TIDEWHEEL_DISPLAY_H
#define TIDEWHEEL_DISPLAY_H

#include "tidewheel/board.h"

struct display {
    const struct board *const *boards; /* of each worker, and of the main thread */
    size_t board_count;
    const char *version; /* of tidewheel, librdkafka and hiredis */
    const char *kafka_version;
    const char *redis_version;
    int64_t memory_limit; /* limits.memory */
};

#endif
