/* An entity's state as bytes: it comes back as it was, it is small, and no other bytes are one. */
#include "tidewheel/snapshot.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "snapshot_kit.h"
#include "tidewheel/num.h"
#include "unit.h"

#define HEAD(features)                                                                             \
    "view: v\nsource: {topic: t, timestamp: {field: ts, unit: ms}}\n"                              \
    "entity: {type: user, keys: [{field: user_id, type: string}]}\nfeatures:\n" features

static const char *const VIEWS[] = {
    HEAD(
        "  - {name: a, value: x, aggregates: [count, sum, min, max, avg], windows: [1h, 24h, 7d]}\n"
        "  - {name: b, aggregates: [count], windows: [1h, 24h]}\n"),
    HEAD("  - {name: a, value: x, aggregates: [sum], windows: [10s, 1m]}\n"
         "  - {name: b, value: x, aggregates: [min], windows: [1s]}\n"
         "  - {name: c, value: x, aggregates: [max], windows: [1h]}\n"
         "  - {name: d, value: x, aggregates: [avg], windows: [5m, 1h, 30d]}\n"
         "  - {name: e, value: x, aggregates: [count], windows: [24h]}\n"),
    HEAD("  - {name: a, value: x, aggregates: [sum, max], windows: [{length: 400d, hop: 1ms}]}\n"
         "  - {name: b, aggregates: [count], windows: [{length: 400d, hop: 1ms}, 1h]}\n"
         "  - {name: c, value: x, aggregates: [min, avg], windows: [{length: 1h, hop: 30m}, "
         "90m]}\n"),
};

enum { VIEW_COUNT = sizeof VIEWS / sizeof VIEWS[0] };

static struct catalog *many_features(void)
{
    struct buf text = {0};
    buf_add_text(&text, HEAD(""));
    for (int i = 0; i < FEATURES_MAX; i++)
        buf_printf(&text, "  - {name: f%d, %s, windows: [{length: 400d, hop: 1ms}]}\n", i,
                   i % 2 == 0 ? "aggregates: [count]" : "value: x, aggregates: [sum]");
    struct catalog *catalog = catalog_of(buf_text(&text));
    buf_fini(&text);
    return catalog;
}

/* ---- random entities ---- */

static unsigned seed_printed(void)
{
    unsigned seed = (unsigned)time(NULL);
    printf("seed %u\n", seed);
    srand(seed);
    return seed;
}

static int64_t random_ms(int64_t limit_ms)
{
    return (int64_t)((double)limit_ms * ((double)rand() / ((double)RAND_MAX + 1)));
}

/* Sums of these are exact in any order: twenty bits each, all of one size; near the largest doubles
 * they are kept scaled. */
static double random_value(int exponent)
{
    return ldexp(rand() % 2000001 - 1000000, exponent);
}

static const int EXPONENTS[] = {0, 0, -2, 985, 1003, -1000};

struct history {
    int64_t now_ms;
    int64_t longest_ms;
    int exponent;
};

static struct history history_begin(const struct view *view)
{
    return (struct history){NOW + random_ms(HOUR), view->longest_ms,
                            EXPONENTS[(size_t)rand() % (sizeof EXPONENTS / sizeof EXPONENTS[0])]};
}

/* One event: mostly of now, often in the bucket of another, sometimes late or a little early. */
static void history_step(struct history *history, struct rig *const *rigs, size_t count)
{
    const struct view *view = rigs[0]->view;
    size_t feature = (size_t)rand() % view->feature_count;
    const struct window *windows = view->features[feature].windows;
    int64_t reach_ms = windows[(size_t)rand() % view->features[feature].window_count].length_ms;
    if (rand() % 3 == 0)
        history->now_ms += random_ms(reach_ms / (rand() % 8 == 0 ? 4 : 50));
    int64_t ts_ms = history->now_ms + rand() % 200;
    if (rand() % 4 == 0)
        ts_ms = history->now_ms - random_ms(reach_ms + reach_ms / 8);
    double value = random_value(history->exponent);
    bool is_tidied = rand() % 40 == 0;
    for (size_t i = 0; i < count; i++) {
        rig_add(rigs[i], feature, ts_ms, value, history->now_ms);
        if (is_tidied && rand() % 2 == 0)
            rig_tidy(rigs[i], history->now_ms);
    }
}

