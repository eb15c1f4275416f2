#include <stdio.h>

#include "tidewheel/cli.h"
#include "tidewheel/release.h"
#include "tidewheel/source.h"
#include "tidewheel/store.h"

int command_version(const struct cli_args *args)
{
    (void)args;
    (void)printf("tidewheel %s\nlibrdkafka %s\nhiredis %s\n", TIDEWHEEL_VERSION, kafka_version(),
                 redis_client_version());
    return EXIT_OK;
}
