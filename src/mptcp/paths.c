/* SPDX-License-Identifier: MIT
 *
 * Between the connection and its path manager: the view it is shown, the
 * events it hears of, and its actions carried out. Local addresses that come
 * and go enter here.
 */
#include "mptcp/sleep.h"

#include <assert.h>

uint8_t conn_local_id(const struct plait_conn *c, const struct local_addr *l)
{
    return endpoint_is_initial(c, &l->local.addr) ? 0 : l->id;
}

bool local_in_use(const struct plait_conn *c, const struct plait_addr *addr)
{
    list_each(sf, &c->subflows, struct subflow, link)
        if (addr_equal(&sf->tcp.local.addr, addr))
            return true;
    return false;
}

/* ---- the view ----------------------------------------------------------------------- */

static void view_locals(const struct plait_conn *c, struct plait_pm_addr *out)
{
    const struct mptcp_env *env = c->env;
    for (unsigned i = 0; i < env->local_count; i++) {
        const struct plait_local *l = &env->locals[i].local;
        out[i] = (struct plait_pm_addr){.addr = l->addr,
                                        .port = l->port,
                                        .link = l->link,
                                        .prefix_len = l->prefix_len,
                                        .id = conn_local_id(c, &env->locals[i]),
                                        .backup = l->backup,
                                        .usable = !l->no_subflow};
    }
}

/* The C flag is about the first subflow's address and port, whoever tells
 * them again (RFC 8684 3.1). */
static bool remote_usable(const struct plait_conn *c, const struct remote_addr *r)
{
    const struct plait_endpoint at = {r->addr, r->port};
    return address_reachable(c, &r->addr) &&
           !(c->peer_no_join_initial && endpoint_equal(&at, &c->remote));
}

/* Index 0 is the address of the first subflow. */
static void view_remotes(const struct plait_conn *c, struct plait_pm_addr *out)
{
    out[0] = (struct plait_pm_addr){.addr = c->remote.addr,
                                    .port = c->remote.port,
                                    .usable = !c->peer_no_join_initial && !c->peer_initial_removed};
    for (unsigned i = 0; i < c->remote_count; i++) {
        const struct remote_addr *r = &c->remotes[i];
        out[i + 1] = (struct plait_pm_addr){.addr = r->addr,
                                            .port = r->port,
                                            .id = r->id,
                                            .usable = remote_usable(c, r)};
    }
}

static struct plait_pm_subflow view_subflow(const struct subflow *sf)
{
    return (struct plait_pm_subflow){
        .subflow_id = sf->id,
        .local_id = sf->local_id,
        .remote_id = sf->remote_id,
        .local = sf->tcp.local,
        .remote = sf->tcp.remote,
        .established = sf->joined,
        .outgoing =
            sf->kind == SUBFLOW_JOIN_OUT || (sf->kind == SUBFLOW_INITIAL && sf->conn->client),
        .by_hand = sf->by_hand,
        .backup = sf->backup_local || sf->backup_remote,
        .silent_since_us = sf->stale ? sf->stale_us : 0,
    };
}

static void view_subflows(const struct plait_conn *c, struct plait_pm_subflow *out)
{
    list_each(sf, &c->subflows, struct subflow, link)
        *out++ = view_subflow(sf);
}

/* ---- why a subflow failed -------------------------------------------------------------- */

static enum plait_pm_failure failure_kind(const struct subflow *sf)
{
    switch (sf->why) {
    case PLAIT_WHY_PEER_RESET:
        return sf->tcp.error == TCP_REFUSED ? PLAIT_PM_FAIL_REFUSED : PLAIT_PM_FAIL_RESET;
    case PLAIT_WHY_TIMEOUT:
    case PLAIT_WHY_SUBFLOW_TIMEOUT:
        return PLAIT_PM_FAIL_TIMEOUT;
    case PLAIT_WHY_UNREACHABLE:
        return PLAIT_PM_FAIL_UNREACHABLE;
    case PLAIT_WHY_PEER_CLOSED_SUBFLOW:
    case PLAIT_WHY_NONE:
    case PLAIT_WHY_LOCAL_CLOSE:
        return PLAIT_PM_FAIL_CLOSED;
    case PLAIT_WHY_PEER_REMOVED_ADDR:
        return PLAIT_PM_FAIL_REMOVED;
    case PLAIT_WHY_LOCAL_ADDR_GONE:
    case PLAIT_WHY_NO_MEMORY:
        return PLAIT_PM_FAIL_LOCAL;
    default:
        return PLAIT_PM_FAIL_PROTOCOL;
    }
}

