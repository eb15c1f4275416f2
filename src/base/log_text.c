#include "base/log_text.h"

#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include "base/log_hide.h"
#include "tidewheel/json_text.h"
#include "tidewheel/mask.h"

enum {
    LAST_MAX = 64, /* kept free for log_text_add_last(), and what ends the line */
    NUMBER_MAX = 64,
};

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define CUT         "..."

/* What a field's value becomes: pieces put together, not escaped yet. */
struct value {
    char bytes[LOG_VALUE_MAX];
    size_t len;
    size_t numbers;  /* pieces that a conversion of a number made */
    size_t texts;    /* and all others */
    bool is_quoted;  /* in the format */
    bool is_missing; /* NULL */
    bool is_cut;
};

/* The format, and the arguments that it has not taken yet; NULL: there are none, % is a letter. */
struct reader {
    const char *at;
    va_list args;
    bool has_args;
};

/* ---- bytes ---- */

/* The bytes of the character at text; 0: it is none. */
static size_t character_len(const char *text, size_t len)
{
    if ((unsigned char)*text < 0x80)
        return 1;
    for (size_t i = 2; i <= 4 && i <= len; i++)
        if (json_text_is_strict(text, i))
            return i;
    return 0;
}

/* Moves a terminal's cursor, or begins a line: U+0000 to U+001F, U+007F to U+009F. */
static bool is_control(const char *text, size_t len)
{
    unsigned char byte = (unsigned char)*text;
    return len == 1 ? byte < 0x20 || byte == 0x7f : byte == 0xc2 && (unsigned char)text[1] < 0xa0;
}

static size_t room(const struct log_text *text)
{
    return LOG_TEXT_MAX - LAST_MAX - text->len;
}

static void add(struct log_text *text, const char *ptr, size_t len)
{
    memcpy(text->bytes + text->len, ptr, len);
    text->len += len;
}

/* One character as it stands between quotes, or as much as is left of the line. */
static void add_escaped(struct log_text *text, const char *ptr, size_t len)
{
    static const char *const SHORT[] = {
        ['\n'] = "\\n", ['\r'] = "\\r", ['\t'] = "\\t", ['"'] = "\\\"", ['\\'] = "\\\\"};
    char escaped[8];
    unsigned char byte = (unsigned char)*ptr;
    if (len == 1 && byte < sizeof SHORT / sizeof *SHORT && SHORT[byte] != NULL) {
        ptr = SHORT[byte];
        len = 2;
    } else if (len > 0 && is_control(ptr, len)) {
        len = (size_t)snprintf(escaped, sizeof escaped, "\\u%04x",
                               len == 1 ? byte : (unsigned char)ptr[1]);
        ptr = escaped;
    } else if (len == 0) {
        ptr = REPLACEMENT;
        len = strlen(REPLACEMENT);
    }
    if (len + strlen(CUT) + 1 > room(text)) /* and the quote */
        text->is_full = true;
    else
        add(text, ptr, len);
}

static void add_quoted(struct log_text *text, const struct value *value)
{
    add(text, "\"", 1);
    for (size_t i = 0; i < value->len && !text->is_full;) {
        size_t len = character_len(value->bytes + i, value->len - i);
        add_escaped(text, value->bytes + i, len);
        i += len > 0 ? len : 1;
    }
    if (text->is_full || value->is_cut)
        add(text, CUT, strlen(CUT));
    add(text, "\"", 1);
}

/* ---- fields ---- */

static bool needs_quotes(const struct value *value)
{
    bool ret = value->is_quoted || value->is_cut || value->len == 0;
    for (size_t i = 0; i < value->len && !ret;) {
        size_t len = character_len(value->bytes + i, value->len - i);
        ret = len == 0 || is_control(value->bytes + i, len) ||
              (len == 1 && strchr(" \"=\\", value->bytes[i]) != NULL);
        i += len;
    }
    return ret;
}

