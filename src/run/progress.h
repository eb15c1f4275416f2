/* progress: how far something is that takes its time, and when it will be there.
 *
 *     replaying   63.2 %  12,345,678 of 19,534,221 events  812,000/s  ETA 8 s
 *
 * The speed is that of the last few seconds. Offsets stand for events: a log with gaps gets there sooner.
 *
 * Floor: 4. Owner: the main thread.
 */
#ifndef TIDEWHEEL_RUN_PROGRESS_H
#define TIDEWHEEL_RUN_PROGRESS_H

#include "tidewheel/buf.h"

enum phase_of_replay { REPLAY_READING, REPLAY_PUBLISHING, REPLAY_SAVING, REPLAY_PHASES };

enum { PROGRESS_SAMPLES = 16 };

struct sample {
    int64_t at_ms;
    int64_t done;
};

struct progress {
    enum phase_of_replay phase;
    int64_t begun_ms;
    int64_t done;
    int64_t total;
    struct sample samples[PROGRESS_SAMPLES]; /* a ring */
    size_t sample_count;                     /* of all that came */
};

void progress_begin(struct progress *progress, int64_t now_ms);

/* done is kept within 0 and total; less than before is believed, too: something began again. */
void progress_note(struct progress *progress, enum phase_of_replay phase, int64_t done,
                   int64_t total, int64_t now_ms);

double progress_percent(const struct progress *progress); /* of nothing: 100 */
int64_t progress_speed(const struct progress *progress);  /* events a second, lately */
int64_t progress_eta_ms(const struct progress *progress); /* -1: it does not move */

/* All add to ret: the line for a terminal; the fields of a line of the log; what it came to. */
void progress_show(const struct progress *progress, struct buf *ret);
void progress_fields(const struct progress *progress, struct buf *ret);
void progress_sum(const struct progress *progress, int64_t now_ms, struct buf *ret);
void progress_sum_fields(const struct progress *progress, int64_t now_ms, struct buf *ret);

#endif
