#include "cli/run.h"

#include <stdio.h>
#include <unistd.h>

#include "cli/load.h"
#include "tidewheel/fleet.h"
#include "tidewheel/log.h"

int run_worker(const struct cli_args *args, work_fn *work)
{
    struct options options;
    struct catalog *catalog = NULL;
    struct buf report = {NULL, 0, 0};
    fleet_prepare();
    if (load_all(args, &report, &options, &catalog) < 0)
        return say_report(&report);
    buf_fini(&report);
    enum log_level level = LOG_INFO;
    (void)log_level_parse(options.log_level, &level);
    log_open(level, strcmp(options.log_format, "json") == 0);
    struct err err = {0, ""};
    bool has_left = true;
    int failed = work(args, &options, catalog, &has_left, &err);
    int rc = exit_code_of(failed);
    if (failed < 0)
        log_error("exit", "code=%d why=\"%s\"", rc, err.text);
    log_flush();
    if (!has_left)
        _exit(rc);
    options_fini(&options);
    return rc;
}

static int load_anew(void *arg, struct buf *report, struct options *ret_options,
                     struct catalog **ret_catalog)
{
    return load_all(arg, report, ret_options, ret_catalog);
}

static int run_for_ever(const struct cli_args *args, const struct options *options,
                        struct catalog *catalog, bool *ret_has_left, struct err *err)
{
    struct cli_args again = *args;
    const struct fleet_setup setup = {
        .options = options, .catalog = catalog, .load = load_anew, .arg = &again};
    return fleet_run(&setup, ret_has_left, err);
}

int command_run(const struct cli_args *args)
{
    return run_worker(args, run_for_ever);
}
