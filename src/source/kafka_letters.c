#include "kafka_letters.h"

#include <stdio.h>
#include <stdlib.h>

#include "kafka_private.h"
#include "tidewheel/clock.h"
#include "tidewheel/log.h"
#include "tidewheel/mem.h"
#include "tidewheel/num.h"

enum {
    WINDOW = 1000, /* letters at Kafka, or in librdkafka's hands */
    BACKOFF_MS_MIN = 250,
    BACKOFF_MS_MAX = 30000,
    ASIDE_MS = 10000,
    RENEW_MS = 120000, /* of failures without an end */
    REASON_LEN_MAX = 300,
};

static struct kafka_letters *letters_of(struct letters *letters)
{
    return (struct kafka_letters *)letters;
}

/* ---- queues ---- */

static void leave(struct letter *letter)
{
    struct queue *queue = letter->queue;
    *(letter->last != NULL ? &letter->last->next : &queue->first) = letter->next;
    *(letter->next != NULL ? &letter->next->last : &queue->last) = letter->last;
    queue->count--;
}

/* At the end, always: one that fails whenever it is tried keeps nobody from being tried. */
static void join(struct letter *letter, struct queue *queue)
{
    letter->queue = queue;
    letter->last = queue->last;
    letter->next = NULL;
    *(letter->last != NULL ? &letter->last->next : &queue->first) = letter;
    queue->last = letter;
    queue->count++;
}

static void move(struct letter *letter, struct queue *queue)
{
    leave(letter);
    join(letter, queue);
}

static void discard(struct letter *letter)
{
    leave(letter);
    letter->owner->letters.pending--;
    free(letter);
}

/* ---- a letter ---- */

static const char *keep_text(char **at, const char *text)
{
    size_t len = strlen(text) + 1;
    char *ret = memcpy(*at, text, len);
    *at += len;
    return ret;
}

static struct slice keep(char **at, struct slice slice)
{
    if (slice.ptr == NULL)
        return slice;
    char *ptr = *at;
    if (slice.len > 0)
        memcpy(ptr, slice.ptr, slice.len);
    *at += slice.len;
    return (struct slice){ptr, slice.len};
}

/* One block: the struct, its headers, its bytes. */
static struct letter *letter_new(struct kafka_letters *owner, const struct dead_letter *from)
{
    size_t size =
        strlen(from->views) + 1 + strlen(from->topic) + 1 + from->key.len + from->value.len;
    for (size_t i = 0; i < from->header_count; i++)
        size += strlen(from->headers[i].name) + 1 + from->headers[i].value.len;
    size_t headers = from->header_count * sizeof *from->headers;
    struct letter *letter = mem_alloc(sizeof *letter + headers + size);
    *letter = (struct letter){.owner = owner, .as = *from};
    struct header *header = (struct header *)(letter + 1);
    letter->as.headers = header;
    char *at = (char *)(header + from->header_count);
    letter->as.views = keep_text(&at, from->views);
    letter->as.topic = keep_text(&at, from->topic);
    letter->as.key = keep(&at, from->key);
    letter->as.value = keep(&at, from->value);
    for (size_t i = 0; i < from->header_count; i++) {
        header[i].name = keep_text(&at, from->headers[i].name);
        header[i].value = keep(&at, from->headers[i].value);
    }
    return letter;
}

static void add_text(rd_kafka_headers_t *headers, const char *name, const char *text)
{
    char full[64] = LETTER_HEADER_PREFIX;
    (void)snprintf(full, sizeof full, LETTER_HEADER_PREFIX "%s", name);
    (void)rd_kafka_header_add(headers, full, -1, text, (ssize_t)strlen(text));
}

static void add_number(rd_kafka_headers_t *headers, const char *name, int64_t number)
{
    char text[NUM_TEXT_MAX];
    text[num_format_int64(number, text)] = '\0';
    add_text(headers, name, text);
}

static rd_kafka_headers_t *headers_of(const struct kafka_letters *letters,
                                      const struct dead_letter *letter)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(letter->header_count + 8);
    for (size_t i = 0; i < letter->header_count; i++) {
        const struct header *header = &letter->headers[i];
        (void)rd_kafka_header_add(headers, header->name, -1, header->value.ptr,
                                  (ssize_t)header->value.len);
    }
    add_text(headers, "topic", letter->topic);
    add_number(headers, "partition", letter->partition);
    add_number(headers, "offset", letter->offset);
    if (letter->timestamp_ms >= 0)
        add_number(headers, "timestamp", letter->timestamp_ms);
    add_text(headers, "reason", verdict_rows[letter->reason].name);
    add_text(headers, "view", letter->views);
    add_text(headers, "group", letters->options->kafka_group_id);
    return headers;
}

