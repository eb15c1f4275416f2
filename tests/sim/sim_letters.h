/* sim_letters: dead letters that get to the simulated Kafka in any order, late, or when nobody waits for them
 * any more.
 *
 *     no commit passes a rejected record that has no letter; in the end every rejected record has one
 *
 * Both but for what lies before an offset that a person has set.
 */
#ifndef TIDEWHEEL_SIM_LETTERS_H
#define TIDEWHEEL_SIM_LETTERS_H

#include "sim_kafka.h"
#include "tidewheel/dead_letter.h"

enum { SIM_LETTERS_MAX = 1024 };

struct sim_letter {
    uint64_t life;
    uint64_t number;
    enum verdict reason;
    int32_t partition;
    int64_t offset;
};

struct sim_letters {
    struct letters letters; /* first */
    struct sim_kafka *kafka;
    struct letters_handler handler;
    struct sim_letter list[SIM_LETTERS_MAX];
    size_t count;
};

struct sim_letters *sim_letters_new(struct sim_kafka *kafka, const struct letters_handler *handler);

/* With its process; some letters may be on the wire, and arrive. */
void sim_letters_free(struct sim_letters *letters);

/* Is there a letter of each rejected record before an offset? ERR_INTERNAL with a sentence. */
int sim_letters_check(const struct sim_partition *partition, int64_t offset, struct err *err);

#endif
