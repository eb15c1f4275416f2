#include "tidewheel/series.h"

#include <string.h>

#include "tidewheel/err.h"

/* ---- heads: the last word of a bucket ---- */

enum form { FORM_ONE, FORM_MANY };

enum { FORM_BITS = 16 };

static uint64_t head_of(int64_t start_ms, enum form form)
{
    return (uint64_t)start_ms << FORM_BITS | (uint64_t)form;
}

static int64_t head_start(uint64_t head)
{
    return (int64_t)(head >> FORM_BITS);
}

static bool head_is_one(uint64_t head)
{
    return (head & ((1u << FORM_BITS) - 1)) == FORM_ONE;
}

static uint32_t one_words(const struct series_spec *spec)
{
    return spec->has_value ? 2 : 1;
}

static uint32_t many_words(const struct series_spec *spec)
{
    return spec->shape.words + 1u;
}

static uint32_t bucket_words(const struct series_spec *spec, uint64_t head)
{
    return head_is_one(head) ? one_words(spec) : many_words(spec);
}

/* Adds the bucket that begins at words to an accumulator. */
static void bucket_merge(const struct series_spec *spec, const uint64_t *words, uint64_t head,
                         uint64_t *acc)
{
    if (!head_is_one(head)) {
        acc_merge(&spec->shape, acc, words);
        return;
    }
    if (spec->shape.parts == 1u << PART_COUNT) {
        acc[0]++;
        return;
    }
    double value = 0;
    if (spec->has_value)
        memcpy(&value, words, sizeof value);
    acc_add(&spec->shape, acc, value);
}

/* ---- which windows hold what ---- */

/* The beginning of every window at one moment, latest first: the order in which a reading from the
 * newest bucket passes them. */
struct begins {
    int64_t from_ms[SERIES_WINDOWS_MAX];
    uint8_t window[SERIES_WINDOWS_MAX];
};

static void begins_at(const struct series_spec *spec, int64_t now_ms, struct begins *ret)
{
    for (size_t i = 0; i < spec->window_count; i++) {
        uint8_t window = spec->by_length[i];
        int64_t from_ms = window_from(&spec->windows[window], now_ms);
        size_t at = i; /* nearly always: a longer window with a finer hop may begin later */
        for (; at > 0 && ret->from_ms[at - 1] < from_ms; at--) {
            ret->from_ms[at] = ret->from_ms[at - 1];
            ret->window[at] = ret->window[at - 1];
        }
        ret->from_ms[at] = from_ms;
        ret->window[at] = window;
    }
}

/* The finest hop among the windows that hold ts_ms; 0: none does. */
static int64_t hop_for(const struct series_spec *spec, const struct begins *begins, int64_t ts_ms)
{
    int64_t hop_ms = 0;
    for (size_t i = spec->window_count; i-- > 0 && begins->from_ms[i] <= ts_ms;) {
        int64_t hop_here = spec->windows[begins->window[i]].hop_ms;
        if (hop_ms == 0 || hop_here < hop_ms)
            hop_ms = hop_here;
    }
    return hop_ms;
}

/* The same for one event, and without a division where its age alone tells. */
static int64_t hop_at(const struct series_spec *spec, int64_t ts_ms, int64_t now_ms)
{
    int64_t hop_ms = 0;
    for (size_t i = 0; i < spec->window_count; i++) {
        const struct window *window = &spec->windows[i];
        bool is_held = ts_ms >= now_ms - window->length_ms || ts_ms >= window_from(window, now_ms);
        if (is_held && (hop_ms == 0 || window->hop_ms < hop_ms))
            hop_ms = window->hop_ms;
    }
    return hop_ms;
}

void series_spec_init(struct series_spec *spec, uint32_t parts, bool has_value,
                      const struct window *windows, size_t window_count)
{
    CHECK(window_count > 0 && window_count <= SERIES_WINDOWS_MAX);
    *spec = (struct series_spec){.shape = acc_shape_of(parts),
                                 .has_value = has_value,
                                 .windows = windows,
                                 .window_count = window_count};
    for (size_t i = 0; i < window_count; i++) {
        size_t at = i;
        for (; at > 0 && windows[spec->by_length[at - 1]].length_ms > windows[i].length_ms; at--)
            spec->by_length[at] = spec->by_length[at - 1];
        spec->by_length[at] = (uint8_t)i;
    }
}

