/* SPDX-License-Identifier: MIT
 *
 * Addresses and endpoints: equality, text, classes. IPv4 and IPv6 only.
 */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <string.h>

#include "plait/types.h"

static inline bool addr_equal(const struct plait_addr *a, const struct plait_addr *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static inline bool endpoint_equal(const struct plait_endpoint *a, const struct plait_endpoint *b)
{
    return a->port == b->port && addr_equal(&a->addr, &b->addr);
}

/* The four (16) bytes of an address in network order. */
struct plait_addr addr_v4(const uint8_t bytes[4]);
struct plait_addr addr_v6(const uint8_t bytes[16]);

enum { ADDR_TEXT_MAX = 46, ENDPOINT_TEXT_MAX = 54 };

/* Text form (RFC 5952 for IPv6) into buf of at least ADDR_TEXT_MAX bytes;
 * returns buf. PLAIT_NONE gives "*". */
char *addr_format(const struct plait_addr *a, char *buf);
/* "192.0.2.1:80" or "[2001:db8::1]:80", ENDPOINT_TEXT_MAX bytes. */
char *endpoint_format(const struct plait_endpoint *e, char *buf);
/* False when text is neither an IPv4 nor an IPv6 address. */
bool addr_parse(const char *text, struct plait_addr *out);
/* What endpoint_format writes, or an address alone: port 0. */
bool endpoint_parse(const char *text, struct plait_endpoint *out);

/* Both of one family and equal in their first prefix_len bits; false for
 * prefix_len 0 (not known). */
bool addr_same_network(const struct plait_addr *a, const struct plait_addr *b, uint8_t prefix_len);

bool addr_is_loopback(const struct plait_addr *a);
bool addr_is_link_local(const struct plait_addr *a);
bool addr_is_multicast(const struct plait_addr *a); /* and broadcast */
bool addr_is_unspecified(const struct plait_addr *a);
bool addr_is_private(const struct plait_addr *a); /* RFC 1918, RFC 4193 */

#endif
