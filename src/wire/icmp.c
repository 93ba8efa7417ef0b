/* SPDX-License-Identifier: MIT
 *
 * ICMP errors about our segments (RFC 792, RFC 4443). Only what the error
 * says is decoded; whether to believe it (RFC 5927) is tcp/'s to decide.
 * Source quench is not an error any more (RFC 6633).
 */
#include "base/bytes.h"
#include "wire/checksum.h"
#include "wire/ip.h"

enum {
    ICMP_UNREACHABLE = 3,
    ICMP_TIME_EXCEEDED = 11,
    ICMP_PARAMETER = 12,
    ICMP_NEEDS_FRAGMENTATION = 4, /* code of ICMP_UNREACHABLE */

    ICMPV6_UNREACHABLE = 1,
    ICMPV6_TOO_BIG = 2,
    ICMPV6_TIME_EXCEEDED = 3,
    ICMPV6_PARAMETER = 4,

    ICMP_HEADER = 8,
    TCP_QUOTED_MIN = 8 /* ports and sequence number */
};

/* A set of ICMP codes, as bits. */
#define CODE(n) (1U << (n))

/* RFC 1122 4.2.3.9 names protocol and port unreachable; the prohibitions
 * (RFC 1812 5.2.7.1) will not pass either, however often we try. */
static const uint32_t hard_v4 = CODE(2) | CODE(3) | CODE(9) | CODE(10) | CODE(13);
/* RFC 4443 3.1: prohibited, port, source address policy, reject route. */
static const uint32_t hard_v6 = CODE(1) | CODE(4) | CODE(5) | CODE(6);

static bool code_in(uint8_t code, uint32_t set)
{
    return code < 32 && set & CODE(code);
}

static bool classify_v4(const uint8_t *m, struct icmp_error *e)
{
    e->mtu = 0;
    switch (e->type) {
    case ICMP_UNREACHABLE:
        e->kind = code_in(e->code, hard_v4) ? ICMP_HARD : ICMP_SOFT;
        if (e->code == ICMP_NEEDS_FRAGMENTATION) {
            e->kind = ICMP_TOO_BIG;
            e->mtu = get_be16(m + 6);
        }
        return true;
    case ICMP_TIME_EXCEEDED:
    case ICMP_PARAMETER:
        e->kind = ICMP_SOFT;
        return true;
    default:
        return false;
    }
}

static bool classify_v6(const uint8_t *m, struct icmp_error *e)
{
    uint32_t mtu = get_be32(m + 4);
    e->mtu = 0;
    switch (e->type) {
    case ICMPV6_UNREACHABLE:
        e->kind = code_in(e->code, hard_v6) ? ICMP_HARD : ICMP_SOFT;
        return true;
    case ICMPV6_TOO_BIG:
        e->kind = ICMP_TOO_BIG;
        e->mtu = mtu < UINT16_MAX ? (uint16_t)mtu : UINT16_MAX;
        return true;
    case ICMPV6_PARAMETER:
        /* RFC 4443 3.4: 1 is an unknown next header, TCP itself. */
        e->kind = e->code == 1 ? ICMP_HARD : ICMP_SOFT;
        return true;
    case ICMPV6_TIME_EXCEEDED:
        e->kind = ICMP_SOFT;
        return true;
    default:
        return false;
    }
}

static bool checksum_ok(const struct ip_packet *ip)
{
    uint16_t sum = csum_partial(ip->payload, ip->payload_len);
    if (ip->protocol == IP_PROTO_ICMPV6)
        sum = csum_add(sum, csum_pseudo_for(&ip->src, &ip->dst, IP_PROTO_ICMPV6, ip->payload_len),
                       false);
    return sum == 0xffff;
}

bool icmp_decode(const struct plait_packet_rx *p, struct icmp_error *e)
{
    struct ip_packet ip, quoted;
    if (ip_parse(p->data, p->len, &ip) || ip.payload_len < ICMP_HEADER)
        return false;
    bool is_v4 = ip.src.family == PLAIT_IPV4;
    if (ip.protocol != (is_v4 ? IP_PROTO_ICMP : IP_PROTO_ICMPV6))
        return false;
    if (!p->csum_ok && !checksum_ok(&ip))
        return false;
    e->type = ip.payload[0];
    e->code = ip.payload[1];
    if (!(is_v4 ? classify_v4(ip.payload, e) : classify_v6(ip.payload, e)))
        return false;

    if (ip_parse_quoted(ip.payload + ICMP_HEADER, ip.payload_len - ICMP_HEADER, &quoted) ||
        quoted.src.family != ip.src.family || quoted.protocol != IP_PROTO_TCP ||
        quoted.payload_len < TCP_QUOTED_MIN)
        return false;
    const uint8_t *t = quoted.payload;
    e->src = (struct plait_endpoint){quoted.src, get_be16(t)};
    e->dst = (struct plait_endpoint){quoted.dst, get_be16(t + 2)};
    e->seq = get_be32(t + 4);
    return true;
}
