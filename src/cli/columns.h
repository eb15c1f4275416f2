/* columns: a table of text, printed with its columns aligned.
 *
 * Floor: 5. Owner: whoever holds the struct.
 */
#ifndef TIDEWHEEL_CLI_COLUMNS_H
#define TIDEWHEEL_CLI_COLUMNS_H

#include <stddef.h>

#include "tidewheel/err.h"

struct columns {
    size_t width; /* in cells */
    char **cells; /* row by row */
    size_t count;
    size_t cap;
};

void columns_add(struct columns *columns, const char *format, ...) PRINTF_LIKE(2, 3);
void columns_print(struct columns *columns, const char *indent); /* to stdout; empties it */
void columns_fini(struct columns *columns);

#endif
