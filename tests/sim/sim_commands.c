#include "sim_db.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "tidewheel/num.h"

enum { MANY = 100000 };

static const char WRONGTYPE[] =
    "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
static const char NOT_INTEGER[] = "-ERR value is not an integer or out of range\r\n";

/* ---- RESP ---- */

void reply_text(struct buf *reply, struct slice text)
{
    if (text.ptr == NULL) {
        buf_add_text(reply, "$-1\r\n");
        return;
    }
    buf_printf(reply, "$%zu\r\n", text.len);
    buf_add(reply, text.ptr, text.len);
    buf_add_text(reply, "\r\n");
}

void reply_int(struct buf *reply, int64_t value)
{
    buf_printf(reply, ":%lld\r\n", (long long)value);
}

void reply_array(struct buf *reply, size_t count)
{
    buf_printf(reply, "*%zu\r\n", count);
}

/* The number behind the mark at *at; -1: the line is not whole. */
static int64_t line_number(struct slice bytes, size_t *at)
{
    const char *end = memchr(bytes.ptr + *at, '\n', bytes.len - *at);
    if (end == NULL)
        return -1;
    int64_t number = strtoll(bytes.ptr + *at + 1, NULL, 10);
    *at = (size_t)(end - bytes.ptr) + 1;
    return number;
}

size_t command_parse(struct slice bytes, struct slice *words, size_t cap, size_t *ret_count)
{
    size_t at = 0;
    if (bytes.len == 0)
        return 0;
    CHECK(bytes.ptr[0] == '*');
    int64_t count = line_number(bytes, &at);
    CHECK(count < (int64_t)cap);
    for (int64_t i = 0; i < count; i++) {
        if (at >= bytes.len)
            return 0;
        CHECK(bytes.ptr[at] == '$');
        int64_t len = line_number(bytes, &at);
        if (len < 0 || at + (size_t)len + 2 > bytes.len)
            return 0;
        words[i] = (struct slice){bytes.ptr + at, (size_t)len};
        at += (size_t)len + 2;
    }
    *ret_count = count < 0 ? 0 : (size_t)count;
    return count < 0 ? 0 : at;
}

/* ---- what commands share ---- */

static struct slice word(const struct call *call, size_t i)
{
    return i < call->count ? call->words[i] : (struct slice){NULL, 0};
}

static bool is_word(const struct call *call, size_t i, const char *text)
{
    struct slice found = word(call, i);
    return found.len == strlen(text) && found.ptr != NULL &&
           strncasecmp(found.ptr, text, found.len) == 0;
}

static void touch(struct call *call, struct slice key)
{
    call->has_changed = true;
    if (call->touched != NULL)
        call->touched(call->arg, key);
}

/* The entry of the command's key, if it is of that type; else *ret_is_wrong and the error. */
static struct entry *entry_of(struct call *call, enum entry_type type, bool *ret_is_wrong)
{
    struct entry *entry = db_find(call->db, word(call, 1), call->wall_ms);
    *ret_is_wrong = entry != NULL && entry->type != type;
    if (*ret_is_wrong)
        buf_add_text(call->reply, WRONGTYPE);
    return entry;
}

static void drop_if_empty(struct call *call, const struct entry *entry)
{
    if (entry->field_count == 0)
        (void)db_remove(call->db, word(call, 1), call->wall_ms);
}

/* ---- texts and keys ---- */

static void run_set(struct call *call)
{
    (void)db_remove(call->db, word(call, 1), call->wall_ms);
    struct entry *entry = db_make(call->db, word(call, 1), ENTRY_TEXT, call->wall_ms);
    text_set(&entry->value, word(call, 2));
    if (is_word(call, 3, "EX"))
        entry->expires_ms = call->wall_ms + strtoll(word(call, 4).ptr, NULL, 10) * 1000;
    touch(call, word(call, 1));
    buf_add_text(call->reply, "+OK\r\n");
}

static void run_get(struct call *call)
{
    bool is_wrong = false;
    const struct entry *entry = entry_of(call, ENTRY_TEXT, &is_wrong);
    if (!is_wrong)
        reply_text(call->reply,
                   entry == NULL ? (struct slice){NULL, 0} : text_slice(&entry->value));
}

static void add_to(struct call *call, struct text *text, int64_t more)
{
    int64_t value = 0;
    if (text->len > 0 && !num_parse_int64(text->ptr, text->len, &value)) {
        buf_add_text(call->reply, NOT_INTEGER);
        return;
    }
    char digits[NUM_TEXT_MAX];
    size_t len = num_format_int64(value + more, digits);
    text_set(text, (struct slice){digits, len});
    touch(call, word(call, 1));
    reply_int(call->reply, value + more);
}

