/* SPDX-License-Identifier: MIT
 *
 * Keeping alive what NATs and firewalls remember of a subflow on which nothing
 * moves: a backup, or any one of an idle connection. They forget after a silence
 * that they do not tell (RFC 5382 REQ-5 asks for 2 hours and 4 minutes; half a
 * minute exists), so it is learned, for each local address, from what survives.
 *
 * After a silence the subflow is probed as by a keepalive (RFC 9293 3.8.4). An
 * answer says that the silence was harmless; none, or an RST, that it was too
 * long. Longer silences are tried, each twice the last, then halfway between the
 * longest that was harmless and the shortest that was not, but only where
 * another subflow of the connection, the holder, stays below what is proven: at
 * any time one of them can be reached. A subflow that does not answer is not
 * ended, it becomes stale, and the path manager opens another.
 *
 * The end that opened the subflow does this: the NAT is nearer to it, and the
 * other end's probes would find it forgotten too. The other end cannot be told
 * that a subflow was forgotten. It asks once, when a new subflow comes from the
 * same address, and ends the one that does not answer.
 */
#include "mptcp/conn.h"

enum {
    FIRST_MS = 15 * 1000,
    SHORTEST_MS = 5 * 1000,
    ASKS = 3,
    ASK_MIN_US = 600 * 1000, /* Linux answers such segments every 500 ms at most */
    ASK_MAX_US = 15 * 1000 * 1000,
    RIVAL_ASKS = 6,
    RIVAL_QUIET_US = 5 * 1000 * 1000,
    FORGET_MS = 3600 * 1000, /* a silence that was too long may be tried again */
    CLOSE_ENOUGH = 8         /* the search ends within so large a part of what is proven */
};

static bool ours(const struct subflow *sf)
{
    return sf->kind == SUBFLOW_JOIN_OUT || (sf->kind == SUBFLOW_INITIAL && sf->conn->client);
}

static struct local_addr *local_of(const struct subflow *sf)
{
    struct mptcp_env *env = sf->conn->env;
    const struct local_addr *l = local_find(env, &sf->tcp.local.addr);
    return l ? &env->locals[l - env->locals] : NULL;
}

static uint32_t now_ms(const struct subflow *sf)
{
    return (uint32_t)(sf->conn->env->now_us / 1000);
}

/* ---- how long a silence may be --------------------------------------------------- */

/* What is proven, or likely. */
static uint32_t safe_ms(const struct silence *s)
{
    if (s->harmless_ms)
        return s->harmless_ms;
    return s->fatal_ms ? s->fatal_ms / 2 : FIRST_MS;
}

/* What is tried next. */
static uint32_t longer_ms(const struct silence *s)
{
    if (!s->fatal_ms)
        return s->harmless_ms ? 2 * s->harmless_ms : FIRST_MS;
    uint32_t known = safe_ms(s), gap = s->fatal_ms > known ? s->fatal_ms - known : 0;
    return gap > known / CLOSE_ENOUGH ? known + gap / 2 : known;
}

static struct silence silence_of(const struct subflow *sf)
{
    const struct local_addr *l = local_of(sf);
    struct silence s = l ? l->silence : (struct silence){0};
    if (s.fatal_ms && now_ms(sf) - s.fatal_at_ms > FORGET_MS)
        s.fatal_ms = 0;
    return s;
}

/* The subflow that takes no risk: one for which nothing is left to be tried, or
 * the one of which most is known. */
static bool holds(const struct subflow *sf)
{
    const struct subflow *holder = NULL;
    uint32_t most = 0;
    list_each(other, &sf->conn->subflows, struct subflow, link) {
        const struct silence s = silence_of(other);
        uint32_t known = longer_ms(&s) == s.harmless_ms ? UINT32_MAX : s.harmless_ms;
        if (!subflow_usable(other) || other->stale || (holder && known <= most))
            continue;
        holder = other;
        most = known;
    }
    return holder == NULL || holder == sf;
}

static uint64_t interval_us(const struct subflow *sf)
{
    const struct silence s = silence_of(sf);
    uint32_t ms = holds(sf) ? safe_ms(&s) : longer_ms(&s);
    uint64_t us = (uint64_t)(ms > SHORTEST_MS ? ms : SHORTEST_MS) * 1000;
    uint64_t most = sf->conn->env->config.nat_keepalive_us;
    return us < most ? us : most;
}

/* ---- what was learned ------------------------------------------------------------ */

static void harmless(struct subflow *sf)
{
    struct local_addr *l = ours(sf) ? local_of(sf) : NULL;
    if (!l)
        return;
    l->silence.doubts = 0;
    if (sf->nat.silence_ms > l->silence.harmless_ms)
        l->silence.harmless_ms = sf->nat.silence_ms;
    if (l->silence.fatal_ms && l->silence.fatal_ms <= l->silence.harmless_ms)
        l->silence.fatal_ms = 0;
}

