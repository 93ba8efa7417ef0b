/* SPDX-License-Identifier: MIT
 *
 * The parts of io/ that need no network: the receive ring, the packet filter
 * (run here by a small interpreter), answers of rtnetlink, the capture file
 * and the faulty driver. A driver made of arrays stands for the real one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>

#include "base/bytes.h"
#include "base/chunk.h"
#include "io/driver.h"
#include "io/filter.c"
#include "io/route.c"
#include "io/rx_ring.h"
#include "wire/checksum.h"
#include "wire/segment.h"

/* ---- receive ring ------------------------------------------------------------- */

static void ring_reuses_what_nobody_kept(void **state)
{
    struct rx_ring r;
    struct plait_packet_rx p;

    (void)state;
    assert_true(rx_ring_init(&r, RX_CHUNKS_MAX));
    assert_int_equal(r.ready, IO_BATCH);
    struct plait_chunk *first = r.slot[0];
    rx_ring_offer(&r, 0, 0, 60000, &p);
    assert_ptr_equal(p.chunk, first);
    assert_ptr_equal(p.data, first->data);
    assert_int_equal(rx_ring_refill(&r), IO_BATCH);
    assert_ptr_equal(r.slot[0], first);
    assert_int_equal(r.total, IO_BATCH);
    rx_ring_free(&r);
}

static void ring_replaces_what_was_kept(void **state)
{
    struct rx_ring r;
    struct plait_packet_rx p;

    (void)state;
    assert_true(rx_ring_init(&r, RX_CHUNKS_MAX));
    rx_ring_offer(&r, 0, 0, 60000, &p);
    struct plait_chunk *kept = chunk_ref(p.chunk);
    assert_int_equal(rx_ring_refill(&r), IO_BATCH);
    for (unsigned i = 0; i < r.ready; i++)
        assert_ptr_not_equal(r.slot[i], kept);
    assert_int_equal(kept->refs, 1);
    assert_int_equal(r.total, IO_BATCH + 1);
    chunk_unref(kept);
    assert_int_equal(r.spare_count, 1);
    rx_ring_free(&r);
}

static void ring_does_not_pin_for_small_packets_or_past_its_limit(void **state)
{
    struct rx_ring r;
    struct plait_packet_rx p;

    (void)state;
    assert_true(rx_ring_init(&r, IO_BATCH + 1));
    rx_ring_offer(&r, 0, 0, RX_KEEP_MIN - 1, &p);
    assert_null(p.chunk);
    rx_ring_offer(&r, 0, 0, RX_KEEP_MIN, &p);
    assert_non_null(p.chunk);
    struct plait_chunk *kept = chunk_ref(p.chunk);
    rx_ring_refill(&r);
    rx_ring_offer(&r, 0, 0, 60000, &p); /* limit reached */
    assert_null(p.chunk);
    assert_int_equal(p.len, 60000);
    chunk_unref(kept);
    rx_ring_free(&r);
}

/* ---- filter -------------------------------------------------------------------- */

struct frame {
    uint8_t bytes[128];
    unsigned len, pkttype, vlan, ifindex, protocol, hatype;
};

static bool frame_load(const struct frame *f, uint32_t k, unsigned size, uint32_t *a)
{
    if (k == (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE))
        *a = f->pkttype;
    else if (k == (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TAG))
        *a = f->vlan;
    else if (k == (uint32_t)(SKF_AD_OFF + SKF_AD_IFINDEX))
        *a = f->ifindex;
    else if (k == (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL))
        *a = f->protocol;
    else if (k == (uint32_t)(SKF_AD_OFF + SKF_AD_HATYPE))
        *a = f->hatype;
    else if (k + size > f->len || k + size < k)
        return false;
    else
        *a = size == 1 ? f->bytes[k] : get_be16(f->bytes + k);
    return true;
}

static unsigned filter_steps; /* instructions that the last run took */

