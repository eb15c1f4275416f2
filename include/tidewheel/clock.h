/* clock: the time. Only the worker's turn and the commands ask; everyone else is told.
 *
 * Floor: 0. Owner: any thread.
 */
#ifndef TIDEWHEEL_CLOCK_H
#define TIDEWHEEL_CLOCK_H

#include <stdint.h>

int64_t clock_wall_ms(void); /* Unix time */
int64_t clock_mono_ms(void); /* never goes back */
int64_t clock_mono_us(void); /* the same, for what takes less than a millisecond */

#endif
