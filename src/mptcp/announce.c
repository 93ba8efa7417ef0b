/* SPDX-License-Identifier: MIT
 *
 * Our addresses on their way to the peer (RFC 8684 3.4): which are told, when,
 * on which subflow, how often. Each has a slot of its own, so that several at
 * once are never lost:
 *
 *   ADD_ADDR     repeated after a retransmission timeout, doubling, until its
 *                echo comes or ANNOUNCE_ATTEMPTS_MAX are sent; begun anew when
 *                a subflow is established, which may pass what others did not
 *   REMOVE_ADDR  has no echo: sent WITHDRAW_ATTEMPTS times, each a timeout
 *                apart, all IDs that are due in one option
 *
 * Attempts go over the subflows in turn, those that answer first. They are
 * pure ACKs that repeat an acknowledgment number, and at most two of those
 * leave a subflow in a row (3.4.1): the third waits for a round trip. Nothing
 * is told before the connection is confirmed: the peer could not use it.
 */
#include "mptcp/conn.h"

enum {
    ANNOUNCE_ATTEMPTS_MAX = 6,
    WITHDRAW_ATTEMPTS = 3,
    SIGNALS_IN_A_ROW = 2,
    WITHDRAW_IDS_MAX = 8 /* in one option: leaves room for timestamps */
};

static const struct announcement *find_const(const struct plait_conn *c, uint8_t id, bool withdraw)
{
    for (unsigned i = 0; i < c->announcement_count; i++)
        if (c->announcements[i].id == id && c->announcements[i].withdraw == withdraw)
            return &c->announcements[i];
    return NULL;
}

static struct announcement *find(struct plait_conn *c, uint8_t id, bool withdraw)
{
    return (struct announcement *)find_const(c, id, withdraw);
}

static struct announcement *slot_new(struct plait_conn *c)
{
    if (c->announcement_count == c->announcement_capacity) {
        struct mem *m = &c->env->mem;
        unsigned capacity = c->announcement_capacity ? c->announcement_capacity * 2 : 4;
        struct announcement *grown = mem_alloc(m, capacity * sizeof *grown);
        if (!grown)
            return NULL;
        for (unsigned i = 0; i < c->announcement_count; i++)
            grown[i] = c->announcements[i];
        mem_free(m, c->announcements, c->announcement_capacity * sizeof *grown);
        c->announcements = grown;
        c->announcement_capacity = capacity;
    }
    return &c->announcements[c->announcement_count++];
}

/* Order is kept: a withdrawal goes before what comes after it. */
static void slot_free(struct plait_conn *c, struct announcement *n)
{
    unsigned i = (unsigned)(n - c->announcements);
    for (c->announcement_count--; i < c->announcement_count; i++)
        c->announcements[i] = c->announcements[i + 1];
}

static void dropped(struct plait_conn *c, uint8_t id, enum plait_reason why)
{
    c->env->counters.AddAddrTxDrop++;
    conn_event(c, NULL, PLAIT_EV_ADDR_DROPPED, why, id, 0, 0, 0);
}

/* ---- which and when ---------------------------------------------------------------- */

void announce_endpoint(struct plait_conn *c, uint8_t id, const struct plait_endpoint *at)
{
    struct announcement *n = find(c, id, false);
    if (n && endpoint_equal(&n->at, at) && (n->echoed || n->attempts == 0))
        return; /* the peer has it, or it is on its way */
    if (!n)
        n = slot_new(c);
    if (!n) {
        dropped(c, id, PLAIT_WHY_NO_MEMORY);
        return;
    }
    *n = (struct announcement){.id = id, .at = *at, .pending = true, .resend_us = TIMER_NEVER};
    conn_touch(c);
}

void announce_withdraw(struct plait_conn *c, uint8_t id, bool in_use)
{
    struct announcement *n = find(c, id, false);
    bool known = in_use || (n && n->attempts);
    if (n)
        slot_free(c, n);
    if (!known)
        return; /* never told: nothing to take back */
    n = find(c, id, true);
    if (!n)
        n = slot_new(c);
    if (!n) {
        c->env->counters.RmAddrTxDrop++;
        return;
    }
    *n = (struct announcement){.id = id,
                               .pending = true,
                               .withdraw = true,
                               .resend_us = TIMER_NEVER};
    conn_touch(c);
}

void announce_used(struct plait_conn *c, uint8_t id)
{
    struct announcement *n = find(c, id, true);
    if (n)
        slot_free(c, n);
}

static bool wanted(const struct plait_conn *c, const struct local_addr *l)
{
    const struct plait_config *config = &c->env->config;
    bool announces = c->client ? config->client_announces : config->announce;
    return announces && c->multipath && !l->local.no_announce;
}

