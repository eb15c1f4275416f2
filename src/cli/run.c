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

int command_run(const struct cli_args *args)
{
    struct options options;
    struct catalog *catalog = NULL;
    int rc = load_options(args, true, &options);
    if (rc != EXIT_OK)
        return rc;
    enum log_level level = LOG_INFO;
    (void)log_level_parse(options.log_level, &level);
    log_open(level, strcmp(options.log_format, "json") == 0);
    rc = load_catalog((const char *const *)options.pipelines, options.pipeline_count, &catalog);
    struct buf report = {NULL, 0, 0};
    if (rc == EXIT_OK && options_check_catalog(&options, catalog, &report) < 0) {
        (void)fputs(buf_text(&report), stderr);
        rc = EXIT_CONFIG;
    }
    buf_fini(&report);
    if (rc == EXIT_OK) {
        struct err err = {0, ""};
        bool has_left = true;
        int failed = fleet_run(&options, catalog, &has_left, &err);
        if (failed < 0)
            log_error("exit", "code=%d why=\"%s\"", exit_code_of(failed), err.text);
        log_flush();
        rc = exit_code_of(failed);
        if (!has_left)
            _exit(rc);
    }
    catalog_free(catalog);
    options_fini(&options);
    return rc;
}
