/* SPDX-License-Identifier: MIT
 *
 * MP_CAPABLE and MP_JOIN, both ends: RFC 8684 3.1 and 3.2 (version 1), RFC 6824
 * 3.1 and 3.2 (version 0). Decides when a subflow may carry data and when the
 * connection has become plain TCP.
 *
 *   MP_CAPABLE   SYN            ->  offers v1; or key A, which offers v0
 *                SYN/ACK key B  <-  in the version that was offered
 *                ACK keys A, B  ->  v1: B knows A's key; repeated on first data.
 *                                   v0: no data here or with MP_CAPABLE ever
 *   MP_JOIN      SYN token, nonce A     ->
 *                SYN/ACK HMAC B, nonce B <-
 *                ACK HMAC A             ->  repeated until anything comes back
 *                ACK                    <-  only now data may flow
 */
#include "mptcp/conn.h"

#include <string.h>

/* Where a key's data sequence numbers begin: as it says, unless a test says else. */
static uint64_t idsn_of(const struct mptcp_env *env, const struct key_derived *d)
{
    return env->idsn ? env->idsn : d->idsn;
}

/* The connection's own key, whose token is nobody's yet. */
static void own_key(struct plait_conn *c, uint64_t key, const struct key_derived *d)
{
    struct mptcp_env *env = c->env;
    c->local_key = key;
    c->local_token = d->token;
    c->local_idsn = idsn_of(env, d);
    hash_insert(&env->tokens, &c->token_node, siphash(&env->hash_key, &d->token, sizeof d->token));
    c->token_listed = true;
}

bool conn_draw_key(struct plait_conn *c)
{
    struct key_derived d;
    uint64_t key;
    if (!key_pool_take(c->env, c->version, &key, &d))
        return false;
    own_key(c, key, &d);
    return true;
}

void conn_learn_key(struct plait_conn *c, uint64_t key)
{
    struct key_derived d = key_derive(c->version, key);
    c->remote_key = key;
    c->key_known = true;
    c->remote_token = d.token;
    c->remote_idsn = idsn_of(c->env, &d);
    uint64_t moved = c->remote_idsn + 1 - c->rcv_nxt; /* what came with the SYN stays in front */
    c->rcv_nxt += moved;
    c->rcv_read += moved;
    c->rcv_edge += moved;
    c->tune_read += moved;
    list_each(p, &c->recv_queue, struct recv_piece, link)
        p->dsn += moved;
}

static void conn_start_sequences(struct plait_conn *c)
{
    c->snd_una = c->snd_nxt = c->snd_end = c->local_idsn + 1;
    c->rate_dsn = c->snd_nxt;
    c->rate_us = c->env->now_us;
    c->snd_edge = c->snd_una;
    c->rcv_nxt = c->rcv_read = c->rcv_edge = c->remote_idsn + 1;
    c->out = (struct linear){c->snd_una, 1};
    c->in = (struct linear){c->rcv_nxt, 1};
}

void conn_confirm(struct plait_conn *c, uint64_t now_us)
{
    if (c->confirmed || !c->multipath || !c->key_known)
        return;
    c->confirmed = true;
    if (c->initial && c->initial->backup_local) /* MP_CAPABLE cannot say it */
        priority_set(c->initial, true);
    announce_all(c);
    paths_decide(c, PLAIT_PM_CONFIRMED, NULL, now_us);
}