/* The peer has it already: it is the first subflow's, or a subflow uses it. */
static bool known_to_peer(const struct plait_conn *c, const struct local_addr *l)
{
    return !l->local.port &&
           (endpoint_is_initial(c, &l->local.addr) || local_in_use(c, &l->local.addr));
}

void announce_local(struct plait_conn *c, const struct local_addr *l)
{
    struct plait_endpoint at = {l->local.addr, l->local.port};
    if (!c->confirmed || !wanted(c, l) || known_to_peer(c, l))
        return;
    if (addr_is_private(&at.addr) && !address_reachable(c, &at.addr)) {
        dropped(c, l->id, PLAIT_WHY_PRIVATE_ADDRESS);
        return;
    }
    announce_endpoint(c, conn_local_id(c, l), &at);
}

void announce_all(struct plait_conn *c)
{
    for (unsigned i = 0; i < c->env->local_count; i++)
        announce_local(c, &c->env->locals[i]);
}

void announce_again(struct plait_conn *c)
{
    for (unsigned i = 0; i < c->announcement_count; i++) {
        struct announcement *n = &c->announcements[i];
        bool given_up = n->attempts == ANNOUNCE_ATTEMPTS_MAX && n->resend_us == TIMER_NEVER;
        if (n->withdraw || n->echoed || !given_up)
            continue;
        n->attempts = 1;
        n->pending = true;
    }
}

void announce_echo_in(struct subflow *sf, const struct mptcp_add_addr *a)
{
    struct plait_conn *c = sf->conn;
    struct announcement *n = find(c, a->addr_id, false);
    if (c->version == 0 || !n || n->attempts == 0 || !addr_equal(&n->at.addr, &a->addr) ||
        n->at.port != a->port) {
        c->env->counters.EchoAddDrop++;
        conn_event(c, sf, PLAIT_EV_ADDR_DROPPED, PLAIT_WHY_NOT_ANNOUNCED, a->addr_id, 0, 0, 0);
        return;
    }
    c->env->counters.EchoAdd++;
    n->echoed = true;
    n->pending = false;
    n->resend_us = TIMER_NEVER;
    conn_event(c, sf, PLAIT_EV_ADDR_RECEIVED, PLAIT_WHY_NONE, a->addr_id, a->port, 1, 0);
}

/* ---- which subflow ------------------------------------------------------------------ */

const struct subflow *signal_path(const struct plait_conn *c, unsigned turn)
{
    unsigned usable = 0, good = 0;
    list_each(sf, &c->subflows, struct subflow, link)
        if (subflow_usable(sf)) {
            usable++;
            good += !sf->stale && !sf->suspect;
        }
    if (usable == 0)
        return NULL;
    turn %= good ? good : usable;
    list_each(sf, &c->subflows, struct subflow, link)
        if (subflow_usable(sf) && (!good || (!sf->stale && !sf->suspect)) && turn-- == 0)
            return sf;
    return NULL;
}

/* One more ACK that only signals would not be one too many in a row. */
bool signal_allowed(const struct subflow *sf)
{
    return sf->signals_in_row < SIGNALS_IN_A_ROW || sf->sent_ack != sf->tcp.rcv_nxt;
}

void signal_sent(struct subflow *sf, const struct tcp_plan *plan, uint64_t now_us)
{
    bool repeats = plan->kind == TCP_PLAN_ACK && plan->seg.ack == sf->sent_ack;
    sf->sent_ack = plan->seg.ack;
    if (!repeats) {
        sf->signals_in_row = 0;
        sf->signal_us = TIMER_NEVER;
    } else if ((plan->seg.mptcp.present & MPO_SIGNALS) &&
               ++sf->signals_in_row >= SIGNALS_IN_A_ROW) {
        uint32_t rtt_us = sf->tcp.rtt.srtt_us ? sf->tcp.rtt.srtt_us : sf->tcp.rtt.rto_us;
        sf->signal_us = now_us + rtt_us;
    }
}

void signal_tick(struct subflow *sf, uint64_t now_us)
{
    if (sf->signal_us > now_us)
        return;
    sf->signal_us = TIMER_NEVER;
    sf->signals_in_row = 0;
}

/* ---- signals out -------------------------------------------------------------------- */

static void add_addr_out(const struct plait_conn *c, const struct announcement *n,
                         struct mptcp_options *o)
{
    struct mptcp_add_addr *a = &o->add_addr[0];
    *a = (struct mptcp_add_addr){.addr = n->at.addr,
                                 .addr_id = n->id,
                                 .has_hmac = c->version >= 1,
                                 .has_port = n->at.port != 0,
                                 .port = n->at.port};
    if (a->has_hmac)
        add_addr_hmac(c->local_key, c->remote_key, n->id, &n->at.addr, n->at.port, a->hmac);
    o->add_addr_count = 1;
    o->present |= MPO_ADD_ADDR;
}

