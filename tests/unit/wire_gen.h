/* SPDX-License-Identifier: MIT
 *
 * Random segments for the tests of wire/: every option, every form, in any
 * combination that fits a header; all canonical, so that what is encoded
 * decodes to the same struct.
 */
#ifndef TESTS_WIRE_GEN_H
#define TESTS_WIRE_GEN_H

#include "base/prng.h"
#include "wire/segment.h"

/* Header fields and addresses (of either family), no options. */
void gen_header(struct prng *rng, struct segment *s);
/* Fill in the fields of one option form and mark it present. */
void gen_tcp_option(struct prng *rng, struct segment *s, uint32_t bit);
void gen_mptcp_option(struct prng *rng, struct segment *s, uint32_t bit);
/* A header and a random set of options that fits. */
void gen_segment(struct prng *rng, struct segment *s);

/* Copy only what `present` gives a meaning to, into zeroed memory: two
 * segments say the same exactly when these are equal, byte by byte. */
void gen_canonical(const struct segment *s, struct segment *out);

#endif
