/* SPDX-License-Identifier: MIT
 *
 * What libplait-preload.so and plaitd say to each other.
 *
 * A program's socket begins as one of the kernel's. When it connects or listens
 * and plait is to carry it, one end of a pair of unix sockets, made by the
 * daemon, takes the descriptor's place: its channel. Bytes on the channel are the
 * connection's bytes; the kernel does poll, dup, fork, exec, sendfile and close.
 * The daemon keeps the kernel's socket: what options mean is asked of it.
 *
 * Everything else is a request: a SOCK_SEQPACKET connection to the daemon's
 * folder, one message there, one back, closed. The message carries the descriptor
 * it is about: whoever holds a connection may do with it what its holder may,
 * whatever user he has become, and nobody else may.
 *
 *   connection   SOCK_STREAM. Not writable until connected: the send buffer is full
 *                of filler, which the daemon takes away. From then on the first byte
 *                in the daemon's receive queue is one that it has dealt with and left
 *                there: should it be killed, the kernel resets the channel, because
 *                something was unread.
 *   listener     SOCK_SEQPACKET, one struct shim_accepted for each connection, with
 *                its channel. Never writable: full of filler.
 *
 * Both ends run on one machine; numbers are in its byte order. Neither end trusts
 * the other: sizes and values are checked.
 */
#ifndef SHIM_PROTOCOL_H
#define SHIM_PROTOCOL_H

#include <stdint.h>
#include <sys/socket.h>

#define SHIM_ENV_SOCKET "PLAIT_SOCKET"   /* the daemon's socket for programs */
#define SHIM_ENV_RULES "PLAIT_RULES"     /* what stays direct: see rules.h */
#define SHIM_ENV_EXPLAIN "PLAIT_EXPLAIN" /* SOCK_DGRAM, takes struct shim_note; absent: none */

enum { SHIM_VERSION = 1, SHIM_DATA_MAX = 4096, SHIM_ADDR_MAX = 28 };

/* A channel is known by the abstract name that it is bound to: NUL, "plait/",
 * 'c' (connection) or 'l' (listener), '/', 16 hexadecimal digits of no meaning. */
#define SHIM_NAME_PREFIX "\0plait/"
enum {
    SHIM_NAME_KIND = 7, /* where the letter is */
    SHIM_NAME_LEN = 9 + 16,
    SHIM_KIND_CONNECTION = 'c',
    SHIM_KIND_LISTENER = 'l'
};

enum shim_op {
    /* With a kernel socket: connect it. data: the address. Answer: SHIM_CARRIED and
     * the channel, SHIM_DIRECT, or an error. With SHIM_WAIT a second answer says how
     * it went. With a channel: connect again (EALREADY, EISCONN, 0 the first time
     * after success); SHIM_FRESH and the kernel's socket where the last attempt
     * failed, which may begin anew. */
    SHIM_CONNECT = 1,
    /* With a bound kernel socket: listen. number: the backlog. Answers as CONNECT;
     * with a listener: another backlog. An MPTCP socket of the kernel cannot hold a
     * port for us: SHIM_FRESH, and a TCP socket with the same options, to be bound
     * like it and to listen with SHIM_MPTCP. */
    SHIM_LISTEN,
    SHIM_DISCONNECT, /* connect(AF_UNSPEC): SHIM_FRESH and the kernel's socket */
    SHIM_SET,        /* setsockopt: level, number, data; answer: error */
    SHIM_GET,        /* getsockopt: level, number, data of the length asked for; answer: data */
    SHIM_LOCAL,      /* getsockname: answer: the address */
    SHIM_REMOTE,     /* getpeername */
    SHIM_QUEUED,     /* SIOCOUTQ, SIOCOUTQNSD: number; answer: an int */
    /* With a kernel socket whose bind failed. data: the address. Give up the port
     * if only connections that are over still use it; 0: worth another attempt. */
    SHIM_RELEASE,
    SHIM_OP_LAST = SHIM_RELEASE
};

enum shim_flag { SHIM_WAIT = 1, SHIM_MPTCP = 2, SHIM_FLAGS = 3 };

struct shim_request {
    uint16_t version, op;
    uint32_t flags;
    int32_t level, number;
    uint32_t len; /* of the data that follow, at most SHIM_DATA_MAX */
};

enum shim_what { SHIM_DONE, SHIM_CARRIED, SHIM_DIRECT, SHIM_FRESH };

struct shim_answer {
    uint16_t version, what; /* enum shim_what */
    int32_t error;          /* 0 or an errno */
    uint32_t len;
};

/* To whoever wants explanations (SHIM_ENV_EXPLAIN), a datagram. */
struct shim_note {
    uint16_t version;
    uint8_t op; /* SHIM_CONNECT or SHIM_LISTEN */
    uint8_t carried;
    int32_t pid;
    char program[16];
    uint32_t addr_len;
    unsigned char addr[SHIM_ADDR_MAX];
    char why[64]; /* ends with NUL */
};

/* On a listener. remote_len bytes of remote are an address. */
struct shim_accepted {
    uint32_t remote_len;
    unsigned char remote[SHIM_ADDR_MAX];
};

#endif
