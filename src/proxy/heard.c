/* SPDX-License-Identifier: MIT */
#include "proxy/heard.h"

int heard_read(struct heard *h, struct plait_conn *conn, uint64_t now_us, int *error)
{
    for (;;) {
        int len = convert_length(h->bytes, h->have);
        size_t whole = len > 0 ? (size_t)len : CONVERT_HEAD_BYTES;
        if (len < 0)
            return HEARD_OTHER;
        if (len > 0 && h->have == whole)
            return len;
        int64_t n = plait_conn_read(conn, h->bytes + h->have, whole - h->have, now_us);
        if (n == PLAIT_E_AGAIN)
            return HEARD_MORE;
        if (n <= 0) {
            *error = (int)n;
            return HEARD_ENDED;
        }
        h->have += (size_t)n;
    }
}
