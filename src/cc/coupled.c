/* SPDX-License-Identifier: MIT
 *
 * COUPLED, for experiments (D. Wischik et al., "Design, implementation and
 * evaluation of congestion control for multipath TCP", NSDI 2011, 2.2): for
 * each ACK the window grows by acked * MSS / w_total, and a loss takes
 * w_total / 2 of it, down to one segment. It leaves a path that loses more
 * than another altogether, and between two that lose the same it flaps.
 *
 * Scaling: w_total is a sum of at most 255 windows, below 2^38.
 */
#include "cc/aimd.h"
#include "cc/siblings.h"

static int64_t coupled_rate(const struct plait_cc_group *g)
{
    return aimd_rate(cc_self(g)->mss_bytes, siblings_sum(g));
}

static void coupled_acked(void *state, const struct plait_cc_group *g,
                          const struct plait_cc_ack *ack, struct plait_cc_out *out)
{
    aimd_acked(state, g, ack, coupled_rate, out);
}

static void coupled_signal(void *state, const struct plait_cc_group *g, enum plait_cc_signal what,
                           uint64_t now_us, struct plait_cc_out *out)
{
    uint64_t taken = cc_min(siblings_sum(g) / 2, out->cwnd_bytes);
    (void)state;
    (void)now_us;
    aimd_signal(g, what, cc_max(out->cwnd_bytes - taken, siblings_floor(g)), out);
}

const struct plait_cc cc_coupled = {
    .name = "coupled",
    .summary = "for experiments: all subflows one window, the worse path is left",
    .state_size = sizeof(struct aimd),
    .acked = coupled_acked,
    .signal = coupled_signal,
};
