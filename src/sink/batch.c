#include "tidewheel/batch.h"

#include <stdlib.h>

#include "tidewheel/mem.h"
#include "tidewheel/num.h"

static const char MULTI[] = "*1\r\n$5\r\nMULTI\r\n";

void batch_fini(struct batch *batch)
{
    buf_fini(&batch->bytes);
    buf_fini(&batch->key);
    free(batch->sent);
}

/* ---- RESP ---- */

static void add_length(struct buf *bytes, char mark, size_t length)
{
    char *at = buf_reserve(bytes, NUM_TEXT_MAX + 3);
    *at = mark;
    size_t len = 1 + num_format_uint64(length, at + 1);
    at[len++] = '\r';
    at[len++] = '\n';
    buf_advance(bytes, len);
}

static void add_bulk(struct buf *bytes, const char *ptr, size_t len)
{
    add_length(bytes, '$', len);
    char *at = buf_reserve(bytes, len + 2);
    memcpy(at, ptr, len);
    at[len] = '\r';
    at[len + 1] = '\n';
    buf_advance(bytes, len + 2);
}

static void add_bulk_text(struct buf *bytes, const char *text)
{
    add_bulk(bytes, text, strlen(text));
}

static void add_bulk_int(struct buf *bytes, int64_t value)
{
    char text[NUM_TEXT_MAX];
    add_bulk(bytes, text, num_format_int64(value, text));
}

void resp_command(struct buf *bytes, const char *const *words, size_t count)
{
    add_length(bytes, '*', count);
    for (size_t i = 0; i < count; i++)
        add_bulk_text(bytes, words[i]);
}

/* ---- one entity ---- */

static void begin_command(struct batch *batch, const char *name, size_t words)
{
    add_length(&batch->bytes, '*', words + 2);
    add_bulk_text(&batch->bytes, name);
    add_bulk(&batch->bytes, batch->key.ptr, batch->key.len);
    batch->command_count++;
}

static void add_expire(struct batch *batch, int64_t ttl_ms)
{
    begin_command(batch, "EXPIRE", 1);
    int64_t seconds = (ttl_ms + 999) / 1000;
    add_bulk_int(&batch->bytes, seconds > 0 ? seconds : 1); /* 0 would delete the key */
}

static bool reading_exists(const struct reading *reading)
{
    return reading->kind == READING_COUNT || reading->kind == READING_NUMBER;
}

static void add_reading(struct buf *bytes, const struct reading *reading)
{
    char text[NUM_TEXT_MAX];
    size_t len = reading->kind == READING_COUNT ? num_format_uint64(reading->count, text)
                                                : num_format(reading->number, text);
    add_bulk(bytes, text, len);
}

static void add_features(struct batch *batch, const struct row *row)
{
    const struct view *view = row->view;
    size_t present = 0;
    for (size_t i = 0; i < view->field_count; i++)
        present += reading_exists(&row->readings[i]);
    if (present > 0)
        begin_command(batch, "HSET", present * 2);
    for (size_t i = 0; i < view->field_count; i++) {
        if (!reading_exists(&row->readings[i]))
            continue;
        add_bulk_text(&batch->bytes, view->fields[i].name);
        add_reading(&batch->bytes, &row->readings[i]);
    }
    if (present == view->field_count)
        return;
    begin_command(batch, "HDEL", view->field_count - present);
    for (size_t i = 0; i < view->field_count; i++)
        if (!reading_exists(&row->readings[i]))
            add_bulk_text(&batch->bytes, view->fields[i].name);
}

static void add_freshness(struct batch *batch, const struct row *row, int64_t wall_ms)
{
    const char *name = row->view->name;
    bool has_newest = row->newest_ms >= 0;
    begin_command(batch, "HSET", has_newest ? 4 : 2);
    add_bulk_text(&batch->bytes, name);
    add_bulk_int(&batch->bytes, wall_ms);
    if (!has_newest)
        return;
    size_t len = strlen(name);
    add_length(&batch->bytes, '$', len + strlen(":event"));
    buf_add(&batch->bytes, name, len);
    buf_add_text(&batch->bytes, ":event\r\n");
    add_bulk_int(&batch->bytes, row->newest_ms);
}

static void render_key(struct batch *batch, const struct template *template, const struct row *row)
{
    buf_reset(&batch->key);
    template_render(template, row->identity, row->view->has_tenant, &batch->key);
}