/* Classic BPF, as much of it as the filter uses; anything else fails. */
static bool passes_raw(const struct filter_config *config, const struct frame *f)
{
    static struct sock_filter code[FILTER_MAX];
    unsigned len = filter_build(config, code);
    uint32_t a = 0, x = 0;

    assert_true(len <= FILTER_MAX);
    filter_steps = 0;
    for (unsigned pc = 0; pc < len; pc++) {
        struct sock_filter i = code[pc];
        bool ok = true;
        filter_steps++;
        switch (i.code) {
        case BPF_LD | BPF_W | BPF_ABS:
            ok = frame_load(f, i.k, 4, &a);
            break;
        case BPF_LD | BPF_H | BPF_ABS:
            ok = frame_load(f, i.k, 2, &a);
            break;
        case BPF_LD | BPF_B | BPF_ABS:
            ok = frame_load(f, i.k, 1, &a);
            break;
        case BPF_LD | BPF_H | BPF_IND:
            ok = frame_load(f, x + i.k, 2, &a);
            break;
        case BPF_LD | BPF_B | BPF_IND:
            ok = frame_load(f, x + i.k, 1, &a);
            break;
        case BPF_LDX | BPF_B | BPF_MSH:
            x = 4u * (f->bytes[i.k] & 0xf);
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            a &= i.k;
            break;
        case BPF_JMP | BPF_JA:
            pc += i.k;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            pc += a == i.k ? i.jt : i.jf;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            pc += a >= i.k ? i.jt : i.jf;
            break;
        case BPF_RET | BPF_K:
            return i.k != 0;
        default:
            fail_msg("instruction %#x", i.code);
        }
        if (!ok)
            return false;
    }
    fail_msg("fell off the end");
    return false;
}

/* Tests speak of IP packets. Over Ethernet the same must come out. */
static bool passes(const struct filter_config *config, const struct frame *f)
{
    struct frame ethernet = *f, unknown = *f;
    bool pass = passes_raw(config, f);

    memmove(ethernet.bytes + ETH_HLEN, f->bytes, sizeof f->bytes - ETH_HLEN);
    memset(ethernet.bytes, 0xff, ETH_HLEN);
    ethernet.len += ETH_HLEN;
    ethernet.hatype = ARPHRD_ETHER;
    assert_int_equal(passes_raw(config, &ethernet), pass);
    ethernet.hatype = ARPHRD_LOOPBACK;
    assert_int_equal(passes_raw(config, &ethernet), pass);
    unknown.hatype = ARPHRD_INFINIBAND;
    assert_false(passes_raw(config, &unknown));
    return pass;
}

static struct frame frame_ip4(uint8_t protocol, uint16_t dest_port)
{
    struct frame f = {.len = 40,
                      .pkttype = PACKET_HOST,
                      .ifindex = 2,
                      .protocol = ETH_P_IP,
                      .hatype = ARPHRD_NONE};

    f.bytes[0] = 0x45;
    f.bytes[9] = protocol;
    put_be16(f.bytes + 22, dest_port);
    return f;
}

static struct frame frame_ip6(uint8_t next_header, uint16_t dest_port)
{
    struct frame f = {.len = 60,
                      .pkttype = PACKET_HOST,
                      .ifindex = 2,
                      .protocol = ETH_P_IPV6,
                      .hatype = ARPHRD_NONE};

    f.bytes[0] = 0x60;
    f.bytes[6] = next_header;
    put_be16(f.bytes + 42, dest_port);
    return f;
}

static const uint16_t two_ports[] = {5000, 40001};
static const uint32_t one_switch_port[] = {7};
static const struct filter_config plain = {.ports = two_ports, .port_count = 2};

