/* SPDX-License-Identifier: MIT
 *
 * EWTCP, equally weighted TCP, for experiments (M. Honda et al., "Multipath
 * congestion control for shared bottleneck", PFLDNeT 2009; D. Wischik et al.,
 * NSDI 2011, 2.1): n subflows that know of each other no more than their
 * number. For each ACK the window grows by a * acked * MSS / w, and a loss
 * halves it. Such a window is sqrt(2 a / p) segments at a loss rate p, so
 * with a = 1 / n^2 the n of them take as much of a shared link as one TCP.
 *
 * Scaling: n <= 255 and w <= 2^30, so the divisor n^2 w is below 2^46.
 */
#include "cc/aimd.h"
#include "cc/siblings.h"

static int64_t ewtcp_rate(const struct plait_cc_group *g)
{
    uint64_t n = siblings_number(g);
    return aimd_rate(cc_self(g)->mss_bytes, siblings_window(g, g->self) * n * n);
}

static void ewtcp_acked(void *state, const struct plait_cc_group *g, const struct plait_cc_ack *ack,
                        struct plait_cc_out *out)
{
    aimd_acked(state, g, ack, ewtcp_rate, out);
}

const struct plait_cc cc_ewtcp = {
    .name = "ewtcp",
    .summary = "for experiments: each of n subflows an n-th of a TCP, wherever it goes",
    .state_size = sizeof(struct aimd),
    .acked = ewtcp_acked,
    .signal = aimd_signal_half,
};
