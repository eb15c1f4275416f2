/* key: who an event is about, as one text that cannot be forged.
 *
 *     keys {user_id}                 "42"      -> 42
 *     keys {merchant, card}          "a:b", 7  -> a%3Ab:7
 *     tenant {org}, keys {post_id}   "o1","p"  -> o1:p
 *
 * The identity is the tenant, if the view has one, and the key parts in declared order, joined by
 * ':'; each part is percent-encoded outside [A-Za-z0-9_.-], so no event reaches another entity's
 * keys, and the identity splits again at its colons. It is what state is kept under, and what goes
 * into Redis keys.
 *
 * Floor: 1. Owner: pure.
 */
#ifndef TIDEWHEEL_KEY_H
#define TIDEWHEEL_KEY_H

#include "tidewheel/value.h"
#include "tidewheel/verdict.h"

enum key_type {
    KEY_STRING, /* a non-empty string, or an integer (its digits; -0 is 0) */
    KEY_INT64,  /* an integer within int64, or a string of its canonical digits */
};

struct key_spec {
    char *path;
    enum key_type type;
    int slot;
};

enum { KEYS_MAX = 8 };

/* Fills ret (reset first) with the identity of the event. Parts: the tenant's spec first if there is
 * one, then the keys'. VERDICT_ACCEPTED, VERDICT_NO_KEY, or VERDICT_KEY_TOO_LONG when the raw bytes
 * of all parts together are more than key_bytes_max. */
enum verdict key_build(const struct key_spec *specs, size_t count, const struct value *values,
                       size_t key_bytes_max, struct buf *ret);

/* Part number index of an identity, still encoded, and its raw bytes. */
struct slice key_part(struct slice identity, size_t index);
void key_decode(struct slice part, struct buf *ret);           /* adds to ret */
void key_encode(const char *ptr, size_t len, struct buf *ret); /* adds to ret */
bool key_is_part_byte(char byte);                              /* may an encoded part have it? */

#endif