static void filter_passes_held_ports_only(void **state)
{
    struct frame f;

    (void)state;
    f = frame_ip4(IPPROTO_TCP, 5000);
    assert_true(passes(&plain, &f));
    f = frame_ip4(IPPROTO_TCP, 40001);
    assert_true(passes(&plain, &f));
    f = frame_ip4(IPPROTO_TCP, 5001);
    assert_false(passes(&plain, &f));
    f = frame_ip4(IPPROTO_UDP, 5000);
    assert_false(passes(&plain, &f));
    f = frame_ip6(IPPROTO_TCP, 5000);
    assert_true(passes(&plain, &f));
    f = frame_ip6(IPPROTO_TCP, 22);
    assert_false(passes(&plain, &f));
    f = frame_ip4(IPPROTO_TCP, 5000);
    assert_false(passes(&(struct filter_config){0}, &f)); /* nothing held */
}

static void filter_finds_ports_behind_ip_options(void **state)
{
    struct frame f = frame_ip4(IPPROTO_TCP, 0);

    (void)state;
    f.bytes[0] = 0x46;
    f.len = 44;
    put_be16(f.bytes + 26, 5000);
    assert_true(passes(&plain, &f));
}

static void filter_drops_later_fragments_and_short_packets(void **state)
{
    struct frame f = frame_ip4(IPPROTO_TCP, 5000);

    (void)state;
    put_be16(f.bytes + 6, 0x4000); /* don't fragment */
    assert_true(passes(&plain, &f));
    put_be16(f.bytes + 6, 185);
    assert_false(passes(&plain, &f));
    f = frame_ip4(IPPROTO_TCP, 5000);
    f.len = 23;
    assert_false(passes(&plain, &f));
    f.len = 24;
    assert_true(passes(&plain, &f));
}

static void filter_passes_errors_about_our_segments(void **state)
{
    struct frame f = frame_ip4(IPPROTO_ICMP, 0);

    (void)state;
    f.len = 20 + 8 + 28;
    f.bytes[28 + 9] = IPPROTO_TCP;
    put_be16(f.bytes + 48, 40001); /* source port of what is quoted */
    assert_true(passes(&plain, &f));
    put_be16(f.bytes + 48, 40002);
    assert_false(passes(&plain, &f));
    f = frame_ip6(IPPROTO_ICMPV6, 0);
    f.len = 40 + 8 + 48;
    f.bytes[54] = IPPROTO_TCP;
    put_be16(f.bytes + 88, 5000);
    assert_true(passes(&plain, &f));
    f.bytes[54] = IPPROTO_UDP;
    assert_false(passes(&plain, &f));
}

static void filter_sees_each_packet_once(void **state)
{
    struct filter_config c = plain;
    struct frame f = frame_ip4(IPPROTO_TCP, 5000);

    (void)state;
    f.ifindex = 7;
    assert_true(passes(&c, &f));
    c.ports_of_switches = one_switch_port;
    c.switch_port_count = 1;
    assert_false(passes(&c, &f)); /* it shows again on the bridge */
    f.ifindex = 8;
    assert_true(passes(&c, &f));
    f.vlan = 0x2000; /* priority only: no VLAN device */
    assert_true(passes(&c, &f));
    f.vlan = 0x2005;
    assert_false(passes(&c, &f));
    f.vlan = 0;
    f.pkttype = PACKET_OTHERHOST;
    assert_false(passes(&c, &f));
}

/* Whatever their number, each held port passes and the one behind it does not,
 * and a packet costs as many steps as their number has doublings. */
static void filter_finds_a_port_among_many(void **state)
{
    static const unsigned counts[] = {1, 2, 7, 8, 9, 15, 16, 17, 18, 100, 1000, 1900};
    uint16_t ports[1900];
    struct frame f;

    (void)state;
    for (unsigned i = 0; i < 1900; i++)
        ports[i] = (uint16_t)(3 * i + 5);
    for (unsigned c = 0; c < sizeof counts / sizeof *counts; c++) {
        struct filter_config config = {.ports = ports, .port_count = counts[c]};
        for (unsigned i = 0; i < counts[c]; i += i < 20 ? 1 : 111) {
            f = frame_ip4(IPPROTO_TCP, ports[i]);
            assert_true(passes(&config, &f));
            assert_true(filter_steps < 60);
            f = frame_ip4(IPPROTO_TCP, (uint16_t)(ports[i] + 1));
            assert_false(passes(&config, &f));
            f = frame_ip4(IPPROTO_TCP, (uint16_t)(ports[i] - 1));
            assert_false(passes(&config, &f));
        }
        f = frame_ip4(IPPROTO_TCP, 65535);
        assert_false(passes(&config, &f));
    }
}

