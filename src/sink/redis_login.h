/* redis_login: a Redis URL that this build can speak to.
 *
 * Floor: 3. Owner: pure.
 */
#ifndef TIDEWHEEL_SINK_REDIS_LOGIN_H
#define TIDEWHEEL_SINK_REDIS_LOGIN_H

#include "tidewheel/redis_url.h"

/* Of a TCP connection: small writes go at once, and what is not acknowledged in timeout_ms breaks it. */
void redis_tune(int fd, unsigned timeout_ms);

/* ERR_CONFIG: not a Redis URL, or one over TLS. */
int redis_login(const char *text, struct redis_url *ret, struct err *err) MUST_CHECK;

#endif
