/* SPDX-License-Identifier: MIT
 *
 * struct segment: everything one TCP segment says, decoded once. The codec is
 * pure: bytes in, struct out, and back. It knows every TCP option plait uses
 * and every MPTCP option of RFC 8684 (v1) and RFC 6824 (v0); it does not know
 * what a connection is, so it reports what is on the wire and leaves judging
 * it (is this version negotiated? is the HMAC right?) to mptcp/.
 *
 * Field names are the RFCs'. `present` bits say which fields mean anything;
 * fields without their bit are not initialised.
 */
#ifndef WIRE_SEGMENT_H
#define WIRE_SEGMENT_H

#include "plait/types.h"

enum tcp_flag {
    TCP_FIN = 0x01,
    TCP_SYN = 0x02,
    TCP_RST = 0x04,
    TCP_PSH = 0x08,
    TCP_ACK = 0x10,
    TCP_URG = 0x20,
    TCP_ECE = 0x40,
    TCP_CWR = 0x80
};

/* The ECN field of the IP header (RFC 3168 5). */
enum { ECN_NOT = 0, ECN_ECT1 = 1, ECN_ECT0 = 2, ECN_CE = 3 };

enum tcp_option_bit {
    OPT_MSS = 1 << 0,       /* RFC 9293 3.7.1, SYN only */
    OPT_WSCALE = 1 << 1,    /* RFC 7323 2, SYN only */
    OPT_SACK_OK = 1 << 2,   /* RFC 2018 2, SYN only */
    OPT_SACK = 1 << 3,      /* RFC 2018 3 */
    OPT_TIMESTAMP = 1 << 4, /* RFC 7323 3 */
    OPT_FASTOPEN = 1 << 5   /* RFC 7413 4.1.1, kind 34 */
};

enum { SACK_BLOCKS_MAX = 4, FASTOPEN_COOKIE_MAX = 16 };

struct sack_block {
    uint32_t left, right;
};

struct tcp_options {
    uint32_t present; /* enum tcp_option_bit */
    uint16_t mss;
    uint8_t wscale; /* as received; the user clamps it to 14 (RFC 7323 2.3) */
    uint8_t sack_count;
    uint8_t fastopen_len;  /* 0: a cookie request */
    uint8_t unknown_count; /* kinds not known, or with an impossible length */
    uint32_t tsval, tsecr;
    struct sack_block sack[SACK_BLOCKS_MAX];
    uint8_t fastopen[FASTOPEN_COOKIE_MAX];
};

enum mptcp_subtype {
    MPTCP_CAPABLE = 0x0,
    MPTCP_JOIN = 0x1,
    MPTCP_DSS = 0x2,
    MPTCP_ADD_ADDR = 0x3,
    MPTCP_REMOVE_ADDR = 0x4,
    MPTCP_PRIO = 0x5,
    MPTCP_FAIL = 0x6,
    MPTCP_FASTCLOSE = 0x7,
    MPTCP_TCPRST = 0x8,
    MPTCP_EXPERIMENTAL = 0xf
};

/* One bit for each form an option can take; at most one form of MP_CAPABLE
 * and of MP_JOIN is present in a segment. */
