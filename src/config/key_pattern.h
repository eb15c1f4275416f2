/* key_pattern: which Redis keys a template can make.
 *
 *     features:user:{entity_id}, two key fields  ->  features:user:*:*
 *
 * A star is one part of an entity's identity, percent-encoded: one or more of [A-Za-z0-9_.%-], so
 * never a colon or a brace.
 *
 * Floor: 2. Owner: pure.
 */
#ifndef TIDEWHEEL_CONFIG_KEY_PATTERN_H
#define TIDEWHEEL_CONFIG_KEY_PATTERN_H

#include "tidewheel/template.h"

enum { KEY_PATTERN_STAR = 0 }; /* as a byte of the pattern; templates have no NUL */

/* id_parts: of {entity_id}, at least 1. Adds to ret. */
void key_pattern_add(const struct template *template, size_t id_parts, struct buf *ret);
void key_pattern_show(struct slice pattern, struct buf *ret); /* with '*' for stars */

/* For Redis's MATCH: every key of the pattern fits, and others may: its stars take any byte. Adds. */
void key_pattern_glob(struct slice pattern, struct buf *ret);

/* Two stars that only bytes of the parts' own alphabet keep apart: a-b and c, or a and b-c? */
bool key_pattern_is_ambiguous(struct slice pattern);
bool key_pattern_can_begin_with(struct slice pattern, const char *prefix);
bool key_pattern_overlaps(struct slice a, struct slice b); /* is there a key that both make? */

#endif