static void filter_takes_many_ports(void **state)
{
    static uint16_t ports[60000];
    struct filter_config c = {.ports = ports};
    struct frame f;

    (void)state;
    for (unsigned i = 0; i < 60000; i++)
        ports[i] = (uint16_t)(1024 + i);
    c.port_count = 1500;
    f = frame_ip4(IPPROTO_TCP, 1024 + 1499);
    assert_true(passes(&c, &f));
    f = frame_ip4(IPPROTO_TCP, 1024 + 1500);
    assert_false(passes(&c, &f));
    c.port_count = 60000; /* too many: the engine sorts them out */
    assert_true(passes(&c, &f));
}

/* ---- rtnetlink --------------------------------------------------------------------- */

static struct nlmsghdr *message_start(void *buf, uint16_t type)
{
    struct nlmsghdr *m = mnl_nlmsg_put_header(buf);

    m->nlmsg_type = type;
    return m;
}

static void route_answer_is_read(void **state)
{
    _Alignas(8) char buf[512] = {0};
    struct nlmsghdr *m = message_start(buf, RTM_NEWROUTE);
    struct rtmsg *info = mnl_nlmsg_put_extra_header(m, sizeof *info);
    struct plait_addr gateway, source;
    struct answer a = {0};

    (void)state;
    assert_true(addr_parse("192.0.2.1", &gateway) && addr_parse("192.0.2.7", &source));
    info->rtm_family = AF_INET;
    info->rtm_type = RTN_UNICAST;
    mnl_attr_put_u32(m, RTA_OIF, 3);
    netlink_put_addr(m, RTA_GATEWAY, &gateway);
    netlink_put_addr(m, RTA_PREFSRC, &source);
    assert_int_equal(read_route(m, &a), MNL_CB_OK);
    assert_int_equal(a.oif, 3);
    assert_true(a.has_gateway && addr_equal(&a.gateway, &gateway));
    assert_true(a.has_source && addr_equal(&a.source, &source));
    assert_int_equal(a.type, RTN_UNICAST);
}

static void route_by_way_of_an_ipv6_router(void **state)
{
    _Alignas(8) char buf[512] = {0};
    struct nlmsghdr *m = message_start(buf, RTM_NEWROUTE);
    struct rtmsg *info = mnl_nlmsg_put_extra_header(m, sizeof *info);
    uint8_t via[2 + 16] = {0};
    struct plait_addr router;
    struct answer a = {0};
    uint16_t af = AF_INET6;

    (void)state;
    assert_true(addr_parse("fe80::1", &router));
    info->rtm_family = AF_INET;
    memcpy(via, &af, 2);
    memcpy(via + 2, router.bytes, 16);
    mnl_attr_put(m, RTA_VIA, sizeof via, via);
    read_route(m, &a);
    assert_true(a.has_gateway && addr_equal(&a.gateway, &router));
    /* A truncated one is no gateway. */
    m = message_start(buf, RTM_NEWROUTE);
    info = mnl_nlmsg_put_extra_header(m, sizeof *info);
    info->rtm_family = AF_INET;
    mnl_attr_put(m, RTA_VIA, 6, via);
    a = (struct answer){0};
    read_route(m, &a);
    assert_false(a.has_gateway);
}

