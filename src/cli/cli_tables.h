/* cli_tables: the flags and the commands, for help, manual and completions.
 *
 * Floor: 5. Owner: constants.
 */
#ifndef TIDEWHEEL_CLI_CLI_TABLES_H
#define TIDEWHEEL_CLI_CLI_TABLES_H

#include "tidewheel/cli.h"

/* A flag without a letter: what stands for it in a command's `flags`, and a bit that no letter has. */
enum { LONG_ONLY = 128 };
#define LONG(stand_in) (LONG_ONLY | (stand_in))

struct flag {
    int letter;
    const char *name; /* --name */
    const char *value;
    const char *env; /* NULL: none, for flags that may be given many times */
    const char *help;
    size_t offset; /* of the member, and of its count where there are many */
    size_t count_offset;
    bool is_list;
};

struct command {
    const char *name;
    int (*run)(const struct cli_args *args);
    const char *flags; /* their letters, or what stands for one */
    const char *operands;
    const char *summary;
    const char *more; /* details and an example */
};

extern const struct flag *const cli_flags;
extern const size_t cli_flag_count;
extern const struct command *const cli_commands;
extern const size_t cli_command_count;

struct exit_row {
    enum exit_code code;
    const char *name; /* for a list of them; empty: the code says enough */
    const char *help;
};

extern const struct exit_row *const cli_exits;
extern const size_t cli_exit_count;

bool cli_has_flag(const struct command *command, const struct flag *flag);

#endif
