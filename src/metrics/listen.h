/* listen: a socket to listen on, by the text of an address.
 *
 * Floor: 3. Owner: any thread.
 */
#ifndef TIDEWHEEL_METRICS_LISTEN_H
#define TIDEWHEEL_METRICS_LISTEN_H

#include <stdbool.h>

#include "tidewheel/err.h"

struct listener {
    int fd;
    int port;
    bool is_loopback;
    char text[96]; /* the address that it really has: 127.0.0.1:4196, [::1]:4196 */
};

/* ERR_CONFIG, ERR_FATAL as http_open(). */
int listen_open(const char *text, struct listener *ret, struct err *err) MUST_CHECK;

#endif
