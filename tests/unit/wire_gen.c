/* SPDX-License-Identifier: MIT */
#include "wire_gen.h"

#include <string.h>

#include "base/addr.h"

static uint32_t below(struct prng *rng, uint32_t n)
{
    return (uint32_t)prng_below(rng, n);
}

static bool coin(struct prng *rng)
{
    return below(rng, 2);
}

static uint32_t u32(struct prng *rng)
{
    return (uint32_t)prng_next(rng);
}

static uint16_t u16(struct prng *rng)
{
    return (uint16_t)prng_next(rng);
}

static uint8_t u8(struct prng *rng)
{
    return (uint8_t)prng_next(rng);
}

static void fill(struct prng *rng, uint8_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = u8(rng);
}

static struct plait_addr random_addr(struct prng *rng, bool v6)
{
    uint8_t b[16];
    fill(rng, b, sizeof b);
    return v6 ? addr_v6(b) : addr_v4(b);
}

void gen_header(struct prng *rng, struct segment *s)
{
    bool v6 = coin(rng);
    segment_clear(s);
    s->src = (struct plait_endpoint){random_addr(rng, v6), u16(rng)};
    s->dst = (struct plait_endpoint){random_addr(rng, v6), u16(rng)};
    s->seq = u32(rng);
    s->ack = u32(rng);
    s->window = u16(rng);
    s->urgent = u16(rng);
    s->flags = u8(rng);
    s->ecn = u8(rng) & 3;
    s->ttl = (uint8_t)(1 + below(rng, 255));
}

void gen_tcp_option(struct prng *rng, struct segment *s, uint32_t bit)
{
    struct tcp_options *t = &s->tcp;
    t->present |= bit;
    switch ((enum tcp_option_bit)bit) {
    case OPT_MSS:
        t->mss = u16(rng);
        break;
    case OPT_WSCALE:
        t->wscale = u8(rng);
        break;
    case OPT_SACK_OK:
        break;
    case OPT_SACK:
        t->sack_count = (uint8_t)(1 + below(rng, SACK_BLOCKS_MAX));
        for (unsigned i = 0; i < t->sack_count; i++)
            t->sack[i] = (struct sack_block){u32(rng), u32(rng)};
        break;
    case OPT_TIMESTAMP:
        t->tsval = u32(rng);
        t->tsecr = u32(rng);
        break;
    case OPT_FASTOPEN:
        t->fastopen_len = (uint8_t)(coin(rng) ? 0 : 4 + 2 * below(rng, 7));
        fill(rng, t->fastopen, t->fastopen_len);
        break;
    }
}

static void gen_dss(struct prng *rng, struct mptcp_dss *d)
{
    d->has_ack = coin(rng);
    d->has_map = coin(rng);
    d->data_fin = coin(rng);
    d->ack64 = d->has_ack && coin(rng);
    d->dsn64 = d->has_map && coin(rng);
    d->has_checksum = d->has_map && coin(rng);
    d->data_ack = d->ack64 ? prng_next(rng) : u32(rng);
    d->dsn = d->dsn64 ? prng_next(rng) : u32(rng);
    d->ssn = u32(rng);
    d->data_len = u16(rng);
    d->checksum = u16(rng);
}

static void gen_add_addr(struct prng *rng, struct mptcp_options *m)
{
    struct mptcp_add_addr *a = &m->add_addr[m->add_addr_count++];
    unsigned kind = below(rng, 3); /* v0, v1, v1 echo */
    a->addr = random_addr(rng, coin(rng));
    a->addr_id = u8(rng);
    a->has_hmac = kind == 1;
    a->echo = kind == 2;
    a->has_port = coin(rng);
    a->port = a->has_port ? u16(rng) : 0;
    fill(rng, a->hmac, sizeof a->hmac);
}

