/* window: sliding windows and their hops (promise W).
 *
 * At A the window of length w with hop h holds what has floor_h(A - w) <= ts: the head is open, the
 * tail over-includes by less than one hop (a "sawtooth" window, as in Airbnb's Chronon).
 *
 *                     |<- less than one hop ->|
 *     --------|-------*-----------------------|-----------------------> A
 *          from()   A - w                  next hop
 *
 * Floor: 1. Owner: pure.
 */
#ifndef TIDEWHEEL_WINDOW_H
#define TIDEWHEEL_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WINDOW_MS_MIN INT64_C(1000)
#define WINDOW_MS_MAX (INT64_C(400) * 24 * 60 * 60 * 1000)

struct window {
    int64_t length_ms;
    int64_t hop_ms;
    char *text; /* the length as the user wrote it: the {window} of field names */
};

static inline int64_t floor_to(int64_t value_ms, int64_t hop_ms)
{
    int64_t over = value_ms % hop_ms;
    return value_ms - (over < 0 ? over + hop_ms : over);
}

/* The first moment that the window still holds at now_ms. */
static inline int64_t window_from(const struct window *window, int64_t now_ms)
{
    return floor_to(now_ms - window->length_ms, window->hop_ms);
}

/* The first A at which the window has let go of ts_ms. */
static inline int64_t window_leave(const struct window *window, int64_t ts_ms)
{
    return floor_to(ts_ms, window->hop_ms) + window->hop_ms + window->length_ms;
}

/* The largest hop of the ladder 10ms 100ms 1s 5s 10s 30s 1m 5m 10m 30m 1h 6h 1d that is at most
 * length / 100; each divides the next, so hops nest. */
int64_t window_default_hop(int64_t length_ms);

/* The hops of a feature nest if each divides every larger one. */
bool window_hops_nest(const struct window *windows, size_t count);

#endif
