#include "cli/generate.h"
#include "tidewheel/options.h"

/* bash cuts words at = and :, so that what is typed as one word has to be put together again, and the
 * answer is only what stands behind the last of them. */
static const char HEAD[] = "# bash completion for tidewheel. Made by `tidewheel generate bash`.\n"
                           "\n"
                           "# WORDS CURRENT: answers with those that begin so.\n"
                           "_tidewheel_words()\n"
                           "{\n"
                           "    local IFS=$' \\n'\n"
                           "    COMPREPLY=($(compgen -W \"$1\" -P \"$before\" -- \"$2\"))\n"
                           "}\n"
                           "\n"
                           "# CURRENT: answers with files.\n"
                           "_tidewheel_files()\n"
                           "{\n"
                           "    local IFS=$'\\n'\n"
                           "    COMPREPLY=($(compgen -f -P \"$before\" -- \"$1\"))\n"
                           "    compopt -o filenames 2>/dev/null\n"
                           "}\n"
                           "\n"
                           "# CURRENT: answers with options, or what may stand behind option=.\n"
                           "_tidewheel_option()\n"
                           "{\n"
                           "    local value=${1#*=}\n"
                           "    if [[ $1 != *=* ]]; then\n"
                           "        _tidewheel_words \"$_tidewheel_options\" \"$1\"\n"
                           "        compopt -o nospace 2>/dev/null\n"
                           "        return\n"
                           "    fi\n"
                           "    [[ $COMP_WORDBREAKS == *=* ]] || before+=${1%%=*}=\n"
                           "    case ${1%%=*} in\n";

static const char BODY[] =
    "_tidewheel()\n"
    "{\n"
    "    local words=() before= word current flag i\n"
    "    COMPREPLY=()\n"
    "    for ((i = 1; i <= COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        if ((${#words[@]})) && [[ $word == [=:]* || ${COMP_WORDS[i - 1]} == [=:] ]]; then\n"
    "            words[${#words[@]} - 1]+=$word\n"
    "        else\n"
    "            words+=(\"$word\")\n"
    "        fi\n"
    "    done\n"
    "    current=${words[${#words[@]} - 1]}\n"
    "    if ((${#words[@]} == 1)); then\n"
    "        _tidewheel_words \"$_tidewheel_commands --help --version\" \"$current\"\n"
    "        return\n"
    "    fi\n"
    "    flag=${words[${#words[@]} - 2]}\n"
    "    if [[ $current == --*=* ]]; then\n"
    "        flag=${current%%=*}\n"
    "        [[ $COMP_WORDBREAKS == *=* ]] || before=$flag=\n"
    "        current=${current#*=}\n"
    "    fi\n"
    "    case $flag in\n";

static void add_answer(struct buf *ret, const struct wanted *wanted)
{
    if (wanted->kind == WANTED_FILES)
        buf_add_text(ret, "_tidewheel_files \"$current\"");
    else if (wanted->kind == WANTED_OPTION)
        buf_add_text(ret, "_tidewheel_option \"$current\"");
    else if (wanted->words.len > 0)
        buf_printf(ret, "_tidewheel_words \"%.*s\" \"$current\"", (int)wanted->words.len,
                   wanted->words.ptr);
    else
        buf_add_char(ret, ':');
}

static void add_flag_values(struct buf *ret)
{
    for (size_t i = 0; i < cli_flag_count; i++) {
        const struct flag *flag = &cli_flags[i];
        struct wanted wanted = wanted_of(flag->value);
        buf_add_text(ret, "        ");
        if (flag_has_letter(flag))
            buf_printf(ret, "-%c | ", flag->letter);
        buf_printf(ret, "--%s) ", flag->name);
        add_answer(ret, &wanted);
        buf_add_text(ret, "; return ;;\n");
        wanted_fini(&wanted);
    }
}

static void add_command(struct buf *ret, const struct command *command)
{
    struct wanted wanted = wanted_of(command->operands);
    buf_printf(ret, "        %s)\n            if [[ $current == -* ]]; then\n", command->name);
    buf_add_text(ret, "                _tidewheel_words \"");
    for (size_t i = 0; i < cli_flag_count; i++) {
        if (!cli_has_flag(command, &cli_flags[i]))
            continue;
        if (flag_has_letter(&cli_flags[i]))
            buf_printf(ret, "-%c ", cli_flags[i].letter);
        buf_printf(ret, "--%s ", cli_flags[i].name);
    }
    buf_add_text(ret, "--help\" \"$current\"\n            else\n                ");
    add_answer(ret, &wanted);
    buf_add_text(ret, "\n            fi\n            ;;\n");
    wanted_fini(&wanted);
}

static void add_option_values(struct buf *ret)
{
    for (size_t i = 0; i < option_count; i++) {
        const struct setting *row = &option_rows[i];
        if (row->type == SETTING_BOOL) {
            buf_printf(ret, "        %s) _tidewheel_words \"true false\" \"$value\" ;;\n",
                       row->path);
        } else if (row->is_file || row->type == SETTING_TEXTS) {
            buf_printf(ret, "        %s) _tidewheel_files \"$value\" ;;\n", row->path);
        } else if (row->choices != NULL) {
            buf_printf(ret, "        %s) _tidewheel_words \"", row->path);
            for (size_t j = 0; row->choices[j] != NULL; j++)
                buf_printf(ret, "%s%s", j > 0 ? " " : "", row->choices[j]);
            buf_add_text(ret, "\" \"$value\" ;;\n");
        }
    }
}

void generate_bash(struct buf *ret)
{
    buf_add_text(ret, HEAD);
    add_option_values(ret);
    buf_add_text(ret, "    esac\n}\n\n_tidewheel_options=\"");
    for (size_t i = 0; i < option_count; i++)
        buf_printf(ret, "%s%s%s", i > 0 ? "\n    " : "", option_rows[i].path,
                   option_rows[i].type == SETTING_PROPERTIES ? "." : "=");
    buf_add_text(ret, "\"\n\n_tidewheel_commands=\"");
    for (size_t i = 0; i < cli_command_count; i++)
        buf_printf(ret, "%s%s", i > 0 ? " " : "", cli_commands[i].name);
    buf_add_text(ret, "\"\n\n");
    buf_add_text(ret, BODY);
    add_flag_values(ret);
    buf_add_text(ret, "    esac\n    case ${words[0]} in\n");
    for (size_t i = 0; i < cli_command_count; i++)
        add_command(ret, &cli_commands[i]);
    buf_add_text(ret, "    esac\n}\n\ncomplete -F _tidewheel tidewheel\n");
}
