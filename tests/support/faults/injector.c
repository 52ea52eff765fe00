/* Fails calls of the C library that touch files below some folders, as a broken file system does.
 *
 * FAULT_UNDER  the folders, separated by colons
 * FAULT_CALL   the kind of call: open, tmpfile, list, read, write, sync, rename, link, lock, resize, mkdir, unlink,
 *              status, attributes, close; * for all kinds, of which none fails; or change for all that change
 *              something, of which none fails either
 * FAULT_AT     which call of that kind fails, from 1 on; 0 fails none
 * FAULT_SIGNAL the process sends itself this signal before that call, which does not fail
 * FAULT_ERRNO  the number of the error
 * FAULT_ON     if it is set, all later calls of that kind fail too
 * FAULT_LOG    a file outside the folders: a line "KIND PATH" for each call, with "!" before one that failed
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *under, *kind;
static long at, number;
static int on, signals, log_fd = -1;
static atomic_long seen;

/* Reads the variables again, for a process that was forked with others. */
void fault_begin(void) {
    const char *word = getenv("FAULT_AT"), *log = getenv("FAULT_LOG");
    under = getenv("FAULT_UNDER");
    kind = getenv("FAULT_CALL");
    at = word ? atol(word) : 0;
    word = getenv("FAULT_ERRNO");
    number = word ? atol(word) : EIO;
    on = getenv("FAULT_ON") != NULL;
    word = getenv("FAULT_SIGNAL");
    signals = word ? atoi(word) : 0;
    seen = 0;
    if (log)
        log_fd = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

__attribute__((constructor)) static void begin(void) {
    /* Programs that this one starts have calls of their own, which are not counted. */
    unsetenv("LD_PRELOAD");
    fault_begin();
}

static int is_below(const char *path) {
    for (const char *folder = under; folder && *folder;) {
        size_t length = strcspn(folder, ":");
        if (length && !strncmp(path, folder, length) && (path[length] == '/' || !path[length]))
            return 1;
        folder += length + (folder[length] == ':');
    }
    return 0;
}

/* A file that is opened is changed by its first write at the earliest. */
static int is_change(const char *what) {
    static const char *const others[] = {"open", "list", "read", "lock", "status", "close", NULL};
    for (int index = 0; others[index]; index++)
        if (!strcmp(what, others[index]))
            return 0;
    return 1;
}

static int is_meant(const char *what) {
    if (!kind)
        return 0;
    return *kind == '*' || !strcmp(kind, what) || (!strcmp(kind, "change") && is_change(what));
}

static int name_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long length = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    path[length > 0 ? length : 0] = 0;
    return length > 0;
}

static int fails_path(const char *what, const char *path) {
    if (!is_meant(what) || !is_below(path))
        return 0;
    long count = ++seen;
    int fails = at && *kind != '*' && (count == at || (on && count > at));
    if (log_fd >= 0) {
        char line[PATH_MAX + 64];
        int length = snprintf(line, sizeof line, "%s%s %s\n", fails ? "!" : "", what, path);
        syscall(SYS_write, log_fd, line, (size_t)length < sizeof line ? (size_t)length : sizeof line);
    }
    if (fails && signals) {
        kill(getpid(), signals);
        return 0;
    }
    if (fails)
        errno = number;
    return fails;
}

static int fails_fd(const char *what, int fd) {
    char path[PATH_MAX];
    int kept = errno;
    if (!is_meant(what) || fd == log_fd || !name_of(fd, path))
        return errno = kept, 0;
    errno = kept;
    return fails_path(what, path);
}

static int fails_at(const char *what, int folder, const char *name) {
    char path[2 * PATH_MAX];
    if (!is_meant(what) || !name)
        return 0;
    if (*name == '/')
        return fails_path(what, name);
    if (folder == AT_FDCWD ? syscall(SYS_getcwd, path, PATH_MAX) <= 0 : !name_of(folder, path))
        return 0;
    if (*name) {
        strncat(path, "/", 2);
        strncat(path, name, PATH_MAX - 1);
    }
    return fails_path(what, path);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define WRAP(result, name, types, fails, words) \
    result name types { \
        static __typeof__(&name) next; \
        if (!next) next = NEXT(name); \
        if (fails) return -1; \
        return next words; \
    }

#define OPENS(flags) ((flags) & __O_TMPFILE ? "tmpfile" : "open")
#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | __O_TMPFILE)) { \
        va_list rest; \
        va_start(rest, flags); \
        mode = va_arg(rest, mode_t); \
        va_end(rest); \
    }

int open(const char *path, int flags, ...) {
    MODE(flags)
    return fails_at(OPENS(flags), AT_FDCWD, path) ? -1 : NEXT(openat)(AT_FDCWD, path, flags, mode);
}
int open64(const char *path, int flags, ...) {
    MODE(flags)
    return fails_at(OPENS(flags), AT_FDCWD, path) ? -1 : NEXT(openat64)(AT_FDCWD, path, flags, mode);
}
int openat(int folder, const char *path, int flags, ...) {
    MODE(flags)
    return fails_at(OPENS(flags), folder, path) ? -1 : NEXT(openat)(folder, path, flags, mode);
}
int openat64(int folder, const char *path, int flags, ...) {
    MODE(flags)
    return fails_at(OPENS(flags), folder, path) ? -1 : NEXT(openat64)(folder, path, flags, mode);
}
DIR *opendir(const char *path) { return fails_at("list", AT_FDCWD, path) ? NULL : NEXT(opendir)(path); }
DIR *fdopendir(int fd) { return fails_fd("list", fd) ? NULL : NEXT(fdopendir)(fd); }

