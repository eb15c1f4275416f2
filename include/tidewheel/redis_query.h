/* redis_query: questions to Redis, each of which is waited for: for commands that people run.
 *
 *     open(url) --> ask(HGETALL k) --> an answer ... --> close()
 *                   send(HLEN k) send(HLEN l) next() next()        many, for one way there and back
 *
 * It connects and logs in once, over a wire. Nothing comes back by itself: after ERR_RETRY there is
 * only close(). The process ignores SIGPIPE from then on: TLS writes as it likes.
 *
 * Floor: 3. Owner: whoever holds it.
 */
#ifndef TIDEWHEEL_REDIS_QUERY_H
#define TIDEWHEEL_REDIS_QUERY_H

#include "tidewheel/buf.h"
#include "tidewheel/redis_url.h"

enum answer_kind {
    ANSWER_NONE, /* nil */
    ANSWER_INTEGER,
    ANSWER_TEXT,
    ANSWER_LIST,
    ANSWER_REFUSED, /* an error; text: its sentence, without what may be secret */
};

/* Lent until the next call. */
struct answer {
    enum answer_kind kind;
    int64_t integer;
    struct slice text;
    size_t count; /* of the items of a list */
    const void *reply;
};

struct redis_query;

/* Waits up to 5 s, and so does each answer. ERR_RETRY: Redis is away or refuses the login. The url must
 * outlive it. */
int redis_query_open(const struct redis_url *url, struct redis_query **ret,
                     struct err *err) MUST_CHECK;
void redis_query_close(struct redis_query *query);

/* The words are copied. As many answers follow as were sent, in order. */
void redis_query_send(struct redis_query *query, const struct slice *words, size_t count);
int redis_query_next(struct redis_query *query, struct answer *ret, struct err *err) MUST_CHECK;

/* Both, of one that is not refused: else ERR_RETRY, too. */
int redis_query_ask(struct redis_query *query, const struct slice *words, size_t count,
                    struct answer *ret, struct err *err) MUST_CHECK;

/* An item of a list; ptr NULL: it is no text. */
struct slice answer_item(const struct answer *answer, size_t index);

/* An item that is a list itself, as the keys of SCAN are; lent as long. False: it is none. */
bool answer_list(const struct answer *answer, size_t index, struct answer *ret) MUST_CHECK;

#endif
