#include "config/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tidewheel/buf.h"
#include "tidewheel/mem.h"

static int judge(const char *file, const struct stat *info, struct err *err)
{
    if (S_ISDIR(info->st_mode))
        return err_set(err, ERR_CONFIG, "'%s' is a folder; expected a file", file);
    if ((info->st_mode & S_IRWXO) != 0)
        return err_set(err, ERR_CONFIG, "'%s' is open to others (mode %04o); say chmod 640 '%s'",
                       file, (unsigned)info->st_mode & 07777, file);
    return 0;
}

static int unreadable(const char *file, struct err *err)
{
    return err_set(err, ERR_CONFIG, "'%s' cannot be read: %s", file, strerror(errno));
}

int secret_file_check(const char *file, struct err *err)
{
    struct stat info;
    return stat(file, &info) != 0 ? unreadable(file, err) : judge(file, &info, err);
}

/* One byte more than is allowed, to see whether there is one. */
static int read_all(int fd, struct buf *ret)
{
    ssize_t got = 1;
    while (got > 0 && ret->len <= SECRET_BYTES_MAX) {
        size_t room = SECRET_BYTES_MAX + 1 - ret->len;
        got = read(fd, buf_reserve(ret, room), room);
        buf_advance(ret, got > 0 ? (size_t)got : 0);
    }
    return (int)got;
}

static bool ends_with(const struct buf *bytes, char byte)
{
    return bytes->len > 0 && bytes->ptr[bytes->len - 1] == byte;
}

static int judge_bytes(const char *file, struct buf *bytes, struct err *err)
{
    if (bytes->len > SECRET_BYTES_MAX)
        return err_set(err, ERR_CONFIG, "'%s' is longer than %d bytes", file, SECRET_BYTES_MAX);
    if (bytes->len > 0 && memchr(bytes->ptr, '\0', bytes->len) != NULL)
        return err_set(err, ERR_CONFIG, "'%s' has a NUL in it", file);
    if (ends_with(bytes, '\n')) {
        bytes->len--;
        bytes->len -= ends_with(bytes, '\r');
    }
    return bytes->len > 0 ? 0 : err_set(err, ERR_CONFIG, "'%s' is empty", file);
}

int secret_file_read(const char *file, char **ret, struct err *err)
{
    struct buf bytes = {NULL, 0, 0};
    struct stat info;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return unreadable(file, err);
    int rc = fstat(fd, &info) != 0 ? unreadable(file, err) : judge(file, &info, err);
    if (rc == 0 && read_all(fd, &bytes) < 0)
        rc = unreadable(file, err);
    if (rc == 0)
        rc = judge_bytes(file, &bytes, err);
    if (rc == 0)
        *ret = mem_strdup(buf_text(&bytes));
    (void)close(fd);
    buf_fini(&bytes);
    return rc;
}