void subflow_established(struct subflow *sf, uint64_t now_us)
{
    struct plait_conn *c = sf->conn;
    sf->joined = true;
    sf->quiet = false;
    half_open_done(sf);
    conn_event(c, sf, PLAIT_EV_SUBFLOW_ESTABLISHED, PLAIT_WHY_NONE, sf->local_id, sf->remote_id,
               sf->backup_local || sf->backup_remote, 0);
    if (sf->kind == SUBFLOW_INITIAL && (c->state == CONN_OPENING || c->early)) {
        fastopen_done(c);
        c->state = CONN_ESTABLISHED;
        c->tune_start_us = now_us;
        c->tune_read = c->rcv_read;
        c->counted = c->multipath;
        c->env->counters.MPCurrEstab += c->counted;
        conn_event(c, sf, PLAIT_EV_CONN_ESTABLISHED, c->fallback_why, c->local_token, c->multipath,
                   c->version, c->checksum);
    }
    list_each(other, &c->subflows, struct subflow, link)
        if (other != sf && (other->stale || other->suspect))
            subflow_reinject(other, PLAIT_WHY_SUBFLOW_TIMEOUT);
    closing_fin_again(c);
    if (sf->kind != SUBFLOW_INITIAL) {
        c->branched = true;
        nat_begin(c);
        nat_rival(sf, now_us);
        tcp_set_rto_ceiling(&sf->tcp, 0);
        c->peer_initial_removed = c->peer_initial_removed && sf->remote_id != 0;
        announce_again(c);
        paths_subflow(sf, PLAIT_PM_SUBFLOW_ESTABLISHED);
    }
    conn_touch(c);
}

void conn_set_initial(struct plait_conn *c, struct subflow *sf)
{
    c->initial = sf;
    if (c->multipath)
        return;
    c->plain = sf;
    c->plain_in = c->plain_out = true;
}

/* ---- opening -------------------------------------------------------------------- */

int conn_open(struct plait_conn *c, const struct plait_candidate *candidates, unsigned count,
              uint32_t delay_us, uint64_t now_us)
{
    struct mptcp_env *env = c->env;
    race_first(c, &candidates[0]);
    c->opened_us = now_us;
    destinations_choose(c);
    if (c->multipath && !conn_draw_key(c)) {
        c->multipath = false;
        c->fallback_why = PLAIT_WHY_TOKEN_TAKEN;
    }
    conn_start_sequences(c);
    c->checksum = c->multipath && env->config.checksum;
    int error = race_begin(c, candidates, count, delay_us, now_us);
    env->counters.ActiveOpens += !error;
    return error;
}

/* Flags that are understood. The C bit of version 0 was meant for algorithms,
 * but is in use with version 1's meaning; an offer of HMAC-SHA1 beside it tells
 * that it is not one. */
static bool capable_flags_ok(const struct mptcp_capable *m)
{
    return !(m->flags & MPC_EXTENDED) && (m->flags & MPC_HMAC);
}

/* The version in which to answer a SYN's MP_CAPABLE, or -1: as plain TCP. The
 * form and the version field must agree; a client of a later version takes
 * version 1 for an answer (RFC 8684 3.1). */
static int capable_syn_version(enum plait_version choice, const struct mptcp_options *o)
{
    uint8_t offered = o->capable.version;
    if (!(o->present & MPO_CAPABLE_ANY) || !capable_flags_ok(&o->capable))
        return -1;
    if ((o->present & MPO_CAPABLE_KEY) && offered == 0 && choice != PLAIT_VERSION_1)
        return 0;
    if ((o->present & MPO_CAPABLE_SYN) && offered >= 1 && choice != PLAIT_VERSION_0)
        return 1;
    return -1;
}

enum cookie_form handshake_form(struct mptcp_env *env, const struct conn_setup *setup,
                                const struct segment *syn, uint64_t now_us)
{
    static const enum cookie_form forms[2][2] = {{COOKIE_V0, COOKIE_V0_NO_JOIN},
                                                 {COOKIE_V1, COOKIE_V1_NO_JOIN}};
    const struct mptcp_options *o = &syn->mptcp;
    if (!setup->multipath || !(o->present & MPO_CAPABLE_ANY))
        return COOKIE_PLAIN;
    int version = capable_syn_version(setup->version, o);
    if (version < 0)
        return COOKIE_OTHER;
    uint64_t key = cookie_key(env, syn, (uint8_t)version, now_us);
    if (token_find(env, key_derive((uint8_t)version, key).token))
        return COOKIE_TOKEN_TAKEN; /* the cookie allows no other key (RFC 8684 3.1) */
    return forms[version][(o->capable.flags & MPC_NO_JOIN) != 0];
}

