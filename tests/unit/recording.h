/* SPDX-License-Identifier: MIT
 *
 * A recorded connection, read for replay: a classic capture file as a list of
 * decoded segments, and from them, without any of the engine's code, what a
 * server must have received.
 */
#ifndef RECORDING_H
#define RECORDING_H

#include "wire/segment.h"

struct recorded {
    uint64_t time_us;
    struct segment seg;
    uint32_t captured; /* bytes of the payload that are in the file; the rest is zero */
    uint8_t *packet;   /* what seg points into */
};

struct recording {
    struct recorded *items;
    unsigned count;
};

/* Every TCP segment of a capture file in which it came; one that was captured
 * on two interfaces counts once. False: no such file, or not one we can read. */
bool recording_load(const char *path, struct recording *r);
void recording_free(struct recording *r);

/* One TCP connection of the recording, as its client sees it. */
struct recorded_flow {
    struct plait_endpoint client, server;
    const struct recorded *syn, *synack;
};

/* The stream that the client sent over `count` flows, put together from its
 * mappings alone. idsn and client_data_ack are given: near which numbers the
 * 32-bit ones are to be read. */
struct recorded_stream {
    uint8_t *bytes;
    uint64_t len;                       /* contiguous from the start */
    uint64_t idsn;                      /* of the client: its first byte is idsn + 1 */
    uint64_t data_ack, client_data_ack; /* the highest that server and client sent */
    unsigned mappings, cut;             /* on data segments; of them not captured whole */
};
void recording_stream(const struct recording *r, const struct recorded_flow *flows, unsigned count,
                      struct recorded_stream *out);

/* Segment i of the recording goes from a flow's client to its server (or, with
 * from_server, back). */
bool recorded_on(const struct recorded *item, const struct recorded_flow *f, bool from_server);

#endif
