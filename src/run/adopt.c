#include <stdatomic.h>
#include <stdlib.h>

#include "run/tenure.h"
#include "tidewheel/log.h"
#include "tidewheel/mem.h"

enum { ANSWER_MS = 5000 }; /* that the batch in flight may take; past it memory is dropped */

/* ---- what a worker has of each view, by its index ---- */

static bool has_view(const struct catalog *catalog, const struct view *view)
{
    return catalog_view(catalog, view->name) == view;
}

/* What is known of a view's keys holds as long as the view is the same. */
static void keep_keyed(struct worker *worker, const struct catalog *before,
                       const struct catalog *catalog)
{
    struct keyed **keyed = mem_zalloc((catalog->index_count + 1) * sizeof *keyed);
    for (size_t i = 0; before != NULL && i < before->view_count; i++) {
        const struct view *view = before->views[i];
        if (has_view(catalog, view))
            keyed[view->index] = worker->keyed[view->index];
        else
            keyed_free(worker->keyed[view->index]);
    }
    free(worker->keyed);
    worker->keyed = keyed;
}

static void make_row(struct worker *worker, const struct catalog *catalog)
{
    size_t count = 1;
    for (size_t i = 0; i < catalog->view_count; i++)
        if (catalog->views[i]->field_count > count)
            count = catalog->views[i]->field_count;
    worker->row.readings = mem_resize(worker->row.readings, count, sizeof *worker->row.readings);
}

void adopt_views(struct worker *worker, const struct catalog *before)
{
    const struct catalog *catalog = worker->setup.catalog;
    show_views(worker);
    keep_keyed(worker, before, catalog);
    make_row(worker, catalog);
}

/* ---- from one catalog to the next ---- */

void worker_offer(struct worker *worker, const struct catalog *catalog)
{
    atomic_store_explicit(&worker->offered, catalog, memory_order_release);
}

bool worker_has_adopted(const struct worker *worker, const struct catalog *catalog)
{
    return atomic_load_explicit(&worker->adopted, memory_order_acquire) == catalog;
}

/* The topic that takes the place of the unit's; NULL: none does. */
static const struct topic *next_topic(const struct catalog *catalog, const struct unit *unit)
{
    return catalog_topic(catalog, slice_of(unit->topic->name));
}

static void adopt_tenures(struct worker *worker, const struct catalog *catalog)
{
    for (size_t i = 0; i < worker->tenure_count; i++) {
        struct tenure *tenure = worker->tenures[i];
        const struct topic *topic = next_topic(catalog, tenure->unit);
        if (topic == NULL)
            tenure_park(tenure); /* until the source drops it */
        else if (topic != tenure->unit->topic)
            tenure_adopt(tenure, topic, worker->is_sent);
    }
}

/* The plain form keeps nothing to tell the views of a unit apart with: it is read again. */
static void drop_changed(struct worker *worker, const struct catalog *catalog)
{
    for (size_t i = worker->unit_count; i-- > 0;) {
        struct unit *unit = worker->units[i];
        if (unit->tenure == NULL && next_topic(catalog, unit) != unit->topic)
            unit_drop(worker, unit);
    }
}

static int adopt(struct worker *worker, const struct catalog *catalog, struct err *err)
{
    const struct catalog *before = worker->setup.catalog;
    adopt_tenures(worker, catalog);
    drop_changed(worker, catalog);
    worker->setup.catalog = catalog;
    adopt_views(worker, before);
    int rc = worker->source->ops->adopt(worker->source, catalog, err);
    if (rc == 0 && worker->reader != NULL)
        rc = worker->reader->ops->adopt(worker->reader, catalog, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < worker->tenure_count; i++)
        clean_adopt(worker->tenures[i]);
    log_info("adopt", "worker=%d views=%zu topics=%zu", worker->setup.number, catalog->view_count,
             catalog->topic_count);
    atomic_store_explicit(&worker->adopted, catalog, memory_order_release);
    return 0;
}

/* ---- before it ---- */

static bool loses_views(const struct topic *topic, const struct topic *next)
{
    for (size_t i = 0; i < topic->view_count; i++) {
        bool is_kept = false;
        for (size_t k = 0; next != NULL && k < next->view_count; k++)
            is_kept = is_kept || view_keeps_state(next->views[k], topic->views[i]);
        if (!is_kept)
            return true;
    }
    return false;
}

static bool have_left(struct worker *worker, const struct catalog *offer)
{
    bool ret = true;
    for (size_t i = 0; i < worker->tenure_count; i++) {
        struct tenure *tenure = worker->tenures[i];
        const struct topic *topic = next_topic(offer, tenure->unit);
        tenure->checkpoint.is_farewell = topic == NULL;
        if (topic != tenure->unit->topic && loses_views(tenure->unit->topic, topic))
            ret = tenure_leave(tenure) && ret;
    }
    return ret;
}

/* While everybody else goes on, units that lose views save what they know; then, once the batch in flight is
 * answered, all is done at one moment. */
int adopt_offer(struct worker *worker, struct err *err)
{
    const struct catalog *offer = atomic_load_explicit(&worker->offered, memory_order_acquire);
    if (offer == worker->setup.catalog)
        return 0;
    if (!worker->is_adopting && !have_left(worker, offer))
        return 0;
    if (!worker->is_adopting)
        worker->adopt_by_ms = worker->mono_ms + ANSWER_MS;
    worker->is_adopting = true;
    if (worker->is_sent && worker->mono_ms < worker->adopt_by_ms)
        return 0;
    int rc = adopt(worker, offer, err);
    worker->is_adopting = false;
    return rc;
}
