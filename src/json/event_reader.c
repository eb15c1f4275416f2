#include "tidewheel/event_reader.h"

#include <stdlib.h>
#include <yajl/yajl_parse.h>

#include "tidewheel/json_text.h"
#include "tidewheel/mem.h"

/* Memory of one event: taken from the front of one piece, given back all at once. What does not fit
 * any more (long strings with escapes) gets a piece of its own, and is freed with the event. It all
 * stays within a small multiple of the event's length, as yajl only doubles one decoding buffer. */
enum { ARENA_BYTES = 16384, ARENA_ALIGN = 16 };

struct piece {
    struct piece *next;
};

struct arena {
    _Alignas(ARENA_ALIGN) char bytes[ARENA_BYTES];
    size_t used;
    struct piece *pieces;
};

/* An open object or array that leads to a path asked for. */
struct frame {
    const struct path_node *node;
    int64_t element; /* of an array: the next one; -1 in an object */
};

/* Containers that nobody asked for are only counted: depth runs ahead of live until they close.
 *
 *     {"a": {"b": [ [ ...        asked for a.b.0: frames 1 2 3, live 3; inside the inner [ depth 4
 */
struct event_reader {
    size_t nesting_max;
    struct frame *frames; /* 1 to nesting_max; 0 is the place outside of all */
    uint64_t *seen;       /* by path_node.seen: the last event in which it came */
    size_t seen_cap;
    uint64_t event;
    /* of this event: */
    yajl_handle handle;
    struct slice bytes;
    struct value *values;
    const struct path_node *root;
    const struct path_node *target; /* in an object: where the next value belongs, or NULL */
    size_t depth;
    size_t live;
    size_t duplicates;
    bool is_object;
    struct arena arena;
};

static void *arena_alloc(void *ctx, size_t size)
{
    struct arena *arena = ctx;
    CHECK(size <= SIZE_MAX - 3 * (size_t)ARENA_ALIGN);
    /* The size goes in front, as realloc has to know how much to copy. */
    size_t need = ((size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1)) + ARENA_ALIGN;
    char *at = arena->bytes + arena->used;
    if (need <= ARENA_BYTES - arena->used) {
        arena->used += need;
    } else {
        struct piece *piece = mem_alloc(need + ARENA_ALIGN);
        piece->next = arena->pieces;
        arena->pieces = piece;
        at = (char *)piece + ARENA_ALIGN;
    }
    memcpy(at, &size, sizeof size);
    return at + ARENA_ALIGN;
}

/* Twice as much as before at the least: yajl's stack of states asks for 128 bytes more each time,
 * and what is outgrown is not given back before the event is done. */
static void *arena_realloc(void *ctx, void *ptr, size_t size)
{
    size_t old = 0;
    if (ptr != NULL)
        memcpy(&old, (char *)ptr - ARENA_ALIGN, sizeof old);
    if (ptr != NULL && size <= old)
        return ptr;
    void *bigger = arena_alloc(ctx, size < 2 * old ? 2 * old : size);
    if (old > 0)
        memcpy(bigger, ptr, old);
    return bigger;
}

static void arena_free(void *ctx, void *ptr)
{
    (void)ctx;
    (void)ptr;
}

static void arena_reset(struct arena *arena)
{
    while (arena->pieces != NULL) {
        struct piece *piece = arena->pieces;
        arena->pieces = piece->next;
        free(piece);
    }
    arena->used = 0;
}

/* yajl lends a string out of the event's bytes, except if it has escapes. */
static bool is_lent(const struct event_reader *reader, const char *ptr)
{
    return (uintptr_t)ptr - (uintptr_t)reader->bytes.ptr < reader->bytes.len;
}

/* The text of the string that yajl stands behind, decoded by ourselves: what yajl makes of a lone
 * surrogate cannot be told from a question mark. Looks back for the opening quote, which is the
 * first one without a backslash in front. */