static void check_same(const struct rig *a, const struct rig *b, int64_t now_ms, unsigned seed)
{
    for (size_t i = 0; i < a->view->feature_count; i++) {
        const struct series_spec *spec = &a->view->features[i].series;
        struct series_reading readings[2];
        series_read(&a->entity->series[i], spec, now_ms, &readings[0]);
        series_read(&b->entity->series[i], spec, now_ms, &readings[1]);
        ck_assert_msg(readings[0].next_ms == readings[1].next_ms, "seed %u", seed);
        for (size_t op = 0; op < op_count; op++) {
            if ((op_rows[op].parts & ~spec->shape.parts) != 0)
                continue;
            for (size_t window = 0; window < spec->window_count; window++) {
                struct reading one = op_read(&op_rows[op], &spec->shape, readings[0].acc[window]);
                struct reading two = op_read(&op_rows[op], &spec->shape, readings[1].acc[window]);
                ck_assert_msg(reading_is_equal(&one, &two), "seed %u: %s of %zu at %lld", seed,
                              op_rows[op].name, i, (long long)now_ms);
            }
        }
    }
    ck_assert_int_eq(a->entity->newest_ms, b->entity->newest_ms);
}

/* ... until nothing is alive. */
static void check_same_for_ever(const struct rig *a, const struct rig *b, int64_t now_ms,
                                unsigned seed)
{
    for (int i = 0; i < 12; i++, now_ms += 1 + random_ms(a->view->longest_ms / 8))
        check_same(a, b, now_ms, seed);
}

START_TEST(what_was_written_reads_the_same_also_after_further_events)
{
    unsigned seed = seed_printed();
    struct buf blob = {0};
    for (int round = 0; round < 300; round++) {
        struct catalog *catalog = catalog_of(VIEWS[round % VIEW_COUNT]);
        struct rig twin;
        struct rig restored;
        rig_init(&twin, catalog->views[0], "u1");
        rig_init(&restored, catalog->views[0], "u1");
        struct history history = history_begin(catalog->views[0]);
        for (int i = rand() % 300; i > 0; i--)
            history_step(&history, (struct rig *[]){&twin}, 1);
        struct snapshot snapshot;
        struct err err;
        int64_t later_ms = rand() % 2 == 0 ? history.now_ms : history.now_ms + random_ms(DAY);
        rig_write(&twin, round, (uint8_t)(round % 2), history.now_ms, &blob);
        ck_assert_msg(rig_restore(&restored, buf_slice(&blob), later_ms, &snapshot, &err) == 0,
                      "seed %u: %s", seed, err.text);
        ck_assert_int_eq(snapshot.applied, round);
        ck_assert_int_eq(snapshot.newest_ms, twin.entity->newest_ms);
        ck_assert_int_eq(snapshot.next_ms, rig_next(&twin, history.now_ms));
        ck_assert_int_eq(snapshot.flags, round % 2 == 0 ? 0 : SNAPSHOT_OWED);
        check_same_for_ever(&twin, &restored, later_ms, seed);
        history.now_ms = later_ms;
        for (int i = rand() % 200; i > 0; i--) {
            history_step(&history, (struct rig *[]){&twin, &restored}, 2);
            check_same(&twin, &restored, history.now_ms, seed);
        }
        check_same_for_ever(&twin, &restored, history.now_ms, seed);
        rig_fini(&twin);
        rig_fini(&restored);
        catalog_free(catalog);
    }
    buf_fini(&blob);
}
END_TEST

/* No two buckets begin at once, and they are sorted. */
static void check_sorted(const struct rig *rig, unsigned seed)
{
    for (size_t i = 0; i < rig->view->feature_count; i++) {
        const struct series *series = &rig->entity->series[i];
        struct series_bucket bucket;
        int64_t newer_ms = INT64_MAX;
        for (uint32_t at = series->len;
             series_walk(series, &rig->view->features[i].series, &at, &bucket);) {
            ck_assert_msg(bucket.start_ms < newer_ms, "seed %u", seed);
            newer_ms = bucket.start_ms;
        }
    }
}

