#include "config/pipeline_keys.h"

#include "tidewheel/pipeline.h"

enum { PATH_BYTES_MAX = 256, TEMPLATE_BYTES_MAX = 512 };

#define DAY_MS INT64_C(86400000)

static const char *const TIME_UNITS[] = {"s",  "ms",      "us",
                                         "ns", "rfc3339", NULL};  /* enum time_unit */
static const char *const KEY_TYPES[] = {"string", "int64", NULL}; /* enum key_type */
static const char *const CLOCKS[] = {"wall", "event", NULL};      /* enum clock_kind */

/* clang-format off */
const struct setting window_rows[WINDOW_KEYS] = {
    [WINDOW_LENGTH] = {
        .path = "length", .type = SETTING_DURATION, .is_required = true, .min = WINDOW_MS_MIN, .max = WINDOW_MS_MAX,
        .help = "How far the window reaches back."},
    [WINDOW_HOP] = {
        .path = "hop", .type = SETTING_DURATION, .min = 1, .max = WINDOW_MS_MAX,
        .help = "The grain of its tail; it divides the length and nests with the feature's other hops."},
};

const struct setting entity_rows[ENTITY_KEYS] = {
    [ENTITY_FIELD] = {
        .path = "field", .type = SETTING_PATH, .is_required = true, .min = 1, .max = PATH_BYTES_MAX,
        .help = "Dotted path into the event."},
    [ENTITY_TYPE] = {
        .path = "type", .type = SETTING_CHOICE, .preset = "string", .choices = KEY_TYPES,
        .help = "string takes strings and integers, int64 integers and their digits."},
};

const struct setting feature_rows[FEATURE_KEYS] = {
    [FEATURE_NAME] = {
        .path = "name", .type = SETTING_NAME, .is_required = true,
        .help = "What its fields are called by; once in a view."},
    [FEATURE_WHERE] = {
        .path = "where", .type = SETTING_WHERE,
        .help = "Which events it is about; left out: all of them."},
    [FEATURE_VALUE] = {
        .path = "value", .type = SETTING_PATH, .min = 1, .max = PATH_BYTES_MAX,
        .help = "Dotted path of the number that is aggregated; left out: events are counted."},
    [FEATURE_AGGREGATES] = {
        .path = "aggregates", .type = SETTING_AGGREGATES, .is_required = true, .min = 1, .max = 64,
        .help = "What is computed; `tidewheel list aggregates` names them."},
    [FEATURE_WINDOWS] = {
        .path = "windows", .type = SETTING_WINDOWS, .is_required = true, .min = 1, .max = SERIES_WINDOWS_MAX,
        .items = window_rows, .item_count = WINDOW_KEYS,
        .help = "Over how long; {length: 1h, hop: 5m} sets the hop."},
};

