/* SPDX-License-Identifier: MIT
 *
 * The peer's addresses (RFC 8684 3.4): what ADD_ADDR and MP_JOIN told, until
 * REMOVE_ADDR or the end. An address is soft state: at most
 * addrs_accepted_max are kept, and every ADD_ADDR that is dropped is counted
 * with its reason. An ID stands for one address; another port under it is a
 * new place to connect to, and a repeat means: try again.
 *
 * REMOVE_ADDR could be forged by whoever sees one subflow. So the address is
 * forgotten at once, but a subflow that uses it ends only when it does not
 * answer keepalives either (3.4.2).
 */
#include "mptcp/conn.h"

/* Linux answers old sequence numbers no more often than every half second
 * (net.ipv4.tcp_invalid_ratelimit). */
enum { REMOVAL_PROBES = 3, REMOVAL_PROBE_MIN_US = 600 * 1000 };

static struct remote_addr *remote_find(struct plait_conn *c, uint8_t id)
{
    for (unsigned i = 0; i < c->remote_count; i++)
        if (c->remotes[i].id == id)
            return &c->remotes[i];
    return NULL;
}

static struct remote_addr *remote_add(struct plait_conn *c)
{
    if (c->remote_count >= c->env->config.addrs_accepted_max)
        return NULL;
    if (c->remote_count == c->remote_capacity) {
        struct mem *m = &c->env->mem;
        unsigned capacity = c->remote_capacity ? c->remote_capacity * 2 : 4;
        struct remote_addr *grown = mem_alloc(m, capacity * sizeof *grown);
        if (!grown)
            return NULL;
        for (unsigned i = 0; i < c->remote_count; i++)
            grown[i] = c->remotes[i];
        mem_free(m, c->remotes, c->remote_capacity * sizeof *grown);
        c->remotes = grown;
        c->remote_capacity = capacity;
    }
    return &c->remotes[c->remote_count++];
}

/* ---- ADD_ADDR --------------------------------------------------------------------- */

/* Nobody can be reached there from another host. */
static bool announced_usable(const struct plait_conn *c, const struct plait_addr *a)
{
    if (addr_is_loopback(a) && !addr_is_loopback(&c->remote.addr))
        return false;
    if (local_find(c->env, a) && !local_find(c->env, &c->remote.addr))
        return false; /* that is us */
    return !addr_is_multicast(a) && !addr_is_unspecified(a) && !addr_is_link_local(a);
}

bool address_reachable(const struct plait_conn *c, const struct plait_addr *theirs)
{
    const struct mptcp_env *env = c->env;
    if (!addr_is_private(theirs) || addr_is_private(&c->remote.addr))
        return true;
    for (unsigned i = 0; i < env->local_count; i++) {
        const struct plait_local *l = &env->locals[i].local;
        if (addr_same_network(&l->addr, theirs, l->prefix_len) ||
            addr_same_network(&l->addr, &c->remote.addr, l->prefix_len))
            return true;
    }
    return false;
}

static void add_addr_refused(struct plait_conn *c, struct subflow *sf, uint8_t id,
                             enum plait_reason why)
{
    c->env->counters.AddAddrDrop++;
    conn_event(c, sf, PLAIT_EV_ADDR_DROPPED, why, id, 0, 0, 0);
}

/* Version 0 has its own form, without an HMAC (RFC 6824 3.4.1). */
static bool add_addr_authentic(const struct plait_conn *c, const struct mptcp_add_addr *a)
{
    uint8_t expected[HMAC_ADD_ADDR_LEN];
    if (c->version == 0)
        return !a->has_hmac && !a->echo;
    add_addr_hmac(c->remote_key, c->local_key, a->addr_id, &a->addr, a->has_port ? a->port : 0,
                  expected);
    return a->has_hmac && hmac_equal(expected, a->hmac, sizeof expected);
}

/* Where to connect to when no port was told: where the subflow goes on which
 * the address came (RFC 8684 3.4.1), if that is a port that listens. */
