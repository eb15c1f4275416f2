/* tls: what lies between a wire and its socket with rediss://.
 *
 *     connected socket --tls_new--> tls_shake_hands() ... 1 --> tls_send() tls_recv()
 *
 * OpenSSL on the socket itself, so that any hiredis will do: it sees nothing but replies. TLS 1.2 or later.
 * The certificate must come from a CA of redis.tls.ca_file, or of the system, and be for the host of the
 * URL, by name or by address. Nothing turns this off.
 *
 * The files are read for each connection: renewed ones count from the next one on.
 *
 * Floor: 3. Owner: the wire's.
 */
#ifndef TIDEWHEEL_SINK_TLS_H
#define TIDEWHEEL_SINK_TLS_H

#include "tidewheel/redis_url.h"

#include <stddef.h>
#include <sys/types.h>

struct tls;

/* Says nothing yet. Both outlive it. ERR_RETRY: a file has become wrong since the start. */
int tls_new(const struct redis_url *url, int fd, struct tls **ret, struct err *err) MUST_CHECK;
void tls_free(struct tls *tls); /* the socket stays open */

/* As the operations of a wire; why a certificate is refused is in the sentence. */
int tls_shake_hands(struct tls *tls, struct err *err) MUST_CHECK;
ssize_t tls_send(struct tls *tls, const char *ptr, size_t len, struct err *err) MUST_CHECK;
ssize_t tls_recv(struct tls *tls, char *ptr, size_t cap, struct err *err) MUST_CHECK;

/* What to poll the socket for; 0: do not wait, something can be received at once. */
short tls_events(const struct tls *tls, bool for_sending);

#endif