/* The key that the cookie stands for, unless a connection made since then has
 * its token. */
static bool conn_cookie_key(struct plait_conn *c, const struct cookie *cookie)
{
    struct key_derived d = key_derive(c->version, cookie->key);
    if (cookie->form == COOKIE_TOKEN_TAKEN || token_find(c->env, d.token)) {
        c->env->counters.MPFallbackTokenInit++;
        return false;
    }
    own_key(c, cookie->key, &d);
    return true;
}

/* Why a server is plain TCP from the SYN on. */
static enum plait_reason passive_plain_why(const struct mptcp_options *o,
                                           const struct cookie *cookie)
{
    if (o->present & MPO_CAPABLE_ANY)
        return PLAIT_WHY_PEER_VERSION;
    return cookie && cookie->form != COOKIE_PLAIN ? PLAIT_WHY_COOKIE_KEYS_LOST
                                                  : PLAIT_WHY_PEER_PLAIN_SYN;
}

int conn_open_passive(struct plait_conn *c, const struct segment *syn, const struct cookie *cookie,
                      uint64_t now_us)
{
    struct mptcp_env *env = c->env;
    const struct mptcp_options *o = &syn->mptcp;
    c->local = syn->dst;
    c->remote = syn->src;
    int version = capable_syn_version(c->version_choice, o);
    if (version >= 0) {
        c->version = (uint8_t)version;
    } else if (c->multipath) {
        c->multipath = false;
        c->fallback_why = passive_plain_why(o, cookie);
    }
    if (c->multipath && !(cookie ? conn_cookie_key(c, cookie) : conn_draw_key(c))) {
        c->multipath = false;
        c->fallback_why = PLAIT_WHY_TOKEN_TAKEN;
    }
    conn_start_sequences(c);
    if (c->multipath) {
        c->checksum = env->config.checksum || (o->capable.flags & MPC_CHECKSUM);
        c->peer_no_join_initial = (o->capable.flags & MPC_NO_JOIN) != 0;
        if (c->version == 0)
            conn_learn_key(c, o->capable.sender_key);
    }
    struct subflow *sf = subflow_new(c, SUBFLOW_INITIAL, &c->local, &c->remote, now_us);
    if (!sf)
        return PLAIT_E_NO_MEMORY;
    conn_set_initial(c, sf);
    const struct local_addr *l = local_find(env, &c->local.addr);
    sf->backup_local = l && l->local.backup;
    env->counters.PassiveOpens++;
    uint32_t isn = cookie ? cookie->isn : isn_choose(env, &c->local, &c->remote, now_us);
    tcp_accept(&sf->tcp, syn, isn, now_us);
    if (cookie) {
        uint16_t window = conn_syn_window(env);
        tcp_synack_left(&sf->tcp, window, now_us);
        conn_window_sent(c, window);
    } else if (!fastopen_accept(sf, syn, now_us)) {
        return PLAIT_E_NO_MEMORY;
    }
    conn_event(c, sf, PLAIT_EV_CONN_CREATED, PLAIT_WHY_NONE, c->local_token, 0, 0, 0);
    conn_event(c, sf, PLAIT_EV_SUBFLOW_CREATED, PLAIT_WHY_NONE, 0, 0, sf->backup_local, 0);
    return 0;
}

/* DEVIATION: RFC 8684 3.1 waits for a DSS. Once the first subflow is gone none
 * can come by it, and whatever its path did to options matters no more: a join
 * proves its own path. */
bool conn_may_join(const struct plait_conn *c)
{
    return c->confirmed || (c->key_known && !c->initial);
}