static uint16_t announced_port(const struct subflow *sf, const struct mptcp_add_addr *a)
{
    if (a->has_port)
        return a->port;
    return sf->kind == SUBFLOW_JOIN_IN ? sf->conn->remote.port : sf->tcp.remote.port;
}

/* Whether an ID may come with this address and port. What is under it already
 * is *known, or NULL. */
static enum plait_reason add_addr_check(const struct subflow *sf, const struct mptcp_add_addr *a,
                                        const struct remote_addr *known)
{
    const struct plait_conn *c = sf->conn;
    if (a->has_port && a->port == 0)
        return PLAIT_WHY_BAD_ADDRESS;
    if (!announced_usable(c, &a->addr))
        return PLAIT_WHY_BAD_ADDRESS;
    if (known && !addr_equal(&known->addr, &a->addr))
        return PLAIT_WHY_DUPLICATE;
    if (a->addr_id == 0 && !known && !addr_equal(&c->remote.addr, &a->addr))
        return PLAIT_WHY_DUPLICATE; /* ID 0 is the first subflow's (3.2) */
    return PLAIT_WHY_NONE;
}

static void add_addr_in(struct subflow *sf, const struct mptcp_add_addr *a, uint64_t now_us)
{
    struct plait_conn *c = sf->conn;
    struct remote_addr *r = remote_find(c, a->addr_id);
    bool known = r != NULL;
    enum plait_reason why =
        add_addr_authentic(c, a) ? add_addr_check(sf, a, r) : PLAIT_WHY_BAD_HMAC;
    if (!why && !r) {
        r = remote_add(c);
        why = r ? PLAIT_WHY_NONE : PLAIT_WHY_LIMIT;
    }
    if (why) {
        add_addr_refused(c, sf, a->addr_id, why);
        return;
    }
    if (c->version == 0 && known && r->port == announced_port(sf, a))
        return; /* RFC 6824 3.4.1: without an echo, repeats are usual */
    *r = (struct remote_addr){.addr = a->addr,
                              .port = announced_port(sf, a),
                              .id = a->addr_id,
                              .has_port = a->has_port,
                              .echo_pending = c->version >= 1,
                              .echo_on = sf->id};
    c->env->counters.AddAddr++;
    c->env->counters.PortAdd += a->has_port;
    bool reachable = address_reachable(c, &a->addr);
    conn_event(c, sf, PLAIT_EV_ADDR_RECEIVED,
               reachable ? PLAIT_WHY_NONE : PLAIT_WHY_PRIVATE_ADDRESS, a->addr_id, a->port, 0, 0);
    if (a->addr_id == 0)
        c->peer_initial_removed = false;
    paths_decide(c, PLAIT_PM_REMOTE_ADDED, &(struct plait_pm_news){.id = a->addr_id}, now_us);
}

/* ---- REMOVE_ADDR ------------------------------------------------------------------- */

/* What is heard after the first probe may have been under way before; so
 * there is a second in any case. */
static void removal_probe(struct subflow *sf, uint64_t now_us)
{
    uint64_t wait = sf->tcp.rtt.rto_us;
    wait = wait > REMOVAL_PROBE_MIN_US ? wait : REMOVAL_PROBE_MIN_US;
    sf->removal_probes++;
    sf->removal_since_us = now_us;
    sf->removal_us = now_us + wait;
    tcp_want_probe(&sf->tcp);
    sf->quiet = false;
}

/* The peer says that its address under this subflow is gone: until it answers
 * a keepalive others carry its data. */
static void removal_begin(struct subflow *sf, uint64_t now_us)
{
    if (!tcp_can_send(&sf->tcp) && !tcp_can_receive(&sf->tcp)) {
        subflow_reset(sf, PLAIT_WHY_PEER_REMOVED_ADDR);
        return;
    }
    sf->removal_probes = 0;
    sf->suspect = true;
    subflow_reinject(sf, PLAIT_WHY_PEER_REMOVED_ADDR);
    removal_probe(sf, now_us);
}

