/* sim_random: all that is left to chance, from one seed. */
#ifndef TIDEWHEEL_SIM_RANDOM_H
#define TIDEWHEEL_SIM_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
    uint64_t state;
};

/* splitmix64: small, and good enough to draw faults with. */
static inline uint64_t rng_next(struct rng *rng)
{
    uint64_t z = rng->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* 0 .. count - 1 */
static inline int64_t rng_below(struct rng *rng, int64_t count)
{
    return (int64_t)(rng_next(rng) % (uint64_t)count);
}

static inline int64_t rng_between(struct rng *rng, int64_t low, int64_t high)
{
    return low + rng_below(rng, high - low + 1);
}

static inline bool rng_one_in(struct rng *rng, int64_t count)
{
    return rng_below(rng, count) == 0;
}

#endif
