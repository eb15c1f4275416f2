#include "state/snapshot_form.h"

/* More events than a partition ever has; and counts that are added up stay within 64 bits. */
#define COUNT_MAX (UINT64_C(1) << 48)

/* The images of finite doubles (op.h), of either order. */
#define IMAGE_MIN UINT64_C(0x0010000000000000)
#define IMAGE_MAX UINT64_C(0xffefffffffffffff)

/* ---- taking: bounds first ---- */

struct reader {
    const uint8_t *at;
    const uint8_t *end;
    const char *wrong; /* the first thing that was */
};

static bool refuse(struct reader *reader, const char *wrong)
{
    reader->wrong = wrong;
    return false;
}

static bool take_varint(struct reader *reader, uint64_t *ret)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && reader->at < reader->end; shift += 7) {
        uint8_t byte = *reader->at++;
        if (shift == 63 && byte > 1)
            return refuse(reader, "a number has more than 64 bits");
        if (shift > 0 && byte == 0)
            return refuse(reader, "a number is longer than it has to be");
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret = value;
            return true;
        }
    }
    return refuse(reader, "it ends within a number");
}

static uint64_t fixed_at(const uint8_t *at, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << 8 * i;
    return value;
}

static bool take_word(struct reader *reader, uint64_t *ret)
{
    if (reader->end - reader->at < 8)
        return refuse(reader, "it ends within a value");
    *ret = fixed_at(reader->at, 8);
    reader->at += 8;
    return true;
}

static bool take_finite(struct reader *reader, uint64_t *ret)
{
    if (!take_word(reader, ret))
        return false;
    return (*ret >> 52 & 0x7ff) != 0x7ff || refuse(reader, "a value is not finite");
}

static bool take_image(struct reader *reader, uint64_t *ret)
{
    if (!take_word(reader, ret))
        return false;
    return (*ret >= IMAGE_MIN && *ret <= IMAGE_MAX) ||
           refuse(reader, "an extreme is not of a finite value");
}

static bool take_count(struct reader *reader, uint64_t *ret)
{
    if (!take_varint(reader, ret))
        return false;
    return (*ret > 0 && *ret < COUNT_MAX) || refuse(reader, "a count is out of range");
}

static bool take_half(struct reader *reader, bool is_there, uint64_t *ret)
{
    *ret = 0;
    if (!is_there)
        return true;
    if (!take_finite(reader, ret))
        return false;
    return *ret != 0 || refuse(reader, "half a sum is zero, and written all the same");
}

static bool take_acc(struct reader *reader, const struct series_spec *spec, unsigned halves,
                     uint64_t *words)
{
    const uint8_t *part_at = spec->shape.at;
    if (has_part(spec, PART_COUNT) && !take_count(reader, words + part_at[PART_COUNT]))
        return false;
    for (size_t half = 0; half < HALVES_BITS && has_part(spec, PART_SUM); half++)
        if (!take_half(reader, halves >> half & 1, words + part_at[PART_SUM] + half))
            return false;
    if (has_part(spec, PART_MIN) && !take_image(reader, words + part_at[PART_MIN]))
        return false;
    return !has_part(spec, PART_MAX) || take_image(reader, words + part_at[PART_MAX]);
}

/* ---- buckets ---- */

/* The buckets of one feature, one after the other. */
struct walk {
    struct reader *reader;
    const struct series_spec *spec;
    int64_t hop_ms;
    int64_t unit; /* of the bucket before, which is the newer one */
    bool is_first;
};

static struct walk walk_begin(struct reader *reader, const struct series_spec *spec,
                              int64_t newest_ms)
{
    int64_t hop_ms = finest_hop(spec);
    return (struct walk){reader, spec, hop_ms, first_unit(newest_ms, hop_ms), true};
}

