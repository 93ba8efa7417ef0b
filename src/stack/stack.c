/* SPDX-License-Identifier: MIT
 *
 * Entry points of a stack: packets in and out, time, readiness. Each finds
 * the connection, lets it work, and finishes what was touched: nothing is
 * freed anywhere else.
 */
#include "stack/stack.h"

#include <assert.h>
#include <string.h>

#include "base/farm.h"
#include "mptcp/sleep.h"

uint64_t stack_enter(struct plait_stack *s, uint64_t now_us)
{
    if (now_us > s->env.now_us)
        s->env.now_us = now_us;
    return s->env.now_us;
}

static void finish_touched(struct plait_stack *s)
{
    while (!list_empty(&s->env.finished)) {
        struct plait_conn *c = list_first(&s->env.finished, struct plait_conn, finished_link);
        if (c->listener)
            listener_update(c);
        conn_finish(c, s->env.now_us);
    }
}

void stack_leave(struct plait_stack *s)
{
    finish_touched(s);
    pressure_relax(&s->env);
    finish_touched(s);
}

static bool config_valid(const struct plait_config *c)
{
    bool farm =
        farm_place_valid(c->server_id, c->servers) && farm_place_valid(c->thread_id, c->threads);
    bool floor = !c->conn_held_max_bytes || c->conn_held_max_bytes >= 2 * HOLD_FLOOR;
    return c->allocator.alloc && c->allocator.free && c->subflows_max && c->conns_max && farm &&
           floor && !(c->heuristics & ~(unsigned)PLAIT_HEURISTICS_ALL);
}

int plait_stack_new(const struct plait_config *config, uint64_t now_us, struct plait_stack **out)
{
    const struct plait_allocator *a = &config->allocator;
    *out = NULL;
    if (!config_valid(config))
        return PLAIT_E_INVALID;
    struct plait_stack *s = a->alloc(a->ctx, sizeof *s);
    if (!s)
        return PLAIT_E_NO_MEMORY;
    memset(s, 0, sizeof *s);
    int error = env_init(&s->env, config);
    struct conn_setup unused;
    if (!error) {
        setup_defaults(&s->env);
        list_init(&s->listeners);
        list_init(&s->ready_listeners);
        error = setup_resolve(&s->env, NULL, true, &unused);
        if (error)
            env_free(&s->env);
    }
    if (error) {
        a->free(a->ctx, s, sizeof *s);
        return error;
    }
    s->env.now_us = now_us;
    *out = s;
    return 0;
}

void plait_stack_free(struct plait_stack *stack)
{
    if (!stack)
        return;
    struct plait_allocator a = stack->env.config.allocator;
    env_free(&stack->env); /* first: connections may wait in a listener's list */
    list_each(l, &stack->listeners, struct plait_listener, link)
        mem_free(&stack->env.mem, l, sizeof *l);
    a.free(a.ctx, stack, sizeof *stack);
}

/* ---- in ----------------------------------------------------------------------- */

static void count_drop(struct plait_stack *s, enum segment_error e, uint32_t len)
{
    struct plait_counters *n = &s->env.counters;
    uint64_t *const counter[SEGMENT_ERROR_COUNT] = {
        [SEGMENT_SHORT] = &n->DropShort,       [SEGMENT_NOT_TCP] = &n->DropNotTcp,
        [SEGMENT_FRAGMENT] = &n->DropFragment, [SEGMENT_IP_CHECKSUM] = &n->DropIpChecksum,
        [SEGMENT_CHECKSUM] = &n->DropChecksum, [SEGMENT_BAD_OPTION] = &n->DropBadOption,
    };
    if (counter[e])
        ++*counter[e];
    struct plait_event ev = {.time_us = s->env.now_us,
                             .type = PLAIT_EV_SEGMENT_DROPPED,
                             .arg = {e, len}};
    env_event(&s->env, &ev);
}

/* The subflow between two endpoints, awake, or NULL. False: it sleeps on for
 * want of memory, and what came for it is lost. */
static bool stack_flow(struct plait_stack *s, const struct plait_endpoint *local,
                       const struct plait_endpoint *remote, struct subflow **sf)
{
    *sf = flow_find(&s->env, local, remote);
    struct plait_conn *c = *sf ? NULL : asleep_find(&s->env, local, remote);
    if (!c)
        return true;
    if (!conn_wake(c)) {
        s->env.counters.DropMemory++;
        return false;
    }
    *sf = flow_find(&s->env, local, remote);
    return true;
}

static void stack_icmp(struct plait_stack *s, const struct plait_packet_rx *p)
{
    struct icmp_error e;
    if (!icmp_decode(p, &e))
        return;
    s->env.counters.IcmpIn++;
    struct subflow *sf;
    if (stack_flow(s, &e.src, &e.dst, &sf) && sf)
        subflow_icmp(sf, &e, s->env.now_us);
}

