/* SPDX-License-Identifier: MIT
 *
 * Sockets over the engine on this host's network: what a program uses that wants
 * connections and not packets. plait_host is one stack with its packet driver
 * (raw sockets: CAP_NET_RAW; or a TUN device: CAP_NET_ADMIN), plait_socket what a
 * descriptor of the kernel's would be.
 *
 *   struct plait_host *host;
 *   struct plait_socket *s;
 *   char why[PLAIT_TEXT_MAX];
 *   if (plait_host_open(NULL, &host, why) < 0)
 *       fail(why);
 *   if (plait_socket_open(host, &s) < 0 ||
 *       plait_socket_connect_name(s, "example.org", 80, why) < 0)
 *       fail(why);
 *   plait_socket_send(s, "GET / HTTP/1.0\r\n\r\n", 18);
 *   while ((n = plait_socket_recv(s, buffer, sizeof buffer)) > 0) ...
 *   plait_socket_close(s);
 *   plait_host_close(host);
 *
 * Threads. By default the host has a thread that does the work, and every function
 * may be called from any thread; those that wait let others go on. With own_loop
 * there is none: one thread alone uses the host, calls plait_host_run when
 * plait_host_fd is readable or plait_host_wait_us is over, or lets functions that
 * wait do so for it.
 *
 * Waiting. A socket waits, for as long as its PLAIT_OPT_SEND_TIMEOUT or
 * _RECV_TIMEOUT allows (else for ever), unless PLAIT_OPT_NONBLOCK is set: then
 * PLAIT_E_AGAIN means that plait_poll, or the socket's callback, will say when.
 *
 * Functions return 0 or a count, or one of PLAIT_ERRORS (plait.h); `why`, where
 * there is one, gets a sentence of at most PLAIT_TEXT_MAX bytes, and may be NULL.
 * The API of RFC 6897 is in PLAIT_OPT_MULTIPATH_*. Nothing here raises SIGPIPE.
 */
#ifndef PLAIT_SOCKET_H
#define PLAIT_SOCKET_H

#include "plait/plait.h"

