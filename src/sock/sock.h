/* SPDX-License-Identifier: MIT
 *
 * What a host of sockets and a socket are; for the files of this folder only.
 *
 *   lock.c     the lock, the thread, waiting   paths.c    subflows, numbers, history
 *   host.c     opening, readiness, poll        options.c  the table of options
 *   open.c     making a connection             stream.c   send, recv, shutdown, close
 *
 * One lock a host (threaded) guards everything in it, the engine included. The
 * thread holds it but while it waits. Every public function is: enter, work,
 * leave; waiting inside is sock_wait, which lets others in.
 */
#ifndef SOCK_SOCK_H
#define SOCK_SOCK_H

#include <pthread.h>

#include "base/list.h"
#include "host/host.h"
#include "plait/socket.h"

struct plait_host {
    struct host *host;
    bool threaded, stopping;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* some socket's readiness: plait_poll */
    int wake_fd;            /* makes the thread's wait end */
    bool waiting;           /* the thread is in its wait, */
    uint64_t wait_until_us; /* which ends then at the latest */
    uint64_t changes;       /* of readiness, so far */
    struct plait_event_sink next;
    struct list sockets;
};

enum { SOCK_NAME_MAX = 64, SOCK_ADDRS_MAX = PLAIT_HOST_ADDRS_MAX };

/* What options say. Names are "" where the host's hold. */
struct sock_settings {
    bool nonblock, nodelay;
    uint64_t send_timeout_us, recv_timeout_us, linger_us, break_timeout_us;
    enum plait_version version;
    enum plait_mode mode;
    int fastopen, multipath; /* -1: as the host */
    char scheduler[SOCK_NAME_MAX], cc[SOCK_NAME_MAX], path_manager[SOCK_NAME_MAX];
    struct plait_endpoint addrs[SOCK_ADDRS_MAX]; /* local ones to use; none: all */
    unsigned addr_count;
};

struct plait_socket {
    struct list link;
    struct plait_host *host;
    struct plait_conn *conn;
    struct plait_listener *listener;
    struct plait_conn *pending; /* of a listener: accepted by us, not yet taken */
    uint32_t conn_id;
    bool connected; /* it was, once */
    struct plait_endpoint bound;
    struct sock_settings set;
    pthread_cond_t ready;
    plait_socket_fn *fn;
    void *ctx;
    struct plait_event history[PLAIT_HISTORY_MAX];
    uint64_t happened; /* events so far; the last ones are in history */
};

/* lock.c */
void sock_enter(struct plait_host *h);
/* What the call asked for is sent before it returns. */
void sock_leave(struct plait_host *h);
/* Wait for something to happen, at most until until_us: false if it is over. */
bool sock_wait(struct plait_socket *s, uint64_t until_us);
/* When a wait of that length from now is over. 0: never. */
uint64_t sock_until(const struct plait_socket *s, uint64_t timeout_us);
/* The same with another condition; it is initialised by sock_cond_init. */
bool sock_wait_on(struct plait_host *h, pthread_cond_t *cond, uint64_t until_us);
void sock_cond_init(pthread_cond_t *cond);
/* 0, or NO_MEMORY. After stop the host belongs to the caller alone. */
int sock_thread_start(struct plait_host *h);
void sock_thread_stop(struct plait_host *h);

/* host.c */
/* A new socket in its host's list, or NULL. */
struct plait_socket *sock_new(struct plait_host *h, const struct sock_settings *set);
void sock_free(struct plait_socket *s);
/* From now on this connection is the socket's. */
void sock_take(struct plait_socket *s, struct plait_conn *conn);
/* enum plait_poll, of connections, listeners and what is neither yet. */
unsigned sock_poll(struct plait_socket *s);
/* Copy a failure's sentence for the caller; the error to return. */
int sock_fail(const struct host_error *err, char *why);

/* open.c: what settings mean for the engine. */
void sock_options(const struct plait_socket *s, struct plait_options *out);

/* paths.c: open what MULTIPATH_ADD named before there was a connection. */
void sock_open_named(struct plait_socket *s);
/* MULTIPATH_ADD, _REMOVE and _SUBFLOWS; a PLAIT_E_ error, or how many. */
int sock_add_addrs(struct plait_socket *s, const struct plait_endpoint *list, unsigned count);
int sock_remove_addrs(struct plait_socket *s, const struct plait_endpoint *list, unsigned count);
unsigned sock_pairs(struct plait_socket *s, struct plait_pair *out, unsigned max);

#endif