START_TEST(a_blob_is_merged_into_later_events_of_the_same_entity)
{
    unsigned seed = seed_printed();
    struct buf blob = {0};
    for (int round = 0; round < 300; round++) {
        struct catalog *catalog = catalog_of(VIEWS[round % VIEW_COUNT]);
        struct rig twin;
        struct rig early;
        struct rig late;
        rig_init(&twin, catalog->views[0], "u1");
        rig_init(&early, catalog->views[0], "u1");
        rig_init(&late, catalog->views[0], "u1");
        struct history history = history_begin(catalog->views[0]);
        for (int i = rand() % 100; i > 0; i--)
            history_step(&history, (struct rig *[]){&twin, &early}, 2);
        rig_write(&early, 5, 0, history.now_ms, &blob);
        for (int i = rand() % 40; i > 0; i--)
            history_step(&history, (struct rig *[]){&twin, &late}, 2);
        struct snapshot snapshot;
        struct err err;
        ck_assert_msg(rig_restore(&late, buf_slice(&blob), history.now_ms, &snapshot, &err) == 0,
                      "seed %u: %s", seed, err.text);
        check_sorted(&late, seed);
        check_same_for_ever(&twin, &late, history.now_ms, seed);
        for (int i = rand() % 100; i > 0; i--)
            history_step(&history, (struct rig *[]){&twin, &late}, 2);
        check_same_for_ever(&twin, &late, history.now_ms, seed);
        rig_fini(&twin);
        rig_fini(&early);
        rig_fini(&late);
        catalog_free(catalog);
    }
    buf_fini(&blob);
}
END_TEST

/* ---- size ---- */

/* Adds the blob's share of what it may be at most to *ret. */
static void check_size(const struct rig *rig, const struct history *history, unsigned seed,
                       double *ret)
{
    struct buf blob = {0};
    rig_write(rig, random_ms(INT64_C(1) << 55), 1, history->now_ms, &blob);
    double most = 1.3 * (double)rig_bytes(rig) + 24;
    ck_assert_msg((double)blob.len <= most, "seed %u: %zu bytes of %g", seed, blob.len, most);
    *ret += (double)blob.len / most;
    buf_fini(&blob);
}

START_TEST(a_blob_is_at_most_1_3_times_its_buckets_and_24_bytes)
{
    unsigned seed = seed_printed();
    double share = 0;
    int count = 0;
    for (int round = 0; round < 400; round++) {
        int kind = round % (VIEW_COUNT + 1);
        struct catalog *catalog = kind == VIEW_COUNT ? many_features() : catalog_of(VIEWS[kind]);
        struct rig rig;
        rig_init(&rig, catalog->views[0], "u1");
        struct history history = history_begin(catalog->views[0]);
        for (int i = 0; i <= round % 80; i++, count++) {
            check_size(&rig, &history, seed, &share);
            history_step(&history, (struct rig *[]){&rig}, 1);
        }
        rig_fini(&rig);
        catalog_free(catalog);
    }
    printf("mean share of the limit: %.3f\n", share / count);
}
END_TEST

START_TEST(the_last_feature_alone_with_the_longest_numbers_is_within_the_limit)
{
    struct catalog *catalog = many_features();
    for (int last = FEATURES_MAX - 2; last < FEATURES_MAX; last++) {
        struct rig rig;
        struct buf blob = {0};
        rig_init(&rig, catalog->views[0], "u1");
        int64_t end_ms = TIMESTAMP_END_MS - 1;
        rig_add(&rig, (size_t)last, end_ms - 399 * DAY, 0.1, end_ms);
        rig.entity->newest_ms = end_ms;
        rig_write(&rig, (INT64_C(1) << 55) - 2, 0, end_ms, &blob);
        ck_assert_uint_le(blob.len, (size_t)(1.3 * 16 + 24));
        struct snapshot snapshot;
        ck_assert_int_eq(rig_restore(&rig, buf_slice(&blob), end_ms, &snapshot, NULL), 0);
        buf_fini(&blob);
        rig_fini(&rig);
    }
    catalog_free(catalog);
}
END_TEST

