/* expand: ${VAR}, ${VAR:-default}, ${VAR:?message} and $$ in a scalar.
 *
 * Empty counts as unset for :- and :?, as in a shell; ${VAR} alone must be set. Any other $ stays.
 *
 * Floor: 2. Owner: whoever loads the configuration.
 */
#ifndef TIDEWHEEL_CONFIG_EXPAND_H
#define TIDEWHEEL_CONFIG_EXPAND_H

#include "tidewheel/buf.h"

/* Adds the expanded text to ret, at most len_max bytes in all, and to ret_borrowed for each of its
 * bytes whether it is the environment's (1) or written in the text (0); ERR_CONFIG otherwise. */
int expand(const char *text, size_t len_max, struct buf *ret, struct buf *ret_borrowed,
           struct err *err) MUST_CHECK;

#endif
