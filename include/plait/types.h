/* SPDX-License-Identifier: MIT
 *
 * The few plain types that every part of plait shares: addresses, packets and
 * the reference-counted chunk that carries payload. No function here does
 * I/O, allocates or reads a clock.
 */
#ifndef PLAIT_TYPES_H
#define PLAIT_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define PLAIT_API __attribute__((visibility("default")))
#else
#define PLAIT_API
#endif

/* Address family of a plait_addr. The values are the IP version numbers, not
 * the operating system's AF_ constants. */
enum plait_family { PLAIT_NONE = 0, PLAIT_IPV4 = 4, PLAIT_IPV6 = 6 };

/* An IP address in network byte order. Unused bytes (all of them for
 * PLAIT_NONE, the last twelve for IPv4) are zero, so that two addresses are
 * equal exactly when their bytes are. */
struct plait_addr {
    uint8_t family; /* enum plait_family */
    uint8_t bytes[16];
};

/* An address and a TCP port (host byte order; 0 means "any"). */
struct plait_endpoint {
    struct plait_addr addr;
    uint16_t port;
};

/* Memory for the engine. alloc returns NULL when it has none; the engine then
 * drops, refuses or reports, and never aborts. free gets the size that was
 * asked for. Both are called from the thread that owns the stack only. */
struct plait_allocator {
    void *ctx;
    void *(*alloc)(void *ctx, size_t size);
    void (*free)(void *ctx, void *ptr, size_t size);
};

/* A reference-counted buffer. The count is not atomic: a chunk belongs to one
 * thread, as the stack does. When it falls to zero `release` is called with
 * the chunk and must give the memory back to wherever it came from. */
struct plait_chunk {
    uint32_t refs;
    uint32_t size; /* bytes available at data */
    void (*release)(struct plait_chunk *chunk);
    void *owner; /* for release's use */
    uint8_t *data;
};

/* A packet on its way in: one IP packet, or one super-segment that receive
 * offload put together (up to 64 KiB, one header). `data` points into
 * `chunk`; the engine takes references of its own where it keeps payload. */
struct plait_packet_rx {
    struct plait_chunk *chunk; /* NULL: the bytes are valid for the call only */
    const uint8_t *data;       /* first byte of the IP header */
    uint32_t len;              /* bytes, IP header included */
    uint16_t gso_size;         /* payload bytes of each merged segment, 0: one */
    bool csum_ok;              /* the TCP checksum was verified below us */
    uint32_t ifindex;          /* where it came in; 0: unknown */
};

struct plait_iov {
    const uint8_t *data;
    uint32_t len; /* bytes */
};

enum {
    PLAIT_HEADER_MAX = 104, /* 40 IPv6 + 60 TCP, rounded up */
    PLAIT_IOV_MAX = 4,
    PLAIT_PAYLOAD_MAX = 65535 - 100 /* payload of one super-segment, bytes */
};

/* A packet on its way out: a complete IP and TCP header and up to
 * PLAIT_IOV_MAX pieces of payload that stay valid until the next call into
 * the stack that produced it. With gso_size set it is a super-segment:
 * whoever sends it cuts the payload into pieces of gso_size bytes (the last
 * may be shorter) under copies of the header, options included, as hardware
 * segmentation does. The TCP checksum field holds the folded pseudo-header
 * sum, not complemented (the kernel's CHECKSUM_PARTIAL); `csum_start` says
 * where summing starts. src/wire/offload.h finishes and cuts in software. */
struct plait_packet_tx {
    struct plait_addr src, dst;
    uint32_t payload_len; /* sum of the pieces */
    uint16_t header_len;  /* IP and TCP header bytes */
    uint16_t csum_start;  /* offset of the TCP header in `header` */
    uint16_t gso_size;    /* 0: one packet */
    uint8_t iov_count;
    struct plait_iov iov[PLAIT_IOV_MAX];
    uint8_t header[PLAIT_HEADER_MAX];
};

#endif
