#include "tidewheel/failpoint.h"

const char *const failpoint_names[] = {
    [FAIL_APPLIED] = "applied",
    [FAIL_BATCH_SENT] = "batch-sent",
    [FAIL_FLUSHED_SOME] = "flushed-some",
    [FAIL_BLOBS_SOME] = "blobs-some",
    [FAIL_BLOBS_ALL] = "blobs-all",
    [FAIL_PROGRESS_WRITTEN] = "progress-written",
    [FAIL_COMMITTED] = "committed",
    [FAIL_CLAIMED] = "claimed",
    [FAIL_LOADED] = "loaded",
    [FAIL_RESET] = "reset",
};

void (*failpoint_hook)(enum failpoint failpoint);
