/* SPDX-License-Identifier: MIT
 *
 * How a connection ends (RFC 8684 3.3.3, 3.5).
 *
 * Gracefully: each end sends a DATA_FIN after its last byte; once both are
 * DATA_ACKed every subflow is closed with a FIN of its own. As plain TCP the
 * first subflow's FIN takes the DATA_FIN's place. The end that was told first
 * lets the other send its FINs first too, so that TIME_WAIT stays with the one
 * that began, on every subflow (RFC 8041 3.6). Abruptly: MP_FASTCLOSE, on RSTs
 * or on ACKs (fastclose.c).
 *
 * Not at all: with no subflow left on which the peer could be heard, the
 * connection waits for a new one, from either end, and for so long only.
 */
#include "mptcp/conn.h"

enum { FINS_WAIT_MIN_US = 1000 * 1000, FINS_WAIT_RTOS = 3 };

int conn_shutdown(struct plait_conn *c, unsigned how)
{
    if ((how & PLAIT_SHUT_RDWR) == 0 || (how & ~(unsigned)PLAIT_SHUT_RDWR))
        return PLAIT_E_INVALID;
    if (c->error)
        return c->error;
    if (c->state == CONN_CLOSED || !conn_may_write(c))
        return PLAIT_E_NOT_CONNECTED;
    c->rd_shut = c->rd_shut || (how & PLAIT_SHUT_RD);
    c->fin_queued = c->fin_queued || (how & PLAIT_SHUT_WR);
    if (c->fin_queued)
        conn_write_blocked(c, false);
    conn_touch(c);
    return 0;
}

/* All subflows that are still exchanging FINs end at once; TIME_WAIT runs on. */
static void subflows_give_up(struct plait_conn *c, enum plait_reason why)
{
    list_each(sf, &c->subflows, struct subflow, link)
        if (sf->tcp.state != TCP_TIME_WAIT)
            subflow_reset(sf, why);
}

void conn_abort(struct plait_conn *c, enum plait_reason why)
{
    if (c->state == CONN_CLOSED)
        return;
    if (c->closing) { /* both ends have everything */
        subflows_give_up(c, why);
        return;
    }
    fastclose_begin(c);
    conn_fail(c, PLAIT_E_ABORTED, why);
}

bool closing_lingered(const struct plait_conn *c)
{
    return c->lingering &&
           (c->fin_acked || c->state == CONN_CLOSED || c->linger_end_us == TIMER_NEVER);
}

int conn_close(struct plait_conn *c, uint64_t now_us)
{
    if (c->linger && c->linger_us == 0)
        conn_abort(c, PLAIT_WHY_LOCAL_ABORT);
    bool unread = c->recv_bytes != 0, wait = c->linger && !c->lingering && !c->fin_acked;
    if (wait && c->state == CONN_ESTABLISHED && !unread) {
        c->lingering = true;
        c->linger_end_us = now_us + c->linger_us;
        conn_shutdown(c, PLAIT_SHUT_RDWR);
        return PLAIT_E_AGAIN;
    }
    conn_detach(c, now_us);
    return 0;
}

void conn_detach(struct plait_conn *c, uint64_t now_us)
{
    c->detached = true;
    c->user = NULL;
    list_remove(&c->ready_link);
    if (c->state == CONN_OPENING || c->recv_bytes)
        conn_abort(c, PLAIT_WHY_LOCAL_ABORT);
    else if (c->state == CONN_ESTABLISHED)
        conn_shutdown(c, PLAIT_SHUT_RDWR);
    if (conn_is_tcp(c) && c->plain)
        tcp_orphan(&c->plain->tcp, now_us);
    c->give_up_us = now_us + c->env->config.close_timeout_us;
    conn_touch(c);
}

void closing_subflow_fin(struct subflow *sf, uint64_t now_us)
{
    struct plait_conn *c = sf->conn;
    if (c->state == CONN_CLOSED)
        return; /* it failed on what came before the FIN: that is no end of the stream */
    if (conn_is_tcp(c)) {
        if (sf == c->plain)
            fallback_fin_in(sf);
        return;
    }
    if (c->closing) { /* the one that subflows_close waited for */
        tcp_close(&sf->tcp, now_us);
        return;
    }
    if (sf->why == PLAIT_WHY_NONE)
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
    if (c->plain_out && sf == c->plain && c->fin_queued)
        c->fin_acked = true;
}

