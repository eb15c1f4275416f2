#include <hiredis/hiredis.h>
#include <stdlib.h>

#include "tidewheel/mem.h"
#include "tidewheel/redis_query.h"
#include "tidewheel/store.h"

#define TEXT_OF(x) #x
#define VERSION(x) TEXT_OF(x)

const char *redis_client_version(void)
{
    return VERSION(HIREDIS_MAJOR) "." VERSION(HIREDIS_MINOR) "." VERSION(HIREDIS_PATCH);
}

static int fetch_fields(struct redis_query *query, struct slice key, const char *const *fields,
                        size_t field_count, char **ret_values, struct err *err)
{
    struct answer answer;
    struct slice *words = mem_alloc((field_count + 2) * sizeof *words);
    words[0] = slice_of("HMGET");
    words[1] = key;
    for (size_t i = 0; i < field_count; i++)
        words[i + 2] = slice_of(fields[i]);
    int rc = redis_query_ask(query, words, field_count + 2, &answer, err);
    free(words);
    for (size_t i = 0; i < field_count && rc == 0; i++) {
        struct slice value = answer_item(&answer, i);
        ret_values[i] = value.ptr != NULL ? mem_strndup(value.ptr, value.len) : NULL;
    }
    return rc;
}

int redis_fetch(const struct redis_url *url, struct slice key, const char *const *fields,
                size_t field_count, char **ret_values, int64_t *ret_pttl_ms, struct err *err)
{
    struct redis_query *query = NULL;
    struct answer pttl;
    int rc = redis_query_open(url, &query, err);
    if (rc == 0)
        rc = fetch_fields(query, key, fields, field_count, ret_values, err);
    if (rc == 0)
        *ret_pttl_ms =
            redis_query_ask(query, (struct slice[]){slice_of("PTTL"), key}, 2, &pttl, err) == 0
                ? pttl.integer
                : -2;
    redis_query_close(query);
    return rc;
}