struct plait_pm_news paths_failure(const struct subflow *sf)
{
    struct plait_pm_news news = {.subflow = view_subflow(sf), .failure = failure_kind(sf)};
    struct reset_told told = sf->peer_told ? sf->told : reset_says(sf->why);
    news.told = sf->peer_told;
    news.reset_reason = told.reason;
    news.transient = told.transient;
    return news;
}

/* ---- actions ---------------------------------------------------------------------------- */

static void close_subflow(struct plait_conn *c, const struct plait_pm_action *a)
{
    enum plait_reason why = a->reset_reason == RST_OUTSTANDING   ? PLAIT_WHY_SUBFLOW_TIMEOUT
                            : a->reset_reason == RST_PERFORMANCE ? PLAIT_WHY_PERFORMANCE
                                                                 : PLAIT_WHY_POLICY;
    list_each(sf, &c->subflows, struct subflow, link)
        if (sf->id == a->subflow_id) {
            sf->unwanted = true;
            subflow_reset(sf, why);
        }
}

/* An address that is still there, but shall not be used any longer. */
static void withdraw(struct plait_conn *c, const struct plait_pm_addr *local)
{
    announce_withdraw(c, local->id, local_in_use(c, &local->addr));
    list_each(sf, &c->subflows, struct subflow, link)
        if (sf->local_id == local->id) {
            sf->unwanted = true;
            subflow_reset(sf, PLAIT_WHY_POLICY);
        }
}

static void apply(struct plait_conn *c, const struct plait_pm_action *a, uint64_t now_us)
{
    struct plait_endpoint local = {a->local.addr, 0};
    switch (a->kind) {
    case PLAIT_PM_OPEN:
        conn_join(c, &local, &a->remote, a->remote_id, a->backup, now_us);
        break;
    case PLAIT_PM_CLOSE:
        close_subflow(c, a);
        break;
    case PLAIT_PM_ANNOUNCE:
        announce_endpoint(c, a->local.id, &(struct plait_endpoint){a->local.addr, a->local.port});
        break;
    case PLAIT_PM_WITHDRAW:
        withdraw(c, &a->local);
        break;
    }
}

static void ask(struct plait_conn *c, struct plait_pm_view *view, enum plait_pm_event event)
{
    struct plait_pm_action actions[PLAIT_PM_ACTIONS_MAX];
    unsigned n;
    do {
        c->pm_wake_us = TIMER_NEVER;
        n = c->pm->decide(c->awake->plugins.pm_state, view, event, actions, &c->pm_wake_us);
    } while (plugins_pm_failed(c));
    assert(n <= PLAIT_PM_ACTIONS_MAX);
    for (unsigned i = 0; i < n; i++)
        apply(c, &actions[i], view->now_us);
    if (n == PLAIT_PM_ACTIONS_MAX)
        c->pm_wake_us = view->now_us;
    conn_touch(c);
}

