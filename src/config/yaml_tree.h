/* yaml_tree: the inside of a file's tree, for the two files that make it.
 *
 * Floor: 2. Owner: whoever loads the configuration.
 */
#ifndef TIDEWHEEL_CONFIG_YAML_TREE_H
#define TIDEWHEEL_CONFIG_YAML_TREE_H

#include "config/yaml_problems.h"
#include "tidewheel/yaml.h"

struct yaml {
    char *name;
    struct yaml_node *root;   /* NULL unless the whole file was read */
    struct yaml_node **nodes; /* all of them, so that freeing is a loop */
    size_t node_count;
    size_t node_cap;
    struct yaml_problems problems;
};

#endif
