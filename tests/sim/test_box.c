/* SPDX-License-Identifier: MIT
 *
 * Every box of the catalogue as a trace: what goes in at one end, what comes
 * out at which. Frames have an Ethernet head, as in plait wire; what a box
 * emits must always decode.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"
#include "base/bytes.h"
#include "sim/box.h"
#include "sim/stream.h"
#include "wire/offload.h"
#include "wire/segment.h"

enum { OUT_MAX = 64, HEAD = 14, STREAM = 8000, A_ISN = 0xfffffff0, B_ISN = 5000 };

static uint8_t data[STREAM];

static struct {
    struct box_chain chain;
    struct box *box[BOXES_MAX];
    unsigned boxes;
    uint64_t now_us;
    bool ipv6, bare; /* bare: without mapping and timestamps */
    uint16_t port;
    /* What came out since the last input, taken apart. */
    unsigned count;
    struct {
        enum box_dir dir;
        struct segment s;
        struct sim_packet *p;
    } out[OUT_MAX];
} w;

/* ---- the harness ------------------------------------------------------------------------ */

static void take(struct box_chain *chain, enum box_dir dir, struct sim_packet *p)
{
    (void)chain;
    assert_true(w.count < OUT_MAX);
    const struct plait_packet_rx rx = {.data = p->bytes + HEAD, .len = p->len - HEAD};
    assert_int_equal(p->head_len, HEAD);
    assert_int_equal(p->bytes[0], dir == BOX_THERE ? 0xbb : 0xaa); /* to whom it goes */
    enum segment_error error = segment_decode(&rx, &w.out[w.count].s);
    assert_true(error == SEGMENT_OK || error == SEGMENT_ICMP || error == SEGMENT_NOT_TCP);
    w.out[w.count].dir = dir;
    w.out[w.count++].p = p;
}

static void forget(void)
{
    for (unsigned i = 0; i < w.count; i++)
        sim_packet_free(w.out[i].p);
    w.count = 0;
}

static void end(void)
{
    forget();
    box_chain_free(&w.chain);
}

static struct box *add(const char *text)
{
    struct box_spec spec;
    char error[BOX_ERROR_MAX] = "";
    if (!box_spec_parse(text, &spec, error))
        fail_msg("%s: %s", text, error);
    struct box *b = box_add(&w.chain, &spec, w.now_us);
    assert_non_null(b);
    w.box[w.boxes++] = b;
    return b;
}

static void begin(const char *text)
{
    memset(&w, 0, sizeof w);
    w.now_us = 1000000;
    w.port = 80;
    pattern_fill(7, 0, data, sizeof data);
    box_chain_init(&w.chain, 1, take, NULL);
    if (text)
        add(text);
}

static struct segment segment(enum box_dir dir)
{
    struct segment s;
    struct plait_endpoint a = {.port = 1000}, b = {.port = w.port};
    segment_clear(&s);
    assert_true(addr_parse(w.ipv6 ? "fd00::1" : "10.0.0.1", &a.addr));
    assert_true(addr_parse(w.ipv6 ? "fd00::2" : "10.0.0.2", &b.addr));
    s.src = dir == BOX_THERE ? a : b;
    s.dst = dir == BOX_THERE ? b : a;
    s.seq = dir == BOX_THERE ? A_ISN + 1 : B_ISN + 1;
    s.ack = dir == BOX_THERE ? B_ISN + 1 : A_ISN + 1;
    s.flags = TCP_ACK;
    s.window = 500;
    if (!w.bare) {
        s.tcp.present = OPT_TIMESTAMP;
        s.tcp.tsval = dir + 1;
        s.tcp.tsecr = 2 - dir;
    }
    return s;
}