int conn_join(struct plait_conn *c, const struct plait_endpoint *local,
              const struct plait_endpoint *remote, uint8_t remote_id, bool backup, uint64_t now_us)
{
    struct mptcp_env *env = c->env;
    const struct local_addr *l = local_find(env, &local->addr);
    if (!c->multipath || c->awake->falling.why)
        return PLAIT_E_NOT_MULTIPATH;
    if (!conn_may_join(c))
        return PLAIT_E_NOT_CONNECTED;
    if (c->peer_no_join_initial && endpoint_equal(remote, &c->remote))
        return PLAIT_E_REFUSED; /* RFC 8684 3.1: MUST NOT */
    if (local->addr.family != remote->addr.family)
        return PLAIT_E_INVALID;
    if (!l)
        return PLAIT_E_NO_ADDRESS;
    struct plait_endpoint own = *local;
    /* DEVIATION: RFC 8684 3.9.1 uses the first subflow's local port. Each
     * subflow gets one of its own, as in Linux: opened again after a reset, it
     * must not meet what boxes and the peer remember of its predecessor. */
    if (own.port == 0)
        own.port = port_choose(env, &own.addr, remote);
    if (own.port == 0)
        return PLAIT_E_NO_ADDRESS;
    struct subflow *sf = subflow_new(c, SUBFLOW_JOIN_OUT, &own, remote, now_us);
    if (!sf)
        return flow_taken(env, &own, remote) ? PLAIT_E_IN_USE : PLAIT_E_LIMIT;
    sf->local_id = endpoint_is_initial(c, &own.addr) ? 0 : l->id;
    sf->remote_id = remote_id;
    sf->backup_local = backup || l->local.backup;
    tcp_set_rto_ceiling(&sf->tcp, JOIN_RTO_MAX_US);
    sf->nonce_local = secure_u32(&env->secure);
    tcp_connect(&sf->tcp, isn_choose(env, &own, remote, now_us), now_us);
    env->counters.MPJoinSynTx++;
    announce_used(c, sf->local_id);
    conn_event(c, sf, PLAIT_EV_SUBFLOW_CREATED, PLAIT_WHY_NONE, sf->local_id, sf->remote_id,
               sf->backup_local, 0);
    return 0;
}

/* DEVIATION: RFC 8684 3.1 establishes no subflow before a DSS was received.
 * This end waits for one before it joins. It accepts joins from the third ACK
 * on: the peer that joins has received a DSS, and ours may be the one that was
 * lost. */
static enum plait_reason join_refusal(const struct plait_conn *c)
{
    const struct plait_config *config = &c->env->config;
    if (!c->multipath || !c->key_known || c->state != CONN_ESTABLISHED || c->awake->falling.why)
        return PLAIT_WHY_NOT_CONFIRMED;
    if (c->closing || c->fastclose || !config->joins_accepted)
        return PLAIT_WHY_POLICY;
    if (c->subflow_count >= config->subflows_max)
        return PLAIT_WHY_LIMIT;
    return PLAIT_WHY_NONE;
}

enum plait_reason conn_join_passive(struct plait_conn *c, const struct segment *syn,
                                    uint64_t now_us)
{
    struct mptcp_env *env = c->env;
    enum plait_reason why = join_refusal(c);
    struct subflow *sf = NULL;
    if (why == PLAIT_WHY_NONE && !half_open_admit(c, now_us))
        why = PLAIT_WHY_HALF_OPEN;
    if (why == PLAIT_WHY_NONE) {
        sf = subflow_new(c, SUBFLOW_JOIN_IN, &syn->dst, &syn->src, now_us);
        why = sf ? why : PLAIT_WHY_NO_MEMORY;
    }
    if (!sf) {
        env->counters.MPJoinRejected++;
        conn_event(c, NULL, PLAIT_EV_JOIN_REFUSED, why, c->local_token, 0, 0, 0);
        return why;
    }
    const struct local_addr *l = local_find(env, &syn->dst.addr);
    sf->local_id = endpoint_is_initial(c, &syn->dst.addr) || !l ? 0 : l->id;
    sf->remote_id = syn->mptcp.join.addr_id;
    sf->backup_remote = syn->mptcp.join.backup;
    env->counters.MPJoinPortSynRx += syn->dst.port != c->local.port;
    env->counters.MPJoinSynBackupRx += sf->backup_remote;
    sf->backup_local = l && l->local.backup;
    sf->nonce_remote = syn->mptcp.join.nonce;
    sf->nonce_local = secure_u32(&env->secure);
    announce_used(c, sf->local_id);
    half_open_join(sf);
    tcp_accept(&sf->tcp, syn, isn_choose(env, &syn->dst, &syn->src, now_us), now_us);
    conn_event(c, sf, PLAIT_EV_SUBFLOW_CREATED, PLAIT_WHY_NONE, sf->local_id, sf->remote_id,
               sf->backup_local || sf->backup_remote, 0);
    return PLAIT_WHY_NONE;
}

