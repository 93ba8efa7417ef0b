/* SPDX-License-Identifier: MIT
 *
 * Life of connections and subflows: how they come to be, how they end, and
 * the one place where they are freed (conn_finish).
 */
#include "mptcp/conn.h"

#include <assert.h>
#include <string.h>

#include "base/addr.h"
#include "mptcp/sleep.h"

void conn_event(struct plait_conn *c, struct subflow *sf, enum plait_event_type type,
                enum plait_reason why, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
    if (!c->env->config.sink.emit)
        return;
    struct plait_event e = {.time_us = c->env->now_us,
                            .type = type,
                            .why = why,
                            .conn_id = c->id,
                            .subflow_id = sf ? sf->id : 0,
                            .local = sf ? sf->tcp.local : c->local,
                            .remote = sf ? sf->tcp.remote : c->remote,
                            .arg = {a0, a1, a2, a3}};
    env_event(c->env, &e);
}

void conn_touch(struct plait_conn *c)
{
    if (!list_linked(&c->finished_link))
        list_append(&c->env->finished, &c->finished_link);
    if (!list_linked(&c->sending_link))
        list_append(&c->env->sending, &c->sending_link);
    list_each(sf, &c->subflows, struct subflow, link)
        sf->quiet = false;
}

static void conn_init_lists(struct plait_conn *c)
{
    list_init(&c->link);
    list_init(&c->sending_link);
    list_init(&c->ready_link);
    list_init(&c->finished_link);
    list_init(&c->accept_link);
    list_init(&c->subflows);
    list_init(&c->send_queue);
    list_init(&c->reinject);
    list_init(&c->recv_queue);
    list_init(&c->ooo_queue);
}

struct plait_conn *conn_new(struct mptcp_env *env, const struct conn_setup *setup, int *error)
{
    struct plait_conn *c = NULL;
    *error = PLAIT_E_LIMIT;
    if (env->conn_count < env->config.conns_max) {
        c = mem_alloc(&env->mem, sizeof *c);
        *error = PLAIT_E_NO_MEMORY;
    }
    if (!c)
        return NULL;
    conn_init_lists(c);
    c->env = env;
    if (!conn_new_awake(c) || !timers_reserve(&env->timers, &c->timer)) {
        conn_free_awake(c);
        mem_free(&env->mem, c, sizeof *c);
        return NULL;
    }
    c->active_us = env->now_us;
    c->id = ++env->next_conn_id;
    c->client = setup->client;
    c->multipath = setup->multipath;
    c->nagle = setup->nagle;
    c->fastopen = setup->fastopen;
    c->linger = setup->linger;
    c->linger_us = setup->linger_us;
    c->break_timeout_us = setup->break_timeout_us;
    c->opens = setup->opens;
    c->no_join_initial = setup->no_join_initial;
    c->version_choice = setup->version;
    c->version = setup->version == PLAIT_VERSION_0 ? 0 : 1;
    plugins_begin(c, setup);
    c->heuristics = setup->heuristics;
    c->send_buffer = env->config.send_buffer_bytes;
    c->recv_buffer = env->config.recv_buffer_bytes;
    c->dsn64 = env->config.dsn64;
    c->fallback_why = setup->multipath ? PLAIT_WHY_NONE : PLAIT_WHY_DISABLED;
    c->data_rto_us = c->give_up_us = c->fins_at_us = c->linger_end_us = TIMER_NEVER;
    c->pm_wake_us = c->pace_us = TIMER_NEVER;
    c->locals_told = env->locals_changes;
    list_append(&env->conns, &c->link);
    env->conn_count++;
    *error = 0;
    return c;
}

/* ---- subflows --------------------------------------------------------------- */

bool conn_has_joined(const struct plait_conn *c)
{
    list_each(sf, &c->subflows, struct subflow, link)
        if (sf->joined && !sf->gone)
            return true;
    return false;
}

struct subflow *subflow_by_id(const struct plait_conn *c, uint32_t id)
{
    list_each(sf, &c->subflows, struct subflow, link)
        if (sf->id == id && !sf->gone)
            return sf;
    return NULL;
}

bool subflow_usable(const struct subflow *sf)
{
    return !sf->gone && (sf->joined || sf->tcp.early) && tcp_can_send(&sf->tcp);
}