/* As JSON has numbers, not just as our formats make them: no nan, no 007. */
static bool is_number(const struct value *value)
{
    const char *at = value->bytes + (value->len > 1 && value->bytes[0] == '-');
    const char *end = value->bytes + value->len;
    bool has_zero = at + 1 < end && at[0] == '0' && at[1] != '.';
    size_t dots = 0;
    if (value->is_quoted || value->is_cut || value->len == 0 || has_zero ||
        value->numbers + value->texts != 1)
        return false;
    for (const char *digit = at; digit < end; digit++) {
        bool is_dot = *digit == '.' && digit > at && digit + 1 < end;
        if ((*digit < '0' || *digit > '9') && !is_dot)
            return false;
        dots += is_dot;
    }
    return dots <= 1;
}

static void add_key(struct log_text *text, const char *key, size_t len)
{
    if (text->fields++ > 0)
        add(text, text->is_json ? "," : " ", 1);
    if (text->is_json)
        add(text, "\"", 1);
    add(text, key, len);
    if (text->is_json)
        add(text, "\":", 2);
    else if (len > 0)
        add(text, "=", 1);
}

/* What has no room for its key and a value of CUT is left out, and all that follows. */
static void add_field(struct log_text *text, const char *key, size_t key_len,
                      const struct value *value)
{
    size_t joints = 4; /* a separator, the key's quotes, and what stands behind it */
    size_t least = key_len + joints + strlen(CUT) + 2;
    if (value->is_missing || text->is_full)
        return;
    bool is_known = value->texts == 0 && is_number(value);
    bool is_plain = text->is_json ? is_known : !needs_quotes(value);
    bool fits = key_len + joints + value->len <= room(text);
    if (least > room(text) || (is_known && !fits)) {
        text->is_full = true;
        return;
    }
    add_key(text, key, key_len);
    if (is_plain && fits)
        add(text, value->bytes, value->len);
    else
        add_quoted(text, value);
}

/* ---- values ---- */

static void put(struct value *value, const char *ptr, size_t len)
{
    value->is_cut = value->is_cut || len > LOG_VALUE_MAX - value->len;
    if (value->is_cut)
        return;
    memcpy(value->bytes + value->len, ptr, len);
    value->len += len;
}

/* Character by character, for the sake of a clean cut; secrets as MASK. */
static void put_text(struct value *value, const char *ptr, size_t len)
{
    for (size_t i = 0; i < len && !value->is_cut;) {
        size_t hidden = log_hidden_at(ptr + i, len - i);
        size_t step = character_len(ptr + i, len - i);
        step = step > 0 ? step : 1;
        if (hidden > 0)
            put(value, MASK, strlen(MASK));
        else
            put(value, ptr + i, step);
        i += hidden > 0 ? hidden : step;
    }
    value->texts++;
}

/* Behind the %: precision, length and conversion. */
struct conversion {
    int precision; /* -1: none */
    char length;   /* l z h; L: ll; NUL: none */
    char letter;
};

static struct conversion read_conversion(struct reader *reader)
{
    struct conversion ret = {-1, '\0', '\0'};
    if (*reader->at == '.' && *++reader->at == '*') {
        ret.precision = va_arg(reader->args, int);
        reader->at++;
    }
    for (; *reader->at >= '0' && *reader->at <= '9'; reader->at++)
        ret.precision = (ret.precision > 0 ? 10 * ret.precision : 0) + *reader->at - '0';
    for (; *reader->at != '\0' && strchr("lzh", *reader->at) != NULL; reader->at++)
        ret.length = ret.length == 'l' ? 'L' : *reader->at;
    ret.letter = *reader->at;
    reader->at += ret.letter != '\0';
    return ret;
}

static long long take_signed(struct reader *reader, char length)
{
    switch (length) {
    case 'l':
        return va_arg(reader->args, long);
    case 'L':
        return va_arg(reader->args, long long);
    case 'z':
        return va_arg(reader->args, ssize_t);
    default:
        return va_arg(reader->args, int);
    }
}

static unsigned long long take_unsigned(struct reader *reader, char length)
{
    switch (length) {
    case 'l':
        return va_arg(reader->args, unsigned long);
    case 'L':
        return va_arg(reader->args, unsigned long long);
    case 'z':
        return va_arg(reader->args, size_t);
    default:
        return va_arg(reader->args, unsigned);
    }
}

