/* sim_world: Kafka, Redis, some worker processes, time, and what befalls them, all from one seed.
 *
 *     world_run:  steps, each one of    a process has its turn | an event | time passes | a fault
 *                 then no more faults, until the values are the oracle's, and stay so
 */
#ifndef TIDEWHEEL_SIM_WORLD_H
#define TIDEWHEEL_SIM_WORLD_H

#include "sim_invariants.h"
#include "sim_process.h"
#include "tidewheel/options.h"

enum { PROCESSES_MAX = 3, VERSIONS = 5, DEAD_MAX = 8, FAULTS_MAX = 40 };

enum form { FORM_PLAIN, FORM_CHECKPOINTED };

/* Over all seeds of a run. */
struct totals {
    uint64_t faults[FAULTS_MAX];
    uint64_t hits[FAILPOINTS];
    uint64_t kills[FAILPOINTS]; /* or freezes, there */
    uint64_t execs;
    uint64_t execs_denied;
    uint64_t rebalances;
};

struct world {
    uint64_t seed;
    enum form form;
    bool is_traced;
    struct rng rng;
    struct options options;
    struct redis_url url;
    const struct catalog *const *catalogs; /* VERSIONS, each follows the one before */
    int version;                           /* of those; what starts now runs it */
    struct sim_kafka kafka;
    struct sim_redis redis;
    struct oracle oracle;
    struct invariants invariants;
    struct process processes[PROCESSES_MAX];
    int process_count;
    struct sim_source *dead[DEAD_MAX]; /* killed, and members still as far as the group knows */
    size_t dead_count;
    int next_member;
    int entity_count;
    int64_t events_left;
    int64_t fault_every; /* steps, on average */
    int64_t faults_left;
    int64_t strike_every; /* failpoints */
    int64_t lag_every;    /* steps between two moments at which the replica catches up */
    int64_t calm_at_ms;   /* when Kafka's own troubles are over */
    bool is_calm;         /* no more faults */
    uint64_t steps;
    uint64_t fault_count;
    struct totals *totals;
    struct err err; /* code 0: nothing is wrong */
};

void world_init(struct world *world, uint64_t seed, enum form form,
                const struct catalog *const *catalogs, struct totals *totals);
void world_fini(struct world *world);

/* 0, or ERR_INTERNAL: world->err says what was wrong. */
int world_run(struct world *world);

/* ---- sim_world.c, for sim_faults.c ---- */

void world_trace(const struct world *world, const char *format, ...) PRINTF_LIKE(2, 3);
void world_kill(struct world *world, struct process *process);
void world_start(struct world *world, struct process *process);
struct process *world_pick(struct world *world); /* one that is alive and not frozen; or NULL */
void world_reload(struct world *world, struct process *process); /* to the newest version */
bool world_may_expel(const struct world *world, const struct process *process);

/* ---- sim_faults.c ---- */

struct fault {
    const char *name;
    int weight[2];                       /* by form */
    bool (*strike)(struct world *world); /* false: there was nothing to strike */
    bool ends_owners;                    /* some unit's owner may end by it */
};

extern const struct fault faults[];
extern const size_t fault_count;

void faults_strike(struct world *world);
enum strike faults_at(void *arg, struct process *process, enum failpoint failpoint);

#endif