static bool others(const struct subflow *sf, bool stale_too)
{
    list_each(other, &sf->conn->subflows, struct subflow, link)
        if (other != sf && subflow_usable(other) && (stale_too || !other->stale))
            return true;
    return false;
}

bool subflow_alone(const struct subflow *sf)
{
    return !others(sf, true);
}

bool subflow_replaced(const struct subflow *sf)
{
    return others(sf, false);
}

static void arrays_free(struct mem *m, struct conn_arrays *a)
{
    mem_free(m, a->views, a->capacity * sizeof *a->views);
    mem_free(m, a->groups, a->capacity * sizeof *a->groups);
    mem_free(m, a->paths, a->capacity * sizeof *a->paths);
    mem_free(m, a->subflows, a->capacity * sizeof *a->subflows);
    *a = (struct conn_arrays){0};
}

static bool arrays_grow(struct mem *m, struct conn_arrays *a)
{
    struct conn_arrays grown = {.capacity = a->capacity * 2 + 2};
    grown.views = mem_alloc(m, grown.capacity * sizeof *a->views);
    grown.groups = mem_alloc(m, grown.capacity * sizeof *a->groups);
    grown.paths = mem_alloc(m, grown.capacity * sizeof *a->paths);
    grown.subflows = mem_alloc(m, grown.capacity * sizeof *a->subflows);
    if (!grown.views || !grown.groups || !grown.paths || !grown.subflows) {
        arrays_free(m, &grown);
        return false;
    }
    arrays_free(m, a);
    *a = grown;
    return true;
}

bool conn_reserve_arrays(struct plait_conn *c)
{
    while (c->subflow_count > c->awake->arrays.capacity)
        if (!arrays_grow(&c->env->mem, &c->awake->arrays))
            return false;
    return true;
}

bool conn_new_awake(struct plait_conn *c)
{
    c->awake = mem_alloc(&c->env->mem, sizeof *c->awake);
    if (!c->awake)
        return false;
    holding_init(&c->awake->holding, c);
    fallback_forget(c);
    return true;
}

void conn_free_awake(struct plait_conn *c)
{
    if (!c->awake)
        return;
    holding_end(c);
    conn_write_blocked(c, false);
    arrays_free(&c->env->mem, &c->awake->arrays);
    mem_free(&c->env->mem, c->awake, sizeof *c->awake);
    c->awake = NULL;
}

/* Give each subflow its slot in the arrays that congestion controls see. */
bool conn_regroup(struct plait_conn *c)
{
    if (!conn_reserve_arrays(c))
        return false;
    unsigned i = 0;
    list_each(sf, &c->subflows, struct subflow, link) {
        c->awake->arrays.groups[i] =
            (struct plait_cc_group){c->awake->arrays.views, c->subflow_count, i};
        tcp_set_group(&sf->tcp, &c->awake->arrays.views[i], &c->awake->arrays.groups[i]);
        i++;
    }
    return true;
}

uint16_t local_mtu(const struct mptcp_env *env, const struct plait_addr *addr)
{
    const struct local_addr *l = local_find(env, addr);
    return l && l->local.mtu ? l->local.mtu : 1500;
}

static void subflow_release(struct subflow *sf)
{
    struct mptcp_env *env = sf->conn->env;
    receive_free_subflow(sf);
    half_open_done(sf);
    hash_remove(&env->flows, &sf->flow);
    tcp_free(&sf->tcp);
    list_remove(&sf->link);
    sf->conn->subflow_count--;
    env->subflow_count--;
    pool_put(&env->subflows, sf);
}

/* The number of a pair of addresses: that of an earlier subflow between them,
 * as far as any is remembered, else the next one. */
static unsigned path_order(const struct plait_conn *c, const struct plait_addr *local,
                           const struct plait_addr *remote)
{
    unsigned next = 0;
    for (unsigned i = 0; i < c->history_count; i++) {
        const struct plait_subflow_info *h = &c->history[i];
        if (addr_equal(&h->local.addr, local) && addr_equal(&h->remote.addr, remote))
            return h->order;
        next = h->order >= next ? h->order + 1 : next;
    }
    list_each(sf, &c->subflows, struct subflow, link) {
        if (addr_equal(&sf->tcp.local.addr, local) && addr_equal(&sf->tcp.remote.addr, remote))
            return sf->order;
        next = sf->order >= next ? sf->order + 1 : next;
    }
    return next;
}

