/* played_log: Kafka played by a log that is made up as it is read, for one worker.
 *
 *     restart   the events of a week, a unit's keys in turn; the same whenever they are read
 *     steady    events of now, at a rate or as fast as they are taken, of a crowd of which few do most
 *
 * Nothing but the worker and Redis is measured with it. A poll that finds no record waits, as
 * librdkafka would, and says how long.
 */
#ifndef TIDEWHEEL_BENCH_PLAYED_LOG_H
#define TIDEWHEEL_BENCH_PLAYED_LOG_H

#include "bench.h"
#include "tidewheel/clock.h"
#include "tidewheel/mem.h"
#include "tidewheel/source.h"

enum { UNITS = 12, TEXT_MAX = 128, POOL = 1 << 20, CROWD = 100000, TS_DIGITS = 13 };

struct text {
    char bytes[TEXT_MAX];
    uint8_t len;
    uint8_t ts_at; /* of its TS_DIGITS */
    uint8_t unit;
};

struct fake {
    struct source source;
    struct source_handler handler;
    struct unit units[UNITS];
    int64_t next[UNITS]; /* -1: held */
    int64_t ends[UNITS];
    size_t turn; /* whose record comes next */
    bool is_assigned;
    int64_t waited_ns;
    /* Restart: an event of a key is the same whenever it is read. */
    int64_t keys_of_unit;
    int64_t now_ms;
    char text[TEXT_MAX]; /* or the digits of now_ms */
    /* Steady: texts that only the time is missing in. */
    struct text *pool;
    uint64_t made;
    double rate;
    int64_t begun_ns;
};

static struct fake *fake_of(struct source *source)
{
    return (struct fake *)source;
}

static void assign_all(struct fake *fake)
{
    fake->is_assigned = true;
    for (size_t i = 0; i < UNITS; i++) {
        int64_t end = fake->pool != NULL ? 0 : fake->ends[i];
        fake->units[i].is_assigned = true;
        fake->handler.assigned(fake->handler.arg, &fake->units[i], &(struct plan){.live_at = end});
    }
}

static int nothing(struct fake *fake, int64_t timeout_ms)
{
    struct timespec wait = {.tv_nsec = timeout_ms * 1000000};
    int64_t begun_ns = clock_ns(CLOCK_MONOTONIC);
    if (timeout_ms > 0)
        (void)nanosleep(&wait, NULL);
    fake->waited_ns += clock_ns(CLOCK_MONOTONIC) - begun_ns;
    return 0;
}

static int make_text(char *ret, uint64_t *random, uint64_t user, int64_t ts_ms)
{
    if (random_below(random, 4) == 0)
        return snprintf(ret, TEXT_MAX,
                        "{\"user_id\":\"%llu\",\"event_type\":\"purchase\",\"amount\":%llu.%02llu,"
                        "\"currency\":\"EUR\",\"ts\":%lld}",
                        (unsigned long long)user, (unsigned long long)random_below(random, 90) + 1,
                        (unsigned long long)random_below(random, 100), (long long)ts_ms);
    return snprintf(ret, TEXT_MAX,
                    "{\"user_id\":\"%llu\",\"event_type\":\"page_view\",\"page\":\"/item/%llu\","
                    "\"ts\":%lld}",
                    (unsigned long long)user, (unsigned long long)random_below(random, 1000),
                    (long long)ts_ms);
}

static void lend(const struct fake *fake, size_t unit, const char *text, int len, int64_t ts_ms,
                 struct record *ret)
{
    const char *key = text + strlen("{\"user_id\":\"");
    *ret = (struct record){.value = {text, (size_t)len},
                           .key = {key, strcspn(key, "\"")},
                           .offset = fake->next[unit],
                           .timestamp_ms = ts_ms,
                           .partition = (int32_t)unit};
}

/* The week before, at random. */
static int poll_old(struct fake *fake, int64_t timeout_ms, struct unit **ret_unit,
                    struct record *ret)
{
    for (size_t i = 0; i < UNITS; i++) {
        size_t unit = fake->turn++ / 64 % UNITS;
        int64_t offset = fake->next[unit];
        if (offset < 0 || offset >= fake->ends[unit])
            continue;
        uint64_t random =
            (uint64_t)(offset * UNITS + (int64_t)unit + 1) * UINT64_C(0x9e3779b97f4a7c15);
        (void)random_next(&random);
        int64_t ts_ms = fake->now_ms - (int64_t)random_below(&random, WEEK_MS);
        uint64_t user = (uint64_t)(offset % fake->keys_of_unit) * UNITS + unit;
        int len = make_text(fake->text, &random, user, ts_ms);
        lend(fake, unit, fake->text, len, ts_ms, ret);
        fake->next[unit]++;
        *ret_unit = &fake->units[unit];
        return 1;
    }
    return nothing(fake, timeout_ms < 1 ? timeout_ms : 1); /* so that all is published soon */
}

