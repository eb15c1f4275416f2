#include "sink/redis_errors.h"

#include <string.h>

enum { SHOWN_MAX = 200 };

/* clang-format off */
static const struct redis_error rows[] = {
    {"NOAUTH",     NEEDS_PERSON,     "redis.url needs a password"},
    {"WRONGPASS",  NEEDS_PERSON,     "the user or password in redis.url is wrong"},
    {"ERR invalid password", NEEDS_PERSON, "the password in redis.url is wrong"},
    {"ERR Client sent AUTH", NEEDS_PERSON, "redis.url has a password, and Redis has none"},
    {"ERR AUTH",   NEEDS_PERSON,     "redis.url has a password, and Redis has none"},
    {"NOPERM",     NEEDS_PERSON,     "the Redis user lacks a right"},
    {"EXECABORT Transaction discarded because of: NOPERM", NEEDS_PERSON, "the Redis user lacks a right"},
    {"ERR DB index", NEEDS_PERSON,   "redis.url names a database that Redis does not have"},
    {"MOVED",      NEEDS_PERSON_NOW, "Redis Cluster is not supported: name a single primary"},
    {"CROSSSLOT",  NEEDS_PERSON_NOW, "Redis Cluster is not supported: name a single primary"},
    {"READONLY",   TRY_AGAIN,        "this is a replica: name the primary"},
    {"LOADING",    TRY_AGAIN,        "Redis is loading its data"},
    {"MASTERDOWN", TRY_AGAIN,        "the replica has lost its primary"},
    {"OOM",        TRY_AGAIN,        "Redis is out of memory: raise maxmemory"},
    {"MISCONF",    TRY_AGAIN,        "Redis cannot save its data"},
    {"NOREPLICAS", TRY_AGAIN,        "Redis has too few replicas"},
    {"BUSY",       TRY_AGAIN,        "Redis is running a script"},
    {"",           TRY_AGAIN,        "not written"},
};
/* clang-format on */

const struct redis_error *redis_error_find(const char *text)
{
    const struct redis_error *row = rows;
    while (strncmp(text, row->prefix, strlen(row->prefix)) != 0)
        row++;
    return row;
}

int redis_error_len(const char *text)
{
    const char *quoted = strstr(text, ", with args");
    size_t len = quoted != NULL ? (size_t)(quoted - text) : strlen(text);
    return (int)(len < SHOWN_MAX ? len : SHOWN_MAX);
}
