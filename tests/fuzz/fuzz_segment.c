/* SPDX-License-Identifier: MIT
 *
 * Any bytes as an IP packet. The first byte of the input chooses whether
 * checksums are verified. What decodes is encoded again, and must then decode
 * to a segment that says the same.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/unit/wire_gen.h"
#include "wire/offload.h"

enum { CSUM_OK = 1 };

/* What does not survive encoding, because it is never sent: options nobody
 * knows, reserved bits, and a TTL of 0, which stands for the default. */
static void keep_what_is_sent(struct segment *s)
{
    if (s->mptcp.present & MPO_TCPRST)
        s->mptcp.tcprst.flags = s->mptcp.tcprst.transient;
    s->mptcp.present &= ~(uint32_t)MPO_EXPERIMENTAL;
    s->mptcp.unknown_count = s->mptcp.malformed_count = 0;
    s->tcp.unknown_count = 0;
    if (s->ttl == 0)
        s->ttl = 64;
}

static void round_trip(struct segment *s)
{
    static uint8_t buf[PLAIT_HEADER_MAX + PLAIT_PAYLOAD_MAX];
    struct segment back, a, b;
    struct plait_packet_tx tx;
    keep_what_is_sent(s);
    /* Our padding may need more room than the sender's did. */
    if (segment_options_len(s) > TCP_OPTIONS_MAX || s->payload_len > PLAIT_PAYLOAD_MAX)
        return;
    struct plait_iov iov = {s->payload, s->payload_len};
    segment_encode(s, &iov, 1, 0, &tx);
    size_t len = offload_write(&tx, 0, buf, sizeof buf);
    struct plait_packet_rx rx = {.data = buf, .len = (uint32_t)len};
    if (segment_decode(&rx, &back) != SEGMENT_OK || back.payload_len != s->payload_len ||
        memcmp(back.payload, s->payload, s->payload_len) != 0)
        abort();
    gen_canonical(s, &a);
    gen_canonical(&back, &b);
    if (memcmp(&a, &b, sizeof a) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct plait_packet_rx rx = {.data = data + 1,
                                 .len = (uint32_t)(size - 1),
                                 .csum_ok = data[0] & CSUM_OK};
    struct segment s;
    struct icmp_error e;
    char text[1500];
    icmp_decode(&rx, &e);
    if (segment_decode(&rx, &s) == SEGMENT_OK) {
        segment_format(&s, text, sizeof text);
        round_trip(&s);
    }
    return 0;
}