static bool is_due(const struct fake *fake)
{
    double passed_s = (double)(clock_ns(CLOCK_MONOTONIC) - fake->begun_ns) / 1e9;
    return (double)fake->made < passed_s * fake->rate;
}

static int poll_new(struct fake *fake, int64_t timeout_ms, struct unit **ret_unit,
                    struct record *ret)
{
    struct text *text = &fake->pool[fake->made % POOL];
    if (fake->next[text->unit] < 0)
        return nothing(fake, timeout_ms);
    if (fake->rate > 0 && !is_due(fake))
        return nothing(fake, timeout_ms < 1 ? timeout_ms : 1);
    if (fake->made % 256 == 0) {
        fake->now_ms = clock_wall_ms();
        (void)snprintf(fake->text, sizeof fake->text, "%lld", (long long)fake->now_ms);
    }
    memcpy(text->bytes + text->ts_at, fake->text, TS_DIGITS);
    lend(fake, text->unit, text->bytes, text->len, fake->now_ms, ret);
    fake->next[text->unit]++;
    fake->made++;
    *ret_unit = &fake->units[text->unit];
    return 1;
}

static int fake_poll(struct source *source, int64_t timeout_ms, struct unit **ret_unit,
                     struct record *ret, struct err *err)
{
    struct fake *fake = fake_of(source);
    (void)err;
    if (!fake->is_assigned)
        assign_all(fake);
    return fake->pool != NULL ? poll_new(fake, timeout_ms, ret_unit, ret)
                              : poll_old(fake, timeout_ms, ret_unit, ret);
}

static void fake_begin(struct source *source, struct unit *unit, int64_t start)
{
    fake_of(source)->next[unit->partition] = start;
}

static void fake_hold(struct source *source, struct unit *unit)
{
    fake_of(source)->next[unit->partition] = -1;
}

static void fake_commit(struct source *source, const struct commit *commits, size_t count,
                        int64_t wait_ms)
{
    (void)source, (void)commits, (void)count, (void)wait_ms;
}

static void fake_pause(struct source *source, bool is_paused)
{
    (void)source, (void)is_paused;
}

static void fake_restart(struct source *source, struct unit *unit, int64_t alive_ms)
{
    (void)source, (void)unit, (void)alive_ms;
    DIE("a unit was lost");
}

static int64_t fake_end(struct source *source, const struct unit *unit)
{
    (void)source, (void)unit;
    return -1;
}

static const char *fake_cluster(struct source *source)
{
    (void)source;
    return "";
}

static bool fake_close(struct source *source, int64_t wait_ms)
{
    struct fake *fake = fake_of(source);
    (void)wait_ms;
    for (size_t i = 0; i < UNITS; i++)
        fake->handler.dropped(fake->handler.arg, &fake->units[i]);
    return true;
}

static const struct source_ops FAKE = {
    .poll = fake_poll,
    .commit = fake_commit,
    .pause = fake_pause,
    .begin = fake_begin,
    .hold = fake_hold,
    .restart = fake_restart,
    .end = fake_end,
    .cluster = fake_cluster,
    .close = fake_close,
};

static inline void make_pool(struct fake *fake)
{
    uint64_t random = 42;
    fake->now_ms = clock_wall_ms();
    fake->pool = mem_alloc(POOL * sizeof *fake->pool);
    for (size_t i = 0; i < POOL; i++) {
        struct text *text = &fake->pool[i];
        double share = (double)(random_next(&random) >> 11) / 9007199254740992.0;
        uint64_t user = 1 + (uint64_t)(share * share * CROWD);
        text->unit = (uint8_t)(user % UNITS);
        text->len = (uint8_t)make_text(text->bytes, &random, user, fake->now_ms);
        text->ts_at = (uint8_t)(text->len - TS_DIGITS - 1);
    }
}

#endif
