#include "tidewheel/route.h"

enum verdict route_feature(const struct feature *feature, const struct value *values,
                           double *ret_value)
{
    if (!match_is(feature->where, values))
        return VERDICT_UNMATCHED;
    *ret_value = 0;
    if (!feature->series.has_value)
        return VERDICT_APPLIED;
    const struct value *value = &values[feature->value_slot];
    if (!value_is_present(value))
        return VERDICT_MISSING;
    return value_number(value, ret_value) ? VERDICT_APPLIED : VERDICT_BAD_TYPE;
}
