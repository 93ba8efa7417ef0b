/* SPDX-License-Identifier: MIT
 *
 * Offsets count from the IP header, as a SOCK_DGRAM packet socket sees it.
 *
 * A packet that enters through a port of a bridge or bond, or with a VLAN
 * tag, is shown to packet sockets twice: there, and on the device above. Only
 * the latter is wanted.
 */
#include "io/filter.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>

enum {
    IP4_FRAGMENT = 6, IP4_PROTOCOL = 9,
    IP6_NEXT_HEADER = 6, IP6_HEADER = 40, ICMP_HEADER = 8, IP4_HEADER = 20,
    TCP_SOURCE_PORT = 0, TCP_DEST_PORT = 2,
    VLAN_ID_MASK = 0xfff, FRAGMENT_OFFSET_MASK = 0x1fff
};

struct assembler {
    struct sock_filter *code;
    unsigned len;
};

static void emit(struct assembler *a, unsigned op, unsigned k)
{
    a->code[a->len++] = (struct sock_filter){(uint16_t)op, 0, 0, k};
}

static void load(struct assembler *a, unsigned op, unsigned offset)
{
    emit(a, BPF_LD | op, offset);
}

static void pass(struct assembler *a)
{
    emit(a, BPF_RET | BPF_K, UINT32_MAX);
}

static void drop(struct assembler *a)
{
    emit(a, BPF_RET | BPF_K, 0);
}

/* The instruction that follows runs only if the accumulator is (not) k. */
static void when(struct assembler *a, unsigned k)
{
    emit(a, BPF_JMP | BPF_JEQ | BPF_K, k);
    a->code[a->len - 1].jf = 1;
}

static void unless(struct assembler *a, unsigned k)
{
    emit(a, BPF_JMP | BPF_JEQ | BPF_K, k);
    a->code[a->len - 1].jt = 1;
}

/* A forward jump, to be pointed at its target by land. */
static unsigned jump(struct assembler *a)
{
    emit(a, BPF_JMP | BPF_JA, 0);
    return a->len - 1;
}

static void land(struct assembler *a, unsigned from)
{
    a->code[from].k = a->len - from - 1;
}

static void check_arrival(struct assembler *a, const struct filter_config *c)
{
    load(a, BPF_W | BPF_ABS, (unsigned)(SKF_AD_OFF + SKF_AD_PKTTYPE));
    unless(a, PACKET_HOST);
    drop(a);
    load(a, BPF_W | BPF_ABS, (unsigned)(SKF_AD_OFF + SKF_AD_VLAN_TAG));
    emit(a, BPF_ALU | BPF_AND | BPF_K, VLAN_ID_MASK);
    unless(a, 0);
    drop(a);
    if (c->switch_port_count)
        load(a, BPF_W | BPF_ABS, (unsigned)(SKF_AD_OFF + SKF_AD_IFINDEX));
    for (unsigned i = 0; i < c->switch_port_count && i < FILTER_MAX / 8; i++) {
        when(a, c->ports_of_switches[i]);
        drop(a);
    }
}

/* Both leave the local port in the accumulator and jump: to_ports[0] from
 * TCP, [1] from an ICMP error. */
static void load_port_ip4(struct assembler *a, unsigned to_ports[2])
{
    load(a, BPF_H | BPF_ABS, IP4_FRAGMENT);
    emit(a, BPF_ALU | BPF_AND | BPF_K, FRAGMENT_OFFSET_MASK);
    unless(a, 0);
    drop(a);
    emit(a, BPF_LDX | BPF_B | BPF_MSH, 0); /* X: length of the IP header */
    load(a, BPF_B | BPF_ABS, IP4_PROTOCOL);
    unless(a, IPPROTO_TCP);
    unsigned not_tcp = jump(a);
    load(a, BPF_H | BPF_IND, TCP_DEST_PORT);
    to_ports[0] = jump(a);

    land(a, not_tcp);
    unless(a, IPPROTO_ICMP);
    drop(a);
    load(a, BPF_B | BPF_IND, ICMP_HEADER + IP4_PROTOCOL);
    unless(a, IPPROTO_TCP);
    drop(a);
    load(a, BPF_H | BPF_IND, ICMP_HEADER + IP4_HEADER + TCP_SOURCE_PORT);
    to_ports[1] = jump(a);
}

static void load_port_ip6(struct assembler *a, unsigned to_ports[2])
{
    load(a, BPF_B | BPF_ABS, IP6_NEXT_HEADER);
    unless(a, IPPROTO_TCP);
    unsigned not_tcp = jump(a);
    load(a, BPF_H | BPF_ABS, IP6_HEADER + TCP_DEST_PORT);
    to_ports[0] = jump(a);

    land(a, not_tcp);
    unless(a, IPPROTO_ICMPV6);
    drop(a);
    load(a, BPF_B | BPF_ABS, IP6_HEADER + ICMP_HEADER + IP6_NEXT_HEADER);
    unless(a, IPPROTO_TCP);
    drop(a);
    load(a, BPF_H | BPF_ABS, IP6_HEADER + ICMP_HEADER + IP6_HEADER + TCP_SOURCE_PORT);
    to_ports[1] = jump(a);
}

unsigned filter_build(const struct filter_config *config, struct sock_filter *code)
{
    struct assembler a = {code, 0};
    unsigned to_ports[4];

    check_arrival(&a, config);
    load(&a, BPF_W | BPF_ABS, (unsigned)(SKF_AD_OFF + SKF_AD_PROTOCOL));
    unless(&a, ETH_P_IP);
    unsigned not_ip4 = jump(&a);
    load_port_ip4(&a, to_ports);
    land(&a, not_ip4);
    unless(&a, ETH_P_IPV6);
    drop(&a);
    load_port_ip6(&a, to_ports + 2);

    for (unsigned i = 0; i < 4; i++)
        land(&a, to_ports[i]);
    if (config->port_count > (FILTER_MAX - a.len - 1) / 2) {
        pass(&a);
        return a.len;
    }
    for (unsigned i = 0; i < config->port_count; i++) {
        when(&a, config->ports[i]);
        pass(&a);
    }
    drop(&a);
    return a.len;
}
