/* yaml_problems: what is wrong in one file, in the order in which it stands there.
 *
 * Floor: 2. Owner: the file's tree.
 */
#ifndef TIDEWHEEL_CONFIG_YAML_PROBLEMS_H
#define TIDEWHEEL_CONFIG_YAML_PROBLEMS_H

#include "tidewheel/buf.h"

struct yaml_problem {
    int line;
    int column;
    size_t number; /* as found: keeps the order of those at one place */
    char *text;
};

struct yaml_problems {
    struct yaml_problem *list;
    size_t count;
    size_t cap;
    size_t left_out; /* beyond YAML_PROBLEMS_MAX */
};

void yaml_problems_add(struct yaml_problems *problems, int line, int column, struct slice text);
void yaml_problems_report(struct yaml_problems *problems, const char *name, struct buf *report);
void yaml_problems_fini(struct yaml_problems *problems);

#endif
