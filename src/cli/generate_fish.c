#include "cli/generate.h"
#include "tidewheel/options.h"

static void add_quoted(struct buf *ret, const char *text)
{
    add_quoted_once(ret, text, "\\'");
}

static void begin(struct buf *ret, const char *command)
{
    buf_printf(ret, "complete -c tidewheel -n '__fish_seen_subcommand_from %s'", command);
}

static void add_flag(struct buf *ret, const struct command *command, const struct flag *flag)
{
    struct wanted wanted = wanted_of(flag->value);
    begin(ret, command->name);
    if (flag_has_letter(flag))
        buf_printf(ret, " -s %c", flag->letter);
    buf_printf(ret, " -l %s %s", flag->name, wanted.kind == WANTED_FILES ? "-rF" : "-x");
    if (wanted.kind == WANTED_OPTION)
        buf_add_text(ret, " -a '(__tidewheel_options)'");
    else if (wanted.words.len > 0)
        buf_printf(ret, " -a '%.*s'", (int)wanted.words.len, wanted.words.ptr);
    buf_add_text(ret, " -d ");
    add_quoted(ret, flag->help);
    buf_add_char(ret, '\n');
    wanted_fini(&wanted);
}

static void add_command(struct buf *ret, const struct command *command)
{
    struct wanted wanted = wanted_of(command->operands);
    buf_printf(ret, "\ncomplete -c tidewheel -n __fish_use_subcommand -f -a %s -d ", command->name);
    add_quoted(ret, command->summary);
    buf_add_char(ret, '\n');
    for (size_t i = 0; i < cli_flag_count; i++)
        if (cli_has_flag(command, &cli_flags[i]))
            add_flag(ret, command, &cli_flags[i]);
    begin(ret, command->name);
    buf_add_text(ret, " -l help -d 'what it does'\n");
    begin(ret, command->name);
    if (wanted.kind == WANTED_FILES)
        buf_add_text(ret, " -F\n");
    else if (wanted.words.len > 0)
        buf_printf(ret, " -f -a '%.*s'\n", (int)wanted.words.len, wanted.words.ptr);
    else
        buf_add_text(ret, " -f\n");
    wanted_fini(&wanted);
}

/* path=, and path=choice: one line each, with its help behind a tab. */
static void add_option(struct buf *ret, const struct setting *row)
{
    static const char *const TRUTHS[] = {"true", "false", NULL};
    const char *const *choices = row->type == SETTING_BOOL ? TRUTHS : row->choices;
    buf_printf(ret, "    printf '%%s\\t%%s\\n' %s%s ", row->path,
               row->type == SETTING_PROPERTIES ? "." : "=");
    add_quoted(ret, row->help);
    buf_add_char(ret, '\n');
    for (size_t i = 0; choices != NULL && choices[i] != NULL; i++)
        buf_printf(ret, "    printf '%%s\\n' %s=%s\n", row->path, choices[i]);
}

void generate_fish(struct buf *ret)
{
    buf_add_text(ret, "# fish completion for tidewheel. Made by `tidewheel generate fish`.\n\n"
                      "function __tidewheel_options\n");
    for (size_t i = 0; i < option_count; i++)
        add_option(ret, &option_rows[i]);
    buf_add_text(
        ret, "end\n\n"
             "complete -c tidewheel -n __fish_use_subcommand -f -l help -d 'the commands'\n"
             "complete -c tidewheel -n __fish_use_subcommand -f -l version -d 'the versions'\n");
    for (size_t i = 0; i < cli_command_count; i++)
        add_command(ret, &cli_commands[i]);
}
