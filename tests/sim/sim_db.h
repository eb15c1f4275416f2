/* sim_db: what a simulated Redis holds: texts and hashes under keys, with expiry.
 *
 * A command is one row of a table; commands that write say which keys they have touched.
 */
#ifndef TIDEWHEEL_SIM_DB_H
#define TIDEWHEEL_SIM_DB_H

#include "sim_random.h"
#include "tidewheel/buf.h"

struct text {
    char *ptr;
    size_t len;
};

struct field {
    struct text name;
    struct text value;
};

enum entry_type { ENTRY_TEXT, ENTRY_HASH };

struct entry {
    struct text key;
    enum entry_type type;
    struct text value;
    struct field *fields;
    size_t field_count;
    size_t field_cap;
    int64_t expires_ms; /* by the wall clock; -1: never */
    struct entry *next;
};

enum { DB_BUCKETS = 1024 };

struct db {
    struct entry *buckets[DB_BUCKETS];
    size_t count;
};

struct db *db_new(void);
struct db *db_clone(const struct db *db);
void db_clear(struct db *db);
void db_free(struct db *db);

/* What has expired is not there. */
struct entry *db_find(struct db *db, struct slice key, int64_t wall_ms);
struct entry *db_make(struct db *db, struct slice key, enum entry_type type, int64_t wall_ms);
bool db_remove(struct db *db, struct slice key, int64_t wall_ms);

/* The n-th key for which wants() is true, counted from 0; NULL: fewer are there. */
const struct entry *db_pick(const struct db *db, bool (*wants)(const struct entry *entry),
                            size_t n);

struct field *entry_field(const struct entry *entry, struct slice name);
void entry_set(struct entry *entry, struct slice name, struct slice value);
bool entry_unset(struct entry *entry, struct slice name);
void text_set(struct text *text, struct slice value);

static inline struct slice text_slice(const struct text *text)
{
    return (struct slice){text->ptr, text->len};
}

/* ---- commands ---- */

struct call {
    struct db *db;
    const struct slice *words;
    size_t count;
    int64_t wall_ms;
    struct buf *reply;
    struct rng *rng; /* NULL: nothing is left to chance */
    void (*touched)(void *arg, struct slice key);
    void *arg;
    bool has_changed;
};

struct command {
    const char *name;
    size_t words_min; /* with the name */
    size_t words_max;
    void (*run)(struct call *call);
};

const struct command *command_find(struct slice name); /* NULL: there is none */

void reply_text(struct buf *reply, struct slice text); /* ptr NULL: nil */
void reply_int(struct buf *reply, int64_t value);
void reply_array(struct buf *reply, size_t count);

/* One command at the beginning of bytes: how many it takes, 0 if it is not whole yet. words has room for
 * cap; *ret_count: how many there are. */
size_t command_parse(struct slice bytes, struct slice *words, size_t cap, size_t *ret_count);

#endif
