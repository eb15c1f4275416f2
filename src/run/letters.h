/* letters: what becomes of rejected events in a worker (promise B; dead_letter.h, on_error).
 *
 *     apply --rejected--> drop         counted, and no more
 *                         dead_letter  posted in the ledger, and sent
 *                         stop         worker->refusal: the turn ends with it, the position stays
 *
 * Each worker has so many bytes for letters that are on their way, and each of its units an equal share. A
 * unit that has used its share up is held: nothing more of it is read until half of that is delivered.
 * All others go on.
 *
 * Floor: 4. Owner: the worker's thread.
 */
#ifndef TIDEWHEEL_RUN_LETTERS_H
#define TIDEWHEEL_RUN_LETTERS_H

#include "run/worker_private.h"
#include "tidewheel/dead_letter.h"
#include "tidewheel/shard.h"

enum { LETTERS_BYTES_MAX = 64 << 20 };

/* letters: NULL: there are none, and dead_letter is drop. */
void letters_begin(struct worker *worker, struct letters *letters);

/* A record was rejected by a view, or (NULL) as a whole, by all views of its topic. False: on_error says
 * stop, and it is not to be passed. */
bool letters_take(struct worker *worker, struct unit *unit, const struct record *record,
                  enum verdict reason, const struct view *view);

/* Nothing more of the unit is read until there is room for its letters; or, with until_all, until each of
 * them is delivered. */
void letters_hold(struct worker *worker, struct unit *unit, bool until_all);

/* Does the unit wait for its letters? It is held again then, whoever has begun it. */
static inline bool letters_must_come(struct worker *worker, struct unit *unit)
{
    if (unit->shard->await == AWAIT_NOTHING)
        return false;
    worker->source->ops->hold(worker->source, unit);
    return true;
}

/* Once a turn: takes answers, and lets units go on that have waited for them. */
void letters_serve(struct worker *worker);
void letters_release(struct worker *worker);

/* Is nothing on its way, or nothing that is worth waiting for? */
bool letters_are_settled(const struct worker *worker);

/* The shard is about to be freed. */
void letters_forget(struct worker *worker, const struct shard *shard);

#endif