static void tell_neighbour(struct routes *r, uint16_t type, uint16_t nud, uint32_t ifindex,
                           const char *addr, const uint8_t *lladdr)
{
    _Alignas(8) char buf[512] = {0};
    struct nlmsghdr *m = message_start(buf, type);
    struct ndmsg *info = mnl_nlmsg_put_extra_header(m, sizeof *info);
    struct change change = {r, false};
    struct plait_addr a;

    assert_true(addr_parse(addr, &a));
    info->ndm_family = AF_INET;
    info->ndm_ifindex = (int)ifindex;
    info->ndm_state = nud;
    netlink_put_addr(m, NDA_DST, &a);
    if (lladdr)
        mnl_attr_put(m, NDA_LLADDR, 6, lladdr);
    assert_int_equal(read_change(m, &change), MNL_CB_OK);
    assert_false(change.links);
}

static void neighbours_are_followed(void **state)
{
    static const uint8_t lladdr[6] = {2, 0, 0, 0, 0, 9}, other[6] = {2, 0, 0, 0, 0, 10};
    struct routes *r = calloc(1, sizeof *r);
    struct route *slot = &r->slots[5];

    (void)state;
    *slot = (struct route){.known = true, .way = ROUTE_ETHERNET, .ifindex = 3};
    assert_true(addr_parse("192.0.2.1", &slot->next_hop));
    tell_neighbour(r, RTM_NEWNEIGH, NUD_REACHABLE, 4, "192.0.2.1", lladdr); /* other link */
    assert_false(slot->lladdr_known);
    tell_neighbour(r, RTM_NEWNEIGH, NUD_REACHABLE, 3, "192.0.2.1", lladdr);
    assert_true(slot->lladdr_known && !slot->lladdr_aging);
    assert_memory_equal(slot->lladdr, lladdr, 6);
    tell_neighbour(r, RTM_NEWNEIGH, NUD_STALE, 3, "192.0.2.1", other);
    assert_true(slot->lladdr_known && slot->lladdr_aging);
    assert_memory_equal(slot->lladdr, other, 6);
    tell_neighbour(r, RTM_NEWNEIGH, NUD_FAILED, 3, "192.0.2.1", NULL);
    assert_false(slot->lladdr_known);
    tell_neighbour(r, RTM_NEWNEIGH, NUD_REACHABLE, 3, "192.0.2.1", lladdr);
    tell_neighbour(r, RTM_DELNEIGH, NUD_REACHABLE, 3, "192.0.2.1", lladdr);
    assert_false(slot->lladdr_known);
    free(r);
}

static void a_changed_route_forgets_all(void **state)
{
    _Alignas(8) char buf[256] = {0};
    struct nlmsghdr *m = message_start(buf, RTM_DELROUTE);
    struct routes *r = calloc(1, sizeof *r);
    struct change change = {r, false};

    (void)state;
    r->slots[0].known = r->slots[ROUTE_SLOTS - 1].known = true;
    read_change(m, &change);
    assert_false(r->slots[0].known || r->slots[ROUTE_SLOTS - 1].known || change.links);
    r->slots[1].known = true;
    m->nlmsg_type = RTM_NEWLINK;
    read_change(m, &change);
    assert_true(change.links);
    assert_false(r->slots[1].known);
    free(r);
}

/* ---- decorators ------------------------------------------------------------------- */

struct fake {
    struct io_driver driver; /* first */
    struct plait_packet_rx in[IO_BATCH];
    unsigned in_count;
    unsigned room, sent; /* send takes so many, took so many */
    bool closed;
};

static unsigned fake_receive(struct io_driver *d, struct plait_packet_rx *out, unsigned max,
                             uint64_t now_us)
{
    struct fake *f = (struct fake *)d;
    unsigned n = f->in_count < max ? f->in_count : max;

    (void)now_us;
    memcpy(out, f->in, n * sizeof *out);
    f->in_count -= n;
    return n;
}

