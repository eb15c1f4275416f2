/* option_text: what the option table says of a row, in words.
 *
 * Floor: 5. Owner: pure.
 */
#ifndef TIDEWHEEL_CLI_OPTION_TEXT_H
#define TIDEWHEEL_CLI_OPTION_TEXT_H

#include "tidewheel/options.h"

/* The choices, and the range of a number: off|1s..1h. Nothing where there are none. */
void option_add_limits(const struct setting *row, struct buf *ret);

/* Type, limits and default: `duration, off|1s..1h, default 10s`. */
void option_add_facts(const struct setting *row, struct buf *ret);

#endif
