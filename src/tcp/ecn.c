/* SPDX-License-Identifier: MIT
 *
 * Explicit congestion notification as RFC 3168 has it for TCP: agreed on by the
 * SYNs (6.1.1), the receiver echoes a mark until it is told that the sender has
 * reduced its window (6.1.3), and the sender does that at most once a window, as
 * for a loss (6.1.2). Only new data is sent as capable: no SYN, no pure ACK, no
 * retransmission and no probe of a window (6.1.1, 6.1.4 to 6.1.6).
 */
#include "tcp/internal.h"

enum { BOTH = TCP_ECE | TCP_CWR };

bool tcp_ecn_asks(const struct tcp *t)
{
    return t->config->ecn_asks && !t->wants.syn_sent;
}

/* A SYN asks with both bits, a SYN/ACK agrees with one: boxes that reflect what
 * they do not know agree to nothing. */
void tcp_ecn_take_syn(struct tcp *t, const struct segment *syn)
{
    uint8_t bits = syn->flags & BOTH;
    if (syn->flags & TCP_ACK)
        t->ecn.on = t->config->ecn_asks && bits == TCP_ECE;
    else
        t->ecn.on = t->config->ecn_answers && bits == BOTH;
}

void tcp_ecn_received(struct tcp *t, const struct segment *seg)
{
    struct tcp_ecn *e = &t->ecn;
    if (!e->on)
        return;
    if (seg->flags & TCP_CWR)
        e->echo = false;
    if (seg->ecn != ECN_CE)
        return;
    t->stats.marked += tcp_parts(seg);
    if (!e->echo)
        tcp_ack_now(t); /* the sender should know */
    e->echo = true;
}

bool tcp_ecn_echoed(const struct tcp *t, const struct segment *seg)
{
    return t->ecn.on && (seg->flags & TCP_ECE) && !(seg->flags & TCP_SYN);
}

/* The window was reduced, for whatever reason (6.1.2). */
void tcp_ecn_reduced(struct tcp *t)
{
    t->ecn.tell = t->ecn.on;
}

uint8_t tcp_ecn_ack_flags(const struct tcp *t)
{
    return t->ecn.on && t->ecn.echo ? TCP_ECE : 0;
}

bool tcp_ecn_tells(const struct tcp *t)
{
    return t->ecn.tell;
}

void tcp_ecn_put_data(const struct tcp *t, struct segment *seg)
{
    if (!t->ecn.on)
        return;
    seg->ecn = ECN_ECT0;
    seg->flags |= t->ecn.tell ? TCP_CWR : 0;
}

void tcp_ecn_sent(struct tcp *t, const struct segment *seg)
{
    if (seg->flags & TCP_CWR && !(seg->flags & TCP_SYN))
        t->ecn.tell = false;
}
