#include "sim_world.h"

#include "sim_time.h"

/* ---- processes ---- */

static bool kill_one(struct world *world)
{
    struct process *process = world_pick(world);
    if (process != NULL)
        world_kill(world, process);
    return process != NULL;
}

static bool freeze_one(struct world *world)
{
    struct process *process = world_pick(world);
    if (process != NULL)
        process->is_frozen = true;
    return process != NULL;
}

/* The group gives one up that is well, or frozen: it goes on as a zombie. */
static bool expel_one(struct world *world)
{
    struct process *process = &world->processes[rng_below(&world->rng, world->process_count)];
    if (!world_may_expel(world, process))
        return false;
    sim_kafka_expel(&world->kafka, process->source);
    return true;
}

static bool stop_one(struct world *world)
{
    struct process *process = world_pick(world);
    if (process != NULL)
        process->is_stopping = true;
    return process != NULL;
}

/* ---- connections ---- */

static struct session *pick_session(struct world *world)
{
    size_t count = 0;
    for (struct session *at = world->redis.sessions; at != NULL; at = at->next)
        count += !at->is_broken;
    if (count == 0)
        return NULL;
    int64_t n = rng_below(&world->rng, (int64_t)count);
    struct session *session = world->redis.sessions;
    while (session->is_broken || n-- > 0)
        session = session->next;
    return session;
}

static bool break_one(struct world *world)
{
    struct session *session = pick_session(world);
    if (session != NULL)
        session_break(&world->redis, session);
    return session != NULL;
}

static bool lose_reply(struct world *world)
{
    struct session *session = pick_session(world);
    if (session == NULL || session->in.len == 0)
        return false;
    session_run(&world->redis, session);
    session_break(&world->redis, session);
    return true;
}

static bool delay_reply(struct world *world)
{
    struct session *session = pick_session(world);
    if (session != NULL)
        session->out_at_ms = sim_mono_ms + rng_between(&world->rng, 1, 7000);
    return session != NULL;
}

/* What has been sent is carried out late: beyond 5 s after the worker has given it up. */
static bool delay_request(struct world *world)
{
    struct session *session = pick_session(world);
    if (session != NULL)
        session->in_at_ms = sim_mono_ms + rng_between(&world->rng, 1, 15000);
    return session != NULL;
}

/* ---- Redis ---- */

static bool is_alive_count(const struct entry *entry)
{
    static const char PREFIX[] = "{tw:g}:alive:";
    return entry->key.len > sizeof PREFIX && memcmp(entry->key.ptr, PREFIX, sizeof PREFIX - 1) == 0;
}

/* The plain form cannot tell a Redis from before its process's own time from an empty one. */
static void catch_up(struct world *world, enum copy_kind kind)
{
    struct db *primary = world->redis.primary;
    struct copy *copy = &world->redis.copies[kind];
    const struct entry *entry = NULL;
    for (size_t n = 0; (entry = db_pick(primary, is_alive_count, n)) != NULL; n++)
        while (copy->applied < world->redis.group_count &&
               db_find(copy->db, text_slice(&entry->key), sim_wall_ms) == NULL)
            sim_redis_replicate(&world->redis, kind, 1);
}

static bool fail_over(struct world *world)
{
    catch_up(world, COPY_REPLICA);
    sim_redis_fail_over(&world->redis, COPY_REPLICA);
    world->redis.down_until_ms = sim_mono_ms + rng_below(&world->rng, 500);
    return true;
}

static bool restart_redis(struct world *world)
{
    catch_up(world, COPY_DISK);
    sim_redis_fail_over(&world->redis, COPY_DISK);
    world->redis.down_until_ms = sim_mono_ms + rng_below(&world->rng, 2000);
    world->redis.loading_until_ms = world->redis.down_until_ms + rng_below(&world->rng, 500);
    return true;
}

static bool wipe(struct world *world)
{
    sim_redis_flush(&world->redis);
    return true;
}

static bool fill_up(struct world *world)
{
    world->redis.full_until_ms = sim_mono_ms + rng_between(&world->rng, 1, 5000);
    return true;
}

static bool is_state(const struct entry *entry)
{
    return entry->key.len > 4 && memcmp(entry->key.ptr, "{tw:", 4) == 0;
}

static bool evict(struct world *world)
{
    size_t n = (size_t)rng_below(&world->rng, (int64_t)world->redis.primary->count + 1);
    const struct entry *entry = db_pick(world->redis.primary, is_state, n);
    if (entry == NULL)
        return false;
    world_trace(world, "evict %.*s", (int)entry->key.len, entry->key.ptr);
    if (entry->key.ptr[entry->key.len - 1] == 'm') /* with it goes what earlier definitions wrote */
        world->oracle.allows_leftovers = true;
    sim_redis_delete(&world->redis, text_slice(&entry->key));
    return true;
}

/* ---- Kafka ---- */

static bool rebalance(struct world *world)
{
    sim_kafka_rebalance(&world->kafka);
    return true;
}

static bool refuse_commits(struct world *world)
{
    world->kafka.refuses_commits = true;
    world->calm_at_ms = sim_mono_ms + rng_between(&world->rng, 1, 5000);
    return true;
}

static bool lose_letters(struct world *world)
{
    world->kafka.refuses_letters = true;
    world->calm_at_ms = sim_mono_ms + rng_between(&world->rng, 1, 20000);
    return true;
}

static bool lose_kafka(struct world *world)
{
    world->kafka.is_away = true;
    world->calm_at_ms = sim_mono_ms + rng_between(&world->rng, 1, 10000);
    return true;
}