/* Our end of the stream, once everything before it is bound. */
static void fin_step(struct plait_conn *c, uint64_t now_us)
{
    if (!c->fin_queued || c->fin_sent || c->snd_nxt != c->snd_end || c->awake->falling.deciding)
        return;
    if (c->plain_out) {
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

void closing_fin_again(struct plait_conn *c)
{
    if (!c->multipath || !c->fin_sent || c->fin_acked)
        return;
    list_each(sf, &c->subflows, struct subflow, link)
        sf->fin_pending = subflow_usable(sf);
}

/* How long the end that closes passively waits for the peer's FINs: they come
 * with the DATA_ACK of its DATA_FIN, or were lost with it. */
static uint64_t fins_wait_us(const struct plait_conn *c)
{
    uint64_t rto = 0, least = FINS_WAIT_MIN_US;
    list_each(sf, &c->subflows, struct subflow, link)
        rto = sf->tcp.rtt.rto_us > rto ? sf->tcp.rtt.rto_us : rto;
    return rto * FINS_WAIT_RTOS > least ? rto * FINS_WAIT_RTOS : least;
}

/* Our FINs on the subflows that do not wait for the peer's. */
static void fins_send(struct plait_conn *c, bool wait, uint64_t now_us)
{
    list_each(sf, &c->subflows, struct subflow, link)
        if (!wait || !sf->joined || !tcp_can_receive(&sf->tcp)) {
            tcp_close(&sf->tcp, now_us);
            sf->quiet = false;
        }
    conn_touch(c);
}

/* Both directions are over: a FIN on each subflow. */
static void subflows_close(struct plait_conn *c, uint64_t now_us)
{
    c->closing = true;
    list_each(sf, &c->subflows, struct subflow, link) {
        sf->fin_pending = false;
        if (sf->tcp.state == TCP_SYN_SENT || sf->tcp.state == TCP_SYN_RECEIVED)
            subflow_reset(sf, PLAIT_WHY_LOCAL_CLOSE);
        tcp_orphan(&sf->tcp, now_us); /* the peer has nothing more to say */
    }
    c->fins_at_us = c->passive ? now_us + fins_wait_us(c) : TIMER_NEVER;
    fins_send(c, c->passive, now_us);
}

static void conn_over(struct plait_conn *c)
{
    c->state = CONN_CLOSED;
    conn_uncount(c);
    conn_event(c, NULL, PLAIT_EV_CONN_CLOSED, PLAIT_WHY_NONE, conn_bytes_received(c),
               conn_bytes_acked(c), 0, 0);
    conn_notify(c);
}

/* The peer can still be heard; once its stream has ended, spoken to. */
static bool reachable(const struct plait_conn *c)
{
    list_each(sf, &c->subflows, struct subflow, link)
        if (sf->joined && !sf->gone &&
            (c->fin_received ? tcp_can_send(&sf->tcp) : tcp_can_receive(&sf->tcp)))
            return true;
    return false;
}

/* Break before make (RFC 8684 3.3.3): the clock runs while nothing can come, or
 * joins are answered and data is not. For plain TCP there is no other subflow to wait for. */
static void break_step(struct plait_conn *c, uint64_t now_us)
{
    if (conn_is_tcp(c)) {
        if (c->subflow_count == 0)
            conn_fail(c, PLAIT_E_TIMED_OUT, PLAIT_WHY_TIMEOUT);
        return;
    }
    if (c->detached || (c->early && c->initial))
        return; /* conn_detach's clock runs in any case, or the handshake's (half_open.c) */
    if (reachable(c) && !c->in_vain)
        c->give_up_us = TIMER_NEVER;
    else if (c->give_up_us == TIMER_NEVER)
        c->give_up_us = now_us + c->break_timeout_us;
}

void closing_progress(struct plait_conn *c)
{
    const struct plait_config *config = &c->env->config;
    c->in_vain = false;
    if (c->give_up_us != TIMER_NEVER) /* nobody is hurried whose peer still takes what is queued */
        c->give_up_us =
            c->env->now_us + (c->detached ? config->close_timeout_us : c->break_timeout_us);
}

void closing_step(struct plait_conn *c, uint64_t now_us)
{
    if (c->state != CONN_ESTABLISHED)
        return;
    if ((c->detached || c->lingering) && c->recv_bytes && !c->closing) {
        conn_abort(c, PLAIT_WHY_LOCAL_ABORT); /* nobody will read it (RFC 1122 4.2.2.13) */
        return;
    }
    fin_step(c, now_us);
    if (c->fin_acked && c->fin_received && !c->closing)
        subflows_close(c, now_us);
    if (!c->closing)
        break_step(c, now_us);
    else if (c->subflow_count == 0)
        conn_over(c);
}

void closing_tick(struct plait_conn *c, uint64_t now_us)
{
    if (c->state != CONN_ESTABLISHED)
        return;
    if (c->linger_end_us <= now_us) {
        c->linger_end_us = TIMER_NEVER;
        conn_notify(c);
    }
    if (c->fins_at_us <= now_us) {
        c->fins_at_us = TIMER_NEVER;
        fins_send(c, false, now_us);
    }
    if (c->give_up_us > now_us)
        return;
    c->give_up_us = TIMER_NEVER;
    if (c->closing) { /* FINs into a dead path would be repeated for a quarter of an hour */
        subflows_give_up(c, PLAIT_WHY_SUBFLOW_TIMEOUT);
        return;
    }
    fastclose_begin(c);
    conn_fail(c, PLAIT_E_TIMED_OUT, c->subflow_count ? PLAIT_WHY_TIMEOUT : PLAIT_WHY_NO_SUBFLOW);
}

uint64_t closing_deadline(const struct plait_conn *c)
{
    if (c->state != CONN_ESTABLISHED)
        return TIMER_NEVER;
    uint64_t at = c->give_up_us < c->fins_at_us ? c->give_up_us : c->fins_at_us;
    return at < c->linger_end_us ? at : c->linger_end_us;
}
