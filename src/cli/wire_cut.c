/* SPDX-License-Identifier: MIT
 *
 * What a network card would do before the wire: cut super-segments (TCP, and
 * UDP's) into frames and finish checksums. An emulated link has to serialise,
 * lose and damage what a real one would, packet by packet.
 */
#include "cli/wire.h"

#include <netinet/in.h>
#include <string.h>

#include "base/bytes.h"
#include "wire/checksum.h"
#include "wire/offload.h"

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4 /* headers before Linux 6.2 */
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

enum { ETHER_LEN = 14, TYPE_AT = 12, UDP_LEN = 8, IPV4_LEN_MIN = 20, IPV6_LEN = 40 };

/* Where the network header starts, and what it is. */
struct layer {
    uint32_t ip_at;
    uint16_t type; /* EtherType behind all VLAN tags */
};

static bool find_layer(const struct wire_frame *f, struct layer *l)
{
    uint32_t at = TYPE_AT;

    if (f->len < ETHER_LEN)
        return false;
    l->type = get_be16(f->bytes + at);
    while ((l->type == 0x8100 || l->type == 0x88a8) && at + 6 <= f->len) {
        at += 4;
        l->type = get_be16(f->bytes + at);
    }
    l->ip_at = at + 2;
    return l->ip_at < f->len;
}

static struct sim_packet *new_frame(const struct layer *l, uint32_t len, struct list *out)
{
    struct sim_packet *p = sim_packet_new(len);

    if (!p)
        return NULL; /* a lost packet */
    p->head_len = (uint16_t)l->ip_at;
    list_append(out, &p->node);
    return p;
}

