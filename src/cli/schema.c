#include "tidewheel/schema.h"

#include <stdio.h>
#include <string.h>

#include "tidewheel/cli.h"

int command_schema(const struct cli_args *args)
{
    const char *name = args->operand_count > 0 ? args->operands[0] : "pipeline";
    bool is_config = strcmp(name, "config") == 0;
    struct buf text = {NULL, 0, 0};
    if (args->operand_count > 1 || (!is_config && strcmp(name, "pipeline") != 0))
        return cli_usage_error("schema takes one argument: config or pipeline");
    (is_config ? schema_config : schema_pipeline)(&text);
    (void)fwrite(text.ptr, 1, text.len, stdout);
    buf_fini(&text);
    return EXIT_OK;
}
