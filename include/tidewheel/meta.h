/* meta: what Redis keeps of a unit beside its blobs, as one hash (recovery.md).
 *
 *     {tw:<group>:<topic>:<p>}:m
 *       own     32 hex digits: the nonce of the claim that may write
 *       seq     goes up in every batch
 *       who     host, process and worker of the last claim, for people
 *       saved   wall clock of the last checkpoint, ms
 *       clock   A of the unit by the wall clock, ms
 *       anchor  <offset> <timestamp ms> <checksum, 16 hex digits>   the last applied record, or
 *               the first that will be read again
 *       topo    <cluster id> <partition count>                      cluster id - where it is not known
 *       fmt     1
 *       try     claims that found no progress since the one before
 *       trying  <offset> <deaths>                                   only while events are tried singly
 *     and for each view
 *       <view>:def     32 hex digits: its definition (view_definition)
 *       <view>:out     what it writes, and under which keys (output.h)
 *       <view>:gen     the generation of its state: a number, goes up with each rebuild
 *       <view>:prog    its progress: the next offset that its blobs lack
 *       <view>:clock   A of the view, ms
 *       <view>:said    every change by time alone up to here is published, ms
 *       <view>:cover   windows that begin before this may lack events, ms; 0: none does
 *     and while an old generation is being cleaned away
 *       <view>:old:<gen>   what it wrote, as <view>:out
 *
 *     {tw:<group>:<topic>:<p>}:s:<view>:<gen>:<k>     k < META_HASHES: entity -> blob, and the sentinel "!"
 *
 * Anybody with write access may have written it: reading trusts nothing, and what cannot be read
 * means that the unit is built anew.
 *
 * Floor: 2. Owner: one worker thread.
 */
#ifndef TIDEWHEEL_META_H
#define TIDEWHEEL_META_H

#include "tidewheel/buf.h"
#include "tidewheel/ledger.h"
#include "tidewheel/pipeline.h"

enum { META_FORMAT = 1, META_HASHES = 64, META_OWN_LEN = 32, META_DEFINITION_LEN = 32 };

#define META_SENTINEL "!"

/* One view's part of it; or, with is_old, of a generation that is to be cleaned away. */
struct meta_view {
    char *name;
    char *definition; /* NULL where the field is missing or is none, as output */
    char *output;
    int64_t gen; /* -1 where missing, as the following */
    int64_t progress;
    int64_t clock_ms;
    int64_t said_ms;
    int64_t cover_ms;
    bool is_old;
};

struct meta {
    char own[META_OWN_LEN + 1]; /* "" where missing */
    int64_t seq;                /* -1 where missing, as the following */
    int64_t saved_ms;
    int64_t clock_ms;
    int64_t format;
    int64_t tries; /* 0 where missing */
    int64_t trying;
    int64_t trying_deaths; /* 0 where missing */
    int64_t partition_count;
    char *cluster; /* NULL where missing, as who */
    char *who;
    struct anchor anchor;
    struct meta_view *views;
    size_t view_count;
    bool is_found; /* there was such a hash, with own and seq */
};

/* Adds one field of the hash to what is known. Begin with meta_init(). Never fails: what makes no
 * sense counts as missing. */
void meta_init(struct meta *meta);
void meta_take(struct meta *meta, struct slice field, struct slice value);
void meta_fini(struct meta *meta);

/* NULL: none of that name (and not old). */
const struct meta_view *meta_view_of(const struct meta *meta, const char *name);

/* ---- names and texts ---- */

/* All of these add to ret. */
void meta_key(struct buf *ret, const char *group, const char *topic, int32_t partition);
/* prefix: of the unit, "{tw:<group>:<topic>:<p>}". */
void meta_prefix(struct buf *ret, const char *group, const char *topic, int32_t partition);
void meta_blob_key(struct buf *ret, const char *prefix, const char *view, int64_t gen, unsigned k);
unsigned meta_blob_hash(struct slice identity); /* k; the same in every process */

void meta_anchor_write(const struct anchor *anchor, struct buf *ret);

/* Checksum of a record's bytes, for the anchor. */
uint64_t meta_checksum(struct slice bytes);

#endif