void gen_mptcp_option(struct prng *rng, struct segment *s, uint32_t bit)
{
    struct mptcp_options *m = &s->mptcp;
    m->present |= bit;
    switch ((enum mptcp_option_bit)bit) {
    case MPO_CAPABLE_SYN:
    case MPO_CAPABLE_KEY:
    case MPO_CAPABLE_KEYS:
    case MPO_CAPABLE_DATA:
        m->capable.version = (uint8_t)below(rng, 16);
        m->capable.flags = u8(rng);
        m->capable.sender_key = prng_next(rng);
        m->capable.receiver_key = prng_next(rng);
        m->capable.data_len = u16(rng);
        m->capable.has_checksum = bit == MPO_CAPABLE_DATA && coin(rng);
        m->capable.checksum = u16(rng);
        break;
    case MPO_JOIN_SYN:
    case MPO_JOIN_SYNACK:
    case MPO_JOIN_ACK:
        m->join.backup = coin(rng);
        m->join.addr_id = u8(rng);
        m->join.token = u32(rng);
        m->join.nonce = u32(rng);
        fill(rng, m->join.hmac, sizeof m->join.hmac);
        break;
    case MPO_DSS:
        gen_dss(rng, &m->dss);
        break;
    case MPO_ADD_ADDR:
        for (unsigned n = 1 + below(rng, 2); n; n--)
            gen_add_addr(rng, m);
        break;
    case MPO_REMOVE_ADDR:
        m->remove_addr_count = (uint8_t)(1 + below(rng, coin(rng) ? 4 : REMOVE_ADDR_MAX));
        fill(rng, m->remove_addr, m->remove_addr_count);
        break;
    case MPO_PRIO:
        m->prio.backup = coin(rng);
        m->prio.has_addr_id = coin(rng);
        m->prio.addr_id = m->prio.has_addr_id ? u8(rng) : 0;
        break;
    case MPO_FAIL:
        m->fail_dsn = prng_next(rng);
        break;
    case MPO_FASTCLOSE:
        m->fastclose_key = prng_next(rng);
        break;
    case MPO_TCPRST:
        m->tcprst.transient = coin(rng);
        m->tcprst.flags = m->tcprst.transient;
        m->tcprst.reason = u8(rng);
        break;
    case MPO_EXPERIMENTAL:
        m->present &= ~bit;
        break;
    }
}

/* At most one form of each of these (wire/segment.h). */
static bool form_taken(const struct mptcp_options *m, uint32_t bit)
{
    return (bit & MPO_CAPABLE_ANY && m->present & MPO_CAPABLE_ANY) ||
           (bit & MPO_JOIN_ANY && m->present & MPO_JOIN_ANY);
}

void gen_segment(struct prng *rng, struct segment *s)
{
    gen_header(rng, s);
    for (unsigned tries = below(rng, 7); tries; tries--) {
        struct segment wider = *s;
        if (coin(rng)) {
            uint32_t bit = 1U << below(rng, 6);
            gen_tcp_option(rng, &wider, bit);
        } else {
            uint32_t bit = 1U << below(rng, 14);
            if (wider.mptcp.present & bit || form_taken(&wider.mptcp, bit))
                continue;
            gen_mptcp_option(rng, &wider, bit);
        }
        if (segment_options_len(&wider) <= TCP_OPTIONS_MAX)
            *s = wider;
    }
}

static void canonical_tcp(const struct tcp_options *t, struct tcp_options *o)
{
    o->present = t->present;
    o->unknown_count = t->unknown_count;
    if (t->present & OPT_MSS)
        o->mss = t->mss;
    if (t->present & OPT_WSCALE)
        o->wscale = t->wscale;
    if (t->present & OPT_TIMESTAMP) {
        o->tsval = t->tsval;
        o->tsecr = t->tsecr;
    }
    if (t->present & OPT_SACK) {
        o->sack_count = t->sack_count;
        memcpy(o->sack, t->sack, t->sack_count * sizeof t->sack[0]);
    }
    if (t->present & OPT_FASTOPEN) {
        o->fastopen_len = t->fastopen_len;
        memcpy(o->fastopen, t->fastopen, t->fastopen_len);
    }
}