enum mptcp_option_bit {
    MPO_CAPABLE_SYN = 1 << 0,  /* v1: 4 bytes, no key */
    MPO_CAPABLE_KEY = 1 << 1,  /* 12 bytes: sender's key (v0 SYN; SYN/ACK of both) */
    MPO_CAPABLE_KEYS = 1 << 2, /* 20 bytes: both keys (third ACK) */
    MPO_CAPABLE_DATA = 1 << 3, /* v1: 22 or 24 bytes: both keys and data length */
    MPO_JOIN_SYN = 1 << 4,     /* 12 bytes */
    MPO_JOIN_SYNACK = 1 << 5,  /* 16 bytes */
    MPO_JOIN_ACK = 1 << 6,     /* 24 bytes */
    MPO_DSS = 1 << 7,
    MPO_ADD_ADDR = 1 << 8,
    MPO_REMOVE_ADDR = 1 << 9,
    MPO_PRIO = 1 << 10,
    MPO_FAIL = 1 << 11,
    MPO_FASTCLOSE = 1 << 12,
    MPO_TCPRST = 1 << 13,
    MPO_EXPERIMENTAL = 1 << 14 /* seen and skipped, never encoded */
};
#define MPO_CAPABLE_ANY (MPO_CAPABLE_SYN | MPO_CAPABLE_KEY | MPO_CAPABLE_KEYS | MPO_CAPABLE_DATA)
#define MPO_JOIN_ANY (MPO_JOIN_SYN | MPO_JOIN_SYNACK | MPO_JOIN_ACK)

/* MP_CAPABLE flag byte (RFC 8684 3.1). */
enum {
    MPC_CHECKSUM = 0x80, /* A */
    MPC_EXTENDED = 0x40, /* B: a form this version does not know */
    MPC_NO_JOIN = 0x20,  /* C: do not open subflows to my source address and port */
    MPC_HMAC = 0x01      /* H */
};

struct mptcp_capable {
    uint8_t version, flags;
    uint64_t sender_key, receiver_key; /* wire order read as big endian */
    uint16_t data_len;                 /* CAPABLE_DATA */
    uint16_t checksum;
    bool has_checksum; /* 24-byte form */
};

struct mptcp_join {
    bool backup;      /* B, SYN and SYN/ACK */
    uint8_t addr_id;  /* SYN and SYN/ACK */
    uint32_t token;   /* SYN: the receiver's token */
    uint32_t nonce;   /* SYN and SYN/ACK: the sender's random number */
    uint8_t hmac[20]; /* SYN/ACK: 8 bytes used; ACK: 20 */
};

struct mptcp_dss {
    bool has_ack, has_map, has_checksum, data_fin; /* A, M, by length, F */
    bool ack64, dsn64;                             /* a, m */

    uint64_t data_ack; /* low 32 bits only unless ack64 */
    uint64_t dsn;      /* low 32 bits only unless dsn64 */
    uint32_t ssn;      /* relative to the ISN; the first data byte is 1 */
    uint16_t data_len; /* 0 with an infinite mapping; a DATA_FIN counts 1 */
    uint16_t checksum;
};

struct mptcp_add_addr {
    struct plait_addr addr;
    uint8_t addr_id;
    bool echo;     /* v1 E flag; no HMAC */
    bool has_hmac; /* v1 without E */
    bool has_port;
    uint16_t port;
    uint8_t hmac[8];
};

enum { ADD_ADDR_MAX = 4, REMOVE_ADDR_MAX = 37 };

struct mptcp_options {
    uint32_t present;        /* enum mptcp_option_bit */
    uint8_t unknown_count;   /* unassigned subtypes */
    uint8_t malformed_count; /* known subtype, impossible length or a second form: ignored */
    uint8_t add_addr_count, remove_addr_count;
    struct mptcp_capable capable;
    struct mptcp_join join;
    struct mptcp_dss dss;
    struct mptcp_add_addr add_addr[ADD_ADDR_MAX];
    uint8_t remove_addr[REMOVE_ADDR_MAX];
    struct {
        bool backup, has_addr_id; /* the address ID is v0 only */
        uint8_t addr_id;
    } prio;
    uint64_t fail_dsn;
    uint64_t fastclose_key; /* the receiver's key */
    struct {
        bool transient; /* T */
        uint8_t flags;  /* U V W T as on the wire */
        uint8_t reason; /* RFC 8684 7.4 */
    } tcprst;
};