/* ---- options in ------------------------------------------------------------------- */

static void capable_synack_in(struct plait_conn *c, const struct mptcp_options *o)
{
    const struct mptcp_capable *m = &o->capable;
    if (!c->multipath)
        return;
    if (!(o->present & MPO_CAPABLE_KEY) || m->version != c->version || !capable_flags_ok(m)) {
        enum plait_reason why = (o->present & MPO_CAPABLE_ANY) ? PLAIT_WHY_PEER_VERSION
                                : c->initial->syn_attempts > c->env->config.capable_syn_retries
                                    ? PLAIT_WHY_SYN_DROPPED
                                    : PLAIT_WHY_PEER_NO_MPTCP;
        c->env->counters.MPCapableFallbackSYNACK++;
        if (why != PLAIT_WHY_PEER_VERSION)
            destinations_failed(c, why);
        conn_fallback(c->initial, why);
        return;
    }
    destinations_worked(c);
    c->env->counters.MPCapableSYNACKRX++;
    c->checksum = c->checksum || (m->flags & MPC_CHECKSUM);
    c->peer_no_join_initial = (m->flags & MPC_NO_JOIN) != 0;
    conn_learn_key(c, m->sender_key);
}

/* The option on the first segment after the SYN/ACK proves that the client
 * has our key. */
static bool capable_ack_ok(const struct plait_conn *c, const struct mptcp_options *o)
{
    const struct mptcp_capable *m = &o->capable;
    if (!(o->present & (MPO_CAPABLE_KEYS | MPO_CAPABLE_DATA)) || m->receiver_key != c->local_key)
        return false;
    return c->version >= 1 || ((o->present & MPO_CAPABLE_KEYS) && m->sender_key == c->remote_key);
}

/* False: the segment shows that options pass, but the one with the keys was
 * lost; it will be repeated. In version 0 it will not: the client's key came
 * with the SYN, and a DSS in its place shows as well that the client speaks
 * MPTCP (RFC 6824 3.1, 3.6). */
static bool capable_ack_in(struct plait_conn *c, const struct mptcp_options *o)
{
    const struct mptcp_capable *m = &o->capable;
    if (!c->multipath)
        return true;
    if ((o->present & MPO_DSS) && !(o->present & MPO_CAPABLE_ANY))
        return c->version == 0;
    /* Another version or algorithm than was agreed on (RFC 8684 3.1). */
    bool other =
        (o->present & MPO_CAPABLE_ANY) && (m->version != c->version || !capable_flags_ok(m));
    if (other || !capable_ack_ok(c, o)) {
        c->env->counters.MPCapableFallbackACK++;
        conn_fallback(c->initial, other ? PLAIT_WHY_PEER_VERSION : PLAIT_WHY_THIRD_ACK_PLAIN);
        return true;
    }
    c->env->counters.MPCapableACKRX++;
    c->checksum = c->checksum || (m->flags & MPC_CHECKSUM);
    if (c->version >= 1)
        conn_learn_key(c, m->sender_key);
    return true;
}