void addresses_removal_tick(struct subflow *sf, uint64_t now_us)
{
    if (sf->removal_us > now_us)
        return;
    sf->removal_us = TIMER_NEVER;
    bool heard = sf->tcp.receiver.heard_us > sf->removal_since_us;
    if (heard && sf->removal_probes > 1) { /* alive: for the peer to close */
        sf->suspect = false;
        conn_event(sf->conn, sf, PLAIT_EV_SUBFLOW_RECOVERED, PLAIT_WHY_PEER_REMOVED_ADDR, 0, 0, 0,
                   0);
    } else if (sf->removal_probes < REMOVAL_PROBES) {
        removal_probe(sf, now_us);
    } else {
        subflow_reset(sf, PLAIT_WHY_PEER_REMOVED_ADDR);
    }
}

static void remove_addr_in(struct subflow *by, uint8_t id, uint64_t now_us)
{
    struct plait_conn *c = by->conn;
    struct remote_addr *r = remote_find(c, id);
    bool known = r != NULL || (id == 0 && !c->peer_initial_removed);
    if (r)
        *r = c->remotes[--c->remote_count];
    if (id == 0)
        c->peer_initial_removed = true;
    list_each(sf, &c->subflows, struct subflow, link)
        if (sf->remote_id == id && sf->joined && !sf->gone && sf->removal_us == TIMER_NEVER) {
            known = true;
            removal_begin(sf, now_us);
        }
    if (!known) { /* silently ignored (3.4.2): also a repeat */
        c->env->counters.RmAddrDrop++;
        return;
    }
    c->env->counters.RmAddr++;
    conn_event(c, by, PLAIT_EV_ADDR_WITHDRAWN, PLAIT_WHY_PEER_REMOVED_ADDR, id, 1, 0, 0);
    paths_decide(c, PLAIT_PM_REMOTE_REMOVED, &(struct plait_pm_news){.id = id}, now_us);
}

void addresses_in(struct subflow *sf, const struct mptcp_options *o, uint64_t now_us)
{
    if (!sf->conn->key_known)
        return;
    if (o->present & MPO_ADD_ADDR)
        for (unsigned i = 0; i < o->add_addr_count; i++) {
            if (o->add_addr[i].echo)
                announce_echo_in(sf, &o->add_addr[i]);
            else
                add_addr_in(sf, &o->add_addr[i], now_us);
        }
    if (o->present & MPO_REMOVE_ADDR)
        for (unsigned i = 0; i < o->remove_addr_count; i++)
            remove_addr_in(sf, o->remove_addr[i], now_us);
}

/* ---- echoes ------------------------------------------------------------------------- */

/* The echo goes back where the announcement came from, or elsewhere once that
 * subflow is gone. */
static bool echo_goes_by(const struct subflow *sf, const struct remote_addr *r)
{
    if (sf->id == r->echo_on)
        return true;
    list_each(other, &sf->conn->subflows, struct subflow, link)
        if (other->id == r->echo_on && subflow_usable(other))
            return false;
    return sf == signal_path(sf->conn, 0);
}

bool addresses_echo_out(const struct subflow *sf, struct mptcp_options *o)
{
    const struct plait_conn *c = sf->conn;
    for (unsigned i = 0; i < c->remote_count; i++) {
        const struct remote_addr *r = &c->remotes[i];
        if (!r->echo_pending || !echo_goes_by(sf, r))
            continue;
        o->add_addr[0] = (struct mptcp_add_addr){.addr = r->addr,
                                                 .addr_id = r->id,
                                                 .echo = true,
                                                 .has_port = r->has_port,
                                                 .port = r->has_port ? r->port : 0};
        o->add_addr_count = 1;
        o->present |= MPO_ADD_ADDR;
        return true;
    }
    return false;
}

void addresses_echo_sent(struct subflow *sf, uint8_t id)
{
    struct remote_addr *r = remote_find(sf->conn, id);
    if (r)
        r->echo_pending = false;
    sf->conn->env->counters.EchoAddTx++;
}

void addresses_free(struct plait_conn *c)
{
    mem_free(&c->env->mem, c->remotes, c->remote_capacity * sizeof *c->remotes);
}
