#include "sim_letters.h"

#include <stdlib.h>

#include "tidewheel/mem.h"

static struct sim_letters *letters_of(struct letters *letters)
{
    return (struct sim_letters *)letters;
}

static void count(struct sim_letters *letters)
{
    letters->letters.pending = letters->count;
    letters->letters.underway = letters->kafka->refuses_letters ? 0 : letters->count;
    letters->letters.is_failing = letters->kafka->refuses_letters;
}

static struct sim_letter take(struct sim_letters *letters, size_t i)
{
    struct sim_letter letter = letters->list[i];
    letters->list[i] = letters->list[--letters->count];
    count(letters);
    return letter;
}

static void arrive(struct sim_letters *letters, const struct sim_letter *letter)
{
    struct sim_partition *partition = &letters->kafka->partitions[letter->partition];
    for (size_t i = 0; i < partition->count; i++)
        if (partition->records[i].offset == letter->offset)
            partition->records[i].letters++;
}

static void send_letter(struct letters *base, const struct dead_letter *letter, int64_t mono_ms)
{
    (void)mono_ms;
    struct sim_letters *letters = letters_of(base);
    CHECK(letters->count < SIM_LETTERS_MAX);
    letters->list[letters->count++] = (struct sim_letter){.life = letter->life,
                                                          .number = letter->number,
                                                          .reason = letter->reason,
                                                          .partition = letter->partition,
                                                          .offset = letter->offset};
    count(letters);
}

/* Of each that has arrived Kafka's answer may be lost, and then it arrives again. */
static void serve(struct letters *base, int64_t mono_ms)
{
    (void)mono_ms;
    struct sim_letters *letters = letters_of(base);
    struct sim_kafka *kafka = letters->kafka;
    count(letters);
    while (letters->count > 0 && !kafka->is_away && !kafka->refuses_letters &&
           rng_one_in(kafka->rng, 3)) {
        size_t i = (size_t)rng_below(kafka->rng, (int64_t)letters->count);
        arrive(letters, &letters->list[i]);
        if (rng_one_in(kafka->rng, 10))
            continue;
        struct sim_letter letter = take(letters, i);
        letters->handler.settled(letters->handler.arg, letter.life, letter.number, letter.reason);
    }
}

static void forget(struct letters *base, uint64_t life)
{
    struct sim_letters *letters = letters_of(base);
    for (size_t i = letters->count; i-- > 0;)
        if (letters->list[i].life == life)
            (void)take(letters, i);
}

void sim_letters_free(struct sim_letters *letters)
{
    for (size_t i = 0; i < letters->count; i++)
        if (!letters->kafka->refuses_letters && rng_one_in(letters->kafka->rng, 2))
            arrive(letters, &letters->list[i]);
    free(letters);
}

static bool close_letters(struct letters *base, int64_t wait_ms)
{
    (void)wait_ms;
    sim_letters_free(letters_of(base));
    return true;
}

static const struct letters_ops sim_letters_ops = {
    .send = send_letter, .serve = serve, .forget = forget, .close = close_letters};

struct sim_letters *sim_letters_new(struct sim_kafka *kafka, const struct letters_handler *handler)
{
    struct sim_letters *letters = mem_zalloc(sizeof *letters);
    letters->letters.ops = &sim_letters_ops;
    letters->kafka = kafka;
    letters->handler = *handler;
    return letters;
}

int sim_letters_check(const struct sim_partition *partition, int64_t offset, struct err *err)
{
    for (size_t i = 0; i < partition->count; i++) {
        const struct sim_record *record = &partition->records[i];
        if (record->is_bad && record->letters == 0 && record->offset < offset &&
            record->offset >= partition->wished)
            return err_set(err, ERR_INTERNAL, "the record at %lld is rejected and has no letter",
                           (long long)record->offset);
    }
    return 0;
}
