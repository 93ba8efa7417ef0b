/* SPDX-License-Identifier: MIT
 *
 * libplait-preload.so, inside. It lives in programs that know nothing of it: no
 * memory is allocated, no lock is waited for, errno changes only as the call's own
 * result, nothing but the interposed names is visible. What it knows of a
 * descriptor it asks the kernel (channel_kind), so that fork, exec, dup and
 * descriptors sent to another process need no care.
 *
 *   preload.c   the interposed calls         carry.c   connect and listen
 *   ask.c       requests to the daemon       polls.c   epoll registrations that
 *   rules.c     what stays direct                      have to follow a swap
 */
#ifndef SHIM_SHIM_H
#define SHIM_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "shim/protocol.h"
#include "shim/rules.h"

struct epoll_event;

/* The functions behind the interposed ones. */
struct real {
    int (*socket)(int, int, int);
    int (*connect)(int, const struct sockaddr *, socklen_t);
    int (*bind)(int, const struct sockaddr *, socklen_t);
    int (*listen)(int, int);
    int (*accept4)(int, struct sockaddr *, socklen_t *, int);
    int (*getsockname)(int, struct sockaddr *, socklen_t *);
    int (*getpeername)(int, struct sockaddr *, socklen_t *);
    int (*setsockopt)(int, int, int, const void *, socklen_t);
    int (*getsockopt)(int, int, int, void *, socklen_t *);
    ssize_t (*sendto)(int, const void *, size_t, int, const struct sockaddr *, socklen_t);
    ssize_t (*sendmsg)(int, const struct msghdr *, int);
    int (*ioctl)(int, unsigned long, ...);
    int (*epoll_ctl)(int, int, int, struct epoll_event *);
};

struct shim {
    struct real real;
    bool on; /* the environment names a daemon */
    struct sockaddr_un daemon, explain;
    struct rules rules;
};
/* Filled in at first use, which is before main. */
const struct shim *shim(void);

/* ---- descriptors ------------------------------------------------------------------- */

/* SHIM_KIND_CONNECTION, SHIM_KIND_LISTENER, or 0: no channel. *name, if not NULL,
 * gets the kernel's name of a socket that is none (family 0: no socket either). */
int channel_kind(int fd, struct sockaddr_storage *name);
/* A TCP or MPTCP socket of the kernel. */
bool kernel_stream(int fd);

/* ---- requests (ask.c) -------------------------------------------------------------- */

struct ask {
    uint16_t op;
    uint32_t flags;
    int fd; /* what it is about */
    int level, number;
    const void *data;
    size_t len;
    void *room; /* for the answer's data, at most room_len bytes of it */
    size_t room_len;
    /* the answer */
    size_t got;  /* how long its data were */
    int channel; /* descriptor that came with it; -1: none */
    enum shim_what what;
    int line; /* SHIM_WAIT: the connection that the second answer comes on; else -1 */
};
/* 0 or an errno; ENETDOWN: there is no daemon. */
int ask(struct ask *a);
/* The second answer on a line, which stays open: 0 or an errno; -1: nothing came,
 * errno says why. */
int ask_result(int line);
/* Tell who wants explanations (PLAIT_EXPLAIN) what became of fd. */
void explain(uint8_t op, bool carried, const struct sockaddr *addr, socklen_t len, const char *why);

/* ---- connecting and listening (carry.c) -------------------------------------------- */

/* connect(2) and listen(2). */
int carry_connect(int fd, const struct sockaddr *to, socklen_t len);
int carry_listen(int fd, int backlog);

/* ---- epoll (polls.c) --------------------------------------------------------------- */

/* epoll_ctl was successful: remember it where it may have to follow. */
void polls_note(int epoll_fd, int op, int fd, const struct epoll_event *event);
/* Before and after `fd` becomes another file. */
void polls_detach(int fd);
void polls_attach(int fd);

#endif
