/* SPDX-License-Identifier: MIT
 *
 * wVegas, weighted Vegas (M. Xu, Y. Cao, E. Dong:
 * draft-xu-mptcp-congestion-control-05; Y. Cao, M. Xu, X. Fu, "Delay-based
 * congestion control for multipath TCP", ICNP 2012). Once a round trip, with
 * rtt the mean of the round's samples and base the least there is:
 *
 *   diff = w * (rtt - base) / rtt             what of the window waits in queues
 *   alpha_r = 10 segments * x_r / sum of x_i  what may wait, at least 2 segments
 *
 *   slow start, diff > 1 segment: it ends, at w * base / rtt
 *   diff < alpha_r: w grows by a segment      diff > alpha_r: it shrinks by one
 *
 * and where the queue has doubled since it was shortest, w * base / (2 rtt) for
 * once lets it run empty, so that base is seen again. A loss halves w.
 *
 * DEVIATIONS: how short the queue was is noted only in rounds in which at
 * least alpha_r waits. On its way up from nothing a queue is soon twice what
 * it was, and a window that is halved for it every time uses two thirds of the
 * link. The share of the rate is taken from the windows and smoothed round
 * trips that all controls see (siblings.h), in place of rates that each
 * subflow notes for the others.
 *
 * Scaling: whole bytes and microseconds. w <= 2^30 and a round trip < 2^32
 * make products below 2^62; at most 2^32 samples of that go into the sum.
 */
#include "cc/aimd.h"
#include "cc/siblings.h"

enum { TOTAL_SEGMENTS = 10, LEAST_SEGMENTS = 2, GAMMA_SEGMENTS = 1, SAMPLES_MIN = 3 };

struct wvegas {
    uint64_t round_left; /* bytes until this round trip ends */
    uint64_t rtt_sum_us;
    uint32_t samples;
    uint32_t queue_us; /* the shortest that was full, since the last drain; 0: none */
};

static uint64_t may_wait(const struct plait_cc_group *g)
{
    uint64_t mss = cc_self(g)->mss_bytes;
    uint64_t share = TOTAL_SEGMENTS * mss * siblings_window(g, g->self) / siblings_total(g);
    return cc_max(share, LEAST_SEGMENTS * mss);
}

static void leave_slow_start(uint64_t rtt, uint64_t base, uint64_t mss, struct plait_cc_out *out)
{
    out->cwnd_bytes = cc_max(out->cwnd_bytes * base / rtt + mss, LEAST_SEGMENTS * mss);
    out->ssthresh_bytes = out->cwnd_bytes;
}

/* Towards `wanted` bytes in the queue by one segment. */
static void step(uint64_t diff, uint64_t wanted, uint64_t mss, bool limited,
                 struct plait_cc_out *out)
{
    if (diff < wanted && limited)
        out->cwnd_bytes += mss;
    else if (diff > wanted && out->cwnd_bytes > (LEAST_SEGMENTS + 1) * mss)
        out->cwnd_bytes -= mss;
}

/* In a round in which enough waits. */
static void drain(struct wvegas *s, uint64_t rtt, uint64_t base, uint64_t mss,
                  struct plait_cc_out *out)
{
    uint32_t queue_us = (uint32_t)(rtt - base);
    if (s->queue_us == 0 || queue_us < s->queue_us)
        s->queue_us = queue_us;
    if (queue_us / 2 < s->queue_us)
        return;
    out->cwnd_bytes = cc_max(out->cwnd_bytes * base / (2 * rtt), LEAST_SEGMENTS * mss);
    s->queue_us = 0;
}

static void round_over(struct wvegas *s, const struct plait_cc_group *g, bool limited,
                       struct plait_cc_out *out)
{
    const struct plait_cc_view *v = cc_self(g);
    uint64_t mss = v->mss_bytes, rtt = s->rtt_sum_us / s->samples;
    uint64_t base = cc_min(v->rtt_min_us, rtt);
    uint64_t diff = out->cwnd_bytes * (rtt - base) / rtt;
    if (out->cwnd_bytes < out->ssthresh_bytes) {
        if (diff > GAMMA_SEGMENTS * mss)
            leave_slow_start(rtt, base, mss, out);
        return;
    }
    uint64_t wanted = may_wait(g);
    step(diff, wanted, mss, limited, out);
    if (diff >= wanted)
        drain(s, rtt, base, mss, out);
    out->ssthresh_bytes = cc_min(out->ssthresh_bytes, out->cwnd_bytes);
}

static void wvegas_acked(void *state, const struct plait_cc_group *g,
                         const struct plait_cc_ack *ack, struct plait_cc_out *out)
{
    struct wvegas *s = state;
    aimd_slow_start(ack, out);
    if (ack->rtt_us) {
        s->rtt_sum_us += ack->rtt_us;
        s->samples++;
    }
    if (s->round_left > ack->acked_bytes) {
        s->round_left -= ack->acked_bytes;
        return;
    }
    if (s->samples >= SAMPLES_MIN)
        round_over(s, g, ack->cwnd_limited, out);
    s->round_left = ack->in_flight_bytes;
    s->rtt_sum_us = s->samples = 0;
}

static void wvegas_signal(void *state, const struct plait_cc_group *g, enum plait_cc_signal what,
                          uint64_t now_us, struct plait_cc_out *out)
{
    struct wvegas *s = state;
    *s = (struct wvegas){0}; /* what was measured is of another window */
    aimd_signal_half(state, g, what, now_us, out);
}

const struct plait_cc cc_wvegas = {
    .name = "wvegas",
    .summary = "weighted Vegas: goes by delay, keeps queues short, yields to all others",
    .state_size = sizeof(struct wvegas),
    .acked = wvegas_acked,
    .signal = wvegas_signal,
};
