#include <stdlib.h>
#include <string.h>

#include "run/fleet_private.h"
#include "tidewheel/clock.h"
#include "tidewheel/log.h"

/* ---- what is said ---- */

/* A problem a line. */
static void log_report(struct buf *report)
{
    char *next = NULL;
    (void)buf_text(report);
    for (char *line = strtok_r(report->ptr, "\n", &next); line != NULL;
         line = strtok_r(NULL, "\n", &next)) {
        log_error("reload", "why=\"%s\"", line);
    }
}

static void end(struct fleet *fleet, enum log_level level, const char *state)
{
    struct reload *reload = &fleet->reload;
    const struct catalog_change *change = &reload->change;
    bool is_taken = level == LOG_INFO;
    cell_add(&fleet->board->cells[is_taken ? BOARD_RELOADS_OK : BOARD_RELOADS_REFUSED], 1);
    if (is_taken)
        cell_set(&fleet->board->cells[BOARD_RELOADED_MS], clock_wall_ms());
    log_line(level, "reload",
             "state=%s views_kept=%zu views_changed=%zu views_new=%zu views_gone=%zu "
             "topics_new=%zu topics_gone=%zu took_ms=%lld then=%s",
             state, change->views_kept, change->views_changed, change->views_new,
             change->views_gone, change->topics_new, change->topics_gone,
             (long long)(clock_mono_ms() - reload->begun_ms),
             is_taken ? NULL : "the pipelines stay as they were");
    notify_ready(&fleet->notify);
}

/* Only pipelines are reloaded. */
static void warn_of_options(const struct fleet *fleet, const struct options *options)
{
    struct buf names = {NULL, 0, 0};
    if (options_name_changes(options, fleet->options, &names))
        log_warn("reload", "options=%s why=\"they take effect at the next start\"",
                 buf_text(&names));
    buf_fini(&names);
}

/* ---- what is done ---- */

/* The options that are in force must go with the new pipelines, and so must those of the next start. */
static int load(const struct fleet *fleet, struct buf *report, struct catalog **ret)
{
    struct options options;
    struct catalog *catalog = NULL;
    int rc = fleet->setup.load(fleet->setup.arg, report, &options, &catalog);
    if (rc < 0)
        return rc;
    rc = options_check_catalog(fleet->options, catalog, report);
    if (rc == 0) {
        warn_of_options(fleet, &options);
        *ret = catalog;
    } else {
        catalog_free(catalog);
    }
    options_fini(&options);
    return rc;
}

static void refuse(struct fleet *fleet, struct buf *report)
{
    log_report(report);
    fleet->reload.change = (struct catalog_change){.views_kept = fleet->catalog->view_count};
    end(fleet, LOG_ERROR, "refused");
}

static void begin(struct fleet *fleet)
{
    struct reload *reload = &fleet->reload;
    struct catalog *next = NULL;
    struct buf report = {NULL, 0, 0};
    reload->is_wanted = false;
    reload->begun_ms = clock_mono_ms();
    notify_reloading(&fleet->notify);
    log_info("reload", "state=begun");
    if (load(fleet, &report, &next) < 0) {
        refuse(fleet, &report);
    } else {
        catalog_follow(next, fleet->catalog, &reload->change);
        if (catalog_change_is_none(&reload->change)) {
            catalog_free(next);
            end(fleet, LOG_INFO, "unchanged");
        } else {
            reload->next = next;
        }
    }
    buf_fini(&report);
    for (size_t i = 0; reload->next != NULL && i < fleet->member_count; i++)
        worker_offer(fleet->members[i].worker, reload->next);
}

static bool has_everyone_adopted(const struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->member_count; i++)
        if (!worker_has_adopted(fleet->members[i].worker, fleet->reload.next))
            return false;
    return true;
}

void reload_serve(struct fleet *fleet)
{
    struct reload *reload = &fleet->reload;
    if (reload->next != NULL && has_everyone_adopted(fleet)) {
        catalog_free(fleet->catalog);
        fleet->catalog = reload->next;
        reload->next = NULL;
        end(fleet, LOG_INFO, "done");
    }
    if (reload->next == NULL && reload->is_wanted)
        begin(fleet);
}
