/* SPDX-License-Identifier: MIT
 *
 * A Convert message as it comes out of a connection, and not a byte more: what follows
 * is the stream's.
 */
#ifndef PROXY_HEARD_H
#define PROXY_HEARD_H

#include "plait/plait.h"
#include "proxy/convert.h"

struct heard {
    size_t have;
    uint8_t bytes[CONVERT_BYTES_MAX];
};

enum { HEARD_MORE = 0, HEARD_OTHER = -1, HEARD_ENDED = -2 };
/* How long the message is, which is whole; HEARD_MORE: more has to come;
 * HEARD_OTHER: it is none; HEARD_ENDED: the connection ended or failed before, *error
 * is 0 or PLAIT_E_*. */
int heard_read(struct heard *h, struct plait_conn *conn, uint64_t now_us, int *error);

#endif
