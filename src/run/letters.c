#include "run/letters.h"

#include <stdlib.h>

#include "run/tenure.h"
#include "tidewheel/log.h"
#include "tidewheel/mem.h"

/* ---- from a record to a letter ---- */

/* The original ones, but for those that say where an earlier life of it has ended. */
static size_t gather_headers(struct worker *worker)
{
    struct source *source = worker->source;
    struct header header;
    size_t count = 0;
    for (size_t i = 0; source->ops->header != NULL && source->ops->header(source, i, &header);
         i++) {
        if (strncmp(header.name, LETTER_HEADER_PREFIX, strlen(LETTER_HEADER_PREFIX)) == 0)
            continue;
        worker->headers =
            mem_grow(worker->headers, count, &worker->header_cap, sizeof *worker->headers);
        worker->headers[count++] = header;
    }
    return count;
}

static void name_views(const struct topic *topic, const struct view *view, struct buf *ret)
{
    for (size_t i = 0; i < topic->view_count; i++) {
        if (view != NULL && view != topic->views[i])
            continue;
        if (ret->len > 0)
            buf_add_char(ret, ',');
        buf_add_text(ret, topic->views[i]->name);
    }
}

static size_t size_of(const struct dead_letter *letter)
{
    size_t bytes = LETTER_BYTES_MIN + letter->key.len + letter->value.len;
    for (size_t i = 0; i < letter->header_count; i++)
        bytes += strlen(letter->headers[i].name) + letter->headers[i].value.len;
    return bytes;
}

static void post(struct worker *worker, struct unit *unit, const struct record *record,
                 enum verdict reason, const char *views)
{
    struct shard *shard = unit->shard;
    size_t header_count = gather_headers(worker);
    struct dead_letter letter = {
        .life = shard->life,
        .reason = reason,
        .views = views,
        .topic = unit->topic->name,
        .partition = unit->partition,
        .offset = record->offset,
        .timestamp_ms = record->timestamp_ms,
        .key = record->key,
        .value = record->value,
        .headers = worker->headers,
        .header_count = header_count,
    };
    struct anchor anchor = {record->offset, record->timestamp_ms, meta_checksum(record->value)};
    letter.number = ledger_post(&shard->ledger, &anchor, size_of(&letter));
    worker->letters->ops->send(worker->letters, &letter, worker->mono_ms);
}

static bool refuse(struct worker *worker, const struct unit *unit, const struct record *record,
                   enum verdict reason, const char *views)
{
    const char *name = verdict_rows[reason].name;
    (void)err_set(
        &worker->refusal, ERR_FATAL,
        "topic %s, partition %d, offset %lld: rejected as %s by view %s, and on_error.%s is stop: "
        "mend the pipeline, or set on_error.%s to dead_letter or drop, and start again: it goes on "
        "with this event",
        unit->topic->name, (int)unit->partition, (long long)record->offset, name, views, name,
        name);
    return false;
}

/* ---- units that wait for their letters ---- */

static size_t share_of(const struct worker *worker)
{
    return worker->letter_bytes / (worker->unit_count > 0 ? worker->unit_count : 1);
}

void letters_hold(struct worker *worker, struct unit *unit, bool until_all)
{
    struct shard *shard = unit->shard;
    if (shard->await == AWAIT_NOTHING)
        log_limited(
            LOG_WARN, "dead_letter",
            "worker=%d topic=%s partition=%d state=held position=%lld letters=%zu bytes=%zu "
            "pending=%zu why=\"its letters are not delivered\" trouble=%s then=\"nothing more of "
            "it "
            "is read until they are\"",
            worker->setup.number, unit->topic->name, unit->partition,
            (long long)shard->ledger.position, shard->ledger.posted_count,
            shard->ledger.posted_bytes, worker->letters->pending,
            worker->letters->is_failing ? worker->letters->trouble : NULL);
    shard->await = until_all ? AWAIT_ALL : AWAIT_ROOM;
    worker->source->ops->hold(worker->source, unit);
}

