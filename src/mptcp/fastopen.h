/* SPDX-License-Identifier: MIT
 *
 * TCP Fast Open (RFC 7413) for the first subflow of a connection, with MPTCP
 * (RFC 8684 appendix B) and without. Data on a SYN that the server takes is no
 * part of the data sequence space: the first byte after it has IDSN + 1 and
 * SSN 1. What the server does not take is sent again as ordinary data.
 *
 * The server's cookie is a keyed hash of both addresses; the key changes every
 * 72 minutes, and a cookie is good until the end of the next period. It has 6
 * bytes: as many as a SYN/ACK has room for beside MP_CAPABLE, timestamps, MSS,
 * SACK and window scale (RFC 8684 B.1). Where the option does not fit (a long
 * cookie of another implementation beside the 12 bytes of version 0) it is left
 * out and the connection opens without.
 *
 * The client keeps cookies by pair of addresses, and, by pair and port, that it
 * did not work (RFC 7413 4.1.3.1), so many in all; the one that was used least
 * recently makes room.
 */
#ifndef MPTCP_FASTOPEN_H
#define MPTCP_FASTOPEN_H

#include "base/rotating.h"
#include "plait/types.h"
#include "tcp/tcp.h"

enum { FASTOPEN_COOKIE_LEN = 6 };

struct fastopen_entry {
    struct plait_addr local, remote;
    uint16_t port; /* 0: a cookie; else do not try this port */
    uint16_t mss;  /* the peer's, no larger than is usual; 0: not told */
    uint8_t cookie_len;
    uint8_t cookie[FASTOPEN_COOKIE_MAX];
    uint64_t used_us, until_us; /* until_us: of a port not to be tried */
};

struct fastopen {
    struct fastopen_entry *entries; /* on demand */
    unsigned count, max;
    struct rotating secret;
    uint32_t pending; /* accepted early, the third ACK not here yet */
};

/* What a client's first SYN does, or what a server's SYN/ACK brings. */
enum fastopen_try { FASTOPEN_NONE, FASTOPEN_REQUEST, FASTOPEN_COOKIE };

struct mptcp_env;
struct plait_conn;
struct subflow;

void fastopen_free(struct mptcp_env *env);

/* Client: decide what the SYN of this subflow does. */
void fastopen_choose(struct subflow *sf, uint64_t now_us);
/* Server, after tcp_accept: give a cookie, take the SYN's data. False: no memory. */
bool fastopen_accept(struct subflow *sf, const struct segment *syn, uint64_t now_us);
/* It is established, or over: it waits no more for its third ACK. */
void fastopen_done(struct plait_conn *c);

/* Room for the option, and the data, when a SYN is planned. */
void fastopen_ask(const struct subflow *sf, struct tcp_ask *ask);
/* The option, on a planned SYN or SYN/ACK that has room. */
void fastopen_out(const struct subflow *sf, struct segment *seg);
/* Client: what the SYN/ACK says of cookie and data. */
void fastopen_synack_in(struct subflow *sf, const struct segment *seg, uint64_t now_us);
/* Client: the SYN never was answered. */
void fastopen_failed(struct subflow *sf, uint64_t now_us);

#endif
