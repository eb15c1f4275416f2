#include "kafka_private.h"

#include "tidewheel/clock.h"

/* A consumer that never joins the group: librdkafka wants the group's name for assign(), and asks for
 * its coordinator, no more. Its units are shadows of those of the main source: same topic, same
 * partition, with an offset of their own; they are there while they are read. */

static struct kafka_source *reader_of(struct source *base)
{
    return (struct kafka_source *)base;
}

static struct kafka_topic *topic_of(struct kafka_source *source, const struct unit *unit)
{
    struct kafka_topic *topic = kafka_topic_named(source, unit->topic->name);
    CHECK(topic != NULL);
    return topic;
}

/* Before the first begin() there is no connection, and no thread. */
static int reader_poll(struct source *base, int64_t timeout_ms, struct unit **ret_unit,
                       struct record *ret, struct err *err)
{
    const struct kafka_source *source = reader_of(base);
    if (source->fatal.code != 0)
        return err_set(err, source->fatal.code, "%s", source->fatal.text);
    return source->handle == NULL ? 0 : kafka_poll(base, timeout_ms, ret_unit, ret, err);
}

static void reader_begin(struct source *base, struct unit *unit, int64_t start)
{
    struct kafka_source *source = reader_of(base);
    if (source->fatal.code != 0 ||
        (source->handle == NULL && kafka_connect(source, &source->fatal) < 0))
        return;
    struct kafka_unit *shadow = kafka_unit_make(topic_of(source, unit), unit->partition);
    shadow->lent = unit;
    shadow->unit.is_assigned = true;
    kafka_begin_unit(source, shadow, start);
}

/* The handler may free the unit after it. */
static void reader_hold(struct source *base, struct unit *unit)
{
    struct kafka_source *source = reader_of(base);
    const struct kafka_topic *topic = topic_of(source, unit);
    struct kafka_unit *shadow =
        unit->partition < topic->unit_cap ? topic->units[unit->partition] : NULL;
    if (shadow == NULL)
        return;
    kafka_unit_drop(source, shadow);
    source->is_dirty = true;
}

static int64_t reader_end(struct source *base, const struct unit *unit)
{
    const struct kafka_source *source = reader_of(base);
    return source->handle == NULL ? -1 : kafka_known_end(source, unit);
}

static void no_commit(struct source *base, const struct commit *commits, size_t count,
                      int64_t wait_ms)
{
    (void)base;
    (void)commits;
    (void)count;
    (void)wait_ms;
}

static void no_pause(struct source *base, bool is_paused)
{
    (void)base;
    (void)is_paused;
}

static void no_restart(struct source *base, struct unit *unit, int64_t alive_ms)
{
    (void)base;
    (void)unit;
    (void)alive_ms;
}

static const char *no_cluster(struct source *base)
{
    (void)base;
    return "";
}

static bool reader_close(struct source *base, int64_t wait_ms)
{
    struct kafka_source *source = reader_of(base);
    kafka_release(source);
    return kafka_free(source, clock_mono_ms() + wait_ms);
}

static const struct source_ops READER_OPS = {
    .poll = reader_poll,
    .commit = no_commit,
    .pause = no_pause,
    .begin = reader_begin,
    .hold = reader_hold,
    .restart = no_restart,
    .adopt = kafka_adopt,
    .end = reader_end,
    .cluster = no_cluster,
    .close = reader_close,
};

int kafka_reader_open(const struct options *options, const struct catalog *catalog, int number,
                      const struct source_handler *handler, struct source **ret, struct err *err)
{
    struct kafka_source *source = NULL;
    int rc = kafka_new(options, catalog, number, handler, true, &source, err);
    if (rc < 0)
        return rc;
    source->source.ops = &READER_OPS;
    *ret = &source->source;
    return 0;
}
