/* paths: the places in an event that somebody asked for.
 *
 *     paths_add("user_id") -> 0     paths_add("items.0.price") -> 1     paths_add("user_id") -> 0
 *
 * A path is dotted; a segment names an object's member, or, where it is a number without leading
 * zeros, an array's element. All views of one topic share one set; a path's slot is the place of its
 * value in the decoded event. The set is a tree of segments, walked along with the parser.
 *
 * Floor: 1. Owner: built once, then const and shared.
 */
#ifndef TIDEWHEEL_PATHS_H
#define TIDEWHEEL_PATHS_H

#include "tidewheel/buf.h"

enum { PATHS_MAX = 1024, PATH_SEGMENTS_MAX = 32, PATH_NONE = -1 };

/* One segment of the tree. Children are a list: a configuration has few names at each place. */
struct path_node {
    char *name;
    size_t name_len;
    int64_t element; /* the segment as an array index; -1 when it is none */
    int slot;        /* of the path that ends here, or PATH_NONE */
    int seen;        /* the node's own number, 0 and up: readers mark first occurrences by it */
    struct path_node *child;
    struct path_node *next;
};

struct paths {
    struct path_node root;
    size_t count; /* of slots */
    size_t node_count;
};

struct paths *paths_new(void);
void paths_free(struct paths *paths);

/* The slot of a path, made if it is new; ERR_CONFIG for an empty segment, too many segments or paths. */
int paths_add(struct paths *paths, const char *path, int *ret_slot, struct err *err) MUST_CHECK;

const struct path_node *path_child(const struct path_node *node, const char *name, size_t name_len);
const struct path_node *path_element(const struct path_node *node, int64_t element);

#endif