START_TEST(an_entity_without_buckets_takes_at_most_24_bytes)
{
    struct catalog *catalog = many_features();
    struct rig rig;
    struct buf blob = {0};
    struct snapshot snapshot;
    rig_init(&rig, catalog->views[0], "u1");
    rig_write(&rig, INT64_MAX - 1, SNAPSHOT_OWED, NOW, &blob);
    ck_assert_uint_le(blob.len, 24);
    ck_assert_int_eq(rig_restore(&rig, buf_slice(&blob), NOW, &snapshot, NULL), 0);
    ck_assert_int_eq(snapshot.applied, INT64_MAX - 1);
    ck_assert_int_eq(snapshot.newest_ms, -1);
    ck_assert_int_eq(snapshot.next_ms, INT64_MAX);
    ck_assert_int_eq(snapshot.flags, SNAPSHOT_OWED);
    rig_write(&rig, -1, 0, NOW, &blob);
    ck_assert_int_eq(rig_restore(&rig, buf_slice(&blob), NOW, &snapshot, NULL), 0);
    ck_assert_int_eq(snapshot.applied, -1);
    buf_fini(&blob);
    rig_fini(&rig);
    catalog_free(catalog);
}
END_TEST

START_TEST(a_restored_series_takes_the_memory_that_it_needs_and_no_more)
{
    struct catalog *catalog = catalog_of(VIEWS[0]);
    struct rig rig;
    struct rig restored;
    struct buf blob = {0};
    struct snapshot snapshot;
    rig_init(&rig, catalog->views[0], "u1");
    rig_init(&restored, catalog->views[0], "u1");
    for (int i = 0; i < 13; i++)
        rig_add(&rig, 0, NOW + i * MINUTE, i, NOW + i * MINUTE);
    rig_write(&rig, 1, 0, NOW + HOUR, &blob);
    ck_assert_int_eq(rig_restore(&restored, buf_slice(&blob), NOW + HOUR, &snapshot, NULL), 0);
    const struct series *series = &restored.entity->series[0];
    ck_assert_uint_eq(series->len, 26);
    ck_assert_uint_eq(series->size_class, slab_class_of((size_t)26 * 8));
    ck_assert_ptr_null(restored.entity->series[1].words);
    rig_fini(&restored);
    rig_init(&restored, catalog->views[0], "u1");
    ck_assert_int_eq(rig_restore(&restored, buf_slice(&blob), NOW + 8 * DAY, &snapshot, NULL), 0);
    ck_assert_ptr_null(restored.entity->series[0].words); /* no window holds any of it */
    buf_fini(&blob);
    rig_fini(&rig);
    rig_fini(&restored);
    catalog_free(catalog);
}
END_TEST

/* ---- what is no blob ---- */

/* An entity that has every form, and its blob; and one with other events, which must stay as it is. */
struct bench {
    struct catalog *catalog;
    struct rig rig;
    struct rig other;
    struct series before[2];
    struct buf blob;
};

static void bench_init(struct bench *ret)
{
    memset(ret, 0, sizeof *ret);
    ret->catalog = catalog_of(VIEWS[0]);
    rig_init(&ret->rig, ret->catalog->views[0], "u1");
    rig_init(&ret->other, ret->catalog->views[0], "u1");
    for (int i = 0; i < 4; i++) {
        rig_add(&ret->rig, 0, NOW + i / 2 * HOUR, 0.1 * i, NOW + HOUR);
        rig_add(&ret->rig, 0, NOW + i * HOUR, 1, NOW + i * HOUR);
        rig_add(&ret->rig, 1, NOW + i / 3 * HOUR, 0, NOW + i * HOUR);
    }
    rig_add(&ret->other, 0, NOW, 7, NOW);
    memcpy(ret->before, ret->other.entity->series, sizeof ret->before);
    rig_write(&ret->rig, 300, 0, NOW + 3 * HOUR, &ret->blob);
}

