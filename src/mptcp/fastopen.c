/* SPDX-License-Identifier: MIT
 *
 * Cookies, data on SYNs, and the memory of what worked; see fastopen.h.
 */
#include "mptcp/fastopen.h"

#include <string.h>

#include "base/bytes.h"
#include "mptcp/conn.h"
#include "mptcp/place.h"

enum {
    PERIOD_SHIFT = 32,              /* 2^32 us: 72 minutes */
    REFUSED_US = 600 * 1000 * 1000, /* a port is not tried again for so long */
    MSS_USUAL_V4 = 1460,            /* RFC 7413 4.1.3: no larger SYN */
    MSS_USUAL_V6 = 1440,
    OPTION_HEAD = 2
};

/* ---- the client's memory ---------------------------------------------------------- */

void fastopen_free(struct mptcp_env *env)
{
    struct fastopen *f = &env->fastopen;
    mem_free(&env->mem, f->entries, f->max * sizeof *f->entries);
    f->entries = NULL;
    f->count = f->max = 0;
}

/* The entry for this pair of addresses, and port, or NULL. */
static struct fastopen_entry *entry_find(struct mptcp_env *env, const struct plait_addr *local,
                                         const struct plait_addr *remote, uint16_t port)
{
    struct fastopen *f = &env->fastopen;
    for (unsigned i = 0; i < f->count; i++) {
        struct fastopen_entry *e = &f->entries[i];
        if (e->port == port && addr_equal(&e->local, local) && addr_equal(&e->remote, remote))
            return e;
    }
    return NULL;
}

/* A place for another entry. NULL: none is kept, or no memory. */
static struct fastopen_entry *entry_place(struct mptcp_env *env)
{
    struct fastopen *f = &env->fastopen;
    if (!f->entries && env->config.fastopen_cookies_max) {
        f->entries = mem_alloc(&env->mem, env->config.fastopen_cookies_max * sizeof *f->entries);
        f->max = f->entries ? env->config.fastopen_cookies_max : 0;
    }
    if (f->count < f->max)
        return &f->entries[f->count++];
    struct fastopen_entry *oldest = f->entries;
    for (unsigned i = 1; i < f->count; i++)
        if (f->entries[i].used_us < oldest->used_us)
            oldest = &f->entries[i];
    return oldest;
}

/* The entry for these, made if need be. */
static struct fastopen_entry *entry_get(struct subflow *sf, uint16_t port, uint64_t now_us)
{
    struct mptcp_env *env = sf->conn->env;
    const struct tcp *t = &sf->tcp;
    struct fastopen_entry *e = entry_find(env, &t->local.addr, &t->remote.addr, port);
    if (!e) {
        e = entry_place(env);
        if (!e)
            return NULL;
        *e =
            (struct fastopen_entry){.local = t->local.addr, .remote = t->remote.addr, .port = port};
    }
    e->used_us = now_us;
    return e;
}

static void refuse(struct subflow *sf, uint64_t now_us)
{
    struct fastopen_entry *e = entry_get(sf, sf->tcp.remote.port, now_us);
    if (e)
        e->until_us = now_us + REFUSED_US;
    sf->conn->env->counters.TCPFastOpenActiveFail += sf->fastopen == FASTOPEN_COOKIE;
}

static void learn(struct subflow *sf, const struct tcp_options *o, uint64_t now_us)
{
    struct fastopen_entry *e = entry_get(sf, 0, now_us);
    uint16_t usual = sf->tcp.local.addr.family == PLAIT_IPV6 ? MSS_USUAL_V6 : MSS_USUAL_V4;
    if (!e)
        return;
    memcpy(e->cookie, o->fastopen, o->fastopen_len);
    e->cookie_len = o->fastopen_len;
    e->mss = 0;
    if (o->present & OPT_MSS)
        e->mss = o->mss < usual ? o->mss : usual;
}

/* ---- the option -------------------------------------------------------------------- */