/* ---- room ---- */

static uint32_t series_cap(const struct series *series)
{
    return series->words == NULL ? 0 : (uint32_t)(slab_class_size(series->size_class) / 8);
}

static void series_resize(struct series *series, struct slab *slab, uint32_t words)
{
    uint64_t *moved = NULL;
    size_t size_class = 0;
    if (words > 0) {
        size_class = slab_class_of((size_t)words * 8);
        moved = slab_take(slab, size_class);
        if (series->len > 0)
            memcpy(moved, series->words, (size_t)series->len * 8);
    }
    slab_give(slab, series->size_class, series->words);
    series->words = moved;
    series->size_class = (uint32_t)size_class;
}

void series_fini(struct series *series, struct slab *slab)
{
    series->len = 0;
    series_resize(series, slab, 0);
}

/* ---- merging and letting go ---- */

struct group {
    uint32_t begin; /* words */
    uint32_t end;
    uint32_t count;   /* of buckets */
    int64_t start_ms; /* of the merged bucket; only of more than one */
};

/* The buckets before end that share one bucket of the hop that now applies to them. False: they are
 * in no window, and so is everything before them. */
static bool group_before(const struct series *series, const struct series_spec *spec,
                         const struct begins *begins, uint32_t end, struct group *ret)
{
    int64_t newest_ms = head_start(series->words[end - 1]);
    int64_t hop_ms = hop_for(spec, begins, newest_ms);
    if (hop_ms == 0)
        return false;
    uint32_t begin = end - bucket_words(spec, series->words[end - 1]);
    *ret = (struct group){.begin = begin, .end = end, .count = 1};
    /* Nearly always the one before is further away than that, which saves the division. */
    if (ret->begin == 0 || head_start(series->words[ret->begin - 1]) <= newest_ms - hop_ms)
        return true;
    ret->start_ms = floor_to(newest_ms, hop_ms);
    while (ret->begin > 0 && head_start(series->words[ret->begin - 1]) >= ret->start_ms) {
        ret->begin -= bucket_words(spec, series->words[ret->begin - 1]);
        ret->count++;
    }
    return true;
}

/* Puts a group, merged where that makes it smaller, before word `to`; returns where it begins now. */
static uint32_t group_place(struct series *series, const struct series_spec *spec,
                            const struct group *group, uint32_t to)
{
    uint64_t *words = series->words;
    uint32_t size = group->end - group->begin;
    if (to == group->end && group->count == 1)
        return group->begin; /* in its place already */
    if (group->count == 1 || size <= many_words(spec)) {
        memmove(words + to - size, words + group->begin, (size_t)size * 8);
        return to - size;
    }
    uint64_t acc[ACC_WORDS_MAX] = {0};
    for (uint32_t at = group->end; at > group->begin;) {
        uint64_t head = words[at - 1];
        at -= bucket_words(spec, head);
        bucket_merge(spec, words + at, head, acc);
    }
    to -= many_words(spec);
    memcpy(words + to, acc, (size_t)spec->shape.words * 8);
    words[to + spec->shape.words] = head_of(group->start_ms, FORM_MANY);
    return to;
}

static void compact(struct series *series, const struct series_spec *spec, int64_t now_ms)
{
    struct begins begins;
    begins_at(spec, now_ms, &begins);
    uint32_t to = series->len;
    struct group group;
    for (uint32_t at = series->len; at > 0 && group_before(series, spec, &begins, at, &group);
         at = group.begin)
        to = group_place(series, spec, &group, to);
    series->len -= to;
    if (to > 0 && series->len > 0)
        memmove(series->words, series->words + to, (size_t)series->len * 8);
}

void series_tidy(struct series *series, const struct series_spec *spec, struct slab *slab,
                 int64_t now_ms)
{
    compact(series, spec, now_ms);
    uint32_t cap = series_cap(series);
    if (series->len == 0 || (cap > 8 && series->len * 2 < cap))
        series_resize(series, slab, series->len);
}

/* ---- adding ---- */

/* Makes room for more words where there is none; buckets move. */
static void series_make_room(struct series *series, const struct series_spec *spec,
                             struct slab *slab, uint32_t more, int64_t now_ms)
{
    uint32_t cap = series_cap(series);
    compact(series, spec, now_ms);
    /* Growing unless a quarter came free keeps compacting rare: amortised O(1) an event. */
    if ((uint64_t)(series->len + more) * 4 > (uint64_t)cap * 3)
        series_resize(series, slab, cap + more > cap + cap / 4 ? cap + more : cap + cap / 4);
}