struct subflow *subflow_new(struct plait_conn *c, enum subflow_kind kind,
                            const struct plait_endpoint *local, const struct plait_endpoint *remote,
                            uint64_t now_us)
{
    struct mptcp_env *env = c->env;
    bool room = c->state == CONN_OPENING || c->subflow_count < env->config.subflows_max;
    if (!room || flow_taken(env, local, remote))
        return NULL;
    struct subflow *sf = pool_get(&env->subflows);
    if (!sf)
        return NULL;
    sf->conn = c;
    sf->kind = kind;
    sf->id = ++c->next_subflow_id;
    sf->order = path_order(c, &local->addr, &remote->addr);
    sf->join_ack_us = sf->plain_us = sf->unmapped_us = TIMER_NEVER;
    sf->signal_us = sf->removal_us = sf->prio_us = sf->nat.due_us = TIMER_NEVER;
    sf->taken_ssn = 1;
    sf->created_us = now_us;
    list_init(&sf->half_open_link);
    list_init(&sf->mappings);
    list_init(&sf->held);
    tcp_init(&sf->tcp, &env->tcp, &env->tcp_config, c->cc, local, remote,
             local_mtu(env, &local->addr), now_us);
    hash_insert(&env->flows, &sf->flow, flow_hash(env, local, remote));
    list_append(&c->subflows, &sf->link);
    c->subflow_count++;
    env->subflow_count++;
    if (!conn_regroup(c)) {
        tcp_set_group(&sf->tcp, NULL, NULL);
        subflow_release(sf);
        return NULL;
    }
    c->subflow_total++;
    conn_touch(c);
    return sf;
}

/* Keep the numbers of a subflow that ends. */
static void subflow_remember(struct subflow *sf)
{
    struct plait_conn *c = sf->conn;
    if (!c->history)
        c->history = mem_alloc(&c->env->mem, SUBFLOWS_HISTORY_MAX * sizeof *c->history);
    if (!c->history || c->detached)
        return;
    struct plait_subflow_info *slot;
    if (c->history_count < SUBFLOWS_HISTORY_MAX) {
        slot = &c->history[c->history_count++];
    } else {
        memmove(c->history, c->history + 1, (SUBFLOWS_HISTORY_MAX - 1) * sizeof *c->history);
        slot = &c->history[SUBFLOWS_HISTORY_MAX - 1];
    }
    subflow_info(sf, slot);
    slot->closed = true;
    slot->established = false;
    slot->why = sf->why;
}

static enum plait_reason tcp_error_reason(enum tcp_error e)
{
    switch (e) {
    case TCP_REFUSED:
    case TCP_RESET:
        return PLAIT_WHY_PEER_RESET;
    case TCP_TIMED_OUT:
        return PLAIT_WHY_TIMEOUT;
    case TCP_UNREACHABLE:
        return PLAIT_WHY_UNREACHABLE;
    case TCP_NO_MEMORY:
        return PLAIT_WHY_NO_MEMORY;
    case TCP_ABORTED:
    case TCP_NO_ERROR:
        break;
    }
    return PLAIT_WHY_LOCAL_CLOSE;
}

static int tcp_error_public(enum tcp_error e)
{
    switch (e) {
    case TCP_REFUSED:
        return PLAIT_E_REFUSED;
    case TCP_TIMED_OUT:
        return PLAIT_E_TIMED_OUT;
    case TCP_UNREACHABLE:
        return PLAIT_E_UNREACHABLE;
    case TCP_NO_MEMORY:
        return PLAIT_E_NO_MEMORY;
    case TCP_ABORTED:
        return PLAIT_E_ABORTED;
    case TCP_RESET:
    case TCP_NO_ERROR:
        break;
    }
    return PLAIT_E_RESET;
}

/* No subflow is left, and a join is refused where the peer once accepted the
 * connection, or with the words for an unknown token: it has forgotten it. */
static bool peer_forgot(const struct subflow *sf)
{
    const struct plait_conn *c = sf->conn;
    bool no_token = sf->peer_told && sf->told.reason == RST_MPTCP && !sf->told.transient;
    bool there = c->client && endpoint_equal(&sf->tcp.remote, &c->remote);
    return sf->kind == SUBFLOW_JOIN_OUT && !sf->joined && !conn_has_joined(c) &&
           (no_token || there);
}

