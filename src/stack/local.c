/* SPDX-License-Identifier: MIT
 *
 * The host's addresses and the ports it lets us use.
 */
#include "stack/stack.h"

#include <string.h>

static uint8_t id_free(const struct mptcp_env *env)
{
    for (unsigned i = 1; i <= LOCAL_ID_MAX; i++) {
        uint8_t id = (uint8_t)((env->last_local_id + i - 1) % LOCAL_ID_MAX + 1);
        if (!local_by_id(env, id))
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
    if (env->local_count == env->local_capacity) {
        unsigned capacity = env->local_capacity ? env->local_capacity * 2 : 4;
        struct local_addr *grown = mem_alloc(&env->mem, capacity * sizeof *grown);
        if (!grown)
            return PLAIT_E_NO_MEMORY;
        if (env->local_count)
            memcpy(grown, env->locals, env->local_count * sizeof *grown);
        mem_free(&env->mem, env->locals, env->local_capacity * sizeof *grown);
        env->locals = grown;
        env->local_capacity = capacity;
    }
    *out = &env->locals[env->local_count++];
    (*out)->id = env->last_local_id = id;
    return 0;
}

static bool local_valid(const struct plait_local *l)
{
    unsigned bits = l->addr.family == PLAIT_IPV4 ? 32 : l->addr.family == PLAIT_IPV6 ? 128 : 0;
    return bits && l->prefix_len <= bits && !addr_is_unspecified(&l->addr) &&
           !addr_is_multicast(&l->addr);
}

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
    struct plait_event ev = {.time_us = env->now_us,
                             .type = PLAIT_EV_ADDR_LOCAL_ADDED,
                             .local = {local->addr, 0},
                             .arg = {l->id, local->mtu}};
    env_event(env, &ev);
    list_each(c, &env->conns, struct plait_conn, link) {
        if (reprioritised)
            paths_local_backup(c, l);
        paths_local(c, l, true, now_us);
    }
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
    struct local_addr gone = *l;
    unsigned i = (unsigned)(l - env->locals);
    memmove(&env->locals[i], &env->locals[i + 1], (--env->local_count - i) * sizeof env->locals[0]);
    struct plait_event ev = {.time_us = env->now_us,
                             .type = PLAIT_EV_ADDR_LOCAL_REMOVED,
                             .local = {gone.local.addr, 0},
                             .arg = {gone.id}};
    env_event(env, &ev);
    list_each(c, &env->conns, struct plait_conn, link)
        paths_local(c, &gone, false, now_us);
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
