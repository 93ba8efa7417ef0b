/* SPDX-License-Identifier: MIT
 *
 * Middleboxes: what stands in a path and looks at, changes, holds, swallows,
 * splits, merges, invents or answers packets. One catalogue for the simulator
 * (virtual time) and for `plait wire` (real frames).
 *
 * A box is written as text, NAME[:key=value,...], and looked up in one table:
 *
 *   strip                                every MPTCP option becomes NOPs
 *   strip:on=synack,dir=back,how=eol     on SYN/ACKs from B to A, becomes EOL
 *   drop:option=join,on=syn,count=2      the first two SYNs with MP_JOIN
 *   isn:near=4294960000                  rewrites sequence numbers
 *
 * Boxes stand in a chain, in order, between end A and end B of a path: what
 * goes there (A to B) meets the first box first, what goes back the last one
 * first. A box may emit packets in either direction; they go on to the next
 * box of that direction, and out of the chain behind the last.
 *
 * Each box leaves behind packets with right lengths and checksums, as the real
 * ones do. What is not TCP, or does not decode, passes untouched. State is per
 * flow and bounded: the flow unused for longest makes room.
 *
 * Keys that every box has:
 *   dir=there|back|both     direction of the packets it acts on   default: both
 *   on=W[+W...]             their phase: syn, synack, third (the ACK with
 *                           MP_CAPABLE's keys or MP_JOIN's HMAC), ack (no
 *                           payload), data, fin, rst              default: any
 *   option=W[+W...]         packets with one of these options: capable, join,
 *                           dss, add_addr, remove_addr, prio, fail, fastclose,
 *                           tcprst, mptcp (any of them), timestamp, sack,
 *                           sackok, wscale, mss, fastopen
 *   port=P                  either port is P
 *   after=N, count=N        not the first N of them; then at most so many
 *   from=T, until=T         in that time after the box was added (a route that
 *                           changes): outside it, the box is not there
 * Keys of its own stand with each box in the catalogue.
 */
#ifndef SIM_BOX_H
#define SIM_BOX_H

#include "plait/types.h"
#include "sim/link.h"

enum box_dir { BOX_THERE, BOX_BACK };

/* ---- one box as text -------------------------------------------------------------------- */

enum box_key {
    BOX_DIR,
    BOX_ON,
    BOX_OPTION,
    BOX_PORT,
    BOX_AFTER,
    BOX_COUNT,
    BOX_FROM,
    BOX_UNTIL,
    BOX_COMMON_KEYS, /* how many of them every box has */
    BOX_HOW = BOX_COMMON_KEYS,
    BOX_SIZE,
    BOX_BYTES,
    BOX_HOLD,
    BOX_OFFSET,
    BOX_GROW,
    BOX_ADDR,
    BOX_IDLE,
    BOX_FLUSH,
    BOX_NEAR,
    BOX_FLAGS,
    BOX_SHIFT,
    BOX_KEY_COUNT
};

enum { BOX_TEXT_MAX = 512, BOX_ERROR_MAX = 400 }; /* any box's text fits, however written */

struct box_kind;

/* Equal specifications have equal bytes when both were cleared first. */
struct box_spec {
    const struct box_kind *kind;
    uint32_t given; /* bits of enum box_key */
    uint64_t value[BOX_KEY_COUNT];
    struct plait_addr addr; /* BOX_ADDR */
};

/* False: *out is untouched and error (BOX_ERROR_MAX bytes) says what is wrong
 * and what is allowed, in one sentence without a full stop. */
bool box_spec_parse(const char *text, struct box_spec *out, char *error);
/* The text that parses to *spec; BOX_TEXT_MAX bytes; returns buf. */
char *box_spec_format(const struct box_spec *spec, char *buf);

/* The catalogue: name, what it does, and its own keys ("size=N,how=all|first";
 * empty: none) for box number i; false behind the last. */
struct box_entry {
    const char *name, *summary;
    char arguments[96];
};
bool box_catalogue(unsigned i, struct box_entry *entry);

/* What the box makes of a stream that plain TCP carries through it, in place:
 * `len` bytes with room for 64 more. The new length. */
size_t box_rewrites(const struct box_spec *spec, uint8_t *bytes, size_t len);

/* ---- boxes in a chain ------------------------------------------------------------------- */

enum { BOXES_MAX = 8 };

struct box_stats {
    uint64_t seen;     /* TCP packets that came by while it was there */
    uint64_t acted;    /* those of them that it did something to */
    uint64_t dropped;  /* swallowed for good */
    uint64_t injected; /* made by the box: pieces, copies, answers */
    uint64_t flows, evicted;
};

struct box;
struct box_chain {
    struct list boxes; /* from A to B */
    unsigned count;
    uint64_t now_us;
    struct prng prng;
    void (*out)(struct box_chain *chain, enum box_dir dir, struct sim_packet *p);
    void *ctx; /* the user's */
};

/* out takes over what leaves the chain. */
void box_chain_init(struct box_chain *chain, uint64_t seed,
                    void (*out)(struct box_chain *chain, enum box_dir dir, struct sim_packet *p),
                    void *ctx);
/* Frees the boxes and what they hold. */
void box_chain_free(struct box_chain *chain);

/* One more box, at B's end. NULL: there are BOXES_MAX, or no memory. */
struct box *box_add(struct box_chain *chain, const struct box_spec *spec, uint64_t now_us);
/* What the box holds passes on first. */
void box_remove(struct box *box, uint64_t now_us);
/* Box number i, from 0, or NULL. */
struct box *box_at(const struct box_chain *chain, unsigned i);
const struct box_spec *box_spec(const struct box *box);
const struct box_stats *box_stats(const struct box *box);

/* A packet enters in this direction. Takes it over; out may be called before
 * it returns, not at all, or many times. */
void box_chain_input(struct box_chain *chain, enum box_dir dir, uint64_t now_us,
                     struct sim_packet *p);
/* When box_chain_tick is to be called next; UINT64_MAX: not before an input. */
uint64_t box_chain_next(const struct box_chain *chain);
void box_chain_tick(struct box_chain *chain, uint64_t now_us);

/* ---- rules in code ---------------------------------------------------------------------- */

/* A box whose rule and counts are fields of the caller's, for scenarios that
 * look at them. The text form of the same is drop and strip. */
struct rule_box {
    enum { RULE_COUNT, RULE_DROP, RULE_STRIP } action; /* STRIP: MPTCP options become NOPs */
    /* Which packets: all that are given must hold. */
    uint32_t options;          /* any of these enum mptcp_option_bit; 0: whatever */
    uint8_t flags_mask, flags; /* TCP flags under the mask */
    enum { PAYLOAD_ANY, PAYLOAD_SOME, PAYLOAD_NONE } payload;
    uint32_t skip, count; /* not the first `skip`; then so many, 0: all */
    uint32_t seen, hits;
};

/* *rule is the caller's memory and outlives the chain. As box_add. */
struct box *box_add_rule(struct box_chain *chain, enum box_dir dir, struct rule_box *rule,
                         uint64_t now_us);

#endif
