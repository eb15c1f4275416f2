#include "run/beside.h"

#include <stdlib.h>

#include "tidewheel/log.h"
#include "tidewheel/mem.h"
#include "tidewheel/meta.h"
#include "tidewheel/output.h"
#include "tidewheel/redis_query.h"

struct beside {
    const struct options *options;
    const struct catalog *catalog;
    char **groups;
    size_t group_count;
    size_t group_cap;
};

static void note_group(void *arg, const char *group)
{
    struct beside *beside = arg;
    beside->groups =
        mem_grow(beside->groups, beside->group_count, &beside->group_cap, sizeof *beside->groups);
    beside->groups[beside->group_count++] = mem_strdup(group);
}

/* Does it write a field that a view of ours writes, under a key that both can make? */
static bool is_ours_too(const struct beside *beside, const char *text)
{
    struct output output;
    struct err err;
    if (text == NULL || output_read(slice_of(text), &output, &err) < 0)
        return false;
    size_t count = output.field_count;
    output_subtract(&output, beside->catalog);
    bool ret = output.field_count < count || output.view == NULL;
    output_fini(&output);
    return ret;
}

/* *ret: a view of that group which does; "": none. The caller frees it. */
static int look_at(const struct beside *beside, struct redis_query *query, const char *group,
                   const char *topic, char **ret, struct err *err)
{
    struct buf key = {NULL, 0, 0};
    struct answer answer;
    struct meta meta;
    meta_init(&meta);
    meta_key(&key, group, topic, 0); /* a group has all partitions of a topic, or none */
    int rc = redis_query_ask(query, (struct slice[]){slice_of("HGETALL"), buf_slice(&key)}, 2,
                             &answer, err);
    for (size_t i = 0; rc == 0 && i + 1 < answer.count; i += 2)
        meta_take(&meta, answer_item(&answer, i), answer_item(&answer, i + 1));
    const char *found = "";
    for (size_t i = 0; i < meta.view_count; i++)
        if (is_ours_too(beside, meta.views[i].output))
            found = meta.views[i].name;
    if (rc == 0)
        *ret = mem_strdup(found);
    meta_fini(&meta);
    buf_fini(&key);
    return rc;
}

static int judge(struct reset *reset, const char *group, const char *view, struct err *err)
{
    size_t members = 0;
    int rc = reset_members(reset, group, &members, err);
    if (rc < 0)
        return rc;
    if (members > 0)
        return err_set(err, ERR_FATAL,
                       "group %s publishes view %s under the same keys, and has %zu member%s: set "
                       "another version here, and {version} in output.key and in "
                       "output.freshness_key; or stop these workers first",
                       group, view, members, members == 1 ? "" : "s");
    log_warn(
        "beside",
        "group=%s view=%s why=\"it has published under the same keys, and has no members now\" "
        "then=\"its values are overwritten when this is caught up; should its workers come back, "
        "both write\"",
        group, view);
    return 0;
}

static int check_group(const struct beside *beside, struct redis_query *query, struct reset *reset,
                       const char *group, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; i < beside->catalog->topic_count && rc == 0; i++) {
        char *view = NULL;
        rc = look_at(beside, query, group, beside->catalog->topics[i]->name, &view, err);
        if (rc == 0 && *view != '\0')
            rc = judge(reset, group, view, err);
        free(view);
    }
    return rc;
}

int beside_check(const struct options *options, const struct catalog *catalog, struct reset *reset,
                 struct err *err)
{
    struct beside beside = {.options = options, .catalog = catalog};
    struct redis_query *query = NULL;
    int rc = redis_query_open(&options->redis, &query, err);
    if (rc < 0)
        return rc;
    struct err blind;
    if (reset_others(reset, note_group, &beside, &blind) < 0)
        log_warn("beside", "why=\"%s\" then=\"whether others publish the same is not looked at\"",
                 blind.text);
    for (size_t i = 0; i < beside.group_count && rc == 0; i++)
        rc = check_group(&beside, query, reset, beside.groups[i], err);
    for (size_t i = 0; i < beside.group_count; i++)
        free(beside.groups[i]);
    free(beside.groups);
    redis_query_close(query);
    return rc;
}