static void run_incrby(struct call *call)
{
    bool is_wrong = false;
    struct entry *entry = entry_of(call, ENTRY_TEXT, &is_wrong);
    if (is_wrong)
        return;
    if (entry == NULL)
        entry = db_make(call->db, word(call, 1), ENTRY_TEXT, call->wall_ms);
    add_to(call, &entry->value, call->count > 2 ? strtoll(word(call, 2).ptr, NULL, 10) : 1);
}

static void run_del(struct call *call)
{
    int64_t count = 0;
    for (size_t i = 1; i < call->count; i++) {
        if (!db_remove(call->db, word(call, i), call->wall_ms))
            continue;
        count++;
        touch(call, word(call, i));
    }
    reply_int(call->reply, count);
}

static void run_exists(struct call *call)
{
    int64_t count = 0;
    for (size_t i = 1; i < call->count; i++)
        count += db_find(call->db, word(call, i), call->wall_ms) != NULL;
    reply_int(call->reply, count);
}

static void expire_at(struct call *call, int64_t expires_ms)
{
    struct entry *entry = db_find(call->db, word(call, 1), call->wall_ms);
    if (entry != NULL) {
        entry->expires_ms = expires_ms;
        touch(call, word(call, 1));
    }
    reply_int(call->reply, entry != NULL);
}

static void run_expire(struct call *call)
{
    expire_at(call, call->wall_ms + strtoll(word(call, 2).ptr, NULL, 10) * 1000);
}

static void run_pexpire(struct call *call)
{
    expire_at(call, call->wall_ms + strtoll(word(call, 2).ptr, NULL, 10));
}

static void run_persist(struct call *call)
{
    expire_at(call, -1);
}

static int64_t left_ms(struct call *call)
{
    const struct entry *entry = db_find(call->db, word(call, 1), call->wall_ms);
    if (entry == NULL)
        return -2;
    return entry->expires_ms < 0 ? -1 : entry->expires_ms - call->wall_ms;
}

static void run_pttl(struct call *call)
{
    reply_int(call->reply, left_ms(call));
}

static void run_ttl(struct call *call)
{
    int64_t ms = left_ms(call);
    reply_int(call->reply, ms < 0 ? ms : (ms + 500) / 1000);
}

static void run_memory(struct call *call)
{
    reply_int(call->reply, 64);
}

/* ---- hashes ---- */

static void run_hset(struct call *call)
{
    bool is_wrong = false;
    struct entry *entry = entry_of(call, ENTRY_HASH, &is_wrong);
    if (is_wrong)
        return;
    if (entry == NULL)
        entry = db_make(call->db, word(call, 1), ENTRY_HASH, call->wall_ms);
    size_t before = entry->field_count;
    for (size_t i = 2; i + 1 < call->count; i += 2)
        entry_set(entry, word(call, i), word(call, i + 1));
    touch(call, word(call, 1));
    reply_int(call->reply, (int64_t)(entry->field_count - before));
}

static void run_hdel(struct call *call)
{
    bool is_wrong = false;
    struct entry *entry = entry_of(call, ENTRY_HASH, &is_wrong);
    if (is_wrong)
        return;
    int64_t count = 0;
    for (size_t i = 2; i < call->count && entry != NULL; i++)
        count += entry_unset(entry, word(call, i));
    if (count > 0) {
        drop_if_empty(call, entry);
        touch(call, word(call, 1));
    }
    reply_int(call->reply, count);
}

static void reply_field(struct call *call, const struct entry *entry, struct slice name)
{
    const struct field *field = entry == NULL ? NULL : entry_field(entry, name);
    reply_text(call->reply, field == NULL ? (struct slice){NULL, 0} : text_slice(&field->value));
}

static void run_hget(struct call *call)
{
    bool is_wrong = false;
    const struct entry *entry = entry_of(call, ENTRY_HASH, &is_wrong);
    if (!is_wrong)
        reply_field(call, entry, word(call, 2));
}

static void run_hmget(struct call *call)
{
    bool is_wrong = false;
    const struct entry *entry = entry_of(call, ENTRY_HASH, &is_wrong);
    if (is_wrong)
        return;
    reply_array(call->reply, call->count - 2);
    for (size_t i = 2; i < call->count; i++)
        reply_field(call, entry, word(call, i));
}

static void reply_pair(struct call *call, const struct field *field)
{
    reply_text(call->reply, text_slice(&field->name));
    reply_text(call->reply, text_slice(&field->value));
}

