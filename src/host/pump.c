/* SPDX-License-Identifier: MIT */
#include "host/pump.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PIECE_MAX = 65536 };

static bool soon(int error)
{
    return error == EAGAIN || error == ENOBUFS || error == EINTR;
}

struct pumped pump_in(struct plait_conn *conn, int fd, bool to_end, uint64_t now_us)
{
    struct pumped p = {0};

    for (;;) {
        void *room;
        int64_t n = plait_conn_send_borrow(conn, PIECE_MAX, &room, now_us);
        if (n < 0) {
            p.stop = n == PLAIT_E_AGAIN ? PUMP_FULL : PUMP_CONN;
            p.error = (int)n;
            return p;
        }
        ssize_t got = read(fd, room, (size_t)n);
        int error = errno;
        plait_conn_send_commit(conn, got > 0 ? (size_t)got : 0, now_us);
        if (got <= 0) {
            p.stop = got == 0 ? PUMP_END : soon(error) ? PUMP_EMPTY : PUMP_FD;
            p.error = error;
            return p;
        }
        p.bytes += (uint64_t)got;
        if (got < n && !to_end) {
            p.stop = PUMP_EMPTY;
            return p;
        }
    }
}

struct pumped pump_out(struct plait_conn *conn, int fd, uint64_t now_us)
{
    struct pumped p = {0};

    for (;;) {
        const void *data;
        int64_t n = plait_conn_recv_borrow(conn, &data, now_us);
        if (n <= 0) {
            p.stop = n == 0 ? PUMP_END : n == PLAIT_E_AGAIN ? PUMP_EMPTY : PUMP_CONN;
            p.error = (int)n;
            return p;
        }
        ssize_t sent = send(fd, data, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && !soon(errno)) {
            p.stop = PUMP_FD;
            p.error = errno;
            return p;
        }
        if (sent > 0) {
            plait_conn_recv_release(conn, (size_t)sent, now_us);
            p.bytes += (uint64_t)sent;
        }
        if (sent < n) {
            p.stop = PUMP_FULL;
            return p;
        }
    }
}
