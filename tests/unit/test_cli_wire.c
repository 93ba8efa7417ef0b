/* SPDX-License-Identifier: MIT
 *
 * plait wire without a wire: cutting what a kernel hands over, and commands.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "cli/options.h"
#include "cli/wire.h"
#include "wire/checksum.h"
#include "wire/segment.h"

enum { ETHER = 14, GSO = 1000 };

static uint8_t buffer[4 * 1024];

static void ethernet(uint16_t type)
{
    memset(buffer, 0, sizeof buffer);
    memset(buffer, 0xaa, 6);
    memset(buffer + 6, 0xbb, 6);
    put_be16(buffer + 12, type);
}

static void ipv4(uint8_t protocol, uint32_t len)
{
    uint8_t *ip = buffer + ETHER;

    ethernet(0x0800);
    ip[0] = 0x45;
    put_be16(ip + 2, (uint16_t)len);
    put_be16(ip + 4, 0xfffe); /* the identification will wrap */
    ip[8] = 64;
    ip[9] = protocol;
    put_be32(ip + 12, 0x0a000001);
    put_be32(ip + 16, 0x0a000002);
    put_be16(ip + 10, (uint16_t)~csum_partial(ip, 20));
}

/* A TCP super-segment of 2500 bytes as segmentation offload leaves it: the
 * checksum field holds the pseudo-header's sum. */
static struct wire_frame super_segment(void)
{
    uint8_t *tcp = buffer + ETHER + 20;
    struct plait_addr src = {PLAIT_IPV4, {10, 0, 0, 1}}, dst = {PLAIT_IPV4, {10, 0, 0, 2}};

    ipv4(6, 20 + 20 + 2500);
    put_be16(tcp, 1000);
    put_be16(tcp + 2, 2000);
    put_be32(tcp + 4, 0xfffffc00); /* the sequence number will wrap */
    tcp[12] = 5 << 4;
    tcp[13] = TCP_ACK | TCP_PSH;
    put_be16(tcp + 16, csum_pseudo(&src, &dst, 2520));
    for (unsigned i = 0; i < 2500; i++)
        tcp[20 + i] = (uint8_t)(i * 7);
    return (struct wire_frame){.vnet = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                        .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
                                        .gso_size = GSO,
                                        .csum_start = ETHER + 20,
                                        .csum_offset = 16},
                               .bytes = buffer,
                               .len = ETHER + 20 + 20 + 2500};
}

static void tcp_super_segment(void **state)
{
    static const uint32_t lens[] = {1000, 1000, 500};
    struct wire_frame f = super_segment();
    struct list out;
    unsigned n = 0;
    uint32_t done = 0;
    (void)state;

    list_init(&out);
    assert_true(wire_cut(&f, &out));
    list_each(p, &out, struct sim_packet, node) {
        struct segment s;
        struct plait_packet_rx rx = {.data = p->bytes + ETHER, .len = p->len - ETHER};
        assert_memory_equal(p->bytes, buffer, ETHER);
        assert_int_equal(p->head_len, ETHER);
        assert_int_equal(segment_decode(&rx, &s), SEGMENT_OK); /* both checksums are right */
        assert_int_equal(s.payload_len, lens[n]);
        assert_int_equal(s.seq, 0xfffffc00u + done);
        assert_memory_equal(s.payload, buffer + ETHER + 40 + done, s.payload_len);
        assert_int_equal((s.flags & TCP_PSH) != 0, n == 2);
        done += s.payload_len;
        n++;
        sim_packet_free(p);
    }
    assert_int_equal(n, 3);
}

static void unfinished_checksum(void **state)
{
    struct wire_frame f = super_segment();
    struct plait_addr src = {PLAIT_IPV4, {10, 0, 0, 1}}, dst = {PLAIT_IPV4, {10, 0, 0, 2}};
    struct list out;
    struct segment s;
    (void)state;

    ipv4(6, 20 + 20 + 900);
    put_be16(buffer + ETHER + 20, 1000);
    buffer[ETHER + 20 + 12] = 5 << 4;
    put_be16(buffer + ETHER + 20 + 16, csum_pseudo(&src, &dst, 920));
    f.vnet.gso_type = VIRTIO_NET_HDR_GSO_NONE;
    f.len = ETHER + 40 + 900;
    list_init(&out);
    assert_true(wire_cut(&f, &out));
    struct sim_packet *p = list_first(&out, struct sim_packet, node);
    struct plait_packet_rx rx = {.data = p->bytes + ETHER, .len = p->len - ETHER};
    assert_int_equal(segment_decode(&rx, &s), SEGMENT_OK);
    sim_packet_free(p);

    f.vnet.csum_start = (uint16_t)f.len; /* beyond the end */
    list_init(&out);
    assert_false(wire_cut(&f, &out));
    assert_true(list_empty(&out));
}

static uint16_t udp_sum(const uint8_t *ip, uint32_t len)
{
    uint8_t rest[4] = {0, 17, (uint8_t)((len - 20) >> 8), (uint8_t)(len - 20)};
    uint16_t sum = csum_add(csum_partial(ip + 12, 8), csum_partial(rest, 4), false);

    return csum_add(sum, csum_partial(ip + 20, len - 20), false);
}

