#include "sim_oracle.h"

#include <stdio.h>
#include <stdlib.h>

#include "tidewheel/num.h"
#include "tidewheel/op.h"

#define KEY_PREFIX "features:user:e"

enum { STEP_MS = 100 /* the finest hop */ };

void oracle_init(struct oracle *oracle, const struct catalog *catalog, int partition_count)
{
    memset(oracle, 0, sizeof *oracle);
    oracle->catalog = catalog;
    for (int i = 0; i < ORACLE_ENTITIES_MAX; i++)
        oracle->partition_of[i] = i % partition_count;
}

bool oracle_is_full(const struct oracle *oracle, size_t entity)
{
    return oracle->counts[entity] >= ORACLE_EVENTS_MAX;
}

double oracle_amount(const struct oracle *oracle, size_t entity)
{
    return (double)(UINT64_C(1) << oracle->counts[entity]);
}

void oracle_add(struct oracle *oracle, size_t entity, int64_t ts_ms, int64_t offset)
{
    struct oracle_event event = {ts_ms, oracle_amount(oracle, entity), offset};
    oracle->events[entity][oracle->counts[entity]++] = event;
}

size_t oracle_before(const struct oracle *oracle, size_t entity, int64_t offset)
{
    size_t count = 0;
    while (count < oracle->counts[entity] && oracle->events[entity][count].offset < offset)
        count++;
    return count;
}

/* ---- prefixes ---- */

static double number_of(const struct entry *entry, const char *name)
{
    const struct field *field = entry_field(entry, slice_of(name));
    return field == NULL ? -1 : strtod(field->value.ptr, NULL);
}

int oracle_check_prefix(const struct oracle *oracle, struct slice key, const struct entry *entry,
                        struct err *err)
{
    if (key.len != sizeof KEY_PREFIX || memcmp(key.ptr, KEY_PREFIX, sizeof KEY_PREFIX - 1) != 0 ||
        entry == NULL || entry->type != ENTRY_HASH)
        return 0;
    double count = number_of(entry, "amount_24h_count");
    double sum = number_of(entry, "amount_24h_sum");
    if (count < 0 && sum < 0)
        return 0; /* only the other view has been written */
    double produced = (double)oracle->counts[key.ptr[key.len - 1] - 'a'];
    if (count >= 0 && count <= produced && sum == (double)(UINT64_C(1) << (unsigned)count) - 1)
        return 0;
    return err_set(err, ERR_INTERNAL,
                   "%.*s: count %.0f and sum %.0f are those of no prefix of %.0f events",
                   (int)key.len, key.ptr, count, sum, produced);
}

/* ---- values ---- */

struct fold {
    size_t count;
    double sum;
    double min;
    double max;
};

static struct fold fold_window(const struct oracle *oracle, size_t entity,
                               const struct window *window, int64_t at_ms)
{
    struct fold fold = {0, 0, 0, 0};
    for (size_t i = 0; i < oracle->counts[entity]; i++) {
        const struct oracle_event *event = &oracle->events[entity][i];
        int64_t from_ms = at_ms - window->length_ms;
        from_ms -= from_ms % window->hop_ms;
        if (event->ts_ms < from_ms)
            continue;
        fold.min = fold.count == 0 || event->amount < fold.min ? event->amount : fold.min;
        fold.max = fold.count == 0 || event->amount > fold.max ? event->amount : fold.max;
        fold.sum += event->amount;
        fold.count++;
    }
    return fold;
}

/* The text of a field; "" where it does not exist. */
static void fold_text(const struct fold *fold, const char *op, char *ret)
{
    double value = 0;
    bool exists = true;
    if (strcmp(op, "count") == 0) {
        value = (double)fold->count;
    } else if (strcmp(op, "sum") == 0) {
        value = fold->sum;
    } else {
        exists = fold->count > 0;
        if (strcmp(op, "min") == 0)
            value = fold->min;
        else if (strcmp(op, "max") == 0)
            value = fold->max;
        else
            value = fold->sum / (double)(exists ? fold->count : 1);
    }
    ret[exists ? num_format(value, ret) : 0] = '\0';
}

