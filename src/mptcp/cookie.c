/* SPDX-License-Identifier: MIT
 *
 * The bits of SYN cookies; see cookie.h.
 */
#include "mptcp/cookie.h"

#include "base/bytes.h"

enum {
    PERIOD_SHIFT = 26, /* 2^26 us: 67 seconds */
    HASH_BITS = 25,
    LATER_MAX = 1 << 20, /* how far a client sends ahead of its first segment */
    FORM_SHIFT = 25,
    MSS_SHIFT = 28,
    PARITY_SHIFT = 31,
    INDEX_MASK = 7,
    TS_BITS = 5,
    TS_WSCALE = 15,
    TS_SACK = 16,
    KEY_TRIES = 64
};
#define HASH_MASK ((UINT32_C(1) << HASH_BITS) - 1)
/* An odd number and its inverse modulo 2^32: an ACK that is one off is far off. */
#define SPREAD UINT32_C(0x9e3779b1)
#define GATHER UINT32_C(0xe8b2f51)
#define TS_MASK ((UINT32_C(1) << TS_BITS) - 1)

static const uint16_t mss_table[INDEX_MASK + 1] = {64, 256, 536, 1220, 1360, 1440, 1460, 8960};

/* What is hashed beside the endpoints. */
enum cookie_use { USE_COOKIE, USE_KEY };

static uint64_t period_of(uint64_t now_us)
{
    return now_us >> PERIOD_SHIFT;
}

static uint64_t cookie_hash(const struct hash_key *secret, const struct segment *in,
                            uint32_t client_isn, enum cookie_use use, uint8_t bits, uint8_t options)
{
    uint8_t msg[FLOW_BYTES + 4 + 3];
    flow_bytes(&in->dst, &in->src, msg);
    put_be32(msg + FLOW_BYTES, client_isn);
    msg[FLOW_BYTES + 4] = (uint8_t)use;
    msg[FLOW_BYTES + 5] = bits;
    msg[FLOW_BYTES + 6] = options;
    return siphash(secret, msg, sizeof msg);
}

/* The first of a row of keys whose token suits: whoever counts again comes to
 * the same. */
static uint64_t key_in_version(const struct mptcp_env *env, const struct hash_key *secret,
                               const struct segment *in, uint32_t client_isn, uint8_t version)
{
    uint64_t key = 0;
    for (unsigned i = 0, n = key_draws(env, KEY_TRIES); i < n; i++) {
        key = cookie_hash(secret, in, client_isn, USE_KEY, (uint8_t)i, (uint8_t)(i >> 8));
        if (token_suits(env, key_derive(version, key).token))
            break;
    }
    return key;
}

static bool form_is_v0(enum cookie_form form)
{
    return form == COOKIE_V0 || form == COOKIE_V0_NO_JOIN;
}

/* 0 for a form without MPTCP. */
static uint64_t key_of(const struct mptcp_env *env, const struct hash_key *secret,
                       const struct segment *in, uint32_t client_isn, enum cookie_form form)
{
    bool v1 = form == COOKIE_V1 || form == COOKIE_V1_NO_JOIN;
    return v1 || form_is_v0(form) ? key_in_version(env, secret, in, client_isn, v1) : 0;
}

/* MSS and form as one byte, options as another: what the hash protects. */
static uint8_t cookie_bits(unsigned mss_index, enum cookie_form form)
{
    return (uint8_t)(mss_index << 3 | form);
}

static uint8_t timestamp_bits(const struct cookie *c)
{
    return (uint8_t)(c->wscale | (c->sack ? TS_SACK : 0));
}

static uint8_t option_bits(const struct cookie *c)
{
    return c->timestamps ? (uint8_t)(0x80 | timestamp_bits(c)) : 0;
}

static unsigned mss_index_of(const struct segment *syn)
{
    bool v6 = syn->dst.addr.family == PLAIT_IPV6;
    uint16_t mss = v6 ? 1220 : 536; /* RFC 9293 3.7.1 */
    if (syn->tcp.present & OPT_MSS)
        mss = syn->tcp.mss;
    unsigned i = INDEX_MASK;
    while (i > 0 && mss_table[i] > mss)
        i--;
    return i;
}

/* What a cookie's 25 bits are above the client's ISN, spread. */
static uint32_t hash_bits(const struct hash_key *secret, const struct segment *in, uint8_t bits,
                          uint8_t options)
{
    return (uint32_t)cookie_hash(secret, in, 0, USE_COOKIE, bits, options) & HASH_MASK;
}

uint64_t cookie_key(struct mptcp_env *env, const struct segment *syn, uint8_t version,
                    uint64_t now_us)
{
    const struct hash_key *secret =
        rotating_now(&env->cookie_secret, &env->secure, period_of(now_us));
    return key_in_version(env, secret, syn, syn->seq, version);
}

