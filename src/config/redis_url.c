#include "tidewheel/redis_url.h"

#include <stdlib.h>
#include <string.h>

#include "tidewheel/mask.h"
#include "tidewheel/mem.h"
#include "tidewheel/num.h"

enum { PORT_DEFAULT = 6379, PORT_MAX = 65535, DB_MAX = 65535 };

static const char EXPECTED[] = "expected redis://host:6379/0, rediss:// or unix:///path/to/socket";

static bool parse_number(const char *ptr, size_t len, int64_t max, int *ret)
{
    int64_t number = 0;
    if (!num_parse_int64(ptr, len, &number) || number < 0 || number > max)
        return false;
    *ret = (int)number;
    return true;
}

static int hex(char digit)
{
    static const char DIGITS[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = digit != '\0' ? strchr(DIGITS, digit) : NULL;
    return at != NULL ? (int)((at - DIGITS) % 16) : -1;
}

/* NULL: a percent sign without two digits, or an encoded NUL. */
static char *decode(const char *ptr, size_t len)
{
    char *ret = mem_alloc(len + 1);
    size_t ret_len = 0;
    for (size_t i = 0; i < len; i++) {
        char byte = ptr[i];
        if (byte == '%') {
            int high = i + 2 < len ? hex(ptr[i + 1]) : -1;
            int low = i + 2 < len ? hex(ptr[i + 2]) : -1;
            if (high < 0 || low < 0 || high + low == 0) {
                free(ret);
                return NULL;
            }
            byte = (char)(high * 16 + low);
            i += 2;
        }
        ret[ret_len++] = byte;
    }
    ret[ret_len] = '\0';
    return ret;
}

/* text points behind the scheme; what is returned, behind the '@'. NULL: wrong. */
static const char *parse_login(const char *text, struct redis_url *url)
{
    size_t host_end = strcspn(text, "/?");
    const char *at = memrchr(text, '@', host_end);
    if (at == NULL)
        return text;
    const char *colon = memchr(text, ':', (size_t)(at - text));
    size_t user_len = (size_t)((colon != NULL ? colon : at) - text);
    if (user_len > 0 && (url->user = decode(text, user_len)) == NULL)
        return NULL;
    if (colon != NULL && (url->password = decode(colon + 1, (size_t)(at - colon) - 1)) == NULL)
        return NULL;
    return at + 1;
}

static bool parse_unix(const char *text, struct redis_url *url)
{
    size_t path_len = strcspn(text, "?");
    const char *query = text + path_len;
    if (*text != '/' || path_len < 2)
        return false;
    url->socket = mem_strndup(text, path_len);
    if (*query == '\0')
        return true;
    return strncmp(query, "?db=", 4) == 0 &&
           parse_number(query + 4, strlen(query + 4), DB_MAX, &url->db);
}

static bool parse_host(const char *text, struct redis_url *url)
{
    bool is_bracketed = *text == '[';
    text += is_bracketed;
    size_t len = strcspn(text, is_bracketed ? "]" : ":/?#@");
    const char *rest = text + len;
    if (len == 0 || (is_bracketed && *rest++ != ']'))
        return false;
    url->host = mem_strndup(text, len);
    if (*rest == ':') {
        size_t port_len = strcspn(++rest, "/");
        if (!parse_number(rest, port_len, PORT_MAX, &url->port) || url->port == 0)
            return false;
        rest += port_len;
    }
    if (*rest == '/' && rest[1] != '\0')
        return parse_number(rest + 1, strlen(rest + 1), DB_MAX, &url->db);
    return *rest == '\0' || (*rest == '/' && rest[1] == '\0');
}

static bool parse(const char *text, struct redis_url *url)
{
    static const char *const SCHEMES[] = {"redis://", "rediss://", "unix://"};
    size_t scheme = 0;
    while (scheme < 3 && strncmp(text, SCHEMES[scheme], strlen(SCHEMES[scheme])) != 0)
        scheme++;
    if (scheme == 3)
        return false;
    for (const char *at = text; *at != '\0'; at++)
        if ((unsigned char)*at <= 0x20 || *at == 0x7f)
            return false;
    url->is_tls = scheme == 1;
    const char *place = parse_login(text + strlen(SCHEMES[scheme]), url);
    if (place == NULL)
        return false;
    return scheme == 2 ? parse_unix(place, url) : parse_host(place, url);
}

/* Behind the scheme; text itself if there is none. */
static const char *skip_scheme(const char *text)
{
    static const char LETTERS[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t len = strspn(text, LETTERS);
    return len > 0 && strncmp(text + len, "://", 3) == 0 ? text + len + 3 : text;
}

#define HOST_CHARS                                                                                 \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"                               \
    "-._:/[]"

static bool is_port(const char *text)
{
    size_t len = strspn(text, "0123456789");
    return len > 0 && len <= 5 && (text[len] == '/' || text[len] == '\0');
}

/* Of what is no URL nobody knows which part is the password: the one behind the first colon, as in
 * redis://user:password, or the only word. */
static void show_place(const char *place, bool has_scheme, struct buf *ret)
{
    size_t len = strcspn(place, ":?");
    bool is_whole = place[len] == '\0' || (place[len] == ':' && is_port(place + len + 1));
    if (is_whole && (has_scheme || place[len] != '\0')) {
        buf_add_text(ret, place);
    } else {
        buf_add(ret, place, place[len] != '\0' ? len + 1 : 0);
        buf_add_text(ret, MASK);
    }
}

/* Behind its last @ a host is shown, if it can be one. */
static void show_doubtful(const char *text, const char *place, struct buf *ret)
{
    const char *at = strrchr(place, '@');
    buf_add(ret, text, (size_t)(place - text));
    if (at == NULL) {
        show_place(place, place > text, ret);
        return;
    }
    buf_add_text(ret, MASK);
    if (place > text && strspn(at + 1, HOST_CHARS) == strlen(at + 1))
        buf_add_text(ret, at);
}

void redis_url_show(const char *text, struct buf *ret)
{
    struct redis_url url = {.port = PORT_DEFAULT};
    bool is_right = parse(text, &url);
    redis_url_fini(&url);
    const char *place = skip_scheme(text);
    if (!is_right) {
        show_doubtful(text, place, ret);
        return;
    }
    const char *at = memrchr(place, '@', strcspn(place, "/?"));
    const char *colon = at != NULL ? memchr(place, ':', (size_t)(at - place)) : NULL;
    size_t shown = (size_t)((colon != NULL ? colon + 1 : place) - text);
    buf_add(ret, text, shown);
    buf_printf(ret, "%s%s", at != NULL ? MASK : "", at != NULL ? at : place);
}

static int refuse(const char *text, struct err *err)
{
    struct buf shown = {NULL, 0, 0};
    redis_url_show(text, &shown);
    int rc = err_set(err, ERR_CONFIG, "'%.400s' is no Redis URL; %s", buf_text(&shown), EXPECTED);
    buf_fini(&shown);
    return rc;
}

int redis_url_parse(const char *text, struct redis_url *ret, struct err *err)
{
    struct redis_url url = {.port = PORT_DEFAULT};
    if (!parse(text, &url)) {
        redis_url_fini(&url);
        return refuse(text, err);
    }
    *ret = url;
    return 0;
}

void redis_url_fini(struct redis_url *url)
{
    free(url->socket);
    free(url->host);
    free(url->user);
    free(url->password);
    free(url->ca_file);
    free(url->cert_file);
    free(url->key_file);
    *url = (struct redis_url){.port = PORT_DEFAULT};
}

struct slice redis_url_password(const char *text)
{
    const char *login = skip_scheme(text);
    const char *at = memrchr(login, '@', strcspn(login, "/?"));
    const char *colon = at != NULL ? memchr(login, ':', (size_t)(at - login)) : NULL;
    return colon != NULL ? (struct slice){colon + 1, (size_t)(at - colon) - 1}
                         : (struct slice){NULL, 0};
}
