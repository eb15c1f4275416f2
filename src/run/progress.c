#include "run/progress.h"

#include "tidewheel/num.h"

static const char *const phase_names[REPLAY_PHASES] = {
    [REPLAY_READING] = "reading",
    [REPLAY_PUBLISHING] = "publishing",
    [REPLAY_SAVING] = "saving",
};

static const char *const phase_titles[REPLAY_PHASES] = {
    [REPLAY_READING] = "replaying",
    [REPLAY_PUBLISHING] = "publishing",
    [REPLAY_SAVING] = "saving",
};

void progress_begin(struct progress *progress, int64_t now_ms)
{
    *progress = (struct progress){.begun_ms = now_ms};
}

static int64_t within(int64_t value, int64_t max)
{
    return value < 0 ? 0 : value > max ? max : value;
}

void progress_note(struct progress *progress, enum phase_of_replay phase, int64_t done,
                   int64_t total, int64_t now_ms)
{
    progress->phase = phase;
    progress->total = total < 0 ? 0 : total;
    done = within(done, progress->total);
    if (done < progress->done)
        progress->sample_count = 0; /* it began again, and what was before says nothing */
    progress->done = done;
    progress->samples[progress->sample_count++ % PROGRESS_SAMPLES] = (struct sample){now_ms, done};
}

double progress_percent(const struct progress *progress)
{
    return progress->total > 0 ? 100.0 * (double)progress->done / (double)progress->total : 100;
}

/* Between the oldest sample that is kept and the newest. */
int64_t progress_speed(const struct progress *progress)
{
    size_t count = progress->sample_count;
    if (count < 2)
        return 0;
    size_t oldest = count > PROGRESS_SAMPLES ? count - PROGRESS_SAMPLES : 0;
    const struct sample *from = &progress->samples[oldest % PROGRESS_SAMPLES];
    const struct sample *to = &progress->samples[(count - 1) % PROGRESS_SAMPLES];
    int64_t ms = to->at_ms - from->at_ms;
    return ms > 0 ? (int64_t)((double)(to->done - from->done) * 1000.0 / (double)ms) : 0;
}

int64_t progress_eta_ms(const struct progress *progress)
{
    int64_t left = progress->total - progress->done;
    int64_t speed = progress_speed(progress);
    if (left == 0)
        return 0;
    return speed > 0 ? (int64_t)((double)left * 1000.0 / (double)speed) : -1;
}

/* 12,345,678 */
static void add_grouped(struct buf *ret, int64_t number)
{
    char digits[NUM_TEXT_MAX];
    size_t len = num_format_int64(number, digits);
    for (size_t i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            buf_add_char(ret, ',');
        buf_add_char(ret, digits[i]);
    }
}

static void add_duration(struct buf *ret, int64_t ms)
{
    int64_t s = (ms + 999) / 1000;
    if (s < 60)
        buf_printf(ret, "%lld s", (long long)s);
    else if (s < 3600)
        buf_printf(ret, "%lld min %02lld s", (long long)(s / 60), (long long)(s % 60));
    else
        buf_printf(ret, "%lld h %02lld min", (long long)(s / 3600), (long long)(s % 3600 / 60));
}

void progress_show(const struct progress *progress, struct buf *ret)
{
    buf_printf(ret, "%-10s %5.1f %%  ", phase_titles[progress->phase], progress_percent(progress));
    add_grouped(ret, progress->done);
    buf_add_text(ret, " of ");
    add_grouped(ret, progress->total);
    buf_add_text(ret, " events");
    if (progress->phase != REPLAY_READING)
        return;
    int64_t eta_ms = progress_eta_ms(progress);
    buf_add_text(ret, "  ");
    add_grouped(ret, progress_speed(progress));
    buf_add_text(ret, "/s  ETA ");
    if (eta_ms < 0)
        buf_add_char(ret, '-');
    else
        add_duration(ret, eta_ms);
}

void progress_fields(const struct progress *progress, struct buf *ret)
{
    int64_t eta_ms = progress_eta_ms(progress);
    buf_printf(ret, "phase=%s percent=%.1f events=%lld of=%lld events_s=%lld",
               phase_names[progress->phase], progress_percent(progress), (long long)progress->done,
               (long long)progress->total, (long long)progress_speed(progress));
    if (eta_ms >= 0)
        buf_printf(ret, " eta_s=%lld", (long long)((eta_ms + 999) / 1000));
}

static int64_t mean_speed(const struct progress *progress, int64_t now_ms)
{
    int64_t ms = now_ms - progress->begun_ms;
    return ms > 0 ? (int64_t)((double)progress->done * 1000.0 / (double)ms) : 0;
}

void progress_sum(const struct progress *progress, int64_t now_ms, struct buf *ret)
{
    buf_add_text(ret, "replayed ");
    add_grouped(ret, progress->done);
    buf_add_text(ret, " events in ");
    add_duration(ret, now_ms - progress->begun_ms);
    buf_add_text(ret, ", ");
    add_grouped(ret, mean_speed(progress, now_ms));
    buf_add_text(ret, "/s");
}

void progress_sum_fields(const struct progress *progress, int64_t now_ms, struct buf *ret)
{
    buf_printf(ret, "phase=done events=%lld took_ms=%lld events_s=%lld", (long long)progress->done,
               (long long)(now_ms - progress->begun_ms), (long long)mean_speed(progress, now_ms));
}