static void canonical_handshake(const struct mptcp_options *m, struct mptcp_options *o)
{
    if (m->present & MPO_CAPABLE_ANY) {
        o->capable.version = m->capable.version;
        o->capable.flags = m->capable.flags;
    }
    if (m->present & (MPO_CAPABLE_KEY | MPO_CAPABLE_KEYS | MPO_CAPABLE_DATA))
        o->capable.sender_key = m->capable.sender_key;
    if (m->present & (MPO_CAPABLE_KEYS | MPO_CAPABLE_DATA))
        o->capable.receiver_key = m->capable.receiver_key;
    if (m->present & MPO_CAPABLE_DATA) {
        o->capable.data_len = m->capable.data_len;
        o->capable.has_checksum = m->capable.has_checksum;
        o->capable.checksum = m->capable.has_checksum ? m->capable.checksum : 0;
    }
    if (m->present & (MPO_JOIN_SYN | MPO_JOIN_SYNACK)) {
        o->join.backup = m->join.backup;
        o->join.addr_id = m->join.addr_id;
        o->join.nonce = m->join.nonce;
    }
    if (m->present & MPO_JOIN_SYN)
        o->join.token = m->join.token;
    if (m->present & MPO_JOIN_SYNACK)
        memcpy(o->join.hmac, m->join.hmac, 8);
    if (m->present & MPO_JOIN_ACK)
        memcpy(o->join.hmac, m->join.hmac, 20);
}

static void canonical_dss(const struct mptcp_dss *d, struct mptcp_dss *o)
{
    o->has_ack = d->has_ack;
    o->has_map = d->has_map;
    o->data_fin = d->data_fin;
    if (d->has_ack) {
        o->ack64 = d->ack64;
        o->data_ack = d->data_ack;
    }
    if (d->has_map) {
        o->dsn64 = d->dsn64;
        o->dsn = d->dsn;
        o->ssn = d->ssn;
        o->data_len = d->data_len;
        o->has_checksum = d->has_checksum;
        o->checksum = d->has_checksum ? d->checksum : 0;
    }
}

static void canonical_add_addr(const struct mptcp_add_addr *a, struct mptcp_add_addr *o)
{
    o->addr = a->addr;
    o->addr_id = a->addr_id;
    o->echo = a->echo;
    o->has_hmac = a->has_hmac;
    o->has_port = a->has_port;
    o->port = a->has_port ? a->port : 0;
    if (a->has_hmac)
        memcpy(o->hmac, a->hmac, sizeof a->hmac);
}

static void canonical_mptcp(const struct mptcp_options *m, struct mptcp_options *o)
{
    o->present = m->present;
    o->unknown_count = m->unknown_count;
    o->malformed_count = m->malformed_count;
    canonical_handshake(m, o);
    if (m->present & MPO_DSS)
        canonical_dss(&m->dss, &o->dss);
    if (m->present & MPO_ADD_ADDR) {
        o->add_addr_count = m->add_addr_count;
        for (unsigned i = 0; i < m->add_addr_count; i++)
            canonical_add_addr(&m->add_addr[i], &o->add_addr[i]);
    }
    if (m->present & MPO_REMOVE_ADDR) {
        o->remove_addr_count = m->remove_addr_count;
        memcpy(o->remove_addr, m->remove_addr, m->remove_addr_count);
    }
    if (m->present & MPO_PRIO) {
        o->prio.backup = m->prio.backup;
        o->prio.has_addr_id = m->prio.has_addr_id;
        o->prio.addr_id = m->prio.has_addr_id ? m->prio.addr_id : 0;
    }
    if (m->present & MPO_FAIL)
        o->fail_dsn = m->fail_dsn;
    if (m->present & MPO_FASTCLOSE)
        o->fastclose_key = m->fastclose_key;
    if (m->present & MPO_TCPRST) {
        o->tcprst.transient = m->tcprst.transient;
        o->tcprst.flags = m->tcprst.flags;
        o->tcprst.reason = m->tcprst.reason;
    }
}

void gen_canonical(const struct segment *s, struct segment *out)
{
    memset(out, 0, sizeof *out);
    out->src.addr = s->src.addr;
    out->src.port = s->src.port;
    out->dst.addr = s->dst.addr;
    out->dst.port = s->dst.port;
    out->seq = s->seq;
    out->ack = s->ack;
    out->window = s->window;
    out->urgent = s->urgent;
    out->flags = s->flags;
    out->ecn = s->ecn;
    out->ttl = s->ttl;
    canonical_tcp(&s->tcp, &out->tcp);
    canonical_mptcp(&s->mptcp, &out->mptcp);
}