static void udp_batch(void **state)
{
    struct wire_frame f = {.vnet = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                    .gso_type = 5,
                                    .gso_size = 600,
                                    .csum_start = ETHER + 20,
                                    .csum_offset = 6},
                           .bytes = buffer,
                           .len = ETHER + 28 + 1500};
    struct list out;
    unsigned n = 0;
    (void)state;

    ipv4(17, 28 + 1500);
    put_be16(buffer + ETHER + 20, 4000);
    list_init(&out);
    assert_true(wire_cut(&f, &out));
    list_each(p, &out, struct sim_packet, node) {
        const uint8_t *ip = p->bytes + ETHER;
        uint32_t len = n < 2 ? 628 : 328;
        assert_int_equal(p->len, ETHER + len);
        assert_int_equal(get_be16(ip + 2), len);
        assert_int_equal(get_be16(ip + 4), (0xfffe + n) & 0xffff);
        assert_int_equal(get_be16(ip + 24), len - 20);
        assert_int_equal(csum_partial(ip, 20), 0xffff);
        assert_int_equal(udp_sum(ip, len), 0xffff);
        n++;
        sim_packet_free(p);
    }
    assert_int_equal(n, 3);
}

static void other_frames(void **state)
{
    struct wire_frame f = {.bytes = buffer, .len = 60};
    struct list out;
    (void)state;

    ethernet(0x0806); /* ARP: as it is */
    list_init(&out);
    assert_true(wire_cut(&f, &out));
    struct sim_packet *p = list_first(&out, struct sim_packet, node);
    assert_int_equal(p->len, 60);
    assert_memory_equal(p->bytes, buffer, 60);
    sim_packet_free(p);

    list_init(&out);
    f.len = 13;
    assert_false(wire_cut(&f, &out));
    f.len = 60;
    f.vnet.gso_type = VIRTIO_NET_HDR_GSO_UDP; /* UFO: nobody sends it any more */
    assert_false(wire_cut(&f, &out));
    assert_true(list_empty(&out));
}

static void nonsense_is_refused(void **state)
{
    struct list out;
    (void)state;

    list_init(&out);
    for (uint32_t len = 0; len < ETHER + 40; len++) { /* cut short anywhere */
        struct wire_frame f = super_segment();
        f.len = len;
        assert_false(wire_cut(&f, &out));
    }
    struct wire_frame f = super_segment();
    f.vnet.gso_size = 0;
    assert_false(wire_cut(&f, &out));
    f = super_segment();
    buffer[ETHER + 20 + 12] = 4 << 4; /* a header shorter than a header */
    assert_false(wire_cut(&f, &out));
    f = super_segment();
    f.vnet.csum_start = ETHER; /* the transport where the network is */
    assert_false(wire_cut(&f, &out));
    assert_true(list_empty(&out));
}

/* ---- commands ------------------------------------------------------------- */

static struct wire wire;

static int make_wire(void **state)
{
    struct link_config config;
    char error[SPEC_ERROR_MAX];
    (void)state;

    memset(&wire, 0, sizeof wire);
    wire.count = 2;
    assert_true(link_spec_parse("rate=50mbit,delay=10ms", &config, error));
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned j = 0; j < 2; j++) {
            struct wire_way *way = &wire.pairs[i].way[j];
            link_init(&way->link, &config, 1);
            way->from = &wire.pairs[i].port[j];
            way->to = &wire.pairs[i].port[1 - j];
        }
        wire_boxes_init(&wire.pairs[i], 1);
    }
    return 0;
}

static void expect(const char *line, const char *answer)
{
    char *got = wire_command(&wire, line, 1000);

    assert_non_null(got);
    assert_string_equal(got, answer);
    free(got);
}

static void expect_error(const char *line)
{
    char *got = wire_command(&wire, line, 1000);

    assert_non_null(got);
    assert_true(strncmp(got, "error: ", 7) == 0);
    free(got);
}

static void commands(void **state)
{
    (void)state;

    expect("down 1", "ok");
    assert_false(wire.pairs[0].way[0].link.up);
    assert_false(wire.pairs[0].way[1].link.up);
    assert_true(wire.pairs[1].way[0].link.up);
    expect("up 1 there", "ok");
    assert_true(wire.pairs[0].way[0].link.up);
    assert_false(wire.pairs[0].way[1].link.up);
    expect("set 2 back rate=5mbit loss=1%", "ok");
    assert_int_equal(wire.pairs[1].way[1].link.config.rate_bps, 5000000);
    assert_int_equal(wire.pairs[1].way[1].link.config.loss_ppm, 10000);
    assert_int_equal(wire.pairs[1].way[1].link.config.delay_us, 10000); /* as it was */
    assert_int_equal(wire.pairs[1].way[0].link.config.rate_bps, 50000000);
    expect("", "ok");
    expect("quit", "ok");
    assert_true(wire.quit);
}

