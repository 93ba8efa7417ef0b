/* SPDX-License-Identifier: MIT
 *
 * BLEST, blocking estimation (Ferlin et al., IFIP Networking 2016): a slow path
 * S is used only if the bytes on it will not keep the fast path F from sending
 * because the window is full. While S delivers, for RTT_S, F could send
 *
 *     X = MSS_F * (CWND_F + (rtts - 1) / 2) * rtts,  rtts = RTT_S / RTT_F
 *
 * (its window grows by a segment a round trip), and what the window has for it
 * is the span less what S has under way and gets now. S is taken if
 * X * lambda fits into that, else F is waited for. lambda corrects the estimate:
 * each RTT_S in which bytes did wait behind a full window it grows by 0.01, each
 * without it shrinks, from 1.0 to 1.3, at first 1.2.
 *
 * Fixed point: rtts in 1/256 up to RTTS_MAX, lambda in 1/100.
 */
#include "sched/sched.h"

enum { LAMBDA_MIN = 100, LAMBDA_START = 120, LAMBDA_MAX = 130, ONE = 256, RTTS_MAX = 1024 * ONE };

struct blest {
    uint64_t looked_us; /* when lambda was last looked at, */
    uint32_t stalls;    /* and the view's stalls then */
    uint32_t lambda;    /* 1/100 */
};

static bool blest_init(void *state, const char *options)
{
    struct blest *b = state;
    b->lambda = LAMBDA_START;
    return !options;
}

static void lambda_correct(struct blest *b, const struct plait_sched_view *view, uint32_t slow_us)
{
    if (view->now_us < b->looked_us + slow_us)
        return;
    bool stalled = view->stalls != b->stalls;
    if (stalled && b->lambda < LAMBDA_MAX)
        b->lambda++;
    if (!stalled && b->lambda > LAMBDA_MIN)
        b->lambda--;
    b->stalls = view->stalls;
    b->looked_us = view->now_us;
}

/* X of above, bytes. */
static uint64_t fast_could_send(const struct plait_sched_path *fast,
                                const struct plait_sched_path *slow)
{
    uint64_t rtts = (uint64_t)slow->srtt_us * ONE / fast->srtt_us;
    rtts = rtts < RTTS_MAX ? rtts : RTTS_MAX;
    uint64_t grown = rtts > ONE ? fast->mss_bytes * (rtts - ONE) / 2 / ONE : 0;
    return (fast->cwnd_bytes + grown) * rtts / ONE;
}

static struct plait_sched_choice blest_pick(void *state, const struct plait_sched_view *view)
{
    struct blest *b = state;
    struct plait_sched_choice choice = {.path = sched_fastest(view, true)};
    int fastest = sched_fastest(view, false);
    if (choice.path < 0 || choice.path == fastest || view->reinject)
        return choice;
    const struct plait_sched_path *fast = &view->paths[fastest], *slow = &view->paths[choice.path];
    if (fast->srtt_us == 0)
        return choice;
    lambda_correct(b, view, slow->srtt_us);
    uint64_t taken = slow->in_flight_bytes + slow->mss_bytes;
    uint64_t left = view->span_bytes > taken ? view->span_bytes - taken : 0;
    if (fast_could_send(fast, slow) * b->lambda > left * 100)
        choice.path = PLAIT_SCHED_WAIT;
    return choice;
}

const struct plait_sched sched_blest = {
    .name = "blest",
    .summary = "a slower path only if it will not fill the window for the fastest",
    .state_size = sizeof(struct blest),
    .init = blest_init,
    .pick = blest_pick,
};
