/* SPDX-License-Identifier: MIT
 *
 * Inside the catalogue: what a kind of box is made of, and what it may call.
 *
 * A kind's input gets a packet and must let go of it: box_pass, box_drop, or
 * keep it in its state until box_emit. It learns whether the packet matches
 * the box's keys; kinds without `all` get only those that do.
 */
#ifndef SIM_BOX_KIND_H
#define SIM_BOX_KIND_H

#include "sim/box.h"
#include "wire/segment.h"

/* A TCP packet taken apart; all pointers are into p. */
struct box_packet {
    struct sim_packet *p;
    enum box_dir dir;
    bool match;
    uint8_t *ip, *tcp, *options, *payload;
    uint32_t options_len;
    struct segment s;
};

struct box_kind {
    const char *name, *summary;
    uint32_t keys;          /* bits of its own enum box_key */
    uint32_t needs;         /* those that must be given */
    const char *const *how; /* words of how=, the first is the default, then NULL */
    size_t state_size, flow_size;
    bool all;
    void (*input)(struct box *box, struct box_packet *bp);
    void (*tick)(struct box *box);                 /* the time box_alarm asked for has come */
    void (*flow_end)(struct box *box, void *flow); /* evicted, or the box goes */
};

/* Rows, one theme a file. */
extern const struct box_kind kind_strip, kind_repeat, kind_mss, kind_window;  /* options */
extern const struct box_kind kind_drop, kind_reset, kind_blackhole, kind_mtu; /* filters */
extern const struct box_kind kind_nohole, kind_unseen, kind_forge;            /* guards */
extern const struct box_kind kind_isn, kind_nat;                              /* numbers */
extern const struct box_kind kind_split, kind_coalesce, kind_resegment;       /* segments */
extern const struct box_kind kind_edit, kind_alg;                             /* payload */
extern const struct box_kind kind_pep, kind_portal;                           /* proxies */
extern const struct box_kind *const box_kinds[];                              /* NULL last */

/* ---- what a kind may call --------------------------------------------------------------- */

void *box_state(struct box *box);
uint64_t box_now(const struct box *box);
uint64_t box_age(const struct box *box); /* since it was added */
const struct box_kind *box_kind_of(const struct box *box);
struct prng *box_prng(struct box *box);
struct box_stats *box_count(struct box *box);
/* A key's value, or this if it was not given. */
uint64_t box_value(const struct box *box, enum box_key key, uint64_t otherwise);
/* Index of how='s word. */
unsigned box_how(const struct box *box);
const struct plait_addr *box_addr(const struct box *box); /* NULL: not given */

/* Let the packet go on as it is now. After changing it, box_finish first. */
void box_pass(struct box *box, struct box_packet *bp);
void box_drop(struct box *box, struct box_packet *bp);
/* A packet of the box's own, or one it kept, goes on from here. NULL is allowed. */
void box_emit(struct box *box, enum box_dir dir, struct sim_packet *p);
void box_inject(struct box *box, enum box_dir dir, struct sim_packet *p); /* and count it */
/* Call tick at this time; one alarm a box, UINT64_MAX: none. */
void box_alarm(struct box *box, uint64_t at_us);

/* The state of the packet's flow, flow_size bytes, zeroed when new; NULL
 * without memory. Flows are told apart by both ends as A's side writes them. */
void *box_flow(struct box *box, const struct box_packet *bp);
/* The same without making one. */
void *box_flow_find(struct box *box, const struct box_packet *bp);
/* Each flow in turn, the one used last first; NULL behind the last. */
void *box_flow_next(struct box *box, const void *flow);
/* Forget all flows. */
void box_flows_clear(struct box *box);

/* ---- packets ---------------------------------------------------------------------------- */

/* False: not TCP, or damaged. */
bool box_decode(struct box_packet *bp, struct sim_packet *p);
/* Lengths and checksums after a change in place; the payload may have changed
 * its length within the block (p->len is right). */
void box_finish(struct sim_packet *p);
/* A packet like *like, head and headers, with other options (at most 40 bytes,
 * padded here) and payload; finished. NULL without memory. */
struct sim_packet *box_build(const struct box_packet *like, const uint8_t *options,
                             uint32_t options_len, const uint8_t *payload, uint32_t payload_len);
/* A packet of a box's own in *like's flow: the same direction, or an answer to
 * it (ends and Ethernet addresses swapped). No options but *like's timestamps,
 * as its receiver expects them. */
struct sim_packet *box_forge_packet(const struct box_packet *like, bool answer, uint32_t seq,
                                    uint32_t ack, uint8_t flags, uint16_t window,
                                    const void *payload, uint32_t payload_len);
struct sim_packet *box_clone(const struct sim_packet *p);

/* Each option of bp in turn: false at the end. *at is its offset in
 * bp->options; begin with 0 and add *len. NOPs are skipped. */
bool box_next_option(const struct box_packet *bp, uint32_t *at, uint32_t *len);
/* Whether the option at o is among enum box_option bits. */
bool box_option_is(const uint8_t *o, uint32_t options);
void box_add_be32(uint8_t *at, uint32_t delta);

/* Bits of on= and option=, in the order of the words. */
enum box_phase {
    PHASE_SYN = 1 << 0,
    PHASE_SYNACK = 1 << 1,
    PHASE_THIRD = 1 << 2,
    PHASE_ACK = 1 << 3,
    PHASE_DATA = 1 << 4,
    PHASE_FIN = 1 << 5,
    PHASE_RST = 1 << 6
};
enum box_option {
    /* MPTCP by subtype: capable, join, dss, add_addr, remove_addr, prio, fail,
     * fastclose, tcprst are bits 0 to 8. */
    OPTION_MPTCP = 0xffff,
    OPTION_TIMESTAMP = 1 << 16,
    OPTION_SACK = 1 << 17,
    OPTION_SACKOK = 1 << 18,
    OPTION_WSCALE = 1 << 19,
    OPTION_MSS = 1 << 20,
    OPTION_FASTOPEN = 1 << 21
};

#endif
