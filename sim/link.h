/* SPDX-License-Identifier: MIT
 *
 * One direction of a link: packets go in at one end and come out at the
 * other later, or not at all. The link has no clock and draws its chance from
 * a seed, so the same offers at the same times give the same deliveries. The
 * simulator drives it in virtual time, `plait wire` in real time.
 *
 * What happens to a packet, in this order:
 *   offer    down: dropped. The middle of the link is one drop-tail queue of
 *            queue_bytes or queue_packets, the packet being serialised included;
 *            a packet that does not fit is dropped, but an empty queue takes any
 *            packet. One that would take one of the last random_packets places
 *            is dropped with a chance of 1 in 10: so flows that tick alike do not
 *            find the queue full always or never. One that finds mark_bytes
 *            waiting is marked instead of dropped, where its ends agreed to that.
 *   serialise at rate_bps, exact in integers (no drift however long it runs), or
 *            by a trace: 1500 bytes at each of its times, over and over.
 *   lose     after the queue: a lost packet has used its share of the rate,
 *            as on a radio link. Burst loss (Gilbert-Elliott) and random loss
 *            draw once a packet; the plain loss_ppm applies in the good state.
 *   damage   corruption flips one bit anywhere in the IP packet, which every
 *            checksum on the way must notice; duplication delivers two copies.
 *   travel   delay_us, plus uniform jitter that keeps the order, plus
 *            reorder_delay_us for the packets picked to be overtaken.
 *
 * Bytes count from the IP header on: what lies before it in a packet (head_len,
 * an Ethernet header) is carried along and never counted or damaged.
 */
#ifndef SIM_LINK_H
#define SIM_LINK_H

#include "base/list.h"
#include "base/prng.h"
#include "sim/capacity.h"

/* A packet in one block. Whoever holds the pointer owns it: link_offer takes
 * it over, link_take gives it back. */
struct sim_packet {
    struct list node;
    uint64_t at_us;    /* the link's: time of delivery */
    uint64_t sent_us;  /* the user's: when it left its sender */
    const void *route; /* the user's: where it is on its way to, */
    uint32_t hop;      /* and how far it got */
    uint16_t gso_size; /* the user's: set when receive offload merged it */
    uint16_t head_len; /* bytes before the IP header */
    uint32_t len;      /* all bytes, head included */
    uint8_t bytes[];
};

/* A packet with room for len bytes, contents not set; NULL without memory. */
struct sim_packet *sim_packet_new(uint32_t len);
/* NULL is allowed. */
void sim_packet_free(struct sim_packet *p);

/* All zero is a perfect link: no delay, no limit, no loss. */
struct link_config {
    uint64_t rate_bps;                      /* bits a second; 0: infinite */
    uint32_t delay_us;                      /* one way */
    uint32_t jitter_us;                     /* at most so much more */
    uint64_t queue_bytes;                   /* 0: no limit */
    uint32_t queue_packets, random_packets; /* 0: no limit; none */
    const struct capacity *trace; /* the user's, longer than the link; NULL: by rate_bps */
    uint64_t mark_bytes; /* a packet that finds so many waiting gets CE if it is ECN-capable
                          * (RFC 3168 5); 0: none does */
    uint32_t loss_ppm;
    uint32_t good_to_bad_ppm, bad_to_good_ppm, loss_bad_ppm; /* all 0: no bursts */
    uint32_t reorder_ppm, reorder_delay_us;
    uint32_t duplicate_ppm;
    uint32_t corrupt_ppm;
};

struct link_stats {
    uint64_t offered, offered_bytes;
    uint64_t delivered, delivered_bytes; /* duplicates included */
    uint64_t dropped_queue, dropped_loss, dropped_down;
    uint64_t corrupted, duplicated, reordered, marked;
    uint64_t queue_peak_bytes;
};

struct link {
    struct link_config config;
    struct link_stats stats;
    struct prng prng;
    bool up, bad;      /* bad: the burst state */
    struct list queue; /* waiting, the first one being serialised */
    uint64_t queued_bytes;
    uint32_t queued_packets;
    uint64_t trace_us;       /* when the trace began: the user's, 0 unless set */
    uint64_t trace_next;     /* its next time, counted from there, */
    uint32_t trace_left;     /* and what is left of the one before, in bytes */
    uint64_t done_ns;        /* when the first of the queue is serialised, */
    uint64_t done_remainder; /* and the fraction of a ns left over, in 1/rate_bps */
    struct list flying;      /* serialised, by time of delivery */
    uint64_t last_us;        /* the latest in-order delivery: jitter keeps order */
};

/* A link that is up. config may be NULL (perfect). */
void link_init(struct link *l, const struct link_config *config, uint64_t seed);
/* Drop what is in it. */
void link_free(struct link *l);

/* Put a packet in at time now_us. It may be gone at once. */
void link_offer(struct link *l, uint64_t now_us, struct sim_packet *p);
/* When link_take should be called next; UINT64_MAX: not before an offer. */
uint64_t link_next(const struct link *l);
/* One packet that has arrived by now_us, oldest first, or NULL. NULL can also
 * come at the very time link_next told: the packet was lost. */
struct sim_packet *link_take(struct link *l, uint64_t now_us);

/* Down: everything in the link is lost, and so is what is offered. */
void link_set_up(struct link *l, uint64_t now_us, bool up);
/* Change the link while it runs. What is queued is serialised at the new rate
 * (but for the packet already begun); what is flying arrives as it would. */
void link_configure(struct link *l, uint64_t now_us, const struct link_config *config);

#endif