void cookie_make(struct mptcp_env *env, const struct segment *syn, enum cookie_form form,
                 uint64_t now_us, struct cookie *out)
{
    uint64_t period = period_of(now_us);
    const struct hash_key *secret = rotating_now(&env->cookie_secret, &env->secure, period);
    const struct tcp_options *o = &syn->tcp;
    unsigned mss_index = mss_index_of(syn);
    *out = (struct cookie){.client_isn = syn->seq,
                           .key = key_of(env, secret, syn, syn->seq, form),
                           .form = form,
                           .mss = mss_table[mss_index],
                           .wscale = COOKIE_NO_WSCALE,
                           .timestamps = env->config.timestamps && (o->present & OPT_TIMESTAMP)};
    if (out->timestamps) {
        if (o->present & OPT_WSCALE)
            out->wscale = o->wscale < 14 ? o->wscale : 14; /* RFC 7323 2.3 */
        out->sack = env->config.sack && (o->present & OPT_SACK_OK);
    }
    uint32_t hash = hash_bits(secret, syn, cookie_bits(mss_index, form), option_bits(out));
    out->isn = (uint32_t)(period & 1) << PARITY_SHIFT | (uint32_t)mss_index << MSS_SHIFT |
               (uint32_t)form << FORM_SHIFT | ((hash + syn->seq * SPREAD) & HASH_MASK);
}

uint32_t cookie_tsval(const struct cookie *c, uint64_t now_us)
{
    uint32_t now = c->isn + (uint32_t)(now_us / 1000);
    uint32_t ts = (now & ~TS_MASK) | timestamp_bits(c);
    return seq_gt(ts, now) ? ts - TS_MASK - 1 : ts;
}

/* How far behind the client's ISN the segment begins, if the cookie is for it. */
static uint32_t cookie_offset(const struct hash_key *secret, const struct segment *ack,
                              const struct cookie *c, unsigned mss_index)
{
    uint32_t hash = hash_bits(secret, ack, cookie_bits(mss_index, c->form), option_bits(c));
    return (ack->seq - (c->isn - hash) * GATHER) & HASH_MASK;
}

enum cookie_verdict cookie_check(struct mptcp_env *env, const struct segment *ack, uint64_t now_us,
                                 struct cookie *out)
{
    uint32_t isn = ack->ack - 1, form = isn >> FORM_SHIFT & INDEX_MASK;
    uint64_t period = period_of(now_us);
    if ((period & 1) != isn >> PARITY_SHIFT)
        period--; /* the one before */
    const struct hash_key *secret = rotating_of(&env->cookie_secret, period);
    if (!secret || form >= COOKIE_FORMS)
        return COOKIE_BAD;
    *out = (struct cookie){.isn = isn,
                           .form = (enum cookie_form)form,
                           .wscale = COOKIE_NO_WSCALE,
                           .timestamps = ack->tcp.present & OPT_TIMESTAMP};
    if (out->timestamps) {
        out->wscale = ack->tcp.tsecr & TS_WSCALE;
        out->sack = ack->tcp.tsecr & TS_SACK;
    }
    unsigned mss_index = isn >> MSS_SHIFT & INDEX_MASK;
    uint32_t offset = cookie_offset(secret, ack, out, mss_index);
    if (offset > 1 || (offset == 0 && ack->payload_len > 0))
        return offset > 0 && offset <= LATER_MAX ? COOKIE_LATER : COOKIE_BAD;
    out->client_isn = ack->seq - offset;
    out->mss = mss_table[mss_index];
    out->key = key_of(env, secret, ack, out->client_isn, out->form);
    return COOKIE_GOOD;
}

/* A version 0 client's key is in the third ACK and in no other segment: without
 * it the connection is plain TCP (RFC 8041 3.11). */
static void capable_again(enum cookie_form form, const struct mptcp_options *ack,
                          struct mptcp_options *o)
{
    const uint32_t with_key = MPO_CAPABLE_KEYS | MPO_CAPABLE_DATA;
    bool v0 = form_is_v0(form);
    bool no_join = form == COOKIE_V1_NO_JOIN || form == COOKIE_V0_NO_JOIN;
    if (form == COOKIE_PLAIN || (v0 && !(ack->present & with_key)))
        return;
    o->present = v0 ? MPO_CAPABLE_KEY : MPO_CAPABLE_SYN;
    o->capable.version = v0 || form == COOKIE_OTHER ? 0 : 1;
    o->capable.flags = (uint8_t)(MPC_HMAC | (no_join ? MPC_NO_JOIN : 0));
    o->capable.sender_key = (ack->present & with_key) ? ack->capable.sender_key : 0;
}

void cookie_syn(const struct cookie *c, const struct segment *ack, struct segment *syn)
{
    segment_clear(syn);
    syn->src = ack->src;
    syn->dst = ack->dst;
    syn->seq = c->client_isn;
    syn->flags = TCP_SYN;
    syn->window = ack->window;
    syn->tcp.present = OPT_MSS | (c->timestamps ? OPT_TIMESTAMP : 0) | (c->sack ? OPT_SACK_OK : 0) |
                       (c->wscale != COOKIE_NO_WSCALE ? OPT_WSCALE : 0);
    syn->tcp.mss = c->mss;
    syn->tcp.wscale = c->wscale;
    syn->tcp.tsval = ack->tcp.tsval;
    syn->tcp.tsecr = 0;
    capable_again(c->form, &ack->mptcp, &syn->mptcp);
}
