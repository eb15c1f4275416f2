#include "tidewheel/exit_code.h"

#include "tidewheel/err.h"

int exit_code_of(int rc)
{
    switch (rc) {
    case 0:
        return EXIT_OK;
    case ERR_CONFIG:
        return EXIT_CONFIG;
    case ERR_INTERNAL:
        return EXIT_INTERNAL;
    default:
        return EXIT_UNAVAILABLE;
    }
}
