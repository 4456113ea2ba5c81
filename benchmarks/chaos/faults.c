/* Faults of the disk, for LD_PRELOAD: at the n-th operation on files below a folder, it fails or the process is killed.

   FAULT_FOLDER names the folder, FAULT_AT the number of the operation (from 1), FAULT_ACTION what happens at it:
   fail: it fails with EIO, once; full: from then on, writes end early and fail with ENOSPC; kill: SIGKILL, before it;
   half: half of it is written, then SIGKILL. FAULT_MARK is a file outside the folder, made when it happens. fault_arm
   and fault_count do and tell the same from within the process. Operations: open to write, write, fsync, rename. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum { NOTHING, FAIL, FULL, KILL, HALF };
static int action = NOTHING, full = 0;
static long at = 0, count = 0;
static char folder[4096] = "";

static int action_of(const char *name) {
    const char *names[] = {"", "fail", "full", "kill", "half"};
    for (int number = FAIL; number <= HALF; number++)
        if (name && strcmp(name, names[number]) == 0) return number;
    return NOTHING;
}

void fault_arm(const char *below, long number, const char *what) {
    strncpy(folder, below, sizeof folder - 1);
    at = number; count = 0; full = 0; action = action_of(what);
}

long fault_count(void) { return count; }

__attribute__((constructor)) static void from_environment(void) {
    const char *below = getenv("FAULT_FOLDER"), *number = getenv("FAULT_AT");
    if (below && number) fault_arm(below, atol(number), getenv("FAULT_ACTION"));
}

static int is_below(const char *path) {
    size_t length = strlen(folder);
    return length && strncmp(path, folder, length) == 0;
}

static int descriptor_is_below(int descriptor) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return is_below(path);
}

static void mark(void) {
    const char *path = getenv("FAULT_MARK");
    if (path) close(creat(path, 0644));
}

/* What is to happen at this operation: NOTHING, FAIL, FULL or HALF. */
static int next(int is_write) {
    int saved = errno, now = NOTHING;
    if (full && is_write) return FULL;
    if (++count == at && action != NOTHING) {
        if (action == FULL) full = 1;
        mark();
        if (action == KILL || (action == HALF && !is_write)) kill(getpid(), SIGKILL);
        now = action == FULL && !is_write ? NOTHING : action;
    }
    errno = saved;
    return now;
}

#define REAL(type, name, ...) static type (*real)(__VA_ARGS__); if (!real) real = dlsym(RTLD_NEXT, #name)

ssize_t write(int descriptor, const void *content, size_t size) {
    REAL(ssize_t, write, int, const void *, size_t);
    if (!folder[0] || !descriptor_is_below(descriptor)) return real(descriptor, content, size);
    int now = next(1);
    if (now == FAIL) { errno = EIO; return -1; }
    if (now == FULL || now == HALF) {
        ssize_t written = size > 1 && action != NOTHING ? real(descriptor, content, size / 2) : 0;
        if (now == HALF) kill(getpid(), SIGKILL);
        if (written > 0 && count == at) { count++; return written; }
        errno = ENOSPC;
        return -1;
    }
    return real(descriptor, content, size);
}

int fsync(int descriptor) {
    REAL(int, fsync, int);
    if (folder[0] && descriptor_is_below(descriptor) && next(0) == FAIL) { errno = EIO; return -1; }
    return real(descriptor);
}

int rename(const char *from, const char *to) {
    REAL(int, rename, const char *, const char *);
    if (folder[0] && is_below(to) && next(0) == FAIL) { errno = EIO; return -1; }
    return real(from, to);
}

static int opened(int (*real)(const char *, int, ...), const char *path, int flags, mode_t mode) {
    if (folder[0] && (flags & (O_WRONLY | O_RDWR)) && is_below(path) && next(0) == FAIL) { errno = EIO; return -1; }
    return real(path, flags, mode);
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        va_list rest; va_start(rest, flags); mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest); \
        static int (*real)(const char *, int, ...); if (!real) real = dlsym(RTLD_NEXT, #name); \
        return opened(real, path, flags, mode); \
    }
OPEN(open)
OPEN(open64)