static void remove_addr_out(const struct subflow *sf, struct mptcp_options *o)
{
    const struct plait_conn *c = sf->conn;
    for (unsigned i = 0; i < c->announcement_count; i++) {
        const struct announcement *n = &c->announcements[i];
        if (!n->withdraw || !n->pending || o->remove_addr_count == WITHDRAW_IDS_MAX ||
            sf != signal_path(c, n->attempts))
            continue;
        o->remove_addr[o->remove_addr_count++] = n->id;
        o->present |= MPO_REMOVE_ADDR;
    }
}

bool announce_out(const struct subflow *sf, struct mptcp_options *o)
{
    const struct plait_conn *c = sf->conn;
    if (!signal_allowed(sf))
        return false;
    if (addresses_echo_out(sf, o))
        return true;
    remove_addr_out(sf, o);
    if (o->remove_addr_count)
        return true;
    for (unsigned i = 0; i < c->announcement_count; i++) {
        const struct announcement *n = &c->announcements[i];
        /* An ID is given away again only after the peer was told that it is
         * free (RFC 8684 3.4.1). */
        if (n->withdraw || !n->pending || find_const(c, n->id, true) ||
            sf != signal_path(c, n->attempts))
            continue;
        add_addr_out(c, n, o);
        return true;
    }
    return false;
}

/* A retransmission timeout of the path, doubled for each attempt. */
static uint64_t wait_us(const struct subflow *sf, unsigned attempts)
{
    uint64_t most = sf->conn->env->config.add_addr_timeout_us, wait = sf->tcp.rtt.rto_us;
    wait <<= attempts - 1;
    return wait < most ? wait : most;
}

static void withdrawal_sent(struct subflow *sf, struct announcement *n, uint64_t now_us)
{
    struct plait_conn *c = sf->conn;
    if (n->attempts++ == 0)
        conn_event(c, sf, PLAIT_EV_ADDR_WITHDRAWN, PLAIT_WHY_LOCAL_ADDR_GONE, n->id, 0, 0, 0);
    n->pending = false;
    n->resend_us = now_us + wait_us(sf, n->attempts);
    if (n->attempts == WITHDRAW_ATTEMPTS)
        slot_free(c, n);
}

static void announcement_sent(struct subflow *sf, struct announcement *n, uint64_t now_us)
{
    struct plait_conn *c = sf->conn;
    n->pending = false;
    n->attempts++;
    n->resend_us = now_us + wait_us(sf, n->attempts);
    c->env->counters.AddAddrTx++;
    conn_event(c, sf, PLAIT_EV_ADDR_ANNOUNCED, PLAIT_WHY_NONE, n->id, n->attempts, 0, 0);
}

void announce_sent(struct subflow *sf, const struct mptcp_options *o, uint64_t now_us)
{
    struct plait_conn *c = sf->conn;
    if (o->present & MPO_ADD_ADDR) {
        const struct mptcp_add_addr *a = &o->add_addr[0];
        struct announcement *n = a->echo ? NULL : find(c, a->addr_id, false);
        if (a->echo)
            addresses_echo_sent(sf, a->addr_id);
        else if (n)
            announcement_sent(sf, n, now_us);
    }
    if (!(o->present & MPO_REMOVE_ADDR))
        return;
    c->env->counters.RmAddrTx++;
    for (unsigned i = 0; i < o->remove_addr_count; i++) {
        struct announcement *n = find(c, o->remove_addr[i], true);
        if (n)
            withdrawal_sent(sf, n, now_us);
    }
}

void announce_tick(struct plait_conn *c, uint64_t now_us)
{
    for (unsigned i = 0; i < c->announcement_count; i++) {
        struct announcement *n = &c->announcements[i];
        if (n->resend_us > now_us)
            continue;
        n->resend_us = TIMER_NEVER;
        n->pending = n->withdraw || n->attempts < ANNOUNCE_ATTEMPTS_MAX;
        if (!n->pending && c->version >= 1) /* version 0 has no echo that could be missing */
            dropped(c, n->id, PLAIT_WHY_TIMEOUT);
    }
}

uint64_t announce_deadline(const struct plait_conn *c)
{
    uint64_t at = TIMER_NEVER;
    for (unsigned i = 0; i < c->announcement_count; i++)
        at = c->announcements[i].resend_us < at ? c->announcements[i].resend_us : at;
    return at;
}

void announce_free(struct plait_conn *c)
{
    mem_free(&c->env->mem, c->announcements, c->announcement_capacity * sizeof *c->announcements);
}
