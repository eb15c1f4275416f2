/* load: what every command begins with: configuration, pipelines, times.
 *
 * Each function says on stderr what is wrong, all of it at once, and returns an exit code.
 *
 * Floor: 5. Owner: the main thread.
 */
#ifndef TIDEWHEEL_CLI_LOAD_H
#define TIDEWHEEL_CLI_LOAD_H

#include "tidewheel/cli.h"
#include "tidewheel/decode.h"

int load_options(const struct cli_args *args, bool needs_pipelines, struct options *ret);
/* Of the configuration what is right, the defaults for the rest; ERR_CONFIG: what is wrong is in report. */
int load_what_is_right(const struct cli_args *args, struct buf *report, struct options *ret);
/* All that `run` needs, at its start and at a reload; says nothing itself. ERR_CONFIG: all that is wrong is in
 * report, and nothing is filled. */
int load_all(const struct cli_args *args, struct buf *report, struct options *ret_options,
             struct catalog **ret_catalog) MUST_CHECK;
int say_report(struct buf *report); /* and frees it */
int load_catalog(const char *const *files, size_t count, struct catalog **ret);

/* From here on no log line shows a secret of these: passwords, and what properties keep secret. */
void hide_secrets(const struct options *options);

/* On stderr, without what is hidden. */
void print_report(const struct buf *report);

/* What events may be where no worker's configuration is read: the defaults of its limits. */
extern const struct decode_limits default_limits;

/* NULL: there is none of that name; command: who says so. */
const struct view *load_view(const struct catalog *catalog, const char *command, const char *name);

/* The identity (key.h) of the entity that has these texts as its key parts, the tenant first; ptr NULL:
 * not given. False: one is missing, empty or of the wrong type. */
bool build_identity(const struct view *view, const struct slice *parts, struct buf *ret);

/* Unix ms or RFC 3339. */
bool parse_time(const char *text, int64_t *ret_ms);

#endif
