/* options_secrets: the files that options name, and where a secret may stand.
 *
 * Floor: 2. Owner: whoever loads the configuration.
 */
#ifndef TIDEWHEEL_CONFIG_OPTIONS_SECRETS_H
#define TIDEWHEEL_CONFIG_OPTIONS_SECRETS_H

#include "config/options_rows.h"
#include "tidewheel/options.h"

/* Told of each row that is wrong. */
typedef void option_problem_fn(void *arg, enum option option, const char *sentence);

/* One login of all that redis.* says; of a value from the configuration file a name is relative to that
 * file. check: NULL, or a redis_check_fn. */
void options_read_redis(const struct setting_value *values, const char *file, redis_check_fn *check,
                        struct redis_url *ret, option_problem_fn *problem, void *arg);

/* What a pair name=value means: for NAME_file, where NAME is a secret, NAME and what the file holds. A
 * file that tells who we are is looked at, too. *ret is the caller's to free. */
int options_read_property(const char *name, const char *value, const char *beside,
                          struct property *ret, struct err *err) MUST_CHECK;

/* The NAME beside a NAME_file in the same mapping; NULL: none, as it should be. */
const struct yaml_node *options_twin(const struct yaml_node *node);

/* Problems of the configuration file where a secret stands in it literally, and others may read it. */
void options_check_written(const struct setting_value *values, const char *file);

#endif
