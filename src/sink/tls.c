#include "sink/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "tidewheel/mem.h"
#include "tidewheel/wire.h"

struct tls {
    SSL *ssl;
    const char *host;
    short recv_wants; /* to be polled for before receiving, and before sending, makes sense again */
    short send_wants;
};

static int use_key(SSL_CTX *context, const char *file)
{
    return SSL_CTX_use_PrivateKey_file(context, file, SSL_FILETYPE_PEM);
}

#define UNKNOWN_CA "comes from a CA that we do not know; redis.tls.ca_file would name one"

/* clang-format off */
static const struct {
    const char *option;
    size_t offset; /* in struct redis_url */
    int (*load)(SSL_CTX *context, const char *file);
    const char *what;
} FILES[] = {
    {"redis.tls.ca_file",   offsetof(struct redis_url, ca_file),   SSL_CTX_load_verify_file, "CA certificate"},
    {"redis.tls.cert_file", offsetof(struct redis_url, cert_file), SSL_CTX_use_certificate_chain_file, "certificate"},
    {"redis.tls.key_file",  offsetof(struct redis_url, key_file),  use_key, "key of our certificate"},
};

/* Of the server's certificate; what is not here is said in OpenSSL's words. */
static const struct {
    long code;
    const char *verdict;
} VERDICTS[] = {
    {X509_V_ERR_CERT_HAS_EXPIRED,                     "has expired"},
    {X509_V_ERR_CERT_NOT_YET_VALID,                   "is not valid yet"},
    {X509_V_ERR_HOSTNAME_MISMATCH,                    "is not for this host name"},
    {X509_V_ERR_IP_ADDRESS_MISMATCH,                  "is not for this address"},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,          UNKNOWN_CA},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,            UNKNOWN_CA},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,            UNKNOWN_CA},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,    UNKNOWN_CA},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,      UNKNOWN_CA},
};

/* Of other failures. */
static const struct {
    int code;
    const char *text;
} REASONS[] = {
    {SSL_R_WRONG_VERSION_NUMBER,               "there is no TLS at this port"},
    {SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED,  "Redis wants to see a certificate: set redis.tls.cert_file and key_file"},
    {SSL_R_TLSV1_ALERT_UNKNOWN_CA,             "Redis does not know the CA of our certificate"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED,    "Redis says that our certificate has expired"},
    {SSL_R_UNEXPECTED_EOF_WHILE_READING,       "Server closed the connection"},
};
/* clang-format on */

/* ---- why not ---- */

static const char *reason(void)
{
    unsigned long code = ERR_peek_error();
    if (code != 0 && ERR_SYSTEM_ERROR(code))
        return strerror(ERR_GET_REASON(code));
    for (size_t i = 0; i < sizeof REASONS / sizeof *REASONS; i++)
        if (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == REASONS[i].code)
            return REASONS[i].text;
    const char *text = ERR_reason_error_string(code);
    return text != NULL ? text : "OpenSSL does not say why";
}

static const char *verdict(long code)
{
    for (size_t i = 0; i < sizeof VERDICTS / sizeof *VERDICTS; i++)
        if (VERDICTS[i].code == code)
            return VERDICTS[i].verdict;
    return X509_verify_cert_error_string(code);
}

static int refuse(const struct tls *tls, struct err *err)
{
    long code = SSL_get_verify_result(tls->ssl);
    if (code != X509_V_OK)
        return err_set(err, ERR_RETRY, "TLS: the certificate of %s %s", tls->host, verdict(code));
    return err_set(err, ERR_RETRY, "TLS with %s: %s", tls->host, reason());
}

/* What came of a call that has not succeeded: 0, and what it waits for, or ERR_RETRY. */
static int settle(const struct tls *tls, int rc, short *ret_wants, struct err *err)
{
    int error = errno;
    switch (SSL_get_error(tls->ssl, rc)) {
    case SSL_ERROR_WANT_READ:
        *ret_wants = POLLIN;
        return 0;
    case SSL_ERROR_WANT_WRITE:
        *ret_wants = POLLOUT;
        return 0;
    case SSL_ERROR_SSL:
        return refuse(tls, err);
    case SSL_ERROR_SYSCALL:
        if (error != 0)
            return err_set(err, ERR_RETRY, "%s", strerror(error));
        /* fall through */
    default:
        return err_set(err, ERR_RETRY, "Server closed the connection");
    }
}

/* Both are asked about after a failure, and neither is cleared by a success. */
static void forget_errors(void)
{
    ERR_clear_error();
    errno = 0;
}

/* ---- a context ---- */

/* A terminal is nothing that a worker has. */
static int no_passphrase(char *ret, int size, int is_writing, void *arg)
{
    (void)ret, (void)size, (void)is_writing, (void)arg;
    return -1;
}

