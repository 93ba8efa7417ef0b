/* SPDX-License-Identifier: MIT
 *
 * The server's part of round trips: what comes in goes out again. Nothing is
 * read while something waits to be written, so a peer that does not read holds
 * one block and no more.
 */
#include "cli/perf.h"

enum { BLOCK_BYTES = 16384 };

bool perf_echo_pump(struct perf_echo *e, uint64_t now_us)
{
    struct perf_channel *c = &e->channel;
    uint8_t block[BLOCK_BYTES];

    while (perf_channel_flush(c, now_us)) {
        size_t want = e->left_bytes < sizeof block ? (size_t)e->left_bytes : sizeof block;
        int64_t n = want ? plait_conn_read(c->conn, block, want, now_us) : 0;
        if (n == PLAIT_E_AGAIN)
            return false;
        if (n <= 0)
            return true;
        if (e->left_bytes != UINT64_MAX)
            e->left_bytes -= (uint64_t)n;
        int64_t taken = plait_conn_write(c->conn, block, (size_t)n, now_us);
        if (taken < 0)
            taken = 0; /* if it is more than a full buffer, the flush meets it again */
        if (taken < n)
            perf_channel_put(c, block + taken, (size_t)(n - taken), now_us);
    }
    return c->error != 0;
}
