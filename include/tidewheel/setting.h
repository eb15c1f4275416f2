/* setting: one key that a file may have, as a row of a table.
 *
 *     {.path = "flush.interval", .type = SETTING_DURATION, .preset = "10ms", .max = 10000, ...}
 *
 * The rows of a file are what parses it, what refuses unknown keys and suggests the nearest name,
 * and what help texts and the JSON Schema are made from. A key is found by its dotted path, so
 * groups need no rows of their own. What has a shape of its own (windows, where) is only checked
 * for its kind here; its node is handed on.
 *
 * Floor: 2. Owner: constants.
 */
#ifndef TIDEWHEEL_SETTING_H
#define TIDEWHEEL_SETTING_H

#include "tidewheel/yaml.h"

enum setting_type {
    SETTING_TEXT,       /* one line; min, max: its length in bytes */
    SETTING_PROSE,      /* the same, of any number of lines */
    SETTING_PATH,       /* dotted, into an event */
    SETTING_NAME,       /* a letter or _, then letters, digits, _ - and dots */
    SETTING_TOPIC,      /* as Kafka has them */
    SETTING_INT,        /* min, max: its value, as of the next two */
    SETTING_DURATION,   /* in ms; choices: words that stand for 0 */
    SETTING_SIZE,       /* in bytes */
    SETTING_CHOICE,     /* number: which of the choices */
    SETTING_BOOL,       /* number: 0 or 1 */
    SETTING_TEXTS,      /* a list of texts; min, max: how many, as of the lists that follow */
    SETTING_PROPERTIES, /* a mapping of any names to scalars */
    SETTING_ITEMS,      /* a list of mappings with rows of their own */
    SETTING_AGGREGATES, /* a list of names of the operator table */
    SETTING_WINDOWS,    /* a list of durations, or of mappings with rows of their own */
    SETTING_WHERE,      /* a condition */
    SETTING_TYPES
};

/* Which part of a value nobody may see. */
enum secret {
    SECRET_NONE,
    SECRET_WHOLE,
    SECRET_IN_URL, /* the password of a Redis URL */
};

enum { SETTINGS_MAX = 64 }; /* rows of a table */

struct setting {
    const char *path;
    enum setting_type type;
    bool is_required;
    bool is_required_in_group; /* once its group is there */
    enum secret secret;
    bool is_file;       /* of a text: a name, relative to the folder of the file it stands in */
    const char *preset; /* the default, as it would be written; NULL: none */
    bool is_tacit;      /* the preset may be refused when written: other options decide */
    int64_t min;
    int64_t max;                 /* 0: no limits */
    const char *const *choices;  /* NULL-terminated */
    const struct setting *items; /* of ITEMS and WINDOWS */
    size_t item_count;
    size_t offset; /* of the member that it fills, where the table says so */
    const char *help;
    const char *example; /* of a value, for sentences; NULL: the type says enough */
};

struct setting_value {
    const struct yaml_node *node; /* NULL: not in the file */
    const char *text;             /* lent by the tree or the table; NULL: missing or refused */
    int64_t number;               /* if refused: the preset's */
    bool is_refused;
};

const char *setting_type_name(enum setting_type type); /* one word */
bool setting_is_scalar(enum setting_type type);

/* Adds a value of the row as it may be shown, right or wrong: secrets as ***. Whoever shows a value,
 * in a sentence, a log line or a listing, shows this. */
void setting_show(const struct setting *setting, const char *text, struct buf *ret);

/* A row's min or max as it would be written, NUL-terminated; ret has room for QUANTITY_TEXT_MAX. */
void setting_limit(const struct setting *setting, int64_t limit, char *ret);

/* Reads one scalar, from anywhere; ERR_CONFIG with a sentence like `'x' is not a whole number`. */
int setting_parse(const struct setting *setting, const char *text, struct setting_value *ret,
                  struct err *err) MUST_CHECK;

/* Reads a mapping by its rows: ret has one value per row. Unknown keys, missing ones and wrong
 * values become problems of the file. map may be NULL: everything is as preset, nothing missed. */
void settings_read(const struct setting *settings, size_t count, const struct yaml_node *map,
                   struct setting_value *ret);

#endif
