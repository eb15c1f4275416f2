#include "sim_invariants.h"

#include <stdlib.h>
#include <xxhash.h>

#include "tidewheel/meta.h"
#include "tidewheel/snapshot.h"

enum { BLOB_FLAGS_AT = 1 };

void invariants_init(struct invariants *invariants, const struct oracle *oracle)
{
    memset(invariants, 0, sizeof *invariants);
    invariants->oracle = oracle;
}

static struct slice value_of(const struct entry *entry, const char *name)
{
    const struct field *field = entry_field(entry, slice_of(name));
    return field == NULL ? (struct slice){NULL, 0} : text_slice(&field->value);
}

static bool ends_with(struct slice text, const char *end)
{
    size_t len = strlen(end);
    return text.len >= len && memcmp(text.ptr + text.len - len, end, len) == 0;
}

/* ---- I4 ---- */

/* False: another one has written it. */
static bool note_pair(struct invariants *invariants, uint64_t pair, int writer)
{
    size_t at = (size_t)(pair % PAIRS_MAX);
    for (; invariants->pairs[at] != 0; at = (at + 1) % PAIRS_MAX)
        if (invariants->pairs[at] == pair)
            return invariants->writers[at] == (uint8_t)writer;
    CHECK(invariants->pair_count++ < PAIRS_MAX - 1);
    invariants->pairs[at] = pair;
    invariants->writers[at] = (uint8_t)writer;
    return true;
}

static int check_pair(struct invariants *invariants, struct slice key, const struct entry *meta,
                      int writer, struct err *err)
{
    struct slice own = value_of(meta, "own");
    struct slice seq = value_of(meta, "seq");
    uint64_t hash = XXH3_64bits(key.ptr, key.len);
    hash = XXH3_64bits_withSeed(own.ptr, own.len, hash);
    hash = XXH3_64bits_withSeed(seq.ptr, seq.len, hash);
    if (note_pair(invariants, hash | 1, writer))
        return 0;
    return err_set(err, ERR_INTERNAL, "%.*s: own %.*s and seq %.*s come from two", (int)key.len,
                   key.ptr, (int)own.len, own.ptr, (int)seq.len, seq.ptr);
}

/* ---- I2 ---- */

struct progress {
    int partition;
    int64_t offset;
    struct slice prefix; /* of the unit's keys */
    struct slice gen;
};

static bool is_owed(const struct progress *progress, struct db *db, struct slice identity,
                    int64_t wall_ms)
{
    struct buf key = {NULL, 0, 0};
    buf_printf(&key, "%.*s:s:long:%.*s:%u", (int)progress->prefix.len, progress->prefix.ptr,
               (int)progress->gen.len, progress->gen.ptr, meta_blob_hash(identity));
    const struct entry *blobs = db_find(db, buf_slice(&key), wall_ms);
    buf_fini(&key);
    if (blobs == NULL)
        return true; /* evicted: its sentinel is missed, and the unit is built anew */
    const struct field *blob = entry_field(blobs, identity);
    return blob != NULL && blob->value.len > BLOB_FLAGS_AT &&
           (blob->value.ptr[BLOB_FLAGS_AT] & SNAPSHOT_OWED) != 0;
}

static int check_entity(const struct invariants *invariants, const struct progress *progress,
                        struct db *db, size_t entity, int64_t wall_ms, struct err *err)
{
    char key[] = "features:user:ea";
    key[sizeof key - 2] = (char)('a' + entity);
    struct slice identity = {key + sizeof key - 3, 2};
    size_t needed = oracle_before(invariants->oracle, entity, progress->offset);
    const struct entry *entry = db_find(db, slice_of(key), wall_ms);
    struct slice text =
        entry == NULL ? (struct slice){NULL, 0} : value_of(entry, "amount_24h_count");
    size_t count = text.ptr == NULL ? 0 : (size_t)strtoull(text.ptr, NULL, 10);
    if (count >= needed || is_owed(progress, db, identity, wall_ms))
        return 0;
    return err_set(err, ERR_INTERNAL,
                   "%s: counts %zu events, and %zu lie before the progress %lld of unit %d", key,
                   count, needed, (long long)progress->offset, progress->partition);
}

static int check_progress(const struct invariants *invariants, struct db *db, struct slice key,
                          const struct entry *meta, int64_t wall_ms, struct err *err)
{
    struct slice offset = value_of(meta, "long:prog");
    const char *colon = memchr(key.ptr, '}', key.len);
    if (offset.ptr == NULL || colon == NULL)
        return 0;
    struct progress progress = {
        .partition = colon[-1] - '0',
        .offset = strtoll(offset.ptr, NULL, 10),
        .prefix = {key.ptr, key.len - 2},
        .gen = value_of(meta, "long:gen"),
    };
    int rc = 0;
    for (size_t entity = 0; entity < ORACLE_ENTITIES_MAX && rc == 0; entity++)
        if (invariants->oracle->partition_of[entity] == progress.partition)
            rc = check_entity(invariants, &progress, db, entity, wall_ms, err);
    return rc;
}

int invariants_check(struct invariants *invariants, struct db *db, struct slice key, int writer,
                     int64_t wall_ms, struct err *err)
{
    const struct entry *meta = ends_with(key, "}:m") ? db_find(db, key, wall_ms) : NULL;
    if (meta == NULL || meta->type != ENTRY_HASH)
        return 0;
    int rc = check_pair(invariants, key, meta, writer, err);
    return rc < 0 ? rc : check_progress(invariants, db, key, meta, wall_ms, err);
}
