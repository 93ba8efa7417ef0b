/* SPDX-License-Identifier: MIT
 *
 * Boxes that change options and the window (RFC 8041 3.1: firewalls and
 * proxies that remove, blank or rewrite what they do not know).
 */
#include <string.h>

#include "base/bytes.h"
#include "sim/box_kind.h"
#include "wire/options.h"

/* ---- strip ------------------------------------------------------------------------------ */

enum { STRIP_NOP, STRIP_EOL, STRIP_REMOVE };
static const char *const strip_words[] = {"nop", "eol", "remove", NULL};

/* The options that stay, into kept; how many bytes. */
static uint32_t keep_others(const struct box_packet *bp, uint32_t options, uint8_t *kept)
{
    uint32_t n = 0;
    for (uint32_t at = 0, len; box_next_option(bp, &at, &len); at += len) {
        if (box_option_is(bp->options + at, options))
            continue;
        memcpy(kept + n, bp->options + at, len);
        n += len;
    }
    return n;
}

/* In place: with EOL the options behind are lost as well (RFC 9293 3.2). */
static bool blank(struct box_packet *bp, uint32_t options, uint8_t with)
{
    bool any = false;
    for (uint32_t at = 0, len; box_next_option(bp, &at, &len); at += len) {
        if (!box_option_is(bp->options + at, options))
            continue;
        any = true;
        memset(bp->options + at, with, len);
        if (with == TCPOPT_EOL)
            break;
    }
    return any;
}

static void strip_input(struct box *b, struct box_packet *bp)
{
    uint8_t kept[TCP_OPTIONS_MAX];
    uint32_t options = (uint32_t)box_value(b, BOX_OPTION, OPTION_MPTCP);
    unsigned how = box_how(b);
    if (!blank(bp, options, how == STRIP_EOL ? TCPOPT_EOL : TCPOPT_NOP)) {
        box_pass(b, bp);
        return;
    }
    box_count(b)->acted++;
    struct sim_packet *shorter = NULL;
    if (how == STRIP_REMOVE) { /* they are NOPs by now: what is kept is the rest */
        uint32_t len = keep_others(bp, 0, kept);
        shorter = box_build(bp, kept, len, bp->payload, bp->s.payload_len);
    }
    if (!shorter) {
        box_finish(bp->p);
        box_pass(b, bp);
        return;
    }
    sim_packet_free(bp->p);
    box_emit(b, bp->dir, shorter);
}

const struct box_kind kind_strip = {
    .name = "strip",
    .summary = "removes options (all of MPTCP's unless option= names some)",
    .how = strip_words,
    .input = strip_input,
};

/* ---- repeat ----------------------------------------------------------------------------- */

/* The first such option once more, where there is room for it. */
static void repeat_input(struct box *b, struct box_packet *bp)
{
    uint8_t all[TCP_OPTIONS_MAX];
    uint32_t options = (uint32_t)box_value(b, BOX_OPTION, OPTION_MPTCP);
    uint32_t have = keep_others(bp, 0, all);
    for (uint32_t at = 0, len; box_next_option(bp, &at, &len); at += len) {
        if (!box_option_is(bp->options + at, options) || have + len > sizeof all)
            continue;
        memcpy(all + have, bp->options + at, len);
        struct sim_packet *p = box_build(bp, all, have + len, bp->payload, bp->s.payload_len);
        if (!p)
            break;
        box_count(b)->acted++;
        sim_packet_free(bp->p);
        box_emit(b, bp->dir, p);
        return;
    }
    box_pass(b, bp);
}

const struct box_kind kind_repeat = {
    .name = "repeat",
    .summary = "writes an option twice into the same packet",
    .input = repeat_input,
};

/* ---- mss -------------------------------------------------------------------------------- */

static void mss_input(struct box *b, struct box_packet *bp)
{
    uint16_t most = (uint16_t)box_value(b, BOX_SIZE, 536);
    for (uint32_t at = 0, len; box_next_option(bp, &at, &len); at += len) {
        uint8_t *o = bp->options + at;
        if (!box_option_is(o, OPTION_MSS) || len != 4 || get_be16(o + 2) <= most)
            continue;
        put_be16(o + 2, most);
        box_count(b)->acted++;
        box_finish(bp->p);
        break;
    }
    box_pass(b, bp);
}

const struct box_kind kind_mss = {
    .name = "mss",
    .summary = "lowers the MSS that SYNs offer to size",
    .keys = 1u << BOX_SIZE,
    .needs = 1u << BOX_SIZE,
    .input = mss_input,
};

/* ---- window ----------------------------------------------------------------------------- */

struct window_flow {
    uint8_t shift[2]; /* of what goes there and back, from the SYNs */
};

static void window_input(struct box *b, struct box_packet *bp)
{
    struct window_flow *f = box_flow(b, bp);
    uint64_t most = box_value(b, BOX_BYTES, 65535);
    if (f && bp->s.flags & TCP_SYN) {
        f->shift[bp->dir] = bp->s.tcp.present & OPT_WSCALE ? bp->s.tcp.wscale & 15 : 0;
    } else if (f && bp->match) {
        uint64_t field = most >> f->shift[bp->dir];
        if (bp->s.window > field) {
            put_be16(bp->tcp + 14, (uint16_t)(field ? field : 1));
            box_count(b)->acted++;
            box_finish(bp->p);
        }
    }
    box_pass(b, bp);
}

const struct box_kind kind_window = {
    .name = "window",
    .summary = "lets no more than bytes of receive window through",
    .keys = 1u << BOX_BYTES,
    .needs = 1u << BOX_BYTES,
    .flow_size = sizeof(struct window_flow),
    .all = true,
    .input = window_input,
};
