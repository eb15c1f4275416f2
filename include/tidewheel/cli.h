/* cli: the commands, one row each.
 *
 *     tidewheel COMMAND [options] ...      tidewheel --help      tidewheel COMMAND --help
 *
 * A command's file in src/cli/ holds its function; the row in src/cli/cli.c holds its name, its flags,
 * one line of help and the long help with an example. Flags are rows too; each that takes one value
 * may also come from the environment. Exit codes are sysexits'.
 *
 * Floor: 5. Owner: the main thread.
 */
#ifndef TIDEWHEEL_CLI_H
#define TIDEWHEEL_CLI_H

#include "tidewheel/buf.h"
#include "tidewheel/exit_code.h"
#include "tidewheel/options.h"

/* What every command is given: the common flags, taken out of the arguments, and the rest. */
struct cli_args {
    const char *config;       /* -c FILE */
    const char **assignments; /* -s path=value */
    size_t assignment_count;
    const char **properties; /* -X name=value */
    size_t property_count;
    const char *events; /* -e FILE */
    const char *at;     /* --at TIME|end|each */
    const char *older_than;
    const char *by;
    const char *limit;
    const char *from;  /* --from earliest|TIME */
    const char *until; /* --until end|TIME */
    const char **operands;
    size_t operand_count;
};

int cli_main(int argc, char **argv);

/* One line on stderr about wrong arguments; returns EXIT_USAGE. */
int cli_usage_error(const char *format, ...) PRINTF_LIKE(1, 2);

int command_run(const struct cli_args *args);
int command_validate(const struct cli_args *args);
int command_eval(const struct cli_args *args);
int command_test(const struct cli_args *args);
int command_replay(const struct cli_args *args);
int command_get(const struct cli_args *args);
int command_state(const struct cli_args *args);
int command_stale(const struct cli_args *args);
int command_print_config(const struct cli_args *args);
int command_healthcheck(const struct cli_args *args);
int command_list(const struct cli_args *args);
int command_schema(const struct cli_args *args);
int command_generate(const struct cli_args *args);
int command_version(const struct cli_args *args);

#endif
