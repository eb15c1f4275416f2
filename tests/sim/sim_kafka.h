/* sim_kafka: one topic and one consumer group, in memory.
 *
 *     log     records with offsets that may have gaps, timestamps, a beginning that moves
 *     group   STABLE --somebody joins, leaves, is expelled--> PREPARING --all have joined--> STABLE
 *
 * A rebalance is eager: whoever polls while the group prepares gives all up and joins again. A member
 * that is expelled does not know for some polls: a zombie, that goes on reading, and whose commits
 * are refused. Then it is told that all is lost, and joins again.
 */
#ifndef TIDEWHEEL_SIM_KAFKA_H
#define TIDEWHEEL_SIM_KAFKA_H

#include "sim_random.h"
#include "tidewheel/source.h"

enum { PARTITIONS_MAX = 3, MEMBERS_MAX = 16 };

struct sim_record {
    int64_t offset;
    int64_t timestamp_ms;
    char *text;
    char *key;
    bool is_bad;      /* it is rejected */
    unsigned letters; /* that have arrived */
};

struct sim_partition {
    struct sim_record *records;
    size_t count;
    size_t cap;
    int64_t log_start;
    int64_t log_end;
    int64_t committed; /* -1: nothing */
    char metadata[COMMIT_METADATA_MAX];
    int owner;      /* number of a member; -1: nobody */
    int64_t wished; /* the highest offset that a person has set */
};

struct sim_source;

struct sim_kafka {
    struct rng *rng;
    struct sim_partition partitions[PARTITIONS_MAX];
    int partition_count;
    struct sim_source *members[MEMBERS_MAX];
    size_t member_count;
    int64_t generation;
    bool is_preparing;
    bool refuses_commits; /* for now */
    bool is_away;         /* for now */
    bool refuses_letters; /* for now */
    uint64_t rebalances;
    uint64_t commits_refused;
    struct err err; /* code 0: every commit was right */
};

void sim_kafka_init(struct sim_kafka *kafka, struct rng *rng, int partition_count);
void sim_kafka_fini(struct sim_kafka *kafka);

/* Adds a record, `gap` offsets behind the last one, and keeps the texts. */
int64_t sim_kafka_produce(struct sim_kafka *kafka, int partition, int64_t gap, const char *text,
                          const char *key, bool is_bad);

/* ---- members ---- */

enum member_state { MEMBER_OUT, MEMBER_JOINED, MEMBER_IN };

struct sim_unit {
    struct unit unit;  /* first */
    struct unit *lent; /* what the handler knows it by: a reader's units are its worker's */
    bool is_owned;
    bool is_known; /* the handler has been told of it */
    bool waits_lookup;
    bool is_begun;
    bool is_end_told;
    int64_t next;
    int64_t reset_done; /* as struct kafka_unit's */
    int64_t commit_due; /* -1: none */
};

struct sim_source {
    struct source source; /* first */
    struct sim_kafka *kafka;
    const struct topic *topic;
    struct source_handler handler;
    int number;
    bool is_reader;
    enum member_state state;
    int64_t generation;
    bool is_expelled; /* by the group */
    int blind_polls;  /* until it finds out */
    bool is_paused;
    bool is_revoking; /* the handler has not yet answered to it */
    int64_t alive_ms; /* of restart() */
    int budget;       /* records until the next pause */
    int next_partition;
    struct sim_unit *units[PARTITIONS_MAX];
};

struct sim_source *sim_source_new(struct sim_kafka *kafka, const struct topic *topic, int number,
                                  const struct source_handler *handler, bool is_reader);

/* Without a word to the group. */
void sim_source_free(struct sim_source *source);

/* The group gives a member up. */
void sim_kafka_expel(struct sim_kafka *kafka, struct sim_source *source);
void sim_kafka_rebalance(struct sim_kafka *kafka);

/* sim_kafka.c, for sim_source.c. */
void sim_kafka_join(struct sim_kafka *kafka, struct sim_source *source);
void sim_kafka_leave(struct sim_kafka *kafka, struct sim_source *source);
void sim_kafka_settle(struct sim_kafka *kafka); /* all have joined: hands out the partitions */
const struct sim_record *sim_kafka_from(const struct sim_partition *partition, int64_t offset);
int64_t sim_kafka_since(const struct sim_partition *partition, int64_t timestamp_ms);
bool sim_kafka_commit(struct sim_kafka *kafka, const struct sim_source *source, int partition,
                      int64_t offset);

#endif