static struct sim_packet *frame(const struct segment *s, const uint8_t *payload, uint32_t len)
{
    struct plait_packet_tx tx;
    const struct plait_iov iov = {payload, len};
    segment_encode(s, &iov, len != 0, 0, &tx);
    struct sim_packet *p = sim_packet_new(HEAD + PLAIT_HEADER_MAX + len);
    bool a = s->src.port == 1000 || s->dst.port == w.port;
    memset(p->bytes, a ? 0xbb : 0xaa, 6);
    memset(p->bytes + 6, a ? 0xaa : 0xbb, 6);
    put_be16(p->bytes + 12, s->src.addr.family == PLAIT_IPV4 ? 0x0800 : 0x86dd);
    p->head_len = HEAD;
    p->len = HEAD + (uint32_t)offload_write(&tx, 0, p->bytes + HEAD, PLAIT_HEADER_MAX + len);
    return p;
}

/* One packet in; w.out is what came of it. */
static void push(enum box_dir dir, const struct segment *s, const uint8_t *payload, uint32_t len)
{
    forget();
    box_chain_input(&w.chain, dir, w.now_us, frame(s, payload, len));
}

static void tick(uint64_t later_us)
{
    forget();
    w.now_us += later_us;
    box_chain_tick(&w.chain, w.now_us);
}

static void handshake(void)
{
    struct segment s = segment(BOX_THERE);
    s.flags = TCP_SYN;
    s.seq = A_ISN;
    s.ack = 0;
    s.tcp.present |= OPT_MSS | OPT_WSCALE;
    s.tcp.mss = 1460;
    s.tcp.wscale = 2;
    push(BOX_THERE, &s, NULL, 0);
    s = segment(BOX_BACK);
    s.flags = TCP_SYN | TCP_ACK;
    s.seq = B_ISN;
    s.tcp.present |= OPT_MSS | OPT_WSCALE;
    s.tcp.mss = 1460;
    s.tcp.wscale = 3;
    push(BOX_BACK, &s, NULL, 0);
    s = segment(BOX_THERE);
    push(BOX_THERE, &s, NULL, 0);
}

/* Bytes [at, at + len) of A's stream, with a mapping that says so. */
static void send(uint32_t at, uint32_t len)
{
    struct segment s = segment(BOX_THERE);
    s.seq += at;
    if (!w.bare) {
        s.mptcp.present = MPO_DSS;
        s.mptcp.dss = (struct mptcp_dss){.has_map = true,
                                         .dsn = at,
                                         .ssn = at + 1,
                                         .data_len = (uint16_t)len};
    }
    push(BOX_THERE, &s, data + at, len);
}

/* B acknowledges everything before this place of A's stream. */
static void acknowledge(uint32_t at)
{
    struct segment s = segment(BOX_BACK);
    s.ack += at;
    push(BOX_BACK, &s, NULL, 0);
}

static bool has_mapping(unsigned i)
{
    return w.out[i].s.mptcp.present & MPO_DSS;
}

/* What came out for B at A's relative place, with these bytes. */
static void expect_bytes(unsigned i, uint32_t at, const uint8_t *bytes, uint32_t len)
{
    assert_true(i < w.count);
    assert_int_equal(w.out[i].dir, BOX_THERE);
    assert_int_equal((uint32_t)(w.out[i].s.seq - (A_ISN + 1)), at);
    assert_int_equal(w.out[i].s.payload_len, len);
    if (len)
        assert_memory_equal(w.out[i].s.payload, bytes, len);
}

/* ---- texts ------------------------------------------------------------------------------ */