void batch_add(struct batch *batch, struct shard *shard, struct entity_ref entity,
               const struct row *row, int64_t wall_ms)
{
    render_key(batch, &row->view->key, row);
    if (row->is_new)
        begin_command(batch, "PTTL", 0);
    add_features(batch, row);
    add_expire(batch, row->view->key_ttl_ms);
    render_key(batch, &row->view->freshness_key, row);
    if (row->is_new)
        begin_command(batch, "PTTL", 0);
    add_freshness(batch, row, wall_ms);
    add_expire(batch, row->view->freshness_ttl_ms);
    batch->sent = mem_grow(batch->sent, batch->sent_count, &batch->sent_cap, sizeof *batch->sent);
    batch->sent[batch->sent_count++] = (struct sent){
        .shard = shard,
        .entity = entity,
        .as_of_ms = row->as_of_ms,
        .next_ms = row->next_ms,
        .generation = shard->generation,
        .command_end = batch->command_count,
        .byte_end = batch->bytes.len,
    };
}

/* ---- the whole ---- */

void batch_begin(struct batch *batch)
{
    buf_reset(&batch->bytes);
    batch->command_count = 0;
    batch->sent_count = 0;
    buf_add(&batch->bytes, MULTI, sizeof MULTI - 1);
}

void batch_end(struct batch *batch, struct slice alive_key)
{
    add_length(&batch->bytes, '*', 2);
    add_bulk_text(&batch->bytes, "INCR");
    add_bulk(&batch->bytes, alive_key.ptr, alive_key.len);
    batch->command_count++;
    resp_command(&batch->bytes, (const char *const[]){"EXEC"}, 1);
}

void batch_forget(struct batch *batch, const struct shard *shard)
{
    for (size_t i = 0; i < batch->sent_count; i++)
        if (batch->sent[i].shard == shard)
            batch->sent[i].shard = NULL;
}

void batch_refuse(struct batch *batch, size_t command)
{
    size_t i = 0;
    while (i < batch->sent_count && batch->sent[i].command_end <= command)
        i++;
    if (i < batch->sent_count)
        batch->sent[i].is_refused = true;
}

void batch_trim(struct batch *batch)
{
    struct buf *bytes = &batch->bytes;
    size_t from = sizeof MULTI - 1;
    size_t to = from;
    uint32_t command_from = 0;
    uint32_t command_to = 0;
    size_t kept = 0;
    for (size_t i = 0; i < batch->sent_count; i++) {
        struct sent sent = batch->sent[i];
        size_t len = sent.byte_end - from;
        uint32_t commands = sent.command_end - command_from;
        if (sent.shard != NULL) {
            memmove(bytes->ptr + to, bytes->ptr + from, len);
            sent.byte_end = to += len;
            sent.command_end = command_to += commands;
            batch->sent[kept++] = sent;
        }
        from += len;
        command_from += commands;
    }
    memmove(bytes->ptr + to, bytes->ptr + from, bytes->len - from);
    bytes->len -= from - to;
    batch->command_count -= command_from - command_to;
    batch->sent_count = kept;
}

/* ---- reading it again ---- */

/* The number behind a mark, and where what follows it begins. */
static size_t read_length(const char **at)
{
    size_t length = 0;
    for (++*at; **at != '\r'; ++*at)
        length = length * 10 + (size_t)(**at - '0');
    *at += 2;
    return length;
}

struct slice batch_word(const struct batch *batch, size_t command, size_t word)
{
    const char *at = batch->bytes.ptr + sizeof MULTI - 1;
    if (command >= batch->command_count)
        return (struct slice){NULL, 0};
    for (;; command--) {
        size_t words = read_length(&at);
        for (size_t i = 0; i < words; i++) {
            size_t len = read_length(&at);
            if (command == 0 && i == word)
                return (struct slice){at, len};
            at += len + 2;
        }
        if (command == 0)
            return (struct slice){NULL, 0};
    }
}

bool batch_find_pttl(const struct batch *batch, size_t command, size_t *ret)
{
    struct slice key = batch_word(batch, command, 1);
    while (command-- > 0 && slice_is_equal(batch_word(batch, command, 1), key)) {
        if (!slice_is_equal(batch_word(batch, command, 0), slice_of("PTTL")))
            continue;
        *ret = command;
        return true;
    }
    return false;
}
