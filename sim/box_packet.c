/* SPDX-License-Identifier: MIT
 *
 * Packets under a box's knife: taken apart, changed, built anew. Works on the
 * bytes, not on what the codec understood, so that everything a box does not
 * touch stays as its sender wrote it.
 */
#include <string.h>

#include "base/bytes.h"
#include "sim/box_kind.h"
#include "wire/checksum.h"
#include "wire/ip.h"
#include "wire/options.h"

bool box_decode(struct box_packet *bp, struct sim_packet *p)
{
    const struct plait_packet_rx rx = {.data = p->bytes + p->head_len, .len = p->len - p->head_len};
    struct ip_packet ip;
    bp->p = p;
    if (segment_decode(&rx, &bp->s) != SEGMENT_OK || ip_parse(rx.data, rx.len, &ip) != SEGMENT_OK)
        return false;
    bp->ip = p->bytes + p->head_len;
    bp->tcp = bp->ip + (ip.payload - rx.data);
    bp->options = bp->tcp + TCP_HEADER;
    bp->options_len = (bp->tcp[12] >> 4) * 4u - TCP_HEADER;
    bp->payload = bp->options + bp->options_len;
    return true;
}

/* Where the TCP header begins in a packet of ours: IPv4's says its length, and
 * IPv6's extension headers were skipped when it was decoded. */
static uint8_t *tcp_of(uint8_t *ip, uint32_t len)
{
    struct ip_packet parsed;
    if (ip[0] >> 4 == 4)
        return ip + (ip[0] & 15) * 4;
    return ip_parse(ip, len, &parsed) == SEGMENT_OK ? ip + (parsed.payload - ip) : ip + IPV6_HEADER;
}

static struct plait_addr addr_of(const uint8_t *ip, bool dst)
{
    struct plait_addr a = {.family = ip[0] >> 4};
    bool v4 = a.family == PLAIT_IPV4;
    memcpy(a.bytes, ip + (v4 ? 12 : 8) + (dst ? (v4 ? 4 : 16) : 0), v4 ? 4 : 16);
    return a;
}

void box_finish(struct sim_packet *p)
{
    uint8_t *ip = p->bytes + p->head_len;
    uint32_t len = p->len - p->head_len;
    if (ip[0] >> 4 == 4) {
        put_be16(ip + 2, (uint16_t)len);
        ip4_set_checksum(ip);
    } else {
        put_be16(ip + 4, (uint16_t)(len - IPV6_HEADER));
    }
    uint8_t *tcp = tcp_of(ip, len);
    uint32_t tcp_len = len - (uint32_t)(tcp - ip);
    struct plait_addr src = addr_of(ip, false), dst = addr_of(ip, true);
    put_be16(tcp + 16, 0);
    uint16_t sum = csum_add(csum_pseudo(&src, &dst, tcp_len), csum_partial(tcp, tcp_len), false);
    put_be16(tcp + 16, (uint16_t)~sum);
}

static void copy_meta(struct sim_packet *to, const struct sim_packet *from)
{
    to->sent_us = from->sent_us;
    to->route = from->route;
    to->hop = from->hop;
    to->gso_size = 0;
    to->head_len = from->head_len;
}

struct sim_packet *box_build(const struct box_packet *like, const uint8_t *options,
                             uint32_t options_len, const uint8_t *payload, uint32_t payload_len)
{
    uint32_t base = (uint32_t)(like->options - like->p->bytes), padded = (options_len + 3) & ~3u;
    struct sim_packet *p = sim_packet_new(base + padded + payload_len);
    if (!p || padded > TCP_OPTIONS_MAX) {
        sim_packet_free(p);
        return NULL;
    }
    copy_meta(p, like->p);
    p->len = base + padded + payload_len;
    memcpy(p->bytes, like->p->bytes, base);
    memset(p->bytes + base, TCPOPT_NOP, padded);
    if (options_len)
        memcpy(p->bytes + base, options, options_len);
    if (payload_len)
        memcpy(p->bytes + base + padded, payload, payload_len);
    p->bytes[base - TCP_HEADER + 12] = (uint8_t)((TCP_HEADER + padded) / 4 << 4);
    box_finish(p);
    return p;
}

