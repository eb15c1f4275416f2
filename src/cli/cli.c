#include "tidewheel/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli_tables.h"
#include "tidewheel/mask.h"
#include "tidewheel/mem.h"
#include "tidewheel/suggest.h"

#define ONE(member) offsetof(struct cli_args, member), 0, false
#define MANY(member, count)                                                                        \
    offsetof(struct cli_args, member), offsetof(struct cli_args, count), true

/* clang-format off */
static const struct flag FLAGS[] = {
    {'c', "config", "FILE", "TIDEWHEEL_CONFIG",
     "the configuration; default: config/tidewheel.yaml if it is there", ONE(config)},
    {'s', "set", "path=value", NULL,
     "sets one option, like -s workers=4; beats environment and file", MANY(assignments, assignment_count)},
    {'X', "property", "name=value", NULL,
     "sets a property of librdkafka, like -X debug=cgrp", MANY(properties, property_count)},
    {'e', "events", "FILE", "TIDEWHEEL_EVENTS",
     "events, one JSON object a line; default, and -: standard input", ONE(events)},
    {LONG('@'), "at", "TIME|end|each", "TIDEWHEEL_AT",
     "as of when: Unix ms, RFC 3339, end (the default), or each event", ONE(at)},
    {LONG('>'), "older-than", "DURATION", "TIDEWHEEL_OLDER_THAN",
     "how long nothing has come, like 1h or 2d", ONE(older_than)},
    {LONG('b'), "by", "write|event", "TIDEWHEEL_BY",
     "the age of what: of the last write (the default), or of the newest event", ONE(by)},
    {LONG('n'), "limit", "N", "TIDEWHEEL_LIMIT",
     "stops after so many lines", ONE(limit)},
    {LONG('['), "from", "earliest|TIME", "TIDEWHEEL_FROM",
     "where to begin: earliest (the default), Unix ms, or RFC 3339", ONE(from)},
    {LONG(']'), "until", "end|TIME", "TIDEWHEEL_UNTIL",
     "where to end: end (the default), or before the first record of that time", ONE(until)},
};