void subflow_failed(struct subflow *sf, enum tcp_error error)
{
    struct plait_conn *c = sf->conn;
    enum plait_reason why = sf->why ? sf->why : tcp_error_reason(error);
    bool forgotten = error == TCP_REFUSED && peer_forgot(sf);
    int public = forgotten ? PLAIT_E_RESET : tcp_error_public(error);
    bool opening = c->state == CONN_OPENING || c->early;
    if (opening)
        fastopen_failed(sf, c->env->now_us);
    if (race_goes_on(sf, &public, &why))
        return;
    if (opening)
        c->env->counters.AttemptFails++;
    else
        c->env->counters.EstabResets++;
    if (opening || conn_is_tcp(c) || forgotten)
        conn_fail(c, public, why);
}

static void subflow_reap(struct subflow *sf, uint64_t now_us)
{
    struct plait_conn *c = sf->conn;
    if (sf->why == PLAIT_WHY_NONE)
        sf->why = tcp_error_reason(sf->tcp.error);
    subflow_reinject(sf, PLAIT_WHY_SUBFLOW_LOST);
    struct reset_told told = sf->peer_told ? sf->told : (struct reset_told){0};
    if (sf->rst_set)
        told = reset_says(sf->why);
    conn_event(c, sf, PLAIT_EV_SUBFLOW_CLOSED, sf->why, sf->tcp.error, told.reason, told.transient,
               0);
    /* An attempt that came to nothing was no subflow of the connection. */
    bool attempt = sf->kind == SUBFLOW_INITIAL && !sf->joined && c->state != CONN_CLOSED;
    bool unwanted = sf->unwanted || attempt;
    if (!attempt) {
        c->env->counters.RmSubflow++;
        subflow_remember(sf);
    }
    /* The last one, closed by the peer without a word about the connection,
     * is missed like one that broke (RFC 8684 3.3.3). */
    bool failed = !unwanted && (sf->tcp.error != TCP_NO_ERROR || sf->gone || c->subflow_count == 1);
    struct plait_pm_news news = paths_failure(sf);
    nat_failed(sf);
    if ((failed || sf->why == PLAIT_WHY_SUBFLOW_TIMEOUT) && sf->joined && c->snd_una != c->snd_nxt)
        c->in_vain = true;
    if (c->initial == sf)
        c->initial = NULL;
    if (c->plain == sf)
        c->plain = NULL;
    if (c->fastclose_on == sf)
        c->fastclose_on = NULL;
    if (c->awake->falling.sf == sf)
        fallback_forget(c);
    tcp_set_group(&sf->tcp, NULL, NULL);
    subflow_release(sf);
    conn_regroup(c);
    closing_fin_again(c); /* it may have gone with this one */
    if (failed && !c->closing)
        paths_decide(c, PLAIT_PM_SUBFLOW_FAILED, &news, now_us);
}

void subflow_drop(struct subflow *sf, enum plait_reason why)
{
    if (sf->gone)
        return;
    sf->gone = true;
    if (sf->why == PLAIT_WHY_NONE)
        sf->why = why;
    conn_touch(sf->conn);
}

/* ---- end of the connection ---------------------------------------------------- */

void conn_fail(struct plait_conn *c, int error, enum plait_reason why)
{
    if (c->state == CONN_CLOSED)
        return;
    c->state = CONN_CLOSED;
    conn_write_blocked(c, false);
    conn_uncount(c);
    fastopen_done(c);
    if (error == PLAIT_E_RESET && c->fin_received)
        error = PLAIT_E_PEER_CLOSED; /* as Linux tells one from the other */
    if (!c->error)
        c->error = error;
    race_free(c);
    list_each(sf, &c->subflows, struct subflow, link)
        if (sf != c->fastclose_on)
            subflow_reset(sf, why);
    conn_event(c, NULL, PLAIT_EV_CONN_CLOSED, why, conn_bytes_received(c), conn_bytes_acked(c),
               (uint64_t)(uint32_t)-c->error, 0);
    conn_notify(c);
    conn_touch(c);
}

void conn_uncount(struct plait_conn *c)
{
    c->env->counters.MPCurrEstab -= c->counted;
    c->counted = false;
}

