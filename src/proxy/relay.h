/* SPDX-License-Identifier: MIT
 *
 * A relay: a connection of the stack and a TCP socket of the kernel's, and every
 * byte, end and reset of one carried over to the other. Nobody's buffers grow: where
 * one side takes no more, the other is read no further.
 *
 *   the socket's end of stream     SHUT_WR on the connection
 *   the connection's               shutdown(2) for writing
 *   the socket is reset            the connection is aborted (MP_FASTCLOSE; RFC 8803
 *                                  5.1), and the other way round (RFC 8803 4.2.2)
 *   both streams have ended        both are closed
 *
 * Whoever owns a relay embeds it, gives it what it has opened, and hears of the end
 * once. One thread: the host's.
 */
#ifndef PROXY_RELAY_H
#define PROXY_RELAY_H

#include "daemon/daemon.h"

struct relay {
    struct carried carried; /* conn NULL: given up */
    struct daemon *daemon;
    int fd; /* -1: none, or closed */
    bool running;
    bool readable, writable, fd_ends; /* what the kernel said last of fd */
    bool fd_ended, conn_ended;        /* carried over */
    uint64_t bytes_in, bytes_out;     /* from fd, to fd */
    /* It is over, all is closed. `why`: half a sentence; NULL: both ended well. May
     * free the relay. */
    void (*over)(struct relay *r, const char *why);
};

/* The connection is the relay's from now on; on_conn and on_fd are called until
 * relay_run. The descriptor must not block. */
void relay_set_conn(struct relay *r, struct plait_conn *conn, void (*on_conn)(struct carried *));
int relay_set_fd(struct relay *r, int fd, unsigned events, host_fd_fn *on_fd);
/* Carry. May end with over. */
void relay_run(struct relay *r);
/* Close what is there, with resets; over is not called. */
void relay_reset(struct relay *r);
/* As relay_reset, but what was written to the connection is delivered. */
void relay_part(struct relay *r);

#endif
