/* SPDX-License-Identifier: MIT
 *
 * TCP's own options: one row a kind. The order and padding of what is written
 * are Linux's, because middleboxes and receive offloads expect them: MSS;
 * SACK-permitted and timestamps in one word where both are sent, else each
 * behind two NOPs; window scale behind one; SACK behind two; fast open with
 * NOPs after it.
 *
 * Reading: the first of two equal options counts, a known kind with an
 * impossible length is skipped as if unknown.
 */
#include "wire/options.h"

struct tcp_option_row {
    uint32_t bit;     /* enum tcp_option_bit */
    uint64_t lengths; /* that are valid */
    void (*decode)(const uint8_t *o, unsigned len, struct tcp_options *t);
    void (*encode)(const struct tcp_options *t, struct writer *w);
};

enum option_kind {
    KIND_MSS = 2,
    KIND_WSCALE = 3,
    KIND_SACK_OK = 4,
    KIND_SACK = 5,
    KIND_TIMESTAMP = 8,
    KIND_FASTOPEN = 34,
    KIND_COUNT
};

static void write_head(struct writer *w, uint8_t kind, unsigned len)
{
    write_u8(w, kind);
    write_u8(w, (uint8_t)len);
}

static void write_two_nops(struct writer *w)
{
    write_be16(w, TCPOPT_NOP << 8 | TCPOPT_NOP);
}

static void mss_decode(const uint8_t *o, unsigned len, struct tcp_options *t)
{
    (void)len;
    t->mss = get_be16(o + 2);
}

static void mss_encode(const struct tcp_options *t, struct writer *w)
{
    write_head(w, KIND_MSS, 4);
    write_be16(w, t->mss);
}

static void wscale_decode(const uint8_t *o, unsigned len, struct tcp_options *t)
{
    (void)len;
    t->wscale = o[2];
}

static void wscale_encode(const struct tcp_options *t, struct writer *w)
{
    write_u8(w, TCPOPT_NOP);
    write_head(w, KIND_WSCALE, 3);
    write_u8(w, t->wscale);
}

static void sack_ok_decode(const uint8_t *o, unsigned len, struct tcp_options *t)
{
    (void)o, (void)len, (void)t;
}

static void sack_ok_encode(const struct tcp_options *t, struct writer *w)
{
    if (!(t->present & OPT_TIMESTAMP))
        write_two_nops(w);
    write_head(w, KIND_SACK_OK, 2);
}

static void timestamp_decode(const uint8_t *o, unsigned len, struct tcp_options *t)
{
    (void)len;
    t->tsval = get_be32(o + 2);
    t->tsecr = get_be32(o + 6);
}

static void timestamp_encode(const struct tcp_options *t, struct writer *w)
{
    if (!(t->present & OPT_SACK_OK))
        write_two_nops(w);
    write_head(w, KIND_TIMESTAMP, 10);
    write_be32(w, t->tsval);
    write_be32(w, t->tsecr);
}

static void sack_decode(const uint8_t *o, unsigned len, struct tcp_options *t)
{
    t->sack_count = (uint8_t)((len - 2) / 8);
    for (unsigned i = 0; i < t->sack_count; i++)
        t->sack[i] = (struct sack_block){get_be32(o + 2 + 8 * i), get_be32(o + 6 + 8 * i)};
}

static void sack_encode(const struct tcp_options *t, struct writer *w)
{
    write_two_nops(w);
    write_head(w, KIND_SACK, 2 + 8U * t->sack_count);
    for (unsigned i = 0; i < t->sack_count; i++) {
        write_be32(w, t->sack[i].left);
        write_be32(w, t->sack[i].right);
    }
}

static void fastopen_decode(const uint8_t *o, unsigned len, struct tcp_options *t)
{
    t->fastopen_len = (uint8_t)(len - 2);
    memcpy(t->fastopen, o + 2, len - 2);
}

static void fastopen_encode(const struct tcp_options *t, struct writer *w)
{
    write_head(w, KIND_FASTOPEN, 2U + t->fastopen_len);
    write_bytes(w, t->fastopen, t->fastopen_len);
    write_padding(w);
}

#define LENS_SACK (LEN(10) | LEN(18) | LEN(26) | LEN(34))
/* RFC 7413 4.1.1: a cookie is absent or an even number of 4 to 16 bytes. */
#define LENS_FASTOPEN (LEN(2) | LEN(6) | LEN(8) | LEN(10) | LEN(12) | LEN(14) | LEN(16) | LEN(18))

/* clang-format off */
static const struct tcp_option_row rows[KIND_COUNT] = {
    /* kind             bit            lengths        read              write */
    [KIND_MSS]       = {OPT_MSS,       LEN(4),        mss_decode,       mss_encode},
    [KIND_WSCALE]    = {OPT_WSCALE,    LEN(3),        wscale_decode,    wscale_encode},
    [KIND_SACK_OK]   = {OPT_SACK_OK,   LEN(2),        sack_ok_decode,   sack_ok_encode},
    [KIND_SACK]      = {OPT_SACK,      LENS_SACK,     sack_decode,      sack_encode},
    [KIND_TIMESTAMP] = {OPT_TIMESTAMP, LEN(10),       timestamp_decode, timestamp_encode},
    [KIND_FASTOPEN]  = {OPT_FASTOPEN,  LENS_FASTOPEN, fastopen_decode,  fastopen_encode},
};
/* clang-format on */

/* The order in which they are written. */
static const uint8_t encode_order[] = {KIND_MSS,    KIND_SACK_OK, KIND_TIMESTAMP,
                                       KIND_WSCALE, KIND_SACK,    KIND_FASTOPEN};

void tcp_option_decode(const uint8_t *o, unsigned len, struct tcp_options *t)
{
    const struct tcp_option_row *row = o[0] < KIND_COUNT ? &rows[o[0]] : NULL;
    if (!row || len > TCP_OPTIONS_MAX || !(row->lengths & LEN(len))) {
        t->unknown_count++;
        return;
    }
    if (t->present & row->bit)
        return;
    row->decode(o, len, t);
    t->present |= row->bit;
}

void tcp_options_encode(const struct tcp_options *t, struct writer *w)
{
    for (size_t i = 0; i < sizeof encode_order; i++) {
        const struct tcp_option_row *row = &rows[encode_order[i]];
        if (t->present & row->bit)
            row->encode(t, w);
    }
}
