/* SPDX-License-Identifier: MIT
 *
 * The coordinator of the codec: IP header, TCP header (RFC 9293 3.1),
 * checksum, options. Decoding touches only the fields that the packet has;
 * struct segment is large and is never cleared as a whole here.
 */
#include "wire/segment.h"

#include <assert.h>

#include "wire/checksum.h"
#include "wire/ip.h"
#include "wire/options.h"

const char *segment_error_text(enum segment_error e)
{
    static const char *const text[SEGMENT_ERROR_COUNT] = {
        [SEGMENT_OK] = "no error",
        [SEGMENT_SHORT] = "truncated, or its lengths contradict each other",
        [SEGMENT_NOT_TCP] = "not TCP",
        [SEGMENT_ICMP] = "ICMP",
        [SEGMENT_FRAGMENT] = "an IP fragment",
        [SEGMENT_IP_CHECKSUM] = "wrong IP header checksum",
        [SEGMENT_CHECKSUM] = "wrong TCP checksum",
        [SEGMENT_BAD_OPTION] = "a TCP option with an impossible length",
    };
    return (unsigned)e < SEGMENT_ERROR_COUNT ? text[e] : "unknown";
}

static enum segment_error options_decode(const uint8_t *o, unsigned len, struct segment *s)
{
    s->tcp.present = 0;
    s->tcp.sack_count = s->tcp.fastopen_len = s->tcp.unknown_count = 0;
    s->mptcp.present = 0;
    s->mptcp.unknown_count = s->mptcp.malformed_count = 0;
    s->mptcp.add_addr_count = s->mptcp.remove_addr_count = 0;

    const uint8_t *end = o + len;
    while (o < end && *o != TCPOPT_EOL) {
        if (*o == TCPOPT_NOP) {
            o++;
            continue;
        }
        if (end - o < 2 || o[1] < 2 || o[1] > end - o)
            return SEGMENT_BAD_OPTION;
        if (*o == TCPOPT_MPTCP)
            mptcp_option_decode(o, o[1], &s->mptcp);
        else
            tcp_option_decode(o, o[1], &s->tcp);
        o += o[1];
    }
    return SEGMENT_OK;
}

/* The TCP segment of `len` bytes at `t`; the addresses are set. */
static enum segment_error tcp_decode(const uint8_t *t, uint32_t len, bool csum_ok,
                                     struct segment *s)
{
    if (len < TCP_HEADER)
        return SEGMENT_SHORT;
    uint32_t header = (t[12] >> 4) * 4U;
    if (header < TCP_HEADER || header > len)
        return SEGMENT_SHORT;
    if (!csum_ok) {
        uint16_t pseudo = csum_pseudo(&s->src.addr, &s->dst.addr, len);
        if (csum_add(pseudo, csum_partial(t, len), false) != 0xffff)
            return SEGMENT_CHECKSUM;
    }
    s->src.port = get_be16(t);
    s->dst.port = get_be16(t + 2);
    s->seq = get_be32(t + 4);
    s->ack = get_be32(t + 8);
    s->flags = t[13];
    s->window = get_be16(t + 14);
    s->urgent = get_be16(t + 18);
    s->payload = t + header;
    s->payload_len = len - header;
    return options_decode(t + TCP_HEADER, header - TCP_HEADER, s);
}

enum segment_error segment_decode(const struct plait_packet_rx *p, struct segment *s)
{
    struct ip_packet ip;
    enum segment_error error = ip_parse(p->data, p->len, &ip);
    if (error)
        return error;
    s->src.addr = ip.src;
    s->dst.addr = ip.dst;
    if (ip.protocol == IP_PROTO_ICMP || ip.protocol == IP_PROTO_ICMPV6)
        return SEGMENT_ICMP;
    if (ip.protocol != IP_PROTO_TCP)
        return SEGMENT_NOT_TCP;
    s->ecn = ip.ecn;
    s->ttl = ip.ttl;
    s->chunk = p->chunk;
    s->gso_size = p->gso_size;
    s->ifindex = p->ifindex;
    return tcp_decode(ip.payload, ip.payload_len, p->csum_ok, s);
}

static void options_encode(const struct segment *s, struct writer *w)
{
    tcp_options_encode(&s->tcp, w);
    mptcp_options_encode(&s->mptcp, w);
}

unsigned segment_options_len(const struct segment *s)
{
    uint8_t none[1];
    struct writer w = {.buf = none};
    options_encode(s, &w);
    return (unsigned)w.len;
}

/* Everything but the checksum; returns the header's length. */
static unsigned tcp_encode(const struct segment *s, uint8_t *t)
{
    struct writer w = {.buf = t + TCP_HEADER, .cap = TCP_OPTIONS_MAX};
    options_encode(s, &w);
    assert(writer_ok(&w) && w.len % 4 == 0);
    unsigned header = TCP_HEADER + (unsigned)w.len;
    put_be16(t, s->src.port);
    put_be16(t + 2, s->dst.port);
    put_be32(t + 4, s->seq);
    put_be32(t + 8, s->ack);
    t[12] = (uint8_t)(header / 4 << 4);
    t[13] = s->flags;
    put_be16(t + 14, s->window);
    put_be16(t + 18, s->urgent);
    return header;
}

void segment_encode(const struct segment *s, const struct plait_iov *iov, unsigned iov_count,
                    uint32_t gso_size, struct plait_packet_tx *p)
{
    assert(iov_count <= PLAIT_IOV_MAX && s->src.addr.family == s->dst.addr.family);
    p->src = s->src.addr;
    p->dst = s->dst.addr;
    p->iov_count = (uint8_t)iov_count;
    p->payload_len = 0;
    for (unsigned i = 0; i < iov_count; i++) {
        p->iov[i] = iov[i];
        p->payload_len += iov[i].len;
    }
    assert(p->payload_len <= PLAIT_PAYLOAD_MAX);
    p->gso_size = (uint16_t)(gso_size < p->payload_len ? gso_size : 0);

    p->csum_start = s->src.addr.family == PLAIT_IPV4 ? IPV4_HEADER : IPV6_HEADER;
    uint8_t *t = p->header + p->csum_start;
    unsigned tcp_header = tcp_encode(s, t);
    uint32_t tcp_len = tcp_header + p->payload_len;
    p->header_len = (uint16_t)(p->csum_start + tcp_header);
    ip_write(s, tcp_len, p->header);
    put_be16(t + 16, csum_pseudo(&p->src, &p->dst, tcp_len));
}

void segment_clear(struct segment *s)
{
    memset(s, 0, sizeof *s);
}

void segment_reply(struct segment *out, const struct segment *in)
{
    struct plait_endpoint src = in->dst, dst = in->src;
    segment_clear(out);
    out->src = src;
    out->dst = dst;
}