/* The end, in words, of the last bucket that starts at or before start_ms. */
static uint32_t find_end(const struct series *series, const struct series_spec *spec,
                         int64_t start_ms)
{
    uint32_t at = series->len;
    while (at > 0 && head_start(series->words[at - 1]) > start_ms)
        at -= bucket_words(spec, series->words[at - 1]);
    return at;
}

/* Opens a gap of `more` words at word `at`. */
static void open_gap(struct series *series, uint32_t at, uint32_t more)
{
    memmove(series->words + at + more, series->words + at, (size_t)(series->len - at) * 8);
    series->len += more;
}

static void insert_one(struct series *series, const struct series_spec *spec, uint32_t at,
                       int64_t start_ms, double value)
{
    open_gap(series, at, one_words(spec));
    if (spec->has_value)
        memcpy(series->words + at, &value, sizeof value);
    series->words[at + one_words(spec) - 1] = head_of(start_ms, FORM_ONE);
}

/* The bucket of one event that ends at `end` becomes one of many; returns its new end. */
static uint32_t widen(struct series *series, const struct series_spec *spec, uint32_t end)
{
    uint64_t head = series->words[end - 1];
    uint32_t begin = end - one_words(spec);
    uint64_t acc[ACC_WORDS_MAX] = {0};
    bucket_merge(spec, series->words + begin, head, acc);
    open_gap(series, end, many_words(spec) - one_words(spec));
    memcpy(series->words + begin, acc, (size_t)spec->shape.words * 8);
    end = begin + many_words(spec);
    series->words[end - 1] = head_of(head_start(head), FORM_MANY);
    return end;
}

/* Where an event goes, and how many words more that takes. */
struct place {
    uint32_t end; /* of its bucket, or where a new one begins */
    uint32_t more;
    bool is_new;
};

static struct place find_place(const struct series *series, const struct series_spec *spec,
                               int64_t start_ms)
{
    uint32_t end = find_end(series, spec, start_ms);
    uint64_t head = end > 0 ? series->words[end - 1] : 0;
    if (end == 0 || head_start(head) != start_ms)
        return (struct place){end, one_words(spec), true};
    return (struct place){end, head_is_one(head) ? many_words(spec) - one_words(spec) : 0, false};
}

bool series_is_late(const struct series_spec *spec, int64_t ts_ms, int64_t now_ms)
{
    return hop_at(spec, ts_ms, now_ms) == 0;
}

bool series_add(struct series *series, const struct series_spec *spec, struct slab *slab,
                int64_t ts_ms, double value, int64_t now_ms)
{
    int64_t hop_ms = hop_at(spec, ts_ms, now_ms);
    if (hop_ms == 0)
        return false;
    int64_t start_ms = floor_to(ts_ms, hop_ms);
    struct place place = find_place(series, spec, start_ms);
    if (series->len + place.more > series_cap(series)) {
        series_make_room(series, spec, slab, place.more, now_ms);
        place = find_place(series, spec,
                           start_ms); /* buckets have moved, none needs more than before */
    }
    if (place.is_new) {
        insert_one(series, spec, place.end, start_ms, value);
        return true;
    }
    if (head_is_one(series->words[place.end - 1]))
        place.end = widen(series, spec, place.end);
    acc_add(&spec->shape, series->words + place.end - many_words(spec), value);
    return true;
}

/* ---- reading ---- */

void series_read(const struct series *series, const struct series_spec *spec, int64_t now_ms,
                 struct series_reading *ret)
{
    struct begins begins;
    begins_at(spec, now_ms, &begins);
    uint64_t acc[ACC_WORDS_MAX] = {0};
    size_t acc_size = (size_t)spec->shape.words * 8;
    int64_t oldest_ms = -1; /* of the buckets added so far */
    uint32_t at = series->len;
    ret->next_ms = INT64_MAX;
    for (size_t i = 0; i < spec->window_count; i++) {
        while (at > 0 && head_start(series->words[at - 1]) >= begins.from_ms[i]) {
            uint64_t head = series->words[at - 1];
            at -= bucket_words(spec, head);
            bucket_merge(spec, series->words + at, head, acc);
            oldest_ms = head_start(head);
        }
        size_t window = begins.window[i];
        memcpy(ret->acc[window], acc, acc_size);
        if (oldest_ms < 0)
            continue;
        int64_t leave_ms = window_leave(&spec->windows[window], oldest_ms);
        if (leave_ms < ret->next_ms)
            ret->next_ms = leave_ms;
    }
}

