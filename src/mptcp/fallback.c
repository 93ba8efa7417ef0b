/* SPDX-License-Identifier: MIT
 *
 * From Multipath TCP to plain TCP (RFC 8684 3.7): whether a subflow can carry
 * the rest of the connection by itself, and the change.
 *
 * Plain TCP is the infinite mapping: each direction has one place in the
 * subflow's sequence space whose DSN is known, and everything behind it
 * follows. That holds while what is outstanding was bound to this subflow in
 * one run; both directions' runs are therefore followed from the start, on
 * whichever subflow.
 */
#include "mptcp/conn.h"

void fallback_bound(struct subflow *sf, uint64_t dsn, uint32_t ssn, uint32_t len)
{
    if (!sf->sent_any || dsn != sf->sent_end)
        sf->sent = (struct linear){dsn, ssn};
    sf->sent_any = true;
    sf->sent_end = dsn + len;
}

/* All that was bound and is not DATA_ACKed lies in the last run of sf. */
static bool out_contiguous(const struct subflow *sf)
{
    const struct plait_conn *c = sf->conn;
    if (c->snd_una == c->snd_nxt)
        return true;
    return sf->sent_any && sf->sent_end == c->snd_nxt && dsn_leq(sf->sent.dsn, c->snd_una);
}

/* The next byte of sf is the one that the connection waits for. */
static bool in_contiguous(const struct subflow *sf)
{
    const struct plait_conn *c = sf->conn;
    uint64_t next = c->rcv_nxt - c->fin_received;
    if (!list_empty(&c->ooo_queue))
        return false;
    if (!sf->recv_any) /* its first byte is only known on the first subflow */
        return sf->kind == SUBFLOW_INITIAL && next == c->remote_idsn + 1;
    return sf->recv_end == next;
}

bool fallback_possible(const struct subflow *sf)
{
    const struct plait_conn *c = sf->conn;
    list_each(other, &c->subflows, struct subflow, link)
        if (other != sf && subflow_usable(other))
            return false;
    return out_contiguous(sf) && in_contiguous(sf);
}

/* Where each direction's next byte belongs. */
static void linear_begin(struct subflow *sf)
{
    struct plait_conn *c = sf->conn;
    c->plain = sf;
    if (c->snd_una == c->snd_nxt)
        c->out = (struct linear){c->snd_nxt, tcp_next_ssn(&sf->tcp)};
    else
        c->out = sf->sent;
    c->in = (struct linear){c->rcv_nxt - c->fin_received, receive_wanted(sf)};
    c->rcv_edge =
        dsn_max(c->rcv_edge, linear_dsn(&c->in, c->rcv_nxt, sf->tcp.rcv_adv - sf->tcp.irs));
}

/* From now on a FIN ends the stream. A DATA_FIN that got through counts. */
static void data_fins_forget(struct plait_conn *c)
{
    if (!c->fin_acked)
        c->fin_sent = c->fin_bound = false;
    if (!c->fin_received)
        c->fin_known = false;
}

void conn_fallback(struct subflow *sf, enum plait_reason why)
{
    struct plait_conn *c = sf->conn;
    if (!c->multipath)
        return;
    conn_uncount(c);
    c->multipath = false;
    c->checksum = false;
    c->fallback_why = why;
    linear_begin(sf);
    data_fins_forget(c);
    conn_event(c, sf, PLAIT_EV_CONN_FALLBACK, why, 0, 0, 0, 0);
    list_each(other, &c->subflows, struct subflow, link)
        if (other != sf)
            subflow_reset(other, why);
    reinject_free(c);
    receive_unmapped(sf);
    if (tcp_peer_finished(&sf->tcp)) /* it ended a subflow; now it ends the stream */
        closing_subflow_fin(sf, c->env->now_us);
    conn_touch(c);
}
