#include "tidewheel/redis_url.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tidewheel/mem.h"

#define EXPECTED "expected redis://[user[:password]@]host[:port][/db] or unix:///path[?db=N]"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
        return (c | 0x20) - 'a' + 10;
    return -1;
}

static char *decode(const char *ptr, size_t len)
{
    char *text = mem_alloc(len + 1);
    size_t to = 0;
    for (size_t i = 0; i < len; i++) {
        if (ptr[i] == '%' && i + 2 < len && hex_digit(ptr[i + 1]) >= 0 && hex_digit(ptr[i + 2]) >= 0) {
            text[to++] = (char)(hex_digit(ptr[i + 1]) * 16 + hex_digit(ptr[i + 2]));
            i += 2;
        } else {
            text[to++] = ptr[i];
        }
    }
    text[to] = '\0';
    return text;
}

static bool parse_number(const char *text, int max, int *ret)
{
    char *end = NULL;
    long value = strtol(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || value > max)
        return false;
    *ret = (int)value;
    return true;
}

static int parse_unix(const char *rest, struct redis_url *url, struct err *err)
{
    const char *query = strchr(rest, '?');
    size_t len = query != NULL ? (size_t)(query - rest) : strlen(rest);
    if (len == 0)
        return err_set(err, ERR_CONFIG, "redis.url names no socket: " EXPECTED);
    url->path = decode(rest, len);
    if (query != NULL &&
        (strncmp(query, "?db=", 4) != 0 || !parse_number(query + 4, 1000000, &url->db)))
        return err_set(err, ERR_CONFIG, "redis.url has an unknown query: " EXPECTED);
    return 0;
}

static void parse_credentials(const char *ptr, size_t len, struct redis_url *url)
{
    const char *colon = memchr(ptr, ':', len);
    size_t user_len = colon != NULL ? (size_t)(colon - ptr) : len;
    if (user_len > 0)
        url->user = decode(ptr, user_len);
    if (colon != NULL)
        url->password = decode(colon + 1, len - user_len - 1);
}

static int parse_tcp(const char *rest, struct redis_url *url, struct err *err)
{
    const char *slash = strchr(rest, '/');
    size_t len = slash != NULL ? (size_t)(slash - rest) : strlen(rest);
    const char *at = memrchr(rest, '@', len);
    if (at != NULL) {
        parse_credentials(rest, (size_t)(at - rest), url);
        len -= (size_t)(at + 1 - rest);
        rest = at + 1;
    }
    char *host = mem_strndup(rest, len);
    char *colon = strrchr(host, ':');
    bool is_bracketed = host[0] == '[';
    if (is_bracketed && (colon == NULL || strchr(colon, ']') != NULL))
        colon = NULL;
    bool is_good = colon == NULL || parse_number(colon + 1, 65535, &url->port);
    if (colon != NULL)
        *colon = '\0';
    size_t host_len = strlen(host);
    if (is_bracketed && host_len > 2 && host[host_len - 1] == ']')
        url->host = mem_strndup(host + 1, host_len - 2);
    else
        url->host = mem_strdup(host);
    free(host);
    if (!is_good || url->host[0] == '\0')
        return err_set(err, ERR_CONFIG, "redis.url has no host, or no port from 0 to 65535: " EXPECTED);
    if (slash != NULL && slash[1] != '\0' && !parse_number(slash + 1, 1000000, &url->db))
        return err_set(err, ERR_CONFIG, "redis.url has no database number behind its '/': " EXPECTED);
    return 0;
}

int redis_url_parse(const char *text, struct redis_url *ret, struct err *err)
{
    struct redis_url url = {.port = 6379};
    int rc = 0;
    if (strncmp(text, "redis://", 8) == 0)
        rc = parse_tcp(text + 8, &url, err);
    else if (strncmp(text, "unix://", 7) == 0)
        rc = parse_unix(text + 7, &url, err);
    else if (strncmp(text, "rediss://", 9) == 0)
        rc = err_set(err, ERR_CONFIG,
                     "redis.url asks for TLS, which this build does not speak yet: use redis:// or unix://");
    else
        rc = err_set(err, ERR_CONFIG, "redis.url has an unknown scheme: " EXPECTED);
    if (rc < 0) {
        redis_url_fini(&url);
        return rc;
    }
    *ret = url;
    return 0;
}

void redis_url_fini(struct redis_url *url)
{
    free(url->host);
    free(url->path);
    free(url->user);
    free(url->password);
}
