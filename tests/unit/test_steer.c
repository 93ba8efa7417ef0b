/* SPDX-License-Identifier: MIT
 *
 * Which of three stacks gets a packet: the program of io/steer.h as the kernel
 * runs it, one packet at a time (BPF_PROG_TEST_RUN). Skipped (77) without CAP_BPF.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/addr.h"
#include "io/steer.h"
#include "wire/segment.h"

enum { SKIP = 77, THREADS = 3, LISTEN = 443, OURS = 50001, LINK = 14, ROOM = 256 };

struct packet {
    uint8_t bytes[ROOM]; /* behind a link header */
    unsigned len;
};

static struct steer steer;

static struct plait_endpoint endpoint(const char *addr, uint16_t port)
{
    struct plait_endpoint e = {.port = port};

    assert_true(addr_parse(addr, &e.addr));
    return e;
}

/* The client's end of a flow, in the IP version of the day. */
static const char *client_addr, *server_addr;

static struct segment to_server(uint16_t from, uint16_t to, uint8_t flags)
{
    struct segment s;

    segment_clear(&s);
    s.src = endpoint(client_addr, from);
    s.dst = endpoint(server_addr, to);
    s.flags = flags;
    return s;
}

static struct packet encode(const struct segment *s)
{
    struct packet p = {.len = 0};
    struct plait_packet_tx tx;

    segment_encode(s, NULL, 0, 0, &tx);
    memcpy(p.bytes + LINK, tx.header, tx.header_len);
    p.len = LINK + tx.header_len;
    p.bytes[12] = tx.dst.family == PLAIT_IPV4 ? 0x08 : 0x86;
    p.bytes[13] = tx.dst.family == PLAIT_IPV4 ? 0x00 : 0xdd;
    return p;
}

/* The thread, counted from 0, that gets it. */
static unsigned steered(const struct packet *p)
{
    union bpf_attr attr;

    memset(&attr, 0, sizeof attr);
    attr.test.prog_fd = (uint32_t)steer.program_fd;
    attr.test.data_in = (uint64_t)(uintptr_t)p->bytes;
    attr.test.data_size_in = p->len;
    assert_int_equal(syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attr, sizeof attr), 0);
    return attr.test.retval;
}

static unsigned where(const struct segment *s)
{
    struct packet p = encode(s);

    return steered(&p);
}

static unsigned join(uint16_t from, uint32_t token)
{
    struct segment s = to_server(from, LISTEN, TCP_SYN);

    s.tcp.present = OPT_MSS | OPT_SACK_OK | OPT_TIMESTAMP | OPT_WSCALE;
    s.mptcp.present = MPO_JOIN_SYN;
    s.mptcp.join.token = token;
    return where(&s);
}

static unsigned ack(uint16_t from)
{
    struct segment s = to_server(from, LISTEN, TCP_ACK);

    return where(&s);
}

static unsigned syn(uint16_t from)
{
    struct segment s = to_server(from, LISTEN, TCP_SYN);

    s.tcp.present = OPT_MSS | OPT_SACK_OK | OPT_TIMESTAMP | OPT_WSCALE;
    s.mptcp.present = MPO_CAPABLE_SYN;
    return where(&s);
}

/* ---- what is steered where --------------------------------------------------------- */

static void a_port_of_one_thread(void **state)
{
    struct segment s = to_server(4000, OURS, TCP_ACK);

    (void)state;
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(steer_port(&steer, OURS, i + 1), 0);
        assert_int_equal(where(&s), i);
        s.src.port++;
    }
    steer_port(&steer, OURS, STEER_NOBODY);
    assert_int_equal(where(&s), 0);
}

static void a_connection_stays_where_its_syn_went(void **state)
{
    unsigned count[THREADS] = {0};

    (void)state;
    for (uint16_t port = 10000; port < 10600; port++) {
        unsigned thread = syn(port);
        assert_in_range(thread, 0, THREADS - 1);
        assert_int_equal(ack(port), thread);
        count[thread]++;
    }
    for (unsigned i = 0; i < THREADS; i++)
        assert_in_range(count[i], 140, 260);
}