/* As kafka-consumer-groups --reset-offsets: no metadata. */
static bool reset_group(struct world *world)
{
    int p = (int)rng_below(&world->rng, world->kafka.partition_count);
    struct sim_partition *partition = &world->kafka.partitions[p];
    partition->committed = rng_between(&world->rng, 0, partition->log_end);
    partition->metadata[0] = '\0';
    if (partition->wished < partition->committed)
        partition->wished = partition->committed;
    sim_kafka_rebalance(&world->kafka);
    return true;
}

/* ---- people ---- */

/* Another definition of a view, for whatever starts from now on. */
static bool change_view(struct world *world)
{
    if (world->version + 1 == VERSIONS)
        return false;
    world->version++;
    world->oracle.catalog = world->catalogs[world->version];
    /* What a view has written that is removed stays if it had no blob yet when its last owner died; what
     * an earlier definition has written always stays in the plain form. */
    if (world->form == FORM_PLAIN || world->version == VERSIONS - 1)
        world->oracle.allows_leftovers = true;
    return true;
}

/* SIGHUP, to some. */
static bool reload(struct world *world)
{
    bool has_changed = rng_one_in(&world->rng, 2) && change_view(world);
    bool has_any = false;
    for (int i = 0; i < world->process_count; i++) {
        struct process *process = &world->processes[i];
        int before = process->version;
        if (rng_one_in(&world->rng, 4))
            continue;
        world_reload(world, process);
        has_any = has_any || process->version != before;
    }
    return has_changed || has_any;
}

/* ---- clocks ---- */

static bool jump_on(struct world *world)
{
    sim_wall_ms += rng_between(&world->rng, 100, 30000);
    return true;
}

static bool jump_back(struct world *world)
{
    sim_wall_ms -= rng_between(&world->rng, 100, 9000);
    return true;
}

/* Is some event being tried singly? Whoever ends then does so because of that event, for all that its
 * next owner can know: the second time it is skipped. */
static bool is_on_trial(struct world *world)
{
    for (int p = 0; p < world->kafka.partition_count; p++) {
        char key[] = "{tw:g:t:0}:m";
        key[sizeof key - 5] = (char)('0' + p);
        const struct entry *meta = db_find(world->redis.primary, slice_of(key), sim_wall_ms);
        if (meta != NULL && entry_field(meta, slice_of("trying")) != NULL)
            return true;
    }
    return false;
}

/* clang-format off */
const struct fault faults[] = {
    {"kill",           {6, 10}, kill_one,       true},
    {"freeze",         {6, 10}, freeze_one,     true},
    {"expel",          {3, 6},  expel_one,      true},
    {"stop",           {3, 4},  stop_one,       true},
    {"break",          {8, 8},  break_one,      false},
    {"lose-reply",     {8, 8},  lose_reply,     false},
    {"delay-reply",    {8, 8},  delay_reply,    false},
    {"delay-request",  {8, 8},  delay_request,  false},
    {"fail-over",      {3, 6},  fail_over,      true},
    {"restart-redis",  {2, 4},  restart_redis,  true},
    {"wipe",           {2, 2},  wipe,           false},
    {"fill-up",        {2, 2},  fill_up,        false},
    {"evict",          {2, 4},  evict,          false},
    {"rebalance",      {4, 6},  rebalance,      true},
    {"refuse-commits", {2, 4},  refuse_commits, false},
    {"lose-kafka",     {1, 2},  lose_kafka,     false},
    {"lose-letters",   {4, 6},  lose_letters,   false},
    {"reset-group",    {1, 1},  reset_group,    true},
    {"change-view",    {1, 2},  change_view,    false},
    {"reload",         {6, 10}, reload,         false},
    {"jump-on",        {1, 1},  jump_on,        false},
    {"jump-back",      {1, 1},  jump_back,      false},
};
/* clang-format on */

const size_t fault_count = sizeof faults / sizeof *faults;

void faults_strike(struct world *world)
{
    int64_t sum = 0;
    for (size_t i = 0; i < fault_count; i++)
        sum += faults[i].weight[world->form];
    int64_t n = rng_below(&world->rng, sum);
    size_t i = 0;
    while (n >= faults[i].weight[world->form])
        n -= faults[i++].weight[world->form];
    if (faults[i].ends_owners && is_on_trial(world))
        return;
    world_trace(world, "fault %s", faults[i].name);
    if (!faults[i].strike(world))
        return;
    world->totals->faults[i]++;
    world->fault_count++;
    world->faults_left--;
}

/* How many times less often than at the rarest a process is struck there. */
static const int64_t rarities[FAILPOINTS] = {
    [FAIL_APPLIED] = 100,  [FAIL_BATCH_SENT] = 10, [FAIL_FLUSHED_SOME] = 2,
    [FAIL_BLOBS_SOME] = 1, [FAIL_BLOBS_ALL] = 2,   [FAIL_PROGRESS_WRITTEN] = 2,
    [FAIL_COMMITTED] = 2,  [FAIL_CLAIMED] = 4,     [FAIL_LOADED] = 1,
    [FAIL_RESET] = 1,
};

/* What a process finds at a failpoint. */
enum strike faults_at(void *arg, struct process *process, enum failpoint failpoint)
{
    struct world *world = arg;
    world->totals->hits[failpoint]++;
    if (world->is_calm || world->faults_left <= 0 ||
        !rng_one_in(&world->rng, world->strike_every * rarities[failpoint]) || is_on_trial(world))
        return STRIKE_NOT;
    enum strike strike = rng_one_in(&world->rng, 2) ? STRIKE_KILL : STRIKE_FREEZE;
    world_trace(world, "process %d is %s at %s", process->number,
                strike == STRIKE_KILL ? "killed" : "frozen", failpoint_names[failpoint]);
    world->totals->kills[failpoint]++;
    world->fault_count++;
    world->faults_left--;
    return strike;
}
