#include "cli/generate.h"
#include "cli/option_text.h"
#include "cli/options_yaml.h"
#include "tidewheel/release.h"

enum { INDENT = 2, WIDTH = 100 };

static void indent(struct buf *ret, int depth)
{
    buf_printf(ret, "%*s", INDENT * depth, "");
}

/* An empty line, but not behind the head of a group. */
static void part(struct buf *ret)
{
    if (ret->len < 2 || ret->ptr[ret->len - 2] != ':')
        buf_add_char(ret, '\n');
}

/* The text in lines of comments. */
static void add_comment(struct buf *ret, int depth, const char *text)
{
    size_t room = (size_t)(WIDTH - INDENT * depth - 2);
    while (*text != '\0') {
        size_t len = strlen(text);
        if (len > room) {
            const char *space = memrchr(text, ' ', room + 1);
            len = space != NULL ? (size_t)(space - text) : strcspn(text, " ");
        }
        indent(ret, depth);
        buf_printf(ret, "# %.*s\n", (int)len, text);
        text += len + (text[len] == ' ');
    }
}

static void add_facts(struct buf *ret, const struct setting *row, int depth)
{
    struct buf facts = {NULL, 0, 0};
    char env[OPTION_ENV_MAX];
    option_add_facts(row, &facts);
    buf_printf(&facts, ". %s", option_env(row, env));
    facts.ptr[0] = (char)(facts.ptr[0] - 'a' + 'A'); /* a type's name begins with a letter */
    add_comment(ret, depth, buf_text(&facts));
    buf_fini(&facts);
}

static void add_list(struct buf *ret, const struct setting *row)
{
    if (row->example != NULL) {
        buf_add_char(ret, '[');
        yaml_add_quoted(ret, row->example);
        buf_add_char(ret, ']');
    } else {
        buf_add_text(ret, row->type == SETTING_PROPERTIES ? "{}" : "[]");
    }
}

static void add_row(void *arg, const struct setting *row, const char *name, int depth)
{
    struct buf *ret = arg;
    part(ret);
    add_comment(ret, depth, row->help);
    add_facts(ret, row, depth);
    indent(ret, depth);
    buf_printf(ret, "%s%s: ", row->is_tacit ? "# " : "", name);
    if (row->preset != NULL)
        yaml_add_value(ret, row, row->preset);
    else
        add_list(ret, row);
    buf_add_char(ret, '\n');
}

static void add_group(void *arg, const char *name, int depth)
{
    struct buf *ret = arg;
    part(ret);
    indent(ret, depth);
    buf_printf(ret, "%s:\n", name);
}

void generate_reference(struct buf *ret)
{
    buf_add_text(ret, "# yaml-language-server: $schema=../schema/config.json\n#\n");
    add_comment(ret, 0,
                "Every option of tidewheel " TIDEWHEEL_VERSION
                ", at its default; a file needs to name only those that differ. Values may hold "
                "${VAR}, ${VAR:-default} and ${VAR:?message}. What stands behind the default may "
                "be set in the environment instead, or by -s path=value, which beats both. Made by "
                "`tidewheel generate reference`.");
    options_visit(&(struct options_visitor){add_group, add_row, ret});
}