static const struct command COMMANDS[] = {
    {"run", command_run, "csX", "",
     "the worker: events from Kafka in, features into Redis",
     "Runs until SIGTERM or SIGINT, then drains, writes, commits and leaves the group. SIGHUP: reads the\n"
     "pipelines anew; if anything is wrong, those of before go on.\n\n"
     "  tidewheel run -c config/tidewheel.yaml -s workers=4\n"},
    {"validate", command_validate, "csX", "[PIPELINE...]",
     "all errors at once; prints what would be computed",
     "Without PIPELINE those that the configuration names; with PIPELINE just these, and the\n"
     "configuration only if -c names it. Exit code 78 if anything is wrong.\n\n"
     "  tidewheel validate -c config/tidewheel.yaml\n"
     "  tidewheel validate pipelines/user_activity.yaml\n"},
    {"eval", command_eval, "e@", "PIPELINE...",
     "events in, features out; no Kafka, no Redis",
     "Prints one JSON object a line, by the very code of the worker.\n\n"
     "  tidewheel eval -e events.ndjson --at end pipelines/user_activity.yaml\n"},
    {"test", command_test, "", "[FILE...]",
     "a pipeline's own tests: events in, expected features out",
     "Exit code 1 if a test fails, with what differs.\n\n"
     "  tidewheel test pipelines/tests/user_activity.yaml\n"},
    {"replay", command_replay, "csX[]", "",
     "reads history again, publishes what comes of it, and exits",
     "For a new definition, or values that are to be counted anew. Every partition is read again at\n"
     "full speed while Redis keeps its values, and published when it has caught up. Then the state is\n"
     "saved and committed, and `tidewheel run` goes on from there. Exit code 0: all of it is done.\n\n"
     "The group must have no members: stop its workers first. To fill a new version beside them, give\n"
     "the pipeline another version, with {version} in output.key and output.freshness_key, and the\n"
     "group another id; then run workers under that id, and switch the readers over.\n\n"
     "Windows are never left incomplete: a --from later than what they need begins earlier. TIME is the\n"
     "time of Kafka's records. With --until, values are as of now, from the events before that time (if\n"
     "Kafka holds none, nothing is begun); `tidewheel run` then goes on with those after it. Stopped\n"
     "half-way it has to be begun again, or `tidewheel run` goes on with it. Dead letters are written\n"
     "again.\n\n"
     "  tidewheel replay -c config/tidewheel.yaml\n"
     "  tidewheel replay --from 2026-01-01T00:00:00Z -s workers=4\n"
     "  tidewheel replay -s kafka.group_id=tidewheel-v2 -s pipelines=pipelines/user_activity_v2.yaml\n"},
    {"get", command_get, "csX", "VIEW key=value...",
     "what Redis holds for an entity now, with its age",
     "Exit code 1 if Redis has no features of it.\n\n"
     "  tidewheel get user_activity user_id=42\n"},
    {"state", command_state, "csX", "",
     "what is saved of each partition: owner, progress, lag, age",
     "Only reads. A row for each partition of each topic, then one for each of its views. PROGRESS is\n"
     "the offset where the next owner would begin, LAG what Kafka holds from there on, ENTITIES counts\n"
     "an entity once in each view, BYTES is what Redis says that the state takes. A dash: not known, as\n"
     "LAG while Kafka is away. COVERAGE: which windows may lack events because the log began too late,\n"
     "and until when.\n\n"
     "  tidewheel state -c config/tidewheel.yaml\n"},
    {"stale", command_stale, "csX>bn", "VIEW",
     "which entities of a view have not been written for a while",
     "Only reads, by SCAN: other clients are not held up. A line for each entity, as it is found: how\n"
     "long ago, the last write, its newest event, and who it is; how many there were goes to stderr.\n"
     "Who has expired is not there any more; an entity may come twice while Redis resizes its table.\n"
     "A user of Redis who may +scan, and +hmget the view's freshness keys, is enough (and +select where\n"
     "redis.url names a database).\n\n"
     "  tidewheel stale user_activity --older-than 1h\n"
     "  tidewheel stale user_activity --older-than 2d --by event --limit 20\n"},
    {"print-config", command_print_config, "csX", "",
     "the options as they are in effect, and where each came from",
     "YAML that loads again: defaults, file, environment and flags in one, pipelines by their names.\n"
     "Secrets are shown as ***. Behind each value: default, file:line, environment NAME, -s or -X.\n\n"
     "  tidewheel print-config -c config/tidewheel.yaml -s workers=4\n"},
    {"healthcheck", command_healthcheck, "csX", "[live|ready]",
     "asks the worker on this machine whether it is well",
     "A request to /livez (the default) or /readyz of http.listen, for 5 s at most. Exit code 69 if the\n"
     "answer is not well, or none comes.\n\n"
     "  tidewheel healthcheck ready -c config/tidewheel.yaml\n"},
    {"list", command_list, "", "aggregates|options|metrics",
     "what can be written in the files, and what is measured",
     "  tidewheel list aggregates\n"},
    {"schema", command_schema, "", "[config|pipeline]",
     "the JSON Schema of a file, for editors",
     "Without an argument: of a pipeline.\n\n"
     "  tidewheel schema pipeline > schema/pipeline.json\n"},
    {"generate", command_generate, "", "man|bash|zsh|fish|reference",
     "manual, completions, and a file of all options",
     "From the tables that the program itself goes by.\n\n"
     "  tidewheel generate man | man -l -\n"
     "  source <(tidewheel generate bash)\n"
     "  tidewheel generate reference > config/reference.yaml\n"},
    {"version", command_version, "", "",
     "versions of tidewheel and of its libraries",
     "  tidewheel version\n"},
};

static const struct exit_row EXITS[] = {
    {EXIT_OK, "", "All went well, or a signal has ended it."},
    {EXIT_TEST_FAILED, "a failed test, or no features", "A test of a pipeline failed, or get found no features of the entity."},
    {EXIT_USAGE, "usage", "The arguments are wrong."},
    {EXIT_UNAVAILABLE, "unavailable", "Kafka or Redis refuses to work with it, and waiting does not help."},
    {EXIT_INTERNAL, "internal", "An error of its own."},
    {EXIT_CONFIG, "configuration", "The configuration or a pipeline is wrong; nothing has started."},
};
/* clang-format on */

enum {
    FLAG_COUNT = sizeof FLAGS / sizeof *FLAGS,
    COMMAND_COUNT = sizeof COMMANDS / sizeof *COMMANDS
};

