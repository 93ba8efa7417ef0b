/* SPDX-License-Identifier: MIT
 *
 * MPTCP's options (RFC 8684 3, RFC 6824 3): one row for each form an option
 * can take. A form is known by subtype and length alone, so that reading
 * needs no state; which version a connection speaks is judged above.
 *
 * Invariants: row number = bit number in enum mptcp_option_bit; the rows of
 * one subtype are neighbours. Each option is written padded with NOPs behind
 * it to a multiple of four, as Linux does. Reserved bits are written zero and
 * not looked at.
 */
#include "wire/options.h"

#include <assert.h>

#include "base/addr.h"

enum {
    DSS_DATA_FIN = 0x10, /* F */
    DSS_DSN64 = 0x08,    /* m */
    DSS_MAP = 0x04,      /* M */
    DSS_ACK64 = 0x02,    /* a */
    DSS_ACK = 0x01,      /* A */

    NIBBLE_BACKUP = 0x1,    /* MP_JOIN and MP_PRIO: B */
    NIBBLE_ECHO = 0x1,      /* ADD_ADDR v1: E */
    NIBBLE_TRANSIENT = 0x1, /* MP_TCPRST: T */

    HMAC_SYNACK = 8, /* truncated HMAC of MP_JOIN, SYN/ACK */
    HMAC_ACK = 20    /* of the third ACK */
};

/* The head of an option: kind, length, subtype and low nibble. */
static void write_head(struct writer *w, unsigned len, unsigned subtype, unsigned nibble)
{
    write_u8(w, TCPOPT_MPTCP);
    write_u8(w, (uint8_t)len);
    write_u8(w, (uint8_t)(subtype << 4 | nibble));
}

/* ---- MP_CAPABLE (3.1): the longer forms begin with the shorter ones ---- */

static bool capable_decode(const uint8_t *o, unsigned len, struct mptcp_options *m)
{
    struct mptcp_capable *c = &m->capable;
    c->version = o[2] & 0x0f;
    c->flags = o[3];
    if (len >= 12)
        c->sender_key = get_be64(o + 4);
    if (len >= 20)
        c->receiver_key = get_be64(o + 12);
    if (len >= 22)
        c->data_len = get_be16(o + 20);
    c->has_checksum = len == 24;
    if (c->has_checksum)
        c->checksum = get_be16(o + 22);
    return true;
}

static void capable_encode_syn(const struct mptcp_options *m, struct writer *w)
{
    write_head(w, 4, MPTCP_CAPABLE, m->capable.version);
    write_u8(w, m->capable.flags);
}

static void capable_encode_key(const struct mptcp_options *m, struct writer *w)
{
    write_head(w, 12, MPTCP_CAPABLE, m->capable.version);
    write_u8(w, m->capable.flags);
    write_be64(w, m->capable.sender_key);
}

static void capable_encode_keys(const struct mptcp_options *m, struct writer *w)
{
    write_head(w, 20, MPTCP_CAPABLE, m->capable.version);
    write_u8(w, m->capable.flags);
    write_be64(w, m->capable.sender_key);
    write_be64(w, m->capable.receiver_key);
}

static void capable_encode_data(const struct mptcp_options *m, struct writer *w)
{
    const struct mptcp_capable *c = &m->capable;
    write_head(w, c->has_checksum ? 24 : 22, MPTCP_CAPABLE, c->version);
    write_u8(w, c->flags);
    write_be64(w, c->sender_key);
    write_be64(w, c->receiver_key);
    write_be16(w, c->data_len);
    if (c->has_checksum)
        write_be16(w, c->checksum);
}

/* ---- MP_JOIN (3.2) ---- */

static bool join_decode_syn(const uint8_t *o, unsigned len, struct mptcp_options *m)
{
    (void)len;
    m->join.backup = o[2] & NIBBLE_BACKUP;
    m->join.addr_id = o[3];
    m->join.token = get_be32(o + 4);
    m->join.nonce = get_be32(o + 8);
    return true;
}

