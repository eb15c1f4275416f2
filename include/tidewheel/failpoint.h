/* failpoint: the moments at which a crash would be most inconvenient, by name.
 *
 * Tests set failpoint_hook, which may never return. Without one a failpoint is one load and a branch
 * that is never taken; none stands where events are applied one by one.
 *
 * Floor: 0. Owner: set before any worker starts.
 */
#ifndef TIDEWHEEL_FAILPOINT_H
#define TIDEWHEEL_FAILPOINT_H

#include <stddef.h>

enum failpoint {
    FAIL_APPLIED,          /* events are applied, nothing of them is sent */
    FAIL_BATCH_SENT,       /* a batch is sent, its answer is not there */
    FAIL_FLUSHED_SOME,     /* a checkpoint waits for features, some are written */
    FAIL_BLOBS_SOME,       /* features are written, and some of the blobs */
    FAIL_BLOBS_ALL,        /* all blobs are written, the progress is not */
    FAIL_PROGRESS_WRITTEN, /* and the progress, but Kafka does not know */
    FAIL_COMMITTED,        /* Kafka knows, too */
    FAIL_CLAIMED,          /* a unit is claimed, its state is not loaded */
    FAIL_LOADED,           /* it is loaded, nothing has been written yet */
    FAIL_RESET,            /* a rebuild has begun: its reset is written */
    FAILPOINTS
};

extern const char *const failpoint_names[]; /* by failpoint: lower case, words joined by '-' */

extern void (*failpoint_hook)(enum failpoint failpoint);

static inline void failpoint(enum failpoint failpoint)
{
    if (failpoint_hook != NULL)
        failpoint_hook(failpoint);
}

#endif
