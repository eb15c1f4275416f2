#include "tidewheel/meta.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "tidewheel/mem.h"
#include "unit.h"

static const char OWN[] = "0123456789abcdef0123456789abcdef";
static const char DEFINITION[] = "fedcba9876543210fedcba9876543210";

static void take(struct meta *meta, const char *field, const char *value)
{
    meta_take(meta, slice_of(field), slice_of(value));
}

/* What one field of a unit, alone, is read as. */
static struct meta meta_with(const char *field, const char *value)
{
    struct meta meta;
    meta_init(&meta);
    take(&meta, field, value);
    return meta;
}

START_TEST(a_unit_is_found_once_it_has_an_owner_and_a_count)
{
    struct meta meta;
    meta_init(&meta);
    ck_assert(!meta.is_found);
    take(&meta, "seq", "7");
    ck_assert(!meta.is_found);
    take(&meta, "own", OWN);
    ck_assert(meta.is_found);
    ck_assert_str_eq(meta.own, OWN);
    ck_assert_int_eq(meta.seq, 7);
    meta_fini(&meta);
    ck_assert(!meta.is_found);
}
END_TEST

START_TEST(every_field_of_a_unit_is_read)
{
    struct meta meta;
    meta_init(&meta);
    take(&meta, "who", "host/42/worker 1");
    take(&meta, "saved", "1700000000000");
    take(&meta, "clock", "1700000000001");
    take(&meta, "anchor", "41 1699999999999 00ff00ff00ff00fe");
    take(&meta, "topo", "Nk018hRAQFytWskYqtQduw 12");
    take(&meta, "fmt", "1");
    take(&meta, "try", "3");
    take(&meta, "trying", "42 2");
    ck_assert_str_eq(meta.who, "host/42/worker 1");
    ck_assert_int_eq(meta.saved_ms, INT64_C(1700000000000));
    ck_assert_int_eq(meta.clock_ms, INT64_C(1700000000001));
    ck_assert_int_eq(meta.anchor.offset, 41);
    ck_assert_int_eq(meta.anchor.timestamp_ms, INT64_C(1699999999999));
    ck_assert_uint_eq(meta.anchor.checksum, UINT64_C(0x00ff00ff00ff00fe));
    ck_assert_str_eq(meta.cluster, "Nk018hRAQFytWskYqtQduw");
    ck_assert_int_eq(meta.partition_count, 12);
    ck_assert_int_eq(meta.format, META_FORMAT);
    ck_assert_int_eq(meta.tries, 3);
    ck_assert_int_eq(meta.trying, 42);
    ck_assert_int_eq(meta.trying_deaths, 2);
    meta_fini(&meta);
}
END_TEST

START_TEST(every_field_of_a_view_is_read_under_its_name)
{
    struct meta meta;
    meta_init(&meta);
    take(&meta, "b:gen", "9");
    take(&meta, "a.b-c:def", DEFINITION);
    take(&meta, "a.b-c:out", "1 x");
    take(&meta, "a.b-c:gen", "2");
    take(&meta, "a.b-c:prog", "100");
    take(&meta, "a.b-c:clock", "5");
    take(&meta, "a.b-c:said", "6");
    take(&meta, "a.b-c:cover", "0");
    const struct meta_view *view = meta_view_of(&meta, "a.b-c");
    ck_assert_ptr_nonnull(view);
    ck_assert_str_eq(view->definition, DEFINITION);
    ck_assert_str_eq(view->output, "1 x");
    ck_assert_int_eq(view->gen, 2);
    ck_assert_int_eq(view->progress, 100);
    ck_assert_int_eq(view->clock_ms, 5);
    ck_assert_int_eq(view->said_ms, 6);
    ck_assert_int_eq(view->cover_ms, 0);
    ck_assert_int_eq(meta_view_of(&meta, "b")->progress, -1);
    ck_assert_ptr_null(meta_view_of(&meta, "b")->definition);
    ck_assert_ptr_null(meta_view_of(&meta, "a"));
    ck_assert_uint_eq(meta.view_count, 2);
    meta_fini(&meta);
}
END_TEST

START_TEST(old_generations_stand_beside_the_view)
{
    struct meta meta;
    meta_init(&meta);
    take(&meta, "v:old:1", "1 one");
    take(&meta, "v:old:2", "1 two");
    ck_assert_ptr_null(meta_view_of(&meta, "v"));
    take(&meta, "v:gen", "3");
    ck_assert_uint_eq(meta.view_count, 3);
    ck_assert_int_eq(meta_view_of(&meta, "v")->gen, 3);
    for (size_t i = 0; i < 2; i++) {
        ck_assert(meta.views[i].is_old);
        ck_assert_int_eq(meta.views[i].gen, (int64_t)i + 1);
        ck_assert_str_eq(meta.views[i].output, i == 0 ? "1 one" : "1 two");
    }
    meta_fini(&meta);
}
END_TEST

