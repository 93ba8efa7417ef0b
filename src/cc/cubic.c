/* SPDX-License-Identifier: MIT
 *
 * CUBIC (RFC 9438) with HyStart++ (RFC 9406), in integers: windows in bytes,
 * time in milliseconds where it is cubed.
 *
 *   W(t) = C (t - K)^3 + Wmax,  C = 0.4 segments/s^3,  beta = 0.7
 *
 * so a change of d bytes takes cbrt(d / mss / 0.4) seconds.
 */
#include "cc/cc.h"

enum {
    BETA_PERCENT = 70,
    ALPHA_NUM = 9,
    ALPHA_DEN = 17,          /* 3 (1 - beta) / (1 + beta) */
    ELAPSED_MS_MAX = 100000, /* keeps the cube within 64 bits */
    /* RFC 9406 4.3 */
    RTT_SAMPLES = 8,
    RTT_THRESH_MIN_US = 4000,
    RTT_THRESH_MAX_US = 16000,
    RTT_DIVISOR = 8,
    CSS_GROWTH_DIVISOR = 4,
    CSS_ROUNDS = 5
};

/* What a loss replaces, and a spurious one brings back. */
struct epoch {
    uint64_t start_us; /* 0: none yet */
    uint64_t w_max;
    uint64_t w_est; /* what Reno would have by now */
    uint32_t k_ms;
};

struct cubic {
    struct epoch now, before;
    uint64_t last_ack_us;
    uint32_t round_left;          /* bytes until this round trip ends */
    uint32_t rtt_last_us, rtt_us; /* least of the last round and of this */
    uint32_t css_base_us;         /* 0: not in conservative slow start */
    uint8_t samples, css_rounds;
};

static uint32_t cube_root(uint64_t x)
{
    uint64_t root = 0;
    for (uint64_t bit = (uint64_t)1 << 20; bit; bit >>= 1) {
        uint64_t next = root | bit;
        if (next * next * next <= x)
            root = next;
    }
    return (uint32_t)root;
}

/* Time to climb d bytes along the curve. */
static uint32_t climb_ms(uint64_t d, uint64_t mss)
{
    return cube_root(cc_min(d, (uint64_t)1 << 31) * UINT64_C(2500000000) / mss);
}

/* C t^3 in bytes. */
static uint64_t curve(uint64_t ms, uint64_t mss)
{
    ms = cc_min(ms, ELAPSED_MS_MAX);
    return ms * ms * ms / 1000 * mss * 2 / 5000000;
}

static uint64_t window_at(const struct epoch *e, uint64_t ms, uint64_t mss)
{
    if (ms >= e->k_ms)
        return e->w_max + curve(ms - e->k_ms, mss);
    uint64_t below = curve(e->k_ms - ms, mss);
    return e->w_max > below ? e->w_max - below : 0;
}

static void begin_epoch(struct cubic *s, uint64_t now_us, uint64_t cwnd, uint64_t mss)
{
    struct epoch *e = &s->now;
    e->start_us = now_us;
    e->w_est = cwnd;
    e->k_ms = e->w_max > cwnd ? climb_ms(e->w_max - cwnd, mss) : 0;
    e->w_max = cc_max(e->w_max, cwnd);
}

/* RFC 9438 4.2 to 4.5 */
static void avoid_congestion(struct cubic *s, const struct plait_cc_view *v,
                             const struct plait_cc_ack *ack, uint64_t acked,
                             struct plait_cc_out *out)
{
    struct epoch *e = &s->now;
    uint64_t mss = v->mss_bytes, cwnd = out->cwnd_bytes;
    if (e->start_us == 0)
        begin_epoch(s, ack->now_us, cwnd, mss);
    uint64_t ms = (ack->now_us - e->start_us) / 1000;
    bool caught_up = e->w_est >= e->w_max;
    e->w_est += mss * acked * (caught_up ? ALPHA_DEN : ALPHA_NUM) / (cwnd * ALPHA_DEN);
    if (window_at(e, ms, mss) < e->w_est) {
        out->cwnd_bytes = cc_max(cwnd, e->w_est);
        return;
    }
    uint64_t target = window_at(e, ms + v->srtt_us / 1000, mss);
    target = cc_min(cc_max(target, cwnd), cwnd + cwnd / 2);
    out->cwnd_bytes = cwnd + (target - cwnd) * acked / cwnd;
}

/* ---- slow start (RFC 9406) -------------------------------------------------------- */

static void round_begin(struct cubic *s, const struct plait_cc_ack *ack, struct plait_cc_out *out)
{
    if (s->css_base_us && ++s->css_rounds >= CSS_ROUNDS)
        out->ssthresh_bytes = out->cwnd_bytes; /* the queue was real */
    s->round_left = (uint32_t)cc_min(ack->in_flight_bytes, UINT32_MAX);
    s->rtt_last_us = s->rtt_us;
    s->rtt_us = 0;
    s->samples = 0;
}

