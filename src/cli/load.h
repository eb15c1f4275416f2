/* load: what every command begins with: configuration, pipelines, times.
 *
 * Each function says on stderr what is wrong, all of it at once, and returns an exit code.
 *
 * Floor: 5. Owner: the main thread.
 */
#ifndef TIDEWHEEL_CLI_LOAD_H
#define TIDEWHEEL_CLI_LOAD_H

#include "tidewheel/cli.h"
#include "tidewheel/pipeline.h"

int load_options(const struct cli_args *args, bool needs_pipelines, struct options *ret);
int load_catalog(const char *const *files, size_t count, struct catalog **ret);

/* Unix ms or RFC 3339. */
bool parse_time(const char *text, int64_t *ret_ms);

#endif
