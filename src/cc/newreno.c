/* SPDX-License-Identifier: MIT
 *
 * NewReno's window (RFC 5681) by bytes acknowledged (RFC 3465): it grows by
 * what arrives while in slow start, then by one segment a window; it halves
 * on a loss.
 */
#include "cc/aimd.h"

struct newreno {
    uint64_t acked_bytes; /* towards the next segment of growth */
};

static void newreno_acked(void *state, const struct plait_cc_group *g,
                          const struct plait_cc_ack *ack, struct plait_cc_out *out)
{
    struct newreno *s = state;
    uint64_t acked = aimd_slow_start(ack, out);
    s->acked_bytes += acked;
    while (acked > 0 && s->acked_bytes >= out->cwnd_bytes) {
        s->acked_bytes -= out->cwnd_bytes;
        out->cwnd_bytes += cc_self(g)->mss_bytes;
    }
}

static void newreno_signal(void *state, const struct plait_cc_group *g, enum plait_cc_signal what,
                           uint64_t now_us, struct plait_cc_out *out)
{
    struct newreno *s = state;
    s->acked_bytes = 0;
    aimd_signal_half(state, g, what, now_us, out);
}

const struct plait_cc cc_newreno = {
    .name = "newreno",
    .summary = "RFC 5681: one segment a round trip, half on a loss",
    .state_size = sizeof(struct newreno),
    .acked = newreno_acked,
    .signal = newreno_signal,
};
