/* SPDX-License-Identifier: MIT
 *
 * Programs under libplait-preload.so: what the files of it share.
 *
 *   serve.c           lines on which requests come (shim/protocol.h), and users
 *   serve_message.c   bytes to and from requests and addresses: pure functions
 *   serve_kernel.c    the programs' kernel sockets: what they are, ports they hold
 *   serve_channel.c   channels: made, found again by their descriptor, forgotten
 *   serve_conn.c      connections: bytes between channel and engine
 *   serve_listener.c  listeners: connections are handed out
 *   serve_options.c   setsockopt and getsockopt
 *   serve_info.c      options that are answered from what the engine knows
 *
 * Nothing that a program sends is believed: a request is about the descriptor
 * that it brings, and about nothing else. What one user may have is bounded.
 */
#ifndef DAEMON_SERVE_H
#define DAEMON_SERVE_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "daemon/daemon.h"
#include "shim/protocol.h"

enum { SERVE_BUCKETS = 4096, SERVE_REMAINS_MAX = 64 };

struct serve {
    struct daemon *daemon;
    struct host *host;
    int listen_fd;
    uint64_t netns; /* SO_NETNS_COOKIE; 0: this kernel has none */
    unsigned user_sockets_max, user_lines_max;
    struct list users, lines, keepers;
    struct list buckets[SERVE_BUCKETS]; /* struct served, by cookie */
    struct host_timer *keepers_due;
    bool closing;
};

/* What one user has. Kept while there is something. */
struct user {
    struct list link;
    uid_t uid;
    unsigned sockets, lines;
    struct list remains; /* struct served without a channel, oldest first */
    unsigned remains_count;
};
struct user *user_get(struct serve *v, uid_t uid);
/* It has something less than before. */
void user_check(struct user *u);

/* A request, as it came. */
struct request {
    struct shim_request head;
    const void *data; /* head.len bytes */
    int fd;           /* that came along; taken: set to -1 */
    struct line *line;
    struct served_conn *waits_for; /* out: whose second answer follows */
};
struct answer {
    enum shim_what what;
    int error;
    const void *data;
    uint32_t len;
    int fd;     /* to send along, and then to close; -1: none */
    bool waits; /* a second answer follows on the line (line_finish) */
};
/* The second answer. */
void line_finish(struct line *l, int error);
const struct caller *line_caller(struct line *l);

/* ---- serve_message.c --------------------------------------------------------------- */

/* Is this a request? *data: what follows the head. */
bool message_request(const void *bytes, size_t len, struct shim_request *head, const void **data);
/* 0, or the errno that connect(2) has for such an address on a socket of this
 * domain. IPv4 inside IPv6 becomes IPv4. */
int message_address(const void *bytes, size_t len, int domain, struct plait_endpoint *out);
/* As a socket of this domain shows it; how long it is, at most SHIM_ADDR_MAX. */
uint32_t message_sockaddr(const struct plait_endpoint *e, int domain, void *out);

/* ---- serve_kernel.c ---------------------------------------------------------------- */

/* A socket of the kernel that options are asked of, and which may hold a port.
 * Counted: a listener and the connections that came by it share one. */
struct keeper {
    struct list link; /* serve.keepers while it holds a port */
    struct serve *serve;
    int fd; /* -1: given up */
    unsigned users;
    uid_t uid;
    uint16_t port; /* held; 0: none */
    bool listening;
    uint64_t until_us; /* without users: when it is given up */
};

/* What a descriptor is, that a program calls an unconnected TCP socket. */
struct kernel_socket {
    int domain, protocol;
    bool v6only;
    struct plait_endpoint local; /* bound to; port 0: not */
};
/* 0 or an errno: what connect(2) or listen(2) would say. ENONET: of another
 * network namespace. */
int kernel_look(struct serve *v, int fd, struct kernel_socket *out);
/* Takes fd over; NULL without memory (and closed). hold: it is bound, and keeps
 * its port for us from now on; *error: 0 or an errno, then it is NULL. */
struct keeper *keeper_new(struct serve *v, int fd, uid_t uid, bool hold, uint16_t *port,
                          int *error);
