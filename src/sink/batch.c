#include "tidewheel/batch.h"

#include <stdlib.h>

#include "tidewheel/mem.h"
#include "tidewheel/num.h"

struct undo {
    struct buf command;
    struct shard *shard;
    struct fence *fence;
};

static const char MULTI[] = "*1\r\n$5\r\nMULTI\r\n";

void batch_fini(struct batch *batch)
{
    buf_fini(&batch->bytes);
    buf_fini(&batch->key);
    free(batch->items);
    for (size_t i = 0; i < batch->undo_count; i++)
        buf_fini(&batch->undos[i].command);
    free(batch->undos);
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

void resp_words(struct buf *bytes, const struct slice *words, size_t count)
{
    add_length(bytes, '*', count);
    for (size_t i = 0; i < count; i++)
        add_bulk(bytes, words[i].ptr, words[i].len);
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

void batch_command(struct batch *batch, const struct slice *words, size_t count)
{
    resp_words(&batch->bytes, words, count);
    batch->command_count++;
}

struct item *batch_close(struct batch *batch, enum item_kind kind, struct shard *shard,
                         struct fence *fence)
{
    batch->items =
        mem_grow(batch->items, batch->item_count, &batch->item_cap, sizeof *batch->items);
    struct item *item = &batch->items[batch->item_count++];
    *item = (struct item){
        .kind = kind,
        .shard = shard,
        .fence = fence,
        .newest_ms = -1,
        .record_ms = -1,
        .command_end = batch->command_count,
        .byte_end = batch->bytes.len,
    };
    batch->entity_count += kind == ITEM_FEATURES;
    return item;
}

struct item *batch_add(struct batch *batch, struct shard *shard, struct fence *fence,
                       struct entity_ref entity, const struct row *row, int64_t wall_ms)
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
    struct item *item = batch_close(batch, ITEM_FEATURES, shard, fence);
    item->entity = entity;
    item->as_of_ms = row->as_of_ms;
    item->next_ms = row->next_ms;
    item->newest_ms = row->newest_ms;
    item->generation = shard->generation;
    return item;
}

/* ---- the whole ---- */

/* Without a shard: whoever has the unit now will ask anew. */
static void add_undo(struct batch *batch, const struct item *item, const struct slice *words,
                     size_t count)
{
    if (item->shard == NULL)
        return;
    batch->undos =
        mem_grow(batch->undos, batch->undo_count, &batch->undo_cap, sizeof *batch->undos);
    struct undo *undo = &batch->undos[batch->undo_count++];
    *undo = (struct undo){{NULL, 0, 0}, item->shard, item->fence};
    resp_words(&undo->command, words, count);
}

void batch_undo(struct batch *batch, size_t command, int64_t pttl_ms)
{
    const struct item *item = batch->items;
    while (item->command_end <= command)
        item++;
    char left_ms[NUM_TEXT_MAX];
    size_t len = num_format_int64(pttl_ms > 0 ? pttl_ms : 1, left_ms);
    bool has_expiry = pttl_ms >= 0;
    const struct slice words[] = {slice_of(has_expiry ? "PEXPIRE" : "PERSIST"),
                                  batch_word(batch, command, 1),
                                  {left_ms, len}};
    add_undo(batch, item, words, has_expiry ? 3 : 2);
}

void batch_undo_freshness(struct batch *batch, size_t i)
{
    const struct item *item = &batch->items[i];
    size_t command = batch_freshness(batch, i);
    struct slice name = batch_word(batch, command, 2);
    struct buf event = {NULL, 0, 0};
    buf_add(&event, name.ptr, name.len);
    buf_add_text(&event, ":event");
    const struct slice words[] = {slice_of("HDEL"), batch_word(batch, command, 1), name,
                                  buf_slice(&event)};
    add_undo(batch, item, words, sizeof words / sizeof *words);
    buf_fini(&event);
}

void batch_begin(struct batch *batch)
{
    buf_reset(&batch->bytes);
    batch->command_count = 0;
    batch->item_count = 0;
    batch->entity_count = 0;
    buf_add(&batch->bytes, MULTI, sizeof MULTI - 1);
    for (size_t i = 0; i < batch->undo_count; i++) {
        struct undo *undo = &batch->undos[i];
        buf_add(&batch->bytes, undo->command.ptr, undo->command.len);
        batch->command_count++;
        (void)batch_close(batch, ITEM_UNIT, undo->shard, undo->fence);
        buf_fini(&undo->command);
    }
    batch->undo_count = 0;
}

/* An undo of what is not ours any more is left to whoever has it now. */
static void forget_undos(struct batch *batch, const struct shard *shard, const struct fence *fence)
{
    size_t kept = 0;
    for (size_t i = 0; i < batch->undo_count; i++) {
        struct undo undo = batch->undos[i];
        if ((shard != NULL && undo.shard == shard) || (fence != NULL && undo.fence == fence))
            buf_fini(&undo.command);
        else
            batch->undos[kept++] = undo;
    }
    batch->undo_count = kept;
}

void batch_forget(struct batch *batch, const struct shard *shard)
{
    for (size_t i = 0; i < batch->item_count; i++)
        if (batch->items[i].shard == shard)
            batch->items[i].shard = NULL;
    forget_undos(batch, shard, NULL);
}

void batch_forget_fence(struct batch *batch, const struct fence *fence)
{
    for (size_t i = 0; i < batch->item_count; i++)
        if (batch->items[i].fence == fence)
            batch->items[i].shard = NULL;
    forget_undos(batch, NULL, fence);
}

/* The last commands of an entity are those of batch_add(): HSET and EXPIRE. */
size_t batch_freshness(const struct batch *batch, size_t i)
{
    CHECK(batch->items[i].kind == ITEM_FEATURES);
    return batch->items[i].command_end - 2;
}

void batch_refuse(struct batch *batch, size_t command)
{
    size_t i = 0;
    while (i < batch->item_count && batch->items[i].command_end <= command)
        i++;
    if (i < batch->item_count)
        batch->items[i].is_refused = true;
}

void batch_trim(struct batch *batch)
{
    struct buf *bytes = &batch->bytes;
    size_t from = sizeof MULTI - 1;
    size_t to = from;
    uint32_t command_from = 0;
    uint32_t command_to = 0;
    size_t kept = 0;
    for (size_t i = 0; i < batch->item_count; i++) {
        struct item item = batch->items[i];
        size_t len = item.byte_end - from;
        uint32_t commands = item.command_end - command_from;
        if (item.shard != NULL) {
            memmove(bytes->ptr + to, bytes->ptr + from, len);
            item.byte_end = to += len;
            item.command_end = command_to += commands;
            batch->items[kept++] = item;
        } else {
            batch->entity_count -= item.kind == ITEM_FEATURES;
        }
        from += len;
        command_from += commands;
    }
    bytes->len = to;
    batch->command_count = command_to;
    batch->item_count = kept;
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
