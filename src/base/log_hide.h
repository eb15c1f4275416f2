/* log_hide: the texts that no line may show.
 *
 * Floor: 0. Owner: any thread.
 */
#ifndef TIDEWHEEL_BASE_LOG_HIDE_H
#define TIDEWHEEL_BASE_LOG_HIDE_H

#include "tidewheel/log.h"

/* How many bytes from here on are a secret, or the cut end of one; 0: none. */
size_t log_hidden_at(const char *text, size_t len);

#endif
