#include "tidewheel/pipeline.h"

#include <stdlib.h>
#include <string.h>

#include "tidewheel/mem.h"

static void feature_fini(struct feature *feature)
{
    free(feature->name);
    match_free(feature->where);
    free(feature->value_path);
    free(feature->aggregates);
    for (size_t i = 0; i < feature->window_count; i++)
        free(feature->windows[i].text);
    free(feature->windows);
}

static void view_free(struct view *view)
{
    for (size_t i = 0; i < view->feature_count; i++)
        feature_fini(&view->features[i]);
    free(view->features);
    for (size_t i = 0; i < view->field_count; i++)
        free(view->fields[i].name);
    free(view->fields);
    for (size_t i = 0; i < view->key_count; i++)
        free(view->keys[i].path);
    free(view->keys);
    template_fini(&view->key);
    template_fini(&view->freshness_key);
    free(view->file);
    free(view->name);
    free(view->description);
    free(view->owner);
    free(view->time_path);
    free(view->entity_type);
    free(view->output);
    free(view);
}

static void topic_let_go(struct topic *topic)
{
    if (--topic->catalogs > 0)
        return;
    for (size_t i = 0; i < topic->view_count; i++)
        view_free(topic->views[i]);
    free(topic->name);
    paths_free(topic->paths);
    free(topic->views);
    free(topic);
}

void catalog_free(struct catalog *catalog)
{
    if (catalog == NULL)
        return;
    for (size_t i = 0; i < catalog->topic_count; i++)
        topic_let_go(catalog->topics[i]);
    free(catalog->views);
    free(catalog->topics);
    free(catalog);
}

const struct topic *catalog_topic(const struct catalog *catalog, struct slice name)
{
    for (size_t i = 0; i < catalog->topic_count; i++)
        if (slice_is_equal(slice_of(catalog->topics[i]->name), name))
            return catalog->topics[i];
    return NULL;
}

const struct view *catalog_view(const struct catalog *catalog, const char *name)
{
    for (size_t i = 0; i < catalog->view_count; i++)
        if (strcmp(catalog->views[i]->name, name) == 0)
            return catalog->views[i];
    return NULL;
}

/* ---- the next catalog ---- */

bool view_keeps_state(const struct view *view, const struct view *before)
{
    return strcmp(view->definition, before->definition) == 0;
}

static const struct view *view_in(const struct topic *topic, const char *name)
{
    for (size_t i = 0; i < topic->view_count; i++)
        if (strcmp(topic->views[i]->name, name) == 0)
            return topic->views[i];
    return NULL;
}

static bool is_same_topic(const struct topic *topic, const struct topic *before)
{
    if (before == NULL || topic->view_count != before->view_count)
        return false;
    for (size_t i = 0; i < topic->view_count; i++) {
        const struct view *view = view_in(before, topic->views[i]->name);
        if (view == NULL || !view_keeps_state(topic->views[i], view))
            return false;
    }
    return true;
}

static void count_changes(const struct catalog *catalog, const struct catalog *before,
                          struct catalog_change *ret)
{
    *ret = (struct catalog_change){0};
    for (size_t i = 0; i < catalog->view_count; i++) {
        const struct view *view = catalog->views[i];
        const struct view *old = catalog_view(before, view->name);
        if (old == NULL)
            ret->views_new++;
        else if (view_keeps_state(view, old) && view->ttl_ms == old->ttl_ms)
            ret->views_kept++;
        else
            ret->views_changed++;
    }
    ret->views_gone = before->view_count - ret->views_kept - ret->views_changed;
    for (size_t i = 0; i < catalog->topic_count; i++)
        ret->topics_new += catalog_topic(before, slice_of(catalog->topics[i]->name)) == NULL;
    ret->topics_gone = before->topic_count + ret->topics_new - catalog->topic_count;
}

/* A view that shares its hash with one whose expiry is another gets another one, too. */
static void share_view(struct view **view, struct view *before)
{
    before->ttl_ms = (*view)->ttl_ms;
    before->key_ttl_ms = (*view)->key_ttl_ms;
    before->freshness_ttl_ms = (*view)->freshness_ttl_ms;
    *view = before;
}

static void share_topic(struct catalog *catalog, size_t number, struct topic *before)
{
    struct topic *own = catalog->topics[number];
    for (size_t i = 0; i < catalog->view_count; i++)
        for (size_t k = 0; k < before->view_count; k++)
            if (catalog->views[i]->topic == own &&
                strcmp(catalog->views[i]->name, before->views[k]->name) == 0)
                share_view(&catalog->views[i], before->views[k]);
    catalog->topics[number] = before;
    before->catalogs++;
    topic_let_go(own);
}

/* The lowest number that no view has, neither of before nor of the catalog's first `count`. */
static size_t free_index(const struct catalog *catalog, size_t count, const struct catalog *before)
{
    for (size_t index = 0;; index++) {
        bool is_free = true;
        for (size_t i = 0; i < before->view_count; i++)
            is_free = is_free && before->views[i]->index != index;
        for (size_t i = 0; i < count; i++)
            is_free = is_free && catalog->views[i]->index != index;
        if (is_free)
            return index;
    }
}

static void number_views(struct catalog *catalog, const struct catalog *before)
{
    catalog->index_count = 0;
    for (size_t i = 0; i < catalog->view_count; i++) {
        struct view *view = catalog->views[i];
        const struct view *old = catalog_view(before, view->name);
        if (old != view) /* what is shared is not written to */
            view->index = old != NULL ? old->index : free_index(catalog, i, before);
        if (view->index >= catalog->index_count)
            catalog->index_count = view->index + 1;
    }
}

void catalog_follow(struct catalog *catalog, struct catalog *before, struct catalog_change *ret)
{
    count_changes(catalog, before, ret);
    for (size_t i = 0; i < catalog->topic_count; i++)
        for (size_t k = 0; k < before->topic_count; k++)
            if (strcmp(catalog->topics[i]->name, before->topics[k]->name) == 0 &&
                is_same_topic(catalog->topics[i], before->topics[k])) {
                share_topic(catalog, i, before->topics[k]);
                break;
            }
    number_views(catalog, before);
}

bool catalog_change_is_none(const struct catalog_change *change)
{
    return change->views_changed + change->views_new + change->views_gone == 0;
}