const struct flag *const cli_flags = FLAGS;
const size_t cli_flag_count = FLAG_COUNT;
const struct command *const cli_commands = COMMANDS;
const size_t cli_command_count = COMMAND_COUNT;
const struct exit_row *const cli_exits = EXITS;
const size_t cli_exit_count = sizeof EXITS / sizeof *EXITS;

bool cli_has_flag(const struct command *command, const struct flag *flag)
{
    return strchr(command->flags, flag->letter & ~LONG_ONLY) != NULL;
}

int cli_usage_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fputs("tidewheel: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    return EXIT_USAGE;
}

static void print_help(FILE *out)
{
    (void)fputs("tidewheel keeps sliding-window features of Kafka's events fresh in Redis.\n\n"
                "usage: tidewheel COMMAND [options] ...\n\n",
                out);
    int width = 0;
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        width = (int)strlen(COMMANDS[i].name) > width ? (int)strlen(COMMANDS[i].name) : width;
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        (void)fprintf(out, "  %-*s  %s\n", width, COMMANDS[i].name, COMMANDS[i].summary);
    (void)fputs(
        "\ntidewheel COMMAND --help says more. For example:\n\n"
        "  tidewheel validate pipelines/user_activity.yaml\n\n"
        "Every option may also be set in the environment: flush.interval by\n"
        "TIDEWHEEL_FLUSH_INTERVAL. Exit codes: 0, 1 a failed test, 64 usage, 69 unavailable,\n"
        "70 internal, 78 configuration.\n",
        out);
}

static void print_command_help(const struct command *command)
{
    (void)printf("tidewheel %s: %s\n\nusage: tidewheel %s%s%s%s\n", command->name, command->summary,
                 command->name, *command->flags != '\0' ? " [options]" : "",
                 *command->operands != '\0' ? " " : "", command->operands);
    for (size_t i = 0, shown = 0; i < FLAG_COUNT; i++) {
        char left[64];
        const struct flag *flag = &FLAGS[i];
        if (!cli_has_flag(command, flag))
            continue;
        if ((flag->letter & LONG_ONLY) != 0)
            (void)snprintf(left, sizeof left, "    --%s %s", flag->name, flag->value);
        else
            (void)snprintf(left, sizeof left, "-%c, --%s %s", flag->letter, flag->name,
                           flag->value);
        (void)printf("%s  %-28s%s\n", shown++ == 0 ? "\n" : "", left, flag->help);
        if (flag->env != NULL)
            (void)printf("  %-28s(or %s)\n", "", flag->env);
    }
    (void)printf("\n%s", command->more);
}

static void set_flag(struct cli_args *args, const struct flag *flag, const char *value)
{
    char *member = (char *)args + flag->offset;
    if (!flag->is_list) {
        *(const char **)member = value;
        return;
    }
    size_t *count = (size_t *)((char *)args + flag->count_offset);
    const char **list = *(const char ***)member;
    list = mem_resize(list, *count + 1, sizeof *list);
    list[(*count)++] = value;
    *(const char ***)member = list;
}

/* -c FILE, -cFILE, --config FILE, --config=FILE: the flag, and its value if the word has it. */
static const struct flag *find_flag(const struct command *command, const char *word,
                                    const char **ret_value)
{
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        const struct flag *flag = &FLAGS[i];
        size_t len = strlen(flag->name);
        if (!cli_has_flag(command, flag))
            continue;
        if (word[1] == flag->letter) {
            *ret_value = word[2] != '\0' ? word + 2 : NULL;
            return flag;
        }
        if (word[1] == '-' && strncmp(word + 2, flag->name, len) == 0 &&
            (word[2 + len] == '\0' || word[2 + len] == '=')) {
            *ret_value = word[2 + len] == '=' ? word + 3 + len : NULL;
            return flag;
        }
    }
    return NULL;
}

