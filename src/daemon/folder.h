/* SPDX-License-Identifier: MIT
 *
 * The folder in which a daemon's sockets lie, and its lock: one daemon a
 * folder. Sockets that a killed one left are taken over by whoever has the
 * lock, so there is nothing to repair.
 */
#ifndef DAEMON_FOLDER_H
#define DAEMON_FOLDER_H

#include <stdbool.h>
#include <sys/types.h>

#include "host/host.h"

enum { FOLDER_PATH_MAX = 96 }; /* what sockaddr_un takes, and the file's name */

struct folder {
    char path[FOLDER_PATH_MAX];
    int lock_fd; /* -1: not ours */
    mode_t mode; /* of the sockets */
    gid_t gid;   /* their group; (gid_t)-1: as it comes */
};

/* Make the folder if it is not there and lock it. group NULL: only this user;
 * everybody: all local users. HOST_OK, or HOST_FAIL_FILE (somebody else's, or a
 * daemon runs there) or HOST_FAIL_USAGE with err filled. */
int folder_open(struct folder *f, const char *path, const char *group, bool everybody,
                struct host_error *err);
/* Give the lock up. Files stay: the next daemon replaces them. */
void folder_close(struct folder *f);
/* A listening stream socket (type SOCK_STREAM or SOCK_SEQPACKET) of this name in
 * the folder, non-blocking: the descriptor, or -1 with err filled. */
int folder_listen(const struct folder *f, const char *name, int type, struct host_error *err);
/* Path of `name` in the folder, in `out` of FOLDER_FILE_MAX bytes. */
enum { FOLDER_FILE_MAX = 108 };
char *folder_file(const struct folder *f, const char *name, char *out);

#endif