static void texts(void **state)
{
    static const char *const rows[][2] = {
        {"strip", "strip"},
        {"strip:dir=both", "strip:dir=both"},
        {"drop:count=2,on=syn,option=join", "drop:on=syn,option=join,count=2"},
        {"strip:option=mptcp+timestamp,how=remove", "strip:option=mptcp+timestamp,how=remove"},
        {"strip:dir=back,on=third+synack", "strip:dir=back,on=synack+third"},
        {"blackhole:bytes=0.1MB,from=2s,until=2500ms",
         "blackhole:from=2000ms,until=2500ms,bytes=100kB"},
        {"forge:flags=syn+ack,shift=-5", "forge:flags=syn+ack,shift=-5"},
        {"nat:addr=fd00::9,idle=30s,how=reset", "nat:how=reset,addr=fd00::9,idle=30000ms"},
        {"alg:grow=-3,offset=0", "alg:offset=0,grow=-3"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct box_spec spec;
        char error[BOX_ERROR_MAX] = "", text[BOX_TEXT_MAX];
        if (!box_spec_parse(rows[i][0], &spec, error))
            fail_msg("%s: %s", rows[i][0], error);
        assert_string_equal(box_spec_format(&spec, text), rows[i][1]);
    }
}

static void wrong_texts_say_what_is_allowed(void **state)
{
    static const char *const rows[][2] = {
        {"", "there is no box \"\": there are strip, "},
        {"strap", "there is no box \"strap\": there are strip, "},
        {"strip:how=gone", "how=gone in a box: wanted nop or eol or remove"},
        {"strip:size=3", "the box strip has no \"size\": there are dir, on, "},
        {"strip:on", "\"on\" in a box has no value: write key=value"},
        {"strip:on=syn+", "on=syn+ in a box: wanted syn, synack, "},
        {"drop:after=0", "after=0 in a box: wanted how many packets pass first"},
        {"drop:port=65536", "port=65536 in a box: wanted a number from 1 to 65535"},
        {"drop:from=5s,until=4s", "until= in a box must be later than from="},
        {"mss", "the box mss needs size"},
        {"alg:grow=0", "grow=0 in a box: wanted bytes, from -64 to 64, not 0"},
        {"nat:addr=here", "addr=here in a box: wanted an IPv4 or IPv6 address"},
        {"isn:near=4294967296", "near=4294967296 in a box: wanted a sequence number"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct box_spec spec;
        char error[BOX_ERROR_MAX] = "";
        assert_false(box_spec_parse(rows[i][0], &spec, error));
        if (strncmp(error, rows[i][1], strlen(rows[i][1])) != 0)
            fail_msg("%s: \"%s\"", rows[i][0], error);
    }
}

static void every_box_has_a_name_and_a_summary(void **state)
{
    struct box_entry e;
    unsigned i = 0;
    (void)state;
    for (; box_catalogue(i, &e); i++)
        assert_true(e.name[0] && e.summary[0]);
    assert_true(i >= 20);
}

/* ---- filters and options ---------------------------------------------------------------- */

static void nothing_in_the_way(void **state)
{
    (void)state;
    begin(NULL);
    send(0, 100);
    assert_int_equal(w.count, 1);
    expect_bytes(0, 0, data, 100);
    end();
}

static void strip_leaves_a_good_packet(void **state)
{
    static const char *const texts[] = {"strip", "strip:how=remove", "strip:how=eol"};
    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        begin(texts[i / 2]);
        w.ipv6 = i % 2;
        send(10, 333);
        expect_bytes(0, 10, data + 10, 333);
        assert_false(has_mapping(0));
        assert_int_equal(w.out[0].s.tcp.present, OPT_TIMESTAMP);
        assert_int_equal(w.out[0].p->len < HEAD + (w.ipv6 ? 40 : 20) + 20 + 28 + 333, i / 2 == 1);
        assert_int_equal(box_stats(w.box[0])->acted, 1);
        end();
    }
}

static void phases_directions_ports_and_turns(void **state)
{
    (void)state;
    begin("drop:on=data,after=1,count=2");
    for (unsigned i = 0; i < 4; i++) {
        acknowledge(0); /* none of its business, and no turn */
        assert_int_equal(w.count, 1);
        send(0, 10);
        assert_int_equal(w.count, i == 0 || i == 3);
    }
    end();
    begin("drop:on=syn");
    handshake();
    assert_int_equal(box_stats(w.box[0])->dropped, 1);
    end();
    begin("drop:dir=back");
    handshake();
    assert_int_equal(box_stats(w.box[0])->dropped, 1);
    end();
    begin("drop:port=81");
    send(0, 10);
    assert_int_equal(w.count, 1);
    end();
    begin("drop:option=join+capable");
    send(0, 10);
    assert_int_equal(w.count, 1);
    end();
    begin("drop:option=dss");
    send(0, 10);
    assert_int_equal(w.count, 0);
    end();
}

static void a_box_comes_and_goes(void **state)
{
    static const bool passes[] = {true, true, false, false, true};
    (void)state;
    begin("drop:from=2s,until=4s");
    for (unsigned i = 0; i < 5; i++) {
        send(0, 10);
        assert_int_equal(w.count, passes[i]);
        w.now_us += 1000000;
    }
    end();
}

static void rules_count(void **state)
{
    struct rule_box rule = {.action = RULE_DROP, .payload = PAYLOAD_SOME, .skip = 1, .count = 2};
    (void)state;
    begin(NULL);
    assert_non_null(box_add_rule(&w.chain, BOX_THERE, &rule, w.now_us));
    for (unsigned i = 0; i < 4; i++) {
        acknowledge(0);
        send(0, 10);
        assert_int_equal(w.count, i == 0 || i == 3);
    }
    assert_int_equal(rule.seen, 4);
    assert_int_equal(rule.hits, 2);
    end();
}

static void a_reset_is_believed(void **state)
{
    (void)state;
    begin("reset:on=data,how=both");
    handshake();
    send(0, 100);
    assert_int_equal(w.count, 2);
    assert_int_equal(w.out[0].dir, BOX_BACK);
    assert_int_equal(w.out[0].s.flags, TCP_RST);
    assert_int_equal(w.out[0].s.seq, B_ISN + 1);
    assert_int_equal(w.out[1].dir, BOX_THERE);
    assert_int_equal(w.out[1].s.seq, (uint32_t)A_ISN + 1);
    end();
    begin("reset:on=syn"); /* as RFC 9293 3.5.2 answers a SYN to a closed port */
    struct segment s = segment(BOX_THERE);
    s.flags = TCP_SYN;
    push(BOX_THERE, &s, NULL, 0);
    assert_int_equal(w.count, 1);
    assert_int_equal(w.out[0].s.flags, TCP_RST | TCP_ACK);
    assert_int_equal(w.out[0].s.ack, s.seq + 1);
    end();
}

static void a_black_hole_is_for_ever(void **state)
{
    (void)state;
    begin("blackhole:bytes=150B,dir=there");
    for (unsigned i = 0; i < 3; i++) {
        send(i * 100, 100);
        assert_int_equal(w.count, i < 2);
    }
    acknowledge(200);
    assert_int_equal(w.count, 0);
    end();
}

static void too_big_is_said(void **state)
{
    (void)state;
    for (unsigned ipv6 = 0; ipv6 < 2; ipv6++) {
        struct icmp_error e;
        begin("mtu:size=1000");
        w.ipv6 = ipv6;
        send(0, 800);
        assert_int_equal(w.out[0].dir, BOX_THERE);
        send(800, 1200);
        assert_int_equal(w.count, 1);
        assert_int_equal(w.out[0].dir, BOX_BACK);
        const struct plait_packet_rx rx = {.data = w.out[0].p->bytes + HEAD,
                                           .len = w.out[0].p->len - HEAD};
        assert_true(icmp_decode(&rx, &e));
        assert_int_equal(e.kind, ICMP_TOO_BIG);
        assert_int_equal(e.mtu, 1000);
        assert_int_equal(e.seq, (uint32_t)(A_ISN + 1 + 800));
        end();
    }
}

static void nothing_behind_a_hole(void **state)
{
    (void)state;
    begin("nohole:dir=there");
    handshake();
    send(0, 100);
    assert_int_equal(w.count, 1);
    send(200, 100);
    assert_int_equal(w.count, 0);
    send(100, 100);
    assert_int_equal(w.count, 1);
    send(200, 100);
    assert_int_equal(w.count, 1);
    end();
}

static void acknowledgements_of_what_was_not_seen(void **state)
{
    (void)state;
    begin("unseen");
    handshake();
    send(0, 100);
    acknowledge(100);
    assert_int_equal(w.count, 1);
    acknowledge(101);
    assert_int_equal(w.count, 0);
    end();
    begin("unseen:how=correct");
    handshake();
    send(0, 100);
    acknowledge(300);
    assert_int_equal(w.count, 1);
    assert_int_equal(w.out[0].s.ack, (uint32_t)(A_ISN + 1 + 100));
    end();
}

static void one_packet_more_is_forged(void **state)
{
    (void)state;
    begin("forge:on=data,flags=rst,shift=-20");
    send(50, 100);
    assert_int_equal(w.count, 2);
    expect_bytes(0, 50, data + 50, 100);
    assert_int_equal(w.out[1].s.flags, TCP_RST);
    assert_int_equal(w.out[1].s.seq, (uint32_t)(A_ISN + 1 + 30));
    assert_int_equal(w.out[1].s.tcp.tsval, 1); /* or it would be dropped unseen */
    end();
}

static void windows_and_sizes_shrink(void **state)
{
    (void)state;
    begin("window:bytes=1kB");
    handshake(); /* B's scale is 3 */
    acknowledge(0);
    assert_int_equal(w.out[0].s.window, 1000 >> 3);
    end();
    begin("mss:size=500");
    struct segment s = segment(BOX_THERE);
    s.flags = TCP_SYN;
    s.tcp.present |= OPT_MSS;
    s.tcp.mss = 1460;
    push(BOX_THERE, &s, NULL, 0);
    assert_int_equal(w.out[0].s.tcp.mss, 500);
    end();
}

static void an_option_is_written_twice(void **state)
{
    (void)state;
    begin("repeat:option=dss");
    w.bare = true; /* room for two */
    struct segment s = segment(BOX_THERE);
    s.mptcp.present = MPO_DSS;
    s.mptcp.dss = (struct mptcp_dss){.has_map = true, .dsn = 1, .ssn = 1, .data_len = 10};
    push(BOX_THERE, &s, data, 10);
    assert_int_equal(w.count, 1);
    assert_int_equal(w.out[0].s.mptcp.present, MPO_DSS);
    assert_int_equal(w.out[0].s.mptcp.malformed_count, 1); /* the codec counts the second form */
    expect_bytes(0, 0, data, 10);
    end();
}

/* ---- numbers ---------------------------------------------------------------------------- */

static void sequence_numbers_shift_and_come_back(void **state)
{
    (void)state;
    begin("isn:near=1000");
    struct segment s = segment(BOX_THERE);
    s.flags = TCP_SYN;
    s.seq = A_ISN;
    push(BOX_THERE, &s, NULL, 0);
    assert_int_equal(w.out[0].s.seq, 1000);
    s = segment(BOX_BACK);
    s.flags = TCP_SYN | TCP_ACK;
    s.seq = B_ISN;
    s.ack = 1001;
    push(BOX_BACK, &s, NULL, 0);
    assert_int_equal(w.out[0].s.seq, 21000);
    assert_int_equal(w.out[0].s.ack, (uint32_t)(A_ISN + 1));
    s = segment(BOX_THERE); /* SACK blocks are the other side's numbers */
    s.ack = 21001;
    s.tcp.present |= OPT_SACK;
    s.tcp.sack_count = 1;
    s.tcp.sack[0] = (struct sack_block){21010, 21020};
    push(BOX_THERE, &s, NULL, 0);
    assert_int_equal(w.out[0].s.seq, 1001);
    assert_int_equal(w.out[0].s.ack, B_ISN + 1);
    assert_int_equal(w.out[0].s.tcp.sack[0].left, B_ISN + 10);
    assert_int_equal(w.out[0].s.tcp.sack[0].right, B_ISN + 20);
    end();
}

/* B answers what it saw last. */
static void answer_last(void)
{
    struct segment s = segment(BOX_BACK);
    s.dst = w.out[0].s.src;
    push(BOX_BACK, &s, NULL, 0);
}

static void addresses_are_translated(void **state)
{
    char text[ADDR_TEXT_MAX];
    (void)state;
    begin("nat:addr=192.0.2.7,idle=30s,flush=60s,how=reset");
    handshake();
    send(0, 10);
    assert_string_equal(addr_format(&w.out[0].s.src.addr, text), "192.0.2.7");
    assert_int_equal(w.out[0].s.src.port, 20000);
    answer_last();
    assert_int_equal(w.count, 1);
    assert_int_equal(w.out[0].dir, BOX_BACK);
    assert_string_equal(addr_format(&w.out[0].s.dst.addr, text), "10.0.0.1");
    assert_int_equal(w.out[0].s.dst.port, 1000);

    w.now_us += 31000000; /* idle for too long: another port */
    send(10, 10);
    assert_int_equal(w.out[0].s.src.port, 20001);
    w.now_us += 29500000; /* the table is lost: what B sends meets nobody */
    answer_last();
    assert_int_equal(w.count, 1);
    assert_int_equal(w.out[0].dir, BOX_THERE);
    assert_true(w.out[0].s.flags & TCP_RST);
    end();
}

static void flows_are_bounded(void **state)
{
    (void)state;
    begin("isn");
    for (unsigned i = 0; i < 3000; i++) {
        struct segment s = segment(BOX_THERE);
        s.src.port = (uint16_t)(2000 + i);
        s.flags = TCP_SYN;
        push(BOX_THERE, &s, NULL, 0);
        assert_int_equal(w.count, 1);
    }
    assert_int_equal(box_stats(w.box[0])->flows, 1024);
    assert_int_equal(box_stats(w.box[0])->evicted, 3000 - 1024);
    end();
}

/* ---- segments --------------------------------------------------------------------------- */

static void segments_are_split(void **state)
{
    static const struct {
        const char *box;
        bool mapping[3];
    } rows[] = {{"split:size=400", {true, true, true}},
                {"split:size=400,how=first", {true, false, false}},
                {"split:size=400,how=last", {false, false, true}}};
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        begin(rows[i].box);
        send(100, 1000);
        assert_int_equal(w.count, 3);
        for (unsigned j = 0; j < 3; j++) {
            expect_bytes(j, 100 + 400 * j, data + 100 + 400 * j, j < 2 ? 400 : 200);
            assert_int_equal(has_mapping(j), rows[i].mapping[j]);
            assert_int_equal(w.out[j].s.tcp.present, OPT_TIMESTAMP);
        }
        end();
    }
}

