/* json_text: the text of a JSON string, strictly.
 *
 *     caf\u00e9 \ud83d\ude00      -> café 😀
 *     \ud83d x   \u0000   C0 80   -> refused
 *
 * Strict means: Unicode scalar values in well-formed UTF-8 (RFC 3629: no overlong form, no
 * surrogate, nothing beyond U+10FFFF), and no NUL.
 *
 * Floor: 0. Owner: pure.
 */
#ifndef TIDEWHEEL_JSON_TEXT_H
#define TIDEWHEEL_JSON_TEXT_H

#include "tidewheel/buf.h"

bool json_text_is_strict(const char *ptr, size_t len);

/* What lies between a string's quotes, decoded. ret has room for len bytes, as no escape grows. */
bool json_text_decode(const char *ptr, size_t len, char *ret, size_t *ret_len);

/* The other way: in quotes, with escapes for what may not stand between them. Bytes that are no UTF-8
 * pass as they are. */
void json_text_add(struct buf *buf, struct slice text);

#endif
