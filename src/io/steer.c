/* SPDX-License-Identifier: MIT
 *
 * The fanout runs the program before the link header is put back: a packet
 * begins with its IP header here. Whatever the program cannot read is not TCP to
 * one of our ports, and anybody may drop it.
 *
 * A 4-tuple is noted by the program and not by the thread that takes the join,
 * for the join's next packet may be there before that thread has run.
 */
#include "io/steer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

#include "base/farm.h"
#include "io/ebpf.h"

enum {
    CTX = 6,    /* register: the packet */
    OFFSET = 7, /* of what is looked at next */
    END = 8,    /* of the TCP header */
    FLAGS = 9,  /* of the TCP header; 0 behind an ICMP error */
    STACK = 10
};

/* The program's stack: the flow, nine words; then what was read of the packet. */
enum {
    KEY = -40,
    REMOTE_ADDR = KEY,
    LOCAL_ADDR = KEY + 16,
    REMOTE_PORT = KEY + 32,
    LOCAL_PORT = KEY + 34,
    KEY_BYTES = 36,
    IP = -80, /* 40 bytes */
    TCP = -96,
    OPTION = -104,
    INDEX = -108,
    VALUE = -112
};

enum {
    IP4_BYTES = 20,
    IP4_PROTOCOL = 9,
    IP4_SOURCE = 12,
    IP4_DEST = 16,
    IP6_BYTES = 40,
    IP6_NEXT_HEADER = 6,
    IP6_SOURCE = 8,
    IP6_DEST = 24,
    ICMP_BYTES = 8,
    TCP_BYTES = 20,
    TCP_DATA_OFFSET = 12,
    TCP_FLAGS = 13,
    SYN = 0x02,
    ACK = 0x10,
    OPTIONS_MAX = 40,
    OPTION_READ = 8,
    KIND_NOP = 1,
    KIND_MPTCP = 30,
    SUBTYPE_JOIN = 1,
    JOIN_SYN_BYTES = 12,
    JOIN_TOKEN = 4,
    HASH_MULTIPLIER = 0x9e3779b1 - INT64_C(0x100000000)
};

static void answer(struct ebpf *p)
{
    ebpf_exit(p);
}

static void answer_anybody(struct ebpf *p)
{
    ebpf_alu(p, BPF_MOV, 0, 0);
    ebpf_exit(p);
}

/* Read `len` bytes at OFFSET; the jump is taken when they are not there. */
static unsigned read_packet(struct ebpf *p, int to, int len)
{
    ebpf_alu_reg(p, BPF_MOV, 1, CTX);
    ebpf_alu_reg(p, BPF_MOV, 2, OFFSET);
    ebpf_alu_reg(p, BPF_MOV, 3, STACK);
    ebpf_alu(p, BPF_ADD, 3, to);
    ebpf_alu(p, BPF_MOV, 4, len);
    ebpf_call(p, BPF_FUNC_skb_load_bytes);
    return ebpf_jump_if(p, BPF_JNE, 0, 0);
}

static void must_read(struct ebpf *p, int to, int len)
{
    unsigned missing = read_packet(p, to, len), there = ebpf_jump(p);

    ebpf_land(p, missing);
    answer_anybody(p);
    ebpf_land(p, there);
}

static void copy(struct ebpf *p, int to, int from, unsigned words)
{
    for (unsigned i = 0; i < words; i++) {
        ebpf_load(p, BPF_W, 1, STACK, from + 4 * (int)i);
        ebpf_store(p, BPF_W, STACK, to + 4 * (int)i, 1);
    }
}

static void copy_port(struct ebpf *p, int to, int from)
{
    ebpf_load(p, BPF_H, 1, STACK, from);
    ebpf_store(p, BPF_H, STACK, to, 1);
}

/* Addresses of the IP header at IP. In a packet the remote one is the source, in
 * a quoted packet of ours the destination. */
static void take_addrs4(struct ebpf *p, bool quoted)
{
    copy(p, REMOTE_ADDR, IP + (quoted ? IP4_DEST : IP4_SOURCE), 1);
    copy(p, LOCAL_ADDR, IP + (quoted ? IP4_SOURCE : IP4_DEST), 1);
}