static void join_encode_syn(const struct mptcp_options *m, struct writer *w)
{
    write_head(w, 12, MPTCP_JOIN, m->join.backup ? NIBBLE_BACKUP : 0);
    write_u8(w, m->join.addr_id);
    write_be32(w, m->join.token);
    write_be32(w, m->join.nonce);
}

static bool join_decode_synack(const uint8_t *o, unsigned len, struct mptcp_options *m)
{
    (void)len;
    m->join.backup = o[2] & NIBBLE_BACKUP;
    m->join.addr_id = o[3];
    memcpy(m->join.hmac, o + 4, HMAC_SYNACK);
    m->join.nonce = get_be32(o + 12);
    return true;
}

static void join_encode_synack(const struct mptcp_options *m, struct writer *w)
{
    write_head(w, 16, MPTCP_JOIN, m->join.backup ? NIBBLE_BACKUP : 0);
    write_u8(w, m->join.addr_id);
    write_bytes(w, m->join.hmac, HMAC_SYNACK);
    write_be32(w, m->join.nonce);
}

static bool join_decode_ack(const uint8_t *o, unsigned len, struct mptcp_options *m)
{
    (void)len;
    memcpy(m->join.hmac, o + 4, HMAC_ACK);
    return true;
}

static void join_encode_ack(const struct mptcp_options *m, struct writer *w)
{
    write_head(w, 24, MPTCP_JOIN, 0);
    write_u8(w, 0);
    write_bytes(w, m->join.hmac, HMAC_ACK);
}

/* ---- DSS (3.3): the flags say which parts follow ---- */

static unsigned dss_len(const struct mptcp_dss *d)
{
    unsigned ack = d->has_ack ? (d->ack64 ? 8 : 4) : 0;
    unsigned map = d->has_map ? (d->dsn64 ? 14 : 10) : 0;
    return 4 + ack + map + (d->has_map && d->has_checksum ? 2 : 0);
}

static bool dss_decode(const uint8_t *o, unsigned len, struct mptcp_options *m)
{
    struct mptcp_dss *d = &m->dss;
    uint8_t flags = o[3];
    d->has_ack = flags & DSS_ACK;
    d->ack64 = d->has_ack && flags & DSS_ACK64;
    d->has_map = flags & DSS_MAP;
    d->dsn64 = d->has_map && flags & DSS_DSN64;
    d->data_fin = flags & DSS_DATA_FIN;
    d->has_checksum = false;
    unsigned expected = dss_len(d);
    d->has_checksum = d->has_map && len == expected + 2;
    if (len != expected && !d->has_checksum)
        return false;

    o += 4;
    if (d->has_ack) {
        d->data_ack = d->ack64 ? get_be64(o) : get_be32(o);
        o += d->ack64 ? 8 : 4;
    }
    if (d->has_map) {
        d->dsn = d->dsn64 ? get_be64(o) : get_be32(o);
        o += d->dsn64 ? 8 : 4;
        d->ssn = get_be32(o);
        d->data_len = get_be16(o + 4);
        if (d->has_checksum)
            d->checksum = get_be16(o + 6);
    }
    return true;
}

static void dss_write_number(struct writer *w, uint64_t value, bool is64)
{
    if (is64)
        write_be64(w, value);
    else
        write_be32(w, (uint32_t)value);
}

static void dss_encode(const struct mptcp_options *m, struct writer *w)
{
    const struct mptcp_dss *d = &m->dss;
    unsigned flags = (d->data_fin ? DSS_DATA_FIN : 0) | (d->has_map ? DSS_MAP : 0) |
                     (d->has_map && d->dsn64 ? DSS_DSN64 : 0) | (d->has_ack ? DSS_ACK : 0) |
                     (d->has_ack && d->ack64 ? DSS_ACK64 : 0);
    write_head(w, dss_len(d), MPTCP_DSS, 0);
    write_u8(w, (uint8_t)flags);
    if (d->has_ack)
        dss_write_number(w, d->data_ack, d->ack64);
    if (!d->has_map)
        return;
    dss_write_number(w, d->dsn, d->dsn64);
    write_be32(w, d->ssn);
    write_be16(w, d->data_len);
    if (d->has_checksum)
        write_be16(w, d->checksum);
}

