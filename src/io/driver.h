/* SPDX-License-Identifier: MIT
 *
 * A packet driver: where whole IP packets come from and go to. Five functions,
 * so that a driver, a capture file around it and a faulty link around that are
 * all the same kind of thing. A driver moves bytes; it knows TCP no further
 * than its ports, reads no clock and never blocks.
 *
 * Numbers returned as errors are negative errno values.
 */
#ifndef IO_DRIVER_H
#define IO_DRIVER_H

#include "plait/types.h"

struct io_driver;

enum {
    IO_BATCH = 16, /* most packets one call of receive or send moves: at 64 KiB each,
                    * more would push one another out of the cache */
    IO_FDS_MAX = 4,
    IO_DESCRIBE_MAX = 128
};

struct io_ops {
    /* Fill at most `max` (<= IO_BATCH) packets; returns how many, 0 when there
     * are none. They stay valid until the next receive; whoever keeps payload
     * takes a reference to its chunk. */
    unsigned (*receive)(struct io_driver *d, struct plait_packet_rx *out, unsigned max,
                        uint64_t now_us);
    /* Hand over packets in order; returns how many were taken. When that is
     * fewer than `count`, d->blocked_fd becomes writable once more will be.
     * A packet that cannot be sent at all counts as taken and lost, as the
     * network would have it. */
    unsigned (*send)(struct io_driver *d, const struct plait_packet_tx *packets, unsigned count,
                     uint64_t now_us);
    /* Take local TCP ports away from the kernel: from here on it neither accepts
     * nor resets there, and packets to them reach receive. One that is 0: any,
     * filled in. 0, or -EADDRINUSE or another error, and none is held. Many at
     * once cost little more than one. */
    int (*hold_ports)(struct io_driver *d, uint16_t *ports, unsigned count);
    void (*release_port)(struct io_driver *d, uint16_t port);
    /* Free everything. Every chunk reference must have been given back. */
    void (*close)(struct io_driver *d);
    /* Packets to this local port reach receive, as after hold_ports; but it is the
     * caller who keeps the kernel off (hold_silence). 0 or an error; release_port
     * ends it. */
    int (*claim_port)(struct io_driver *d, uint16_t port);
};

struct io_stats {
    uint64_t packets_in, packets_out, bytes_in, bytes_out; /* super-segments count once */
    uint64_t calls_in, calls_out;                          /* system calls */
    uint64_t dropped_in;                                   /* by the kernel: we were too slow */
    uint64_t lost_out;                                     /* could not be sent */
    uint64_t slow_out; /* sent by the kernel's own route and neighbour lookup */
};

struct io_driver {
    const struct io_ops *ops;
    int fds[IO_FDS_MAX]; /* readable: call receive */
    unsigned fd_count;
    int blocked_fd; /* see send; -1: not blocked */
    struct io_stats stats;
    char describe[IO_DESCRIBE_MAX]; /* for people: "packet: AF_PACKET on every interface" */
};

/* ---- drivers ---------------------------------------------------------------- */

/* AF_PACKET with segmentation and checksum offload, on the host's own
 * addresses and routes. Needs CAP_NET_RAW: -EPERM without it. */
int io_packet_open(struct io_driver **out);
/* `count` of them, 2 to 64, for as many threads of which each has a stack whose
 * thread_id is its place from 1 (plait_config): a packet comes to one of them
 * alone (io/steer.h). A port that is held by number has to be held by all of them
 * before packets come. All are closed when no thread receives any more. Needs
 * CAP_BPF as well: -EPERM without it. */
int io_packet_open_threads(unsigned count, struct io_driver **out);

/* A TUN device of our own. plait owns `addrs`; the kernel end of the device
 * gets another address of the same prefix and so a route to them. The device
 * vanishes with the process. Needs CAP_NET_ADMIN: -EPERM without it. */
enum { IO_TUN_ADDRS_MAX = 4, IO_TUN_NAME_MAX = 16 };
struct io_tun_config {
    char name[IO_TUN_NAME_MAX]; /* empty: plait0, plait1, ... */
    struct {
        struct plait_addr addr;
        uint8_t prefix_len;
    } addrs[IO_TUN_ADDRS_MAX];
    unsigned addr_count;
    uint16_t mtu; /* 0: 1500 */
};
int io_tun_open(const struct io_tun_config *config, struct io_driver **out);

/* ---- decorators: they own `inner` and close it; on failure they do not ------- */

/* Write all packets that pass into a pcap file (LINKTYPE_RAW), super-segments
 * cut into the packets they stand for and checksums finished. realtime_us is
 * added to now_us to give the time of day. */
int io_capture_open(struct io_driver *inner, const char *path, uint64_t realtime_us,
                    struct io_driver **out);

/* Lose and double packets at random, in parts per million, both ways. */
struct io_fault_config {
    uint64_t seed;
    uint32_t rx_drop_ppm, rx_dup_ppm, tx_drop_ppm, tx_dup_ppm;
};
int io_fault_open(struct io_driver *inner, const struct io_fault_config *config,
                  struct io_driver **out);

#endif
