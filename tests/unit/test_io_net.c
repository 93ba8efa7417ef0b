/* SPDX-License-Identifier: MIT
 *
 * The packet drivers against the kernel, in two network namespaces of this
 * process that a veth pair joins: "here" is plait's side, "there" has only
 * kernel sockets. Skipped (77) where namespaces may not be made.
 *
 * Waiting is bounded but nothing depends on how long it takes.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/addr.h"
#include "io/driver.h"
#include "io/hold.h"
#include "io/route.h"
#include "io/watch.h"
#include "wire/segment.h"

enum { SKIP = 77, PATIENCE_MS = 5000 };

static int here, there; /* descriptors of the namespaces */

static void enter(int ns)
{
    assert_int_equal(setns(ns, CLONE_NEWNET), 0);
}

__attribute__((format(printf, 1, 2))) static void run(const char *format, ...)
{
    char command[256];
    va_list args;

    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    if (system(command) != 0)
        fail_msg("failed: %s", command);
}

static struct plait_endpoint endpoint(const char *addr, uint16_t port)
{
    struct plait_endpoint e = {.port = port};

    assert_true(addr_parse(addr, &e.addr));
    return e;
}

static struct sockaddr_in6 to_sockaddr(const struct plait_endpoint *e)
{
    struct sockaddr_in6 sa = {.sin6_family = AF_INET6, .sin6_port = htons(e->port)};

    if (e->addr.family == PLAIT_IPV6) {
        memcpy(&sa.sin6_addr, e->addr.bytes, 16);
    } else {
        memset((uint8_t *)&sa.sin6_addr + 10, 0xff, 2);
        memcpy((uint8_t *)&sa.sin6_addr + 12, e->addr.bytes, 4);
    }
    return sa;
}

/* A kernel socket that listens, or has begun to connect. */
static int kernel_listen(const struct plait_endpoint *at)
{
    struct sockaddr_in6 sa = to_sockaddr(at);
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

static int kernel_connect(const struct plait_endpoint *to)
{
    struct sockaddr_in6 sa = to_sockaddr(to);
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), -1);
    return fd; /* in progress, or refused already: over loopback that is at once */
}

/* 0 while it goes on. */
static int connect_error(int fd)
{
    int error = 0;
    socklen_t len = sizeof error;
    struct pollfd p = {fd, POLLOUT, 0};

    poll(&p, 1, 0);
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
    return error;
}

/* The next segment that the driver receives for this port. */
static void expect_segment(struct io_driver *d, uint16_t port, struct segment *seg)
{
    struct plait_packet_rx rx[IO_BATCH];
    struct pollfd fds[IO_FDS_MAX];

    for (unsigned i = 0; i < d->fd_count; i++)
        fds[i] = (struct pollfd){d->fds[i], POLLIN, 0};
    while (poll(fds, d->fd_count, PATIENCE_MS) > 0) {
        unsigned n = d->ops->receive(d, rx, IO_BATCH, 1);
        for (unsigned i = 0; i < n; i++)
            if (segment_decode(&rx[i], seg) == SEGMENT_OK && seg->dst.port == port)
                return;
    }
    fail_msg("nothing for port %u", port);
}

static void send_syn(struct io_driver *d, const struct plait_endpoint *from,
                     const struct plait_endpoint *to, uint32_t seq)
{
    struct plait_packet_tx tx;
    struct segment syn;

    segment_clear(&syn);
    syn.src = *from;
    syn.dst = *to;
    syn.seq = seq;
    syn.flags = TCP_SYN;
    syn.window = 1000;
    segment_encode(&syn, NULL, 0, 0, &tx);
    assert_int_equal(d->ops->send(d, &tx, 1, 1), 1);
}

static struct io_driver *open_packet(void)
{
    struct io_driver *d;

    enter(here);
    assert_int_equal(io_packet_open(&d), 0);
    return d;
}

/* ---- tests -------------------------------------------------------------------------- */

