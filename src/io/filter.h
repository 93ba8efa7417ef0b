/* SPDX-License-Identifier: MIT
 *
 * The classic BPF program in front of an AF_PACKET socket: of all packets of
 * the host it passes those that are for plait, so that foreign traffic costs
 * a few instructions and no copy.
 */
#ifndef IO_FILTER_H
#define IO_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FILTER_MAX = BPF_MAXINSNS };

/* Length of the link header of a device of this type (ARPHRD_*), as a raw
 * packet socket shows it. Packets of unknown ones do not pass. */
enum { FILTER_LINK_UNKNOWN = 255 };
unsigned filter_link_len(uint16_t hatype);

struct filter_config {
    const uint16_t *ports; /* local TCP ports that are plait's, in order, none twice */
    unsigned port_count;
    const uint32_t *ports_of_switches; /* ifindexes whose packets show again elsewhere */
    unsigned switch_port_count;
};

/* Write the program into code[FILTER_MAX]; returns its length. Passes packets
 * addressed to this host that are TCP to one of the ports, or ICMP errors
 * that quote TCP from one. With more ports than fit it passes every port: the
 * engine drops what is not its own. */
unsigned filter_build(const struct filter_config *config, struct sock_filter *code);

#endif
