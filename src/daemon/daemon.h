/* SPDX-License-Identifier: MIT
 *
 * plaitd: one stack on this host, and the programs that it serves. What the
 * daemon's files share, and no more; one thread, everything from the host's
 * loop.
 *
 *   daemon.c    opening, the turn of the loop, closing
 *   drop.c      what it gives up: capabilities, system calls
 *   folder.c    the folder of sockets: who may come, one daemon at a time
 *   clients.c   control connections: lines in, lines out
 *   requests.c  what they ask, in JSON: plait set, close, addr, events
 *   status.c    and plait status
 *   totals.c    what was counted since the daemon began
 *   serve.c     programs under libplait-preload.so (serve.h, shim/protocol.h)
 *
 * A connection of the stack belongs to a `struct carried`, which is inside
 * whatever carries it (serve.c's data pump; a proxy). The control socket looks
 * at the list of them and never further.
 */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include <jansson.h>
#include <sys/types.h>

#include "base/list.h"
#include "host/host.h"

struct daemon;

enum { DAEMON_PROGRAM_MAX = 16 };

/* Who is at the other end of a local socket (SO_PEERCRED), as of connecting. */
struct caller {
    uid_t uid;
    gid_t gid;
    pid_t pid;
    char program[DAEMON_PROGRAM_MAX]; /* /proc/PID/comm, "" if it is gone */
};
/* 0 or a negative errno. */
int caller_of(int fd, struct caller *out);

/* A connection that somebody uses through the daemon. */
struct carried {
    struct list link;
    struct daemon *daemon;
    struct plait_conn *conn; /* plait_conn_user is this struct */
    uint32_t id;             /* plait_conn_info.id */
    struct caller owner;
    uint64_t since_us; /* of host_now */
    /* Its readiness changed. May end with carried_remove. */
    void (*ready)(struct carried *c);
    /* Somebody asked for its end (plait close): reset it, and tell the program. */
    void (*abort)(struct carried *c);
};
/* From now on `conn` is carried by c, whose owner and functions are set. */
void carried_add(struct daemon *d, struct carried *c, struct plait_conn *conn);
/* The caller gives the handle up, afterwards: what it moved is counted here. */
void carried_remove(struct carried *c);

/* A listener that somebody uses through the daemon. */
struct offered {
    struct list link;
    struct plait_listener *listener;
    struct plait_endpoint local;
    struct caller owner;
    void (*ready)(struct offered *o);
};
void offered_add(struct daemon *d, struct offered *o, struct plait_listener *listener);
void offered_remove(struct offered *o);

struct host *daemon_host(struct daemon *d);
/* What a program's connection or listener begins with: names and heuristics as
 * plait set and the configuration say now. Good until the next turn. */
const struct plait_options *daemon_defaults(const struct daemon *d);

/* ---- others in this process ---------------------------------------------- */

/* The answer to a request as the daemon's own user would get it from the control socket
 * (docs/control.md; "events" means nothing here). It is the caller's to release. */
json_t *daemon_ask(struct daemon *d, const json_t *request);
/* From now on every event is told to this one too; NULL: no longer. There is one. It may
 * not call into the stack. */
void daemon_watch(struct daemon *d, const struct plait_event_sink *watcher);
/* Where people can look into this daemon with a browser, and the secret that lets them
 * change something there ("": nobody can): plait status tells them. Both are kept as they
 * are; NULL: nowhere. */
void daemon_page(struct daemon *d, const char *url, const char *token);

/* ---- opening ------------------------------------------------------------- */

struct daemon_options {
    struct host_options host;      /* signals is set for it */
    const char *folder;            /* of the sockets: see folder.h */
    const char *group;             /* whose members may come too; NULL: nobody */
    bool everybody;                /* every local user may come */
    bool no_programs;              /* nobody comes with plait run: control alone */
    struct plait_options defaults; /* of connections; its names outlive the daemon */
    /* SIGHUP: read the configuration anew and put what can change while
     * connections live into *out; false: it is wrong (said), nothing changes.
     * NULL: there is no configuration to read. */
    bool (*reload)(void *ctx, struct plait_options *out);
    void *reload_ctx;
};

/* HOST_OK, or a failure that is also in err. */
int daemon_open(const struct daemon_options *options, struct daemon **out, struct host_error *err);
/* Serve until SIGINT or SIGTERM, or until daemon_stop: HOST_OK, or HOST_FAIL_OTHER
 * with err filled. */
int daemon_run(struct daemon *d, struct host_error *err);
void daemon_stop(struct daemon *d);
/* Programs see their connections end; what was written is delivered for up to
 * three seconds. */
void daemon_close(struct daemon *d);

/* ---- what it is made of -------------------------------------------------- */

/* serve.c. listen_fd: where programs come (SOCK_SEQPACKET); it is taken over. 0 or
 * a host_failure with err filled. serve_close ends every connection that is still
 * served: what programs wrote is left to the engine to deliver. */
struct serve;
int serve_open(struct daemon *d, int listen_fd, struct serve **out, struct host_error *err);
void serve_close(struct serve *s);

#endif
