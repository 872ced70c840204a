/* Writes down, in order, what a process asks of the disk under one folder: loaded before libc.
 * A record: op (1), length of the path (4), offset (8), length of the data (8), path, data. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int record_file(void) {
    static int file = -1;
    if (file < 0) file = syscall(SYS_openat, AT_FDCWD, getenv("RECORD_TO"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return file;
}

static void record(char op, const char *path, uint64_t offset, const void *data, uint64_t length) {
    const char *folder = getenv("RECORD_UNDER");
    if (!folder || strncmp(path, folder, strlen(folder))) return;
    char head[21];
    uint32_t path_length = strlen(path);
    head[0] = op;
    memcpy(head + 1, &path_length, 4);
    memcpy(head + 5, &offset, 8);
    memcpy(head + 13, &length, 8);
    struct iovec parts[3] = {{head, 21}, {(void *)path, path_length}, {(void *)data, data ? length : 0}};
    if (syscall(SYS_writev, record_file(), parts, 3) < 0) abort();
}

static void record_of(char op, int file, uint64_t offset, const void *data, uint64_t length) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t size = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    if (size <= 0 || path[0] != '/') return;
    path[size] = 0;
    record(op, path, offset, data, length);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t pwrite(int f, const void *d, size_t n, off_t o) {
    ssize_t done = REAL(pwrite)(f, d, n, o);
    if (done > 0) record_of('W', f, o, d, done);
    return done;
}
ssize_t pwrite64(int f, const void *d, size_t n, off64_t o) {
    ssize_t done = REAL(pwrite64)(f, d, n, o);
    if (done > 0) record_of('W', f, o, d, done);
    return done;
}
ssize_t write(int f, const void *d, size_t n) {
    off_t here = lseek(f, 0, SEEK_CUR);
    ssize_t done = REAL(write)(f, d, n);
    if (done > 0 && here >= 0) record_of('W', f, here, d, done);
    return done;
}
int ftruncate(int f, off_t n) {
    int failed = REAL(ftruncate)(f, n);
    if (!failed) record_of('T', f, n, 0, 0);
    return failed;
}
int ftruncate64(int f, off64_t n) {
    int failed = REAL(ftruncate64)(f, n);
    if (!failed) record_of('T', f, n, 0, 0);
    return failed;
}
int fsync(int f) {
    int failed = REAL(fsync)(f);
    if (!failed) record_of('S', f, 0, 0, 0);
    return failed;
}
int fdatasync(int f) {
    int failed = REAL(fdatasync)(f);
    if (!failed) record_of('S', f, 0, 0, 0);
    return failed;
}
int unlink(const char *path) {
    int failed = REAL(unlink)(path);
    if (!failed) record('U', path, 0, 0, 0);
    return failed;
}
