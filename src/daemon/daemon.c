/* SPDX-License-Identifier: MIT */
#include "daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/clients.h"
#include "daemon/folder.h"
#include "daemon/state.h"
#include "host/fail.h"

enum { GOODBYE_US = 3000000 };

/* ---- who calls ----------------------------------------------------------- */

int caller_of(int fd, struct caller *out)
{
    struct ucred cred;
    socklen_t len = sizeof cred;
    char path[32];

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
        return -errno;
    *out = (struct caller){.uid = cred.uid, .gid = cred.gid, .pid = cred.pid};
    snprintf(path, sizeof path, "/proc/%d/comm", (int)cred.pid);
    int comm = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = comm >= 0 ? read(comm, out->program, sizeof out->program - 1) : 0;
    if (comm >= 0)
        close(comm);
    out->program[n > 0 ? n : 0] = 0;
    out->program[strcspn(out->program, "\n")] = 0;
    return 0;
}

/* ---- what is carried ----------------------------------------------------- */

void carried_add(struct daemon *d, struct carried *c, struct plait_conn *conn)
{
    struct plait_conn_info info;

    plait_conn_info(conn, &info);
    c->daemon = d;
    c->conn = conn;
    c->id = info.id;
    c->since_us = host_now(d->host);
    plait_conn_set_user(conn, c);
    list_append(&d->carried, &c->link);
}

void carried_remove(struct carried *c)
{
    totals_conn(&c->daemon->totals, c->conn);
    list_remove(&c->link);
}

void offered_add(struct daemon *d, struct offered *o, struct plait_listener *listener)
{
    o->listener = listener;
    list_append(&d->offered, &o->link);
}

void offered_remove(struct offered *o)
{
    list_remove(&o->link);
}

struct carried *daemon_find(const struct daemon *d, uint32_t conn_id)
{
    for (const struct list *l = d->carried.next; l != &d->carried; l = l->next) {
        struct carried *c = list_entry(l, struct carried, link);
        if (c->id == conn_id)
            return c;
    }
    return NULL;
}

struct host *daemon_host(struct daemon *d)
{
    return d->host;
}

const struct plait_options *daemon_defaults(const struct daemon *d)
{
    return &d->defaults;
}

/* ---- others in this process ---------------------------------------------- */

json_t *daemon_ask(struct daemon *d, const json_t *request)
{
    struct asker asker = {.caller = {.uid = geteuid(), .gid = getegid(), .pid = getpid()}};

    return request_answer(d, &asker, request);
}

void daemon_watch(struct daemon *d, const struct plait_event_sink *watcher)
{
    d->watcher = watcher ? *watcher : (struct plait_event_sink){0};
}

void daemon_page(struct daemon *d, const char *url, const char *token)
{
    d->page = url;
    d->page_token = token;
}

/* ---- the loop ------------------------------------------------------------ */

static void on_conn(void *ctx, struct plait_conn *conn)
{
    struct carried *c = plait_conn_user(conn);
    (void)ctx;

    if (c)
        c->ready(c);
}

static void on_listener(void *ctx, struct plait_listener *listener)
{
    struct daemon *d = ctx;

    for (struct list *l = d->offered.next; l != &d->offered; l = l->next) {
        struct offered *o = list_entry(l, struct offered, link);
        if (o->listener == listener) {
            o->ready(o);
            return;
        }
    }
}

static void on_event(void *ctx, const struct plait_event *e)
{
    struct daemon *d = ctx;

    totals_event(&d->totals, e);
    if (d->watcher.emit)
        d->watcher.emit(d->watcher.ctx, e);
    if (d->clients && clients_listen(d->clients)) {
        const struct carried *c = e->conn_id ? daemon_find(d, e->conn_id) : NULL;
        clients_event(d->clients, e, c ? &c->owner : NULL);
    }
    if (d->next.emit)
        d->next.emit(d->next.ctx, e);
}

static void on_hangup(void *ctx, int fd, unsigned events)
{
    struct daemon *d = ctx;
    struct signalfd_siginfo info;
    struct plait_options fresh;
    (void)events;

    while (read(fd, &info, sizeof info) == sizeof info)
        if (d->reload && d->reload(d->reload_ctx, &fresh))
            d->defaults = fresh;
}

/* SIGHUP comes as a descriptor, as the host's signals do. */
static int watch_hangup(struct daemon *d, struct host_error *err)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    d->hangup_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (d->hangup_fd < 0 || host_watch(d->host, d->hangup_fd, HOST_IN, on_hangup, d) != 0)
        return host_fail(err, HOST_FAIL_OTHER, "signals: %s", strerror(errno));
    sigprocmask(SIG_BLOCK, &set, NULL);
    return HOST_OK;
}

static int open_control(struct daemon *d, struct host_error *err)
{
    int fd = folder_listen(&d->folder, "control", SOCK_STREAM, err);

    if (fd < 0)
        return err->failure;
    d->clients = clients_new(d, fd);
    return d->clients ? HOST_OK : host_fail(err, HOST_FAIL_OTHER, "out of memory");
}

static int open_programs(struct daemon *d, struct host_error *err)
{
    int fd = folder_listen(&d->folder, "programs", SOCK_SEQPACKET, err);

    return fd < 0 ? (int)err->failure : serve_open(d, fd, &d->serve, err);
}

static int open_host(struct daemon *d, const struct daemon_options *options, struct host_error *err)
{
    struct host_options host = options->host;

    d->next = host.engine.sink;
    host.engine.sink = (struct plait_event_sink){d, on_event};
    host.signals = true;
    int failure = host_open(&host, &d->host, err);
    if (failure)
        return failure;
    host_callbacks(d->host, &(struct host_callbacks){d, on_conn, on_listener});
    return watch_hangup(d, err);
}

int daemon_open(const struct daemon_options *options, struct daemon **out, struct host_error *err)
{
    struct daemon *d = calloc(1, sizeof *d);

    if (!d)
        return host_fail(err, HOST_FAIL_OTHER, "out of memory");
    d->hangup_fd = d->folder.lock_fd = -1;
    d->reload = options->reload;
    d->reload_ctx = options->reload_ctx;
    d->defaults = options->defaults;
    list_init(&d->carried);
    list_init(&d->offered);
    int failure = folder_open(&d->folder, options->folder, options->group, options->everybody, err);
    if (!failure)
        failure = open_host(d, options, err);
    if (!failure)
        failure = open_control(d, err);
    if (!failure && !options->no_programs)
        failure = open_programs(d, err);
    if (failure) {
        daemon_close(d);
        return failure;
    }
    d->opened_us = host_now(d->host);
    *out = d;
    return HOST_OK;
}

int daemon_run(struct daemon *d, struct host_error *err)
{
    while (!d->stopping && !host_signal(d->host)) {
        int error = host_step(d->host, UINT64_MAX);
        if (error)
            return host_fail(err, HOST_FAIL_OTHER, "the event loop: %s", strerror(-error));
    }
    return HOST_OK;
}

void daemon_stop(struct daemon *d)
{
    d->stopping = true;
}

void daemon_close(struct daemon *d)
{
    if (!d)
        return;
    if (d->host) {
        serve_close(d->serve);
        clients_free(d->clients);
        d->clients = NULL;
        host_drain(d->host, GOODBYE_US);
    }
    if (d->hangup_fd >= 0)
        close(d->hangup_fd);
    host_close(d->host);
    folder_close(&d->folder);
    free(d);
}
