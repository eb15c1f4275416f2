/* generate: what is written about the program, made from its tables.
 *
 * Each adds a whole file: config/man/tidewheel.1, config/completions/tidewheel.*, config/reference.yaml.
 *
 * Floor: 5. Owner: pure.
 */
#ifndef TIDEWHEEL_CLI_GENERATE_H
#define TIDEWHEEL_CLI_GENERATE_H

#include "cli/cli_tables.h"

void generate_man(struct buf *ret);
void generate_bash(struct buf *ret);
void generate_zsh(struct buf *ret);
void generate_fish(struct buf *ret);
void generate_reference(struct buf *ret);

/* What may stand where a spec of the tables says FILE, TIME|end|each, [config|pipeline], path=value. */
enum wanted_kind {
    WANTED_ANYTHING,
    WANTED_FILES,
    WANTED_WORDS,
    WANTED_OPTION, /* -s */
};

struct wanted {
    enum wanted_kind kind;
    struct buf words; /* with a space between; also beside what is not a word: TIME|end */
};

/* The caller's to wanted_fini(). */
struct wanted wanted_of(const char *spec);
void wanted_fini(struct wanted *wanted);

/* Adds the text within single quotes, for the shells; escape stands for a quote: '\'' or \'. */
void add_quoted_once(struct buf *ret, const char *text, const char *escape);

/* The flag as it is typed: -c, or nothing if it has no letter. */
bool flag_has_letter(const struct flag *flag);

#endif
