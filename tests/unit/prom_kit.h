/* prom_kit: a strict reader of Prometheus' text format 0.0.4.
 *
 *     prom_read(text)                               fails the test where the format does not hold
 *     prom_value("name", "a=\"x\",b=\"y\"")           of one sample; its labels as the text has them
 *
 * Of each metric: HELP, then TYPE, then all of its samples, and never again. Names and labels are well
 * formed, no series is there twice, values are numbers. Of a histogram: buckets do not go down, the last
 * is +Inf and equals _count, and _sum is there.
 */
#ifndef TIDEWHEEL_PROM_KIT_H
#define TIDEWHEEL_PROM_KIT_H

#include "unit.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { PROM_SAMPLES_MAX = 4096, PROM_NAME_MAX = 96, PROM_LABELS_MAX = 512 };

struct prom_sample {
    char name[PROM_NAME_MAX];     /* with its suffix */
    char labels[PROM_LABELS_MAX]; /* as in the text, without braces */
    double value;
};

struct prom {
    char metric[PROM_NAME_MAX]; /* the one whose samples come now */
    char type[16];
    char begun[256][PROM_NAME_MAX];
    size_t begun_count;
    struct prom_sample samples[PROM_SAMPLES_MAX];
    size_t count;
};

static struct prom prom;

static inline const char *prom_name(const char *at, char *ret)
{
    size_t len = 0;
    ck_assert_msg(isalpha((unsigned char)*at) || *at == '_' || *at == ':', "no name: %.40s", at);
    while (isalnum((unsigned char)at[len]) || at[len] == '_' || at[len] == ':')
        len++;
    ck_assert_uint_lt(len, PROM_NAME_MAX);
    memcpy(ret, at, len);
    ret[len] = '\0';
    return at + len;
}

static inline const char *prom_label(const char *at)
{
    char name[PROM_NAME_MAX];
    at = prom_name(at, name);
    ck_assert_msg(at[0] == '=' && at[1] == '"', "no label's value: %.40s", at);
    for (at += 2; *at != '"'; at++) {
        ck_assert_msg(*at != '\n' && *at != '\0', "a label's value does not end");
        if (*at == '\\') {
            at++;
            ck_assert_msg(*at == '\\' || *at == '"' || *at == 'n', "no escape: \\%c", *at);
        }
    }
    return at + 1;
}

static inline const char *prom_labels(const char *at, char *ret)
{
    const char *begin = at;
    ret[0] = '\0';
    if (*at != '{')
        return at;
    do
        at = prom_label(at + 1);
    while (*at == ',');
    ck_assert_msg(*at == '}', "labels do not end: %.40s", at);
    size_t len = (size_t)(at - begin) - 1;
    ck_assert_uint_lt(len, PROM_LABELS_MAX);
    memcpy(ret, begin + 1, len);
    ret[len] = '\0';
    return at + 1;
}

static inline double prom_number(const char *at, const char *end)
{
    char text[64];
    char *stop = NULL;
    size_t len = (size_t)(end - at);
    ck_assert_msg(len > 0 && len < sizeof text, "no number: %.40s", at);
    memcpy(text, at, len);
    text[len] = '\0';
    if (strcmp(text, "+Inf") == 0)
        return INFINITY;
    ck_assert_msg(isdigit((unsigned char)*text) || *text == '-', "no number: %s", text);
    double value = strtod(text, &stop);
    ck_assert_msg(*stop == '\0', "no number: %s", text);
    return value;
}

/* The sample's name is its metric's, with a suffix only where the type has them. */
static inline void prom_belongs(const char *name)
{
    static const char *const SUFFIXES[] = {"_bucket", "_sum", "_count"};
    size_t len = strlen(prom.metric);
    ck_assert_msg(strncmp(name, prom.metric, len) == 0, "%s among those of %s", name, prom.metric);
    bool is_known = name[len] == '\0' && strcmp(prom.type, "histogram") != 0;
    for (size_t i = 0; i < 3 && strcmp(prom.type, "histogram") == 0; i++)
        is_known = is_known || strcmp(name + len, SUFFIXES[i]) == 0;
    ck_assert_msg(is_known, "%s is none of %s", name, prom.metric);
}

static inline void prom_sample(const char *at, const char *end)
{
    ck_assert_uint_lt(prom.count, PROM_SAMPLES_MAX);
    struct prom_sample *sample = &prom.samples[prom.count++];
    at = prom_labels(prom_name(at, sample->name), sample->labels);
    prom_belongs(sample->name);
    ck_assert_msg(*at == ' ', "no space in front of the value: %.40s", at);
    sample->value = prom_number(at + 1, end);
    for (size_t i = 0; i + 1 < prom.count; i++) /* an assertion costs a system call each */
        if (strcmp(prom.samples[i].name, sample->name) == 0 &&
            strcmp(prom.samples[i].labels, sample->labels) == 0)
            ck_abort_msg("%s{%s} is there twice", sample->name, sample->labels);
}