static bool decode_escaped(struct event_reader *reader, struct slice *ret)
{
    const char *bytes = reader->bytes.ptr;
    size_t end = yajl_get_bytes_consumed(reader->handle);
    if (end < 2 || end > reader->bytes.len)
        return false;
    size_t begin = --end;
    while (begin > 0 && (bytes[begin - 1] != '"' || (begin > 1 && bytes[begin - 2] == '\\')))
        begin--;
    char *text = arena_alloc(&reader->arena, end - begin);
    size_t len = 0;
    if (!json_text_decode(bytes + begin, end - begin, text, &len))
        return false;
    *ret = (struct slice){text, len};
    return true;
}

/* Where the value that comes now belongs; NULL: nobody asked. Only called with depth == live. */
static const struct path_node *take_target(struct event_reader *reader)
{
    struct frame *frame = &reader->frames[reader->live];
    return frame->element < 0 ? reader->target : path_element(frame->node, frame->element++);
}

/* The place for a value, or NULL. */
static struct value *take_value(struct event_reader *reader)
{
    if (reader->depth != reader->live)
        return NULL;
    const struct path_node *node = take_target(reader);
    return node != NULL && node->slot != PATH_NONE ? &reader->values[node->slot] : NULL;
}

static int on_null(void *ctx)
{
    struct value *value = take_value(ctx);
    if (value != NULL)
        value->type = VALUE_NULL;
    return 1;
}

static int on_boolean(void *ctx, int truth)
{
    struct value *value = take_value(ctx);
    if (value != NULL)
        *value = (struct value){.type = VALUE_BOOL, .truth = truth != 0};
    return 1;
}

static int on_number(void *ctx, const char *ptr, size_t len)
{
    struct value *value = take_value(ctx);
    if (value != NULL)
        *value = (struct value){.type = VALUE_NUMBER, .text = {ptr, len}};
    return 1;
}

static int on_string(void *ctx, const unsigned char *ptr, size_t len)
{
    struct event_reader *reader = ctx;
    struct value *value = take_value(reader);
    if (value == NULL)
        return 1;
    *value = (struct value){.type = VALUE_STRING, .text = {(const char *)ptr, len}};
    if (is_lent(reader, value->text.ptr))
        return json_text_is_strict(value->text.ptr, len);
    return decode_escaped(reader, &value->text);
}

static int on_map_key(void *ctx, const unsigned char *ptr, size_t len)
{
    struct event_reader *reader = ctx;
    if (reader->depth != reader->live)
        return 1;
    struct slice name = {(const char *)ptr, len};
    reader->target = NULL;
    /* A name that is no strict text is nobody's: it is passed by with its value. */
    if (!is_lent(reader, name.ptr) && !decode_escaped(reader, &name))
        return 1;
    const struct path_node *node =
        path_child(reader->frames[reader->live].node, name.ptr, name.len);
    if (node == NULL)
        return 1;
    /* No place can be reached twice otherwise: whatever it lies in was entered once. */
    if (reader->seen[node->seen] == reader->event) {
        reader->duplicates++;
        return 1;
    }
    reader->seen[node->seen] = reader->event;
    reader->target = node;
    return 1;
}

/* False: too deep. */
static bool enter(struct event_reader *reader, const struct path_node *node, bool is_map)
{
    if (node != NULL && node->slot != PATH_NONE)
        reader->values[node->slot].type = VALUE_COMPOUND;
    bool leads_on = node != NULL && node->child != NULL;
    if (++reader->depth > reader->nesting_max)
        return false;
    if (leads_on)
        reader->frames[++reader->live] = (struct frame){node, is_map ? -1 : 0};
    return true;
}

static int on_start_map(void *ctx)
{
    struct event_reader *reader = ctx;
    if (reader->depth == 0) {
        reader->is_object = true;
        return enter(reader, reader->root, true);
    }
    return enter(reader, reader->depth == reader->live ? take_target(reader) : NULL, true);
}

