/* SPDX-License-Identifier: MIT
 *
 * Segments that no connection claims are answered with RST (RFC 9293
 * 3.10.7.1), a refused MP_JOIN with MP_TCPRST in it (RFC 8684 3.2). Answers
 * wait in a short ring until they are pulled; when it is full, silence does.
 */
#include "stack/stack.h"

void stray_answer(struct plait_stack *s, const struct segment *seg, enum plait_reason why)
{
    struct segment out;
    s->env.counters.DropNoSocket++;
    if (s->stray_count == STRAYS_MAX || !tcp_reset_reply(seg, &out))
        return;
    s->strays[(s->stray_first + s->stray_count++) % STRAYS_MAX] = (struct stray){.src = out.src,
                                                                                 .dst = out.dst,
                                                                                 .seq = out.seq,
                                                                                 .ack = out.ack,
                                                                                 .flags = out.flags,
                                                                                 .why = why};
}

bool stray_output(struct plait_stack *s, struct plait_packet_tx *p)
{
    if (s->stray_count == 0)
        return false;
    const struct stray *r = &s->strays[s->stray_first];
    struct segment seg;
    segment_clear(&seg);
    seg.src = r->src;
    seg.dst = r->dst;
    seg.seq = r->seq;
    seg.ack = r->ack;
    seg.flags = r->flags;
    if (r->why) {
        reset_out(r->why, &seg.mptcp);
        s->env.counters.MPRstTx++;
    }
    segment_encode(&seg, NULL, 0, 0, p);
    s->env.counters.OutRsts++;
    s->stray_first = (s->stray_first + 1) % STRAYS_MAX;
    s->stray_count--;
    return true;
}