static void set_net_admin(bool on)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];

    assert_int_equal(syscall(SYS_capget, &header, data), 0);
    if (on)
        data[0].effective |= 1u << CAP_NET_ADMIN;
    else
        data[0].effective &= ~(1u << CAP_NET_ADMIN);
    assert_int_equal(syscall(SYS_capset, &header, data), 0);
}

static void kernel_is_silent(bool privileged)
{
    struct holds holds = {0};
    uint16_t port = 0;

    enter(here);
    set_net_admin(privileged);
    int err = holds_add(&holds, &port);
    set_net_admin(true);
    if (!privileged && err == -EPERM)
        skip(); /* a kernel without signatures */
    assert_int_equal(err, 0);
    assert_int_not_equal(port, 0);
    struct plait_endpoint held = endpoint("127.0.0.1", port), held6 = endpoint("::1", port);
    int a = kernel_connect(&held), b = kernel_connect(&held6);
    assert_int_equal(connect_error(a), 0); /* no RST */
    assert_int_equal(connect_error(b), 0);
    close(a);
    close(b);
    holds_remove(&holds, port);
    a = kernel_connect(&held);
    assert_true(errno == ECONNREFUSED || connect_error(a) == ECONNREFUSED);
    close(a);
    holds_free(&holds);
}

static void kernel_is_silent_on_a_held_port(void **state)
{
    (void)state;
    kernel_is_silent(true);
}

static void kernel_is_silent_for_the_unprivileged_too(void **state)
{
    (void)state;
    kernel_is_silent(false);
}

static void a_port_in_use_cannot_be_held(void **state)
{
    struct plait_endpoint at = endpoint("127.0.0.1", 5999);
    struct holds holds = {0};
    uint16_t port = 5999;

    (void)state;
    enter(here);
    int fd = kernel_listen(&at);
    assert_int_equal(holds_add(&holds, &port), -EADDRINUSE);
    close(fd);
    assert_int_equal(holds_add(&holds, &port), 0);
    assert_int_equal(holds_add(&holds, &port), 0); /* a second user of the same */
    holds_remove(&holds, port);
    fd = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 sa = to_sockaddr(&at);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), -1); /* still held */
    close(fd);
    holds_free(&holds);
}

/* Many at once: each its own port, and packets to the last arrive. One that is
 * taken, and none of them is held. */
static void ports_are_held_together_or_not_at_all(void **state)
{
    enum { PORTS = 100 };
    struct io_driver *d = open_packet();
    struct plait_endpoint taken = endpoint("127.0.0.1", 6003);
    uint16_t ports[PORTS] = {0}, some[3] = {6002, 6003, 6004};
    struct segment seg;

    (void)state;
    assert_int_equal(d->ops->hold_ports(d, ports, PORTS), 0);
    for (unsigned i = 0; i < PORTS; i++)
        for (unsigned k = 0; k < i; k++)
            assert_int_not_equal(ports[i], ports[k]);
    enter(there);
    struct plait_endpoint ours = endpoint("10.77.0.1", ports[PORTS - 1]);
    int fd = kernel_connect(&ours);
    expect_segment(d, ports[PORTS - 1], &seg);
    assert_int_equal(seg.flags, TCP_SYN);
    close(fd);

    enter(here);
    fd = kernel_listen(&taken);
    assert_int_equal(d->ops->hold_ports(d, some, 3), -EADDRINUSE);
    close(fd);
    for (unsigned i = 0; i < 3; i++) { /* free for the kernel */
        struct plait_endpoint at = endpoint("127.0.0.1", some[i]);
        close(kernel_listen(&at));
    }
    d->ops->close(d);
}

