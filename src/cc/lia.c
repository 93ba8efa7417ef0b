/* SPDX-License-Identifier: MIT
 *
 * LIA, the Linked Increases Algorithm (RFC 6356 3 and 4). For each ACK on
 * subflow r the window grows by
 *
 *   min(alpha * acked * MSS_r / w_total, acked * MSS_r / w_r)
 *   alpha = w_total * max over i of (w_i / rtt_i^2) / (sum of w_i / rtt_i)^2
 *
 * and a loss halves w_r. w_total cancels, and at the round trip of r
 * (siblings.h) what is left of the first term is
 *
 *   acked * MSS_r * M / W^2,  M = max over i of at(at(w_i, i), i)
 *
 * Scaling: M <= 2^36 (more counts as that), MSS < 2^16, so M * MSS * 2^8 fits
 * 60 bits; divided by W, held to 2^39 and brought up by the other 24 bits it
 * is divided by W again. A window of one segment in a thousand is right to
 * 1/1000 of itself; alpha of the RFC's section 4 with its scale of 512 is no
 * better than that.
 */
#include "cc/aimd.h"
#include "cc/siblings.h"

#define BEST_MAX (UINT64_C(1) << 36)
#define QUOTIENT_MAX (UINT64_C(1) << 39)

static uint64_t best(const struct plait_cc_group *g)
{
    uint64_t most = 0;
    for (unsigned i = 0; i < g->count; i++)
        if (siblings_count(g, i))
            most = cc_max(most, siblings_at(g, i, siblings_at(g, i, siblings_window(g, i))));
    return cc_min(most, BEST_MAX);
}

static int64_t lia_rate(const struct plait_cc_group *g)
{
    uint64_t mss = cc_self(g)->mss_bytes, total = siblings_total(g);
    uint64_t quotient = cc_min((best(g) * mss << 8) / total, QUOTIENT_MAX);
    int64_t linked = (int64_t)((quotient << 24) / total);
    int64_t alone = aimd_rate(mss, siblings_window(g, g->self));
    return linked < alone ? linked : alone;
}

static void lia_acked(void *state, const struct plait_cc_group *g, const struct plait_cc_ack *ack,
                      struct plait_cc_out *out)
{
    aimd_acked(state, g, ack, lia_rate, out);
}

const struct plait_cc cc_lia = {
    .name = "lia",
    .summary = "RFC 6356, linked increases: no more than one TCP where subflows share a link",
    .state_size = sizeof(struct aimd),
    .acked = lia_acked,
    .signal = aimd_signal_half,
};