#ifdef __cplusplus
extern "C" {
#endif

struct plait_host;
struct plait_socket;

enum { PLAIT_TEXT_MAX = 320, PLAIT_HOST_ADDRS_MAX = 16 };

/* ---- the host ------------------------------------------------------------ */

struct plait_host_options {
    /* "packet", "tun" or "auto" (NULL): tun where it has addresses, else packet */
    const char *driver;
    struct plait_addr addrs[PLAIT_HOST_ADDRS_MAX]; /* of this host's addresses, these alone */
    unsigned addr_count;                           /* 0: all of them */
    /* Addresses of a TUN device of our own, with the length of their networks. */
    struct plait_addr tun_addrs[PLAIT_HOST_ADDRS_MAX / 2];
    uint8_t tun_prefix_len[PLAIT_HOST_ADDRS_MAX / 2];
    unsigned tun_addr_count;
    const char *pcap_path;   /* every packet into this capture file; NULL: none */
    const char *events_path; /* every event into this file of JSON lines; NULL: none */
    bool own_loop;           /* see "Threads" */
    /* As plait_stack_new takes it; allocator and secret are filled in where zero. */
    struct plait_config config;
};
PLAIT_API void plait_host_options_default(struct plait_host_options *options);

/* options NULL: the default. The strings are read here alone, those of the
 * configuration stay the caller's. */
PLAIT_API int plait_host_open(const struct plait_host_options *options, struct plait_host **out,
                              char *why);
/* Sockets that are still open are reset. What was closed gets up to linger_us to be
 * delivered. Nobody else may be in a call. */
PLAIT_API void plait_host_close(struct plait_host *host, uint64_t linger_us);

/* own_loop: a descriptor that is readable when there is something to do, */
PLAIT_API int plait_host_fd(const struct plait_host *host);
/* or when this much time has passed (UINT64_MAX: not before), */
PLAIT_API uint64_t plait_host_wait_us(struct plait_host *host);
/* and what to call then: waits at most max_wait_us itself. */
PLAIT_API int plait_host_run(struct plait_host *host, uint64_t max_wait_us);

/* ---- sockets ------------------------------------------------------------- */

PLAIT_API int plait_socket_open(struct plait_host *host, struct plait_socket **out);
/* The handle is gone whatever comes back: with PLAIT_OPT_LINGER it waits for what
 * was sent to be acknowledged; _TIMED_OUT: it was not, and goes on alone. */
PLAIT_API int plait_socket_close(struct plait_socket *s);

/* A local address, a port, or both; before connect or listen. What it names is
 * looked at then. */
PLAIT_API int plait_socket_bind(struct plait_socket *s, const struct plait_endpoint *local);

PLAIT_API int plait_socket_connect(struct plait_socket *s, const struct plait_endpoint *remote,
                                   char *why);
/* All addresses of the name, from all of this host's that lead there, raced
 * (RFC 8305). Looking the name up blocks, also where the socket does not. */
PLAIT_API int plait_socket_connect_name(struct plait_socket *s, const char *name, uint16_t port,
                                        char *why);
/* backlog: established connections that nobody took yet; 0: as the host. */
PLAIT_API int plait_socket_listen(struct plait_socket *s, unsigned backlog, char *why);
/* The next connection; it begins with the listener's options. */
PLAIT_API int plait_socket_accept(struct plait_socket *s, struct plait_socket **out);

/* How many bytes were taken: all where the socket waits, else at least 1. */
PLAIT_API int64_t plait_socket_send(struct plait_socket *s, const void *data, size_t len);
/* How many bytes came, at least 1; 0: the peer's stream has ended. */
PLAIT_API int64_t plait_socket_recv(struct plait_socket *s, void *data, size_t len);
PLAIT_API int plait_socket_shutdown(struct plait_socket *s, enum plait_shut how);

/* The addresses of the first subflow. NOT_CONNECTED before there is one. */
PLAIT_API int plait_socket_local(struct plait_socket *s, struct plait_endpoint *out);
PLAIT_API int plait_socket_remote(struct plait_socket *s, struct plait_endpoint *out);

/* ---- many at once -------------------------------------------------------- */

/* enum plait_poll bits. Of a listener READABLE: accept has one. */
struct plait_pollfd {
    struct plait_socket *socket;
    unsigned events;  /* asked for; ERROR and HANGUP always are */
    unsigned revents; /* what is so */
};
/* How many have revents; 0: timeout_us is over (UINT64_MAX: none). */
PLAIT_API int plait_poll(struct plait_pollfd *list, unsigned count, uint64_t timeout_us);

/* own_loop: called inside plait_host_run (and functions that wait) when the
 * socket's readiness changed. It may call anything but plait_host_run and
 * plait_host_close. fn NULL: no more. INVALID where the host has a thread. */
typedef void plait_socket_fn(void *ctx, struct plait_socket *s, unsigned poll);
PLAIT_API int plait_socket_callback(struct plait_socket *s, plait_socket_fn *fn, void *ctx);
/* The connection itself, for what plait.h offers besides (writing and reading
 * without a copy); NULL before there is one. own_loop only. */
PLAIT_API struct plait_conn *plait_socket_conn(struct plait_socket *s);

/* ---- options ------------------------------------------------------------- */

/* What an application wants, in the words that others use: a scheduler, a path
 * manager and heuristics that go together. */
enum plait_mode {
    PLAIT_MODE_DEFAULT,     /* as the host is configured */
    PLAIT_MODE_HANDOVER,    /* one path at a time; another is made ready, and used when
                             * the first fails */
    PLAIT_MODE_INTERACTIVE, /* the path with the shortest round trip; others help when it
                             * is full, and small writes are repeated where a path is silent */
    PLAIT_MODE_AGGREGATE    /* all paths for throughput */
};

/* X(NAME, kind, when, text): kind is INT (int32_t), TIME (uint64_t, us), TEXT (a
 * string), LIST (of addresses or pairs); when it may be set: BEFORE the connection
 * alone (it is an error later), ANY time, or NEVER. */
#define PLAIT_OPTIONS(X)                                                                           \
    X(NONBLOCK, INT, ANY, "do not wait")                                                           \
    X(SEND_TIMEOUT, TIME, ANY, "how long send and connect wait; 0: for ever")                      \
    X(RECV_TIMEOUT, TIME, ANY, "how long recv and accept wait; 0: for ever")                       \
    X(LINGER, TIME, ANY, "how long close waits; 0: it resets; UINT64_MAX: off, the default")       \
    X(NODELAY, INT, ANY, "send small pieces at once, without Nagle's algorithm")                   \
    X(FASTOPEN, INT, BEFORE, "data on the SYN (RFC 7413)")                                         \
    X(VERSION, INT, BEFORE, "enum plait_version")                                                  \
    X(BREAK_TIMEOUT, TIME, BEFORE, "how long a connection without subflow is kept")                \
    X(SCHEDULER, TEXT, ANY, "by name, as plait_sched_find takes it")                               \
    X(CC, TEXT, ANY, "congestion control by name")                                                 \
    X(PATH_MANAGER, TEXT, BEFORE, "by name")                                                       \
    X(MODE, INT, BEFORE, "enum plait_mode; before single names, which prevail")                    \
    X(ERROR, INT, NEVER, "the connection's PLAIT_E_ error, 0: none; stays")                        \
    /* RFC 6897 5.2: on or off before, whether it is in use after */                               \
    X(MULTIPATH_ENABLE, INT, BEFORE, "Multipath TCP on or off; in use")                            \
    /* 5.3: struct plait_endpoint list: before, those that may be used; after, opens subflows */   \
    X(MULTIPATH_ADD, LIST, ANY, "local addresses to use")                                          \
    /* 5.3: end the subflows from these local addresses */                                         \
    X(MULTIPATH_REMOVE, LIST, ANY, "local addresses to use no more")                               \
    /* 5.4: struct plait_pair list */                                                              \
    X(MULTIPATH_SUBFLOWS, LIST, NEVER, "the addresses of the open subflows")                       \
    /* 5.5: unique among the connections of this host */                                           \
    X(MULTIPATH_CONNID, INT, NEVER, "the connection's local identifier: its token")

enum plait_option {
#define X(id, kind, when, text) PLAIT_OPT_##id,
    PLAIT_OPTIONS(X)
#undef X
        PLAIT_OPT_COUNT
};

/* The addresses of a subflow (RFC 6897 5.4). */
struct plait_pair {
    struct plait_endpoint local, remote;
    bool backup;
};

/* len: of the value, for TEXT without its 0. INVALID: wrong length, value or time;
 * UNKNOWN_NAME. Nothing has changed then. */
PLAIT_API int plait_socket_set(struct plait_socket *s, enum plait_option option, const void *value,
                               size_t len);
/* *len: room, then the length (of a LIST all there are, also where fewer fitted;
 * TEXT ends with 0, counted). */
PLAIT_API int plait_socket_get(struct plait_socket *s, enum plait_option option, void *value,
                               size_t *len);
/* Short forms. */
PLAIT_API int plait_socket_set_int(struct plait_socket *s, enum plait_option option, int32_t value);
PLAIT_API int plait_socket_set_time(struct plait_socket *s, enum plait_option option, uint64_t us);
PLAIT_API int plait_socket_set_text(struct plait_socket *s, enum plait_option option,
                                    const char *text);

/* ---- subflows ------------------------------------------------------------ */

/* As plait_conn_info and plait_conn_subflows, closed subflows included: their
 * numbers outlive them, and all of them the connection, until plait_socket_close. */
PLAIT_API int plait_socket_info(struct plait_socket *s, struct plait_conn_info *out);
PLAIT_API int plait_socket_subflows(struct plait_socket *s, struct plait_subflow_info *out,
                                    unsigned max);
/* remote NULL: where the first subflow goes. */
PLAIT_API int plait_socket_open_subflow(struct plait_socket *s, const struct plait_endpoint *local,
                                        const struct plait_endpoint *remote, bool backup);
PLAIT_API int plait_socket_close_subflow(struct plait_socket *s, uint32_t subflow_id);
PLAIT_API int plait_socket_set_backup(struct plait_socket *s, uint32_t subflow_id, bool backup);

/* What happened to the connection and why: the last PLAIT_HISTORY_MAX of its events,
 * oldest first. How many there are is returned. */
enum { PLAIT_HISTORY_MAX = 64 };
PLAIT_API int plait_socket_history(struct plait_socket *s, struct plait_event *out, unsigned max);

#ifdef __cplusplus
}
#endif
#endif
