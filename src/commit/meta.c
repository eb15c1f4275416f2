#include "tidewheel/meta.h"

#include <stddef.h>
#include <stdlib.h>
#include <xxhash.h>

#include "tidewheel/mem.h"
#include "tidewheel/num.h"

/* Whoever adds a length or one to a number from here does not overflow. */
#define NUMBER_MAX (INT64_MAX / 2)

enum {
    VIEWS_MAX = 256, /* current ones; and as many old generations */
    NAME_MAX_BYTES = 128,
    WHO_MAX = 255,
    CLUSTER_MAX = 255,
    CHECKSUM_LEN = 16,
    OUTPUT_MAX = 16 << 20,
};

/* A field's value into the member that it fills; false: it makes no sense. */
typedef bool take_fn(void *member, struct slice value);

struct field {
    const char *name;
    take_fn *take;
    size_t offset;
};

/* ---- values ---- */

static bool is_hex(struct slice text, size_t len)
{
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.ptr[i];
        if (!((byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f')))
            return false;
    }
    return text.len == len;
}

/* Text that may be shown to people: it cannot steer a terminal. */
static bool is_printable(struct slice text, size_t len_max)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < 0x20 || text.ptr[i] > 0x7e)
            return false;
    return text.len > 0 && text.len <= len_max;
}

static bool is_view_name(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.ptr[i];
        bool is_first_char =
            (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_';
        bool is_later_char = (byte >= '0' && byte <= '9') || byte == '-' || byte == '.';
        if (!is_first_char && (i == 0 || !is_later_char))
            return false;
    }
    return text.len > 0 && text.len <= NAME_MAX_BYTES;
}

static bool read_number(struct slice text, int64_t *ret)
{
    int64_t number = 0;
    if (!num_parse_int64(text.ptr, text.len, &number) || number < 0 || number > NUMBER_MAX)
        return false;
    *ret = number;
    return true;
}

/* The word up to the next space, taken off the front of rest; false: there is no space. */
static bool next_word(struct slice *rest, struct slice *ret)
{
    const char *space = rest->len > 0 ? memchr(rest->ptr, ' ', rest->len) : NULL;
    if (space == NULL)
        return false;
    *ret = (struct slice){rest->ptr, (size_t)(space - rest->ptr)};
    *rest = (struct slice){space + 1, rest->len - ret->len - 1};
    return true;
}

static void set_text(char **member, struct slice value)
{
    free(*member);
    *member = mem_strndup(value.ptr, value.len);
}

static bool take_number(void *member, struct slice value)
{
    return read_number(value, member);
}

static bool take_own(void *member, struct slice value)
{
    if (!is_hex(value, META_OWN_LEN))
        return false;
    memcpy(member, value.ptr, META_OWN_LEN);
    return true;
}

static bool take_who(void *member, struct slice value)
{
    if (!is_printable(value, WHO_MAX))
        return false;
    set_text(member, value);
    return true;
}

static bool take_definition(void *member, struct slice value)
{
    if (!is_hex(value, META_DEFINITION_LEN))
        return false;
    set_text(member, value);
    return true;
}

static bool take_output(void *member, struct slice value)
{
    if (value.len == 0 || value.len > OUTPUT_MAX || memchr(value.ptr, '\0', value.len) != NULL)
        return false;
    set_text(member, value);
    return true;
}

/* Kafka says -1 for a record without a timestamp. */
static bool take_anchor(void *member, struct slice value)
{
    struct anchor anchor = {.checksum = 0};
    struct slice offset;
    struct slice timestamp;
    if (!next_word(&value, &offset) || !next_word(&value, &timestamp) ||
        !is_hex(value, CHECKSUM_LEN) || !read_number(offset, &anchor.offset))
        return false;
    anchor.timestamp_ms = -1;
    if (!slice_is_equal(timestamp, slice_of("-1")) && !read_number(timestamp, &anchor.timestamp_ms))
        return false;
    for (size_t i = 0; i < value.len; i++)
        anchor.checksum =
            anchor.checksum << 4 |
            (uint64_t)(value.ptr[i] <= '9' ? value.ptr[i] - '0' : value.ptr[i] - 'a' + 10);
    *(struct anchor *)member = anchor;
    return true;
}

