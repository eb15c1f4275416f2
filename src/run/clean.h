/* clean: what an earlier definition has left in Redis, and its end.
 *
 *     old generation --HSCAN--> entities --> HDEL of the fields that nobody writes any more
 *                                        \-> known to the view that took its place, if only as empty
 *     the view that took its place --------> the same HDEL for whoever it writes or knows: a crash may
 *                                            have left features of entities that had no blob yet
 *     ... a checkpoint later, when nobody is known from there alone any more: UNLINK, and no note
 *
 * A view that is not configured any more is cleaned away at once; one that has changed only when its new
 * state is published. The note stays until all is done, so that a crash begins it again.
 *
 * Floor: 4. Owner: the worker's thread.
 */
#ifndef TIDEWHEEL_RUN_CLEAN_H
#define TIDEWHEEL_RUN_CLEAN_H

#include "tidewheel/ledger.h"
#include "tidewheel/loader.h"
#include "tidewheel/output.h"

struct tenure;

/* One generation that is to go. */
struct leftover {
    char *view;
    int64_t gen;
    bool is_removed; /* the view is not configured any more; else only this generation is old */
    struct output output; /* with those fields only that nobody writes */
    bool has_output;
};

struct cleaning {
    struct leftover *list;
    size_t count;
    size_t cap;
    unsigned k;            /* the hash of list[0] that is being cleaned; META_HASHES: all are */
    uint32_t swept;        /* entities of the view that took its place */
    uint64_t checkpoints;  /* as many are to be done before the end */
    bool is_running;       /* its entities are being read, or written */
    bool is_in_flight;     /* an item of it is not acknowledged */
    struct buf identities; /* each with a newline behind it */
    size_t identity_next;
    struct load load;
    struct load_view load_view;
};

/* Looks for what is to be cleaned, after a claim or a reset. */
void clean_look(struct tenure *tenure);
/* The worker has another catalog: what that writes is left alone. */
void clean_adopt(struct tenure *tenure);
void clean_drop(struct tenure *tenure); /* the memory of it; the notes in Redis stay */

/* An entity's features are in the batch: what an earlier definition has written goes with them. Whoever is
 * published as empty may be forgotten before its turn comes. */
void clean_with(struct tenure *tenure, struct entity_ref entity);

/* Adds what comes next to the batch. */
void clean_gather(struct tenure *tenure);
void clean_answered(struct tenure *tenure);

#endif
