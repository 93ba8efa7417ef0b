/* SPDX-License-Identifier: MIT
 *
 * Bytes between a stream descriptor of the kernel's and a connection, one copy each
 * way: straight into the send buffer, straight out of the receive buffer. Nothing
 * is decided here; why it stopped is told.
 */
#ifndef HOST_PUMP_H
#define HOST_PUMP_H

#include "plait/plait.h"

enum pump_stop {
    PUMP_EMPTY, /* nothing more to take now */
    PUMP_FULL,  /* the other side takes no more now */
    PUMP_END,   /* the end of the stream that is read */
    PUMP_FD,    /* the descriptor failed: error is an errno */
    PUMP_CONN   /* the connection failed: error is PLAIT_E_* */
};

struct pumped {
    enum pump_stop stop;
    int error;
    uint64_t bytes;
};

/* From fd into conn. A read that gives less than there is room for counts as
 * PUMP_EMPTY, but where `to_end` says that the end is there to be read. */
struct pumped pump_in(struct plait_conn *conn, int fd, bool to_end, uint64_t now_us);
/* From conn into fd, a socket. */
struct pumped pump_out(struct plait_conn *conn, int fd, uint64_t now_us);

#endif
