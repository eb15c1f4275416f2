#include "cli/generate.h"
#include "cli/option_text.h"

enum { WIDTH = 78 };

#define DATE "November 29, 2026" /* of TIDEWHEEL_VERSION */

static const char DESCRIPTION[] =
    "It reads JSON events from Kafka as a member of a consumer group, keeps sliding windows per "
    "entity, and keeps the finished values in Redis, where a model reads them with one HMGET. "
    "What is computed is said in pipeline files; the worker itself is configured by one file, by "
    "the environment and by flags.\n";

static const char SECRETS[] =
    "Passwords and keys are best kept in files that nobody else may read (redis.password_file, and "
    "NAME_file in place of a secret property NAME of librdkafka), or in the environment, by ${VAR} "
    "in the file or by the option's own variable. "
    "What stands behind -s or -X is seen by everybody on the machine, in the list of processes.\n\n"
    "No secret is shown: not in a log line, a sentence about a wrong value, a metric, or by "
    "print-config. A secret that is known as one is masked as *** wherever it turns up in a log "
    "line, if it has at least four bytes.\n";

/* ---- text ---- */

static void add_byte(struct buf *ret, char byte)
{
    if (byte == '\\')
        buf_add_text(ret, "\\e");
    else
        buf_add_char(ret, byte);
}

/* A line of text, and no macro, whatever it begins with. */
static void add_line(struct buf *ret, const char *text, size_t len)
{
    if (len > 0 && (*text == '.' || *text == '\''))
        buf_add_text(ret, "\\&");
    for (size_t i = 0; i < len; i++)
        add_byte(ret, text[i]);
    buf_add_char(ret, '\n');
}

/* The bytes of the next line: a sentence, or what fits. */
static size_t line_len(const char *text, size_t len)
{
    const char *stop = memmem(text, len, ". ", 2);
    size_t sentence_len = stop != NULL ? (size_t)(stop - text) + 1 : len;
    const char *space = memrchr(text, ' ', sentence_len < WIDTH ? sentence_len : WIDTH);
    return sentence_len <= WIDTH || space == NULL ? sentence_len : (size_t)(space - text);
}

/* Each sentence begins a line, as roff wants it. */
static void add_text(struct buf *ret, const char *text, size_t len)
{
    while (len > 0) {
        size_t line = line_len(text, len);
        add_line(ret, text, line);
        line += line < len; /* the space */
        text += line;
        len -= line;
    }
}

/* Paragraphs, and lines that are indented by two spaces: examples, as they are. */
static void add_prose(struct buf *ret, const char *text)
{
    bool is_literal = false;
    for (size_t len = 0; *text != '\0'; text += len + (text[len] == '\n')) {
        len = strcspn(text, "\n");
        bool is_example = strncmp(text, "  ", 2) == 0;
        if (is_example && !is_literal)
            buf_add_text(ret, ".Bd -literal -offset indent\n");
        if (!is_example && is_literal)
            buf_add_text(ret, ".Ed\n");
        bool is_break = len == 0 && !is_literal && text[1] != '\0' && text[1] != ' ';
        is_literal = is_example;
        if (is_example)
            add_line(ret, text + 2, len - 2);
        else if (len > 0)
            add_text(ret, text, len);
        else if (is_break)
            buf_add_text(ret, ".Pp\n");
    }
    if (is_literal)
        buf_add_text(ret, ".Ed\n");
}

/* A word of a macro's line: in quotes, so that it is no macro. */
static void add_argument(struct buf *ret, const char *text)
{
    buf_add_text(ret, " \"");
    for (; *text != '\0'; text++) {
        if (*text == '"')
            buf_add_char(ret, '"');
        add_byte(ret, *text);
    }
    buf_add_char(ret, '"');
}

/* ---- chapters ---- */

static void add_flag(struct buf *ret, const struct flag *flag)
{
    buf_add_text(ret, ".It ");
    if (flag_has_letter(flag))
        buf_printf(ret, "Fl %c , ", flag->letter);
    buf_printf(ret, "Fl -%s Ar", flag->name);
    add_argument(ret, flag->value);
    buf_add_char(ret, '\n');
    add_text(ret, flag->help, strlen(flag->help));
    if (flag->env != NULL)
        buf_printf(ret, "(or\n.Ev %s )\n", flag->env);
}

