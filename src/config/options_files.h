/* options_files: which pipeline files a pattern means.
 *
 * Floor: 2. Owner: whoever loads the configuration.
 */
#ifndef TIDEWHEEL_CONFIG_OPTIONS_FILES_H
#define TIDEWHEEL_CONFIG_OPTIONS_FILES_H

#include <stdbool.h>

#include "tidewheel/options.h"

enum { PIPELINE_FILES_MAX = 1024 };

/* Adds the files that a pattern matches, each once, sorted. Relative to the folder of the file
 * beside; NULL: to the working folder. A name without wildcards is taken as it is. False: nothing
 * matches. */
bool options_add_files(struct options *options, const char *pattern, const char *beside);

/* The file that a name means, as a person would write it; the caller's to free. Relative as above. */
char *options_place(const char *name, const char *beside);

bool options_file_exists(const char *file);

#endif
