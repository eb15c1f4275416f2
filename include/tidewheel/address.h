/* address: where something listens, taken apart.
 *
 *     127.0.0.1:4196     localhost:4196     [::1]:4196     0.0.0.0:0
 *
 * A host with colons (IPv6) stands in brackets. Port 0: any that is free.
 *
 * Floor: 1. Owner: pure.
 */
#ifndef TIDEWHEEL_ADDRESS_H
#define TIDEWHEEL_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

enum { ADDRESS_HOST_MAX = 256 };

struct address {
    char host[ADDRESS_HOST_MAX]; /* without brackets */
    int port;
    bool is_bracketed;
};

bool address_parse(const char *text, struct address *ret);

/* localhost, or an address of 127.0.0.0/8 or ::1, as text; false: anything else, a name that may lead
 * there among it. */
bool host_is_loopback(const char *host, size_t len);

/* The Host of a request (RFC 9110, 7.2): host_is_loopback(), with or without a port. */
bool host_header_is_loopback(const char *text);

#endif