void conn_free(struct plait_conn *c)
{
    struct mptcp_env *env = c->env;
    conn_uncount(c);
    destinations_gone(c);
    fastopen_done(c);
    asleep_free(c);
    list_each(sf, &c->subflows, struct subflow, link) {
        tcp_set_group(&sf->tcp, NULL, NULL);
        subflow_release(sf);
    }
    plugins_end(c);
    send_free(c);
    reinject_free(c);
    receive_free(c);
    announce_free(c);
    addresses_free(c);
    race_free(c);
    if (c->token_listed)
        hash_remove(&env->tokens, &c->token_node);
    mem_free(&env->mem, c->history, SUBFLOWS_HISTORY_MAX * sizeof *c->history);
    conn_free_awake(c);
    timers_forget(&env->timers, &c->timer);
    list_remove(&c->link);
    list_remove(&c->sending_link);
    list_remove(&c->ready_link);
    list_remove(&c->finished_link);
    list_remove(&c->accept_link);
    if (--env->conn_count == 0)
        chunk_cache_trim(&env->chunks);
    mem_free(&env->mem, c, sizeof *c);
}

static uint64_t earliest(const uint64_t *times, size_t count)
{
    uint64_t at = TIMER_NEVER;
    for (size_t i = 0; i < count; i++)
        at = times[i] < at ? times[i] : at;
    return at;
}

static uint64_t subflow_deadline(const struct subflow *sf)
{
    const uint64_t times[] = {
        tcp_deadline(&sf->tcp), sf->join_ack_us,       stripped_deadline(sf), sf->signal_us,
        sf->removal_us,         priority_deadline(sf), sf->nat.due_us,
    };
    return earliest(times, sizeof times / sizeof *times);
}

static uint64_t conn_deadline(const struct plait_conn *c)
{
    const uint64_t times[] = {
        c->pace_us,
        c->data_rto_us,
        c->pm_wake_us,
        closing_deadline(c),
        announce_deadline(c),
        reinject_overdue_deadline(c),
        fastclose_deadline(c),
        race_deadline(c),
        fallback_deadline(c),
        half_open_deadline(c),
    };
    uint64_t at = earliest(times, sizeof times / sizeof *times);
    list_each(sf, &c->subflows, struct subflow, link) {
        uint64_t own = sf == c->fastclose_on ? TIMER_NEVER : subflow_deadline(sf);
        at = own < at ? own : at;
    }
    return at;
}

void conn_finish(struct plait_conn *c, uint64_t now_us)
{
    list_remove(&c->finished_link);
    plugins_check_cc(c);
    closing_step(c, now_us);
    list_each(sf, &c->subflows, struct subflow, link)
        if (sf->gone || sf->tcp.state == TCP_CLOSED)
            subflow_reap(sf, now_us);
    closing_step(c, now_us);
    reinject_arm(c, now_us);
    if (c->state == CONN_CLOSED && c->detached && c->subflow_count == 0) {
        conn_free(c);
        return;
    }
    holding_update(c);
    if (c->awake)
        timers_set(&c->env->timers, &c->timer, sleep_step(c, conn_deadline(c), now_us));
    unsigned poll = conn_poll(c);
    c->poll_shown &= poll; /* what went away is news when it comes back */
    if (poll != c->poll_shown)
        conn_notify(c);
    list_remove(&c->finished_link); /* closing may have touched it again */
}

/* ---- readiness ------------------------------------------------------------------ */

void conn_notify(struct plait_conn *c)
{
    if (!c->detached && !c->listener && !list_linked(&c->ready_link))
        list_append(&c->env->ready, &c->ready_link);
}

unsigned conn_poll(const struct plait_conn *c)
{
    bool reading_ended = c->fin_received || c->rd_shut, over = c->state == CONN_CLOSED;
    unsigned p = 0;
    if (c->recv_bytes || reading_ended || over)
        p |= PLAIT_POLL_READABLE;
    if (c->state == CONN_ESTABLISHED)
        p |= PLAIT_POLL_CONNECTED;
    if (over || c->fin_queued || conn_writable(c))
        p |= PLAIT_POLL_WRITABLE;
    if (reading_ended)
        p |= PLAIT_POLL_EOF;
    if (c->fin_acked)
        p |= PLAIT_POLL_FINISHED;
    if (c->error)
        p |= PLAIT_POLL_ERROR;
    if (over || (c->fin_queued && reading_ended))
        p |= PLAIT_POLL_HANGUP;
    if (closing_lingered(c))
        p |= PLAIT_POLL_LINGERED;
    return p;
}
