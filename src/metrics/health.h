/* health: is it alive, is it ready?
 *
 *     [+]group joined ok
 *     [-]redis failed: worker 1 has no answer
 *     [-]topics failed: worker 0 has not found orders
 *     [+]refused entities ok: view cards has 3 whose keys have another type; the log names one (at=refused)
 *     readyz check failed
 *
 * Alive: every thread has begun a turn in the last 30 s; nothing else, so that a Redis or Kafka that is
 * away never has the process restarted. Ready: every check is well.
 *
 * Floor: 3. Owner: whoever answers.
 */
#ifndef TIDEWHEEL_METRICS_HEALTH_H
#define TIDEWHEEL_METRICS_HEALTH_H

#include "metrics/scrape.h"
#include "tidewheel/buf.h"

enum { HEALTH_HANGS_MS = 30000 };

/* text: "ok", or which thread hangs. */
bool health_is_live(const struct scrape *scrape, struct buf *text);

/* text: a line for each check, and the outcome; NULL: nobody asks. */
bool health_is_ready(const struct scrape *scrape, struct buf *text);

/* Records between position and the end of the log; -1: not known. */
int64_t unit_lag(const struct board_unit *unit);

#endif
