#include "tidewheel/address.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "tidewheel/num.h"

enum { PORT_MAX = 65535, OCTET_MAX = 255, OCTETS = 4 };

/* The colon in front of the port; NULL: there is none. */
static const char *find_colon(const char *text)
{
    const char *colon = strrchr(text, ':');
    const char *close = *text == '[' ? strchr(text, ']') : NULL;
    if (close != NULL)
        return close[1] == ':' && colon == close + 1 ? colon : NULL;
    return colon != NULL && strchr(text, ':') == colon ? colon : NULL;
}

bool address_parse(const char *text, struct address *ret)
{
    int64_t port = 0;
    const char *colon = find_colon(text);
    if (colon == NULL || strpbrk(text, " \t/@") != NULL ||
        !num_parse_int64(colon + 1, strlen(colon + 1), &port) || port < 0 || port > PORT_MAX)
        return false;
    bool is_bracketed = *text == '[';
    const char *host = text + is_bracketed;
    size_t len = (size_t)(colon - host) - is_bracketed;
    if (len == 0 || len >= sizeof ret->host)
        return false;
    memcpy(ret->host, host, len);
    ret->host[len] = '\0';
    ret->port = (int)port;
    ret->is_bracketed = is_bracketed;
    return true;
}

/* 127.a.b.c, in digits and dots: 127.1 and the like are not worth it. */
static bool is_ipv4_loopback(const char *host, size_t len)
{
    int octets = 0;
    for (const char *end = host + len; host <= end; octets++) {
        const char *dot = memchr(host, '.', (size_t)(end - host));
        const char *stop = dot != NULL ? dot : end;
        int64_t octet = 0;
        if (!num_parse_int64(host, (size_t)(stop - host), &octet) || octet < 0 ||
            octet > OCTET_MAX || (octets == 0 && octet != 127))
            return false;
        host = stop + 1;
    }
    return octets == OCTETS;
}

bool host_is_loopback(const char *host, size_t len)
{
    static const char LOCALHOST[] = "localhost";
    if (len == strlen(LOCALHOST) && strncasecmp(host, LOCALHOST, len) == 0)
        return true;
    if (len == 3 && memcmp(host, "::1", len) == 0)
        return true;
    return is_ipv4_loopback(host, len);
}

bool host_header_is_loopback(const char *text)
{
    size_t len = strlen(text);
    if (*text == '[') {
        const char *close = strchr(text, ']');
        if (close == NULL || (close[1] != '\0' && close[1] != ':'))
            return false;
        return host_is_loopback(text + 1, (size_t)(close - text) - 1);
    }
    const char *colon = memchr(text, ':', len);
    return host_is_loopback(text, colon != NULL ? (size_t)(colon - text) : len);
}