static int unknown_flag(const struct command *command, const char *word)
{
    size_t len = word[1] == '-' ? strcspn(word, "=") : 2;
    char *name = mem_strndup(word, len < strlen(word) ? len : strlen(word));
    struct suggest suggest = suggest_for(name);
    char names[FLAG_COUNT][32];
    char hint[SUGGEST_TEXT_MAX];
    suggest_try(&suggest, "--help");
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        (void)snprintf(names[i], sizeof names[i], "--%s", FLAGS[i].name);
        if (word[1] == '-' && cli_has_flag(command, &FLAGS[i]))
            suggest_try(&suggest, names[i]);
    }
    int rc = cli_usage_error("%s has no flag %s%s (tidewheel %s --help)", command->name, name,
                             suggest_text(&suggest, hint), command->name);
    free(name);
    return rc;
}

/* *ret_help: it was asked for. Words after `--` are operands; so is a lonely `-`. */
static int parse(const struct command *command, int argc, char **argv, struct cli_args *args,
                 bool *ret_help)
{
    bool are_flags_over = false;
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];
        const char *value = NULL;
        if (are_flags_over || word[0] != '-' || word[1] == '\0') {
            args->operands = mem_resize(args->operands, args->operand_count + 1, sizeof(char *));
            args->operands[args->operand_count++] = word;
            continue;
        }
        are_flags_over = strcmp(word, "--") == 0;
        *ret_help = *ret_help || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
        if (are_flags_over || *ret_help)
            continue;
        const struct flag *flag = find_flag(command, word, &value);
        if (flag == NULL)
            return unknown_flag(command, word);
        if (value == NULL && i + 1 == argc)
            return cli_usage_error("%s needs a value: %s (tidewheel %s --help)", word, flag->value,
                                   command->name);
        set_flag(args, flag, value != NULL ? value : argv[++i]);
    }
    return 0;
}

static void read_env(const struct command *command, struct cli_args *args)
{
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        const char *value = FLAGS[i].env != NULL ? getenv(FLAGS[i].env) : NULL;
        if (value != NULL && *value != '\0' && cli_has_flag(command, &FLAGS[i]))
            set_flag(args, &FLAGS[i], value);
    }
}

static const struct command *find_command(const char *name, struct suggest *suggest)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(COMMANDS[i].name, name) == 0)
            return &COMMANDS[i];
        suggest_try(suggest, COMMANDS[i].name);
    }
    return NULL;
}

/* `-X sasl.password hunter2`: the operand is the value, perhaps a secret, and nobody may take it for a
 * file's name and say so. */
static bool is_cut_in_two(const struct cli_args *args)
{
    bool ret = false;
    for (size_t i = 0; i < args->assignment_count; i++)
        ret = ret || strchr(args->assignments[i], '=') == NULL;
    for (size_t i = 0; i < args->property_count; i++)
        ret = ret || strchr(args->properties[i], '=') == NULL;
    return ret && args->operand_count > 0;
}

static int refuse_operand(const struct command *command, const struct cli_args *args)
{
    struct buf shown = {NULL, 0, 0};
    mask_logins(args->operands[0], &shown);
    int rc =
        cli_usage_error("%s takes no arguments, and found %s", command->name, buf_text(&shown));
    buf_fini(&shown);
    return rc;
}

static int run(const struct command *command, int argc, char **argv)
{
    struct cli_args args = {.config = NULL};
    bool wants_help = false;
    read_env(command, &args);
    int rc = parse(command, argc, argv, &args, &wants_help);
    if (wants_help)
        print_command_help(command);
    else if (rc == 0 && is_cut_in_two(&args))
        rc = cli_usage_error("-s and -X take path=value and name=value, in one word");
    else if (rc == 0 && *command->operands == '\0' && args.operand_count > 0)
        rc = refuse_operand(command, &args);
    else if (rc == 0)
        rc = command->run(&args);
    free(args.assignments);
    free(args.properties);
    free(args.operands);
    return wants_help ? EXIT_OK : rc;
}

int cli_main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    struct suggest suggest = suggest_for(name);
    char hint[SUGGEST_TEXT_MAX];
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(name, "--version") == 0)
        name = "version";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_help(stdout);
        return EXIT_OK;
    }
    const struct command *command = find_command(name, &suggest);
    if (command == NULL)
        return cli_usage_error("there is no command %s%s (tidewheel --help)", name,
                               suggest_text(&suggest, hint));
    int rc = run(command, argc - 2, argv + 2);
    if (fflush(stdout) != 0 && rc == EXIT_OK)
        return EXIT_INTERNAL;
    return rc;
}
