/* exit_code: what the process says when it ends (design.md; those above 63 are sysexits.h's).
 *
 * Floor: 0. Owner: nobody.
 */
#ifndef TIDEWHEEL_EXIT_CODE_H
#define TIDEWHEEL_EXIT_CODE_H

enum exit_code {
    EXIT_OK = 0,
    EXIT_TEST_FAILED = 1,
    EXIT_USAGE = 64,
    EXIT_UNAVAILABLE = 69,
    EXIT_INTERNAL = 70,
    EXIT_CONFIG = 78,
};

/* Of 0 or an ERR_*. */
int exit_code_of(int rc);

#endif