static bool take_topo(void *member, struct slice value)
{
    struct meta *meta = member;
    struct slice cluster;
    int64_t count = 0;
    if (!next_word(&value, &cluster) || !is_printable(cluster, CLUSTER_MAX) ||
        !read_number(value, &count) || count == 0 || count > INT32_MAX)
        return false;
    meta->partition_count = count;
    free(meta->cluster);
    bool is_known = !slice_is_equal(cluster, slice_of("-"));
    meta->cluster = is_known ? mem_strndup(cluster.ptr, cluster.len) : NULL;
    return true;
}

static bool take_trying(void *member, struct slice value)
{
    struct meta *meta = member;
    struct slice offset;
    int64_t number = 0;
    int64_t deaths = 0;
    if (!next_word(&value, &offset) || !read_number(offset, &number) ||
        !read_number(value, &deaths))
        return false;
    meta->trying = number;
    meta->trying_deaths = deaths;
    return true;
}

/* ---- fields ---- */

/* clang-format off */
static const struct field UNIT_FIELDS[] = {
    {"own",    take_own,    offsetof(struct meta, own)},
    {"seq",    take_number, offsetof(struct meta, seq)},
    {"who",    take_who,    offsetof(struct meta, who)},
    {"saved",  take_number, offsetof(struct meta, saved_ms)},
    {"clock",  take_number, offsetof(struct meta, clock_ms)},
    {"anchor", take_anchor, offsetof(struct meta, anchor)},
    {"topo",   take_topo,   0},
    {"fmt",    take_number, offsetof(struct meta, format)},
    {"try",    take_number, offsetof(struct meta, tries)},
    {"trying", take_trying, 0},
};

static const struct field VIEW_FIELDS[] = {
    {"def",   take_definition, offsetof(struct meta_view, definition)},
    {"out",   take_output,     offsetof(struct meta_view, output)},
    {"gen",   take_number,     offsetof(struct meta_view, gen)},
    {"prog",  take_number,     offsetof(struct meta_view, progress)},
    {"clock", take_number,     offsetof(struct meta_view, clock_ms)},
    {"said",  take_number,     offsetof(struct meta_view, said_ms)},
    {"cover", take_number,     offsetof(struct meta_view, cover_ms)},
};
/* clang-format on */

enum {
    UNIT_FIELD_COUNT = sizeof UNIT_FIELDS / sizeof *UNIT_FIELDS,
    VIEW_FIELD_COUNT = sizeof VIEW_FIELDS / sizeof *VIEW_FIELDS
};

/* False: there is no such field, or its value makes no sense. */
static bool take_field(const struct field *fields, size_t count, struct slice name, void *into,
                       struct slice value)
{
    for (size_t i = 0; i < count; i++)
        if (slice_is_equal(name, slice_of(fields[i].name)))
            return fields[i].take((char *)into + fields[i].offset, value);
    return false;
}

/* Of an old generation by its number, of the current one by its name alone; made if it is new. NULL:
 * there are too many. */
static struct meta_view *view_at(struct meta *meta, struct slice name, bool is_old, int64_t gen)
{
    size_t twins = 0;
    for (size_t i = 0; i < meta->view_count; i++) {
        struct meta_view *view = &meta->views[i];
        if (view->is_old == is_old && (!is_old || view->gen == gen) &&
            slice_is_equal(slice_of(view->name), name))
            return view;
        twins += view->is_old == is_old;
    }
    if (twins == VIEWS_MAX)
        return NULL;
    meta->views = mem_resize(meta->views, meta->view_count + 1, sizeof *meta->views);
    struct meta_view *view = &meta->views[meta->view_count++];
    *view = (struct meta_view){.name = mem_strndup(name.ptr, name.len),
                               .gen = gen,
                               .progress = -1,
                               .clock_ms = -1,
                               .said_ms = -1,
                               .cover_ms = -1,
                               .is_old = is_old};
    return view;
}

