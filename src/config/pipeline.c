#include "tidewheel/pipeline.h"

#include <stdlib.h>
#include <string.h>

#include "config/pipeline_draft.h"
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
    free(view);
}

void catalog_free(struct catalog *catalog)
{
    if (catalog == NULL)
        return;
    for (size_t i = 0; i < catalog->view_count; i++)
        view_free(catalog->views[i]);
    for (size_t i = 0; i < catalog->topic_count; i++) {
        free(catalog->topics[i]->name);
        paths_free(catalog->topics[i]->paths);
        free(catalog->topics[i]->views);
        free(catalog->topics[i]);
    }
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

static void add_view(struct catalog *catalog, struct draft *draft, const char *file)
{
    struct view *view = mem_zalloc(sizeof *view);
    view->file = mem_strdup(file);
    view->index = catalog->view_count;
    catalog->views = mem_resize(catalog->views, catalog->view_count + 1, sizeof(struct view *));
    catalog->views[catalog->view_count++] = view;
    draft->view = view;
    view_compile(draft, catalog);
    struct topic *topic = view->topic;
    topic->views = mem_resize(topic->views, topic->view_count + 1, sizeof(struct view *));
    topic->views[topic->view_count++] = view;
}

/* What the hot path reads, made once all is known to be right. */
static void finish(struct catalog *catalog)
{
    for (size_t i = 0; i < catalog->view_count; i++) {
        for (size_t j = 0; j < catalog->views[i]->feature_count; j++) {
            struct feature *feature = &catalog->views[i]->features[j];
            uint32_t parts = 0;
            for (size_t k = 0; k < feature->aggregate_count; k++)
                parts |= feature->aggregates[k]->parts;
            series_spec_init(&feature->series, parts, feature->value_path != NULL, feature->windows,
                             feature->window_count);
        }
    }
}

/* All files' trees live until the end: what one view does to another is said where it stands. */
static int load(struct yaml **yamls, const char *const *files, size_t count, struct buf *report,
                struct catalog **ret)
{
    struct catalog *catalog = mem_zalloc(sizeof *catalog);
    struct draft *drafts = mem_zalloc((count + 1) * sizeof *drafts);
    size_t draft_count = 0;
    size_t problems = 0;
    for (size_t i = 0; i < count; i++) {
        const struct yaml_node *root = yaml_root(yamls[i]);
        if (root == NULL)
            continue;
        drafts[draft_count] = (struct draft){.yaml = yamls[i], .root = root};
        add_view(catalog, &drafts[draft_count++], files[i]);
    }
    hashes_check(drafts, draft_count);
    for (size_t i = 0; i < count; i++) {
        problems += yaml_problem_count(yamls[i]);
        yaml_report(yamls[i], report);
    }
    free(drafts);
    if (problems > 0) {
        catalog_free(catalog);
        return ERR_CONFIG;
    }
    finish(catalog);
    *ret = catalog;
    return 0;
}

int pipeline_load(const char *const *files, size_t file_count, struct buf *report,
                  struct catalog **ret)
{
    struct yaml **yamls = mem_zalloc((file_count + 1) * sizeof(struct yaml *));
    for (size_t i = 0; i < file_count; i++)
        yamls[i] = yaml_read(files[i]);
    int rc = load(yamls, files, file_count, report, ret);
    for (size_t i = 0; i < file_count; i++)
        yaml_close(yamls[i]);
    free(yamls);
    return rc;
}

int pipeline_load_text(const char *name, struct slice text, struct buf *report,
                       struct catalog **ret)
{
    struct yaml *yaml = yaml_parse(name, text.ptr, text.len);
    int rc = load(&yaml, &name, 1, report, ret);
    yaml_close(yaml);
    return rc;
}
