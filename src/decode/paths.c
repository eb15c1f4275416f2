#include "tidewheel/paths.h"

#include <stdlib.h>

#include "tidewheel/mem.h"
#include "tidewheel/num.h"

struct paths *paths_new(void)
{
    struct paths *paths = mem_zalloc(sizeof *paths);
    paths->root = (struct path_node){.element = -1, .slot = PATH_NONE, .seen = PATH_NONE};
    return paths;
}

/* Without recursion: a node's children are put in front of what is still to be freed. */
void paths_free(struct paths *paths)
{
    if (paths == NULL)
        return;
    struct path_node *todo = paths->root.child;
    while (todo != NULL) {
        struct path_node *node = todo;
        todo = node->next;
        while (node->child != NULL) {
            struct path_node *child = node->child;
            node->child = child->next;
            child->next = todo;
            todo = child;
        }
        free(node->name);
        free(node);
    }
    free(paths);
}

static struct path_node *node_new(const char *name, size_t name_len, int number)
{
    struct path_node *node = mem_zalloc(sizeof *node);
    node->name = mem_strndup(name, name_len);
    node->name_len = name_len;
    if (!num_parse_int64(name, name_len, &node->element) || node->element < 0)
        node->element = -1;
    node->slot = PATH_NONE;
    node->seen = number;
    return node;
}

/* The child of that name, made if it is new; in the order in which they were added. */
static struct path_node *node_child(struct paths *paths, struct path_node *node, const char *name,
                                    size_t name_len)
{
    struct path_node **link = &node->child;
    for (; *link != NULL; link = &(*link)->next)
        if ((*link)->name_len == name_len && memcmp((*link)->name, name, name_len) == 0)
            return *link;
    *link = node_new(name, name_len, (int)paths->node_count++);
    return *link;
}

static int path_check(const char *path, struct err *err)
{
    size_t segments = 0;
    for (const char *at = path;; at++) {
        size_t len = strcspn(at, ".");
        if (len == 0)
            return err_set(err, ERR_CONFIG, "'%s' is not a path like order.total or items.0.price",
                           path);
        segments++;
        at += len;
        if (*at == '\0')
            break;
    }
    if (segments > PATH_SEGMENTS_MAX)
        return err_set(err, ERR_CONFIG, "'%s' has %zu segments, at most %d are allowed", path,
                       segments, PATH_SEGMENTS_MAX);
    return 0;
}

/* The slot of a path that is there already, or PATH_NONE. */
static int path_find(const struct paths *paths, const char *path)
{
    const struct path_node *node = &paths->root;
    for (;; path++) {
        size_t len = strcspn(path, ".");
        node = path_child(node, path, len);
        path += len;
        if (node == NULL)
            return PATH_NONE;
        if (*path == '\0')
            return node->slot;
    }
}

int paths_add(struct paths *paths, const char *path, int *ret_slot, struct err *err)
{
    int error = path_check(path, err);
    if (error != 0)
        return error;
    int slot = path_find(paths, path);
    if (slot == PATH_NONE && paths->count >= PATHS_MAX)
        return err_set(err, ERR_CONFIG,
                       "'%s' is one path too many: a topic's views read at most %d", path,
                       PATHS_MAX);
    if (slot == PATH_NONE) {
        struct path_node *node = &paths->root;
        for (const char *at = path;; at++) {
            size_t len = strcspn(at, ".");
            node = node_child(paths, node, at, len);
            at += len;
            if (*at == '\0')
                break;
        }
        slot = node->slot = (int)paths->count++;
    }
    *ret_slot = slot;
    return 0;
}

const struct path_node *path_child(const struct path_node *node, const char *name, size_t name_len)
{
    for (const struct path_node *child = node->child; child != NULL; child = child->next)
        if (child->name_len == name_len && memcmp(child->name, name, name_len) == 0)
            return child;
    return NULL;
}

const struct path_node *path_element(const struct path_node *node, int64_t element)
{
    for (const struct path_node *child = node->child; child != NULL; child = child->next)
        if (child->element == element)
            return child;
    return NULL;
}