static bool initial_in(struct subflow *sf, const struct segment *seg, const struct tcp_result *r,
                       uint64_t now_us)
{
    struct plait_conn *c = sf->conn;
    if (c->race && sf->tcp.state >= TCP_SYN_RECEIVED)
        race_won(sf);
    if (sf->tcp.state == TCP_SYN_RECEIVED && c->client) {
        c->env->counters.SimultConnectFallback++;
        conn_fallback(sf, PLAIT_WHY_SIMULTANEOUS_OPEN);
    }
    if (sf->joined || sf->tcp.state < TCP_ESTABLISHED || (r->flags & TCP_R_CLOSED))
        return true;
    if (!seg->mptcp.present && seg->payload_len && seq_gt(seg->seq, sf->tcp.rcv_nxt))
        return false; /* a later piece: the first one may have the option for both */
    if (c->client) {
        fastopen_synack_in(sf, seg, now_us);
        capable_synack_in(c, &seg->mptcp);
        c->keys_again = c->multipath;
    } else if (!capable_ack_in(c, &seg->mptcp)) {
        return false;
    }
    subflow_established(sf, now_us);
    return true;
}

static bool join_synack_in(struct subflow *sf, const struct segment *seg, uint64_t now_us)
{
    struct plait_conn *c = sf->conn;
    const struct mptcp_join *j = &seg->mptcp.join;
    uint8_t expected[HMAC_SYNACK_LEN];
    if (!(seg->mptcp.present & MPO_JOIN_SYNACK)) {
        c->env->counters.MPJoinSynAckNoMPJoin++;
        subflow_reset(sf, PLAIT_WHY_NO_JOIN_OPTION);
        return false;
    }
    c->env->counters.MPJoinSynAckRx++;
    c->env->counters.MPJoinPortSynAckRx += sf->tcp.remote.port != c->remote.port;
    sf->nonce_remote = j->nonce;
    join_hmac(c->version, c->remote_key, c->local_key, j->nonce, sf->nonce_local, expected,
              sizeof expected);
    if (!hmac_equal(expected, j->hmac, sizeof expected)) {
        c->env->counters.MPJoinSynAckHMacFailure++;
        subflow_reset(sf, PLAIT_WHY_BAD_HMAC);
        return false;
    }
    sf->remote_id = j->addr_id;
    sf->backup_remote = j->backup;
    c->env->counters.MPJoinSynAckBackupRx += j->backup;
    sf->join_ack_us = now_us; /* due at once; conn_options_sent sets the next */
    tcp_want_ack(&sf->tcp);
    return true;
}

static bool join_ack_in(struct subflow *sf, const struct segment *seg, uint64_t now_us)
{
    struct plait_conn *c = sf->conn;
    uint8_t expected[HMAC_ACK_LEN];
    if (!(seg->mptcp.present & MPO_JOIN_ACK)) {
        c->env->counters.MPJoinAckNoMPJoin++;
        subflow_reset(sf, PLAIT_WHY_NO_JOIN_OPTION);
        return false;
    }
    join_hmac(c->version, c->remote_key, c->local_key, sf->nonce_remote, sf->nonce_local, expected,
              sizeof expected);
    if (!hmac_equal(expected, seg->mptcp.join.hmac, sizeof expected)) {
        c->env->counters.MPJoinAckHMacFailure++;
        subflow_reset(sf, PLAIT_WHY_BAD_HMAC);
        return false;
    }
    c->env->counters.MPJoinAckRx++;
    c->env->counters.MPJoinPortAckRx += sf->tcp.local.port != c->local.port;
    tcp_want_ack(&sf->tcp); /* the fourth segment, which lets the client send */
    subflow_established(sf, now_us);
    return true;
}