static void watch_delay(struct cubic *s, const struct plait_cc_ack *ack)
{
    if (ack->rtt_us == 0)
        return;
    if (s->rtt_us == 0 || ack->rtt_us < s->rtt_us)
        s->rtt_us = ack->rtt_us;
    if (s->samples < RTT_SAMPLES) {
        s->samples++;
        return;
    }
    if (s->css_base_us) {
        if (s->rtt_us < s->css_base_us) /* it was only jitter */
            s->css_base_us = 0;
    } else if (s->rtt_last_us) {
        uint64_t thresh =
            cc_min(cc_max(s->rtt_last_us / RTT_DIVISOR, RTT_THRESH_MIN_US), RTT_THRESH_MAX_US);
        if (s->rtt_us >= s->rtt_last_us + thresh) {
            s->css_base_us = s->rtt_us;
            s->css_rounds = 0;
        }
    }
}

/* Returns the bytes that slow start had no use for. */
static uint64_t slow_start(struct cubic *s, const struct plait_cc_ack *ack,
                           struct plait_cc_out *out)
{
    uint64_t acked = ack->acked_bytes;
    if (s->round_left <= acked)
        round_begin(s, ack, out);
    else
        s->round_left -= (uint32_t)acked;
    watch_delay(s, ack);
    if (out->cwnd_bytes >= out->ssthresh_bytes)
        return 0;
    uint64_t growth = s->css_base_us ? acked / CSS_GROWTH_DIVISOR : acked;
    uint64_t step = cc_min(growth, out->ssthresh_bytes - out->cwnd_bytes);
    out->cwnd_bytes += step;
    return growth - step;
}

static void cubic_acked(void *state, const struct plait_cc_group *g, const struct plait_cc_ack *ack,
                        struct plait_cc_out *out)
{
    struct cubic *s = state;
    uint64_t acked = ack->acked_bytes;
    if (!ack->cwnd_limited) {
        /* RFC 9438 5.8: time in which the window was not needed does not count. */
        if (s->now.start_us && s->last_ack_us)
            s->now.start_us += ack->now_us - s->last_ack_us;
        s->last_ack_us = ack->now_us;
        return;
    }
    s->last_ack_us = ack->now_us;
    if (out->cwnd_bytes < out->ssthresh_bytes)
        acked = slow_start(s, ack, out);
    if (acked > 0 && out->cwnd_bytes >= out->ssthresh_bytes)
        avoid_congestion(s, cc_self(g), ack, acked, out);
}

/* RFC 9438 4.6, 4.7 */
static void reduce(struct cubic *s, uint64_t mss, struct plait_cc_out *out)
{
    uint64_t cwnd = out->cwnd_bytes;
    s->before = s->now;
    /* Fast convergence: leave room for whoever came. */
    s->now.w_max = cwnd < s->now.w_max ? cwnd * (100 + BETA_PERCENT) / 200 : cwnd;
    s->now.start_us = 0;
    out->ssthresh_bytes = cc_max(cwnd * BETA_PERCENT / 100, 2 * mss);
    out->cwnd_bytes = out->ssthresh_bytes;
    s->css_base_us = 0;
}

static void cubic_signal(void *state, const struct plait_cc_group *g, enum plait_cc_signal what,
                         uint64_t now_us, struct plait_cc_out *out)
{
    struct cubic *s = state;
    uint64_t mss = cc_self(g)->mss_bytes;
    (void)now_us;
    switch (what) {
    case PLAIT_CC_LOSS:
        reduce(s, mss, out);
        break;
    case PLAIT_CC_TIMEOUT:
        reduce(s, mss, out);
        s->now.w_max = 0; /* RFC 9438 4.8: the next epoch starts where it starts */
        s->round_left = s->rtt_last_us = s->rtt_us = 0;
        s->samples = 0;
        out->cwnd_bytes = mss;
        break;
    case PLAIT_CC_SPURIOUS:
        s->now = s->before;
        break;
    case PLAIT_CC_IDLE:
        out->ssthresh_bytes = cc_max(out->ssthresh_bytes, out->cwnd_bytes / 4 * 3);
        out->cwnd_bytes = cc_min(out->cwnd_bytes, 10 * mss);
        s->now.start_us = 0;
        break;
    case PLAIT_CC_RECOVERED:
        break;
    }
}

const struct plait_cc cc_cubic = {
    .name = "cubic",
    .summary = "RFC 9438 with HyStart++ (RFC 9406): the kernel's default",
    .state_size = sizeof(struct cubic),
    .acked = cubic_acked,
    .signal = cubic_signal,
};

_Static_assert(sizeof(struct cubic) <= PLAIT_PLUGIN_STATE_MAX, "state of a plug-in is bounded");