static void put_string(struct value *value, int precision, const char *string)
{
    if (string == NULL && precision == 0)
        string = ""; /* an empty slice */
    value->is_missing = value->is_missing || string == NULL;
    if (string != NULL)
        put_text(value, string,
                 precision >= 0 ? strnlen(string, (size_t)precision) : strlen(string));
}

static void put_conversion(struct value *value, struct reader *reader)
{
    struct conversion conversion = read_conversion(reader);
    char number[NUMBER_MAX] = "";
    switch (conversion.letter) {
    case '%':
        put_text(value, "%", 1);
        return;
    case 's':
        put_string(value, conversion.precision, va_arg(reader->args, const char *));
        return;
    case 'c':
        number[0] = (char)va_arg(reader->args, int);
        put_text(value, number, 1);
        return;
    case 'd':
    case 'i':
        (void)snprintf(number, sizeof number, "%lld", take_signed(reader, conversion.length));
        break;
    case 'u':
        (void)snprintf(number, sizeof number, "%llu", take_unsigned(reader, conversion.length));
        break;
    case 'x':
        (void)snprintf(number, sizeof number, "%llx", take_unsigned(reader, conversion.length));
        break;
    case 'f':
        (void)snprintf(number, sizeof number, "%.*f",
                       conversion.precision >= 0 ? conversion.precision : 6,
                       va_arg(reader->args, double));
        break;
    default:
        CHECK(conversion.letter == 's'); /* one of these; nobody knows what to take for others */
    }
    put(value, number, strlen(number));
    value->numbers++;
}

static void read_value(struct reader *reader, struct value *value)
{
    value->is_quoted = *reader->at == '"';
    reader->at += value->is_quoted;
    const char end = value->is_quoted ? '"' : ' ';
    while (*reader->at != '\0' && *reader->at != end) {
        size_t len = strcspn(reader->at, value->is_quoted ? "\"%" : " %");
        if (len == 0 && reader->has_args) {
            reader->at++;
            put_conversion(value, reader);
            continue;
        }
        len += len == 0; /* a % without arguments */
        put(value, reader->at, len);
        value->numbers++; /* if it looks like one */
        reader->at += len;
    }
    reader->at += *reader->at != '\0';
}

static void read_fields(struct log_text *text, struct reader *reader)
{
    while (*reader->at != '\0') {
        struct value value;
        value.len = value.numbers = value.texts = 0;
        value.is_missing = value.is_cut = value.is_quoted = false;
        const char *key = reader->at;
        size_t len = strcspn(key, "= %");
        reader->at += len;
        if (*reader->at == '=') {
            reader->at++;
            read_value(reader, &value);
            add_field(text, key, len, &value);
        } else if (reader->has_args && strncmp(reader->at, "%s", 2) == 0) {
            struct reader more = {.at = va_arg(reader->args, const char *), .has_args = false};
            reader->at += 2;
            if (more.at != NULL)
                read_fields(text, &more);
        } else {
            reader->at++; /* a space more than needed */
        }
    }
}

/* ---- the line ---- */

void log_text_begin(struct log_text *text, bool is_json)
{
    text->len = text->fields = 0;
    text->is_json = is_json;
    text->is_full = false;
    if (is_json)
        add(text, "{", 1);
}

void log_text_add(struct log_text *text, const char *format, va_list args)
{
    struct reader reader = {.at = format, .has_args = true};
    va_copy(reader.args, args);
    read_fields(text, &reader);
    va_end(reader.args);
}

void log_text_add_last(struct log_text *text, const char *key, unsigned long number)
{
    char field[LAST_MAX];
    int len = snprintf(field, sizeof field, text->is_json ? ",\"%s\":%lu" : " %s=%lu", key, number);
    add(text, field, (size_t)len);
}

size_t log_text_end(struct log_text *text)
{
    add(text, text->is_json ? "}\n" : "\n", text->is_json ? 2 : 1);
    return text->len;
}
