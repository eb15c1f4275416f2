#include "config/options_secrets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/options_files.h"
#include "config/secret_file.h"
#include "tidewheel/mem.h"

#define FILE_ENDING "_file"

/* Properties that name a file which nobody else may read. */
static const char *const PRIVATE_FILES[] = {
    "ssl.key.location",
    "ssl.keystore.location",
    "sasl.kerberos.keytab",
    "sasl.oauthbearer.assertion.private.key.file",
};

/* ---- redis ---- */

struct redis_reader {
    const struct setting_value *values;
    const char *file;
    struct redis_url *url;
    option_problem_fn *problem;
    void *arg;
    bool is_wrong;
};

static void refuse(struct redis_reader *reader, enum option option, const char *sentence)
{
    reader->is_wrong = true;
    reader->problem(reader->arg, option, sentence);
}

/* NULL: none is named. */
static char *place(const struct redis_reader *reader, enum option option)
{
    const struct setting_value *value = &reader->values[option];
    return *value->text != '\0'
               ? options_place(value->text, value->node != NULL ? reader->file : NULL)
               : NULL;
}

static void read_password(struct redis_reader *reader)
{
    struct err err;
    char *file = place(reader, OPTION_REDIS_PASSWORD_FILE);
    if (file != NULL && reader->url->password != NULL)
        refuse(reader, OPTION_REDIS_PASSWORD_FILE,
               "redis.url has a password, too; expected one of the two");
    else if (file != NULL && secret_file_read(file, &reader->url->password, &err) < 0)
        refuse(reader, OPTION_REDIS_PASSWORD_FILE, err.text);
    free(file);
}

static void read_tls(struct redis_reader *reader)
{
    struct redis_url *url = reader->url;
    struct err err;
    url->ca_file = place(reader, OPTION_REDIS_TLS_CA_FILE);
    url->cert_file = place(reader, OPTION_REDIS_TLS_CERT_FILE);
    url->key_file = place(reader, OPTION_REDIS_TLS_KEY_FILE);
    for (enum option i = OPTION_REDIS_TLS_CA_FILE; i <= OPTION_REDIS_TLS_KEY_FILE; i++)
        if (!url->is_tls && *reader->values[i].text != '\0')
            refuse(reader, i, "is of no use: redis.url does not begin with rediss://");
    if (!url->is_tls)
        return;
    if (url->cert_file != NULL && url->key_file == NULL)
        refuse(reader, OPTION_REDIS_TLS_CERT_FILE, "expected redis.tls.key_file beside it");
    if (url->key_file != NULL && url->cert_file == NULL)
        refuse(reader, OPTION_REDIS_TLS_KEY_FILE, "expected redis.tls.cert_file beside it");
    if (url->key_file != NULL && secret_file_check(url->key_file, &err) < 0)
        refuse(reader, OPTION_REDIS_TLS_KEY_FILE, err.text);
}

static void check_redis(struct redis_reader *reader, redis_check_fn *check)
{
    struct err err;
    const char *path = NULL;
    if (reader->is_wrong || check == NULL || check(reader->url, &path, &err) == 0)
        return;
    for (enum option i = 0; i < OPTIONS; i++)
        if (strcmp(option_rows[i].path, path) == 0)
            refuse(reader, i, err.text);
}

void options_read_redis(const struct setting_value *values, const char *file, redis_check_fn *check,
                        struct redis_url *ret, option_problem_fn *problem, void *arg)
{
    struct redis_reader reader = {values, file, ret, problem, arg, false};
    struct err err;
    if (redis_url_parse(values[OPTION_REDIS_URL].text, ret, &err) < 0) {
        refuse(&reader, OPTION_REDIS_URL, err.text);
        return;
    }
    read_password(&reader);
    read_tls(&reader);
    check_redis(&reader, check);
}

/* ---- properties ---- */

/* The NAME of NAME_file, if that is a secret; the caller's to free. NULL: it is another one. */
static char *secret_of(const char *name)
{
    size_t len = strlen(name);
    size_t end_len = strlen(FILE_ENDING);
    if (len < end_len || strcmp(name + len - end_len, FILE_ENDING) != 0)
        return NULL;
    char *ret = mem_strndup(name, len - end_len);
    if (property_is_secret(ret))
        return ret;
    free(ret);
    return NULL;
}

int options_read_property(const char *name, const char *value, const char *beside,
                          struct property *ret, struct err *err)
{
    char *secret = secret_of(name);
    if (secret != NULL) {
        char *file = options_place(value, beside);
        int rc = secret_file_read(file, &ret->value, err);
        free(file);
        if (rc == 0)
            ret->name = secret;
        else
            free(secret);
        return rc;
    }
    for (size_t i = 0; i < sizeof PRIVATE_FILES / sizeof *PRIVATE_FILES; i++)
        if (strcmp(PRIVATE_FILES[i], name) == 0 && secret_file_check(value, err) < 0)
            return ERR_CONFIG;
    *ret = (struct property){mem_strdup(name), mem_strdup(value), NULL};
    return 0;
}

const struct yaml_node *options_twin(const struct yaml_node *node)
{
    char *secret = secret_of(node->key);
    const struct yaml_node *ret = secret != NULL ? yaml_find(node->parent, secret) : NULL;
    free(secret);
    return ret;
}

/* ---- the configuration file itself ---- */

/* Of what is no URL it is not known what the password is. */
static bool has_written_password(const struct yaml_node *node)
{
    struct redis_url url;
    if (node->kind != YAML_TEXT || redis_url_parse(node->text, &url, NULL) < 0)
        return false;
    redis_url_fini(&url);
    struct slice password = redis_url_password(node->text);
    return password.ptr != NULL &&
           yaml_is_written(node, (size_t)(password.ptr - node->text), password.len);
}

static bool is_written_secret(const struct yaml_node *node)
{
    return node->kind == YAML_TEXT && property_is_secret(node->key) &&
           yaml_is_written(node, 0, strlen(node->text));
}

void options_check_written(const struct setting_value *values, const char *file)
{
    struct err err;
    const struct yaml_node *url = values[OPTION_REDIS_URL].node;
    const struct yaml_node *map = values[OPTION_KAFKA_LIBRDKAFKA].node;
    if (file == NULL || secret_file_check(file, &err) == 0)
        return;
    if (url != NULL && has_written_password(url))
        yaml_error(url, "has a password in it, and %s, or set redis.password_file", err.text);
    if (map == NULL || map->kind != YAML_MAP)
        return;
    for (const struct yaml_node *node = map->child; node != NULL; node = node->next)
        if (is_written_secret(node))
            yaml_error(node, "is a secret, and %s, or set %s" FILE_ENDING, err.text, node->key);
}
