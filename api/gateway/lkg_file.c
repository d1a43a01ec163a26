/* The file of the last known good routes. */
#include "gateway/lkg.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 512 << 20, PATH_BYTES = 4096 };

static const char name[] = "routes.lkg", new_name[] = "routes.lkg.new";

static enum status failed(struct fault *fault, const char *what, const char *directory)
{
    return fault_set(fault, STATUS_INTERNAL, "Cannot %s the last known good routes in %s: %s", what,
                     directory, strerror(errno));
}

static bool write_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, data, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        data += written;
        length -= (size_t)written;
    }
    return true;
}

/* errno is set on failure. */
static bool replace(int directory, const struct text *coded)
{
    /* readable by its owner only: it holds hashes of tokens */
    int fd = openat(directory, new_name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    bool good = write_all(fd, text_get(coded), coded->length) && fsync(fd) == 0;
    int error = errno;
    close(fd);
    if (!good) {
        unlinkat(directory, new_name, 0);
        errno = error;
        return false;
    }
    return renameat(directory, new_name, directory, name) == 0 && fsync(directory) == 0;
}

enum status lkg_save(const char *directory, const struct snapshot *snapshot, struct fault *fault)
{
    struct text coded;
    text_init(&coded, FILE_MAX);
    enum status status = lkg_encode(snapshot, &coded);
    if (status != STATUS_OK) {
        text_free(&coded);
        return fault_set(fault, status, "The last known good routes are too large to be kept");
    }
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || !replace(fd, &coded))
        status = failed(fault, "keep", directory);
    if (fd >= 0)
        close(fd);
    text_free(&coded);
    return status;
}

/* Reads all of it; NULL with errno. */
static char *read_all(int fd, size_t length)
{
    char *data = malloc(length + 1);
    size_t have = 0;
    while (data != NULL && have < length) {
        ssize_t got = read(fd, data + have, length - have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            if (got == 0)
                errno = EIO; /* it became shorter */
            free(data);
            return NULL;
        }
        have += (size_t)got;
    }
    return data;
}

enum status lkg_load(const char *directory, struct snapshot **out, struct fault *fault)
{
    char path[PATH_BYTES];
    struct stat about;
    *out = NULL;
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return fault_set(fault, STATUS_NOT_FOUND, "There are no last known good routes in %s", directory);
    if (fd < 0)
        return failed(fault, "read", directory);
    if (fstat(fd, &about) != 0 || about.st_size > FILE_MAX) {
        close(fd);
        return fault_set(fault, STATUS_MALFORMED, "The last known good routes are too large to be read");
    }
    size_t length = (size_t)about.st_size;
    char *data = read_all(fd, length);
    enum status status = data != NULL ? STATUS_OK : failed(fault, "read", directory);
    close(fd);
    if (status == STATUS_OK)
        status = lkg_decode(data, length, clock_wall(), clock_mono(), out, fault);
    free(data);
    return status;
}
