/* redis_url: where Redis is and how to log in there, taken apart.
 *
 *     redis://[user:password@]host[:port][/db]      rediss:// the same, over TLS
 *     unix://[user:password@]/path/to/socket[?db=n]
 *
 * user may be left out before the colon. User and password may be percent-encoded. A host with
 * colons (IPv6) stands in brackets. Sentences about a URL never show its password. What the text does
 * not hold, the files of TLS and a password that comes from a file, is filled in by whoever knows.
 *
 * Floor: 1. Owner: whoever holds the struct.
 */
#ifndef TIDEWHEEL_REDIS_URL_H
#define TIDEWHEEL_REDIS_URL_H

#include "tidewheel/buf.h"

struct redis_url {
    bool is_tls;
    char *socket; /* NULL: TCP */
    char *host;   /* NULL with socket; without brackets */
    int port;
    int db;
    char *user;      /* NULL: none */
    char *password;  /* NULL: none */
    char *ca_file;   /* of rediss://; NULL: the system's CAs */
    char *cert_file; /* with key_file: who we are; NULL: we do not say */
    char *key_file;
};

int redis_url_parse(const char *text, struct redis_url *ret, struct err *err) MUST_CHECK;
void redis_url_fini(struct redis_url *url);

/* Adds the URL as it may be shown: redis://user:***@host:6379/0. Of a text that is no URL all that
 * might be a password is masked. */
void redis_url_show(const char *text, struct buf *ret);

/* Where the password stands in the text of a URL; ptr NULL: it has none. */
struct slice redis_url_password(const char *text);

#endif