/* One that was harmless before: more likely the path was down, unless it
 * happens again. */
static void fatal(struct subflow *sf)
{
    struct local_addr *l = ours(sf) ? local_of(sf) : NULL;
    if (!l || (sf->nat.silence_ms <= l->silence.harmless_ms && l->silence.doubts++ == 0))
        return;
    struct silence *s = &l->silence;
    s->doubts = 0;
    if (sf->nat.silence_ms <= s->harmless_ms)
        s->harmless_ms = 0;
    if (!s->fatal_ms || sf->nat.silence_ms < s->fatal_ms)
        s->fatal_ms = sf->nat.silence_ms;
    s->fatal_at_ms = now_ms(sf);
}

/* ---- asking ------------------------------------------------------------------------ */

static bool kept(const struct subflow *sf)
{
    const struct plait_conn *c = sf->conn;
    return ours(sf) && c->env->config.nat_keepalive_us && c->multipath && c->branched &&
           c->state == CONN_ESTABLISHED && !c->closing && sf->joined && !sf->gone &&
           sf->tcp.state == TCP_ESTABLISHED;
}

static void ask(struct subflow *sf, uint64_t now_us)
{
    struct nat_probe *n = &sf->nat;
    if (n->asks == 0) {
        n->asked_us = now_us;
        n->silence_ms = (uint32_t)((now_us - sf->tcp.receiver.heard_us) / 1000);
    } else if (n->asks == ASKS) {
        fatal(sf);
        subflow_stale(sf, PLAIT_WHY_KEEPALIVE_UNANSWERED);
    }
    uint64_t wait = sf->tcp.rtt.rto_us > ASK_MIN_US ? sf->tcp.rtt.rto_us : ASK_MIN_US;
    wait <<= n->asks < ASKS + 3 ? n->asks : ASKS + 3;
    n->asks = (uint8_t)(n->asks < UINT8_MAX ? n->asks + 1 : UINT8_MAX);
    n->due_us = now_us + (wait < ASK_MAX_US ? wait : ASK_MAX_US);
    sf->conn->env->counters.NatKeepalives++;
    tcp_want_probe(&sf->tcp);
    sf->quiet = false;
}

void nat_begin(struct plait_conn *c)
{
    list_each(sf, &c->subflows, struct subflow, link)
        if (sf->nat.due_us == TIMER_NEVER && kept(sf))
            sf->nat.due_us = sf->tcp.receiver.heard_us + interval_us(sf);
}

/* Whether it was replaced by one from the same address. */
void nat_rival(const struct subflow *fresh, uint64_t now_us)
{
    list_each(sf, &fresh->conn->subflows, struct subflow, link) {
        bool same =
            sf != fresh && sf->remote_id == fresh->remote_id && sf->local_id == fresh->local_id;
        if (same && subflow_usable(sf) && !sf->nat.asks && !ours(sf) &&
            now_us - sf->tcp.receiver.heard_us > RIVAL_QUIET_US)
            ask(sf, now_us);
    }
}

static void rival_tick(struct subflow *sf, uint64_t now_us)
{
    if (sf->nat.asks < RIVAL_ASKS)
        ask(sf, now_us);
    else if (subflow_replaced(sf))
        subflow_reset(sf, PLAIT_WHY_KEEPALIVE_UNANSWERED);
    else /* the new one is silent too: neither is better */
        sf->nat.asks = 0;
}

void nat_tick(struct subflow *sf, uint64_t now_us)
{
    struct nat_probe *n = &sf->nat;
    uint64_t heard_us = sf->tcp.receiver.heard_us;
    if (n->due_us > now_us)
        return;
    n->due_us = TIMER_NEVER;
    if (n->asks && heard_us > n->asked_us) {
        harmless(sf);
        *n = (struct nat_probe){.due_us = TIMER_NEVER};
        subflow_recovered(sf);
    }
    if (n->asks && !ours(sf)) {
        rival_tick(sf, now_us);
        return;
    }
    if (!kept(sf)) {
        n->asks = 0;
        return;
    }
    uint64_t due_us = heard_us + interval_us(sf);
    if (n->asks == 0 && now_us < due_us)
        n->due_us = due_us;
    else
        ask(sf, now_us);
}

void nat_failed(struct subflow *sf)
{
    bool asking = sf->nat.asks && sf->nat.asks <= ASKS;
    if (asking && sf->why == PLAIT_WHY_PEER_RESET && sf->tcp.receiver.heard_us <= sf->nat.asked_us)
        fatal(sf);
}