static void segments_are_merged(void **state)
{
    (void)state;
    begin("coalesce:size=1000,hold=3ms,how=last");
    handshake();
    send(0, 400);
    assert_int_equal(w.count, 0);
    send(400, 400);
    assert_int_equal(w.count, 0);
    send(800, 400); /* does not fit: what is held goes */
    assert_int_equal(w.count, 1);
    expect_bytes(0, 0, data, 800);
    assert_int_equal(w.out[0].s.mptcp.dss.dsn, 400); /* the second's */
    assert_int_equal(box_chain_next(&w.chain), w.now_us + 3000);
    tick(3000);
    assert_int_equal(w.count, 1);
    expect_bytes(0, 800, data + 800, 400);
    assert_int_equal(box_chain_next(&w.chain), UINT64_MAX);

    send(1200, 100);
    send(1500, 100); /* a hole: nothing to merge with */
    assert_int_equal(w.count, 1);
    expect_bytes(0, 1200, data + 1200, 100);
    forget();
    box_remove(w.box[0], w.now_us); /* nothing stays behind */
    assert_int_equal(w.count, 1);
    expect_bytes(0, 1500, data + 1500, 100);
    end();
}

static void segments_get_other_borders(void **state)
{
    uint32_t at = 0;
    (void)state;
    begin("resegment:size=700,hold=5ms");
    handshake();
    for (uint32_t sent = 0; sent < 5000; sent += 1000) {
        send(sent, 1000);
        for (unsigned i = 0; i < w.count; i++, at += 700) {
            expect_bytes(i, at, data + at, 700);
            /* The mapping of the packet that its first byte came in. */
            assert_int_equal(w.out[i].s.mptcp.dss.dsn, at / 1000 * 1000);
        }
    }
    tick(5000);
    assert_int_equal(at, 4900);
    expect_bytes(0, 4900, data + 4900, 100);
    end();
}