/* ---- what became of it ---- */

static void note_trouble(struct kafka_letters *letters, const struct letter_error *error,
                         const char *reason)
{
    if (!letters->letters.is_failing)
        letters->failing_since_ms = letters->mono_ms;
    letters->letters.is_failing = true;
    (void)snprintf(letters->letters.trouble, sizeof letters->letters.trouble, "%s (%.*s)",
                   error->advice, REASON_LEN_MAX, reason);
}

/* All that is at Kafka may fail at once, which is one failure to wait for. */
static void close_gate(struct kafka_letters *letters)
{
    if (letters->mono_ms < letters->gate_ms)
        return;
    int64_t backoff_ms = letters->backoff_ms * 2;
    backoff_ms = backoff_ms < BACKOFF_MS_MIN ? BACKOFF_MS_MIN : backoff_ms;
    letters->backoff_ms = backoff_ms < BACKOFF_MS_MAX ? backoff_ms : BACKOFF_MS_MAX;
    letters->gate_ms = letters->mono_ms + letters->backoff_ms;
}

/* A request is refused as a whole, and each of its letters is told why, whichever it was: only what is
 * said of one that was alone, or by librdkafka itself, is believed. */
static enum letter_reaction react(struct letter *letter, enum letter_reaction reaction,
                                  bool is_its_own)
{
    if (reaction != LETTER_ASIDE && reaction != LETTER_UNDATED)
        return reaction;
    bool is_believed = is_its_own || letter->is_suspect;
    bool loses_timestamp = is_believed && reaction == LETTER_UNDATED && !letter->has_lost_timestamp;
    letter->has_lost_timestamp = letter->has_lost_timestamp || loses_timestamp;
    letter->is_suspect = !loses_timestamp;
    return is_believed && !loses_timestamp ? LETTER_ASIDE : LETTER_AGAIN;
}

static void on_failed(struct kafka_letters *letters, struct letter *letter,
                      rd_kafka_resp_err_t code, bool is_its_own)
{
    const struct letter_error *error = letter_error_of(code);
    if (letter->is_forgotten) {
        discard(letter);
        return;
    }
    enum letter_reaction reaction = react(letter, error->reaction, is_its_own);
    move(letter, reaction == LETTER_ASIDE ? &letters->aside
                 : letter->is_suspect     ? &letters->suspects
                                          : &letters->waiting);
    if (reaction == LETTER_AGAIN)
        return;
    letter->due_ms = letters->mono_ms + ASIDE_MS;
    letters->letters.failures++;
    note_trouble(letters, error, rd_kafka_err2str(code));
    letters->is_retiring = letters->is_retiring || reaction == LETTER_NEW_START;
    if (reaction != LETTER_ASIDE)
        close_gate(letters);
    log_limited(
        LOG_WARN, "dead_letter",
        "worker=%d topic=%s error=%s why=\"%s\" pending=%zu then=\"it is kept, its offset is "
        "not committed, and it is tried again\"",
        letters->number, letters->options->dead_letter_topic, rd_kafka_err2name(code),
        letters->letters.trouble, letters->letters.pending);
}

static void on_acknowledged(struct kafka_letters *letters, struct letter *letter)
{
    if (letters->letters.is_failing)
        log_info("dead_letter", "worker=%d topic=%s state=delivered pending=%zu", letters->number,
                 letters->options->dead_letter_topic, letters->letters.pending - 1);
    letters->letters.is_failing = false;
    letters->gate_ms = letters->backoff_ms = 0;
    if (!letter->is_forgotten)
        letters->handler.settled(letters->handler.arg, letter->as.life, letter->as.number,
                                 letter->as.reason);
    discard(letter);
}

/* These two are called inside rd_kafka_poll(). */
static void on_delivery(rd_kafka_t *handle, const rd_kafka_message_t *message, void *opaque)
{
    (void)handle;
    struct letter *letter = message->_private;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        on_acknowledged(opaque, letter);
    else
        on_failed(opaque, letter, message->err, false);
}

