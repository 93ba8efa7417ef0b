/* SPDX-License-Identifier: MIT
 *
 * Receive offload. A card verifies checksums before it merges: a segment with
 * a bad one passes as it is, for the stack to find. The TCP checksum field of
 * a super-segment is not recomputed; its gso_size says that a card vouches.
 */
#include "sim/gro.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "wire/ip.h"

enum { IP_MAX = 65535 };

struct shape {
    uint16_t ip_len, header_len; /* header: IP and TCP */
    uint32_t payload, seq;
    uint8_t flags;
};

/* Only what may be merged has a shape: plain IP headers, payload, an ACK and
 * no flags that mean something by themselves. */
static bool shape_of(const struct sim_packet *p, struct shape *s)
{
    const uint8_t *b = p->bytes;
    if (p->len < 40)
        return false;
    if (b[0] == 0x45 && b[9] == 6 && (get_be16(b + 6) & 0x3fff) == 0 && get_be16(b + 2) == p->len)
        s->ip_len = 20;
    else if (b[0] >> 4 == 6 && p->len >= 60 && b[6] == 6 && get_be16(b + 4) + 40u == p->len)
        s->ip_len = 40;
    else
        return false;
    const uint8_t *tcp = b + s->ip_len;
    uint16_t tcp_len = (uint16_t)((tcp[12] >> 4) * 4);
    s->header_len = (uint16_t)(s->ip_len + tcp_len);
    if (tcp_len < 20 || s->header_len >= p->len)
        return false;
    s->payload = p->len - s->header_len;
    s->seq = get_be32(tcp + 4);
    s->flags = tcp[13];
    return (s->flags & ~(TCP_PSH | TCP_FIN)) == TCP_ACK;
}

static bool checksums_hold(const struct sim_packet *p)
{
    struct segment s;
    const struct plait_packet_rx rx = {.data = p->bytes, .len = p->len};
    return segment_decode(&rx, &s) == SEGMENT_OK;
}

/* Same flow, same acknowledgement and window, same options, next in sequence. */
static bool follows(const struct gro *g, const struct sim_packet *p, const struct shape *s)
{
    const uint8_t *a = g->held->bytes, *b = p->bytes;
    uint16_t ip = s->ip_len;
    if (s->header_len != g->header_len || a[0] != b[0] || s->seq != g->next_seq)
        return false;
    bool same_ip = ip == 20 ? a[1] == b[1] && a[8] == b[8] && memcmp(a + 12, b + 12, 8) == 0
                            : memcmp(a, b, 4) == 0 && memcmp(a + 6, b + 6, 34) == 0;
    const uint8_t *ta = a + ip, *tb = b + ip;
    return same_ip && memcmp(ta, tb, 4) == 0 && memcmp(ta + 8, tb + 8, 5) == 0 &&
           memcmp(ta + 14, tb + 14, 2) == 0 && /* the window */
           memcmp(ta + 18, tb + 18, (size_t)(s->header_len - ip - 18)) == 0 &&
           s->payload <= g->held->gso_size && g->held->len + s->payload <= IP_MAX;
}

static void set_ip_len(struct sim_packet *p)
{
    uint8_t *b = p->bytes;
    if (b[0] >> 4 == 6) {
        put_be16(b + 4, (uint16_t)(p->len - 40));
        return;
    }
    put_be16(b + 2, (uint16_t)p->len);
    ip4_set_checksum(b);
}

/* A super-segment of one is an ordinary packet. */
struct sim_packet *gro_flush(struct gro *g)
{
    struct sim_packet *p = g->held;
    g->held = NULL;
    if (p && p->len == (uint32_t)g->header_len + p->gso_size)
        p->gso_size = 0;
    return p;
}

static void start(struct gro *g, struct sim_packet **p, const struct shape *s, uint64_t now_us)
{
    struct sim_packet *held = sim_packet_new(IP_MAX);
    if (!held)
        abort();
    memcpy(held, *p, sizeof *held + (*p)->len);
    list_init(&held->node);
    held->gso_size = (uint16_t)s->payload;
    g->held = held;
    g->header_len = s->header_len;
    g->next_seq = s->seq + s->payload;
    g->since_us = now_us;
    sim_packet_free(*p);
    *p = NULL;
}

struct sim_packet *gro_add(struct gro *g, struct sim_packet **p, uint64_t now_us)
{
    struct shape s;
    if (!shape_of(*p, &s) || !checksums_hold(*p))
        return gro_flush(g);
    if (!g->held || !follows(g, *p, &s)) {
        struct sim_packet *before = gro_flush(g);
        if (!(s.flags & (TCP_PSH | TCP_FIN)))
            start(g, p, &s, now_us);
        return before;
    }
    struct sim_packet *held = g->held;
    memcpy(held->bytes + held->len, (*p)->bytes + s.header_len, s.payload);
    held->len += s.payload;
    set_ip_len(held);
    held->bytes[s.ip_len + 13] |= s.flags & (TCP_PSH | TCP_FIN);
    g->next_seq += s.payload;
    g->merged++;
    bool last = s.payload < held->gso_size || (s.flags & (TCP_PSH | TCP_FIN));
    sim_packet_free(*p);
    *p = NULL;
    return last ? gro_flush(g) : NULL;
}