static int check_field(const struct oracle *oracle, const struct view *view, size_t number,
                       size_t entity, const struct entry *entry, int64_t at_ms, struct err *err)
{
    const struct output_field *field = &view->fields[number];
    const struct window *window = &view->features[field->feature].windows[field->window];
    struct fold fold = fold_window(oracle, entity, window, at_ms);
    char wanted[NUM_TEXT_MAX];
    fold_text(&fold, field->op->name, wanted);
    const struct field *found = entry == NULL ? NULL : entry_field(entry, slice_of(field->name));
    struct slice text = found == NULL ? slice_of("") : text_slice(&found->value);
    if (slice_is_equal(text, slice_of(wanted)))
        return 0;
    return err_set(err, ERR_INTERNAL, "e%c: %s is '%.*s' and should be '%s'", 'a' + (int)entity,
                   field->name, (int)text.len, text.ptr, wanted);
}

/* Nothing alive, and no field that says otherwise: nobody has to know the entity any more, and zeros
 * of an earlier definition may stay. */
static bool is_nothing(const struct oracle *oracle, const struct view *view, size_t entity,
                       const struct entry *entry, int64_t at_ms)
{
    for (size_t i = 0; i < view->field_count; i++) {
        const struct output_field *field = &view->fields[i];
        const struct window *window = &view->features[field->feature].windows[field->window];
        const struct field *found =
            entry == NULL ? NULL : entry_field(entry, slice_of(field->name));
        if (fold_window(oracle, entity, window, at_ms).count > 0 ||
            (found != NULL && !slice_is_equal(text_slice(&found->value), slice_of("0"))))
            return false;
    }
    return true;
}

static int check_view(const struct oracle *oracle, const struct view *view, size_t entity,
                      const struct entry *entry, int64_t at_ms, struct err *err)
{
    if (is_nothing(oracle, view, entity, entry, at_ms))
        return 0;
    int rc = 0;
    for (size_t i = 0; i < view->field_count && rc == 0; i++)
        rc = check_field(oracle, view, i, entity, entry, at_ms, err);
    return rc;
}

/* Of what an earlier definition has written. Zeros may stay: of whoever had nothing alive no state was
 * kept that would tell. */
static int check_leftovers(const struct oracle *oracle, const struct entry *entry, struct err *err)
{
    for (size_t i = 0; entry != NULL && i < entry->field_count && !oracle->allows_leftovers; i++) {
        struct slice name = text_slice(&entry->fields[i].name);
        bool is_ours = slice_is_equal(text_slice(&entry->fields[i].value), slice_of("0"));
        for (size_t v = 0; v < oracle->catalog->view_count; v++)
            for (size_t k = 0; k < oracle->catalog->views[v]->field_count; k++)
                is_ours = is_ours ||
                          slice_is_equal(name, slice_of(oracle->catalog->views[v]->fields[k].name));
        if (!is_ours)
            return err_set(err, ERR_INTERNAL, "%.*s: %.*s is no view's any more",
                           (int)entry->key.len, entry->key.ptr, (int)name.len, name.ptr);
    }
    return 0;
}

int oracle_check_all(const struct oracle *oracle, struct db *db, int64_t now_ms, int64_t lag_ms,
                     struct err *err)
{
    for (size_t entity = 0; entity < ORACLE_ENTITIES_MAX; entity++) {
        char key[] = KEY_PREFIX "a";
        key[sizeof key - 2] = (char)('a' + entity);
        const struct entry *entry = db_find(db, slice_of(key), now_ms);
        if (check_leftovers(oracle, entry, err) < 0)
            return ERR_INTERNAL;
        for (size_t i = 0; i < oracle->catalog->view_count; i++) {
            int rc = ERR_INTERNAL;
            for (int64_t at_ms = now_ms; rc < 0 && at_ms >= now_ms - lag_ms; at_ms -= STEP_MS)
                rc = check_view(oracle, oracle->catalog->views[i], entity, entry, at_ms, err);
            if (rc < 0)
                return rc;
        }
    }
    return 0;
}
