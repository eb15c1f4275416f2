#include "config/options_files.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tidewheel/mem.h"

bool options_file_exists(const char *file)
{
    return access(file, F_OK) == 0;
}

static bool is_symlink(const char *path)
{
    struct stat info;
    return lstat(path, &info) != 0 || S_ISLNK(info.st_mode);
}

/* config/../pipelines is pipelines, unless config leads elsewhere: messages name the file as a
 * person would. */
static void fold(char *path)
{
    char *up = NULL;
    char *from = path;
    while ((up = strstr(from, "/../")) != NULL) {
        *up = '\0';
        char *name = strrchr(path, '/');
        name = name != NULL ? name + 1 : path;
        bool stays =
            *name == '\0' || strcmp(name, "..") == 0 || strcmp(name, ".") == 0 || is_symlink(path);
        *up = '/';
        if (stays) {
            from = up + 3;
        } else {
            memmove(name, up + 4, strlen(up + 4) + 1);
            from = path;
        }
    }
}

char *options_place(const char *name, const char *beside)
{
    const char *slash = beside != NULL ? strrchr(beside, '/') : NULL;
    struct buf path = {NULL, 0, 0};
    if (*name != '/' && slash != NULL)
        buf_add(&path, beside, (size_t)(slash - beside) + 1);
    buf_add_text(&path, name);
    char *ret = mem_strdup(buf_text(&path));
    buf_fini(&path);
    fold(ret);
    return ret;
}

static void add(struct options *options, const char *file)
{
    for (size_t i = 0; i < options->pipeline_count; i++)
        if (strcmp(options->pipelines[i], file) == 0)
            return;
    if (options->pipeline_count == PIPELINE_FILES_MAX)
        return;
    options->pipelines =
        mem_resize(options->pipelines, options->pipeline_count + 1, sizeof *options->pipelines);
    options->pipelines[options->pipeline_count++] = mem_strdup(file);
}

bool options_add_files(struct options *options, const char *pattern, const char *beside)
{
    char *path = options_place(pattern, beside);
    bool has_wildcards = strpbrk(pattern, "*?[") != NULL;
    glob_t matches = {0};
    bool is_found = true;
    if (!has_wildcards) {
        add(options, path);
    } else if (glob(path, 0, NULL, &matches) == 0) {
        for (size_t i = 0; i < matches.gl_pathc; i++)
            add(options, matches.gl_pathv[i]);
    } else {
        is_found = false;
    }
    globfree(&matches);
    free(path);
    return is_found;
}