static void add_flags(struct buf *ret, const struct command *command)
{
    if (*command->flags == '\0')
        return;
    buf_add_text(ret, ".Bl -tag -width Ds\n");
    for (size_t i = 0; i < cli_flag_count; i++)
        if (cli_has_flag(command, &cli_flags[i]))
            add_flag(ret, &cli_flags[i]);
    buf_add_text(ret, ".El\n");
}

static void add_command(struct buf *ret, const struct command *command)
{
    buf_printf(ret, ".Ss %s\n.Nm\n.Cm %s\n", command->name, command->name);
    if (*command->flags != '\0')
        buf_add_text(ret, ".Op options\n");
    if (*command->operands != '\0') {
        buf_add_text(ret, ".Ar");
        add_argument(ret, command->operands);
        buf_add_char(ret, '\n');
    }
    buf_add_text(ret, ".Pp\n");
    add_text(ret, command->summary, strlen(command->summary));
    if (strncmp(command->more, "  ", 2) != 0)
        buf_add_text(ret, ".Pp\n");
    add_prose(ret, command->more);
    add_flags(ret, command);
}

static void add_options(struct buf *ret)
{
    buf_add_text(ret, ".Sh OPTIONS\n"
                      "Of the configuration file, by their paths.\n"
                      "Later beats earlier: default, file, environment, and\n"
                      ".Fl s Ar path=value .\n"
                      ".Bl -tag -width Ds\n");
    for (size_t i = 0; i < option_count; i++) {
        const struct setting *row = &option_rows[i];
        struct buf facts = {NULL, 0, 0};
        char env[OPTION_ENV_MAX];
        buf_add_char(&facts, '(');
        option_add_facts(row, &facts);
        buf_add_char(&facts, ';');
        buf_printf(ret, ".It Cm %s\n", row->path);
        add_text(ret, row->help, strlen(row->help));
        buf_add_text(ret, ".br\n");
        add_text(ret, facts.ptr, facts.len);
        buf_printf(ret, ".Ev %s )\n", option_env(row, env));
        buf_fini(&facts);
    }
    buf_add_text(ret, ".El\n");
}

static void add_exits(struct buf *ret)
{
    buf_add_text(ret, ".Sh EXIT STATUS\n.Bl -tag -width Ds\n");
    for (size_t i = 0; i < cli_exit_count; i++) {
        buf_printf(ret, ".It %d\n", (int)cli_exits[i].code);
        add_text(ret, cli_exits[i].help, strlen(cli_exits[i].help));
    }
    buf_add_text(ret, ".El\n");
}

void generate_man(struct buf *ret)
{
    buf_add_text(ret, ".\\\" Made by `tidewheel generate man`.\n"
                      ".Dd " DATE "\n.Dt TIDEWHEEL 1\n.Os\n"
                      ".Sh NAME\n.Nm tidewheel\n"
                      ".Nd keeps sliding-window features of Kafka's events fresh in Redis\n"
                      ".Sh SYNOPSIS\n.Nm\n.Ar COMMAND\n.Op options\n.Ar ...\n"
                      ".Nm\n.Ar COMMAND\n.Fl -help\n.Nm\n.Fl -version\n");
    buf_add_text(ret, ".Sh DESCRIPTION\n");
    add_prose(ret, DESCRIPTION);
    buf_add_text(ret, ".Sh COMMANDS\n");
    for (size_t i = 0; i < cli_command_count; i++)
        add_command(ret, &cli_commands[i]);
    add_options(ret);
    buf_add_text(ret, ".Sh SECRETS\n");
    add_prose(ret, SECRETS);
    buf_add_text(ret, ".Sh FILES\n.Bl -tag -width Ds\n"
                      ".It Pa config/tidewheel.yaml\n"
                      "The configuration, where no other is named, if it is there.\n.El\n");
    add_exits(ret);
}
