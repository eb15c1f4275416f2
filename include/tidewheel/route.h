/* route: what a feature makes of an accepted event.
 *
 *     where does not hold         -> unmatched
 *     no value, or null           -> missing      (skipped by every aggregate, count included)
 *     not a number                -> bad_type     (the same)
 *     otherwise                   -> applied, unless every window has passed it: late (the series says)
 *
 * Floor: 2. Owner: pure.
 */
#ifndef TIDEWHEEL_ROUTE_H
#define TIDEWHEEL_ROUTE_H

#include "tidewheel/pipeline.h"
#include "tidewheel/verdict.h"

/* UNMATCHED, MISSING, BAD_TYPE or APPLIED; *ret_value is what the aggregates see. */
enum verdict route_feature(const struct feature *feature, const struct value *values,
                           double *ret_value);

#endif