static uint8_t option_len(uint8_t cookie_len)
{
    return (uint8_t)((OPTION_HEAD + cookie_len + 3) & ~3);
}

/* Bytes that tcp's own options and MPTCP's leave on a client's first SYN. */
static unsigned syn_room(const struct subflow *sf)
{
    const struct tcp_config *config = sf->tcp.config;
    struct mptcp_options o = {0};
    unsigned used = 4 + 4 + (config->timestamps ? 12 : config->sack ? 4 : 0);
    handshake_out(sf, TCP_PLAN_SYN, NULL, &o);
    return TCP_OPTIONS_MAX - used - mptcp_options_len(&o);
}

void fastopen_choose(struct subflow *sf, uint64_t now_us)
{
    struct mptcp_env *env = sf->conn->env;
    const struct tcp *t = &sf->tcp;
    const struct fastopen_entry *refused =
        entry_find(env, &t->local.addr, &t->remote.addr, t->remote.port);
    if (!sf->conn->fastopen || (refused && refused->until_us > now_us))
        return;
    struct fastopen_entry *e = entry_find(env, &t->local.addr, &t->remote.addr, 0);
    if (!e) {
        sf->fastopen = FASTOPEN_REQUEST;
        return;
    }
    if (option_len(e->cookie_len) > syn_room(sf)) {
        env->counters.FastOpenNoRoom++;
        return;
    }
    e->used_us = now_us;
    sf->fastopen = FASTOPEN_COOKIE;
    sf->fastopen_mss = e->mss;
    sf->fastopen_len = e->cookie_len;
    memcpy(sf->fastopen_cookie, e->cookie, e->cookie_len);
}

/* Only the first SYN or SYN/ACK has it (RFC 7413 4.2.2). */
static bool option_due(const struct subflow *sf)
{
    return sf->fastopen != FASTOPEN_NONE && sf->syn_attempts == 0;
}

void fastopen_ask(const struct subflow *sf, struct tcp_ask *ask)
{
    const struct plait_conn *c = sf->conn;
    if (!option_due(sf))
        return;
    ask->syn_option_len = (uint8_t)(ask->syn_option_len + option_len(sf->fastopen_len));
    if (!c->client || sf->fastopen != FASTOPEN_COOKIE || list_empty(&c->send_queue))
        return;
    const struct send_chunk *s = list_first(&c->send_queue, struct send_chunk, link);
    ask->syn_data = (struct plait_iov){s->chunk->data, s->len};
    ask->syn_mss = sf->fastopen_mss;
}

void fastopen_out(const struct subflow *sf, struct segment *seg)
{
    if (!option_due(sf))
        return;
    if (segment_options_len(seg) + option_len(sf->fastopen_len) > TCP_OPTIONS_MAX) {
        sf->conn->env->counters.FastOpenNoRoom++;
        return;
    }
    seg->tcp.present |= OPT_FASTOPEN;
    seg->tcp.fastopen_len = sf->fastopen_len;
    memcpy(seg->tcp.fastopen, sf->fastopen_cookie, sf->fastopen_len);
}

/* ---- client ------------------------------------------------------------------------ */

void fastopen_synack_in(struct subflow *sf, const struct segment *seg, uint64_t now_us)
{
    struct plait_conn *c = sf->conn;
    const struct tcp_options *o = &seg->tcp;
    bool cookie = (o->present & OPT_FASTOPEN) && o->fastopen_len > 0;
    if (!c->fastopen)
        return;
    if (sf->tcp.syn_out) {
        c->fastopen_out = sf->tcp.syn_out;
        c->env->counters.TCPFastOpenActive++;
        send_taken(c, sf->tcp.syn_out);
    }
    if (cookie) {
        learn(sf, o, now_us);
        return;
    }
    /* The data was not taken and no better cookie came; or it took a SYN
     * without the option to get an answer (RFC 7413 4.2.2). */
    bool ignored = sf->tcp.wants.syn_data && !sf->tcp.syn_out;
    bool silenced = sf->fastopen != FASTOPEN_NONE && sf->syn_attempts > 1 && !sf->tcp.syn_out;
    if (ignored || silenced)
        refuse(sf, now_us);
}

