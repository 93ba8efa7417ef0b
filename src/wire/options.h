/* SPDX-License-Identifier: MIT
 *
 * The two option tables, TCP's and MPTCP's, as segment.c uses them. There is
 * no table of encoded lengths: a length is what the encoder counts when it
 * writes into a writer without room (base/bytes.h), so the two cannot differ.
 */
#ifndef WIRE_OPTIONS_H
#define WIRE_OPTIONS_H

#include "base/bytes.h"
#include "wire/segment.h"

enum { TCPOPT_EOL = 0, TCPOPT_NOP = 1, TCPOPT_MPTCP = 30 };

/* A set of option lengths, as bits. TCP options never exceed 40 bytes. */
#define LEN(n) (UINT64_C(1) << (n))

/* Take the option at o, `len` >= 2 bytes of kind o[0], other than MPTCP. */
void tcp_option_decode(const uint8_t *o, unsigned len, struct tcp_options *t);
void tcp_options_encode(const struct tcp_options *t, struct writer *w);

/* Take the MPTCP option at o, `len` >= 2 bytes. */
void mptcp_option_decode(const uint8_t *o, unsigned len, struct mptcp_options *m);
void mptcp_options_encode(const struct mptcp_options *m, struct writer *w);

/* Fill up with NOPs to a multiple of four. */
static inline void write_padding(struct writer *w)
{
    while (w->len % 4)
        write_u8(w, TCPOPT_NOP);
}

#endif