WRAP(ssize_t, read, (int fd, void *data, size_t size), fails_fd("read", fd), (fd, data, size))
WRAP(ssize_t, pread, (int fd, void *data, size_t size, off_t from), fails_fd("read", fd), (fd, data, size, from))
WRAP(ssize_t, pread64, (int fd, void *data, size_t size, off64_t from), fails_fd("read", fd), (fd, data, size, from))
WRAP(ssize_t, readv, (int fd, const struct iovec *data, int count), fails_fd("read", fd), (fd, data, count))
WRAP(ssize_t, write, (int fd, const void *data, size_t size), fails_fd("write", fd), (fd, data, size))
WRAP(ssize_t, pwrite, (int fd, const void *data, size_t size, off_t to), fails_fd("write", fd), (fd, data, size, to))
WRAP(ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t to), fails_fd("write", fd),
     (fd, data, size, to))
WRAP(ssize_t, writev, (int fd, const struct iovec *data, int count), fails_fd("write", fd), (fd, data, count))
WRAP(ssize_t, copy_file_range, (int in, off64_t *from, int out, off64_t *to, size_t size, unsigned flags),
     fails_fd("write", out) || fails_fd("read", in), (in, from, out, to, size, flags))
WRAP(int, fsync, (int fd), fails_fd("sync", fd), (fd))
WRAP(int, fdatasync, (int fd), fails_fd("sync", fd), (fd))
WRAP(int, flock, (int fd, int how), fails_fd("lock", fd), (fd, how))
WRAP(int, ftruncate, (int fd, off_t size), fails_fd("resize", fd), (fd, size))
WRAP(int, ftruncate64, (int fd, off64_t size), fails_fd("resize", fd), (fd, size))
WRAP(int, truncate, (const char *path, off_t size), fails_at("resize", AT_FDCWD, path), (path, size))
WRAP(int, truncate64, (const char *path, off64_t size), fails_at("resize", AT_FDCWD, path), (path, size))
WRAP(int, rename, (const char *from, const char *to), fails_at("rename", AT_FDCWD, to), (from, to))
WRAP(int, renameat, (int source, const char *from, int target, const char *to), fails_at("rename", target, to),
     (source, from, target, to))
WRAP(int, link, (const char *from, const char *to), fails_at("link", AT_FDCWD, to), (from, to))
WRAP(int, linkat, (int source, const char *from, int target, const char *to, int flags), fails_at("link", target, to),
     (source, from, target, to, flags))
WRAP(int, symlink, (const char *what, const char *path), fails_at("link", AT_FDCWD, path), (what, path))
WRAP(int, symlinkat, (const char *what, int folder, const char *path), fails_at("link", folder, path),
     (what, folder, path))
WRAP(int, mkdir, (const char *path, mode_t mode), fails_at("mkdir", AT_FDCWD, path), (path, mode))
WRAP(int, mkdirat, (int folder, const char *path, mode_t mode), fails_at("mkdir", folder, path), (folder, path, mode))
WRAP(int, unlink, (const char *path), fails_at("unlink", AT_FDCWD, path), (path))
WRAP(int, unlinkat, (int folder, const char *path, int flags), fails_at("unlink", folder, path),
     (folder, path, flags))
WRAP(int, rmdir, (const char *path), fails_at("unlink", AT_FDCWD, path), (path))
WRAP(int, chmod, (const char *path, mode_t mode), fails_at("attributes", AT_FDCWD, path), (path, mode))
WRAP(int, fchmod, (int fd, mode_t mode), fails_fd("attributes", fd), (fd, mode))
WRAP(int, fchmodat, (int folder, const char *path, mode_t mode, int flags), fails_at("attributes", folder, path),
     (folder, path, mode, flags))
WRAP(int, utimensat, (int folder, const char *path, const struct timespec times[2], int flags),
     fails_at("attributes", folder, path), (folder, path, times, flags))
WRAP(int, futimens, (int fd, const struct timespec times[2]), fails_fd("attributes", fd), (fd, times))
WRAP(int, stat, (const char *path, struct stat *found), fails_at("status", AT_FDCWD, path), (path, found))
WRAP(int, stat64, (const char *path, struct stat64 *found), fails_at("status", AT_FDCWD, path), (path, found))
WRAP(int, lstat, (const char *path, struct stat *found), fails_at("status", AT_FDCWD, path), (path, found))
WRAP(int, lstat64, (const char *path, struct stat64 *found), fails_at("status", AT_FDCWD, path), (path, found))
WRAP(int, fstatat, (int folder, const char *path, struct stat *found, int flags), fails_at("status", folder, path),
     (folder, path, found, flags))
WRAP(int, fstatat64, (int folder, const char *path, struct stat64 *found, int flags),
     fails_at("status", folder, path), (folder, path, found, flags))

/* Like Linux, it closes the descriptor also if it fails. */
int close(int fd) {
    int fails = fails_fd("close", fd), kept = errno, done = NEXT(close)(fd);
    if (!fails)
        return done;
    errno = kept;
    return -1;
}
