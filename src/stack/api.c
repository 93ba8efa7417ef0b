/* SPDX-License-Identifier: MIT
 *
 * The public calls on one connection: each enters the stack, lets mptcp/ do
 * it, and leaves.
 */
#include "mptcp/sleep.h"
#include "stack/stack.h"

static struct plait_stack *enter(struct plait_conn *c, uint64_t *now_us)
{
    struct plait_stack *s = stack_of(c->env);
    *now_us = stack_enter(s, *now_us);
    return s;
}

static bool connectable(const struct plait_endpoint *remote)
{
    return remote->port != 0 && !addr_is_multicast(&remote->addr) &&
           !addr_is_unspecified(&remote->addr);
}

int plait_connect(struct plait_stack *stack, const struct plait_endpoint *local,
                  const struct plait_endpoint *remote, const struct plait_options *options,
                  uint64_t now_us, struct plait_conn **out)
{
    struct plait_candidate only = {.remote = *remote};
    if (local)
        only.local = *local;
    return plait_connect_race(stack, &only, 1, options, now_us, out);
}

int plait_connect_race(struct plait_stack *stack, const struct plait_candidate *candidates,
                       unsigned count, const struct plait_options *options, uint64_t now_us,
                       struct plait_conn **out)
{
    struct mptcp_env *env = &stack->env;
    struct conn_setup setup;
    *out = NULL;
    now_us = stack_enter(stack, now_us);
    if (count == 0)
        return PLAIT_E_INVALID;
    if (count > PLAIT_CANDIDATES_MAX)
        return PLAIT_E_LIMIT;
    for (unsigned i = 0; i < count; i++)
        if (!connectable(&candidates[i].remote))
            return PLAIT_E_INVALID;
    int error = setup_resolve(env, options, true, &setup);
    struct plait_conn *c = error ? NULL : conn_new(env, &setup, &error);
    if (!c)
        return error;
    error = conn_open(c, candidates, count, setup.race_delay_us, now_us);
    if (error) {
        conn_free(c);
        return error;
    }
    stack_leave(stack);
    *out = c;
    return 0;
}

int64_t plait_conn_write(struct plait_conn *conn, const void *data, size_t len, uint64_t now_us)
{
    struct plait_stack *s = enter(conn, &now_us);
    int64_t n = conn_wake(conn) ? conn_write(conn, data, len) : PLAIT_E_NO_MEMORY;
    conn->active_us = now_us;
    stack_leave(s);
    return n;
}

int64_t plait_conn_read(struct plait_conn *conn, void *data, size_t len, uint64_t now_us)
{
    struct plait_stack *s = enter(conn, &now_us);
    int64_t n = conn->asleep ? PLAIT_E_AGAIN : conn_read(conn, data, len, now_us);
    stack_leave(s);
    return n;
}

int64_t plait_conn_send_borrow(struct plait_conn *conn, size_t wanted, void **room, uint64_t now_us)
{
    struct plait_stack *s = enter(conn, &now_us);
    int64_t n = conn_wake(conn) ? conn_send_borrow(conn, wanted, room) : PLAIT_E_NO_MEMORY;
    conn->active_us = now_us;
    stack_leave(s);
    return n;
}

int plait_conn_send_commit(struct plait_conn *conn, size_t len, uint64_t now_us)
{
    struct plait_stack *s = enter(conn, &now_us);
    int error = conn->asleep ? PLAIT_E_INVALID : conn_send_commit(conn, len);
    stack_leave(s);
    return error;
}

int64_t plait_conn_recv_borrow(struct plait_conn *conn, const void **data, uint64_t now_us)
{
    struct plait_stack *s = enter(conn, &now_us);
    int64_t n = conn->asleep ? PLAIT_E_AGAIN : conn_recv_borrow(conn, data);
    stack_leave(s);
    return n;
}

int plait_conn_recv_release(struct plait_conn *conn, size_t len, uint64_t now_us)
{
    struct plait_stack *s = enter(conn, &now_us);
    int error = conn->asleep ? (len ? PLAIT_E_INVALID : 0) : conn_recv_release(conn, len, now_us);
    stack_leave(s);
    return error;
}

int plait_conn_shutdown(struct plait_conn *conn, enum plait_shut how, uint64_t now_us)
{
    struct plait_stack *s = enter(conn, &now_us);
    int error = conn_wake(conn) ? conn_shutdown(conn, how) : PLAIT_E_NO_MEMORY;
    stack_leave(s);
    return error;
}

int plait_conn_close(struct plait_conn *conn, uint64_t now_us)
{
    struct plait_stack *s = enter(conn, &now_us);
    conn_wake_or_drop(conn);
    int error = conn_close(conn, now_us);
    stack_leave(s);
    return error;
}

int plait_options_check(const struct plait_stack *stack, const struct plait_options *options)
{
    struct conn_setup unused;

    return setup_resolve(&stack->env, options, true, &unused);
}

