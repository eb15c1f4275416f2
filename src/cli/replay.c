#include "tidewheel/replay.h"

#include <string.h>
#include <unistd.h>

#include "cli/load.h"
#include "cli/run.h"
#include "tidewheel/log.h"

/* No log is that old: a smaller number was meant as seconds, or as a year. */
#define MOMENT_MS_MIN INT64_C(100000000000)

/* NULL is the word, and so 0. */
static int read_moment(const char *flag, const char *text, const char *word, int64_t *ret_ms)
{
    *ret_ms = 0;
    if (text == NULL || strcmp(text, word) == 0)
        return EXIT_OK;
    if (!parse_time(text, ret_ms) || *ret_ms <= 0)
        return cli_usage_error("%s takes %s, Unix ms, or a time like 2023-11-14T22:13:20Z, and "
                               "found %s",
                               flag, word, text);
    if (*ret_ms < MOMENT_MS_MIN)
        return cli_usage_error("%s takes Unix ms like 1700000000000, or a time like "
                               "2023-11-14T22:13:20Z, and %s looks like seconds or a year",
                               flag, text);
    return EXIT_OK;
}

static int read_wish(const struct cli_args *args, struct replay_wish *ret)
{
    int rc = read_moment("--from", args->from, "earliest", &ret->from_ms);
    if (rc == EXIT_OK)
        rc = read_moment("--until", args->until, "end", &ret->until_ms);
    if (rc != EXIT_OK)
        return rc;
    if (ret->until_ms > 0 && ret->until_ms <= ret->from_ms)
        return cli_usage_error("--until %s is not after --from %s: nothing would be read",
                               args->until, args->from);
    ret->is_terminal = isatty(STDERR_FILENO) == 1;
    return EXIT_OK;
}

/* The progress has the terminal for itself, but for warnings. */
static void make_room(const struct options *options)
{
    enum log_level level = LOG_INFO;
    (void)log_level_parse(options->log_level, &level);
    if (level == LOG_INFO)
        log_open(LOG_WARN, strcmp(options->log_format, "json") == 0);
}

static int replay(const struct cli_args *args, const struct options *options,
                  struct catalog *catalog, bool *ret_has_left, struct err *err)
{
    struct replay_wish wish;
    (void)read_wish(args, &wish);
    if (wish.is_terminal)
        make_room(options);
    return replay_run(options, catalog, &wish, ret_has_left, err);
}

int command_replay(const struct cli_args *args)
{
    struct replay_wish wish;
    int rc = read_wish(args, &wish);
    return rc != EXIT_OK ? rc : run_worker(args, replay);
}