static void take_addrs6(struct ebpf *p, bool quoted)
{
    copy(p, REMOTE_ADDR, IP + (quoted ? IP6_DEST : IP6_SOURCE), 4);
    copy(p, LOCAL_ADDR, IP + (quoted ? IP6_SOURCE : IP6_DEST), 4);
}

/* Behind either IP header: jumps for TCP and, with OFFSET at the quoted TCP
 * header, for an ICMP error. Quoted IPv4 options are not expected, as in
 * io/filter.c. */
static void ip4(struct ebpf *p, unsigned *to_tcp, unsigned *to_quoted)
{
    for (int at = 4; at < 16; at += 4) {
        ebpf_store_k(p, BPF_W, STACK, REMOTE_ADDR + at, 0);
        ebpf_store_k(p, BPF_W, STACK, LOCAL_ADDR + at, 0);
    }
    take_addrs4(p, false);
    ebpf_load(p, BPF_B, OFFSET, STACK, IP);
    ebpf_alu(p, BPF_AND, OFFSET, 15);
    ebpf_alu(p, BPF_LSH, OFFSET, 2);
    ebpf_load(p, BPF_B, 1, STACK, IP + IP4_PROTOCOL);
    *to_tcp = ebpf_jump_if(p, BPF_JEQ, 1, IPPROTO_TCP);
    unsigned icmp = ebpf_jump_if(p, BPF_JEQ, 1, IPPROTO_ICMP);
    answer_anybody(p);
    ebpf_land(p, icmp);
    ebpf_alu(p, BPF_ADD, OFFSET, ICMP_BYTES);
    must_read(p, IP, IP4_BYTES);
    take_addrs4(p, true);
    ebpf_alu(p, BPF_ADD, OFFSET, IP4_BYTES);
    *to_quoted = ebpf_jump(p);
}

static void ip6(struct ebpf *p, unsigned *to_tcp, unsigned *to_quoted)
{
    take_addrs6(p, false);
    ebpf_alu(p, BPF_MOV, OFFSET, IP6_BYTES);
    ebpf_load(p, BPF_B, 1, STACK, IP + IP6_NEXT_HEADER);
    *to_tcp = ebpf_jump_if(p, BPF_JEQ, 1, IPPROTO_TCP);
    unsigned icmp = ebpf_jump_if(p, BPF_JEQ, 1, IPPROTO_ICMPV6);
    answer_anybody(p);
    ebpf_land(p, icmp);
    ebpf_alu(p, BPF_ADD, OFFSET, ICMP_BYTES);
    must_read(p, IP, IP6_BYTES);
    take_addrs6(p, true);
    ebpf_alu(p, BPF_ADD, OFFSET, IP6_BYTES);
    *to_quoted = ebpf_jump(p);
}

/* Fill the flow, FLAGS, OFFSET and END. */
static void take_flow(struct ebpf *p)
{
    unsigned to_tcp[2], to_quoted[2];

    ebpf_alu_reg(p, BPF_MOV, CTX, 1);
    ebpf_alu(p, BPF_MOV, OFFSET, 0);
    must_read(p, IP, IP6_BYTES); /* with IPv4: its header and a TCP header's */
    ebpf_load(p, BPF_B, 1, STACK, IP);
    ebpf_alu(p, BPF_RSH, 1, 4);
    unsigned is_ip6 = ebpf_jump_if(p, BPF_JEQ, 1, 6);
    ip4(p, &to_tcp[0], &to_quoted[0]);
    ebpf_land(p, is_ip6);
    ip6(p, &to_tcp[1], &to_quoted[1]);

    ebpf_land(p, to_quoted[0]);
    ebpf_land(p, to_quoted[1]);
    must_read(p, TCP, 4);
    copy_port(p, LOCAL_PORT, TCP);
    copy_port(p, REMOTE_PORT, TCP + 2);
    ebpf_alu(p, BPF_MOV, FLAGS, 0);
    ebpf_alu(p, BPF_MOV, END, 0);
    unsigned done = ebpf_jump(p);

    ebpf_land(p, to_tcp[0]);
    ebpf_land(p, to_tcp[1]);
    must_read(p, TCP, TCP_FLAGS + 1);
    copy_port(p, REMOTE_PORT, TCP);
    copy_port(p, LOCAL_PORT, TCP + 2);
    ebpf_load(p, BPF_B, FLAGS, STACK, TCP + TCP_FLAGS);
    ebpf_load(p, BPF_B, END, STACK, TCP + TCP_DATA_OFFSET);
    ebpf_alu(p, BPF_RSH, END, 4);
    ebpf_alu(p, BPF_LSH, END, 2);
    ebpf_alu_reg(p, BPF_ADD, END, OFFSET);
    ebpf_land(p, done);
}

