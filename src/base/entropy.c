#include "tidewheel/entropy.h"

#include <sys/random.h>

#include "tidewheel/err.h"

uint64_t entropy_draw(void *arg)
{
    (void)arg;
    uint64_t ret = 0;
    ssize_t got = getrandom(&ret, sizeof ret, 0);
    CHECK(got == sizeof ret); /* a nonce that somebody else has too would be no fence */
    return ret;
}