/* ---- ADD_ADDR (3.4.1; RFC 6824 3.4.1) ----
 * v0 has the IP version in the nibble. v1 has the echo flag there, and an
 * HMAC unless it is an echo; the address family shows in the length. */

static bool add_addr_decode(const uint8_t *o, unsigned len, struct mptcp_options *m)
{
    bool with_hmac = len == 16 || len == 18 || len == 28 || len == 30;
    unsigned nibble = o[2] & 0x0f, bare = with_hmac ? len - 8 : len;
    bool is_v6 = bare >= 20, echo = nibble & NIBBLE_ECHO;
    bool v0 = !with_hmac && nibble == (is_v6 ? 6 : 4);
    if (m->add_addr_count == ADD_ADDR_MAX || (!v0 && echo == with_hmac))
        return false;

    struct mptcp_add_addr *a = &m->add_addr[m->add_addr_count++];
    a->addr_id = o[3];
    a->echo = echo;
    a->has_hmac = with_hmac;
    a->addr = is_v6 ? addr_v6(o + 4) : addr_v4(o + 4);
    o += is_v6 ? 20 : 8;
    a->has_port = bare == (is_v6 ? 22 : 10);
    a->port = a->has_port ? get_be16(o) : 0;
    if (a->has_hmac)
        memcpy(a->hmac, o + (a->has_port ? 2 : 0), sizeof a->hmac);
    return true;
}

static void add_addr_encode_one(const struct mptcp_add_addr *a, struct writer *w)
{
    bool is_v6 = a->addr.family == PLAIT_IPV6, hmac = a->has_hmac && !a->echo;
    unsigned len = (is_v6 ? 20U : 8U) + (a->has_port ? 2U : 0U) + (hmac ? 8U : 0U);
    unsigned nibble = a->echo ? NIBBLE_ECHO : hmac ? 0 : a->addr.family;
    write_head(w, len, MPTCP_ADD_ADDR, nibble);
    write_u8(w, a->addr_id);
    write_bytes(w, a->addr.bytes, is_v6 ? 16 : 4);
    if (a->has_port)
        write_be16(w, a->port);
    if (hmac)
        write_bytes(w, a->hmac, sizeof a->hmac);
    write_padding(w);
}

static void add_addr_encode(const struct mptcp_options *m, struct writer *w)
{
    for (unsigned i = 0; i < m->add_addr_count; i++)
        add_addr_encode_one(&m->add_addr[i], w);
}

/* ---- REMOVE_ADDR (3.4.2), MP_PRIO (3.3.8; RFC 6824 3.3.8) ---- */

static bool remove_addr_decode(const uint8_t *o, unsigned len, struct mptcp_options *m)
{
    m->remove_addr_count = (uint8_t)(len - 3);
    memcpy(m->remove_addr, o + 3, len - 3);
    return true;
}

static void remove_addr_encode(const struct mptcp_options *m, struct writer *w)
{
    write_head(w, 3U + m->remove_addr_count, MPTCP_REMOVE_ADDR, 0);
    write_bytes(w, m->remove_addr, m->remove_addr_count);
}

static bool prio_decode(const uint8_t *o, unsigned len, struct mptcp_options *m)
{
    m->prio.backup = o[2] & NIBBLE_BACKUP;
    m->prio.has_addr_id = len == 4;
    m->prio.addr_id = len == 4 ? o[3] : 0;
    return true;
}

static void prio_encode(const struct mptcp_options *m, struct writer *w)
{
    write_head(w, m->prio.has_addr_id ? 4 : 3, MPTCP_PRIO, m->prio.backup ? NIBBLE_BACKUP : 0);
    if (m->prio.has_addr_id)
        write_u8(w, m->prio.addr_id);
}

/* ---- MP_FAIL (3.7), MP_FASTCLOSE (3.5), MP_TCPRST (3.6) ---- */

static bool fail_decode(const uint8_t *o, unsigned len, struct mptcp_options *m)
{
    (void)len;
    m->fail_dsn = get_be64(o + 4);
    return true;
}