void plait_conn_set_nagle(struct plait_conn *conn, bool on, uint64_t now_us)
{
    struct plait_stack *s = enter(conn, &now_us);
    conn->nagle = on;
    if (!conn->asleep)
        conn_touch(conn); /* what was held back may go */
    stack_leave(s);
}

void plait_conn_set_linger(struct plait_conn *conn, bool on, uint32_t linger_us)
{
    conn->linger = on;
    conn->linger_us = linger_us;
}

void plait_conn_abort(struct plait_conn *conn, uint64_t now_us)
{
    struct plait_stack *s = enter(conn, &now_us);
    conn_wake_or_drop(conn);
    conn_abort(conn, PLAIT_WHY_LOCAL_ABORT);
    conn_detach(conn, now_us);
    stack_leave(s);
}

unsigned plait_conn_poll(const struct plait_conn *conn)
{
    return conn_poll(conn);
}

int plait_conn_error(const struct plait_conn *conn)
{
    return conn->error;
}

void plait_conn_set_user(struct plait_conn *conn, void *user)
{
    conn->user = user;
}

void *plait_conn_user(const struct plait_conn *conn)
{
    return conn->user;
}

void plait_conn_info(const struct plait_conn *conn, struct plait_conn_info *out)
{
    conn_info(conn, out);
}

unsigned plait_conn_subflows(const struct plait_conn *conn, struct plait_subflow_info *out,
                             unsigned max)
{
    unsigned n = 0;
    conn_wake((struct plait_conn *)conn); /* it is the same awake */
    for (unsigned i = 0; i < conn->history_count; i++, n++)
        if (n < max)
            out[n] = conn->history[i];
    list_each(sf, &conn->subflows, struct subflow, link) {
        if (n < max)
            subflow_info(sf, &out[n]);
        n++;
    }
    stack_leave(stack_of(conn->env));
    return n;
}

/* ---- path management by hand ---------------------------------------------------- */

/* NULL also while the connection sleeps on for want of memory. */
static struct subflow *wake_subflow(struct plait_conn *c, uint32_t id)
{
    conn_wake(c);
    return subflow_by_id(c, id);
}

int plait_conn_open_subflow(struct plait_conn *conn, const struct plait_endpoint *local,
                            const struct plait_endpoint *remote, bool backup, uint64_t now_us)
{
    struct plait_stack *s = enter(conn, &now_us);
    uint8_t remote_id = 0;
    for (unsigned i = 0; i < conn->remote_count; i++)
        if (addr_equal(&conn->remotes[i].addr, &remote->addr))
            remote_id = conn->remotes[i].id;
    if (!conn_wake(conn))
        return PLAIT_E_NO_MEMORY;
    int error = conn_join(conn, local, remote, remote_id, backup, now_us);
    if (!error)
        wake_subflow(conn, conn->next_subflow_id)->by_hand = true;
    stack_leave(s);
    return error;
}

/* DEVIATION: RFC 8684 3.4.2 closes a subflow that works with FINs. Here it ends
 * with a RST that says so, at once; what was on it goes over the others, which a
 * FIN behind those bytes would have to wait for. */
int plait_conn_close_subflow(struct plait_conn *conn, uint32_t subflow_id, uint64_t now_us)
{
    struct plait_stack *s = enter(conn, &now_us);
    struct subflow *sf = wake_subflow(conn, subflow_id);
    if (!sf)
        return PLAIT_E_INVALID;
    sf->unwanted = true;
    subflow_reset(sf, PLAIT_WHY_LOCAL_CLOSE);
    stack_leave(s);
    return 0;
}

int plait_conn_set_backup(struct plait_conn *conn, uint32_t subflow_id, bool backup,
                          uint64_t now_us)
{
    struct plait_stack *s = enter(conn, &now_us);
    struct subflow *sf = wake_subflow(conn, subflow_id);
    if (!sf)
        return PLAIT_E_INVALID;
    if (!conn->multipath)
        return PLAIT_E_NOT_MULTIPATH;
    priority_set(sf, backup);
    stack_leave(s);
    return 0;
}

int plait_conn_set_cc(struct plait_conn *conn, const char *name, uint64_t now_us)
{
    struct plait_stack *s = enter(conn, &now_us);
    const struct plait_cc *cc = setup_cc(&s->env, name);
    if (!cc)
        return PLAIT_E_UNKNOWN_NAME;
    if (!conn_wake(conn))
        return PLAIT_E_NO_MEMORY;
    conn_set_cc(conn, cc);
    conn_touch(conn);
    stack_leave(s);
    return 0;
}

int plait_conn_set_scheduler(struct plait_conn *conn, const char *name, uint64_t now_us)
{
    struct plait_stack *s = enter(conn, &now_us);
    uint64_t state[PLAIT_PLUGIN_STATE_MAX / 8];
    const struct plait_sched *sched = setup_sched(&s->env, name, state);
    if (!sched)
        return PLAIT_E_UNKNOWN_NAME;
    if (!conn_wake(conn))
        return PLAIT_E_NO_MEMORY;
    conn_set_scheduler(conn, sched, state);
    conn_touch(conn);
    stack_leave(s);
    return 0;
}