/* A view of which nothing makes sense is none. */
static void take_of_view(struct meta *meta, struct slice name, struct slice what,
                         struct slice value)
{
    static const char OLD[] = "old:";
    size_t old_len = sizeof OLD - 1;
    bool is_old = what.len > old_len && memcmp(what.ptr, OLD, old_len) == 0;
    struct slice number = {what.ptr + (is_old ? old_len : 0), what.len - (is_old ? old_len : 0)};
    int64_t gen = -1;
    if (!is_view_name(name) || (is_old && !read_number(number, &gen)))
        return;
    size_t count = meta->view_count;
    struct meta_view *view = view_at(meta, name, is_old, gen);
    if (view == NULL)
        return;
    bool is_taken = is_old ? take_output(&view->output, value)
                           : take_field(VIEW_FIELDS, VIEW_FIELD_COUNT, what, view, value);
    if (!is_taken && meta->view_count > count)
        free(meta->views[--meta->view_count].name);
}

void meta_init(struct meta *meta)
{
    *meta = (struct meta){.seq = -1,
                          .saved_ms = -1,
                          .clock_ms = -1,
                          .format = -1,
                          .trying = -1,
                          .partition_count = -1,
                          .anchor = {.offset = -1, .timestamp_ms = -1}};
}

void meta_take(struct meta *meta, struct slice field, struct slice value)
{
    const char *colon = field.len > 0 ? memchr(field.ptr, ':', field.len) : NULL;
    if (colon == NULL) {
        (void)take_field(UNIT_FIELDS, UNIT_FIELD_COUNT, field, meta, value);
    } else {
        size_t name_len = (size_t)(colon - field.ptr);
        take_of_view(meta, (struct slice){field.ptr, name_len},
                     (struct slice){colon + 1, field.len - name_len - 1}, value);
    }
    meta->is_found = meta->own[0] != '\0' && meta->seq >= 0;
}

void meta_fini(struct meta *meta)
{
    for (size_t i = 0; i < meta->view_count; i++) {
        free(meta->views[i].name);
        free(meta->views[i].definition);
        free(meta->views[i].output);
    }
    free(meta->views);
    free(meta->cluster);
    free(meta->who);
    meta_init(meta);
}

const struct meta_view *meta_view_of(const struct meta *meta, const char *name)
{
    for (size_t i = 0; i < meta->view_count; i++)
        if (!meta->views[i].is_old && strcmp(meta->views[i].name, name) == 0)
            return &meta->views[i];
    return NULL;
}

/* ---- names and texts ---- */

void meta_prefix(struct buf *ret, const char *group, const char *topic, int32_t partition)
{
    buf_printf(ret, "{tw:%s:%s:%d}", group, topic, (int)partition);
}

void meta_key(struct buf *ret, const char *group, const char *topic, int32_t partition)
{
    meta_prefix(ret, group, topic, partition);
    buf_add_text(ret, ":m");
}

void meta_blob_key(struct buf *ret, const char *prefix, const char *view, int64_t gen, unsigned k)
{
    buf_printf(ret, "%s:s:%s:%lld:%u", prefix, view, (long long)gen, k);
}

unsigned meta_blob_hash(struct slice identity)
{
    return (unsigned)(XXH3_64bits(identity.ptr, identity.len) % META_HASHES);
}

void meta_anchor_write(const struct anchor *anchor, struct buf *ret)
{
    buf_printf(ret, "%lld %lld %016llx", (long long)anchor->offset, (long long)anchor->timestamp_ms,
               (unsigned long long)anchor->checksum);
}

uint64_t meta_checksum(struct slice bytes)
{
    return XXH3_64bits(bytes.ptr, bytes.len);
}