/* A kernel client's SYN arrives, one to another port does not. */
static void packet_driver_receives(const char *local)
{
    struct io_driver *d = open_packet();
    uint16_t port = 6000;
    struct plait_endpoint ours = endpoint(local, port), not_ours = endpoint(local, 6001);
    struct segment seg;

    assert_int_equal(d->ops->hold_ports(d, &port, 1), 0);
    enter(there);
    int ignored = kernel_connect(&not_ours), fd = kernel_connect(&ours);
    expect_segment(d, port, &seg);
    assert_int_equal(seg.flags, TCP_SYN);
    assert_true(endpoint_equal(&seg.dst, &ours));
    assert_int_equal(d->stats.packets_in, 1);
    close(fd);
    close(ignored);
    d->ops->close(d);
}

static void packet_driver_receives_ip4(void **state)
{
    (void)state;
    packet_driver_receives("10.77.0.1");
}

static void packet_driver_receives_ip6(void **state)
{
    (void)state;
    packet_driver_receives("fd77::1");
}

/* A SYN of ours is answered by a kernel server; the neighbour's address is
 * found on the way, so that the second SYN needs no help. */
static void packet_driver_sends(const char *local, const char *remote)
{
    struct io_driver *d;
    struct plait_endpoint to = endpoint(remote, 7000), from = endpoint(local, 0);
    struct segment seg;

    enter(here);
    run("ip neigh flush dev tiohere nud all");
    d = open_packet();
    assert_int_equal(d->ops->hold_ports(d, &from.port, 1), 0);
    enter(there);
    int server = kernel_listen(&to);
    send_syn(d, &from, &to, 1000);
    expect_segment(d, from.port, &seg);
    assert_int_equal(seg.flags, TCP_SYN | TCP_ACK);
    assert_int_equal(seg.ack, 1001);
    assert_int_equal(d->stats.slow_out, 1);
    for (unsigned i = 0; i < 100 && d->stats.packets_out == 0; i++) {
        struct plait_packet_rx rx[IO_BATCH];
        struct pollfd changes = {d->fds[1], POLLIN, 0};
        poll(&changes, 1, PATIENCE_MS / 100); /* the neighbour's notification */
        d->ops->receive(d, rx, IO_BATCH, 1);
        send_syn(d, &from, &to, 1000);
    }
    assert_int_equal(d->stats.packets_out, 1);
    assert_int_equal(d->stats.lost_out, 0);
    expect_segment(d, from.port, &seg);
    close(server);
    d->ops->close(d);
}

static void packet_driver_sends_ip4(void **state)
{
    (void)state;
    packet_driver_sends("10.77.0.1", "10.77.0.2");
}

static void packet_driver_sends_ip6(void **state)
{
    (void)state;
    packet_driver_sends("fd77::1", "fd77::2");
}

static void packet_driver_reaches_its_own_host(void **state)
{
    static const char *const addrs[] = {"127.0.0.1", "::1", "10.77.0.1", "fd77::1"};
    struct segment seg;

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct io_driver *d = open_packet();
        struct plait_endpoint to = endpoint(addrs[i], 7001), from = endpoint(addrs[i], 0);
        int server = kernel_listen(&to);

        assert_int_equal(d->ops->hold_ports(d, &from.port, 1), 0);
        send_syn(d, &from, &to, 5);
        expect_segment(d, from.port, &seg);
        assert_int_equal(seg.flags, TCP_SYN | TCP_ACK);
        close(server);
        d->ops->close(d);
    }
}

/* Of two default routes the one on the interface that owns the source wins,
 * whatever its metric. */
