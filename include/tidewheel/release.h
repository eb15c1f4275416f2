/* release: the version of tidewheel.
 *
 * Floor: 0. Owner: constants.
 */
#ifndef TIDEWHEEL_RELEASE_H
#define TIDEWHEEL_RELEASE_H

#define TIDEWHEEL_VERSION "0.1.0"

#endif