static void on_error(rd_kafka_t *handle, int code, const char *reason, void *opaque)
{
    struct kafka_letters *letters = opaque;
    char text[256];
    bool is_fatal = code == RD_KAFKA_RESP_ERR__FATAL;
    if (!is_fatal && letters->letters.pending == 0)
        return; /* a connection that nobody needs now */
    if (is_fatal)
        code = rd_kafka_fatal_error(handle, text, sizeof text);
    note_trouble(letters, letter_error_of((rd_kafka_resp_err_t)code), is_fatal ? text : reason);
    letters->is_retiring = letters->is_retiring || is_fatal;
    log_limited(LOG_WARN, "dead_letter", "worker=%d error=%s why=\"%s\" pending=%zu",
                letters->number, rd_kafka_err2name((rd_kafka_resp_err_t)code),
                letters->letters.trouble, letters->letters.pending);
}

/* ---- the producer ---- */

static int connect_producer(struct kafka_letters *letters, struct err *err)
{
    rd_kafka_conf_t *conf = NULL;
    char reason[512];
    int rc = letters_conf_new(letters->options, letters->number, &conf, err);
    if (rc < 0)
        return rc;
    rd_kafka_conf_set_opaque(conf, letters);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_error_cb(conf, on_error);
    letters->handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    if (letters->handle != NULL)
        return 0;
    rd_kafka_conf_destroy(conf);
    return err_set(err, ERR_CONFIG, "%s", reason);
}

static void *destroy_handle(void *handle)
{
    rd_kafka_destroy(handle);
    return NULL;
}

/* rd_kafka_destroy() takes its time: it gets a thread. One at a time, lest they heap up. */
static void retire(struct kafka_letters *letters)
{
    if (letters->has_retired && pthread_tryjoin_np(letters->retired, NULL) != 0)
        return;
    letters->has_retired =
        pthread_create(&letters->retired, NULL, destroy_handle, letters->handle) == 0;
    if (!letters->has_retired)
        return;
    letters->handle = NULL;
    letters->is_retiring = false;
    letters->failing_since_ms = letters->mono_ms;
}

/* Without the last flag it waits for each of librdkafka's threads, and one of these perhaps for a name
 * server. */
static void purge(const struct kafka_letters *letters)
{
    (void)rd_kafka_purge(letters->handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
                                              RD_KAFKA_PURGE_F_NON_BLOCKING);
}

/* Its letters come back first: librdkafka reads their bytes until then. */
static void renew(struct kafka_letters *letters)
{
    bool has_lasted =
        letters->letters.is_failing && letters->mono_ms - letters->failing_since_ms >= RENEW_MS;
    letters->is_retiring = letters->is_retiring || (has_lasted && letters->at_kafka.count == 0);
    if (!letters->is_retiring)
        return;
    purge(letters);
    if (letters->at_kafka.count == 0)
        retire(letters);
}

/* False: librdkafka does not take it now. */
static bool produce(struct kafka_letters *letters, struct letter *letter)
{
    const struct dead_letter *as = &letter->as;
    rd_kafka_headers_t *headers = headers_of(letters, as);
    letters->ahead = letter->is_suspect   ? letters->waiting.count
                     : letters->ahead > 0 ? letters->ahead - 1
                                          : 0;
    move(letter, &letters->at_kafka);
    rd_kafka_resp_err_t code = rd_kafka_producev(
        letters->handle, RD_KAFKA_V_TOPIC(letters->options->dead_letter_topic),
        RD_KAFKA_V_PARTITION(RD_KAFKA_PARTITION_UA), RD_KAFKA_V_MSGFLAGS(0),
        RD_KAFKA_V_KEY(as->key.ptr, as->key.len),
        RD_KAFKA_V_VALUE((void *)as->value.ptr, as->value.len),
        RD_KAFKA_V_TIMESTAMP(letter->has_lost_timestamp || as->timestamp_ms < 0 ? 0
                                                                                : as->timestamp_ms),
        RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(letter), RD_KAFKA_V_END);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return true;
    rd_kafka_headers_destroy(headers);
    on_failed(letters, letter, code, true);
    return code != RD_KAFKA_RESP_ERR__QUEUE_FULL;
}

/* ---- the interface ---- */

static void send_letter(struct letters *base, const struct dead_letter *letter, int64_t mono_ms)
{
    struct kafka_letters *letters = letters_of(base);
    letters->mono_ms = mono_ms;
    join(letter_new(letters, letter), &letters->waiting);
    base->pending++;
}

static bool is_open(const struct kafka_letters *letters)
{
    return letters->mono_ms >= letters->gate_ms && !letters->is_retiring;
}

/* What was refused before comes last. */
static struct letter *next_suspect(const struct kafka_letters *letters)
{
    struct letter *aside = letters->aside.first;
    if (letters->suspects.first != NULL)
        return letters->suspects.first;
    return aside != NULL && aside->due_ms <= letters->mono_ms ? aside : NULL;
}