/* One frame; perhaps its checksum is only the pseudo-header's so far. */
static bool pass_whole(const struct wire_frame *f, const struct layer *l, struct list *out)
{
    uint32_t start = f->vnet.csum_start, at = start + f->vnet.csum_offset;
    bool unfinished = (f->vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0;

    if (unfinished && (start < l->ip_at || at + 2 > f->len))
        return false;
    struct sim_packet *p = new_frame(l, f->len, out);
    if (!p)
        return true;
    memcpy(p->bytes, f->bytes, f->len);
    if (unfinished) {
        uint16_t sum = (uint16_t)~csum_partial(p->bytes + start, f->len - start);
        /* UDP reads zero as "no checksum" (RFC 768); for TCP both are right. */
        put_be16(p->bytes + at, sum ? sum : 0xffff);
    }
    return true;
}

/* The length of the IP header, options and extension headers included: the
 * kernel tells where the transport starts with every super-segment it cuts
 * late, otherwise a plain header is assumed. */
static uint32_t ip_header_len(const struct wire_frame *f, const struct layer *l)
{
    if (f->vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
        return f->vnet.csum_start > l->ip_at ? f->vnet.csum_start - l->ip_at : 0;
    return l->type == 0x0800 ? (f->bytes[l->ip_at] & 15) * 4u : IPV6_LEN;
}

static bool addresses(const uint8_t *ip, uint32_t ip_len, struct plait_packet_tx *tx)
{
    bool v4 = ip[0] >> 4 == 4;

    if (ip_len < (v4 ? (uint32_t)IPV4_LEN_MIN : (uint32_t)IPV6_LEN))
        return false;
    tx->src.family = tx->dst.family = v4 ? PLAIT_IPV4 : PLAIT_IPV6;
    memcpy(tx->src.bytes, ip + (v4 ? 12 : 8), v4 ? 4 : 16);
    memcpy(tx->dst.bytes, ip + (v4 ? 16 : 24), v4 ? 4 : 16);
    return true;
}

static bool cut_tcp(const struct wire_frame *f, const struct layer *l, struct list *out)
{
    const uint8_t *ip = f->bytes + l->ip_at;
    uint32_t left = f->len - l->ip_at, ip_len = ip_header_len(f, l);
    struct plait_packet_tx tx = {.gso_size = f->vnet.gso_size, .csum_start = (uint16_t)ip_len};

    if (ip_len + 20 > left || !tx.gso_size || !addresses(ip, ip_len, &tx))
        return false;
    uint32_t header_len = ip_len + (ip[ip_len + 12] >> 4) * 4u;
    if (header_len < ip_len + 20 || header_len > left || header_len > PLAIT_HEADER_MAX)
        return false;
    tx.header_len = (uint16_t)header_len;
    memcpy(tx.header, ip, header_len);
    tx.payload_len = left - header_len;
    tx.iov[0] = (struct plait_iov){ip + header_len, tx.payload_len};
    tx.iov_count = 1;
    /* What offload_write expects, whichever way the checksum came. */
    put_be16(tx.header + ip_len + 16, csum_pseudo(&tx.src, &tx.dst, left - ip_len));

    unsigned count = offload_count(&tx);
    for (unsigned i = 0; i < count; i++) {
        uint32_t done = i * (uint32_t)tx.gso_size;
        uint32_t part = tx.payload_len - done < tx.gso_size ? tx.payload_len - done : tx.gso_size;
        struct sim_packet *p = new_frame(l, l->ip_at + header_len + part, out);
        if (!p)
            continue;
        memcpy(p->bytes, f->bytes, l->ip_at);
        offload_write(&tx, i, p->bytes + l->ip_at, header_len + part);
    }
    return true;
}

/* Lengths, identification and checksums of one datagram of a UDP batch. */
static void finish_udp(uint8_t *ip, uint32_t ip_len, uint32_t len, unsigned index)
{
    uint8_t *udp = ip + ip_len;
    uint16_t udp_len = (uint16_t)(len - ip_len);
    bool v4 = ip[0] >> 4 == 4;

    put_be16(udp + 4, udp_len);
    if (v4) {
        put_be16(ip + 2, (uint16_t)len);
        put_be16(ip + 4, (uint16_t)(get_be16(ip + 4) + index));
        put_be16(ip + 10, 0);
        put_be16(ip + 10, (uint16_t)~csum_partial(ip, ip_len));
    } else {
        put_be16(ip + 4, (uint16_t)(len - IPV6_LEN));
    }
    put_be16(udp + 6, 0);
    uint8_t rest[4] = {0, IPPROTO_UDP, (uint8_t)(udp_len >> 8), (uint8_t)udp_len};
    uint16_t sum = csum_partial(ip + (v4 ? 12 : 8), v4 ? 8 : 32);
    sum = csum_add(sum, csum_partial(rest, sizeof rest), false);
    sum = (uint16_t)~csum_add(sum, csum_partial(udp, udp_len), false);
    put_be16(udp + 6, sum ? sum : 0xffff);
}

static bool cut_udp(const struct wire_frame *f, const struct layer *l, struct list *out)
{
    const uint8_t *ip = f->bytes + l->ip_at;
    uint32_t left = f->len - l->ip_at, ip_len = ip_header_len(f, l), size = f->vnet.gso_size;
    uint32_t least = ip[0] >> 4 == 4 ? (uint32_t)IPV4_LEN_MIN : (uint32_t)IPV6_LEN;
    uint32_t header_len = ip_len + UDP_LEN;

    if (ip_len < least || header_len > left || !size)
        return false;
    for (uint32_t done = 0, index = 0; done < left - header_len; done += size, index++) {
        uint32_t part = left - header_len - done < size ? left - header_len - done : size;
        struct sim_packet *p = new_frame(l, l->ip_at + header_len + part, out);
        if (!p)
            continue;
        memcpy(p->bytes, f->bytes, l->ip_at + header_len);
        memcpy(p->bytes + l->ip_at + header_len, ip + header_len + done, part);
        finish_udp(p->bytes + l->ip_at, ip_len, header_len + part, index);
    }
    return true;
}

bool wire_cut(const struct wire_frame *f, struct list *out)
{
    struct layer l;

    if (!find_layer(f, &l))
        return false;
    switch (f->vnet.gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
    case VIRTIO_NET_HDR_GSO_NONE:
        return pass_whole(f, &l, out);
    case VIRTIO_NET_HDR_GSO_TCPV4:
    case VIRTIO_NET_HDR_GSO_TCPV6:
        return cut_tcp(f, &l, out);
    case VIRTIO_NET_HDR_GSO_UDP_L4:
        return cut_udp(f, &l, out);
    default:
        return false;
    }
}
