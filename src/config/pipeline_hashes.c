#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/key_pattern.h"
#include "config/pipeline_draft.h"
#include "tidewheel/mem.h"

/* The worker's own keys begin so; see recovery. */
#define OWN_PREFIX "{tw:"

enum { FRESHNESS = -1 };

/* One hash that a view writes to; hashes of the same pattern are one in Redis. */
struct hash {
    struct draft *draft;
    enum view_key key; /* VIEW_OUTPUT_KEY or VIEW_FRESHNESS_KEY */
    struct buf pattern;
    size_t shared;  /* the number of the first hash of the same pattern */
    int64_t ttl_ms; /* in the first: the largest of all */
};

/* One field of a hash. */
struct field {
    char *name; /* ours where it is of freshness */
    struct draft *draft;
    int feature; /* FRESHNESS: the view's own two */
};

struct fields {
    struct field *list;
    size_t count;
    size_t cap;
};

/* ---- names ---- */

static void check_names(struct draft *drafts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i && *drafts[i].view->name != '\0'; j++) {
            char sentence[512];
            if (strcmp(drafts[i].view->name, drafts[j].view->name) != 0)
                continue;
            (void)snprintf(sentence, sizeof sentence,
                           "%s is the name of another view, in %.300s:%d",
                           cite(drafts[i].view->name).text, drafts[j].view->file,
                           drafts[j].values[VIEW_NAME].node->line);
            draft_error(&drafts[i], VIEW_NAME, sentence);
            break;
        }
    }
}

/* ---- patterns ---- */

static void check_pattern(struct hash *hash)
{
    struct slice pattern = buf_slice(&hash->pattern);
    if (key_pattern_can_begin_with(pattern, OWN_PREFIX))
        draft_error(hash->draft, hash->key,
                    "could make a key that begins with '" OWN_PREFIX "', as the worker's own do");
    if (key_pattern_is_ambiguous(pattern))
        draft_error(hash->draft, hash->key,
                    "puts two parts of the entity side by side with nothing between them that "
                    "neither can contain, so entities could share a hash; put a ':' there");
}

static void add_hash(struct hash *hashes, size_t *count, struct draft *draft, enum view_key key,
                     const struct template *template)
{
    struct hash *hash = &hashes[*count];
    if (template->source == NULL)
        return; /* refused */
    *hash = (struct hash){.draft = draft, .key = key, .shared = *count};
    key_pattern_add(template, draft->view->key_count - draft->view->has_tenant, &hash->pattern);
    for (size_t i = 0; i < *count; i++) {
        if (slice_is_equal(buf_slice(&hashes[i].pattern), buf_slice(&hash->pattern))) {
            hash->shared = hashes[i].shared;
            break;
        }
    }
    struct hash *first = &hashes[hash->shared];
    if (draft->view->ttl_ms > first->ttl_ms)
        first->ttl_ms = draft->view->ttl_ms;
    (*count)++;
}

/* ---- fields ---- */

static void add_field(struct fields *fields, char *name, struct draft *draft, int feature)
{
    fields->list = mem_grow(fields->list, fields->count, &fields->cap, sizeof *fields->list);
    fields->list[fields->count++] = (struct field){name, draft, feature};
}

static void add_fields(struct fields *fields, const struct hash *hash)
{
    const struct view *view = hash->draft->view;
    struct buf event = {NULL, 0, 0};
    if (hash->key == VIEW_FRESHNESS_KEY) {
        buf_printf(&event, "%s:event", view->name);
        add_field(fields, mem_strdup(view->name), hash->draft, FRESHNESS);
        add_field(fields, mem_strdup(buf_text(&event)), hash->draft, FRESHNESS);
        buf_fini(&event);
        return;
    }
    for (size_t i = 0; i < view->field_count; i++)
        add_field(fields, view->fields[i].name, hash->draft, view->fields[i].feature);
}

