#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/json_out.h"
#include "cli/load.h"
#include "config/key_pattern.h"
#include "tidewheel/clock.h"
#include "tidewheel/mem.h"
#include "tidewheel/num.h"
#include "tidewheel/quantity.h"
#include "tidewheel/redis_query.h"

enum {
    PAGE_KEYS = 1000, /* that one SCAN looks at: half a millisecond of Redis's time */
    CURSOR_MAX = 24,
    AGE_TEXT_MAX = 32,
    PROGRESS_AFTER_MS = 2000,
    PROGRESS_EVERY_MS = 500,
};

/* Which of the two times of freshness: their order in the hash's answer, too. */
enum measure { BY_WRITE, BY_EVENT, MEASURES };

static const char *const MEASURE_NAMES[MEASURES] = {"write", "event"};

struct stale_setup {
    const struct view *view;
    const char *older_than; /* as it was given */
    int64_t older_than_ms;
    int64_t limit; /* of lines; 0: none */
    enum measure by;
};

/* The view's keys of one SCAN, copied: its answer is lent. */
struct page {
    struct buf keys;
    size_t *ends;
    size_t count;
    size_t cap;
};

struct search {
    const struct stale_setup *setup;
    struct redis_query *query;
    struct buf glob;
    struct buf event_field;
    char cursor[CURSOR_MAX]; /* "0": at the beginning, or at the end */
    struct page page;
    int64_t looked_at; /* entities of the view */
    int64_t found;
    int64_t begun_ms;
    int64_t said_ms; /* 0: no progress stands on the terminal */
};

/* ---- times ---- */

/* The largest unit of which it is one, and the next: 3h12m. */
static void age_format(int64_t age_ms, char *ret)
{
    static const struct {
        int64_t ms;
        char unit;
    } UNITS[] = {{86400000, 'd'}, {3600000, 'h'}, {60000, 'm'}, {1000, 's'}};
    size_t i = 0;
    while (i < 3 && age_ms < UNITS[i].ms)
        i++;
    int len =
        snprintf(ret, AGE_TEXT_MAX, "%lld%c", (long long)(age_ms / UNITS[i].ms), UNITS[i].unit);
    if (i < 3)
        (void)snprintf(ret + len, AGE_TEXT_MAX - (size_t)len, "%02lld%c",
                       (long long)(age_ms % UNITS[i].ms / UNITS[i + 1].ms), UNITS[i + 1].unit);
}

static bool read_time(struct slice text, int64_t *ret_ms)
{
    return text.ptr != NULL && num_parse_int64(text.ptr, text.len, ret_ms) &&
           timestamp_is_valid(*ret_ms);
}

static void time_text(struct slice text, char *ret)
{
    int64_t at_ms = 0;
    if (read_time(text, &at_ms))
        timestamp_format(at_ms, ret);
    else
        (void)snprintf(ret, 32, "-");
}

/* ---- keys ---- */

/* Whose freshness key is it? False: no event makes it, so it is another program's. */
static bool identify(const struct view *view, struct slice key, struct buf *ret)
{
    struct slice parts[KEYS_MAX + 1];
    struct buf raw[KEYS_MAX + 1] = {{NULL, 0, 0}};
    struct buf again = {NULL, 0, 0};
    buf_reset(ret);
    bool is_ours =
        template_identify(&view->freshness_key, key, view->key_count, view->has_tenant, ret);
    for (size_t i = 0; i < view->key_count && is_ours; i++) {
        key_decode(key_part(buf_slice(ret), i), &raw[i]);
        parts[i] = buf_slice(&raw[i]);
    }
    is_ours = is_ours && build_identity(view, parts, &again) &&
              slice_is_equal(buf_slice(&again), buf_slice(ret));
    for (size_t i = 0; i < view->key_count; i++)
        buf_fini(&raw[i]);
    buf_fini(&again);
    return is_ours;
}

static void page_reset(struct page *page)
{
    buf_reset(&page->keys);
    page->count = 0;
}

static void page_add(struct page *page, struct slice key)
{
    buf_add(&page->keys, key.ptr, key.len);
    page->ends = mem_grow(page->ends, page->count, &page->cap, sizeof *page->ends);
    page->ends[page->count++] = page->keys.len;
}

static struct slice page_key(const struct page *page, size_t index)
{
    size_t begin = index > 0 ? page->ends[index - 1] : 0;
    return (struct slice){page->keys.ptr + begin, page->ends[index] - begin};
}

/* ---- what the person sees ---- */

static void clear_progress(struct search *search)
{
    if (search->said_ms != 0)
        (void)fputs("\r\033[K", stderr);
    search->said_ms = 0;
}

