/* entropy: 64 bits that nobody else draws.
 *
 * Floor: 0. Owner: anybody.
 */
#ifndef TIDEWHEEL_ENTROPY_H
#define TIDEWHEEL_ENTROPY_H

#include <stdint.h>

uint64_t
entropy_draw(void *arg); /* arg: nothing; it is there for those who are given a source of it */

#endif
