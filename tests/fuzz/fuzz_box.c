/* SPDX-License-Identifier: MIT
 *
 * A box's text, then frames to put through it. What parses is written out,
 * and that must parse to the same; whatever goes in, every packet that comes
 * out of a box that rewrites must decode if what went in did.
 *
 * Input: the text up to a zero byte, then packets: direction, flags, sequence
 * number (offset), payload length, option bytes' count, options.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "sim/box.h"
#include "tests/fuzz/fuzz.h"
#include "wire/checksum.h"
#include "wire/segment.h"

enum { HEAD = 14, PACKETS_MAX = 200 };

static unsigned emitted;

static void out(struct box_chain *chain, enum box_dir dir, struct sim_packet *p)
{
    const struct plait_packet_rx rx = {.data = p->bytes + p->head_len, .len = p->len - p->head_len};
    struct segment s;
    enum segment_error e = segment_decode(&rx, &s);
    (void)chain;
    (void)dir;
    if (p->head_len != HEAD || p->len < HEAD + 20 || e == SEGMENT_CHECKSUM ||
        e == SEGMENT_IP_CHECKSUM || e == SEGMENT_SHORT)
        abort();
    emitted++;
    sim_packet_free(p);
}

static bool parse(const char *text, struct box_spec *spec)
{
    struct box_spec back;
    char error[BOX_ERROR_MAX], again[BOX_TEXT_MAX];
    memset(spec, 0, sizeof *spec);
    memset(&back, 0, sizeof back);
    if (!box_spec_parse(text, spec, error)) {
        if (strlen(error) == 0 || strlen(error) >= sizeof error)
            abort();
        return false;
    }
    box_spec_format(spec, again);
    if (strlen(again) >= sizeof again || !box_spec_parse(again, &back, error) ||
        memcmp(spec, &back, sizeof back) != 0)
        abort();
    return true;
}

static void finish(uint8_t *ip, uint32_t len)
{
    struct plait_addr src = {PLAIT_IPV4, {10, 0, 0, ip[15]}};
    struct plait_addr dst = {PLAIT_IPV4, {10, 0, 0, ip[19]}};
    put_be16(ip + 10, (uint16_t)~csum_partial(ip, 20));
    uint16_t sum =
        csum_add(csum_pseudo(&src, &dst, len - 20), csum_partial(ip + 20, len - 20), false);
    put_be16(ip + 36, (uint16_t)~sum);
}

/* One packet of the input; NULL at its end. */
static struct sim_packet *packet(const uint8_t **data, size_t *left, enum box_dir *dir)
{
    if (*left < 6)
        return NULL;
    const uint8_t *d = *data;
    uint32_t options = (d[5] % 11u) * 4u, payload = d[4] * 8u, len = 40 + options + payload;
    if (*left < 6 + options)
        return NULL;
    struct sim_packet *p = sim_packet_new(HEAD + len);
    uint8_t *ip = p->bytes + HEAD;
    memset(p->bytes, 0, HEAD + len);
    p->head_len = HEAD;
    p->len = HEAD + len;
    p->route = NULL;
    *dir = d[0] & 1 ? BOX_BACK : BOX_THERE;
    ip[0] = 0x45;
    put_be16(ip + 2, (uint16_t)len);
    ip[8] = 64;
    ip[9] = 6;
    ip[12] = ip[16] = 10;
    ip[15] = *dir == BOX_THERE ? 1 : 2;
    ip[19] = *dir == BOX_THERE ? 2 : 1;
    put_be16(ip + 20, *dir == BOX_THERE ? 1000 + d[0] / 64u : 80);
    put_be16(ip + 22, *dir == BOX_THERE ? 80 : 1000 + d[0] / 64u);
    put_be32(ip + 24, 0xffffff00u + d[2] * 8u);
    put_be32(ip + 28, 0xffffff00u + d[3] * 8u);
    ip[32] = (uint8_t)((20 + options) / 4 << 4);
    ip[33] = d[1];
    memcpy(ip + 40, d + 6, options);
    finish(ip, len);
    *data += 6 + options;
    *left -= 6 + options;
    return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct box_chain chain;
    struct box_spec spec;
    const uint8_t *zero = size ? memchr(data, 0, size) : NULL;
    size_t text_len = zero ? (size_t)(zero - data) : size;
    char *text = malloc(text_len + 1);
    if (text_len)
        memcpy(text, data, text_len);
    text[text_len] = '\0';
    if (parse(text, &spec) && zero) {
        const uint8_t *at = zero + 1;
        size_t left = size - text_len - 1;
        uint64_t now_us = 1;
        enum box_dir dir;
        box_chain_init(&chain, 1, out, NULL);
        box_add(&chain, &spec, now_us);
        struct sim_packet *p;
        for (unsigned i = 0; i < PACKETS_MAX && (p = packet(&at, &left, &dir)) != NULL; i++) {
            now_us += 1 + (i % 7) * 1000;
            if (box_chain_next(&chain) <= now_us)
                box_chain_tick(&chain, now_us);
            box_chain_input(&chain, dir, now_us, p);
        }
        box_chain_free(&chain);
    }
    free(text);
    return 0;
}
