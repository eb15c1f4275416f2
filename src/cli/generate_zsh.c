#include "cli/generate.h"
#include "tidewheel/options.h"

/* ---- texts: within single quotes, and within what _arguments and _describe take apart ---- */

static void add_escaped(struct buf *ret, const char *text)
{
    for (; *text != '\0'; text++) {
        if (strchr("[]:\\", *text) != NULL)
            buf_add_char(ret, '\\');
        if (*text == '\'')
            buf_add_text(ret, "'\\''");
        else
            buf_add_char(ret, *text);
    }
}

/* What completes: the end of a spec of _arguments, behind its second colon. */
static void add_action(struct buf *ret, const struct wanted *wanted)
{
    if (wanted->kind == WANTED_FILES)
        buf_add_text(ret, "_files");
    else if (wanted->kind == WANTED_OPTION)
        buf_add_text(ret, "_tidewheel_option");
    else if (wanted->words.len > 0)
        buf_printf(ret, "(%.*s)", (int)wanted->words.len, wanted->words.ptr);
    else
        buf_add_char(ret, ' ');
}

static void add_flag(struct buf *ret, const struct flag *flag)
{
    struct wanted wanted = wanted_of(flag->value);
    buf_add_text(ret, " \\\n                ");
    if (flag->is_list)
        buf_add_text(ret, "'*'");
    else if (flag_has_letter(flag))
        buf_printf(ret, "'(-%c --%s)'", flag->letter, flag->name);
    if (flag_has_letter(flag))
        buf_printf(ret, "{-%c+,--%s=}", flag->letter, flag->name);
    else
        buf_printf(ret, "--%s=", flag->name);
    buf_add_text(ret, "'[");
    add_escaped(ret, flag->help);
    buf_add_text(ret, "]:");
    add_escaped(ret, flag->value);
    buf_add_char(ret, ':');
    add_action(ret, &wanted);
    buf_add_char(ret, '\'');
    wanted_fini(&wanted);
}

static void add_command(struct buf *ret, const struct command *command)
{
    struct wanted wanted = wanted_of(command->operands);
    bool is_one =
        strchr(command->operands, ' ') == NULL && strstr(command->operands, "...") == NULL;
    buf_printf(ret, "        (%s)\n            _arguments -S '--help[what it does]'",
               command->name);
    for (size_t i = 0; i < cli_flag_count; i++)
        if (cli_has_flag(command, &cli_flags[i]))
            add_flag(ret, &cli_flags[i]);
    if (*command->operands != '\0') {
        buf_printf(ret, " \\\n                '%s:", is_one ? "1" : "*");
        add_escaped(ret, command->operands);
        buf_add_char(ret, ':');
        add_action(ret, &wanted);
        buf_add_char(ret, '\'');
    }
    buf_add_text(ret, " && ret=0 ;;\n");
    wanted_fini(&wanted);
}

static void add_description(struct buf *ret, const char *name, const char *ending, const char *help)
{
    buf_printf(ret, "        '%s%s:", name, ending);
    add_escaped(ret, help);
    buf_add_text(ret, "'\n");
}

static void add_option_values(struct buf *ret)
{
    for (size_t i = 0; i < option_count; i++) {
        const struct setting *row = &option_rows[i];
        bool is_file = row->is_file || row->type == SETTING_TEXTS;
        if (!is_file && row->choices == NULL && row->type != SETTING_BOOL)
            continue;
        buf_printf(ret, "            (%s|*=%s) %s", row->path, row->path,
                   is_file ? "_files" : "compadd --");
        if (row->type == SETTING_BOOL)
            buf_add_text(ret, " true false");
        for (size_t j = 0; row->choices != NULL && row->choices[j] != NULL; j++)
            buf_printf(ret, " %s", row->choices[j]);
        buf_add_text(ret, " ;;\n");
    }
}

static void add_option_function(struct buf *ret)
{
    buf_add_text(ret, "_tidewheel_option()\n{\n    local -a rows\n    rows=(\n");
    for (size_t i = 0; i < option_count; i++)
        add_description(ret, option_rows[i].path,
                        option_rows[i].type == SETTING_PROPERTIES ? "." : "=", option_rows[i].help);
    buf_add_text(ret, "    )\n"
                      "    if compset -P '*='; then\n"
                      "        case ${IPREFIX%=} in\n");
    add_option_values(ret);
    buf_add_text(ret, "        esac\n"
                      "    else\n"
                      "        _describe -t settings option rows -S ''\n"
                      "    fi\n"
                      "}\n\n");
}

void generate_zsh(struct buf *ret)
{
    buf_add_text(ret, "#compdef tidewheel\n# Made by `tidewheel generate zsh`.\n\n");
    add_option_function(ret);
    buf_add_text(ret, "_tidewheel()\n"
                      "{\n"
                      "    local curcontext=$curcontext state line ret=1\n"
                      "    local -a commands\n"
                      "    commands=(\n");
    for (size_t i = 0; i < cli_command_count; i++)
        add_description(ret, cli_commands[i].name, "", cli_commands[i].summary);
    buf_add_text(ret,
                 "    )\n"
                 "    _arguments -C '(- *)--help[the commands]' '(- *)--version[the versions]' \\\n"
                 "        '1: :->command' '*:: :->rest' && ret=0\n"
                 "    case $state in\n"
                 "    (command)\n"
                 "        _describe -t commands command commands && ret=0 ;;\n"
                 "    (rest)\n"
                 "        case $words[1] in\n");
    for (size_t i = 0; i < cli_command_count; i++)
        add_command(ret, &cli_commands[i]);
    buf_add_text(ret, "        esac ;;\n"
                      "    esac\n"
                      "    return ret\n"
                      "}\n"
                      "\n"
                      "if [[ $funcstack[1] == _tidewheel ]]; then\n"
                      "    _tidewheel \"$@\"\n"
                      "else\n"
                      "    compdef _tidewheel tidewheel\n"
                      "fi\n");
}
