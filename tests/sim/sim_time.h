/* sim_time: what time it is. Only the world moves it. */
#ifndef TIDEWHEEL_SIM_TIME_H
#define TIDEWHEEL_SIM_TIME_H

#include <stdint.h>

extern int64_t sim_mono_ms;
extern int64_t sim_wall_ms;

void sim_pass_ms(int64_t ms); /* both clocks */

#endif