static void fail_encode(const struct mptcp_options *m, struct writer *w)
{
    write_head(w, 12, MPTCP_FAIL, 0);
    write_u8(w, 0);
    write_be64(w, m->fail_dsn);
}

static bool fastclose_decode(const uint8_t *o, unsigned len, struct mptcp_options *m)
{
    (void)len;
    m->fastclose_key = get_be64(o + 4);
    return true;
}

static void fastclose_encode(const struct mptcp_options *m, struct writer *w)
{
    write_head(w, 12, MPTCP_FASTCLOSE, 0);
    write_u8(w, 0);
    write_be64(w, m->fastclose_key);
}

static bool tcprst_decode(const uint8_t *o, unsigned len, struct mptcp_options *m)
{
    (void)len;
    m->tcprst.flags = o[2] & 0x0f;
    m->tcprst.transient = m->tcprst.flags & NIBBLE_TRANSIENT;
    m->tcprst.reason = o[3];
    return true;
}

static void tcprst_encode(const struct mptcp_options *m, struct writer *w)
{
    write_head(w, 4, MPTCP_TCPRST, m->tcprst.transient ? NIBBLE_TRANSIENT : 0);
    write_u8(w, m->tcprst.reason);
}

/* ---- MP_EXPERIMENTAL (RFC 8684 3.9): noticed, not understood ---- */

static bool experimental_decode(const uint8_t *o, unsigned len, struct mptcp_options *m)
{
    (void)o, (void)len, (void)m;
    return true;
}

/* ---- The table ---- */

struct mptcp_option_row {
    uint8_t subtype;
    uint32_t bit;
    uint32_t group;  /* forms that exclude each other; 0: may be repeated */
    uint64_t v0, v1; /* lengths that are valid in RFC 6824, RFC 8684 */
    /* False: the contents contradict the length. */
    bool (*decode)(const uint8_t *o, unsigned len, struct mptcp_options *m);
    void (*encode)(const struct mptcp_options *m, struct writer *w);
};

#define LENS_DSS                                                                                   \
    (LEN(4) | LEN(8) | LEN(12) | LEN(14) | LEN(16) | LEN(18) | LEN(20) | LEN(22) | LEN(24) |       \
     LEN(26) | LEN(28))
#define LENS_ADDR (LEN(8) | LEN(10) | LEN(20) | LEN(22))
#define LENS_ADDR_V1 (LENS_ADDR | LEN(16) | LEN(18) | LEN(28) | LEN(30)) /* echo, or HMAC */
#define LENS_REMOVE (LEN(3 + REMOVE_ADDR_MAX + 1) - LEN(4))
#define LENS_ANY (LEN(TCP_OPTIONS_MAX + 1) - LEN(3))