/* Only for a person who waits, and sees it. */
static void say_progress(struct search *search)
{
    int64_t now_ms = clock_mono_ms();
    if (now_ms - search->begun_ms < PROGRESS_AFTER_MS ||
        now_ms - search->said_ms < PROGRESS_EVERY_MS || isatty(STDERR_FILENO) == 0)
        return;
    (void)fprintf(stderr, "\r\033[K%lld entities looked at, %lld found ...",
                  (long long)search->looked_at, (long long)search->found);
    search->said_ms = now_ms;
}

static void print_entity(struct search *search, struct slice key, int64_t age_ms,
                         const struct slice *times)
{
    char texts[MEASURES][32];
    char age[AGE_TEXT_MAX];
    struct buf identity = {NULL, 0, 0};
    struct buf entity = {NULL, 0, 0};
    clear_progress(search);
    if (identify(search->setup->view, key, &identity))
        json_add_entity(&entity, search->setup->view, buf_slice(&identity));
    for (size_t i = 0; i < MEASURES; i++)
        time_text(times[i], texts[i]);
    age_format(age_ms, age);
    if (search->found++ == 0)
        (void)printf("%-9s  %-24s  %-24s  %s\n", "AGE", "WRITTEN", "NEWEST EVENT", "ENTITY");
    (void)printf("%-9s  %-24s  %-24s  %s\n", age, texts[BY_WRITE], texts[BY_EVENT],
                 buf_text(&entity));
    buf_fini(&identity);
    buf_fini(&entity);
}

static void print_totals(struct search *search, bool is_whole)
{
    const struct stale_setup *setup = search->setup;
    clear_progress(search);
    (void)fprintf(stderr, "tidewheel stale: %lld of %lld entities of %s have had no %s for %s%s\n",
                  (long long)search->found, (long long)search->looked_at, setup->view->name,
                  MEASURE_NAMES[setup->by], setup->older_than,
                  is_whole ? "" : "; stopped there, and there may be more");
}

/* ---- the search ---- */

static bool is_full(const struct search *search)
{
    return search->setup->limit > 0 && search->found >= search->setup->limit;
}

/* The view has no entry in a hash that it shares, or the key is of another type: none of its entities. */
static void judge(struct search *search, struct slice key, const struct answer *answer,
                  int64_t now_ms)
{
    const struct stale_setup *setup = search->setup;
    struct slice times[MEASURES] = {answer_item(answer, BY_WRITE), answer_item(answer, BY_EVENT)};
    int64_t at_ms = 0;
    if (times[BY_WRITE].ptr == NULL)
        return;
    search->looked_at++;
    if (read_time(times[setup->by], &at_ms) && now_ms - at_ms >= setup->older_than_ms)
        print_entity(search, key, now_ms - at_ms, times);
}

static bool is_wrong_type(const struct answer *answer)
{
    struct slice word = slice_of("WRONGTYPE");
    return answer->kind == ANSWER_REFUSED && answer->text.len >= word.len &&
           memcmp(answer->text.ptr, word.ptr, word.len) == 0;
}

/* All answers are taken, whatever they say: the next question's come after them. */
static int read_page(struct search *search, struct err *err)
{
    int64_t now_ms = clock_wall_ms();
    int ret = 0;
    for (size_t i = 0; i < search->page.count; i++) {
        struct answer answer;
        int rc = redis_query_next(search->query, &answer, err);
        if (rc < 0)
            return rc;
        if (answer.kind == ANSWER_REFUSED && !is_wrong_type(&answer))
            ret =
                err_set(err, ERR_RETRY, "Redis says '%.*s'", (int)answer.text.len, answer.text.ptr);
        else if (ret == 0 && answer.kind == ANSWER_LIST && !is_full(search))
            judge(search, page_key(&search->page, i), &answer, now_ms);
    }
    return ret;
}

static void send_page(struct search *search)
{
    for (size_t i = 0; i < search->page.count; i++)
        redis_query_send(search->query,
                         (struct slice[]){slice_of("HMGET"), page_key(&search->page, i),
                                          slice_of(search->setup->view->name),
                                          buf_slice(&search->event_field)},
                         4);
}