static int load_files(SSL_CTX *context, const struct redis_url *url, const char **ret_option,
                      struct err *err)
{
    for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++) {
        const char *file = *(char *const *)((const char *)url + FILES[i].offset);
        if (file == NULL || FILES[i].load(context, file) == 1)
            continue;
        *ret_option = FILES[i].option;
        return err_set(err, ERR_CONFIG, "'%s' holds no %s: %s", file, FILES[i].what, reason());
    }
    return 0;
}

static int context_new(const struct redis_url *url, SSL_CTX **ret, const char **ret_option,
                       struct err *err)
{
    forget_errors();
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    CHECK(context != NULL);
    CHECK(SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    /* What is sent again may lie elsewhere by then. A connection that ends without a farewell is no
     * attack: Redis's answers say where they end. */
    (void)SSL_CTX_set_mode(context,
                           SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    (void)SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
    if (url->ca_file == NULL)
        (void)SSL_CTX_set_default_verify_paths(context);
    int rc = load_files(context, url, ret_option, err);
    if (rc == 0)
        *ret = context;
    else
        SSL_CTX_free(context);
    return rc;
}

int wire_check_files(const struct redis_url *url, const char **ret_option, struct err *err)
{
    SSL_CTX *context = NULL;
    int rc = url->is_tls ? context_new(url, &context, ret_option, err) : 0;
    SSL_CTX_free(context);
    return rc;
}

/* ---- a connection ---- */

/* An address is looked for among the addresses of the certificate, and is no name to ask for. */
static void name_host(SSL *ssl, const char *host)
{
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1)
        return;
    CHECK(SSL_set1_host(ssl, host) == 1);
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    (void)SSL_set_tlsext_host_name(ssl, host);
}

int tls_new(const struct redis_url *url, int fd, struct tls **ret, struct err *err)
{
    SSL_CTX *context = NULL;
    const char *option = "";
    if (context_new(url, &context, &option, err) < 0) {
        (void)err_wrap(err, "%s", option);
        return err->code = ERR_RETRY;
    }
    struct tls *tls = mem_zalloc(sizeof *tls);
    tls->ssl = SSL_new(context);
    SSL_CTX_free(context); /* the connection holds it */
    CHECK(tls->ssl != NULL && SSL_set_fd(tls->ssl, fd) == 1);
    SSL_set_connect_state(tls->ssl);
    name_host(tls->ssl, url->host);
    tls->host = url->host;
    tls->recv_wants = POLLIN;
    tls->send_wants = POLLOUT;
    *ret = tls;
    return 0;
}

void tls_free(struct tls *tls)
{
    if (tls != NULL)
        SSL_free(tls->ssl);
    free(tls);
}

int tls_shake_hands(struct tls *tls, struct err *err)
{
    forget_errors();
    int rc = SSL_do_handshake(tls->ssl);
    if (rc != 1)
        rc = settle(tls, rc, &tls->recv_wants, err);
    else
        tls->recv_wants = POLLIN;
    return rc;
}

/* A server that refuses us says why and hangs up: what comes to light first is that nobody is there any
 * more to be sent to, and why is still to be received. */
static void hear_why(const struct tls *tls, struct err *err)
{
    char byte;
    size_t got = 0;
    forget_errors();
    int rc = SSL_peek_ex(tls->ssl, &byte, 1, &got);
    if (rc != 1 && SSL_get_error(tls->ssl, rc) == SSL_ERROR_SSL)
        (void)refuse(tls, err);
}

ssize_t tls_send(struct tls *tls, const char *ptr, size_t len, struct err *err)
{
    size_t sent = 0;
    forget_errors();
    tls->send_wants = POLLOUT;
    int rc = SSL_write_ex(tls->ssl, ptr, len, &sent);
    if (rc == 1)
        return (ssize_t)sent;
    rc = settle(tls, rc, &tls->send_wants, err);
    if (rc < 0)
        hear_why(tls, err);
    return rc;
}

/* Until the room is full or nothing is left: less than was asked for means that all is here. */
ssize_t tls_recv(struct tls *tls, char *ptr, size_t cap, struct err *err)
{
    size_t total = 0;
    size_t got = 0;
    int rc = 1;
    tls->recv_wants = POLLIN;
    while (total < cap) {
        forget_errors();
        rc = SSL_read_ex(tls->ssl, ptr + total, cap - total, &got);
        if (rc != 1)
            break;
        total += got;
    }
    if (total > 0 && rc != 1)
        (void)settle(tls, rc, &tls->recv_wants, NULL); /* what has failed fails again */
    return total > 0 ? (ssize_t)total : settle(tls, rc, &tls->recv_wants, err);
}

short tls_events(const struct tls *tls, bool for_sending)
{
    if (SSL_pending(tls->ssl) > 0)
        return 0;
    bool is_sending = for_sending && SSL_is_init_finished(tls->ssl);
    return (short)(tls->recv_wants | (is_sending ? tls->send_wants : 0));
}
