#include "tidewheel/replay.h"

#include <string.h>
#include <unistd.h>

#include "cli/load.h"
#include "cli/run.h"
#include "tidewheel/log.h"

/* False: the word is none of its own, and no time. NULL is the word. */
static bool read_moment(const char *text, const char *word, int64_t *ret_ms)
{
    *ret_ms = 0;
    return text == NULL || strcmp(text, word) == 0 || (parse_time(text, ret_ms) && *ret_ms > 0);
}

static int read_wish(const struct cli_args *args, struct replay_wish *ret)
{
    if (!read_moment(args->from, "earliest", &ret->from_ms))
        return cli_usage_error("--from takes earliest, Unix ms, or a time like "
                               "2023-11-14T22:13:20Z, and found %s",
                               args->from);
    if (!read_moment(args->until, "end", &ret->until_ms))
        return cli_usage_error("--until takes end, Unix ms, or a time like "
                               "2023-11-14T22:13:20Z, and found %s",
                               args->until);
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
