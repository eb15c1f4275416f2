/* pipeline_draft: a view while it is being made, with the places in its file.
 *
 *     pipeline.c           all files, the catalog
 *     pipeline_view.c      one file into a draft
 *     pipeline_feature.c   its features, windows and fields
 *     pipeline_hashes.c    what views have in common: names, hashes, fields, ttls
 *
 * Floor: 2. Owner: whoever loads the configuration.
 */
#ifndef TIDEWHEEL_CONFIG_PIPELINE_DRAFT_H
#define TIDEWHEEL_CONFIG_PIPELINE_DRAFT_H

#include "config/pipeline_keys.h"
#include "tidewheel/pipeline.h"

struct draft {
    struct yaml *yaml;
    const struct yaml_node *root; /* NULL: unreadable, and there is no view */
    struct setting_value values[VIEW_KEYS];
    const struct yaml_node *feature_nodes[FEATURES_MAX]; /* where to say what is wrong with each */
    bool is_accused[FEATURES_MAX];                       /* its fields were found to be another's */
    struct view *view;                                   /* the catalog's */
};

/* A problem of a key's value: at the value, or as that of the file when the key was left out. */
void draft_error(const struct draft *draft, enum view_key key, const char *sentence);

/* Reads the file's tree into draft->view; its topic is found or made in the catalog. */
void view_compile(struct draft *draft, struct catalog *catalog);

void features_compile(struct draft *draft);
void fields_compile(struct draft *draft);

/* What only shows when all views are known. */
void hashes_check(struct draft *drafts, size_t count);

#endif