/* ---- payload ---------------------------------------------------------------------------- */

static void a_byte_is_changed(void **state)
{
    (void)state;
    for (unsigned always = 0; always < 2; always++) {
        begin(always ? "edit:offset=150,how=always" : "edit:offset=150");
        handshake();
        send(0, 100);
        expect_bytes(0, 0, data, 100);
        send(100, 100);
        assert_int_equal(w.out[0].s.payload[50], data[150] ^ 0x20);
        assert_memory_equal(w.out[0].s.payload, data + 100, 50);
        send(140, 20); /* once more */
        assert_int_equal(w.out[0].s.payload[10], always ? data[150] ^ 0x20 : data[150]);
        end();
    }
}

/* B's stream as it arrives, whatever pieces it comes in. */
static uint8_t arrived[STREAM];
static uint32_t arrived_len;

static void collect(void)
{
    for (unsigned i = 0; i < w.count; i++) {
        const struct segment *s = &w.out[i].s;
        uint32_t at = s->seq - (A_ISN + 1);
        if (w.out[i].dir != BOX_THERE || !s->payload_len)
            continue;
        assert_true(at <= arrived_len && at + s->payload_len <= STREAM);
        memcpy(arrived + at, s->payload, s->payload_len);
        if (at + s->payload_len > arrived_len)
            arrived_len = at + s->payload_len;
    }
}

