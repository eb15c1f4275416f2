#include "tidewheel/ledger.h"

#include <stdlib.h>

#include "tidewheel/err.h"
#include "tidewheel/mem.h"

void ledger_init(struct ledger *ledger, int64_t position, int64_t committed)
{
    *ledger = (struct ledger){.position = position, .committed = committed, .in_flight = INT64_MAX};
}

void ledger_fini(struct ledger *ledger)
{
    free(ledger->ring);
    free(ledger->posted);
    ledger->ring = NULL;
    ledger->posted = NULL;
}

static struct held *held_at(const struct ledger *ledger, size_t i)
{
    return &ledger->ring[(ledger->head + i) & (ledger->cap - 1)];
}

static void grow(struct ledger *ledger)
{
    size_t cap = ledger->cap == 0 ? 64 : ledger->cap * 2;
    struct held *ring = mem_alloc(cap * sizeof *ring);
    for (size_t i = 0; i < ledger->count; i++)
        ring[i] = *held_at(ledger, i);
    free(ledger->ring);
    ledger->ring = ring;
    ledger->cap = cap;
    ledger->head = 0;
}

void ledger_hold(struct ledger *ledger, struct held held)
{
    if (ledger->count == ledger->cap)
        grow(ledger);
    CHECK(ledger->count == 0 || held_at(ledger, ledger->count - 1)->offset <= held.offset);
    *held_at(ledger, ledger->count) = held;
    ledger->count++;
}

void ledger_send(struct ledger *ledger, int64_t offset)
{
    if (offset < ledger->in_flight)
        ledger->in_flight = offset;
}

void ledger_drop(struct ledger *ledger)
{
    ledger->head = (ledger->head + 1) & (ledger->cap - 1);
    ledger->count--;
}

bool ledger_take(struct ledger *ledger, struct held *ret)
{
    if (ledger->count == 0)
        return false;
    *ret = *held_at(ledger, 0);
    ledger_drop(ledger);
    ledger_send(ledger, ret->offset);
    return true;
}

void ledger_renumber(struct ledger *ledger, const uint32_t *numbers)
{
    size_t count = 0;
    for (size_t i = 0; i < ledger->count; i++) {
        struct held held = *held_at(ledger, i);
        held.entity.view = numbers[held.entity.view];
        if (held.entity.view != VIEW_GONE)
            *held_at(ledger, count++) = held;
    }
    ledger->count = count;
}

const struct held *ledger_peek(const struct ledger *ledger, size_t ahead)
{
    return ahead < ledger->count ? held_at(ledger, ahead) : NULL;
}

void ledger_acknowledge(struct ledger *ledger)
{
    ledger->in_flight = INT64_MAX;
}

/* ---- dead letters ---- */

static struct posted *posted_at(const struct ledger *ledger, size_t i)
{
    return &ledger->posted[(ledger->posted_head + i) & (ledger->posted_cap - 1)];
}

static void grow_posted(struct ledger *ledger)
{
    size_t cap = ledger->posted_cap == 0 ? 16 : ledger->posted_cap * 2;
    struct posted *ring = mem_alloc(cap * sizeof *ring);
    for (size_t i = 0; i < ledger->posted_count; i++)
        ring[i] = *posted_at(ledger, i);
    free(ledger->posted);
    ledger->posted = ring;
    ledger->posted_cap = cap;
    ledger->posted_head = 0;
}

uint64_t ledger_post(struct ledger *ledger, const struct anchor *record, size_t bytes)
{
    if (ledger->posted_count == ledger->posted_cap)
        grow_posted(ledger);
    CHECK(bytes > 0);
    CHECK(ledger->posted_count == 0 ||
          posted_at(ledger, ledger->posted_count - 1)->record.offset <= record->offset);
    *posted_at(ledger, ledger->posted_count) = (struct posted){*record, bytes};
    ledger->posted_bytes += sizeof *ledger->posted + bytes;
    return ledger->posted_first + ledger->posted_count++;
}

/* What was delivered behind one that is not takes its place in the ring until that one is. */
void ledger_settle(struct ledger *ledger, uint64_t number)
{
    CHECK(number - ledger->posted_first < ledger->posted_count);
    struct posted *posted = posted_at(ledger, (size_t)(number - ledger->posted_first));
    ledger->posted_bytes -= posted->bytes;
    posted->bytes = 0;
    while (ledger->posted_count > 0 && posted_at(ledger, 0)->bytes == 0) {
        ledger->posted_head = (ledger->posted_head + 1) & (ledger->posted_cap - 1);
        ledger->posted_count--;
        ledger->posted_first++;
        ledger->posted_bytes -= sizeof *ledger->posted;
    }
}

const struct posted *ledger_posted(const struct ledger *ledger)
{
    return ledger->posted_count > 0 ? posted_at(ledger, 0) : NULL;
}

/* ---- what it comes to ---- */

int64_t ledger_written(const struct ledger *ledger)
{
    int64_t written = ledger->position;
    if (ledger->count > 0 && held_at(ledger, 0)->offset < written)
        written = held_at(ledger, 0)->offset;
    return ledger->in_flight < written ? ledger->in_flight : written;
}

int64_t ledger_delivered(const struct ledger *ledger)
{
    const struct posted *posted = ledger_posted(ledger);
    return posted != NULL ? posted->record.offset : ledger->position;
}

int64_t ledger_durable(const struct ledger *ledger)
{
    int64_t written = ledger_written(ledger);
    int64_t delivered = ledger_delivered(ledger);
    return delivered < written ? delivered : written;
}
