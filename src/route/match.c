#include "tidewheel/match.h"

#include <stdlib.h>

#include "tidewheel/decimal.h"
#include "tidewheel/mem.h"

struct match {
    enum match_op op;
    int slot;
    struct value operand; /* its text is our own copy */
    bool has_number;      /* the operand as an aggregate would see it */
    double number;
    struct match **children;
    size_t count;
    size_t cap;
};

struct match *match_new(enum match_op op)
{
    CHECK(op <= MATCH_NOT);
    struct match *match = mem_zalloc(sizeof *match);
    match->op = op;
    return match;
}

struct match *match_new_term(enum match_op op, int slot, const struct value *operand)
{
    CHECK(op > MATCH_NOT && slot >= 0);
    struct match *match = mem_zalloc(sizeof *match);
    match->op = op;
    match->slot = slot;
    match->operand = *operand;
    struct slice text = operand->text.len > 0 ? operand->text : slice_of("");
    match->operand.text.ptr = mem_strndup(text.ptr, text.len);
    match->has_number = value_number(&match->operand, &match->number);
    return match;
}

void match_add(struct match *match, struct match *child)
{
    CHECK(match->op <= MATCH_NOT && (match->op != MATCH_NOT || match->count == 0));
    match->children = mem_grow(match->children, match->count, &match->cap, sizeof(struct match *));
    match->children[match->count++] = child;
}

void match_free(struct match *match)
{
    if (match == NULL)
        return;
    for (size_t i = 0; i < match->count; i++)
        match_free(match->children[i]);
    free(match->children);
    free((void *)(uintptr_t)match->operand.text.ptr);
    free(match);
}

static bool number_is_equal(struct slice a, struct slice b)
{
    struct decimal first;
    struct decimal second;
    return slice_is_equal(a, b) ||
           (decimal_read(a.ptr, a.len, &first) && decimal_read(b.ptr, b.len, &second) &&
            decimal_is_equal(&first, &second));
}

static bool is_equal(const struct match *match, const struct value *value)
{
    if (value->type != match->operand.type)
        return false;
    switch (value->type) {
    case VALUE_BOOL:
        return value->truth == match->operand.truth;
    case VALUE_NUMBER:
        return number_is_equal(value->text, match->operand.text);
    case VALUE_STRING:
        return slice_is_equal(value->text, match->operand.text);
    default:
        return false; /* Missing and null equal nothing; objects and arrays cannot be written. */
    }
}

static bool compares(const struct match *match, const struct value *value)
{
    double number = 0;
    if (!match->has_number || !value_number(value, &number))
        return false;
    switch (match->op) {
    case MATCH_GT:
        return number > match->number;
    case MATCH_GTE:
        return number >= match->number;
    case MATCH_LT:
        return number < match->number;
    default:
        return number <= match->number;
    }
}

/* As deep as the pipeline's file nests, which its reader limits; no event makes it deeper. */
bool match_is(const struct match *match, const struct value *values)
{
    if (match == NULL)
        return true;
    switch (match->op) {
    case MATCH_ALL:
    case MATCH_ANY:
        for (size_t i = 0; i < match->count; i++)
            if (match_is(match->children[i], values) == (match->op == MATCH_ANY))
                return match->op == MATCH_ANY;
        return match->op == MATCH_ALL;
    case MATCH_NOT:
        CHECK(match->count == 1);
        return !match_is(match->children[0], values);
    case MATCH_EQUAL:
        return is_equal(match, &values[match->slot]);
    case MATCH_EXISTS:
        return value_is_present(&values[match->slot]) == match->operand.truth;
    default:
        return compares(match, &values[match->slot]);
    }
}

enum match_op match_op(const struct match *match)
{
    return match->op;
}

size_t match_count(const struct match *match)
{
    return match->count;
}

const struct match *match_child(const struct match *match, size_t index)
{
    CHECK(index < match->count);
    return match->children[index];
}

int match_slot(const struct match *match)
{
    CHECK(match->op > MATCH_NOT);
    return match->slot;
}

const struct value *match_operand(const struct match *match)
{
    CHECK(match->op > MATCH_NOT);
    return &match->operand;
}
