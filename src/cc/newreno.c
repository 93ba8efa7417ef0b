/* SPDX-License-Identifier: MIT
 *
 * NewReno's window (RFC 5681) by bytes acknowledged (RFC 3465): it grows by
 * what arrives while in slow start, then by one segment a window; it halves
 * on a loss. RFC 3465's limit of two segments an ACK is left out on purpose:
 * one ACK may stand for a super-segment, and the burst the limit is there to
 * prevent is prevented by pacing.
 */
#include "cc/cc.h"

struct newreno {
    uint64_t acked_bytes; /* towards the next segment of growth */
};

static void newreno_acked(void *state, const struct plait_cc_group *g,
                          const struct plait_cc_ack *ack, struct plait_cc_out *out)
{
    struct newreno *s = state;
    uint64_t acked = ack->acked_bytes, mss = cc_self(g)->mss_bytes;
    if (!ack->cwnd_limited)
        return;
    if (out->cwnd_bytes < out->ssthresh_bytes) {
        uint64_t step = cc_min(acked, out->ssthresh_bytes - out->cwnd_bytes);
        out->cwnd_bytes += step;
        acked -= step;
    }
    s->acked_bytes += acked;
    while (acked > 0 && s->acked_bytes >= out->cwnd_bytes) {
        s->acked_bytes -= out->cwnd_bytes;
        out->cwnd_bytes += mss;
    }
}

static void newreno_signal(void *state, const struct plait_cc_group *g, enum plait_cc_signal what,
                           uint64_t now_us, struct plait_cc_out *out)
{
    struct newreno *s = state;
    uint64_t mss = cc_self(g)->mss_bytes;
    (void)now_us;
    switch (what) {
    case PLAIT_CC_LOSS:
        out->ssthresh_bytes = cc_max(out->cwnd_bytes / 2, 2 * mss);
        out->cwnd_bytes = out->ssthresh_bytes;
        break;
    case PLAIT_CC_TIMEOUT:
        out->ssthresh_bytes = cc_max(out->cwnd_bytes / 2, 2 * mss);
        out->cwnd_bytes = mss;
        break;
    case PLAIT_CC_IDLE: /* RFC 5681 4.1; what was known stays in ssthresh (RFC 2861 2) */
        out->ssthresh_bytes = cc_max(out->ssthresh_bytes, out->cwnd_bytes / 4 * 3);
        out->cwnd_bytes = cc_min(out->cwnd_bytes, 10 * mss);
        break;
    case PLAIT_CC_RECOVERED:
    case PLAIT_CC_SPURIOUS:
        break;
    }
    s->acked_bytes = 0;
}

const struct plait_cc cc_newreno = {
    .name = "newreno",
    .summary = "RFC 5681: one segment a round trip, half on a loss",
    .state_size = sizeof(struct newreno),
    .acked = newreno_acked,
    .signal = newreno_signal,
};
