/* bench: what the measuring programs share. Each prints `name=value` lines, which bench.py reads.
 *
 * Costs are CPU time, never time on the wall: a machine that does other things beside tells lies
 * about the second, less so about the first.
 */
#ifndef TIDEWHEEL_BENCH_H
#define TIDEWHEEL_BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tidewheel/pipeline.h"

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)
#define WEEK_MS   (7 * DAY_MS)

#define DIE(...)                                                                                   \
    do {                                                                                           \
        (void)fprintf(stderr, __VA_ARGS__);                                                        \
        (void)fputc('\n', stderr);                                                                 \
        exit(1);                                                                                   \
    } while (0)

static inline int64_t clock_ns(clockid_t clock)
{
    struct timespec time;
    (void)clock_gettime(clock, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

/* Of the process: all its threads, the system's share too. */
static inline int64_t cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

/* xorshift64*; the same numbers in every run. */
static inline uint64_t random_next(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * UINT64_C(2685821657736338717);
}

static inline uint64_t random_below(uint64_t *state, uint64_t limit)
{
    return (uint64_t)((unsigned __int128)random_next(state) * limit >> 64);
}

static inline void result(const char *name, double value)
{
    printf("%s=%.9g\n", name, value);
    (void)fflush(stdout);
}

static inline struct catalog *load_views(const char *file)
{
    struct buf report = {NULL, 0, 0};
    struct catalog *catalog = NULL;
    if (pipeline_load(&file, 1, &report, &catalog) != 0)
        DIE("%s", buf_text(&report));
    buf_fini(&report);
    return catalog;
}

static inline struct catalog *load_view_text(const char *text)
{
    struct buf report = {NULL, 0, 0};
    struct catalog *catalog = NULL;
    if (pipeline_load_text("bench", slice_of(text), &report, &catalog) != 0)
        DIE("%s", buf_text(&report));
    buf_fini(&report);
    return catalog;
}

#endif