static void the_payload_grows(void **state)
{
    (void)state;
    begin("alg:offset=150,grow=3,dir=there");
    handshake();
    arrived_len = 0;
    send(0, 100);
    collect();
    send(100, 100);
    collect();
    send(120, 60); /* a retransmission with other borders says the same */
    collect();
    send(200, 100);
    collect();
    assert_int_equal(arrived_len, 303);
    assert_memory_equal(arrived, data, 150);
    assert_memory_equal(arrived + 153, data + 150, 150);
    static const uint32_t acks[][2] = {{100, 100}, {150, 150}, {151, 150},
                                       {153, 150}, {154, 151}, {303, 300}};
    for (unsigned i = 0; i < sizeof acks / sizeof acks[0]; i++) {
        acknowledge(acks[i][0]);
        assert_int_equal((uint32_t)(w.out[0].s.ack - (A_ISN + 1)), acks[i][1]);
    }
    end();
}

static void the_payload_shrinks(void **state)
{
    (void)state;
    begin("alg:offset=150,grow=-10,dir=there");
    handshake();
    arrived_len = 0;
    for (uint32_t at = 0; at < 300; at += 50) { /* the borders are inside: 150 to 160 goes */
        send(at, 50);
        collect();
    }
    send(145, 10);
    collect();
    send(155, 10);
    collect();
    assert_int_equal(arrived_len, 290);
    assert_memory_equal(arrived, data, 150);
    assert_memory_equal(arrived + 150, data + 160, 140);
    static const uint32_t acks[][2] = {{100, 100}, {149, 149}, {150, 160}, {151, 161}, {290, 300}};
    for (unsigned i = 0; i < sizeof acks / sizeof acks[0]; i++) {
        acknowledge(acks[i][0]);
        assert_int_equal((uint32_t)(w.out[0].s.ack - (A_ISN + 1)), acks[i][1]);
    }
    end();
}

