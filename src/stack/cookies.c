/* SPDX-License-Identifier: MIT
 *
 * When SYNs are answered with cookies (mptcp/cookie.h): always, or while a
 * listener has as many half-open connections as it may. No memory is spent on
 * such a SYN; its answer waits in a ring until it is pulled, and when the ring
 * is full silence does, as for any SYN that is lost.
 *
 * An ACK is looked at only for as long as cookies of its listener are good, so
 * nobody can guess cookies of a listener that makes none.
 */
#include "stack/stack.h"

enum { COOKIES_LIFE_US = 2 << 26 };

void cookies_answer(struct plait_listener *l, const struct segment *syn, uint64_t now_us)
{
    struct plait_stack *s = l->stack;
    struct mptcp_env *env = &s->env;
    l->cookies_until_us = now_us + COOKIES_LIFE_US;
    if (s->cookie_count == COOKIES_MAX) {
        env->counters.DropListenerFull++;
        return;
    }
    unsigned at = (s->cookie_first + s->cookie_count++) % COOKIES_MAX;
    struct cookie_reply *r = &s->cookies[at];
    bool offered = syn->mptcp.present & MPO_CAPABLE_ANY;
    *r = (struct cookie_reply){.src = syn->dst, .dst = syn->src};
    cookie_make(env, syn, handshake_form(env, &l->setup, syn, now_us), now_us, &r->cookie);
    r->tsecr = r->cookie.timestamps ? syn->tcp.tsval : 0;
    r->checksum =
        env->config.checksum || (offered && (syn->mptcp.capable.flags & MPC_CHECKSUM) != 0);
}

static void reply_options(const struct mptcp_env *env, const struct cookie_reply *r,
                          struct segment *seg)
{
    const struct cookie *c = &r->cookie;
    seg->tcp.present = OPT_MSS | (c->timestamps ? OPT_TIMESTAMP : 0) | (c->sack ? OPT_SACK_OK : 0) |
                       (c->wscale != COOKIE_NO_WSCALE ? OPT_WSCALE : 0);
    seg->tcp.mss = tcp_mss_of(&env->tcp_config, r->src.addr.family == PLAIT_IPV6,
                              local_mtu(env, &r->src.addr));
    seg->tcp.wscale = env->tcp_config.rcv_wscale;
    seg->tcp.tsval = cookie_tsval(c, env->now_us);
    seg->tcp.tsecr = r->tsecr;
    if (c->form < COOKIE_V1)
        return;
    seg->mptcp.present = MPO_CAPABLE_KEY;
    seg->mptcp.capable.version = c->form < COOKIE_V0 ? 1 : 0;
    seg->mptcp.capable.flags = (uint8_t)(MPC_HMAC | (r->checksum ? MPC_CHECKSUM : 0));
    seg->mptcp.capable.sender_key = c->key;
}

bool cookies_output(struct plait_stack *s, struct plait_packet_tx *p)
{
    if (s->cookie_count == 0)
        return false;
    const struct cookie_reply *r = &s->cookies[s->cookie_first];
    struct segment seg;
    segment_clear(&seg);
    seg.src = r->src;
    seg.dst = r->dst;
    seg.seq = r->cookie.isn;
    seg.ack = r->cookie.client_isn + 1;
    seg.flags = TCP_SYN | TCP_ACK;
    seg.window = conn_syn_window(&s->env);
    reply_options(&s->env, r, &seg);
    segment_encode(&seg, NULL, 0, 0, p);
    s->env.counters.SyncookiesSent++;
    s->cookie_first = (s->cookie_first + 1) % COOKIES_MAX;
    s->cookie_count--;
    return true;
}

/* The client repeats data until it is acknowledged. If that which holds both
 * keys overtakes nothing else, the connection is Multipath TCP; so what comes
 * without them is left to be repeated behind them. */
static bool keys_to_come(const struct cookie *c, const struct segment *seg)
{
    return (c->form == COOKIE_V1 || c->form == COOKIE_V1_NO_JOIN) &&
           (seg->mptcp.present & MPO_DSS) && !(seg->mptcp.present & MPO_CAPABLE_ANY);
}

static void cookie_open(struct plait_listener *l, const struct cookie *cookie,
                        const struct segment *ack, uint64_t now_us)
{
    struct mptcp_env *env = &l->stack->env;
    struct segment syn;
    if (l->waiting >= l->backlog) { /* the client comes again with data */
        env->counters.DropListenerFull++;
        return;
    }
    struct plait_conn *c = listener_conn(l);
    if (!c)
        return;
    cookie_syn(cookie, ack, &syn);
    if (conn_open_passive(c, &syn, cookie, now_us) != 0) {
        env->counters.DropMemory++;
        conn_free(c);
        return;
    }
    listener_half_open(l, c);
    subflow_input(c->initial, ack, now_us);
}

bool cookies_ack(struct plait_stack *s, const struct segment *seg, uint64_t now_us)
{
    struct cookie cookie;
    struct plait_listener *l = listener_find(s, &seg->dst);
    if (!l || l->cookies_until_us <= now_us || (seg->flags & (TCP_SYN | TCP_RST)) ||
        !(seg->flags & TCP_ACK))
        return false;
    enum cookie_verdict verdict = cookie_check(&s->env, seg, now_us, &cookie);
    if (verdict == COOKIE_BAD) {
        s->env.counters.SyncookiesFailed++;
        return false;
    }
    /* What overtook the first segment is not answered: an RST would end a
     * connection whose beginning is on its way or will be repeated. */
    if (verdict == COOKIE_GOOD && !keys_to_come(&cookie, seg)) {
        s->env.counters.SyncookiesRecv++;
        cookie_open(l, &cookie, seg, now_us);
    }
    return true;
}
