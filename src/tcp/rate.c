/* SPDX-License-Identifier: MIT
 *
 * How fast the path delivers: the bytes that were acknowledged while one
 * segment was under way, over the time that it was. A flight that is smaller
 * than the path would bear gives less than the path can do, never more: so the
 * best counts, and it grows old only while the path was used as much as it
 * could be, because a queue was seen or the congestion window was full.
 */
#include "tcp/internal.h"

/* The best of this window of time and the one before counts. */
enum { WINDOW_RTTS = 8, WINDOW_MIN_US = 1000 * 1000, SECOND_US = 1000 * 1000 };
/* What a round trip is longer than the shortest where there is a queue. */
enum { QUEUE_PART = 8, QUEUE_MIN_US = 10000 };

/* From the ACK before the newest was sent to this one. */
static uint64_t rate_between(const struct tcp *t, const struct tcp_ack_work *w)
{
    uint64_t us = (uint64_t)w->rtt_us + w->newest_since_us;
    return (t->recovery.delivered_bytes - w->newest_delivered) * SECOND_US / max_u64(us, 1);
}

void tcp_rate_sample(struct tcp *t, const struct tcp_ack_work *w)
{
    struct tcp_rate *r = &t->rate;
    uint64_t rate = rate_between(t, w);
    uint64_t window = max_u64(WINDOW_RTTS * (uint64_t)t->rtt.srtt_us, WINDOW_MIN_US);
    bool queue = w->rtt_us > t->rtt.min_us + t->rtt.min_us / QUEUE_PART + QUEUE_MIN_US;
    if ((queue || tcp_window_was_full(t, w->prior_una)) && t->now_us - r->since_us > window) {
        r->best = r->next;
        r->next = 0;
        r->since_us = t->now_us;
    }
    r->next = max_u64(r->next, rate);
    if (rate > r->best || queue)
        r->full = queue;
    r->best = max_u64(r->best, r->next);
}
