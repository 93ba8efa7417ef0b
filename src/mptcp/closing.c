/* SPDX-License-Identifier: MIT
 *
 * How a connection ends (RFC 8684 3.3.3, 3.5).
 *
 * Gracefully: each end sends a DATA_FIN after its last byte; once both are
 * DATA_ACKed every subflow is closed with a FIN of its own. As plain TCP the
 * first subflow's FIN takes the DATA_FIN's place. Abruptly: RST with
 * MP_FASTCLOSE on every subflow (option R of 3.5).
 */
#include "mptcp/conn.h"

int conn_shutdown(struct plait_conn *c)
{
    if (c->error)
        return c->error;
    if (c->state == CONN_OPENING)
        return PLAIT_E_NOT_CONNECTED;
    c->fin_queued = true;
    conn_touch(c);
    return 0;
}

void conn_abort(struct plait_conn *c, enum plait_reason why)
{
    if (c->state != CONN_CLOSED) {
        c->fastclose = c->multipath && c->key_known;
        conn_fail(c, PLAIT_E_ABORTED, why);
    }
}

void conn_detach(struct plait_conn *c, uint64_t now_us)
{
    c->detached = true;
    c->user = NULL;
    list_remove(&c->ready_link);
    if (c->state == CONN_OPENING || c->recv_bytes)
        conn_abort(c, PLAIT_WHY_LOCAL_ABORT);
    else if (c->state == CONN_ESTABLISHED)
        conn_shutdown(c);
    if (conn_is_tcp(c) && c->plain)
        tcp_orphan(&c->plain->tcp, now_us);
    c->give_up_us = now_us + c->env->config.close_timeout_us;
    conn_touch(c);
}

void closing_fastclose_in(struct subflow *sf, uint64_t key)
{
    struct plait_conn *c = sf->conn;
    if (!c->multipath || !c->key_known || key != c->local_key)
        return;
    c->env->counters.MPFastcloseRx++;
    conn_fail(c, PLAIT_E_RESET, PLAIT_WHY_PEER_FASTCLOSE);
}

void closing_subflow_fin(struct subflow *sf, uint64_t now_us)
{
    struct plait_conn *c = sf->conn;
    if (conn_is_tcp(c)) {
        if (sf == c->plain)
            receive_data_fin(c, c->rcv_nxt);
        return;
    }
    if (!c->closing && sf->why == PLAIT_WHY_NONE)
        sf->why = PLAIT_WHY_PEER_CLOSED_SUBFLOW;
    /* The peer sends no more here. Close our half too if the stream can go on
     * elsewhere, or is over; else keep this one for what is left. */
    list_each(other, &c->subflows, struct subflow, link)
        if (other != sf && subflow_usable(other) && tcp_can_receive(&other->tcp)) {
            tcp_close(&sf->tcp, now_us);
            return;
        }
}

void closing_subflow_fin_acked(struct subflow *sf)
{
    struct plait_conn *c = sf->conn;
    if (conn_is_tcp(c) && sf == c->plain && c->fin_queued)
        c->fin_acked = true;
}

/* Our end of the stream, once everything before it is bound. */
static void fin_step(struct plait_conn *c, uint64_t now_us)
{
    if (!c->fin_queued || c->fin_sent || c->snd_nxt != c->snd_end)
        return;
    if (conn_is_tcp(c)) {
        if (c->plain)
            tcp_close(&c->plain->tcp, now_us);
        c->fin_sent = c->plain != NULL;
        return;
    }
    if (c->fin_bound)
        return; /* rides on the last data */
    list_each(sf, &c->subflows, struct subflow, link)
        if (subflow_usable(sf) && !sf->fin_pending) {
            sf->fin_pending = true;
            sf->quiet = false;
        }
}

/* Both directions are over: a FIN on each subflow. */
static void subflows_close(struct plait_conn *c, uint64_t now_us)
{
    c->closing = true;
    list_each(sf, &c->subflows, struct subflow, link) {
        sf->fin_pending = false;
        if (sf->tcp.state == TCP_SYN_SENT || sf->tcp.state == TCP_SYN_RECEIVED)
            subflow_reset(sf, PLAIT_WHY_LOCAL_CLOSE);
        else
            tcp_close(&sf->tcp, now_us);
        tcp_orphan(&sf->tcp, now_us); /* the peer has nothing more to say */
        sf->quiet = false;
    }
    conn_touch(c);
}

static void conn_over(struct plait_conn *c)
{
    c->state = CONN_CLOSED;
    conn_uncount(c);
    conn_event(c, NULL, PLAIT_EV_CONN_CLOSED, PLAIT_WHY_NONE, c->rcv_nxt - c->remote_idsn - 2,
               c->snd_una - c->local_idsn - 1, 0, 0);
    conn_notify(c);
}

void closing_step(struct plait_conn *c, uint64_t now_us)
{
    if (c->state != CONN_ESTABLISHED)
        return;
    if (c->detached && c->recv_bytes) { /* nobody will read it (RFC 1122 4.2.2.13) */
        conn_abort(c, PLAIT_WHY_LOCAL_ABORT);
        return;
    }
    fin_step(c, now_us);
    if (c->fin_acked && c->fin_received && !c->closing)
        subflows_close(c, now_us);
    if (c->subflow_count)
        return;
    if (c->closing)
        conn_over(c);
    else if (c->give_up_us == TIMER_NEVER) /* break before make: wait for a new one */
        c->give_up_us = now_us + c->env->config.close_timeout_us;
}

static bool has_joined_subflow(const struct plait_conn *c)
{
    list_each(sf, &c->subflows, struct subflow, link)
        if (sf->joined && !sf->gone)
            return true;
    return false;
}

/* What does not close within the time is reset: FINs into a dead path would
 * otherwise be repeated for a quarter of an hour. TIME_WAIT runs on. */
static void subflows_give_up(struct plait_conn *c)
{
    list_each(sf, &c->subflows, struct subflow, link)
        if (sf->tcp.state != TCP_TIME_WAIT)
            subflow_reset(sf, PLAIT_WHY_SUBFLOW_TIMEOUT);
}

void closing_tick(struct plait_conn *c, uint64_t now_us)
{
    if (!c->detached && has_joined_subflow(c))
        c->give_up_us = TIMER_NEVER; /* a subflow came back */
    if (c->give_up_us > now_us || c->state == CONN_CLOSED)
        return;
    c->give_up_us = TIMER_NEVER;
    if (c->closing) {
        subflows_give_up(c);
        return;
    }
    c->fastclose = c->multipath && c->key_known;
    conn_fail(c, PLAIT_E_TIMED_OUT, PLAIT_WHY_TIMEOUT);
}

uint64_t closing_deadline(const struct plait_conn *c)
{
    return c->state == CONN_ESTABLISHED ? c->give_up_us : TIMER_NEVER;
}
