/* SPDX-License-Identifier: MIT
 *
 * BALIA, the Balanced Linked Adaptation (A. Walid, Q. Peng, J. Hwang,
 * S. Low: draft-walid-mptcp-congestion-control-04; Q. Peng et al., "Multipath
 * TCP: Analysis, Design, and Implementation", IEEE/ACM Transactions on
 * Networking 24(1), 2016). With x_i = w_i / rtt_i and
 * alpha_r = max over i of x_i / x_r, for each ACK on subflow r the window
 * grows by
 *
 *   acked * MSS_r * (x_r / rtt_r) / (sum of x_i)^2 * (1 + alpha_r) / 2
 *                                                  * (4 + alpha_r) / 5
 *
 * and a loss takes w_r / 2 * min(alpha_r, 3/2), so that a subflow with less
 * than its share gives more of it; one segment stays while there are others.
 * Alone, alpha is 1 and all of this is NewReno.
 *
 * Scaling: alpha in units of 2^-10, from 1 to 1024 (beyond that a subflow has
 * a thousandth of the best one's rate, and grows as if it had that). The two
 * factors make a number below 2^37 in units of 2^-20; the rate it is
 * multiplied by is at most 2^32 / alpha^2 as W is at least alpha * w_r, so the
 * product is below 2^55.
 */
#include "cc/aimd.h"
#include "cc/siblings.h"

enum { ALPHA_SHIFT = 10, ALPHA_ONE = 1 << ALPHA_SHIFT, ALPHA_LOSS_MAX = ALPHA_ONE * 3 / 2 };

#define ALPHA_MAX (UINT64_C(1) << 20)

static uint64_t alpha(const struct plait_cc_group *g)
{
    uint64_t most = 0, own = siblings_window(g, g->self);
    for (unsigned i = 0; i < g->count; i++)
        if (siblings_count(g, i))
            most = cc_max(most, siblings_at(g, i, siblings_window(g, i)));
    return most / own < ALPHA_MAX >> ALPHA_SHIFT ? (most << ALPHA_SHIFT) / own : ALPHA_MAX;
}

static int64_t balia_rate(const struct plait_cc_group *g)
{
    uint64_t a = alpha(g), factor = (ALPHA_ONE + a) * (4 * ALPHA_ONE + a) / 10;
    uint64_t rate = (uint64_t)siblings_rate(g) * factor >> (2 * ALPHA_SHIFT);
    return (int64_t)cc_min(rate, (uint64_t)AIMD_ONE);
}

static void balia_acked(void *state, const struct plait_cc_group *g, const struct plait_cc_ack *ack,
                        struct plait_cc_out *out)
{
    aimd_acked(state, g, ack, balia_rate, out);
}

static void balia_signal(void *state, const struct plait_cc_group *g, enum plait_cc_signal what,
                         uint64_t now_us, struct plait_cc_out *out)
{
    uint64_t taken = out->cwnd_bytes * cc_min(alpha(g), ALPHA_LOSS_MAX) / (2 * ALPHA_ONE);
    (void)state;
    (void)now_us;
    aimd_signal(g, what, cc_max(out->cwnd_bytes - taken, siblings_floor(g)), out);
}

const struct plait_cc cc_balia = {
    .name = "balia",
    .summary = "balanced linked adaptation: between lia's friendliness and olia's quickness",
    .state_size = sizeof(struct aimd),
    .acked = balia_acked,
    .signal = balia_signal,
};
