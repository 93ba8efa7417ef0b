/* SPDX-License-Identifier: MIT
 *
 * The records: what is bound, sent, lost, sacked, and the sums over them
 * (RFC 2018, RFC 2883, RFC 6675's pipe).
 *
 * A record is on tcp.records from tcp_push until it is acknowledged, and in
 * between, once sent, in exactly one of these conditions:
 *   in flight  on tcp.sent_order, by time of transmission (RACK reads it)
 *   lost       on recovery.lost, by sequence number (tcp_plan reads it)
 *   sacked     on neither
 * Unsent records are the tail of tcp.records from recovery.unsent on.
 *
 * A SACK block is rounded inward to the segments the record was sent as, so
 * that a peer cannot make us cut 64 KiB into single bytes. Where memory for
 * a cut is refused the block's edge is ignored: knowing less is safe.
 */
#include "tcp/internal.h"

struct tcp_record *tcp_record_new(struct tcp *t)
{
    struct tcp_record *rec = pool_get(&t->env->records);
    if (rec) {
        list_init(&rec->link);
        list_init(&rec->sent_link);
    }
    return rec;
}

static bool record_sent(const struct tcp_record *rec)
{
    return rec->transmissions > 0;
}
static uint32_t record_end(const struct tcp_record *rec)
{
    return rec->seq + rec->len;
}

struct tcp_record *tcp_record_next(const struct tcp *t, const struct tcp_record *rec)
{
    return rec->link.next == &t->records ? NULL
                                         : list_entry(rec->link.next, struct tcp_record, link);
}

void tcp_record_free(struct tcp *t, struct tcp_record *rec)
{
    if (t->recovery.hint == rec)
        t->recovery.hint = NULL;
    list_remove(&rec->link);
    list_remove(&rec->sent_link);
    chunk_unref(rec->chunk[0]);
    chunk_unref(rec->chunk[1]);
    pool_put(&t->env->records, rec);
}

/* Drop the first `len` bytes: move the start, and let a chunk go when
 * nothing lies in it any more. */
static void record_trim_front(struct tcp_record *rec, uint32_t len)
{
    rec->seq += len;
    rec->len -= len;
    rec->offset += len;
    if (rec->chunk[1] && rec->offset >= rec->chunk[0]->size) {
        rec->offset -= rec->chunk[0]->size;
        chunk_unref(rec->chunk[0]);
        rec->chunk[0] = rec->chunk[1];
        rec->chunk[1] = NULL;
    }
}

static void record_trim_back(struct tcp_record *rec, uint32_t len)
{
    rec->len = len;
    if (rec->chunk[1] && rec->offset + len <= rec->chunk[0]->size) {
        chunk_unref(rec->chunk[1]);
        rec->chunk[1] = NULL;
    }
}

struct tcp_record *tcp_record_cut(struct tcp *t, struct tcp_record *rec, uint32_t len)
{
    assert(len > 0 && len < rec->len);
    struct tcp_record *rest = pool_get(&t->env->records);
    if (!rest)
        return NULL;
    *rest = *rec;
    list_init(&rest->sent_link);
    chunk_ref(rest->chunk[0]);
    if (rest->chunk[1])
        chunk_ref(rest->chunk[1]);
    record_trim_front(rest, len);
    record_trim_back(rec, len);
    rec->push = false;
    list_insert(rec->link.next, &rest->link);
    if (list_linked(&rec->sent_link))
        list_insert(rec->sent_link.next, &rest->sent_link);
    return rest;
}

unsigned tcp_record_iov(const struct tcp_record *rec, uint32_t skip, uint32_t len,
                        struct plait_iov iov[2])
{
    assert(skip <= rec->len && len <= rec->len - skip);
    unsigned count = 0;
    uint32_t at = rec->offset + skip, first = rec->chunk[0]->size;
    if (len > 0 && at < first) {
        uint32_t n = min_u32(len, first - at);
        iov[count++] = (struct plait_iov){rec->chunk[0]->data + at, n};
        at += n;
        len -= n;
    }
    if (len > 0)
        iov[count++] = (struct plait_iov){rec->chunk[1]->data + (at - first), len};
    return count;
}

/* ---- conditions ----------------------------------------------------------- */

static void leave_condition(struct tcp *t, struct tcp_record *rec)
{
    struct tcp_recovery *rc = &t->recovery;
    if (!record_sent(rec))
        return;
    if (rec->sacked)
        rc->sacked_bytes -= rec->len;
    else if (rec->lost)
        rc->lost_bytes -= rec->len;
    else
        rc->in_flight_bytes -= rec->len;
    rec->lost = rec->sacked = false;
    list_remove(&rec->sent_link);
}

/* The record leaves now, for the first time or again. */
void tcp_record_sent(struct tcp *t, struct tcp_record *rec, uint64_t now_us)
{
    leave_condition(t, rec);
    if (!record_sent(rec)) {
        rec->first_sent_us = now_us;
        t->recovery.unsent = tcp_record_next(t, rec);
    }
    rec->sent_us = now_us;
    rec->delivered_at_send = t->recovery.delivered_bytes;
    if (t->recovery.in_flight_bytes == 0)
        t->recovery.delivered_us = now_us;
    rec->since_delivery_us = (uint32_t)min_u64(now_us - t->recovery.delivered_us, UINT32_MAX);
    if (rec->transmissions < UINT8_MAX)
        rec->transmissions++;
    list_append(&t->sent_order, &rec->sent_link);
    t->recovery.in_flight_bytes += rec->len;
}

