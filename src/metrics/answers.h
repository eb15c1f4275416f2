/* answers: what each path is answered with.
 *
 * Floor: 3. Owner: the server's thread.
 */
#ifndef TIDEWHEEL_METRICS_ANSWERS_H
#define TIDEWHEEL_METRICS_ANSWERS_H

#include <stdbool.h>

#include "tidewheel/buf.h"
#include "tidewheel/display.h"

struct question {
    const struct display *display;
    int64_t wall_ms;
    int64_t mono_ms;
    bool is_verbose;
};

struct answer {
    const char *path;
    const char *type; /* Content-Type */
    /* Adds the body; the status. */
    unsigned (*write)(const struct question *question, struct buf *body);
};

const struct answer *answer_find(const char *path); /* NULL: none */

#endif