static void routes_follow_the_source_address(void **state)
{
    struct routes *r = malloc(sizeof *r);
    struct plait_endpoint far = endpoint("198.51.100.9", 0), far6 = endpoint("2001:db8::9", 0);

    (void)state;
    enter(here);
    run("ip link add tiodummy type veth peer name tiopeer");
    run("ip link set tiodummy up && ip link set tiopeer up");
    run("ip addr add 10.78.0.1/24 dev tiodummy && ip addr add fd78::1/64 dev tiodummy nodad");
    run("ip route add default via 10.78.0.254 dev tiodummy metric 10");
    run("ip -6 route add default via fd78::fe dev tiodummy metric 10");
    run("ip route add default via 10.77.0.2 dev tiohere metric 500");
    run("ip -6 route add default via fd77::2 dev tiohere metric 500");
    assert_int_equal(routes_open(r), 0);
    static const struct {
        const char *src, *next_hop;
    } cases[] = {{"10.77.0.1", "10.77.0.2"},
                 {"10.78.0.1", "10.78.0.254"},
                 {"fd77::1", "fd77::2"},
                 {"fd78::1", "fd78::fe"}};
    for (unsigned i = 0; i < 4; i++) {
        struct plait_endpoint src = endpoint(cases[i].src, 0), hop = endpoint(cases[i].next_hop, 0);
        const struct route *route = route_find(r, &src.addr, i < 2 ? &far.addr : &far6.addr);
        assert_int_equal(route->way, ROUTE_ETHERNET);
        assert_true(addr_equal(&route->next_hop, &hop.addr));
    }
    /* A gateway that goes is noticed, and the rules decide again. */
    struct plait_endpoint src = endpoint("10.77.0.1", 0), hop = endpoint("10.78.0.254", 0);
    run("ip route del default via 10.77.0.2 dev tiohere metric 500");
    routes_changed(r);
    assert_true(addr_equal(&route_find(r, &src.addr, &far.addr)->next_hop, &hop.addr));
    run("ip link del tiodummy && ip -6 route del default via fd77::2 dev tiohere");
    routes_changed(r);
    assert_int_equal(route_find(r, &src.addr, &far.addr)->way, ROUTE_NONE);
    routes_close(r);
    free(r);
}

struct seen {
    struct io_watch_addr addrs[16];
    unsigned count, changes;
};

static void note(void *ctx, const struct io_watch_addr *addr, bool present)
{
    struct seen *s = ctx;

    s->changes++;
    for (unsigned i = 0; i < s->count; i++)
        if (addr_equal(&s->addrs[i].addr, &addr->addr))
            s->addrs[i--] = s->addrs[--s->count];
    if (present)
        s->addrs[s->count++] = *addr;
}

static const struct io_watch_addr *seen_addr(struct seen *s, const char *text)
{
    struct plait_endpoint e = endpoint(text, 0);

    for (unsigned i = 0; i < s->count; i++)
        if (addr_equal(&s->addrs[i].addr, &e.addr))
            return &s->addrs[i];
    return NULL;
}

static void wait_changes(struct io_watch *w, struct seen *s, const char *addr, bool present)
{
    struct pollfd p = {io_watch_fd(w), POLLIN, 0};

    while (!!seen_addr(s, addr) != present && poll(&p, 1, PATIENCE_MS) > 0)
        io_watch_run(w);
    assert_int_equal(!!seen_addr(s, addr), present);
}

static void addresses_are_watched(void **state)
{
    struct seen s = {0};
    struct io_watch *w;

    (void)state;
    enter(here);
    assert_int_equal(io_watch_open(note, &s, &w), 0);
    assert_non_null(seen_addr(&s, "10.77.0.1"));
    assert_int_equal(seen_addr(&s, "10.77.0.1")->mtu, 1500);
    assert_int_equal(seen_addr(&s, "10.77.0.1")->prefix_len, 24);
    assert_true(seen_addr(&s, "127.0.0.1")->loopback && seen_addr(&s, "::1")->loopback);
    assert_int_equal(s.count, 4); /* and no link-local ones */

    run("ip addr add 10.77.0.9/24 dev tiohere");
    wait_changes(w, &s, "10.77.0.9", true);
    run("ip addr del 10.77.0.9/24 dev tiohere");
    wait_changes(w, &s, "10.77.0.9", false);
    run("ip link set tiohere mtu 1400");
    io_watch_run(w); /* the notification was there before the command ended */
    assert_int_equal(seen_addr(&s, "10.77.0.1")->mtu, 1400);
    run("ip link set tiohere mtu 1500");

    enter(there); /* a cut cable: the address stays, the carrier goes */
    run("ip link set tiothere down");
    wait_changes(w, &s, "10.77.0.1", false);
    assert_null(seen_addr(&s, "fd77::1"));
    run("ip link set tiothere up");
    run("ip addr replace fd77::2/64 dev tiothere nodad"); /* IPv6 loses them on down */
    wait_changes(w, &s, "10.77.0.1", true);
    io_watch_close(w);
}

