/* SPDX-License-Identifier: MIT
 *
 * What plait run is made of.
 *
 *   cmd_run.c      options, environment, the command from its start to its end
 *   run_command.c  can this command be carried at all?
 *   run_daemon.c   a plaitd of the command's own
 */
#ifndef CLI_RUN_H
#define CLI_RUN_H

#include <limits.h>
#include <sys/types.h>

#include "cli/net.h"

/* Where the command is, as execvp would find it, in `path` of PATH_MAX bytes.
 * HOST_OK; or what a shell returns for it (127: it is not there, 126: it cannot be
 * run, or plait cannot get into it), and said. */
enum { RUN_CANNOT = 126, RUN_NOT_FOUND = 127 };
int run_find(const char *command, char *path);

/* A folder that nobody finds who was not told. */
struct run_folder {
    char outer[64], path[96]; /* "": there is none */
};
bool run_folder_make(struct run_folder *f); /* false: said */
void run_folder_remove(struct run_folder *f);

/* A plaitd with its sockets in the folder, a child of this process; it ends with
 * SIGTERM, or with us. HOST_OK when it is ready, or a failure that was said. */
int run_daemon(const struct net_options *net, const struct run_folder *folder, pid_t *out);
/* It shall end. */
void run_daemon_end(pid_t daemon);

#endif
