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
    ledger->ring = NULL;
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

int64_t ledger_durable(const struct ledger *ledger)
{
    int64_t durable = ledger->position;
    if (ledger->count > 0 && held_at(ledger, 0)->offset < durable)
        durable = held_at(ledger, 0)->offset;
    return ledger->in_flight < durable ? ledger->in_flight : durable;
}