/* ---- bucket by bucket ---- */

bool series_walk(const struct series *series, const struct series_spec *spec, uint32_t *at,
                 struct series_bucket *ret)
{
    if (*at == 0)
        return false;
    uint64_t head = series->words[*at - 1];
    *at -= bucket_words(spec, head);
    *ret = (struct series_bucket){head_start(head), head_is_one(head), series->words + *at};
    return true;
}

uint32_t series_bucket_words(const struct series_spec *spec, bool is_one)
{
    return is_one ? one_words(spec) : many_words(spec);
}

void series_make(struct series *series, struct slab *slab, uint32_t words)
{
    CHECK(series->len == 0);
    series_resize(series, slab, words);
    series->len = words;
}

uint64_t *series_put(struct series *series, const struct series_spec *spec, uint32_t *at,
                     int64_t start_ms, bool is_one)
{
    uint32_t words = series_bucket_words(spec, is_one);
    CHECK(*at >= words);
    series->words[*at - 1] = head_of(start_ms, is_one ? FORM_ONE : FORM_MANY);
    *at -= words;
    return series->words + *at;
}

/* Puts what one or both of two buckets hold into a series; NULL: only counts the words. */
static void put_merged(struct series *series, const struct series_spec *spec, uint32_t *at,
                       const struct series_bucket *a, const struct series_bucket *b)
{
    bool is_one = b == NULL && a->is_one;
    if (series == NULL) {
        *at += series_bucket_words(spec, is_one);
        return;
    }
    uint64_t *words = series_put(series, spec, at, a->start_ms, is_one);
    if (b == NULL) {
        memcpy(words, a->words, (size_t)(series_bucket_words(spec, is_one) - 1) * 8);
        return;
    }
    uint64_t acc[ACC_WORDS_MAX] = {0};
    bucket_merge(spec, a->words, head_of(a->start_ms, a->is_one ? FORM_ONE : FORM_MANY), acc);
    bucket_merge(spec, b->words, head_of(b->start_ms, b->is_one ? FORM_ONE : FORM_MANY), acc);
    memcpy(words, acc, (size_t)spec->shape.words * 8);
}

/* Both, newest first, into ret from word `at` down; ret NULL: returns the words that takes. */
static uint32_t merge_into(struct series *ret, uint32_t at, const struct series_spec *spec,
                           const struct series *a, const struct series *b)
{
    uint32_t a_at = a->len;
    uint32_t b_at = b->len;
    struct series_bucket a_bucket;
    struct series_bucket b_bucket;
    bool has_a = series_walk(a, spec, &a_at, &a_bucket);
    bool has_b = series_walk(b, spec, &b_at, &b_bucket);
    while (has_a || has_b) {
        bool takes_a = has_a && (!has_b || a_bucket.start_ms >= b_bucket.start_ms);
        bool takes_b = has_b && (!has_a || b_bucket.start_ms >= a_bucket.start_ms);
        put_merged(ret, spec, &at, takes_a ? &a_bucket : &b_bucket,
                   takes_a && takes_b ? &b_bucket : NULL);
        if (takes_a)
            has_a = series_walk(a, spec, &a_at, &a_bucket);
        if (takes_b)
            has_b = series_walk(b, spec, &b_at, &b_bucket);
    }
    return at;
}

void series_merge(struct series *series, const struct series_spec *spec, struct slab *slab,
                  struct series *other)
{
    struct series merged = {0};
    series_make(&merged, slab, merge_into(NULL, 0, spec, series, other));
    (void)merge_into(&merged, merged.len, spec, series, other);
    series_fini(series, slab);
    series_fini(other, slab);
    *series = merged;
}

int64_t series_begin(const struct series_spec *spec, int64_t now_ms)
{
    int64_t begin_ms = INT64_MAX;
    for (size_t i = 0; i < spec->window_count; i++) {
        int64_t from_ms = window_from(&spec->windows[i], now_ms);
        if (from_ms < begin_ms)
            begin_ms = from_ms;
    }
    return begin_ms;
}
