/* SPDX-License-Identifier: MIT
 *
 * Which destinations a proxy server connects to. A list of networks, of which the
 * first that holds an address decides; what none holds is allowed if it is public:
 * not loopback, link-local, private, shared, multicast or otherwise of special use
 * (RFC 6890), and not one of IPv6's that hides an IPv4 address which is. Pure.
 */
#ifndef PROXY_ACCESS_H
#define PROXY_ACCESS_H

#include "plait/types.h"

enum { ACCESS_MAX = 64 };

struct access_rule {
    bool allow;
    struct plait_addr network;
    uint8_t bits; /* 0: every address of the family */
};

struct access {
    unsigned count;
    struct access_rule rules[ACCESS_MAX];
};

/* "10.0.0.0/8", "2001:db8::1". False: no such network, or the list is full. */
bool access_add(struct access *a, const char *network, bool allow);
/* May this address be connected to? *why: half a sentence, in any case. */
bool access_allows(const struct access *a, const struct plait_addr *addr, const char **why);

#endif