static void bench_fini(struct bench *bench)
{
    buf_fini(&bench->blob);
    rig_fini(&bench->rig);
    rig_fini(&bench->other);
    catalog_free(bench->catalog);
}

static void check_refused(struct bench *bench, struct slice bytes, const char *definition,
                          const char *identity, const char *sentence)
{
    struct snapshot snapshot = {.applied = 77};
    struct err err = {0};
    char *copy = mem_alloc(bytes.len + 1); /* of its own size, so that a step beyond it is seen */
    memcpy(copy, bytes.ptr, bytes.len);
    int code = snapshot_read((struct slice){copy, bytes.len}, bench->other.view, definition,
                             slice_of(identity), NOW, bench->other.slab,
                             bench->other.entity->series, &snapshot, &err);
    free(copy);
    ck_assert_int_eq(code, ERR_INPUT);
    ck_assert_msg(strstr(err.text, sentence) != NULL, "'%s' instead of '%s'", err.text, sentence);
    ck_assert_int_eq(snapshot.applied, 77);
    ck_assert(memcmp(bench->before, bench->other.entity->series, sizeof bench->before) == 0);
}

START_TEST(any_other_byte_and_any_cut_is_refused_and_nothing_changes)
{
    struct bench bench;
    bench_init(&bench);
    for (size_t i = 0; i < bench.blob.len; i++) {
        for (int change = 1; change < 256; change++) {
            bench.blob.ptr[i] = (char)(bench.blob.ptr[i] ^ change);
            check_refused(&bench, buf_slice(&bench.blob), DEFINITION, "u1", "the state of an");
            bench.blob.ptr[i] = (char)(bench.blob.ptr[i] ^ change);
        }
        check_refused(&bench, (struct slice){bench.blob.ptr, i}, DEFINITION, "u1", "expected");
    }
    buf_add_char(&bench.blob, 0);
    check_refused(&bench, buf_slice(&bench.blob), DEFINITION, "u1", "checksum");
    bench_fini(&bench);
}
END_TEST

START_TEST(a_blob_of_another_entity_or_of_another_definition_is_refused)
{
    struct bench bench;
    struct snapshot snapshot;
    struct slice blob = {0};
    bench_init(&bench);
    blob = buf_slice(&bench.blob);
    check_refused(&bench, blob, DEFINITION, "u2", "of another entity or of another definition");
    check_refused(&bench, blob, DEFINITION, "u", "of another entity or of another definition");
    check_refused(&bench, blob, DEFINITION, "", "of another entity or of another definition");
    check_refused(&bench, blob, "10112233445566778899aabbccddeeff", "u1", "of another definition");
    ck_assert_int_eq(rig_restore(&bench.other, blob, NOW, &snapshot, NULL), 0);
    bench_fini(&bench);
}
END_TEST

START_TEST(a_blob_of_format_2_is_refused_by_name)
{
    struct bench bench;
    bench_init(&bench);
    bench.blob.ptr[0] = 2;
    check_refused(&bench, buf_slice(&bench.blob), DEFINITION, "u1",
                  "has format 2, expected format 1");
    bench_fini(&bench);
}
END_TEST

