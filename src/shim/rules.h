/* SPDX-License-Identifier: MIT
 *
 * Which destinations plait carries and which stay direct: a list of networks,
 * of which the first that matches decides. As text, and as `plait run` gives it
 * to the library in the environment:
 *
 *   -10.1.2.0/24,+10.0.0.0/8,-L   not the first, but the second; no listeners
 *
 * A leading '-' is direct, '+' carried; -L and -C leave all listeners, all
 * connections of the program's own to the kernel. What is not in the list is judged
 * by the defaults: loopback, link-local, private and shared addresses (RFC 1122
 * 3.2.1.3, RFC 3927, RFC 1918, RFC 6598, RFC 4193, RFC 4291 2.5) are direct, all
 * others carried. A listener is direct where its own address is loopback.
 */
#ifndef SHIM_RULES_H
#define SHIM_RULES_H

#include <stdbool.h>
#include <sys/socket.h>

enum { RULES_MAX = 64, RULES_TEXT_MAX = 4096 };

struct rule {
    bool carry;
    unsigned char bits;     /* of 128 */
    unsigned char addr[16]; /* IPv4 as v4-mapped */
};

struct rules {
    bool no_connect, no_listen;
    unsigned count;
    struct rule list[RULES_MAX];
};

/* False: the text makes no sense, or is too long; what came before it holds. */
bool rules_parse(const char *text, struct rules *out);
/* Is a connection to this address carried? *why: half a sentence. False also for
 * what is neither IPv4 nor IPv6. */
bool rules_carry(const struct rules *r, const struct sockaddr *to, const char **why);
/* Is a listener at this address carried? */
bool rules_listen(const struct rules *r, const struct sockaddr *at, const char **why);

#endif