static void run_hgetall(struct call *call)
{
    bool is_wrong = false;
    const struct entry *entry = entry_of(call, ENTRY_HASH, &is_wrong);
    if (is_wrong)
        return;
    size_t count = entry == NULL ? 0 : entry->field_count;
    reply_array(call->reply, count * 2);
    for (size_t i = 0; i < count; i++)
        reply_pair(call, &entry->fields[i]);
}

static void run_hlen(struct call *call)
{
    bool is_wrong = false;
    const struct entry *entry = entry_of(call, ENTRY_HASH, &is_wrong);
    if (!is_wrong)
        reply_int(call->reply, entry == NULL ? 0 : (int64_t)entry->field_count);
}

static void run_hexists(struct call *call)
{
    bool is_wrong = false;
    const struct entry *entry = entry_of(call, ENTRY_HASH, &is_wrong);
    if (!is_wrong)
        reply_int(call->reply, entry != NULL && entry_field(entry, word(call, 2)) != NULL);
}

/* A small hash comes whole; sometimes twice, as a table that is being resized may answer. */
static void run_hscan(struct call *call)
{
    bool is_wrong = false;
    const struct entry *entry = entry_of(call, ENTRY_HASH, &is_wrong);
    if (is_wrong)
        return;
    size_t count = entry == NULL ? 0 : entry->field_count;
    bool is_twice = count > 0 && call->rng != NULL && rng_one_in(call->rng, 8);
    bool is_first = strtoll(word(call, 2).ptr, NULL, 10) == 0;
    buf_add_text(call->reply, "*2\r\n");
    reply_text(call->reply, slice_of(is_first && is_twice ? "17" : "0"));
    reply_array(call->reply, count * 2);
    for (size_t i = 0; i < count; i++)
        reply_pair(call, &entry->fields[i]);
}

static void run_hincrby(struct call *call)
{
    bool is_wrong = false;
    struct entry *entry = entry_of(call, ENTRY_HASH, &is_wrong);
    if (is_wrong)
        return;
    if (entry == NULL)
        entry = db_make(call->db, word(call, 1), ENTRY_HASH, call->wall_ms);
    if (entry_field(entry, word(call, 2)) == NULL)
        entry_set(entry, word(call, 2), slice_of("0"));
    add_to(call, &entry_field(entry, word(call, 2))->value, strtoll(word(call, 3).ptr, NULL, 10));
}

/* ---- the server ---- */

static void run_ping(struct call *call)
{
    buf_add_text(call->reply, "+PONG\r\n");
}

static void run_ok(struct call *call)
{
    buf_add_text(call->reply, "+OK\r\n");
}

static void run_info(struct call *call)
{
    reply_text(call->reply,
               slice_of("# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n"
                        "# Memory\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n"
                        "# Replication\r\nrole:master\r\n# Cluster\r\ncluster_enabled:0\r\n"));
}

/* clang-format off */
static const struct command commands[] = {
    {"AUTH",    2, 3,    run_ok},
    {"DEL",     2, MANY, run_del},
    {"EXISTS",  2, MANY, run_exists},
    {"EXPIRE",  3, 3,    run_expire},
    {"GET",     2, 2,    run_get},
    {"HDEL",    3, MANY, run_hdel},
    {"HEXISTS", 3, 3,    run_hexists},
    {"HGET",    3, 3,    run_hget},
    {"HGETALL", 2, 2,    run_hgetall},
    {"HINCRBY", 4, 4,    run_hincrby},
    {"HLEN",    2, 2,    run_hlen},
    {"HMGET",   3, MANY, run_hmget},
    {"HSCAN",   3, 8,    run_hscan},
    {"HSET",    4, MANY, run_hset},
    {"INCR",    2, 2,    run_incrby},
    {"INCRBY",  3, 3,    run_incrby},
    {"INFO",    1, 8,    run_info},
    {"MEMORY",  2, 8,    run_memory},
    {"PERSIST", 2, 2,    run_persist},
    {"PEXPIRE", 3, 3,    run_pexpire},
    {"PING",    1, 2,    run_ping},
    {"PTTL",    2, 2,    run_pttl},
    {"SELECT",  2, 2,    run_ok},
    {"SET",     3, 8,    run_set},
    {"TTL",     2, 2,    run_ttl},
    {"UNLINK",  2, MANY, run_del},
};
/* clang-format on */

const struct command *command_find(struct slice name)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strlen(commands[i].name) == name.len &&
            strncasecmp(commands[i].name, name.ptr, name.len) == 0)
            return &commands[i];
    return NULL;
}
