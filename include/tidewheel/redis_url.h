/* redis_url: redis://[user[:password]@]host[:port][/db], unix:///path[?db=N].
 *
 * Parts are percent-decoded. Messages about a URL never hold its password.
 *
 * Floor: 1. Owner: pure.
 */
#ifndef TIDEWHEEL_REDIS_URL_H
#define TIDEWHEEL_REDIS_URL_H

#include "tidewheel/err.h"

struct redis_url {
    char *host; /* NULL: a unix socket */
    int port;
    char *path; /* of the unix socket */
    char *user; /* NULL: none, as password */
    char *password;
    int db;
};

int redis_url_parse(const char *text, struct redis_url *ret, struct err *err) MUST_CHECK;
void redis_url_fini(struct redis_url *url);

#endif
