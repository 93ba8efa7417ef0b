/* SPDX-License-Identifier: MIT
 *
 * OLIA, the Opportunistic Linked Increases Algorithm (R. Khalili, N. Gast,
 * M. Popovic, J.-Y. Le Boudec: draft-khalili-mptcp-congestion-control-05,
 * sections 2 and 3; "MPTCP is not Pareto-optimal", CoNEXT 2012). For each ACK
 * on subflow r of n the window grows by
 *
 *   acked * MSS_r * ((w_r / rtt_r^2) / (sum of w_i / rtt_i)^2 + alpha_r / w_r)
 *
 * and a loss halves w_r, down to one segment while there are others. Let
 * l_i be the larger of what got through since the last loss and between the
 * last two, so that sqrt(l_i) / rtt_i is about what TCP would get there. B is
 * the set of the best paths, those of the largest l_i / rtt_i^2; M is the set
 * of those with the largest windows. Where B has members outside M, these
 * are given window and M gives some:
 *
 *   alpha_r =  1 / (n |B - M|)  for r in B - M
 *   alpha_r = -1 / (n |M|)      for r in M
 *   alpha_r =  0                for the others, and for all if B is within M
 *
 * Scaling: the first term is siblings_rate(). l_i / rtt_i^2 is compared as
 * at(at(l_i, i), i) (siblings.h), whole bytes, where more than 2^36 counts as
 * that. The second term is a rate of its own (aimd.h) with n |set| < 2^16 in
 * the divisor beside a window of at most 2^30.
 */
#include "cc/aimd.h"
#include "cc/siblings.h"

static uint64_t quality(const struct plait_cc_group *g, unsigned i)
{
    const struct plait_cc_view *v = &g->views[i];
    uint64_t l = cc_max(v->since_loss_bytes, v->between_losses_bytes);
    return siblings_at(g, i, siblings_at(g, i, l));
}

struct sets {
    uint64_t most_quality, most_window;
    unsigned number, widest, collected; /* n, |M|, |B - M| */
};

static bool in_widest(const struct sets *s, const struct plait_cc_group *g, unsigned i)
{
    return siblings_window(g, i) == s->most_window;
}

static bool in_collected(const struct sets *s, const struct plait_cc_group *g, unsigned i)
{
    return quality(g, i) == s->most_quality && !in_widest(s, g, i);
}

static struct sets sets_of(const struct plait_cc_group *g)
{
    struct sets s = {0};
    for (unsigned i = 0; i < g->count; i++) {
        if (!siblings_count(g, i))
            continue;
        s.most_quality = cc_max(s.most_quality, quality(g, i));
        s.most_window = cc_max(s.most_window, siblings_window(g, i));
    }
    for (unsigned i = 0; i < g->count; i++) {
        if (!siblings_count(g, i))
            continue;
        s.number++;
        s.widest += in_widest(&s, g, i);
        s.collected += in_collected(&s, g, i);
    }
    return s;
}

/* MSS_r * alpha_r / w_r */
static int64_t shift_rate(const struct plait_cc_group *g)
{
    struct sets s = sets_of(g);
    uint64_t mss = cc_self(g)->mss_bytes, window = siblings_window(g, g->self);
    if (s.collected == 0)
        return 0;
    if (in_collected(&s, g, g->self))
        return aimd_rate(mss, window * s.number * s.collected);
    if (in_widest(&s, g, g->self))
        return -aimd_rate(mss, window * s.number * s.widest);
    return 0;
}

static int64_t olia_rate(const struct plait_cc_group *g)
{
    int64_t rate = siblings_rate(g) + shift_rate(g);
    return rate < AIMD_ONE ? rate : AIMD_ONE;
}

static void olia_acked(void *state, const struct plait_cc_group *g, const struct plait_cc_ack *ack,
                       struct plait_cc_out *out)
{
    aimd_acked(state, g, ack, olia_rate, out);
}

static void olia_signal(void *state, const struct plait_cc_group *g, enum plait_cc_signal what,
                        uint64_t now_us, struct plait_cc_out *out)
{
    (void)state;
    (void)now_us;
    aimd_signal(g, what, cc_max(out->cwnd_bytes / 2, siblings_floor(g)), out);
}

const struct plait_cc cc_olia = {
    .name = "olia",
    .summary = "opportunistic linked increases: moves window to the paths that lose least",
    .state_size = sizeof(struct aimd),
    .acked = olia_acked,
    .signal = olia_signal,
};
