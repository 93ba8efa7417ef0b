/* SPDX-License-Identifier: MIT
 *
 * IP headers, in and out (RFC 791, RFC 8200). Fragments are recognised and
 * refused; atomic fragments (RFC 6946) are whole packets and taken as such.
 * IPv4 packets leave with DF set and, as RFC 6864 allows for them, an ID that
 * means nothing.
 */
#include "wire/ip.h"

#include "base/addr.h"
#include "base/bytes.h"
#include "wire/checksum.h"

enum {
    IPV4_DF = 0x4000,
    IPV4_FRAGMENT = 0x3fff, /* more fragments, or an offset */
    IPV4_OFFSET = 0x1fff,
    IPV6_HOP_BY_HOP = 0,
    IPV6_ROUTING = 43,
    IPV6_FRAGMENT = 44,
    IPV6_DESTINATION = 60,
    TTL_DEFAULT = 64
};

static enum segment_error ipv4_parse(const uint8_t *data, uint32_t len, bool quoted,
                                     struct ip_packet *ip)
{
    uint32_t header = (data[0] & 0x0fU) * 4;
    if (len < IPV4_HEADER || header < IPV4_HEADER || len < header)
        return SEGMENT_SHORT;
    uint32_t total = get_be16(data + 2);
    if (quoted && total > len)
        total = len;
    if (total < header || total > len)
        return SEGMENT_SHORT;
    ip->src = addr_v4(data + 12);
    ip->dst = addr_v4(data + 16);
    ip->ecn = data[1] & 3;
    ip->ttl = data[8];
    ip->protocol = data[9];
    ip->payload = data + header;
    ip->payload_len = total - header;
    if (!quoted && csum_partial(data, header) != 0xffff)
        return SEGMENT_IP_CHECKSUM;
    /* The first fragment of what an error quotes has the ports we look for. */
    if (get_be16(data + 6) & (quoted ? IPV4_OFFSET : IPV4_FRAGMENT))
        return SEGMENT_FRAGMENT;
    return SEGMENT_OK;
}

/* Skip extension headers (RFC 8200 4.1): each says what follows, and its
 * length in units of 8 bytes after the first. */
static enum segment_error ipv6_skip_extensions(bool quoted, struct ip_packet *ip)
{
    for (;;) {
        uint8_t type = ip->protocol;
        if (type != IPV6_HOP_BY_HOP && type != IPV6_ROUTING && type != IPV6_FRAGMENT &&
            type != IPV6_DESTINATION)
            return SEGMENT_OK;
        if (ip->payload_len < 8)
            return SEGMENT_SHORT;
        uint32_t len = type == IPV6_FRAGMENT ? 8 : (ip->payload[1] + 1U) * 8;
        if (ip->payload_len < len)
            return SEGMENT_SHORT;
        uint16_t offset = get_be16(ip->payload + 2);
        if (type == IPV6_FRAGMENT && offset & (quoted ? 0xfff8 : 0xfff9))
            return SEGMENT_FRAGMENT;
        /* Segments left: we are a stop on the way, not the destination. */
        if (type == IPV6_ROUTING && ip->payload[3] != 0)
            return SEGMENT_NOT_TCP;
        ip->protocol = ip->payload[0];
        ip->payload += len;
        ip->payload_len -= len;
    }
}

static enum segment_error ipv6_parse(const uint8_t *data, uint32_t len, bool quoted,
                                     struct ip_packet *ip)
{
    if (len < IPV6_HEADER)
        return SEGMENT_SHORT;
    uint32_t payload_len = get_be16(data + 4);
    if (quoted && payload_len > len - IPV6_HEADER)
        payload_len = len - IPV6_HEADER;
    if (payload_len > len - IPV6_HEADER)
        return SEGMENT_SHORT;
    ip->src = addr_v6(data + 8);
    ip->dst = addr_v6(data + 24);
    ip->ecn = data[1] >> 4 & 3;
    ip->ttl = data[7];
    ip->protocol = data[6];
    ip->payload = data + IPV6_HEADER;
    ip->payload_len = payload_len;
    return ipv6_skip_extensions(quoted, ip);
}

static enum segment_error parse(const uint8_t *data, uint32_t len, bool quoted,
                                struct ip_packet *ip)
{
    if (len == 0)
        return SEGMENT_SHORT;
    switch (data[0] >> 4) {
    case 4:
        return ipv4_parse(data, len, quoted, ip);
    case 6:
        return ipv6_parse(data, len, quoted, ip);
    default:
        return SEGMENT_NOT_TCP;
    }
}

enum segment_error ip_parse(const uint8_t *data, uint32_t len, struct ip_packet *ip)
{
    return parse(data, len, false, ip);
}

enum segment_error ip_parse_quoted(const uint8_t *data, uint32_t len, struct ip_packet *ip)
{
    return parse(data, len, true, ip);
}

/* RFC 6437 3: one label for a flow, spread over all 20 bits. It is no
 * secret, the addresses and ports it is made of stand beside it. */
static uint32_t flow_label(const struct segment *s)
{
    uint32_t h = (uint32_t)s->src.port << 16 | s->dst.port;
    for (unsigned i = 0; i < 16; i += 4) {
        h = (h ^ get_be32(s->src.addr.bytes + i)) * 0x9e3779b1U;
        h = (h ^ h >> 15 ^ get_be32(s->dst.addr.bytes + i)) * 0x85ebca77U;
    }
    return (h ^ h >> 13) >> 12;
}

unsigned ip_write(const struct segment *s, uint32_t l4_len, uint8_t *out)
{
    uint8_t ttl = s->ttl ? s->ttl : TTL_DEFAULT;
    if (s->src.addr.family == PLAIT_IPV4) {
        out[0] = 0x45;
        out[1] = s->ecn & 3;
        put_be16(out + 4, 0);
        put_be16(out + 6, IPV4_DF);
        out[8] = ttl;
        out[9] = IP_PROTO_TCP;
        memcpy(out + 12, s->src.addr.bytes, 4);
        memcpy(out + 16, s->dst.addr.bytes, 4);
        ip_set_length(out, l4_len, 0);
        return IPV4_HEADER;
    }
    put_be32(out, 6U << 28 | (s->ecn & 3U) << 20 | flow_label(s));
    out[6] = IP_PROTO_TCP;
    out[7] = ttl;
    memcpy(out + 8, s->src.addr.bytes, 16);
    memcpy(out + 24, s->dst.addr.bytes, 16);
    ip_set_length(out, l4_len, 0);
    return IPV6_HEADER;
}

void ip4_set_checksum(uint8_t *header)
{
    put_be16(header + 10, 0);
    put_be16(header + 10, (uint16_t)~csum_partial(header, (header[0] & 15) * 4u));
}

void ip_set_length(uint8_t *header, uint32_t l4_len, uint16_t index)
{
    if (header[0] >> 4 == 6) {
        put_be16(header + 4, (uint16_t)l4_len);
        return;
    }
    put_be16(header + 2, (uint16_t)(IPV4_HEADER + l4_len));
    put_be16(header + 4, (uint16_t)(get_be16(header + 4) + index));
    ip4_set_checksum(header);
}