bool handshake_in(struct subflow *sf, const struct segment *seg, const struct tcp_result *r,
                  uint64_t now_us)
{
    switch (sf->kind) {
    case SUBFLOW_INITIAL:
        return initial_in(sf, seg, r, now_us);
    case SUBFLOW_JOIN_IN:
        if (r->flags & TCP_R_ESTABLISHED)
            return join_ack_in(sf, seg, now_us);
        if (sf->joined && (seg->mptcp.present & MPO_JOIN_ACK))
            tcp_want_ack(&sf->tcp); /* our fourth segment was lost */
        return true;
    case SUBFLOW_JOIN_OUT:
        if (r->flags & TCP_R_ESTABLISHED)
            return join_synack_in(sf, seg, now_us);
        if (!sf->join_ack_confirmed && tcp_can_send(&sf->tcp) && !(seg->flags & TCP_SYN)) {
            sf->join_ack_confirmed = true;
            sf->join_ack_us = TIMER_NEVER;
            subflow_established(sf, now_us);
        }
        return true;
    }
    return true;
}

/* ---- options out -------------------------------------------------------------------- */

static void capable_out(const struct plait_conn *c, bool syn, const struct tcp_record *rec,
                        struct mptcp_options *o)
{
    struct mptcp_capable *m = &o->capable;
    m->version = c->version;
    m->flags = (uint8_t)(MPC_HMAC | (c->checksum ? MPC_CHECKSUM : 0) |
                         (c->no_join_initial ? MPC_NO_JOIN : 0));
    m->sender_key = c->local_key;
    m->receiver_key = c->remote_key;
    m->has_checksum = false;
    if (syn) {
        o->present |= c->client && c->version >= 1 ? MPO_CAPABLE_SYN : MPO_CAPABLE_KEY;
    } else if (rec) {
        o->present |= MPO_CAPABLE_DATA;
        m->data_len = rec->map.len;
        m->has_checksum = c->checksum;
        m->checksum = rec->map.checksum;
    } else {
        o->present |= MPO_CAPABLE_KEYS;
    }
}

static void join_out(const struct subflow *sf, bool syn, struct mptcp_options *o)
{
    const struct plait_conn *c = sf->conn;
    struct mptcp_join *j = &o->join;
    j->addr_id = sf->local_id;
    j->backup = sf->backup_local;
    j->nonce = sf->nonce_local;
    j->token = c->remote_token;
    if (syn && sf->kind == SUBFLOW_JOIN_OUT) {
        o->present |= MPO_JOIN_SYN;
        return;
    }
    o->present |= syn ? MPO_JOIN_SYNACK : MPO_JOIN_ACK;
    join_hmac(c->version, c->local_key, c->remote_key, sf->nonce_local, sf->nonce_remote, j->hmac,
              syn ? HMAC_SYNACK_LEN : HMAC_ACK_LEN);
}

/* MP_CAPABLE is offered on the first SYNs only: some middleboxes drop a SYN
 * with an option they do not know. */
static bool capable_offered(const struct subflow *sf)
{
    const struct plait_conn *c = sf->conn;
    if (!c->multipath)
        return false;
    return c->client ? sf->syn_attempts < c->env->config.capable_syn_retries : !sf->syn_plain;
}

void handshake_out(const struct subflow *sf, enum tcp_plan_kind kind, const struct tcp_record *rec,
                   struct mptcp_options *o)
{
    const struct plait_conn *c = sf->conn;
    if (kind == TCP_PLAN_SYN) {
        if (sf->kind != SUBFLOW_INITIAL)
            join_out(sf, true, o);
        else if (capable_offered(sf))
            capable_out(c, true, NULL, o);
        return;
    }
    if (sf->kind == SUBFLOW_JOIN_OUT && !sf->join_ack_confirmed) {
        join_out(sf, false, o);
        return;
    }
    bool client_initial = sf->kind == SUBFLOW_INITIAL && c->client && c->multipath;
    if (!client_initial || !c->key_known)
        return;
    if (rec) {
        if ((rec->map.kind & MAP_FIRST) && !c->confirmed)
            capable_out(c, false, rec, o);
    } else if (!c->confirmed && kind == TCP_PLAN_ACK && (!sf->fin_pending || c->keys_again)) {
        capable_out(c, false, NULL, o);
    }
}
