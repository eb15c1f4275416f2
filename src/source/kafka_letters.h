/* kafka_letters: what the files of the dead letters' producer share.
 *
 *     kafka_letters.c        letters that wait, are at Kafka, or are put aside
 *     kafka_letters_conf.c   the producer's configuration, and what its errors mean
 *
 *     send() --> [ waiting ] --a window at a time--> [ at Kafka ] --acknowledged--> settled()
 *                    ^                                 |  ^  ^
 *                    +-- the world says no, or the ----+  |  |
 *                        producer is made anew         |  |  |
 *                [ suspects ] <-- no to its request ---+  |  |
 *                    +----------------- alone ------------|--+
 *                [ aside ] <-- no, while it was alone -+  |
 *                    +----------- after 10 s, alone ------+
 *
 * Kafka refuses a request as a whole, and says not of which letter. So all of them go again, each with
 * nothing beside it, until it is known whose fault it was. Suspects and the others take turns: refused
 * letters make the others slower, and never stop them.
 *
 * After a failure that is not about one letter, a single one is tried, after a back-off that doubles up to
 * 30 s; the first that is acknowledged opens the window again. An idempotent producer may fail for good,
 * or never recover from replicas that were short for a while: it is then made anew, and its letters may
 * come twice.
 *
 * Floor: 3. Owner: one worker thread; librdkafka's own threads enter on_log() only.
 */
#ifndef TIDEWHEEL_KAFKA_LETTERS_H
#define TIDEWHEEL_KAFKA_LETTERS_H

#include "tidewheel/dead_letter.h"

#include <librdkafka/rdkafka.h>
#include <pthread.h>

struct queue;

struct letter {
    struct queue *queue;
    struct letter *next;
    struct letter *last;
    struct kafka_letters *owner;
    struct dead_letter as;   /* its bytes are behind the struct */
    int64_t due_ms;          /* aside until then */
    bool has_lost_timestamp; /* the topic does not take it; the header has it still */
    bool is_suspect;         /* a request with it was refused: it goes alone */
    bool is_forgotten;
};

struct queue {
    struct letter *first;
    struct letter *last;
    size_t count;
};

struct kafka_letters {
    struct letters letters; /* first */
    const struct options *options;
    int number;
    struct letters_handler handler;
    rd_kafka_t *handle; /* NULL: at the next letter */
    struct queue waiting;
    struct queue suspects;
    struct queue at_kafka;
    struct queue aside; /* by due_ms */
    size_t ahead;       /* of waiting: as many go before the next suspect */
    int64_t mono_ms;
    int64_t gate_ms; /* nothing is sent before */
    int64_t backoff_ms;
    int64_t failing_since_ms; /* -1: it is not */
    bool is_retiring; /* the handle is of no use any more; its letters are on their way back */
    bool has_retired; /* one that is being destroyed */
    pthread_t retired;
};

/* What an error of the producer asks for. */
enum letter_reaction {
    LETTER_WAITS,     /* the world is away: all wait */
    LETTER_ASIDE,     /* one of the request is refused; the others go on */
    LETTER_UNDATED,   /* one's timestamp is refused */
    LETTER_AGAIN,     /* nobody has refused it */
    LETTER_NEW_START, /* the producer is done for */
};

struct letter_error {
    rd_kafka_resp_err_t code;
    enum letter_reaction reaction;
    const char *advice;
};

/* Never NULL: what is not in the table is waited for. */
const struct letter_error *letter_error_of(rd_kafka_resp_err_t code);

int letters_conf_new(const struct options *options, int number, rd_kafka_conf_t **ret,
                     struct err *err) MUST_CHECK;

#endif
