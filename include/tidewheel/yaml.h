/* yaml: a configuration file as a tree that knows where everything stands.
 *
 *     features:                         map   features
 *       - name: purchase         ->       list
 *         windows: [1h, 24h]                map   features[0]
 *                                             text  features[0].name       "purchase"  2:13
 *                                             list  features[0].windows
 *
 * A careful part of YAML: mappings, lists and scalars, one document, UTF-8. Anchors, aliases and
 * tags are refused, a key given twice too; bytes, nesting, nodes and keys per mapping are limited,
 * so no file can blow up. Plain scalars have no types here: whoever reads one says what it expects.
 *
 * In scalars (never in keys) ${VAR}, ${VAR:-default} and ${VAR:?message} are replaced by the
 * environment's values and $$ by $, after parsing, so a value can never add structure.
 *
 * Problems are gathered in the file's own list, by whoever finds them, and reported in the order in
 * which they stand: `file:line:column: path: what is wrong, what was expected`. A node that was
 * itself refused is broken: further problems of it are not recorded.
 *
 * Floor: 2. Owner: whoever loads the configuration; gone before anything runs.
 */
#ifndef TIDEWHEEL_YAML_H
#define TIDEWHEEL_YAML_H

#include "tidewheel/buf.h"

enum {
    YAML_BYTES_MAX = 1 << 20,
    YAML_DEPTH_MAX = 32,
    YAML_NODES_MAX = 65536,
    YAML_KEYS_MAX = 1024,  /* in one mapping */
    YAML_TEXT_MAX = 65536, /* of a scalar after expansion */
    YAML_PROBLEMS_MAX = 100,
};

enum yaml_kind { YAML_TEXT, YAML_LIST, YAML_MAP };

struct yaml_node {
    enum yaml_kind kind;
    bool is_quoted; /* of a text: not written plainly, so it is never a bool, number or null */
    bool is_broken;
    int line; /* from 1, as column; of the value */
    int column;
    int key_line; /* in a map: of its key */
    int key_column;
    char *key;      /* in a map */
    size_t index;   /* in a list */
    char *text;     /* of a text, expanded; no NUL inside */
    char *borrowed; /* of a text: which of its bytes are the environment's; NULL: none */
    size_t count;   /* of children */
    struct yaml *yaml;
    struct yaml_node *parent; /* NULL: the root */
    struct yaml_node *child;
    struct yaml_node *next;
};

struct yaml;

/* Never NULL. A file that cannot be read or parsed has no root, and at least one problem. */
struct yaml *yaml_read(const char *file);
struct yaml *yaml_parse(const char *name, const char *ptr, size_t len);
void yaml_close(struct yaml *yaml); /* not _free: libyaml exports that name */

const struct yaml_node *yaml_root(const struct yaml *yaml); /* a map; NULL: see the problems */
bool yaml_is_null(const struct yaml_node *node);            /* plain and empty, ~ or null */
/* The value of a key; NULL: not there, or no map. */
const struct yaml_node *yaml_find(const struct yaml_node *map, const char *key);

/* Does any of these bytes of a text stand in the file itself, and not in the environment? */
bool yaml_is_written(const struct yaml_node *node, size_t from, size_t len);

/* Records a problem of node: at its value, at its key, or of something called name (a path below
 * it) that should be in it. */
void yaml_error(const struct yaml_node *node, const char *format, ...) PRINTF_LIKE(2, 3);
void yaml_error_key(const struct yaml_node *node, const char *format, ...) PRINTF_LIKE(2, 3);
void yaml_error_lacks(const struct yaml_node *node, const char *name, const char *format, ...)
    PRINTF_LIKE(3, 4);

size_t yaml_problem_count(const struct yaml *yaml);
void yaml_report(struct yaml *yaml, struct buf *report); /* one line each */

/* Text from outside, fit to be shown: in quotes, cut, without control characters and logins. */
struct citation {
    char text[80];
};
struct citation cite(const char *text);

/* The same of a name; what stands behind a colon, an equals sign or a space is perhaps a value, and a
 * secret: `password:hunter2` is a slip, and no name. */
struct citation cite_name(const char *text);

#endif