struct segment {
    struct plait_endpoint src, dst;
    uint32_t seq, ack;
    uint16_t window; /* as on the wire, unscaled */
    uint16_t urgent;
    uint8_t flags; /* enum tcp_flag */
    uint8_t ecn;   /* the two ECN bits of the IP header, RFC 3168 5 */
    uint8_t ttl;   /* in: as received; out: 0 means 64 */
    struct tcp_options tcp;
    struct mptcp_options mptcp;
    const uint8_t *payload; /* into the packet's buffer */
    uint32_t payload_len;
    struct plait_chunk *chunk; /* owner of payload, borrowed; NULL: copy to keep */
    uint16_t gso_size;         /* as the driver said; 0: one segment */
    uint32_t ifindex;
};

/* Bytes of sequence space the segment takes: payload, SYN and FIN. */
static inline uint32_t segment_seq_len(const struct segment *s)
{
    return s->payload_len + ((s->flags & TCP_SYN) != 0) + ((s->flags & TCP_FIN) != 0);
}

enum segment_error {
    SEGMENT_OK,
    SEGMENT_SHORT,    /* truncated header, or lengths that contradict each other */
    SEGMENT_NOT_TCP,  /* another protocol */
    SEGMENT_ICMP,     /* ICMP or ICMPv6: give it to icmp_decode */
    SEGMENT_FRAGMENT, /* an IP fragment; reassembly is not our job */
    SEGMENT_IP_CHECKSUM,
    SEGMENT_CHECKSUM,   /* TCP */
    SEGMENT_BAD_OPTION, /* an option length of 0 or 1, or past the header */
    SEGMENT_ERROR_COUNT
};
const char *segment_error_text(enum segment_error e);

/* Decode one IP packet. Trailing bytes after the IP length are ignored.
 * Verifies the IPv4 header checksum and, unless p->csum_ok, TCP's. *s borrows
 * p's bytes and chunk. On error *s has at most its addresses. IPv6 extension
 * headers (hop-by-hop, routing, destination options) are skipped. */
enum segment_error segment_decode(const struct plait_packet_rx *p, struct segment *s);

/* Encode *s with `len` payload bytes described by iov (s->payload is not
 * looked at) into *p: header, options in Linux's order and padding, partial
 * TCP checksum. gso_size as in plait_packet_tx. Options that are present must
 * fit (segment_options_len <= 40), which is asserted. */
void segment_encode(const struct segment *s, const struct plait_iov *iov, unsigned iov_count,
                    uint32_t gso_size, struct plait_packet_tx *p);

/* Bytes that the options present in *s take in the header, padded to 4: what
 * segment_encode will write, from the same table. */
unsigned segment_options_len(const struct segment *s);
/* Bytes that the MPTCP options of *m alone take, padded to 4. */
unsigned mptcp_options_len(const struct mptcp_options *m);
enum { TCP_OPTIONS_MAX = 40 };

/* Clear a segment for building: nothing present, no flags. */
void segment_clear(struct segment *s);

/* Start the answer to a received segment: cleared, with dst <- src and
 * src <- dst. They may be the same segment. */
void segment_reply(struct segment *out, const struct segment *in);

/* An ICMP error about one of our segments (RFC 792, RFC 4443, RFC 1191). */
struct icmp_error {
    enum { ICMP_HARD, ICMP_SOFT, ICMP_TOO_BIG } kind;
    uint8_t type, code;
    uint16_t mtu;                   /* TOO_BIG: next-hop MTU, 0 when not told */
    struct plait_endpoint src, dst; /* of the segment quoted: src is ours */
    uint32_t seq;                   /* its sequence number, for RFC 5927 4.1 */
};
/* False: not an ICMP error that quotes TCP, or truncated. */
bool icmp_decode(const struct plait_packet_rx *p, struct icmp_error *e);

/* One line for traces and tests, as tcpdump words it:
 * "10.0.0.1:80 > 10.0.0.2:9 [S.] seq 1 ack 2 win 3 <mss 1460,...> len 0".
 * Returns the length snprintf-style. */
int segment_format(const struct segment *s, char *buf, size_t size);

#endif
