/* keyed: is a view's entity what its topic is keyed by?
 *
 * A view's values are right only if all events of an entity lie in one partition. That cannot be
 * proved from a part of the stream, but the usual mistake shows at once: of the first 1,000
 * distinct entities, how many neither equal the record's key nor fall on the partition on which
 * they lie, by either of the hashes that producers use for keys?
 *
 *     murmur2   Kafka's Java client and whatever follows it: (murmur2(key) & 0x7fffffff) %
 * partitions CRC32     librdkafka's default, `consistent` and `consistent_random`: crc32(key) %
 * partitions
 *
 * An entity stands for itself raw: a composite key's parts joined by ':'; in a view with a tenant
 * it is tried with the tenant in front and without. An entity is judged by the first event that
 * brings it. Once decided, nothing is noted any more and no memory is held but the answer.
 *
 * Floor: 2. Owner: one worker thread.
 */
#ifndef TIDEWHEEL_KEYED_H
#define TIDEWHEEL_KEYED_H

#include "tidewheel/buf.h"

enum { KEYED_ENTITIES = 1000, KEYED_STRANGERS_MAX = 10 }; /* more than 1 % is worth a warning */

struct keyed;

struct keyed *keyed_new(void);
void keyed_free(struct keyed *keyed);

/* An accepted event of an entity (key.h's identity) whose record has this key (ptr NULL: none) and
 * lies in this partition. Cheap once decided. */
void keyed_note(struct keyed *keyed, struct slice identity, bool has_tenant, struct slice key,
                int32_t partition, int32_t partition_count);

bool keyed_is_decided(const struct keyed *keyed);  /* KEYED_ENTITIES distinct ones were seen */
size_t keyed_strangers(const struct keyed *keyed); /* those so far that matched neither */

/* Decided, and the view groups by something else than its topic: the worker warns once. */
bool keyed_is_wrong(const struct keyed *keyed);

uint32_t keyed_murmur2(struct slice bytes);
uint32_t keyed_crc32(struct slice bytes); /* zlib's */

#endif