/* Behind the checksum: bytes for the first view in hex, and what is wrong with them. */
static const struct {
    const char *hex;
    const char *sentence;
} HOSTILE[] = {
    {"0102010000", "a flag is not known"},
    {"0100ffffffffffffffffff020000", "a number has more than 64 bits"},
    {"0100ffffffffffffffffff0100", "it ends within a number"},
    {"0100ffffffffffffffffff010000", "an offset or a time is out of range"},
    {"010081000000", "a number is longer than it has to be"},
    {"01000181b8ff90fdce3900", "an offset or a time is out of range"},
    {"0100010102", "an offset or a time is out of range"},
    {"0100010183f0fa9ffda173", "an offset or a time is out of range"},
    {"01000101ffffffffffffffffff01", "an offset or a time is out of range"},
    {"010001000000", "a number of buckets is out of range"},
    {"010001000001", "it ends within a number"},
    {"01000100000100", "no features are left out"},
    {"0100010000010102", "a number of buckets is out of range"},
    {"0100010000030202", "it has more features than the view"},
    {"010001000003ffffffffffffffffff0102", "it has more features than the view"},
    {"01000100000301020202", "bytes follow its last feature"},
    {"010001000002020000000000000000030102", "it has more features than the view"},
    {"01000100000602", "a number of buckets is out of range"},
    {"0100010000808080801002", "a number of buckets is out of range"},
    {"0100010000feffffffffffffffff0102", "a number of buckets is out of range"},
    {"0100010000020200000000000000", "it ends within a value"},
    {"01000100000202000000000000f07f", "a value is not finite"},
    {"01000100000202000000000000f0ff", "a value is not finite"},
    {"01000100000202010000000000f87f", "a value is not finite"},
    {"0100010000030104", "a bucket is out of time"},
    {"010001000005010202", "a bucket is out of time"},
    {"0100010000050102feffffffffffffffff01", "a bucket is out of time"},
    {"01000100000301829af1ee7d", "a bucket is out of time"},
    {"01000100000301feffffffffffffffff01", "a bucket is out of time"},
    {"010001000005010282", "it ends within a number"},
    {"010001000003010300", "a count is out of range"},
    {"010001000003010380808080808040", "a count is out of range"},
    {"0100010000020b020000000000000000", "half a sum is zero"},
    {"0100010000020b02010000000000f87f", "a value is not finite"},
    {"0100010000020f02000000000000f03f000000000000f0ff", "a value is not finite"},
    {"010001000002090200000000000000000000000000000000", "an extreme is not of a finite value"},
    {"0100010000020902ffffffffffffffff0000000000000000", "an extreme is not of a finite value"},
    {"0100010000020902ffffffffffff0f000000000000000000", "an extreme is not of a finite value"},
    {"0100010000020902000000000000f03f000000000000f0ff", "an extreme is not of a finite value"},
    {"0100010000020902000000000000f03f00000000000000", "it ends within a value"},
};

static void add_hex(struct buf *ret, const char *hex)
{
    for (size_t i = 0; hex[i] != '\0'; i += 2) {
        char digits[3] = {hex[i], hex[i + 1], '\0'};
        buf_add_char(ret, (char)strtoul(digits, NULL, 16));
    }
}

static void add_checksum(struct buf *bytes)
{
    uint32_t checksum = snapshot_checksum(buf_slice(bytes), slice_of("u1"), DEFINITION);
    for (int i = 0; i < 4; i++)
        buf_add_char(bytes, (char)(checksum >> 8 * i));
}

START_TEST(bytes_with_a_right_checksum_are_refused_for_what_they_say)
{
    struct bench bench;
    bench_init(&bench);
    for (size_t i = 0; i < sizeof HOSTILE / sizeof HOSTILE[0]; i++) {
        struct buf bytes = {0};
        add_hex(&bytes, HOSTILE[i].hex);
        add_checksum(&bytes);
        check_refused(&bench, buf_slice(&bytes), DEFINITION, "u1", HOSTILE[i].sentence);
        buf_fini(&bytes);
    }
    bench_fini(&bench);
}
END_TEST

/* ---- golden blobs: a later format must still read these ---- */

/* Each is a file of tests/unit/blobs: what the blob is of, its bytes, what is to be read off it, and
 * the view. They are made anew, which only an error in format 1 itself would be a reason for, by
 *
 *     WRITE_BLOBS=1 build/tests/test_snapshot         in the tree's root
 */
#define BLOBS "tests/unit/blobs"

struct golden {
    const struct view *view;
    const char *view_text;
    char identity[64];
    int64_t now_ms;
    const char *hex;
};

static void add_reading(const struct reading *reading, struct buf *ret)
{
    char text[NUM_TEXT_MAX];
    if (reading->kind == READING_COUNT)
        buf_add(ret, text, num_format_uint64(reading->count, text));
    else if (reading->kind == READING_NUMBER)
        buf_add(ret, text, num_format(reading->number, text));
    else
        buf_add_text(ret, reading->kind == READING_NONE ? "none" : "overflow");
}

