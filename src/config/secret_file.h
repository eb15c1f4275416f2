/* secret_file: files that hold secrets, or name who we are: nobody else may read them.
 *
 *     -rw-r----- good     -rw-r--r-- refused, by the bits for others
 *
 * Floor: 2. Owner: whoever loads the configuration.
 */
#ifndef TIDEWHEEL_CONFIG_SECRET_FILE_H
#define TIDEWHEEL_CONFIG_SECRET_FILE_H

#include "tidewheel/err.h"

enum { SECRET_BYTES_MAX = 64 * 1024 };

/* ERR_CONFIG: it is not there, no file, or others may read it. */
int secret_file_check(const char *file, struct err *err) MUST_CHECK;

/* The same, and what it holds without the line's end behind it; the caller's to free. Neither empty
 * nor longer than SECRET_BYTES_MAX, and without a NUL. */
int secret_file_read(const char *file, char **ret, struct err *err) MUST_CHECK;

#endif