/* clang-format off */
static const struct mptcp_option_row rows[] = {
    /* subtype           bit               group             v0 lengths      v1 lengths
     * read              write */
    {MPTCP_CAPABLE,      MPO_CAPABLE_SYN,  MPO_CAPABLE_ANY,  0,              LEN(4),
     capable_decode,     capable_encode_syn},
    {MPTCP_CAPABLE,      MPO_CAPABLE_KEY,  MPO_CAPABLE_ANY,  LEN(12),        LEN(12),
     capable_decode,     capable_encode_key},
    {MPTCP_CAPABLE,      MPO_CAPABLE_KEYS, MPO_CAPABLE_ANY,  LEN(20),        LEN(20),
     capable_decode,     capable_encode_keys},
    {MPTCP_CAPABLE,      MPO_CAPABLE_DATA, MPO_CAPABLE_ANY,  0,              LEN(22) | LEN(24),
     capable_decode,     capable_encode_data},
    {MPTCP_JOIN,         MPO_JOIN_SYN,     MPO_JOIN_ANY,     LEN(12),        LEN(12),
     join_decode_syn,    join_encode_syn},
    {MPTCP_JOIN,         MPO_JOIN_SYNACK,  MPO_JOIN_ANY,     LEN(16),        LEN(16),
     join_decode_synack, join_encode_synack},
    {MPTCP_JOIN,         MPO_JOIN_ACK,     MPO_JOIN_ANY,     LEN(24),        LEN(24),
     join_decode_ack,    join_encode_ack},
    {MPTCP_DSS,          MPO_DSS,          MPO_DSS,          LENS_DSS,       LENS_DSS,
     dss_decode,         dss_encode},
    {MPTCP_ADD_ADDR,     MPO_ADD_ADDR,     0,                LENS_ADDR,      LENS_ADDR_V1,
     add_addr_decode,    add_addr_encode},
    {MPTCP_REMOVE_ADDR,  MPO_REMOVE_ADDR,  MPO_REMOVE_ADDR,  LENS_REMOVE,    LENS_REMOVE,
     remove_addr_decode, remove_addr_encode},
    {MPTCP_PRIO,         MPO_PRIO,         MPO_PRIO,         LEN(3)|LEN(4),  LEN(3),
     prio_decode,        prio_encode},
    {MPTCP_FAIL,         MPO_FAIL,         MPO_FAIL,         LEN(12),        LEN(12),
     fail_decode,        fail_encode},
    {MPTCP_FASTCLOSE,    MPO_FASTCLOSE,    MPO_FASTCLOSE,    LEN(12),        LEN(12),
     fastclose_decode,   fastclose_encode},
    {MPTCP_TCPRST,       MPO_TCPRST,       MPO_TCPRST,       0,              LEN(4),
     tcprst_decode,      tcprst_encode},
    {MPTCP_EXPERIMENTAL, MPO_EXPERIMENTAL, 0,                LENS_ANY,       LENS_ANY,
     experimental_decode, NULL},
};
/* clang-format on */

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

/* The first row of each subtype; ROW_COUNT: none. */
static const uint8_t first_row[16] = {
    [MPTCP_CAPABLE] = 0,     [MPTCP_JOIN] = 4,  [MPTCP_DSS] = 7,   [MPTCP_ADD_ADDR] = 8,
    [MPTCP_REMOVE_ADDR] = 9, [MPTCP_PRIO] = 10, [MPTCP_FAIL] = 11, [MPTCP_FASTCLOSE] = 12,
    [MPTCP_TCPRST] = 13,     [0x9] = ROW_COUNT, [0xa] = ROW_COUNT, [0xb] = ROW_COUNT,
    [0xc] = ROW_COUNT,       [0xd] = ROW_COUNT, [0xe] = ROW_COUNT, [MPTCP_EXPERIMENTAL] = 14,
};

static const struct mptcp_option_row *find_form(unsigned subtype, unsigned len)
{
    for (unsigned i = first_row[subtype]; i < ROW_COUNT && rows[i].subtype == subtype; i++)
        if ((rows[i].v0 | rows[i].v1) & LEN(len))
            return &rows[i];
    return NULL;
}

void mptcp_option_decode(const uint8_t *o, unsigned len, struct mptcp_options *m)
{
    if (len < 3 || len > TCP_OPTIONS_MAX) {
        m->malformed_count++;
        return;
    }
    unsigned subtype = o[2] >> 4;
    if (first_row[subtype] == ROW_COUNT) {
        m->unknown_count++;
        return;
    }
    const struct mptcp_option_row *row = find_form(subtype, len);
    if (row && !(m->present & row->group) && row->decode(o, len, m))
        m->present |= row->bit;
    else
        m->malformed_count++;
}

void mptcp_options_encode(const struct mptcp_options *m, struct writer *w)
{
    uint32_t todo = m->present & ~(uint32_t)MPO_EXPERIMENTAL;
    for (unsigned i = 0; todo; i++, todo >>= 1) {
        if (!(todo & 1))
            continue;
        assert(i < ROW_COUNT);
        rows[i].encode(m, w);
        write_padding(w);
    }
}

unsigned mptcp_options_len(const struct mptcp_options *m)
{
    uint8_t none[1];
    struct writer w = {.buf = none};
    mptcp_options_encode(m, &w);
    return (unsigned)w.len;
}
