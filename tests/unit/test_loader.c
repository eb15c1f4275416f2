/* The loader against a redis-server of its own. */
#include "tap_kit.h"
#include "tidewheel/loader.h"

enum { VIEWS = 2, BLOBS = 50000, FETCHES = 64 };

#define OWN    "0123456789abcdef0123456789abcdef"
#define PREFIX "{tw:g:t:0}"
#define M      PREFIX ":m"

static const struct load_view views[VIEWS] = {{"v", 3, 0, META_HASHES, true},
                                              {"w", 1, 0, META_HASHES, true}};

struct scene {
    struct server server;
    struct redis_url url;
    struct tap *tap;
    struct loader *loader;
    struct fence fence;
    struct load load;
    struct err err;
    int64_t mono_ms;
    size_t begun;
    unsigned char *seen; /* by number of the blob: how often, in this beginning */
    size_t wrong;
    bool cancels; /* the first blob cancels the load */
    /* Fetches. */
    uint64_t tags[FETCHES];
    char *blobs[FETCHES];
    size_t fetched;
};

static void begun(void *arg)
{
    struct scene *scene = arg;
    scene->begun++;
    memset(scene->seen, 0, BLOBS);
}

/* Blob number n is "blob-n" of entity "e<n>", of the view n % 2. */
static void take(void *arg, size_t view, struct slice identity, struct slice blob)
{
    struct scene *scene = arg;
    char text[32];
    size_t number = 0;
    (void)snprintf(text, sizeof text, "%.*s", (int)identity.len, identity.ptr);
    bool is_right = sscanf(text, "e%zu", &number) == 1 && number < BLOBS && number % VIEWS == view;
    int len = snprintf(text, sizeof text, "blob-%zu", number);
    is_right = is_right && slice_is_equal(blob, (struct slice){text, (size_t)len});
    scene->wrong += !is_right;
    if (is_right)
        scene->seen[number]++;
    if (scene->cancels)
        loader_cancel(scene->loader, &scene->load);
}

static void scene_open(struct scene *scene)
{
    *scene = (struct scene){.mono_ms = 1000000,
                            .fence = {.meta_key = M, .state = FENCE_HELD, .own = OWN, .seq = 1},
                            .seen = mem_zalloc(BLOBS)};
    server_open(&scene->server, NO_OPTIONS);
    is_answer(&scene->server, "HSET " M " own " OWN " seq 1", "2");
    tap_url(&scene->server, &scene->url);
    scene->tap = tap_new(&scene->url);
    scene->loader = loader_new(&scene->tap->wire, &scene->url);
    scene->load = (struct load){.fence = &scene->fence,
                                .prefix = PREFIX,
                                .views = views,
                                .view_count = VIEWS,
                                .arg = scene,
                                .begun = begun,
                                .blob = take};
}

static void scene_close(struct scene *scene)
{
    loader_free(scene->loader);
    redis_url_fini(&scene->url);
    for (size_t i = 0; i < FETCHES; i++)
        free(scene->blobs[i]);
    free(scene->seen);
    server_close(&scene->server);
}

static void blob_key(struct buf *key, size_t view, struct slice identity)
{
    buf_reset(key);
    meta_blob_key(key, PREFIX, views[view].name, views[view].gen, meta_blob_hash(identity));
}

/* Sentinels, and the first `count` blobs. */
static void fill(struct scene *scene, size_t count)
{
    redisContext *client = scene->server.client;
    struct buf key = {NULL, 0, 0};
    for (size_t view = 0; view < VIEWS; view++)
        for (unsigned k = 0; k < META_HASHES; k++) {
            buf_reset(&key);
            meta_blob_key(&key, PREFIX, views[view].name, views[view].gen, k);
            (void)redisAppendCommand(client, "HSET %s ! 1", buf_text(&key));
        }
    for (size_t i = 0; i < count; i++) {
        char id[32];
        (void)snprintf(id, sizeof id, "e%zu", i);
        blob_key(&key, i % VIEWS, slice_of(id));
        (void)redisAppendCommand(client, "HSET %s %s blob-%d", buf_text(&key), id, (int)i);
    }
    for (size_t i = 0; i < count + VIEWS * META_HASHES; i++) {
        void *reply = NULL;
        ck_assert_int_eq(redisGetReply(client, &reply), REDIS_OK);
        freeReplyObject(reply);
    }
    buf_fini(&key);
}

