/* SPDX-License-Identifier: MIT
 *
 * Address knowledge (RFC 8684 3.4): what the peer announced, what we
 * announce, and the path manager that turns both into subflows. Several
 * announcements at once are all kept: each has a slot until its echo came or
 * its attempts are used up.
 */
#include "mptcp/conn.h"

#include <assert.h>

/* ---- the peer's addresses ---------------------------------------------------- */

static struct remote_addr *remote_find(struct plait_conn *c, uint8_t id)
{
    for (unsigned i = 0; i < c->remote_count; i++)
        if (c->remotes[i].id == id)
            return &c->remotes[i];
    return NULL;
}

static unsigned remotes_max(const struct plait_conn *c)
{
    unsigned max = c->env->config.addrs_accepted_max;
    return max < REMOTES_MAX ? max : REMOTES_MAX;
}

static struct remote_addr *remote_add(struct plait_conn *c)
{
    if (!c->remotes)
        c->remotes = mem_alloc(&c->env->mem, REMOTES_MAX * sizeof *c->remotes);
    if (!c->remotes || c->remote_count >= remotes_max(c))
        return NULL;
    return &c->remotes[c->remote_count++];
}

static bool announced_usable(const struct plait_addr *a)
{
    return !addr_is_multicast(a) && !addr_is_unspecified(a) && !addr_is_link_local(a);
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

static void add_addr_in(struct subflow *sf, const struct mptcp_add_addr *a, uint64_t now_us)
{
    struct plait_conn *c = sf->conn;
    if (!add_addr_authentic(c, a)) {
        add_addr_refused(c, sf, a->addr_id, PLAIT_WHY_BAD_HMAC);
        return;
    }
    struct remote_addr *r = remote_find(c, a->addr_id);
    if (r && !addr_equal(&r->addr, &a->addr)) { /* an ID stands for one address */
        add_addr_refused(c, sf, a->addr_id, PLAIT_WHY_DUPLICATE);
        return;
    }
    if (r && c->version == 0 && r->port == (a->has_port ? a->port : 0))
        return; /* a repeat: there is no echo that would end them */
    bool fresh = !r;
    if (!r && announced_usable(&a->addr))
        r = remote_add(c);
    if (!r) {
        add_addr_refused(c, sf, a->addr_id,
                         announced_usable(&a->addr) ? PLAIT_WHY_LIMIT : PLAIT_WHY_BAD_ADDRESS);
        return;
    }
    *r = (struct remote_addr){.addr = a->addr,
                              .port = a->has_port ? a->port : 0,
                              .id = a->addr_id,
                              .echo_pending = c->version >= 1};
    c->env->counters.AddAddr++;
    conn_event(c, sf, PLAIT_EV_ADDR_RECEIVED, PLAIT_WHY_NONE, a->addr_id, r->port, 0, 0);
    if (fresh)
        addresses_decide(c, PLAIT_PM_REMOTE_ADDED, now_us);
}

static struct announcement *announcement_find(struct plait_conn *c, uint8_t id)
{
    for (unsigned i = 0; i < c->announcement_count; i++)
        if (c->announcements[i].id == id)
            return &c->announcements[i];
    return NULL;
}

static void echo_in(struct subflow *sf, const struct mptcp_add_addr *a)
{
    struct plait_conn *c = sf->conn;
    struct announcement *n = announcement_find(c, a->addr_id);
    const struct local_addr *l = local_by_id(c->env, a->addr_id);
    if (c->version == 0 || !n || n->withdraw || !l || !addr_equal(&l->local.addr, &a->addr))
        return;
    c->env->counters.EchoAdd++;
    n->pending = false;
    n->resend_us = TIMER_NEVER;
    conn_event(c, sf, PLAIT_EV_ADDR_RECEIVED, PLAIT_WHY_NONE, a->addr_id, a->port, 1, 0);
}

static void remove_addr_in(struct subflow *by, uint8_t id, uint64_t now_us)
{
    struct plait_conn *c = by->conn;
    struct remote_addr *r = remote_find(c, id);
    c->env->counters.RmAddr++;
    conn_event(c, by, PLAIT_EV_ADDR_WITHDRAWN, PLAIT_WHY_PEER_REMOVED_ADDR, id, 1, 0, 0);
    if (r)
        *r = c->remotes[--c->remote_count];
    list_each(sf, &c->subflows, struct subflow, link)
        if (sf->remote_id == id && sf->joined)
            subflow_reset(sf, PLAIT_WHY_PEER_REMOVED_ADDR);
    addresses_decide(c, PLAIT_PM_REMOTE_REMOVED, now_us);
}

void addresses_in(struct subflow *sf, const struct mptcp_options *o, uint64_t now_us)
{
    if (!sf->conn->key_known)
        return;
    if (o->present & MPO_ADD_ADDR)
        for (unsigned i = 0; i < o->add_addr_count; i++) {
            if (o->add_addr[i].echo)
                echo_in(sf, &o->add_addr[i]);
            else
                add_addr_in(sf, &o->add_addr[i], now_us);
        }
    if (o->present & MPO_REMOVE_ADDR)
        for (unsigned i = 0; i < o->remove_addr_count; i++)
            remove_addr_in(sf, o->remove_addr[i], now_us);
}

/* ---- our addresses ------------------------------------------------------------- */

static void announce(struct plait_conn *c, uint8_t id)
{
    struct announcement *n = announcement_find(c, id);
    if (!c->announcements)
        c->announcements = mem_alloc(&c->env->mem, LOCALS_MAX * sizeof *c->announcements);
    if (!c->announcements)
        return;
    if (!n && c->announcement_count < LOCALS_MAX)
        n = &c->announcements[c->announcement_count++];
    if (!n)
        return;
    *n = (struct announcement){.id = id, .pending = true, .resend_us = TIMER_NEVER};
    conn_touch(c);
}

static void withdraw(struct plait_conn *c, uint8_t id)
{
    announce(c, id); /* takes a slot, and is told apart by the flag */
    struct announcement *n = announcement_find(c, id);
    if (n)
        n->withdraw = true;
}

static bool local_in_use(const struct plait_conn *c, const struct plait_addr *addr)
{
    list_each(sf, &c->subflows, struct subflow, link)
        if (addr_equal(&sf->tcp.local.addr, addr))
            return true;
    return false;
}

static bool announce_wanted(const struct plait_conn *c, const struct local_addr *l)
{
    return c->env->config.announce && !c->client && c->multipath && !l->local.no_announce &&
           !endpoint_is_initial(c, &l->local.addr) && !local_in_use(c, &l->local.addr);
}

static void announce_all(struct plait_conn *c)
{
    for (unsigned i = 0; i < c->env->local_count; i++)
        if (announce_wanted(c, &c->env->locals[i]))
            announce(c, c->env->locals[i].id);
}

void addresses_local(struct plait_conn *c, const struct local_addr *local, bool added,
                     uint64_t now_us)
{
    if (!c->multipath || c->state != CONN_ESTABLISHED || c->closing) {
        if (!added)
            list_each(sf, &c->subflows, struct subflow, link)
                if (addr_equal(&sf->tcp.local.addr, &local->local.addr))
                    subflow_failed(sf, TCP_UNREACHABLE);
        return;
    }
    if (added) {
        if (c->confirmed && announce_wanted(c, local))
            announce(c, local->id);
        addresses_decide(c, PLAIT_PM_LOCAL_ADDED, now_us);
        return;
    }
    uint8_t id = endpoint_is_initial(c, &local->local.addr) ? 0 : local->id;
    if (c->confirmed && (announcement_find(c, id) || local_in_use(c, &local->local.addr)))
        withdraw(c, id);
    list_each(sf, &c->subflows, struct subflow, link)
        if (addr_equal(&sf->tcp.local.addr, &local->local.addr))
            subflow_drop(sf, PLAIT_WHY_LOCAL_ADDR_GONE);
    addresses_decide(c, PLAIT_PM_LOCAL_REMOVED, now_us);
}

/* ---- signals out ------------------------------------------------------------------ */

static void add_addr_out(const struct plait_conn *c, const struct local_addr *l,
                         struct mptcp_options *o)
{
    struct mptcp_add_addr *a = &o->add_addr[0];
    *a = (struct mptcp_add_addr){.addr = l->local.addr,
                                 .addr_id = l->id,
                                 .has_hmac = c->version >= 1};
    if (a->has_hmac)
        add_addr_hmac(c->local_key, c->remote_key, l->id, &l->local.addr, 0, a->hmac);
    o->add_addr_count = 1;
    o->present |= MPO_ADD_ADDR;
}

bool addresses_out(const struct subflow *sf, struct mptcp_options *o)
{
    const struct plait_conn *c = sf->conn;
    for (unsigned i = 0; i < c->remote_count; i++) {
        const struct remote_addr *r = &c->remotes[i];
        if (!r->echo_pending)
            continue;
        o->add_addr[0] = (struct mptcp_add_addr){.addr = r->addr,
                                                 .addr_id = r->id,
                                                 .echo = true,
                                                 .has_port = r->port != 0,
                                                 .port = r->port};
        o->add_addr_count = 1;
        o->present |= MPO_ADD_ADDR;
        return true;
    }
    for (unsigned i = 0; i < c->announcement_count; i++) {
        const struct announcement *n = &c->announcements[i];
        const struct local_addr *l = local_by_id(c->env, n->id);
        if (!n->pending)
            continue;
        if (n->withdraw) {
            o->remove_addr[0] = n->id;
            o->remove_addr_count = 1;
            o->present |= MPO_REMOVE_ADDR;
            return true;
        }
        if (l) {
            add_addr_out(c, l, o);
            return true;
        }
    }
    return false;
}

static void announcement_sent(struct subflow *sf, struct announcement *n, uint64_t now_us)
{
    struct plait_conn *c = sf->conn;
    if (n->withdraw) {
        c->env->counters.RmAddrTx++;
        conn_event(c, sf, PLAIT_EV_ADDR_WITHDRAWN, PLAIT_WHY_LOCAL_ADDR_GONE, n->id, 0, 0, 0);
        *n = c->announcements[--c->announcement_count];
        return;
    }
    n->pending = false;
    n->attempts++;
    uint64_t wait = c->env->config.add_addr_timeout_us;
    n->resend_us =
        n->attempts < ANNOUNCE_ATTEMPTS_MAX ? now_us + (wait << (n->attempts - 1)) : TIMER_NEVER;
    c->env->counters.AddAddrTx++;
    conn_event(c, sf, PLAIT_EV_ADDR_ANNOUNCED, PLAIT_WHY_NONE, n->id, n->attempts, 0, 0);
}

void addresses_sent(struct subflow *sf, const struct mptcp_options *o, uint64_t now_us)
{
    struct plait_conn *c = sf->conn;
    bool echo = (o->present & MPO_ADD_ADDR) && o->add_addr[0].echo;
    if (echo) {
        struct remote_addr *r = remote_find(c, o->add_addr[0].addr_id);
        if (r)
            r->echo_pending = false;
        c->env->counters.EchoAddTx++;
        return;
    }
    uint8_t id = (o->present & MPO_ADD_ADDR) ? o->add_addr[0].addr_id : o->remove_addr[0];
    struct announcement *n = announcement_find(c, id);
    if (n)
        announcement_sent(sf, n, now_us);
}

void addresses_tick(struct plait_conn *c, uint64_t now_us)
{
    for (unsigned i = 0; i < c->announcement_count; i++) {
        struct announcement *n = &c->announcements[i];
        if (n->resend_us > now_us)
            continue;
        n->resend_us = TIMER_NEVER;
        n->pending = true;
    }
    if (c->pm_wake_us <= now_us) {
        c->pm_wake_us = TIMER_NEVER; /* also when the connection has no more use for it */
        addresses_decide(c, PLAIT_PM_TIMER, now_us);
    }
}

uint64_t addresses_deadline(const struct plait_conn *c)
{
    uint64_t at = c->pm_wake_us;
    for (unsigned i = 0; i < c->announcement_count; i++)
        at = c->announcements[i].resend_us < at ? c->announcements[i].resend_us : at;
    return at;
}

void addresses_free(struct plait_conn *c)
{
    mem_free(&c->env->mem, c->announcements, LOCALS_MAX * sizeof *c->announcements);
    mem_free(&c->env->mem, c->remotes, REMOTES_MAX * sizeof *c->remotes);
}

/* ---- path manager ------------------------------------------------------------------- */

struct pm_inputs {
    struct plait_pm_addr locals[LOCALS_MAX], remotes[REMOTES_MAX + 1];
    struct plait_pm_view view;
};

static void pm_addresses(const struct plait_conn *c, struct pm_inputs *in)
{
    const struct mptcp_env *env = c->env;
    for (unsigned i = 0; i < env->local_count; i++) {
        const struct plait_local *l = &env->locals[i].local;
        bool initial = endpoint_is_initial(c, &l->addr);
        in->locals[i] = (struct plait_pm_addr){.addr = l->addr,
                                               .link = l->link,
                                               .prefix_len = l->prefix_len,
                                               .id = initial ? 0 : env->locals[i].id,
                                               .backup = l->backup,
                                               .usable = !l->no_subflow};
    }
    in->remotes[0] = (struct plait_pm_addr){.addr = c->remote.addr,
                                            .port = c->remote.port,
                                            .usable = c->client && !c->peer_no_join_initial};
    for (unsigned i = 0; i < c->remote_count; i++) {
        const struct remote_addr *r = &c->remotes[i];
        in->remotes[i + 1] = (struct plait_pm_addr){.addr = r->addr,
                                                    .port = r->port ? r->port : c->remote.port,
                                                    .id = r->id,
                                                    .usable = true};
    }
}

static void pm_subflows(const struct plait_conn *c, struct plait_pm_subflow *out)
{
    list_each(sf, &c->subflows, struct subflow, link)
        *out++ = (struct plait_pm_subflow){.subflow_id = sf->id,
                                           .local_id = sf->local_id,
                                           .remote_id = sf->remote_id,
                                           .local = sf->tcp.local,
                                           .remote = sf->tcp.remote,
                                           .established = sf->joined,
                                           .backup = sf->backup_local || sf->backup_remote};
}

static void pm_apply(struct plait_conn *c, const struct plait_pm_action *a, uint64_t now_us)
{
    struct plait_endpoint local = {a->local.addr, 0};
    switch (a->kind) {
    case PLAIT_PM_OPEN:
        conn_join(c, &local, &a->remote, a->remote_id, a->backup, now_us);
        break;
    case PLAIT_PM_CLOSE:
        list_each(sf, &c->subflows, struct subflow, link)
            if (sf->id == a->subflow_id)
                subflow_reset(sf, PLAIT_WHY_POLICY);
        break;
    case PLAIT_PM_ANNOUNCE:
        announce(c, a->local.id);
        break;
    case PLAIT_PM_WITHDRAW:
        withdraw(c, a->local.id);
        break;
    }
}

void addresses_decide(struct plait_conn *c, enum plait_pm_event event, uint64_t now_us)
{
    struct pm_inputs in;
    struct plait_pm_action actions[PLAIT_PM_ACTIONS_MAX];
    struct mem *m = &c->env->mem;
    unsigned room = c->subflow_count + 1;
    if (!c->multipath || c->state != CONN_ESTABLISHED || c->closing || !conn_may_join(c))
        return;
    if (event == PLAIT_PM_CONFIRMED)
        announce_all(c);
    struct plait_pm_subflow *subflows = mem_alloc(m, room * sizeof *subflows);
    if (!subflows)
        return;
    pm_addresses(c, &in);
    pm_subflows(c, subflows);
    in.view = (struct plait_pm_view){.now_us = now_us,
                                     .client = c->client,
                                     .confirmed = conn_may_join(c),
                                     .locals = in.locals,
                                     .remotes = in.remotes,
                                     .local_count = c->env->local_count,
                                     .remote_count = c->remote_count + 1,
                                     .subflows = subflows,
                                     .subflow_count = c->subflow_count,
                                     .subflow_max = c->env->config.subflows_wanted + 1u};
    c->pm_wake_us = TIMER_NEVER;
    unsigned n = c->pm->decide(c->pm_state, &in.view, event, actions, &c->pm_wake_us);
    mem_free(m, subflows, room * sizeof *subflows);
    assert(n <= PLAIT_PM_ACTIONS_MAX);
    for (unsigned i = 0; i < n; i++)
        pm_apply(c, &actions[i], now_us);
    if (n == PLAIT_PM_ACTIONS_MAX)
        c->pm_wake_us = now_us;
    conn_touch(c);
}
