/* json_out: rows as JSON, for commands that print.
 *
 * Floor: 5. Owner: pure.
 */
#ifndef TIDEWHEEL_CLI_JSON_OUT_H
#define TIDEWHEEL_CLI_JSON_OUT_H

#include "tidewheel/shard.h"

/* {"user_id":"42","tenant":"acme"}: keys by their paths, the tenant last. */
void json_add_entity(struct buf *ret, const struct view *view, struct slice identity);

void json_add_reading(struct buf *ret, const struct reading *reading); /* null: does not exist */

/* The line that eval prints, without its newline. */
void json_add_row(struct buf *ret, const struct row *row);

#endif