/* Payload that is kept must have an owner, and a small one must not pin a
 * large buffer. */
static bool own_payload(struct plait_stack *s, struct segment *seg)
{
    if (seg->payload_len == 0 || (seg->chunk && seg->payload_len >= seg->chunk->size / 4)) {
        if (seg->chunk)
            chunk_ref(seg->chunk);
        return true;
    }
    seg->chunk = env_gather(&s->env, seg->payload, seg->payload_len, &seg->payload);
    return seg->chunk != NULL;
}

/* The same, at the cost of what others hold out of order: the bytes that they
 * wait for could otherwise never come in. */
static bool own_payload_somehow(struct plait_stack *s, struct segment *seg)
{
    while (!own_payload(s, seg))
        if (!pressure_reclaim(&s->env))
            return false;
    return true;
}

static void stack_syn(struct plait_stack *s, const struct segment *seg)
{
    uint64_t now_us = s->env.now_us;
    if (seg->mptcp.present & MPO_JOIN_SYN) {
        struct plait_conn *c = token_find(&s->env, seg->mptcp.join.token);
        s->env.counters.MPJoinSynRx++;
        enum plait_reason why = PLAIT_WHY_NO_TOKEN;
        if (c && !conn_wake(c)) {
            s->env.counters.DropMemory++;
            return;
        }
        if (c)
            why = conn_join_passive(c, seg, now_us);
        else
            s->env.counters.MPJoinNoTokenFound++;
        if (why != PLAIT_WHY_NONE && why != PLAIT_WHY_HALF_OPEN) /* RFC 6824 has no MP_TCPRST */
            stray_answer(s, seg, c && c->version == 0 ? PLAIT_WHY_NONE : why);
        return;
    }
    struct plait_listener *l = listener_find(s, &seg->dst);
    if (l)
        listener_syn(l, seg, now_us);
    else
        stray_answer(s, seg, PLAIT_WHY_NONE);
}

