/* SPDX-License-Identifier: MIT
 *
 * The host's addresses and the ports it lets us use.
 *
 * A change of addresses concerns every connection. Those that are awake hear of
 * it at once; those that sleep when they wake for whatever reason, and they are
 * woken for it, few at a time: a million at once would take seconds and
 * gigabytes. Who falls asleep has heard of all changes, so the list of sleepers
 * begins with those that have most to hear.
 */
#include "mptcp/sleep.h"
#include "stack/stack.h"

#include <string.h>

enum { TELL_AT_ONCE = 16, TELL_EVERY_US = 2000 };

/* Addresses, and those that went and not everybody knows. */
static unsigned entries(const struct mptcp_env *env)
{
    return env->local_count + env->locals_gone;
}

static bool id_taken(const struct mptcp_env *env, uint8_t id)
{
    for (unsigned i = 0; i < entries(env); i++)
        if (env->locals[i].id == id)
            return true;
    return false;
}

static uint8_t id_free(const struct mptcp_env *env)
{
    for (unsigned i = 1; i <= LOCAL_ID_MAX; i++) {
        uint8_t id = (uint8_t)((env->last_local_id + i - 1) % LOCAL_ID_MAX + 1);
        if (!id_taken(env, id))
            return id;
    }
    return 0;
}

/* Room for one more, or an error. */
static int local_new(struct mptcp_env *env, struct local_addr **out)
{
    uint8_t id = id_free(env);
    if (id == 0)
        return PLAIT_E_LIMIT;
    if (entries(env) == env->local_capacity) {
        unsigned capacity = env->local_capacity ? env->local_capacity * 2 : 4;
        struct local_addr *grown = mem_alloc(&env->mem, capacity * sizeof *grown);
        if (!grown)
            return PLAIT_E_NO_MEMORY;
        if (entries(env))
            memcpy(grown, env->locals, entries(env) * sizeof *grown);
        mem_free(&env->mem, env->locals, env->local_capacity * sizeof *grown);
        env->locals = grown;
        env->local_capacity = capacity;
    }
    *out = &env->locals[env->local_count];
    memmove(*out + 1, *out, env->locals_gone * sizeof **out);
    env->local_count++;
    (*out)->id = env->last_local_id = id;
    return 0;
}

static bool local_valid(const struct plait_local *l)
{
    unsigned bits = l->addr.family == PLAIT_IPV4 ? 32 : l->addr.family == PLAIT_IPV6 ? 128 : 0;
    return bits && l->prefix_len <= bits && !addr_is_unspecified(&l->addr) &&
           !addr_is_multicast(&l->addr);
}

/* What is gone stays known behind the others. */
static const struct local_addr *local_end(struct mptcp_env *env, unsigned i)
{
    struct local_addr gone = env->locals[i], *last = &env->locals[entries(env) - 1];
    gone.changed = ++env->locals_changes;
    memmove(&env->locals[i], &env->locals[i + 1], (entries(env) - 1 - i) * sizeof *last);
    *last = gone;
    env->local_count--;
    env->locals_gone++;
    return last;
}

/* ---- telling -------------------------------------------------------------------- */

void local_tell(struct plait_stack *s)
{
    struct mptcp_env *env = &s->env;
    env->tell_us = TIMER_NEVER;
    for (unsigned n = 0; !list_empty(&env->sleepers); n++) {
        struct plait_conn *c = list_first(&env->sleepers, struct plait_conn, link);
        if (c->locals_told == env->locals_changes)
            break;
        if (n == TELL_AT_ONCE) {
            env->tell_us = env->now_us + TELL_EVERY_US;
            return;
        }
        if (!conn_wake(c)) {
            env->tell_us = env->now_us + WAKE_AGAIN_US;
            return;
        }
    }
    env->locals_gone = 0;
}

/* ---- the host's word ------------------------------------------------------------ */

int plait_stack_add_addr(struct plait_stack *stack, const struct plait_local *local,
                         uint64_t now_us)
{
    struct mptcp_env *env = &stack->env;
    if (!local_valid(local))
        return PLAIT_E_INVALID;
    now_us = stack_enter(stack, now_us);
    struct local_addr *l = (struct local_addr *)local_find(env, &local->addr);
    bool known = l != NULL;
    if (!known) {
        int error = local_new(env, &l);
        if (error)
            return error;
    }
    bool reprioritised = known && l->local.backup != local->backup;
    l->local = *local;
    l->changed = ++env->locals_changes;
    struct plait_event ev = {.time_us = env->now_us,
                             .type = PLAIT_EV_ADDR_LOCAL_ADDED,
                             .local = {local->addr, 0},
                             .arg = {l->id, local->mtu}};
    env_event(env, &ev);
    list_each(c, &env->conns, struct plait_conn, link) {
        if (reprioritised)
            paths_local_backup(c, l);
        paths_local(c, l, true, now_us);
        c->locals_told = env->locals_changes;
    }
    local_tell(stack);
    stack_leave(stack);
    return 0;
}

int plait_stack_remove_addr(struct plait_stack *stack, const struct plait_addr *addr,
                            uint64_t now_us)
{
    struct mptcp_env *env = &stack->env;
    now_us = stack_enter(stack, now_us);
    const struct local_addr *l = local_find(env, addr);
    if (!l)
        return PLAIT_E_NO_ADDRESS;
    l = local_end(env, (unsigned)(l - env->locals));
    struct plait_event ev = {.time_us = env->now_us,
                             .type = PLAIT_EV_ADDR_LOCAL_REMOVED,
                             .local = {l->local.addr, 0},
                             .arg = {l->id}};
    env_event(env, &ev);
    list_each(c, &env->conns, struct plait_conn, link) {
        paths_local(c, l, false, now_us);
        c->locals_told = env->locals_changes;
    }
    local_tell(stack);
    stack_leave(stack);
    return 0;
}

int plait_stack_add_port(struct plait_stack *stack, uint16_t port)
{
    struct mptcp_env *env = &stack->env;
    if (port == 0)
        return PLAIT_E_INVALID;
    if (env->port_count == PORTS_MAX)
        return PLAIT_E_LIMIT;
    if (env->port_count == env->port_capacity) {
        unsigned capacity = env->port_capacity ? env->port_capacity * 2 : 16;
        uint16_t *ports = mem_alloc(&env->mem, capacity * sizeof *ports);
        if (!ports)
            return PLAIT_E_NO_MEMORY;
        if (env->port_count)
            memcpy(ports, env->ports, env->port_count * sizeof *ports);
        mem_free(&env->mem, env->ports, env->port_capacity * sizeof *ports);
        env->ports = ports;
        env->port_capacity = capacity;
    }
    env->ports[env->port_count++] = port;
    return 0;
}
