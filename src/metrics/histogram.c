#include "tidewheel/histogram.h"

#define BOUNDS(...)                                                                                \
    .count = sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t), .bounds = {__VA_ARGS__}

const struct buckets latency_buckets = {
    .per_unit = 1000,
    BOUNDS(5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 1800000),
};

const struct buckets duration_buckets = {
    .per_unit = 1000000,
    BOUNDS(250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000,
           2500000, 5000000, 10000000),
};

const struct buckets entities_buckets = {
    .per_unit = 1,
    BOUNDS(1, 2, 5, 10, 25, 50, 75, 100, 250, 500, 1000),
};
