/* In place of the C library's: everything else goes on to it. */
#include "v4l2_device.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#pragma GCC visibility push(default)

int ioctl(int fd, unsigned long wish, ...) {
    va_list arguments;
    va_start(arguments, wish);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    pthread_mutex_lock(&lock);
    Device *device = device_of(fd);
    int why = device ? answered(device, wish & 0xFFFFFFFF, argument) : 0;
    pthread_mutex_unlock(&lock);
    if (!device) return REAL(ioctl)(fd, wish, argument);
    return why ? errno = why, -1 : 0;
}

int close(int fd) {
    pthread_mutex_lock(&lock);
    Device *device = device_of(fd);
    pthread_mutex_unlock(&lock);
    return device ? device_close(device) : REAL(close)(fd);
}

static int memory_of(int fd) {
    pthread_mutex_lock(&lock);
    Device *device = fd < 0 ? NULL : device_of(fd);
    int memory = device ? device->memory : fd;
    pthread_mutex_unlock(&lock);
    return memory;
}

#define MAPPING(name)                                                                                      \
    void *name(void *at, size_t length, int protection, int flags, int fd, off_t offset) {                 \
        return REAL(name)(at, length, protection, flags, memory_of(fd), offset);                           \
    }
MAPPING(mmap)
MAPPING(mmap64)

#define OPENING(name)                                                                                      \
    int name(const char *path, int flags, ...) {                                                           \
        va_list arguments;                                                                                 \
        va_start(arguments, flags);                                                                        \
        mode_t mode = va_arg(arguments, mode_t);                                                           \
        va_end(arguments);                                                                                 \
        int node = node_of(path);                                                                          \
        return node < 0 ? REAL(name)(path, flags, mode) : device_open(node, flags);                        \
    }
OPENING(open)
OPENING(open64)

#define OPENING_AT(name)                                                                                   \
    int name(int folder, const char *path, int flags, ...) {                                               \
        va_list arguments;                                                                                 \
        va_start(arguments, flags);                                                                        \
        mode_t mode = va_arg(arguments, mode_t);                                                           \
        va_end(arguments);                                                                                 \
        int node = node_of(path);                                                                          \
        return node < 0 ? REAL(name)(folder, path, flags, mode) : device_open(node, flags);                \
    }
OPENING_AT(openat)
OPENING_AT(openat64)

/* A character device, or nothing; 1: not ours to answer. */
static int looked_up(const char *path, mode_t *mode, dev_t *kind) {
    int node = node_of(path);
    Config config;
    if (node < 0) return 1;
    if (!configured(node, &config)) return errno = ENOENT, -1;
    *mode = S_IFCHR | 0660, *kind = makedev(81, node);
    return 0;
}

#define LOOKING(name, type)                                                                                \
    int name(const char *path, struct type *found) {                                                       \
        memset(found, 0, sizeof *found);                                                                   \
        int ours = looked_up(path, &found->st_mode, &found->st_rdev);                                      \
        return ours > 0 ? REAL(name)(path, found) : ours;                                                  \
    }
LOOKING(stat, stat)
LOOKING(stat64, stat64)
LOOKING(lstat, stat)
LOOKING(lstat64, stat64)

#define LOOKING_AT(name, type)                                                                             \
    int name(int folder, const char *path, struct type *found, int flags) {                                \
        memset(found, 0, sizeof *found);                                                                   \
        int ours = looked_up(path, &found->st_mode, &found->st_rdev);                                      \
        return ours > 0 ? REAL(name)(folder, path, found, flags) : ours;                                   \
    }
LOOKING_AT(fstatat, stat)
LOOKING_AT(fstatat64, stat64)

int access(const char *path, int how) {
    int node = node_of(path);
    Config config;
    if (node < 0) return REAL(access)(path, how);
    if (!configured(node, &config)) return errno = ENOENT, -1;
    return how != F_OK && is(config.state, "denied") ? errno = EACCES, -1 : 0;
}
