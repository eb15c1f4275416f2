#include "tidewheel/entity.h"

#include <stdlib.h>
#include <xxhash.h>

#include "tidewheel/mem.h"

enum { CHUNK_RECORDS = 256 };

void entities_init(struct entities *entities, const struct view *view, struct slab *slab,
                   uint64_t seed, int64_t now_ms)
{
    *entities = (struct entities){
        .view = view,
        .slab = slab,
        .table = table_new(),
        .expire = expire_new(now_ms),
        .seed = seed,
        .free_head = ENTITY_NONE,
        .feature_count = view->feature_count,
        .record_bytes = sizeof(struct entity) + view->feature_count * sizeof(struct series),
    };
}

void entities_fini(struct entities *entities)
{
    table_free(entities->table);
    expire_free(entities->expire);
    for (size_t i = 0; i < entities->chunk_count; i++)
        free(entities->chunks[i]);
    free(entities->chunks);
}

struct entity *entity_at(const struct entities *entities, uint32_t number)
{
    char *chunk = entities->chunks[number / CHUNK_RECORDS];
    return (struct entity *)(void *)(chunk + number % CHUNK_RECORDS * entities->record_bytes);
}

static uint64_t hash_of(const struct entities *entities, struct slice identity)
{
    return XXH3_64bits_withSeed(identity.ptr, identity.len, entities->seed);
}

struct wanted {
    const struct entities *entities;
    struct slice identity;
};

static bool is_wanted(const void *arg, uint32_t number)
{
    const struct wanted *wanted = arg;
    const struct entity *entity = entity_at(wanted->entities, number);
    return slice_is_equal((struct slice){entity->identity, entity->identity_len}, wanted->identity);
}

uint32_t entities_find(const struct entities *entities, struct slice identity)
{
    struct wanted wanted = {entities, identity};
    return table_find(entities->table, hash_of(entities, identity), is_wanted, &wanted);
}

static uint32_t take_number(struct entities *entities)
{
    if (entities->free_head != ENTITY_NONE) {
        uint32_t number = entities->free_head;
        entities->free_head = entity_at(entities, number)->identity_len;
        return number;
    }
    if (entities->end == entities->chunk_count * CHUNK_RECORDS) {
        entities->chunks = mem_grow(entities->chunks, entities->chunk_count, &entities->chunk_cap,
                                    sizeof *entities->chunks);
        entities->chunks[entities->chunk_count++] =
            mem_alloc(CHUNK_RECORDS * entities->record_bytes);
    }
    return entities->end++;
}

uint32_t entities_add(struct entities *entities, struct slice identity)
{
    uint32_t number = take_number(entities);
    struct entity *entity = entity_at(entities, number);
    memset(entity, 0, entities->record_bytes);
    entity->identity = slab_take(entities->slab, slab_class_of(identity.len));
    memcpy(entity->identity, identity.ptr, identity.len);
    entity->identity_len = (uint32_t)identity.len;
    entity->flags = ENTITY_IN_USE;
    entity->newest_ms = -1;
    entity->published_ms = -1;
    entity->applied = -1;
    table_add(entities->table, hash_of(entities, identity), number);
    return number;
}

static void give_back(struct entities *entities, struct entity *entity)
{
    slab_give(entities->slab, slab_class_of(entity->identity_len), entity->identity);
    for (size_t i = 0; i < entities->feature_count; i++)
        series_fini(&entity->series[i], entities->slab);
}

bool entities_bury(struct entities *entities, size_t *looks)
{
    for (; *looks > 0 && entities->end > 0; --*looks) {
        struct entity *entity = entity_at(entities, --entities->end);
        if ((entity->flags & ENTITY_IN_USE) != 0)
            give_back(entities, entity);
    }
    return entities->end == 0;
}

void entities_remove(struct entities *entities, uint32_t number)
{
    struct entity *entity = entity_at(entities, number);
    struct slice identity = {entity->identity, entity->identity_len};
    table_remove(entities->table, hash_of(entities, identity), number);
    expire_clear(entities->expire, number);
    give_back(entities, entity);
    entity->flags = 0;
    entity->identity_len = entities->free_head; /* the list of free numbers runs through it */
    entities->free_head = number;
}

size_t entities_count(const struct entities *entities)
{
    return table_count(entities->table);
}

size_t entities_bytes(const struct entities *entities)
{
    return table_bytes(entities->table) + expire_bytes(entities->expire) +
           entities->chunk_count * CHUNK_RECORDS * entities->record_bytes;
}