void fastopen_failed(struct subflow *sf, uint64_t now_us)
{
    if (sf->conn->client && sf->fastopen != FASTOPEN_NONE)
        refuse(sf, now_us);
}

/* ---- server ------------------------------------------------------------------------ */

static void cookie_for(const struct hash_key *secret, const struct segment *syn,
                       uint8_t out[FASTOPEN_COOKIE_LEN])
{
    uint8_t msg[2 * (1 + sizeof syn->src.addr.bytes)], hash[8];
    struct writer w = {.buf = msg, .cap = sizeof msg};
    write_u8(&w, syn->src.addr.family);
    write_bytes(&w, syn->src.addr.bytes, sizeof syn->src.addr.bytes);
    write_u8(&w, syn->dst.addr.family);
    write_bytes(&w, syn->dst.addr.bytes, sizeof syn->dst.addr.bytes);
    put_be64(hash, siphash(secret, msg, w.len));
    memcpy(out, hash, FASTOPEN_COOKIE_LEN);
}

static bool cookie_is(const struct hash_key *secret, const struct segment *syn)
{
    uint8_t good[FASTOPEN_COOKIE_LEN];
    if (!secret || syn->tcp.fastopen_len != sizeof good)
        return false;
    cookie_for(secret, syn, good);
    return hmac_equal(good, syn->tcp.fastopen, sizeof good);
}

/* The SYN proved its sender: its data is the application's at once, and what
 * the application answers leaves behind the SYN/ACK. */
static bool accept_early(struct subflow *sf, const struct segment *syn, uint64_t now_us)
{
    struct plait_conn *c = sf->conn;
    struct tcp_result r;
    struct tcp_piece piece;
    tcp_accept_early(&sf->tcp, syn, now_us, &r);
    while (tcp_next_in_order(&sf->tcp, &piece)) {
        bool placed = place_before(c, piece.chunk, piece.data, piece.len);
        chunk_unref(piece.chunk);
        if (!placed)
            return false;
        c->fastopen_in += piece.len;
    }
    c->early = true;
    c->state = CONN_ESTABLISHED;
    c->tune_start_us = now_us;
    c->tune_read = c->rcv_read;
    conn_window(c, c->snd_una + syn->window);
    c->env->fastopen.pending++;
    c->env->counters.TCPFastOpenPassive++;
    return true;
}

bool fastopen_accept(struct subflow *sf, const struct segment *syn, uint64_t now_us)
{
    struct mptcp_env *env = sf->conn->env;
    struct fastopen *f = &env->fastopen;
    uint64_t period = now_us >> PERIOD_SHIFT;
    if (!sf->conn->fastopen || !(syn->tcp.present & OPT_FASTOPEN))
        return true;
    const struct hash_key *secret = rotating_now(&f->secret, &env->secure, period);
    bool fresh = cookie_is(secret, syn);
    bool good = fresh || (period && cookie_is(rotating_of(&f->secret, period - 1), syn));
    if (!fresh) {
        sf->fastopen = FASTOPEN_COOKIE;
        sf->fastopen_len = FASTOPEN_COOKIE_LEN;
        cookie_for(secret, syn, sf->fastopen_cookie);
    }
    env->counters.TCPFastOpenCookieReqd += syn->tcp.fastopen_len == 0;
    env->counters.TCPFastOpenPassiveFail += !good && syn->tcp.fastopen_len;
    if (!good)
        return true;
    if (f->pending >= env->config.fastopen_pending_max) { /* RFC 7413 5.1 */
        env->counters.TCPFastOpenListenOverflow++;
        return true;
    }
    return accept_early(sf, syn, now_us);
}

void fastopen_done(struct plait_conn *c)
{
    c->env->fastopen.pending -= c->early;
    c->early = false;
}
