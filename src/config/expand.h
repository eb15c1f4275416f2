/* expand: ${VAR}, ${VAR:-default}, ${VAR:?message} and $$ in a scalar.
 *
 * Empty counts as unset for :- and :?, as in a shell; ${VAR} alone must be set. Any other $ stays.
 *
 * Floor: 2. Owner: whoever loads the configuration.
 */
#ifndef TIDEWHEEL_CONFIG_EXPAND_H
#define TIDEWHEEL_CONFIG_EXPAND_H

#include "tidewheel/buf.h"

/* Adds the expanded text to ret, at most len_max bytes in all; ERR_CONFIG otherwise. */
int expand(const char *text, size_t len_max, struct buf *ret, struct err *err) MUST_CHECK;

#endif
