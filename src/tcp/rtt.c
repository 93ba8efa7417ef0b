/* SPDX-License-Identifier: MIT
 *
 * Round-trip time and retransmission timeout (RFC 6298), and our timestamp
 * clock (RFC 7323 5.4: one millisecond).
 *
 * Every ACK gives a sample, many in a round trip. The mean deviation would
 * then shrink with the number of samples and not with time, so the timeout
 * is computed from the largest deviation of a round, which falls by a quarter
 * of the difference once a round.
 */
#include "tcp/internal.h"

enum { MIN_HALF_US = 300 * 1000 * 1000, BASE_HALF_US = 10 * 1000 * 1000, BASE_HALF_RTTS = 40 };

void tcp_rtt_init(struct tcp *t)
{
    t->rtt = (struct tcp_rtt){.rto_us = t->config->rto_initial_us};
}

/* The least of a window of two halves: *best of both, *next of the present one. */
static void least(uint32_t *best, uint32_t *next, uint64_t *since_us, uint64_t half_us,
                  uint64_t now_us, uint32_t rtt_us)
{
    if (*next == 0 || now_us - *since_us > half_us) {
        *best = *next ? min_u32(*next, rtt_us) : rtt_us;
        *next = rtt_us;
        *since_us = now_us;
        return;
    }
    *next = min_u32(*next, rtt_us);
    *best = min_u32(*best, rtt_us);
}

static void min_update(struct tcp *t, uint32_t rtt_us)
{
    struct tcp_rtt *rtt = &t->rtt;
    uint64_t half_us = max_u64(BASE_HALF_US, BASE_HALF_RTTS * (uint64_t)rtt->base_us);
    least(&rtt->min_us, &rtt->min_next_us, &rtt->min_since_us, MIN_HALF_US, t->now_us, rtt_us);
    least(&rtt->base_us, &rtt->base_next_us, &rtt->base_since_us, half_us, t->now_us, rtt_us);
}

static void deviation_update(struct tcp *t, uint32_t error_us)
{
    struct tcp_rtt *rtt = &t->rtt;
    uint32_t floor_us = t->config->rto_min_us / 4;
    rtt->mdev_us = (uint32_t)(((uint64_t)rtt->mdev_us * 3 + error_us) / 4);
    rtt->mdev_max_us = max_u32(rtt->mdev_max_us, max_u32(rtt->mdev_us, floor_us));
    rtt->rttvar_us = max_u32(rtt->rttvar_us, rtt->mdev_max_us);
    if (seq_gt(t->snd_una, rtt->round_end)) {
        if (rtt->mdev_max_us < rtt->rttvar_us)
            rtt->rttvar_us -= (rtt->rttvar_us - rtt->mdev_max_us) / 4;
        rtt->round_end = t->snd_nxt;
        rtt->mdev_max_us = floor_us;
    }
}

void tcp_rtt_sample(struct tcp *t, uint32_t rtt_us)
{
    struct tcp_rtt *rtt = &t->rtt;
    rtt_us = max_u32(rtt_us, 1);
    rtt->latest_us = rtt_us;
    min_update(t, rtt_us);
    if (rtt->srtt_us == 0) {
        rtt->srtt_us = rtt_us;
        rtt->mdev_us = rtt_us / 2;
        rtt->rttvar_us = max_u32(rtt->mdev_us, t->config->rto_min_us / 4);
        rtt->mdev_max_us = rtt->rttvar_us;
        rtt->round_end = t->snd_nxt;
    } else {
        uint32_t s = rtt->srtt_us;
        deviation_update(t, s > rtt_us ? s - rtt_us : rtt_us - s);
        rtt->srtt_us = max_u32((uint32_t)(((uint64_t)s * 7 + rtt_us) / 8), 1);
    }
    /* DEVIATION: RFC 6298 2.4 wants at least one second. The configured minimum
     * bounds the variance term instead, so a timeout is never less than srtt
     * plus that minimum; this is what deployed stacks do. */
    uint64_t rto = (uint64_t)rtt->srtt_us + 4 * (uint64_t)rtt->rttvar_us;
    rtt->rto_us = (uint32_t)min_u64(rto, t->config->rto_max_us);
    rtt->backoff = 0; /* RFC 6298 5: a new sample ends the backoff */
}

/* An ACK of what was sent more than once gives no sample, for it may answer an
 * earlier transmission (RFC 6298 3). Where that is all that gets through, as on
 * a lossy path without SACK and timestamps, the timeout would stay as long as it
 * ever became. An ACK that comes when one of the last transmission would (RFC
 * 8985 6.2 judges so) therefore takes one doubling back, no more: if it was
 * none, the timer fires early once, and doubles again. */
void tcp_rtt_hint(struct tcp *t, uint64_t us)
{
    struct tcp_rtt *rtt = &t->rtt;
    if (rtt->backoff > 0 && us >= rtt->min_us && us <= rtt->rto_us)
        rtt->backoff--;
}

/* RFC 6298 5.5, without the owner's ceiling. */
uint64_t tcp_rto_doubled(const struct tcp *t)
{
    uint64_t rto = (uint64_t)t->rtt.rto_us << min_u32(t->rtt.backoff, 20);
    return min_u64(rto, t->config->rto_max_us);
}

uint64_t tcp_rto_backed_off(const struct tcp *t)
{
    uint64_t rto = tcp_rto_doubled(t), ceiling = max_u32(t->rtt.ceiling_us, t->rtt.rto_us);
    return t->rtt.ceiling_us ? min_u64(rto, ceiling) : rto;
}

void tcp_set_rto_ceiling(struct tcp *t, uint32_t ceiling_us)
{
    t->rtt.ceiling_us = ceiling_us;
}

uint32_t tcp_ts_now(const struct tcp *t, uint64_t now_us)
{
    return t->rtt.ts_offset + (uint32_t)(now_us / 1000);
}

static void receiver_sample(struct tcp_rtt *rtt, uint64_t us)
{
    uint32_t v = max_u32((uint32_t)min_u64(us, 10 * 1000 * 1000), 1);
    if (rtt->rcv_rtt_us == 0 || v < rtt->rcv_rtt_us)
        rtt->rcv_rtt_us = v;
    else
        rtt->rcv_rtt_us = (uint32_t)(((uint64_t)rtt->rcv_rtt_us * 7 + v) / 8);
}

/* What a pure receiver can know of the round trip: how long ago the peer got
 * the timestamp it echoes with data, or how long a whole window took. */
void tcp_rtt_receiver(struct tcp *t, const struct segment *seg)
{
    struct tcp_rtt *rtt = &t->rtt;
    if (t->timestamps) {
        if (!(seg->tcp.present & OPT_TIMESTAMP) || seg->tcp.tsecr == rtt->rcv_tsecr ||
            seg->payload_len < t->receiver.rcv_mss)
            return;
        rtt->rcv_tsecr = seg->tcp.tsecr;
        uint32_t ms = tcp_ts_now(t, t->now_us) - seg->tcp.tsecr;
        if (ms < 10 * 1000)
            receiver_sample(rtt, (uint64_t)ms * 1000);
        return;
    }
    if (rtt->rcv_mark_us != 0) {
        if (seq_lt(t->rcv_nxt, rtt->rcv_mark_seq))
            return;
        receiver_sample(rtt, t->now_us - rtt->rcv_mark_us);
    }
    rtt->rcv_mark_seq = t->rcv_adv;
    rtt->rcv_mark_us = t->now_us;
}