static void add_readings(const struct rig *rig, int64_t now_ms, struct buf *ret)
{
    struct series_reading reading;
    for (size_t i = 0; i < rig->view->field_count; i++) {
        const struct output_field *field = &rig->view->fields[i];
        const struct series_spec *spec = &rig->view->features[field->feature].series;
        series_read(&rig->entity->series[field->feature], spec, now_ms, &reading);
        struct reading value = op_read(field->op, &spec->shape, reading.acc[field->window]);
        buf_printf(ret, "at %lld %s ", (long long)now_ms, field->name);
        add_reading(&value, ret);
        buf_add_char(ret, '\n');
    }
}

/* The whole file, as this version reads the blob. */
static void render(const struct golden *golden, struct buf *ret)
{
    static const int64_t LATER_MS[] = {0, 40 * MINUTE, 7 * DAY - HOUR};
    struct rig rig;
    struct snapshot snapshot;
    struct err err = {0};
    struct buf blob = {0};
    rig_init(&rig, golden->view, golden->identity);
    add_hex(&blob, golden->hex);
    int code = rig_restore(&rig, buf_slice(&blob), golden->now_ms, &snapshot, &err);
    ck_assert_msg(code == 0, "%s: %s", golden->hex, err.text);
    buf_printf(ret, "identity %s\nnow %lld\nblob %s\n", golden->identity, (long long)golden->now_ms,
               golden->hex);
    buf_printf(ret, "applied %lld\nnewest %lld\nnext %lld\nflags %u\n", (long long)snapshot.applied,
               (long long)snapshot.newest_ms, (long long)snapshot.next_ms, snapshot.flags);
    for (size_t i = 0; i < sizeof LATER_MS / sizeof LATER_MS[0]; i++)
        add_readings(&rig, golden->now_ms + LATER_MS[i], ret);
    buf_add_text(ret, golden->view_text);
    buf_fini(&blob);
    rig_fini(&rig);
}

/* Events of some features of a view, each step_ms after the one before, or before it; the values
 * go up by `more`. */
static const struct made {
    const char *file;
    const char *identity;
    int view;
    unsigned features; /* a bit for each */
    int count;
    int64_t step_ms;
    double first;
    double more;
    int64_t applied;
    uint8_t flags;
} MADE[] = {
    {"one_event", "u1", 0, 1, 1, 0, 129.95, 0, 0, 0},
    {"one_counted", "u1", 0, 2, 1, 0, 0, 0, 12, 0},
    {"both_features", "o1:p%3A2", 0, 3, 9, 7 * MINUTE, -2.5, 0.75, 123456789, 0},
    {"a_week", "u2", 0, 3, 400, 25 * MINUTE, 1, 0.01, INT64_C(1) << 40, 0},
    {"late_events", "u3", 0, 3, 60, -2 * HOUR, 10, 1.25, 300, 0},
    {"one_bucket_of_many", "u4", 0, 1, 50, 100, 0.1, 0.1, 301, 0},
    {"sum_with_both_halves", "u5", 0, 1, 3, SECOND, 0.1, 1e16, 302, 0},
    {"sum_kept_scaled", "u6", 0, 1, 5, 20 * SECOND, 1.7e308, -1e307, 303, 0},
    {"sum_of_nothing", "u7", 0, 1, 3, SECOND, -1, 1, 304, 0},
    {"tiny_values", "u8", 0, 1, 4, 90 * SECOND, 5e-324, 5e-324, 305, 0},
    {"owed_and_empty", "u9", 0, 0, 0, 0, 0, 0, 306, SNAPSHOT_OWED},
    {"never_applied", "u10", 0, 2, 2, HOUR, 0, 0, -1, SNAPSHOT_OWED},
    {"single_parts", "u11", 1, 31, 30, 4 * SECOND, 3, -0.5, 307, 0},
    {"single_parts_with_gaps", "u12", 1, 18, 5, 40 * MINUTE, 3, 2, 308, 0},
    {"hops_of_1_ms", "u13", 2, 7, 6, 13 * DAY + 1, 1e-3, 1e3, 309, 0},
};