static void a_join_goes_where_its_token_names(void **state)
{
    static const struct {
        uint32_t token;
        unsigned thread;
    } joins[] = {{0xff00ffff, 0}, {0xff55ffff, 0}, {0x00560000, 1},
                 {0x00aa0000, 1}, {0x00ab0000, 2}, {0x00ff0000, 2}};

    (void)state;
    for (uint16_t i = 0; i < 60; i++) {
        uint16_t port = (uint16_t)(20000 + i);
        unsigned thread = joins[i % 6].thread;
        assert_int_equal(join(port, joins[i % 6].token), thread);
        assert_int_equal(ack(port), thread);
    }
}

/* The same 4-tuple begins another connection. */
static void a_note_ends_with_the_next_syn(void **state)
{
    (void)state;
    for (uint16_t port = 30000; port < 30030; port++) {
        unsigned hashed = ack(port), other = (hashed + 1) % THREADS;
        assert_int_equal(join(port, (other * 0x5600u) << 8), other);
        assert_int_equal(ack(port), other);
        assert_int_equal(syn(port), hashed);
        assert_int_equal(ack(port), hashed);
    }
}

/* What the packet is about is in the segment that it quotes, which was ours. */
static unsigned icmp_about(uint16_t from)
{
    struct segment s;
    struct packet quoted, p = {.len = 0};
    bool ip4 = strchr(server_addr, ':') == NULL;
    unsigned ip_len = ip4 ? 20 : 40;

    segment_clear(&s);
    s.src = endpoint(server_addr, LISTEN);
    s.dst = endpoint(client_addr, from);
    s.flags = TCP_ACK;
    quoted = encode(&s);
    memcpy(p.bytes, quoted.bytes, LINK + ip_len);
    p.bytes[LINK + (ip4 ? 9 : 6)] = ip4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
    p.bytes[LINK + ip_len] = ip4 ? 3 : 1; /* unreachable */
    memcpy(p.bytes + LINK + ip_len + 8, quoted.bytes + LINK, quoted.len - LINK);
    p.len = ip_len + 8 + quoted.len;
    return steered(&p);
}

static void an_icmp_error_follows_what_it_quotes(void **state)
{
    (void)state;
    for (uint16_t port = 40000; port < 40030; port++) {
        unsigned thread = syn(port), other = (thread + 1) % THREADS;
        assert_int_equal(icmp_about(port), thread);
        join(port, (other * 0x5600u) << 8);
        assert_int_equal(icmp_about(port), other);
    }
}

/* Options that lie about their length, and packets that end early. */
static void what_cannot_be_read_is_anybody_s(void **state)
{
    struct segment s = to_server(5000, LISTEN, TCP_SYN);
    struct packet p, cut;

    (void)state;
    s.tcp.present = OPT_MSS | OPT_SACK_OK | OPT_TIMESTAMP | OPT_WSCALE;
    s.mptcp.present = MPO_JOIN_SYN;
    p = encode(&s);
    for (unsigned len = LINK + 40; len /* a test run takes no less */ <= p.len; len++) {
        cut = p;
        cut.len = len;
        assert_in_range(steered(&cut), 0, THREADS - 1);
    }
    for (unsigned at = LINK; at < p.len; at++)
        for (unsigned value = 0; value < 256; value += 5) {
            cut = p;
            cut.bytes[at] = (uint8_t)value;
            assert_in_range(steered(&cut), 0, THREADS - 1);
        }
}

static int use_ip4(void **state)
{
    (void)state;
    client_addr = "10.0.0.1";
    server_addr = "192.0.2.1";
    return steer_port(&steer, LISTEN, STEER_SHARED);
}

static int use_ip6(void **state)
{
    (void)state;
    client_addr = "2001:db8::1";
    server_addr = "2001:db8:1::1";
    return steer_port(&steer, LISTEN, STEER_SHARED);
}

#define BOTH(test) cmocka_unit_test_setup(test, use_ip4), cmocka_unit_test_setup(test, use_ip6)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(a_port_of_one_thread),
        BOTH(a_connection_stays_where_its_syn_went),
        BOTH(a_join_goes_where_its_token_names),
        BOTH(a_note_ends_with_the_next_syn),
        BOTH(an_icmp_error_follows_what_it_quotes),
        BOTH(what_cannot_be_read_is_anybody_s),
    };
    int err = steer_open(&steer, THREADS, 1), failed;

    if (err == -EPERM || err == -ENOSYS)
        return SKIP;
    if (err)
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    steer_close(&steer);
    return failed;
}
