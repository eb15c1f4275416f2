/* mask: what may be a secret, shown as ***.
 *
 *     no route to https://me:pass@host:1  ->  the same, with MASK in place of me:pass
 *
 * For texts that come from outside and are about to be shown: nobody puts a login into a topic's
 * name, but people do put a URL where a name belongs.
 *
 * Floor: 0. Owner: pure.
 */
#ifndef TIDEWHEEL_MASK_H
#define TIDEWHEEL_MASK_H

#include "tidewheel/buf.h"

#define MASK "***"

/* Adds the text; of each word with :// in it, what lies between that and the last @ is masked. */
void mask_logins(const char *text, struct buf *ret);

#endif