static inline void prom_help(const char *at, const char *end)
{
    at = prom_name(at + strlen("# HELP "), prom.metric);
    ck_assert_msg(*at == ' ' && end > at + 1, "%s has no HELP", prom.metric);
    for (const char *byte = at; byte < end; byte++)
        if (*byte == '\\') {
            byte++;
            ck_assert_msg(*byte == '\\' || *byte == 'n', "no escape in the HELP of %s",
                          prom.metric);
        }
    for (size_t i = 0; i < prom.begun_count; i++)
        ck_assert_msg(strcmp(prom.begun[i], prom.metric) != 0, "%s begins twice", prom.metric);
    memcpy(prom.begun[prom.begun_count++], prom.metric, PROM_NAME_MAX);
    prom.type[0] = '\0';
}

static inline void prom_type(const char *at, const char *end)
{
    char name[PROM_NAME_MAX];
    at = prom_name(at + strlen("# TYPE "), name);
    ck_assert_str_eq(name, prom.metric);
    ck_assert_msg(*at == ' ' && prom.type[0] == '\0', "%s has no TYPE, or two", name);
    (void)snprintf(prom.type, sizeof prom.type, "%.*s", (int)(end - at - 1), at + 1);
    ck_assert_msg(strcmp(prom.type, "counter") == 0 || strcmp(prom.type, "gauge") == 0 ||
                      strcmp(prom.type, "histogram") == 0,
                  "%s is no type", prom.type);
}

/* ---- histograms ---- */

static inline const struct prom_sample *prom_find(const char *name, const char *labels)
{
    for (size_t i = 0; i < prom.count; i++)
        if (strcmp(prom.samples[i].name, name) == 0 && strcmp(prom.samples[i].labels, labels) == 0)
            return &prom.samples[i];
    return NULL;
}

/* A sample X_count: its buckets are those X_bucket whose labels are its own and le behind them. */
static inline void prom_check_histogram(const struct prom_sample *total)
{
    char base[PROM_NAME_MAX];
    char name[2 * PROM_NAME_MAX];
    size_t len = strlen(total->name) - strlen("_count");
    size_t own = strlen(total->labels);
    double last = -1;
    double last_bound = -INFINITY;
    (void)snprintf(base, sizeof base, "%.*s", (int)len, total->name);
    (void)snprintf(name, sizeof name, "%s_sum", base);
    ck_assert_msg(prom_find(name, total->labels) != NULL, "no %s", name);
    (void)snprintf(name, sizeof name, "%s_bucket", base);
    for (size_t i = 0; i < prom.count; i++) {
        const struct prom_sample *sample = &prom.samples[i];
        if (strcmp(sample->name, name) != 0 || strncmp(sample->labels, total->labels, own) != 0)
            continue;
        const char *le = sample->labels + own + (own > 0);
        ck_assert_msg(strncmp(le, "le=\"", 4) == 0, "%s{%s}", name, sample->labels);
        double bound = prom_number(le + 4, strchr(le + 4, '"'));
        ck_assert_msg(bound > last_bound && sample->value >= last, "%s{%s} goes down", name,
                      sample->labels);
        last_bound = bound;
        last = sample->value;
    }
    ck_assert_msg(isinf(last_bound) && last == total->value, "%s ends with %g at %g, and counts %g",
                  base, last, last_bound, total->value);
}

static inline void prom_read(const char *text)
{
    memset(&prom, 0, sizeof prom);
    while (*text != '\0') {
        const char *end = strchr(text, '\n');
        ck_assert_msg(end != NULL, "the last line does not end");
        if (strncmp(text, "# HELP ", 7) == 0)
            prom_help(text, end);
        else if (strncmp(text, "# TYPE ", 7) == 0)
            prom_type(text, end);
        else
            prom_sample(text, end);
        text = end + 1;
    }
    for (size_t i = 0; i < prom.count; i++) {
        size_t len = strlen(prom.samples[i].name);
        char base[PROM_NAME_MAX];
        (void)snprintf(base, sizeof base, "%.*s_sum", (int)len - 6, prom.samples[i].name);
        if (len > 6 && strcmp(prom.samples[i].name + len - 6, "_count") == 0 &&
            prom_find(base, prom.samples[i].labels) != NULL)
            prom_check_histogram(&prom.samples[i]);
    }
}

static inline bool prom_has(const char *name, const char *labels)
{
    return prom_find(name, labels) != NULL;
}

static inline double prom_value(const char *name, const char *labels)
{
    const struct prom_sample *sample = prom_find(name, labels);
    ck_assert_msg(sample != NULL, "there is no %s{%s}", name, labels);
    return sample->value;
}

#endif