/* The first two arguments of a call about a map. */
static void map_and_key(struct ebpf *p, int map_fd, int key)
{
    ebpf_load_map(p, 1, map_fd);
    ebpf_alu_reg(p, BPF_MOV, 2, STACK);
    ebpf_alu(p, BPF_ADD, 2, key);
}

/* Answers unless the port is shared. */
static void by_port(struct ebpf *p, const struct steer *s)
{
    ebpf_load(p, BPF_H, 1, STACK, LOCAL_PORT);
    ebpf_store(p, BPF_W, STACK, INDEX, 1);
    map_and_key(p, s->ports_fd, INDEX);
    ebpf_call(p, BPF_FUNC_map_lookup_elem);
    unsigned found = ebpf_jump_if(p, BPF_JNE, 0, 0);
    answer_anybody(p);
    ebpf_land(p, found);
    ebpf_load(p, BPF_W, 0, 0, 0);
    unsigned shared = ebpf_jump_if(p, BPF_JEQ, 0, STEER_SHARED);
    unsigned owned = ebpf_jump_if(p, BPF_JNE, 0, STEER_NOBODY);
    answer_anybody(p);
    ebpf_land(p, owned);
    ebpf_alu(p, BPF_SUB, 0, 1);
    answer(p);
    ebpf_land(p, shared);
}

/* Answers when the flow was noted. */
static void by_note(struct ebpf *p, const struct steer *s)
{
    map_and_key(p, s->flows_fd, KEY);
    ebpf_call(p, BPF_FUNC_map_lookup_elem);
    unsigned unknown = ebpf_jump_if(p, BPF_JEQ, 0, 0);
    ebpf_load(p, BPF_W, 0, 0, 0);
    answer(p);
    ebpf_land(p, unknown);
}

/* An MP_JOIN at OPTION: note the flow, answer whom the token names. */
static void note_join(struct ebpf *p, const struct steer *s, unsigned threads)
{
    ebpf_load(p, BPF_B, 1, STACK, OPTION + JOIN_TOKEN + FARM_THREAD_BYTE);
    ebpf_alu(p, BPF_MUL, 1, (int32_t)threads); /* as farm_server does, from 0 */
    ebpf_alu(p, BPF_RSH, 1, 8);
    ebpf_store(p, BPF_W, STACK, VALUE, 1);
    map_and_key(p, s->flows_fd, KEY);
    ebpf_alu_reg(p, BPF_MOV, 3, STACK);
    ebpf_alu(p, BPF_ADD, 3, VALUE);
    ebpf_alu(p, BPF_MOV, 4, BPF_ANY);
    ebpf_call(p, BPF_FUNC_map_update_elem);
    ebpf_load(p, BPF_W, 0, STACK, VALUE);
    answer(p);
}

/* A SYN: walk its options, and answer when MP_JOIN is among them. */
static void by_token(struct ebpf *p, const struct steer *s, unsigned threads)
{
    unsigned leave[4];

    ebpf_alu(p, BPF_ADD, OFFSET, TCP_BYTES);
    ebpf_forget(p, END);
    ebpf_alu(p, BPF_MOV, FLAGS, OPTIONS_MAX); /* rounds left: it was a SYN, we know */
    unsigned round = p->len;
    ebpf_forget(p, OFFSET);
    leave[0] = ebpf_jump_if_reg(p, BPF_JGE, OFFSET, END);
    leave[1] = read_packet(p, OPTION, OPTION_READ); /* MP_JOIN is longer, nothing else matters */
    ebpf_load(p, BPF_B, 1, STACK, OPTION);
    ebpf_alu(p, BPF_MOV, 2, 1);
    unsigned one_byte = ebpf_jump_if(p, BPF_JEQ, 1, KIND_NOP);
    ebpf_load(p, BPF_B, 2, STACK, OPTION + 1);
    leave[2] = ebpf_jump_if(p, BPF_JLT, 2, 2); /* a length that cannot be, or the list's end */
    unsigned other = ebpf_jump_if(p, BPF_JNE, 1, KIND_MPTCP);
    unsigned longer = ebpf_jump_if(p, BPF_JNE, 2, JOIN_SYN_BYTES);
    ebpf_load(p, BPF_B, 3, STACK, OPTION + 2);
    ebpf_alu(p, BPF_RSH, 3, 4);
    unsigned no_join = ebpf_jump_if(p, BPF_JNE, 3, SUBTYPE_JOIN);
    note_join(p, s, threads);
    ebpf_land(p, one_byte);
    ebpf_land(p, other);
    ebpf_land(p, longer);
    ebpf_land(p, no_join);
    ebpf_alu_reg(p, BPF_ADD, OFFSET, 2);
    ebpf_alu(p, BPF_SUB, FLAGS, 1);
    ebpf_back(p, ebpf_jump_if(p, BPF_JNE, FLAGS, 0), round);
    for (unsigned i = 0; i < 3; i++)
        ebpf_land(p, leave[i]);
}

