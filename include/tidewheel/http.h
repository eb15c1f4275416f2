/* http: what the process shows, to who asks over HTTP. It changes nothing.
 *
 *     /metrics           Prometheus' text format (expose.h)
 *     /livez             200, or 503 and which thread hangs
 *     /readyz[?verbose]  200, or 503 and why
 *     /version           JSON
 *     /debug/state       JSON: offsets, lag, memory and state of each partition, and topics that are
 *                        missing; never an entity
 *
 * GET and HEAD. A connection carries one request and lives for 5 s in all, however busily it trickles;
 * a request's head may have 8 KiB. Of more than 64 connections the oldest goes. Where it listens on
 * this machine alone, the request's Host must be of this machine too: a name that somebody else points
 * here (DNS rebinding) is refused. There is no CORS.
 *
 * A thread of its own, which reads boards and nothing else.
 *
 * Floor: 3. Owner: the main thread; the server's own thread answers.
 */
#ifndef TIDEWHEEL_HTTP_H
#define TIDEWHEEL_HTTP_H

#include "tidewheel/display.h"
#include "tidewheel/err.h"

enum { HTTP_CONNECTIONS_MAX = 64, HTTP_CONNECTION_MS = 5000, HTTP_HEAD_MAX = 8192 };

struct http;

/* listen: host:port (address.h). display outlives it. ERR_CONFIG: no such address; ERR_FATAL: it is in
 * use, or not allowed. */
int http_open(const char *listen, const struct display *display, struct http **ret,
              struct err *err) MUST_CHECK;
void http_close(struct http *http);

int http_port(const struct http *http); /* the real one */

#endif
