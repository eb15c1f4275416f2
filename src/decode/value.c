#include "tidewheel/value.h"

#include "tidewheel/num.h"

bool value_number(const struct value *value, double *ret)
{
    if (value->type != VALUE_NUMBER && value->type != VALUE_STRING)
        return false;
    return num_parse(value->text.ptr, value->text.len, ret);
}
