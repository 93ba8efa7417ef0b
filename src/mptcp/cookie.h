/* SPDX-License-Identifier: MIT
 *
 * SYN cookies (RFC 4987 3.6): a SYN is answered and forgotten, and what it
 * said is read back from the ACK of that answer. Making and reading them is
 * here; stack/cookies.c decides when.
 *
 * The SYN/ACK's sequence number is the cookie:
 *
 *   31      the period's parity: which secret
 *   30..28  MSS, rounded down to one of eight
 *   27..25  what was made of MP_CAPABLE (enum cookie_form)
 *   24..0   keyed hash of both endpoints and all the rest, plus the client's ISN
 *           times an odd constant
 *
 * That the ISN is added tells of every segment where it begins, modulo 32 MiB:
 * the first one alone can open the connection, and one that overtook it is
 * never taken for it, as one in 2^n would be with n bits of a hash of the ISN.
 * It waits; a stray seems to have overtaken one time in 32.
 *
 * Where both ends have timestamps, the five low bits of the SYN/ACK's TSval,
 * which every later segment echoes until it has heard more, hold the window
 * scale (4) and SACK (1). Without timestamps neither is offered in the
 * SYN/ACK: MSS and MPTCP are what survives.
 *
 * For MPTCP the server's key is a keyed hash of the same things (RFC 8684 3.1
 * asks for a verifiable one), so it can be made again; the client's comes with
 * the third ACK or the first data, as does the checksum flag. Where several
 * servers share an address it is the first of a row of such hashes whose token
 * names this one (base/farm.h).
 *
 * A cookie is good in its own period of 67 seconds and in the next.
 */
#ifndef MPTCP_COOKIE_H
#define MPTCP_COOKIE_H

#include "mptcp/env.h"
#include "wire/segment.h"

enum cookie_form {
    COOKIE_PLAIN,       /* the SYN had no MP_CAPABLE, or it is switched off here */
    COOKIE_OTHER,       /* a version or form not spoken here */
    COOKIE_TOKEN_TAKEN, /* no MPTCP: the key's token belongs to another connection */
    COOKIE_V1,
    COOKIE_V1_NO_JOIN, /* with the C flag */
    COOKIE_V0,
    COOKIE_V0_NO_JOIN,
    COOKIE_FORMS
};

enum { COOKIE_NO_WSCALE = 15 };

struct cookie {
    uint32_t isn;        /* the SYN/ACK's sequence number: the cookie itself */
    uint32_t client_isn; /* the SYN's */
    uint64_t key;        /* ours, if the form is one of MPTCP */
    enum cookie_form form;
    uint16_t mss;
    uint8_t wscale; /* the client's; COOKIE_NO_WSCALE */
    bool timestamps, sack;
};

/* The key that a cookie made now for this SYN stands for in that version. */
uint64_t cookie_key(struct mptcp_env *env, const struct segment *syn, uint8_t version,
                    uint64_t now_us);
/* Make the cookie for a SYN that is answered in this form. */
void cookie_make(struct mptcp_env *env, const struct segment *syn, enum cookie_form form,
                 uint64_t now_us, struct cookie *out);
/* The TSval of its SYN/ACK: as a subflow with this ISN would write it, but for
 * the low bits, and not later. */
uint32_t cookie_tsval(const struct cookie *c, uint64_t now_us);
enum cookie_verdict {
    COOKIE_BAD,   /* not made here, or too old */
    COOKIE_LATER, /* made here, but this segment does not begin where the SYN ended */
    COOKIE_GOOD
};
/* Read the cookie that an ACK answers. It may carry data, and, without data,
 * be a keepalive probe. */
enum cookie_verdict cookie_check(struct mptcp_env *env, const struct segment *ack, uint64_t now_us,
                                 struct cookie *out);
/* The SYN as far as it is known again, for an ACK that was checked. */
void cookie_syn(const struct cookie *c, const struct segment *ack, struct segment *syn);

#endif