START_TEST(a_unit_field_that_makes_no_sense_counts_as_missing)
{
    static const struct {
        const char *field;
        const char *value;
    } ROWS[] = {
        {"own", ""},
        {"own", "0123456789abcdef0123456789abcde"},
        {"own", "0123456789abcdef0123456789abcdef0"},
        {"own", "0123456789abcdef0123456789abcdeg"},
        {"own", "0123456789ABCDEF0123456789ABCDEF"},
        {"seq", ""},
        {"seq", "-1"},
        {"seq", "01"},
        {"seq", "1.0"},
        {"seq", "9223372036854775807"},
        {"seq", " 1"},
        {"who", ""},
        {"who", "a\033[2J"},
        {"who", "a\n"},
        {"saved", "soon"},
        {"anchor", "1 2"},
        {"anchor", "1 2 00ff00ff00ff00f"},
        {"anchor", "1 2 00ff00ff00ff00ff "},
        {"anchor", "-1 2 00ff00ff00ff00ff"},
        {"anchor", "1 -2 00ff00ff00ff00ff"},
        {"anchor", "1  00ff00ff00ff00ff"},
        {"topo", "x"},
        {"topo", "x 0"},
        {"topo", "x 2147483648"},
        {"topo", " 3"},
        {"topo", "a\tb 3"},
        {"fmt", "one"},
        {"try", "-3"},
        {"trying", "5"},
        {"trying", "5 x"},
        {"trying", "x 5"},
        {"unknown", "1"},
        {"", "1"},
    };
    struct meta none;
    meta_init(&none);
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct meta meta = meta_with(ROWS[i].field, ROWS[i].value);
        ck_assert_msg(memcmp(&meta, &none, sizeof meta) == 0, "%s = %s", ROWS[i].field,
                      ROWS[i].value);
        meta_fini(&meta);
    }
}
END_TEST

START_TEST(a_view_field_that_makes_no_sense_makes_no_view)
{
    static const char *const ROWS[][2] = {
        {"v:def", "short"}, {"v:gen", "-1"},      {"v:gen", "x"},
        {"v:prog", ""},     {"v:what", "1"},      {"v:", "1"},
        {":gen", "1"},      {"1v:gen", "1"},      {"v w:gen", "1"},
        {"v:out", ""},      {"v:old:", "1 x"},    {"v:old:-1", "1 x"},
        {"v:old:1", ""},    {"v:old:1:2", "1 x"}, {"v:old", "1 x"},
        {"v:cover", "1e3"}, {"v\033:gen", "1"},   {"v:said", "99999999999999999999"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct meta meta = meta_with(ROWS[i][0], ROWS[i][1]);
        ck_assert_msg(meta.view_count == 0, "%s = %s", ROWS[i][0], ROWS[i][1]);
        meta_fini(&meta);
    }
    char name[140];
    memset(name, 'v', sizeof name);
    (void)snprintf(name + 129, sizeof name - 129, ":gen");
    struct meta meta = meta_with(name, "1");
    ck_assert_uint_eq(meta.view_count, 0);
    take(&meta, name + 1, "1");
    ck_assert_uint_eq(meta.view_count, 1);
    meta_take(&meta, slice_of("w:out"), (struct slice){"a\0b", 3});
    ck_assert_ptr_null(meta_view_of(&meta, "w"));
    meta_fini(&meta);
}
END_TEST

START_TEST(a_later_nonsense_leaves_what_was_read)
{
    struct meta meta = meta_with("v:gen", "4");
    take(&meta, "v:gen", "x");
    take(&meta, "v:def", "x");
    ck_assert_int_eq(meta_view_of(&meta, "v")->gen, 4);
    take(&meta, "v:def", DEFINITION);
    take(&meta, "v:def", OWN);
    ck_assert_str_eq(meta_view_of(&meta, "v")->definition, OWN);
    take(&meta, "topo", "c 3");
    take(&meta, "topo", "- 4");
    ck_assert_ptr_null(meta.cluster);
    ck_assert_int_eq(meta.partition_count, 4);
    meta_fini(&meta);
}
END_TEST

START_TEST(there_are_256_views_and_as_many_old_generations_at_most)
{
    struct meta meta;
    char field[64];
    meta_init(&meta);
    for (int i = 0; i < 300; i++) {
        (void)snprintf(field, sizeof field, "v:old:%d", i);
        take(&meta, field, "1 x");
    }
    for (int i = 0; i < 300; i++) {
        (void)snprintf(field, sizeof field, "v%d:gen", i);
        take(&meta, field, "1");
    }
    ck_assert_uint_eq(meta.view_count, 512);
    ck_assert_ptr_nonnull(meta_view_of(&meta, "v255"));
    ck_assert_ptr_null(meta_view_of(&meta, "v256"));
    take(&meta, "v255:prog", "8");
    ck_assert_int_eq(meta_view_of(&meta, "v255")->progress, 8);
    meta_fini(&meta);
}
END_TEST

START_TEST(keys_of_a_unit_share_a_hash_tag)
{
    struct buf key = {NULL, 0, 0};
    meta_key(&key, "g", "t.x", 12);
    ck_assert_str_eq(buf_text(&key), "{tw:g:t.x:12}:m");
    buf_reset(&key);
    meta_prefix(&key, "g", "t.x", 12);
    ck_assert_str_eq(buf_text(&key), "{tw:g:t.x:12}");
    buf_reset(&key);
    meta_blob_key(&key, "{tw:g:t.x:12}", "v", 3, 63);
    ck_assert_str_eq(buf_text(&key), "{tw:g:t.x:12}:s:v:3:63");
    buf_fini(&key);
}
END_TEST

START_TEST(an_anchor_reads_back_as_it_was_written)
{
    static const struct anchor ROWS[] = {
        {0, 0, 0}, {1, -1, 1}, {INT64_C(1) << 40, INT64_C(1700000000000), UINT64_MAX}};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct buf text = {NULL, 0, 0};
        meta_anchor_write(&ROWS[i], &text);
        struct meta meta = meta_with("anchor", buf_text(&text));
        ck_assert_int_eq(meta.anchor.offset, ROWS[i].offset);
        ck_assert_int_eq(meta.anchor.timestamp_ms, ROWS[i].timestamp_ms);
        ck_assert_uint_eq(meta.anchor.checksum, ROWS[i].checksum);
        meta_fini(&meta);
        buf_fini(&text);
    }
}
END_TEST