static void wrong_commands(void **state)
{
    (void)state;

    expect_error("down");
    expect_error("down 0");
    expect_error("down 3");
    expect_error("down 1 sideways");
    expect_error("down 1 there there");
    expect_error("set 1");
    expect_error("set 1 rate=fast");
    expect_error("frobnicate");
    assert_true(wire.pairs[0].way[0].link.up);
    assert_int_equal(wire.pairs[0].way[0].link.config.rate_bps, 50000000);
}

static void boxes(void **state)
{
    char error[BOX_ERROR_MAX];
    (void)state;

    assert_true(wire_box_add(&wire, "2:isn:near=5", 1000, error));
    assert_true(wire_box_add(&wire, "strip:on=syn", 1000, error));
    assert_false(wire_box_add(&wire, "3:strip", 1000, error));
    assert_string_equal(error, "there is no pair 3");
    expect("box 1 add drop:on=data,count=2", "ok");
    expect("box 1 add mss size=500 dir=there", "ok"); /* as a planned command has it */
    expect("box 1 list",
           "[{\"box\":\"strip:on=syn\",\"seen\":0,\"acted\":0,\"dropped\":0,\"injected\":0,"
           "\"flows\":0,\"evicted\":0},"
           "{\"box\":\"drop:on=data,count=2\",\"seen\":0,\"acted\":0,\"dropped\":0,"
           "\"injected\":0,\"flows\":0,\"evicted\":0},"
           "{\"box\":\"mss:dir=there,size=500\",\"seen\":0,\"acted\":0,\"dropped\":0,"
           "\"injected\":0,\"flows\":0,\"evicted\":0}]");
    expect("box 1 remove 2", "ok");
    expect("box 1 remove 2", "ok");
    expect_error("box 1 remove 2");
    expect_error("box 1 add strap");
    expect_error("box 1 add");
    expect_error("box 1");
    expect_error("box 3 list");
    for (unsigned i = 1; i < BOXES_MAX; i++)
        expect("box 1 add strip", "ok");
    expect("box 1 add strip", "error: at most 8 boxes in a pair");
    char *text = wire_command(&wire, "stats", 1000);
    assert_non_null(strstr(text, "\"boxes\":[{\"box\":\"isn:near=5\""));
    free(text);
    box_chain_free(&wire.pairs[0].boxes);
    box_chain_free(&wire.pairs[1].boxes);
}

/* A frame meets the box first and the link behind it, also in the direction
 * that the box answers in. */
static void a_box_before_the_link(void **state)
{
    char error[BOX_ERROR_MAX];
    struct wire_frame f = super_segment();
    struct list out;
    (void)state;

    assert_true(wire_box_add(&wire, "reset:on=data,count=1", 1000, error));
    list_init(&out);
    assert_true(wire_cut(&f, &out));
    list_each(p, &out, struct sim_packet, node) {
        list_remove(&p->node);
        box_chain_input(&wire.pairs[0].boxes, BOX_THERE, 5000, p);
    }
    assert_int_equal(wire.pairs[0].way[0].link.stats.offered, 2);
    assert_int_equal(wire.pairs[0].way[1].link.stats.offered, 1);
    assert_int_equal(wire.pairs[0].way[1].offered_us, 5000);
    box_chain_free(&wire.pairs[0].boxes);
    link_free(&wire.pairs[0].way[0].link);
    link_free(&wire.pairs[0].way[1].link);
}

static void statistics(void **state)
{
    char *text = wire_command(&wire, "stats", 1000);
    (void)state;

    assert_non_null(text);
    assert_null(strchr(text, '\n'));
    assert_non_null(strstr(text, "\"link\":\"rate=50mbit,delay=10ms"));
    free(text);
}

static void planned_commands(void **state)
{
    struct wire_control *c = wire_control_new(&wire);
    char why[OPTION_WHY_MAX];
    (void)state;

    assert_non_null(c);
    assert_true(wire_control_at(c, "2s:up:1", why));
    assert_true(wire_control_at(c, "500ms:down:1", why));
    assert_false(wire_control_at(c, "down:1", why));
    assert_false(wire_control_at(c, "later", why));
    wire.start_us = 1000000;
    assert_int_equal(wire_control_tick(c, 1000000), 1500000);
    assert_true(wire.pairs[0].way[0].link.up);
    assert_int_equal(wire_control_tick(c, 1500000), 3000000);
    assert_false(wire.pairs[0].way[0].link.up);
    assert_true(wire_control_tick(c, 9000000) == UINT64_MAX);
    assert_true(wire.pairs[0].way[0].link.up);
    wire_control_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tcp_super_segment),
        cmocka_unit_test(unfinished_checksum),
        cmocka_unit_test(udp_batch),
        cmocka_unit_test(other_frames),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test_setup(commands, make_wire),
        cmocka_unit_test_setup(wrong_commands, make_wire),
        cmocka_unit_test_setup(boxes, make_wire),
        cmocka_unit_test_setup(a_box_before_the_link, make_wire),
        cmocka_unit_test_setup(statistics, make_wire),
        cmocka_unit_test_setup(planned_commands, make_wire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