static unsigned fake_send(struct io_driver *d, const struct plait_packet_tx *packets,
                          unsigned count, uint64_t now_us)
{
    struct fake *f = (struct fake *)d;
    unsigned n = count < f->room ? count : f->room;

    (void)now_us;
    (void)packets;
    f->room -= n;
    f->sent += n;
    f->driver.blocked_fd = n < count ? 99 : -1;
    return n;
}

static void fake_close(struct io_driver *d)
{
    ((struct fake *)d)->closed = true;
}

static const struct io_ops fake_ops = {.receive = fake_receive,
                                       .send = fake_send,
                                       .close = fake_close};

static void fault_loses_and_doubles(void **state)
{
    struct fake fake = {.driver.ops = &fake_ops, .room = 1000};
    struct io_fault_config c = {.seed = 1, .tx_drop_ppm = 1000000};
    static struct plait_packet_tx tx[10];
    struct plait_packet_rx rx[IO_BATCH];
    struct io_driver *d;

    (void)state;
    assert_int_equal(io_fault_open(&fake.driver, &c, &d), 0);
    assert_int_equal(d->ops->send(d, tx, 10, 0), 10);
    assert_int_equal(fake.sent, 0);
    fake.in_count = 5;
    assert_int_equal(d->ops->receive(d, rx, IO_BATCH, 0), 5);
    d->ops->close(d);
    assert_true(fake.closed);

    c = (struct io_fault_config){.seed = 1, .rx_dup_ppm = 1000000, .tx_dup_ppm = 1000000};
    assert_int_equal(io_fault_open(&fake.driver, &c, &d), 0);
    assert_int_equal(d->ops->send(d, tx, 10, 0), 10);
    assert_int_equal(fake.sent, 20);
    fake.in_count = 40;
    assert_int_equal(d->ops->receive(d, rx, IO_BATCH, 0), IO_BATCH);
    assert_int_equal(d->ops->receive(d, rx, IO_BATCH, 0), 16);
    fake.room = 3;
    assert_int_equal(d->ops->send(d, tx, 10, 0), 2);
    assert_int_equal(d->blocked_fd, 99);
    d->ops->close(d);
}

static struct plait_packet_tx super_segment(const uint8_t *payload, uint32_t len, uint16_t gso)
{
    struct plait_packet_tx p = {.payload_len = len,
                                .header_len = 40,
                                .csum_start = 20,
                                .gso_size = gso,
                                .iov_count = 1,
                                .iov = {{payload, len}}};

    assert_true(addr_parse("192.0.2.1", &p.src) && addr_parse("192.0.2.2", &p.dst));
    p.header[0] = 0x45;
    put_be16(p.header + 2, (uint16_t)(40 + len));
    p.header[8] = 64;
    p.header[9] = IPPROTO_TCP;
    memcpy(p.header + 12, p.src.bytes, 4);
    memcpy(p.header + 16, p.dst.bytes, 4);
    put_be16(p.header + 20, 1000);
    put_be16(p.header + 22, 2000);
    put_be32(p.header + 24, 1);
    p.header[32] = 0x50;
    p.header[33] = TCP_ACK | TCP_PSH;
    put_be16(p.header + 34, 500);
    put_be16(p.header + 36, csum_pseudo(&p.src, &p.dst, 20 + len));
    return p;
}

struct pcap_view {
    uint8_t *bytes;
    size_t len, at;
};

static bool pcap_next(struct pcap_view *v, const uint8_t **packet, uint32_t *len)
{
    if (v->at == v->len)
        return false;
    assert_true(v->len - v->at >= 16);
    memcpy(len, v->bytes + v->at + 8, 4);
    *packet = v->bytes + v->at + 16;
    v->at += 16 + *len;
    assert_true(v->at <= v->len);
    return true;
}

