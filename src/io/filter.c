/* SPDX-License-Identifier: MIT
 *
 * The socket sees packets from the link header on, so how far in the IP header
 * starts depends on the kind of device, and everything behind that is emitted
 * once for each distance.
 *
 * A packet that enters through a port of a bridge or bond, or with a VLAN
 * tag, is shown to packet sockets twice: there, and on the device above. Only
 * the latter is wanted.
 */
#include "io/filter.h"

#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>

enum {
    LEAF_PORTS = 8, /* looked at one after another */
    IP4_FRAGMENT = 6,
    IP4_PROTOCOL = 9,
    IP6_NEXT_HEADER = 6,
    IP6_HEADER = 40,
    ICMP_HEADER = 8,
    IP4_HEADER = 20,
    TCP_SOURCE_PORT = 0,
    TCP_DEST_PORT = 2,
    VLAN_ID_MASK = 0xfff,
    FRAGMENT_OFFSET_MASK = 0x1fff
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
static void load_port_ip4(struct assembler *a, unsigned ip, unsigned to_ports[2])
{
    load(a, BPF_H | BPF_ABS, ip + IP4_FRAGMENT);
    emit(a, BPF_ALU | BPF_AND | BPF_K, FRAGMENT_OFFSET_MASK);
    unless(a, 0);
    drop(a);
    emit(a, BPF_LDX | BPF_B | BPF_MSH, ip); /* X: length of the IP header */
    load(a, BPF_B | BPF_ABS, ip + IP4_PROTOCOL);
    unless(a, IPPROTO_TCP);
    unsigned not_tcp = jump(a);
    load(a, BPF_H | BPF_IND, ip + TCP_DEST_PORT);
    to_ports[0] = jump(a);

    land(a, not_tcp);
    unless(a, IPPROTO_ICMP);
    drop(a);
    load(a, BPF_B | BPF_IND, ip + ICMP_HEADER + IP4_PROTOCOL);
    unless(a, IPPROTO_TCP);
    drop(a);
    load(a, BPF_H | BPF_IND, ip + ICMP_HEADER + IP4_HEADER + TCP_SOURCE_PORT);
    to_ports[1] = jump(a);
}

static void load_port_ip6(struct assembler *a, unsigned ip, unsigned to_ports[2])
{
    load(a, BPF_B | BPF_ABS, ip + IP6_NEXT_HEADER);
    unless(a, IPPROTO_TCP);
    unsigned not_tcp = jump(a);
    load(a, BPF_H | BPF_ABS, ip + IP6_HEADER + TCP_DEST_PORT);
    to_ports[0] = jump(a);

    land(a, not_tcp);
    unless(a, IPPROTO_ICMPV6);
    drop(a);
    load(a, BPF_B | BPF_ABS, ip + IP6_HEADER + ICMP_HEADER + IP6_NEXT_HEADER);
    unless(a, IPPROTO_TCP);
    drop(a);
    load(a, BPF_H | BPF_ABS, ip + IP6_HEADER + ICMP_HEADER + IP6_HEADER + TCP_SOURCE_PORT);
    to_ports[1] = jump(a);
}

/* For a device whose packets have their IP header at `ip`. */
static void load_port(struct assembler *a, unsigned ip, unsigned to_ports[4])
{
    load(a, BPF_W | BPF_ABS, (unsigned)(SKF_AD_OFF + SKF_AD_PROTOCOL));
    unless(a, ETH_P_IP);
    unsigned not_ip4 = jump(a);
    load_port_ip4(a, ip, to_ports);
    land(a, not_ip4);
    unless(a, ETH_P_IPV6);
    drop(a);
    load_port_ip6(a, ip, to_ports + 2);
}

unsigned filter_link_len(uint16_t hatype)
{
    switch (hatype) {
    case ARPHRD_ETHER:
    case ARPHRD_LOOPBACK:
        return ETH_HLEN;
    case ARPHRD_NONE:
    case ARPHRD_PPP:
    case ARPHRD_RAWIP:
    case ARPHRD_SIT:
    case ARPHRD_TUNNEL:
    case ARPHRD_TUNNEL6:
        return 0;
    default:
        return FILTER_LINK_UNKNOWN;
    }
}

/* The accumulator holds the device's type. Jump, from the places put into
 * `to`, when its link header is `link_len` long. */
static void when_link_len(struct assembler *a, unsigned link_len, unsigned *to, unsigned *count)
{
    static const uint16_t types[] = {ARPHRD_ETHER, ARPHRD_LOOPBACK, ARPHRD_NONE,   ARPHRD_PPP,
                                     ARPHRD_RAWIP, ARPHRD_SIT,      ARPHRD_TUNNEL, ARPHRD_TUNNEL6};

    *count = 0;
    for (unsigned i = 0; i < sizeof types / sizeof *types; i++) {
        if (filter_link_len(types[i]) != link_len)
            continue;
        when(a, types[i]);
        to[(*count)++] = jump(a);
    }
}

/* The accumulator holds the port: is it one of a few? */
static void leaf(struct assembler *a, const uint16_t *ports, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        emit(a, BPF_JMP | BPF_JEQ | BPF_K, ports[i]);
        a->code[a->len - 1].jt = (uint8_t)(count - i); /* past the rest and the drop */
    }
    drop(a);
    if (count)
        pass(a);
}

/* Is it one of many? Found in as many steps as there are doublings. */
static void tree(struct assembler *a, const uint16_t *ports, unsigned count)
{
    unsigned half = count / 2, right;

    if (count <= LEAF_PORTS) {
        leaf(a, ports, count);
        return;
    }
    emit(a, BPF_JMP | BPF_JGE | BPF_K, ports[half]);
    a->code[a->len - 1].jf = 1;
    right = jump(a);
    tree(a, ports, half);
    land(a, right);
    tree(a, ports + half, count - half);
}

/* At most: a leaf has four ports or more, an end of two and a fork of two. */
static unsigned tree_len(unsigned count)
{
    return count <= LEAF_PORTS ? count + 2 : 2 * count;
}

unsigned filter_build(const struct filter_config *config, struct sock_filter *code)
{
    static const unsigned link_lens[] = {ETH_HLEN, 0};
    struct assembler a = {code, 0};
    unsigned to_ports[8], to_link[2][8], count[2];

    check_arrival(&a, config);
    load(&a, BPF_W | BPF_ABS, (unsigned)(SKF_AD_OFF + SKF_AD_HATYPE));
    for (unsigned i = 0; i < 2; i++)
        when_link_len(&a, link_lens[i], to_link[i], &count[i]);
    drop(&a);
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned n = 0; n < count[i]; n++)
            land(&a, to_link[i][n]);
        load_port(&a, link_lens[i], to_ports + 4 * i);
    }

    for (unsigned i = 0; i < 8; i++)
        land(&a, to_ports[i]);
    if (tree_len(config->port_count) > FILTER_MAX - a.len)
        pass(&a);
    else
        tree(&a, config->ports, config->port_count);
    return a.len;
}