static void pump(struct scene *scene)
{
    int rc = loader_pump(scene->loader, scene->mono_ms, &scene->err);
    ck_assert_msg(rc == 0, "%s", scene->err.text);
    scene->mono_ms += 5;
}

#define until(scene, condition)                                                                    \
    do {                                                                                           \
        int64_t deadline_ms = clock_mono_ms() + WAIT_MS;                                           \
        while (!(condition)) {                                                                     \
            ck_assert_msg(clock_mono_ms() < deadline_ms, "it does not come: %s", #condition);      \
            pump(scene);                                                                           \
            (scene)->tap->wire.ops->wait(&(scene)->tap->wire, false, 1);                           \
        }                                                                                          \
    } while (0)

static void pump_some(struct scene *scene, int times)
{
    for (int i = 0; i < times; i++) {
        pump(scene);
        (void)usleep(200);
    }
}

static void all_are_seen(const struct scene *scene, size_t count)
{
    ck_assert_uint_eq(scene->wrong, 0);
    for (size_t i = 0; i < BLOBS; i++)
        ck_assert_msg((scene->seen[i] > 0) == (i < count), "blob %zu", i);
}

#define SCENE                                                                                      \
    struct scene scene;                                                                            \
    if (!has_server("loader"))                                                                     \
        return;                                                                                    \
    scene_open(&scene)

/* ---- loads ---- */

START_TEST(fifty_thousand_blobs_of_two_views_are_loaded)
{
    SCENE;
    fill(&scene, BLOBS);
    ck_assert(!loader_is_busy(scene.loader));
    loader_add(scene.loader, &scene.load);
    ck_assert(loader_is_busy(scene.loader));
    ck_assert_int_eq(scene.load.state, LOAD_RUNNING);
    until(&scene, scene.load.state != LOAD_RUNNING);
    ck_assert_int_eq(scene.load.state, LOAD_DONE);
    ck_assert_uint_eq(scene.begun, 1);
    all_are_seen(&scene, BLOBS);
    ck_assert_uint_ge(scene.load.blobs, BLOBS);
    ck_assert_uint_ge(scene.load.bytes, BLOBS * strlen("blob-1"));
    ck_assert(!loader_is_busy(scene.loader));
    scene_close(&scene);
}
END_TEST

START_TEST(hashes_of_many_pages_are_loaded_whole_while_they_grow)
{
    SCENE;
    fill(&scene, 2);
    redisContext *client = scene.server.client;
    struct buf key = {NULL, 0, 0};
    blob_key(&key, 0, slice_of("e0"));
    for (int i = 0; i < 20000; i += 2) /* all into one hash */
        (void)redisAppendCommand(client, "HSET %s e%d blob-%d", buf_text(&key), i, i);
    for (int i = 0; i < 20000; i += 2) {
        void *reply = NULL;
        ck_assert_int_eq(redisGetReply(client, &reply), REDIS_OK);
        freeReplyObject(reply);
    }
    loader_add(scene.loader, &scene.load);
    for (int i = 20000; scene.load.state == LOAD_RUNNING && i < BLOBS; i += 2) {
        redisReply *reply = redisCommand(client, "HSET %s e%d blob-%d", buf_text(&key), i, i);
        freeReplyObject(reply);
        pump(&scene);
    }
    until(&scene, scene.load.state != LOAD_RUNNING);
    ck_assert_int_eq(scene.load.state, LOAD_DONE);
    ck_assert_uint_eq(scene.wrong, 0);
    for (size_t i = 0; i < 20000; i += 2)
        ck_assert_uint_ge(scene.seen[i], 1);
    buf_fini(&key);
    scene_close(&scene);
}
END_TEST

START_TEST(a_missing_sentinel_is_damage)
{
    SCENE;
    fill(&scene, 1000);
    is_answer(&scene.server, "HDEL " PREFIX ":s:w:1:63 !", "1");
    loader_add(scene.loader, &scene.load);
    until(&scene, scene.load.state != LOAD_RUNNING);
    ck_assert_int_eq(scene.load.state, LOAD_DAMAGED);
    ck_assert(!loader_is_busy(scene.loader));
    scene_close(&scene);
}
END_TEST

START_TEST(a_hash_that_is_gone_is_damage)
{
    SCENE;
    fill(&scene, 1000);
    is_answer(&scene.server, "DEL " PREFIX ":s:v:3:0", "1");
    loader_add(scene.loader, &scene.load);
    until(&scene, scene.load.state != LOAD_RUNNING);
    ck_assert_int_eq(scene.load.state, LOAD_DAMAGED);
    scene_close(&scene);
}
END_TEST

START_TEST(a_hash_of_another_type_is_damage)
{
    SCENE;
    fill(&scene, 1000);
    is_answer(&scene.server, "SET " PREFIX ":s:v:3:7 theirs", "OK");
    loader_add(scene.loader, &scene.load);
    until(&scene, scene.load.state != LOAD_RUNNING);
    ck_assert_int_eq(scene.load.state, LOAD_DAMAGED);
    scene_close(&scene);
}
END_TEST

/* The sentinel was on a page before it went. */
START_TEST(a_hash_that_goes_between_two_pages_is_damage)
{
    SCENE;
    fill(&scene, 2);
    redisContext *client = scene.server.client;
    struct buf key = {NULL, 0, 0};
    blob_key(&key, 0, slice_of("e0"));
    for (int i = 0; i < BLOBS; i += 2)
        (void)redisAppendCommand(client, "HSET %s e%d blob-%d", buf_text(&key), i, i);
    for (int i = 0; i < BLOBS; i += 2) {
        void *reply = NULL;
        ck_assert_int_eq(redisGetReply(client, &reply), REDIS_OK);
        freeReplyObject(reply);
    }
    loader_add(scene.loader, &scene.load);
    until(&scene, scene.load.blobs >= BLOBS / 4);
    redisReply *reply = redisCommand(client, "DEL %s", buf_text(&key));
    freeReplyObject(reply);
    until(&scene, scene.load.state != LOAD_RUNNING);
    ck_assert_int_eq(scene.load.state, LOAD_DAMAGED);
    buf_fini(&key);
    scene_close(&scene);
}
END_TEST

START_TEST(an_old_generation_needs_no_sentinels)
{
    SCENE;
    static const struct load_view old[] = {{"v", 3, 0, META_HASHES, false}};
    fill(&scene, 10);
    is_answer(&scene.server, "DEL " PREFIX ":s:v:3:0 " PREFIX ":s:v:3:1", "2");
    is_answer(&scene.server, "SET " PREFIX ":s:v:3:1 theirs", "OK");
    scene.load.views = old;
    scene.load.view_count = 1;
    loader_add(scene.loader, &scene.load);
    until(&scene, scene.load.state != LOAD_RUNNING);
    ck_assert_int_eq(scene.load.state, LOAD_DONE);
    scene_close(&scene);
}
END_TEST

START_TEST(a_load_of_no_views_is_done_once_the_claim_was_seen)
{
    SCENE;
    scene.load.view_count = 0;
    loader_add(scene.loader, &scene.load);
    until(&scene, scene.load.state != LOAD_RUNNING);
    ck_assert_int_eq(scene.load.state, LOAD_DONE);
    ck_assert_uint_eq(scene.begun, 1);
    scene_close(&scene);
}
END_TEST

START_TEST(a_server_that_does_not_know_the_claim_is_left_until_it_does)
{
    SCENE;
    fill(&scene, 100);
    is_answer(&scene.server, "HSET " M " own other", "0");
    loader_add(scene.loader, &scene.load);
    until(&scene, scene.tap->opened >= 3);
    ck_assert_int_eq(scene.load.state, LOAD_RUNNING);
    ck_assert_uint_eq(scene.load.blobs, 0);
    is_answer(&scene.server, "HSET " M " own " OWN, "0");
    until(&scene, scene.load.state == LOAD_DONE);
    all_are_seen(&scene, 100);
    scene_close(&scene);
}
END_TEST

START_TEST(a_broken_connection_begins_the_load_again)
{
    SCENE;
    fill(&scene, BLOBS);
    loader_add(scene.loader, &scene.load);
    until(&scene, scene.load.blobs > 1000);
    scene.tap->is_cut = true;
    until(&scene, scene.begun == 2);
    ck_assert_uint_lt(scene.load.blobs, 1000);
    loader_hang_up(scene.loader);
    until(&scene, scene.load.state == LOAD_DONE);
    ck_assert_uint_eq(scene.begun, 3);
    ck_assert_uint_eq(scene.tap->opened, 3);
    all_are_seen(&scene, BLOBS);
    scene_close(&scene);
}
END_TEST

START_TEST(a_load_whose_fence_is_lost_stays_until_it_is_cancelled)
{
    SCENE;
    fill(&scene, BLOBS);
    struct fence other_fence = {.meta_key = M, .state = FENCE_HELD, .own = OWN};
    struct load other = scene.load;
    static const struct load_view old[] = {{"none", 1, 0, META_HASHES, false}};
    other.fence = &other_fence;
    other.views = old;
    other.view_count = 1;
    loader_add(scene.loader, &scene.load);
    loader_add(scene.loader, &other);
    until(&scene, scene.load.blobs > 1000);
    ck_assert_uint_eq(scene.begun, 1); /* one after the other */
    scene.fence.state = FENCE_LOST;
    until(&scene, other.state == LOAD_DONE);
    uint64_t blobs = scene.load.blobs;
    pump_some(&scene, 20);
    ck_assert_int_eq(scene.load.state, LOAD_RUNNING);
    ck_assert_uint_eq(scene.load.blobs, blobs);
    ck_assert(loader_is_busy(scene.loader));
    loader_cancel(scene.loader, &scene.load);
    ck_assert(!loader_is_busy(scene.loader));
    scene_close(&scene);
}
END_TEST

START_TEST(a_load_may_be_cancelled_from_its_own_blob_and_added_again)
{
    SCENE;
    fill(&scene, BLOBS);
    scene.cancels = true;
    loader_add(scene.loader, &scene.load);
    until(&scene, scene.load.blobs == 1);
    pump_some(&scene, 20);
    ck_assert_uint_eq(scene.load.blobs, 1);
    ck_assert(!loader_is_busy(scene.loader));
    scene.cancels = false;
    loader_add(scene.loader, &scene.load);
    loader_cancel(scene.loader, &scene.load);
    loader_add(scene.loader, &scene.load);
    until(&scene, scene.load.state == LOAD_DONE);
    all_are_seen(&scene, BLOBS);
    scene_close(&scene);
}
END_TEST

/* ---- fetches ---- */

static void fetched(void *arg, uint64_t tag, struct slice blob)
{
    struct scene *scene = arg;
    ck_assert_uint_lt(scene->fetched, FETCHES);
    scene->tags[scene->fetched] = tag;
    scene->blobs[scene->fetched++] = blob.ptr == NULL ? NULL : mem_strndup(blob.ptr, blob.len);
}

static void fetch(struct scene *scene, const struct fence *fence, size_t number)
{
    struct buf key = {NULL, 0, 0};
    char id[32];
    (void)snprintf(id, sizeof id, "e%zu", number);
    blob_key(&key, number % VIEWS, slice_of(id));
    loader_fetch(scene->loader, fence, buf_slice(&key), slice_of(id), number, fetched, scene);
    buf_fini(&key);
}

static void is_fetched(const struct scene *scene, size_t at, size_t number)
{
    char blob[32];
    (void)snprintf(blob, sizeof blob, "blob-%zu", number);
    ck_assert_uint_eq(scene->tags[at], number);
    ck_assert_str_eq(scene->blobs[at], blob);
}

START_TEST(fetches_are_answered_in_order_over_a_broken_connection_and_beside_a_load)
{
    SCENE;
    fill(&scene, BLOBS);
    loader_add(scene.loader, &scene.load);
    for (size_t i = 0; i < 10; i++)
        fetch(&scene, &scene.fence, i * 7);
    until(&scene, scene.fetched == 10);
    scene.tap->deaf_on = "e100";
    for (size_t i = 0; i < 10; i++)
        fetch(&scene, &scene.fence, 100 + i);
    until(&scene, scene.tap->is_deaf);
    scene.tap->deaf_on = NULL;
    scene.tap->is_cut = true;
    scene.tap->is_deaf = false;
    fetch(&scene, &scene.fence, 50);
    until(&scene, scene.fetched == 21);
    for (size_t i = 0; i < 10; i++) {
        is_fetched(&scene, i, i * 7);
        is_fetched(&scene, 10 + i, 100 + i);
    }
    is_fetched(&scene, 20, 50);
    until(&scene, scene.load.state == LOAD_DONE);
    all_are_seen(&scene, BLOBS);
    scene_close(&scene);
}
END_TEST

START_TEST(a_blob_that_is_not_there_has_no_bytes)
{
    SCENE;
    fill(&scene, 10);
    is_answer(&scene.server, "SET theirs theirs", "OK");
    fetch(&scene, &scene.fence, 11);
    loader_fetch(scene.loader, &scene.fence, slice_of("theirs"), slice_of("e1"), 12, fetched,
                 &scene);
    fetch(&scene, &scene.fence, 3);
    until(&scene, scene.fetched == 3);
    ck_assert_ptr_null(scene.blobs[0]);
    ck_assert_ptr_null(scene.blobs[1]);
    ck_assert_uint_eq(scene.tags[1], 12);
    is_fetched(&scene, 2, 3);
    ck_assert_uint_eq(scene.tap->opened, 1);
    scene_close(&scene);
}
END_TEST

START_TEST(fetches_of_a_fence_that_is_forgotten_or_lost_get_no_answer)
{
    SCENE;
    fill(&scene, 10);
    struct fence forgotten = scene.fence;
    struct fence lost = scene.fence;
    struct fence other = scene.fence; /* claimed anew since it was asked for */
    scene.tap->is_deaf = true;
    until(&scene, scene.tap->opened == 1);
    scene.tap->is_deaf = false;
    scene.tap->deaf_on = "e1";
    fetch(&scene, &forgotten, 1);
    fetch(&scene, &lost, 2);
    fetch(&scene, &other, 3);
    fetch(&scene, &scene.fence, 4);
    until(&scene, scene.tap->is_deaf);
    fetch(&scene, &forgotten, 5);
    fetch(&scene, &scene.fence, 6);
    loader_forget(scene.loader, &forgotten);
    memset(&forgotten, 0x55, sizeof forgotten); /* it may be gone */
    lost.state = FENCE_LOST;
    other.own[0] = 'f';
    scene.tap->deaf_on = NULL;
    scene.tap->is_deaf = false;
    until(&scene, !loader_is_busy(scene.loader));
    ck_assert_uint_eq(scene.fetched, 2);
    is_fetched(&scene, 0, 4);
    is_fetched(&scene, 1, 6);
    scene_close(&scene);
}
END_TEST

START_TEST(a_fetch_waits_for_a_server_that_knows_the_claim)
{
    SCENE;
    fill(&scene, 10);
    is_answer(&scene.server, "DEL " M, "1");
    fetch(&scene, &scene.fence, 1);
    until(&scene, scene.tap->opened >= 3);
    ck_assert_uint_eq(scene.fetched, 0);
    is_answer(&scene.server, "HSET " M " own " OWN, "1");
    until(&scene, scene.fetched == 1);
    is_fetched(&scene, 0, 1);
    scene_close(&scene);
}
END_TEST

START_TEST(no_more_than_so_many_fetches_wait)
{
    SCENE;
    fill(&scene, 10);
    struct fence forgotten = scene.fence;
    for (size_t i = 0; i < LOADER_FETCHES_MAX; i++) {
        ck_assert(loader_can_fetch(scene.loader));
        fetch(&scene, &forgotten, 1);
    }
    ck_assert(!loader_can_fetch(scene.loader));
    loader_forget(scene.loader, &forgotten);
    ck_assert(loader_can_fetch(scene.loader));
    ck_assert(!loader_is_busy(scene.loader));
    scene_close(&scene);
}
END_TEST

START_TEST(a_password_is_a_persons_business)
{
    SCENE;
    is_answer(&scene.server, "CONFIG SET requirepass secret", "OK");
    fetch(&scene, &scene.fence, 1);
    int rc = 0;
    int64_t deadline_ms = clock_mono_ms() + WAIT_MS;
    while (rc == 0 && clock_mono_ms() < deadline_ms)
        rc = loader_pump(scene.loader, scene.mono_ms += 50, &scene.err);
    ck_assert_int_eq(rc, ERR_FATAL);
    scene_close(&scene);
}
END_TEST

START_TEST(a_missing_right_is_no_missing_claim)
{
    SCENE;
    is_answer(&scene.server, "ACL SETUSER default -hget", "OK");
    loader_add(scene.loader, &scene.load);
    int rc = 0;
    int64_t deadline_ms = clock_mono_ms() + WAIT_MS;
    while (rc == 0 && clock_mono_ms() < deadline_ms)
        rc = loader_pump(scene.loader, scene.mono_ms += 50, &scene.err);
    ck_assert_int_eq(rc, ERR_FATAL);
    ck_assert_ptr_nonnull(strstr(scene.err.text, "the Redis user lacks a right"));
    loader_cancel(scene.loader, &scene.load);
    scene_close(&scene);
}
END_TEST

UNIT_MAIN("loader", fifty_thousand_blobs_of_two_views_are_loaded,
          hashes_of_many_pages_are_loaded_whole_while_they_grow, a_missing_sentinel_is_damage,
          a_hash_that_is_gone_is_damage, a_hash_of_another_type_is_damage,
          a_hash_that_goes_between_two_pages_is_damage, an_old_generation_needs_no_sentinels,
          a_load_of_no_views_is_done_once_the_claim_was_seen,
          a_server_that_does_not_know_the_claim_is_left_until_it_does,
          a_broken_connection_begins_the_load_again,
          a_load_whose_fence_is_lost_stays_until_it_is_cancelled,
          a_load_may_be_cancelled_from_its_own_blob_and_added_again,
          fetches_are_answered_in_order_over_a_broken_connection_and_beside_a_load,
          a_blob_that_is_not_there_has_no_bytes,
          fetches_of_a_fence_that_is_forgotten_or_lost_get_no_answer,
          a_fetch_waits_for_a_server_that_knows_the_claim, no_more_than_so_many_fetches_wait,
          a_password_is_a_persons_business, a_missing_right_is_no_missing_claim)