static int on_start_array(void *ctx)
{
    struct event_reader *reader = ctx;
    return enter(reader, reader->depth == reader->live ? take_target(reader) : NULL, false);
}

static int on_end(void *ctx)
{
    struct event_reader *reader = ctx;
    if (reader->depth == reader->live)
        reader->live--;
    reader->depth--;
    return 1;
}

static const yajl_callbacks CALLBACKS = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_start_map,
    .yajl_map_key = on_map_key,
    .yajl_end_map = on_end,
    .yajl_start_array = on_start_array,
    .yajl_end_array = on_end,
};

struct event_reader *event_reader_new(size_t nesting_max)
{
    struct event_reader *reader = mem_zalloc(sizeof *reader);
    reader->nesting_max = nesting_max;
    reader->frames = mem_resize(NULL, nesting_max + 1, sizeof *reader->frames);
    reader->frames[0] = (struct frame){NULL, -1};
    return reader;
}

void event_reader_free(struct event_reader *reader)
{
    if (reader == NULL)
        return;
    arena_reset(&reader->arena);
    free(reader->frames);
    free(reader->seen);
    free(reader);
}

static void reader_reset(struct event_reader *reader, const struct paths *paths, struct slice bytes,
                         struct value *values)
{
    if (paths->node_count > reader->seen_cap) {
        reader->seen = mem_resize(reader->seen, paths->node_count, sizeof *reader->seen);
        size_t fresh = paths->node_count - reader->seen_cap;
        memset(reader->seen + reader->seen_cap, 0, fresh * sizeof *reader->seen);
        reader->seen_cap = paths->node_count;
    }
    for (size_t i = 0; i < paths->count; i++)
        values[i] = (struct value){.type = VALUE_MISSING};
    arena_reset(&reader->arena);
    reader->event++;
    reader->bytes = bytes;
    reader->values = values;
    reader->root = &paths->root;
    reader->target = NULL;
    reader->depth = 0;
    reader->live = 0;
    reader->duplicates = 0;
    reader->is_object = false;
}

/* To yajl these two are white space; to RFC 8259 they have no place in a text, strings included. */
static bool has_foreign_space(struct slice bytes)
{
    return bytes.len > 0 && (memchr(bytes.ptr, '\v', bytes.len) != NULL ||
                             memchr(bytes.ptr, '\f', bytes.len) != NULL);
}

/* yajl takes an unfinished token behind the last value for nothing at all, so `{} "` would be
 * whole. A line feed settles it: it is white space between tokens and an error in the middle of a
 * string. */
static bool is_whole(yajl_handle handle, struct slice bytes)
{
    return !has_foreign_space(bytes) &&
           yajl_parse(handle, (const unsigned char *)bytes.ptr, bytes.len) == yajl_status_ok &&
           yajl_get_bytes_consumed(handle) == bytes.len &&
           yajl_parse(handle, (const unsigned char *)"\n", 1) == yajl_status_ok &&
           yajl_complete_parse(handle) == yajl_status_ok;
}

enum verdict event_reader_read(struct event_reader *reader, const struct paths *paths,
                               struct slice bytes, struct value *values, size_t *ret_duplicates)
{
    yajl_alloc_funcs funcs = {arena_alloc, arena_realloc, arena_free, &reader->arena};
    reader_reset(reader, paths, bytes, values);
    /* A handle of its own for each event, so that none leaves anything behind for the next. It lies
     * in the arena whole, so there is nothing to free. */
    reader->handle = yajl_alloc(&CALLBACKS, &funcs, reader);
    (void)yajl_config(reader->handle, yajl_dont_validate_strings, 1);
    bool is_json = is_whole(reader->handle, bytes);
    *ret_duplicates = reader->duplicates;
    if (!is_json)
        return VERDICT_BAD_JSON;
    return reader->is_object ? VERDICT_ACCEPTED : VERDICT_NOT_OBJECT;
}