void tcp_record_lost(struct tcp *t, struct tcp_record *rec)
{
    assert(record_sent(rec) && !rec->lost);
    leave_condition(t, rec);
    rec->lost = true;
    t->recovery.lost_bytes += rec->len;
    struct list *head = &t->recovery.lost, *pos = head;
    if (!list_empty(head) &&
        seq_lt(rec->seq, list_first(head, struct tcp_record, sent_link)->seq)) {
        pos = head->next;
    } else {
        while (pos->prev != head &&
               seq_gt(list_entry(pos->prev, struct tcp_record, sent_link)->seq, rec->seq))
            pos = pos->prev;
    }
    list_insert(pos, &rec->sent_link);
}

/* It was not lost, or not delivered, after all: in flight, as old as it is. */
void tcp_record_found(struct tcp *t, struct tcp_record *rec)
{
    assert(rec->lost || rec->sacked);
    leave_condition(t, rec);
    struct list *pos = t->sent_order.next;
    while (pos != &t->sent_order &&
           list_entry(pos, struct tcp_record, sent_link)->sent_us < rec->sent_us)
        pos = pos->next;
    list_insert(pos, &rec->sent_link);
    t->recovery.in_flight_bytes += rec->len;
}

struct tcp_record *tcp_last_sent(const struct tcp *t)
{
    struct tcp_record *rec = NULL;
    if (t->recovery.unsent) {
        if (t->recovery.unsent->link.prev != &t->records)
            rec = list_entry(t->recovery.unsent->link.prev, struct tcp_record, link);
    } else if (!list_empty(&t->records)) {
        rec = list_last(&t->records, struct tcp_record, link);
    }
    return rec && !rec->sacked ? rec : NULL;
}

/* ---- acknowledgement ------------------------------------------------------ */

/* `len` bytes at the front of rec have arrived, by ACK or SACK. */
static void delivered(struct tcp *t, const struct tcp_record *rec, uint32_t len,
                      struct tcp_ack_work *w)
{
    t->recovery.delivered_bytes += len;
    t->recovery.delivered_us = t->now_us;
    w->delivered += len;
    if (rec->transmissions == 1 && (!w->has_newest || rec->sent_us > w->newest_us)) {
        w->newest_us = rec->sent_us;
        w->newest_delivered = rec->delivered_at_send;
        w->newest_since_us = rec->since_delivery_us;
        w->has_newest = true;
    }
    if (rec->transmissions > 1)
        w->resent_us = max_u64(w->resent_us, rec->sent_us);
    tcp_rack_delivered(t, rec, rec->seq + len, w);
}

/* Everything below `ack` has arrived. */
void tcp_scoreboard_ack(struct tcp *t, uint32_t ack, struct tcp_ack_work *w)
{
    while (!list_empty(&t->records)) {
        struct tcp_record *rec = list_first(&t->records, struct tcp_record, link);
        if (!record_sent(rec) || seq_geq(rec->seq, ack))
            break;
        uint32_t len = min_u32(rec->len, ack - rec->seq);
        if (!rec->sacked)
            delivered(t, rec, len, w);
        if (len == rec->len) {
            leave_condition(t, rec);
            tcp_record_free(t, rec);
            continue;
        }
        if (rec->sacked)
            t->recovery.sacked_bytes -= len;
        else if (rec->lost)
            t->recovery.lost_bytes -= len;
        else
            t->recovery.in_flight_bytes -= len;
        record_trim_front(rec, len);
        break;
    }
}

static void mark_sacked(struct tcp *t, struct tcp_record *rec, struct tcp_ack_work *w)
{
    delivered(t, rec, rec->len, w);
    leave_condition(t, rec);
    rec->sacked = true;
    t->recovery.sacked_bytes += rec->len;
}

/* The first sent record that ends above `left`, looking from the hint. */
static struct tcp_record *seek(const struct tcp *t, uint32_t left)
{
    if (list_empty(&t->records))
        return NULL;
    struct tcp_record *rec = t->recovery.hint;
    if (!rec)
        rec = list_first(&t->records, struct tcp_record, link);
    while (rec->link.prev != &t->records) {
        struct tcp_record *before = list_entry(rec->link.prev, struct tcp_record, link);
        if (seq_leq(record_end(before), left))
            break;
        rec = before;
    }
    while (rec && seq_leq(record_end(rec), left))
        rec = tcp_record_next(t, rec);
    return rec;
}

/* Mark what of [left, right) lies in rec, whole segments only. Returns the
 * record to go on from. */