/* State in Redis lies where these say. */
START_TEST(the_hash_of_an_entity_and_the_checksum_never_change)
{
    unsigned counts[META_HASHES] = {0};
    char text[32];
    ck_assert_uint_eq(meta_blob_hash(slice_of("42")), 17);
    ck_assert_uint_eq(meta_blob_hash(slice_of("o1:s:u")), 51);
    ck_assert_uint_eq(meta_checksum(slice_of("{}")), UINT64_C(0x1349cde127705c16));
    ck_assert_uint_eq(meta_checksum((struct slice){NULL, 0}), UINT64_C(0x2d06800538d394c2));
    for (int i = 0; i < 64000; i++) {
        (void)snprintf(text, sizeof text, "%d", i);
        unsigned k = meta_blob_hash(slice_of(text));
        ck_assert_uint_lt(k, META_HASHES);
        counts[k]++;
    }
    for (size_t i = 0; i < META_HASHES; i++)
        ck_assert(counts[i] > 800 && counts[i] < 1200);
}
END_TEST

/* Fields that are nearly right, and values of any bytes. */
START_TEST(no_bytes_make_more_than_a_meta)
{
    static const char *const FIELDS[] = {"own",   "seq",    "who",     "saved",   "clock", "anchor",
                                         "topo",  "fmt",    "try",     "trying",  "v:def", "v:out",
                                         "v:gen", "v:prog", "v:old:1", "w:cover", ":",     "v:"};
    static const char ALPHABET[] = "0123456789abcdef :-v\n%";
    unsigned seed = (unsigned)time(NULL);
    const char *given = getenv("SEED");
    if (given != NULL)
        seed = (unsigned)strtoul(given, NULL, 10);
    (void)printf("seed %u\n", seed);
    srand(seed);
    struct meta meta;
    meta_init(&meta);
    for (int i = 0; i < 200000; i++) {
        size_t len = (size_t)(rand() % 48);
        char *value = mem_alloc(len + 1); /* exactly as long, so that a sanitizer sees its end */
        char *field = mem_strdup(FIELDS[(size_t)rand() % (sizeof FIELDS / sizeof *FIELDS)]);
        size_t field_len = strlen(field);
        for (size_t j = 0; j < len; j++)
            value[j] = i % 2 == 0 ? (char)rand() : ALPHABET[(size_t)rand() % (sizeof ALPHABET - 1)];
        if (i % 3 == 0)
            field[(size_t)rand() % field_len] = (char)rand();
        meta_take(&meta, (struct slice){field, field_len}, (struct slice){value, len});
        free(field);
        free(value);
        ck_assert(meta.seq >= -1 && meta.partition_count >= -1 && meta.trying >= -1);
        ck_assert(meta.own[0] == '\0' || strlen(meta.own) == META_OWN_LEN);
        ck_assert_uint_le(meta.view_count, 512);
    }
    meta_fini(&meta);
}
END_TEST

UNIT_MAIN("meta", a_unit_is_found_once_it_has_an_owner_and_a_count, every_field_of_a_unit_is_read,
          every_field_of_a_view_is_read_under_its_name, old_generations_stand_beside_the_view,
          a_unit_field_that_makes_no_sense_counts_as_missing,
          a_view_field_that_makes_no_sense_makes_no_view, a_later_nonsense_leaves_what_was_read,
          there_are_256_views_and_as_many_old_generations_at_most, keys_of_a_unit_share_a_hash_tag,
          an_anchor_reads_back_as_it_was_written,
          the_hash_of_an_entity_and_the_checksum_never_change, no_bytes_make_more_than_a_meta)
