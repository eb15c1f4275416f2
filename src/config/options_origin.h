/* options_origin: where the value of each option came from.
 *
 * Floor: 2. Owner: whoever loads the configuration.
 */
#ifndef TIDEWHEEL_CONFIG_OPTIONS_ORIGIN_H
#define TIDEWHEEL_CONFIG_OPTIONS_ORIGIN_H

#include "config/options_rows.h"
#include "tidewheel/options.h"

/* What a value came from, for sentences: "-s" or the variable's name; empty: the file, where the node
 * says it, or the preset. */
struct origin {
    char name[OPTION_ENV_MAX];
};

/* file:line, the caller's to free. */
char *origin_in_file(const char *file, const struct yaml_node *node);
/* The same of what is outside of it: -s, or `environment NAME`. */
char *origin_outside(const char *name);

/* Fills options->values by what has been read, row by row. */
void options_remember(struct options *options, const struct setting_value *values,
                      const struct origin *origins);
void options_forget(struct options *options);

#endif
