#include "tidewheel/suggest.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool is_same(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Three rows of the usual table: the one being filled and the two before it. */
static size_t edits(const char *a, const char *b)
{
    size_t rows[3][SUGGEST_LEN_MAX + 1];
    size_t a_len = strlen(a);
    size_t b_len = strlen(b);
    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3];
        const size_t *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t cost = is_same(a[i - 1], b[j - 1]) ? 0 : 1;
            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + cost);
            if (i > 1 && j > 1 && is_same(a[i - 1], b[j - 2]) && is_same(a[i - 2], b[j - 1]))
                row[j] = least(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[a_len % 3][b_len];
}

struct suggest suggest_for(const char *word)
{
    return (struct suggest){word, NULL, 0};
}

void suggest_try(struct suggest *suggest, const char *name)
{
    size_t len = strlen(suggest->word);
    if (len > SUGGEST_LEN_MAX || strlen(name) > SUGGEST_LEN_MAX)
        return;
    size_t distance = edits(suggest->word, name);
    size_t most = len / 3 > 0 ? len / 3 : 1;
    if (distance > most || distance >= strlen(name))
        return;
    if (suggest->best == NULL || distance < suggest->distance) {
        suggest->best = name;
        suggest->distance = distance;
    }
}

const char *suggest_text(const struct suggest *suggest, char *ret)
{
    *ret = '\0';
    if (suggest->best != NULL)
        (void)snprintf(ret, SUGGEST_TEXT_MAX, "; did you mean '%s'?", suggest->best);
    return ret;
}
