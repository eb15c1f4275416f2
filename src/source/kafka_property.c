#include "kafka_private.h"

#include <stdio.h>
#include <stdlib.h>

/* Whose a property is: librdkafka tells it in the table that its manual is made from, and nowhere else.
 *
 *     session.timeout.ms    |  C  | 1 .. 3600000    | ...
 */

void kafka_property_sides(struct buf *ret)
{
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);
    CHECK(file != NULL);
    rd_kafka_conf_properties_show(file);
    CHECK(fclose(file) == 0);
    buf_add(ret, text, len);
    free(text);
}

char kafka_property_side(struct buf *sides, const char *name)
{
    size_t len = strlen(name);
    for (const char *line = buf_text(sides); line != NULL;) {
        if (strncmp(line, name, len) == 0 && line[len] == ' ') {
            const char *bar = strchr(line + len, '|');
            const char *side = bar != NULL ? bar + 1 + strspn(bar + 1, " ") : "*";
            return *side;
        }
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    return '*';
}
