/* SPDX-License-Identifier: MIT
 *
 * IPv4 and IPv6 headers: what segment.c, icmp.c and offload.c share.
 */
#ifndef WIRE_IP_H
#define WIRE_IP_H

#include "wire/segment.h"

enum {
    IP_PROTO_ICMP = 1,
    IP_PROTO_TCP = 6,
    IP_PROTO_ICMPV6 = 58,
    IPV4_HEADER = 20,
    IPV6_HEADER = 40,
    TCP_HEADER = 20
};

struct ip_packet {
    struct plait_addr src, dst;
    uint8_t protocol, ecn, ttl;
    const uint8_t *payload; /* behind the header and all extension headers */
    uint32_t payload_len;
};

/* Parse the IP header of a whole packet. Only SEGMENT_SHORT, _FRAGMENT,
 * _IP_CHECKSUM and _NOT_TCP (an extension header that is not ours to process)
 * can result; the addresses are set unless it is _SHORT. */
enum segment_error ip_parse(const uint8_t *data, uint32_t len, struct ip_packet *ip);
/* The same for the start of a packet that an ICMP error quotes: it may end
 * early, and its checksum may be stale. */
enum segment_error ip_parse_quoted(const uint8_t *data, uint32_t len, struct ip_packet *ip);

/* Write the IP header for *s and l4_len bytes after it; returns its length. */
unsigned ip_write(const struct segment *s, uint32_t l4_len, uint8_t *out);
/* Set the checksum of an IPv4 header, options included. */
void ip4_set_checksum(uint8_t *header);
/* Set the length, and for IPv4 the ID and header checksum, of a header that
 * ip_write made, for packet number `index` cut from a super-segment. */
void ip_set_length(uint8_t *header, uint32_t l4_len, uint16_t index);

/* Folded pseudo-header sum for any protocol. */
uint16_t csum_pseudo_for(const struct plait_addr *src, const struct plait_addr *dst,
                         uint8_t protocol, uint32_t len);

#endif
