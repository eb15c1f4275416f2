/* suggest: the nearest valid name, for "did you mean X?".
 *
 *     struct suggest suggest = suggest_for("agregates");
 *     for each name: suggest_try(&suggest, name);
 *     suggest.best   -> "aggregates"
 *
 * Nearest by edits: a letter put in, left out, changed, or two neighbours swapped (optimal string
 * alignment); letter case costs nothing. A third of the letters may be wrong, no more.
 *
 * Floor: 0. Owner: whoever holds the struct.
 */
#ifndef TIDEWHEEL_SUGGEST_H
#define TIDEWHEEL_SUGGEST_H

#include <stddef.h>

enum { SUGGEST_LEN_MAX = 64 }; /* longer words have no neighbours */

struct suggest {
    const char *word;
    const char *best; /* NULL: none is near */
    size_t distance;  /* of best */
};

struct suggest suggest_for(const char *word);
void suggest_try(struct suggest *suggest, const char *name);

/* The hint as text, "; did you mean 'X'?" or "". ret has room for SUGGEST_TEXT_MAX. */
enum { SUGGEST_TEXT_MAX = 160 };
const char *suggest_text(const struct suggest *suggest, char *ret);

#endif
