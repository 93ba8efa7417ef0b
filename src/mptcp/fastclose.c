/* SPDX-License-Identifier: MIT
 *
 * MP_FASTCLOSE on an ACK (RFC 8684 3.5 option A; RFC 6824 3.5 knows no other
 * way): the connection is over for the application at once, the other subflows
 * are reset, and one is kept to repeat the ACK until the peer's RST comes. When
 * the attempts are used up it ends with a RST that carries the option itself.
 * Option R, RSTs with the option on every subflow, needs nothing of this.
 *
 * Invariant: fastclose_on is a subflow of a closed connection; nothing but
 * these ACKs is sent on it, and its own timers do not run.
 */
#include "mptcp/conn.h"

enum { FASTCLOSE_RETRIES = 3 };

/* The subflow most likely to bring an answer soon. */
static struct subflow *carrier(const struct plait_conn *c)
{
    struct subflow *best = NULL;
    list_each(sf, &c->subflows, struct subflow, link) {
        if (sf->gone || !sf->joined || !(tcp_can_send(&sf->tcp) || tcp_can_receive(&sf->tcp)))
            continue;
        if (!best || (best->stale && !sf->stale) ||
            (best->stale == sf->stale && sf->tcp.rtt.srtt_us < best->tcp.rtt.srtt_us))
            best = sf;
    }
    return best;
}

void fastclose_begin(struct plait_conn *c)
{
    if (!c->multipath || !c->key_known)
        return;
    /* In the place of a handshake's last ACK it would not be understood. */
    bool on_ack = c->confirmed && (c->version == 0 || c->env->config.fastclose_ack);
    c->fastclose_on = on_ack ? carrier(c) : NULL;
    c->fastclose = c->fastclose_on == NULL;
    c->fastclose_us = c->env->now_us;
}

/* No answer, or not any more: RST with the option, which clears what state
 * there is on the way. */
static void give_up(struct plait_conn *c)
{
    struct subflow *sf = c->fastclose_on;
    c->fastclose_on = NULL;
    c->fastclose = true;
    subflow_reset(sf, PLAIT_WHY_LOCAL_ABORT);
}

void fastclose_tick(struct plait_conn *c, uint64_t now_us)
{
    if (c->fastclose_on && c->fastclose_us <= now_us && c->fastclose_sent > FASTCLOSE_RETRIES)
        give_up(c);
}

uint64_t fastclose_deadline(const struct plait_conn *c)
{
    return c->fastclose_on ? c->fastclose_us : TIMER_NEVER;
}

bool fastclose_due(const struct subflow *sf, uint64_t now_us)
{
    const struct plait_conn *c = sf->conn;
    return c->fastclose_us <= now_us && c->fastclose_sent <= FASTCLOSE_RETRIES;
}

void fastclose_sent(struct subflow *sf, uint64_t now_us)
{
    struct plait_conn *c = sf->conn;
    uint64_t wait_us = (uint64_t)sf->tcp.rtt.rto_us << c->fastclose_sent;
    c->fastclose_us = now_us + (wait_us < DATA_RTO_MAX_US ? wait_us : DATA_RTO_MAX_US);
    c->fastclose_sent++;
}

void fastclose_in(struct subflow *sf, uint64_t key)
{
    struct plait_conn *c = sf->conn;
    if (!c->multipath || !c->key_known || key != c->local_key)
        return;
    c->env->counters.MPFastcloseRx++;
    if (c->fastclose_on) { /* both at once: a RST answers for this end too */
        struct subflow *on = c->fastclose_on;
        c->fastclose_on = NULL;
        subflow_reset(on, PLAIT_WHY_PEER_FASTCLOSE);
    }
    conn_fail(c, PLAIT_E_RESET, PLAIT_WHY_PEER_FASTCLOSE);
}