static void tun_brings_its_own_addresses(void **state)
{
    struct io_tun_config c = {.addr_count = 2, .name = "tiotun"};
    struct io_driver *d;
    struct segment seg;

    (void)state;
    enter(here);
    c.addrs[0].addr = endpoint("10.79.0.1", 0).addr;
    c.addrs[0].prefix_len = 24;
    c.addrs[1].addr = endpoint("fd79::5", 0).addr;
    c.addrs[1].prefix_len = 64;
    assert_int_equal(io_tun_open(&c, &d), 0);
    static const struct {
        const char *ours, *kernel;
    } cases[] = {{"10.79.0.1", "10.79.0.2"}, {"fd79::5", "fd79::1"}};
    for (unsigned i = 0; i < 2; i++) {
        struct plait_endpoint ours = endpoint(cases[i].ours, 8000);
        struct plait_endpoint theirs = endpoint(cases[i].kernel, 8001);
        int server = kernel_listen(&theirs), client = kernel_connect(&ours);
        expect_segment(d, 8000, &seg);
        assert_int_equal(seg.flags, TCP_SYN);
        assert_true(addr_equal(&seg.src.addr, &theirs.addr));
        do { /* the client repeats its SYN; the kernel's new address may need a moment */
            send_syn(d, &ours, &theirs, 77);
            expect_segment(d, 8000, &seg);
        } while (seg.flags == TCP_SYN);
        assert_int_equal(seg.flags, TCP_SYN | TCP_ACK);
        assert_int_equal(seg.ack, 78);
        close(client);
        close(server);
    }
    d->ops->close(d);
    run("! ip link show tiotun >/dev/null 2>&1"); /* nothing stays behind */
    c.addrs[0].prefix_len = 31;
    assert_int_equal(io_tun_open(&c, &d), -EINVAL);
}

static bool make_namespaces(void)
{
    int user = geteuid() == 0 ? 0 : CLONE_NEWUSER;

    if (unshare(CLONE_NEWNET | user) < 0 ||
        (there = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) < 0)
        return false;
    if (unshare(CLONE_NEWNET) < 0 ||
        (here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) < 0)
        return false;
    run("ip link set lo up");
    run("ip link add tiohere type veth peer name tiothere");
    run("ip link set tiothere netns /proc/%d/fd/%d", getpid(), there);
    run("ip addr add 10.77.0.1/24 dev tiohere && ip addr add fd77::1/64 dev tiohere nodad");
    run("ip link set tiohere up");
    enter(there);
    run("ip link set lo up");
    run("ip addr add 10.77.0.2/24 dev tiothere && ip addr add fd77::2/64 dev tiothere nodad");
    run("ip link set tiothere up");
    return true;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernel_is_silent_on_a_held_port),
        cmocka_unit_test(kernel_is_silent_for_the_unprivileged_too),
        cmocka_unit_test(a_port_in_use_cannot_be_held),
        cmocka_unit_test(ports_are_held_together_or_not_at_all),
        cmocka_unit_test(packet_driver_receives_ip4),
        cmocka_unit_test(packet_driver_receives_ip6),
        cmocka_unit_test(packet_driver_sends_ip4),
        cmocka_unit_test(packet_driver_sends_ip6),
        cmocka_unit_test(packet_driver_reaches_its_own_host),
        cmocka_unit_test(routes_follow_the_source_address),
        cmocka_unit_test(addresses_are_watched),
        cmocka_unit_test(tun_brings_its_own_addresses),
    };
    if (!make_namespaces()) {
        fprintf(stderr, "skipped: no network namespaces here\n");
        return SKIP;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
