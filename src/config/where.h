/* where: from a feature's condition in YAML to a tree of match.h.
 *
 *     {event_type: purchase, amount: {gt: 0, lte: 1000}, any: [{country: {in: [DE, FR]}}, {vip:
 * true}]}
 *
 * Floor: 2. Owner: whoever loads the configuration.
 */
#ifndef TIDEWHEEL_CONFIG_WHERE_H
#define TIDEWHEEL_CONFIG_WHERE_H

#include "tidewheel/match.h"
#include "tidewheel/paths.h"
#include "tidewheel/yaml.h"

/* Never NULL; what is wrong is left out of the tree and said as problems of the file. Fields get
 * their slots in paths. */
struct match *where_compile(const struct yaml_node *map, struct paths *paths);

/* The slot of a path that stands at node; PATH_NONE after a problem. */
int where_slot(const struct yaml_node *node, bool is_key, const char *path, struct paths *paths);

#endif
