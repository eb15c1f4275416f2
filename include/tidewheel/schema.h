/* schema: JSON Schema (draft 2020-12) of the files that a user writes, for editors and CI.
 *
 * Made from the rows that parse the files, so it cannot disagree with them about names, types,
 * defaults and limits. What spans several keys (nesting hops, templates) is left to `validate`.
 * Where a ${VAR} stands in place of a number, the schema takes it too.
 *
 * Floor: 2. Owner: pure.
 */
#ifndef TIDEWHEEL_SCHEMA_H
#define TIDEWHEEL_SCHEMA_H

#include "tidewheel/buf.h"

void schema_config(struct buf *ret);
void schema_pipeline(struct buf *ret);

#endif
