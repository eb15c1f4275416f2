/* pipeline_keys: the keys of a pipeline file, as rows.
 *
 * Floor: 2. Owner: constants.
 */
#ifndef TIDEWHEEL_CONFIG_PIPELINE_KEYS_H
#define TIDEWHEEL_CONFIG_PIPELINE_KEYS_H

#include "tidewheel/match.h"
#include "tidewheel/setting.h"

enum view_key {
    VIEW_NAME,
    VIEW_DESCRIPTION,
    VIEW_OWNER,
    VIEW_VERSION,
    VIEW_TOPIC,
    VIEW_TIME_FIELD,
    VIEW_TIME_UNIT,
    VIEW_ENTITY_TYPE,
    VIEW_ENTITY_KEYS,
    VIEW_TENANT_FIELD,
    VIEW_FEATURES,
    VIEW_OUTPUT_KEY,
    VIEW_OUTPUT_FIELD,
    VIEW_FRESHNESS_KEY,
    VIEW_TTL,
    VIEW_CLOCK,
    VIEW_FUTURE_MAX,
    VIEW_KEYS
};

enum entity_key { ENTITY_FIELD, ENTITY_TYPE, ENTITY_KEYS };

enum feature_key {
    FEATURE_NAME,
    FEATURE_WHERE,
    FEATURE_VALUE,
    FEATURE_AGGREGATES,
    FEATURE_WINDOWS,
    FEATURE_KEYS
};

enum window_key { WINDOW_LENGTH, WINDOW_HOP, WINDOW_KEYS };

extern const struct setting view_rows[VIEW_KEYS];
extern const struct setting entity_rows[ENTITY_KEYS];
extern const struct setting feature_rows[FEATURE_KEYS];
extern const struct setting window_rows[WINDOW_KEYS];

/* What a condition may say of a field besides a value that it equals. */
enum where_operand { WHERE_NUMBER, WHERE_BOOL, WHERE_SCALARS };

struct where_row {
    const char *name;
    enum match_op op; /* of SCALARS: of each of them, under an `any` */
    enum where_operand operand;
    const char *help;
};

extern const struct where_row where_rows[];
extern const size_t where_row_count;

/* The defaults of the templates when the view has a tenant. */
#define TENANT_KEY           "{tenant}:{entity_type}:{entity_id}"
#define TENANT_FRESHNESS_KEY "{tenant}:freshness:{entity_type}:{entity_id}"

#endif
