/* SPDX-License-Identifier: MIT */
#include "cc/aimd.h"

enum { RESTART_SEGMENTS = 10 };

#define ACKED_MAX (UINT64_C(1) << 30) /* times a rate: within 63 bits */

int64_t aimd_rate(uint64_t step, uint64_t window)
{
    return step < window ? (int64_t)((step << 32) / window) : AIMD_ONE;
}

uint64_t aimd_slow_start(const struct plait_cc_ack *ack, struct plait_cc_out *out)
{
    uint64_t acked = ack->acked_bytes, step = 0;
    if (!ack->cwnd_limited)
        return 0;
    if (out->cwnd_bytes < out->ssthresh_bytes)
        step = cc_min(acked, out->ssthresh_bytes - out->cwnd_bytes);
    out->cwnd_bytes += step;
    return acked - step;
}

static void grow(struct aimd *s, uint64_t acked, int64_t rate, uint64_t mss,
                 struct plait_cc_out *out)
{
    int64_t sum = (int64_t)cc_min(acked, ACKED_MAX) * rate + s->part;
    int64_t step = sum / AIMD_ONE, cwnd = (int64_t)out->cwnd_bytes + step;
    s->part = sum % AIMD_ONE;
    out->cwnd_bytes = cwnd > (int64_t)mss ? (uint64_t)cwnd : mss;
}

void aimd_acked(struct aimd *s, const struct plait_cc_group *g, const struct plait_cc_ack *ack,
                int64_t (*rate)(const struct plait_cc_group *g), struct plait_cc_out *out)
{
    uint64_t acked = aimd_slow_start(ack, out);
    if (acked > 0)
        grow(s, acked, rate(g), cc_self(g)->mss_bytes, out);
}

uint64_t aimd_half(const struct plait_cc_group *g, const struct plait_cc_out *out)
{
    return cc_max(out->cwnd_bytes / 2, 2 * (uint64_t)cc_self(g)->mss_bytes);
}

void aimd_signal(const struct plait_cc_group *g, enum plait_cc_signal what, uint64_t left,
                 struct plait_cc_out *out)
{
    uint64_t mss = cc_self(g)->mss_bytes;
    switch (what) {
    case PLAIT_CC_LOSS:
        out->ssthresh_bytes = out->cwnd_bytes = left;
        break;
    case PLAIT_CC_TIMEOUT:
        out->ssthresh_bytes = aimd_half(g, out);
        out->cwnd_bytes = mss;
        break;
    case PLAIT_CC_IDLE: /* RFC 5681 4.1; what was known stays in ssthresh (RFC 2861 2) */
        out->ssthresh_bytes = cc_max(out->ssthresh_bytes, out->cwnd_bytes / 4 * 3);
        out->cwnd_bytes = cc_min(out->cwnd_bytes, RESTART_SEGMENTS * mss);
        break;
    case PLAIT_CC_RECOVERED:
    case PLAIT_CC_SPURIOUS:
        break;
    }
}

void aimd_signal_half(void *state, const struct plait_cc_group *g, enum plait_cc_signal what,
                      uint64_t now_us, struct plait_cc_out *out)
{
    (void)state;
    (void)now_us;
    aimd_signal(g, what, aimd_half(g, out), out);
}
