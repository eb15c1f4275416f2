/* refused: single commands of a batch that Redis said no to, inside a transaction that was carried out.
 *
 * Floor: 3. Owner: one worker thread.
 */
#ifndef TIDEWHEEL_SINK_REFUSED_H
#define TIDEWHEEL_SINK_REFUSED_H

#include <hiredis/hiredis.h>

#include "tidewheel/batch.h"

/* exec: EXEC's answer, of at least as many elements as the batch has commands. */
void refused_note(struct batch *batch, const redisReply *exec);

#endif