/* ---- proxies ---------------------------------------------------------------------------- */

static void a_proxy_acknowledges_early(void **state)
{
    (void)state;
    begin("pep");
    handshake();
    send(0, 100);
    assert_int_equal(w.count, 2);
    expect_bytes(0, 0, data, 100);
    assert_int_equal(w.out[1].dir, BOX_BACK);
    assert_int_equal(w.out[1].s.ack, (uint32_t)(A_ISN + 1 + 100));
    assert_int_equal(w.out[1].s.seq, B_ISN + 1);
    send(200, 100); /* behind a hole */
    assert_int_equal(w.count, 1);
    tick(300000); /* B says nothing: the proxy repeats */
    assert_int_equal(w.count, 1);
    expect_bytes(0, 0, data, 100);
    acknowledge(100);
    assert_int_equal(box_chain_next(&w.chain), UINT64_MAX);
    end();
    begin("pep:how=forget");
    handshake();
    send(0, 100);
    assert_int_equal(w.count, 2);
    assert_int_equal(box_chain_next(&w.chain), UINT64_MAX);
    end();
}

static void a_portal_answers_itself(void **state)
{
    (void)state;
    begin("portal");
    struct segment s = segment(BOX_THERE);
    s.flags = TCP_SYN;
    s.seq = A_ISN;
    push(BOX_THERE, &s, NULL, 0);
    assert_int_equal(w.count, 1);
    assert_int_equal(w.out[0].dir, BOX_BACK);
    assert_int_equal(w.out[0].s.flags, TCP_SYN | TCP_ACK);
    assert_int_equal(w.out[0].s.ack, (uint32_t)(A_ISN + 1));
    s = segment(BOX_THERE);
    push(BOX_THERE, &s, data, 10);
    assert_int_equal(w.count, 1);
    assert_true(w.out[0].s.flags & TCP_FIN);
    assert_memory_equal(w.out[0].s.payload, "HTTP/1.1 302", 12);
    end();
}

