/* sim: the worker's own code against a simulated Kafka, Redis and clock, from seeds.
 *
 *     sim                          10,000 seeds of each form
 *     sim --form plain --count 500 --from 1 --jobs 2
 *     sim --form plain --seed 17 -v        one seed, with a trace
 *
 * A line for each seed that failed; the summary; `N passed, N failed`.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sim_world.h"
#include "tidewheel/log.h"
#include "tidewheel/mem.h"

enum { JOBS_MAX = 16, SEED_SECONDS_MAX = 30, FORMS = 2 };

enum { REACH_SEEDS = 10000, STEPS_MEDIAN_MIN = 200, FAULTS_MEDIAN_MIN = 3, STRUCK_MIN = 100 };

static const char *const form_names[FORMS] = {"plain", "checkpointed"};

struct run {
    uint64_t first;
    uint64_t count;
    int jobs;
    int form;
    bool is_traced;
    const char *views;
    char *program;
};

/* Of one seed. */
struct result {
    uint32_t steps;
    uint32_t faults;
    bool has_passed;
};

static struct {
    const struct run *run;
    uint64_t seed;
} now;

static void say_failed(const char *why)
{
    char line[ERR_TEXT_MAX + 256];
    int len =
        snprintf(line, sizeof line, "failed   %s seed %llu: %s   (%s --form %s --seed %llu -v)\n",
                 form_names[now.run->form], (unsigned long long)now.seed, why, now.run->program,
                 form_names[now.run->form], (unsigned long long)now.seed);
    if (write(STDOUT_FILENO, line, (size_t)len) < 0)
        _exit(1);
}

static void on_signal(int number)
{
    say_failed(number == SIGALRM ? "it does not end" : "it crashed");
    _exit(1);
}

static void watch(void)
{
    static const int numbers[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGALRM};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        (void)signal(numbers[i], on_signal);
}

static void run_seed(const struct run *run, uint64_t seed, const struct catalog *const *catalogs,
                     struct result *result, struct totals *totals)
{
    struct world *world = mem_alloc(sizeof *world);
    now.seed = seed;
    (void)alarm(run->is_traced ? 0 : SEED_SECONDS_MAX);
    world_init(world, seed, (enum form)run->form, catalogs, totals);
    world->is_traced = run->is_traced;
    result->has_passed = world_run(world) == 0;
    result->steps = (uint32_t)world->steps;
    result->faults = (uint32_t)world->fault_count;
    if (!result->has_passed)
        say_failed(world->err.text);
    world_fini(world);
    free(world);
}

enum { VIEWS_MAX = 3 };

static struct catalog *load_views(const char *folder, const char *const *views)
{
    char files[VIEWS_MAX][256];
    const char *names[VIEWS_MAX] = {NULL};
    size_t count = 0;
    for (; count < VIEWS_MAX && views[count] != NULL; count++) {
        (void)snprintf(files[count], sizeof files[count], "%s/%s.yaml", folder, views[count]);
        names[count] = files[count];
    }
    struct buf report = {NULL, 0, 0};
    struct catalog *catalog = NULL;
    if (pipeline_load(names, count, &report, &catalog) < 0) {
        (void)fprintf(stderr, "%s", buf_text(&report));
        exit(1);
    }
    return catalog;
}

/* A view is changed; another comes before the rest; the first is as it was; the other is removed. */
static void load_versions(const char *folder, const struct catalog **ret)
{
    struct catalog *before = NULL;
    static const char *const views[VERSIONS][VIEWS_MAX] = {{"long", "short"},
                                                           {"long", "short_changed"},
                                                           {"added", "long", "short_changed"},
                                                           {"added", "long", "short"},
                                                           {"short", "long"}};
    for (size_t i = 0; i < VERSIONS; i++) {
        struct catalog *catalog = load_views(folder, views[i]);
        struct catalog_change change;
        if (before != NULL)
            catalog_follow(catalog, before, &change);
        ret[i] = before = catalog;
    }
}

/* ---- many seeds ---- */

static int by_size(const void *a, const void *b)
{
    uint32_t one = *(const uint32_t *)a;
    uint32_t other = *(const uint32_t *)b;
    return one < other ? -1 : one > other;
}

static uint32_t median(const struct result *results, uint64_t count, bool of_faults)
{
    uint32_t *values = mem_alloc(count * sizeof *values);
    for (uint64_t i = 0; i < count; i++)
        values[i] = of_faults ? results[i].faults : results[i].steps;
    qsort(values, count, sizeof *values, by_size);
    uint32_t middle = values[count / 2];
    free(values);
    return middle;
}

static void add_up(struct totals *sum, const struct totals *more)
{
    for (size_t i = 0; i < FAULTS_MAX; i++)
        sum->faults[i] += more->faults[i];
    for (size_t i = 0; i < FAILPOINTS; i++) {
        sum->hits[i] += more->hits[i];
        sum->kills[i] += more->kills[i];
    }
    sum->execs += more->execs;
    sum->execs_denied += more->execs_denied;
    sum->rebalances += more->rebalances;
}