static int64_t unzigzag(uint64_t value)
{
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

static bool walk_step(struct walk *walk, uint64_t distance)
{
    if (distance > 2 * (uint64_t)TIMESTAMP_END_MS)
        return refuse(walk->reader, "a bucket is out of time");
    int64_t unit = walk->unit - (walk->is_first ? unzigzag(distance) : (int64_t)distance + 1);
    if (unit < 0 || (walk->is_first && unit > TIMESTAMP_END_MS / walk->hop_ms))
        return refuse(walk->reader, "a bucket is out of time");
    walk->unit = unit;
    walk->is_first = false;
    return true;
}

struct head {
    int64_t start_ms;
    bool is_one;
    unsigned halves;
};

static bool walk_head(struct walk *walk, struct head *ret)
{
    uint64_t code = 0;
    if (!take_varint(walk->reader, &code))
        return false;
    ret->is_one = (code & 1) == 0;
    code >>= 1;
    ret->halves = (unsigned)code & ((1u << HALVES_BITS) - 1);
    if (!ret->is_one && has_part(walk->spec, PART_SUM))
        code >>= HALVES_BITS;
    if (!walk_step(walk, code))
        return false;
    ret->start_ms = walk->unit * walk->hop_ms;
    return true;
}

/* Its value or accumulator; there is room for as many words as the form has. */
static bool walk_words(struct walk *walk, const struct head *head, uint64_t *words)
{
    if (!head->is_one)
        return take_acc(walk->reader, walk->spec, head->halves, words);
    return !walk->spec->has_value || take_finite(walk->reader, words);
}

/* ---- a first passage, which changes nothing ---- */

/* What a first passage has found of one feature with buckets. */
struct section {
    const uint8_t *begin; /* of its buckets */
    size_t feature;
    uint32_t alive; /* buckets */
    uint32_t words; /* that those take */
};

static bool scan_buckets(struct reader *reader, const struct series_spec *spec, uint64_t count,
                         int64_t newest_ms, int64_t now_ms, struct section *ret)
{
    int64_t begin_ms = series_begin(spec, now_ms);
    struct walk walk = walk_begin(reader, spec, newest_ms);
    uint64_t words[ACC_WORDS_MAX];
    struct head head;
    for (; count > 0; count--) {
        if (!walk_head(&walk, &head) || !walk_words(&walk, &head, words))
            return false;
        if (head.start_ms < begin_ms)
            continue;
        ret->alive++;
        ret->words += series_bucket_words(spec, head.is_one);
        if (ret->words > SERIES_WORDS_MAX)
            return refuse(reader, "a feature has more buckets than a series holds");
    }
    return true;
}

/* feature: the first that this section can be of. */
static bool scan_section(struct reader *reader, const struct view *view, size_t feature,
                         int64_t newest_ms, int64_t now_ms, struct section *ret)
{
    uint64_t code = 0;
    uint64_t gap = 0;
    if (!take_varint(reader, &code))
        return false;
    uint64_t count = code >> 1;
    if ((code & 1) != 0 && !take_varint(reader, &gap))
        return false;
    if ((code & 1) != 0 && gap == 0)
        return refuse(reader, "no features are left out, and written all the same");
    if (gap >= view->feature_count - feature)
        return refuse(reader, "it has more features than the view");
    if (count == 0 || count > (uint64_t)(reader->end - reader->at))
        return refuse(reader, "a number of buckets is out of range");
    feature += gap;
    *ret = (struct section){.begin = reader->at, .feature = feature};
    return scan_buckets(reader, &view->features[feature].series, count, newest_ms, now_ms, ret);
}

static bool scan_head(struct reader *reader, struct snapshot *ret)
{
    uint64_t applied = 0;
    uint64_t newest = 0;
    uint64_t next = 0;
    ret->flags = reader->at[1];
    reader->at += 2;
    if ((ret->flags & ~SNAPSHOT_OWED) != 0)
        return refuse(reader, "a flag is not known");
    if (!take_varint(reader, &applied) || !take_varint(reader, &newest) ||
        !take_varint(reader, &next))
        return false;
    if (applied > (uint64_t)INT64_MAX || newest > (uint64_t)TIMESTAMP_END_MS ||
        next > 2 * (uint64_t)NEXT_MS_MAX + 1)
        return refuse(reader, "an offset or a time is out of range");
    ret->applied = (int64_t)applied - 1;
    ret->newest_ms = (int64_t)newest - 1;
    ret->next_ms = INT64_MAX;
    if (next == 0)
        return true;
    ret->next_ms = unzigzag(next - 1) + (ret->newest_ms < 0 ? 0 : ret->newest_ms);
    return (ret->next_ms >= 0 && ret->next_ms <= NEXT_MS_MAX) ||
           refuse(reader, "an offset or a time is out of range");
}

/* Is it whole, and of this entity? Leaves in the reader what the checksum is about. */
static int open_blob(struct slice blob, const char *definition, struct slice identity,
                     struct reader *ret, struct err *err)
{
    const uint8_t *bytes = (const uint8_t *)blob.ptr;
    if (blob.len > 0 && bytes[0] != SNAPSHOT_FORMAT)
        return err_set(err, ERR_INPUT, "the state of an entity has format %u, expected format %d",
                       bytes[0], SNAPSHOT_FORMAT);
    if (blob.len < BLOB_BYTES_MIN)
        return err_set(err, ERR_INPUT, "the state of an entity has %zu bytes, expected %d or more",
                       blob.len, BLOB_BYTES_MIN);
    struct slice summed = {blob.ptr, blob.len - CHECKSUM_BYTES};
    *ret = (struct reader){bytes, bytes + summed.len, NULL};
    uint32_t found = (uint32_t)fixed_at(ret->end, CHECKSUM_BYTES);
    uint32_t expected = snapshot_checksum(summed, identity, definition);
    if (found != expected)
        return err_set(
            err, ERR_INPUT,
            "the state of an entity has the checksum %08x, expected %08x: it is damaged, "
            "of another entity or of another definition",
            found, expected);
    return 0;
}

/* ---- a second one, over what is right ---- */

/* Once more over what has been found right, now into the series. */
static void load_section(const struct section *section, const uint8_t *end, const struct view *view,
                         int64_t newest_ms, struct slab *slab, struct series *series)
{
    const struct series_spec *spec = &view->features[section->feature].series;
    struct reader reader = {section->begin, end, NULL};
    struct walk walk = walk_begin(&reader, spec, newest_ms);
    struct series loaded = {0};
    struct head head;
    series_make(&loaded, slab, section->words);
    uint32_t at = loaded.len;
    for (uint32_t i = 0; i < section->alive; i++) {
        bool is_right =
            walk_head(&walk, &head) &&
            walk_words(&walk, &head, series_put(&loaded, spec, &at, head.start_ms, head.is_one));
        CHECK(is_right);
    }
    CHECK(at == 0);
    if (series->len > 0) {
        series_merge(series, spec, slab, &loaded);
        return;
    }
    series_fini(series, slab);
    *series = loaded;
}

int snapshot_read(struct slice blob, const struct view *view, const char *definition,
                  struct slice identity, int64_t now_ms, struct slab *slab, struct series *series,
                  struct snapshot *ret, struct err *err)
{
    struct reader reader;
    struct snapshot snapshot;
    struct section sections[FEATURES_MAX]; /* only as many as there are are ever touched */
    size_t count = 0;
    int code = open_blob(blob, definition, identity, &reader, err);
    if (code != 0)
        return code;
    bool is_right = scan_head(&reader, &snapshot);
    for (size_t feature = 0; is_right && reader.at < reader.end; count++) {
        if (feature == view->feature_count) {
            is_right = refuse(&reader, "bytes follow its last feature");
            break;
        }
        is_right =
            scan_section(&reader, view, feature, snapshot.newest_ms, now_ms, &sections[count]);
        feature = sections[count].feature + 1;
    }
    if (!is_right)
        return err_set(err, ERR_INPUT, "the state of an entity is damaged at byte %zu of %zu: %s",
                       (size_t)(reader.at - (const uint8_t *)blob.ptr), blob.len, reader.wrong);
    for (size_t i = 0; i < count; i++)
        load_section(&sections[i], reader.end, view, snapshot.newest_ms, slab,
                     &series[sections[i].feature]);
    *ret = snapshot;
    return 0;
}
