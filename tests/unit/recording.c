/* SPDX-License-Identifier: MIT */
#include "recording.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/seq.h"

enum { LINK_ETHERNET = 1, LINK_PPP = 9, LINK_SLL2 = 276, ALIKE_MAX = 16, PACKET_MAX = 65535 };

static uint32_t le32(const uint8_t *b)
{
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static unsigned link_header(uint32_t type)
{
    return type == LINK_ETHERNET ? 14 : type == LINK_PPP ? 2 : type == LINK_SLL2 ? 20 : 0;
}

/* The same IP packet, identification included, seen again: another interface. */
static bool seen_just_now(const struct recording *r, const uint8_t *packet, uint32_t len)
{
    for (unsigned i = 0; i < ALIKE_MAX && i < r->count; i++) {
        const struct recorded *before = &r->items[r->count - 1 - i];
        if (memcmp(before->packet, packet, len) == 0)
            return true;
    }
    return false;
}

static void take(struct recording *r, const uint8_t *bytes, uint32_t captured, uint32_t len,
                 uint64_t time_us)
{
    uint8_t *packet = calloc(1, PACKET_MAX);
    memcpy(packet, bytes, captured);
    const struct plait_packet_rx rx = {.data = packet, .len = len, .csum_ok = true};
    struct recorded item = {.time_us = time_us, .packet = packet};
    if (seen_just_now(r, packet, 40) || segment_decode(&rx, &item.seg) != SEGMENT_OK) {
        free(packet);
        return;
    }
    uint32_t header = len - item.seg.payload_len;
    item.captured = captured > header ? captured - header : 0;
    if (item.captured > item.seg.payload_len)
        item.captured = item.seg.payload_len;
    r->items = realloc(r->items, (r->count + 1) * sizeof *r->items);
    r->items[r->count++] = item;
}

bool recording_load(const char *path, struct recording *r)
{
    uint8_t head[24], record[16];
    static uint8_t frame[PACKET_MAX];
    *r = (struct recording){0};
    FILE *f = fopen(path, "rb");
    if (!f)
        return false;
    bool good = fread(head, sizeof head, 1, f) == 1 && le32(head) == 0xa1b2c3d4;
    unsigned skip = good ? link_header(le32(head + 20)) : 0;
    while (skip && fread(record, sizeof record, 1, f) == 1) {
        uint32_t captured = le32(record + 8), len = le32(record + 12);
        if (captured > sizeof frame || fread(frame, captured, 1, f) != 1)
            break;
        if (captured >= skip + 40 && frame[skip] >> 4 == 4 && len <= PACKET_MAX)
            take(r, frame + skip, captured - skip, len - skip,
                 le32(record) * UINT64_C(1000000) + le32(record + 4));
    }
    fclose(f);
    return r->count > 0;
}

void recording_free(struct recording *r)
{
    for (unsigned i = 0; i < r->count; i++)
        free(r->items[i].packet);
    free(r->items);
}

bool recorded_on(const struct recorded *item, const struct recorded_flow *f, bool from_server)
{
    const struct plait_endpoint *src = from_server ? &f->server : &f->client;
    const struct plait_endpoint *dst = from_server ? &f->client : &f->server;
    return endpoint_equal(&item->seg.src, src) && endpoint_equal(&item->seg.dst, dst);
}

/* ---- the stream ---------------------------------------------------------------------- */

static const struct mptcp_dss *dss_of(const struct recorded *item)
{
    return item->seg.mptcp.present & MPO_DSS ? &item->seg.mptcp.dss : NULL;
}

/* The highest DATA_ACK; the first one says where the 32-bit ones are near. */
static void take_ack(const struct mptcp_dss *d, uint64_t near, uint64_t *highest)
{
    if (!d || !d->has_ack)
        return;
    uint64_t ack = d->ack64 ? d->data_ack : dsn_expand(near, (uint32_t)d->data_ack);
    if (*highest == 0 || dsn_gt(ack, *highest))
        *highest = ack;
}

static void place_bytes(const struct recorded *item, struct recorded_stream *out, uint8_t **have,
                        uint64_t *room)
{
    const struct mptcp_dss *d = dss_of(item);
    uint32_t len = item->seg.payload_len;
    if (!d || !d->has_map || len == 0)
        return;
    uint64_t dsn = d->dsn64 ? d->dsn : dsn_expand(out->idsn, (uint32_t)d->dsn);
    uint64_t at = dsn - out->idsn - 1;
    assert(d->data_len - (uint32_t)d->data_fin == len && at < UINT32_MAX); /* a mapping a segment */
    if (at + len > *room) {
        uint64_t grown = (at + len) * 2;
        out->bytes = realloc(out->bytes, grown);
        *have = realloc(*have, grown);
        memset(*have + *room, 0, grown - *room);
        *room = grown;
    }
    memcpy(out->bytes + at, item->seg.payload, len);
    memset(*have + at, 1, len);
    out->mappings++;
    out->cut += item->captured < len;
}

void recording_stream(const struct recording *r, const struct recorded_flow *flows, unsigned count,
                      struct recorded_stream *out)
{
    uint8_t *have = NULL;
    uint64_t room = 0;
    for (unsigned i = 0; i < r->count; i++) {
        const struct recorded *item = &r->items[i];
        for (unsigned f = 0; f < count; f++) {
            if (recorded_on(item, &flows[f], false)) {
                place_bytes(item, out, &have, &room);
                take_ack(dss_of(item), out->client_data_ack, &out->client_data_ack);
            } else if (recorded_on(item, &flows[f], true)) {
                take_ack(dss_of(item), out->idsn, &out->data_ack);
            }
        }
    }
    while (out->len < room && have[out->len])
        out->len++;
    free(have);
}