static void stack_segment(struct plait_stack *s, const struct segment *seg)
{
    struct subflow *sf;
    if (!stack_flow(s, &seg->dst, &seg->src, &sf))
        return;
    if (sf && tcp_time_wait_over(&sf->tcp, seg)) { /* RFC 9293 3.6.1 */
        subflow_drop(sf, PLAIT_WHY_LOCAL_CLOSE);
        stack_leave(s);
        sf = flow_find(&s->env, &seg->dst, &seg->src);
    }
    if (sf)
        subflow_input(sf, seg, s->env.now_us);
    else if ((seg->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN)
        stack_syn(s, seg);
    else if (!cookies_ack(s, seg, s->env.now_us))
        stray_answer(s, seg, PLAIT_WHY_NONE);
}

void plait_stack_rx(struct plait_stack *stack, const struct plait_packet_rx *p, uint64_t now_us)
{
    struct segment seg;
    stack_enter(stack, now_us);
    stack->env.counters.PacketsIn++;
    enum segment_error e = segment_decode(p, &seg);
    if (e == SEGMENT_ICMP) {
        stack_icmp(stack, p);
    } else if (e != SEGMENT_OK) {
        count_drop(stack, e, p->len);
    } else if (!own_payload_somehow(stack, &seg)) {
        stack->env.counters.DropMemory++;
    } else {
        stack->env.counters.SegsIn +=
            seg.gso_size ? (seg.payload_len + seg.gso_size - 1u) / seg.gso_size : 1u;
        stack_segment(stack, &seg);
        chunk_unref(seg.chunk);
    }
    stack_leave(stack);
}

/* ---- out ----------------------------------------------------------------------- */

bool plait_stack_tx(struct plait_stack *stack, uint64_t now_us, struct plait_packet_tx *p)
{
    struct mptcp_env *env = &stack->env;
    stack_enter(stack, now_us);
    bool sent = stray_output(stack, p) || cookies_output(stack, p);
    while (!sent && !list_empty(&env->sending)) {
        struct plait_conn *c = list_first(&env->sending, struct plait_conn, sending_link);
        sent = conn_output(c, env->now_us, p);
        list_remove(&c->sending_link);
        if (sent) /* others get their turn */
            list_append(&env->sending, &c->sending_link);
        if (c->listener)
            listener_update(c);
        conn_finish(c, env->now_us);
    }
    if (sent) {
        env->counters.PacketsOut++;
        env->counters.SegsOut +=
            p->gso_size ? (p->payload_len + p->gso_size - 1u) / p->gso_size : 1u;
    }
    return sent;
}

bool plait_stack_crowded(const struct plait_stack *stack)
{
    return stack->cookie_count > COOKIES_MAX / 2 || stack->stray_count > STRAYS_MAX / 2;
}

/* ---- time ------------------------------------------------------------------------ */

uint64_t plait_stack_deadline(const struct plait_stack *stack)
{
    const struct mptcp_env *env = &stack->env;
    uint64_t at_us = timers_next(&env->timers);
    if (pressure_relaxing(&env->pressure))
        return env->now_us;
    return at_us < env->tell_us ? at_us : env->tell_us;
}

/* What comes once in a long while, as after the machine slept, counts for little. */
static void note_lateness(struct mptcp_env *env)
{
    enum { LATE_MAX_US = 50 * 1000 };
    uint64_t at_us = timers_next(&env->timers);
    uint64_t late_us = at_us < env->now_us ? env->now_us - at_us : 0;
    if (late_us > LATE_MAX_US)
        late_us = LATE_MAX_US;
    env->tcp.late_us = (uint32_t)((7 * (uint64_t)env->tcp.late_us + late_us) / 8);
}

void plait_stack_tick(struct plait_stack *stack, uint64_t now_us)
{
    struct timer *t;
    stack_enter(stack, now_us);
    note_lateness(&stack->env);
    while ((t = timers_expire(&stack->env.timers, stack->env.now_us)) != NULL)
        conn_tick(list_entry(t, struct plait_conn, timer), stack->env.now_us);
    if (stack->env.tell_us <= stack->env.now_us)
        local_tell(stack);
    stack_leave(stack);
}

bool plait_stack_idle(struct plait_stack *stack)
{
    enum { KEYS_A_CALL = 4 }; /* a few microseconds' worth of hashing */
    return key_pool_fill(&stack->env, KEYS_A_CALL) == KEYS_A_CALL;
}

/* ---- readiness --------------------------------------------------------------------- */

bool plait_stack_ready(struct plait_stack *stack, struct plait_conn **conn,
                       struct plait_listener **listener)
{
    *conn = NULL;
    *listener = NULL;
    if (!list_empty(&stack->ready_listeners)) {
        *listener = list_first(&stack->ready_listeners, struct plait_listener, ready_link);
        list_remove(&(*listener)->ready_link);
        return true;
    }
    if (list_empty(&stack->env.ready))
        return false;
    *conn = list_first(&stack->env.ready, struct plait_conn, ready_link);
    list_remove(&(*conn)->ready_link);
    (*conn)->poll_shown = conn_poll(*conn);
    return true;
}

/* The less one has heard of addresses the earlier it comes. */
static void check_sleepers(const struct mptcp_env *env)
{
    uint32_t told = env->locals_changes, n = 0;
    const struct plait_conn *before = NULL;
    list_each(c, &env->sleepers, struct plait_conn, link) {
        assert(c->asleep && (!before || seq_leq(before->locals_told, c->locals_told)));
        assert(seq_leq(c->locals_told, told) &&
               (c->locals_told == told || env->tell_us != TIMER_NEVER));
        conn_check(c);
        before = c;
        n++;
    }
    assert(n == env->asleep_count);
}

void plait_stack_check(const struct plait_stack *stack)
{
    uint32_t writers = 0;
    list_each(c, &stack->env.conns, struct plait_conn, link) {
        conn_check(c);
        writers += c->write_blocked;
    }
    assert(writers <= stack->env.writer_count);
    check_sleepers(&stack->env);
    pressure_check(&stack->env);
}

static bool only_time_wait(const struct plait_conn *c)
{
    list_each(sf, &c->subflows, struct subflow, link)
        if (sf->tcp.state != TCP_TIME_WAIT)
            return false;
    return !list_empty(&c->subflows);
}

void plait_stack_memory(const struct plait_stack *stack, struct plait_memory *out)
{
    const struct mem *m = &stack->env.mem;
    *out = (struct plait_memory){.used_bytes = m->used_bytes,
                                 .peak_bytes = m->peak_bytes,
                                 .limit_bytes = m->limit_bytes,
                                 .refused = m->failures,
                                 .held_bytes = stack->env.pressure.held_bytes,
                                 .held_limit_bytes = stack->env.config.held_max_bytes,
                                 .conns = stack->env.conn_count,
                                 .conns_squeezed = stack->env.pressure.squeezed_count,
                                 .conns_asleep = stack->env.asleep_count,
                                 .subflows = stack->env.subflow_count};
    list_each(c, &stack->env.conns, struct plait_conn, link)
        out->conns_waiting += only_time_wait(c);
}

unsigned plait_stack_destinations(const struct plait_stack *stack, struct plait_destination *out,
                                  unsigned max)
{
    return destinations_read(&stack->env, out, max);
}

const struct plait_counters *plait_stack_counters(const struct plait_stack *stack)
{
    return &stack->env.counters;
}
