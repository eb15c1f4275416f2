#include <stdio.h>
#include <unistd.h>

#include "cli/load.h"
#include "tidewheel/fleet.h"
#include "tidewheel/log.h"

static int exit_code_of(int rc)
{
    switch (rc) {
    case 0:
        return EXIT_OK;
    case ERR_CONFIG:
        return EXIT_CONFIG;
    case ERR_INTERNAL:
        return EXIT_INTERNAL;
    default:
        return EXIT_UNAVAILABLE;
    }
}

/* What the file asks for and this version does not do yet is said, not passed over. */
static void warn_of_missing(const struct options *options)
{
    if (options->dead_letter_topic != NULL && options->dead_letter_topic[0] != '\0')
        log_warn("start",
                 "dead_letter.topic=%s why=\"dead letters are not in this version: "
                 "rejected events are counted and dropped\"",
                 options->dead_letter_topic);
}

static int load_anew(void *arg, struct buf *report, struct options *ret_options,
                     struct catalog **ret_catalog)
{
    return load_all(arg, report, ret_options, ret_catalog);
}

/* The catalog is the fleet's. */
static int run(const struct cli_args *args, const struct options *options, struct catalog *catalog)
{
    struct err err = {0, ""};
    bool has_left = true;
    struct cli_args again = *args;
    const struct fleet_setup setup = {options, catalog, load_anew, &again};
    warn_of_missing(options);
    int failed = fleet_run(&setup, &has_left, &err);
    if (failed < 0)
        log_error("exit", "code=%d why=\"%s\"", exit_code_of(failed), err.text);
    log_flush();
    if (!has_left)
        _exit(exit_code_of(failed));
    return exit_code_of(failed);
}

int command_run(const struct cli_args *args)
{
    struct options options;
    struct catalog *catalog = NULL;
    struct buf report = {NULL, 0, 0};
    fleet_block_signals();
    if (load_all(args, &report, &options, &catalog) < 0)
        return say_report(&report);
    buf_fini(&report);
    enum log_level level = LOG_INFO;
    (void)log_level_parse(options.log_level, &level);
    log_open(level, strcmp(options.log_format, "json") == 0);
    int rc = run(args, &options, catalog);
    options_fini(&options);
    return rc;
}
