/* options_yaml: the option table in the shape of the file that it reads.
 *
 *     redis.url, redis.tls.ca_file     ->      redis:               group, depth 0
 *                                                url: ...           row,   depth 1
 *                                                tls:               group, depth 1
 *                                                  ca_file: ...     row,   depth 2
 *
 * Rows come in the order of the table, but for those of one group, which come together.
 *
 * Floor: 5. Owner: the main thread.
 */
#ifndef TIDEWHEEL_CLI_OPTIONS_YAML_H
#define TIDEWHEEL_CLI_OPTIONS_YAML_H

#include "tidewheel/setting.h"

struct options_visitor {
    void (*group)(void *arg, const char *name, int depth);
    void (*row)(void *arg, const struct setting *row, const char *name, int depth);
    void *arg;
};

void options_visit(const struct options_visitor *visitor);

/* Adds a text as a scalar in double quotes, as yaml.h reads it: $ doubled. */
void yaml_add_quoted(struct buf *ret, const char *text);
/* A value of the row: in quotes unless its type makes them needless. */
void yaml_add_value(struct buf *ret, const struct setting *row, const char *text);
/* A key of a mapping: in quotes only where it has to be. */
void yaml_add_key(struct buf *ret, const char *key);

#endif
