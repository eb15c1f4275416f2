#include "cli/generate.h"

#include <ctype.h>
#include <stdio.h>

#include "tidewheel/mem.h"
#include "tidewheel/suggest.h"

static const struct {
    const char *name;
    void (*generate)(struct buf *ret);
} KINDS[] = {
    {"man", generate_man},   {"bash", generate_bash},           {"zsh", generate_zsh},
    {"fish", generate_fish}, {"reference", generate_reference},
};

/* A word of a spec. Capitals stand for something: of these only files can be told. */
static void add_word(struct wanted *ret, const char *word, size_t len)
{
    bool is_file = (len == 4 && memcmp(word, "FILE", 4) == 0) ||
                   (len == 8 && memcmp(word, "PIPELINE", 8) == 0);
    if (is_file)
        ret->kind = WANTED_FILES;
    if (len == 0 || !islower((unsigned char)*word) || memchr(word, '=', len) != NULL)
        return;
    if (ret->words.len > 0)
        buf_add_char(&ret->words, ' ');
    buf_add(&ret->words, word, len);
    ret->kind = WANTED_WORDS;
}

struct wanted wanted_of(const char *spec)
{
    struct wanted ret = {WANTED_ANYTHING, {NULL, 0, 0}};
    if (strcmp(spec, "path=value") == 0)
        ret.kind = WANTED_OPTION;
    while (*spec != '\0' && ret.kind != WANTED_OPTION) {
        size_t len = strcspn(spec, " |[].");
        add_word(&ret, spec, len);
        spec += len + (spec[len] != '\0');
    }
    return ret;
}

void wanted_fini(struct wanted *wanted)
{
    buf_fini(&wanted->words);
}

void add_quoted_once(struct buf *ret, const char *text, const char *escape)
{
    buf_add_char(ret, '\'');
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            buf_add_text(ret, escape);
        else
            buf_add_char(ret, *text);
    }
    buf_add_char(ret, '\'');
}

bool flag_has_letter(const struct flag *flag)
{
    return (flag->letter & LONG_ONLY) == 0;
}

int command_generate(const struct cli_args *args)
{
    if (args->operand_count != 1)
        return cli_usage_error("generate takes one argument: man, bash, zsh, fish or reference");
    struct suggest suggest = suggest_for(args->operands[0]);
    char hint[SUGGEST_TEXT_MAX];
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        struct buf text = {NULL, 0, 0};
        if (strcmp(KINDS[i].name, args->operands[0]) == 0) {
            KINDS[i].generate(&text);
            (void)fwrite(text.ptr, 1, text.len, stdout);
            buf_fini(&text);
            return EXIT_OK;
        }
        suggest_try(&suggest, KINDS[i].name);
    }
    return cli_usage_error("there is nothing called %s to generate%s", args->operands[0],
                           suggest_text(&suggest, hint));
}