/* By name; of one name the earlier in the files first, the fields of freshness before all. */
static int compare(const void *a, const void *b)
{
    const struct field *first = a;
    const struct field *second = b;
    int by_name = strcmp(first->name, second->name);
    if (by_name != 0)
        return by_name;
    if ((first->feature == FRESHNESS) != (second->feature == FRESHNESS))
        return first->feature == FRESHNESS ? -1 : 1;
    if (first->draft != second->draft)
        return first->draft < second->draft ? -1 : 1;
    return first->feature - second->feature;
}

/* A name that is missing or given twice has its own problem. */
static bool is_said_already(const struct field *field, const struct field *first)
{
    const char *name = field->draft->view->features[field->feature].name;
    if (*name == '\0')
        return true;
    return first->draft == field->draft && first->feature != FRESHNESS &&
           first->feature != field->feature &&
           strcmp(first->draft->view->features[first->feature].name, name) == 0;
}

static void accuse(const struct field *field, const struct field *first)
{
    struct draft *draft = field->draft;
    const struct view *other = first->draft->view;
    if (field->feature == FRESHNESS || draft->is_accused[field->feature] ||
        is_said_already(field, first))
        return;
    draft->is_accused[field->feature] = true;
    const struct yaml_node *node = draft->feature_nodes[field->feature];
    if (first->feature == FRESHNESS)
        yaml_error(node, "makes the field %s, which is the freshness of view %s in the same hash",
                   cite(field->name).text, other->name);
    else if (first->draft == draft && first->feature == field->feature)
        yaml_error(node,
                   "makes the field %s twice; output.field must tell its windows and "
                   "aggregates apart",
                   cite(field->name).text);
    else
        yaml_error(node,
                   "makes the field %s, as feature %s of view %s (%s:%d) does in the same hash",
                   cite(field->name).text, other->features[first->feature].name, other->name,
                   other->file, first->draft->feature_nodes[first->feature]->line);
}

static void check_fields(const struct hash *hashes, size_t count, size_t shared)
{
    struct fields fields = {NULL, 0, 0};
    for (size_t i = 0; i < count; i++)
        if (hashes[i].shared == shared)
            add_fields(&fields, &hashes[i]);
    if (fields.count > 0)
        qsort(fields.list, fields.count, sizeof *fields.list, compare);
    for (size_t i = 1, first = 0; i < fields.count; i++) {
        if (strcmp(fields.list[first].name, fields.list[i].name) != 0)
            first = i;
        else if (*fields.list[i].name != '\0')
            accuse(&fields.list[i], &fields.list[first]);
    }
    for (size_t i = 0; i < fields.count; i++)
        if (fields.list[i].feature == FRESHNESS)
            free(fields.list[i].name);
    free(fields.list);
}

void hashes_check(struct draft *drafts, size_t count)
{
    struct hash *hashes = mem_zalloc((2 * count + 1) * sizeof *hashes);
    size_t hash_count = 0;
    check_names(drafts, count);
    for (size_t i = 0; i < count; i++) {
        add_hash(hashes, &hash_count, &drafts[i], VIEW_OUTPUT_KEY, &drafts[i].view->key);
        add_hash(hashes, &hash_count, &drafts[i], VIEW_FRESHNESS_KEY,
                 &drafts[i].view->freshness_key);
    }
    for (size_t i = 0; i < hash_count; i++) {
        struct view *view = hashes[i].draft->view;
        int64_t ttl_ms = hashes[hashes[i].shared].ttl_ms;
        *(hashes[i].key == VIEW_OUTPUT_KEY ? &view->key_ttl_ms : &view->freshness_ttl_ms) = ttl_ms;
        check_pattern(&hashes[i]);
        if (hashes[i].shared == i)
            check_fields(hashes, hash_count, i);
    }
    for (size_t i = 0; i < hash_count; i++)
        buf_fini(&hashes[i].pattern);
    free(hashes);
}
