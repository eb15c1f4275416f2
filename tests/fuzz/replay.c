/* replay: a main() in place of libFuzzer's, so that any compiler runs a corpus.
 *
 *     fuzz_event tests/fuzz/corpus/event ...      each file of each folder once, then how many
 *
 * Exits 0 if there was at least one and none stopped the program.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tidewheel/mem.h"

enum { PATH_BYTES = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* From memory of the input's own size, so that a sanitizer sees a step beyond it. */
static int replay_file(const char *path)
{
    struct stat status;
    FILE *file = fopen(path, "rb");
    if (file == NULL || fstat(fileno(file), &status) != 0) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    if (!S_ISREG(status.st_mode)) {
        (void)fclose(file);
        return 0;
    }
    size_t size = (size_t)status.st_size;
    uint8_t *data = mem_alloc(size > 0 ? size : 1);
    if (fread(data, 1, size, file) != size) {
        (void)fprintf(stderr, "%s: cannot be read whole\n", path);
        exit(EXIT_FAILURE);
    }
    (void)fclose(file);
    (void)LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 1;
}

static int replay_folder(const char *folder)
{
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, NULL, alphasort);
    int inputs = 0;
    if (count < 0) {
        perror(folder);
        exit(EXIT_FAILURE);
    }
    for (int i = 0; i < count; i++) {
        char path[PATH_BYTES];
        if (snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name) < (int)sizeof path)
            inputs += replay_file(path);
        free(entries[i]);
    }
    free(entries);
    return inputs;
}

int main(int argc, char **argv)
{
    int inputs = 0;
    for (int i = 1; i < argc; i++)
        inputs += replay_folder(argv[i]);
    printf("%s: %d inputs replayed\n", argv[0], inputs);
    return inputs > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
