/* SPDX-License-Identifier: MIT
 *
 * Additive increase, multiplicative decrease: what the controls that go by
 * losses have in common. Slow start, timeouts and idle times are each
 * subflow's own affair in all of them (RFC 6356 3); they differ in how fast
 * the window grows after slow start and in what a loss leaves of it.
 *
 * The rate of growth is a fixed-point number: bytes of window for a byte
 * acknowledged, in units of 2^-32, from -AIMD_ONE to AIMD_ONE. What does not
 * make a whole byte yet is kept in the state.
 */
#ifndef CC_AIMD_H
#define CC_AIMD_H

#include "cc/cc.h"

#define AIMD_ONE (INT64_C(1) << 32)

struct aimd {
    int64_t part; /* of a byte, in 2^-32; same sign as the last growth */
};

/* The rate that adds bytes `step` (< 2^31) for each `window` acknowledged. */
int64_t aimd_rate(uint64_t step, uint64_t window);

/* RFC 5681 3.1 by bytes (RFC 3465), up to ssthresh. Returns the bytes that are
 * left for congestion avoidance. RFC 3465's limit of two segments an ACK is
 * left out on purpose: one ACK may stand for a super-segment, and the burst
 * that the limit is there to prevent is prevented by pacing. */
uint64_t aimd_slow_start(const struct plait_cc_ack *ack, struct plait_cc_out *out);

/* Slow start, then growth at rate(g). Never under one segment. */
void aimd_acked(struct aimd *s, const struct plait_cc_group *g, const struct plait_cc_ack *ack,
                int64_t (*rate)(const struct plait_cc_group *g), struct plait_cc_out *out);

/* Half of the window, at least two segments (RFC 5681 3.1 (4)). */
uint64_t aimd_half(const struct plait_cc_group *g, const struct plait_cc_out *out);

/* A loss leaves `left` bytes; the rest is the same for all. */
void aimd_signal(const struct plait_cc_group *g, enum plait_cc_signal what, uint64_t left,
                 struct plait_cc_out *out);

/* The plug-in's signal function where a loss leaves half. */
void aimd_signal_half(void *state, const struct plait_cc_group *g, enum plait_cc_signal what,
                      uint64_t now_us, struct plait_cc_out *out);

#endif