static bool may_go_on(const struct worker *worker, const struct shard *shard)
{
    if (shard->await == AWAIT_ALL)
        return ledger_posted(&shard->ledger) == NULL;
    return shard->ledger.posted_bytes <= share_of(worker) / 2;
}

/* Where it does not run, begin() comes with the next assignment, or the end of its load. */
static void go_on(struct worker *worker, struct unit *unit)
{
    struct shard *shard = unit->shard;
    shard->await = AWAIT_NOTHING;
    log_limited(LOG_INFO, "dead_letter",
                "worker=%d topic=%s partition=%d state=released position=%lld",
                worker->setup.number, unit->topic->name, unit->partition,
                (long long)shard->ledger.position);
    bool is_read = unit->tenure == NULL || tenure_may_read(unit->tenure);
    if (unit->is_assigned && is_read)
        worker->source->ops->begin(worker->source, unit, shard->ledger.position);
}

/* ---- the interface ---- */

void letters_begin(struct worker *worker, struct letters *letters)
{
    worker->letters = letters;
    for (int i = 0; i < VERDICT_COUNT; i++) {
        enum on_error what = options_on_error(worker->setup.options, (enum verdict)i);
        bool is_lost = what == ON_ERROR_DEAD_LETTER && letters == NULL;
        worker->on_error[i] = is_lost ? ON_ERROR_DROP : what;
    }
}

bool letters_take(struct worker *worker, struct unit *unit, const struct record *record,
                  enum verdict reason, const struct view *view)
{
    struct shard *shard = unit->shard;
    enum on_error what = worker->on_error[reason];
    if (what == ON_ERROR_DROP || record->offset < shard->letters_from)
        return true;
    struct buf views = {NULL, 0, 0};
    name_views(unit->topic, view, &views);
    bool goes_on = true;
    if (what == ON_ERROR_STOP)
        goes_on = refuse(worker, unit, record, reason, buf_text(&views));
    else
        post(worker, unit, record, reason, buf_text(&views));
    buf_fini(&views);
    if (shard->ledger.posted_bytes >= share_of(worker))
        letters_hold(worker, unit, false);
    return goes_on;
}

static void on_settled(void *arg, uint64_t life, uint64_t number, enum verdict reason)
{
    struct worker *worker = arg;
    cell_add(&worker->board->letters[reason], 1);
    for (size_t i = 0; i < worker->unit_count; i++) {
        struct shard *shard = worker->units[i]->shard;
        if (shard->life == life)
            ledger_settle(&shard->ledger, number);
    }
}

struct letters_handler worker_letters_handler(struct worker *worker)
{
    return (struct letters_handler){.arg = worker, .settled = on_settled};
}

void letters_serve(struct worker *worker)
{
    struct letters *letters = worker->letters;
    if (letters == NULL)
        return;
    letters->ops->serve(letters, worker->mono_ms);
    cell_set(&worker->board->cells[BOARD_LETTERS_PENDING], (int64_t)letters->pending);
    cell_set(&worker->board->cells[BOARD_LETTERS_FAIL], letters->is_failing);
    cell_set(&worker->board->cells[BOARD_LETTER_FAILURES], (int64_t)letters->failures);
}

void letters_release(struct worker *worker)
{
    if (worker->letters == NULL)
        return;
    for (size_t i = 0; i < worker->unit_count; i++) {
        const struct shard *shard = worker->units[i]->shard;
        if (shard->await != AWAIT_NOTHING && may_go_on(worker, shard))
            go_on(worker, worker->units[i]);
    }
}

bool letters_are_settled(const struct worker *worker)
{
    return worker->letters == NULL || worker->letters->underway == 0;
}

void letters_forget(struct worker *worker, const struct shard *shard)
{
    if (worker->letters != NULL && ledger_posted(&shard->ledger) != NULL)
        worker->letters->ops->forget(worker->letters, shard->life);
}