/* One SCAN: the cursor moves on, and page has those of its keys that are of the view. */
static int next_page(struct search *search, struct err *err)
{
    struct answer answer;
    struct answer keys;
    struct buf identity = {NULL, 0, 0};
    char count[NUM_TEXT_MAX];
    struct slice words[] = {slice_of("SCAN"),  slice_of(search->cursor),
                            slice_of("MATCH"), buf_slice(&search->glob),
                            slice_of("COUNT"), {count, num_format_int64(PAGE_KEYS, count)}};
    page_reset(&search->page);
    int rc = redis_query_ask(search->query, words, sizeof words / sizeof *words, &answer, err);
    if (rc < 0)
        return rc;
    struct slice cursor = answer_item(&answer, 0);
    if (cursor.ptr == NULL || cursor.len >= CURSOR_MAX || !answer_list(&answer, 1, &keys))
        return err_set(err, ERR_RETRY, "Redis answers SCAN with something else than keys");
    memcpy(search->cursor, cursor.ptr, cursor.len);
    search->cursor[cursor.len] = '\0';
    for (size_t i = 0; i < keys.count; i++) {
        struct slice key = answer_item(&keys, i);
        if (key.ptr != NULL && identify(search->setup->view, key, &identity))
            page_add(&search->page, key);
    }
    buf_fini(&identity);
    return 0;
}

/* A reader that has gone away (head, say) ends it, too. */
static int search_all(struct search *search, struct err *err)
{
    bool is_whole = false;
    int rc = 0;
    while (rc == 0 && !is_whole && !is_full(search) && ferror(stdout) == 0) {
        rc = next_page(search, err);
        if (rc == 0) {
            send_page(search);
            rc = read_page(search, err);
        }
        is_whole = strcmp(search->cursor, "0") == 0;
        (void)fflush(stdout);
        say_progress(search);
    }
    if (rc == 0)
        print_totals(search, is_whole && !is_full(search));
    else
        clear_progress(search);
    return rc;
}

static int stale(const struct options *options, const struct stale_setup *setup)
{
    const struct view *view = setup->view;
    struct search search = {.setup = setup, .cursor = "0", .begun_ms = clock_mono_ms()};
    struct buf pattern = {NULL, 0, 0};
    struct err err = {0, ""};
    key_pattern_add(&view->freshness_key, view->key_count - view->has_tenant, &pattern);
    key_pattern_glob(buf_slice(&pattern), &search.glob);
    buf_printf(&search.event_field, "%s:event", view->name);
    int rc = redis_query_open(&options->redis, &search.query, &err);
    if (rc == 0)
        rc = search_all(&search, &err);
    if (rc < 0)
        (void)fprintf(stderr, "tidewheel stale: %s\n", err.text);
    redis_query_close(search.query);
    buf_fini(&pattern);
    buf_fini(&search.glob);
    buf_fini(&search.event_field);
    buf_fini(&search.page.keys);
    free(search.page.ends);
    return rc == 0 ? EXIT_OK : rc == ERR_CONFIG ? EXIT_CONFIG : EXIT_UNAVAILABLE;
}

/* ---- arguments ---- */

static int parse_args(const struct cli_args *args, struct stale_setup *ret)
{
    struct stale_setup setup = {.older_than = args->older_than};
    if (args->operand_count != 1)
        return cli_usage_error("stale takes one VIEW, and found %zu; try: tidewheel stale "
                               "user_activity --older-than 1h",
                               args->operand_count);
    if (args->older_than == NULL)
        return cli_usage_error("stale needs --older-than, like --older-than 1h");
    if (!duration_parse(args->older_than, &setup.older_than_ms))
        return cli_usage_error("--older-than: '%s' is not a duration like 1h", args->older_than);
    if (args->limit != NULL &&
        (!num_parse_int64(args->limit, strlen(args->limit), &setup.limit) || setup.limit < 1))
        return cli_usage_error("--limit: '%s' is not a number from 1 up", args->limit);
    while (args->by != NULL && setup.by < MEASURES &&
           strcmp(args->by, MEASURE_NAMES[setup.by]) != 0)
        setup.by++;
    if (setup.by == MEASURES)
        return cli_usage_error("--by: '%s' is neither write nor event", args->by);
    *ret = setup;
    return EXIT_OK;
}

int command_stale(const struct cli_args *args)
{
    struct options options;
    struct stale_setup setup;
    struct catalog *catalog = NULL;
    int rc = parse_args(args, &setup);
    if (rc != EXIT_OK)
        return rc;
    rc = load_options(args, true, &options);
    if (rc != EXIT_OK)
        return rc;
    (void)signal(SIGPIPE, SIG_IGN); /* A Redis that goes away is one, and a reader of ours, too. */
    rc = load_catalog((const char *const *)options.pipelines, options.pipeline_count, &catalog);
    if (rc == EXIT_OK) {
        setup.view = load_view(catalog, "stale", args->operands[0]);
        rc = setup.view != NULL ? stale(&options, &setup) : EXIT_USAGE;
    }
    catalog_free(catalog);
    options_fini(&options);
    return rc;
}