static void pcap_read(const char *path, struct pcap_view *v)
{
    FILE *f = fopen(path, "rb");

    assert_non_null(f);
    v->bytes = malloc(1 << 20);
    v->len = fread(v->bytes, 1, 1 << 20, f);
    v->at = 24;
    fclose(f);
    assert_true(v->len >= 24 && memcmp(v->bytes, &(uint32_t){0xa1b2c3d4u}, 4) == 0);
}

/* A final checksum makes the sum over pseudo-header and segment come out even. */
static void check_segment(const uint8_t *ip, uint32_t len)
{
    struct plait_addr src = addr_v4(ip + 12), dst = addr_v4(ip + 16);
    uint16_t sum =
        csum_add(csum_partial(ip + 20, len - 20), csum_pseudo(&src, &dst, len - 20), false);

    assert_int_equal(get_be16(ip + 2), len);
    assert_int_equal(sum, 0xffff);
    assert_int_equal(csum_partial(ip, 20), 0xffff);
}

static void capture_cuts_and_finishes(void **state)
{
    char path[] = "/tmp/plait-test-io-XXXXXX";
    static uint8_t payload[3000], flat[3100];
    struct fake fake = {.driver.ops = &fake_ops, .room = 2};
    struct plait_packet_tx tx[3];
    struct plait_packet_rx rx[IO_BATCH];
    struct pcap_view v;
    struct io_driver *d;
    const uint8_t *packet = NULL;
    uint32_t len;
    int fd = mkstemp(path);

    (void)state;
    close(fd);
    for (unsigned i = 0; i < sizeof payload; i++)
        payload[i] = (uint8_t)(i * 7);
    assert_int_equal(io_capture_open(&fake.driver, path, 5000000, &d), 0);
    tx[0] = super_segment(payload, 3000, 1400);
    tx[1] = super_segment(payload, 99, 0);
    tx[2] = tx[1];
    assert_int_equal(d->ops->send(d, tx, 3, 1000000), 2); /* the third was not taken */
    memcpy(flat, tx[0].header, 40);
    memcpy(flat + 40, payload, 3000);
    fake.in[0] =
        (struct plait_packet_rx){.data = flat, .len = 3040, .gso_size = 1400, .csum_ok = true};
    fake.in[1] = (struct plait_packet_rx){.data = flat, .len = 3040}; /* as it came */
    fake.in_count = 2;
    assert_int_equal(d->ops->receive(d, rx, IO_BATCH, 2000000), 2);
    d->ops->close(d);

    static const uint32_t lengths[] = {1440, 1440, 240, 139, 1440, 1440, 240, 3040};
    pcap_read(path, &v);
    for (unsigned i = 0; i < 8; i++) {
        assert_true(pcap_next(&v, &packet, &len));
        assert_int_equal(len, lengths[i]);
        if (i < 7)
            check_segment(packet, len);
        else
            assert_memory_equal(packet, flat, 3040);
    }
    assert_false(pcap_next(&v, &packet, &len));
    free(v.bytes);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ring_reuses_what_nobody_kept),
        cmocka_unit_test(ring_replaces_what_was_kept),
        cmocka_unit_test(ring_does_not_pin_for_small_packets_or_past_its_limit),
        cmocka_unit_test(filter_passes_held_ports_only),
        cmocka_unit_test(filter_finds_ports_behind_ip_options),
        cmocka_unit_test(filter_drops_later_fragments_and_short_packets),
        cmocka_unit_test(filter_passes_errors_about_our_segments),
        cmocka_unit_test(filter_sees_each_packet_once),
        cmocka_unit_test(filter_finds_a_port_among_many),
        cmocka_unit_test(filter_takes_many_ports),
        cmocka_unit_test(route_answer_is_read),
        cmocka_unit_test(route_by_way_of_an_ipv6_router),
        cmocka_unit_test(neighbours_are_followed),
        cmocka_unit_test(a_changed_route_forgets_all),
        cmocka_unit_test(fault_loses_and_doubles),
        cmocka_unit_test(capture_cuts_and_finishes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
