/* dead_letter: rejected events, to a topic of their own (promise B).
 *
 *     record --rejected--> posted in the ledger --send--> [ waiting ] --> [ at Kafka ] --acknowledged-->
 *                              |                             ^                |            settled()
 *                              |                             +--- failed <----+
 *                              +-- holds its offset: not committed, no progress behind it
 *
 * A letter has the record's own key and value, byte for byte and null where they were null, its
 * timestamp, its headers, and behind them these, all of them text:
 *
 *     tidewheel.topic       where the record lies
 *     tidewheel.partition
 *     tidewheel.offset
 *     tidewheel.timestamp   of the record, Unix ms; absent if it has none
 *     tidewheel.reason      bad_json, no_key ... (verdict.h)
 *     tidewheel.view        the view that rejected it; all views of the topic, with commas, where the
 *                           record as a whole was rejected
 *     tidewheel.group       kafka.group_id: several may send to one topic
 *
 * (As in Kafka Connect and Kafka Streams: a prefix of our own, and numbers as text. A record that was a
 * letter before, and was sent back to be read again, does not keep the old ones.)
 *
 * What it promises: a letter is tried until Kafka has acknowledged it, or its unit is given up, whose
 * next owner then reads the record again. So each arrives at least once: after a crash, and after a
 * failure that was none, twice. One that Kafka refuses keeps no other from arriving. What was rejected
 * before the group's committed offset is not sent again when history is read again. Order is not kept.
 *
 * The struct is an interface: kafka_letters.c is the real one, tests have their own. Who sends takes care
 * that what waits does not grow without limit (src/run/letters.h).
 *
 * Floor: 3. Owner: one worker thread.
 */
#ifndef TIDEWHEEL_DEAD_LETTER_H
#define TIDEWHEEL_DEAD_LETTER_H

#include "tidewheel/decode.h"
#include "tidewheel/options.h"

#define LETTER_HEADER_PREFIX "tidewheel."

/* What a letter takes in memory beside the bytes that it carries. */
enum { LETTER_BYTES_MIN = 512 };

struct dead_letter {
    uint64_t life;   /* of the shard whose ledger it is posted in (shard.h) */
    uint64_t number; /* there */
    enum verdict reason;
    const char *views;
    const char *topic;
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms; /* -1: none */
    struct slice key;     /* ptr NULL: null */
    struct slice value;
    const struct header *headers;
    size_t header_count;
};

struct letters;

struct letters_handler {
    void *arg;
    /* Kafka has acknowledged it. Called inside serve(). */
    void (*settled)(void *arg, uint64_t life, uint64_t number, enum verdict reason);
};

struct letters_ops {
    /* Keeps what it needs of the letter. */
    void (*send)(struct letters *letters, const struct dead_letter *letter, int64_t mono_ms);
    /* Sends what is due and takes answers, without waiting. */
    void (*serve)(struct letters *letters, int64_t mono_ms);
    /* Nobody waits for the letters of this shard any more: they are not sent, or not again. */
    void (*forget)(struct letters *letters, uint64_t life);
    /* Gives up what is left, and frees everything; false: not within wait_ms, and the caller must leave
     * by _exit(), which is always safe. */
    bool (*close)(struct letters *letters, int64_t wait_ms);
};

/* All but ops is as of the last call, and to be read only. */
struct letters {
    const struct letters_ops *ops;
    size_t pending;                 /* not acknowledged */
    size_t underway;                /* of these, those whose answer may well come in a moment */
    uint64_t failures;              /* of attempts */
    bool is_failing;                /* none was acknowledged since the last failure */
    char trouble[ERR_TEXT_MAX / 2]; /* why, and what to do */
};

/* Does any rejected event become one? */
bool kafka_letters_are_used(const struct options *options);

/* Do the properties of librdkafka make a producer? ERR_CONFIG: not together. Talks to nobody. */
int kafka_letters_check(const struct options *options, struct err *err) MUST_CHECK;

/* Over an idempotent producer of its own, made at the first letter, with the same properties of librdkafka
 * as the consumer as far as they are a producer's. Nothing is created: a topic that is missing is
 * waited for, and said. ERR_CONFIG as kafka_letters_check(). */
int kafka_letters_open(const struct options *options, int number,
                       const struct letters_handler *handler, struct letters **ret,
                       struct err *err) MUST_CHECK;

#endif
