#include "sim_db.h"

#include <stdlib.h>
#include <xxhash.h>

#include "tidewheel/mem.h"

struct db *db_new(void)
{
    return mem_zalloc(sizeof(struct db));
}

static void text_free(struct text *text)
{
    free(text->ptr);
}

void text_set(struct text *text, struct slice value)
{
    char *ptr = mem_strndup(value.ptr == NULL ? "" : value.ptr, value.len);
    free(text->ptr);
    *text = (struct text){ptr, value.len};
}

static void fields_free(struct entry *entry)
{
    for (size_t i = 0; i < entry->field_count; i++) {
        text_free(&entry->fields[i].name);
        text_free(&entry->fields[i].value);
    }
    free(entry->fields);
    entry->fields = NULL;
    entry->field_count = entry->field_cap = 0;
}

static void entry_free(struct entry *entry)
{
    text_free(&entry->key);
    text_free(&entry->value);
    fields_free(entry);
    free(entry);
}

static size_t bucket_of(struct slice key)
{
    return (size_t)(XXH3_64bits(key.ptr, key.len) % DB_BUCKETS);
}

static struct entry **place_of(struct db *db, struct slice key)
{
    struct entry **at = &db->buckets[bucket_of(key)];
    while (*at != NULL && !slice_is_equal(text_slice(&(*at)->key), key))
        at = &(*at)->next;
    return at;
}

static void remove_at(struct db *db, struct entry **at)
{
    struct entry *entry = *at;
    *at = entry->next;
    entry_free(entry);
    db->count--;
}

static struct entry *entry_clone(const struct entry *from)
{
    struct entry *entry = mem_zalloc(sizeof *entry);
    text_set(&entry->key, text_slice(&from->key));
    text_set(&entry->value, text_slice(&from->value));
    entry->type = from->type;
    entry->expires_ms = from->expires_ms;
    entry->fields = mem_zalloc((from->field_count + 1) * sizeof *entry->fields);
    entry->field_count = entry->field_cap = from->field_count;
    for (size_t i = 0; i < from->field_count; i++) {
        text_set(&entry->fields[i].name, text_slice(&from->fields[i].name));
        text_set(&entry->fields[i].value, text_slice(&from->fields[i].value));
    }
    return entry;
}

struct db *db_clone(const struct db *from)
{
    struct db *db = db_new();
    db->count = from->count;
    for (size_t i = 0; i < DB_BUCKETS; i++) {
        struct entry **end = &db->buckets[i];
        for (const struct entry *entry = from->buckets[i]; entry != NULL; entry = entry->next) {
            *end = entry_clone(entry);
            end = &(*end)->next;
        }
    }
    return db;
}

void db_clear(struct db *db)
{
    for (size_t i = 0; i < DB_BUCKETS && db->count > 0; i++)
        while (db->buckets[i] != NULL)
            remove_at(db, &db->buckets[i]);
}

void db_free(struct db *db)
{
    db_clear(db);
    free(db);
}

struct entry *db_find(struct db *db, struct slice key, int64_t wall_ms)
{
    struct entry **at = place_of(db, key);
    if (*at != NULL && (*at)->expires_ms >= 0 && (*at)->expires_ms <= wall_ms)
        remove_at(db, at);
    return *at != NULL && slice_is_equal(text_slice(&(*at)->key), key) ? *at : NULL;
}

struct entry *db_make(struct db *db, struct slice key, enum entry_type type, int64_t wall_ms)
{
    struct entry *entry = db_find(db, key, wall_ms);
    if (entry != NULL)
        return entry;
    struct entry **bucket = &db->buckets[bucket_of(key)];
    entry = mem_zalloc(sizeof *entry);
    text_set(&entry->key, key);
    entry->type = type;
    entry->expires_ms = -1;
    entry->next = *bucket;
    *bucket = entry;
    db->count++;
    return entry;
}

bool db_remove(struct db *db, struct slice key, int64_t wall_ms)
{
    if (db_find(db, key, wall_ms) == NULL)
        return false;
    remove_at(db, place_of(db, key));
    return true;
}

const struct entry *db_pick(const struct db *db, bool (*wants)(const struct entry *entry), size_t n)
{
    for (size_t i = 0; i < DB_BUCKETS; i++)
        for (const struct entry *entry = db->buckets[i]; entry != NULL; entry = entry->next)
            if (wants(entry) && n-- == 0)
                return entry;
    return NULL;
}

/* ---- fields ---- */

struct field *entry_field(const struct entry *entry, struct slice name)
{
    for (size_t i = 0; i < entry->field_count; i++)
        if (slice_is_equal(text_slice(&entry->fields[i].name), name))
            return &entry->fields[i];
    return NULL;
}

void entry_set(struct entry *entry, struct slice name, struct slice value)
{
    struct field *field = entry_field(entry, name);
    if (field == NULL) {
        entry->fields =
            mem_grow(entry->fields, entry->field_count, &entry->field_cap, sizeof *entry->fields);
        field = &entry->fields[entry->field_count++];
        *field = (struct field){{NULL, 0}, {NULL, 0}};
        text_set(&field->name, name);
    }
    text_set(&field->value, value);
}

bool entry_unset(struct entry *entry, struct slice name)
{
    struct field *field = entry_field(entry, name);
    if (field == NULL)
        return false;
    text_free(&field->name);
    text_free(&field->value);
    *field = entry->fields[--entry->field_count];
    return true;
}
