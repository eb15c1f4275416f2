#include "metrics/process.h"

#include <dirent.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { STAT_MAX = 4096, FIELDS = 24 };

/* Of /proc/self/stat, counted from 1 (proc(5)). */
enum {
    FIELD_STATE = 3,
    FIELD_UTIME = 14,
    FIELD_STIME = 15,
    FIELD_START = 22,
    FIELD_VSIZE = 23,
    FIELD_RSS = 24
};

/* The name of the program, which may hold anything, stands in brackets in front of the numbers. */
static bool read_stat(unsigned long long *ret)
{
    char text[STAT_MAX];
    FILE *file = fopen("/proc/self/stat", "re");
    size_t len = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file != NULL)
        (void)fclose(file);
    text[len] = '\0';
    const char *at = strrchr(text, ')');
    if (at == NULL)
        return false;
    at = strchr(at, ' ');
    for (int field = FIELD_STATE; field <= FIELDS; field++) {
        if (at == NULL)
            return false;
        ret[field] = strtoull(at + 1, NULL, 10);
        at = strchr(at + 1, ' ');
    }
    return true;
}

/* When the machine was started: what /proc counts from. */
static double read_boot_seconds(void)
{
    char line[256];
    double seconds = NAN;
    FILE *file = fopen("/proc/stat", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "btime ", 6) == 0)
            seconds = (double)strtoull(line + 6, NULL, 10);
    if (file != NULL)
        (void)fclose(file);
    return seconds;
}

/* Without the one that counts them. */
static double count_fds(void)
{
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL)
        return NAN;
    double count = -1;
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
        count += entry->d_name[0] != '.';
    (void)closedir(folder);
    return count;
}

static double limit_of(int resource)
{
    struct rlimit limit;
    if (getrlimit((__rlimit_resource_t)resource, &limit) != 0)
        return NAN;
    return (double)limit.rlim_cur; /* without a limit: the largest number that there is */
}

void process_read(struct process *process)
{
    unsigned long long stat[FIELDS + 1];
    double ticks = (double)sysconf(_SC_CLK_TCK);
    double *values = process->values;
    for (int i = 0; i < PROCESS_VALUES; i++)
        values[i] = NAN;
    if (read_stat(stat)) {
        values[PROCESS_CPU_SECONDS] = (double)(stat[FIELD_UTIME] + stat[FIELD_STIME]) / ticks;
        values[PROCESS_VIRTUAL_BYTES] = (double)stat[FIELD_VSIZE];
        values[PROCESS_RESIDENT_BYTES] = (double)stat[FIELD_RSS] * (double)sysconf(_SC_PAGESIZE);
        values[PROCESS_START_SECONDS] = read_boot_seconds() + (double)stat[FIELD_START] / ticks;
    }
    values[PROCESS_VIRTUAL_BYTES_MAX] = limit_of(RLIMIT_AS);
    values[PROCESS_OPEN_FDS] = count_fds();
    values[PROCESS_MAX_FDS] = limit_of(RLIMIT_NOFILE);
}