/* A suspect goes once Kafka has answered all others, and nothing beside it. After it those go that have
 * waited meanwhile, and then the next suspect. NULL: nothing goes now. */
static struct letter *next_letter(struct kafka_letters *letters)
{
    const struct queue *at_kafka = &letters->at_kafka;
    size_t window = letters->letters.is_failing ? 1 : WINDOW;
    struct letter *suspect = next_suspect(letters);
    if (letters->ahead > letters->waiting.count)
        letters->ahead = letters->waiting.count;
    if (!is_open(letters) || (at_kafka->count > 0 && at_kafka->first->is_suspect))
        return NULL;
    if (suspect != NULL && letters->ahead == 0)
        return at_kafka->count == 0 ? suspect : NULL;
    return at_kafka->count < window ? letters->waiting.first : NULL;
}

static void begin_sending(struct kafka_letters *letters)
{
    struct err err;
    if (connect_producer(letters, &err) == 0)
        return;
    note_trouble(letters, letter_error_of(RD_KAFKA_RESP_ERR_UNKNOWN), err.text);
    close_gate(letters);
    letters->letters.failures++;
    log_limited(LOG_ERROR, "dead_letter", "worker=%d why=\"%s\" pending=%zu", letters->number,
                letters->letters.trouble, letters->letters.pending);
}

static void send_waiting(struct kafka_letters *letters)
{
    struct letter *letter = next_letter(letters);
    if (letters->handle == NULL && letter != NULL)
        begin_sending(letters);
    bool is_taken = letters->handle != NULL;
    for (size_t i = 0; i < WINDOW && is_taken && letter != NULL; i++) {
        is_taken = produce(letters, letter);
        letter = next_letter(letters);
    }
}

static void serve(struct letters *base, int64_t mono_ms)
{
    struct kafka_letters *letters = letters_of(base);
    letters->mono_ms = mono_ms;
    if (letters->handle != NULL) {
        (void)rd_kafka_poll(letters->handle, 0);
        renew(letters);
    }
    send_waiting(letters);
    base->is_failing = base->is_failing && base->pending > 0;
    base->underway = letters->at_kafka.count;
    if (is_open(letters))
        base->underway += letters->waiting.count + letters->suspects.count;
}

static void forget_in(struct queue *queue, uint64_t life)
{
    for (struct letter *next = queue->first; next != NULL;) {
        struct letter *letter = next;
        next = letter->next;
        if (letter->as.life == life)
            discard(letter);
    }
}

static void forget(struct letters *base, uint64_t life)
{
    struct kafka_letters *letters = letters_of(base);
    forget_in(&letters->waiting, life);
    forget_in(&letters->suspects, life);
    forget_in(&letters->aside, life);
    for (struct letter *letter = letters->at_kafka.first; letter != NULL; letter = letter->next)
        letter->is_forgotten = letter->is_forgotten || letter->as.life == life;
}

static void free_all(struct queue *queue)
{
    while (queue->first != NULL)
        discard(queue->first);
}

static bool close_letters(struct letters *base, int64_t wait_ms)
{
    struct kafka_letters *letters = letters_of(base);
    int64_t deadline_ms = clock_mono_ms() + wait_ms;
    if (base->pending > 0)
        log_warn("dead_letter",
                 "worker=%d topic=%s pending=%zu then=\"their records are read again by who comes "
                 "next\"",
                 letters->number, letters->options->dead_letter_topic, base->pending);
    if (letters->handle != NULL)
        purge(letters);
    if (letters->handle != NULL && !kafka_destroy_within(letters->handle, deadline_ms))
        return false;
    if (letters->has_retired && !kafka_join_within(letters->retired, deadline_ms))
        return false;
    free_all(&letters->waiting);
    free_all(&letters->at_kafka);
    free_all(&letters->suspects);
    free_all(&letters->aside);
    free(letters);
    return true;
}

static const struct letters_ops KAFKA_LETTERS_OPS = {
    .send = send_letter,
    .serve = serve,
    .forget = forget,
    .close = close_letters,
};

int kafka_letters_open(const struct options *options, int number,
                       const struct letters_handler *handler, struct letters **ret, struct err *err)
{
    int rc = kafka_letters_check(options, err);
    if (rc < 0)
        return rc;
    struct kafka_letters *letters = mem_zalloc(sizeof *letters);
    letters->letters.ops = &KAFKA_LETTERS_OPS;
    letters->options = options;
    letters->number = number;
    letters->handler = *handler;
    *ret = &letters->letters;
    return 0;
}