static void write_blob(const struct made *made)
{
    struct catalog *catalog = catalog_of(VIEWS[made->view]);
    struct rig rig;
    struct golden golden = {
        .view = catalog->views[0], .view_text = VIEWS[made->view], .now_ms = NOW};
    rig_init(&rig, golden.view, made->identity);
    for (int i = 0; i < made->count; i++) {
        int64_t ts_ms = NOW + i * made->step_ms;
        golden.now_ms = ts_ms > NOW ? ts_ms : NOW;
        for (size_t feature = 0; feature < golden.view->feature_count; feature++)
            if ((made->features >> feature & 1) != 0)
                rig_add(&rig, feature, ts_ms, made->first + made->more * i, golden.now_ms);
    }
    struct buf blob = {0};
    struct buf hex = {0};
    struct buf text = {0};
    char path[128];
    rig_tidy(&rig, golden.now_ms);
    rig_write(&rig, made->applied, made->flags, golden.now_ms, &blob);
    for (size_t i = 0; i < blob.len; i++)
        buf_printf(&hex, "%02x", (unsigned char)blob.ptr[i]);
    golden.hex = buf_text(&hex);
    (void)snprintf(golden.identity, sizeof golden.identity, "%s", made->identity);
    render(&golden, &text);
    (void)snprintf(path, sizeof path, BLOBS "/%s.txt", made->file);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text.ptr, 1, text.len, file), text.len);
    (void)fclose(file);
    buf_fini(&blob);
    buf_fini(&hex);
    buf_fini(&text);
    rig_fini(&rig);
    catalog_free(catalog);
}

static void read_file(const char *name, struct buf *ret)
{
    char path[512];
    (void)snprintf(path, sizeof path, BLOBS "/%s", name);
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s: cannot be read", path);
    for (int byte = fgetc(file); byte != EOF; byte = fgetc(file))
        buf_add_char(ret, (char)byte);
    (void)fclose(file);
}

static void check_golden(const char *name)
{
    struct buf file = {0};
    struct buf seen = {0};
    char hex[16384];
    long long now_ms = 0;
    struct golden golden = {0};
    read_file(name, &file);
    int found = sscanf(buf_text(&file), "identity %63s now %lld blob %16383s", golden.identity,
                       &now_ms, hex);
    ck_assert_msg(found == 3, "%s: not such a file", name);
    golden.view_text = strstr(buf_text(&file), "\nview: ") + 1;
    golden.now_ms = now_ms;
    golden.hex = hex;
    struct catalog *catalog = catalog_of(golden.view_text);
    golden.view = catalog->views[0];
    render(&golden, &seen);
    ck_assert_msg(strcmp(buf_text(&file), buf_text(&seen)) == 0, "%s: read as\n%s", name,
                  buf_text(&seen));
    buf_fini(&file);
    buf_fini(&seen);
    catalog_free(catalog);
}

START_TEST(a_later_format_must_still_read_these)
{
    bool is_writing = getenv("WRITE_BLOBS") != NULL;
    for (size_t i = 0; i < sizeof MADE / sizeof MADE[0] && is_writing; i++)
        write_blob(&MADE[i]);
    int count = 0;
    DIR *folder = opendir(BLOBS);
    ck_assert_msg(folder != NULL, BLOBS " is not there: run this in the tree's root");
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (entry->d_name[0] == '.')
            continue;
        check_golden(entry->d_name);
        count++;
    }
    (void)closedir(folder);
    ck_assert_int_ge(count, 12);
}
END_TEST

UNIT_MAIN("snapshot", what_was_written_reads_the_same_also_after_further_events,
          a_blob_is_merged_into_later_events_of_the_same_entity,
          a_blob_is_at_most_1_3_times_its_buckets_and_24_bytes,
          the_last_feature_alone_with_the_longest_numbers_is_within_the_limit,
          an_entity_without_buckets_takes_at_most_24_bytes,
          a_restored_series_takes_the_memory_that_it_needs_and_no_more,
          any_other_byte_and_any_cut_is_refused_and_nothing_changes,
          a_blob_of_another_entity_or_of_another_definition_is_refused,
          a_blob_of_format_2_is_refused_by_name,
          bytes_with_a_right_checksum_are_refused_for_what_they_say,
          a_later_format_must_still_read_these)