struct keeper *keeper_use(struct keeper *k);
void keeper_drop(struct keeper *k); /* NULL: nothing */
/* Give up what holds this port though nobody listens: 0, or EADDRINUSE. */
int keeper_release(struct serve *v, const struct plait_endpoint *at, uid_t uid, int for_fd);
bool keepers_open(struct serve *v); /* false: no memory */
void keepers_free(struct serve *v);
/* Close what somebody sent us, whatever it is, without being made to wait. */
void kernel_close(int fd);

/* ---- serve_channel.c --------------------------------------------------------------- */

struct served {
    struct list link; /* a bucket */
    struct list remains_link;
    struct serve *serve;
    struct user *user;
    uint64_t cookie; /* SO_COOKIE of the program's end */
    char name[SHIM_NAME_LEN];
    int kind;
    int fd; /* our end; -1: closed, only what a program may still ask is left */
    int domain, protocol;
    struct keeper *kernel;               /* options; NULL: not made yet */
    struct keeper *origin;               /* whose options it inherits; NULL: nobody's */
    struct keeper *hold;                 /* of the local port; NULL: the engine's own */
    struct plait_endpoint local, remote; /* where known */
    void (*free)(struct served *s);
};
/* A pair of sockets; *program is the other end. 0 or an errno. */
int channel_open(struct served *s, struct serve *v, int kind, uid_t uid, int *program);
/* Fill the program's send buffer; false: it cannot be filled. */
bool channel_fill(int program);
/* The channel that this descriptor is the program's end of, or NULL. */
struct served *channel_find(struct serve *v, int fd);
/* The program has no descriptor of it any more: its name is free. */
bool channel_gone(const struct served *s);
/* Our end is closed, what may be asked is kept for a while. */
void channel_remain(struct served *s);
/* Our end is closed, all is forgotten. The caller frees. */
void channel_close(struct served *s);
/* A kernel socket with the options that this one has or inherits; its descriptor
 * or -1 (errno). */
int channel_kernel(struct served *s);

/* ---- serve_conn.c ------------------------------------------------------------------ */

struct served_conn {
    struct served s;
    struct carried c; /* c.conn NULL: it is over */
    struct line *waiter;
    bool up;       /* connected */
    bool told;     /* connect said so */
    bool held;     /* the first byte in our receive queue is an old one */
    bool blocked;  /* the channel takes no more */
    bool ended;    /* the program was told the end of the peer's stream */
    bool finished; /* the peer was told the end of the program's */
    bool gone;     /* the program has closed it */
    int error;     /* for SO_ERROR */
    char cc[16];   /* a congestion control that only we know; "": as the kernel says */
};

void conn_connect(struct serve *v, struct request *r, struct answer *a);
void conn_again(struct served_conn *c, struct request *r, struct answer *a);
void conn_disconnect(struct served_conn *c, struct answer *a);
/* An accepted connection; *program: its channel. NULL: it was aborted. */
struct served_conn *conn_accepted(struct served *listener, struct plait_conn *conn,
                                  const struct caller *owner, int *program);
/* A connection's numbers changed by being looked at: what an engine's call made ready. */
void conn_pump(struct served_conn *c);
/* Fill in the local name, which may have become known since. */
void conn_names(struct served *s);
/* There is a peer, as getpeername(2) understands it. */
bool conn_connected(const struct served_conn *c);
struct served_conn *conn_of(struct served *s);

/* ---- serve_listener.c -------------------------------------------------------------- */

void listener_listen(struct serve *v, struct request *r, struct answer *a);

/* ---- serve_options.c, serve_info.c ------------------------------------------------- */

enum { VALUE_MAX = SHIM_DATA_MAX };

struct value {
    uint32_t len; /* in: room, or length given; out: length */
    unsigned char bytes[VALUE_MAX];
};
/* 0 or an errno. */
int option_set(struct served *s, const struct caller *who, int level, int name,
               const struct value *v);
int option_get(struct served *s, int level, int name, struct value *v);
/* Options that an accepted connection has from its listener. */
void options_inherit(int from, int to);
/* What plait wants to know when a connection begins. */
void options_of(int kernel_fd, struct plait_options *out);
/* Options whose value is ours. False: it is none of them. */
bool info_get(struct served *s, int level, int name, struct value *v, int *error);
/* SIOCOUTQ, SIOCOUTQNSD. */
int info_queued(struct served *s, int request, int *out);

#endif