static struct tcp_record *sack_record(struct tcp *t, struct tcp_record *rec, uint32_t left,
                                      uint32_t right, struct tcp_ack_work *w)
{
    uint32_t segment = max_u32(rec->segment_len, 1);
    if (seq_gt(left, rec->seq)) {
        uint32_t skip = (left - rec->seq + segment - 1) / segment * segment;
        if (skip >= rec->len)
            return rec;
        rec = tcp_record_cut(t, rec, skip);
        if (!rec)
            return NULL;
    }
    if (seq_lt(right, record_end(rec))) {
        uint32_t keep = seq_gt(right, rec->seq) ? (right - rec->seq) / segment * segment : 0;
        if (keep == 0 || !tcp_record_cut(t, rec, keep))
            return rec;
    }
    mark_sacked(t, rec, w);
    return rec;
}

static void sack_range(struct tcp *t, uint32_t left, uint32_t right, struct tcp_ack_work *w)
{
    struct tcp_record *rec = seek(t, left);
    while (rec && record_sent(rec) && seq_lt(rec->seq, right)) {
        struct tcp_record *at = rec->sacked ? rec : sack_record(t, rec, left, right, w);
        if (!at)
            return;
        t->recovery.hint = at;
        rec = tcp_record_next(t, at);
    }
}

/* RFC 2883 4: the first block reports a duplicate when it lies below the ACK
 * or inside the second block. */
static bool is_dsack(const struct segment *seg)
{
    const struct sack_block *b = seg->tcp.sack;
    if (seg->tcp.sack_count == 0)
        return false;
    if (seq_leq(b[0].right, seg->ack))
        return true;
    return seg->tcp.sack_count > 1 && seq_geq(b[0].left, b[1].left) &&
           seq_leq(b[0].right, b[1].right);
}

static void take_dsack(struct tcp *t, const struct sack_block *b, struct tcp_ack_work *w)
{
    bool plausible = seq_lt(b->left, b->right) && seq_leq(b->right, t->snd_nxt) &&
                     seq_gt(b->left, t->iss) && b->right - b->left <= 0x40000000;
    if (!plausible)
        return;
    t->stats.dsacks++;
    w->dsack = true;
    if (t->rack.tlp_out && b->right == t->rack.tlp_end_seq)
        w->tlp_dsack = true;
    tcp_recovery_dsack(t, b->left, b->right);
}

/* Leave out of block b what the last ACK said already, but for one segment
 * at its edge, which rounding may have kept from being marked. */
static void skip_seen(const struct tcp *t, struct sack_block *b)
{
    for (unsigned i = 0; i < t->recovery.seen_count; i++) {
        const struct sack_block *s = &t->recovery.seen[i];
        if (seq_leq(s->left, b->left) && seq_geq(s->right, b->right))
            b->left = b->right;
        else if (seq_leq(s->left, b->left) && seq_gt(s->right, b->left))
            b->left = seq_max(b->left, s->right - t->control.peer_mss);
    }
}

static void sort_blocks(struct sack_block *b, unsigned n)
{
    for (unsigned i = 1; i < n; i++)
        for (unsigned j = i; j > 0 && seq_lt(b[j].left, b[j - 1].left); j--) {
            struct sack_block swap = b[j];
            b[j] = b[j - 1];
            b[j - 1] = swap;
        }
}

/* The blocks of one segment, lowest first: RACK takes a delivery below an
 * earlier one for reordering. */
void tcp_scoreboard_sack(struct tcp *t, const struct segment *seg, struct tcp_ack_work *w)
{
    if (!t->sack || !(seg->tcp.present & OPT_SACK))
        return;
    struct sack_block blocks[SACK_BLOCKS_MAX] = {0};
    unsigned n = 0, first = 0;
    if (is_dsack(seg)) {
        take_dsack(t, &seg->tcp.sack[0], w);
        first = 1;
    }
    for (unsigned i = first; i < seg->tcp.sack_count && i < SACK_BLOCKS_MAX; i++) {
        struct sack_block b = seg->tcp.sack[i];
        if (seq_lt(b.left, b.right) && seq_gt(b.left, t->snd_una) && seq_leq(b.right, t->snd_nxt))
            blocks[n++] = b;
    }
    sort_blocks(blocks, n);
    for (unsigned i = 0; i < n; i++) {
        struct sack_block b = blocks[i];
        skip_seen(t, &b);
        if (b.left != b.right)
            sack_range(t, b.left, b.right, w);
    }
    memcpy(t->recovery.seen, blocks, sizeof blocks);
    t->recovery.seen_count = (uint8_t)n;
}

/* The receiver may have thrown away what it had sacked (RFC 2018 8). */
void tcp_scoreboard_forget(struct tcp *t)
{
    t->recovery.seen_count = 0;
    list_each(rec, &t->records, struct tcp_record, link) {
        if (!record_sent(rec))
            break;
        if (rec->sacked)
            tcp_record_found(t, rec);
    }
}

void tcp_scoreboard_free(struct tcp *t)
{
    list_each(rec, &t->records, struct tcp_record, link)
        tcp_record_free(t, rec);
    t->recovery.unsent = NULL;
    t->recovery.in_flight_bytes = t->recovery.sacked_bytes = t->recovery.lost_bytes = 0;
}
