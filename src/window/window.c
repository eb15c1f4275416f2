#include "tidewheel/window.h"

/* Each divides the next. */
static const int64_t LADDER_MS[] = {
    10, 100, 1000, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000, 21600000, 86400000,
};

int64_t window_default_hop(int64_t length_ms)
{
    size_t i = sizeof LADDER_MS / sizeof *LADDER_MS - 1;
    while (i > 0 && LADDER_MS[i] > length_ms / 100)
        i--;
    return LADDER_MS[i];
}

bool window_hops_nest(const struct window *windows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = i + 1; j < count; j++)
            if (windows[i].hop_ms % windows[j].hop_ms != 0 &&
                windows[j].hop_ms % windows[i].hop_ms != 0)
                return false;
    return true;
}
