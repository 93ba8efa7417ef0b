/* SPDX-License-Identifier: MIT
 *
 * What the owner may bind to sequence numbers, how much at a time is
 * sensible, and binding it.
 */
#include "tcp/internal.h"

enum { BURST_US = 1000, SECOND_US = 1000 * 1000, SEGMENTS_LEAST = 2, RTT_SHIFT_US = 9 };

uint64_t tcp_room(const struct tcp *t, uint64_t now_us)
{
    if (!tcp_can_send(t) || t->wants.fin || t->wants.abort || t->recovery.unsent ||
        t->recovery.lost_bytes > 0 || tcp_pace_at(t) > now_us)
        return 0;
    uint32_t segment = tcp_segment_payload(t, t->control.option_len);
    uint64_t room = tcp_congestion_room(t);
    if (tcp_is_idle(t, now_us)) /* tcp_sent will tell the congestion control */
        room = min_u64(room, (uint64_t)t->config->initial_window * tcp_mss(t));
    uint32_t window = tcp_window_room(t);
    if (room < segment)
        return 0;
    /* RFC 9293 3.8.6.2.1: no silly segments into a small window. */
    if (window < segment && window < t->snd_wnd_max / 2 && !t->wants.override)
        return 0;
    return min_u64(room, window);
}

/* About a millisecond's worth, so that the path sees a flow and not bursts; more
 * where the round trip itself is short, for the processors' sake, or where our
 * turn comes less often. */
uint32_t tcp_burst(const struct tcp *t, uint8_t owner_option_len)
{
    uint32_t segment = tcp_segment_payload(t, owner_option_len);
    uint64_t bytes = min_u64(t->config->burst_max_bytes, PLAIT_PAYLOAD_MAX);
    if (t->control.pacing_rate) {
        uint64_t turn_us = max_u32(BURST_US, t->env->late_us);
        uint64_t share = t->control.pacing_rate * turn_us / SECOND_US;
        if (t->rtt.min_us >> RTT_SHIFT_US < 32)
            share += (uint32_t)PLAIT_PAYLOAD_MAX >> (t->rtt.min_us >> RTT_SHIFT_US);
        share = max_u64(share, (uint64_t)SEGMENTS_LEAST * segment);
        bytes = min_u64(bytes, share);
    }
    return max_u32((uint32_t)bytes / segment, 1) * segment;
}

bool tcp_push(struct tcp *t, struct plait_chunk *const chunk[2], uint32_t offset, uint32_t len,
              const struct tcp_map *map, bool push)
{
    assert(len > 0 && len <= PLAIT_PAYLOAD_MAX && !t->wants.fin);
    assert(offset < chunk[0]->size);
    assert((uint64_t)offset + len <= (uint64_t)chunk[0]->size + (chunk[1] ? chunk[1]->size : 0));
    struct tcp_record *rec = tcp_record_new(t);
    if (!rec)
        return false;
    rec->seq = t->snd_end;
    rec->len = len;
    rec->offset = offset;
    rec->push = push;
    rec->map = *map;
    rec->chunk[0] = chunk_ref(chunk[0]);
    if (offset + len > chunk[0]->size)
        rec->chunk[1] = chunk_ref(chunk[1]);
    list_append(&t->records, &rec->link);
    if (!t->recovery.unsent)
        t->recovery.unsent = rec;
    t->snd_end += len;
    tcp_settle(t);
    return true;
}
