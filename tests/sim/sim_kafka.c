#include "sim_kafka.h"

#include <stdlib.h>

#include "sim_letters.h"
#include "sim_time.h"
#include "tidewheel/mem.h"

void sim_kafka_init(struct sim_kafka *kafka, struct rng *rng, int partition_count)
{
    *kafka = (struct sim_kafka){.rng = rng, .partition_count = partition_count};
    for (int i = 0; i < partition_count; i++)
        kafka->partitions[i] = (struct sim_partition){.committed = -1, .owner = -1};
}

void sim_kafka_fini(struct sim_kafka *kafka)
{
    for (int p = 0; p < kafka->partition_count; p++) {
        struct sim_partition *partition = &kafka->partitions[p];
        for (size_t i = 0; i < partition->count; i++) {
            free(partition->records[i].text);
            free(partition->records[i].key);
        }
        free(partition->records);
    }
}

int64_t sim_kafka_produce(struct sim_kafka *kafka, int number, int64_t gap, const char *text,
                          const char *key, bool is_bad)
{
    struct sim_partition *partition = &kafka->partitions[number];
    partition->records =
        mem_grow(partition->records, partition->count, &partition->cap, sizeof *partition->records);
    int64_t offset = partition->log_end + gap;
    partition->records[partition->count++] = (struct sim_record){
        .offset = offset,
        .timestamp_ms = sim_wall_ms,
        .text = mem_strdup(text),
        .key = mem_strdup(key),
        .is_bad = is_bad,
    };
    partition->log_end = offset + 1;
    return offset;
}

/* The first record at or behind an offset; NULL: the log ends before it. */
const struct sim_record *sim_kafka_from(const struct sim_partition *partition, int64_t offset)
{
    size_t low = 0;
    size_t high = partition->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (partition->records[middle].offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low < partition->count ? &partition->records[low] : NULL;
}

/* As ListOffsets: the first record that is not older; -1: there is none. */
int64_t sim_kafka_since(const struct sim_partition *partition, int64_t timestamp_ms)
{
    for (size_t i = 0; i < partition->count; i++)
        if (partition->records[i].offset >= partition->log_start &&
            partition->records[i].timestamp_ms >= timestamp_ms)
            return partition->records[i].offset;
    return -1;
}

/* ---- the group ---- */

static size_t place_of(const struct sim_kafka *kafka, const struct sim_source *source)
{
    size_t i = 0;
    while (i < kafka->member_count && kafka->members[i] != source)
        i++;
    return i;
}

void sim_kafka_rebalance(struct sim_kafka *kafka)
{
    if (!kafka->is_preparing)
        kafka->rebalances++;
    kafka->is_preparing = true;
}

void sim_kafka_join(struct sim_kafka *kafka, struct sim_source *source)
{
    if (place_of(kafka, source) == kafka->member_count) {
        CHECK(kafka->member_count < MEMBERS_MAX);
        kafka->members[kafka->member_count++] = source;
        sim_kafka_rebalance(kafka);
    }
    source->is_expelled = false;
    source->state = MEMBER_JOINED;
}

void sim_kafka_leave(struct sim_kafka *kafka, struct sim_source *source)
{
    size_t i = place_of(kafka, source);
    if (i == kafka->member_count)
        return;
    kafka->members[i] = kafka->members[--kafka->member_count];
    for (int p = 0; p < kafka->partition_count; p++)
        if (kafka->partitions[p].owner == source->number)
            kafka->partitions[p].owner = -1;
    sim_kafka_rebalance(kafka);
}

void sim_kafka_expel(struct sim_kafka *kafka, struct sim_source *source)
{
    if (place_of(kafka, source) == kafka->member_count)
        return;
    sim_kafka_leave(kafka, source);
    source->is_expelled = true;
    source->blind_polls = (int)rng_below(kafka->rng, 6);
}

/* By turns, from a random member on: a partition mostly moves. */
static void hand_out(struct sim_kafka *kafka)
{
    int64_t first = rng_below(kafka->rng, (int64_t)kafka->member_count);
    for (int p = 0; p < kafka->partition_count; p++) {
        size_t at = (size_t)(first + p) % kafka->member_count;
        kafka->partitions[p].owner = kafka->members[at]->number;
    }
}

void sim_kafka_settle(struct sim_kafka *kafka)
{
    if (!kafka->is_preparing || kafka->member_count == 0)
        return;
    for (size_t i = 0; i < kafka->member_count; i++)
        if (kafka->members[i]->state != MEMBER_JOINED)
            return;
    kafka->is_preparing = false;
    kafka->generation++;
    hand_out(kafka);
}

/* Whoever is a member may commit what it was given, until it has joined anew. */
bool sim_kafka_commit(struct sim_kafka *kafka, const struct sim_source *source, int number,
                      int64_t offset)
{
    struct sim_partition *partition = &kafka->partitions[number];
    if (kafka->refuses_commits || source->is_expelled || partition->owner != source->number) {
        kafka->commits_refused++;
        return false;
    }
    if (kafka->err.code == 0 && sim_letters_check(partition, offset, &kafka->err) < 0)
        (void)err_wrap(&kafka->err, "%d:%lld is committed", number, (long long)offset);
    partition->committed = offset;
    (void)commit_metadata_write(sim_wall_ms, partition->metadata);
    return true;
}
