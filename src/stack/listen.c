/* SPDX-License-Identifier: MIT
 *
 * Listeners: SYNs become connections, established ones wait to be taken.
 */
#include "stack/stack.h"

struct plait_listener *listener_find(struct plait_stack *s, const struct plait_endpoint *local)
{
    struct plait_listener *any = NULL, *any_of_family = NULL;
    list_each(l, &s->listeners, struct plait_listener, link) {
        if (l->local.port != local->port)
            continue;
        if (addr_equal(&l->local.addr, &local->addr))
            return l;
        if (l->local.addr.family == PLAIT_NONE)
            any = l;
        else if (l->local.addr.family == local->addr.family && addr_is_unspecified(&l->local.addr))
            any_of_family = l;
    }
    return any_of_family ? any_of_family : any;
}

struct plait_conn *listener_conn(struct plait_listener *l)
{
    struct mptcp_env *env = &l->stack->env;
    int error;
    struct plait_conn *c = conn_new(env, &l->setup, &error);
    if (!c)
        *(error == PLAIT_E_LIMIT ? &env->counters.DropLimit : &env->counters.DropMemory) += 1;
    return c;
}

void listener_half_open(struct plait_listener *l, struct plait_conn *c)
{
    c->listener = l;
    c->half_open = true;
    list_append(&l->half_open, &c->accept_link);
    l->half_open_count++;
    l->stack->env.half_open_count++;
}

/* ---- half-open connections -------------------------------------------------------- */

static bool half_open_full(const struct plait_listener *l)
{
    const struct mptcp_env *env = &l->stack->env;
    return l->half_open_count >= env->config.half_open_max ||
           l->half_open_count + l->waiting >= l->backlog ||
           env->half_open_count >= env->config.half_open_stack_max;
}

/* The handshake is over, well or not. */
static void half_open_over(struct plait_conn *c)
{
    if (!c->half_open)
        return;
    c->half_open = false;
    list_remove(&c->accept_link);
    c->listener->half_open_count--;
    c->env->half_open_count--;
}

/* Without cookies the oldest makes room, as half_open.c has it for joins: if
 * its SYN/ACK has been unanswered for a whole timeout. */
static bool half_open_make_room(struct plait_listener *l, uint64_t now_us)
{
    struct plait_counters *n = &l->stack->env.counters;
    struct plait_conn *oldest = NULL;
    if (!list_empty(&l->half_open))
        oldest = list_first(&l->half_open, struct plait_conn, accept_link);
    if (!oldest || !oldest->initial || !half_open_stale(oldest->initial, now_us)) {
        n->HalfOpenRefused++;
        return false;
    }
    n->HalfOpenDropped++;
    subflow_drop(oldest->initial, PLAIT_WHY_HALF_OPEN); /* silently: whoever it is may be forged */
    conn_fail(oldest, PLAIT_E_TIMED_OUT, PLAIT_WHY_HALF_OPEN);
    half_open_over(oldest);
    return true;
}

void listener_syn(struct plait_listener *l, const struct segment *seg, uint64_t now_us)
{
    struct mptcp_env *env = &l->stack->env;
    enum plait_syn_cookies cookies = env->config.syn_cookies;
    if (seg->mptcp.present & MPO_CAPABLE_ANY)
        env->counters.MPCapableSYNRX++;
    if (l->waiting >= l->backlog) { /* silence: the client tries again */
        env->counters.DropListenerFull++;
        return;
    }
    bool full = half_open_full(l);
    if (cookies == PLAIT_SYN_COOKIES_ALWAYS || (full && cookies == PLAIT_SYN_COOKIES_AUTO)) {
        cookies_answer(l, seg, now_us);
        return;
    }
    if (full && !half_open_make_room(l, now_us))
        return;
    struct plait_conn *c = listener_conn(l);
    if (!c)
        return;
    if (conn_open_passive(c, seg, NULL, now_us) != 0) {
        env->counters.DropMemory++;
        conn_free(c);
        return;
    }
    listener_half_open(l, c);
}

static void listener_release(struct plait_conn *c)
{
    half_open_over(c);
    if (list_linked(&c->accept_link))
        c->listener->waiting--;
    list_remove(&c->accept_link);
    c->listener = NULL;
}

void listener_update(struct plait_conn *c)
{
    struct plait_listener *l = c->listener;
    if (c->state != CONN_OPENING)
        half_open_over(c);
    if (c->state == CONN_CLOSED && !c->recv_bytes && !c->fin_received) {
        listener_release(c); /* failed before anybody saw it */
        c->detached = true;
    } else if (c->state != CONN_OPENING && !list_linked(&c->accept_link)) {
        list_append(&l->accepted, &c->accept_link);
        l->waiting++;
        if (!list_linked(&l->ready_link))
            list_append(&l->stack->ready_listeners, &l->ready_link);
    }
}

int plait_listen(struct plait_stack *stack, const struct plait_endpoint *local,
                 const struct plait_options *options, struct plait_listener **out)
{
    struct conn_setup setup;
    *out = NULL;
    int error = setup_resolve(&stack->env, options, false, &setup);
    if (error)
        return error;
    if (local->port == 0)
        return PLAIT_E_INVALID;
    if (!addr_is_unspecified(&local->addr) && !local_find(&stack->env, &local->addr))
        return PLAIT_E_NO_ADDRESS;
    list_each(other, &stack->listeners, struct plait_listener, link)
        if (endpoint_equal(&other->local, local))
            return PLAIT_E_IN_USE;
    struct plait_listener *l = mem_alloc(&stack->env.mem, sizeof *l);
    if (!l)
        return PLAIT_E_NO_MEMORY;
    l->stack = stack;
    l->local = *local;
    l->setup = setup;
    l->backlog = options && options->backlog ? options->backlog : stack->env.config.backlog_max;
    list_init(&l->accepted);
    list_init(&l->half_open);
    list_init(&l->ready_link);
    list_append(&stack->listeners, &l->link);
    *out = l;
    return 0;
}

struct plait_conn *plait_accept(struct plait_listener *listener)
{
    if (list_empty(&listener->accepted))
        return NULL;
    struct plait_conn *c = list_first(&listener->accepted, struct plait_conn, accept_link);
    listener_release(c);
    conn_notify(c);
    return c;
}

void plait_listener_close(struct plait_listener *listener, uint64_t now_us)
{
    struct plait_stack *s = listener->stack;
    stack_enter(s, now_us);
    list_each(c, &s->env.conns, struct plait_conn, link) {
        if (c->listener != listener)
            continue;
        listener_release(c);
        c->detached = true;
        conn_abort(c, PLAIT_WHY_LOCAL_CLOSE);
        conn_touch(c);
    }
    list_remove(&listener->link);
    list_remove(&listener->ready_link);
    mem_free(&s->env.mem, listener, sizeof *listener);
    stack_leave(s);
}
