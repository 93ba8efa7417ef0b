/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/run.h"
#include "daemon/daemon.h"
#include "daemon/drop.h"

/* The command may become another user, who still has to find the daemon: the
 * folder can be entered by all, but not read, and the one inside has a name that
 * cannot be guessed. */
bool run_folder_make(struct run_folder *f)
{
    const char *own = getenv("XDG_RUNTIME_DIR");
    uint64_t random[2];

    *f = (struct run_folder){0};
    snprintf(f->outer, sizeof f->outer, "%s/plait-run.XXXXXX",
             own && *own && strlen(own) < 32 ? own : "/tmp");
    if (getrandom(random, sizeof random, 0) != sizeof random || !mkdtemp(f->outer)) {
        cli_error("cannot make a folder like '%s': %s", f->outer, strerror(errno));
        f->outer[0] = 0;
        return false;
    }
    snprintf(f->path, sizeof f->path, "%.56s/%016llx", f->outer, (unsigned long long)random[0]);
    if (chmod(f->outer, 0711) != 0 || mkdir(f->path, 0755) != 0) {
        cli_error("cannot make the folder '%s': %s", f->path, strerror(errno));
        run_folder_remove(f);
        return false;
    }
    return true;
}

void run_folder_remove(struct run_folder *f)
{
    static const char *const names[] = {"control", "programs", "lock", "explain"};
    char path[sizeof f->path + 16];

    if (!f->outer[0])
        return;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", f->path, names[i]);
        unlink(path);
    }
    rmdir(f->path);
    rmdir(f->outer);
}

/* In the child: until SIGTERM. One byte on `tell` when it is ready. */
static int serve(const struct net_options *net, const char *folder, int tell)
{
    struct daemon_options o = {.folder = folder, .everybody = true};
    struct host_error err;
    struct daemon *d;
    int failure = net_host_options(net, &o.host);

    if (failure)
        return failure;
    net_conn_options(net, &o.defaults);
    failure = daemon_open(&o, &d, &err);
    if (failure) {
        cli_error("%s", err.text);
        return failure;
    }
    failure = drop_privileges(&err);
    bool told = !failure && write(tell, "", 1) == 1;
    close(tell);
    if (told)
        failure = daemon_run(d, &err);
    if (failure)
        cli_error("%s", err.text);
    daemon_close(d);
    return failure;
}

int run_daemon(const struct net_options *net, const struct run_folder *folder, pid_t *out)
{
    int pair[2], status = 0;
    char byte;

    if (pipe(pair) != 0) {
        cli_error("a pipe: %s", strerror(errno));
        return HOST_FAIL_OTHER;
    }
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        close(pair[0]);
        setsid(); /* an interrupt from the terminal is for the command */
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        _exit(getppid() == parent ? serve(net, folder->path, pair[1]) : HOST_FAIL_OTHER);
    }
    close(pair[1]);
    bool ready = child > 0 && read(pair[0], &byte, 1) == 1;
    close(pair[0]);
    if (ready) {
        *out = child;
        return HOST_OK;
    }
    if (child < 0)
        cli_error("a process for plaitd: %s", strerror(errno));
    else
        waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : HOST_FAIL_OTHER;
}

void run_daemon_end(pid_t daemon)
{
    if (daemon <= 0)
        return;
    kill(daemon, SIGTERM);
    while (waitpid(daemon, NULL, 0) < 0 && errno == EINTR)
        ;
}