/* ---- several ---------------------------------------------------------------------------- */

/* The first box is A's neighbour: what it answers meets no other box. */
static void boxes_stand_in_order(void **state)
{
    (void)state;
    begin("split:size=100");
    add("drop:after=1,count=1,dir=there");
    send(0, 300);
    assert_int_equal(w.count, 2);
    expect_bytes(0, 0, data, 100);
    expect_bytes(1, 200, data + 200, 100);
    end();
    begin("reset:on=data");
    add("drop");
    send(0, 10);
    assert_int_equal(w.count, 1);
    end();
    begin("drop:dir=back");
    add("reset:on=data");
    send(0, 10);
    assert_int_equal(w.count, 0);
    end();
}

static void what_is_no_tcp_passes(void **state)
{
    (void)state;
    begin("drop");
    struct segment s = segment(BOX_THERE);
    struct sim_packet *p = frame(&s, NULL, 0);
    p->bytes[HEAD + 9] = 17; /* UDP, and the IP checksum with it */
    put_be16(p->bytes + HEAD + 10, (uint16_t)(get_be16(p->bytes + HEAD + 10) - 11));
    box_chain_input(&w.chain, BOX_THERE, w.now_us, p);
    assert_int_equal(w.count, 1);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts),
        cmocka_unit_test(wrong_texts_say_what_is_allowed),
        cmocka_unit_test(every_box_has_a_name_and_a_summary),
        cmocka_unit_test(nothing_in_the_way),
        cmocka_unit_test(strip_leaves_a_good_packet),
        cmocka_unit_test(phases_directions_ports_and_turns),
        cmocka_unit_test(a_box_comes_and_goes),
        cmocka_unit_test(rules_count),
        cmocka_unit_test(a_reset_is_believed),
        cmocka_unit_test(a_black_hole_is_for_ever),
        cmocka_unit_test(too_big_is_said),
        cmocka_unit_test(nothing_behind_a_hole),
        cmocka_unit_test(acknowledgements_of_what_was_not_seen),
        cmocka_unit_test(one_packet_more_is_forged),
        cmocka_unit_test(windows_and_sizes_shrink),
        cmocka_unit_test(an_option_is_written_twice),
        cmocka_unit_test(sequence_numbers_shift_and_come_back),
        cmocka_unit_test(addresses_are_translated),
        cmocka_unit_test(flows_are_bounded),
        cmocka_unit_test(segments_are_split),
        cmocka_unit_test(segments_are_merged),
        cmocka_unit_test(segments_get_other_borders),
        cmocka_unit_test(a_byte_is_changed),
        cmocka_unit_test(the_payload_grows),
        cmocka_unit_test(the_payload_shrinks),
        cmocka_unit_test(a_proxy_acknowledges_early),
        cmocka_unit_test(a_portal_answers_itself),
        cmocka_unit_test(boxes_stand_in_order),
        cmocka_unit_test(what_is_no_tcp_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
