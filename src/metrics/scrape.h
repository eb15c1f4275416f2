/* scrape: what all boards say, put together for one answer.
 *
 * A unit that has just moved between two workers of the process may be on both their boards, and a view
 * is on each: here a unit is there once, by topic and partition, and a view once by its name.
 *
 * Floor: 3. Owner: whoever answers.
 */
#ifndef TIDEWHEEL_METRICS_SCRAPE_H
#define TIDEWHEEL_METRICS_SCRAPE_H

#include <stdbool.h>

#include "metrics/process.h"
#include "tidewheel/display.h"

struct shown_unit {
    const struct board *board;
    const struct board_unit *unit;
};

struct names { /* in the order of their appearance */
    const char **of;
    size_t count;
    size_t cap;
};

struct scrape {
    const struct display *display;
    int64_t wall_ms;
    int64_t mono_ms;
    struct shown_unit *units; /* those that are ours; parked ones are not */
    size_t unit_count;
    size_t unit_cap;
    struct names views;
    struct names topics;
    struct names missing;   /* topics that Kafka does not have */
    struct process process; /* read by who needs it */
};

void scrape_init(struct scrape *scrape, const struct display *display, int64_t wall_ms,
                 int64_t mono_ms);
void scrape_fini(struct scrape *scrape);

/* Of all boards. */
int64_t scrape_sum(const struct scrape *scrape, enum board_cell cell);
int64_t scrape_max(const struct scrape *scrape, enum board_cell cell);

/* Of the workers' boards; 0 without a worker. */
int64_t scrape_min(const struct scrape *scrape, enum board_cell cell);

/* How much of its share of limits.memory the fullest worker has used up: 0 to 1, and a little above. */
double scrape_fullest(const struct scrape *scrape);

/* Of all units of the topic that there were: they go on counting when they are not ours. */
int64_t scrape_missing(const struct scrape *scrape, const char *topic);

/* The largest of a view, on the boards where it is current; false: on none. */
bool scrape_view_max(const struct scrape *scrape, const char *view, enum board_view_cell cell,
                     int64_t *ret);
int64_t scrape_view_sum(const struct scrape *scrape, const char *view, enum board_view_cell cell);

static inline bool is_worker(const struct board *board)
{
    return board->number >= 0;
}

#endif
