#include "tidewheel/pipeline.h"

#include <stdlib.h>

#include "config/pipeline_draft.h"
#include "tidewheel/mem.h"
#include "tidewheel/output.h"

static void add_view(struct catalog *catalog, struct draft *draft, const char *file)
{
    struct view *view = mem_zalloc(sizeof *view);
    view->file = mem_strdup(file);
    view->index = catalog->index_count++;
    catalog->views = mem_resize(catalog->views, catalog->view_count + 1, sizeof(struct view *));
    catalog->views[catalog->view_count++] = view;
    draft->view = view;
    view_compile(draft, catalog);
    struct topic *topic = view->topic;
    topic->views = mem_resize(topic->views, topic->view_count + 1, sizeof(struct view *));
    topic->views[topic->view_count++] = view;
}

/* What the worker reads, made once all is known to be right. */
static void finish(struct view *view)
{
    for (size_t i = 0; i < view->feature_count; i++) {
        struct feature *feature = &view->features[i];
        uint32_t parts = 0;
        for (size_t k = 0; k < feature->aggregate_count; k++)
            parts |= feature->aggregates[k]->parts;
        series_spec_init(&feature->series, parts, feature->value_path != NULL, feature->windows,
                         feature->window_count);
    }
    struct buf output = {NULL, 0, 0};
    view_output(view, &output);
    view->output = mem_strdup(buf_text(&output));
    buf_fini(&output);
    view_definition(view, view->definition);
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
    for (size_t i = 0; i < catalog->view_count; i++)
        finish(catalog->views[i]);
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