static void summarize(const struct run *run, const struct result *results,
                      const struct totals *totals, double seconds)
{
    printf("%s: seeds=%llu steps_median=%u faults_median=%u execs=%llu denied=%llu rebalances=%llu "
           "seconds=%.1f\n",
           form_names[run->form], (unsigned long long)run->count,
           median(results, run->count, false), median(results, run->count, true),
           (unsigned long long)totals->execs, (unsigned long long)totals->execs_denied,
           (unsigned long long)totals->rebalances, seconds);
    printf("  faults:");
    for (size_t i = 0; i < fault_count; i++)
        printf(" %s=%llu", faults[i].name, (unsigned long long)totals->faults[i]);
    printf("\n  failpoints, hit/struck:");
    for (size_t i = 0; i < FAILPOINTS; i++)
        printf(" %s=%llu/%llu", failpoint_names[i], (unsigned long long)totals->hits[i],
               (unsigned long long)totals->kills[i]);
    printf("\n");
}

/* A run as long as `make test`'s that has not been everywhere proves less than it says. */
static uint64_t check_reach(const struct run *run, const struct result *results,
                            const struct totals *totals)
{
    uint64_t failed = 0;
    if (run->count < REACH_SEEDS)
        return 0;
    if (median(results, run->count, false) < STEPS_MEDIAN_MIN ||
        median(results, run->count, true) < FAULTS_MEDIAN_MIN) {
        printf("failed   %s: its seeds are too short\n", form_names[run->form]);
        failed++;
    }
    for (size_t i = 0; i < FAILPOINTS && run->form == FORM_CHECKPOINTED; i++) {
        if (totals->kills[i] >= STRUCK_MIN)
            continue;
        printf("failed   %s: failpoint %s was struck %llu times only\n", form_names[run->form],
               failpoint_names[i], (unsigned long long)totals->kills[i]);
        failed++;
    }
    return failed;
}

static void *shared(size_t size)
{
    void *ptr = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(ptr != MAP_FAILED);
    return ptr;
}

static void run_job(const struct run *run, int job, struct result *results, struct totals *totals)
{
    const struct catalog *catalogs[VERSIONS];
    load_versions(run->views, catalogs);
    watch();
    for (uint64_t i = (uint64_t)job; i < run->count; i += (uint64_t)run->jobs)
        run_seed(run, run->first + i, catalogs, &results[i], &totals[job]);
}

static double seconds_now(void)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

/* A job that crashes takes the rest of its seeds with it: they count as failed. */
static uint64_t run_form(struct run *run)
{
    struct result *results = shared(run->count * sizeof *results);
    struct totals *totals = shared((size_t)run->jobs * sizeof *totals);
    double begun = seconds_now();
    (void)fflush(stdout);
    for (int job = 0; job < run->jobs; job++) {
        if (fork() != 0)
            continue;
        run_job(run, job, results, totals);
        _exit(0);
    }
    while (wait(NULL) > 0)
        continue;
    struct totals sum = {{0}, {0}, {0}, 0, 0, 0};
    for (int job = 0; job < run->jobs; job++)
        add_up(&sum, &totals[job]);
    uint64_t failed = 0;
    for (uint64_t i = 0; i < run->count; i++)
        failed += !results[i].has_passed;
    summarize(run, results, &sum, seconds_now() - begun);
    return failed + check_reach(run, results, &sum);
}

static int run_one(const struct run *run)
{
    const struct catalog *catalogs[VERSIONS];
    load_versions(run->views, catalogs);
    struct totals totals = {{0}, {0}, {0}, 0, 0, 0};
    struct result result = {0, 0, false};
    run_seed(run, run->first, catalogs, &result, &totals);
    printf("%s: steps=%u faults=%u\n", result.has_passed ? "passed" : "failed", result.steps,
           result.faults);
    return !result.has_passed;
}

static void set_form(struct run *run, const char *name)
{
    for (int form = 0; form < FORMS; form++)
        if (strcmp(name, form_names[form]) == 0)
            run->form = form;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"form", required_argument, NULL, 'f'},
        {"seed", required_argument, NULL, 's'},
        {"from", required_argument, NULL, 'm'},
        {"count", required_argument, NULL, 'c'},
        {"jobs", required_argument, NULL, 'j'},
        {"views", required_argument, NULL, 'w'},
        {NULL, 0, NULL, 0},
    };
    struct run run = {1, 10000, 2, -1, false, "tests/sim", argv[0]};
    bool is_one = false;
    for (int found; (found = getopt_long(argc, argv, "v", options, NULL)) != -1;) {
        if (found == 'f')
            set_form(&run, optarg);
        else if (found == 's' || found == 'm')
            run.first = strtoull(optarg, NULL, 10);
        else if (found == 'c')
            run.count = strtoull(optarg, NULL, 10);
        else if (found == 'j')
            run.jobs = atoi(optarg);
        else if (found == 'w')
            run.views = optarg;
        else if (found == 'v')
            run.is_traced = true;
        else
            return 64;
        is_one = is_one || found == 's';
    }
    log_open(run.is_traced ? LOG_INFO : LOG_ERROR, false);
    now.run = &run;
    run.form = is_one && run.form < 0 ? FORM_CHECKPOINTED : run.form;
    if (is_one)
        return run_one(&run);
    uint64_t failed = 0;
    uint64_t total = 0;
    for (int form = run.form < 0 ? 0 : run.form; form <= (run.form < 0 ? FORMS - 1 : run.form);
         form++) {
        struct run one = run;
        one.form = form;
        now.run = &one;
        failed += run_form(&one);
        total += one.count;
    }
    printf("%llu passed, %llu failed\n", (unsigned long long)(total - failed),
           (unsigned long long)failed);
    return failed > 0;
}