const struct setting view_rows[VIEW_KEYS] = {
    [VIEW_NAME] = {
        .path = "view", .type = SETTING_NAME, .is_required = true,
        .help = "The name of this group of features; once in a configuration."},
    [VIEW_DESCRIPTION] = {
        .path = "description", .type = SETTING_PROSE, .max = 4096,
        .help = "What it is, for people."},
    [VIEW_OWNER] = {
        .path = "owner", .type = SETTING_TEXT, .max = 256,
        .help = "Whom to ask."},
    [VIEW_VERSION] = {
        .path = "version", .type = SETTING_INT, .preset = "1", .min = 1, .max = 1000000000,
        .help = "For {version} in templates."},
    [VIEW_TOPIC] = {
        .path = "source.topic", .type = SETTING_TOPIC, .is_required = true,
        .help = "The Kafka topic that the events come from."},
    [VIEW_TIME_FIELD] = {
        .path = "source.timestamp.field", .type = SETTING_PATH, .is_required_in_group = true, .min = 1, .max = PATH_BYTES_MAX,
        .help = "Dotted path of the event's time; without source.timestamp: Kafka's record timestamp."},
    [VIEW_TIME_UNIT] = {
        .path = "source.timestamp.unit", .type = SETTING_CHOICE, .is_required_in_group = true, .choices = TIME_UNITS,
        .help = "How the time is written."},
    [VIEW_ENTITY_TYPE] = {
        .path = "entity.type", .type = SETTING_NAME, .is_required = true,
        .help = "What the features are about, as Redis keys name it."},
    [VIEW_ENTITY_KEYS] = {
        .path = "entity.keys", .type = SETTING_ITEMS, .is_required = true, .min = 1, .max = KEYS_MAX - 1,
        .items = entity_rows, .item_count = ENTITY_KEYS,
        .example = "[{field: user_id, type: string}]",
        .help = "The fields that identify the entity; the topic is keyed by them."},
    [VIEW_TENANT_FIELD] = {
        .path = "entity.tenant.field", .type = SETTING_PATH, .is_required_in_group = true, .min = 1, .max = PATH_BYTES_MAX,
        .help = "Dotted path of the tenant, which becomes part of the entity's identity."},
    [VIEW_FEATURES] = {
        .path = "features", .type = SETTING_ITEMS, .is_required = true, .min = 1, .max = FEATURES_MAX,
        .items = feature_rows, .item_count = FEATURE_KEYS,
        .example = "[{name: purchase, aggregates: [count], windows: [1h]}]",
        .help = "What is computed."},
    [VIEW_OUTPUT_KEY] = {
        .path = "output.key", .type = SETTING_TEXT, .preset = "features:{entity_type}:{entity_id}",
        .min = 1, .max = TEMPLATE_BYTES_MAX,
        .example = "features:{entity_type}:{entity_id}",
        .help = "The hash of the values; with a tenant the default is " TENANT_KEY "."},
    [VIEW_OUTPUT_FIELD] = {
        .path = "output.field", .type = SETTING_TEXT, .preset = "{feature}_{window}_{aggregate}",
        .min = 1, .max = TEMPLATE_BYTES_MAX,
        .example = "{feature}_{window}_{aggregate}",
        .help = "Its fields."},
    [VIEW_FRESHNESS_KEY] = {
        .path = "output.freshness_key", .type = SETTING_TEXT, .preset = "freshness:{entity_type}:{entity_id}",
        .min = 1, .max = TEMPLATE_BYTES_MAX,
        .example = "freshness:{entity_type}:{entity_id}",
        .help = "The hash of the ages; with a tenant the default is " TENANT_FRESHNESS_KEY "."},
    [VIEW_TTL] = {
        .path = "output.ttl", .type = SETTING_DURATION, .min = 1000, .max = 4000 * DAY_MS,
        .help = "How long a silent entity is kept; left out: twice the longest window."},
    [VIEW_CLOCK] = {
        .path = "clock", .type = SETTING_CHOICE, .preset = "wall", .choices = CLOCKS,
        .help = "What ages the windows: the wall clock, or, for history, the newest event."},
    [VIEW_FUTURE_MAX] = {
        .path = "future_max", .type = SETTING_DURATION, .preset = "1m", .min = 0, .max = 7 * DAY_MS,
        .help = "An event further ahead of its record's timestamp is rejected as future."},
};

const struct where_row where_rows[] = {
    {"gt",     MATCH_GT,     WHERE_NUMBER,  "greater than"},
    {"gte",    MATCH_GTE,    WHERE_NUMBER,  "greater than or equal to"},
    {"lt",     MATCH_LT,     WHERE_NUMBER,  "less than"},
    {"lte",    MATCH_LTE,    WHERE_NUMBER,  "less than or equal to"},
    {"in",     MATCH_EQUAL,  WHERE_SCALARS, "equal to one of a list"},
    {"exists", MATCH_EXISTS, WHERE_BOOL,    "there and not null, or not"},
};
/* clang-format on */

const size_t where_row_count = sizeof where_rows / sizeof *where_rows;
