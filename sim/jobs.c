/* SPDX-License-Identifier: MIT
 *
 * A pool of forked children. Each writes into an unlinked temporary file, so
 * that nothing it says can block it and the parent need not listen.
 */
#include "sim/jobs.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKERS_MAX = 64 };

struct worker {
    pid_t pid; /* 0: idle */
    uint64_t number;
    FILE *out;
};

static _Noreturn void child(const struct jobs *j, const struct worker *w)
{
    fflush(NULL);
    dup2(fileno(w->out), STDOUT_FILENO);
    dup2(fileno(w->out), STDERR_FILENO);
    if (j->limit_s) { /* of its own time: how busy the machine is makes no difference */
        const struct rlimit limit = {j->limit_s, j->limit_s + 1};
        setrlimit(RLIMIT_CPU, &limit);
    }
    bool ok = j->run(j->ctx, w->number, stdout);
    fflush(stdout);
    _exit(ok ? 0 : 1);
}

static bool start(const struct jobs *j, struct worker *w, uint64_t number)
{
    w->number = number;
    w->out = tmpfile();
    if (!w->out)
        return false;
    fflush(NULL); /* or the child would write it again */
    w->pid = fork();
    if (w->pid == 0)
        child(j, w);
    if (w->pid < 0) {
        fclose(w->out);
        w->pid = 0;
        return false;
    }
    return true;
}

static void collect(struct worker *w, int status, struct job_result *r)
{
    r->number = w->number;
    r->ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    rewind(w->out);
    size_t n = fread(r->text, 1, sizeof r->text - 1, w->out);
    r->text[n] = '\0';
    if (WIFSIGNALED(status)) {
        int sig = WTERMSIG(status);
        const char *why = sig == SIGXCPU ? "took too long" : strsignal(sig);
        snprintf(r->text + n, sizeof r->text - n, "%s%s\n", n ? "" : "died: ", why);
    }
    fclose(w->out);
    w->pid = 0;
}

static struct worker *find(struct worker *workers, unsigned count, pid_t pid)
{
    for (unsigned i = 0; i < count; i++) {
        if (workers[i].pid == pid)
            return &workers[i];
    }
    return NULL;
}

static unsigned worker_count(const struct jobs *j)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned n = j->workers ? j->workers : (unsigned)(cores > 0 ? cores : 1);
    return n < WORKERS_MAX ? n : WORKERS_MAX;
}

uint64_t jobs_run(const struct jobs *j)
{
    struct worker workers[WORKERS_MAX] = {{0}};
    unsigned count = worker_count(j), busy = 0;
    uint64_t next = j->first, failed = 0;
    bool more = true;
    for (;;) {
        while (more && next <= j->last && busy < count) {
            if (!start(j, find(workers, count, 0), next))
                return UINT64_MAX;
            next++;
            busy++;
        }
        if (!busy)
            return failed;
        int status;
        pid_t pid = wait(&status);
        if (pid < 0 && errno != EINTR)
            return UINT64_MAX;
        struct worker *w = pid > 0 ? find(workers, count, pid) : NULL;
        if (!w)
            continue;
        struct job_result r;
        collect(w, status, &r);
        busy--;
        failed += !r.ok;
        if (!j->done(j->ctx, &r))
            more = false;
    }
}