/* Multiply, fold, once a word. Keyed, so that nobody aims at one thread. */
static void by_hash(struct ebpf *p, unsigned threads, uint32_t seed)
{
    ebpf_alu32(p, BPF_MOV, 0, (int32_t)seed);
    for (int at = 0; at < KEY_BYTES; at += 4) {
        ebpf_load(p, BPF_W, 1, STACK, KEY + at);
        ebpf_alu32_reg(p, BPF_XOR, 0, 1);
        ebpf_alu32(p, BPF_MUL, 0, (int32_t)HASH_MULTIPLIER);
        ebpf_alu32_reg(p, BPF_MOV, 1, 0);
        ebpf_alu32(p, BPF_RSH, 1, 15);
        ebpf_alu32_reg(p, BPF_XOR, 0, 1);
    }
    ebpf_alu32(p, BPF_MUL, 0, (int32_t)HASH_MULTIPLIER);
    ebpf_alu(p, BPF_MUL, 0, (int32_t)threads);
    ebpf_alu(p, BPF_RSH, 0, 32);
    answer(p);
}

static void build(struct ebpf *p, const struct steer *s, unsigned threads, uint32_t seed)
{
    take_flow(p);
    by_port(p, s);
    ebpf_alu_reg(p, BPF_MOV, 1, FLAGS);
    ebpf_alu(p, BPF_AND, 1, SYN | ACK);
    unsigned is_syn = ebpf_jump_if(p, BPF_JEQ, 1, SYN);
    by_note(p, s);
    unsigned unknown = ebpf_jump(p);
    ebpf_land(p, is_syn);
    by_token(p, s, threads);
    map_and_key(p, s->flows_fd, KEY); /* the 4-tuple is another connection's now */
    ebpf_call(p, BPF_FUNC_map_delete_elem);
    ebpf_land(p, unknown);
    by_hash(p, threads, seed);
}

int steer_open(struct steer *s, unsigned threads, uint32_t seed)
{
    struct ebpf program = {.len = 0};
    int err;

    *s = (struct steer){-1, -1, -1};
    err = s->ports_fd = ebpf_map(BPF_MAP_TYPE_ARRAY, sizeof(uint32_t), sizeof(uint32_t), 65536);
    if (err >= 0)
        err = s->flows_fd =
            ebpf_map(BPF_MAP_TYPE_LRU_HASH, KEY_BYTES, sizeof(uint32_t), STEER_FLOWS_MAX);
    if (err >= 0) {
        build(&program, s, threads, seed);
        err = s->program_fd = ebpf_load_program(&program, BPF_PROG_TYPE_SOCKET_FILTER);
    }
    if (err < 0)
        steer_close(s);
    return err < 0 ? err : 0;
}

int steer_port(const struct steer *s, uint16_t port, unsigned whose)
{
    uint32_t index = htons(port), value = whose;

    return ebpf_map_set(s->ports_fd, &index, &value);
}

void steer_close(struct steer *s)
{
    const int fds[] = {s->ports_fd, s->flows_fd, s->program_fd};

    for (unsigned i = 0; i < sizeof fds / sizeof *fds; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    *s = (struct steer){-1, -1, -1};
}
