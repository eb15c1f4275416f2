#include "sink/alive.h"

enum { COUNTS_PER_MS = 10, BEYOND_DOUBT = 2 };

const char *const alive_texts[] = {
    [ALIVE_AS_EXPECTED] = "nothing is lost",
    [ALIVE_GONE] = "Redis has come back empty",
    [ALIVE_OLDER] = "Redis is older than what it acknowledged",
    [ALIVE_OTHER] = "a write that was given up has landed",
};

int64_t alive_announce(struct alive *alive, int64_t mono_ms)
{
    if (alive->born_ms < 0)
        alive->born_ms = mono_ms;
    alive->count += BEYOND_DOUBT; /* a batch in doubt may be carried out behind our back */
    return alive->count;
}

int64_t alive_look(struct alive *alive, int64_t mono_ms)
{
    int64_t now_count = (mono_ms - alive->born_ms) * COUNTS_PER_MS;
    alive->more = now_count > alive->count ? now_count - alive->count : 0;
    return alive->more;
}

enum alive_verdict alive_compare(struct alive *alive, int64_t found, bool is_in_doubt)
{
    if (found == alive->count ||
        (alive->is_announced && is_in_doubt && found == alive->count + 1)) {
        alive->is_announced = true;
        alive->count = found;
        return ALIVE_AS_EXPECTED;
    }
    alive->is_announced = false;
    if (found <= 0)
        return ALIVE_GONE;
    if (found > alive->count) {
        alive->count = found;
        return ALIVE_OTHER;
    }
    alive->older_ms = alive->born_ms + found / COUNTS_PER_MS - ALIVE_CHECK_MS;
    return ALIVE_OLDER;
}

void alive_raise(struct alive *alive, int64_t more)
{
    alive->count += more;
}