struct sim_packet *box_clone(const struct sim_packet *p)
{
    struct sim_packet *copy = sim_packet_new(p->len);
    if (!copy)
        return NULL;
    copy_meta(copy, p);
    copy->len = p->len;
    memcpy(copy->bytes, p->bytes, p->len);
    return copy;
}

static void swap(uint8_t *a, uint8_t *b, unsigned len)
{
    for (unsigned i = 0; i < len; i++) {
        uint8_t t = a[i];
        a[i] = b[i];
        b[i] = t;
    }
}

/* Turn the packet round: Ethernet addresses, IP addresses, ports. */
static void turn_round(struct sim_packet *p, uint8_t *tcp)
{
    enum { MAC_LEN = 6 };
    uint8_t *ip = p->bytes + p->head_len;
    bool v4 = ip[0] >> 4 == 4;
    if (p->head_len >= 2 * MAC_LEN)
        swap(p->bytes, p->bytes + MAC_LEN, MAC_LEN);
    swap(ip + (v4 ? 12 : 8), ip + (v4 ? 16 : 24), v4 ? 4 : 16);
    swap(tcp, tcp + 2, 2);
    p->route = NULL; /* not this packet's any more */
    p->hop = 0;
}

struct sim_packet *box_forge_packet(const struct box_packet *like, bool answer, uint32_t seq,
                                    uint32_t ack, uint8_t flags, uint16_t window,
                                    const void *payload, uint32_t payload_len)
{
    uint8_t stamps[12] = {TCPOPT_NOP, TCPOPT_NOP, 8, 10};
    const struct tcp_options *t = &like->s.tcp;
    bool stamped = t->present & OPT_TIMESTAMP;
    put_be32(stamps + 4, answer ? t->tsecr : t->tsval);
    put_be32(stamps + 8, answer ? t->tsval : t->tsecr);
    struct sim_packet *p =
        box_build(like, stamps, stamped ? sizeof stamps : 0, payload, payload_len);
    if (!p)
        return NULL;
    uint8_t *tcp = p->bytes + (like->tcp - like->p->bytes);
    if (answer)
        turn_round(p, tcp);
    put_be32(tcp + 4, seq);
    put_be32(tcp + 8, ack);
    tcp[13] = flags;
    put_be16(tcp + 14, window);
    put_be16(tcp + 18, 0);
    box_finish(p);
    return p;
}

bool box_next_option(const struct box_packet *bp, uint32_t *at, uint32_t *len)
{
    const uint8_t *o = bp->options;
    while (*at < bp->options_len && o[*at] == TCPOPT_NOP)
        ++*at;
    if (*at + 1 >= bp->options_len || o[*at] == TCPOPT_EOL)
        return false;
    *len = o[*at + 1];
    return *len >= 2 && *at + *len <= bp->options_len;
}

bool box_option_is(const uint8_t *o, uint32_t options)
{
    static const struct {
        uint8_t kind;
        uint32_t bit;
    } kinds[] = {{2, OPTION_MSS},  {3, OPTION_WSCALE},    {4, OPTION_SACKOK},
                 {5, OPTION_SACK}, {8, OPTION_TIMESTAMP}, {34, OPTION_FASTOPEN}};
    if (o[0] == TCPOPT_MPTCP)
        return o[1] >= 3 && options & OPTION_MPTCP & 1u << (o[2] >> 4);
    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (o[0] == kinds[i].kind)
            return options & kinds[i].bit;
    }
    return false;
}

void box_add_be32(uint8_t *at, uint32_t delta)
{
    put_be32(at, get_be32(at) + delta);
}
