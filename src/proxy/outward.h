/* SPDX-License-Identifier: MIT
 *
 * A TCP connection of the kernel's to the first of several addresses that takes it.
 */
#ifndef PROXY_OUTWARD_H
#define PROXY_OUTWARD_H

#include "host/host.h"

/* A socket that is on its way; -1: errno says why not. multipath: ask for the
 * kernel's Multipath TCP where there is one. */
int outward_begin(const struct plait_endpoint *to, bool multipath);
/* The options that the SYN/ACK had, as far as the kernel tells (RFC 8803 6.2.6): MSS,
 * window scale, SACK permitted, and MPTCP without its keys. How many bytes. */
enum { OUTWARD_OPTIONS_MAX = 16 };
size_t outward_options(int fd, uint8_t out[OUTWARD_OPTIONS_MAX]);

/* The header of the PROXY protocol, version 2, that says who connects to whom. */
enum { OUTWARD_PROXY_MAX = 52 };
size_t outward_proxy_header(const struct plait_endpoint *from, const struct plait_endpoint *to,
                            uint8_t out[OUTWARD_PROXY_MAX]);

#endif
