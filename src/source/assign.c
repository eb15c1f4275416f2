#include "tidewheel/assign.h"

#include <string.h>

#include "tidewheel/num.h"

static const char TAG[] = "tw1 ";

enum { TAG_LEN = sizeof TAG - 1 };

int64_t commit_metadata_read(const char *metadata, size_t len)
{
    int64_t wall_ms = -1;
    if (metadata == NULL || len <= TAG_LEN || memcmp(metadata, TAG, TAG_LEN) != 0 ||
        !num_parse_int64(metadata + TAG_LEN, len - TAG_LEN, &wall_ms) || wall_ms < 0)
        return -1;
    return wall_ms;
}

size_t commit_metadata_write(int64_t wall_ms, char *ret)
{
    memcpy(ret, TAG, TAG_LEN);
    size_t len = TAG_LEN + num_format_int64(wall_ms < 0 ? 0 : wall_ms, ret + TAG_LEN);
    ret[len] = '\0';
    return len;
}

/* When the group last said that it was alive; -1: it never did. */
static int64_t alive_ms(const struct assign_facts *facts)
{
    return facts->committed < 0 ? -1 : commit_metadata_read(facts->metadata, facts->metadata_len);
}

static bool has_reset(const struct assign_facts *facts)
{
    return facts->committed >= 0 && alive_ms(facts) < 0;
}

static int64_t at_least_zero(int64_t value)
{
    return value < 0 ? 0 : value;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

int64_t assign_since_ms(const struct assign_facts *facts, const struct assign_needs *needs,
                        int64_t now_ms)
{
    int64_t alive = alive_ms(facts);
    int64_t live_ms = alive < 0 ? now_ms - needs->ttl_ms : smaller(now_ms, alive);
    return at_least_zero(at_least_zero(live_ms) - needs->reach_ms);
}

/* A state is of use if the log may still hold what comes after it. A position behind the log's end
 * belongs to another log: the topic was cut or made anew. */
static bool is_parked_valid(const struct assign_facts *facts)
{
    return facts->parked >= 0 && facts->parked <= facts->log_end &&
           (!has_reset(facts) || facts->is_reset_done);
}

/* The start that whole windows need, as far as the log can say. */
static int64_t wanted_start(const struct assign_facts *facts, const struct assign_needs *needs,
                            bool has_timestamps, int64_t looked_up)
{
    if (needs->from_beginning)
        return facts->log_start;
    if (!has_timestamps)
        return 0;
    if (looked_up < 0)
        return facts->log_end;
    if (looked_up <= facts->log_start && facts->log_start > 0)
        return facts->log_start - 1;
    return smaller(looked_up, facts->log_end);
}

/* Where the unit is caught up. */
static int64_t last_offset(const struct assign_facts *facts)
{
    bool has_bound = facts->is_bounded && facts->until >= 0;
    return has_bound ? smaller(facts->until, facts->log_end) : facts->log_end;
}

void assign_decide(const struct assign_facts *facts, const struct assign_needs *needs,
                   bool has_timestamps, int64_t looked_up, struct plan *ret)
{
    int64_t live_at = last_offset(facts);
    int64_t wanted = smaller(wanted_start(facts, needs, has_timestamps, looked_up), live_at);
    int64_t again = wanted;
    if (has_reset(facts))
        again = smaller(again, facts->committed);
    int64_t start = again;
    if (is_parked_valid(facts))
        start = wanted = facts->parked;
    *ret = (struct plan){
        .start = larger(start, facts->log_start),
        .again = larger(again, facts->log_start),
        .live_at = live_at,
        .log_start = facts->log_start,
        .wanted = wanted,
        .commit_at_least = at_least_zero(smaller(facts->committed, facts->log_end)),
        .is_reset = has_reset(facts),
    };
}
