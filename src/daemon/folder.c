/* SPDX-License-Identifier: MIT */
#include "daemon/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "host/fail.h"

enum { BACKLOG = 1024, FIRST_PASSED = 3 };

char *folder_file(const struct folder *f, const char *name, char *out)
{
    snprintf(out, FOLDER_FILE_MAX, "%s/%s", f->path, name);
    return out;
}

static int fail_make(struct host_error *err, const char *what, const char *path)
{
    return host_fail(err, HOST_FAIL_FILE, "cannot make the %s '%s': %s", what, path,
                     strerror(errno));
}

static int find_group(struct folder *f, const char *group, struct host_error *err)
{
    const struct group *g = getgrnam(group);

    if (!g)
        return host_fail(err, HOST_FAIL_USAGE,
                         "there is no group '%s': make it (groupadd --system %s), or leave --group "
                         "out",
                         group, group);
    f->gid = g->gr_gid;
    f->mode = 0660;
    return HOST_OK;
}

/* Ours alone to write, or somebody else could put sockets of his own there. */
static int check_owner(const struct folder *f, struct host_error *err)
{
    struct stat st;

    if (lstat(f->path, &st) != 0)
        return fail_make(err, "folder", f->path);
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022))
        return host_fail(err, HOST_FAIL_FILE,
                         "'%s' is not a folder that belongs to this user and that nobody else may "
                         "write: name another with --folder",
                         f->path);
    return HOST_OK;
}

static int lock(struct folder *f, struct host_error *err)
{
    char path[FOLDER_FILE_MAX], pid[16] = "";

    f->lock_fd =
        open(folder_file(f, "lock", path), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (f->lock_fd < 0)
        return fail_make(err, "lock", path);
    if (flock(f->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (read(f->lock_fd, pid, sizeof pid - 1) <= 0)
            snprintf(pid, sizeof pid, "?");
        return host_fail(err, HOST_FAIL_FILE,
                         "a plaitd runs with the folder '%s' already (process %.*s): name another "
                         "with --folder",
                         f->path, (int)strcspn(pid, "\n"), pid);
    }
    if (ftruncate(f->lock_fd, 0) != 0 || dprintf(f->lock_fd, "%d\n", (int)getpid()) < 0)
        return fail_make(err, "lock", path);
    return HOST_OK;
}

int folder_open(struct folder *f, const char *path, const char *group, bool everybody,
                struct host_error *err)
{
    *f = (struct folder){.lock_fd = -1, .mode = everybody ? 0666 : 0600, .gid = (gid_t)-1};
    if (strlen(path) >= sizeof f->path)
        return host_fail(err, HOST_FAIL_USAGE,
                         "the folder '%s' has too long a name: sockets take at most %zu characters",
                         path, sizeof f->path - 1);
    snprintf(f->path, sizeof f->path, "%s", path);
    int failure = group && !everybody ? find_group(f, group, err) : HOST_OK;
    if (failure)
        return failure;
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        return fail_make(err, "folder", path);
    failure = check_owner(f, err);
    if (!failure)
        failure = lock(f, err);
    if (failure)
        folder_close(f);
    return failure;
}

void folder_close(struct folder *f)
{
    if (f->lock_fd >= 0)
        close(f->lock_fd);
    f->lock_fd = -1;
}

/* The socket of this name that systemd opened for us (sd_listen_fds(3)), or -1. */
static int passed(const char *name)
{
    const char *pid = getenv("LISTEN_PID"), *names = getenv("LISTEN_FDNAMES");
    size_t len = strlen(name);

    if (!pid || !names || strtol(pid, NULL, 10) != getpid())
        return -1;
    for (int fd = FIRST_PASSED; *names; fd++) {
        size_t word = strcspn(names, ":");
        if (word == len && strncmp(names, name, len) == 0)
            return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 &&
                           fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0
                       ? fd
                       : -1;
        names += word + (names[word] == ':');
    }
    return -1;
}

int folder_listen(const struct folder *f, const char *name, int type, struct host_error *err)
{
    int given = passed(name);
    if (given >= 0)
        return given;

    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    folder_file(f, name, at.sun_path);
    unlink(at.sun_path); /* what a killed daemon left: the lock is ours */
    mode_t before = umask(0177);
    bool good = fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0;
    umask(before);
    good = good && (f->gid == (gid_t)-1 || chown(at.sun_path, (uid_t)-1, f->gid) == 0) &&
           chmod(at.sun_path, f->mode) == 0 && listen(fd, BACKLOG) == 0;
    if (good)
        return fd;
    fail_make(err, "socket", at.sun_path);
    if (fd >= 0)
        close(fd);
    return -1;
}