void paths_decide(struct plait_conn *c, enum plait_pm_event event, const struct plait_pm_news *news,
                  uint64_t now_us)
{
    static const struct plait_pm_news none = {0};
    struct mem *m = &c->env->mem;
    if (!c->multipath || c->state != CONN_ESTABLISHED || c->closing || !conn_may_join(c))
        return;
    unsigned locals = c->env->local_count, remotes = c->remote_count + 1;
    size_t addrs_size = (locals + remotes) * sizeof(struct plait_pm_addr);
    size_t subflows_size = (c->subflow_count + 1) * sizeof(struct plait_pm_subflow);
    struct plait_pm_addr *addrs = mem_alloc(m, addrs_size);
    struct plait_pm_subflow *subflows = mem_alloc(m, subflows_size);
    if (addrs && subflows) {
        view_locals(c, addrs);
        view_remotes(c, addrs + locals);
        view_subflows(c, subflows);
        struct plait_pm_view view = {.now_us = now_us,
                                     .client = c->client,
                                     .opens = c->opens,
                                     .confirmed = conn_may_join(c),
                                     .locals = addrs,
                                     .remotes = addrs + locals,
                                     .local_count = locals,
                                     .remote_count = remotes,
                                     .subflows = subflows,
                                     .subflow_count = c->subflow_count,
                                     .subflow_max = c->env->config.subflows_wanted + 1u,
                                     .news = news ? news : &none};
        ask(c, &view, event);
    } else { /* when memory is there again */
        c->pm_wake_us = now_us + PATHS_RETRY_US;
    }
    mem_free(m, addrs, addrs_size);
    mem_free(m, subflows, subflows_size);
}

void paths_subflow(struct subflow *sf, enum plait_pm_event event)
{
    struct plait_pm_news news = {.subflow = view_subflow(sf)};
    paths_decide(sf->conn, event, &news, sf->conn->env->now_us);
}

void paths_tick(struct plait_conn *c, uint64_t now_us)
{
    if (c->pm_wake_us > now_us)
        return;
    c->pm_wake_us = TIMER_NEVER; /* also when the connection has no more use for it */
    paths_decide(c, PLAIT_PM_TIMER, NULL, now_us);
}

/* ---- local addresses ----------------------------------------------------------------------- */

static void local_gone(struct plait_conn *c, const struct local_addr *l, uint64_t now_us)
{
    uint8_t id = conn_local_id(c, l);
    if (c->confirmed)
        announce_withdraw(c, id, local_in_use(c, &l->local.addr));
    list_each(sf, &c->subflows, struct subflow, link)
        if (addr_equal(&sf->tcp.local.addr, &l->local.addr))
            subflow_drop(sf, PLAIT_WHY_LOCAL_ADDR_GONE);
    paths_decide(c, PLAIT_PM_LOCAL_REMOVED, &(struct plait_pm_news){.id = id}, now_us);
}

void paths_local(struct plait_conn *c, const struct local_addr *l, bool added, uint64_t now_us)
{
    bool uses_it = c->multipath && c->state == CONN_ESTABLISHED && !c->closing;
    if (uses_it && added) {
        announce_used(c, conn_local_id(c, l)); /* it is back */
        announce_local(c, l);
        paths_decide(c, PLAIT_PM_LOCAL_ADDED, &(struct plait_pm_news){.id = conn_local_id(c, l)},
                     now_us);
    } else if (uses_it) {
        local_gone(c, l, now_us);
    } else if (!added) {
        list_each(sf, &c->subflows, struct subflow, link)
            if (addr_equal(&sf->tcp.local.addr, &l->local.addr))
                subflow_failed(sf, TCP_UNREACHABLE);
    }
}

void paths_local_backup(struct plait_conn *c, const struct local_addr *l)
{
    list_each(sf, &c->subflows, struct subflow, link)
        if (addr_equal(&sf->tcp.local.addr, &l->local.addr) && sf->backup_local != l->local.backup)
            priority_set(sf, l->local.backup);
}

void paths_locals_slept(struct plait_conn *c)
{
    const struct mptcp_env *env = c->env;
    uint32_t told = c->locals_told;
    c->locals_told = env->locals_changes;
    for (unsigned i = env->local_count; i < env->local_count + env->locals_gone; i++)
        if (seq_gt(env->locals[i].changed, told))
            paths_local(c, &env->locals[i], false, env->now_us);
    for (unsigned i = 0; i < env->local_count; i++) {
        if (!seq_gt(env->locals[i].changed, told))
            continue;
        paths_local_backup(c, &env->locals[i]);
        paths_local(c, &env->locals[i], true, env->now_us);
    }
}
