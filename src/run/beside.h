/* beside: does another group publish what this one is about to?
 *
 * A new version is filled beside the old one by another group, under keys of its own. If it is forgotten to
 * give it keys of its own, two groups write the same fields, and a reader sees now one, now the other. What
 * each group writes stands in Redis beside its state (output.h), under names that Kafka's list of groups
 * tells. A group in the plain form leaves nothing there, and one that Kafka does not show us is not seen.
 *
 * Floor: 4. Owner: the main thread.
 */
#ifndef TIDEWHEEL_RUN_BESIDE_H
#define TIDEWHEEL_RUN_BESIDE_H

#include "tidewheel/reset.h"

/* ERR_FATAL: one with members does. One without is said in the log. ERR_RETRY: Redis is away. */
int beside_check(const struct options *options, const struct catalog *catalog, struct reset *reset,
                 struct err *err) MUST_CHECK;

#endif
