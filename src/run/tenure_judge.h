/* tenure_judge: what a claim has found, and what follows from it (recovery.md, Assign).
 *
 * A view is intact if its definition is the one that made the state. Those with the highest progress are
 * joined: they are read together, as members of the group. The others are behind.
 *
 * Floor: 4. Owner: the worker's thread.
 */
#ifndef TIDEWHEEL_RUN_TENURE_JUDGE_H
#define TIDEWHEEL_RUN_TENURE_JUDGE_H

#include "run/tenure.h"

/* ERR_FATAL: the state is of another cluster, another number of partitions, or another format. */
int judge_place(const struct tenure *tenure, const char *cluster, struct err *err) MUST_CHECK;

/* Why the unit has to be built anew; NULL: it need not be. */
const char *judge_rebuild(const struct tenure *tenure);

/* The progress of the joined views; -1: no view is intact. */
int64_t judge_joined(const struct meta *found, const struct topic *topic);

/* Is the view intact? Then its part of the state is told to shard and kept. */
bool judge_view(const struct meta *found, int64_t joined, struct shard *shard, uint32_t view,
                struct kept *kept);

/* A new generation of a view, from start on. */
void judge_reset(const struct meta *found, const char *view, int64_t start, struct kept *kept);

/* Were all joined views published when the state was written? */
bool judge_is_live(const struct tenure *tenure);

#endif
